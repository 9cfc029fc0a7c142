"""Explain a round of planning: to each gift why it stays or goes dearer, to operators how what there was was shared.

The explanation of one gift goes into its evidence, and only with a verdict that is written anyway: prices change every
minute, and an unchanged verdict writes nothing. Of the round one row a market is kept, the last: of rounds over many
that were due, and of those that left somebody behind who was not before.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Protocol

from chalicelib.domain import facts
from chalicelib.domain.assignment import MOST_COST, Choices, cost_ahead
from chalicelib.domain.errors import Lost, Missing
from chalicelib.domain.evidence import Evidence
from chalicelib.domain.explanation import Explanation, NearestChange
from chalicelib.domain.fleet import Slot
from chalicelib.domain.nearest import nearest
from chalicelib.domain.orders import Order, Tier
from chalicelib.domain.places import district_key
from chalicelib.domain.ports import Keep, Row, World
from chalicelib.domain.rationing import Cheapest, Rationing, cheapest_of
from chalicelib.domain.report import (
    KEPT,
    NAMED,
    OTHERS,
    SLOTS,
    STANDS,
    PlanReport,
    Shared,
    Worth,
    plan_key,
    shared,
    tiers_of,
)
from chalicelib.domain.shapes import Window
from chalicelib.domain.verdicts import Decision, Delivery, Verdict
from chalicelib.flows import check, quote


class Decided(Protocol):
    """What is asked of a ruling (`rule.Ruling`)."""

    @property
    def after(self) -> Order: ...
    @property
    def evidence(self) -> Evidence | None: ...
    @property
    def takes(self) -> str | None: ...


@dataclass
class Account:
    """What a round is explained by. Answers that several gifts share are gone through once; they are kept, or their
    identity would go to others."""

    on: check.Ground
    now: datetime
    plan: Rationing
    deliveries: Mapping[str, Delivery]
    verdicts: Mapping[str, Sequence[Verdict]]
    """As clearance gave them, before anybody was given anything."""
    loads: Mapping[str, int] = field(default_factory=dict)
    """By courier, what the plan counted more for each of its slots, for what it has been given already."""
    prices: quote.Prices = field(default_factory=dict)
    """What couriers that were asked want for a gift, in the place of what their slots state."""
    _cheapest: dict[int, tuple[Sequence[Verdict], Cheapest | None]] = field(default_factory=dict)
    _nearest: dict[tuple[int, Window], tuple[Sequence[Verdict], tuple[NearestChange, ...]]] = field(
        default_factory=dict
    )

    def of_served(self, order: Order, slot_id: str, answers: Sequence[Verdict]) -> Explanation | None:
        """Why it does not go with the cheapest; None: it does."""
        slots = self.on.fleet.slots
        if self.prices:
            slots = {v.slot_id: self._as_quoted(order, slots[v.slot_id]) for v in answers}
            cheapest = cheapest_of(answers, slots)
        else:
            known = self._cheapest.get(id(answers))
            if known is None:
                known = self._cheapest[id(answers)] = (answers, cheapest_of(answers, slots))
            cheapest = known[1]
        if cheapest is None:
            return None
        dearer = self.rationing.dearer(order.order_id, slots[slot_id], cheapest)
        return None if dearer is None else Explanation(dearer=dearer)

    def _as_quoted(self, order: Order, slot: Slot) -> Slot:
        """The slot at the price by which it was planned for that gift; one that was full was no part of the plan."""
        price = self.prices.get((order.order_id, slot.courier_id))
        if price is None or self.on.fleet.left.get(slot.slot_id, 0) <= 0:
            return slot
        return slot.model_copy(update={"price": price.quote.fee})

    def of_left(self, order: Order, answers: Sequence[Verdict]) -> Explanation | None:
        """Who was served in its place, or what would have let somebody go; None: there is nothing to tell."""
        out_ranked = self.rationing.out_ranked(order.order_id, self.currency)
        if out_ranked is not None:
            return Explanation(out_ranked=out_ranked)
        key = id(answers), order.window
        known = self._nearest.get(key)
        if known is None:
            fleet = self.on.fleet
            found = nearest(answers, fleet.slots, fleet.left, order.window, self.now)
            known = self._nearest[key] = (answers, found)
        return Explanation(nearest=known[1]) if known[1] else None

    @cached_property
    def rationing(self) -> Rationing:
        """With the slots that were full before this round."""
        loads = {
            name: self.loads[slot.courier_id]
            for name, slot in self.on.fleet.slots.items()
            if self.loads.get(slot.courier_id)
        }
        return replace(self.plan, full=self._full(), loads=loads)

    @property
    def currency(self) -> str | None:
        """All slots of a market have one."""
        slot = next(iter(self.on.fleet.slots.values()), None)
        return None if slot is None else slot.price.currency

    def report(self, market_id: str, saved: Collection[Decided], *, is_large: bool) -> PlanReport:
        """Of what was saved: who lost a race is planned again."""
        served = [ruling.after for ruling in saved if ruling.takes is not None]
        others = [ruling.after for ruling in saved if ruling.takes is None]
        left = [order for order in others if not _has_a_place(order)]
        problem, plan = self.rationing.problem, self.rationing.plan
        worths = self.rationing.one_more()
        slots = self.on.fleet.slots
        known = self._districts()
        return PlanReport(
            market_id=market_id,
            planned_at=self.now,
            is_large=is_large,
            rules_version=self.on.atlas.rules.version if self.on.atlas is not None else None,
            currency=self.currency,
            orders=len(problem.orders),
            slots=len(problem.slots),
            pairs=sum(len(problem.rows[row].slots) for row in problem.row_of),
            served=len(served),
            left=len(left),
            later=len(others) - len(left),
            nobody_may_go=sum(not self.rationing.has_pairs(order.order_id) for order in left),
            value=str(plan.value),
            bound=str(plan.bound),
            gap=str(plan.gap),
            is_proven=not plan.gap and self.rationing.serves_most,
            tiers_are_proven=self.rationing.serves_most,
            is_cut_short=plan.is_cut_short,
            by_tier=_by_rank(shared(map(_tier, served), map(_tier, left))),
            by_brand=shared((o.brand_id for o in served), (o.brand_id for o in left), NAMED),
            by_district=shared(
                (self._district(o, known) for o in served), (self._district(o, known) for o in left), NAMED
            ),
            full_slots=len(worths),
            worths=tuple(
                Worth(
                    slot=one.slot,
                    courier=slots[one.slot].courier_id,
                    tiers=tiers_of(one.tiers),
                    saves=one.saves,
                )
                for one in worths[:SLOTS]
            ),
        )

    def _full(self) -> dict[str, Choices]:
        """Of each gift the slots that were cleared for it and have no place, and what they cost."""
        full = {
            name: one for name, one in self.on.fleet.slots.items() if self.on.fleet.left.get(name, 0) <= 0
        }
        if not full:
            return {}
        tiers = dict(zip(self.plan.problem.orders, self.plan.problem.tiers, strict=True))
        known: dict[tuple[int, int], Choices] = {}
        found = {}
        for name, answers in self.verdicts.items():
            key = id(answers), tiers[name]
            options = known.get(key)
            if options is None:
                those = (full[v.slot_id] for v in answers if v.decision is Decision.YES and v.slot_id in full)
                options = known[key] = tuple((one.slot_id, self._cost(one, tiers[name])) for one in those)
            found[name] = options
        return found

    def _cost(self, slot: Slot, tier: int) -> int:
        cost = cost_ahead(slot.price.amount, slot.on_time_permille, tier, slot.window.start - self.now)
        return min(MOST_COST, cost + self.loads.get(slot.courier_id, 0))

    def _districts(self) -> frozenset[str]:
        """Districts that rules or passes name: what else stands in an address may be anything."""
        stated = {
            district_key(name)
            for permit in self.on.fleet.permits.values()
            if isinstance(permit.districts, frozenset)
            for name in permit.districts
        }
        return frozenset(stated | (self.on.atlas.districts() if self.on.atlas is not None else frozenset()))

    def _district(self, order: Order, known: Collection[str]) -> str:
        delivery = self.deliveries.get(order.order_id)
        key = "" if delivery is None else district_key(delivery.drop_off.address.district)
        return key if key in known else OTHERS


def _has_a_place(order: Order) -> bool:
    """In a plan that gives it away later."""
    return order.outlook is not None and order.outlook.decision is Decision.YES


def _tier(order: Order) -> str:
    return order.tier.name.lower()


def _by_rank(told: Mapping[str, Shared]) -> dict[str, Shared]:
    names = (tier.name.lower() for tier in reversed(Tier))
    return {name: told[name] for name in names if name in told}


# --- the row that is kept ---------------------------------------------------------------------------------------


def note(
    world: World, market_id: str, account: Account, saved: Collection[Decided], *, is_large: bool
) -> None:
    """Keep the report of that round, if it is one of those that are kept. It is written last: without it nothing is
    owed to anybody."""
    is_news = any(ruling.takes is None and ruling.evidence is not None for ruling in saved)
    if not saved or not (is_large or is_news):
        return
    name = f"plan#{market_id}"
    known: tuple[int, PlanReport] | None = world.memory.get(name)
    told = account.report(market_id, saved, is_large=is_large)
    for _ in range(2):
        was = None
        if known is not None:
            was, had = known
            if not _gives_way(had, told):
                return
        row = Row(
            plan_key(market_id),
            (was or 0) + 1,
            told.model_dump_json(exclude_defaults=True),
            expires_at=facts.epoch(told.planned_at + KEPT),
        )
        try:
            world.table.write(Keep(row, was=was))
        except Lost as lost:  # another process wrote the last one, or it has lapsed
            found = lost.found
            known = None if found is None else (found.version, PlanReport.model_validate_json(found.body))
            continue
        world.memory[name] = row.version, told
        return


def _gives_way(had: PlanReport, told: PlanReport) -> bool:
    """A later one comes in its place; but for a round over many it takes one over many, for a while: else whoever
    comes late, one at a time, would hide how the rest was shared."""
    is_fresh = told.planned_at < had.planned_at + STANDS
    return had.planned_at <= told.planned_at and (told.is_large or not had.is_large or not is_fresh)


def last(world: World, market_id: str) -> PlanReport:
    """The last that was kept. Raises `Missing`."""
    row = world.table.get(plan_key(market_id))
    if row is None or (row.expires_at is not None and row.expires_at <= facts.epoch(world.clock())):
        raise Missing(
            f"no round of the market {market_id!r} has been kept: none planned many or left anybody"
        )
    return PlanReport.model_validate_json(row.body)
