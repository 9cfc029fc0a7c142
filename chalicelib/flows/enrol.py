"""Enrol a client: whole, idempotently, in one transaction with what it is found by and the proofs of its consents.

What is personal is sealed before anything else is written, under a data key that is made with the first client row or
a moment before it. Who stops between the two leaves a key that opens nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.domain.acts import BRAND, Act, Deed, change_row
from chalicelib.domain.client_rows import (
    client_key,
    client_of_row,
    client_row,
    contact_key,
    data_key_of_client,
    seal_person,
    tombstone_key,
    unseal_person,
)
from chalicelib.domain.clients import Client, Consent, NewClient, Person, client_id_of
from chalicelib.domain.consents import merged
from chalicelib.domain.contacts import by_whatsapp, contacts_of
from chalicelib.domain.errors import (
    Clashing,
    Delayed,
    Fault,
    Forgotten,
    Lost,
    Missing,
    Stale,
    Unconditional,
)
from chalicelib.domain.ports import Change, Drop, Keep, Key, Require, Row, World
from chalicelib.domain.retention import is_gone
from chalicelib.flows import agree, contacts, narrow

TRIES = 5
NAMES_KEPT = 5
"""Of those a client has in WhatsApp."""


def enrol(
    world: World,
    brand_id: str,
    reference: str,
    new: NewClient,
    *,
    version: int | None = None,
    replaces: bool = False,
    by: str = BRAND,
) -> Client:
    """The client as it stands now. Sent in again as it is, nothing changes and nothing is written.

    `version`: the one it is to replace; `replaces`: whichever that is (a list that is imported); `by`: who acts. Raises
    `Unconditional` where a client stands otherwise and neither is said, `Stale` where it has moved, `Clashing` where
    the client, or somebody with one of these contacts, has been erased, and `Invalid` for a consent.
    """
    for _ in range(TRIES):
        row = world.table.get(client_key(client_id_of(brand_id, reference)))
        # a mark whose time is over, and that the table has not cleaned up yet, is none
        before = None if row is None or is_gone(row.expires_at, world.clock()) else client_of_row(row)
        if before is not None and before.is_leaving:
            raise Clashing(f"the client {reference!r} has been erased, and is not enrolled again")
        if before is None and version is not None:
            raise Stale(f'there is no client {reference!r}, If-Match named "v{version}"')
        if before is not None:
            new = new.model_copy(update={"person": _with_learnt(new.person, person_of(world, before))})
        after, proofs = _drafted(world, brand_id, reference, new, before)
        if before is None and row is not None:
            after = after.model_copy(update={"version": row.version + 1})
        if after == before:
            return after
        if before is not None and not replaces:
            if version is None:
                raise Unconditional(f'the client {reference!r} is at "v{before.version}": If-Match names it')
            if version != before.version:
                raise Stale(f'the client is at "v{before.version}", If-Match named "v{version}"')
        fields = _names(world, brand_id, new.person)
        changes = _changes(world, before, after, proofs, fields, returns=after.returns)
        act = Act(at=world.clock(), by=by, did=Deed.CLIENT_CHANGED)
        if before is not None:
            narrow.keep_home(world, before, after)
        try:
            world.table.write(*changes, Keep(change_row(after.client_id, act, after.version), was=None))
        except Lost:
            continue  # somebody was quicker: what stands there now says what is right
        world.log("client_enrolled", client=after.client_id, brand=brand_id, version=after.version)
        return after
    raise Delayed(f"the client {reference!r} is being changed by others")


def client_of(world: World, brand_id: str, reference: str) -> Client:
    """The brand's own client. Raises `Missing`, and `Forgotten` for one whose erasure has been asked for."""
    found = mark_of(world, brand_id, reference)
    if found.is_leaving:
        raise Forgotten(f"the client {reference!r} has been erased")
    return found


def mark_of(world: World, brand_id: str, reference: str) -> Client:
    """The same, or what is left of it. Raises `Missing`."""
    found = _stored(world, client_id_of(brand_id, reference))
    if found is None:
        raise Missing(f"no client {reference!r}")
    return found


def person_of(world: World, client: Client) -> Person:
    """Who it is. Raises `Forgotten`."""
    return unseal_person(world.sealer, client)


def by_id(world: World, client_id: str) -> Client:
    """The same by its id: whoever holds that knows whose it is. Raises `Missing` and `Forgotten`."""
    found = _stored(world, client_id)
    if found is None:
        raise Missing(f"no client {client_id!r}")
    if found.is_leaving:
        raise Forgotten(f"the client {client_id!r} has been erased")
    return found


def learn_whatsapp(world: World, client_id: str, name: str) -> Client:
    """The client speaks there under that name, a number or a business-scoped id, as it has just shown. The oldest of
    too many is forgotten. Doing it twice is harmless. Raises as `by_id`, and `Clashing` for one that is buried."""
    for _ in range(TRIES):
        before = by_id(world, client_id)
        person = person_of(world, before)
        if by_whatsapp(name) in {contact._replace(field="whatsapp") for contact in contacts_of(person)}:
            return before
        person = person.model_copy(update={"whatsapp": (*person.whatsapp, name)[-NAMES_KEPT:]})
        names = _names(world, before.brand_id, person)
        changes = {
            "sealed": seal_person(world.sealer, person, client_id),
            "contacts": tuple(names),
            "version": before.version + 1,
        }
        after = before.model_copy(update=changes)
        act = Act(at=world.clock(), by="client", did=Deed.CLIENT_CHANGED)
        rows = _changes(world, before, after, (), names, returns=before.returns)
        try:
            world.table.write(*rows, Keep(change_row(client_id, act, after.version), was=None))
        except Lost:
            continue
        return after
    raise Delayed(f"the client {client_id!r} is being changed by others")


# --- inside -------------------------------------------------------------------------------------------------


def _stored(world: World, client_id: str) -> Client | None:
    row = world.table.get(client_key(client_id))
    return None if row is None or is_gone(row.expires_at, world.clock()) else client_of_row(row)


def _with_learnt(new: Person, had: Person) -> Person:
    """With the ids that the client has shown in WhatsApp, as long as the phone is the same. A brand's list does not
    know them, and whoever is not found by one any more is not heard, not when the word is STOP."""
    learnt = [name for name in had.whatsapp if not name.isdigit() and name not in new.whatsapp]
    if not learnt or had.phone != new.phone:
        return new
    return new.model_copy(update={"whatsapp": (*learnt, *new.whatsapp)[-NAMES_KEPT:]})


def _drafted(
    world: World, brand_id: str, reference: str, new: NewClient, before: Client | None
) -> tuple[Client, tuple[Consent, ...]]:
    """The client as it is to stand, and the consents to be proven. What has not changed is not sealed anew."""
    now = world.clock()
    client_id = client_id_of(brand_id, reference)
    last, proofs = merged(before.consents if before else (), new.consents, now)
    proofs = agree.news(world, client_id, last, proofs)
    if before is not None and person_of(world, before) == new.person:
        sealed, found_by = before.sealed, before.contacts
    else:
        sealed = seal_person(world.sealer, new.person, client_id)
        found_by = tuple(_names(world, brand_id, new.person))
    after = Client(
        client_id=client_id,
        brand_id=brand_id,
        reference=reference,
        country=new.country,
        locale=new.locale,
        time_zone=new.time_zone,
        channels=new.channels,
        consents=last,
        associate_id=new.associate_id,
        contacts=found_by,
        returns=new.returns or (before.returns if before else None),
        created_at=before.created_at if before else now,
        version=before.version if before else 1,
        sealed=sealed,
    )
    if before is not None and (after != before or proofs):
        after = after.model_copy(update={"version": before.version + 1})
    return after, proofs


def _names(world: World, brand_id: str, person: Person) -> Mapping[str, str]:
    """The unreadable name of each contact, and the field it stands in."""
    return {contacts.name_of(world, brand_id, each): each.field for each in contacts_of(person)}


def _changes(
    world: World,
    before: Client | None,
    after: Client,
    proofs: tuple[Consent, ...],
    fields: Mapping[str, str],
    *,
    returns: str | None,
) -> list[Change]:
    """The transaction. Raises `Clashing` for a contact of somebody who was erased."""
    brand_id, client_id = after.brand_id, after.client_id
    had = set(before.contacts) if before else set()
    changes: list[Change] = [Keep(client_row(after), was=after.version - 1 or None)]
    gained = [name for name in after.contacts if name not in had]
    tombs = {tombstone_key(brand_id, name): name for name in gained}
    stones = {row.key: row for row in world.table.get_many(sorted(tombs))} if tombs else {}
    if returns is None:
        _refuse_buried(world, stones, tombs, fields)
    for key, name in tombs.items():
        stone = stones.get(key)
        changes.append(Keep(Row(contact_key(brand_id, name, client_id), 1, "{}"), was=None))
        changes.append(Require(key, None if stone is None else stone.version))
    changes += [
        Drop(contact_key(brand_id, name, client_id), was=1) for name in sorted(had - {*after.contacts})
    ]
    if (
        before is not None
    ):  # of one that is being erased the key is gone, or goes: nothing is sealed beside it
        changes.append(Require(data_key_of_client(client_id), 1))
    return [*changes, *agree.proven(world, before, after, proofs)]


def _refuse_buried(
    world: World, stones: Mapping[Key, Row], tombs: Mapping[Key, str], fields: Mapping[str, str]
) -> None:
    now = world.clock()
    standing = [tombs[key] for key, stone in stones.items() if not is_gone(stone.expires_at, now)]
    if not standing:
        return
    pointers = sorted({f"/person/{fields[name]}" for name in standing})
    raise Clashing(
        "somebody with one of these contacts was erased and is not enrolled again; `returns` says what proves that "
        "it is another person, or that this one has asked to come back",
        [Fault(pointer, "a contact of somebody who was erased") for pointer in pointers],
    )
