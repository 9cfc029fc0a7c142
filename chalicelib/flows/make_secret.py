"""A secret of a market, a brand or a partner, by which what must not be read in a key is named.

It is made once and never changed, or nothing that was named by it would be found any more.
"""

from __future__ import annotations

from chalicelib.domain.errors import Lost
from chalicelib.domain.ports import Keep, Key, Row, World


def secret_of(world: World, key: Key, name: str, owner: str) -> bytes:
    """The secret that stands there, made if there is none yet; sealed for `name` under the owner's own data key, for an
    hour's key lapses."""
    known: bytes | None = world.memory.get(name)
    if known is None:
        row = world.table.get(key) or _made(world, key, name, owner)
        known = world.memory[name] = world.sealer.unseal(row.sealed, name)
    return known


def _made(world: World, key: Key, name: str, owner: str) -> Row:
    row = Row(key, 1, "{}", sealed=world.sealer.seal(world.token().encode(), name, owner=owner))
    try:
        world.table.write(Keep(row, was=None))
    except Lost as lost:  # another process was quicker
        return lost.found or row
    return row
