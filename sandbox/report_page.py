"""The report of a played day: one page that needs nothing else, no script and no file beside it. The map has a frame for
each hour and the style sheet shows the chosen one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

from sandbox import shanghai
from sandbox.day import Outcome, Seen

COLOURS = ("#17603a", "#0b5394", "#7a4a00", "#9f1d1d", "#5b3a7a", "#55606e")
STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#17202b;background:#fff}
h2{margin-top:2rem}table{border-collapse:collapse}td,th{text-align:left;padding:.25rem .7rem;border-bottom:1px solid #d5dbe3}
td.n{text-align:right;font-variant-numeric:tabular-nums}svg{max-width:100%;height:auto}details{margin:.15rem 0}
fieldset{border:0;padding:0;display:flex;flex-wrap:wrap;gap:.2rem}legend{float:left;padding:.3rem .6rem .3rem 0}
.hours input{position:absolute;opacity:0}.hours label{padding:.25rem .5rem;border:1px solid #8fa3b8;border-radius:6px;min-height:24px}
.hours input:checked+label{background:#17324d;color:#fff}.hours input:focus-visible+label{outline:3px solid #c2410c}
.legend span{margin-right:1.2rem}summary{cursor:pointer}.soft{color:#55606e}ol{margin:.3rem 0}
@media(prefers-color-scheme:dark){body{background:#11161c;color:#e8edf3}td,th{border-color:#3a444f}.soft{color:#a7b1bd}svg{background:#fff;border-radius:8px}}"""


def written(
    name: str, scenario: Any, outcome: Outcome, hours: Sequence[Seen], stories: Sequence[Mapping[str, Any]]
) -> str:
    """The page."""
    by_level: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for line in outcome.report.summary:
        by_level[line.level][line.outcome] += line.count
    labels = [f"{hour.at.astimezone(shanghai.LOCAL):%d. %H h}" for hour in hours]
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
    at, frames = _frames(scenario, hours, stories)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width,initial-scale=1"><title>{escape(name)}, seed {scenario.seed}</title>'
        f"<style>{STYLE}{_showing(len(at))}</style></head><body><main><h1>{escape(name.title())}, seed {scenario.seed}</h1>"
        f"<p><strong>{escape(verdict)}</strong> {outcome.placed} gifts ordered, {outcome.zones:,} zones in force at the "
        f"end, {outcome.evidence} pieces of evidence, {outcome.messages:,} messages and ticks handled.</p>"
        + ("<ul>" + "".join(f"<li>{escape(fault)}</li>" for fault in wrong) + "</ul>" if wrong else "")
        + "<h2>The map at any hour</h2>"
        + frames
        + "<h2>What became of them, by the level of the place</h2>"
        + _table(by_level)
        + _bars(by_level)
        + "<h2>Over the day</h2>"
        + _lines(labels, series)
        + "<h2>The fleet's decline</h2>"
        + _lines([label for label, _ in crews], {"crews that may drive": [count or 0 for _, count in crews]})
        + "<h2>The story of every order</h2>"
        + "".join(map(_story, sorted(stories, key=lambda one: str(one["reference"]))))
        + "</main></body></html>\n"
    )


WAITING = ("placed", "held", "stranded", "relayed")
ON_THE_WAY = ("assigned", "booked", "picked_up", "returning")
THERE = ("delivered", "at_gate", "fulfilled_digitally")
LOOKS = (
    ("waits", "#9f1d1d", WAITING),
    ("given or on its way", "#0b5394", ON_THE_WAY),
    ("there", "#17603a", THERE),
    ("ended otherwise", "#55606e", ()),
)
"""What a gift is at an hour: its word, its colour, its states; the last for every other. Each has a shape as well."""
WIDTH = 640


def _frames(
    scenario: Any, hours: Sequence[Seen], stories: Sequence[Mapping[str, Any]]
) -> tuple[list[Seen], str]:
    """A frame for each hour, one of which is shown: a choice of radio buttons, and no script."""
    districts = [
        one for one in scenario.districts if one.code != "310151"
    ]  # the island in the north is half the map
    west = min(one.bounds[0] for one in districts)
    south = min(one.bounds[1] for one in districts)
    east = max(one.bounds[2] for one in districts)
    north = max(one.bounds[3] for one in districts)
    scale = WIDTH / (east - west)
    height = round((north - south) * scale * 1.17)

    def spot(lng: float, lat: float) -> tuple[float, float]:
        return (lng - west) * scale, (north - lat) * scale * 1.17

    where = {compound.site: (compound.lng, compound.lat) for compound in scenario.compounds}
    sites = {order.reference: where[order.site] for order in scenario.orders if order.site in where}
    ground = "".join(_district(one, spot) for one in districts)
    at = [
        hour for hour in hours if any(datetime.fromisoformat(str(s["placed_at"])) <= hour.at for s in stories)
    ]
    chosen = len(at) // 2
    choices = "".join(
        f'<input type="radio" name="hour" id="h{n}"{" checked" if n == chosen else ""}>'
        f'<label for="h{n}">{hour.at.astimezone(shanghai.LOCAL):%d. %H h}</label>'
        for n, hour in enumerate(at)
    )
    dots = "".join(
        f'<g class="f{n}">' + "".join(_dot(story, hour.at, sites, spot) for story in stories) + "</g>"
        for n, hour in enumerate(at)
    )
    legend = " ".join(
        f'<span><svg width="14" height="14" aria-hidden="true">{_shape(n, 7, 7)}</svg> {escape(word)}</span>'
        for n, (word, _, _) in enumerate(LOOKS)
    )
    return at, (
        f'<form class="hours"><fieldset><legend>Hour</legend>{choices}</fieldset>'
        f'<svg class="map" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img" '
        f'aria-label="Gifts by district at the chosen hour">{ground}{dots}</svg></form><p class="legend">{legend}</p>'
    )


def _showing(count: int) -> str:
    """Of the frames only the chosen one is shown."""
    shown = ",".join(f".hours:has(#h{n}:checked) .f{n}" for n in range(count))
    return f".map g[class^=f]{{display:none}}{shown}{{display:inline}}" if count else ""


def _district(one: Any, spot: Callable[[float, float], tuple[float, float]]) -> str:
    paths = ""
    for polygon in one.polygons:
        points = [spot(*point) for point in polygon[0]]
        paths += "M" + "L".join(f"{x:.0f} {y:.0f}" for x, y in points) + "Z"
    x, y = spot((one.bounds[0] + one.bounds[2]) / 2, (one.bounds[1] + one.bounds[3]) / 2)
    return (
        f'<path d="{paths}" fill="#e6eef6" stroke="#8fa3b8"/>'
        f'<text x="{x:.0f}" y="{y:.0f}" font-size="11" text-anchor="middle" fill="#34506b">{escape(one.english)}</text>'
    )


def _dot(
    story: Mapping[str, Any],
    at: datetime,
    sites: Mapping[str, tuple[float, float]],
    spot: Callable[[float, float], tuple[float, float]],
) -> str:
    passed = [step["state"] for step in story["history"] if datetime.fromisoformat(str(step["at"])) <= at]
    place = sites.get(str(story["reference"]))
    if not passed or place is None:
        return ""
    look = next((n for n, (_, _, states) in enumerate(LOOKS) if passed[-1] in states), len(LOOKS) - 1)
    x, y = spot(*place)
    return f"<g><title>{escape(str(story['reference']))}: {escape(str(passed[-1]).replace('_', ' '))}</title>{_shape(look, x, y)}</g>"


def _shape(look: int, x: float, y: float) -> str:
    colour = LOOKS[look][1]
    if look == 0:
        return f'<path d="M{x:.0f} {y - 6:.0f}l6 11h-12z" fill="{colour}" stroke="#fff"/>'
    if look == 1:
        return f'<circle cx="{x:.0f}" cy="{y:.0f}" r="4.5" fill="#fff" stroke="{colour}" stroke-width="2.5"/>'
    if look == 2:
        return f'<rect x="{x - 4:.0f}" y="{y - 4:.0f}" width="8" height="8" fill="{colour}" stroke="#fff"/>'
    return f'<path d="M{x - 4:.0f} {y - 4:.0f}l8 8m0-8l-8 8" stroke="{colour}" stroke-width="2.5"/>'


def _table(by_level: Mapping[str, Mapping[str, int]]) -> str:
    outcomes = sorted({outcome for counts in by_level.values() for outcome in counts})
    head = "".join(f"<th>{escape(level.replace('_', ' '))}</th>" for level in by_level)
    body = "".join(
        f"<tr><th>{escape(outcome.replace('_', ' '))}</th>"
        + "".join(f'<td class="n">{counts.get(outcome, 0) or "–"}</td>' for counts in by_level.values())
        + "</tr>"
        for outcome in outcomes
    )
    return f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table>"


def _bars(by_level: Mapping[str, Mapping[str, int]]) -> str:
    outcomes = sorted({outcome for counts in by_level.values() for outcome in counts})
    most = max((sum(counts.values()) for counts in by_level.values()), default=1) or 1
    drawn, y = [], 8
    for level, counts in by_level.items():
        x = 150.0
        drawn.append(f'<text x="0" y="{y + 15}" font-size="13">{escape(level.replace("_", " "))}</text>')
        for at, outcome in enumerate(outcomes):
            width = 480 * counts.get(outcome, 0) / most
            if width:
                drawn.append(
                    f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="20" fill="{COLOURS[at % len(COLOURS)]}">'
                    f"<title>{escape(outcome)}: {counts[outcome]}</title></rect>"
                )
            x += width
        y += 28
    legend = "".join(
        f'<tspan fill="{COLOURS[at % len(COLOURS)]}" font-weight="bold">■ </tspan><tspan>{escape(o.replace("_", " "))}   </tspan>'
        for at, o in enumerate(outcomes)
    )
    return (
        f'<svg viewBox="0 0 660 {y + 26}" width="660" role="img" aria-label="Outcomes by level">{"".join(drawn)}'
        f'<text x="0" y="{y + 16}" font-size="12" xml:space="preserve">{legend}</text></svg>'
    )


def _lines(labels: Sequence[str], series: Mapping[str, Sequence[int]]) -> str:
    most = max((value for values in series.values() for value in values), default=1) or 1
    width, height = 600, 180
    steps = max(1, len(labels) - 1)
    drawn = [
        f'<line x1="40" y1="{10 + height * part / 4:.0f}" x2="{40 + width}" y2="{10 + height * part / 4:.0f}" stroke="#d5dbe3"/>'
        f'<text x="34" y="{14 + height * part / 4:.0f}" font-size="11" text-anchor="end">{round(most * (4 - part) / 4)}</text>'
        for part in range(5)
    ]
    for at in range(0, len(labels), max(1, len(labels) // 8)):
        drawn.append(
            f'<text x="{40 + width * at / steps:.0f}" y="{height + 28}" font-size="11" text-anchor="middle">{escape(labels[at])}</text>'
        )
    dashes = ("", "6 3", "2 3")
    for number, (name, values) in enumerate(series.items()):
        points = " ".join(
            f"{40 + width * at / steps:.1f},{10 + height * (1 - value / most):.1f}"
            for at, value in enumerate(values)
        )
        drawn.append(
            f'<polyline points="{points}" fill="none" stroke="{COLOURS[number]}" stroke-width="2.5" stroke-dasharray="{dashes[number % 3]}"/>'
            f'<text x="{44 + number * 190}" y="{height + 48}" font-size="12" fill="{COLOURS[number]}">{"━" if not number else "┅"} {escape(name)}</text>'
        )
    return f'<svg viewBox="0 0 660 {height + 56}" width="660" role="img" aria-label="{escape(", ".join(series))}">{"".join(drawn)}</svg>'


def _story(order: Mapping[str, Any]) -> str:
    steps = "".join(
        f"<li>{escape(str(step['at']))}: {escape(str(step['state']).replace('_', ' '))}</li>"
        for step in order["history"]
    )
    had = "".join(_stretch(stretch) for stretch in order["custody"]["stretches"])
    why = ", ".join(str(reason).replace("_", " ") for reason in order.get("reasons", ()))
    return (
        f"<details><summary>{escape(str(order['reference']))} of {escape(str(order['brand']))}: "
        f"{escape(str(order['state']).replace('_', ' '))}{f', {escape(why)}' if why else ''}</summary>"
        f'<ol>{steps}</ol><p class="soft">Custody</p><ol>{had}</ol></details>'
    )


def _stretch(stretch: Mapping[str, Any]) -> str:
    who = " ".join(str(stretch[name]) for name in ("holder", "courier") if stretch.get(name))
    until = f" until {stretch['until']}" if stretch.get("until") else ""
    return f"<li>{escape(str(stretch['since']))}{escape(until)}: {escape(who)}</li>"
