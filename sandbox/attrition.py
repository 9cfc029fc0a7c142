"""`python -m sandbox sixteen`: one week under each of the ways, one table and one plot.

Planning alone, in one process and by a virtual clock: the models, the clearer, the engine and the proof of every plan
are the app's own; the store, the queues and the couriers are not there.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from chalicelib.domain.orders import Tier
from chalicelib.solver import FlowSolver
from sandbox.rivals import GREEDY, MYOPIC, OURS, WAYS, Desk, Outcome, hindsight, placed, play
from sandbox.shanghai import DAY, LOCAL
from sandbox.sixteen import CREWS, DAYS, HALVES, SUDDEN, Sixteen
from sandbox.stand import HOME

REPORT, PLOT = "sixteen-to-six.txt", "sixteen-to-six.svg"


def main(seed: int) -> int:
    """Play, print, draw. Where ours is not the best the report says so; that is no fault of the run."""
    began = time.monotonic()
    world, assign = Sixteen(seed), FlowSolver().assign
    desk = Desk(world)
    best = hindsight(world, assign, desk)
    outcomes = [play(world, way, assign, desk) for way in WAYS]
    short = shortfalls(outcomes)
    text = report(world, best, outcomes, short)
    HOME.mkdir(exist_ok=True)
    (HOME / REPORT).write_text(text, encoding="utf-8")
    (HOME / PLOT).write_text(plot(world, best, outcomes), encoding="utf-8")
    print(text)
    print(f"{HOME / REPORT}, {HOME / PLOT}; {time.monotonic() - began:.0f} seconds")
    return 0


def shortfalls(outcomes: Sequence[Outcome]) -> list[str]:
    """Where ours served fewer of a tier and those above it than greedy or a plan a day did."""
    of = {outcome.name: outcome.prefixes() for outcome in outcomes}
    return [
        f"{tier.name.lower()} and above: {OURS.name} {mine}, {other.name} {theirs}"
        for other in (GREEDY, MYOPIC)
        for tier, mine, theirs in zip(sorted(Tier, reverse=True), of[OURS.name], of[other.name], strict=True)
        if mine < theirs
    ]


def report(world: Sixteen, best: Outcome, outcomes: Sequence[Outcome], short: Sequence[str]) -> str:
    """What is printed."""
    lines = [
        f"Sixteen to six (seed {world.seed}): {len(world.orders):,} gifts of five tiers in a week in which ten of "
        "sixteen crews fall out.",
        "",
        *(
            f"{loss.at.astimezone(LOCAL):%a %d Apr %H:%M}  {loss.crew_id}  {loss.end}"
            f"{', known to nobody before' if loss.end in SUDDEN else ''}"
            for loss in world.losses
        ),
        "",
        table(world, best, outcomes),
        "",
    ]
    if short:
        lines += ["Ours is not the best of every tier and those above it here:", *short]
    else:
        lines += [
            "Of every tier and those above it ours serves at least as many as greedy and as a plan a day."
        ]
    return "\n".join(lines)


def table(world: Sixteen, best: Outcome, outcomes: Sequence[Outcome]) -> str:
    """Served by tier under each; late and turned back; what a gift that was served cost in all."""
    head = ["", *(tier.name.lower() for tier in placed(world)), "all", "late", "turned back", "CNY a gift"]
    rows = [head, ["placed", *map(str, placed(world).values()), f"{len(world.orders)}", "", "", ""]]
    for outcome in (*outcomes, best):
        served = len(outcome.served)
        rows.append(
            [
                outcome.name,
                *map(str, outcome.by_tier().values()),
                str(served),
                str(outcome.late),
                str(outcome.turned_back) if outcome is not best else "",
                f"{outcome.cost / 100 / max(1, served):.2f}",
            ]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


# --- the plot -------------------------------------------------------------------------------------------------

WIDTH, HEIGHT = 960, 580
LEFT, RIGHT = 320.0, 940.0
COLOURS: Final = ("#b9b9b9", "#e0a458", "#a9c8e8", "#4f8fcf", "#173f6b")
_INK: Final = "#333333"


@dataclass(frozen=True)
class _Panel:
    """A part of the picture: `most` at its top, nothing at its bottom."""

    top: float
    bottom: float
    most: float

    def y(self, value: float) -> float:
        return self.bottom - (self.bottom - self.top) * value / self.most


def plot(world: Sixteen, best: Outcome, outcomes: Sequence[Outcome]) -> str:
    """Crews that are left; the share of each tier that was served; and what hindsight would have served beyond."""
    total = placed(world)
    shares = [[n / max(1, total[tier]) for tier, n in outcome.by_tier().items()] for outcome in outcomes]
    fewer = [
        [most - n for most, n in zip(best.prefixes(), outcome.prefixes(), strict=True)]
        for outcome in outcomes
    ]
    tiers = [tier.name.lower() for tier in total]
    upper, lower = _Panel(90, 300, 1), _Panel(370, 500, max(1, *map(max, fewer)))
    ideal = [n / max(1, total[tier]) for tier, n in best.by_tier().items()]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="DejaVu Sans, Verdana, sans-serif" font-size="12" fill="{_INK}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(40, 28, f"Sixteen to six: {len(world.orders):,} gifts, one week (seed {world.seed})", size=15),
        *_crews(world, 40, 250, _Panel(90, 500, CREWS)),
        _text(LEFT, 72, "served, % of the tier (line: with hindsight)"),
        *(_line(upper, place, len(ideal), share) for place, share in enumerate(ideal)),
        *_bars(upper, tiers, [[(share, f"{share * 100:.0f}") for share in row] for row in shares]),
        _text(LEFT, 350, "of the tier and those above it, served fewer than with hindsight"),
        *_bars(lower, tiers, [[(count, str(count)) for count in row] for row in fewer]),
        *_legend([outcome.name for outcome in outcomes]),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _text(x: float, y: float, words: str, size: int = 12, anchor: str = "start") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"'
    return f'<text {place} paint-order="stroke" stroke="white" stroke-width="3">{escape(words)}</text>'


def _crews(world: Sixteen, left: float, right: float, panel: _Panel) -> list[str]:
    """A step down for each loss: a full dot where it was known before, a ring where it was not."""
    wide, count = (right - left) / HALVES, CREWS
    path, dots = [f"M{left:.1f} {panel.y(count):.1f}"], []
    for loss in world.losses:
        x, count = left + wide * loss.half, count - 1
        path += [f"H{x:.1f}", f"V{panel.y(count):.1f}"]
        fill = "white" if loss.end in SUDDEN else COLOURS[-1]
        dots.append(
            f'<circle cx="{x:.1f}" cy="{panel.y(count):.1f}" r="4" fill="{fill}" stroke="{COLOURS[-1]}"/>'
        )
    path.append(f"H{right:.1f}")
    days = [
        _text(left + wide * (2 * day + 1), panel.bottom + 18, str(DAY.day + day), anchor="middle")
        for day in range(DAYS)
    ]
    return [
        _text(left, panel.top - 18, "crews (dot: known before; ring: not)"),
        f'<path d="{" ".join(path)}" fill="none" stroke="{COLOURS[-1]}" stroke-width="2"/>',
        *dots,
        f'<path d="M{left} {panel.bottom}H{right}" stroke="{_INK}"/>',
        _text(left - 6, panel.top + 4, str(CREWS), anchor="end"),
        _text(right + 6, panel.y(count) + 4, str(count)),
        *days,
        _text((left + right) / 2, panel.bottom + 36, f"{DAY:%B}", anchor="middle"),
    ]


def _bars(panel: _Panel, names: Sequence[str], rows: Sequence[Sequence[tuple[float, str]]]) -> list[str]:
    """A group a tier, in it a bar a way with what it says."""
    group = (RIGHT - LEFT) / len(names)
    bar = (group - 18) / len(rows)
    parts = [f'<path d="M{LEFT} {panel.bottom}H{RIGHT}" stroke="{_INK}"/>']
    for place, name in enumerate(names):
        parts.append(_text(LEFT + group * place + (group - 18) / 2, panel.bottom + 17, name, anchor="middle"))
        for number, (row, colour) in enumerate(zip(rows, COLOURS, strict=True)):
            value, says = row[place]
            x, y = LEFT + group * place + bar * number, panel.y(value)
            size = f'width="{bar - 2:.1f}" height="{panel.bottom - y:.1f}"'
            parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" {size} fill="{colour}"/>')
            parts.append(_text(x + bar / 2 - 1, y - 3, says, 9, "middle"))
    return parts


def _line(panel: _Panel, place: int, groups: int, value: float) -> str:
    group = (RIGHT - LEFT) / groups
    x, y = LEFT + group * place, panel.y(value)
    return f'<path d="M{x - 3:.1f} {y:.1f}H{x + group - 17:.1f}" stroke="#b3262e" stroke-width="1.2"/>'


def _legend(names: Sequence[str]) -> list[str]:
    parts, x = [], 40.0
    for name, colour in zip(names, COLOURS, strict=True):
        parts.append(f'<rect x="{x:.1f}" y="556" width="10" height="10" fill="{colour}"/>')
        parts.append(_text(x + 14, 565, name, 11))
        x += 34 + 6.6 * len(name)
    return parts
