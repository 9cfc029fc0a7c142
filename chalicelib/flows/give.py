"""Give a gift to a client who is enrolled: the order says who, the rest is known here.

One transaction places the order and enters it in the books that caps are kept by. The address is copied into the order,
sealed as every order's is: dispatch opens thousands of orders a minute, and cannot ask for each client's own key.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from chalicelib.domain import facts
from chalicelib.domain.acts import BRAND
from chalicelib.domain.associates import Associate
from chalicelib.domain.client_rows import client_key, client_of_row
from chalicelib.domain.clients import Client, Person, client_id_of
from chalicelib.domain.errors import Delayed, Fault, Forgotten, Invalid, Lost
from chalicelib.domain.given import Given
from chalicelib.domain.jurisdictions import stays_in
from chalicelib.domain.orders import NewOrder, Order, Recipient, Tier, fingerprint_of, order_id_of
from chalicelib.domain.ports import Change, Keep, Row, Topic, World
from chalicelib.domain.programme import NOTHING, NewProgramme, programme_key, programme_of_row
from chalicelib.domain.standing import Standing, held, standing_key, standing_of_row
from chalicelib.domain.steps import placed
from chalicelib.domain.wishes import OrderWish
from chalicelib.flows import cap, enrol, rank, stand_in
from chalicelib.flows.place import (
    faults_of,
    market_of,
    private_of,
    relay_faults_of,
    repeated,
    safeguard_faults_of,
)

TRIES = 10
"""As often as others may be giving to the same client at the same moment."""


class Drafted(NamedTuple):
    """An order that could be placed now, and what else is written with it."""

    order: Order
    changes: list[Change]


def give(
    world: World,
    brand_id: str,
    idempotency_key: str,
    wish: OrderWish,
    by: str = BRAND,
    *,
    campaign_id: str | None = None,
    associate: Associate | None = None,
) -> tuple[Order, bool]:
    """The order, and whether it had been placed before by the same request.

    `by`: who acts (`acts.Actor`); `associate`: only for clients of that one. Raises `Invalid` for a client,
    a place or a tier that cannot be, and whatever `place` raises it for; `Clashing` for a cap that is reached;
    `Forgotten` for a client who is being erased.
    """
    for _ in range(TRIES):
        found = drafted(
            world, brand_id, idempotency_key, wish, by, campaign_id=campaign_id, associate=associate
        )
        if isinstance(found, Order):
            return repeated(world, found, fingerprint_of(idempotency_key, wish)), True
        order = found.order
        try:
            world.table.write(Keep(facts.order_row(order), was=None), *found.changes)
        except Lost:
            continue  # the same order, or another gift to the same client, was quicker
        facts.note_step(world.log, order)
        world.queues.nudge(Topic.DISPATCH, [order.market_id])
        world.queues.nudge(
            Topic.TELL, [order.order_id]
        )  # its client: who knows when it moves for the first time
        return order, False
    raise Delayed("others are giving to the same client at the same moment")


def drafted(
    world: World,
    brand_id: str,
    idempotency_key: str,
    wish: OrderWish,
    by: str = BRAND,
    *,
    campaign_id: str | None = None,
    associate: Associate | None = None,
) -> Drafted | Order:
    """What `give` would write, or the order that stands under this key. Nothing is written; raises as `give` does."""
    if wish.client is None:
        raise Invalid("/client: a client was expected", [Fault("/client", "a client was expected")])
    now = world.clock()
    market = market_of(world, wish.market)
    client_id = client_id_of(brand_id, wish.client)
    order_key = facts.order_key(order_id_of(brand_id, idempotency_key))
    keys = [order_key, client_key(client_id), standing_key(client_id), programme_key(brand_id)]
    rows = {row.key: row for row in world.table.get_many(keys)}
    client = enrolled(rows.get(keys[1]), associate)
    if order_key in rows:  # whatever has become of the client: the same request has the same answer for ever
        return facts.order_of_row(rows[order_key])
    if client.is_leaving:
        raise Forgotten("the client has been erased")
    programme_row = rows.get(keys[3])
    programme: NewProgramme = NOTHING if programme_row is None else programme_of_row(programme_row)
    tier = tier_of(world, wish.tier, client, rows.get(keys[2]), programme)
    new = _resolved(wish, enrol.person_of(world, client), tier)
    faults = [*faults_of(market, new, now), *relay_faults_of(market, new, now), *safeguard_faults_of(new)]
    if faults:
        faults = [_of_place(each) for each in faults]
        raise Invalid(f"{faults[0].pointer}: {faults[0].detail}", faults)
    order = placed(new, brand_id, idempotency_key, market, now)
    private = private_of(world, new)
    order = order.model_copy(
        update={
            "fingerprint": fingerprint_of(idempotency_key, wish),
            "client_id": client.client_id,
            "occasion": wish.occasion,
            "campaign_id": campaign_id,
            "stays_in": stays_in(client, now),
            "sealed": facts.seal_private(world.sealer, private, order.order_id),
        }
    )
    order = stand_in.patient(order, programme.fallback)
    day = cap.day_of(client, wish.window.start)
    given = Given(order_id=order.order_id, day=day, occasion=wish.occasion, by=by, at=now)
    return Drafted(order, cap.books(world, client, programme.caps, given, new.recipient.place.address))


def enrolled(row: Row | None, associate: Associate | None) -> Client:
    """Who it is for. Whose client it is not looks to an associate like nobody."""
    client = None if row is None else client_of_row(row)
    if client is None or (associate is not None and not associate.acts_for(client)):
        detail = "a client who is enrolled was expected"
        raise Invalid(f"/client: {detail}", [Fault("/client", detail)])
    return client


def _of_place(fault: Fault) -> Fault:
    """The same of the place, where the body has no recipient."""
    return replace(fault, pointer="/place") if fault.pointer.startswith("/recipient") else fault


def _resolved(wish: OrderWish, person: Person, tier: Tier) -> NewOrder:
    """The order with a recipient. Nothing of the person is in what it raises."""
    name = wish.place or next(iter(person.places), None)
    faults = []
    if name is None:
        faults.append(Fault("/client", "a client with a place was expected"))
    elif name not in person.places:
        faults.append(Fault("/place", "one of the client's places was expected"))
    if person.phone is None:
        faults.append(Fault("/client", "a client with a phone was expected: couriers ask for one"))
    if faults or name is None or person.phone is None:
        raise Invalid(f"{faults[0].pointer}: {faults[0].detail}", faults)
    told = {field: getattr(wish, field) for field in NewOrder.model_fields}
    recipient = Recipient(name=person.name, phone=person.phone, place=person.places[name])
    return NewOrder.model_construct(**{**told, "recipient": recipient, "tier": tier})


def tier_of(
    world: World, wished: Tier | None, client: Client, row: Row | None, programme: NewProgramme
) -> Tier:
    """What the standing says; or what the order states, if that is no more. A brand that has no tiers here keeps them
    elsewhere, and is believed."""
    now = world.clock()
    standing = Standing(client_id=client.client_id) if row is None else standing_of_row(row)
    tier = held(standing, programme, now, client.time_zone, is_ranked=rank.ranks(client, now)).tier
    if wished is None or wished == tier:
        return tier
    if wished > tier and (programme.tiers or standing.grants):
        detail = (
            f"at most {tier.name.lower()} was expected, as the client's standing says: grant the tier first"
        )
        raise Invalid(f"/tier: {detail}", [Fault("/tier", detail, wished.name.lower())])
    return wished
