"""How the cost of a plan grows with the city: `python -m bench.growth` writes `docs/dispatch-cost.svg`, prints a table.

Sizes are `solver.md`'s, each pair with a price of its own, so that no two orders are alike: the hardest kind of city.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from bench.assigning import STEPS, Bare, Ours, bare, ours

SIZES = (
    (500, 40, 5.0),
    (1_000, 60, 6.7),
    (2_000, 100, 8.0),
    (5_000, 250, 10.5),
    (10_000, 400, 14.0),
    (20_000, 800, 18.0),
    (35_000, 1_400, 22.0),
    (50_000, 2_000, 25.0),
)
COLOURS = ("#9bb8d3", "#6f9bc4", "#2f6fa8", "#e0a458", "#8a9a5b")
PLOT = Path(__file__).resolve().parent.parent / "docs" / "dispatch-cost.svg"
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 420, 56, 150, 40, 48


class Point(NamedTuple):
    """What one size took."""

    orders: int
    slots: int
    ours: Ours
    bare: Bare


def measured() -> list[Point]:
    """Every size; the small ones more often."""
    return [
        Point(orders, slots, ours(orders, slots, degree, rounds), bare(orders, slots, degree, rounds))
        for orders, slots, degree in SIZES
        for rounds in [5 if orders <= 10_000 else 3]
    ]


def table(points: list[Point]) -> str:
    """For `docs/dispatch.md`."""
    lines = [
        f"| orders × slots | pairs | {' | '.join(STEPS)} | in all | OR-Tools' `solve()` |",
        f"|---|---:|{'---:|' * (len(STEPS) + 2)}",
    ]
    for point in points:
        took = [*point.ours.steps.values(), point.ours.seconds, point.bare.strict_s]
        cells = " | ".join(f"{seconds:.3f}" if seconds < 0.1 else f"{seconds:.2f}" for seconds in took)
        lines.append(f"| {point.orders:,} × {point.slots:,} | {point.ours.pairs:,} | {cells} |")
    return "\n".join(lines)


def plot(points: list[Point]) -> str:
    """The steps one upon another, and a line for the bare solve."""
    highest = max(point.ours.seconds for point in points)
    every = next(step for step in (0.5, 1, 2, 5, 10) if highest / step <= 7)
    most = every * (highest // every + 1)

    def x(orders: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * orders / points[-1].orders

    def y(seconds: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * seconds / most

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'font-family="system-ui, sans-serif" font-size="13" fill="#333">',
        "<title>Seconds of CPU for a plan with its proof, by orders of the city</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="22" font-weight="600">A plan with its proof: seconds of CPU, by orders</text>',
    ]
    for tick in range(int(most / every) + 1):
        level = y(tick * every)
        parts.append(f'<path d="M{LEFT} {level:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{level + 4:.1f}" text-anchor="end">{tick * every:g}</text>')
    for orders in range(0, points[-1].orders + 1, 10_000):
        parts.append(
            f'<text x="{x(orders):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{orders:,}</text>'
        )
    floor = [0.0] * len(points)
    for step, colour in zip(STEPS, COLOURS, strict=True):
        roof = [low + point.ours.steps[step] for low, point in zip(floor, points, strict=True)]
        edge = [(point.orders, level) for point, level in zip(points, roof, strict=True)]
        back = [(point.orders, level) for point, level in zip(points, floor, strict=True)]
        outline = " ".join(f"{x(orders):.1f},{y(level):.1f}" for orders, level in [*edge, *reversed(back)])
        parts.append(f'<polygon points="{outline}" fill="{colour}"/>')
        middle = y((floor[-1] + roof[-1]) / 2) + 4
        parts.append(
            f'<text x="{WIDTH - RIGHT + 8}" y="{middle:.1f}">{step} {points[-1].ours.steps[step]:.2f} s</text>'
        )
        floor = roof
    line = " ".join(f"{x(point.orders):.1f},{y(point.bare.strict_s):.1f}" for point in points)
    parts.append(
        f'<polyline points="{line}" fill="none" stroke="#111" stroke-width="2" stroke-dasharray="6 4"/>'
    )
    parts += [
        f'<circle cx="{x(point.orders):.1f}" cy="{y(point.bare.strict_s):.1f}" r="3" fill="#111"/>'
        for point in points
    ]
    parts.append(
        f'<path d="M{LEFT + 16} {TOP + 16}h28" stroke="#111" stroke-width="2" stroke-dasharray="6 4"/>'
        f'<text x="{LEFT + 52}" y="{TOP + 20}">OR-Tools, solve() of the same arcs alone: '
        f"{points[-1].bare.strict_s:.2f} s</text>"
    )
    return "\n".join([*parts, "</svg>\n"])


if __name__ == "__main__":
    found = measured()
    PLOT.write_text(plot(found), encoding="utf-8")
    print(table(found))
