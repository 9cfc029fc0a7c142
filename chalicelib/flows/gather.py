"""Gather whom a campaign is for, a page at a time: off a list, or by a rule over the brand's clients.

A rule is asked once: who is enrolled later, or comes to a tier later, is not in it. It reads the index of the brand's
clients, which lags by a moment.
"""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.domain import lists
from chalicelib.domain.campaign_rows import lapses, page_key
from chalicelib.domain.campaigns import Campaign, Rule, place_in
from chalicelib.domain.client_rows import client_of_row, clients_shelf
from chalicelib.domain.clients import Client
from chalicelib.domain.errors import Forgotten
from chalicelib.domain.given import client_ledger_key, ledger_of_row
from chalicelib.domain.lanes import Lane
from chalicelib.domain.lists import PAGE, Member, members_of_row, members_row
from chalicelib.domain.places import Market
from chalicelib.domain.ports import Keep, Key, Row, World
from chalicelib.domain.programme import NOTHING, programme_key, programme_of_row
from chalicelib.domain.standing import Standing, held, standing_key, standing_of_row
from chalicelib.domain.tallies import Tally, of_one
from chalicelib.flows import cap, enlist, enrol, rank
from chalicelib.flows.walk import Walked

LISTED, PASSED_BY = "listed", "passed_by"


def page(world: World, campaign: Campaign, lane: Lane) -> Walked:
    """The next page of clients, and who of the brand's was passed by."""
    if campaign.audience.rule is None:
        return _off_list(world, campaign, lane)
    return _by_rule(world, campaign, campaign.audience.rule, lane)


def _off_list(world: World, campaign: Campaign, lane: Lane) -> Walked:
    assert campaign.audience.list_id is not None
    row = world.table.get(lists.members_key(campaign.audience.list_id, lane.page))
    members = () if row is None else members_of_row(row)
    kept = members_row(page_key(campaign.campaign_id, lane.page), members, lapses(campaign))
    tally = Tally(clients=len(members), outcomes={LISTED: len(members)} if members else {})
    return Walked(tally, (Keep(kept, was=None),))


def _by_rule(world: World, campaign: Campaign, rule: Rule, lane: Lane) -> Walked:
    found = world.table.find_shelved(clients_shelf(campaign.brand_id), PAGE, lane.after)
    rows = {row.key: row for row in world.table.get_many(found.keys)}
    clients = [client_of_row(rows[key]) for key in found.keys if key in rows]
    beside = _beside(world, campaign, rule, clients)
    had = _had(world, campaign, rule, clients, beside)
    market = enlist.market(world, campaign.market_id)
    tally, members = Tally(), []
    for client in clients:
        why, place = _passed_by(world, campaign, rule, client, beside, had, market)
        tally = tally.plus(of_one(LISTED if why is None else PASSED_BY, () if why is None else (why,)))
        if why is None:
            members.append(Member(client=client.reference, place=place))
    if not members:
        return Walked(tally, after=found.after)
    key = page_key(campaign.campaign_id, lane.beside)
    kept = members_row(key, tuple(members), lapses(campaign))
    return Walked(tally, (Keep(kept, was=None),), found.after, beside=1)


def _beside(world: World, campaign: Campaign, rule: Rule, clients: Iterable[Client]) -> dict[Key, Row]:
    """What the rule asks beside the clients themselves, in one reading."""
    keys = []
    for client in clients:
        if rule.tier_at_least > 1:
            keys.append(standing_key(client.client_id))
        if rule.open_occasion is not None:
            keys.append(client_ledger_key(client.client_id, campaign.day.year))
    if rule.tier_at_least > 1:
        keys.append(programme_key(campaign.brand_id))
    return {row.key: row for row in world.table.get_many(keys)} if keys else {}


def _had(
    world: World, campaign: Campaign, rule: Rule, clients: Iterable[Client], beside: dict[Key, Row]
) -> set[str]:
    """Which of them have, or will have, a gift for the occasion that the rule names. What was cancelled stands in their
    books until somebody looks."""
    if rule.open_occasion is None:
        return set()
    books = {client.client_id: client_ledger_key(client.client_id, campaign.day.year) for client in clients}
    listed = {
        gift.order_id: client_id
        for client_id, key in books.items()
        for gift in ledger_of_row(beside.get(key)).gifts
        if gift.occasion == rule.open_occasion and not gift.struck
    }
    gone = set(cap.came_to_nothing(world, listed)) if listed else set()
    return {client_id for order_id, client_id in listed.items() if order_id not in gone}


def _passed_by(
    world: World,
    campaign: Campaign,
    rule: Rule,
    client: Client,
    beside: dict[Key, Row],
    had: set[str],
    market: Market,
) -> tuple[str | None, str | None]:
    """Why that client is not meant; or the name of the place in the market, where there is one."""
    now = world.clock()
    if client.is_leaving:
        return "erased", None
    if rule.country is not None and client.country != rule.country:
        return "country", None
    if rule.associate_id is not None and client.associate_id != rule.associate_id:
        return "associate", None
    if rule.consent is not None and not client.agrees_to(rule.consent, now):
        return "consent_missing", None
    if rule.tier_at_least > 1 and _tier(world, campaign, client, beside) < rule.tier_at_least:
        return "below_tier", None
    if client.client_id in had:
        return "occasion_given", None
    try:
        places = enrol.person_of(world, client).places
    except Forgotten:
        return "erased", None
    place = place_in(places, None, market)
    is_inside = place is not None and market.holds(places[place].coordinate)
    if rule.in_market and not is_inside:
        return "outside_market", None
    return None, place if is_inside else None


def _tier(world: World, campaign: Campaign, client: Client, beside: dict[Key, Row]) -> int:
    programme = beside.get(programme_key(campaign.brand_id))
    row = beside.get(standing_key(client.client_id))
    standing = Standing(client_id=client.client_id) if row is None else standing_of_row(row)
    now = world.clock()
    return held(
        standing,
        NOTHING if programme is None else programme_of_row(programme),
        now,
        client.time_zone,
        is_ranked=rank.ranks(client, now),
    ).tier
