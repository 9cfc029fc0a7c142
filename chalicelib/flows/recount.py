"""Count a market for its board: who is in trouble, and who comes first. Writes no order.

Polls ask for it (`watch`), and nobody who does not look pays for it. A count reads every open order from the work
index, and those of the last days that have ended and may need somebody. It is written over the one it was begun after:
of two that run at a time the later one is dropped, so an older count never comes back. A nudge that is lost is sent
again by the next poll.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from chalicelib.domain import facts
from chalicelib.domain.board import (
    AFTERMATH_DAYS,
    ASK_AGAIN,
    FRESH,
    KEPT,
    Board,
    Line,
    Watched,
    board_key,
    board_of_row,
    by_risk,
    counted,
    line_of,
    lines_key,
    packed,
    unpacked,
    watched_key,
)
from chalicelib.domain.due import AFTERMATH
from chalicelib.domain.errors import Delayed, Lost
from chalicelib.domain.orders import ENDED, Order
from chalicelib.domain.places import Market
from chalicelib.domain.ports import Keep, Key, Row, Topic, World
from chalicelib.flows import enlist, review

MOST = 20_000
"""Gifts on one board; beyond that it says that there are more."""
PAGE = 1000


def watch(world: World, market_id: str) -> Board | None:
    """The last count, and a new one asked for if that is old: two reads, and one write in ten seconds whoever looks.
    None: nobody has counted yet. Raises `Missing` for a market that is not here."""
    head, watched = board_key(market_id), watched_key(market_id)
    rows = {row.key: row for row in world.table.get_many([head, watched])}
    board = None if head not in rows else board_of_row(rows[head])
    if board is None:
        enlist.market(world, market_id)
    now, asked = world.clock(), rows.get(watched)
    if board is not None and now - board.counted_at < board.fresh_for:
        return board
    since = None if asked is None else Watched.model_validate_json(asked.body).asked_at
    is_answered = board is not None and since is not None and board.counted_at >= since
    is_due = since is None or now - since >= (FRESH if is_answered else ASK_AGAIN)
    if is_due and is_first(world, watched, asked):
        world.queues.nudge(Topic.RULES, [f"board:{market_id}:"])
    return board


def is_first(world: World, watched: Key, asked: Row | None) -> bool:
    """Note that it is asked now; false where another poll has, since this row was read."""
    version = 0 if asked is None else asked.version
    body = Watched(asked_at=world.clock()).model_dump_json()
    try:
        world.table.write(Keep(Row(watched, version + 1, body), was=version or None))
    except Lost:
        return False
    return True


def lines(world: World, board: Board) -> list[Line] | None:
    """The lines of that count; None when they are gone, for a later count has long taken their place. A process
    remembers those it read last: whoever filters or opens an order asks for the same."""
    kept: tuple[str, list[Line]] | None = world.memory.get(f"board#{board.market_id}")
    if kept is not None and kept[0] == board.round:
        return kept[1]
    keys = [lines_key(board.market_id, board.round, number) for number in range(board.rows)]
    rows = {row.key: row for row in world.table.get_many(keys)}
    if len(rows) < len(keys):
        return None
    found = [line for key in keys for line in unpacked(world.sealer.unseal(rows[key].sealed, _context(key)))]
    world.memory[f"board#{board.market_id}"] = (board.round, found)
    return found


def _context(key: Key) -> str:
    return f"{key.pk}/{key.sk}"


def recount(world: World, market_id: str) -> None:
    """Count, unless somebody just has. Raises `Missing` for a market that is not here."""
    market = enlist.market(world, market_id)
    before = world.table.get(board_key(market_id))
    now, began = world.clock(), world.stopwatch()
    if before is not None and now - (known := board_of_row(before)).counted_at < known.fresh_for / 2:
        return
    fleet = facts.load_fleet(world.table, market_id, world.memory)
    down = fleet.down(now) | {name for name, courier in fleet.couriers.items() if courier.suspended}
    orders, is_cut = _orders(world, market, now)
    found = by_risk(_lines(world, orders, market, now, frozenset(down)))
    chunks = packed(found)
    letters = {topic.value: count for topic, count in world.queues.set_aside().items() if count}
    shown = hashlib.sha256(b"\n".join([*chunks, repr(sorted(letters.items())).encode()]))
    board = Board(
        market_id=market_id,
        round=f"{now:%Y%m%dT%H%M%S%f}",
        counted_at=now,
        digest=shown.hexdigest()[:32],
        rows=len(chunks),
        letters=letters,
        is_cut=is_cut,
        took_s=round(world.stopwatch() - began, 1),
        **counted(found),
    )
    gone = facts.epoch(now + KEPT)
    try:
        for number, raw in enumerate(chunks):
            key = lines_key(market_id, board.round, number)
            sealed = world.sealer.seal(raw, _context(key))
            world.table.write(Keep(Row(key, 1, "{}", sealed=sealed, expires_at=gone), was=None))
        version = 0 if before is None else before.version
        row = Row(board_key(market_id), version + 1, board.model_dump_json(exclude_defaults=True))
        world.table.write(Keep(row, was=version or None))
    except Lost:
        return  # another count was quicker, and is as good
    review.review(world, market, found)


def _orders(world: World, market: Market, now: datetime) -> tuple[list[Order], bool]:
    """Every open order, and what the last days have left; and whether there are more."""
    buckets = [facts.pool_bucket(market.market_id, shard) for shard in range(market.shards)]
    buckets += [facts.wait_bucket(market.market_id, shard) for shard in range(market.shards)]
    today = now.astimezone(UTC).date()
    days = [today + timedelta(days=ahead) for ahead in range(1 - AFTERMATH_DAYS, 2)]
    buckets += [facts.desk_bucket(market.market_id, day) for day in days]
    keys: dict[Key, None] = {}
    for bucket in buckets:
        after: str | None = None
        while len(keys) < MOST:
            page = world.table.find_due(bucket, now + facts.FAR, PAGE, after)
            keys.update(dict.fromkeys(page.keys))
            after = page.after
            if after is None:
                break
    is_cut = len(keys) >= MOST
    found = facts.readable(world.table.get_many(list(keys)[:MOST]), world.log)
    # the index may lag behind: what was delivered meanwhile is no trouble
    return [order for order in found if order.state not in ENDED or order.state in AFTERMATH], is_cut


def _lines(
    world: World, orders: Sequence[Order], market: Market, now: datetime, down: frozenset[str]
) -> Iterable[Line]:
    for order in orders:
        private = None
        try:
            if order.sealed:  # else there never was a parcel
                private = facts.unseal_private(world.sealer, order)
        except Delayed:
            raise
        except Exception as error:  # one seal that does not open hides no other gift
            world.log("order_unreadable", order=order.order_id, why=type(error).__name__)
        yield line_of(order, private, now, market.datum, down)
