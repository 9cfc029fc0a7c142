"""`python -m sandbox demo` plays a day, `sealed` and `trouble` others, `sixteen` a week of planning, `programme` what
brands do for their clients; `run` stays up."""

from __future__ import annotations

import sys

USAGE = """usage: python -m sandbox demo [SEED]     play Shanghai, 11 April 2022, and recount it
       python -m sandbox sealed          close places while gifts travel, and show the evidence
       python -m sandbox trouble [SEED]  let four fleets misbehave, and see every gift arrive
       python -m sandbox sixteen [SEED]  plan a week in which ten of sixteen crews fall out
       python -m sandbox programme [ROW...]  play the gift programme, a row for each practice
       python -m sandbox run [PORT]      stay up in real time, and print the addresses"""


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in ("demo", "sealed", "trouble", "sixteen", "programme", "run"):
        print(USAGE, file=sys.stderr)
        return 2
    if arguments[0] == "programme":
        from sandbox import programme

        return programme.main(arguments[1:])
    number = 0
    if len(arguments) > 1:
        if not arguments[1].isdigit():
            print(f"{arguments[1]!r} is not a number\n{USAGE}", file=sys.stderr)
            return 2
        number = int(arguments[1])
    if arguments[0] == "demo":
        from sandbox import demo

        return demo.main(number or 20220411)
    if arguments[0] == "sealed":
        from sandbox import travels

        return travels.main()
    if arguments[0] == "trouble":
        from sandbox import trouble

        return trouble.main(number or 20220411)
    if arguments[0] == "sixteen":
        from sandbox import attrition

        return attrition.main(number or 20220411)
    from sandbox import run

    return run.main(number or 8080)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
