"""Spare a courier that fails: may it be asked, and what came of it (`domain.breaker`).

The row is read with what is read anyway, and written when a courier fails or comes back. To lose a race over it is
harmless: the breaker opens one failure later.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from chalicelib.domain import breaker, facts
from chalicelib.domain.breaker import Breaker, BreakerState
from chalicelib.domain.dialect import Unsure
from chalicelib.domain.errors import Lost
from chalicelib.domain.fleet import Courier
from chalicelib.domain.ports import Drop, Keep, Row, Topic, World

TRIES = 3
DOWN, PROBED = "courier_down", "courier_probed"
"""Why not now: it is left in peace; or somebody is asking it the one question."""


class Leave(NamedTuple):
    """To ask a courier once. `probe`: the row of a breaker that this question may close."""

    probe: Row | None = None


def leave(world: World, courier: Courier, row: Row | None) -> Leave | Unsure:
    """May it be asked now? `row`: of its breaker, as it was read. A half-open one lets one question through."""
    if row is None:
        return Leave()
    now, known = world.clock(), facts.breaker_of_row(row)
    state = known.state(now)
    if state is BreakerState.CLOSED:
        return Leave()
    if state is BreakerState.OPEN:
        assert known.until is not None
        return Unsure(DOWN, known.until - now)
    if known.is_probed(now):
        return Unsure(PROBED, breaker.PROBE)
    asking = facts.breaker_row(known.probing(now), row.version + 1)
    try:
        world.table.write(Keep(asking, was=row.version))
    except Lost:
        return Unsure(PROBED, breaker.PROBE)
    return Leave(asking)


def failed(world: World, courier: Courier, why: str, retry_after: timedelta | None) -> None:
    """One more failure."""
    key = facts.breaker_key(courier.market_id, courier.courier_id)
    for _ in range(TRIES):
        row, now = world.table.get(key), world.clock()
        known = None if row is None else facts.breaker_of_row(row)
        after = breaker.failed(known, courier.market_id, courier.courier_id, why, now, retry_after)
        version = row.version if row else 0
        try:
            world.table.write(Keep(facts.breaker_row(after, version + 1), was=row.version if row else None))
        except Lost:
            continue
        if _opens(known, after, now):
            world.log(
                "breaker_opened",
                market=courier.market_id,
                courier=courier.courier_id,
                why=after.why,
            )
        return


def _opens(before: Breaker | None, after: Breaker, now: datetime) -> bool:
    return after.is_open(now) and (before is None or not before.is_open(now))


def answered(world: World, courier: Courier, given: Leave) -> None:
    """It answered the one question: it is asked by everybody again, and whoever waited for it is planned."""
    if given.probe is None:
        return
    try:
        world.table.write(Drop(given.probe.key, was=given.probe.version))
    except Lost:
        return  # it failed somebody else meanwhile
    world.log("breaker_closed", market=courier.market_id, courier=courier.courier_id)
    world.queues.nudge(Topic.DISPATCH, [f"{courier.market_id}:all"])
