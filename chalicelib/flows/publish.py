"""Publish a market's rules: take an upload in parts, read it whole, make it known by one conditional write.

What holds is what the market's pointer names, and nothing else. Chunks and manifests stand under the hash of
their content, so writing them again is harmless; pointer and upload change together in one transaction, so an
upload lands once, wherever its publisher stopped.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import sha256

from chalicelib.domain import facts, snapshots
from chalicelib.domain.canonical import digest as digest_of
from chalicelib.domain.errors import Clashing, Delayed, Lost, Missing, TooLarge
from chalicelib.domain.places import Market
from chalicelib.domain.ports import Change, Drop, Keep, Key, Require, Row, Topic, World
from chalicelib.domain.reading import Faults, Reading, check_size, part_of
from chalicelib.domain.shapes import zone_info
from chalicelib.domain.snapshots import Have, Packed, Pointer, Torn
from chalicelib.domain.uploads import (
    PARTS,
    UPLOAD_BYTES,
    Content,
    Difference,
    Format,
    Mode,
    Upload,
    UploadFault,
    UploadStart,
    UploadState,
    difference,
)
from chalicelib.flows import consult, enlist

TRIES = 5
KEPT = timedelta(days=30)
"""How long an upload and its parts can be looked at; what it published stays."""
PATIENCE = timedelta(minutes=2)
"""After so long an upload that nobody has settled is nudged again."""
LONGEST = timedelta(days=1)
"""An upload that has not been read by then is given up: whatever it is that we cannot read, the sweep would have us
try it every minute of thirty days."""
OPEN_LIMIT = 20
"""Uploads of one source that take parts at the same time; those begun more than `OPEN_FOR` ago do not count."""
OPEN_FOR = timedelta(days=1)


# --- handing in ---------------------------------------------------------------------------------------------


def begin(
    world: World,
    market_id: str,
    source: str,
    **start: object,
) -> Upload:
    """A new upload, empty and open. Raises `Missing` without such a market, `Clashing` for one too many.

    They are counted in an index that may lag by a moment, so a few more can slip in: a bound, not a count.
    `start`: the fields of `UploadStart`.
    """
    market = enlist.market(world, market_id)
    stated = UploadStart.model_validate(start)
    now = world.clock()
    _check_open(world, source, now)
    upload = Upload(
        upload_id=f"upl_{world.token()[:26]}",
        market_id=market.market_id,
        source=source,
        begun_at=now,
        **dict(stated),
    )
    world.table.write(Keep(_row(upload, now), was=None))
    return upload


def _check_open(world: World, source: str, now: datetime) -> None:
    keys = world.table.find_shelved(snapshots.open_shelf(source), OPEN_LIMIT).keys
    row = world.table.get(keys[-1]) if len(keys) == OPEN_LIMIT else None
    if row is not None and snapshots.upload_of_row(row).begun_at > now - OPEN_FOR:
        raise Clashing(f"at most {OPEN_LIMIT} uploads of one source take parts at a time; finish one first")


def upload_of(world: World, market_id: str, upload_id: str, source: str | None = None) -> Upload:
    """The upload as it is now; `source`: if it is theirs. Raises `Missing`."""
    row = world.table.get(snapshots.upload_key(upload_id))
    upload = snapshots.upload_of_row(row) if row else None
    if upload is None or upload.market_id != market_id or source not in (None, upload.source):
        raise Missing(f"no upload {upload_id!r} for the market {market_id!r}")
    return upload


def add_part(
    world: World, market_id: str, upload_id: str, number: int, raw: bytes, source: str | None = None
) -> Have:
    """Keep a part; the same number again replaces it. Whether it is right is seen when all is there.

    Raises `Malformed`, `Invalid` or `TooLarge` for what cannot be a part, `Clashing` once it is finished.
    """
    if not 1 <= number <= PARTS:
        raise Missing(f"parts are numbered 1 to {PARTS}, got {number!r}")
    check_size(raw)
    upload = upload_of(world, market_id, upload_id, source)
    if upload.format is Format.CORDON:
        part_of(raw)
    if upload.state is not UploadState.OPEN:
        raise Clashing(f"the upload {upload_id!r} is {upload.state.value}, parts are taken while it is open")
    row = world.table.get(snapshots.have_key(upload_id, number))
    before = Have.model_validate_json(row.body) if row else None
    pieces = snapshots.pieces_of(raw)
    have = Have(number=number, digest=sha256(raw).hexdigest(), size=len(raw), pieces=len(pieces))
    if before == have:
        return have
    was = row.version if row else None
    version, expires_at = (was or 0) + 1, facts.epoch(upload.begun_at + KEPT)
    old = before.pieces if before else 0
    changes: list[Change] = [
        Require(snapshots.upload_key(upload_id), upload.version),
        Keep(
            Row(
                snapshots.have_key(upload_id, number),
                version,
                have.model_dump_json(),
                expires_at=expires_at,
            ),
            was=was,
        ),
    ]
    for piece, text in enumerate(pieces):
        key = snapshots.piece_key(upload_id, number, piece)
        kept = Row(key, version, "{}", sealed=text, expires_at=expires_at)
        changes.append(Keep(kept, was=was if piece < old else None))
    if was is not None:
        left = range(len(pieces), old)
        changes += [Drop(snapshots.piece_key(upload_id, number, piece), was) for piece in left]
    world.table.write(*changes)
    return have


def finish(
    world: World, market_id: str, upload_id: str, parts: int | None = None, source: str | None = None
) -> Upload:
    """No more parts: have it read. `parts`: how many there are, without which a lost last one goes unseen.

    Raises `Clashing` when one is missing. Once more is no harm, and nudges again.
    """
    for _ in range(TRIES):
        upload = upload_of(world, market_id, upload_id, source)
        if upload.state is UploadState.OPEN:
            have = _check_parts(world, upload, parts)
            now = world.clock()
            upload = _next(upload, state=UploadState.VALIDATING, finished_at=now, parts=have)
            try:
                world.table.write(Keep(_row(upload, now), was=upload.version - 1))
            except Lost:
                continue
        elif parts not in (None, upload.parts):
            raise Clashing(f"the upload {upload_id!r} was finished with {upload.parts} parts, not {parts!r}")
        if upload.state is UploadState.VALIDATING:
            world.queues.nudge(Topic.RULES, [f"publish:{market_id}:{upload_id}"])
        return upload
    raise Delayed(f"the upload {upload_id!r} is being changed by somebody else")


def haves(world: World, upload_id: str) -> list[Have]:
    """The parts of an upload that have arrived."""
    rows = world.table.read(snapshots.upload_key(upload_id).pk, "have#").rows
    return [Have.model_validate_json(row.body) for row in rows]


def _check_parts(world: World, upload: Upload, parts: int | None) -> int:
    parts_there = haves(world, upload.upload_id)
    numbers = [part.number for part in parts_there]
    wanted = parts if parts is not None else max(numbers, default=0)
    missing = sorted(set(range(1, wanted + 1)) - set(numbers))
    extra = sorted(set(numbers) - set(range(1, wanted + 1)))
    if missing or extra or not numbers:
        told = ", ".join(str(number) for number in (missing or extra)[:20])
        which = f"missing: {told}" if missing else f"too many: {told}" if extra else "none has arrived"
        raise Clashing(f"parts 1 to {wanted or 'n'} were expected, {which}")
    if sum(part.size for part in parts_there) > UPLOAD_BYTES:
        raise TooLarge(
            f"an upload has at most {UPLOAD_BYTES} bytes in all; replace with some of it, amend with the rest"
        )
    return len(numbers)


def nudge_waiting(world: World, limit: int = 100) -> int:
    """Nudge every upload that was finished and has stood still since; for the sweep."""
    page = world.table.find_due(snapshots.UPLOADS, world.clock(), limit)
    waiting = [snapshots.upload_of_row(row) for row in world.table.get_many(page.keys)]
    names = [
        f"publish:{upload.market_id}:{upload.upload_id}"
        for upload in waiting
        if upload.state is UploadState.VALIDATING
    ]
    if names:
        world.queues.nudge(Topic.RULES, names)
    return len(names)


# --- publishing ---------------------------------------------------------------------------------------------


def publish(world: World, market_id: str, upload_id: str) -> None:
    """Read a finished upload and make it the market's rules, or refuse it with every fault.

    Run by the queue; repeatable wherever it stopped. Raises `Delayed` when others keep publishing meanwhile.
    """
    upload = upload_of(world, market_id, upload_id)
    if upload.state is UploadState.OPEN:
        raise Clashing(f"the upload {upload_id!r} is not finished")
    if upload.state is UploadState.VALIDATING:
        upload = _settle(world, upload)
    if upload.state is UploadState.PUBLISHED:
        world.queues.nudge(Topic.RULES, [f"rezone:{market_id}:"])  # and after it what waits


def _settle(world: World, upload: Upload) -> Upload:
    if upload.finished_at is not None and world.clock() >= upload.finished_at + LONGEST:
        return _given_up(world, upload)
    reading = _read(world, upload)
    published = policies_ever(world, upload.market_id)
    for _ in range(TRIES):
        now = world.clock()
        row = world.table.get(facts.pointer_key(upload.market_id))
        pointer = snapshots.pointer_of_row(row) if row else None
        late = _too_late(upload, pointer)
        base = consult.loaded(world, upload.market_id, pointer).content if pointer else None
        found = Faults([late], 1) if late else reading.settle(base, now, published)
        try:
            if isinstance(found, Faults):
                return _refuse(world, upload, reading, found, now)
            packed = snapshots.pack(found)
            large = _too_large(packed)
            if large is not None:
                return _refuse(world, upload, reading, Faults([large], 1), now)
            return _land(world, upload, reading, pointer, base, found, packed, now)
        except Lost:
            upload = upload_of(world, upload.market_id, upload.upload_id)
            if upload.state is not UploadState.VALIDATING:
                return upload
    raise Delayed(f"others keep publishing for the market {upload.market_id!r}")


def _given_up(world: World, upload: Upload) -> Upload:
    detail = "to be read within a day was expected, and it was not; state it anew, in smaller uploads if it is large"
    faults = Faults([UploadFault(pointer="", detail=detail)], 1)
    market = enlist.market(world, upload.market_id)
    try:
        return _refuse(world, upload, Reading(market, upload.start), faults, world.clock())
    except Lost:  # somebody has settled it just now
        return upload_of(world, upload.market_id, upload.upload_id)


def reading_of(world: World, market: Market, upload: Upload) -> Reading:
    """What reads the parts of that upload: nothing is read yet."""
    feed = None if upload.format is Format.CORDON else world.feeds[upload.format.value]
    return Reading(market, upload.start, feed, world.books)


def _read(world: World, upload: Upload) -> Reading:
    reading = reading_of(world, enlist.market(world, upload.market_id), upload)
    arrived = len(haves(world, upload.upload_id))
    if arrived != upload.parts:
        reading.faults.add(
            None, "/parts", f"{upload.parts} were expected, as when it was finished", repr(arrived)
        )
    read_parts(world, reading, snapshots.upload_key(upload.upload_id).pk, range(1, upload.parts + 1))
    return reading


def read_parts(world: World, reading: Reading, pk: str, numbers: Iterable[int]) -> None:
    """Read these parts of a collection that keeps some. Raises `Torn` where one is not there any more."""
    for number in numbers:
        rows = world.table.read(pk, snapshots.part_prefix(number)).rows
        if not rows:
            raise Torn(f"part {number} of {pk!r} is gone")
        reading.read(number, snapshots.part_of_pieces(rows))


def _too_late(upload: Upload, pointer: Pointer | None) -> UploadFault | None:
    """Nudges come in any order; what was said later holds."""
    assert upload.finished_at is not None
    if pointer is None:
        return None
    newest = pointer.finished_at if upload.mode is Mode.REPLACE else pointer.replaced_at
    if upload.finished_at >= newest:
        return None
    detail = f"nothing finished later was expected, but {pointer.upload_id!r} is in force; state it anew"
    return UploadFault(pointer="", detail=detail, value=upload.finished_at.isoformat())


def _too_large(packed: Packed) -> UploadFault | None:
    """All policies and exemptions stand in one row, beside the names of the chunks."""
    size = len(snapshots.squeeze(packed.manifest))
    if size <= snapshots.PIECE_BYTES:
        return None
    detail = (
        f"policies and exemptions of at most {snapshots.PIECE_BYTES} bytes together, compressed, were expected; "
        "shorten their texts, or replace with those that are still needed"
    )
    return UploadFault(pointer="/policies", detail=detail, value=repr(size))


def _land(
    world: World,
    upload: Upload,
    reading: Reading,
    pointer: Pointer | None,
    base: Content | None,
    content: Content,
    packed: Packed,
    now: datetime,
) -> Upload:
    """Chunks first, then the manifest, then pointer and upload in one transaction."""
    assert upload.finished_at is not None
    same = pointer is not None and pointer.digest == packed.digest
    if not same:
        _keep_snapshot(world, packed, pointer)
        _keep_policies(world, content)
    version = 1 if pointer is None else pointer.version if same else pointer.version + 1
    replaces = upload.mode is Mode.REPLACE
    published_at = max(now, pointer.published_at) if pointer else now
    if same and pointer and _is_old_news(upload, now):
        published_at = pointer.published_at
    after = Pointer(
        market_id=upload.market_id,
        version=version,
        digest=packed.digest,
        published_at=published_at,
        changed_at=pointer.changed_at if same and pointer else now,
        upload_id=upload.upload_id,
        source=upload.source,
        finished_at=max(upload.finished_at, pointer.finished_at) if pointer else upload.finished_at,
        replaced_at=upload.finished_at if replaces or pointer is None else pointer.replaced_at,
        time_zone=content.time_zone,
        datum=content.datum,
        stale_after_hours=content.stale_after_hours,
        zones=len(content.zones),
        levels=dict(packed.levels),
        policies=tuple(policy.reference for policy in content.policies),
    )
    settled = _settled(
        upload,
        reading,
        now,
        state=UploadState.PUBLISHED,
        rules_version=version,
        rules_digest=packed.digest,
        unchanged=same,
        difference=Difference() if same else difference(base, content),
    )
    changes: list[Change] = [
        Keep(snapshots.pointer_row(after), was=pointer.version if pointer else None),
        Keep(_row(settled, now), was=upload.version),
    ]
    if pointer is not None and not same:
        row = world.table.get(snapshots.former_key(upload.market_id, pointer.version))
        was = row.version if row else None
        changes.append(Keep(snapshots.former_row(pointer, was), was=was))
    world.table.write(*changes)
    world.log(
        "rules_published", market=upload.market_id, upload=upload.upload_id, version=version, unchanged=same
    )
    return settled


def _is_old_news(upload: Upload, now: datetime) -> bool:
    """True for a list of a day before yesterday. That it says nothing new shows that it was sent again, not that
    its source still speaks: a feed that is stuck must not keep the rules from going stale."""
    if upload.day is None:
        return False
    return upload.day < now.astimezone(zone_info(upload.time_zone)).date() - timedelta(days=1)


def _keep_snapshot(world: World, packed: Packed, pointer: Pointer | None) -> None:
    known = set(consult.manifest_of(world, pointer.digest).chunks) if pointer else set()
    rows = [snapshots.chunk_row(name, chunk) for name, chunk in packed.chunks.items() if name not in known]
    for row in [*rows, snapshots.snapshot_row(packed)]:
        try:
            world.table.write(Keep(row, was=None))
        except Lost:
            continue  # the same content stands there already


def policies_ever(world: World, market_id: str) -> dict[str, str]:
    """The hash of every version of a policy that ever held: a version never changes its meaning."""
    rows = world.table.read(facts.pointer_key(market_id).pk, "policy#").rows
    return {row.key.sk.partition("#")[2]: row.body for row in rows}


def _keep_policies(world: World, content: Content) -> None:
    known = policies_ever(world, content.market_id)
    for policy in content.policies:
        if policy.reference in known:
            continue
        key = Key(facts.pointer_key(content.market_id).pk, f"policy#{policy.reference}")
        try:
            world.table.write(Keep(Row(key, 1, digest_of(policy)), was=None))
        except Lost as lost:  # the upload is read again, against what stands there now
            if lost.found is not None and lost.found.body != digest_of(policy):
                raise


def note_touched(world: World, market_id: str, rules_version: int, count: int) -> None:
    """Say on the upload that brought these rules how many orders they touched; once, and if they still hold."""
    row = world.table.get(facts.pointer_key(market_id))
    pointer = snapshots.pointer_of_row(row) if row else None
    if pointer is None or pointer.version != rules_version:
        return  # others came after them, and touched what they touched
    kept = world.table.get(snapshots.upload_key(pointer.upload_id))
    upload = snapshots.upload_of_row(kept) if kept else None
    if upload is None or upload.difference is None or upload.unchanged:
        return
    if upload.difference.orders_touched is not None:
        return
    told = _next(upload, difference=upload.difference.model_copy(update={"orders_touched": count}))
    try:
        world.table.write(Keep(_row(told, world.clock()), was=upload.version))
    except Lost:
        pass  # another pass has just said so


def _refuse(world: World, upload: Upload, reading: Reading, faults: Faults, now: datetime) -> Upload:
    settled = _settled(
        upload,
        reading,
        now,
        state=UploadState.REFUSED,
        faults=tuple(faults.listed),
        fault_count=faults.count,
    )
    world.table.write(Keep(_row(settled, now), was=upload.version))
    world.log("rules_refused", market=upload.market_id, upload=upload.upload_id, faults=faults.count)
    return settled


def _settled(upload: Upload, reading: Reading, now: datetime, **changes: object) -> Upload:
    return _next(
        upload,
        settled_at=now,
        remarks=tuple(reading.remarks.listed),
        remark_count=reading.remarks.count,
        **changes,
    )


def _next(upload: Upload, **changes: object) -> Upload:
    return upload.model_copy(update={**changes, "version": upload.version + 1})


def _row(upload: Upload, now: datetime) -> Row:
    return snapshots.upload_row(upload, now + PATIENCE, facts.epoch(upload.begun_at + KEPT))
