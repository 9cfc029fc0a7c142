"""The store of a simulated day promises what the real one does, and lags as a real index may."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.ports import Keep, Key, Row
from chalicelib.domain.shapes import stamp
from tests.aws import test_table as contract
from tests.fakes import NOON, FakeClock
from tests.simulation.store import Store

PROMISES = [
    promise
    for name, promise in vars(contract).items()
    if name.startswith("test_") and list(inspect.signature(promise).parameters) == ["table"]
]


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_it_keeps_the_contract_of_the_table(promise: Callable[[Any], None]) -> None:
    promise(Store(FakeClock()))


def test_there_is_a_contract() -> None:
    assert len(PROMISES) >= 10


def test_an_index_that_lags_misses_what_is_new_and_shows_what_has_moved() -> None:
    clock = FakeClock()
    store = Store(clock)

    def keep(name: str, version: int, work: str, was: int | None) -> None:
        store.write(Keep(Row(Key(name, "order"), version, "{}", work=work, due=stamp(NOON)), was=was))

    names = [f"o{n}" for n in range(9)]
    for name in names:
        keep(name, 1, "pool", None)
    clock.forward(seconds=10)
    for name in names:
        keep(name, 2, "wait", 1)
    before = clock.now - timedelta(seconds=5)
    assert store.find_due("pool", clock.now, 20).keys == ()
    old = {key.pk for key in store.find_due("pool", clock.now, 20, since=before, salt="a").keys}
    new = {key.pk for key in store.find_due("wait", clock.now, 20, since=before, salt="a").keys}
    assert old and new and not old & new, "some changes have arrived, others have not"
    assert old | new == set(names)
    other = {key.pk for key in store.find_due("pool", clock.now, 20, since=before, salt="b").keys}
    assert other != old
    clock.forward(minutes=2)
    assert store.find_due("pool", clock.now, 20, since=clock.now - timedelta(seconds=5)).keys == ()
