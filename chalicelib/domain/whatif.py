"""What would become of the gifts if a place closed or opened: the board's form as a question about a change."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

from pydantic import ValidationError

from chalicelib.domain.errors import Fault, Invalid
from chalicelib.domain.impact import ImpactQuestion
from chalicelib.domain.policies import Level
from chalicelib.domain.reading import Feature
from chalicelib.domain.zones import NamedUnit, Zone

_CORNER = re.compile(r"\s*(-?\d{1,3}(?:\.\d+)?)\s*[,; \t]\s*(-?\d{1,2}(?:\.\d+)?)\s*", re.ASCII)
MOST_CORNERS = 500
MOST_SAID = 20
ASKED = "what-if"
"""The zone of the question, where it has no name of its own."""
Find = Callable[[str], Zone | None]
"""The zone of that name, under the rules that hold."""


def key_of(fields: Mapping[str, str]) -> str:
    """The name of the question: a form that is sent twice is one question, and one that was changed and sent again,
    from the page before, is another."""
    return sha256(json.dumps(dict(fields), sort_keys=True).encode()).hexdigest()[:32]


def question_of(fields: Mapping[str, str], now: str, find: Find) -> tuple[ImpactQuestion, bytes]:
    """The question, and the text that it is known by. Raises `Invalid` for a form that names no place."""
    told: dict[str, Any] = {"amendment": amendment_of(fields, now, find)}
    if fields.get("at"):
        told["at"] = fields["at"]
    raw = json.dumps(told, sort_keys=True).encode()
    try:
        return ImpactQuestion.model_validate_json(raw), raw
    except ValidationError as error:
        raise _wrong("at", str(error.errors()[0]["msg"])) from None


def amendment_of(fields: Mapping[str, str], now: str, find: Find) -> dict[str, Any]:
    """What the form says, as a part of an upload states it: a zone that ends, a place with a policy, or a zone that
    there is with another policy from then on."""
    zone_id, policy = fields.get("zone_id", "").strip(), fields.get("policy", "").strip()
    if not policy:
        if not zone_id:
            raise _wrong("zone_id", "what is released is a zone that there is: its name was expected")
        return {"released": [zone_id]}
    district, compound = fields.get("district", "").strip(), fields.get("compound", "").strip()
    ring = _ring(fields.get("corners", ""))
    unit: dict[str, str] | None = None
    if compound and not district:
        raise _wrong("district", "a compound is named with its district")
    if district:
        unit = {"kind": "compound" if compound else "district", "district": district}
        unit |= {"compound": compound} if compound else {}
    begins = fields.get("at") or fields.get("since") or now
    properties = {"level": _level(fields.get("level", "")), "policy": policy, "valid_from": begins}
    if unit is None and ring is None:
        return _changed(zone_id, properties, find)
    return _feature(
        {"zone_id": zone_id or ASKED, **properties, **({"unit": unit} if unit is not None else {})},
        None if ring is None else {"type": "Polygon", "coordinates": [ring]},
    )


def _changed(zone_id: str, properties: dict[str, Any], find: Find) -> dict[str, Any]:
    """That zone as it is until then, and from then on the same place under the policy; or all of one that has not begun
    by then. One that is over by then stays so, and its place begins anew."""
    if not zone_id:
        raise _wrong("district", "a zone, a district, a compound or at least three corners were expected")
    zone = find(zone_id)
    if zone is None:
        detail = "a zone that there is, or a district, a compound or three corners with it, were expected"
        raise _wrong("zone_id", f"{detail}, got {zone_id[:64]!r}")
    place: dict[str, Any] = {"precision_m": zone.precision_m}
    if zone.unit is not None:
        place["unit"] = zone.unit.model_dump(mode="json", exclude_none=True)
    begins = datetime.fromisoformat(properties["valid_from"])
    is_over = zone.valid_to is not None and zone.valid_to <= begins
    if zone.valid_to is not None and not is_over:
        place["valid_to"] = zone.valid_to.isoformat()
    geometry = {"type": "MultiPolygon", "coordinates": zone.polygons} if zone.polygons else None
    if is_over:
        return _feature({"zone_id": ASKED, **properties, **place}, geometry)
    if begins <= zone.valid_from:
        later = {**properties, "valid_from": zone.valid_from.isoformat()}
        return _feature({"zone_id": zone_id, **later, **place}, geometry)
    ends = {"zone_id": zone_id, "valid_to": properties["valid_from"]}
    return {**_feature({"zone_id": ASKED, **properties, **place}, geometry), "released": [ends]}


def _feature(properties: dict[str, Any], geometry: dict[str, Any] | None) -> dict[str, Any]:
    return {"features": [{"type": "Feature", "geometry": geometry, "properties": properties}]}


class Said(NamedTuple):
    """A zone of the question, as it is read: which, where, and what becomes of it."""

    zone_id: str | None
    unit: NamedUnit | None
    policy: str | None
    """None: it ends."""
    level: Level | None


def said(amendment: Mapping[str, Any]) -> list[Said]:
    """The change, zone by zone, the first of many; what cannot be read is left out, and the answer says what is wrong
    with it."""
    found, ending = [], []
    for one in list(amendment.get("released", ()))[:MOST_SAID]:
        zone_id = one.get("zone_id") if isinstance(one, dict) else one
        if isinstance(zone_id, str):
            ending.append(zone_id)
    for stated in list(amendment.get("features", ()))[:MOST_SAID]:
        try:
            zone = Feature.model_validate_json(json.dumps(stated)).properties
        except ValidationError:
            continue
        goes_on = zone.zone_id == ASKED and bool(ending)  # the same place under another policy
        named = ending.pop(0) if goes_on else zone.zone_id
        found.append(Said(None if named == ASKED else named, zone.unit, zone.policy, zone.level))
    return found + [Said(name, None, None, None) for name in ending]


def _level(told: str) -> str:
    numbers = {str(int(level)): level.name.lower() for level in Level}
    if told and told not in numbers:
        raise _wrong("level", f"a number from 0 to {max(Level)} was expected")
    return numbers[told or str(int(Level.SEALED))]


def _ring(text: str) -> list[list[float]] | None:
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return None
    if not 3 <= len(lines) <= MOST_CORNERS:
        raise _wrong("corners", f"3 to {MOST_CORNERS} corners were expected, got {len(lines)}")
    ring = []
    for number, line in enumerate(lines, start=1):
        read = _CORNER.fullmatch(line)
        if read is None:
            raise _wrong(
                "corners", f"line {number}: a longitude and a latitude were expected, such as 121.47, 31.23"
            )
        ring.append([float(read[1]), float(read[2])])
    return [*ring, ring[0]]


def _wrong(field: str, detail: str) -> Invalid:
    return Invalid(f"/{field}: {detail}", [Fault(f"/{field}", detail)])
