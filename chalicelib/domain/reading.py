"""Rules as they are handed in: begun, filled with parts, finished, and then read as a whole or not at all.

A part is JSON of at most 1,000,000 bytes:

    {"policies": [Policy or {"book": "shanghai", "policy": "shanghai-sealed@2"} ...],
     "features": [{"type": "Feature", "geometry": Polygon | MultiPolygon | null,
                   "properties": {"zone_id", "level": "sealed", "policy": "sealed@1",
                                  "unit": {"kind", "district", "compound", "building"},
                                  "valid_from", "valid_to", "expected_end", "known_since",
                                  "precision_m", "basis"}}],
     "released": ["zone-7", {"zone_id": "zone-8", "valid_to": "2022-04-18T00:00:00+08:00"}],
     "exemptions": [{"exemption_id", "policy": "sealed@1", "lifts": ["items"], "item_classes", "unit",
                     "valid_from", "valid_to", "authority", "basis"}]}

`replace` says everything there is; `amend` adds, changes and releases, and leaves the rest as it was. An exemption
ends by its own time: it is stated again with another one. Every
fault names the part, the feature and the place in the part (RFC 6901). Nothing is guessed and nothing is half
taken: a zone that was dropped because it could not be read would look like a place without rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json

from chalicelib.domain.canonical import Doubled, digest, read_once
from chalicelib.domain.errors import Fault, Invalid, Malformed, TooLarge
from chalicelib.domain.gifts import ItemClass
from chalicelib.domain.places import Market, Polygon
from chalicelib.domain.policies import Level, Policy
from chalicelib.domain.rings import read_geometry
from chalicelib.domain.shapes import Instant, Shape, Slug, Text, folded
from chalicelib.domain.uploads import (
    EXEMPTIONS,
    PART_BYTES,
    POLICIES,
    STALE_AFTER_HOURS,
    Content,
    Mode,
    UploadFault,
    UploadStart,
)
from chalicelib.domain.zones import Exemption, Lift, NamedUnit, PolicyReference, Zone

if TYPE_CHECKING:  # the API takes parts and reads no list
    from chalicelib.domain.feeds import Feed, Note
    from chalicelib.domain.rulebooks import Book

ENTRIES: Final = 50_000
"""That each list of a part may have: twenty bytes each. Real features take a hundred and more."""
MANY: Final = 20
"""Zones in force, of which a replacing upload may not leave out more than half without a word."""
FAULTS: Final = 50
"""Faults, and remarks, that are kept; the first ones are enough to mend a feed."""
TOLD: Final = 500
"""Characters of each: all of them have to stand in one row, and others wrote some of the names in them."""


def _level(name: object) -> object:
    found = Level.__members__.get(name.upper()) if isinstance(name, str) and name == name.lower() else None
    if found is None:
        raise ValueError(f"one of {', '.join(level.lower() for level in Level.__members__)} was expected")
    return found


class ZoneStated(Shape):
    """The properties of a feature."""

    zone_id: Slug
    level: Annotated[Level, BeforeValidator(_level)]
    policy: PolicyReference
    unit: NamedUnit | None = None
    valid_from: Instant
    valid_to: Instant | None = None
    expected_end: Instant | None = None
    known_since: Instant | None = None
    precision_m: float = Field(default=0, ge=0, le=5_000, allow_inf_nan=False)
    basis: str = Field(default="", max_length=500)


class Feature(Shape):
    """One zone as GeoJSON. `id` and `bbox` may stand there and say nothing to us."""

    type: Literal["Feature"]
    geometry: Any
    properties: ZoneStated
    id: Any = None
    bbox: Any = None


class ExemptionStated(Shape):
    """An exemption as it is handed in: it counts from when it is published, not before."""

    exemption_id: Slug
    policy: PolicyReference
    lifts: frozenset[Lift] = Field(min_length=1)
    item_classes: frozenset[ItemClass] | None = Field(default=None, min_length=1)
    unit: NamedUnit | None = None
    valid_from: Instant
    valid_to: Instant | None = None
    authority: Text
    basis: str = Field(default="", max_length=500)


class OfABook(Shape):
    """A policy of a rule book that ships, in the place of its text."""

    book: Slug
    policy: PolicyReference


class Release(Shape):
    """The end of a zone. Without a time it ends when the release is published."""

    zone_id: Slug
    valid_to: Instant | None = None


def _release(stated: object) -> object:
    return {"zone_id": stated} if isinstance(stated, str) else stated


@cache
def _releases() -> TypeAdapter[Release]:
    return TypeAdapter(Annotated[Release, BeforeValidator(_release)])


class Part(Shape):
    """A part as it is described to the outside. It is read item by item, so that one fault hides no other."""

    policies: tuple[Policy | OfABook, ...] = ()
    features: tuple[Feature, ...] = ()
    released: tuple[Slug | Release, ...] = ()
    exemptions: tuple[ExemptionStated, ...] = ()


LISTS: Final = tuple(Part.model_fields)


def check_size(raw: bytes) -> None:
    """Raises `TooLarge` for more than a part may have."""
    if len(raw) > PART_BYTES:
        raise TooLarge(
            f"the part has {len(raw)} bytes, at most {PART_BYTES} are taken; send it as several parts"
        )


def part_of(raw: bytes) -> dict[str, list[Any]]:
    """A part's lists. Raises `TooLarge`, `Malformed`, `Invalid` for what cannot be a part at all."""
    check_size(raw)
    try:
        from_json(raw)  # refuses what is nested too deeply to be read by anybody else
        found = read_once(raw)
    except Doubled as error:
        raise Malformed(f"the name {_named(error.name)!r} stands twice in one object") from None
    except (ValueError, RecursionError) as error:
        raise Malformed(f"the part is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise Malformed(f"a part is a JSON object with {', '.join(LISTS)}, got {type(found).__name__!r}")
    faults = [
        Fault(f"/{_escaped(_named(name))}", f"one of {', '.join(LISTS)} was expected")
        for name in found
        if name not in LISTS
    ]
    faults += [
        Fault(f"/{name}", f"a list was expected, got {type(found[name]).__name__!r}")
        for name in LISTS
        if not isinstance(found.get(name, []), list)
    ]
    faults += [
        Fault(f"/{name}", f"at most {ENTRIES} entries a part were expected, got {len(found[name])}")
        for name in LISTS
        if isinstance(found.get(name), list) and len(found[name]) > ENTRIES
    ]
    if faults:
        more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
        raise Invalid(f"{faults[0].pointer}: {faults[0].detail}{more}", faults[:FAULTS])
    return {name: found.get(name, []) for name in LISTS}


@dataclass(frozen=True)
class Spot:
    """A place in an upload."""

    part: int
    feature: int | None
    pointer: str
    named: Callable[[str], str] | None = None
    """Where a pointer into the feature leads, when somebody else's words were made into it."""

    def at(self, pointer: str) -> str:
        return self.pointer + (pointer if self.named is None else self.named(pointer))

    def __str__(self) -> str:
        return f"part {self.part}, {self.pointer}"


FILE: Final = 1
"""The part that faults in somebody else's file are said to be in: the parts, joined, are one file."""
_WHOLE: Final = Spot(FILE, None, "")


def _spot(note: Note) -> Spot | None:
    return None if note.of_upload else Spot(FILE, note.number, "")


@dataclass
class Faults:
    """The first faults of an upload, and how many there are."""

    listed: list[UploadFault] = field(default_factory=list)
    count: int = 0

    def add(self, spot: Spot | None, pointer: str, detail: str, value: str | None = None) -> None:
        self.count += 1
        if len(self.listed) < FAULTS:
            self.listed.append(
                UploadFault(
                    part=spot.part if spot else None,
                    feature=spot.feature if spot else None,
                    pointer=(spot.at(pointer) if spot else pointer)[:TOLD],
                    detail=detail[:TOLD],
                    value=value[:TOLD] if value is not None else None,
                )
            )


@dataclass(frozen=True)
class _Stated:
    zone: ZoneStated
    polygons: tuple[Polygon, ...]
    spot: Spot


class Reading:
    """An upload as read so far, part after part."""

    def __init__(
        self,
        market: Market,
        start: UploadStart,
        feed: Feed | None = None,
        books: Mapping[str, Book] | None = None,
    ) -> None:
        """`feed` reads the file that the parts are pieces of; without one they are our own."""
        self.market = market
        self.start = start
        self.feed = feed
        self._books = books or {}
        self._file: list[bytes] = []
        self.faults = Faults()
        self.remarks = Faults()
        self._policies: dict[str, tuple[Policy, Spot]] = {}
        self._unread: set[str] = set()
        """Policies that are there but faulty: naming one is no second fault."""
        self._zones: dict[str, _Stated] = {}
        self._released: dict[str, tuple[Release, Spot]] = {}
        self._gone: set[str] = set()
        self._kept: dict[str, Zone] = {}
        self._exemptions: dict[str, tuple[ExemptionStated, Spot]] = {}

    def read(self, number: int, raw: bytes) -> None:
        """One more part, in their order. What is wrong in it is collected, not raised."""
        if self.feed is not None:
            self._file.append(raw)
            return
        try:
            part = part_of(raw)
        except (Malformed, Invalid, TooLarge) as error:
            for fault in error.faults or [Fault("", error.detail)]:
                self.faults.add(Spot(number, None, ""), fault.pointer, fault.detail, fault.value)
            return
        for index, given in enumerate(part["policies"]):
            self._policy(given, Spot(number, None, f"/policies/{index}"))
        for index, given in enumerate(part["features"]):
            self._feature(given, Spot(number, index, f"/features/{index}"))
        for index, given in enumerate(part["released"]):
            self._release(given, Spot(number, None, f"/released/{index}"))
        for index, given in enumerate(part["exemptions"]):
            self._exemption(given, Spot(number, None, f"/exemptions/{index}"))

    def _policy(self, given: object, spot: Spot) -> None:
        is_named = isinstance(given, dict) and "book" in given
        try:
            policy = self._of_a_book(given, spot) if is_named else Policy.model_validate(given)
        except ValidationError as error:
            self._wrong(spot, error)
            policy = None
        if policy is None:
            if isinstance(given, dict):
                name = given.get("policy") if is_named else f"{given.get('policy_id')}@{given.get('version')}"
                self._unread.add(str(name))
            return
        for number, curfew in enumerate(policy.curfews):
            for name in ("days", "item_classes"):
                if getattr(curfew, name) is not None and not getattr(curfew, name):
                    detail = "at least one was expected: a curfew of none stops nothing; leave it out for every one"
                    self.faults.add(spot, f"/curfews/{number}/{name}", detail, "[]")
        before = self._policies.setdefault(policy.reference, (policy, spot))
        if before[0] != policy:
            self.faults.add(
                spot,
                "",
                f"the same policy as in {before[1]} was expected, or another version",
                policy.reference,
            )

    def _of_a_book(self, given: object, spot: Spot) -> Policy | None:
        """The policy that is named. What is kept is its text: rules in force rest on no book."""
        named = OfABook.model_validate(given)
        if named.book not in self._books:
            known = ", ".join(sorted(self._books)) or "none"
            self.faults.add(spot, "/book", f"a rule book was expected, there are {known}", repr(named.book))
            return None
        found = self._books[named.book].find(named.policy)
        if found is None:
            self.faults.add(
                spot, "/policy", f"a policy of the book {named.book!r} was expected", repr(named.policy)
            )
        return found

    def _feature(self, given: object, spot: Spot) -> None:
        try:
            feature = Feature.model_validate(given)
        except ValidationError as error:
            self._wrong(spot, error)
            return
        zone = feature.properties
        drawn = read_geometry(feature.geometry, self.start.datum, self.market)
        for blemish in drawn.blemishes:
            self.faults.add(spot, f"/geometry{blemish.pointer}", blemish.detail, blemish.value)
        for remark in drawn.remarks:
            self.remarks.add(spot, f"/geometry{remark.pointer}", remark.detail, remark.value)
        if feature.geometry is None and zone.unit is None:
            self.faults.add(spot, "/properties/unit", "a unit, a geometry, or both were expected")
        if zone.valid_to is not None and zone.valid_to <= zone.valid_from:
            self.faults.add(
                spot,
                "/properties/valid_to",
                f"a time after valid_from ({zone.valid_from.isoformat()}) was expected",
                zone.valid_to.isoformat(),
            )
        if zone.expected_end is not None and zone.expected_end <= zone.valid_from:
            detail = f"a time after valid_from ({zone.valid_from.isoformat()}) was expected"
            self.faults.add(spot, "/properties/expected_end", detail, zone.expected_end.isoformat())
        self._names(zone.unit, spot, "/properties/unit")
        before = self._zones.setdefault(zone.zone_id, _Stated(zone, drawn.polygons, spot))
        if before.spot != spot:
            self.faults.add(
                spot,
                "/properties/zone_id",
                f"a zone once an upload was expected, see {before.spot}",
                repr(zone.zone_id),
            )

    def _names(self, unit: NamedUnit | None, spot: Spot, pointer: str) -> None:
        for name in ("district", "compound", "building", "address", "crossing"):
            text = getattr(unit, name, None)
            why = None if text is None else junk(text)
            if why is not None:
                self.faults.add(spot, f"{pointer}/{name}", f"a name was expected, this is {why}", repr(text))

    def _exemption(self, given: object, spot: Spot) -> None:
        try:
            stated = ExemptionStated.model_validate(given)
        except ValidationError as error:
            self._wrong(spot, error)
            return
        if stated.valid_to is not None and stated.valid_to <= stated.valid_from:
            detail = f"a time after valid_from ({stated.valid_from.isoformat()}) was expected"
            self.faults.add(spot, "/valid_to", detail, stated.valid_to.isoformat())
        self._names(stated.unit, spot, "/unit")
        before = self._exemptions.setdefault(stated.exemption_id, (stated, spot))
        if before[1] != spot:
            detail = f"an exemption once an upload was expected, see {before[1]}"
            self.faults.add(spot, "/exemption_id", detail, repr(stated.exemption_id))

    def _release(self, given: object, spot: Spot) -> None:
        if self.start.mode is not Mode.AMEND:
            self.faults.add(spot, "", "no release was expected: a replacing upload leaves out what is over")
            return
        try:
            release = _releases().validate_python(given)
        except ValidationError as error:
            self._wrong(spot, error)
            return
        before = self._released.setdefault(release.zone_id, (release, spot))
        if before[1] != spot:
            self.faults.add(
                spot, "", f"a zone once an upload was expected, see {before[1]}", repr(release.zone_id)
            )

    def _wrong(self, spot: Spot, error: ValidationError) -> None:
        for detail in error.errors(include_url=False, include_context=False):
            self.faults.add(spot, *_plain(detail))

    def _translated(self, feed: Feed, base: Content | None, now: datetime) -> Reading:
        """The file in our own words. What it says may rest on what was known before, so it is read when that is."""
        from chalicelib.domain.feeds import Told

        told = Told(
            self.market, self.start, base if self.start.mode is Mode.AMEND else None, now, self._books
        )
        listed = feed.read(b"".join(self._file), told)
        ours = Reading(self.market, self.start)
        ours._gone, ours._kept = listed.gone, {zone.zone_id: zone for zone in listed.kept}
        for note in listed.faults:
            ours.faults.add(_spot(note), note.pointer, note.detail, note.value)
        for note in listed.remarks:
            ours.remarks.add(_spot(note), note.pointer, note.detail, note.value)
        for policy in listed.policies:
            ours._policies[policy.reference] = (policy, _WHOLE)
        for entry in listed.entries:
            ours._feature(entry.feature, Spot(FILE, entry.number, entry.pointer, entry.named))
        self.faults, self.remarks = ours.faults, ours.remarks
        return ours

    # --- the whole -----------------------------------------------------------------------------------------

    def settle(
        self, base: Content | None, now: datetime, published: Mapping[str, str] | None = None
    ) -> Content | Faults:
        """What the rules are with this upload on top of `base`, or every fault. Reads nothing but itself.

        `published`: the hash of every version of a policy that ever held, in force or not.
        """
        if self.feed is not None:
            return self._translated(self.feed, base, now).settle(base, now, published)
        faults = Faults(list(self.faults.listed), self.faults.count)
        amending = self.start.mode is Mode.AMEND
        if amending and base is None:
            faults.add(
                None, "/mode", "rules to amend were expected; publish them with replace first", "'amend'"
            )
        if not self._zones and not amending and not self.faults.count:
            faults.add(None, "", "at least one zone was expected; an empty feed opens nothing")
        if amending and not (
            self._zones
            or self._released
            or self._policies
            or self._exemptions
            or self._kept
            or self.faults.count
        ):
            detail = "at least one policy, feature, release or exemption was expected, this amends nothing"
            faults.add(None, "", detail)
        if self.start.time_zone != self.market.time_zone:
            detail = (
                f"{self.market.time_zone!r} was expected, the clock of the market {self.market.market_id!r}"
            )
            faults.add(None, "/time_zone", detail, repr(self.start.time_zone))
        elif amending and base is not None and base.time_zone != self.start.time_zone:
            faults.add(
                None, "/time_zone", f"{base.time_zone!r} was expected, as before", repr(self.start.time_zone)
            )
        policies = self._all_policies(base, amending, published or {}, faults)
        zones = self._all_zones(base, amending, policies, now, faults)
        exemptions = self._all_exemptions(base, amending, policies, now, faults)
        for name, there, most in (("policies", policies, POLICIES), ("exemptions", exemptions, EXEMPTIONS)):
            if len(there) > most:
                detail = (
                    f"at most {most} {name} in force were expected; replace with those that are still needed"
                )
                faults.add(None, f"/{name}", detail, repr(len(there)))
        self._once_each(zones.values(), faults)
        if base is not None and not amending and not self.start.leaves_out:
            self._still_there(base, zones, now, faults)
        if faults.count:
            return faults
        hours = self.start.stale_after_hours
        if hours is None:
            hours = base.stale_after_hours if amending and base is not None else STALE_AFTER_HOURS
        return Content(
            market_id=self.market.market_id,
            time_zone=self.start.time_zone,
            datum=self.market.datum,
            stale_after_hours=hours,
            policies=tuple(policies[name] for name in sorted(policies)),
            zones=tuple(zones[name] for name in sorted(zones)),
            exemptions=tuple(exemptions[name] for name in sorted(exemptions)),
        )

    @staticmethod
    def _still_there(base: Content, zones: Mapping[str, Zone], now: datetime, faults: Faults) -> None:
        """A file that was cut off half-way is well-formed, too, and would open what it no longer names."""
        held = [zone.zone_id for zone in base.zones if zone.valid_to is None or zone.valid_to > now]
        gone = sum(name not in zones for name in held)
        if len(held) >= MANY and gone * 2 > len(held):
            faults.add(
                None,
                "/leaves_out",
                f"at least half of the {len(held)} zones in force were expected, {gone} of them are not in it and "
                "would be open; begin the upload with leaves_out where that is meant",
            )

    def _all_policies(
        self, base: Content | None, amending: bool, published: Mapping[str, str], faults: Faults
    ) -> dict[str, Policy]:
        known = {policy.reference: policy for policy in base.policies} if base else {}
        for name, (policy, spot) in self._policies.items():
            redefined = name in published and published[name] != digest(policy)
            if redefined or (name in known and known[name] != policy):
                faults.add(
                    spot,
                    "",
                    "what is published under this version was expected; a change is a new version",
                    name,
                )
        stated = {name: policy for name, (policy, _) in self._policies.items()}
        return {**known, **stated} if amending else stated

    def _all_zones(
        self,
        base: Content | None,
        amending: bool,
        policies: Mapping[str, Policy],
        now: datetime,
        faults: Faults,
    ) -> dict[str, Zone]:
        known = {zone.zone_id: zone for zone in base.zones} if base else {}
        zones = dict(known) if amending else {}
        zones = {name: zone for name, zone in zones.items() if name not in self._gone} | self._kept
        for missing in {zone.policy_reference for zone in self._kept.values()} - policies.keys():
            faults.add(None, "", "a policy in force, or one of a rule book, was expected", repr(missing))
        for name, stated in self._zones.items():
            given = stated.zone
            if given.policy not in policies and given.policy not in self._unread:
                detail = "a policy that this upload states was expected"
                if amending:
                    detail = "a policy that this upload states, or one in force, was expected"
                faults.add(stated.spot, "/properties/policy", detail, repr(given.policy))
            if given.known_since is not None and given.known_since > now:
                detail = f"a time up to now ({now.isoformat()}) was expected"
                faults.add(stated.spot, "/properties/known_since", detail, given.known_since.isoformat())
            if not faults.count:
                zones[name] = _zone(stated, known.get(name), now, policies.get(given.policy))
        for name, (release, spot) in self._released.items():
            if name in self._zones:
                faults.add(
                    spot,
                    "",
                    f"a zone that is not stated as well was expected, see {self._zones[name].spot}",
                    name,
                )
            elif name not in known:
                faults.add(spot, "", "a zone in force was expected", repr(name))
            elif release.valid_to is not None and release.valid_to <= known[name].valid_from:
                detail = f"a time after the zone began ({known[name].valid_from.isoformat()}) was expected"
                faults.add(spot, "/valid_to", detail, release.valid_to.isoformat())
            else:
                _end(zones, name, release.valid_to, now)
        return zones

    def _all_exemptions(
        self,
        base: Content | None,
        amending: bool,
        policies: Mapping[str, Policy],
        now: datetime,
        faults: Faults,
    ) -> dict[str, Exemption]:
        """Each is known from its publication on: what was done before is not put right by it."""
        known = {one.exemption_id: one for one in base.exemptions} if base else {}
        found = dict(known) if amending else {}
        for name, (stated, spot) in self._exemptions.items():
            if stated.policy not in policies and stated.policy not in self._unread:
                detail = "a policy that this upload states, or one in force, was expected"
                faults.add(spot, "/policy", detail, repr(stated.policy))
            if not faults.count:
                before = known.get(name)
                exemption = Exemption(**dict(stated), known_since=before.known_since if before else now)
                if before is not None and before != exemption:
                    exemption = exemption.model_copy(update={"known_since": now})
                found[name] = exemption
        return found

    def _once_each(self, zones: Iterable[Zone], faults: Faults) -> None:
        """黄浦 and 黄浦区 are compared as one: a district that is named under both is there twice, by mistake."""
        units = [zone.unit for zone in zones] + [stated.zone.unit for stated in self._zones.values()]
        first: dict[str, str] = {}
        for unit in units:
            if unit is not None and unit.kind == "district":
                first.setdefault(unit.key, unit.district or "")
        for stated in self._zones.values():
            unit = stated.zone.unit
            if (
                unit is not None
                and unit.kind == "district"
                and folded(first[unit.key]) != folded(unit.district or "")
            ):
                detail = f"this district once was expected, it is there as {first[unit.key]!r}"
                faults.add(stated.spot, "/properties/unit/district", detail, repr(unit.district))


def _zone(stated: _Stated, before: Zone | None, now: datetime, policy: Policy | None) -> Zone:
    given = stated.zone
    valid_to = given.valid_to
    if valid_to is None and policy is not None and policy.auto_release:
        valid_to = given.expected_end
    policy_id, _, version = given.policy.rpartition("@")
    zone = Zone(
        zone_id=given.zone_id,
        level=given.level,
        policy_id=policy_id,
        policy_version=int(version),
        unit=given.unit,
        polygons=stated.polygons,
        precision_m=given.precision_m,
        valid_from=given.valid_from,
        valid_to=valid_to,
        expected_end=given.expected_end,
        known_since=given.known_since or now,
        basis=given.basis,
    )
    if given.known_since is None and before is not None and _says(before) == _says(zone):
        return zone.model_copy(update={"known_since": before.known_since})
    return zone


def _says(zone: Zone) -> tuple[object, ...]:
    """What one has to have known to keep to a zone."""
    return (zone.level, zone.policy_reference, zone.unit, zone.polygons, zone.valid_from)


def _end(zones: dict[str, Zone], name: str, valid_to: datetime | None, now: datetime) -> None:
    zone = zones[name]
    if valid_to is None:
        if zone.valid_to is not None and zone.valid_to <= now:
            return  # it was over: the same release again changes nothing
        if zone.valid_from >= now:
            del zones[name]  # it never began
            return
    zones[name] = zone.model_copy(update={"valid_to": valid_to or now})


_SCREEN: Final = re.compile(
    "滑动|查看更多|点击|展开全|收起|下拉|上滑"
    "|swipe (for|to|up|down)|click here|tap here|(show|see|read|load) more"
    "|[\u2190-\u21ff\u25b2-\u25bf<>{}\ufffd\x00-\x1f]|https?://",
    re.IGNORECASE,
)


_NOTHING: Final = frozenset({"null", "nan", "undefined", "unknown", "无", "暂无", "未知", "不详"})
"""`None` is a town near Turin."""


def junk(name: str) -> str | None:
    """What a name is when it is none, or None. Screen texts such as （滑动查看更多↓） were once scraped and
    geocoded as addresses on 15 of 16 district lists: each would be a phantom zone."""
    if _SCREEN.search(name):
        return "a text of a screen"
    plain = folded(name)
    if not plain:
        return "only punctuation"
    if plain in _NOTHING:
        return "a word for nothing"
    return None


def _plain(detail: ErrorDetails) -> tuple[str, str, str | None]:
    """A validation error as pointer, text and value."""
    path = [str(part) for part in detail["loc"]]
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        message = "this field is not known here"
    elif detail["type"].startswith("timezone"):
        message = "a time needs its offset, such as 2022-04-11T09:00:00+08:00"
    elif detail["type"] == "missing":
        return "".join(f"/{_escaped(part)}" for part in path), "this field was expected", None
    value = detail.get("input")
    shown = None if isinstance(value, (dict, list)) else repr(value)[:120]
    return "".join(f"/{_escaped(part)}" for part in path), message, shown


def _named(name: str) -> str:
    """A name that nobody here gave, if it looks like a field's: it is repeated to whoever sent it."""
    return name if _A_FIELD.fullmatch(name) else "(a name not shown)"


_A_FIELD: Final = re.compile(r"[A-Za-z_][A-Za-z_0-9./~-]{0,39}", re.ASCII)


def _escaped(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")
