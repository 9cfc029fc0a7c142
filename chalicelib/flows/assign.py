"""Write what a round has decided: assigned legs, the slots' counters, quotas and evidence in one transaction, on the
condition that the rules are still those that were read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from chalicelib.domain import facts
from chalicelib.domain.errors import Lost
from chalicelib.domain.legs import QuotaTaken
from chalicelib.domain.ports import Change, Require, Topic, World
from chalicelib.domain.quotas import Need
from chalicelib.domain.substitutes import is_wanted
from chalicelib.flows import book, check, lease
from chalicelib.flows.rule import Ruling, is_to_be_told, only_waits

LEGS = 20
"""Legs in one transaction."""
TRIES = 5
CHANGES = 100
"""What one transaction bears."""


def save(
    world: World, market_id: str, holder: str | None, rulings: Sequence[Ruling], on: check.Ground
) -> list[Ruling]:
    """Those rulings that were saved. The losers of a race stay in the pool."""
    saved: list[Ruling] = []
    for load in _loads(_by_slot(rulings)):
        if not lease.is_ours(world, market_id, holder):
            break
        # before: this look decides nothing, and the next may be days away; what is told has been saved long since
        world.queues.nudge(Topic.TELL, [r.after.order_id for r in load if only_waits(r) and is_to_be_told(r)])
        some = _save_some(world, market_id, load, on)
        for ruling in some:
            facts.note_step(world.log, ruling.after)
        # at once: the first of a city would else wait for the last
        to_book = [book.name_of(r.after) for r in some if r.takes is not None]
        world.queues.nudge(Topic.BOOK, to_book + [r.after.order_id for r in some if is_wanted(r.after)])
        # whoever books it tells of that and of this
        world.queues.nudge(
            Topic.TELL,
            [r.after.order_id for r in some if r.takes is None and not only_waits(r) and is_to_be_told(r)],
        )
        saved += some
    return saved


def _by_slot(rulings: Sequence[Ruling]) -> Sequence[Ruling]:
    """Where they are several transactions, those with the same slot side by side, and its counter is written once for
    twenty of them. The slots of a market are one key of the table, which bears 1,000 write units a second: for a city
    of 50,000 that is nine seconds so, and a hundred where each transaction is of twenty slots."""
    if len(rulings) <= LEGS:
        return rulings
    return sorted(rulings, key=lambda ruling: (ruling.takes is None, ruling.takes or ""))


def _loads(rulings: Iterable[Ruling]) -> Iterator[list[Ruling]]:
    """As many as one transaction bears: each has its order, maybe evidence, and counters that it may share. Who
    travels together is in one, unless one cannot bear them."""
    load: list[Ruling] = []
    for party in _parties(rulings):
        if load and not _bears(load + party):
            yield load
            load = []
        if _bears(party):
            load = load + party
        else:
            yield from ([ruling] for ruling in party)
    if load:
        yield load


def _parties(rulings: Iterable[Ruling]) -> Iterable[list[Ruling]]:
    found: dict[str, list[Ruling]] = {}
    for ruling in rulings:
        found.setdefault(ruling.party or ruling.after.order_id, []).append(ruling)
    return found.values()


def _bears(load: Sequence[Ruling]) -> bool:
    """One transaction, beside the rules' pointer."""
    counters = {each for ruling in load for each in (*ruling.needs, ruling.takes) if each is not None}
    size = 1 + len(load) + sum(ruling.evidence is not None for ruling in load) + len(counters)
    return len(load) <= LEGS and size <= CHANGES


def _save_some(world: World, market_id: str, rulings: list[Ruling], on: check.Ground) -> list[Ruling]:
    for _ in range(TRIES):
        if not rulings:
            return []
        changes, owners = _changes(market_id, rulings, on)
        try:
            world.table.write(*changes)
            return rulings
        except Lost as lost:
            losers = {name for at in lost.at for name in owners[at]}
            if not losers:  # the rules have moved on: nothing of this round may be saved
                return []
            parted = {r.party for r in rulings if r.after.order_id in losers and r.party is not None}
            rulings = [r for r in rulings if r.after.order_id not in losers and r.party not in parted]
    return []


def _changes(
    market_id: str, rulings: Sequence[Ruling], on: check.Ground
) -> tuple[list[Change], list[list[str]]]:
    """The transaction, and for each change the orders that fall out when it fails."""
    version = on.atlas.rules.version if on.atlas else None
    changes: list[Change] = [Require(facts.pointer_key(market_id), version)]
    owners: list[list[str]] = [[]]
    takers: dict[str, list[str]] = {}
    places: dict[str, int] = {}
    rationed: dict[QuotaTaken, list[tuple[str, Need]]] = {}
    for ruling in rulings:
        name = ruling.after.order_id
        changes.append(facts.keep_order(ruling.after))
        owners.append([name])
        if ruling.evidence is not None:
            changes.append(facts.keep_evidence(ruling.evidence))
            owners.append([name])
        if ruling.takes is not None:
            takers.setdefault(ruling.takes, []).append(name)
            places[ruling.takes] = places.get(ruling.takes, 0) + ruling.places
        for counter, need in ruling.needs.items():
            rationed.setdefault(counter, []).append((name, need))
    for slot_id, names in sorted(takers.items()):
        changes.append(facts.take_from_slot(market_id, slot_id, places[slot_id]))
        owners.append(names)
    for counter, takers_of_it in sorted(
        rationed.items(), key=lambda pair: facts.quota_key(market_id, pair[0])
    ):
        limit = min(need.limit for _, need in takers_of_it)
        until = max(need.until for _, need in takers_of_it)
        count = sum(need.amount for _, need in takers_of_it)
        changes.append(facts.take_quota(market_id, counter, count, limit, until))
        owners.append([name for name, _ in takers_of_it])
    return changes, owners
