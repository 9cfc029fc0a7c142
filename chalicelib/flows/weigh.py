"""Weigh a change of the rules: judge every open order of a market twice, and say what would become of each.

A page of orders is a step, a step is one conditional transaction, and the next is a nudge that names it; the sweep
nudges what has stood still. So a lost nudge costs minutes, and a double one nothing. The last step plans to whom those
would go that lose their slot, and writes the answer in the order of urgency. No order is written.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from chalicelib.domain import facts, rooms, snapshots
from chalicelib.domain.atlas import Atlas
from chalicelib.domain.clearance import Clearer
from chalicelib.domain.errors import Lost
from chalicelib.domain.fleet import Fleet
from chalicelib.domain.impact import (
    PLANNED,
    Affected,
    AffectedRow,
    Impact,
    ImpactState,
    Outcome,
    impact_key,
    judged,
    seen_key,
    stuck,
    told_key,
)
from chalicelib.domain.legs import MEASURES, BookingState, QuotaTaken, replace_leg
from chalicelib.domain.orders import Order
from chalicelib.domain.ports import Change, Keep, Row, World
from chalicelib.domain.reading import Faults, Reading
from chalicelib.domain.uploads import Difference, Mode, UploadStart, difference
from chalicelib.domain.verdicts import Delivery
from chalicelib.flows import check, consult, dispatch, enlist, inquire, publish, rule, stand_by

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
    fleet = _fleet(world, impact)
    down, at = fleet.down(impact.at), impact.at
    before, after = Clearer(rules.before, fleet, at, down), Clearer(rules.after, fleet, at, down)
    slots = list(fleet.slots.values())
    found, unaffected = [], 0
    for order in orders:
        delivery = _delivery(world, order)
        if delivery is None:
            continue
        one = judged(order, delivery, before, after, slots, impact.asked_at)
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
    """Who would take these, as a round of dispatch says it: that is asked, and saves nothing.

    The places of all that lose theirs are free, and so is what those who are planned have taken of quotas, room and
    permits. Who stands by for a place wants one as well.
    """
    if not wanted:
        return {}
    by_id = {one.order_id: one for one in wanted}
    mine = [facts.order_key(name) for name in by_id]
    bench = world.table.get(facts.standing_by_key(impact.market_id))
    others = stand_by.others(world, impact.market_id, bench, mine)
    orders = {o.order_id: o for o in facts.readable(world.table.get_many([*mine, *others]), world.log)}
    losing = [orders[name] for name in by_id if name in orders and orders[name].leg.assignment is not None]
    beyond = Counter(
        one.slot for one in all_open if one.outcome is Outcome.LOSES_SLOT and one.order_id not in by_id
    )
    open_then = [
        _without_slot(order)
        for name, order in sorted(orders.items())
        if (name in by_id or dispatch.lacks_a_place(order)) and not order.is_stopped(impact.at)
    ]
    if not open_then:
        return {}
    market, fleet = enlist.market(world, impact.market_id), _fleet(world, impact)
    on = _given_back(check.Ground(rules.after, fleet), losing, beyond)
    rulings, _ = dispatch.decide(world, open_then, on, impact.at, fair_load=market.fair_load, asks=False)
    return {
        ruling.after.order_id: _told(by_id[ruling.after.order_id], ruling, on.fleet)
        for ruling in rulings
        if ruling.after.order_id in by_id
    }


def _told(one: Affected, ruling: rule.Ruling, fleet: Fleet) -> Affected:
    """What the answer says of an order that is open then, from what was decided for it."""
    goes, waits = ruling.after.leg.assignment, ruling.after.outlook
    is_freed = one.outcome is Outcome.FREED
    if goes is not None:
        return one.model_copy(
            update={
                "outcome": Outcome.FREED if is_freed else Outcome.MOVES,
                "handovers": goes.handovers,
                "to_slot": goes.slot_id,
                "to_courier": fleet.slots[goes.slot_id].courier_id,
            }
        )
    reasons = waits.reasons if waits is not None else one.reasons
    return one.model_copy(
        update={"outcome": Outcome.FREED if is_freed else stuck(reasons), "reasons": reasons}
    )


def _without_slot(order: Order) -> Order:
    """The order as it would be once its courier has let go."""
    leg = order.leg
    if leg.assignment is None:
        return order
    gone = {"state": BookingState.CANCELLED, "next_look": None}
    bookings = tuple(b.model_copy(update=gone) if b.is_live else b for b in leg.bookings)
    free = leg.model_copy(update={"assignment": None, "bookings": bookings})
    return order.model_copy(update={"legs": replace_leg(order.legs, free)})


def _given_back(on: check.Ground, losing: Iterable[Order], beyond: Mapping[str | None, int]) -> check.Ground:
    """The ground as it would be once these have given back what they took, and so many others a place each."""
    fleet = on.fleet
    left, uses, taken = Counter(fleet.left), dict(fleet.uses_left), dict(fleet.taken)
    freed: Counter[QuotaTaken] = Counter()
    for slot_id, count in beyond.items():
        if slot_id in fleet.slots:
            left[slot_id] += count
    for order in losing:
        given = order.leg.assignment
        assert given is not None
        if given.slot_id in fleet.slots:
            left[given.slot_id] += given.places
        for one in given.quotas:
            if one.per == "permit":
                uses[one.name] = 1
            elif one.per in MEASURES:
                key = f"{one.per}#{one.name}"
                taken[key] = max(0, taken.get(key, 0) - rooms.amount(one, order.gift))
            elif one.day is not None:
                freed[one] += 1
    then = fleet.model_copy(update={"left": dict(left), "uses_left": uses, "taken": taken})
    return replace(on, fleet=then, freed=freed)


def _fleet(world: World, impact: Impact) -> Fleet:
    return facts.load_fleet(world.table, impact.market_id, world.memory)


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
