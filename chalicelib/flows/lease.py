"""One planner a market at a time. Two at once would still be safe (every write is conditional), only wasteful.

A nudge that meets the lease sets `again`, which whoever holds it reads on release: no nudge is lost between.
"""

from __future__ import annotations

from datetime import timedelta

from chalicelib.domain import facts
from chalicelib.domain.errors import Lost
from chalicelib.domain.ports import Keep, Key, Row, World
from chalicelib.domain.shapes import Instant, Shape

LIFE = timedelta(seconds=60)
TRIES = 5


class Lease(Shape):
    """Who plans a market now, until when, and whether there is more to do."""

    holder: str = ""
    until: Instant
    again: bool = False


def take(world: World, market_id: str) -> str | None:
    """The holder's name of a fresh lease; None when another planner is at it, which then goes round again."""
    key = facts.lease_key(market_id)
    holder = world.token()[:16]
    for _ in range(TRIES):
        now = world.clock()
        row = world.table.get(key)
        held = Lease.model_validate_json(row.body) if row else None
        busy = held is not None and held.holder != "" and held.until > now
        if busy and held is not None:
            if held.again:
                return None
            after = held.model_copy(update={"again": True})
        else:
            after = Lease(holder=holder, until=now + LIFE)
        try:
            world.table.write(_keep(row, key, after))
        except Lost:
            continue
        return None if busy else holder
    return None


def renew(world: World, market_id: str, holder: str) -> bool:
    """Hold it for another while; False when it went to somebody else."""
    key = facts.lease_key(market_id)
    for _ in range(TRIES):
        row = world.table.get(key)
        held = Lease.model_validate_json(row.body) if row else None
        if held is None or held.holder != holder:
            return False
        try:
            world.table.write(_keep(row, key, held.model_copy(update={"until": world.clock() + LIFE})))
        except Lost:
            continue
        return True
    return False


def release(world: World, market_id: str, holder: str) -> bool:
    """Give it back; True when somebody asked for another round meanwhile."""
    key = facts.lease_key(market_id)
    for _ in range(TRIES):
        row = world.table.get(key)
        held = Lease.model_validate_json(row.body) if row else None
        if held is None or held.holder != holder:
            return True  # it lapsed and went on to another: whatever is left is theirs or the next tick's
        try:
            world.table.write(_keep(row, key, Lease(until=world.clock())))
        except Lost:
            continue
        return held.again
    return True


def _keep(row: Row | None, key: Key, lease: Lease) -> Keep:
    version = row.version if row else 0
    return Keep(Row(key, version + 1, lease.model_dump_json()), was=row.version if row else None)
