"""Stand by: remember who waits for nothing but a place, so that one that comes free goes to the first of them.

A gift that was left over is looked at again in ten minutes. A place that comes free before belongs to it all the same,
and not to a lower tier that happens to be placed just then: so every round plans those who stand by along with what is
due, and saves of them only who goes. The row is a hint (law 1): where it is behind, the next look of the order finds
what it missed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from chalicelib.domain import facts
from chalicelib.domain.errors import Lost
from chalicelib.domain.orders import Order
from chalicelib.domain.ports import Keep, Key, Row, World
from chalicelib.domain.shapes import Shape

MOST = 1000
"""Who is remembered, the highest tiers first: each costs a read in every round."""


class StandingBy(Shape):
    """Of one market, by tier and then by how long they have waited."""

    orders: tuple[str, ...]


def remembered(world: World, market_id: str) -> int:
    """How many stood by when this process last looked: so many more a round will read and plan. 0: it never looked."""
    count: int = world.memory.get(f"standing_by#{market_id}", 0)
    return count


def others(world: World, market_id: str, row: Row | None, keys: Collection[Key]) -> list[Key]:
    """The orders that stand by and are not among these."""
    names = () if row is None else StandingBy.model_validate_json(row.body).orders
    world.memory[f"standing_by#{market_id}"] = len(names)
    known = set(keys)
    return [key for name in names if (key := facts.order_key(name)) not in known]


def note(world: World, market_id: str, row: Row | None, left: Iterable[Order]) -> None:
    """Remember who was left over now. `row`: as it was read before the round; whoever has written it since knows
    better. Nothing is written where nothing changes."""
    first = sorted(left, key=lambda order: (-order.tier, order.placed_at, order.order_id))
    names = tuple(order.order_id for order in first[:MOST])
    before = () if row is None else StandingBy.model_validate_json(row.body).orders
    world.memory[f"standing_by#{market_id}"] = len(names)
    if names == before:
        return
    key, version = facts.standing_by_key(market_id), row.version + 1 if row is not None else 1
    try:
        world.table.write(
            Keep(
                Row(key, version, StandingBy(orders=names).model_dump_json()),
                was=row.version if row else None,
            )
        )
    except Lost:
        return
