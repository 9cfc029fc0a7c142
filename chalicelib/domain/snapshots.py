"""Published rules as they are kept: immutable chunks under their hash, and one pointer a market.

Zones are put into chunks by the bits of their id's hash: one chunk for all, and a chunk that grows too large
is split in two by the next bit. So the chunks follow from the content alone (the same rules are the same
snapshot, wherever they were packed), and a changed zone changes one chunk. A manifest names the chunks and
carries the rest; its hash is the snapshot's digest. Version and time of publication are the pointer's: a feed
that repeats itself is fresh, and nothing new.

    collection (pk)     place (sk)        noun
    market#<market>     rules             Pointer            (facts.pointer_key)
    market#<market>     former#<version>  Pointer            as it stood last, before the next version
    snapshot#<digest>   manifest          Manifest           compressed, in `sealed`
    chunk#<digest>      chunk             zones              compressed, in `sealed`
    upload#<upload>     upload            Upload             work: upload (while it is validated)
    upload#<upload>     have#<nnn>        Have               one a part
    upload#<upload>     part#<nnn>#<n>    piece of a part    compressed, in `sealed`
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final, NamedTuple

from chalicelib.domain import sheets
from chalicelib.domain.canonical import plain
from chalicelib.domain.facts import pointer_key
from chalicelib.domain.places import Datum
from chalicelib.domain.policies import Level, Policy
from chalicelib.domain.ports import Key, Row
from chalicelib.domain.shapes import Instant, Shape, Slug, TimeZone, stamp
from chalicelib.domain.sheets import Leaf, Sheet, Zones
from chalicelib.domain.uploads import Content, Upload, UploadState
from chalicelib.domain.zones import Exemption, Rules, Zone

CHUNK_BYTES: Final = 256 * 1024
"""Bytes above which a chunk is split. A zone of the most points that are taken is alone in its chunk."""
PIECE_BYTES: Final = 300 * 1024
"""Compressed bytes in one row; the store takes 400 KB."""
UPLOADS: Final = "upload"
"""The bucket of the work index in which uploads wait to be validated."""


class Manifest(Shape):
    """A snapshot but for its zones, and where those are."""

    schema_version: int = 1
    """How the chunks are written: 1 JSON lists of zones, 2 as `domain.sheets` says. Both are read."""
    market_id: Slug
    time_zone: TimeZone
    datum: Datum
    stale_after_hours: float
    policies: tuple[Policy, ...]
    exemptions: tuple[Exemption, ...] = ()
    zones: int
    levels: dict[str, int]
    chunks: tuple[str, ...]


class Pointer(Shape):
    """Which rules hold in a market: the one row whose conditional write publishes."""

    market_id: Slug
    version: int
    digest: str
    published_at: Instant
    changed_at: Instant
    """When it last said something new."""
    upload_id: str
    source: str
    finished_at: Instant
    """When the last upload that landed was finished: an older `replace` that comes late is not let in."""
    replaced_at: Instant
    """The same for the last `replace`: nothing older than it is let in."""
    time_zone: TimeZone
    datum: Datum
    stale_after_hours: float
    zones: int
    levels: dict[str, int]
    policies: tuple[str, ...]


class Head(NamedTuple):
    """What a decision wrote down of the pointer that it went by."""

    digest: str
    version: int
    published_at: datetime


class Have(Shape):
    """A part that has arrived."""

    number: int
    digest: str
    size: int
    pieces: int


@dataclass(frozen=True)
class Packed:
    """A snapshot ready to be kept."""

    digest: str
    manifest: bytes
    levels: Mapping[str, int]
    chunks: Mapping[str, bytes]


# --- there --------------------------------------------------------------------------------------------------


LEAVES_KEPT = 60_000


def pack(content: Content) -> Packed:
    """Chunks and manifest, under the hash of what they say."""
    chunks = {sha256(chunk).hexdigest(): chunk for chunk in _chunks(content.zones)}
    counts = Counter(zone.level for zone in content.zones)
    levels = {level.name.lower(): counts[level] for level in Level if counts[level]}
    stated = {
        "schema_version": 2,
        "market_id": content.market_id,
        "time_zone": content.time_zone,
        "datum": content.datum.value,
        "stale_after_hours": content.stale_after_hours,
        "policies": [plain(policy) for policy in content.policies],
        "zones": len(content.zones),
        "levels": levels,
        "chunks": list(chunks),
    }
    if content.exemptions:
        stated["exemptions"] = [plain(exemption) for exemption in content.exemptions]
    manifest = json.dumps(stated, ensure_ascii=False, separators=(",", ":")).encode()
    return Packed(sha256(manifest).hexdigest(), manifest, levels, chunks)


def _chunks(zones: Sequence[Zone]) -> Iterator[bytes]:
    leaves = sorted((_leaf(zone) for zone in zones), key=lambda leaf: leaf[0])
    yield from _split(leaves, 255)


_LEAVES: dict[int, tuple[Zone, tuple[int, Leaf]]] = {}
"""What each zone that was packed before says, by its identity: most of an amendment is what stood there before."""


def _leaf(zone: Zone) -> tuple[int, Leaf]:
    known = _LEAVES.get(id(zone))
    if known is not None and known[0] is zone:  # it is kept alive here, so nothing else bears its id
        return known[1]
    place = int.from_bytes(sha256(zone.zone_id.encode()).digest())
    leaf = (place, sheets.leaf_of(zone))
    if len(_LEAVES) >= LEAVES_KEPT:
        _LEAVES.clear()
    _LEAVES[id(zone)] = (zone, leaf)
    return leaf


def _split(leaves: Sequence[tuple[int, Leaf]], bit: int) -> Iterator[bytes]:
    if not leaves:
        return
    if len(leaves) == 1 or sum(leaf.size for _, leaf in leaves) < CHUNK_BYTES:
        yield sheets.written([leaf for _, leaf in leaves])
        return
    yield from _split([leaf for leaf in leaves if not leaf[0] >> bit & 1], bit - 1)
    yield from _split([leaf for leaf in leaves if leaf[0] >> bit & 1], bit - 1)


# --- and back -----------------------------------------------------------------------------------------------


def unpack_zones(chunk: bytes, digest: str) -> Sheet:
    """The zones of a chunk. Raises `Torn` when it is not what its name says."""
    _verify(chunk, digest)
    return sheets.read(chunk)


def unpack_manifest(manifest: bytes, digest: str) -> Manifest:
    """Raises `Torn` when it is not what its name says."""
    _verify(manifest, digest)
    return Manifest.model_validate_json(manifest)


class Torn(Exception):
    """A published snapshot cannot be read whole: an alarm. Nobody may conclude that there are no zones."""


def _verify(raw: bytes, digest: str) -> None:
    if sha256(raw).hexdigest() != digest:
        raise Torn(f"what is kept under {digest!r} has another hash")


def content_of(manifest: Manifest, its_sheets: Iterable[Sheet]) -> Content:
    """What a snapshot says. Raises `Torn` when there are fewer zones than there were, or more."""
    zones = Zones(its_sheets)
    content = Content(
        market_id=manifest.market_id,
        time_zone=manifest.time_zone,
        datum=manifest.datum,
        stale_after_hours=manifest.stale_after_hours,
        policies=manifest.policies,
        zones=zones,
        exemptions=manifest.exemptions,
    )
    if len(zones) != manifest.zones:
        raise Torn(f"{manifest.zones} zones were expected, {len(zones)} are there")
    return content


def rules_of(content: Content, pointer: Pointer | Head) -> Rules:
    """A snapshot as published: everything was validated when it was read."""
    return Rules.model_construct(
        market_id=content.market_id,
        version=pointer.version,
        digest=pointer.digest,
        time_zone=content.time_zone,
        datum=content.datum,
        published_at=pointer.published_at,
        stale_after_hours=content.stale_after_hours,
        zones=content.zones,
        policies=content.policies,
        exemptions=content.exemptions,
    )


# --- rows ---------------------------------------------------------------------------------------------------


def squeeze(raw: bytes) -> bytes:
    return zlib.compress(raw, 6)


def unsqueeze(row: Row) -> bytes:
    return zlib.decompress(row.sealed)


def chunk_key(digest: str) -> Key:
    return Key(f"chunk#{digest}", "chunk")


def chunk_row(digest: str, chunk: bytes) -> Row:
    return Row(chunk_key(digest), 1, json.dumps({"size": len(chunk)}), sealed=squeeze(chunk))


def snapshot_key(digest: str) -> Key:
    return Key(f"snapshot#{digest}", "manifest")


def snapshot_row(packed: Packed) -> Row:
    body = json.dumps({"size": len(packed.manifest)})
    return Row(snapshot_key(packed.digest), 1, body, sealed=squeeze(packed.manifest))


def pointer_row(pointer: Pointer) -> Row:
    """The row's version is the rules': whoever decides under them can require it."""
    return Row(pointer_key(pointer.market_id), pointer.version, pointer.model_dump_json())


def pointer_of_row(row: Row) -> Pointer:
    """By the row's version, which conditions are on: a row that was restored has one above its text's."""
    pointer = Pointer.model_validate_json(row.body)
    return pointer if pointer.version == row.version else pointer.model_copy(update={"version": row.version})


def former_key(market_id: str, version: int) -> Key:
    return Key(pointer_key(market_id).pk, f"former#{version:09d}")


def former_row(pointer: Pointer, was: int | None) -> Row:
    """The pointer as it last stood before another version took its place. `was`: the version of such a row that is
    there already, of a market that was restored."""
    return Row(former_key(pointer.market_id, pointer.version), (was or 0) + 1, pointer.model_dump_json())


def former_of_row(row: Row) -> Pointer:
    return Pointer.model_validate_json(row.body)


def upload_key(upload_id: str) -> Key:
    return Key(f"upload#{upload_id}", "upload")


def open_shelf(source: str) -> str:
    """Where the uploads of a source stand while parts are taken, the last begun first."""
    return f"uploads#{source}"


def upload_row(upload: Upload, due: datetime | None = None, expires_at: int | None = None) -> Row:
    waits = upload.state is UploadState.VALIDATING and due is not None
    takes = upload.state is UploadState.OPEN
    return Row(
        key=upload_key(upload.upload_id),
        version=upload.version,
        body=upload.model_dump_json(exclude_defaults=True),
        work=UPLOADS if waits else None,
        due=stamp(due) if waits and due is not None else None,
        shelf=open_shelf(upload.source) if takes else None,
        place_on_shelf=f"{stamp(upload.begun_at)}#{upload.upload_id}" if takes else None,
        expires_at=expires_at,
    )


def upload_of_row(row: Row) -> Upload:
    return Upload.model_validate_json(row.body).model_copy(update={"version": row.version})


def have_key(upload_id: str, number: int) -> Key:
    return Key(upload_key(upload_id).pk, f"have#{number:03d}")


def part_prefix(number: int) -> str:
    return f"part#{number:03d}#"


def piece_key(upload_id: str, number: int, piece: int) -> Key:
    return Key(upload_key(upload_id).pk, f"{part_prefix(number)}{piece}")


def pieces_of(raw: bytes) -> list[bytes]:
    """A part, compressed, in pieces that fit a row each."""
    small = squeeze(raw)
    return [small[start : start + PIECE_BYTES] for start in range(0, len(small), PIECE_BYTES)]


def part_of_pieces(pieces: Iterable[Row]) -> bytes:
    """The part again."""
    return zlib.decompress(b"".join(row.sealed for row in pieces))
