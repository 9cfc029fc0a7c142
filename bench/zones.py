"""Zones against shapely, in one run on the same data: reading 20,000 compounds, finding those that cover a point."""

from __future__ import annotations

import subprocess  # nosec B404 - runs programs of this checkout, nothing that is handed in
import sys
import time
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench.shanghai import compounds
from chalicelib.domain import snapshots
from chalicelib.domain.atlas import Atlas

ROUNDS = 3
POINTS = 40_000
NOW = datetime(2022, 4, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Found:
    """What was measured."""

    source: str
    load_ms: float
    load_mb: float
    row_mb: float
    look_up_us: float
    first_us: float
    """The same the first time round, when outlines are unfolded and zones are made."""
    shapely_us: float
    hits: int
    differing: int
    """Points of which the two do not say the same: within a millimetre of an edge."""
    on_edge: float
    """Of corners and middles of edges, how many are covered: ours, ..."""
    shapely_on_edge: float
    """... and shapely's."""


Rows = tuple[bytes, str, dict[str, bytes]]
"""Manifest, digest, and compressed chunks."""


def load(rows: Rows) -> Atlas:
    """What a cold function does with the rows, the network apart."""
    manifest, digest, chunks = rows
    told = snapshots.unpack_manifest(manifest, digest)
    sheets = [snapshots.unpack_zones(zlib.decompress(chunks[name]), name) for name in told.chunks]
    head = snapshots.Head(digest, 1, NOW)
    return Atlas(snapshots.rules_of(snapshots.content_of(told, sheets), head), sheets)


def packed(count: int = 20_000) -> Rows:
    """The rows of so many compounds."""
    found = snapshots.pack(compounds(count)[0])
    chunks = {name: snapshots.squeeze(chunk) for name, chunk in found.chunks.items()}
    return found.manifest, found.digest, chunks


def measured() -> Found:
    """All of it; the peer is used as its documentation says: `STRtree.query` of one point, predicate `intersects`."""
    import shapely  # type: ignore[import-untyped]

    content, points, source = compounds()
    points = points[:POINTS]
    rows = packed()
    atlas, times = load(rows), []
    for _ in range(ROUNDS):
        began = time.process_time()
        atlas = load(rows)
        times.append(time.process_time() - began)
    ours = [_each(lambda: [len(atlas.drawn(lng, lat, 0)) for lng, lat in points]) for _ in range(1 + ROUNDS)]
    polygons = [polygon[0] for zone in content.zones for polygon in zone.polygons]
    tree = shapely.STRtree([shapely.Polygon(ring) for ring in polygons])

    def ask() -> list[int]:
        query, point = tree.query, shapely.Point
        return [len(query(point(lng, lat), predicate="intersects")) for lng, lat in points]

    theirs = [_each(ask) for _ in range(ROUNDS)]
    here, there = ours[0][1], theirs[0][1]
    edges = [edge for ring in polygons[:500] for edge in _edge_points(ring)]
    return Found(
        source,
        load_ms=min(times) * 1000,
        load_mb=_apart(),
        row_mb=sum(map(len, rows[2].values())) / 1e6,
        look_up_us=min(seconds for seconds, _ in ours[1:]) / len(points) * 1e6,
        first_us=ours[0][0] / len(points) * 1e6,
        shapely_us=min(seconds for seconds, _ in theirs) / len(points) * 1e6,
        hits=sum(here),
        differing=sum(a != b for a, b in zip(here, there, strict=True)),
        on_edge=sum(bool(atlas.drawn(lng, lat, 0)) for lng, lat in edges) / len(edges),
        shapely_on_edge=sum(
            len(tree.query(shapely.Point(lng, lat), predicate="intersects")) > 0 for lng, lat in edges
        )
        / len(edges),
    )


def _each(do: Any) -> tuple[float, list[int]]:
    began = time.process_time()
    found = do()
    return time.process_time() - began, found


def _edge_points(ring: Any) -> list[tuple[float, float]]:
    corners = list(ring[:-1])
    middles = [((a[0] + b[0]) / 2, (a[1] + b[1]) / 2) for a, b in pairwise(ring)]
    return corners + middles


def _apart() -> float:
    """Megabytes by which a process of its own grows at most when it reads the snapshot, all else being loaded."""
    done = subprocess.run(  # nosec B603 - our own words, no shell
        [sys.executable, "-c", "from bench import zones; print(zones.grown())"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parent.parent,
    )
    return float(done.stdout)


def grown() -> float:
    """The child's part: the city is made in a process of its own, so that its memory is not counted or used again."""
    few, rows = _handed(5), _handed(20_000)
    load(few)  # what is built the first time is no part of it
    before = _kilobytes("VmRSS")
    atlas = load(rows)
    assert len(atlas.rules.zones) == 20_000
    return (_kilobytes("VmHWM") - before) / 1000


def _kilobytes(name: str) -> float:
    """Of this program, as Linux counts; `ru_maxrss` would be the parent's, too."""
    status = Path("/proc/self/status").read_text()
    return float(next(line for line in status.splitlines() if line.startswith(name)).split()[1])


def _handed(count: int) -> Rows:
    done = subprocess.run(  # nosec B603 - our own words, no shell
        [sys.executable, "-c", f"from bench import zones; zones.hand_over({count})"],
        capture_output=True,
        check=True,
    )
    return _read(done.stdout)


def hand_over(count: int) -> None:
    """Rows on the way from one process to another."""
    manifest, digest, chunks = packed(count)
    out = sys.stdout.buffer
    for part in (manifest, digest.encode(), *(piece for pair in chunks.items() for piece in _flat(pair))):
        out.write(len(part).to_bytes(4))
        out.write(part)


def _flat(pair: tuple[str, bytes]) -> tuple[bytes, bytes]:
    return pair[0].encode(), pair[1]


def _read(raw: bytes) -> Rows:
    parts, at = [], 0
    while at < len(raw):
        size = int.from_bytes(raw[at : at + 4])
        parts.append(raw[at + 4 : at + 4 + size])
        at += 4 + size
    manifest, digest, *rest = parts
    chunks = {name.decode(): chunk for name, chunk in zip(rest[::2], rest[1::2], strict=True)}
    return manifest, digest.decode(), chunks
