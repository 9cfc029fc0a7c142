"""What each client on a page of a campaign is to get: an order as the brand would have handed it in, or why none.

Everything that is asked of every client is read ahead for the whole page, a hundred keys a call. What is written rests
on the versions that were read, so what has changed since is found by the write, and read anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from chalicelib.domain import facts
from chalicelib.domain.ahead import Ahead
from chalicelib.domain.campaign_rows import page_key, unseal_contact
from chalicelib.domain.campaigns import Campaign, Why, order_name, place_in, window_for
from chalicelib.domain.client_rows import client_key, client_of_row, data_key_of_client
from chalicelib.domain.clients import client_id_of
from chalicelib.domain.contacts import Contact
from chalicelib.domain.errors import Clashing, Forgotten, Invalid, Refused
from chalicelib.domain.given import client_ledger_key, counting, home_ledger_key, years_of
from chalicelib.domain.lists import Member, members_of_row
from chalicelib.domain.orders import PickUp, Tier, order_id_of
from chalicelib.domain.places import Address, Market
from chalicelib.domain.ports import Key, Row, World
from chalicelib.domain.programme import NOTHING, programme_key, programme_of_row
from chalicelib.domain.quotas import household_of
from chalicelib.domain.standing import standing_key
from chalicelib.domain.wishes import OrderWish
from chalicelib.flows import contacts, enlist, enrol


class Wished(NamedTuple):
    """One client's gift."""

    member: Member
    key: str
    """The idempotency key of the order."""
    wish: OrderWish | None = None
    why: Why | None = None
    """Why there is none."""
    address: Address | None = None

    @property
    def district(self) -> str | None:
        return None if self.address is None else self.address.district


class Near(NamedTuple):
    """The world, and what has been read ahead of it."""

    world: World
    rows: Mapping[Key, Row]


def members_on(world: World, campaign: Campaign, page: int) -> tuple[Member, ...]:
    """Who stands on that page."""
    row = world.table.get(page_key(campaign.campaign_id, page))
    return () if row is None else members_of_row(row)


def ahead(world: World, campaign: Campaign, members: Iterable[Member]) -> Near:
    """The world as it is, with what will be asked of these clients read ahead."""
    keys = [programme_key(campaign.brand_id)]
    for member in members:
        client_id = client_id_of(campaign.brand_id, member.client)
        order_id = order_id_of(campaign.brand_id, order_name(campaign.campaign_id, member.client))
        keys += [client_key(client_id), standing_key(client_id), facts.order_key(order_id)]
        keys += [client_ledger_key(client_id, campaign.day.year), data_key_of_client(client_id)]
    table = Ahead(world.table, keys)
    return Near(replace(world, table=table), table.rows)


def wishes(near: Near, campaign: Campaign, members: Iterable[Member]) -> Iterator[Wished]:
    """Of each of them, in their order."""
    world = near.world
    on = _Shop(
        enlist.market(world, campaign.market_id),
        PickUp(
            name=campaign.pick_up_name,
            place=campaign.pick_up_place,
            contact=unseal_contact(world.sealer, campaign),
        ),
    )
    for member in members:
        yield _wished(near, campaign, on, member)


def homes_ahead(near: Near, campaign: Campaign, wished: Iterable[Wished]) -> World:
    """The same world with the books of their households read ahead as well, where the brand's caps count those."""
    row = near.rows.get(programme_key(campaign.brand_id))
    caps = NOTHING.caps if row is None else programme_of_row(row).caps
    keys = []
    for one in wished:
        if one.wish is None or one.address is None:
            continue
        counted = counting(caps, "household", one.wish.occasion)
        if counted:
            said = Contact("household", household_of(one.address), "address")
            name = contacts.name_of(near.world, campaign.brand_id, said)
            keys += [home_ledger_key(name, year) for year in years_of(counted, campaign.day)]
    world = near.world
    return replace(world, table=Ahead(world.table, list(dict.fromkeys(keys)))) if keys else world


@dataclass(frozen=True)
class _Shop:
    """What all of them share."""

    market: Market
    pick_up: PickUp


def _wished(near: Near, campaign: Campaign, on: _Shop, member: Member) -> Wished:
    found = Wished(member, order_name(campaign.campaign_id, member.client))
    row = near.rows.get(client_key(client_id_of(campaign.brand_id, member.client)))
    if row is None:
        return found._replace(why=Why.UNKNOWN_CLIENT)
    client = client_of_row(row)
    if client.is_leaving:
        return found._replace(why=Why.ERASED)
    try:
        person = enrol.person_of(near.world, client)
    except Forgotten:
        return found._replace(why=Why.ERASED)
    name = place_in(person.places, member.place, on.market)
    if name is None:
        return found._replace(why=Why.NO_PLACE if member.place is None else Why.NO_SUCH_PLACE)
    place = person.places[name]
    found = found._replace(address=place.address)
    if not on.market.holds(place.coordinate):
        return found._replace(why=Why.OUTSIDE_MARKET)
    if person.phone is None:
        return found._replace(why=Why.NO_PHONE)
    window = window_for(campaign.hours, campaign.day, place.address.district, on.market.time_zone)
    if window is None:
        return found._replace(why=Why.NO_HOURS)
    wish = OrderWish.model_construct(
        market=campaign.market_id,
        reference=campaign.reference,
        gift=campaign.gift,
        pick_up=on.pick_up,
        window=window,
        tier=None if member.tier is None else Tier(member.tier),
        fallback=campaign.fallback,
        client=member.client,
        place=name,
        occasion=member.occasion or campaign.occasion,
    )
    return found._replace(wish=wish)


_BY_POINTER: Mapping[str, Why] = {
    "/tier": Why.TIER_ABOVE_STANDING,
    "/window/start": Why.WINDOW_CLOSED,
    "/window/end": Why.WINDOW_CLOSED,
    "/place": Why.NO_SUCH_PLACE,
}


def why_of(error: Refused) -> Why:
    """Why an order is refused, as a word that can be counted."""
    if isinstance(error, Forgotten):
        return Why.ERASED
    if isinstance(error, Clashing):
        return Why.CAP_REACHED
    if isinstance(error, Invalid) and error.faults:
        return _BY_POINTER.get(error.faults[0].pointer, Why.INVALID)
    return Why.INVALID
