"""`cordon sim`: a day in virtual time on the whole system, seeded, with a report in one file."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

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
    from cli.cordon.sim_report import written
    from sandbox import shanghai
    from sandbox.clock import VirtualClock
    from sandbox.day import Day
    from sandbox.demo import GRAIN
    from sandbox.stand import HOME, Stand

    scenario = shanghai.Shanghai(seed)
    clock = VirtualClock(shanghai.BEGINS, grain=GRAIN)
    total = (scenario.ends - scenario.begins).total_seconds() / 3600
    began = time.monotonic()
    hours: list[dict[str, Any]] = []
    with console.progress(f"{name}, seed {seed}", total) as so_far:

        class Told(Day):
            """The day, which says how far it is."""

            def _progress(self, at: datetime, seconds: float) -> None:
                jobs = [job for company in self.companies.values() for job in company.jobs.values()]
                hour = next((one for one in self.hours if one.at == at), None)
                hours.append(
                    {
                        "at": at,
                        "placed": len(self.references),
                        "live": sum(job.is_live for job in jobs),
                        "delivered": sum(job.is_delivered for job in jobs),
                        "crews": None if hour is None else len(hour.cleared),
                    }
                )
                so_far(
                    (at - scenario.begins).total_seconds() / 3600,
                    text=f"{at.astimezone(shanghai.LOCAL):%d %b %H:%M}",
                )

            def stories(self) -> list[dict[str, Any]]:
                return [
                    {"brand": name, **order}
                    for name, client in self.brands.items()
                    for order in client.pages("/v1/orders")
                ]

        day = Told(scenario, clock, lambda line: None)
        try:
            with Stand(clock, day.secrets(), log=HOME / "sim.log") as stand:
                outcome = day.play(stand)
                stories = day.stories()
        finally:
            day.close()
    report.write_text(written(name, seed, scenario, outcome, hours, stories), encoding="utf-8")
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
