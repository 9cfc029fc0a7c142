"""Sum up what became of a campaign's gifts, page by page; and tell it of each client."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.domain import facts
from chalicelib.domain.campaign_rows import out_key, out_of_row, told_key, told_of_row
from chalicelib.domain.campaigns import Campaign, ClientOutcome, Foreseen, Placed, told
from chalicelib.domain.errors import Forgotten
from chalicelib.domain.lanes import Lane
from chalicelib.domain.lists import PAGE, Member
from chalicelib.domain.orders import Order, OrderState
from chalicelib.domain.ports import World
from chalicelib.domain.tallies import Tally, of_one
from chalicelib.flows.call_off import orders_of
from chalicelib.flows.walk import Walked
from chalicelib.flows.wish import members_on

WAITING = frozenset({OrderState.HELD, OrderState.STRANDED})
NOT_PLACED, REFUSED = "not_placed", "refused"


def page(world: World, campaign: Campaign, lane: Lane) -> Walked:
    """The next page of clients: the states of their orders, by tier, district and reason."""
    members = members_on(world, campaign, lane.page)
    tally = Tally()
    outcomes, orders, placed = _outcomes(world, campaign, lane.page, members)
    for outcome in outcomes:
        order = orders.get(outcome.client)
        if order is None:  # what a dry run says of somebody refuses nobody
            why = placed[outcome.client].reasons if outcome.client in placed else ()
            tally = tally.plus(of_one(REFUSED if why else NOT_PLACED, why))
            continue
        district, tier = _district(world, order), order.tier.name.lower()
        tally = tally.plus(of_one(order.state.value, outcome.reasons, district, tier))
    return Walked(tally)


def outcomes(
    world: World, campaign: Campaign, limit: int, after: int
) -> tuple[list[ClientOutcome], int | None]:
    """Some of its clients, from that place on, and where the next page starts: the number of a page and a place on it,
    as one number."""
    found: list[ClientOutcome] = []
    number, start = divmod(after, PAGE)
    while number < campaign.pages and len(found) < limit:
        members = members_on(world, campaign, number)[start:]
        some = members[: limit - len(found)]
        found += _outcomes(world, campaign, number, some)[0]
        if len(some) < len(members):
            return found, number * PAGE + start + len(some)
        number, start = number + 1, 0
    return found, number * PAGE if number < campaign.pages else None


def _outcomes(
    world: World, campaign: Campaign, page: int, members: Sequence[Member]
) -> tuple[list[ClientOutcome], dict[str, Order], dict[str, Placed]]:
    keys = [told_key(campaign.campaign_id, page), out_key(campaign.campaign_id, page)]
    rows = {row.key: row for row in world.table.get_many(keys)}
    foreseen: dict[str, Foreseen] = {}
    placed: dict[str, Placed] = {}
    if (row := rows.get(keys[0])) is not None:
        foreseen = {one.client: one for one in told_of_row(row).data}
    if (row := rows.get(keys[1])) is not None:
        placed = {one.client: one for one in out_of_row(row).data}
    orders = orders_of(world, campaign, members)
    return (
        [
            _outcome(
                member, foreseen.get(member.client), placed.get(member.client), orders.get(member.client)
            )
            for member in members
        ],
        orders,
        placed,
    )


def _outcome(
    member: Member, foreseen: Foreseen | None, placed: Placed | None, order: Order | None
) -> ClientOutcome:
    if order is None:
        by = placed or foreseen
        return ClientOutcome(
            client=member.client,
            foreseen=None if foreseen is None else foreseen.decision,
            reasons=() if by is None else by.reasons,
            tier=None if foreseen is None else foreseen.tier,
        )
    waits = order.outlook is not None and order.state in WAITING
    reasons = order.outlook.reasons if waits and order.outlook is not None else ()
    return ClientOutcome(
        client=member.client,
        foreseen=None if foreseen is None else foreseen.decision,
        order_id=order.order_id,
        state=order.state,
        tier=order.tier,
        reasons=tuple(dict.fromkeys(map(told, reasons))),
    )


def _district(world: World, order: Order) -> str | None:
    """Of a client who has been forgotten nobody knows it any more."""
    try:
        return facts.unseal_private(world.sealer, order).recipient.place.address.district
    except (Forgotten, ValueError):
        return None
