"""Hand out a campaign's gifts: a page of clients becomes a page of orders, nobody twice.

The id of an order follows from campaign and client, so a page that is done again finds what it had done. Orders go into
the table several to a transaction, each as whole as if it were alone: its row, and the books that caps are kept by.
Where one of them has been overtaken, all of that transaction are given one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from chalicelib.domain import facts
from chalicelib.domain.campaign_rows import lapses, out_key
from chalicelib.domain.campaigns import Campaign, Placed, PlacedPage
from chalicelib.domain.errors import Lost, Refused
from chalicelib.domain.lanes import Lane
from chalicelib.domain.orders import Order
from chalicelib.domain.ports import Change, Keep, Key, Row, Topic, World
from chalicelib.domain.tallies import Tally, of_one
from chalicelib.flows import give
from chalicelib.flows.walk import Walked
from chalicelib.flows.wish import Wished, ahead, homes_ahead, members_on, why_of, wishes

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
    near = ahead(world, campaign, members)
    wished_for = list(wishes(near, campaign, members))
    for some in _together(
        _drafts(homes_ahead(near, campaign, wished_for), campaign, wished_for, orders, reasons)
    ):
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
        )
    body = PlacedPage(data=tuple(told)).model_dump_json(exclude_defaults=True)
    kept = Row(out_key(campaign.campaign_id, lane.page), 1, body, expires_at=lapses(campaign))
    return Walked(tally, (Keep(kept, was=None),))


def _drafts(
    world: World,
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
            continue
        try:
            found = give.drafted(
                world, campaign.brand_id, wished.key, wished.wish, _by(campaign), campaign_id=campaign.campaign_id
            )  # fmt: skip
        except Refused as error:
            reasons[client] = why_of(error).value
            continue
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
    world: World,
    campaign: Campaign,
    some: Sequence[_Drafted],
    orders: dict[str, Order],
    reasons: dict[str, str],
) -> None:
    changes = [
        change for draft in some for change in (Keep(facts.order_row(draft.order), was=None), *draft.changes)
    ]
    try:
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
    try:
        order, _ = give.give(
            world, campaign.brand_id, wished.key, wished.wish, _by(campaign), campaign_id=campaign.campaign_id
        )
    except Refused as error:
        reasons[client] = why_of(error).value
    else:
        orders[client] = order


def _by(campaign: Campaign) -> str:
    return f"campaign:{campaign.campaign_id}"
