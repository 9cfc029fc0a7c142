"""Redeem a code, once: first use fixes how long a pass is good. And what its brand can do with a pass before that.

A code of ours has 130 bits of chance: at a million tries a second it is not found in the age of the universe. A
partner's own codes may be shorter, so whoever asks for many that nobody has is asked to stop. A partner finds its own
codes only.
"""

from __future__ import annotations

from datetime import datetime

from chalicelib.domain import facts, pass_rows
from chalicelib.domain.errors import Clashing, Fault, Forgotten, Invalid, Lost, Missing, TooOften
from chalicelib.domain.instead import Digital, DigitalOutcome, WhyDigital
from chalicelib.domain.orders import Order
from chalicelib.domain.pass_answers import CodeView, Invitation, is_over
from chalicelib.domain.passes import Pass, PassState, code_name, end_of, order_id_of_pass, request_name
from chalicelib.domain.ports import Change, Keep, Topic, World
from chalicelib.domain.steps import moved
from chalicelib.flows import hand_out, stock

WRONG = 100
"""Codes that nobody has, an hour, after which a partner is asked to wait: a desk mistypes a few."""
TRIES = 5
ANOTHER = "that key redeemed another code; the next client's code needs a key of its own"


def redeem(world: World, partner: str, idempotency_key: str, code: str) -> tuple[Pass, bool]:
    """The pass, used from now on, and whether this very request had redeemed it before.

    Raises `Missing` for a code that nobody has or that is another partner's, `Clashing` for one that was redeemed (it
    says when), that is expired, withdrawn or not given yet, `TooOften`, and `Invalid` for a key that redeemed another.
    """
    salt, now = stock.salt_of(world, partner), world.clock()
    name, under = code_name(salt, partner, code), request_name(salt, idempotency_key)
    keys = [pass_rows.code_key(partner, name), pass_rows.tried_key(partner, now)]
    rows = {row.key: row for row in world.table.get_many(keys)}
    tried = rows.get(keys[1])
    if tried is not None and tried.counters.get(pass_rows.TRIED, 0) >= WRONG:
        raise TooOften(f"{WRONG} codes that nobody has were asked for within an hour; wait for the next")
    if keys[0] not in rows:
        try:
            world.table.write(pass_rows.try_one(partner, now, WRONG))
        except Lost:
            pass  # the next one is told
        raise Missing("no such code; a code of yours was expected, as the client has it")
    order_id = pass_rows.order_of_code(rows[keys[0]])
    asked = pass_rows.asked_row(partner, under, order_id, now)
    for _ in range(TRIES):
        found = {row.key: row for row in world.table.get_many([pass_rows.pass_key(order_id), asked.key])}
        before, row = found.get(asked.key), found.get(pass_rows.pass_key(order_id))
        if before is not None and pass_rows.order_of_code(before) != order_id:
            raise Invalid("this Idempotency-Key was used with another body", [Fault("code", ANOTHER)])
        passed = None if row is None else pass_rows.pass_of_row(row)
        if passed is None or passed.code_name != name:
            raise Clashing("this code was withdrawn")
        if passed.state is PassState.REDEEMED and passed.redeemed_under == under:
            return passed, True
        _refuse(passed, now)
        after = passed.model_copy(
            update={
                "state": PassState.REDEEMED,
                "at": now,
                "redeemed_at": now,
                "redeemed_under": under,
                "valid_until": _end(world, passed, now),
                "version": passed.version + 1,
            }
        )
        try:
            once = [Keep(asked, was=None)] if before is None else []
            world.table.write(pass_rows.keep_pass(after), *once)
        except Lost:
            continue
        world.log("pass_redeemed", order=order_id, brand=passed.brand_id)
        return after, False
    raise Lost([0])


def _refuse(passed: Pass, now: datetime) -> None:
    if passed.state is PassState.OFFERED:
        raise Clashing("this code was not given to anybody yet")
    if passed.state in (PassState.WITHDRAWN, PassState.RELEASED):
        raise Clashing(f"this code was withdrawn at {passed.at.isoformat()}")
    if passed.redeemed_at is not None and passed.valid_until is not None:
        until = f"it is valid until {passed.valid_until.isoformat()}"
        raise Clashing(f"this code was redeemed at {passed.redeemed_at.isoformat()}; {until}")
    if is_over(passed, now):
        raise Clashing(f"this code has expired: it could be redeemed before {passed.redeem_by.isoformat()}")


def _end(world: World, passed: Pass, now: datetime) -> datetime:
    if passed.days is not None:
        return end_of(passed.days, passed.time_zone, now)
    gift = stock.gift_of(world, passed.brand_id, passed.gift)  # its sessions may have been moved
    return max(now, max(session.end for session in gift.sessions))


# --- what its brand does with it ----------------------------------------------------------------------------------


def pass_of(world: World, pass_id: str, *, brand_id: str | None = None, partner: str | None = None) -> Pass:
    """That pass. Raises `Missing`; another brand's, or another partner's, looks like none at all."""
    row = world.table.get(pass_rows.pass_key(order_id_of_pass(pass_id)))
    if row is not None:
        passed = pass_rows.pass_of_row(row)
        is_theirs = brand_id in (None, passed.brand_id) and partner in (None, passed.partner)
        if is_theirs and passed.pass_id == pass_id:
            return passed
    raise Missing(f"no pass {pass_id!r}")


def code_of(world: World, passed: Pass) -> CodeView:
    """Its code and where it is shown: for the client alone. That somebody read it is on record.

    Raises `Clashing` before it is given and after it was withdrawn, `Forgotten` once the client was.
    """
    if passed.state not in (PassState.GIVEN, PassState.REDEEMED):
        raise Clashing(f"a pass that is {passed.state.value} has no code that opens anything")
    if not passed.sealed:
        raise Forgotten(f"the code of {passed.pass_id!r} is gone with whose it was")
    code = hand_out.code_of(world, passed)
    gift = stock.gift_of(world, passed.brand_id, passed.gift)
    world.log("code_read", order=passed.order_id, brand=passed.brand_id)
    return CodeView(pass_id=passed.pass_id, code=code, link=gift.link)


def invitation_of(world: World, passed: Pass) -> Invitation:
    """What its client is invited to, as it is said to be now. Withdrawn, its calendar is one further than the last."""
    gift = stock.gift_of(world, passed.brand_id, passed.gift)
    gone = passed.state not in (PassState.GIVEN, PassState.REDEEMED)
    return Invitation(
        pass_id=passed.pass_id,
        gift=gift.reference,
        kind=gift.kind,
        title=gift.title,
        time_zone=gift.time_zone,
        link=gift.link,
        withdrawn=gone,
        sessions=gift.sessions,
        sequence=gift.sequence + gone,
        changed_at=max(gift.changed_at, passed.at) if gone else gift.changed_at,
    )


def withdraw(world: World, brand_id: str, pass_id: str) -> Pass:
    """Take it back before it is used: its code opens nothing any more, its order is over, and the seat is free again,
    once. A code of a partner's list is not: whoever had it may have it still. Doing it twice is harmless.

    Raises `Clashing` for one that was redeemed, or was not given.
    """
    for _ in range(TRIES):
        passed, now = pass_of(world, pass_id, brand_id=brand_id), world.clock()
        if passed.state is PassState.WITHDRAWN:
            world.queues.nudge(Topic.TELL, [passed.order_id])
            return passed
        if passed.state is not PassState.GIVEN:
            raise Clashing(
                f"only a pass that was given and not used is withdrawn, this one is {passed.state.value}"
            )
        order = facts.load_order(world.table, passed.order_id)
        after = _ended(order, passed, now)
        gone = passed.model_copy(
            update={"state": PassState.WITHDRAWN, "at": now, "version": passed.version + 1}
        )
        changes: dict[str, Change] = {"order": facts.keep_order(after), "pass": pass_rows.keep_pass(gone)}
        if not passed.is_listed:
            changes["stock"] = pass_rows.give_back_one(brand_id, passed.gift)
        if hand_out.write(world, changes):
            continue
        facts.note_step(world.log, after)
        world.queues.nudge(Topic.TELL, [passed.order_id])
        return gone
    raise Lost([0])


def _ended(order: Order, passed: Pass, now: datetime) -> Order:
    why = WhyDigital.ASKED if order.digital is None else order.digital.why
    digital = Digital(gift=passed.gift, why=why, outcome=DigitalOutcome.WITHDRAWN, at=now)
    return moved(order, now, digital=digital, cancel_asked_at=order.cancel_asked_at or now)
