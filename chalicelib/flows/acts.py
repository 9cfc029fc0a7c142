"""Read who did what for a client: the acts that were written down, and the gifts that were ordered."""

from __future__ import annotations

from chalicelib.domain import acts, given
from chalicelib.domain.acts import BRAND, Act, Deed
from chalicelib.domain.given import ledger_of_row
from chalicelib.domain.ports import World
from chalicelib.domain.retention import is_gone
from chalicelib.domain.shapes import Shape, stamp


class ActList(Shape):
    """A page of acts, the last first."""

    data: tuple[Act, ...]
    has_more: bool
    next_cursor: str | None = None


def acts_for(world: World, client_id: str, limit: int, after: str | None) -> tuple[list[Act], str | None]:
    """What was done for the client, the last first, and where the next page starts."""
    named: dict[str, Act] = {}
    now = world.clock()
    for row in world.table.read(client_id, acts.PREFIX).rows:
        if is_gone(row.expires_at, now):
            continue
        named[row.key.sk.removeprefix(acts.PREFIX)] = Act.model_validate_json(row.body)
    for row in world.table.read(client_id, given.PREFIX).rows:
        for gift in ledger_of_row(row).gifts:
            if gift.at is not None:
                act = Act(at=gift.at, by=gift.by or BRAND, did=Deed.GIFT_ORDERED, of=gift.order_id)
                named[f"{stamp(gift.at)}#{gift.order_id}"] = act
    names = sorted((name for name in named if after is None or name < after), reverse=True)
    page = names[:limit]
    return [named[name] for name in page], page[-1] if len(names) > limit else None
