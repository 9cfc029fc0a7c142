"""Ask what a change of the rules would do (202), and read the answer. How it is worked out: `weigh`. Writes no order.

A job stands on the snapshot that was in force when it was asked. What the question brings along is kept with it.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from chalicelib.domain import facts, snapshots
from chalicelib.domain.errors import Clashing, Fault, Invalid, Lost, Missing
from chalicelib.domain.impact import (
    HORIZON,
    WORK,
    Affected,
    AffectedRow,
    Impact,
    ImpactQuestion,
    ImpactState,
    impact_id_of,
    impact_key,
    impact_of_row,
    impact_row,
    running_shelf,
    told_key,
)
from chalicelib.domain.ports import Change, Keep, Key, Row, Topic, World
from chalicelib.domain.uploads import UploadState
from chalicelib.flows import consult, enlist, publish

KEPT = timedelta(days=7)
"""How long a job and its answer can be read."""
PATIENCE = timedelta(minutes=2)
"""After so long a job that has made no step is nudged again."""
RUNNING = 5
"""Jobs of one market that are worked at, at a time."""
ROW = 100
"""Orders in one row of the answer."""
PART = 1
"""The number of the one part that a question brings along."""


# --- asking ---------------------------------------------------------------------------------------------------


def ask(
    world: World,
    market_id: str,
    source: str,
    idempotency_key: str,
    question: ImpactQuestion,
    raw: bytes,
    sees_all: bool = False,
) -> Impact:
    """A new job, or the one that the same request began.

    `raw`: the body as it came; `sees_all`: it may name any source's upload.

    Raises `Missing` without rules or for no such upload, `Clashing` for an upload that takes no parts any more and
    for one job too many, `Invalid` for a moment that is over, or when the key was used with another body.
    """
    impact_id = impact_id_of(source, market_id, idempotency_key)
    fingerprint = sha256(raw).hexdigest()
    row = world.table.get(impact_key(impact_id))
    if row is not None:
        return _repeated(world, impact_of_row(row), fingerprint)
    market, base, now = enlist.market(world, market_id), consult.in_force(world, market_id), world.clock()
    at = question.at or now
    if not now <= at <= now + HORIZON:
        detail = f"a moment from now on was expected, at most {HORIZON.days} days ahead"
        raise Invalid(f"/at: {detail}", [Fault("/at", detail, at.isoformat())])
    if len(world.table.find_shelved(running_shelf(market_id), RUNNING).keys) >= RUNNING:
        raise Clashing(f"at most {RUNNING} questions about one market are worked at, at a time; wait for one")
    impact = Impact(
        impact_id=impact_id,
        market_id=market_id,
        source=source,
        fingerprint=fingerprint,
        asked_at=now,
        at=at,
        base=base,
        buckets=2 * market.shards,
    )
    changes: list[Change] = []
    if question.upload_id is not None:
        upload = publish.upload_of(world, market_id, question.upload_id, None if sees_all else source)
        if upload.state is not UploadState.OPEN:
            raise Clashing(
                f"an upload that still takes parts was expected, {upload.upload_id!r} is {upload.state.value}"
            )
        told = {"upload_id": upload.upload_id, "parts_digest": parts_digest(world, upload.upload_id)}
        if told["parts_digest"] is None:
            raise Clashing(f"the upload {upload.upload_id!r} has no parts yet")
        impact = impact.model_copy(update=told)
    else:
        assert question.amendment is not None
        impact = impact.model_copy(update={"datum": question.amendment.datum or market.datum})
        stated = {name: value for name, value in json.loads(raw)["amendment"].items() if name != "datum"}
        expires_at = expiry(impact)
        for piece, packed in enumerate(snapshots.pieces_of(json.dumps(stated).encode())):
            key = Key(impact_key(impact_id).pk, f"{snapshots.part_prefix(PART)}{piece}")
            changes.append(Keep(Row(key, 1, "{}", sealed=packed, expires_at=expires_at), was=None))
    try:
        world.table.write(Keep(kept_row(impact, now), was=None), *changes)
    except Lost:  # the same request was quicker
        return ask(world, market_id, source, idempotency_key, question, raw, sees_all)
    nudge(world, impact)
    return impact


def _repeated(world: World, impact: Impact, fingerprint: str) -> Impact:
    if impact.fingerprint != fingerprint:
        raise Invalid(
            "this Idempotency-Key was used with another body",
            [Fault("", "the same key goes with the same body; a new question needs a new key")],
        )
    if not impact.is_over:
        nudge(world, impact)
    return impact


def kept_row(impact: Impact, now: datetime) -> Row:
    """The job as it is kept."""
    return impact_row(impact, now + PATIENCE, expiry(impact))


def expiry(impact: Impact) -> int:
    """When its rows may vanish."""
    return facts.epoch(impact.asked_at + KEPT)


def nudge(world: World, impact: Impact) -> None:
    """The step that comes next."""
    name = f"{impact.market_id}:{impact.impact_id}:{impact.step}"
    if impact.state is ImpactState.PLANNING:
        world.queues.nudge(Topic.DISPATCH, [f"impact/{name}"])
    else:
        world.queues.nudge(Topic.RULES, [f"impact:{name}"])


def nudge_waiting(world: World, limit: int = 100) -> int:
    """Nudge every job that has made no step for a while; for the sweep."""
    page = world.table.find_due(WORK, world.clock(), limit)
    waiting = [impact_of_row(row) for row in world.table.get_many(page.keys)]
    for impact in waiting:
        if not impact.is_over:
            nudge(world, impact)
    return len(waiting)


# --- reading --------------------------------------------------------------------------------------------------


def impact_of(world: World, market_id: str, impact_id: str, source: str | None = None) -> Impact:
    """The job as it is now; `source`: if it is theirs. Raises `Missing`, also for one that has lapsed."""
    row = world.table.get(impact_key(impact_id))
    impact = impact_of_row(row) if row else None
    if (
        impact is None
        or impact.market_id != market_id
        or source not in (None, impact.source)
        or world.clock() >= impact.asked_at + KEPT
    ):
        raise Missing(f"no impact {impact_id!r} for the market {market_id!r}")
    return impact


def affected(world: World, impact: Impact, limit: int, after: int) -> tuple[list[Affected], int | None]:
    """Some of the affected orders of a job that is done, from that place on, and where the next page starts."""
    if impact.state is not ImpactState.DONE or after >= impact.affected:
        return [], None
    end = min(impact.affected, after + limit)
    rows = range(after // ROW, (end - 1) // ROW + 1)
    keys = [told_key(impact.impact_id, impact.round, number) for number in rows]
    found = {row.key: AffectedRow.model_validate_json(row.body).data for row in world.table.get_many(keys)}
    if len(found) < len(keys):
        raise Missing(f"the answer of {impact.impact_id!r} has lapsed")
    orders = [one for key in keys for one in found[key]]
    start = after - rows.start * ROW
    return orders[start : start + end - after], end if end < impact.affected else None


def amendment(world: World, impact: Impact) -> dict[str, Any] | None:
    """What was asked, as a part of an upload states it; None: an upload was asked about, or the answer is old."""
    if impact.upload_id is not None:
        return None
    rows = world.table.read(impact_key(impact.impact_id).pk, snapshots.part_prefix(PART)).rows
    return dict(json.loads(snapshots.part_of_pieces(rows))) if rows else None


def parts_digest(world: World, upload_id: str) -> str | None:
    """What tells an upload's parts from others; None: there are none."""
    have = [f"{have.number}:{have.digest}" for have in publish.haves(world, upload_id)]
    return sha256(",".join(have).encode()).hexdigest() if have else None
