"""Where gifts at risk and hubs are, for a map and the table beside it: gathered by half a kilometre."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from chalicelib.domain.board import Line, Risk
from chalicelib.domain.places import Market

MOST: Final = 20
"""Gifts named at one spot; the rest is a number."""


def gifts(lines: Iterable[Line], market: Market) -> dict[str, Any]:
    """Spots with gifts at risk, the worst first, and hubs with all that is fetched there, by courier."""
    spots: dict[tuple[Any, ...], dict[str, Any]] = {}
    hubs: dict[str, dict[str, Any]] = {}
    districts: dict[str, int] = {}
    for line in lines:
        hub = hubs.setdefault(line.hub, {"name": line.hub, "at": line.hub_spot, "gifts": 0, "couriers": {}})
        hub["gifts"] += 1
        if line.courier:
            hub["couriers"][line.courier] = hub["couriers"].get(line.courier, 0) + 1
        if line.risk >= Risk.FINE:
            continue
        if line.district:
            districts[line.district] = districts.get(line.district, 0) + 1
        place = market.where(line.compound, line.district) or "not known"
        spot = spots.setdefault(
            (line.spot, place),
            {
                "at": line.spot,
                "place": place,
                "district": line.district,
                "gifts": 0,
                "risk": line.risk,
                "orders": [],
            },
        )
        spot["gifts"] += 1
        spot["risk"] = min(spot["risk"], line.risk)
        if len(spot["orders"]) < MOST:
            spot["orders"].append([line.order_id, line.reference])
    found = sorted(spots.values(), key=lambda spot: (spot["risk"], -spot["gifts"], spot["place"]))
    for spot in found:
        spot["risk"] = Risk(spot["risk"]).name.lower()
    return {"spots": found, "hubs": sorted(hubs.values(), key=lambda h: h["name"]), "districts": districts}
