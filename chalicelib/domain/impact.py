"""What a change of the rules would do to a market's open orders, asked before it is made: question, job and answer.

Every order is judged twice at the moment the change takes effect, under the rules in force and under those with the
change, before the same fleet; only what differs is the change's doing. Nothing here names a client or a place: an
order is its id, its tier, the end of its window, and why.

    collection (pk)   place (sk)             noun
    impact#<impact>   impact                 Impact      work: impact; shelf: impacts#<market>; both while worked at
    impact#<impact>   part#001#<n>           a piece of the change that came with the question, compressed, in `sealed`
    impact#<impact>   seen#<nnnn>            what one page of orders came to
    impact#<impact>   told#<round>#<nnnn>    the answer, the most urgent first
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from pydantic import Field

from chalicelib.domain.clearance import Clearer
from chalicelib.domain.due import in_pool
from chalicelib.domain.fleet import Slot
from chalicelib.domain.legs import BookingState
from chalicelib.domain.orders import Order, OrderState, TierName
from chalicelib.domain.places import Datum
from chalicelib.domain.policies import Handover
from chalicelib.domain.ports import Key, Row
from chalicelib.domain.shapes import Instant, Shape, Slug, Window, id_of, stamp
from chalicelib.domain.snapshots import Pointer
from chalicelib.domain.survey import HANDLING, rest_of_stay
from chalicelib.domain.uploads import Difference, UploadFault
from chalicelib.domain.verdicts import HOLDING, Decision, Delivery, Phase, Reason, Verdict

WORK: Final = "impact"
"""The bucket of the work index in which jobs stand until they are done."""
HORIZON: Final = timedelta(days=60)
"""How far ahead a change may take effect: no order's window lies farther (`flows.place`)."""


class Amendment(Shape):
    """A change as a part of an upload states it: read as one, with all its faults, when the job begins."""

    policies: tuple[Any, ...] = Field(default=(), description="Policies, as in a part of an upload.")
    features: tuple[Any, ...] = Field(default=(), description="GeoJSON features, as in a part of an upload.")
    released: tuple[Any, ...] = Field(default=(), description="Releases, as in a part of an upload.")
    exemptions: tuple[Any, ...] = Field(default=(), description="Exemptions, as in a part of an upload.")
    datum: Datum | None = Field(default=None, description="Absent: the market's.")


class ImpactQuestion(Shape):
    """Which change: an upload that still takes parts, or an amendment stated here; and from when."""

    upload_id: Slug | None = None
    amendment: Amendment | None = None
    at: Instant | None = Field(
        default=None, description="When it takes effect; what is over by then is not touched. Absent: now."
    )

    def model_post_init(self, _context: object) -> None:
        if (self.upload_id is None) == (self.amendment is None):
            raise ValueError("either upload_id or amendment was expected")


class Outcome(StrEnum):
    """What would become of an order."""

    UNAFFECTED = "unaffected"
    HANDOVER_CHANGES = "handover_changes"
    """It goes as planned, and changes hands another way."""
    MOVES = "moves"
    """It loses its slot, and another would take it."""
    LOSES_SLOT = "loses_slot"
    """It loses its slot; to whom it would go was not planned (see `PLANNED`)."""
    HELD = "held"
    """Nobody could say yes: something would not be known."""
    STRANDED = "stranded"
    """Nobody could go in its window."""
    RECALLED = "recalled"
    """It is on its way, and would have to come back."""
    FREED = "freed"
    """Nobody can go as it is, and somebody could."""
    FAILS_ANYWAY = "fails_anyway"
    """It has a slot that it may not keep, with the change or without: the next pass over all orders says so."""


PLANNED: Final = 1000
"""Orders, the most urgent, for which the answer says to whom they would go."""


class Affected(Shape):
    """One order that the change would touch."""

    order_id: str
    brand_id: str | None = Field(
        default=None, description="Absent for sources: whose gift is not their business."
    )
    tier: TierName
    state: OrderState
    window_end: Instant
    outcome: Outcome
    reasons: tuple[Reason, ...] = ()
    handovers: tuple[Handover, ...] = Field(default=(), description="How it could still change hands.")
    slot: str | None = Field(default=None, description="Which it has now.")
    to_slot: str | None = Field(default=None, description="Which would take it.")
    to_courier: str | None = None


class ImpactState(StrEnum):
    """How far the job is."""

    LOOKING = "looking"
    PLANNING = "planning"
    DONE = "done"
    REFUSED = "refused"
    """The change itself is faulty, see `faults`."""
    FAILED = "failed"
    """Given up; ask again."""


OVER: Final = frozenset({ImpactState.DONE, ImpactState.REFUSED, ImpactState.FAILED})


class Impact(Shape):
    """One question and how far its answer is."""

    impact_id: str
    market_id: Slug
    source: str = Field(description="Whose key asked.")
    fingerprint: str = Field(description="Of the question: the same key goes with the same one.")
    asked_at: Instant
    at: Instant
    upload_id: str | None = None
    parts_digest: str | None = Field(
        default=None, description="Of the upload's parts as they were asked about."
    )
    datum: Datum | None = None
    base: Pointer
    state: ImpactState = ImpactState.LOOKING
    step: int = Field(
        default=0, description="Pages looked at; a nudge names it, and an old one moves nothing."
    )
    bucket: int = 0
    after: str | None = None
    buckets: int
    orders_seen: int = 0
    counts: dict[str, int] = Field(default_factory=dict)
    difference: Difference | None = None
    faults: tuple[UploadFault, ...] = ()
    fault_count: int = 0
    round: str = Field(default="", description="Names the rows that hold the answer.")
    affected: int = 0
    unplanned: int = 0
    ended_at: Instant | None = None
    version: int = Field(default=1, exclude=True)

    @property
    def is_over(self) -> bool:
        return self.state in OVER


class AffectedPage(Shape):
    """Some of the orders, the most urgent first."""

    data: tuple[Affected, ...]
    has_more: bool
    next_cursor: str | None = None


class ImpactView(Shape):
    """The job as whoever asked reads it."""

    impact_id: str
    market: str
    state: ImpactState
    progress_percent: int
    asked_at: Instant
    at: Instant
    expires_at: Instant
    upload_id: str | None = None
    rules_version: int = Field(description="In force when it was asked: what the change was held against.")
    difference: Difference | None = None
    orders_seen: int
    counts: dict[Outcome, int] = Field(description="Orders by outcome; final when the state is done.")
    unplanned: int = Field(description="Those of `loses_slot`: beyond the 1,000 most urgent.")
    faults: tuple[UploadFault, ...] = ()
    fault_count: int = 0
    orders: AffectedPage


def view(impact: Impact, page: AffectedPage, kept: timedelta) -> ImpactView:
    """What is told of it."""
    share = impact.bucket / max(1, impact.buckets)
    percent = 100 if impact.is_over else 95 if impact.state is ImpactState.PLANNING else int(90 * share)
    return ImpactView(
        impact_id=impact.impact_id,
        market=impact.market_id,
        state=impact.state,
        progress_percent=percent,
        asked_at=impact.asked_at,
        at=impact.at,
        expires_at=impact.asked_at + kept,
        upload_id=impact.upload_id,
        rules_version=impact.base.version,
        difference=impact.difference,
        orders_seen=impact.orders_seen,
        counts={Outcome(name): count for name, count in sorted(impact.counts.items())},
        unplanned=impact.unplanned,
        faults=impact.faults,
        fault_count=impact.fault_count,
        orders=page,
    )


# --- judging ------------------------------------------------------------------------------------------------


def judged(
    order: Order,
    delivery: Delivery,
    before: Clearer,
    after: Clearer,
    slots: Sequence[Slot],
    asked_at: datetime,
) -> Affected | None:
    """What the change would do to this order, or None: nothing. `slots`: which a waiting order could be given.

    Both clearers stand at the moment at which the change takes effect, before one fleet. What is over by then as
    planned is not touched; what should have been over when it was asked, and is not, is late, and is.
    """
    if in_pool(order):
        return _waiting(order, delivery, before, after, slots)
    return _given(order, delivery, before, after, asked_at)


def _waiting(
    order: Order, delivery: Delivery, before: Clearer, after: Clearer, slots: Sequence[Slot]
) -> Affected | None:
    if order.window.end <= after.now or not order.can_be_fetched:
        return None
    if after.fleet.is_suspected(delivery.drop_off.address, after.now):
        return None  # it waits for somebody to say what is there, whatever the rules say
    candidates = near(slots, order.window, after.now)
    could, _ = _anybody(order, delivery, before, candidates)
    can, reasons = _anybody(order, delivery, after, candidates)
    if could == can:
        return None
    if can:
        return _affected(order, Outcome.FREED, ())
    return _affected(order, stuck(reasons), reasons)


def stuck(reasons: Iterable[Reason]) -> Outcome:
    """What it is called when nobody may go, for these reasons."""
    return Outcome.STRANDED if HOLDING.isdisjoint(reasons) else Outcome.HELD


def _anybody(
    order: Order, delivery: Delivery, clearer: Clearer, slots: Sequence[Slot]
) -> tuple[bool, tuple[Reason, ...]]:
    """Could anybody go, room or not; and if nobody, why."""
    now, window = clearer.now, order.window
    ground = clearer.ground(delivery, max(now, window.start), max(window.end, now + HANDLING))
    if ground.reasons:
        return False, ground.reasons
    reasons: dict[Reason, None] = {}
    for slot in slots:
        verdict = clearer.clear(delivery, slot, order.leg.refused_by(clearer.now), Phase.OPEN)
        if verdict.decision is Decision.YES:
            return True, ()
        reasons.update(dict.fromkeys(verdict.reasons))
    return False, tuple(reasons) or (Reason.NO_SLOTS,)


def near(slots: Iterable[Slot], window: Window, now: datetime) -> list[Slot]:
    """Slots that share hours with that window, from now on."""
    return [
        slot for slot in slots if slot.window.end > now and window.overlap(slot.window.start, slot.window.end)
    ]


def _given(
    order: Order, delivery: Delivery, before: Clearer, after: Clearer, asked_at: datetime
) -> Affected | None:
    leg = order.leg
    assignment, live = leg.assignment, leg.live_booking
    if assignment is None or (live is None and leg.deciding_booking is not None):
        return None  # over, but for the telling
    if live is not None and live.state is BookingState.CANCELLING:
        return None  # being called off already
    slot = after.fleet.slots.get(assignment.slot_id)
    if slot is None or asked_at < assignment.end <= after.now:
        return None
    is_carried = live is not None and live.track.has_custody
    phase = Phase.CARRIED if is_carried else Phase.GIVEN
    by = assignment.hand_over_by
    if order.appointment is not None and is_carried:
        by += order.appointment.duration
    start, end = rest_of_stay(assignment.start, by, phase, after.now)
    stay = Window.model_construct(start=start, end=end, time_zone=order.window.time_zone)
    asked = delivery.model_copy(update={"window": stay}), slot.model_copy(update={"window": stay})
    held = assignment.permit_ids

    def ways(verdict: Verdict) -> tuple[Handover, ...]:
        if verdict.decision is not Decision.YES:
            return ()
        return verdict.handovers if live is None else assignment.narrowed(verdict.handovers)

    said = after.clear(*asked, phase=phase, held=held)
    then = ways(said)
    if then == assignment.handovers:
        return None
    now = ways(before.clear(*asked, phase=phase, held=held))
    if then and then == now:
        return None  # not the change's doing
    if then:
        return _affected(order, Outcome.HANDOVER_CHANGES, (), then)
    if live is not None and (live.cancel_reason == "not_cleared" or live.track.kind == "returning"):
        return None  # it has been recalled before, and is on its way back or refused
    reasons = said.reasons or (Reason.NO_HANDOVER,)
    if not now:
        return _affected(order, Outcome.FAILS_ANYWAY, reasons)
    return _affected(order, Outcome.RECALLED if is_carried else Outcome.LOSES_SLOT, reasons)


def _affected(
    order: Order, outcome: Outcome, reasons: tuple[Reason, ...], handovers: tuple[Handover, ...] = ()
) -> Affected:
    assignment = order.leg.assignment
    return Affected.model_construct(
        order_id=order.order_id,
        brand_id=order.brand_id,
        tier=order.tier,
        state=order.state,
        window_end=order.window.end,
        outcome=outcome,
        reasons=reasons,
        handovers=handovers,
        slot=assignment.slot_id if assignment else None,
    )


# --- rows ---------------------------------------------------------------------------------------------------


def impact_id_of(source: str, market_id: str, idempotency_key: str) -> str:
    """The id that follows from who asks and the key: the same request is the same job."""
    return id_of("imp_", source, market_id, idempotency_key)


def impact_key(impact_id: str) -> Key:
    return Key(f"impact#{impact_id}", "impact")


def running_shelf(market_id: str) -> str:
    """Where the jobs of a market stand while they are worked at, the last asked first."""
    return f"impacts#{market_id}"


def impact_row(impact: Impact, due: datetime, expires_at: int) -> Row:
    runs = not impact.is_over
    return Row(
        key=impact_key(impact.impact_id),
        version=impact.version,
        body=impact.model_dump_json(exclude_defaults=True),
        work=WORK if runs else None,
        due=stamp(due) if runs else None,
        shelf=running_shelf(impact.market_id) if runs else None,
        place_on_shelf=f"{stamp(impact.asked_at)}#{impact.impact_id}" if runs else None,
        expires_at=expires_at,
    )


def impact_of_row(row: Row) -> Impact:
    return Impact.model_validate_json(row.body).model_copy(update={"version": row.version})


class AffectedRow(Shape):
    """Some affected orders, as one row."""

    data: tuple[Affected, ...]


def seen_key(impact_id: str, step: int) -> Key:
    return Key(impact_key(impact_id).pk, f"seen#{step:04d}")


def told_key(impact_id: str, round_name: str, number: int) -> Key:
    return Key(impact_key(impact_id).pk, f"told#{round_name}#{number:04d}")
