"""Name a brand's associates, and find the clients that each may act for: his own, and nobody else's."""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.domain.associates import (
    PREFIX,
    Associate,
    NewAssociate,
    associate_key,
    associate_of_row,
    associate_row,
    sealed_name,
    view,
)
from chalicelib.domain.client_rows import client_key, client_of_row
from chalicelib.domain.clients import Client
from chalicelib.domain.errors import Forbidden, Lost, Missing, Stale, Unconditional
from chalicelib.domain.keys import Caller, Role
from chalicelib.domain.orders import Order
from chalicelib.domain.ports import Keep, World
from chalicelib.flows import enrol, look


def put_associate(
    world: World, brand_id: str, associate_id: str, new: NewAssociate, version: int | None
) -> Associate:
    """The associate as it stands now; the same again changes nothing. Raises `Unconditional` where one stands
    otherwise and `version` is not said, and `Stale` where it has moved."""
    row = world.table.get(associate_key(brand_id, associate_id))
    before = None if row is None else associate_of_row(row)
    told = dict(new)
    if before is not None and all(getattr(view(world.sealer, before), name) == told[name] for name in told):
        return before
    if before is None and version is not None:
        raise Stale(f'there is no associate {associate_id!r}, If-Match named "v{version}"')
    if before is not None and version is None:
        raise Unconditional(f'the associate {associate_id!r} is at "v{before.version}": If-Match names it')
    if before is not None and version != before.version:
        raise Stale(f'the associate is at "v{before.version}", If-Match named "v{version}"')
    name = told.pop("name")
    after = Associate(
        associate_id=associate_id,
        brand_id=brand_id,
        name_sealed=sealed_name(world.sealer, brand_id, associate_id, name),
        changed_at=world.clock(),
        version=1 if before is None else before.version + 1,
        **told,
    )
    try:
        world.table.write(Keep(associate_row(after), was=before.version if before else None))
    except Lost:
        raise Stale("the associate was changed meanwhile; read it again") from None
    world.log("associate_named", brand=brand_id, associate=associate_id, version=after.version)
    return after


def associate_of(world: World, brand_id: str, associate_id: str) -> Associate:
    """Raises `Missing`."""
    row = world.table.get(associate_key(brand_id, associate_id))
    if row is None:
        raise Missing(f"no associate {associate_id!r}")
    return associate_of_row(row)


def of_brand(world: World, brand_id: str) -> list[Associate]:
    """All of them, by name."""
    return [associate_of_row(row) for row in world.table.read(f"brand#{brand_id}", PREFIX).rows]


# --- whom the caller may act for ------------------------------------------------------------------------------


def client_for(world: World, who: Caller, reference: str) -> Client:
    """The client that this caller may act for: of its brand, and an associate's own. Anybody else's looks like none.

    Raises `Missing`, `Forgotten` for one whose erasure has been asked for, and `Forbidden` for an associate who acts
    for nobody any more.
    """
    if who.role is Role.ASSOCIATE:
        associate = active(world, who)
        if not associate.acts_for(enrol.mark_of(world, who.owner, reference)):
            raise Missing(f"no client {reference!r}")
    return enrol.client_of(world, who.owner, reference)


def of_these(world: World, who: Caller, clients: Iterable[Client]) -> list[Client]:
    """Those that this caller may act for. Raises `Forbidden`."""
    if who.role is not Role.ASSOCIATE:
        return list(clients)
    associate = active(world, who)
    return [client for client in clients if associate.acts_for(client)]


def order_for(world: World, who: Caller, order_id: str) -> Order:
    """The order that this caller may see: of its brand, and for an associate those for his own clients. Raises
    `Missing`."""
    order = look.own_order(world, who.owner, order_id)
    if who.role is not Role.ASSOCIATE:
        return order
    associate = active(world, who)
    row = None if order.client_id is None else world.table.get(client_key(order.client_id))
    if row is None or not associate.acts_for(client_of_row(row)):
        raise Missing(f"no order {order_id!r}")
    return order


def active(world: World, who: Caller) -> Associate:
    """The associate behind that key. Raises `Forbidden` where the brand has not named him, or takes him back."""
    row = world.table.get(associate_key(who.owner, who.associate_id or ""))
    found = None if row is None else associate_of_row(row)
    if found is None or found.disabled:
        raise Forbidden("the brand has no associate behind this key who may act")
    return found
