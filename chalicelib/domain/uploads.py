"""An upload of rules: what it says of itself, and what becomes of it. How it is read: `domain.reading`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from pydantic import Field, model_validator

from chalicelib.domain.places import Datum
from chalicelib.domain.policies import Policy
from chalicelib.domain.shapes import Instant, Shape, Slug, Text, TimeZone
from chalicelib.domain.zones import Exemption, Zone

PART_BYTES: Final = 1_000_000


PARTS: Final = 200


UPLOAD_BYTES: Final = 32_000_000
"""Of all parts together, some 130,000 zones: reading them takes half a gigabyte, and what was in force before stands
beside it in a function of 1.8. Shanghai had 17,649."""


POLICIES: Final = 500
"""In force at a time: each is named in the pointer, which everybody reads who decides."""


EXEMPTIONS: Final = 2000
"""In force at a time: each is asked of every address."""


STALE_AFTER_HOURS: Final = 36.0


WORDING_LENGTH: Final = 20_000
"""Of a wording as JSON: it stands in the upload's own row."""


class Mode(StrEnum):
    """What an upload says about the zones it does not name: they are over, or as before."""

    REPLACE = "replace"
    AMEND = "amend"


class Format(StrEnum):
    """Whose language the parts are in: ours, or a list's as its authority publishes it."""

    CORDON = "cordon"
    GEOJSON = "geojson"
    SHANGHAI_DAILY = "shanghai_daily"
    ITALY_ZONES = "italy_zones"
    RISK_LIST = "risk_list"
    RULEBOOK = "rulebook"


class Wording(Shape):
    """How an authority's file calls what a zone of ours needs. Our names are those of a feature's properties,
    with `district`, `compound`, `building` and `address` for the unit's."""

    names: dict[Text, Text] = Field(
        default={}, max_length=20, description="Our name to theirs; absent: the same name."
    )
    words: dict[Text, dict[Text, Text]] = Field(
        default={}, max_length=20, description="Of our names: their word to ours. A word not here is a fault."
    )
    fixed: dict[Text, Text] = Field(
        default={}, max_length=20, description="What holds for every feature, by our name."
    )

    @model_validator(mode="after")
    def _short(self) -> Wording:
        length = len(self.model_dump_json())
        if length > WORDING_LENGTH:
            raise ValueError(f"at most {WORDING_LENGTH} characters were expected, got {length}")
        return self


class Finish(Shape):
    """How many parts were sent: a lost last one would open what it closes."""

    parts: int = Field(ge=1, le=PARTS)


class UploadStart(Shape):
    """What an upload states about itself before its first part."""

    mode: Mode
    time_zone: TimeZone = Field(description="Whose clock the curfews are read on: the market's.")
    datum: Datum = Field(description="The frame of the coordinates; they are kept in the market's.")
    stale_after_hours: float | None = Field(
        default=None,
        gt=0,
        le=24 * 366,
        allow_inf_nan=False,
        description="How long the rules hold without a new publication. Absent: 36; amending: as before.",
    )
    format: Format = Field(
        default=Format.CORDON,
        description="Any but cordon: the parts, joined, are the file as its authority publishes it.",
    )
    leaves_out: bool = Field(
        default=False,
        description="Of a replacing upload: it is meant that most of the zones in force are not in it any more.",
    )
    day: date | None = Field(
        default=None, description="Of a list that does not say so itself: the local day whose cases it names."
    )
    area: Text | None = Field(
        default=None,
        description="Of a list that covers more than this market: whose rows are read. A region's ISTAT code, or "
        "a city as the list spells it.",
    )
    wording: Wording | None = Field(
        default=None,
        description="How to read an authority's GeoJSON, and what the levels of a risk list mean.",
    )

    @model_validator(mode="after")
    def _of_its_format(self) -> UploadStart:
        needed = {
            Format.SHANGHAI_DAILY: ("day",),
            Format.ITALY_ZONES: ("area",),
            Format.RISK_LIST: ("area", "wording"),
            Format.GEOJSON: ("wording",),
        }
        wanted = needed.get(self.format, ())
        for name in ("day", "area", "wording"):
            is_there = getattr(self, name) is not None
            if name in wanted and not is_there:
                raise ValueError(f"the format {self.format.value!r} needs {name!r}")
            if name not in wanted and is_there:
                raise ValueError(f"the format {self.format.value!r} has no {name!r}")
        return self


class UploadState(StrEnum):
    """How far it has come."""

    OPEN = "open"
    VALIDATING = "validating"
    PUBLISHED = "published"
    REFUSED = "refused"


class UploadFault(Shape):
    """One thing that is wrong, or was put right: where, what stood there, what was expected."""

    part: int | None = Field(default=None, description="Absent: the upload as a whole.")
    feature: int | None = Field(default=None, description="Its index in the part's features.")
    pointer: str = Field(
        description="RFC 6901, from the part's root; of the upload itself where no part is named."
    )
    detail: str
    value: str | None = None


class Difference(Shape):
    """How many zones an upload brought, changed and ended, against the rules before it."""

    new: int = 0
    changed: int = 0
    gone: int = 0
    orders_touched: int | None = Field(
        default=None,
        description="Assigned, booked or on their way, and decided otherwise now; absent until all were looked at.",
    )


class Upload(Shape):
    """One upload and what became of it."""

    upload_id: str
    market_id: Slug
    source: str = Field(description="Whose key began it.")
    mode: Mode
    time_zone: TimeZone
    datum: Datum
    stale_after_hours: float | None = None
    format: Format = Format.CORDON
    leaves_out: bool = False
    day: date | None = None
    area: Text | None = None
    wording: Wording | None = None
    state: UploadState = UploadState.OPEN
    begun_at: Instant
    finished_at: Instant | None = None
    parts: int = Field(default=0, description="How many it has; known when it is finished.")
    settled_at: Instant | None = None
    rules_version: int | None = None
    rules_digest: str | None = None
    unchanged: bool | None = Field(default=None, description="It said what was known; only the time is new.")
    difference: Difference | None = None
    faults: tuple[UploadFault, ...] = ()
    fault_count: int = Field(default=0, description="Of all; the first 50 are listed.")
    remarks: tuple[UploadFault, ...] = Field(default=(), description="What was put right on the way.")
    remark_count: int = 0
    version: int = Field(default=1, exclude=True)

    @property
    def start(self) -> UploadStart:
        """What it stated of itself."""
        return UploadStart.model_validate({name: getattr(self, name) for name in UploadStart.model_fields})


@dataclass(frozen=True)
class Content:
    """What a snapshot says, apart from when it was published: equal content is the same snapshot."""

    market_id: str
    time_zone: str
    datum: Datum
    stale_after_hours: float
    policies: tuple[Policy, ...]
    """By reference."""
    zones: Sequence[Zone]
    """By zone_id."""
    exemptions: tuple[Exemption, ...] = ()
    """By exemption_id."""


def difference(before: Content | None, after: Content) -> Difference:
    """How many zones are new, changed and gone. One that was released has changed."""
    old = {zone.zone_id: zone for zone in before.zones} if before else {}
    new = {zone.zone_id: zone for zone in after.zones}
    return Difference(
        new=sum(name not in old for name in new),
        changed=sum(
            name in old and old[name] is not zone and old[name] != zone for name, zone in new.items()
        ),
        gone=sum(name not in new for name in old),
    )
