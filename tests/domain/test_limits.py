"""Counters sorted out: what nests goes into the flow, what crosses is rationed, and a city's are sorted in no time."""

from __future__ import annotations

import random
import time
from datetime import UTC, date, datetime

from chalicelib.domain.assignment import family
from chalicelib.domain.legs import QuotaTaken
from chalicelib.domain.limits import Sorted, sorted_out
from chalicelib.domain.quotas import Need

DAY, NOON = date(2026, 11, 26), datetime(2026, 11, 26, 12, tzinfo=UTC)
SLOTS = tuple((f"s{n}", 1) for n in range(3))


def of_orders(*counters: set[str], limit: int = 1) -> Sorted:
    """Counters of all that goes to these orders."""
    needs: dict[tuple[str, str], dict[QuotaTaken, Need]] = {}
    for number, members in enumerate(counters):
        counter = QuotaTaken(per="zone", name=f"z{number}", day=DAY)
        for order in members:
            for slot, _ in SLOTS:
                needs.setdefault((order, slot), {})[counter] = Need(limit, NOON)
    taken = {counter: 0 for each in needs.values() for counter in each}
    return sorted_out({order: SLOTS for order, _ in needs}, needs, taken)


def test_what_nests_is_a_limit_and_what_crosses_it_a_ration() -> None:
    found = of_orders({*"abcd"}, {*"ab"}, {*"bc"}, {*"ef"})
    assert [limit.members for limit in found.of_orders] == [{*"abcd"}, {*"ab"}, {*"ef"}]
    assert [{order for order, _ in ration.pairs} for ration in found.crossing] == [{*"bc"}]


def test_counters_of_the_same_orders_nest() -> None:
    assert len(of_orders({*"ab"}, {*"ab"}, {*"ab"}).of_orders) == 3


def test_whatever_is_sorted_out_nests_and_a_ration_crosses_some_limit() -> None:
    for seed in range(300):
        dice = random.Random(seed)
        found = of_orders(*({*dice.sample("abcdefgh", dice.randint(2, 6))} for _ in range(5)))
        assert len(family(found.of_orders, "abcdefgh").limits) + len(found.crossing) == 5
        for ration in found.crossing:
            members = {order for order, _ in ration.pairs}
            assert any(
                members & each.members and not (members <= each.members or members >= each.members)
                for each in found.of_orders
            ), seed


def test_a_city_of_households_is_sorted_out_in_one_pass() -> None:
    """Each limit against every other took three minutes for 25,000 households."""
    began = time.process_time()
    found = of_orders(*({f"o{2 * n}", f"o{2 * n + 1}"} for n in range(8_000)))
    assert len(found.of_orders) == 8_000
    assert time.process_time() - began < 5
