"""Rule on one order: it goes, it may wait, or it waits and why. Pure; the round that asks is in `dispatch`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chalicelib.domain.due import MINUTE, owes_digital
from chalicelib.domain.evidence import Evidence, Step, TurnedDown, digest_of
from chalicelib.domain.explanation import Explanation
from chalicelib.domain.legs import Quote, replace_leg
from chalicelib.domain.orders import RELOOK, Fallback, Order, OrderState, Outlook
from chalicelib.domain.quotas import Needs, midnight
from chalicelib.domain.shapes import rounded_up
from chalicelib.domain.steps import moved
from chalicelib.domain.survey import HANDLING, Ground
from chalicelib.domain.verdicts import HOLDING, OF_THE_PLACES, Asked, Decision, Phase, Reason, Verdict
from chalicelib.flows import check

GRID = timedelta(minutes=10)
RETELL = timedelta(hours=2)
"""So long after a step every look at the order has it told again: some four times."""
CROWDED = frozenset(
    {
        Reason.OUTRANKED,
        Reason.SLOT_FULL,
        Reason.NO_ROOM,
        Reason.VEHICLE_SHARED,
        Reason.QUOTA_FULL,
        Reason.PERMIT_USED,
        Reason.COMPANIONS_MISSING,
    }
)
CROWDED_RELOOK = timedelta(minutes=10)
"""A place may come free at any time, so who only lacks a place is looked at more often."""
ASKED_WITHIN = timedelta(minutes=5)
"""After a courier's time of peace somebody asks it within this, if anybody waits for it."""
TOO_LATE = frozenset({Reason.WINDOW, Reason.NO_SLOTS})
"""What is said when no slot's hours fit: true of every order in the end, and of no use to anybody."""


@dataclass(frozen=True)
class Ruling:
    """What was decided for one order in this round, ready to be saved."""

    before: Order
    after: Order
    evidence: Evidence | None
    takes: str | None
    places: int = 1
    """Of that slot."""
    needs: Needs = field(default_factory=dict)
    """Of quotas, permits and room, beside the slot's place."""
    party: str | None = None
    """Of those that travel together, the same: they are saved together or not at all."""


def has_lost_its_place(ruling: Ruling) -> bool:
    """True for an order that had one in the plan, and now waits for a reason that it should be told."""
    had, has = ruling.before.outlook, ruling.after.outlook
    return (
        had is not None
        and had.decision is Decision.YES
        and has is not None
        and has.decision is not had.decision
    )


def only_waits(ruling: Ruling) -> bool:
    """True when nothing was decided and no step made."""
    is_step = len(ruling.after.history) > len(ruling.before.history)
    return ruling.takes is None and ruling.evidence is None and not is_step


def is_to_be_told(ruling: Ruling) -> bool:
    """True when this look made a step, or one was made not long before: the nudges to tell it may have been lost."""
    after, last = ruling.after, ruling.after.history[-1].at
    if len(after.history) > len(ruling.before.history):
        return True
    if after.outlook is not None and owes_digital(after, after.outlook.decided_at):
        return True  # whoever tells of it does that
    return after.outlook is not None and after.outlook.decided_at - last <= RETELL


def reasons_of(answers: Iterable[Verdict], left: Mapping[str, int], ground: Ground) -> tuple[Reason, ...]:
    """Why nobody goes: first what every answer says of the places, then the rest, the most frequent first.

    `answers` are of the slots that share the window, `ground` is that of the window. A slot in which the trip no
    longer fits has nothing more to say; where all are such, or there is none, the places speak for themselves.
    """
    answers = list(answers)
    asked = [verdict for verdict in answers if Reason.WINDOW not in verdict.reasons]
    if not asked:
        return (*ground.reasons, Reason.WINDOW if answers else Reason.NO_SLOTS)
    counted: dict[Reason, int] = {}
    for verdict in asked:
        if verdict.decision is Decision.YES:
            full = Reason.OUTRANKED if left.get(verdict.slot_id, 0) > 0 else Reason.SLOT_FULL
            counted[full] = counted.get(full, 0) + 1
        for reason in verdict.reasons:
            counted[reason] = counted.get(reason, 0) + 1

    def rank(reason: Reason) -> tuple[bool, int, Reason]:
        is_of_the_places = reason in OF_THE_PLACES and counted[reason] == len(asked)
        return not is_of_the_places, -counted[reason], reason

    return tuple(sorted(counted, key=rank))


def goes(
    order: Order,
    verdict: Verdict,
    others: tuple[TurnedDown, ...],
    on: check.Ground,
    now: datetime,
    takes: Needs,
    why: Explanation | None = None,
    quoted: Quote | None = None,
    places: int = 1,
) -> Ruling:
    assignment = check.assigned(verdict, on, now, takes, quoted, places)
    piece = check.evidence(order, Step.DISPATCH, verdict, on, now, others, explanation=why)
    leg = order.leg.model_copy(update={"assignment": assignment})
    after = moved(
        order,
        now,
        legs=replace_leg(order.legs, leg),
        outlook=None,
        evidence_count=order.evidence_count + 1,
    )
    return Ruling(order, after, piece, assignment.slot_id, places, takes)


def may_wait(order: Order, on: check.Ground, now: datetime, until: datetime) -> Ruling:
    """It has a place in the plan, and nothing is lost by giving it away later. Nothing is decided by that: no evidence,
    no place taken; every round until then plans it anew, with whoever else stands by.

    Who has been told that it lacks a place goes on waiting for one, with what it was told: the plan may take it away
    again in the next round, and its brand would read *placed* and *held* by turns.
    """
    told = order.outlook if order.state is OrderState.HELD else None
    if told is not None and CROWDED.isdisjoint(told.reasons):
        told = None
    outlook = Outlook(
        decision=Decision.YES,
        reasons=told.reasons if told else (),
        decided_at=now,
        next_look=until,
        digest=told.digest
        if told
        else digest_of(Decision.YES, (), on.atlas.rules.version if on.atlas else None),
    )
    return Ruling(order, moved(order, now, outlook=outlook), None, None)


def waits(
    order: Order,
    on: check.Ground,
    now: datetime,
    reasons: tuple[Reason, ...],
    others: tuple[TurnedDown, ...],
    ground: Ground | None = None,
    why: Callable[[], Explanation | None] | None = None,
) -> Ruling:
    over = now + HANDLING > order.window.end
    crowded = not CROWDED.isdisjoint(reasons)
    told = order.outlook.reasons if order.outlook is not None else ()
    if over and not TOO_LATE.issuperset(told):
        reasons = told  # what kept it waiting, not that it is too late now
    elif not TOO_LATE.isdisjoint(reasons):
        # the places are judged anew; of the couriers' reasons those stay that were given while there still were any
        kept = [r for r in told if r not in OF_THE_PLACES | TOO_LATE | {Reason.GIFT_ELSEWHERE}]
        of_places = [r for r in reasons if r not in TOO_LATE]
        reasons = (*of_places, *kept, *(r for r in reasons if r in TOO_LATE))
    decision = Decision.HOLD if any(reason in HOLDING for reason in reasons) else Decision.NO
    again = _on_the_grid(now + (CROWDED_RELOOK if crowded else RELOOK))
    if Reason.COURIER_DOWN in reasons:  # somebody has to ask it whether it answers again
        # one whose time has just come to an end is being asked at this moment
        ends = (b.until for b in on.fleet.breakers.values() if b.until and b.until > now - ASKED_WITHIN)
        again = min([again, *(max(end, now + MINUTE) for end in ends)])
    if Reason.QUOTA_FULL in reasons and on.atlas is not None:
        again = min(again, midnight(now, on.atlas.rules.time_zone))  # a new day has quotas of its own
    if order.digital_after is not None and now < order.digital_after:
        again = min(again, order.digital_after)  # then it has waited enough, and something else may stand in
    next_look = None if over else min(again, order.window.end - HANDLING + timedelta(seconds=1))
    digest = digest_of(decision, reasons, on.atlas.rules.version if on.atlas else None)
    changed = order.outlook is None or order.outlook.digest != digest or over
    piece = None
    if changed:
        nobody = Verdict(decision, "", reasons)
        if ground is not None:
            nobody = nobody._replace(
                zone_ids=ground.zone_ids,
                policies=ground.policies,
                client_zones=ground.destination.zone_ids,
                asked=Asked(max(now, order.window.start), max(order.window.end, now + HANDLING), Phase.OPEN),
            )
        # once the time is over nothing would help any more: what kept it waiting has been explained
        found = None if why is None or over else why()
        piece = check.evidence(order, Step.DISPATCH, nobody, on, now, others, explanation=found)
    after = moved(
        order,
        now,
        outlook=Outlook(
            decision=decision, reasons=reasons, decided_at=now, next_look=next_look, digest=digest
        ),
        evidence_count=order.evidence_count + (1 if piece else 0),
        # the time is over: whoever wished for the end then rather than a stranded gift has it now
        cancel_asked_at=now if over and order.fallback is Fallback.CANCEL else order.cancel_asked_at,
    )
    return Ruling(order, after, piece, None)


def _on_the_grid(look: datetime) -> datetime:
    """The next full ten minutes: what waits is looked at together, not an order a minute."""
    return rounded_up(look, GRID)
