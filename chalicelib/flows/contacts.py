"""Find a brand's clients by what they are reached by, without anybody being able to read it off the table."""

from __future__ import annotations

from chalicelib.domain.client_rows import (
    ERASED,
    client_key,
    client_of_row,
    clients_shelf,
    contact_salt_key,
    contacts_of_brand,
    owner_of_brand,
)
from chalicelib.domain.clients import Client
from chalicelib.domain.contacts import Contact, unreadable
from chalicelib.domain.ports import World
from chalicelib.domain.retention import is_gone
from chalicelib.flows.make_secret import secret_of


def name_of(world: World, brand_id: str, contact: Contact) -> str:
    """Its unreadable name at that brand."""
    return unreadable(_salt(world, brand_id), brand_id, contact)


def clients_with(world: World, brand_id: str, contact: Contact) -> list[Client]:
    """The brand's clients that are reached by it: a household may share a number. Whoever is being erased is none."""
    prefix = f"{name_of(world, brand_id, contact)}#"
    rows = world.table.read(contacts_of_brand(brand_id), prefix).rows
    ids = [row.key.sk.removeprefix(prefix) for row in rows]
    keys = [client_key(client_id) for client_id in ids if client_id != ERASED]
    found = map(client_of_row, world.table.get_many(keys)) if keys else ()
    return sorted((one for one in found if not one.is_leaving), key=lambda client: client.reference)


def clients_of(
    world: World, brand_id: str, limit: int, after: str | None = None
) -> tuple[list[Client], str | None]:
    """A page of the brand's clients, the last enrolled first, marks of erased ones too; and where the next starts."""
    page = world.table.find_shelved(clients_shelf(brand_id), limit, after)
    rows = {row.key: row for row in world.table.get_many(page.keys)} if page.keys else {}
    now = world.clock()
    kept = [rows[key] for key in page.keys if key in rows and not is_gone(rows[key].expires_at, now)]
    return [client_of_row(row) for row in kept], page.after


def _salt(world: World, brand_id: str) -> bytes:
    """The brand's secret: made once, and never changed, or nobody would be found any more."""
    return secret_of(world, contact_salt_key(brand_id), f"contacts#{brand_id}", owner_of_brand(brand_id))
