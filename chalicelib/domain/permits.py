"""Which permits cover an errand: there and back, this way, these goods, this vehicle, these people, these hours.

A permit covers all of what is asked of it or nothing: two that cover half each cover nothing, for nobody at a
checkpoint adds them up. A crossing is asked for by itself, because its pass is often another one. Sources:
`../shared/research/lockdowns.md`, 1.1 (one vehicle, one pass, one route) and edge cases 15 to 17.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from chalicelib.domain.curfews import Curfew, curfew_spans
from chalicelib.domain.fleet import Crew, Fleet, Permit
from chalicelib.domain.gifts import ItemClass
from chalicelib.domain.places import district_key
from chalicelib.domain.shapes import folded
from chalicelib.domain.verdicts import Reason


class Errand(NamedTuple):
    """What one delivery asks of permits, whoever goes and whenever."""

    origin: str
    """District, as it is compared."""
    destination: str
    is_carried: bool
    """The gift is on its way: where it was fetched no longer has to be covered."""
    zones: frozenset[str]
    """Those at the ends that ask for a permit. None: the ends ask for nothing."""
    crossings: frozenset[str]
    """Those on the way that ask for one, folded."""
    item_classes: frozenset[ItemClass]


class _Pass(NamedTuple):
    """A permit before one crew and one errand."""

    permit: Permit
    against: Reason | None
    """What speaks against it at any hour: bound to another vehicle or crew, or not for this."""
    start: datetime
    end: datetime
    """When it is valid."""
    is_plain: bool
    """Within its interval nothing more is asked."""


Covered = tuple[tuple[Permit, ...], tuple[Reason, ...]]
"""The permits that cover it together with the crossings, or every reason why there are none."""


class Passes:
    """A fleet's permits. It remembers by identity of the errand: whoever asks often keeps the one that it asks of."""

    def __init__(self, fleet: Fleet, time_zone: str) -> None:
        self._time_zone = time_zone
        self._uses_left = fleet.uses_left
        self._by_plate: dict[str, list[Permit]] = {}
        self._by_crew: dict[str, list[Permit]] = {}
        for permit in sorted(fleet.permits.values(), key=_rank, reverse=True):
            if permit.plate is not None:
                self._by_plate.setdefault(folded(permit.plate), []).append(permit)
            if permit.crew_id is not None:
                self._by_crew.setdefault(permit.crew_id, []).append(permit)
        self._known: dict[tuple[str, int], tuple[Errand, list[_Pass], list[list[_Pass]]]] = {}
        self._off_hours: dict[str, Curfew] = {}

    def cover(
        self,
        crew: Crew,
        errand: Errand,
        start: datetime,
        end: datetime,
        is_open: bool = True,
        held: Collection[str] = (),
    ) -> Covered:
        """The permits under which this crew does the errand in `[start, end)`, its way back included.

        `is_open`: nobody has been given it, so one for a single use is taken if it has its use left. Later only
        one that is `held` counts: the use of another would have to be taken first.
        """
        key = (crew.crew_id, id(errand))
        known = self._known.get(key)
        if known is None:
            # with the errand itself: no other can come to bear its id
            known = self._known[key] = (errand, *self._before(crew, errand))
        _, ends, crossings = known
        if not crossings:
            return self._first(ends, start, end, is_open, held)
        chosen: list[Permit] = []
        reasons: list[Reason] = []
        for passes in (ends, *crossings) if errand.zones else crossings:
            found, against = self._first(passes, start, end, is_open, held)
            chosen += found
            reasons += against
        return tuple(dict.fromkeys(chosen)), tuple(dict.fromkeys(reasons))

    def _first(
        self, passes: Sequence[_Pass], start: datetime, end: datetime, is_open: bool, held: Collection[str]
    ) -> Covered:
        """The first of these that covers it, one that is held before others."""
        if held and len(passes) > 1:
            passes = sorted(passes, key=lambda one: one.permit.permit_id not in held)
        against: list[Reason] = []
        for permit, why, begins, ends, is_plain in passes:
            if is_plain and why is None and begins <= start and end <= ends:
                return (permit,), ()
            reason = why or self._reason(permit, start, end, is_open, held)
            if reason is None:
                return (permit,), ()
            against.append(reason)
        return (), tuple(against) or (Reason.PERMIT_MISSING,)

    def _before(self, crew: Crew, errand: Errand) -> tuple[list[_Pass], list[list[_Pass]]]:
        plate = folded(crew.vehicle.plate)
        named = [*self._by_plate.get(plate, ()), *self._by_crew.get(crew.crew_id, ())]
        permits = sorted({permit.permit_id: permit for permit in named}.values(), key=_rank, reverse=True)
        bound = [
            (permit, Reason.PERMIT_VEHICLE if not _is_of(permit, crew, plate) else None) for permit in permits
        ]
        ends = [
            _pass(permit, why or (None if _covers(permit, errand) else Reason.PERMIT_SCOPE))
            for permit, why in bound
            if _names_a_place(permit)
        ]
        crossings = [
            [
                _pass(permit, why or (None if _lets_pass(permit, crossing, errand) else Reason.PERMIT_SCOPE))
                for permit, why in bound
            ]
            for crossing in sorted(errand.crossings)
        ]
        return ends, crossings

    def _reason(
        self, permit: Permit, start: datetime, end: datetime, is_open: bool, held: Collection[str]
    ) -> Reason | None:
        if permit.revoked_at is not None and permit.revoked_at < end:
            return Reason.PERMIT_REVOKED
        if not (permit.valid.start <= start and end <= permit.valid.end):
            return Reason.PERMIT_TIME
        if permit.daily_hours is not None and not self._within_hours(permit, start, end):
            return Reason.PERMIT_TIME
        if permit.single_use and permit.permit_id not in held:
            is_free = is_open and self._uses_left.get(permit.permit_id, 1) > 0
            return None if is_free else Reason.PERMIT_USED
        return None

    def _within_hours(self, permit: Permit, start: datetime, end: datetime) -> bool:
        """True when no hour of the stay lies outside the permit's. What is outside is read as a curfew is: longest."""
        hours = permit.daily_hours
        assert hours is not None
        if hours.start_local == hours.end_local:
            return True
        off = self._off_hours.get(permit.permit_id)
        if off is None:
            off = Curfew(start_local=hours.end_local, end_local=hours.start_local)
            self._off_hours[permit.permit_id] = off
        return not curfew_spans(off, self._time_zone, start, end)


def _rank(permit: Permit) -> tuple[bool, datetime, str]:
    """The first choice is highest: a use that need not be spent, then whichever lasts."""
    return not permit.single_use, permit.valid.end, permit.permit_id


def _pass(permit: Permit, against: Reason | None) -> _Pass:
    is_plain = permit.revoked_at is None and permit.daily_hours is None and not permit.single_use
    return _Pass(permit, against, permit.valid.start, permit.valid.end, is_plain)


def _is_of(permit: Permit, crew: Crew, plate: str) -> bool:
    return (permit.plate is None or folded(permit.plate) == plate) and permit.crew_id in (None, crew.crew_id)


def _names_a_place(permit: Permit) -> bool:
    """False for a pass that is for crossings only: it says nothing about the ends."""
    return permit.districts is not None or permit.route is not None or bool(permit.zones)


def _covers(permit: Permit, errand: Errand) -> bool:
    """True when everything it states holds for the ends and the goods."""
    return (
        _is_on_its_way(permit, errand)
        and (not permit.zones or errand.zones <= permit.zones)
        and (permit.item_classes is None or errand.item_classes <= permit.item_classes)
    )


def _lets_pass(permit: Permit, crossing: str, errand: Errand) -> bool:
    return (
        any(folded(name) == crossing for name in permit.crossings)
        and _is_on_its_way(permit, errand)
        and (permit.item_classes is None or errand.item_classes <= permit.item_classes)
    )


def _is_on_its_way(permit: Permit, errand: Errand) -> bool:
    route = permit.route
    if route is not None:
        way = (district_key(route.origin), district_key(route.destination))
        if way != (errand.origin, errand.destination):
            return False
    if permit.districts is None or permit.districts == "all":
        return True
    needed = {errand.destination} if errand.is_carried else {errand.origin, errand.destination}
    return needed <= _keys(permit.districts)


def _keys(districts: Iterable[str]) -> set[str]:
    return set(map(district_key, districts))
