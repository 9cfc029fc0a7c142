"""Clear one order that already has an assignment, again: before booking, at pick-up, at hand-over, on new rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from chalicelib.domain import facts, rooms
from chalicelib.domain.atlas import Atlas
from chalicelib.domain.clearance import Clearer
from chalicelib.domain.evidence import Evidence, Step, TurnedDown, fitted
from chalicelib.domain.explanation import Explanation
from chalicelib.domain.fleet import Fleet
from chalicelib.domain.legs import Assignment, Leg, QuotaTaken, Quote
from chalicelib.domain.orders import Order, Outlook
from chalicelib.domain.policies import TO_THE_CLIENT, Handover
from chalicelib.domain.ports import Count, Key, Row, World
from chalicelib.domain.shapes import Window
from chalicelib.domain.survey import MOMENT, rest_of_stay
from chalicelib.domain.verdicts import Decision, Phase, Reason, Verdict
from chalicelib.flows import consult


@dataclass(frozen=True)
class Ground:
    """What one check rests on: rules and fleet as they were read together."""

    atlas: Atlas | None
    fleet: Fleet
    is_whole: bool = True
    """The whole fleet; else only what one assignment names."""
    freed: Mapping[QuotaTaken, int] = MappingProxyType({})
    """What is asked about as if it had been given back of quotas a day (`weigh`)."""

    def knowing(self, at: datetime) -> datetime:
        """That moment, and not before these rules were published: what is in force is known.

        The clock of whoever asks may lie seconds behind that of whoever published, and would overlook the news.
        """
        return at if self.atlas is None else max(at, self.atlas.rules.published_at)


def ground(world: World, market_id: str) -> Ground:
    """Rules and fleet as they are now."""
    return ground_with(world, market_id, world.table.get(facts.pointer_key(market_id)))


def ground_with(world: World, market_id: str, pointer: Row | None, then: datetime | None = None) -> Ground:
    """The same, the pointer to the rules having been read with something else. `then`: the rules of that moment."""
    atlas = None if pointer is None else consult.atlas_of(world, market_id, pointer, then)
    return Ground(atlas, facts.load_fleet(world.table, market_id, world.memory))


def check_now(
    world: World,
    order: Order,
    at: datetime,
    phase: Phase | None = None,
    *,
    moment: bool = False,
    seen: Mapping[Key, Row | None] = MappingProxyType({}),
) -> tuple[Verdict, Ground]:
    """`check` on a ground of its own: one read of just what the assignment rests on.

    A no is said only when the whole fleet has been read: the vehicle may have another permit by now. `seen` is
    what was read with the order, in the same call; it serves if it holds all. What was done at a moment is judged by
    the rules of that moment: those that came between it and its telling may have stated the same zones anew.
    """
    then = at if moment else None
    on = _underfoot(world, order, seen, then)
    verdict = check(world, order, on, at, phase, moment=moment)
    if verdict.decision is not Decision.YES:
        pointer = world.table.get(facts.pointer_key(order.market_id))
        on = ground_with(world, order.market_id, pointer, then)
        verdict = check(world, order, on, at, phase, moment=moment)
    return verdict, on


def _underfoot(world: World, order: Order, seen: Mapping[Key, Row | None], then: datetime | None) -> Ground:
    """The rules, and of the fleet only what this order's assignment names."""
    assignment = order.leg.assignment
    assert assignment is not None
    pointer = facts.pointer_key(order.market_id)
    wanted = facts.assigned_keys(order.market_id, assignment)
    if not all(key in seen for key in (pointer, *wanted)):
        seen = {row.key: row for row in world.table.get_many([pointer, *wanted])}
    head = seen.get(pointer)
    return Ground(
        None if head is None else consult.atlas_of(world, order.market_id, head, then),
        facts.fleet_of_rows(row for key in wanted if (row := seen.get(key)) is not None),
        is_whole=False,
    )


def check(
    world: World,
    order: Order,
    on: Ground,
    at: datetime,
    phase: Phase | None = None,
    *,
    moment: bool = False,
    clearer: Clearer | None = None,
) -> Verdict:
    """May the assigned crew still do this, from `at` to the end of the stay it was given?

    `phase`: how far it is; absent, it is read off the order.

    `moment`: it has been done, at `at`, and that very moment is judged: a pick-up when GIVEN (the shop then, the
    destination for the rest of the stay), a hand-over when CARRIED. Hours before or after excuse nothing.

    Only what may be permitted is asked again; the window and the capacity were settled by the assignment.

    `clearer`: of this ground and of about this moment, for whoever checks many.
    """
    assignment, live = order.leg.assignment, order.leg.live_booking
    assert assignment is not None
    if phase is None:
        phase = Phase.CARRIED if live is not None and live.track.has_custody else Phase.GIVEN
    slot = on.fleet.slots.get(assignment.slot_id)
    if on.atlas is None or slot is None:
        reason = Reason.RULES_MISSING if on.atlas is None else Reason.NO_SLOTS
        decision = Decision.HOLD if on.atlas is None else Decision.NO
        return Verdict(decision=decision, slot_id=assignment.slot_id, reasons=(reason,))
    by = assignment.hand_over_by
    if order.appointment is not None and phase is Phase.CARRIED:
        by += order.appointment.duration  # whoever has arrived stays so long
    start, end = rest_of_stay(assignment.start, by, phase, at, moment=moment)
    stay = Window.model_construct(start=start, end=end, time_zone=order.window.time_zone)
    delivery = order.delivery(facts.unseal_private(world.sealer, order))
    if clearer is None:
        clearer = Clearer(on.atlas, on.fleet, at if moment else on.knowing(at))
    return clearer.clear(
        delivery.model_copy(update={"window": stay}),
        slot.model_copy(update={"window": stay}),
        phase=phase,
        moment=moment,
        held=assignment.permit_ids,
    )


def evidence(
    order: Order,
    step: Step,
    verdict: Verdict,
    on: Ground,
    at: datetime,
    turned_down: Iterable[TurnedDown] = (),
    reasons: tuple[Reason, ...] | None = None,
    explanation: Explanation | None = None,
) -> Evidence:
    """The next piece of evidence of this order; saved in the transaction that acts on it."""
    slot = on.fleet.slots.get(verdict.slot_id)
    crew = on.fleet.crews.get(slot.crew_id) if slot else None
    return fitted(
        Evidence(
            evidence_id=f"{order.evidence_count + 1:04d}",
            order_id=order.order_id,
            leg_no=order.leg.leg_no,
            step=step,
            decided_at=at,
            decision=verdict.decision,
            reasons=verdict.reasons if reasons is None else reasons,
            rules_version=on.atlas.rules.version if on.atlas else None,
            rules_digest=on.atlas.rules.digest if on.atlas else None,
            rules_published_at=on.atlas.rules.published_at if on.atlas else None,
            known_at=at if step in (Step.PICK_UP, Step.HAND_OVER) else on.knowing(at),
            judged_from=verdict.asked.start if verdict.asked else None,
            judged_until=verdict.asked.end if verdict.asked else None,
            phase=verdict.asked.phase if verdict.asked else None,
            zones=verdict.zone_ids,
            client_zones=verdict.client_zones,
            policies=verdict.policies,
            slot=verdict.slot_id or None,
            crew=crew.crew_id if crew else None,
            courier=slot.courier_id if slot else None,
            permits=verdict.permit_ids,
            permit_ends={
                name: permit.valid.end
                for name in verdict.permit_ids
                if (permit := on.fleet.permits.get(name)) is not None
            },
            credentials=verdict.credentials,
            exemptions=verdict.exemptions,
            handovers=tuple(verdict.handovers),
            valid_until=verdict.valid_until,
            turned_down=tuple(turned_down),
            explanation=explanation,
        )
    )


def assigned(
    verdict: Verdict,
    on: Ground,
    at: datetime,
    takes: Iterable[QuotaTaken] = (),
    quote: Quote | None = None,
    places: int = 1,
) -> Assignment:
    """What a yes that has said what it rests on comes to, when its slot is given."""
    slot = on.fleet.slots[verdict.slot_id]
    assert on.atlas is not None
    assert verdict.start is not None
    assert verdict.end is not None
    assert verdict.valid_until is not None
    return Assignment(
        slot_id=slot.slot_id,
        courier_id=slot.courier_id,
        crew_id=slot.crew_id,
        start=verdict.start,
        hand_over_from=verdict.hand_over_from or verdict.start,
        hand_over_by=verdict.hand_over_by or verdict.end,
        end=verdict.end,
        valid_until=verdict.valid_until,
        handovers=verdict.handovers,
        permit_ids=verdict.permit_ids,
        quotas=tuple(takes),
        places=places,
        rules_version=on.atlas.rules.version,
        assigned_at=at,
        quote=quote,
    )


def refreshed(assignment: Assignment, verdict: Verdict, on: Ground) -> Assignment:
    """The assignment under the rules of now."""
    return assignment.model_copy(
        update={
            "handovers": verdict.handovers,
            "valid_until": verdict.valid_until or assignment.valid_until,
            "permit_ids": verdict.permit_ids,
            "rules_version": on.atlas.rules.version if on.atlas else assignment.rules_version,
        }
    )


def narrowed(assignment: Assignment, verdict: Verdict, on: Ground) -> Assignment:
    """The same once a courier has been told: it goes on as it was told, or nearer to the gate, never further in."""
    kept = assignment.narrowed(verdict.handovers) or assignment.handovers
    fresh = refreshed(assignment, verdict, on)
    # what was done earlier was judged by the rules of then: it does not put the rest of the way under them again
    version = max(assignment.rules_version, fresh.rules_version)
    return fresh.model_copy(update={"handovers": kept, "rules_version": version})


def reaches_client(world: World, order: Order, on: Ground, at: datetime) -> bool:
    """May anything change hands with the client there at that moment? What nobody has ruled on says neither."""
    if on.atlas is None:
        return True
    delivery = order.delivery(facts.unseal_private(world.sealer, order))
    ground = Clearer(on.atlas, on.fleet, at).ground(delivery, at, at + MOMENT, Phase.CARRIED)
    ways = ground.destination.handovers
    return ways is None or not TO_THE_CLIENT.isdisjoint(ways)


def kept_outside(leg: Leg) -> Leg:
    """The leg whose gift gets no farther than the gate."""
    assert leg.assignment is not None
    outside = tuple(way for way in leg.assignment.handovers if way not in TO_THE_CLIENT)
    kept = leg.assignment.model_copy(update={"handovers": outside or (Handover.GATE,)})
    return leg.model_copy(update={"assignment": kept})


def give_back(order: Order, slot_id: str) -> list[Count]:
    """The slot's place and whatever the assignment has taken of quotas and permits, back: in the same transaction as
    the step of the order that frees them. `order`: as it is before that step."""
    given, market_id = order.leg.assignment, order.market_id
    taken, places = (given.quotas, given.places) if given is not None else ((), 1)
    return [
        facts.give_back_to_slot(market_id, slot_id, places),
        *(facts.give_back_quota(market_id, one, rooms.amount(one, order.gift)) for one in taken),
    ]


def back_to_pool(at: datetime, decision: Decision, reasons: tuple[Reason, ...]) -> Outlook:
    """Waits again, and is looked at at once."""
    return Outlook(decision=decision, reasons=reasons, decided_at=at, next_look=at, digest="")
