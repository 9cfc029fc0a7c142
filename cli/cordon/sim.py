"""`cordon sim`: a day in virtual time on the whole system, seeded, with a report in one file."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from cli.cordon import console
from cli.cordon.console import Exit

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_() -> None:
    """What can be played."""
    console.rows(
        [
            {
                "name": "shanghai",
                "what": "11 April 2022: 16 crews fall out one by one, compounds close, gifts travel on",
            },
        ]
    )


@app.command()
def run(
    name: Annotated[str, typer.Argument(help="See `sim list`.")] = "shanghai",
    seed: Annotated[int, typer.Option(help="The same seed, the same day.")] = 20220411,
    report: Annotated[Path, typer.Option(help="One HTML page that needs nothing else.")] = Path(
        "report.html"
    ),
    fail_under: Annotated[
        float | None, typer.Option(help="Share of gifts handed over, 0 to 1: below it the end is 3.")
    ] = None,
) -> None:
    """Play it from nothing to a recount that can fail, and write what came of it."""
    if name != "shanghai":
        console.fail(f"nothing to play is called {name!r}; see `cordon sim list`", Exit.USAGE)
    if console.said.dry_run:
        console.note(f"would play {name} with the seed {seed} and write {report} (--dry-run)")
        return
    if report.is_dir() or not os.access(report if report.exists() else report.absolute().parent, os.W_OK):
        console.fail(f"--report: a file that can be written was expected, got {str(report)!r}", Exit.USAGE)
    from sandbox import shanghai
    from sandbox.clock import VirtualClock
    from sandbox.day import Day
    from sandbox.demo import GRAIN
    from sandbox.report_page import written
    from sandbox.stand import HOME, Stand

    scenario = shanghai.Shanghai(seed)
    clock = VirtualClock(shanghai.BEGINS, grain=GRAIN)
    total = (scenario.ends - scenario.begins).total_seconds() / 3600
    began = time.monotonic()
    with console.progress(f"{name}, seed {seed}", total) as so_far:

        def say(line: str) -> None:
            gone = (clock.now() - scenario.begins).total_seconds() / 3600
            so_far(gone, text=line[:60])
            if not console.progress_console().is_terminal:
                console.note(line)

        day = Day(scenario, clock, say)
        try:
            with Stand(clock, day.secrets(), log=HOME / "sim.log") as stand:
                outcome = day.play(stand)
                stories = day.stories()
        finally:
            day.close()
    report.write_text(written(name, scenario, outcome, day.seen, stories), encoding="utf-8")
    handed = sum(line.count for line in outcome.report.summary if line.outcome in ("delivered", "at_gate"))
    share = handed / outcome.placed if outcome.placed else 0.0
    console.one(
        {
            "scenario": name,
            "seed": seed,
            "placed": outcome.placed,
            "handed_over": handed,
            "share": round(share, 3),
            "violations": len(outcome.report.violations),
            "faults": len(outcome.faults),
            "seconds": round(time.monotonic() - began),
            "report": str(report),
        }
    )
    for fault in [*map(str, outcome.report.violations), *outcome.faults][:40]:
        print(f"WRONG: {fault}", file=sys.stderr)
    if not outcome.is_clean:
        raise typer.Exit(int(Exit.FAILURE))
    if fail_under is not None and share < fail_under:
        raise typer.Exit(int(Exit.WRONG))
