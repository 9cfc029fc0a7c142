"""Of all gifts that wait for a courier whose time of peace is over, one asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import product
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.breaker import Breaker
from chalicelib.domain.fleet import Fleet
from chalicelib.domain.probing import left_to_one
from chalicelib.domain.verdicts import Decision, Reason, Verdict
from tests.stage import NOON, slot

COURIERS = ("back", "well", "late")
SLOTS = {f"{courier}-{n}": courier for courier, n in product(COURIERS, range(2))}


class Waiting(NamedTuple):
    """What is read of an order here."""

    order_id: str
    evidence_count: int = 0


def fleet(*doubtful: str, probed: bool = False, left: int = 5) -> Fleet:
    breakers = {
        name: Breaker(
            market_id="SHA",
            courier_id=name,
            failures=5,
            since=NOON - timedelta(minutes=9),
            trips=1,
            until=NOON - timedelta(minutes=1),
            probe_until=NOON + timedelta(seconds=9) if probed else None,
        )
        for name in doubtful
    }
    slots = {
        name: slot(1, 5).model_copy(update={"slot_id": name, "courier_id": courier})
        for name, courier in SLOTS.items()
    }
    return Fleet(
        couriers={}, crews={}, permits={}, slots=slots, left=dict.fromkeys(SLOTS, left), breakers=breakers
    )


def answers(*yes: str) -> list[Verdict]:
    return [
        Verdict(Decision.YES if name in yes else Decision.NO, name, () if name in yes else (Reason.WINDOW,))
        for name in SLOTS
    ]


def asked(
    verdicts: Mapping[str, Sequence[Verdict]],
    on: Fleet,
    parties: Sequence[frozenset[str]] = (),
    ruled: Mapping[str, int] | None = None,
) -> dict[str, list[str]]:
    """Whose slots still say yes, by order."""
    orders = [Waiting(name, (ruled or {}).get(name, 0)) for name in verdicts]
    of = {name: party for party in parties for name in party}
    found = left_to_one(orders, verdicts, of, on, NOON)  # type: ignore[arg-type]
    return {
        name: [v.slot_id for v in verdict if v.decision is Decision.YES] for name, verdict in found.items()
    }


def test_without_such_a_courier_these_are_the_same_verdicts() -> None:
    verdicts = {"a": answers("back-0")}
    assert left_to_one([], verdicts, {}, fleet(), NOON) is verdicts


def test_who_has_nobody_else_asks_and_the_others_are_told_that_it_is_down() -> None:
    verdicts = {"a": answers("back-0", "well-0"), "b": answers("back-0"), "c": answers("back-1")}
    assert asked(verdicts, fleet("back")) == {"a": ["well-0"], "b": ["back-0"], "c": []}


def test_whoever_has_been_ruled_on_least_asks() -> None:
    verdicts = {"a": answers("back-0"), "b": answers("back-0")}
    assert asked(verdicts, fleet("back"), ruled={"a": 3, "b": 1}) == {"a": [], "b": ["back-0"]}


def test_while_one_is_asking_nobody_else_is_given_to_it() -> None:
    assert asked({"a": answers("back-0")}, fleet("back", probed=True)) == {"a": []}


def test_a_slot_without_a_place_left_is_no_chance_to_ask() -> None:
    on = fleet("back")
    on.left["back-0"] = 0
    verdicts = {"a": answers("back-0"), "b": answers("back-1")}
    assert asked(verdicts, on) == {"a": [], "b": ["back-1"]}


def test_those_that_travel_together_ask_together_or_not_at_all() -> None:
    verdicts = {
        "a": answers("back-0"),
        "b": answers("well-0"),
        "c": answers("back-0"),
        "d": answers("back-0"),
    }
    found = asked(verdicts, fleet("back"), [frozenset({"a", "b"}), frozenset({"c", "d"})])
    assert found == {"a": [], "b": ["well-0"], "c": ["back-0"], "d": ["back-0"]}


def test_orders_that_share_their_answers_share_them_still() -> None:
    shared = answers("back-0", "well-0")
    found = left_to_one(
        [Waiting(name) for name in "abc"],  # type: ignore[misc]
        dict.fromkeys("abc", shared),
        {},
        fleet("back"),
        NOON,
    )
    assert found["b"] is found["c"] is not found["a"] is shared


@given(st.dictionaries(st.sampled_from("abcdef"), st.sets(st.sampled_from(sorted(SLOTS))), min_size=1))
def test_each_such_courier_is_left_to_one_and_all_else_stays_as_it_was(wishes: dict[str, set[str]]) -> None:
    verdicts = {name: answers(*yes) for name, yes in wishes.items()}
    found = asked(verdicts, fleet("back", "late"))
    for courier in ("back", "late"):
        able = [name for name, yes in wishes.items() if any(SLOTS[s] == courier for s in yes)]
        ask = [name for name in wishes if any(SLOTS[s] == courier for s in found[name])]
        assert len(ask) <= 1
        assert ask or not able or len(able) == 1, "somebody asks, unless the only one asks another"
    for name, yes in wishes.items():
        well = {s for s in yes if SLOTS[s] == "well"}
        assert {s for s in found[name] if SLOTS[s] == "well"} == well
        assert set(found[name]) <= yes
