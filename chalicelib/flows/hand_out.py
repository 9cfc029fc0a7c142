"""Give a gift that needs no courier: one of what is in stock, its code, and the order that says so, in one transaction.

The transaction is the judge: the counter may not fall below nothing, a code's row exists once, and the order and its
pass are those that were read. What is given back comes back in the same way, with the step that gives it back, and so
exactly once.
"""Hand out a campaign's gifts: a page of clients becomes a page of orders, nobody twice.
The id of an order follows from campaign and client, so a page that is done again finds what it had done. Orders go into
the table several to a transaction, each as whole as if it were alone: its row, and the books that caps are kept by.
Where one of them has been overtaken, all of that transaction are given one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib.domain import facts, pass_rows
from chalicelib.domain.digital import CodeSource, DigitalGift
from chalicelib.domain.errors import Delayed, Lost
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
    not any more what it was.
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
    """Write that order with its pass, for which one has been kept: it is given. Raises `Lost`."""
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
    if passed.is_listed and passed.sealed:  # else the client was forgotten, and the code with it
        name, partner = passed.code_name, passed.partner
        free = pass_rows.free_key(passed.brand_id, passed.gift, name)
        sealed = stock.seal_code(world, partner, name, code_of(world, passed))
        changes["free"] = Keep(Row(free, 1, "{}", sealed=sealed), was=None)
        changes["code"] = Drop(pass_rows.code_key(partner, name), was=1)
    elif passed.is_listed:
        del changes["stock"]
    if write(world, {"order": order, "pass": pass_rows.keep_pass(after), **changes, **_kept(piece)}):
        raise Lost([0])


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
    went = digital.outcome in (DigitalOutcome.OFFERED, DigitalOutcome.GIVEN)
    return Evidence(
        evidence_id=f"{order.evidence_count + 1:04d}",
        order_id=order.order_id,
        leg_no=order.leg.leg_no,
        step=Step.DIGITAL,
        decided_at=digital.at,
        decision=Decision.YES if went else Decision.NO,
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
    owner = passed.client_id or pass_rows.secrets_of(passed.partner)
    sealed = world.sealer.seal(taken.code.encode(), f"pass#{passed.order_id}", owner=owner)
    listed = "free" in taken.changes
    return passed.model_copy(update={"code_name": taken.name, "is_listed": listed, "sealed": sealed})


def _discard(world: World, gift: DigitalGift, name: str) -> None:
    """A code that somebody has is not in stock."""
    free = pass_rows.free_key(gift.brand_id, gift.reference, name)
    write(world, {"free": Drop(free, was=1), "stock": pass_rows.take_one(gift.brand_id, gift.reference)})


def _kept(piece: Evidence | None) -> dict[str, Change]:
    return {} if piece is None else {"evidence": Keep(facts.evidence_row(piece), was=None)}
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from chalicelib.domain import facts
from chalicelib.domain.campaign_rows import lapses, out_key
from chalicelib.domain.campaigns import Campaign, Placed, PlacedPage
from chalicelib.domain.errors import Lost, Refused
from chalicelib.domain.lanes import Lane
from chalicelib.domain.ports import Change, Keep, Key, Row, Topic, World
from chalicelib.domain.tallies import Tally, of_one
from chalicelib.flows import give
from chalicelib.flows.walk import Walked
from chalicelib.flows.wish import Wished, ahead, members_on, why_of, wishes
TOGETHER = 20
"""Changes in one transaction: six orders or so. More of them, and one that is overtaken costs more than they save."""
PLACED, REFUSED = "placed", "refused"
class _Drafted(NamedTuple):
    """An order that is still to be written."""
    wished: Wished
    order: Order
    changes: list[Change]
def page(world: World, campaign: Campaign, lane: Lane) -> Walked:
    """The next page of clients."""
    members = members_on(world, campaign, lane.page)
    orders: dict[str, Order] = {}
    reasons: dict[str, str] = {}
    wished_for = list(wishes(near := ahead(world, campaign, members), campaign, members))
    for some in _together(_drafts(near, campaign, wished_for, orders, reasons)):
        _write(world, campaign, some, orders, reasons)
    if orders:
        world.queues.nudge(Topic.DISPATCH, [campaign.market_id])
    tally, told = Tally(), []
    for wished in wished_for:
        client = wished.member.client
        order, why = orders.get(client), reasons.get(client)
        tier = None if order is None else order.tier.name.lower()
        outcome = REFUSED if order is None else PLACED
        tally = tally.plus(of_one(outcome, () if why is None else (why,), wished.district, tier))
        told.append(
            Placed(
                client=client,
                order_id=None if order is None else order.order_id,
                reasons=() if why is None else (why,),
            )
    body = PlacedPage(data=tuple(told)).model_dump_json(exclude_defaults=True)
    kept = Row(out_key(campaign.campaign_id, lane.page), 1, body, expires_at=lapses(campaign))
    return Walked(tally, (Keep(kept, was=None),))
def _drafts(
    campaign: Campaign,
    wished_for: Sequence[Wished],
    orders: dict[str, Order],
    reasons: dict[str, str],
) -> Iterator[_Drafted]:
    """Those that are to be written; of the others it is noted what became of them."""
    for wished in wished_for:
        client = wished.member.client
        if wished.wish is None:
            assert wished.why is not None
            reasons[client] = wished.why.value
        try:
            found = give.drafted(
                world, campaign.brand_id, wished.key, wished.wish, _by(campaign), campaign_id=campaign.campaign_id
            )  # fmt: skip
        except Refused as error:
            reasons[client] = why_of(error).value
        if isinstance(found, Order):
            orders[client] = found
        else:
            yield _Drafted(wished, found.order, found.changes)
def _together(drafts: Iterator[_Drafted]) -> Iterator[list[_Drafted]]:
    """Several at a time, no two of which write the same row: gifts to one household are kept apart."""
    some: list[_Drafted] = []
    keys: set[Key] = set()
    count = 0
    for draft in drafts:
        its_keys = {change.row.key if isinstance(change, Keep) else change.key for change in draft.changes}
        size = len(draft.changes) + 1
        if some and (count + size > TOGETHER or not keys.isdisjoint(its_keys)):
            yield some
            some, keys, count = [], set(), 0
        some.append(draft)
        keys |= its_keys
        count += size
    if some:
        yield some
def _write(
    campaign: Campaign,
    some: Sequence[_Drafted],
    orders: dict[str, Order],
    reasons: dict[str, str],
) -> None:
    changes = [
        change for draft in some for change in (Keep(facts.order_row(draft.order), was=None), *draft.changes)
    ]
        world.table.write(*changes)
    except Lost:
        for draft in some:
            _give(world, campaign, draft.wished, orders, reasons)
        return
    for draft in some:
        facts.note_step(world.log, draft.order)
        orders[draft.wished.member.client] = draft.order
def _give(
    world: World, campaign: Campaign, wished: Wished, orders: dict[str, Order], reasons: dict[str, str]
) -> None:
    """That one alone, on what stands there now."""
    assert wished.wish is not None
    client = wished.member.client
        order, _ = give.give(
            world, campaign.brand_id, wished.key, wished.wish, _by(campaign), campaign_id=campaign.campaign_id
    except Refused as error:
        reasons[client] = why_of(error).value
    else:
        orders[client] = order
def _by(campaign: Campaign) -> str:
    return f"campaign:{campaign.campaign_id}"
