"""One planner a market at a time. Two at once would still be safe (every write is conditional), only wasteful.

A nudge that meets the lease sets `again`, which whoever holds it reads on release: no nudge is lost between.
"""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from chalicelib.domain import facts
from chalicelib.domain.errors import Lost
from chalicelib.domain.ports import Keep, Row, World
from chalicelib.domain.shapes import Instant, Shape

LIFE = timedelta(seconds=60)
TRIES = 5


class Lease(Shape):
    """Who plans a market now, until when, and whether there is more to do."""

    holder: str = ""
    until: Instant
    again: bool = False
    everything: bool = Field(default=False, description="Again, and for what is not due yet, too.")


def take(world: World, market_id: str, everything: bool = False) -> str | None:
    """The holder's name of a fresh lease; None when another planner is at it, which then goes round again."""
    holder = world.token()[:16]
    row, is_fresh = _remembered(world, market_id), False
    for _ in range(TRIES + 1):
        now = world.clock()
        held = Lease.model_validate_json(row.body) if row else None
        busy = held is not None and held.holder != "" and held.until > now
        if busy and not is_fresh:  # it may have been given back since
            row, is_fresh = world.table.get(facts.lease_key(market_id)), True
            continue
        if busy and held is not None:
            if held.again and (held.everything or not everything):
                return None
            after = held.model_copy(update={"again": True, "everything": held.everything or everything})
        else:
            after = Lease(holder=holder, until=now + LIFE)
        try:
            _save(world, market_id, row, after)
        except Lost as lost:
            row, is_fresh = lost.found, True
            continue
        return None if busy else holder
    return None


def renew(world: World, market_id: str, holder: str) -> bool:
    """Hold it for another while; False when it went to somebody else."""
    row = _remembered(world, market_id)
    for _ in range(TRIES):
        held = Lease.model_validate_json(row.body) if row else None
        if held is None or held.holder != holder:
            return False
        try:
            _save(world, market_id, row, held.model_copy(update={"until": world.clock() + LIFE}))
        except Lost as lost:
            row = lost.found
            continue
        return True
    return False


def hold(world: World, market_id: str, holder: str) -> bool:
    """As `renew`, once half of it has passed; before that it is taken for held, at no cost."""
    row = _remembered(world, market_id)
    held = Lease.model_validate_json(row.body) if row else None
    if held is not None and held.holder == holder and held.until - world.clock() > LIFE / 2:
        return True
    return renew(world, market_id, holder)


def release(world: World, market_id: str, holder: str) -> Lease | None:
    """Give it back. The lease as it was: whether somebody asked for another round. None: it lapsed and went on."""
    row = _remembered(world, market_id)
    for _ in range(TRIES):
        held = Lease.model_validate_json(row.body) if row else None
        if held is None or held.holder != holder:
            return None  # whatever is left is theirs, or the next tick's
        try:
            _save(world, market_id, row, Lease(until=world.clock()))
        except Lost as lost:
            row = lost.found
            continue
        return held
    return None


def _remembered(world: World, market_id: str) -> Row | None:
    """The lease as this process last wrote it. Old, it costs a lost write, and that tells what stands there."""
    row: Row | None = world.memory.get(f"lease#{market_id}")
    return row


def _save(world: World, market_id: str, row: Row | None, lease: Lease) -> None:
    after = Row(facts.lease_key(market_id), row.version + 1 if row else 1, lease.model_dump_json())
    world.table.write(Keep(after, was=row.version if row else None))
    world.memory[f"lease#{market_id}"] = after


def is_ours(world: World, market_id: str, holder: str | None) -> bool:
    """True when the lease still holds, or none is needed."""
    return holder is None or hold(world, market_id, holder)
