"""The report of a played day: one page that needs nothing else, no script and no file beside it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

from sandbox import checker, shanghai
from sandbox.day import Outcome, Seen
from sandbox.report_charts import bars, lines, spaced, table
from sandbox.report_map import THERE, frames, hour_of
from sandbox.report_stories import told

STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#17202b;background:#fff}
h1{line-height:1.2}h2{margin-top:2.2rem}h3{margin-bottom:.3rem}table{border-collapse:collapse}
td,th{text-align:left;padding:.25rem .7rem;border-bottom:1px solid #d5dbe3}th{font-weight:600}
td.n{text-align:right;font-variant-numeric:tabular-nums}svg{max-width:100%;height:auto}details{margin:.15rem 0}
main>svg,form>svg{display:block;background:#fff;border-radius:8px;padding:.4rem 0}
.scroll{overflow-x:auto}.scroll:focus-visible,summary:focus-visible{outline:3px solid #c2410c;outline-offset:2px}
fieldset{border:0;padding:0;margin:0 0 .6rem;display:flex;flex-wrap:wrap;gap:.2rem;min-width:0}
legend{float:left;padding:.3rem .6rem .3rem 0}
.hours input{position:absolute;opacity:0}.hours label{padding:.25rem .5rem;border:1px solid #8fa3b8;border-radius:6px;min-height:24px}
.hours input:checked+label{background:#17324d;color:#fff}.hours input:focus-visible+label{outline:3px solid #c2410c}
.map .name{fill:#22384f;paint-order:stroke;stroke:#fff;stroke-width:2.5px;stroke-opacity:.75}
.legend span{margin-right:1.2rem;display:inline-block}summary{cursor:pointer;min-height:24px}.soft{color:#55606e}ol{margin:.3rem 0}
li{overflow-wrap:anywhere}
.figures{display:flex;flex-wrap:wrap;gap:.6rem;padding:0;list-style:none}
.figures li{border:1px solid #d5dbe3;border-radius:8px;padding:.5rem .9rem}.figures strong{display:block;font-size:1.5rem;line-height:1.2}
.well{border-left:6px solid #17603a;padding:.3rem .8rem}.wrong{border-left:6px solid #9f1d1d;padding:.3rem .8rem}
@media(prefers-color-scheme:dark){body{background:#11161c;color:#e8edf3}td,th,.figures li{border-color:#3a444f}.soft{color:#a7b1bd}
.legend svg{background:#fff;border-radius:3px}.hours input:checked+label{background:#cfe0f2;color:#11161c}}"""


def written(
    name: str, scenario: Any, outcome: Outcome, hours: Sequence[Seen], stories: Sequence[Mapping[str, Any]]
) -> str:
    """The page."""
    by_level: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for line in outcome.report.summary:
        by_level[line.level][line.outcome] += line.count
    labels = [hour_of(hour.at) for hour in hours]
    crews = [(label, hour.crews) for label, hour in zip(labels, hours, strict=True) if hour.crews is not None]
    series = {
        "ordered": [hour.placed for hour in hours],
        "handed over": [hour.handed_over for hour in hours],
        "booked or on their way": [hour.live for hour in hours],
    }
    wrong = [*map(str, outcome.report.violations), *outcome.faults]
    verdict = (
        f"{len(wrong)} {'thing is' if len(wrong) == 1 else 'things are'} wrong."
        if wrong
        else "Recounted from the couriers' own ledgers: nothing is wrong."
    )
    style, map_ = frames(scenario, hours, stories)
    middle = scenario.begins + (scenario.ends - scenario.begins) / 2
    title = f"{name.title()}, {middle.astimezone(shanghai.LOCAL):%d %B %Y}"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width,initial-scale=1"><title>{escape(title)}, seed {scenario.seed}</title>'
        f"<style>{STYLE}{style}</style></head><body><main><h1>{escape(title)}</h1>"
        f'<p class="soft">Played in virtual time with the seed {scenario.seed}: the same seed, the same day. All hours '
        f"are Shanghai's.</p>"
        f'<p class="{"wrong" if wrong else "well"}"><strong>{escape(verdict)}</strong></p>'
        + ("<ul>" + "".join(f"<li>{escape(fault)}</li>" for fault in wrong) + "</ul>" if wrong else "")
        + _figures(outcome, by_level)
        + "<h2>The map at any hour</h2>"
        + map_
        + "<h2>What became of them, by the level of the place</h2>"
        + table(by_level)
        + bars(by_level)
        + "<h2>Deliveries by level over time</h2>"
        + lines(
            "Handed over so far, by the level of the place then", labels, _by_level(scenario, hours, stories)
        )
        + "<h2>Over the day</h2>"
        + lines("Gifts over the day", labels, series)
        + "<h2>The fleet's decline</h2>"
        + lines(
            "Crews that may drive",
            [label for label, _ in crews],
            {"crews that may drive": [count or 0 for _, count in crews]},
        )
        + "<h2>The story of any order</h2>"
        + told(stories)
        + "</main></body></html>\n"
    )


def _figures(outcome: Outcome, by_level: Mapping[str, Mapping[str, int]]) -> str:
    there = sum(count for counts in by_level.values() for state, count in counts.items() if state in THERE)
    share = f" ({there / outcome.placed:.0%})" if outcome.placed else ""
    figures = (
        (f"{outcome.placed:,}", "gifts ordered"),
        (f"{there:,}{share}", "there at the end"),
        (f"{outcome.zones:,}", "zones in force at the end"),
        (f"{outcome.evidence:,}", "pieces of evidence"),
        (f"{outcome.messages:,}", "messages and ticks handled"),
    )
    return (
        '<ul class="figures">'
        + "".join(f"<li><strong>{escape(count)}</strong> {escape(what)}</li>" for count, what in figures)
        + "</ul>"
    )


def _by_level(
    scenario: Any, hours: Sequence[Seen], stories: Sequence[Mapping[str, Any]]
) -> dict[str, list[int]]:
    """How many had been handed over by each hour, by the level that held at their place when they were."""
    sites = {order.reference: order.site for order in scenario.orders}
    moments = []
    for story in stories:
        ends = [
            datetime.fromisoformat(str(step["at"]))
            for step in story["history"]
            if step["state"] in ("delivered", "at_gate")
        ]
        site = sites.get(str(story["reference"]))
        if ends and site is not None:
            moments.append((min(ends), site))
    level = checker.level_then(scenario.truth())
    met = [(at, level(site, at)) for at, site in moments]
    names = [level for level in checker.LEVELS if any(found == level for _, found in met)]
    return {
        spaced(level): [sum(found == level and at <= hour.at for at, found in met) for hour in hours]
        for level in names
    }
