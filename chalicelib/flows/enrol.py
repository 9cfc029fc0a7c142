"""Enrol a client: whole, idempotently, in one transaction with what it is found by and the proofs of its consents.

What is personal is sealed before anything else is written, under a data key that is made with the first client row or
a moment before it. Who stops between the two leaves a key that opens nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from chalicelib.domain.client_rows import (
    client_key,
    client_of_row,
    client_row,
    contact_key,
    data_key_of_client,
    proof_key,
    proof_row,
    seal_person,
    tombstone_key,
    unseal_person,
)
from chalicelib.domain.clients import Client, Consent, NewClient, Person, Purpose, client_id_of
from chalicelib.domain.consents import merged
from chalicelib.domain.contacts import contacts_of
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
from chalicelib.domain.retention import CONSENT_PROOF, is_gone, kept_until
from chalicelib.flows import contacts

TRIES = 5


def enrol(
    world: World,
    brand_id: str,
    reference: str,
    new: NewClient,
    *,
    version: int | None = None,
    replaces: bool = False,
) -> Client:
    """The client as it stands now. Sent in again as it is, nothing changes and nothing is written.

    `version`: the one it is to replace; `replaces`: whichever that is (a list that is imported). Raises
    `Unconditional` where a client stands otherwise and neither is said, `Stale` where it has moved, `Clashing` where
    the client, or somebody with one of these contacts, has been erased, and `Invalid` for a consent.
    """
    for _ in range(TRIES):
        before = _stored(world, client_id_of(brand_id, reference))
        if before is not None and before.is_leaving:
            raise Clashing(f"the client {reference!r} has been erased, and is not enrolled again")
        if before is None and version is not None:
            raise Stale(f'there is no client {reference!r}, If-Match named "v{version}"')
        after, proofs = _drafted(world, brand_id, reference, new, before)
        if after == before:
            return after
        if before is not None and not replaces:
            if version is None:
                raise Unconditional(f'the client {reference!r} is at "v{before.version}": If-Match names it')
            if version != before.version:
                raise Stale(f'the client is at "v{before.version}", If-Match named "v{version}"')
        changes = _changes(world, before, after, proofs, new)
        try:
            world.table.write(*changes)
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


# --- consents -----------------------------------------------------------------------------------------------


def agree(world: World, brand_id: str, reference: str, consents: Iterable[Consent]) -> Client:
    """Put these on record, given or withdrawn. Doing it twice is harmless. Raises as `client_of`, and `Invalid`."""
    given = tuple(consents)
    for _ in range(TRIES):
        before = client_of(world, brand_id, reference)
        last, proofs = merged(before.consents, given, world.clock())
        proofs = _news(world, before.client_id, last, proofs)
        if not proofs:
            return before
        after = before.model_copy(update={"consents": last, "version": before.version + 1})
        try:
            world.table.write(
                Keep(client_row(after), was=before.version), *_proven(world, before, after, proofs)
            )
        except Lost:
            continue
        world.log("consent_recorded", client=after.client_id, brand=brand_id, version=after.version)
        return after
    raise Delayed(f"the client {reference!r} is being changed by others")


def withdraw(
    world: World, brand_id: str, reference: str, purpose: Purpose, at: datetime, withdrawal: str
) -> Client:
    """The client agrees to it no more, from that moment. What it never agreed to is on record as well."""
    last = {consent.purpose: consent for consent in client_of(world, brand_id, reference).consents}
    known = last.get(purpose)
    if known is None:
        known = Consent(purpose=purpose, granted_at=at, evidence=withdrawal)
    changes = {"withdrawn_at": max(at, known.granted_at), "withdrawal": withdrawal}
    return agree(world, brand_id, reference, [known.model_copy(update=changes)])


# --- inside -------------------------------------------------------------------------------------------------


def _stored(world: World, client_id: str) -> Client | None:
    row = world.table.get(client_key(client_id))
    return None if row is None or is_gone(row.expires_at, world.clock()) else client_of_row(row)


def _drafted(
    world: World, brand_id: str, reference: str, new: NewClient, before: Client | None
) -> tuple[Client, tuple[Consent, ...]]:
    """The client as it is to stand, and the consents to be proven. What has not changed is not sealed anew."""
    now = world.clock()
    client_id = client_id_of(brand_id, reference)
    last, proofs = merged(before.consents if before else (), new.consents, now)
    proofs = _news(world, client_id, last, proofs)
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
    world: World, before: Client | None, after: Client, proofs: tuple[Consent, ...], new: NewClient
) -> list[Change]:
    """The transaction. Raises `Clashing` for a contact of somebody who was erased."""
    brand_id, client_id = after.brand_id, after.client_id
    had = set(before.contacts) if before else set()
    changes: list[Change] = [Keep(client_row(after), was=before.version if before else None)]
    gained = [name for name in after.contacts if name not in had]
    tombs = {tombstone_key(brand_id, name): name for name in gained}
    stones = {row.key: row for row in world.table.get_many(sorted(tombs))} if tombs else {}
    _refuse_buried(world, stones, tombs, _names(world, brand_id, new.person), new)
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
    return [*changes, *_proven(world, before, after, proofs)]


def _refuse_buried(
    world: World,
    stones: Mapping[Key, Row],
    tombs: Mapping[Key, str],
    fields: Mapping[str, str],
    new: NewClient,
) -> None:
    now = world.clock()
    standing = [tombs[key] for key, stone in stones.items() if not is_gone(stone.expires_at, now)]
    if not standing or new.returns is not None:
        return
    pointers = sorted({f"/person/{fields[name]}" for name in standing})
    raise Clashing(
        "somebody with one of these contacts was erased and is not enrolled again; `returns` says what proves that "
        "it is another person, or that this one has asked to come back",
        [Fault(pointer, "a contact of somebody who was erased") for pointer in pointers],
    )


def _news(
    world: World, client_id: str, last: Iterable[Consent], proofs: tuple[Consent, ...]
) -> tuple[Consent, ...]:
    """Those that are not on record yet, or whose end is not. Of what was renewed since there may be proof already, or
    none any more: a list that names it every night writes nothing."""
    standing = {consent.purpose: consent for consent in last}
    renewed = {proof_key(client_id, proof): proof for proof in proofs if standing[proof.purpose] != proof}
    if not renewed:
        return proofs
    now = world.clock()
    stored = {row.key: Consent.model_validate_json(row.body) for row in world.table.get_many(sorted(renewed))}
    known = set()
    for key, proof in renewed.items():
        over = proof.withdrawn_at or standing[proof.purpose].granted_at
        had = stored.get(key)
        is_on_record = had is not None and (proof.withdrawn_at is None or had.withdrawn_at is not None)
        if is_on_record or is_gone(kept_until(CONSENT_PROOF, over), now):
            known.add(key)
    return tuple(proof for proof in proofs if proof_key(client_id, proof) not in known)


def _proven(world: World, before: Client | None, after: Client, proofs: tuple[Consent, ...]) -> list[Change]:
    """The rows of these proofs, each kept while its consent stands and for its term after that; of what is renewed the
    term begins as well."""
    last = {consent.purpose: consent for consent in after.consents}
    former = {consent.purpose: consent for consent in (before.consents if before else ())}
    wanted = {proof_key(after.client_id, consent): consent for consent in proofs}
    for purpose, consent in former.items():
        if last.get(purpose) != consent:
            wanted.setdefault(proof_key(after.client_id, consent), consent)
    if not wanted:
        return []
    stored = {row.key: row for row in world.table.get_many(sorted(wanted))}
    changes: list[Change] = []
    for key, consent in wanted.items():
        over = consent.withdrawn_at
        if over is None and last.get(consent.purpose) != consent:
            over = last[consent.purpose].granted_at
        until = None if over is None else kept_until(CONSENT_PROOF, over)
        was = stored[key].version if key in stored else None
        row = proof_row(after.client_id, consent, 1 if was is None else was + 1, until)
        changes.append(Keep(row, was=was))
    return changes
