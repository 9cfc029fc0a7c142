"""Forget a client: at once what can be, the rest as each gift that is on its way ends; at the latest in a month.

What has been done is read off the rows, so it can be stopped anywhere and gone on with: the client's row stands in the
work index until a day after the end. First the gates close (no order is entered in the client's books any more, no
contact or consent taken), then the person's data key is dropped with all it opens, and then order by order what the
couriers needed.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from chalicelib.domain import acts, facts, given
from chalicelib.domain.acts import BRAND, CORDON, Act, Deed, change_row
from chalicelib.domain.client_rows import (
    CLIENT,
    ERASURES,
    PROOF,
    client_key,
    client_of_row,
    client_row,
    contact_key,
    data_key_of_client,
    tombstone_key,
)
from chalicelib.domain.clients import Client
from chalicelib.domain.due import is_over
from chalicelib.domain.erasure import LOOK, deadline, left_of_order, left_of_row, mark
from chalicelib.domain.errors import Delayed, Lost, Refused
from chalicelib.domain.given import Ledger, client_ledger_key, ledger_of_row, ledger_row
from chalicelib.domain.orders import Order
from chalicelib.domain.ports import Change, Drop, Keep, Row, Topic, World
from chalicelib.domain.retention import CONSENT_PROOF, MARK, TOMBSTONE, kept_until
from chalicelib.flows import cancel, enrol, look
from chalicelib.flows.place import HORIZON, LONGEST

TRIES = 5
PAGE = 100
TOGETHER = 25
"""Rows of a collection that are dropped in one write."""


def ask(world: World, brand_id: str, reference: str, by: str = BRAND) -> Client:
    """Have the client forgotten: from here on nothing new is begun for it. Doing it twice is harmless. Raises
    `Missing`."""
    for _ in range(TRIES):
        client = enrol.mark_of(world, brand_id, reference)
        if client.is_leaving:
            nudge(world, client.client_id)
            return client
        now = world.clock()
        changes = {"erasure_asked_at": now, "next_look": now, "version": client.version + 1}
        after = client.model_copy(update=changes)
        act = change_row(client.client_id, Act(at=now, by=by, did=Deed.ERASURE_ASKED), after.version)
        try:
            world.table.write(Keep(client_row(after), was=client.version), Keep(act, was=None))
        except Lost:
            continue
        world.log("erasure_asked", client=client.client_id, brand=brand_id)
        nudge(world, client.client_id)
        return after
    raise Delayed(f"the client {reference!r} is being changed by others")


def nudge(world: World, client_id: str) -> None:
    """Have its erasure gone on with."""
    world.queues.nudge(Topic.RULES, [f"erase:{client_id}"])


def nudge_waiting(world: World, limit: int = PAGE) -> int:
    """Nudge every erasure that is due; for the sweep."""
    keys = world.table.find_due(ERASURES, world.clock(), limit).keys
    for key in keys:
        nudge(world, key.pk)
    return len(keys)


def waiting_for(world: World, client: Client) -> list[str]:
    """The client's orders that are not erased yet."""
    return [order.order_id for order in look.orders_of_client(world, client.client_id) if not order.is_erased]


def forget(world: World, client_id: str) -> None:
    """Go on with the erasure of that client, as far as it goes by now."""
    row = world.table.get(client_key(client_id))
    client = None if row is None else client_of_row(row)
    if client is None or client.erasure_asked_at is None or client.next_look is None:
        return
    now = world.clock()
    if client.erased_at is not None and now < client.next_look:
        return
    _close_books(world, client_id, now)
    client = _bury(world, client)
    is_late = now >= deadline(client.erasure_asked_at or now)
    waits = False
    for order in look.orders_of_client(world, client_id):
        waits = not _erase_order(world, order, at_once=is_late) or waits
    _clear(world, client)
    if client.erased_at is not None:  # a day after: nothing more will come
        _save(world, client, client.model_copy(update={"next_look": None, "version": client.version + 1}))
    elif waits:
        later = {"next_look": now + LOOK, "version": client.version + 1}
        _save(world, client, client.model_copy(update=later))
    else:
        act = change_row(client_id, Act(at=now, by=CORDON, did=Deed.ERASED), client.version + 1)
        _save(world, client, mark(client, now), Keep(act, was=None), *_emptied(world, client))
        world.log("client_erased", client=client_id, brand=client.brand_id)


# --- the client -----------------------------------------------------------------------------------------------


def _close_books(world: World, client_id: str, now: datetime) -> None:
    """No order is entered for this client any more: who is about to loses its race for the year's book."""
    first, last = (now - LONGEST - timedelta(days=2)).year, (now + HORIZON + timedelta(days=2)).year
    for year in range(first, last + 1):
        key = client_ledger_key(client_id, year)
        for _ in range(TRIES):
            row = world.table.get(key)
            ledger = ledger_of_row(row)
            if ledger.closed_at is not None:
                break
            closed = ledger.model_copy(update={"closed_at": now})
            was = None if row is None else row.version
            try:
                world.table.write(Keep(ledger_row(key, closed, (was or 0) + 1), was=was))
            except Lost:
                continue
            break
        else:
            raise Delayed(f"gifts are being entered for the client {client_id!r}")


def _bury(world: World, client: Client) -> Client:
    """Drop the person: the data key, the sealed part, and what the client is found by, each contact leaving a stone."""
    if not client.sealed and not client.contacts:
        return client
    assert client.erasure_asked_at is not None
    brand_id, client_id = client.brand_id, client.client_id
    after = client.model_copy(
        update={
            "sealed": b"",
            "contacts": (),
            "consents": (),
            "channels": (),
            "associate_id": None,
            "version": client.version + 1,
        }
    )
    until = kept_until(TOMBSTONE, client.erasure_asked_at)
    changes: list[Change] = []
    stones = {name: tombstone_key(brand_id, name) for name in client.contacts}
    own = {name: contact_key(brand_id, name, client_id) for name in client.contacts}
    key = data_key_of_client(client_id)
    stored = {row.key: row for row in world.table.get_many(sorted({*stones.values(), *own.values(), key}))}
    for name in client.contacts:
        stone = stored.get(stones[name])
        was = None if stone is None else stone.version
        changes.append(Keep(Row(stones[name], (was or 0) + 1, "{}", expires_at=until), was=was))
        if own[name] in stored:
            changes.append(Drop(own[name], was=stored[own[name]].version))
    if key in stored:
        changes.append(Drop(key, was=stored[key].version))
    _save(world, client, after, *changes)
    return after


def _clear(world: World, client: Client) -> None:
    """Drop whatever else stands in the client's collection; what has to be shown later lapses in its own time."""
    asked = client.erasure_asked_at
    assert asked is not None
    until = kept_until(CONSENT_PROOF, asked)
    changes: list[Change] = []
    for row in world.table.read(client.client_id).rows:
        if row.key.sk.startswith(PROOF):
            if row.expires_at is None:
                lapsing = replace(row, version=row.version + 1, expires_at=until)
                changes.append(Keep(lapsing, was=row.version))
        elif row.key.sk != CLIENT and not row.key.sk.startswith((given.PREFIX, acts.PREFIX)):
            changes.append(Drop(row.key, was=row.version))
    for at in range(0, len(changes), TOGETHER):
        world.table.write(*changes[at : at + TOGETHER])


def _emptied(world: World, client: Client) -> list[Change]:
    """The client's books, closed and with nothing in them; they go with the mark."""
    assert client.erasure_asked_at is not None
    until = kept_until(MARK, client.erasure_asked_at)
    changes: list[Change] = []
    for row in world.table.read(client.client_id, given.PREFIX).rows:
        empty = Ledger(closed_at=ledger_of_row(row).closed_at)
        changes.append(Keep(ledger_row(row.key, empty, row.version + 1, until), was=row.version))
    return changes


def _save(world: World, before: Client, after: Client, *changes: Change) -> None:
    world.table.write(Keep(client_row(after), was=before.version), *changes)


# --- its orders -----------------------------------------------------------------------------------------------


def _erase_order(world: World, order: Order, *, at_once: bool) -> bool:
    """Erase it if it has ended, else ask for its end. True when nothing of it is left."""
    for _ in range(TRIES):
        if is_over(order) or at_once:
            return _blank(world, order)
        try:  # where its end was asked for already, that nudges once more
            asked = cancel.cancel(world, order.brand_id, order.order_id, order.version, by=CORDON)
        except Refused:  # it has moved, or a courier has it
            asked = facts.load_order(world.table, order.order_id)
        if asked.version == order.version:
            return False
        order = asked
    return False


def _blank(world: World, order: Order) -> bool:
    """Drop what is sealed in the order's collection, and words that may be about the client; the order's own part
    first."""
    changes: list[Change] = []
    if not order.is_erased:
        changes.append(facts.keep_order(left_of_order(order)))
    changes += [
        Keep(left, was=row.version)
        for row in world.table.read(order.order_id).rows
        if row.key.sk != facts.ORDER and (left := left_of_row(row)) is not None
    ]
    try:
        for at in range(0, len(changes), TOGETHER):
            world.table.write(*changes[at : at + TOGETHER])
    except Lost:  # it moved just now: the next look finds it as it is by then
        return False
    return True
