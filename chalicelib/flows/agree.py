"""Put on record what a client agrees to, and no more; every consent leaves its proof, in the same transaction."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from chalicelib.domain.acts import BRAND, Act, Deed, change_row
from chalicelib.domain.client_rows import client_row, proof_key, proof_row
from chalicelib.domain.clients import Client, Consent, Purpose
from chalicelib.domain.consents import merged
from chalicelib.domain.errors import Delayed, Lost
from chalicelib.domain.ports import Change, Keep, World
from chalicelib.domain.retention import CONSENT_PROOF, is_gone, kept_until
from chalicelib.flows import narrow

TRIES = 5


def agree(world: World, client_id: str, consents: Iterable[Consent], by: str = BRAND) -> Client:
    """Put these on record, given or withdrawn; `by`: who says so. Doing it twice is harmless. Raises `Missing`,
    `Forgotten`, and `Invalid` for a consent."""
    from chalicelib.flows import enrol

    given = tuple(consents)
    for _ in range(TRIES):
        before = enrol.by_id(world, client_id)
        last, proofs = merged(before.consents, given, world.clock())
        proofs = news(world, client_id, last, proofs)
        if not proofs:
            return before
        after = before.model_copy(update={"consents": last, "version": before.version + 1})
        rows = proven(world, before, after, proofs)
        act = change_row(client_id, Act(at=world.clock(), by=by, did=Deed.CONSENT_CHANGED), after.version)
        narrow.keep_home(world, before, after)
        try:
            world.table.write(Keep(client_row(after), was=before.version), Keep(act, was=None), *rows)
        except Lost:
            continue
        world.log("consent_recorded", client=client_id, brand=after.brand_id, version=after.version)
        return after
    raise Delayed(f"the client {client_id!r} is being changed by others")


def withdraw(
    world: World,
    client_id: str,
    purposes: Iterable[Purpose],
    at: datetime,
    withdrawal: str,
    by: str = BRAND,
) -> Client:
    """The client agrees to these no more, from that moment. What it never agreed to is on record as well. Raises as
    `agree`."""
    from chalicelib.flows import enrol

    last = {consent.purpose: consent for consent in enrol.by_id(world, client_id).consents}
    ended = []
    for purpose in purposes:
        known = last.get(purpose) or Consent(purpose=purpose, granted_at=at, evidence=withdrawal)
        ended.append(
            known.model_copy(update={"withdrawn_at": max(at, known.granted_at), "withdrawal": withdrawal})
        )
    return agree(world, client_id, ended, by)


def news(
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


def proven(world: World, before: Client | None, after: Client, proofs: tuple[Consent, ...]) -> list[Change]:
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
    # of a new client there is none yet
    stored = {row.key: row for row in world.table.get_many(sorted(wanted))} if after.version > 1 else {}
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
