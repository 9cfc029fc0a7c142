"""A sealed city to measure on: compounds drawn round real addresses of Shanghai, where they are at hand."""

from __future__ import annotations

import json
import math
import random
from datetime import UTC, datetime
from pathlib import Path

from chalicelib.domain.places import Datum, Polygon, converted
from chalicelib.domain.policies import Level, Policy
from chalicelib.domain.uploads import Content
from chalicelib.domain.zones import NamedUnit, Zone

LISTS = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "shanghai"
SINCE = datetime(2022, 4, 11, 1, tzinfo=UTC)
COMPOUNDS = 20_000
POLICIES = (
    Policy.model_validate(
        {"policy_id": "sealed", "version": 1, "title": "封控区", "handovers": ["gate"], "permit_needed": True}
    ),
    Policy.model_validate(
        {"policy_id": "controlled", "version": 1, "title": "管控区", "handovers": ["gate", "lobby"]}
    ),
)
SPREAD = 0.1
"""Degrees that compounds and points lie off the addresses: so 100,000 points meet some 40,000 compounds, as there."""
Named = tuple[str, str, float, float]
"""District, name, longitude and latitude in GCJ-02."""


def addresses() -> tuple[list[Named], str]:
    """Addresses of the official lists, each once, and where they are from; made up where those are not at hand."""
    found: dict[tuple[str, str], Named] = {}
    for path in sorted(LISTS.glob("addresses_*_bd09.json")):
        for district, listed in json.loads(path.read_text()).items():
            for name, lat, lng in listed["addressWithLocation"]:
                x, y = converted((lng, lat), Datum.BD09, Datum.GCJ02)
                if 120.8 < x < 122.2 and 30.6 < y < 31.9:
                    found.setdefault((district, name), (district, name, x, y))
    if found:
        return list(found.values()), f"{len(found):,} addresses of Shanghai's lists"
    dice = random.Random(7)  # nosec B311 - dice of a bench
    made = [
        (f"{number % 16}区", f"长江路{number}弄", dice.gauss(121.45, 0.12), dice.gauss(31.2, 0.1))
        for number in range(12_000)
    ]
    return made, "made-up addresses, the lists are not at hand"


def compounds(count: int = COMPOUNDS) -> tuple[Content, list[tuple[float, float]], str]:
    """That many drawn and named compounds, and 100,000 points near where people live.

    A compound has 9.6 corners and 27,500 square metres, as the compounds of solver.md, section 6.
    """
    dice = random.Random(2022)  # nosec B311 - dice of a bench
    named, source = addresses()
    zones = []
    for number in range(count):
        district, name, lng, lat = named[number % len(named)]
        lng, lat = lng + dice.gauss(0, SPREAD), lat + dice.gauss(0, SPREAD)
        if number >= len(named):
            name = f"{name}{number // len(named)}期"
        level = Level.SEALED if number % 3 else Level.CONTROLLED
        zones.append(
            Zone(
                zone_id=f"sha-{number:05d}",
                level=level,
                policy_id="sealed" if level is Level.SEALED else "controlled",
                policy_version=1,
                unit=NamedUnit(kind="compound", district=district, compound=name),
                polygons=(outline(dice, lng, lat),),
                valid_from=SINCE,
                known_since=SINCE,
                basis="上海市2022年4月11日第一批三区划分名单",
            )
        )
    content = Content("SHA", "Asia/Shanghai", Datum.GCJ02, 24.0 * 366, POLICIES, tuple(zones))
    points = []
    for _ in range(100_000):
        _, _, lng, lat = dice.choice(named)
        points.append((lng + dice.gauss(0, SPREAD), lat + dice.gauss(0, SPREAD)))
    return content, points, source


def outline(dice: random.Random, lng: float, lat: float) -> Polygon:
    """A ring round a point, counter-clockwise and closed, on the grid of stored coordinates."""
    corners = dice.choice((5, 7, 9, 10, 11, 13, 15))
    radius = 100 * dice.lognormvariate(0, 0.45) / 111_320
    turns = sorted(dice.random() for _ in range(corners))
    ring = []
    for number, turn in enumerate(turns):
        angle = 2 * math.pi * (number + turn) / corners
        reach = radius * dice.uniform(0.75, 1.25)
        x = lng + reach * math.cos(angle) / math.cos(math.radians(lat))
        ring.append((round(x, 7), round(lat + reach * math.sin(angle), 7)))
    return ((*ring, ring[0]),)
