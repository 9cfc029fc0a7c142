"""Consult the rules that hold: the market's pointer, and the snapshot that it names, read once a digest."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from chalicelib.domain import facts, snapshots
from chalicelib.domain.atlas import Atlas
from chalicelib.domain.errors import Missing
from chalicelib.domain.ports import Row, World
from chalicelib.domain.sheets import Sheet
from chalicelib.domain.snapshots import Head, Pointer, Torn
from chalicelib.domain.uploads import Content

REMEMBERED = 2
"""Snapshots of a market a process keeps: the present one, and the one that is being left."""
LOOKED_BACK = 20
"""Former versions of the rules among which that of a moment is looked for: couriers tell late, but not by days."""


@dataclass(frozen=True)
class Loaded:
    """A snapshot in memory."""

    content: Content
    sheets: Mapping[str, Sheet]
    """By the digest of the chunk."""
    atlas: Atlas
    """As last published; another publication of the same content swaps only its rules' head."""


def in_force(world: World, market_id: str) -> Pointer:
    """Which rules hold. Raises `Missing` when none were ever published."""
    row = world.table.get(facts.pointer_key(market_id))
    if row is None:
        raise Missing(f"no rules were published for the market {market_id!r}")
    return snapshots.pointer_of_row(row)


def atlas(world: World, market_id: str) -> Atlas | None:
    """The rules that hold now, laid out for look-ups; None when none were ever published.

    One strong read a call; the snapshot itself is read and parsed once a digest. Raises `Torn` when a part of
    it is not there: unknown is not open.
    """
    row = world.table.get(facts.pointer_key(market_id))
    return None if row is None else atlas_of(world, market_id, row)


def atlas_of(world: World, market_id: str, pointer_row: Row, then: datetime | None = None) -> Atlas:
    """The rules that this row of the pointer makes known. Raises `Torn`.

    `then`: those that were in force at that moment, or those of now where that is not known any more.
    """
    pointer = snapshots.pointer_of_row(pointer_row)
    if then is not None and then < pointer.changed_at:
        found = _former(world, market_id, pointer, then)
        if found is not None:
            return found
    return loaded(world, market_id, pointer).atlas


def _former(world: World, market_id: str, pointer: Pointer, then: datetime) -> Atlas | None:
    versions = range(pointer.version - 1, max(0, pointer.version - 1 - LOOKED_BACK), -1)
    rows = world.table.get_many([snapshots.former_key(market_id, version) for version in versions])
    olds = (snapshots.former_of_row(row) for row in rows)
    old = max((old for old in olds if old.changed_at <= then), key=lambda old: old.version, default=None)
    if old is None:
        return None
    known: dict[str, Loaded] = world.memory.get(f"rules#{market_id}", {})
    kept = known.get(old.digest)
    if kept is None:
        return as_known(world, market_id, Head(old.digest, old.version, old.published_at))
    return _headed(kept, old).atlas


def loaded(world: World, market_id: str, pointer: Pointer) -> Loaded:
    """The snapshot that the pointer names, as this process remembers it or as it stands. Raises `Torn`."""
    name = f"rules#{market_id}"
    known: dict[str, Loaded] = world.memory.get(name, {})
    found = known.get(pointer.digest)
    if found is None:
        found = _load(world, pointer, _sheets(known))
    found = _headed(found, pointer)
    others = [(digest, kept) for digest, kept in known.items() if digest != pointer.digest]
    world.memory[name] = {**dict(others[-(REMEMBERED - 1) :]), pointer.digest: found}
    return found


def _headed(found: Loaded, pointer: Pointer) -> Loaded:
    """The same snapshot as this pointer published it."""
    said = found.atlas.rules
    if (pointer.version, pointer.published_at) == (said.version, said.published_at):
        return found
    head = copy.copy(found.atlas)
    head.rules = snapshots.rules_of(found.content, pointer)
    return Loaded(found.content, found.sheets, head)


def as_known(world: World, market_id: str, head: Head) -> Atlas:
    """The rules that held once, for looking back. What this process remembers of those that hold stays. Raises
    `Torn`."""
    known: dict[str, Loaded] = world.memory.get(f"rules#{market_id}", {})
    return _load(world, head, _sheets(known)).atlas


def _sheets(known: Mapping[str, Loaded]) -> dict[str, Sheet]:
    """Every chunk that these snapshots are made of."""
    return {name: sheet for each in known.values() for name, sheet in each.sheets.items()}


def _load(world: World, pointer: Pointer | Head, read: Mapping[str, Sheet]) -> Loaded:
    manifest = manifest_of(world, pointer.digest)
    wanted = [digest for digest in manifest.chunks if digest not in read]
    rows = {row.key: row for row in world.table.get_many([snapshots.chunk_key(name) for name in wanted])}
    sheets: dict[str, Sheet] = {}
    for digest in manifest.chunks:
        if digest in read:
            sheets[digest] = read[digest]
            continue
        row = rows.get(snapshots.chunk_key(digest))
        if row is None:
            raise Torn(f"the chunk {digest!r} of the snapshot {pointer.digest!r} is missing")
        sheets[digest] = snapshots.unpack_zones(snapshots.unsqueeze(row), digest)
    content = snapshots.content_of(manifest, sheets.values())
    return Loaded(content, sheets, Atlas(snapshots.rules_of(content, pointer), sheets.values()))


def manifest_of(world: World, digest: str) -> snapshots.Manifest:
    row = world.table.get(snapshots.snapshot_key(digest))
    if row is None:
        raise Torn(f"the snapshot {digest!r} is missing")
    return snapshots.unpack_manifest(snapshots.unsqueeze(row), digest)
