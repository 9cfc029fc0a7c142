"""What a recipient may know of an order, and what a recipient may ask for: by the link, and without a key.

Of the sealed part nothing is opened for it but which gate the client has named, where the gift is left at one; no
reason of a decision is told, and of the courier neither name nor place.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from chalicelib.domain import facts
from chalicelib.domain.errors import Fault, Forgotten, Invalid, Missing
from chalicelib.domain.instead import DigitalOutcome
from chalicelib.domain.orders import Order
from chalicelib.domain.pass_answers import CodeView, Invitation
from chalicelib.domain.passes import pass_id_of
from chalicelib.domain.policies import FETCHED, Handover, LastLeg
from chalicelib.domain.ports import World
from chalicelib.domain.shapes import Window, zone_info
from chalicelib.domain.verdicts import Decision
from chalicelib.flows import look, redeem
from chalicelib.flows.recall import recalled
from chalicelib.flows.reschedule import reschedule

CLIENT = "client"
"""Who acts on the page, as far as anybody can tell: whoever has the link."""
YEARS = range(2000, 2100)
LONGEST = timedelta(hours=12)
"""Of a window that a recipient chooses; a longer one of the brand's is cut to this."""


@dataclass(frozen=True)
class HandingOver:
    """How it changes hands at the client's place, as it was cleared last."""

    way: Handover | None = None
    """None: nobody has been given it yet."""
    last_legs: frozenset[LastLeg] = frozenset()
    """Who brings it on from there; empty: the rules do not say."""
    rest_minutes: int = 0
    gate: str = ""
    """Which one, as it was told to us; empty: nobody has said, or it goes further."""


def handing_over(world: World, order: Order) -> HandingOver:
    """What the rules at the client's place say of the last hundred metres."""
    assignment = order.leg.assignment
    if assignment is None or order.leg.taken_to is not None:
        return HandingOver()
    pieces = [
        piece
        for piece in look.evidence_of(world, order.order_id)
        if piece.decision is Decision.YES and piece.client_zones is not None
    ]
    gate = _gate_of(world, order) if assignment.handover in FETCHED else ""
    if not pieces:
        return HandingOver(assignment.handover, gate=gate)
    last = pieces[-1].model_copy(update={"zones": pieces[-1].client_zones})
    then = recalled(world, [last]).get(last.rules_digest or "")
    policies = (
        [] if then is None else [then.policies.get(zone.policy_reference) for zone in then.zones.values()]
    )
    there = [policy for policy in policies if policy is not None]
    return HandingOver(
        way=assignment.handover,
        last_legs=frozenset(who for policy in there for who in policy.last_leg),
        rest_minutes=max((policy.gate.rest_minutes for policy in there), default=0),
        gate=gate,
    )


def _gate_of(world: World, order: Order) -> str:
    try:
        return facts.unseal_private(world.sealer, order).recipient.place.address.gate or ""
    except (Forgotten, ValueError):
        return ""  # whoever was forgotten has no page; a seal that does not open hides no order


def given_instead(world: World, order: Order) -> Invitation | None:
    """What the client has that needs no courier; None for a parcel, and for what was taken back."""
    invitation = _invitation(world, order) if order.is_digital else None
    return None if invitation is None or invitation.withdrawn else invitation


def sessions_of(world: World, order: Order) -> Invitation | None:
    """What its client has put into a calendar of it, also when it was taken back since; None: there never was any."""
    was_given = order.digital is not None and order.digital.outcome in (
        DigitalOutcome.GIVEN,
        DigitalOutcome.WITHDRAWN,
    )
    invitation = _invitation(world, order) if was_given else None
    return invitation if invitation is not None and invitation.sessions else None


def _invitation(world: World, order: Order) -> Invitation | None:
    try:
        return redeem.invitation_of(world, redeem.pass_of(world, pass_id_of(order.order_id)))
    except Missing:
        return None


def code_of(world: World, order: Order) -> CodeView:
    """The code that it is had for. Raises what `redeem.code_of` raises."""
    return redeem.code_of(world, redeem.pass_of(world, pass_id_of(order.order_id)))


def other_time(world: World, order: Order, start: datetime, version: int) -> Order:
    """A window of the usual length that begins then. Raises what `reschedule` raises."""
    shown = order.hoped_window
    length = min(shown.end - shown.start, LONGEST)
    window = Window(start=start, end=start + length, time_zone=shown.time_zone)
    return reschedule(world, order.brand_id, order.order_id, window, version, CLIENT)


def moment_of(order: Order, day: str, hour: str) -> datetime:
    """That day and hour by the recipient's clock. Raises `Invalid` for what is none."""
    zone = zone_info(order.client_window.time_zone)
    try:
        told = date.fromisoformat(day)
        if told.year not in YEARS:
            raise ValueError(f"a year of this century was expected, got {told.year!r}")
        return datetime.combine(told, time.fromisoformat(hour), zone).astimezone(UTC)
    except ValueError:
        detail = "a day and an hour were expected"
        raise Invalid(f"/day: {detail}", [Fault("/day", detail)]) from None


def not_at_home(world: World, order: Order, version: int) -> Order:
    """The same hours on the next day that lies ahead, on the recipient's own clock. Who presses twice asks once. Raises
    what `reschedule` raises."""
    asked = order.rescheduling
    if asked is not None and asked.asked_from == version and not asked.refused:
        return order
    return reschedule(
        world, order.brand_id, order.order_id, a_day_later(order, world.clock()), version, CLIENT
    )


def a_day_later(order: Order, now: datetime) -> Window:
    """The same hours by the clock on the wall, a day later or on the first day after that is not over; as long as they
    are, also in a night in which the clocks are changed."""
    shown = order.hoped_window
    zone = zone_info(shown.time_zone)
    start = shown.start.astimezone(zone)
    later = start + timedelta(days=max(1, (now.astimezone(zone).date() - start.date()).days))
    if later <= now:
        later += timedelta(days=1)
    begins = later.astimezone(UTC)
    return Window(start=begins, end=begins + (shown.end - shown.start), time_zone=shown.time_zone)
