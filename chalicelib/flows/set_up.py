"""Set up a brand's programme. Every version stays, for what was decided under it is told by it."""

from __future__ import annotations

from chalicelib.domain.errors import Lost, Missing, Stale, Unconditional
from chalicelib.domain.ports import Keep, World
from chalicelib.domain.programme import (
    NewProgramme,
    Programme,
    former_key,
    programme_key,
    programme_of_row,
    programme_row,
)


def programme_of(world: World, brand_id: str) -> Programme:
    """Raises `Missing`."""
    row = world.table.get(programme_key(brand_id))
    if row is None:
        raise Missing("this brand has set up no programme")
    return programme_of_row(row)


def set_up(world: World, brand_id: str, new: NewProgramme, by: str, version: int | None) -> Programme:
    """The programme as it stands now; the same again changes nothing. Raises `Unconditional` where one stands
    otherwise and `version` is not said, and `Stale` where it has moved."""
    row = world.table.get(programme_key(brand_id))
    before = None if row is None else programme_of_row(row)
    if before is not None and all(getattr(before, name) == value for name, value in new):
        return before
    if before is None and version is not None:
        raise Stale(f'there is no programme, If-Match named "v{version}"')
    if before is not None and version is None:
        raise Unconditional(f'the programme is at "v{before.version}": If-Match names it')
    if before is not None and version != before.version:
        raise Stale(f'the programme is at "v{before.version}", If-Match named "v{version}"')
    after = Programme(
        **dict(new),
        brand_id=brand_id,
        since=world.clock(),
        by=by,
        version=1 if before is None else before.version + 1,
    )
    try:
        world.table.write(
            Keep(programme_row(after), was=before.version if before else None),
            Keep(programme_row(after, former_key(brand_id, after.version)), was=None),
        )
    except Lost:
        raise Stale("the programme was changed meanwhile; read it again") from None
    world.log("programme_set_up", brand=brand_id, version=after.version, by=by)
    return after
