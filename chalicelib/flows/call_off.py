"""Take back the gifts of a campaign that is called off, as far as no courier has them: a page of clients at a time.

Orders are found by their ids, which follow from campaign and client, and not by what placing has written down: a run
that was stopped, or that is still at it, has told nobody. So it goes through everything twice (`proceed.GRACE`).
"""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.domain import facts
from chalicelib.domain.campaigns import Campaign, order_name
from chalicelib.domain.errors import Clashing, Delayed, Stale
from chalicelib.domain.lanes import Lane
from chalicelib.domain.lists import Member
from chalicelib.domain.orders import ENDED, Order, OrderState, order_id_of
from chalicelib.domain.ports import World
from chalicelib.domain.tallies import Tally, of_one
from chalicelib.flows.cancel import cancel
from chalicelib.flows.look import any_order
from chalicelib.flows.walk import Walked
from chalicelib.flows.wish import members_on

TRIES = 5
CANCELLED, TOO_LATE, NEVER_PLACED = "cancelled", "too_late", "never_placed"


def page(world: World, campaign: Campaign, lane: Lane) -> Walked:
    """The next page of clients; each gift is cancelled as if the brand had asked for it."""
    members = members_on(world, campaign, lane.page)
    orders = orders_of(world, campaign, members)
    tally = Tally()
    for member in members:
        order = orders.get(member.client)
        outcome = NEVER_PLACED if order is None else _ended(world, campaign, order)
        tally = tally.plus(of_one(outcome, tier=None if order is None else order.tier.name.lower()))
    return Walked(tally)


def orders_of(world: World, campaign: Campaign, members: Sequence[Member]) -> dict[str, Order]:
    """The orders of these clients that there are."""
    ids = {
        member.client: order_id_of(campaign.brand_id, order_name(campaign.campaign_id, member.client))
        for member in members
    }
    rows = world.table.get_many([facts.order_key(order_id) for order_id in ids.values()])
    found = {order.order_id: order for order in facts.readable(rows, world.log)}
    return {client: found[order_id] for client, order_id in ids.items() if order_id in found}


def _has_gone(order: Order) -> bool:
    """Its end was asked for, and its courier set out all the same."""
    is_over = order.state in ENDED and order.state is not OrderState.CANCELLED
    return is_over or order.state in (OrderState.PICKED_UP, OrderState.RETURNING)


def _ended(world: World, campaign: Campaign, order: Order) -> str:
    for _ in range(TRIES):
        if order.cancel_asked_at is not None:
            return TOO_LATE if _has_gone(order) else CANCELLED
        try:
            by = f"campaign:{campaign.campaign_id}"
            cancel(world, campaign.brand_id, order.order_id, order.version, by=by)
        except Stale:
            order = any_order(world, order.order_id)
        except Clashing:
            return TOO_LATE
        else:
            return CANCELLED
    raise Delayed(f"the order {order.order_id!r} moves on faster than it can be cancelled")
