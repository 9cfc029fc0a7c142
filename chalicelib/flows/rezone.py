"""Rules or fleet have changed: find every order they touch, and decide those again, the most urgent first, resumable.

Before a booking the slot is given back; before the pick-up the booking is cancelled; after it the gift is with
the courier (law 0) and is recalled, or keeps going where a hand-over is still allowed.

A market's shards are passed over at the same time, each by a nudge of its own. A shard is looked through whole and
without a write: whatever would be decided otherwise today is touched, by what rule or test or permit ever; so nothing
has to be known of what changed, and nothing is missed. Then the touched are decided in the order in which their
windows end: as many as make the market's 2,000 most urgent, before any shard goes on with what can wait.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from pydantic import Field

from chalicelib.domain import facts
from chalicelib.domain.clearance import Clearer
from chalicelib.domain.errors import Delayed, Lost
from chalicelib.domain.evidence import Step
from chalicelib.domain.legs import BookingState, EventKind, replace_leg
from chalicelib.domain.orders import Order
from chalicelib.domain.places import Market
from chalicelib.domain.policies import TO_THE_CLIENT, Handover
from chalicelib.domain.ports import Change, Keep, Key, Row, Topic, World
from chalicelib.domain.quotas import Needs
from chalicelib.domain.shapes import Instant, Shape, stamp
from chalicelib.domain.steps import moved
from chalicelib.domain.verdicts import Decision, Reason, Verdict
from chalicelib.flows import check, enlist, publish, ration

PAGE = 500
"""Orders read at a time while looking through a shard."""
URGENT = 2000
"""Touched orders of a market that are decided before any that can wait."""
SPARE = 1.5
"""A shard's part of them is taken so much larger, for the most urgent do not lie in all shards alike."""
BLOCK = 100
"""Orders decided on one reading of rules and fleet; their nudges go out together."""
MORE = 1000
"""Orders a shard decides before it is looked through anew, once the urgent ones are done, ..."""
LONGEST_S = 45.0
"""... or as many as fit into this. Looking through again costs less than writing down who is left."""
PATIENCE = timedelta(seconds=90)
"""A pass that was heard of so long ago is still under way, and no other is begun beside it."""
TRIES = 5
PASS = "pass"  # noqa: S105  # nosec B105 - a word in a nudge
AGAIN = timedelta(minutes=15)
"""A pass is made at least so often, whether or not anything is known to have changed: permits lapse by themselves."""


class Rezoned(Shape):
    """How far the last whole pass over a market's orders came: under which rules, and when it began."""

    rules_version: int
    began_at: Instant

    @property
    def order(self) -> tuple[int, datetime]:
        """Which of two passes counts: the one under later rules, then the later one."""
        return self.rules_version, self.began_at


class ShardPassed(Shape):
    """How far a pass over one shard has come. Only kept where a pass is more than one run: many shards, many orders."""

    rules_version: int = Field(description="Of the latest pass that was heard of, ...")
    began_at: Instant
    seen_at: Instant = Field(description="... and when it was.")
    touched: int = Field(default=0, description="Orders found under those rules.")
    done: Rezoned | None = Field(default=None, description="The latest that came through.")

    @property
    def order(self) -> tuple[int, datetime]:
        """As `Rezoned.order`, of the latest pass that was heard of."""
        return self.rules_version, self.began_at


class _Pass(NamedTuple):
    """One pass over a market: why, under which rules it began, and when."""

    why: str
    rules_version: int
    epoch: int

    @property
    def whole(self) -> Rezoned:
        return Rezoned(rules_version=self.rules_version, began_at=datetime.fromtimestamp(self.epoch, UTC))

    def name(self, market_id: str, shard: int, after: str = "") -> str:
        return f"rezone:{market_id}:{self.why}{self.rules_version},{self.epoch},{shard}/{after}"


_URGENCY = re.compile(r"!\d{4}-\d\d-\d\dT[\d:.]+Z\|ord_[a-z2-7]{26}", re.ASCII)


def _urgency(order: Order) -> str:
    """Its place in the order of urgency, as a nudge carries it."""
    return f"!{stamp(order.window.end)}|{order.order_id}"


def rezone(world: World, market_id: str, cursor: str = "") -> None:
    """Pass over a market's assigned and booked orders, or over one of its shards; the pool comes last.

    `cursor`: empty because rules or fleet have changed, `pass` because it is time for one, or
    `<rules version>,<epoch>,<shard>/<place>`: under which rules and when it began, and the last order that was decided.
    What is touched is found anew in each run, so a place that means nothing any more, or is of former code, costs a
    look and no order. Raises `Missing` for a market that is not here.
    """
    market = enlist.market(world, market_id)
    on = check.ground(world, market_id)
    if cursor in ("", PASS):
        version = on.atlas.rules.version if on.atlas else 0
        this, shard, after = _Pass(cursor, version, facts.epoch(world.clock())), 0, ""
        if market.shards > 1:
            others = range(1, market.shards)
            world.queues.nudge(Topic.RULES, [this.name(market_id, other) for other in others])
    else:
        why = PASS if cursor.startswith(PASS) else ""
        first, second, place = cursor.removeprefix(PASS).split(",", 2)
        this = _Pass(why, int(first), int(second))
        number, _, after = place.partition("/")
        shard = int(number) if number else 0
        after = after if _URGENCY.fullmatch(after) else ""
    _pass_over(world, market, on, this, shard, after)


def _pass_over(world: World, market: Market, on: check.Ground, this: _Pass, shard: int, after: str) -> None:
    found = touched(world, market.market_id, shard, on)
    rest = [place for place in found if place > after]
    share = MORE if after else max(BLOCK, math.ceil(URGENT * SPARE / market.shards))
    is_long = market.shards > 1 or len(rest) > share
    if is_long:
        _note_shard(world, market.market_id, shard, this, len(found), ended=False)
    left = _decide(world, market.market_id, rest, share, on)
    if left < len(rest):
        world.queues.nudge(Topic.RULES, [this.name(market.market_id, shard, rest[left - 1])])
        return
    if is_long or after:
        _note_shard(world, market.market_id, shard, this, 0, ended=True)
    _finish(world, market, this, len(found), is_long=is_long or bool(after))


def touched(world: World, market_id: str, shard: int, on: check.Ground) -> list[str]:
    """Every order of the shard that would be decided otherwise now, the most urgent first. Writes nothing."""
    found: list[str] = []
    place: str | None = None
    bucket, until = facts.wait_bucket(market_id, shard), world.clock() + facts.FAR
    while True:
        page = world.table.find_due(bucket, until, PAGE, place)
        orders = facts.readable(world.table.get_many(page.keys), world.log)
        now = world.clock()
        clearer = _clearer(on, now)
        halted: list[str] = []
        for order in orders:
            try:
                fate = _fate(world, order, on, now, clearer)
            except Exception as error:  # one seal that does not open must not hide the others
                facts.pass_by(world.log, order.order_id, error)
                continue
            if fate is not None:
                found.append(_urgency(order))
            elif _has_halted(order):
                halted.append(order.order_id)
        if halted:
            world.queues.nudge(Topic.BOOK, halted)
        place = page.after
        if place is None:
            return sorted(found)


def _clearer(on: check.Ground, now: datetime) -> Clearer | None:
    """One for many orders: what it finds out of crews, permits and places is found out once."""
    return None if on.atlas is None else Clearer(on.atlas, on.fleet, on.knowing(now))


def _decide(world: World, market_id: str, places: Sequence[str], share: int, on: check.Ground) -> int:
    """Decide these again, at most `share`, as long as there is time; how many were."""
    began, done = world.stopwatch(), 0
    while done < min(share, len(places)):
        if done:
            if world.stopwatch() - began > LONGEST_S:
                break
            on = check.ground(world, market_id)
        block = places[done : min(done + BLOCK, share)]
        keys = [facts.order_key(place.rpartition("|")[2]) for place in block]
        orders = {order.order_id: order for order in facts.readable(world.table.get_many(keys), world.log)}
        clearer = _clearer(on, world.clock())
        nudges: dict[Topic, dict[str, None]] = {}
        try:
            for key in keys:
                if key.pk in orders:
                    for topic, name in decide_again(world, orders[key.pk], on, clearer):
                        nudges.setdefault(topic, {})[name] = None
        finally:  # what was saved is nudged, whatever came after it
            for topic, names in nudges.items():
                world.queues.nudge(topic, names)
        done += len(block)
    return done


def _finish(world: World, market: Market, this: _Pass, count: int, *, is_long: bool) -> None:
    """The shard is passed over. With the last of them the market is, and what waits is looked at."""
    whole = this.whole
    if is_long:
        rows = _shards(world, market.market_id)
        done = [row.done for shard in range(market.shards) if (row := rows.get(shard)) and row.done]
        if len(done) < market.shards or any(each.order < whole.order for each in done):
            return
        whole = min(done, key=lambda each: each.order)
        count = sum(row.touched for row in rows.values() if row.rules_version == whole.rules_version)
    if not this.why:
        world.queues.nudge(Topic.DISPATCH, [f"{market.market_id}:all"])
    _note(world, market.market_id, whole, count)


# --- how far ------------------------------------------------------------------------------------------------------


def overdue(world: World, market_ids: Sequence[str]) -> list[str]:
    """The nudges for markets whose orders have to be decided again: rules newer than the last whole pass, or a
    pass too old; but for those in which such a pass is under way.

    One read for all of them. Nothing here waits for the nudge that a publication sent, and a page of an index that
    lagged behind is made good by the next pass.
    """
    now = world.clock()
    keys = [key for name in market_ids for key in (facts.pointer_key(name), facts.rezoned_key(name))]
    rows = {row.key: row for row in world.table.get_many(keys)}
    late = []
    for name in market_ids:
        pointer, done = rows.get(facts.pointer_key(name)), rows.get(facts.rezoned_key(name))
        if pointer is None:
            continue
        last = Rezoned.model_validate_json(done.body) if done else None
        is_new = last is None or last.rules_version < pointer.version
        is_time = last is not None and last.began_at + AGAIN <= now
        if (is_new or is_time) and not _is_under_way(world, name, pointer.version, last):
            late.append(f"rezone:{name}:" if is_new else f"rezone:{name}:{PASS}")
    return late


def _is_under_way(world: World, market_id: str, version: int, last: Rezoned | None) -> bool:
    """True when a later pass than the last whole one was heard of just now, under the rules that hold."""
    now = world.clock()
    return any(
        row.rules_version >= version
        and (last is None or row.order > last.order)
        and now < row.seen_at + PATIENCE
        for row in _shards(world, market_id).values()
    )


def _shard_key(market_id: str, shard: int) -> Key:
    return Key(facts.pointer_key(market_id).pk, f"rezoning#{shard:02d}")


def _shards(world: World, market_id: str) -> dict[int, ShardPassed]:
    rows = world.table.read(facts.pointer_key(market_id).pk, "rezoning#").rows
    return {int(row.key.sk.partition("#")[2]): ShardPassed.model_validate_json(row.body) for row in rows}


def _note_shard(world: World, market_id: str, shard: int, this: _Pass, count: int, *, ended: bool) -> None:
    """Say that this pass was here, and whether it came through."""
    key, whole = _shard_key(market_id, shard), this.whole
    for _ in range(TRIES):
        row = world.table.get(key)
        before = ShardPassed.model_validate_json(row.body) if row else None
        after = ShardPassed(
            rules_version=whole.rules_version,
            began_at=whole.began_at,
            seen_at=world.clock(),
            touched=count,
            done=whole if ended else None,
        )
        if before is not None:
            changes: dict[str, object] = {}
            if before.rules_version == after.rules_version:
                changes["touched"] = max(before.touched, count)
            if before.order > whole.order:  # a later one has been here: it stays
                after = before
            if before.done is not None and (not ended or before.done.order > whole.order):
                changes["done"] = before.done
            elif ended:
                changes["done"] = whole
            after = after.model_copy(update=changes)
        try:
            version = row.version if row else 0
            world.table.write(Keep(Row(key, version + 1, after.model_dump_json()), was=version or None))
        except Lost:
            continue
        return
    raise Delayed(f"others keep passing over shard {shard} of the market {market_id!r}")


def _note(world: World, market_id: str, done: Rezoned, count: int) -> None:
    key = facts.rezoned_key(market_id)
    row = world.table.get(key)
    last = Rezoned.model_validate_json(row.body) if row else None
    if last is not None and last.order >= done.order:
        return
    if last is None or last.rules_version < done.rules_version:
        publish.note_touched(world, market_id, done.rules_version, count)
    version = row.version if row else 0
    try:
        world.table.write(Keep(Row(key, version + 1, done.model_dump_json()), was=version or None))
    except Lost:
        pass  # another pass has just ended; at worst this one is done again


# --- one order ----------------------------------------------------------------------------------------------------


def decide_again(
    world: World, order: Order, on: check.Ground, clearer: Clearer | None = None
) -> list[tuple[Topic, str]]:
    """One order under the rules and the fleet of now; the nudges that are owed then."""
    for _ in range(TRIES):
        try:
            step = _step(world, order, on, clearer)
            closes_on_crew = step is not None and _closes_on_crew(world, order, on)
        except Exception as error:  # one seal that does not open must not keep the others where nobody may go
            facts.pass_by(world.log, order.order_id, error)
            return []
        if step is None:
            return [(Topic.BOOK, order.order_id)] if _has_halted(order) else []
        after, changes, topics = step
        try:
            world.table.write(facts.keep_order(after), *changes)
        except Lost:
            order = facts.load_order(world.table, order.order_id)
            continue
        facts.note_step(world.log, after)
        if closes_on_crew:
            world.log("crew_may_be_shut_in", order=order.order_id, market=order.market_id)
        return [(topic, order.market_id if topic is Topic.DISPATCH else order.order_id) for topic in topics]
    return []


def _closes_on_crew(world: World, order: Order, on: check.Ground) -> bool:
    """True when the crew carries the gift to the client's door, may have come there by now, and nobody may be there."""
    assignment, live, now = order.leg.assignment, order.leg.live_booking, on.knowing(world.clock())
    may_be_inside = (
        assignment is not None
        and live is not None
        and live.track.has_custody
        and live.track.kind is not EventKind.RETURNING
        and assignment.handover in TO_THE_CLIENT
        and assignment.hand_over_from <= now
    )
    return may_be_inside and not check.reaches_client(world, order, on, now)


def _has_halted(order: Order) -> bool:
    """True when whoever took the step to an end of a booking may have stopped before it nudged."""
    live = order.leg.live_booking
    return live is not None and live.state is BookingState.CANCELLING and live.cancel_tries == 0


def _fate(
    world: World, order: Order, on: check.Ground, now: datetime, clearer: Clearer | None = None
) -> tuple[Verdict, tuple[Handover, ...], Needs] | None:
    """What is decided of it now, how it may still change hands and what it has to take of quotas, if that is not as it
    was decided before. Whether there is something left of them is not asked here."""
    leg = order.leg
    live = leg.live_booking
    if leg.assignment is None or (live is None and leg.deciding_booking is not None):
        return None
    if live is not None and live.state is BookingState.CANCELLING:
        return None
    verdict = check.check(world, order, on, now, clearer=clearer)
    narrowed = verdict.handovers if live is None else leg.assignment.narrowed(verdict.handovers)
    owed: Needs = {}
    if verdict.decision is Decision.YES and narrowed:
        if live is None or not live.track.has_custody:
            owed = ration.owed(world, order, verdict, on)
        return None if narrowed == leg.assignment.handovers and not owed else (verdict, narrowed, owed)
    if _is_recalled(order):
        return None
    return verdict, (), owed


def _is_recalled(order: Order) -> bool:
    """True when it was recalled before, and is on its way back or refused."""
    live = order.leg.live_booking
    return live is not None and (live.cancel_reason == "not_cleared" or live.track.kind == "returning")


def _step(
    world: World, order: Order, on: check.Ground, clearer: Clearer | None = None
) -> tuple[Order, list[Change], tuple[Topic, ...]] | None:
    leg, now = order.leg, world.clock()
    live = leg.live_booking
    fate = _fate(world, order, on, now, clearer)
    if fate is None:
        return None
    verdict, narrowed, owed = fate
    assert leg.assignment is not None
    full = ration.lacking(owed, ration.counted(world, order.market_id, [owed], on)) if owed else None
    if full is not None:
        if _is_recalled(order):
            return None
        verdict, narrowed = verdict._replace(decision=Decision.NO, reasons=(full,), handovers=()), ()
    if narrowed:
        fresh = check.refreshed if live is None else check.narrowed
        assignment = ration.taking(fresh(leg.assignment, verdict, on), owed)
        kept = leg.model_copy(update={"assignment": assignment})
        after = moved(order, now, legs=replace_leg(order.legs, kept), evidence_count=order.evidence_count + 1)
        piece = check.evidence(order, Step.REZONE, verdict, on, now)
        taken = ration.takes(order.market_id, owed)
        return after, [facts.keep_evidence(piece), *taken], (Topic.TELL,)
    if verdict.decision is Decision.YES:  # only in a way that the courier was not told
        verdict = verdict._replace(decision=Decision.NO, reasons=(Reason.NO_HANDOVER,), handovers=())
    piece = check.evidence(order, Step.REZONE, verdict, on, now)
    evidence = facts.keep_evidence(piece)
    if live is None:
        free = leg.model_copy(update={"assignment": None})
        after = moved(
            order,
            now,
            legs=replace_leg(order.legs, free),
            outlook=check.back_to_pool(now, verdict.decision, verdict.reasons),
            evidence_count=order.evidence_count + 1,
        )
        give_back = check.give_back(order, leg.assignment.slot_id)
        return after, [evidence, *give_back], (Topic.TELL, Topic.DISPATCH)
    stopped = live.asked_to_let_go("not_cleared", now)
    after = moved(
        order,
        now,
        legs=replace_leg(order.legs, leg.with_booking(stopped)),
        evidence_count=order.evidence_count + 1,
    )
    return after, [evidence], (Topic.BOOK, Topic.TELL)
