"""Propose something else for a gift whose shop is closed, and let it go in its place once that is agreed to.

What a brand allows stands in its substitutes. Of that the first is proposed that the client may have, and that somebody
could bring now: what nobody could bring is not offered to anybody. Where nobody has to agree it goes at once. The
answer is applied in one write with the order, its evidence and the proposal; whoever was quicker meanwhile, the kitchen
that opened again or a courier that was found, keeps the gift as it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from chalicelib.domain import facts
from chalicelib.domain.acts import CORDON, Deed, kept_act
from chalicelib.domain.clearance import Clearer
from chalicelib.domain.client_rows import client_key, client_of_row, owner_of_brand, unseal_person
from chalicelib.domain.due import in_pool
from chalicelib.domain.errors import Clashing, Fault, Forgotten, Invalid, Lost, Missing, Stale, Unconditional
from chalicelib.domain.evidence import Step
from chalicelib.domain.gifts import ItemClass
from chalicelib.domain.legs import replace_leg
from chalicelib.domain.orders import Note, Order, Private
from chalicelib.domain.ports import Change, Keep, Row, Topic, World
from chalicelib.domain.steps import moved
from chalicelib.domain.substitutes import (
    PROPOSALS,
    Candidate,
    NewSubstitutes,
    Proposal,
    Say,
    State,
    Substitutes,
    agreed_to,
    candidates,
    contact_of,
    is_wanted,
    proposal_key,
    proposal_of_row,
    proposal_row,
    reason_of,
    substitutes_key,
)
from chalicelib.domain.substitution import Was
from chalicelib.domain.verdicts import Decision, Phase, Verdict
from chalicelib.flows import check, enlist, ration
from chalicelib.flows.place import outside

TRIES = 5


class _Way(NamedTuple):
    """A candidate that somebody could bring, and why that may be said."""

    candidate: Candidate
    verdict: Verdict
    on: check.Ground


# --- what a brand allows --------------------------------------------------------------------------------------


def substitutes_of(world: World, brand_id: str) -> Substitutes:
    """Raises `Missing`."""
    found = _allowed(world, brand_id)
    if found is None:
        raise Missing("this brand has named no substitutes")
    return found


def put_substitutes(world: World, brand_id: str, new: NewSubstitutes, version: int | None) -> Substitutes:
    """What the brand allows from now on; the same again changes nothing. What was proposed and is not allowed any more
    has to be agreed to anew. Raises `Unconditional`, `Stale`."""
    before = _allowed(world, brand_id)
    if before is not None and before.rules == new.rules:
        return before
    if before is not None and version is None:
        raise Unconditional(f'the substitutes are at "v{before.version}": If-Match names it')
    if version is not None and version != (before.version if before else 0):
        raise Stale(
            f'the substitutes are at "v{before.version if before else 0}", If-Match named "v{version}"'
        )
    after = Substitutes(
        rules=new.rules,
        brand_id=brand_id,
        since=world.clock(),
        version=1 if before is None else before.version + 1,
    )
    key = substitutes_key(brand_id)
    sealed = world.sealer.seal(after.model_dump_json().encode(), key.sk, owner=owner_of_brand(brand_id))
    try:
        world.table.write(Keep(Row(key, after.version, "{}", sealed), was=before.version if before else None))
    except Lost:
        raise Stale("the substitutes were changed meanwhile; read them again") from None
    world.log("substitutes_set_up", brand=brand_id, version=after.version, count=len(after.rules))
    return after


def _allowed(world: World, brand_id: str) -> Substitutes | None:
    key = substitutes_key(brand_id)
    row = world.table.get(key)
    if row is None:
        return None
    return Substitutes.model_validate_json(world.sealer.unseal(row.sealed, key.sk))


# --- proposing ------------------------------------------------------------------------------------------------


def look_after(world: World, order: Order) -> None:
    """Propose something else for an order that waits, if that would help; and nudge whoever comes next, as it stands:
    whoever took the last step may have stopped before it did."""
    if is_wanted(order):
        propose(world, order)
    elif in_pool(order):
        world.queues.nudge(Topic.TELL, [order.order_id])
        if order.outlook is None:
            world.queues.nudge(Topic.DISPATCH, [order.market_id])


def propose(world: World, order: Order) -> None:
    """The best substitute there is, proposed; or gone in its place, where nobody has to agree. None: it goes on
    waiting, and is looked at again with the next look at it."""
    reason = reason_of(order)
    if reason is None:
        return
    way = next(_ways(world, order), None)
    if way is None:
        return
    now, known = world.clock(), order.substitution
    number = known.count + 1
    proposal = Proposal(
        order_id=order.order_id,
        number=number,
        name=way.candidate.name,
        reason=reason,
        gift=way.candidate.gift,
        pick_up=order.pick_up_name if way.candidate.pick_up is None else way.candidate.pick_up.name,
        needs=way.candidate.needs,
        state=State.OPEN,
        proposed_at=now,
        digest=way.candidate.digest,
    )
    if way.candidate.needs is Say.NONE:
        accepted = {"state": State.ACCEPTED, "answered_at": now, "by": Say.NONE}
        _apply(world, order, way, proposal.model_copy(update=accepted), None, CORDON)
        return
    changed = known.model_copy(update={"count": number, "proposed": number})
    after = moved(order, now, Note.SUBSTITUTE_PROPOSED, substitution=changed)
    try:
        world.table.write(facts.keep_order(after), Keep(proposal_row(proposal), was=None))
    except Lost:
        return  # it has moved: its next look comes by here again
    world.log("substitute_proposed", order=order.order_id, market=order.market_id, why=reason.value)
    world.queues.nudge(Topic.TELL, [order.order_id])


def _ways(world: World, order: Order, name: str | None = None) -> Iterator[_Way]:
    """What could go in its place now, the best first: allowed by its brand, borne by its client, and cleared. `name`:
    only that one."""
    allowed = _allowed(world, order.brand_id)
    if allowed is None:
        return
    found = list(candidates(order.gift, allowed.rules, order.substitution.passed))
    found = [one for one in found if name in (None, one.name)]
    if not found:
        return
    private = facts.unseal_private(world.sealer, order)
    allergens = _allergens(world, order)
    market = enlist.market(world, order.market_id)
    on = check.ground(world, order.market_id)
    for one in found:
        borne = agreed_to(one, order.gift, allergens)
        if borne is None:
            continue
        if borne.gift.value.currency != market.currency:
            continue
        if borne.pick_up is not None and outside(market, borne.pick_up.place, "/pick_up"):
            continue
        verdict = _cleared(world, order, private, borne, on)
        if verdict is not None:
            yield _Way(borne, verdict, on)


def _allergens(world: World, order: Order) -> frozenset[str] | None:
    """What its client must not eat; None: nobody here knows."""
    if order.client_id is None:
        return None
    row = world.table.get(client_key(order.client_id))
    if row is None:
        return None
    try:
        return frozenset(unseal_person(world.sealer, client_of_row(row)).allergens)
    except Forgotten:
        return None


def _cleared(
    world: World, order: Order, private: Private, candidate: Candidate, on: check.Ground
) -> Verdict | None:
    """A yes for it with a place left, the earliest; None: nobody could bring it."""
    now = world.clock()
    if on.atlas is None:
        return None
    delivery = _instead(order, candidate).delivery(private)
    if on.fleet.is_suspected(delivery.drop_off.address, now):
        return None
    clearer = Clearer(on.atlas, on.fleet, on.knowing(now), on.fleet.down(now))
    slots = [
        slot
        for slot in on.fleet.slots.values()
        if slot.window.end > now and delivery.window.overlap(slot.window.start, slot.window.end)
    ]
    refused = order.leg.refused_by(now)
    said = [clearer.clear(delivery, slot, refused, Phase.OPEN) for slot in slots]
    told = ration.told(world, order.market_id, delivery, said, on)
    yes = [v for v in told if v.decision is Decision.YES and on.fleet.left.get(v.slot_id, 0) > 0]
    return min(yes, key=lambda v: (v.start or now, v.slot_id), default=None)


def _instead(order: Order, candidate: Candidate) -> Order:
    """The order with that in its place. No step."""
    changes: dict[str, object] = {"gift": candidate.gift}
    if candidate.pick_up is not None:
        changes |= {"pick_up_name": candidate.pick_up.name, "pick_up_place": candidate.pick_up.place}
    if order.safeguard is not None and ItemClass.HIGH_VALUE not in candidate.gift.item_classes:
        leg = order.leg.model_copy(update={"handing": None})
        changes |= {"safeguard": None, "legs": replace_leg(order.legs, leg)}
    return order.model_copy(update=changes)


# --- answering ------------------------------------------------------------------------------------------------


def proposals_of(world: World, order_id: str) -> list[Proposal]:
    """All that were made for this order, the first first."""
    return [proposal_of_row(row) for row in world.table.read(order_id, PROPOSALS).rows]


def answer(
    world: World,
    order_id: str,
    number: int,
    *,
    is_accepted: bool,
    consent: Say,
    evidence: str | None = None,
    actor: str = "client",
) -> Order:
    """The order with what was proposed in its place, or without; `consent`: who says so, `actor`: who passes it on.
    The same answer again is the same. Raises `Missing`, `Invalid` where the client's own word is asked for, and
    `Clashing` where nothing is to be answered any more: the kitchen has opened again, the gift is under way, or what
    was proposed has changed."""
    for _ in range(TRIES):
        order, row = facts.load_order(world.table, order_id), world.table.get(proposal_key(order_id, number))
        if row is None:
            raise Missing(f"no proposal {number!r} of the order {order_id!r}")
        proposal = proposal_of_row(row)
        if proposal.state is not State.OPEN:
            return _repeated(world, order, proposal, is_accepted=is_accepted)
        if is_accepted:
            after = _accept(world, order, proposal, row, consent, evidence, actor)
        else:
            after = _close(world, order, proposal, row, State.DECLINED, consent, evidence)
        if after is not None:
            return after
    raise Lost([0])


def _repeated(world: World, order: Order, proposal: Proposal, *, is_accepted: bool) -> Order:
    world.queues.nudge(Topic.BOOK, [order.order_id])  # which looks after the rest
    if proposal.state is not (State.ACCEPTED if is_accepted else State.DECLINED):
        raise Clashing(
            f"the proposal {proposal.number} is {proposal.state.value}, and nothing is to be said to it"
        )
    return order


def _accept(
    world: World,
    order: Order,
    proposal: Proposal,
    row: Row,
    consent: Say,
    evidence: str | None,
    actor: str,
) -> Order | None:
    if consent < proposal.needs:
        detail = f"the consent of the {proposal.needs.name.lower()} was expected"
        raise Invalid(f"/consent: {detail}", [Fault("/consent", detail, consent.name.lower())])
    if consent is Say.CLIENT and evidence is None:
        detail = "a name of what proves the client's answer was expected"
        raise Invalid(f"/evidence: {detail}", [Fault("/evidence", detail)])
    if reason_of(order) is not proposal.reason:
        raise Clashing(
            f"nothing else is needed any more: the order is {order.state.value}, and not for {proposal.reason.value}"
        )
    allowed = _allowed(world, order.brand_id)
    rules = () if allowed is None else allowed.rules
    mine = {one.name: one for one in candidates(order.gift, rules, order.substitution.passed)}
    if proposal.name not in mine or mine[proposal.name].digest != proposal.digest:
        _close(world, order, proposal, row, State.WITHDRAWN, None, None)
        raise Clashing(
            "what was proposed is not what the brand allows any more; what is now is proposed anew"
        )
    way = next(_ways(world, order, proposal.name), None)
    if way is None or way.candidate.needs > consent:
        raise Clashing("nobody could bring it now, or its client must not have it: the gift goes on waiting")
    told = {"state": State.ACCEPTED, "answered_at": world.clock(), "by": consent, "evidence": evidence}
    return _apply(world, order, way, proposal.model_copy(update=told), row, actor)


def _apply(
    world: World, order: Order, way: _Way, proposal: Proposal, row: Row | None, actor: str
) -> Order | None:
    """The order with that in its place, its evidence and the proposal, in one write. None: lost to somebody else."""
    now, known, candidate = world.clock(), order.substitution, way.candidate
    private = facts.unseal_private(world.sealer, order)
    was = Was(
        gift=order.gift,
        pick_up_name=order.pick_up_name,
        pick_up_place=order.pick_up_place,
        safeguard=order.safeguard,
        until=now,
        evidence=order.evidence_count,
        proposal=proposal.number,
    )
    changed = _instead(order, candidate)
    contact = contact_of(candidate, private.pick_up_contact)
    kept = private.model_copy(
        update={"pick_up_contact": contact, "code": private.code if changed.safeguard is not None else None}
    )
    piece = check.evidence(changed, Step.SUBSTITUTE, way.verdict, way.on, now)
    after = moved(
        changed,
        now,
        Note.SUBSTITUTED,
        outlook=None,
        evidence_count=order.evidence_count + 1,
        sealed=facts.seal_private(world.sealer, kept, order.order_id),
        substitution=known.model_copy(
            update={
                "count": max(known.count, proposal.number),
                "proposed": None,
                "passed": (*known.passed, candidate.name),
                "was": (*known.was, was),
            }
        ),
    )
    changes: list[Change] = [facts.keep_order(after), facts.keep_evidence(piece), *_kept(proposal, row)]
    changes += kept_act(
        order.client_id,
        now,
        actor,
        Deed.GIFT_SUBSTITUTED,
        order.order_id,
        f"{order.order_id}#{proposal.number}",
    )
    try:
        world.table.write(*changes)
    except Lost:
        return None
    facts.note_step(world.log, after)
    world.log("substituted", order=order.order_id, market=order.market_id, why=proposal.reason.value)
    world.queues.nudge(Topic.DISPATCH, [order.market_id])
    world.queues.nudge(Topic.TELL, [order.order_id])
    return after


def _close(
    world: World,
    order: Order,
    proposal: Proposal,
    row: Row,
    state: State,
    by: Say | None,
    evidence: str | None,
) -> Order | None:
    """The proposal is over and nothing goes in its place; what is next best is looked for. None: lost to somebody."""
    now, known = world.clock(), order.substitution
    passed = (*known.passed, proposal.name) if state is State.DECLINED else known.passed
    open_one = None if known.proposed == proposal.number else known.proposed
    closed = {"state": state, "answered_at": now, "by": by, "evidence": evidence}
    after = moved(order, now, substitution=known.model_copy(update={"proposed": open_one, "passed": passed}))
    try:
        world.table.write(facts.keep_order(after), *_kept(proposal.model_copy(update=closed), row))
    except Lost:
        return None
    world.log("substitute_closed", order=order.order_id, market=order.market_id, state=state.value)
    world.queues.nudge(Topic.BOOK, [order.order_id])
    return after


def _kept(proposal: Proposal, row: Row | None) -> list[Keep]:
    if row is None:
        return [Keep(proposal_row(proposal), was=None)]
    return [Keep(proposal_row(proposal.model_copy(update={"version": row.version + 1})), was=row.version)]
