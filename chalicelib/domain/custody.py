"""The chain of custody: who had the gift from when until when, as its couriers told it, over all legs of its order.

Nothing is smoothed. Couriers' words can be lost, late or wrong, so a chain has holes and contradictions, and says so:
a *gap* is a time in which nobody is known to have had it, an *overlap* one in which two are said to have had it.

    shop ──picked up──▶ courier ──delivered──▶ client, or the gate and from there the client
      ▲                    ├──delivered──▶ hand-over point ──picked up──▶ courier ...
      │                    └──returned──▶ where it was picked up
      └─ from the placing on: where it begins is where it is made

Law 0 rests on this: a courier is sent for a gift only where the chain, without a doubt, says that it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from itertools import combinations
from typing import NamedTuple

from pydantic import Field

from chalicelib.domain.legs import Booking, EventKind, Leg
from chalicelib.domain.shapes import Instant, Shape


class Holder(StrEnum):
    """Who can have a gift."""

    SHOP = "shop"
    POINT = "point"
    """A hand-over point, between two couriers."""
    COURIER = "courier"
    GATE = "gate"
    """The compound: guards, volunteers, a shelf."""
    CLIENT = "client"


class Stretch(Shape):
    """Somebody had it from when until when, half-open."""

    holder: Holder
    since: Instant
    until: Instant | None = Field(default=None, description="Absent: has it still, for all that is known.")
    leg_no: int | None = Field(default=None, description="Of a courier: on which leg.")
    courier: str | None = None
    crew: str | None = Field(default=None, description="Who was sent.")
    reference: str | None = Field(default=None, description="Of a courier: under which booking.")


class FlawKind(StrEnum):
    """What can be wrong with a chain."""

    GAP = "gap"
    OVERLAP = "overlap"


class Flaw(Shape):
    """A time for which the chain names nobody, or two."""

    kind: FlawKind
    since: Instant
    until: Instant | None = Field(default=None, description="Absent: until now.")
    stretches: tuple[int, ...] = Field(
        default=(), description="Of an overlap: which two, counted from 0 in the chain."
    )


class Chain(Shape):
    """All that is known of who had it, the first first."""

    stretches: tuple[Stretch, ...]
    flaws: tuple[Flaw, ...] = ()

    def is_with(self, holder: Holder) -> bool:
        """True when it is there now, and nobody else is said to have it."""
        now = [stretch for stretch in self.stretches if stretch.until is None]
        return bool(now) and all(stretch.holder is holder for stretch in now)


class _Carried(NamedTuple):
    """One booking by which the gift was moved."""

    leg: Leg
    booking: Booking
    since: datetime | None
    """None: that it was fetched was never heard."""
    until: datetime | None
    to: Holder | None

    @property
    def left_shop_by(self) -> datetime:
        """Until then it was in the shop for certain: nobody fetches what has not been asked for."""
        begun = self.booking.attempted_at
        if self.since is not None:
            return self.since
        return begun if self.until is None else min(begun, self.until)


def chain(
    placed_at: datetime,
    legs: Iterable[Leg],
    received_at: datetime | None = None,
    *,
    is_loan: bool = False,
    loan: datetime | None = None,
) -> Chain:
    """The chain of an order. `received_at`: the client's own receipt of what was left at the gate.

    `is_loan`: what a visit takes along stays with the team when the visit is over, until `loan`: then every piece is
    accounted for, and what was not sold is in the shop (`Order.appointment` names the pieces).
    """
    carried = sorted(
        (_lent(c, loan) if is_loan else c for c in _carried(legs)),
        key=lambda c: (c.left_shop_by, c.leg.leg_no, c.booking.number),
    )
    first = min((one.left_shop_by for one in carried), default=None)
    found = list(_at_rest(Holder.SHOP, placed_at if first is None else min(placed_at, first), first))
    for place, one in enumerate(carried):
        if one.since is not None:
            found.append(_with_courier(one, one.since))
        if one.until is None or one.to is None:
            continue
        if one.to in (Holder.SHOP, Holder.POINT):
            found += _at_rest(one.to, one.until, _next_fetched(place, one.until, carried))
        elif one.to is Holder.GATE and received_at is not None:
            handed = max(one.until, received_at)
            found.append(Stretch(holder=Holder.GATE, since=one.until, until=handed))
            found.append(Stretch(holder=Holder.CLIENT, since=handed))
        else:
            found.append(Stretch(holder=one.to, since=one.until))
    stretches = tuple(sorted(_joined(found), key=lambda s: (s.since, s.until is None, s.reference or "")))
    flaws = sorted((*_gaps(placed_at, stretches), *_overlaps(stretches)), key=lambda f: f.since)
    return Chain(stretches=stretches, flaws=tuple(flaws))


def beginning(leg: Leg) -> Holder:
    """Who has the gift before a courier of that leg."""
    return Holder.SHOP if leg.fetched_at is None else Holder.POINT


def _carried(legs: Iterable[Leg]) -> Iterator[_Carried]:
    for leg in legs:
        for booking in leg.bookings:
            track, begin = booking.track, beginning(leg)
            if leg.is_handed_over(booking):
                is_met = leg.handing is not None or leg.reaches_client(booking)
                to = Holder.CLIENT if is_met else Holder.GATE
                to = to if leg.taken_to is None else Holder.POINT
                yield _Carried(leg, booking, track.picked_up_at, track.ended_at, to)
            elif track.kind is EventKind.RETURNED:
                yield _Carried(leg, booking, track.picked_up_at, track.ended_at, begin)
            elif (
                track.picked_up_at is not None
            ):  # also of one that failed, or proves no hand-over: it has the gift
                back = leg.back_at if track.has_ended else None
                if back is None or back < track.picked_up_at:
                    yield _Carried(leg, booking, track.picked_up_at, None, None)
                else:
                    yield _Carried(leg, booking, track.picked_up_at, back, begin)


def _lent(one: _Carried, settled: datetime | None) -> _Carried:
    if one.to not in (Holder.CLIENT, Holder.GATE) or one.until is None:
        return one
    if settled is None:
        return one._replace(until=None, to=None, since=one.left_shop_by)
    return one._replace(until=max(one.until, settled), to=Holder.SHOP, since=one.left_shop_by)


def _next_fetched(place: int, since: datetime, carried: Sequence[_Carried]) -> datetime | None:
    """When what that booking brought back was fetched again. Whoever of a later leg has it after that has fetched it
    again, even where two couriers' clocks put the fetching a little before the return."""
    leg_no = carried[place].leg.leg_no
    later = (
        other.left_shop_by
        for at, other in enumerate(carried)
        if (other.left_shop_by, at) > (since, place)
        or (other.leg.leg_no > leg_no and (other.until is None or other.until > since))
    )
    return min(later, default=None)


def _at_rest(holder: Holder, since: datetime, until: datetime | None) -> Iterator[Stretch]:
    if until is None or until > since:
        yield Stretch(holder=holder, since=since, until=until)


def _with_courier(one: _Carried, since: datetime) -> Stretch:
    booking = one.booking
    return Stretch(
        holder=Holder.COURIER,
        since=since,
        until=one.until,
        leg_no=one.leg.leg_no,
        courier=booking.courier_id,
        crew=booking.crew_id,
        reference=booking.reference,
    )


def _joined(stretches: Iterable[Stretch]) -> Iterator[Stretch]:
    """Two that say the same of one place are one: a shop to which two couriers brought it back has it once."""
    at_rest: dict[Holder, list[Stretch]] = {}
    for stretch in sorted(stretches, key=lambda s: s.since):
        if stretch.holder is Holder.COURIER:
            yield stretch
            continue
        known = at_rest.setdefault(stretch.holder, [])
        last = known[-1] if known else None
        if last is None or (last.until is not None and last.until < stretch.since):
            known.append(stretch)
        elif last.until is not None:
            until = None if stretch.until is None else max(last.until, stretch.until)
            known[-1] = last.model_copy(update={"until": until})
    for known in at_rest.values():
        yield from known


def _gaps(covered: datetime, stretches: Iterable[Stretch]) -> Iterator[Flaw]:
    """From there on, the times that nobody covers. The stretches come by their beginning."""
    for stretch in stretches:
        if stretch.since > covered:
            yield Flaw(kind=FlawKind.GAP, since=covered, until=stretch.since)
        if stretch.until is None:
            return
        covered = max(covered, stretch.until)


def _overlaps(stretches: tuple[Stretch, ...]) -> Iterator[Flaw]:
    for (one, first), (two, second) in combinations(enumerate(stretches), 2):
        since = max(first.since, second.since)
        ends = [until for until in (first.until, second.until) if until is not None]
        until = min(ends, default=None)
        if until is None or since < until:
            yield Flaw(kind=FlawKind.OVERLAP, since=since, until=until, stretches=(one, two))
