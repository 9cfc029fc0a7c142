"""What would become of the gifts if a place closed or opened: the board's form as a question about a change."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from pydantic import ValidationError

from chalicelib.domain.errors import Fault, Invalid
from chalicelib.domain.impact import ImpactQuestion
from chalicelib.domain.policies import Level

_CORNER = re.compile(r"\s*(-?\d{1,3}(?:\.\d+)?)\s*[,; \t]\s*(-?\d{1,2}(?:\.\d+)?)\s*", re.ASCII)
MOST_CORNERS = 500


def key_of(fields: Mapping[str, str]) -> str:
    """The name of the question: a form that is sent twice is one question, and one that was changed and sent again,
    from the page before, is another."""
    return sha256(json.dumps(dict(fields), sort_keys=True).encode()).hexdigest()[:32]


def question_of(fields: Mapping[str, str], now: str) -> tuple[ImpactQuestion, bytes]:
    """The question, and the text that it is known by. Raises `Invalid` for a form that names no place."""
    told: dict[str, Any] = {"amendment": amendment_of(fields, now)}
    if fields.get("at"):
        told["at"] = fields["at"]
    raw = json.dumps(told, sort_keys=True).encode()
    try:
        return ImpactQuestion.model_validate_json(raw), raw
    except ValidationError as error:
        raise _wrong("at", str(error.errors()[0]["msg"])) from None


def amendment_of(fields: Mapping[str, str], now: str) -> dict[str, Any]:
    """What the form says, as a part of an upload states it."""
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
    if unit is None and ring is None:
        raise _wrong("district", "a district, a compound or at least three corners were expected")
    feature = {
        "type": "Feature",
        "geometry": None if ring is None else {"type": "Polygon", "coordinates": [ring]},
        "properties": {
            "zone_id": zone_id or "what-if",
            "level": _level(fields.get("level", "")),
            "policy": policy,
            "valid_from": fields.get("at") or fields.get("since") or now,
            **({"unit": unit} if unit is not None else {}),
        },
    }
    return {"features": [feature]}


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
