"""Read again what past decisions rested on: the snapshots that their evidence points at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from zlib import error as TornDeflate

from chalicelib.domain import snapshots
from chalicelib.domain.evidence import Evidence
from chalicelib.domain.ports import Row, World
from chalicelib.domain.recall import Recalled
from chalicelib.domain.snapshots import Manifest, Torn
from chalicelib.domain.zones import Zone


def recalled(world: World, pieces: Iterable[Evidence]) -> dict[str, Recalled]:
    """By digest, the policies and the zones that these decisions named.

    A snapshot that cannot be read whole is left out, with a line in the log: the page says so, and what was written
    down with the decision still stands. A chunk is parsed only if it names a zone that is asked for, and once for
    all snapshots that share it, so twenty decisions about one order cost little more than one.
    """
    wanted: dict[str, set[str]] = {}
    for piece in pieces:
        if piece.rules_digest is not None:
            wanted.setdefault(piece.rules_digest, set()).update(piece.zones)
    manifests = _manifests(world, wanted)
    chunks = {name for digest in manifests for name in manifests[digest].chunks if wanted[digest]}
    rows = {row.key: row for row in world.table.get_many([snapshots.chunk_key(name) for name in chunks])}
    names = frozenset().union(*wanted.values()) if wanted else frozenset()
    zones: dict[str, dict[str, Zone] | None] = {
        name: _zones(world, name, rows.get(snapshots.chunk_key(name)), names) for name in sorted(chunks)
    }
    found = {}
    for digest, manifest in manifests.items():
        parts = [zones[name] for name in manifest.chunks] if wanted[digest] else []
        if any(part is None for part in parts):
            continue
        found[digest] = Recalled(
            digest=digest,
            time_zone=manifest.time_zone,
            policies={policy.reference: policy for policy in manifest.policies},
            exemptions={one.exemption_id: one for one in manifest.exemptions},
            zones={
                name: zone
                for part in parts
                if part is not None
                for name, zone in part.items()
                if name in wanted[digest]
            },
        )
    return found


def _manifests(world: World, wanted: Mapping[str, object]) -> dict[str, Manifest]:
    rows = {row.key: row for row in world.table.get_many([snapshots.snapshot_key(name) for name in wanted])}
    found = {}
    for digest in wanted:
        row = rows.get(snapshots.snapshot_key(digest))
        try:
            if row is None:
                raise Torn(f"the snapshot {digest!r} is missing")
            found[digest] = snapshots.unpack_manifest(snapshots.unsqueeze(row), digest)
        except (Torn, TornDeflate, ValueError) as error:
            world.log("snapshot_unreadable", snapshot=digest, why=type(error).__name__)
    return found


def _zones(world: World, digest: str, row: Row | None, names: frozenset[str]) -> dict[str, Zone] | None:
    try:
        if row is None:
            raise Torn(f"the chunk {digest!r} is missing")
        raw = snapshots.unsqueeze(row)
        if not any(name.encode() in raw for name in names):
            return {}
        return {zone.zone_id: zone for zone in snapshots.unpack_zones(raw, digest) if zone.zone_id in names}
    except (Torn, TornDeflate, ValueError) as error:
        world.log("snapshot_unreadable", snapshot=digest, why=type(error).__name__)
        return None
