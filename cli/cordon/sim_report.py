"""The report of a played day: one page that needs nothing else, no script and no file beside it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

COLOURS = ("#17603a", "#0b5394", "#7a4a00", "#9f1d1d", "#5b3a7a", "#55606e")
STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#17202b;background:#fff}
h2{margin-top:2rem}table{border-collapse:collapse}td,th{text-align:left;padding:.25rem .7rem;border-bottom:1px solid #d5dbe3}
td.n{text-align:right;font-variant-numeric:tabular-nums}svg{max-width:100%;height:auto}details{margin:.15rem 0}
summary{cursor:pointer}.soft{color:#55606e}ol{margin:.3rem 0}.map g{stroke:#fff;stroke-width:.8}
@media(prefers-color-scheme:dark){body{background:#11161c;color:#e8edf3}td,th{border-color:#3a444f}.soft{color:#a7b1bd}svg{background:#fff;border-radius:8px}}"""


def written(
    name: str,
    seed: int,
    scenario: Any,
    outcome: Any,
    hours: Sequence[Mapping[str, Any]],
    stories: Sequence[Mapping[str, Any]],
) -> str:
    """The page."""
    by_level: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for line in outcome.report.summary:
        by_level[line.level][line.outcome] += line.count
    labels = [f"{hour['at'].astimezone(_zone()):%d. %H}" for hour in hours]
    placed, handed, live = ([hour[key] for hour in hours] for key in ("placed", "delivered", "live"))
    crews = [
        (label, hour["crews"]) for label, hour in zip(labels, hours, strict=True) if hour["crews"] is not None
    ]
    verdict = (
        "Recounted from the couriers' own ledgers: nothing is wrong."
        if outcome.is_clean
        else f"{len(outcome.report.violations) + len(outcome.faults)} things are wrong."
    )
    wrong = [*map(str, outcome.report.violations), *outcome.faults]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width,initial-scale=1"><title>{escape(name)}, seed {seed}</title><style>{STYLE}</style>'
        f"</head><body><h1>{escape(name.title())}, seed {seed}</h1><p><strong>{escape(verdict)}</strong> "
        f"{outcome.placed} gifts ordered, {outcome.zones:,} zones in force at the end, {outcome.evidence} pieces of "
        f"evidence, {outcome.messages:,} messages and ticks handled.</p>"
        + ("<ul>" + "".join(f"<li>{escape(fault)}</li>" for fault in wrong) + "</ul>" if wrong else "")
        + "<h2>What became of them, by the level of the place</h2>"
        + _table(by_level)
        + _bars(by_level)
        + "<h2>Over the day</h2>"
        + _lines(labels, {"ordered": placed, "handed over": handed, "booked or on their way": live})
        + "<h2>The fleet's decline</h2>"
        + _lines([label for label, _ in crews], {"crews that may drive": [count for _, count in crews]})
        + "<h2>The story of every order</h2>"
        + "".join(map(_story, sorted(stories, key=lambda one: str(one["reference"]))))
        + "</body></html>\n"
    )


def _zone() -> Any:
    from sandbox import shanghai

    return shanghai.LOCAL


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
