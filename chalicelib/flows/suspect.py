"""Suspect a closure that nobody has announced, from what couriers say; and let an operator take it back."""

from __future__ import annotations

from datetime import datetime

from chalicelib.domain import facts
from chalicelib.domain.errors import Delayed, Lost, Missing
from chalicelib.domain.orders import Order
from chalicelib.domain.ports import Keep, Topic, World
from chalicelib.domain.suspicion import REASONS, Report, Suspicion, suspicion_id_of

TRIES = 5


def suspect(world: World, order: Order, courier_id: str, reason: str) -> None:
    """Note that this courier could not get to the drop-off. Any other reason, and a repeat, change nothing.

    Before the order is saved: who is stopped between the two does both again.
    """
    if reason not in REASONS or order.is_erased:
        return
    address = order.delivery(facts.unseal_private(world.sealer, order)).drop_off.address
    name = suspicion_id_of(address)
    if name is None or address.compound is None:
        return
    report = Report(order_id=order.order_id, courier_id=courier_id, reason=reason, at=world.clock())
    key = facts.suspicion_key(order.market_id, name)
    for _ in range(TRIES):
        row = world.table.get(key)
        if row is None:
            known = None
            after = Suspicion(
                suspicion_id=name,
                market_id=order.market_id,
                district=address.district,
                compound=address.compound,
                reports=(report,),
            )
        else:
            known = facts.suspicion_of_row(row)
            after = known.with_report(report)
        if after == known:
            return
        version = row.version if row else 0
        try:
            world.table.write(Keep(facts.suspicion_row(after, version + 1), was=row.version if row else None))
        except Lost:
            continue
        now = world.clock()
        is_new = after.holds(now) and not (known is not None and known.holds(now))
        world.log(
            "closure_suspected",
            market=order.market_id,
            order=order.order_id,
            courier=courier_id,
            why=reason,
            result="held" if is_new else "noted",
        )
        if is_new:  # what waits for that place is told why
            world.queues.nudge(Topic.DISPATCH, [f"{order.market_id}:all"])
        return
    raise Lost([0])


def is_suspected(world: World, order: Order, now: datetime) -> bool:
    """True when nothing more goes to where the client is. For a gift whose plan is a while old: the plan has looked."""
    name = suspicion_id_of(order.delivery(facts.unseal_private(world.sealer, order)).drop_off.address)
    row = None if name is None else world.table.get(facts.suspicion_key(order.market_id, name))
    return row is not None and facts.suspicion_of_row(row).holds(now)


def suspicions(world: World, market_id: str) -> list[Suspicion]:
    """What is suspected now, the latest first. Raises `Missing` for a market that is not here."""
    from chalicelib.flows import enlist

    enlist.market(world, market_id)
    now = world.clock()
    found = facts.load_fleet(world.table, market_id).suspicions.values()
    return sorted((one for one in found if one.live(now)), key=lambda one: one.last_at, reverse=True)


def dismiss(world: World, market_id: str, suspicion_id: str) -> None:
    """Somebody has looked, and the place is open: gifts go there again. Doing it twice is harmless. Raises `Missing`
    for one that nobody has reported within a day."""
    key = facts.suspicion_key(market_id, suspicion_id)
    for _ in range(TRIES):
        row = world.table.get(key)
        if row is None:
            raise Missing(f"no suspicion {suspicion_id!r} in the market {market_id!r}")
        known = facts.suspicion_of_row(row)
        if known.reports:  # else whoever dismissed it may have been stopped just after
            after = known.dismissed(world.clock())
            try:
                world.table.write(Keep(facts.suspicion_row(after, row.version + 1), was=row.version))
            except Lost:
                continue
        world.queues.nudge(Topic.DISPATCH, [f"{market_id}:all"])
        return
    raise Delayed(f"the suspicion {suspicion_id!r} is being changed by somebody else")
