"""Give a gift that needs no courier: one of what is in stock, its code, and the order that says so, in one transaction.

The transaction is the judge: the counter may not fall below nothing, a code's row exists once, and the order and its
pass are those that were read. What is given back comes back in the same way, with the step that gives it back, and so
exactly once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib.domain import facts, pass_rows
from chalicelib.domain.client_rows import data_key_of_client
from chalicelib.domain.digital import CodeSource, DigitalGift
from chalicelib.domain.errors import Delayed, Forgotten, Lost
from chalicelib.domain.evidence import Evidence, Step
from chalicelib.domain.instead import Digital, DigitalOutcome
from chalicelib.domain.orders import Order
from chalicelib.domain.passes import Pass, PassState, code_name, minted
from chalicelib.domain.ports import Change, Drop, Keep, Row, World
from chalicelib.domain.verdicts import Decision
from chalicelib.flows import stock

TRIES = 12
"""Codes that are tried for one gift while others take them from under it."""
SPREAD = 50
"""Codes among which chance chooses, so that many at once do not all reach for the first."""


@dataclass(frozen=True)
class _Taken:
    """A code for one order, and what of the stock it takes."""

    name: str
    code: str
    changes: Mapping[str, Change]


def passed_of(
    gift: DigitalGift,
    order: Order,
    state: PassState,
    now: datetime,
    until: datetime | None,
    before: Pass | None,
) -> Pass:
    """The pass of an order in that state, as yet without a code; in the place of one that came to nothing."""
    return Pass(
        order_id=order.order_id,
        brand_id=order.brand_id,
        gift=gift.reference,
        kind=gift.kind,
        partner=gift.partner,
        client_id=order.client_id,
        state=state,
        at=now,
        offered_until=until,
        time_zone=order.window.time_zone,
        days=gift.days,
        redeem_by=gift.redeem_by,
        version=1 if before is None else before.version + 1,
    )


def take(
    world: World,
    gift: DigitalGift,
    order: Keep,
    passed: Pass,
    piece: Evidence | None = None,
    more: Sequence[Change] = (),
) -> Pass | None:
    """Write that order with its pass, which takes one of the gift; None: there is none left, and nothing was written.

    `more`: what else the order's step changes. Raises `Lost` when the order or its pass is
    not any more what it was, and `Forgotten` where its client has been.
    """
    for _ in range(TRIES):
        taken = _code_for(world, gift, passed)
        if taken is None:
            return None
        after = _with_code(world, passed, taken)
        missed = write(
            world,
            {
                "order": order,
                "pass": pass_rows.keep_pass(after),
                "stock": pass_rows.take_one(gift.brand_id, gift.reference),
                **taken.changes,
                **_kept(piece),
                **{f"more-{at}": change for at, change in enumerate(more)},
            },
        )
        if not missed:
            return after
        if not missed <= {"stock", "free", "code"}:
            raise Lost([0])
        if "free" in missed:
            continue  # somebody else was quicker with this code
        if "code" in missed:  # loaded once more just when it was given to somebody
            _discard(world, gift, taken.name)
            continue
        return None
    raise Delayed(f"many take of {gift.reference!r} at once")


def confirm(world: World, order: Keep, passed: Pass, piece: Evidence) -> Pass:
    """Write that order with its pass, for which one has been kept: it is given. Raises `Lost`, and `Forgotten` where
    its client has been."""
    changes: dict[str, Change] = {}
    if not passed.is_listed:
        taken = _minted(world, passed)
        passed, changes = _with_code(world, passed, taken), dict(taken.changes)
    if write(world, {"order": order, "pass": pass_rows.keep_pass(passed), **changes, **_kept(piece)}):
        raise Lost([0])
    return passed


def release(world: World, order: Keep, passed: Pass, piece: Evidence | None = None) -> None:
    """Write that order with its pass, which nobody took: what was kept for it is free again. Raises `Lost`."""
    changes: dict[str, Change] = {"stock": pass_rows.give_back_one(passed.brand_id, passed.gift)}
    after = passed.model_copy(update={"sealed": b"", "code_name": "", "is_listed": False})
    code = _known(world, passed) if passed.is_listed else None
    if code is not None:
        name, partner = passed.code_name, passed.partner
        free = pass_rows.free_key(passed.brand_id, passed.gift, name)
        sealed = stock.seal_code(world, partner, name, code)
        changes["free"] = Keep(Row(free, 1, "{}", sealed=sealed), was=None)
        changes["code"] = Drop(pass_rows.code_key(partner, name), was=1)
    elif passed.is_listed:  # its client was forgotten, and the code with that
        del changes["stock"]
    if write(world, {"order": order, "pass": pass_rows.keep_pass(after), **changes, **_kept(piece)}):
        raise Lost([0])


def _known(world: World, passed: Pass) -> str | None:
    """Its code, while anybody can read it."""
    try:
        return code_of(world, passed) if passed.sealed else None
    except Forgotten:
        return None


def write(world: World, changes: Mapping[str, Change]) -> frozenset[str]:
    """All of them or none; the names of those whose condition failed, and so of none when all are written."""
    names = list(changes)
    try:
        world.table.write(*changes.values())
    except Lost as lost:
        return frozenset(names[at] for at in lost.at)
    return frozenset()


def code_of(world: World, passed: Pass) -> str:
    """Its code. Raises `Forgotten` when the client's data key is gone."""
    return world.sealer.unseal(passed.sealed, f"pass#{passed.order_id}").decode()


def evidence(order: Order, digital: Digital) -> Evidence:
    """That it was decided, for what occasion, and what came of it; the reasons are those for which nobody goes."""
    decision = (
        Decision.YES if digital.outcome in (DigitalOutcome.OFFERED, DigitalOutcome.GIVEN) else Decision.NO
    )
    if digital.outcome is DigitalOutcome.WANTED:
        decision = Decision.HOLD
    return Evidence(
        evidence_id=f"{order.evidence_count + 1:04d}",
        order_id=order.order_id,
        leg_no=order.leg.leg_no,
        step=Step.DIGITAL,
        decided_at=digital.at,
        decision=decision,
        reasons=order.outlook.reasons if order.outlook is not None else (),
        rules_version=None,
        rules_digest=None,
        known_at=digital.at,
        digital=digital,
    )


# --- codes --------------------------------------------------------------------------------------------------------


def _code_for(world: World, gift: DigitalGift, passed: Pass) -> _Taken | None:
    """A code, or None where the partner's list has no more. What is only offered gets one of ours when it is given."""
    if gift.codes is CodeSource.MINTED:
        return _minted(world, passed) if passed.state is PassState.GIVEN else _Taken("", "", {})
    rows = world.table.read(
        pass_rows.codes_collection(gift.brand_id, gift.reference), pass_rows.FREE, limit=SPREAD
    ).rows
    if not rows:
        return None
    row = rows[int(world.dice() * len(rows))]
    name = row.key.sk.removeprefix(pass_rows.FREE)
    code = stock.unseal_code(world, gift.partner, name, row.sealed)
    mine = Keep(pass_rows.code_row(gift.partner, name, passed.order_id), was=None)
    return _Taken(name, code, {"free": Drop(row.key, was=row.version), "code": mine})


def _minted(world: World, passed: Pass) -> _Taken:
    code = minted(world.token())
    name = code_name(stock.salt_of(world, passed.partner), passed.partner, code)
    mine = Keep(pass_rows.code_row(passed.partner, name, passed.order_id), was=None)
    return _Taken(name, code, {"code": mine})


def _with_code(world: World, passed: Pass, taken: _Taken) -> Pass:
    if not taken.name:
        return passed
    if passed.client_id and world.table.get(data_key_of_client(passed.client_id)) is None:
        # to seal for whom it was would make another key, of somebody who was to be forgotten
        raise Forgotten(f"the client of {passed.pass_id!r} has been forgotten")
    owner = passed.client_id or pass_rows.secrets_of(passed.partner)
    sealed = world.sealer.seal(taken.code.encode(), f"pass#{passed.order_id}", owner=owner)
    listed = "free" in taken.changes
    return passed.model_copy(update={"code_name": taken.name, "is_listed": listed, "sealed": sealed})


def _discard(world: World, gift: DigitalGift, name: str) -> None:
    """A code that somebody has is not in stock."""
    free = pass_rows.free_key(gift.brand_id, gift.reference, name)
    write(world, {"free": Drop(free, was=1), "stock": pass_rows.take_one(gift.brand_id, gift.reference)})


def _kept(piece: Evidence | None) -> dict[str, Change]:
    return {} if piece is None else {"evidence": facts.keep_evidence(piece)}
