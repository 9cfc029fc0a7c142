"""Print the table of what is measured here."""

from __future__ import annotations

import platform

from bench import placing, rezoning


def main() -> None:
    print(f"CPython {platform.python_version()}, {platform.machine()}, process CPU, medians of 5\n")
    alone = placing.without_aws()
    canned = placing.with_canned_replies()
    start = placing.first_answer()
    rows = [
        ("place an order, without AWS", f"{alone:.3f} ms", "≤ 0.1 ms", "0.57 ms"),
        ("place an order, canned AWS replies", f"{canned:.2f} ms", "≤ 0.9 ms", "2.4 ms"),
        ("process start to first answer", f"{start['answer_ms']:.0f} ms", "≤ 300 ms", "607 ms"),
        ("modules after `import app`", f"{start['modules']:.0f}", "≤ 260", "765"),
    ]
    print(f"{'work':38}{'here, now':>14}{'to reach':>12}{'peer *':>10}")
    for name, ours, goal, peer in rows:
        print(f"{name:38}{ours:>14}{goal:>12}{peer:>10}")
    print(f"\n{'new rules, CPU of one process':48}{'here, now':>16}{'to reach':>12}")
    for name, ours, goal in rezoning.measured():
        print(f"{name:48}{ours:>16}{goal:>12}")
    print(
        "\n* aws-lambda-handler-cookbook, as measured on another day on a machine of the same kind;\n"
        "  not run here: compare orders of magnitude, not digits."
    )


if __name__ == "__main__":
    main()
