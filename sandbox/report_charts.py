"""The tables and charts of a played day: HTML and SVG. Each line of a chart has a dash of its own and its name at its
end's figure, and the figures stand in a table below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from sandbox.checker import OUTCOMES

COLOURS = ("#17603a", "#0b5394", "#7a4a00", "#9f1d1d", "#5b3a7a", "#55606e")
DASHES = ("", "7 3", "2 3", "10 3 2 3", "1 6", "14 4")
WIDTH, HEIGHT, LEFT = 600, 180, 40


def spaced(word: object) -> str:
    return escape(str(word).replace("_", " "))


def table(by_level: Mapping[str, Mapping[str, int]]) -> str:
    """Outcomes by level."""
    outcomes = _outcomes(by_level)
    head = "".join(f'<th scope="col">{spaced(level)}</th>' for level in by_level)
    body = "".join(
        f'<tr><th scope="row">{spaced(outcome)}</th>'
        + "".join(f'<td class="n">{counts.get(outcome, 0) or "–"}</td>' for counts in by_level.values())
        + "</tr>"
        for outcome in outcomes
    )
    sums = "".join(f'<td class="n">{sum(counts.values())}</td>' for counts in by_level.values())
    return scrolling(
        "Outcomes by level",
        f'<thead><tr><td></td>{head}</tr></thead><tbody>{body}<tr><th scope="row">all</th>{sums}</tr></tbody>',
    )


def _outcomes(by_level: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Those that there are: what arrived first, then what came back, then what waits."""
    found = {outcome for counts in by_level.values() for outcome in counts}
    return sorted(found, key=lambda each: (OUTCOMES.index(each) if each in OUTCOMES else len(OUTCOMES), each))


def scrolling(label: str, inside: str) -> str:
    """A table that may be wider than the page."""
    return f'<div class="scroll" role="region" aria-label="{escape(label)}" tabindex="0"><table>{inside}</table></div>'


def bars(by_level: Mapping[str, Mapping[str, int]]) -> str:
    """The same as bars; the table beside it has the figures."""
    outcomes = _outcomes(by_level)
    most = max((sum(counts.values()) for counts in by_level.values()), default=1) or 1
    drawn, y = [], 8
    for level, counts in by_level.items():
        x = 110.0
        drawn.append(f'<text x="0" y="{y + 15}" font-size="13">{spaced(level)}</text>')
        for at, outcome in enumerate(outcomes):
            width = 530 * counts.get(outcome, 0) / most
            if width:
                drawn.append(
                    f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="20" fill="{COLOURS[at % len(COLOURS)]}" '
                    f'stroke="#fff"><title>{spaced(outcome)}: {counts[outcome]}</title></rect>'
                )
                if width > 26:
                    drawn.append(
                        f'<text x="{x + width / 2:.1f}" y="{y + 14}" font-size="11" text-anchor="middle" fill="#fff">'
                        f"{counts[outcome]}</text>"
                    )
            x += width
        y += 28
    legend = "".join(
        f'<span><svg width="14" height="14" aria-hidden="true"><rect width="14" height="14" '
        f'fill="{COLOURS[at % len(COLOURS)]}"/></svg> {spaced(outcome)}</span> '
        for at, outcome in enumerate(outcomes)
    )
    return (
        f'<svg viewBox="0 0 660 {y}" width="660" role="img" aria-label="Outcomes by level, as in the table above">'
        f'{"".join(drawn)}</svg><p class="legend">{legend}</p>'
    )


def lines(name: str, labels: Sequence[str], series: Mapping[str, Sequence[int]]) -> str:
    """What rose and fell over the hours, and its figures."""
    most = max((value for values in series.values() for value in values), default=1) or 1
    steps, marks = max(1, len(labels) - 1), min(4, most)
    drawn = [
        f'<line x1="{LEFT}" y1="{_y(most * part / marks, most)}" x2="{LEFT + WIDTH}" '
        f'y2="{_y(most * part / marks, most)}" stroke="#d5dbe3"/>'
        f'<text x="{LEFT - 6}" y="{float(_y(most * part / marks, most)) + 4:.0f}" font-size="11" '
        f'text-anchor="end">{round(most * part / marks)}</text>'
        for part in range(marks + 1)
    ]
    for at in range(0, len(labels), max(1, -(-len(labels) // 8))):
        drawn.append(
            f'<text x="{LEFT + WIDTH * at / steps:.0f}" y="{HEIGHT + 28}" font-size="11" text-anchor="middle">'
            f"{escape(labels[at])}</text>"
        )
    for number, (word, values) in enumerate(series.items()):
        points = " ".join(
            f"{LEFT + WIDTH * at / steps:.1f},{_y(value, most)}" for at, value in enumerate(values)
        )
        drawn.append(f'<polyline points="{points}" {_look(number)}><title>{spaced(word)}</title></polyline>')
    legend = "".join(
        f'<span><svg width="34" height="10" aria-hidden="true"><path d="M0 5h34" {_look(number)}/></svg> '
        f"{spaced(word)}{f', {values[-1]} at the end' if values else ''}</span> "
        for number, (word, values) in enumerate(series.items())
    )
    head = "".join(f'<th scope="col">{spaced(word)}</th>' for word in series)
    body = "".join(
        f'<tr><th scope="row">{escape(label)}</th>'
        + "".join(f'<td class="n">{values[at]}</td>' for values in series.values())
        + "</tr>"
        for at, label in enumerate(labels)
    )
    figures = scrolling(
        f"{name}, by hour", f'<thead><tr><th scope="col">hour</th>{head}</tr></thead><tbody>{body}</tbody>'
    )
    return (
        f'<svg viewBox="0 0 660 {HEIGHT + 34}" width="660" role="img" aria-label="{escape(name)}; figures below">'
        f'{"".join(drawn)}</svg><p class="legend">{legend}</p>'
        f"<details><summary>The figures, hour by hour</summary>{figures}</details>"
    )


def _y(value: float, most: int) -> str:
    return f"{10 + HEIGHT * (1 - value / most):.1f}"


def _look(number: int) -> str:
    return (
        f'fill="none" stroke="{COLOURS[number % len(COLOURS)]}" stroke-width="2.5" '
        f'stroke-dasharray="{DASHES[number % len(DASHES)]}"'
    )
