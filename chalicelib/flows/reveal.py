"""Show an address to whoever says why, and write down who it was, before it is shown.

Nothing else answers an address. Of a safeguarded gift it is shown from when it is needed, and not before: so long ahead
of its window as its brand has said.
"""

from __future__ import annotations

from chalicelib.domain import facts
from chalicelib.domain.errors import Clashing
from chalicelib.domain.keys import Caller, Role
from chalicelib.domain.looks import LOOKS, Look, Shown, look_of_row, look_row
from chalicelib.domain.orders import Order
from chalicelib.domain.ports import Keep, World
from chalicelib.flows import act_for, look


def reveal(world: World, who: Caller, order_id: str, reason: str, staff: str | None = None) -> Shown:
    """Whom the order is for and where, after the look is kept. Raises `Missing`, and `Clashing` before it is needed."""
    order, now = _readable(world, who, order_id), world.clock()
    guard = order.safeguard
    if guard is not None and not guard.is_needed(order.window.start, now):
        begins = order.window.start - guard.ahead
        raise Clashing(
            f"the address of this gift is needed from {begins.isoformat()} on, and shown to nobody before"
        )
    private = facts.unseal_private(world.sealer, order)
    seen = Look(
        look_id=f"look_{world.token()[:20]}",
        at=now,
        role=who.role.value,
        by=who.owner,
        staff=staff,
        reason=reason,
    )
    world.table.write(Keep(look_row(order_id, seen), was=None))
    world.log("address_looked_at", order=order_id, names=[who.role.value], why=reason)
    return Shown(look=seen, recipient=private.recipient)


def looks_at(world: World, who: Caller, order_id: str) -> list[Look]:
    """Every look at this order's address, the first first. Raises `Missing`."""
    _readable(world, who, order_id)
    return looks_of(world, order_id)


def looks_of(world: World, order_id: str) -> list[Look]:
    """The same, for whoever has been let in already."""
    return [look_of_row(row) for row in world.table.read(order_id, LOOKS).rows]


def _readable(world: World, who: Caller, order_id: str) -> Order:
    if who.role is Role.OPERATOR:
        return look.any_order(world, order_id)
    return act_for.order_for(world, who, order_id)
