"""Documents of an invented day in Shanghai, as its scenarios hand them in, and the same in the recount's words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from chalicelib.domain.fleet import Credential, TestResult
from chalicelib.domain.places import Address, Coordinate, Datum, MatchQuality, Place
from chalicelib.domain.policies import CredentialKind, Policy
from chalicelib.domain.shapes import Shape, Window
from sandbox import checker
from sandbox.shanghai import ZONE_NAME, Asked, local

POINTS: Final = {"310101": (121.4903, 31.2228), "310104": (121.4365, 31.1885), "310110": (121.5261, 31.2595)}
"""A point in each district (GCJ-02)."""


def tests_of(number: int) -> tuple[checker.Test, ...]:
    """Both tests of that crew, negative and good for the day of 11 April."""
    pcr = local(8, 30, day=10) + timedelta(minutes=number)
    antigen = local(6, 0) + timedelta(minutes=number)
    return (
        checker.Test(f"crew-{number}", "pcr", True, pcr, pcr + timedelta(hours=7)),
        checker.Test(f"crew-{number}", "antigen", True, antigen, antigen + timedelta(minutes=20)),
    )


def credentials(tests: Iterable[checker.Test], at: datetime) -> tuple[Credential, ...]:
    """What a crew can show then: the tests that have been reported."""
    return tuple(
        Credential(
            kind=CredentialKind(test.kind),
            result=TestResult.NEGATIVE if test.negative else TestResult.POSITIVE,
            sampled_at=test.sampled_at,
            reported_at=test.reported_at,
        )
        for test in tests
        if test.reported_at is not None and test.reported_at <= at
    )


def plate(number: int) -> str:
    return f"TEST-S{number:04d}"


def window(start: datetime, end: datetime) -> Window:
    return Window(start=start, end=end, time_zone=ZONE_NAME)


def address(site: checker.Site, building: str) -> Address:
    district, compound = site
    return Address(
        country="CN",
        city="上海市",
        district=district,
        compound=compound,
        building=building,
        line=f"{compound}, building {building} (invented)",
    )


def place_in(site: checker.Site, building: str) -> Place:
    lng, lat = POINTS[site[0]]
    return Place(
        address=address(site, building),
        coordinate=Coordinate(lng=lng, lat=lat, datum=Datum.GCJ02, precision_m=20),
        match_quality=MatchQuality.EXACT,
    )


def feature(
    zone_id: str,
    unit: Mapping[str, Any],
    policy: Policy,
    level: str,
    valid_from: datetime,
    known_since: datetime,
    basis: str,
) -> dict[str, Any]:
    return {
        "type": "Feature",
        "geometry": None,
        "properties": {
            "zone_id": zone_id,
            "level": level,
            "policy": policy.reference,
            "unit": dict(unit),
            "valid_from": valid_from.isoformat(),
            "known_since": known_since.isoformat(),
            "basis": basis,
        },
    }


def body(document: Shape) -> dict[str, Any]:
    """The document as JSON has it, without what is not said."""
    body: dict[str, Any] = json.loads(document.model_dump_json(exclude_none=True))
    return body


def wish_of(order: Asked) -> checker.Wish:
    """The same order in the recount's words."""
    body = order.body
    shop = body["pick_up"]["place"]["address"]
    return checker.Wish(
        reference=order.reference,
        placed_at=order.when,
        site=order.site,
        merchant=(shop["district"], shop["compound"]),
        item_classes=frozenset(item["item_class"] for item in body["gift"]["items"]),
        window_end=datetime.fromisoformat(body["window"]["end"]),
        building=body["recipient"]["place"]["address"]["building"],
    )
