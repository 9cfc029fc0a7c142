"""Dispatch a market: clear its open orders against its slots, plan, and save what was decided.

Law 3 keeps it safe beside other planners; the lease only saves work. Assigned legs, the slots' counters and the
evidence go into one transaction, on the condition that the rules are still those that were read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from chalicelib.domain import alone, companions, facts, rooms
from chalicelib.domain.assignment import MOST_COST, Choices, Pair, cost_ahead
from chalicelib.domain.clearance import Clearer
from chalicelib.domain.due import due_at, in_pool
from chalicelib.domain.evidence import TurnedDown, grouped
from chalicelib.domain.fleet import Slot
from chalicelib.domain.limits import fair_loads, loads_so_far
from chalicelib.domain.orders import Order, Private
from chalicelib.domain.places import Market, Offer
from chalicelib.domain.ports import Key, Topic, World
from chalicelib.domain.probing import left_to_one
from chalicelib.domain.quotas import Needs, local_days
from chalicelib.domain.records import by_record
from chalicelib.domain.survey import HANDLING
from chalicelib.domain.verdicts import (
    Decision,
    Delivery,
    Phase,
    Reason,
    Verdict,
)
from chalicelib.flows import assign, check, enlist, explain, lease, quote, ration, rule, stand_by

POOL = 50_000
"""Open orders planned in one round, over all shards; the rest follows in the next. Who is served is the best choice
among these, so it is a city's; the function's memory and time in `.chalice/config.json` are for as many."""
PASSES = 3
"""Over the shards of a market, for orders lie unevenly in them; what is left then follows in the next round."""
LEAD = timedelta(hours=2)
"""So long before its stay begins, a gift is given away at the latest: time for a courier to refuse, and for another."""
HORIZON = timedelta(hours=48)
"""What begins later is not given away yet: passes and tests of then are not known, and a plan made now is in the way of
better ones."""
PLANNING_S = 60.0
"""A plan that takes longer is cut short, and its gap is told."""
AT_A_TIME = 100
"""Orders that are asked about, or ruled on, before the lease is looked at again."""
PAIRS = 500
"""Orders times slots, at most, that are asked pair by pair."""
UNLEASED = assign.LEGS
"""Open orders, at most, that are planned without the lease; those that stand by count as well."""
TRIES = 5
PERMITS = 20
"""Permits for a single use of one vehicle that one round gives away, at most."""


def dispatch(world: World, market_id: str, everything: bool = False, after: str = "") -> None:
    """One round of planning. `everything`: also what is not due yet, because rules or fleet have changed; `after`:
    where the round goes on, as `_pool` gave it.

    What fits into one transaction is planned without the lease: two writes the fewer, and whoever plans beside it
    has nothing left to save but loses its own transaction. Raises `Missing` for a market that is not here.
    """
    market = enlist.market(world, market_id)
    keys, following = _pool(world, market, everything, after)
    if len(keys) + stand_by.remembered(world, market_id) <= UNLEASED and following is None:
        _rounds(world, market, keys, None)
        return
    holder = lease.take(world, market_id, everything)
    if holder is None:
        return
    # not this one if it fails: its message is given back, and a bug would nudge for ever
    rounds: list[str] = []
    try:
        saved, is_held = _rounds(world, market, keys, holder)
        if not is_held:
            rounds = [name_of(market_id, everything, after)]
        elif following is not None:
            # what was due and has been decided is due no more, but of everything it is found again; and where nothing
            # could be decided the same would be found for ever, and hide what comes after it
            rounds = [name_of(market_id, everything, following if everything or saved == 0 else "")]
    finally:
        held = lease.release(world, market_id, holder)
        if held is None or held.again:
            rounds.append(name_of(market_id, held is not None and held.everything))
        world.queues.nudge(Topic.DISPATCH, dict.fromkeys(rounds))


def name_of(market_id: str, everything: bool, after: str = "") -> str:
    """The nudge for a round: `<market>`, `<market>:all`, and after another colon where it goes on."""
    what = "all" if everything else ""
    return f"{market_id}:{what}:{after}" if after else f"{market_id}:{what}" if what else market_id


def named(world: World, name: str) -> None:
    """The round that was nudged."""
    market_id, _, rest = name.partition(":")
    what, _, after = rest.partition(":")
    dispatch(world, market_id, what == "all", after)


SEEN = "-"
"""In place of a shard's cursor: it has no more."""


def _pool(world: World, market: Market, everything: bool, after: str) -> tuple[list[Key], str | None]:
    """The market's open orders that are due, or all of them from `after` on; and where the next come, None: none.

    `after`: for each shard the index's own cursor, or `SEEN`. Without one, a round over everything that does not fit
    would find the same orders for ever, for what it decides stays in the pool.
    """
    until = world.clock() + (facts.FAR if everything else timedelta())
    told = after.split(",") if after else []
    cursors = [told[shard] if shard < len(told) else "" for shard in range(market.shards)]
    each = -(-POOL // market.shards)
    keys: list[Key] = []
    for _ in range(PASSES):
        if set(cursors) == {SEEN}:
            break
        for shard, cursor in enumerate(cursors):
            room = min(each, POOL - len(keys))
            if cursor != SEEN and room > 0:
                bucket = facts.pool_bucket(market.market_id, shard)
                page = world.table.find_due(bucket, until, room, cursor or None)
                keys += page.keys
                cursors[shard] = page.after or SEEN
    return keys, None if set(cursors) == {SEEN} else ",".join(cursors)


def _rounds(world: World, market: Market, keys: Sequence[Key], holder: str | None) -> tuple[int, bool]:
    """Plan these orders, and once more those that lost a race: how many were saved, and whether the lease still
    holds. What loses every time is no race, and waits for the tick: nudged from here, it would be nudged for ever."""
    saved = 0
    for again in range(TRIES):
        some, keys = _round(world, market, keys, holder, is_first=not again)
        saved += some
        if not keys:
            break
        if holder is not None and not lease.renew(world, market.market_id, holder):
            return saved, False
    return saved, True


def _round(
    world: World, market: Market, keys: Sequence[Key], holder: str | None, *, is_first: bool
) -> tuple[int, list[Key]]:
    """Plan these orders and whoever stands by, and save: how many were saved, and which were decided and not saved."""
    pointer, bench = facts.pointer_key(market.market_id), facts.standing_by_key(market.market_id)
    rows = {row.key: row for row in world.table.get_many([pointer, bench, *keys])}
    head, standing_by = rows.pop(pointer, None), rows.pop(bench, None)
    moment = world.clock()
    orders = [
        o  # the index may lag behind
        for o in facts.readable(rows.values(), world.log)
        if in_pool(o) and not o.is_stopped(moment)
    ]
    due = {order.order_id for order in orders}
    # a place may have come free, though nobody is due
    more = stand_by.others(world, market.market_id, standing_by, keys)
    waiting = facts.readable(world.table.get_many(more), world.log) if more else ()
    orders = sorted((*orders, *filter(lacks_a_place, waiting)), key=lambda o: o.order_id)
    if not orders:
        stand_by.note(world, market.market_id, standing_by, ())  # or they would be read in every round
        return 0, []
    on = check.ground_with(world, market.market_id, head)
    # reading a city takes a while, and so does planning it
    if not lease.is_ours(world, market.market_id, holder):
        return 0, []
    now = world.clock()  # not from before an order was placed that has been read since
    still_ours = partial(lease.is_ours, world, market.market_id, holder)
    rulings, account = decide(world, orders, on, now, market.offer, still_ours, market.fair_load)
    left = [r.after for r in rulings if r.takes is None and lacks_a_place(r.after)]
    refused = {order.order_id: order.leg.refusals for order in orders}
    rulings = [
        r
        for r in rulings
        if r.takes is not None
        or r.after.order_id in due
        or rule.has_lost_its_place(r)
        or r.after.leg.refusals
        != refused[r.after.order_id]  # else it is asked for the same gift in every round
    ]
    saved = assign.save(world, market.market_id, holder, rulings, on)
    world.log(
        "planned",
        market=market.market_id,
        orders=len(orders),
        assigned=sum(r.takes is not None for r in saved),
        lag_s=_lag_s((order for order in orders if order.order_id in due), now),
    )
    stand_by.note(world, market.market_id, standing_by, left)
    if account is not None and is_first:
        is_large = holder is not None and len(keys) > UNLEASED  # not by those alone that stand by
        explain.note(world, market.market_id, account, saved, is_large=is_large)
    # of an earlier leg somebody may have to be asked or called off: the sweep looks for that outside the pool
    earlier = [order.order_id for order in orders if _has_earlier_courier(order)]
    if earlier:
        world.queues.nudge(Topic.BOOK, earlier)
    kept = {ruling.after.order_id for ruling in saved}
    lost = [name for r in rulings if (name := r.after.order_id) not in kept]
    return len(saved), [facts.order_key(name) for name in lost]


def lacks_a_place(order: Order) -> bool:
    """True for an order of the pool that waits for nothing else, or for its last safe moment."""
    if not in_pool(order) or order.outlook is None:
        return False
    if _is_put_off(order):
        return False
    return order.outlook.decision is Decision.YES or not rule.CROWDED.isdisjoint(order.outlook.reasons)


def _planned_from(order: Order) -> datetime:
    """From when it is planned: who carries it learns where it goes, and of a safeguarded gift not before that is
    needed."""
    ahead = HORIZON if order.safeguard is None else min(HORIZON, order.safeguard.ahead)
    return order.window.start - ahead


def _is_far(order: Order, now: datetime) -> bool:
    """True for an order that is not planned yet."""
    return _planned_from(order) > now


def _is_put_off(order: Order) -> bool:
    """True for one that is looked at next when its time has come."""
    return order.outlook is not None and order.outlook.next_look == _planned_from(order)


def _has_earlier_courier(order: Order) -> bool:
    """True when a courier of an earlier leg may be holding a job of it, or have news."""
    return any(b.is_live or b.may_have_news for leg in order.legs[:-1] for b in leg.bookings)


def _lag_s(orders: Iterable[Order], now: datetime) -> int:
    """How long the longest waiting of them has been due."""
    dues = [due for order in orders if (due := due_at(order)) is not None]
    return max(0, int((now - min(dues)).total_seconds())) if dues else 0


# --- deciding: pure but for opening the seals -----------------------------------------------------------------


def decide(
    world: World,
    orders: Sequence[Order],
    on: check.Ground,
    now: datetime,
    offer: Offer = Offer.AT_ONCE,
    is_ours: Callable[[], bool] = lambda: True,
    fair_load: int = 0,
    *,
    asks: bool = True,
) -> tuple[list[rule.Ruling], explain.Account | None]:
    """Every open order's fate in this round, and what it is explained by; None: nothing was planned.

    `is_ours`: holds the lease for another while. A city takes longer than a lease that nobody renews; whoever took it
    over would take as long, and none of them would ever save.

    `asks`: couriers are asked for their prices; else those that their slots state hold (`weigh`: nobody acts on it).
    """
    known = world.memory.setdefault(f"by_record#{orders[0].market_id}", {})
    on = replace(on, fleet=by_record(on.fleet, now, known))
    if on.atlas is None:
        return [rule.waits(order, on, now, (Reason.RULES_MISSING,), ()) for order in orders], None
    # a round over everything meets a whole campaign of them, and writes none anew
    far = [order for order in orders if _is_far(order, now) and not _is_put_off(order)]
    rulings = [rule.may_wait(order, on, now, _planned_from(order)) for order in far]
    orders = [order for order in orders if not _is_far(order, now)]
    if not orders:
        return rulings, None
    clearer = Clearer(on.atlas, on.fleet, on.knowing(now), on.fleet.down(now))
    slots = [slot for slot in on.fleet.slots.values() if slot.window.end > now]
    asked = _together(clearer, slots) if len(orders) * len(slots) > PAIRS else _alone(clearer, slots)
    verdicts: dict[str, Sequence[Verdict]] = {}
    deliveries: dict[str, Delivery] = {}
    choices: dict[str, Choices] = {}
    needs: dict[Pair, Needs] = {}
    asker = ration.Asker(world, orders[0].market_id, on)
    loads = loads_so_far(slots, on.fleet.left, fair_load)
    offers = _Offers(on, now, loads)
    for number, order in enumerate(orders):
        if number % AT_A_TIME == 0:
            is_ours()
        if not order.can_be_fetched:  # law 0
            rulings.append(rule.waits(order, on, now, (Reason.GIFT_ELSEWHERE,), ()))
            continue
        private = _opened(world, order)
        if private is None:
            continue
        delivery = order.delivery(private)
        if on.fleet.is_suspected(delivery.drop_off.address, now):
            rulings.append(rule.waits(order, on, now, (Reason.CLOSURE_SUSPECTED,), ()))
            continue
        deliveries[order.order_id] = delivery
        # a slot at another time of day is no candidate, and no reason either
        verdicts[order.order_id] = asked(delivery, order.leg.refused_by(now))
    parties, waiting = companions.parties(orders, deliveries)
    for name in waiting:  # no courier is asked for a price, and nothing is planned
        verdicts[name] = [_not_without_companions(verdict) for verdict in verdicts[name]]
    parties_of = {name: party for party in parties for name in party}
    verdicts = dict(left_to_one(orders, verdicts, parties_of, on.fleet, now))
    orders, prices = quote.quoted(world, orders, verdicts, on, now) if asks else (orders, {})
    for number, order in enumerate(orders):
        if number % AT_A_TIME == 0:
            is_ours()
        if order.order_id not in verdicts:
            continue
        answers, delivery = verdicts[order.order_id], deliveries[order.order_id]
        choices[order.order_id] = offers.of(answers, order.tier, order.order_id, prices)
        for slot_id, _ in choices[order.order_id] if offers.are_rationed(answers) else ():
            verdict = next(v for v in answers if v.slot_id == slot_id)
            wanted = asker.needs_of(delivery.drop_off.address, verdict)
            if wanted:
                needs[order.order_id, slot_id] = wanted
    party_of = {name: min(party) for name, party in parties_of.items()}
    states = ((slot.slot_id, rooms.left_of(slot, on.fleet.taken)) for slot in slots)
    room = {slot_id: size for slot_id, size in states if size is not None}
    sizes = {order.order_id: rooms.size_of(order.gift) for order in orders} if room else {}
    whole = _whole(orders, choices, on)
    if whole:  # who takes all places pays for all of them: so it goes where the fewest are lost to others
        for name in {name for name, _ in whole}:
            costs = ((slot, cost * whole.get((name, slot), 1)) for slot, cost in choices[name])
            choices[name] = tuple((slot, min(MOST_COST, cost)) for slot, cost in costs)
        sizes, room = _with_whole_vehicles(orders, whole, room, on)
    planned = ration.Round(
        tiers={order.order_id: int(order.tier) for order in orders},
        places={slot.slot_id: on.fleet.left.get(slot.slot_id, 0) for slot in slots},
        choices=choices,
        needs=needs,
        taken=ration.counted(world, orders[0].market_id, needs.values(), on) if needs else {},
        sizes=sizes,
        rooms=room,
        whole=whole,
        together=parties,
        loads=fair_loads(slots, on.fleet.left, fair_load) if fair_load else (),
        seed=lots_of(orders[0].market_id, now, on.atlas.rules.time_zone),
        is_over=_until(world, PLANNING_S, is_ours),
    )
    planned = planned.planned_for_loners(world) if whole else planned
    planned.plan(world)
    cleared = dict(verdicts)
    if needs:
        _plan_with_other_permits(world, planned, orders, deliveries, verdicts, on, now)
    # who goes lacks nothing, and of who shares its answers with others only what is its own is said anew
    lacking = {name for name, _ in needs} | (deliveries.keys() - planned.chosen.keys() if room else set())
    for name in lacking:
        verdicts[name] = _as_can_be_taken(planned, name, verdicts[name])
    assert planned.rationing is not None
    account = explain.Account(on, now, planned.rationing, deliveries, cleared, loads, prices)
    final = partial(_final, clearer, on, planned.chosen, deliveries, verdicts)
    by_id = {order.order_id: order for order in orders}
    for number, order in enumerate(orders):
        if number % AT_A_TIME == 0:
            is_ours()
        if order.order_id not in verdicts:
            continue
        answers = verdicts[order.order_id]
        chosen = planned.chosen.get(order.order_id)
        if chosen is not None:
            verdict = final(order)
            if offer is Offer.LAST_MOMENT:
                party = (by_id[name] for name in parties_of.get(order.order_id, (order.order_id,)))
                first = min(start for one in party if (start := final(one).start) is not None)
                if first - LEAD > now:  # who travels together is given away together
                    rulings.append(rule.may_wait(order, on, now, first - LEAD))
                    continue
            slot = on.fleet.slots[chosen]
            takes = {**planned.needs.get((order.order_id, chosen), {}), **rooms.needed(slot, order.gift)}
            places = whole.get((order.order_id, chosen), 1)
            if (order.order_id, chosen) in whole:
                takes |= alone.whole(slot)
            why = account.of_served(order, chosen, answers)
            price = prices.get((order.order_id, slot.courier_id))
            quoted = None if price is None else price.of(chosen)
            went = rule.goes(order, verdict, offers.turned_down(answers), on, now, takes, why, quoted, places)
            rulings.append(replace(went, party=party_of.get(order.order_id)))
        else:
            start, end = max(now, order.window.start), max(order.window.end, now + HANDLING)
            ground = clearer.ground(deliveries[order.order_id], start, end)
            reasons = rule.reasons_of(answers, on.fleet.left, ground)
            others = offers.turned_down(answers)
            left = partial(account.of_left, order, answers)
            rulings.append(rule.waits(order, on, now, reasons, others, ground, left))
    return rulings, account


def _whole(orders: Iterable[Order], choices: Mapping[str, Choices], on: check.Ground) -> dict[Pair, int]:
    """Of whoever rides alone, and of each slot it may go with, all the places that it takes there."""
    slots, couriers = on.fleet.slots, on.fleet.couriers
    return {
        (order.order_id, name): slots[name].capacity
        for order in orders
        if order.safeguard is not None
        for name, _ in choices.get(order.order_id, ())
        if alone.rides_alone(order.gift, couriers[slots[name].courier_id])
    }


def _with_whole_vehicles(
    orders: Iterable[Order], whole: Mapping[Pair, int], room: Mapping[str, rooms.Size], on: check.Ground
) -> tuple[dict[str, rooms.Size], dict[str, rooms.Size]]:
    """Sizes and rooms with one measure more, in which who rides alone fills a vehicle and everybody else takes one of
    it. So the plan and its proof know of it as they know of volume, and where nobody rides alone there is no such
    measure."""
    loners = {name for name, _ in whole}
    sizes = {
        order.order_id: (*rooms.size_of(order.gift), alone.WHOLE if order.order_id in loners else 1)
        for order in orders
    }
    found = {name: (*size, rooms.ENDLESS) for name, size in room.items()}
    for _, name in whole:
        taken = max(0, on.fleet.slots[name].capacity - on.fleet.left.get(name, 0))
        found[name] = (*room.get(name, (rooms.ENDLESS, rooms.ENDLESS)), alone.WHOLE - taken)
    return sizes, found


def _final(
    clearer: Clearer,
    on: check.Ground,
    chosen: Mapping[str, str],
    deliveries: Mapping[str, Delivery],
    verdicts: Mapping[str, Sequence[Verdict]],
    order: Order,
) -> Verdict:
    """The yes by which an order goes, with what it rests on: who was cleared together with others is cleared now for
    itself."""
    name = order.order_id
    verdict = next(v for v in verdicts[name] if v.slot_id == chosen[name])
    if verdict.start is not None:
        return verdict
    return clearer.clear(
        deliveries[name], on.fleet.slots[chosen[name]], order.leg.refused_by(clearer.now), Phase.OPEN
    )


def lots_of(market_id: str, now: datetime, time_zone: str) -> str:
    """What ties are drawn from: the same all day, by the market's calendar, or a plan would flap in its morning."""
    return f"{market_id} {local_days(now, now, time_zone)[0]}"


def _until(world: World, seconds: float, is_ours: Callable[[], bool]) -> Callable[[], bool]:
    """Whether the time is up: after so many seconds, or when somebody else plans in its place."""
    began = world.stopwatch()
    return lambda: not is_ours() or world.stopwatch() - began > seconds


class _Offers:
    """What the slots that say yes would cost; worked out once for orders that share their answers."""

    def __init__(self, on: check.Ground, now: datetime, loads: Mapping[str, int]) -> None:
        self.on = on
        self.now = now
        self.loads = loads
        self.known: dict[tuple[int, int], tuple[Sequence[Verdict], Choices]] = {}
        self.others: dict[int, tuple[Sequence[Verdict], tuple[TurnedDown, ...]]] = {}

    def of(self, answers: Sequence[Verdict], tier: int, order_id: str, prices: quote.Prices) -> Choices:
        """Of each with a place left, its slot and its cost: at the price that was quoted for this order, if any was."""
        slots, left = self.on.fleet.slots, self.on.fleet.left
        key = id(answers), tier
        known = self.known.get(key)
        if known is None:
            yes = [v.slot_id for v in answers if v.decision is Decision.YES and left.get(v.slot_id, 0) > 0]
            costs = tuple((name, self._cost(slots[name], tier)) for name in yes)
            known = self.known[key] = (answers, costs)  # kept, or its identity would go to another
        if not prices:
            return known[1]
        named = ((name, prices.get((order_id, slots[name].courier_id))) for name, _ in known[1])
        return tuple((name, self._cost(slots[name], tier, quoted)) for name, quoted in named)

    def _cost(self, slot: Slot, tier: int, quoted: quote.Price | None = None) -> int:
        price = slot.price if quoted is None else quoted.quote.fee
        cost = cost_ahead(price.amount, slot.on_time_permille, tier, slot.window.start - self.now)
        return min(MOST_COST, cost + self.loads.get(slot.courier_id, 0))

    def turned_down(self, answers: Sequence[Verdict]) -> tuple[TurnedDown, ...]:
        """The others by reason, for the evidence."""
        known = self.others.get(id(answers))
        if known is None:
            known = self.others[id(answers)] = (answers, grouped(answers))
        return known[1]

    @staticmethod
    def are_rationed(answers: Sequence[Verdict]) -> bool:
        """Whether a yes has said what it rests on: where nothing is counted, it need not."""
        return next((v.start is not None for v in answers if v.decision is Decision.YES), False)


_Asking = Callable[[Delivery, Collection[str]], Sequence[Verdict]]


def _alone(clearer: Clearer, slots: Sequence[Slot]) -> _Asking:
    """Pair by pair."""

    def asked(delivery: Delivery, refused: Collection[str]) -> list[Verdict]:
        near = (slot for slot in slots if delivery.window.overlap(slot.window.start, slot.window.end))
        return [clearer.clear(delivery, slot, refused, Phase.OPEN) for slot in near]

    return asked


def _together(clearer: Clearer, slots: Sequence[Slot]) -> _Asking:
    """Orders that are alike in one respect at once: the same verdicts, and more of them a second."""
    from chalicelib.domain.pool import Pool

    return Pool(clearer, slots).verdicts


def _plan_with_other_permits(
    world: World,
    planned: ration.Round,
    orders: Sequence[Order],
    deliveries: Mapping[str, Delivery],
    verdicts: dict[str, Sequence[Verdict]],
    on: check.Ground,
    now: datetime,
) -> None:
    """A verdict names one permit, and of those for a single use another order may have been given it in this very
    round: then the vehicle may have one more. Where all of them find a place left the plan goes on; where one went to a
    lower tier it begins anew, for the higher one lacks nothing any more."""
    by_name = {order.order_id: order for order in orders}
    for _ in range(PERMITS):
        worn = planned.worn()
        if not worn:
            return
        fleet = on.fleet.model_copy(update={"uses_left": {**on.fleet.uses_left, **planned.uses_left()}})
        fresh = replace(on, fleet=fleet)
        assert on.atlas is not None
        clearer = Clearer(on.atlas, fleet, on.knowing(now), fleet.down(now))
        found: dict[Pair, Needs] = {}
        for name, slot_id in worn:
            order, delivery, slot = by_name[name], deliveries[name], fleet.slots[slot_id]
            verdict = clearer.clear(delivery, slot, order.leg.refused_by(now), Phase.OPEN)
            if verdict.decision is Decision.YES:
                verdicts[name] = [verdict if v.slot_id == slot_id else v for v in verdicts[name]]
                found[name, slot_id] = ration.ruled(
                    world, order.market_id, delivery.drop_off.address, verdict, fresh
                )
        if not found:
            return
        planned.needs |= found
        for counter, count in ration.counted(world, orders[0].market_id, found.values(), fresh).items():
            planned.taken.setdefault(counter, count)
        if all(planned.places[slot_id] > 0 for _, slot_id in found):
            planned.plan(world)
        elif planned.is_over():
            return  # what there is is better than what would be done in haste
        else:
            planned.plan_anew(world)


def _not_without_companions(verdict: Verdict) -> Verdict:
    if verdict.decision is not Decision.YES:
        return verdict
    return verdict._replace(decision=Decision.NO, reasons=(Reason.COMPANIONS_MISSING,), handovers=())


def _as_can_be_taken(planned: ration.Round, name: str, answers: Sequence[Verdict]) -> Sequence[Verdict]:
    """The verdicts, with a no where the order waits and what a yes would have taken is not there any more; the same
    ones, which others may share, where nothing has changed."""
    found = [_if_it_can_be_taken(planned, name, verdict) for verdict in answers]
    return answers if all(new is old for new, old in zip(found, answers, strict=True)) else found


def _if_it_can_be_taken(planned: ration.Round, name: str, verdict: Verdict) -> Verdict:
    if verdict.decision is not Decision.YES or planned.chosen.get(name) == verdict.slot_id:
        return verdict
    why = planned.lacks((name, verdict.slot_id))
    return verdict if why is None else verdict._replace(decision=Decision.NO, reasons=(why,), handovers=())


def _opened(world: World, order: Order) -> Private | None:
    try:
        return facts.unseal_private(world.sealer, order)
    except Exception as error:  # one seal that does not open must not stop the others of its market
        facts.pass_by(world.log, order.order_id, error)
        return None
