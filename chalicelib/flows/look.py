"""Look at things without changing them: an order, a list, its evidence, and a clearance nobody acts on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from chalicelib.domain import facts
from chalicelib.domain.errors import Invalid, Missing
from chalicelib.domain.evidence import Evidence, TurnedDown, grouped
from chalicelib.domain.gifts import Gift
from chalicelib.domain.orders import NewOrder, Order, PickUp, Recipient
from chalicelib.domain.policies import Handover
from chalicelib.domain.ports import World
from chalicelib.domain.safeguards import Safeguard
from chalicelib.domain.shapes import Instant, Shape, Slug, Window
from chalicelib.domain.verdicts import HOLDING, Decision, Delivery, Phase, Reason
from chalicelib.flows import enlist
from chalicelib.flows.place import faults_of

if TYPE_CHECKING:
    from chalicelib.domain.clearance import Clearer
    from chalicelib.flows import check


def own_order(world: World, brand_id: str, order_id: str) -> Order:
    """The brand's own order. Another brand's looks exactly like none at all."""
    row = world.table.get(facts.order_key(order_id))
    if row is not None:
        order = facts.order_of_row(row)
        if order.brand_id == brand_id:
            return order
    raise Missing(f"no order {order_id!r}")


def any_order(world: World, order_id: str) -> Order:
    """The order, whoever's it is: for operators."""
    return facts.load_order(world.table, order_id)


def order_for(world: World, brand_id: str | None, order_id: str) -> Order:
    """The order as that brand may have it; None: for the control room, whoever's it is. Raises `Missing`."""
    return any_order(world, order_id) if brand_id is None else own_order(world, brand_id, order_id)


def orders_of(world: World, brand_id: str, limit: int, after: str | None) -> tuple[list[Order], str | None]:
    """The brand's orders, the last placed first, and where the next page starts."""
    page = world.table.find_shelved(f"brand#{brand_id}", limit, after)
    rows = {row.key: row for row in world.table.get_many(page.keys)}
    return [facts.order_of_row(rows[key]) for key in page.keys if key in rows], page.after


def orders_of_client(world: World, client_id: str) -> list[Order]:
    """Every order that the client's books name."""
    from chalicelib.domain import given  # here: importing the app stays small

    books = world.table.read(client_id, given.PREFIX).rows
    ids = [gift.order_id for row in books for gift in given.ledger_of_row(row).gifts]
    rows = world.table.get_many([facts.order_key(order_id) for order_id in dict.fromkeys(ids)])
    return [facts.order_of_row(row) for row in rows]


def evidence_of(world: World, order_id: str) -> list[Evidence]:
    """Every decision about the order, the first first."""
    rows = world.table.read(order_id, "evidence#").rows
    return [Evidence.model_validate_json(row.body) for row in rows]


class ClearanceQuestion(Shape):
    """Could this be delivered? The same shapes as an order; nothing of it is kept."""

    market: Slug
    gift: Gift
    pick_up: PickUp
    recipient: Recipient
    window: Window
    visit_minutes: int = Field(
        default=0,
        strict=True,
        ge=0,
        le=480,
        description="So long a team would stay with the client; 0: it is a gift.",
    )
    safeguard: Safeguard | None = None


class Possible(Shape):
    """One slot that could."""

    slot: str
    courier: str
    start: Instant
    end: Instant
    handovers: tuple[Handover, ...]
    valid_until: Instant
    left: int


class ClearanceAnswer(Shape):
    """Who could deliver this, when, and why not the others."""

    decision: Decision
    reasons: tuple[Reason, ...] = ()
    rules_version: int | None = Field(default=None, description="Absent: there are no rules.")
    rules_published_at: Instant | None = None
    possible: tuple[Possible, ...] = Field(description="The earliest first.")
    turned_down: tuple[TurnedDown, ...]
    decided_at: Instant


def clearance(world: World, question: ClearanceQuestion | NewOrder) -> ClearanceAnswer:
    """A dry run under the rules and the fleet of now."""
    from chalicelib.domain.clearance import Clearer  # here: importing the app stays small
    from chalicelib.flows import check

    now = world.clock()
    faults = faults_of(enlist.market(world, question.market), question, now)
    if faults:
        raise Invalid(f"{faults[0].pointer}: {faults[0].detail}", faults)
    on = check.ground(world, question.market)
    if on.atlas is None:
        return _answer(on, now, Decision.HOLD, (Reason.RULES_MISSING,), (), ())
    delivery = Delivery(
        gift=question.gift,
        pick_up=question.pick_up.place,
        drop_off=question.recipient.place,
        window=question.window,
        visit_minutes=question.visit_minutes if isinstance(question, ClearanceQuestion) else 0,
        safeguard=question.safeguard,
    )
    return cleared(
        world,
        question.market,
        delivery,
        on,
        Clearer(on.atlas, on.fleet, on.knowing(now), on.fleet.down(now)),
    )


def cleared(
    world: World, market_id: str, delivery: Delivery, on: check.Ground, clearer: Clearer
) -> ClearanceAnswer:
    """The same on a ground, and by a clearer of it, that whoever asks about many has for all of them."""
    from chalicelib.flows import ration
    from chalicelib.flows.rule import reasons_of

    now, window = world.clock(), delivery.window
    if on.fleet.is_suspected(delivery.drop_off.address, now):
        return _answer(on, now, Decision.HOLD, (Reason.CLOSURE_SUSPECTED,), (), ())
    said = [clearer.clear(delivery, slot, phase=Phase.OPEN) for slot in on.fleet.slots.values()]
    verdicts = ration.told(world, market_id, delivery, said, on)
    possible = [
        Possible(
            slot=v.slot_id,
            courier=on.fleet.slots[v.slot_id].courier_id,
            start=v.start,
            end=v.end,
            handovers=v.handovers,
            valid_until=v.valid_until,
            left=on.fleet.left.get(v.slot_id, 0),
        )
        for v in verdicts
        if v.decision is Decision.YES and v.start and v.end and v.valid_until
    ]
    possible.sort(key=lambda p: (p.start, p.slot))
    others = grouped(v for v in verdicts if v.decision is not Decision.YES)
    if any(p.left > 0 for p in possible):
        return _answer(on, now, Decision.YES, (), possible, others)
    shared = [v for v in verdicts if _shares(on.fleet.slots[v.slot_id].window, window, now)]
    ground = clearer.ground(delivery, max(now, window.start), window.end)
    reasons = reasons_of(shared, on.fleet.left, ground)
    decision = Decision.NO if HOLDING.isdisjoint(reasons) else Decision.HOLD
    return _answer(on, now, decision, reasons, possible, others)


def _shares(slot: Window, wish: Window, now: Instant) -> bool:
    return wish.overlap(max(slot.start, now), slot.end) is not None


def _answer(
    on: check.Ground,
    now: Instant,
    decision: Decision,
    reasons: tuple[Reason, ...],
    possible: Sequence[Possible],
    turned_down: tuple[TurnedDown, ...],
) -> ClearanceAnswer:
    rules = on.atlas.rules if on.atlas else None
    return ClearanceAnswer(
        decision=decision,
        reasons=reasons,
        rules_version=rules.version if rules else None,
        rules_published_at=rules.published_at if rules else None,
        possible=tuple(possible),
        turned_down=turned_down,
        decided_at=now,
    )
