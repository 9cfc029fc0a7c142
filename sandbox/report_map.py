"""The map of a played day: a frame for each hour, of which the style sheet shows the chosen one. No script.

A district is the darker the more of its listed compounds are sealed at that hour, and says how many in figures; one
whose list is not out yet says so. The gifts stand where they go, each with the shape of what it is then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

from sandbox import checker, shanghai
from sandbox.day import Seen
from sandbox.districts import District

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
TONES = ((0.0, "#e6eef6"), (0.25, "#d3dfea"), (0.4, "#bccbda"), (0.55, "#a3b5c8"))
"""From which share of sealed compounds on, and the district's colour."""
UNRULED = "#ffffff"
WIDTH = 900
ROOMY = 14_000
"""Square pixels around a district whose name stands in it; those of the inner city stand in the corner."""
ISLAND = "310151"
"""Half the map, and next to no gifts: left out."""

Spot = Callable[[float, float], tuple[float, float]]


def frames(scenario: Any, hours: Sequence[Seen], stories: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """The style that shows the chosen hour, and the choice of hours with the map."""
    shown = [one for one in scenario.districts if one.code != ISLAND]
    west = min(one.bounds[0] for one in shown)
    south = min(one.bounds[1] for one in shown)
    east = max(one.bounds[2] for one in shown)
    north = max(one.bounds[3] for one in shown)
    scale = WIDTH / (east - west)
    height = round((north - south) * scale * 1.17)

    def spot(lng: float, lat: float) -> tuple[float, float]:
        return (lng - west) * scale, (north - lat) * scale * 1.17

    where = {compound.site: (compound.lng, compound.lat) for compound in scenario.compounds}
    sites = {order.reference: where[order.site] for order in scenario.orders if order.site in where}
    at = [
        hour for hour in hours if any(datetime.fromisoformat(str(s["placed_at"])) <= hour.at for s in stories)
    ]
    sealed = _sealed(scenario, [hour.at for hour in at])
    chosen = len(at) // 2
    choices = "".join(
        f'<input type="radio" name="hour" id="h{n}"{" checked" if n == chosen else ""}>'
        f'<label for="h{n}">{hour_of(hour.at)}</label>'
        for n, hour in enumerate(at)
    )
    ground = "".join(_outline(one, spot) for one in shown)
    roomy = [one for one in shown if _area(one, spot) >= ROOMY]
    small = sorted((one for one in shown if _area(one, spot) < ROOMY), key=lambda one: one.english)
    drawn = "".join(
        f'<g class="f{n}">'
        + "".join(_label(one, sealed[n].get(one.code), *_middle(one, spot)) for one in roomy)
        + "".join(
            _label(one, sealed[n].get(one.code), 4, 18 + 15 * line, "corner")
            for line, one in enumerate(small)
        )
        + "".join(_dot(story, hour.at, sites, spot) for story in stories)
        + "</g>"
        for n, hour in enumerate(at)
    )
    legend = " ".join(
        f'<span><svg width="14" height="14" aria-hidden="true">{_shape(n, 7, 7)}</svg> {escape(word)}</span>'
        for n, (word, _, _) in enumerate(LOOKS)
    )
    return _style(shown, sealed), (
        f'<form class="hours"><fieldset><legend>Hour</legend>{choices}</fieldset>'
        f'<svg class="map" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img" '
        f'aria-label="Gifts by district at the chosen hour, and how many of its listed compounds are sealed">'
        f'{ground}{drawn}</svg></form><p class="legend">{legend} '
        "<span>a district is the darker the more of its listed compounds are sealed; white: nothing is listed yet, "
        "and unknown is not open</span></p>"
    )


def hour_of(at: datetime) -> str:
    """An hour of the day as it is read; the day may end between two."""
    local = at.astimezone(shanghai.LOCAL)
    return f"{local:%d. %H:%M}" if local.minute else f"{local:%d. %H h}"


def _sealed(scenario: Any, hours: Sequence[datetime]) -> list[dict[str, float]]:
    """Of each hour, by district that has a list by then, the share of its compounds into which nobody may go."""
    whole = Counter(compound.district for compound in scenario.compounds)
    found = []
    for known in checker.levels(scenario.truth(), hours):
        listed = Counter(district for district, _ in known)
        shut = Counter(district for (district, _), level in known.items() if level in checker.NO_WAY_OUT)
        found.append(
            {code: shut[code] / count for code, count in listed.items() if 2 * count >= whole[code] > 0}
        )
    return found


def _style(districts: Sequence[District], sealed: Sequence[Mapping[str, float]]) -> str:
    """Of the frames only the chosen one is shown, and the districts have its colours."""
    if not sealed:
        return ""
    one = ",".join(f".hours:has(#h{n}:checked) .f{n}" for n in range(len(sealed)))
    rules = [f".map g[class^=f]{{display:none}}{one}{{display:inline}}.map path[class^=d]{{fill:{UNRULED}}}"]
    for number, hour in enumerate(sealed):
        by_tone: dict[str, list[str]] = {}
        for district in districts:
            share = hour.get(district.code)
            if share is not None:
                tone = [colour for least, colour in TONES if share >= least][-1]
                by_tone.setdefault(tone, []).append(f".d{district.code}")
        rules += [
            f".hours:has(#h{number}:checked) :is({','.join(names)}){{fill:{tone}}}"
            for tone, names in by_tone.items()
        ]
    return "".join(rules)


def _outline(one: District, spot: Spot) -> str:
    paths = ""
    for polygon in one.polygons:
        points = [spot(*point) for point in polygon[0]]
        paths += "M" + "L".join(f"{x:.0f} {y:.0f}" for x, y in points) + "Z"
    return f'<path class="d{one.code}" d="{paths}" stroke="#6b7f94"/>'


def _area(one: District, spot: Spot) -> float:
    (west, north), (east, south) = spot(one.bounds[0], one.bounds[3]), spot(one.bounds[2], one.bounds[1])
    return (east - west) * (south - north)


def _middle(one: District, spot: Spot) -> tuple[float, float]:
    return spot((one.bounds[0] + one.bounds[2]) / 2, (one.bounds[1] + one.bounds[3]) / 2)


def _label(one: District, share: float | None, x: float, y: float, at: str = "") -> str:
    """The district's name and what is said of it: in it, or as a line of the list in the corner."""
    said = "no list yet" if share is None else f"{share:.0%} sealed"
    place = f'x="{x:.0f}" y="{y:.0f}"'
    if at:
        return f'<text {place} font-size="12" class="name">{escape(one.english)}: {said}</text>'
    return (
        f'<text {place} font-size="12" text-anchor="middle" class="name">{escape(one.english)}'
        f'<tspan x="{x:.0f}" dy="13" font-size="11">{said}</tspan></text>'
    )


def _dot(
    story: Mapping[str, Any],
    at: datetime,
    sites: Mapping[str, tuple[float, float]],
    spot: Spot,
) -> str:
    passed = [step["state"] for step in story["history"] if datetime.fromisoformat(str(step["at"])) <= at]
    place = sites.get(str(story["reference"]))
    if not passed or place is None:
        return ""
    look = next((n for n, (_, _, states) in enumerate(LOOKS) if passed[-1] in states), len(LOOKS) - 1)
    x, y = spot(*place)
    return (
        f"<g><title>{escape(str(story['reference']))}: {escape(str(passed[-1]).replace('_', ' '))}</title>"
        f"{_shape(look, x, y)}</g>"
    )


def _shape(look: int, x: float, y: float) -> str:
    colour = LOOKS[look][1]
    if look == 0:
        return f'<path d="M{x:.0f} {y - 6:.0f}l6 11h-12z" fill="{colour}" stroke="#fff"/>'
    if look == 1:
        return f'<circle cx="{x:.0f}" cy="{y:.0f}" r="4.5" fill="#fff" stroke="{colour}" stroke-width="2.5"/>'
    if look == 2:
        return f'<rect x="{x - 4:.0f}" y="{y - 4:.0f}" width="8" height="8" fill="{colour}" stroke="#fff"/>'
    return f'<path d="M{x - 4:.0f} {y - 4:.0f}l8 8m0-8l-8 8" stroke="{colour}" stroke-width="2.5"/>'
