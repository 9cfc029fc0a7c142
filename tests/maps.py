"""Rules as tests hand them in: a market, policies, features, and uploads through the real flow."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from chalicelib.domain.places import Market
from chalicelib.domain.ports import World
from chalicelib.domain.reading import Faults, Reading
from chalicelib.domain.uploads import Content, Upload, UploadStart
from chalicelib.flows import publish
from tests import fakes
from tests.builders import SHANGHAI

SQUARE = [[121.4, 31.2], [121.5, 31.2], [121.5, 31.3], [121.4, 31.3], [121.4, 31.2]]


def market(**changes: Any) -> Market:
    return Market.model_validate({**SHANGHAI, **changes})


def policy(name: str = "sealed", version: int = 1, **changes: Any) -> dict[str, Any]:
    return {"policy_id": name, "version": version, "title": name.title(), "handovers": ["gate"], **changes}


def feature(zone_id: str = "z-1", geometry: Any = None, **changes: Any) -> dict[str, Any]:
    """A sealed compound; `unit=None` leaves the unit out."""
    properties = {
        "zone_id": zone_id,
        "level": "sealed",
        "policy": "sealed@1",
        "unit": {"kind": "compound", "district": "黄浦区", "compound": f"永嘉路{zone_id}弄"},
        "valid_from": "2022-04-11T00:00:00+08:00",
        **changes,
    }
    properties = {name: value for name, value in properties.items() if value is not None}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def polygon(*rings: Sequence[Any]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


def part(*features: Any, policies: Any = (), released: Any = ()) -> bytes:
    document = {"policies": list(policies), "features": list(features), "released": list(released)}
    return json.dumps(document, ensure_ascii=False).encode()


def start(mode: str = "replace", datum: str = "GCJ02", **changes: Any) -> UploadStart:
    return UploadStart.model_validate({"mode": mode, "time_zone": "Asia/Shanghai", "datum": datum, **changes})


def settled(
    *parts: bytes, base: Content | None = None, begun: UploadStart | None = None, now: Any = fakes.NOON
) -> Content | Faults:
    """What these parts come to on top of that."""
    reading = Reading(market(), begun or start())
    for number, raw in enumerate(parts, 1):
        reading.read(number, raw)
    return reading.settle(base, now)


def content(*parts: bytes, **changes: Any) -> Content:
    found = settled(*parts, **changes)
    assert isinstance(found, Content), found.listed
    return found


def faults(*parts: bytes, **changes: Any) -> Faults:
    found = settled(*parts, **changes)
    assert isinstance(found, Faults)
    return found


def handed_in(
    world: World, *parts: bytes, mode: str = "replace", datum: str = "GCJ02", **changes: Any
) -> Upload:
    """An upload up to the point where the queue takes over."""
    upload = publish.begin(world, "SHA", "city", mode=mode, time_zone="Asia/Shanghai", datum=datum, **changes)
    for number, raw in enumerate(parts, 1):
        publish.add_part(world, "SHA", upload.upload_id, number, raw)
    return publish.finish(world, "SHA", upload.upload_id, len(parts))


def published(world: World, *parts: bytes, **changes: Any) -> Upload:
    """An upload all the way."""
    upload = handed_in(world, *parts, **changes)
    publish.publish(world, "SHA", upload.upload_id)
    return publish.upload_of(world, "SHA", upload.upload_id)
