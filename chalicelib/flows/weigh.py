"""Weigh a change of the rules: judge every open order of a market twice, and say what would become of each.

A page of orders is a step, a step is one conditional transaction, and the next is a nudge that names it; the sweep
nudges what has stood still. So a lost nudge costs minutes, and a double one nothing. The last step plans to whom those
would go that lose their slot, and writes the answer in the order of urgency. No order is written.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from chalicelib.domain import facts, snapshots
from chalicelib.domain.assignment import Problem, cost_ahead
from chalicelib.domain.atlas import Atlas
from chalicelib.domain.clearance import Clearer
from chalicelib.domain.errors import Lost
from chalicelib.domain.impact import (
    PLANNED,
    Affected,
    AffectedRow,
    Impact,
    ImpactState,
    Outcome,
    impact_key,
    judged,
    near,
    seen_key,
    stuck,
    told_key,
)
from chalicelib.domain.orders import Order
from chalicelib.domain.planning import planned
from chalicelib.domain.ports import Change, Keep, Row, World
from chalicelib.domain.reading import Faults, Reading
from chalicelib.domain.records import by_record
from chalicelib.domain.uploads import Difference, Mode, UploadStart, difference
from chalicelib.domain.verdicts import Decision, Delivery, Phase
from chalicelib.flows import consult, enlist, inquire, publish
from chalicelib.flows.dispatch import reasons_of

PAGE = 500
"""Orders looked at in one step."""
LONGEST = timedelta(hours=1)
"""A job that is not done by then is given up."""


@dataclass(frozen=True)
class _WhatIf:
    """The rules in force and those with the change, both as if published when it takes effect."""

    before: Atlas
    after: Atlas
    difference: Difference


def plan(world: World, market_id: str, rest: str) -> None:
    """As `weigh`, where the engine is: the last step plans."""
    weigh(world, market_id, rest, may_plan=True)


def weigh(world: World, market_id: str, rest: str, *, may_plan: bool = False) -> None:
    """One step of a job; `rest` is `<impact>:<step>`. Raises `Missing` for a job that is not here."""
    impact_id, _, step = rest.partition(":")
    impact = inquire.impact_of(world, market_id, impact_id)
    if impact.is_over or step != str(impact.step):
        return  # a step that was made
    now = world.clock()
    if now >= impact.asked_at + LONGEST:
        _end(world, impact, ImpactState.FAILED)
        return
    found = _what_if(world, impact)
    if isinstance(found, Faults):
        _end(world, impact, ImpactState.REFUSED, faults=tuple(found.listed), fault_count=found.count)
        return
    if impact.state is ImpactState.PLANNING and not may_plan:
        inquire.nudge(world, impact)  # from before an upgrade: the engine is elsewhere
        return
    made = _look if impact.state is ImpactState.LOOKING else _plan
    after = made(world, impact, found)
    if after is not None and not after.is_over:
        inquire.nudge(world, after)


def _end(world: World, impact: Impact, state: ImpactState, **changes: object) -> None:
    _step(world, impact, state=state, ended_at=world.clock(), **changes)
    world.log("impact_ended", market=impact.market_id, impact=impact.impact_id, state=state.value)


def _step(world: World, impact: Impact, *more: Change, **changes: object) -> Impact | None:
    """The job one step further, or None where somebody else was quicker."""
    after = impact.model_copy(update={**changes, "step": impact.step + 1, "version": impact.version + 1})
    try:
        world.table.write(Keep(inquire.kept_row(after, world.clock()), was=impact.version), *more)
    except Lost:
        return None
    return after


def _look(world: World, impact: Impact, rules: _WhatIf) -> Impact | None:
    """One page of orders, judged twice."""
    shard, is_pool = divmod(impact.bucket, 2)
    bucket = (facts.pool_bucket if is_pool else facts.wait_bucket)(impact.market_id, shard)
    page = world.table.find_due(bucket, world.clock() + facts.FAR, PAGE, impact.after)
    orders = facts.readable(world.table.get_many(page.keys), world.log)
    found, unaffected = _judge(world, orders, impact, rules)
    counts = Counter(impact.counts)
    counts.update(one.outcome.value for one in found)
    counts[Outcome.UNAFFECTED.value] += unaffected
    more: list[Change] = []
    if found:
        body = AffectedRow(data=tuple(found)).model_dump_json(exclude_defaults=True)
        key = seen_key(impact.impact_id, impact.step)
        more.append(Keep(Row(key, 1, body, expires_at=inquire.expiry(impact)), was=None))
    place: dict[str, object] = {"after": page.after}
    if page.after is None:
        place["bucket"] = impact.bucket + 1
        if impact.bucket + 1 == impact.buckets:
            place["state"] = ImpactState.PLANNING
    return _step(
        world,
        impact,
        *more,
        **place,
        difference=rules.difference,
        orders_seen=impact.orders_seen + len(orders),
        counts=dict(counts),
    )


def _judge(
    world: World, orders: Iterable[Order], impact: Impact, rules: _WhatIf
) -> tuple[list[Affected], int]:
    fleet = facts.load_fleet(world.table, impact.market_id, world.memory)
    before, after = Clearer(rules.before, fleet, impact.at), Clearer(rules.after, fleet, impact.at)
    slots = list(fleet.slots.values())
    found, unaffected = [], 0
    for order in orders:
        delivery = _delivery(world, order)
        if delivery is None:
            continue
        one = judged(order, delivery, before, after, slots)
        if one is None:
            unaffected += 1
        else:
            found.append(one)
    return found, unaffected


def _delivery(world: World, order: Order) -> Delivery | None:
    try:
        return order.delivery(facts.unseal_private(world.sealer, order))
    except Exception as error:  # one seal that does not open must not end the question about all others
        facts.pass_by(world.log, order.order_id, error)
        return None


def _plan(world: World, impact: Impact, rules: _WhatIf) -> Impact | None:
    """To whom those would go that lose their slot or are freed: one plan over the most urgent; then the answer."""
    rows = world.table.read(impact_key(impact.impact_id).pk, "seen#").rows
    pages = [AffectedRow.model_validate_json(row.body).data for row in rows]
    seen = [one for page in pages for one in page]
    # an order that moved in the index meanwhile was met twice: what was seen last counts
    by_urgency = sorted(
        {one.order_id: one for one in seen}.values(), key=lambda o: (o.window_end, o.order_id)
    )
    open_now = [one for one in by_urgency if one.outcome in (Outcome.LOSES_SLOT, Outcome.FREED)]
    planned = _replanned(world, impact, rules, open_now[:PLANNED], open_now)
    told = [planned.get(one.order_id, one) for one in by_urgency]
    round_name = world.token()[:8]
    for number, start in enumerate(range(0, len(told), inquire.ROW)):
        body = AffectedRow(data=tuple(told[start : start + inquire.ROW])).model_dump_json(
            exclude_defaults=True
        )
        key = told_key(impact.impact_id, round_name, number)
        try:
            world.table.write(Keep(Row(key, 1, body, expires_at=inquire.expiry(impact)), was=None))
        except Lost:
            continue  # a call that was repeated had been heard
    counts = Counter(one.outcome.value for one in told)
    counts[Outcome.UNAFFECTED.value] = impact.counts.get(Outcome.UNAFFECTED.value, 0)
    after = _step(
        world,
        impact,
        state=ImpactState.DONE,
        ended_at=world.clock(),
        round=round_name,
        affected=len(told),
        counts={name: count for name, count in counts.items() if count},
        unplanned=counts[Outcome.LOSES_SLOT.value],
    )
    if after is not None:
        world.log(
            "impact_ended",
            market=impact.market_id,
            impact=impact.impact_id,
            state=after.state.value,
            orders=len(told),
        )
    return after


def _replanned(
    world: World, impact: Impact, rules: _WhatIf, wanted: Sequence[Affected], all_open: Sequence[Affected]
) -> dict[str, Affected]:
    """Who would take these. The places of all that lose theirs are free."""
    fleet = by_record(facts.load_fleet(world.table, impact.market_id, world.memory), impact.at)
    left = Counter(fleet.left)
    left.update(one.slot for one in all_open if one.outcome is Outcome.LOSES_SLOT and one.slot in fleet.slots)
    clearer = Clearer(rules.after, fleet, impact.at)
    by_id = {one.order_id: one for one in wanted}
    orders = facts.readable(world.table.get_many([facts.order_key(name) for name in by_id]), world.log)
    answers: dict[str, Any] = {}
    costs: dict[tuple[str, str], int] = {}
    for order in orders:
        delivery = _delivery(world, order)
        if delivery is None:
            continue
        slots = near(fleet.slots.values(), order.window, impact.at)
        said = [clearer.clear(delivery, slot, order.leg.refused_by(impact.at), Phase.OPEN) for slot in slots]
        ground = clearer.ground(
            delivery, max(impact.at, order.window.start), max(order.window.end, impact.at)
        )
        answers[order.order_id] = (order, said, ground)
        for slot, verdict in zip(slots, said, strict=True):
            if verdict.decision is Decision.YES and left[slot.slot_id] > 0:
                ahead = slot.window.start - impact.at
                costs[order.order_id, slot.slot_id] = cost_ahead(
                    slot.price.amount, slot.on_time_permille, order.tier, ahead
                )
    tiers = {name: int(order.tier) for name, (order, _, _) in answers.items()}
    plan, _ = planned(Problem.of(tiers, left, costs), world.solver.assign, impact.impact_id)
    found = {}
    for name, (_, said, ground) in answers.items():
        one = by_id[name]
        chosen = plan.chosen.get(name)
        if chosen is not None:
            verdict = next(v for v in said if v.slot_id == chosen)
            found[name] = one.model_copy(
                update={
                    "outcome": Outcome.FREED if one.outcome is Outcome.FREED else Outcome.MOVES,
                    "handovers": verdict.handovers,
                    "to_slot": chosen,
                    "to_courier": fleet.slots[chosen].courier_id,
                }
            )
        else:
            reasons = reasons_of(said, left, ground)
            outcome = Outcome.FREED if one.outcome is Outcome.FREED else stuck(reasons)
            found[name] = one.model_copy(update={"outcome": outcome, "reasons": reasons})
    return found


# --- the change -----------------------------------------------------------------------------------------------


def _what_if(world: World, impact: Impact) -> _WhatIf | Faults:
    """Both rules; read once a process. Faults: what is wrong with the change."""
    name = "impact"
    known: tuple[str, _WhatIf] | None = world.memory.get(name)
    if known is not None and known[0] == impact.impact_id:
        return known[1]
    loaded = consult.loaded(world, impact.market_id, impact.base)
    atlas, base = loaded.atlas, loaded.content
    reading = _read(world, impact, atlas)
    if isinstance(reading, Faults):
        return reading
    content = reading.settle(base, impact.at, publish.policies_ever(world, impact.market_id))
    if isinstance(content, Faults):
        return content
    then = impact.base.model_copy(update={"published_at": impact.at})
    before = copy.copy(atlas)
    before.rules = atlas.rules.model_copy(update={"published_at": impact.at})
    after = Atlas(snapshots.rules_of(content, then.model_copy(update={"version": then.version + 1})))
    found = _WhatIf(before, after, difference(base, content))
    world.memory[name] = (impact.impact_id, found)
    return found


def _read(world: World, impact: Impact, atlas: Atlas) -> Reading | Faults:
    market = enlist.market(world, impact.market_id)
    if impact.upload_id is None:
        assert impact.datum is not None
        start = UploadStart(mode=Mode.AMEND, time_zone=atlas.rules.time_zone, datum=impact.datum)
        pk, numbers, reading = (
            impact_key(impact.impact_id).pk,
            [inquire.PART],
            Reading(market, start, books=world.books),
        )
    else:
        pk = snapshots.upload_key(impact.upload_id).pk
        numbers = [have.number for have in publish.haves(world, impact.upload_id)]
        is_there = world.table.get(snapshots.upload_key(impact.upload_id)) is not None  # kept thirty days
        if not is_there or inquire.parts_digest(world, impact.upload_id) != impact.parts_digest:
            faults = Faults()
            faults.add(
                None, "/upload_id", "the parts that were there when it was asked were expected; ask again"
            )
            return faults
        upload = publish.upload_of(world, impact.market_id, impact.upload_id)
        reading = publish.reading_of(world, market, upload)
    publish.read_parts(world, reading, pk, numbers)
    return reading
