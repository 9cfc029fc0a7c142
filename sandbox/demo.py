"""`make demo`: Shanghai, 11 April 2022, from nothing to a recount that can fail."""

from __future__ import annotations

import gc
import sys
from datetime import timedelta

from sandbox import shanghai
from sandbox.clock import VirtualClock
from sandbox.day import Day, Outcome
from sandbox.report_page import written
from sandbox.stand import HOME, Stand

GRAIN = timedelta(minutes=1)
"""People and couriers do things on full minutes, the schedules fire between them."""


def main(seed: int) -> int:
    """Play and print; 1 when anything is wrong."""
    print(
        f"Shanghai, 11 April 2022 (seed {seed}): the real app on an embedded AWS, couriers and brands over HTTP."
    )
    gc.set_threshold(200_000, 20, 100)  # a map of 17,649 zones is searched for garbage at each collection
    scenario = shanghai.Shanghai(seed)
    clock = VirtualClock(shanghai.BEGINS, grain=GRAIN)
    day = Day(scenario, clock, lambda line: print(line, flush=True))
    log = HOME / "demo.log"
    try:
        with Stand(clock, day.secrets(), log=log) as stand:
            outcome = day.play(stand)
            stories = day.stories()
    finally:
        day.close()
    _print(scenario, outcome)
    page = HOME / "demo.html"
    page.write_text(written("shanghai", scenario, outcome, day.seen, stories), encoding="utf-8")
    print(f"\nlog lines: {log}\nthe day on one page, with its map at any hour: {page}")
    return 0 if outcome.is_clean else 1


def _print(scenario: shanghai.Shanghai, outcome: Outcome) -> None:
    hours = scenario.fleet_by_hour()
    print(
        f"\n{outcome.zones:,} zones in force at the end; "
        f"{outcome.placed} gifts ordered; crews that may drive: "
        + ", ".join(f"{hour.at:%H}h {len(hour.cleared)}" for hour in hours[::2])
    )
    print("\nWhat became of them, by the level of the compound at that time:\n")
    print(outcome.report.table())
    calls = outcome.callbacks
    told = sum(count["told"] for count in outcome.notices.values())
    doubled = sum(count["doubled"] for count in outcome.notices.values())
    print(
        f"\n{sum(calls.values())} callbacks: {calls['lost']} lost on the way, {calls['forged']} forged and refused; "
        f"{told} notices to brands, {doubled} of them sent twice; "
        f"{outcome.evidence} pieces of evidence; {outcome.messages} messages and ticks handled"
    )
    for note in outcome.report.notes:
        print(f"note: {note}")
    wrong = [*map(str, outcome.report.violations), *outcome.faults]
    for fault in wrong[:40]:
        print(f"WRONG: {fault}", file=sys.stderr)
    if wrong:
        print(f"\n{len(wrong)} things are wrong.", file=sys.stderr)
    else:
        print(
            "\nRecounted from the couriers' own ledgers: no order lost or in two places, none booked twice, none "
            "moved by anyone who\nwas not cleared at that moment, no slot oversold."
        )
    print(f"{outcome.seconds:.0f} seconds")
