"""Play days: `python -m tests.simulation SEED` plays one and, if it fails, shrinks it to its shortest story.

python -m tests.simulation 17                                   one day
python -m tests.simulation 17 --keep o3,a12 --only 0f3a9b21     what is left of it
python -m tests.simulation 1-2000                               many days, on every core, with the counts
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.simulation import many, shrink


def main(arguments: list[str] | None = None) -> int:
    """0: every invariant held."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__.splitlines()[0])
    parser.add_argument("seeds", help="one seed, or first-last")
    parser.add_argument("--keep", help="orders and deeds that take place, comma-separated; - for none")
    parser.add_argument("--only", help="mishaps that may happen, comma-separated; - for none")
    parser.add_argument("--whole", action="store_true", help="do not shrink")
    parser.add_argument("--steps", type=int, default=60, help="how many of the last steps are shown")
    asked = parser.parse_args(arguments)
    first, _, last = asked.seeds.partition("-")
    if last:
        return _many(int(first), int(last))
    keep, only = _names(asked.keep), _names(asked.only)
    failure = shrink.failure_of(int(first), keep, only)
    if failure is None:
        _say(f"seed {first}: every invariant held")
        return 0
    if keep is None and only is None and not asked.whole:
        failure = shrink.shrunk(failure)
    _say(shrink.story(failure, asked.steps))
    return 1


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _names(text: str | None) -> list[str] | None:
    if text is None:
        return None
    return [name for name in text.split(",") if name and name != "-"]


def _many(first: int, last: int) -> int:
    began = time.monotonic()
    tally = many.played(range(first, last + 1))
    _say(tally.report())
    _say(f"{last + 1 - first} days in {time.monotonic() - began:.0f} s")
    if tally.failures:
        _say(shrink.story(shrink.shrunk(tally.failures[0])))
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
