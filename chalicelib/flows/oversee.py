"""A dispatcher acts on a market: suspends a courier, takes a suspicion back. Each with a line in the market's log.

The line is written first: what was done twice is told twice, and what was done is never untold.
"""

from __future__ import annotations

from datetime import timedelta

from chalicelib.domain.deeds import DeskDeed, desk_collection, desk_deed_of_row, desk_deed_row
from chalicelib.domain.errors import Lost, Missing
from chalicelib.domain.fleet import Courier
from chalicelib.domain.ports import Keep, World
from chalicelib.domain.shapes import stamp
from chalicelib.flows import enlist, suspect

SHOWN = timedelta(days=3)
"""So far back the log is read."""
MOST = 500


def suspend(
    world: World, market_id: str, courier_id: str, who: str, *, suspended: bool, why: str = ""
) -> None:
    """Plan nothing more for that courier, or again. Raises `Missing`."""
    courier = enlist.member(world, market_id, "couriers", courier_id)
    if not isinstance(courier, Courier):
        raise Missing(f"no courier {courier_id!r}")
    _note(world, market_id, "suspended" if suspended else "resumed", courier_id, who, why)
    if courier.suspended is not suspended:
        enlist.put_courier(world, courier.model_copy(update={"suspended": suspended}))


def dismiss(world: World, market_id: str, suspicion_id: str, who: str, why: str = "") -> None:
    """Somebody has looked, and the place is open. Raises `Missing`."""
    enlist.market(world, market_id)
    _note(world, market_id, "dismissed", suspicion_id, who, why)
    suspect.dismiss(world, market_id, suspicion_id)


def deeds(world: World, market_id: str) -> list[DeskDeed]:
    """What was done in the last days, the last first."""
    since = stamp(world.clock() - SHOWN)
    page = world.table.read(desk_collection(market_id), after=since, limit=MOST)
    return [desk_deed_of_row(row) for row in reversed(page.rows)]


def _note(world: World, market_id: str, what: str, of: str, who: str, why: str) -> None:
    deed = DeskDeed(market_id=market_id, what=what, of=of, who=who, at=world.clock(), why=why)
    try:
        world.table.write(Keep(desk_deed_row(deed), was=None))
    except Lost:
        pass  # the same within the same moment
