"""Prove the hand-over of a gift of great value: the seal, the client's code, and who it was.

Each part is kept once and for good, whatever comes first and however often it is sent. What is said at the door counts
only while the chain of custody is whole and ends with the courier that is there: of a gift that was out of sight nobody
can say that it is the one that was sealed. A courier that says *delivered* before all of it is there is heard, and its
gift stays in its custody; the sweep asks for the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from chalicelib.domain import facts
from chalicelib.domain.custody import Holder
from chalicelib.domain.errors import Clashing, Lost
from chalicelib.domain.fleet import Proof
from chalicelib.domain.handing import (
    AFTERWARDS,
    HEARD,
    MISFITS,
    TRIES,
    Handing,
    Misfit,
    code_from,
    is_same_code,
)
from chalicelib.domain.legs import HINT, Booking, Event, EventKind, replace_leg
from chalicelib.domain.orders import ENDED, Note, Order, OrderState
from chalicelib.domain.ports import Topic, World
from chalicelib.domain.shapes import Shape, Slug
from chalicelib.domain.steps import moved
from chalicelib.flows import look

WRITES = 5


class NewProof(Shape):
    """What was read at the shop, or at the door; any of it, in one request or in several."""

    pick_up_seal: Slug | None = Field(
        default=None, description="The number of the seal, when it was fetched."
    )
    seal: Slug | None = Field(default=None, description="The number that is read at the hand-over.")
    code: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")] | None = Field(
        default=None, description="That the client said."
    )
    identity: Slug | None = Field(
        default=None,
        description="Somebody saw that it was the client: whose check it was, by name. No paper's number, no name.",
        examples=["crew-7"],
    )
    photo: Slug | None = Field(default=None, description="The courier's own name for the photo.")

    @model_validator(mode="after")
    def _says_something(self) -> NewProof:
        if not self.model_fields_set:
            raise ValueError(f"one of {', '.join(NewProof.model_fields)} was expected")
        return self


def prove(world: World, order_id: str, new: NewProof) -> Order:
    """The order with what is new in it. Raises `Missing`; `Clashing` for what does not fit, is said too late or too
    often, or of a gift whose custody is broken: what does not fit is on record then."""
    for _ in range(WRITES):
        order, now = facts.load_order(world.table, order_id), world.clock()
        handing, why = _proven(world, order, new, now)
        if handing == order.leg.handing:
            if why:
                raise Clashing(why)
            world.queues.nudge(Topic.TELL, [order_id])
            world.queues.nudge(Topic.HEAR, [order_id])
            return order
        leg = order.leg.model_copy(update={"handing": handing})
        after = moved(order, now, legs=replace_leg(order.legs, leg))
        try:
            world.table.write(facts.keep_order(after))
        except Lost:
            continue
        facts.note_step(world.log, after)
        world.queues.nudge(Topic.TELL, [order_id])
        world.queues.nudge(Topic.HEAR, [order_id])  # what its courier had said may fit by now
        if why:
            world.log("proof_refused", order=order_id, market=order.market_id)
            raise Clashing(why)
        return after
    raise Lost([0])


def _proven(world: World, order: Order, new: NewProof, now: datetime) -> tuple[Handing, str]:
    """What is known then, and why something is not taken; empty: all is."""
    known = order.leg.handing
    if known is None or order.safeguard is None:
        raise Clashing("only a safeguarded gift is proven so; this order asks for none of it")
    known, why = _sealed(order, known, new, now)
    if why or not any((new.seal, new.code, new.identity, new.photo)):
        return known, why
    if order.state in ENDED and order.state is not OrderState.DELIVERED:
        return known, f"nothing more is handed over: the order is {order.state.value}"
    if order.state is not OrderState.DELIVERED and not is_unbroken(order):
        return known, _broken(order)
    for part in (_with_seal, _with_people, _with_code):
        known, why = part(world, order, known, new, now)
        if why:
            break
    return known, why


def is_unbroken(order: Order) -> bool:
    """True when it is known who had the gift from the shop on, and it is with this leg's courier, to whom it was
    given sealed."""
    found = order.custody
    return (
        not found.flaws and found.is_with(Holder.COURIER) and found.stretches[-1].leg_no == order.leg.leg_no
    )


def _broken(order: Order) -> str:
    flaws = ", ".join(f"{flaw.kind.value} from {flaw.since.isoformat()}" for flaw in order.custody.flaws[:3])
    return (
        f"the chain of custody has to be whole and end with the courier: {flaws or 'it has not been fetched'}"
    )


def _sealed(order: Order, known: Handing, new: NewProof, now: datetime) -> tuple[Handing, str]:
    number = new.pick_up_seal
    if number is None or number == known.seal:
        return known, ""
    if known.seal is not None:
        return known, "another number was read when it was fetched, and a seal is read once"
    if order.state not in (OrderState.BOOKED, OrderState.PICKED_UP):
        return known, f"a seal is read when a courier fetches the gift; the order is {order.state.value}"
    return known.model_copy(update={"seal": number, "sealed_at": now}), ""


def _with_seal(
    world: World, order: Order, known: Handing, new: NewProof, now: datetime
) -> tuple[Handing, str]:
    if new.seal is None or (known.seal_read_at is not None and new.seal == known.seal):
        return known, ""
    if known.seal is None:
        return (
            known,
            "no seal was read when the gift was fetched, so there is nothing to compare this one with",
        )
    if new.seal == known.seal:
        return known.model_copy(update={"seal_read_at": now}), ""
    misfits = (*known.misfits, Misfit(number=new.seal, at=now))[-MISFITS:]
    world.log("seal_misfits", order=order.order_id, market=order.market_id)
    return known.model_copy(
        update={"misfits": misfits}
    ), "this is not the number that was read at the pick-up"


def _with_people(
    world: World, order: Order, known: Handing, new: NewProof, now: datetime
) -> tuple[Handing, str]:
    if new.identity is not None and known.identity_at is None:
        known = known.model_copy(update={"identity": new.identity, "identity_at": now})
    if new.photo is not None and known.photo_at is None:
        known = known.model_copy(update={"photo": new.photo, "photo_at": now})
    return known, ""


def _with_code(
    world: World, order: Order, known: Handing, new: NewProof, now: datetime
) -> tuple[Handing, str]:
    if new.code is None or known.code_at is not None:
        return known, ""
    begins, ends = order.window.start, max(order.window.end, known.good_until or order.window.end)
    if not begins <= now < ends:
        hours = f"{begins.isoformat()} to {ends.isoformat()}"
        return (
            known,
            f"the code is good in its window, {hours}; when that is over the brand has another one made",
        )
    if known.tries >= TRIES:
        return (
            known,
            f"the code was said wrong {TRIES} times and is worth nothing; the brand can have another one made",
        )
    code = facts.unseal_private(world.sealer, order).code
    if code is not None and is_same_code(code, new.code):
        return known.model_copy(update={"code_at": now}), ""
    left = TRIES - known.tries - 1
    world.log("code_was_wrong", order=order.order_id, market=order.market_id, count=left)
    return known.model_copy(
        update={"tries": known.tries + 1}
    ), f"this is not the code; {left} more may be tried"


def made_anew(world: World, brand_id: str, order_id: str) -> str:
    """Another code in the place of one that was lost, said wrong too often, or is over. Raises `Missing`, and
    `Clashing` where none is needed."""
    for _ in range(WRITES):
        order, now = look.own_order(world, brand_id, order_id), world.clock()
        known = order.leg.handing
        if known is None:
            raise Clashing("only a safeguarded gift has a code of ours")
        if known.code_at is not None or (order.state in ENDED and order.state is not OrderState.STRANDED):
            raise Clashing(
                f"no code is needed any more: the order is {order.state.value}, or its code was said"
            )
        before = facts.unseal_private(world.sealer, order)
        code = code_from(world.token(), before.code)
        private = before.model_copy(update={"code": code})
        good_until = max(order.window.end, now + AFTERWARDS) if now > order.window.end - AFTERWARDS else None
        leg = order.leg.model_copy(
            update={
                "handing": known.model_copy(
                    update={"tries": 0, "codes": known.codes + 1, "good_until": good_until}
                )
            }
        )
        after = moved(
            order,
            now,
            legs=replace_leg(order.legs, leg),
            sealed=facts.seal_private(world.sealer, private, order_id),
        )
        try:
            world.table.write(facts.keep_order(after))
        except Lost:
            continue
        world.log("code_made_anew", order=order_id, brand=brand_id)
        world.queues.nudge(Topic.TELL, [order_id])  # its client may stand at the door
        return code
    raise Lost([0])


def heard(world: World, order: Order, booking: Booking, said: Sequence[Event]) -> Order:
    """The order with what its courier's own events prove. No step yet.

    Every run hears all of them, so each part is taken once, and what did not fit counts once for each event.
    """
    if order.leg.handing is None or order.leg.booking(booking.reference) is None:
        return order
    before = known = order.leg.handing
    told = sorted(
        (e for e in said if e.source != HINT and (e.proofs or e.seal or e.said_sealed)),
        key=lambda event: (event.occurred_at, event.event_id),
    )
    fetching = [event for event in told if event.kind is EventKind.PICKED_UP and event.seal is not None]
    if fetching and known.seal is None:
        known = known.model_copy(update={"seal": fetching[0].seal, "sealed_at": fetching[0].occurred_at})
    # no more of them than are remembered, or what was wrong once would count again and again
    for event in [event for event in told if event.kind is not EventKind.PICKED_UP][-HEARD:]:
        if event.event_id in known.heard:
            continue
        if event.seal is not None and known.seal is None:
            continue  # nobody has read it at the pick-up yet: heard again when somebody has
        if not is_unbroken(order):
            world.log("proof_refused", order=order.order_id, market=order.market_id)
            break
        known = _at_the_door(world, order, known, event)
    if known is before:
        return order
    leg = order.leg.model_copy(update={"handing": known})
    return order.model_copy(update={"legs": replace_leg(order.legs, leg)})


def _at_the_door(world: World, order: Order, known: Handing, event: Event) -> Handing:
    """What one event of the hand-over adds; what does not fit in it, and its name, stay on record."""
    at, papers = event.occurred_at, {proof.kind: proof.reference for proof in event.proofs}
    code = None
    if event.said_sealed is not None and known.code_at is None and not order.is_erased:
        code = world.sealer.unseal(bytes.fromhex(event.said_sealed), event.reference).decode()
    new = NewProof.model_construct(
        seal=event.seal, code=code, identity=papers.get(Proof.IDENTITY), photo=papers.get(Proof.PHOTO)
    )
    for part in (_with_seal, _with_people, _with_code):
        known, why = part(world, order, known, new, at)
        if why:
            return known.model_copy(update={"heard": (*known.heard, event.event_id)[-HEARD:]})
    return known


def nag(world: World, order: Order) -> None:
    """Ask where the proof is: a line that rings, and a step that its brand is told of. Not before it is time."""
    now, known, since = world.clock(), order.leg.handing, order.history[-1].at
    if known is None or not order.awaits_proof or now < known.nag_at(since):
        return
    booking = order.leg.deciding_booking
    assert booking is not None
    asked = known.model_copy(update={"nags": known.nags + 1, "nagged_at": now})
    leg = order.leg.model_copy(update={"handing": asked})
    after = moved(order, now, Note.AWAITING_PROOF, legs=replace_leg(order.legs, leg))
    try:
        world.table.write(facts.keep_order(after))
    except Lost:
        return  # whoever moved it has it looked at anew
    facts.note_step(world.log, after)
    world.log(
        "proof_awaited",
        order=order.order_id,
        market=order.market_id,
        courier=booking.courier_id,
        names=[part.value for part in known.missing(booking.handover)],
        count=asked.nags,
    )
    world.queues.nudge(Topic.TELL, [order.order_id])
