"""Official files as tests hand them in: through the real flow, or read alone."""

from __future__ import annotations

from typing import Any

from chalicelib.domain.feeds import Told
from chalicelib.domain.ports import World
from chalicelib.domain.reading import Faults, Reading
from chalicelib.domain.uploads import Content, Upload, UploadStart
from chalicelib.feeds import Folder
from chalicelib.flows import publish
from tests import fakes
from tests.maps import market

STARTED = {"mode": "amend", "time_zone": "Asia/Shanghai", "datum": "GCJ02"}


def start(**changes: Any) -> UploadStart:
    return UploadStart.model_validate({**STARTED, **changes})


def told(begun: UploadStart, base: Content | None = None, **changes: Any) -> Told:
    return Told(**{"market": market(), "start": begun, "base": base, "now": fakes.NOON, **changes})


def settled(
    raw: bytes,
    begun: UploadStart,
    base: Content | None = None,
    now: Any = fakes.NOON,
    place: Any = None,
    book: Any = None,
) -> tuple[Content | Faults, Reading]:
    """What this file comes to on top of that, and how it was read."""
    reading = Reading(place or market(), begun, Folder()[begun.format.value], book)
    for at in range(0, len(raw), 900_000):
        reading.read(at // 900_000 + 1, raw[at : at + 900_000])
    return reading.settle(base, now), reading


def content(raw: bytes, begun: UploadStart, base: Content | None = None, **changes: Any) -> Content:
    found, _ = settled(raw, begun, base, **changes)
    assert isinstance(found, Content), found.listed
    return found


def faults(raw: bytes, begun: UploadStart, base: Content | None = None, **changes: Any) -> Faults:
    found, _ = settled(raw, begun, base, **changes)
    assert isinstance(found, Faults)
    return found


def handed_in(world: World, market_id: str, raw: bytes, *, cut: int = 900_000, **begun: Any) -> Upload:
    """The file in pieces, published or refused."""
    upload = publish.begin(world, market_id, "city", **{**STARTED, **begun})
    pieces = [raw[at : at + cut] for at in range(0, len(raw), cut)] or [b""]
    for number, piece in enumerate(pieces, 1):
        publish.add_part(world, market_id, upload.upload_id, number, piece)
    publish.finish(world, market_id, upload.upload_id, len(pieces))
    publish.publish(world, market_id, upload.upload_id)
    return publish.upload_of(world, market_id, upload.upload_id)
