"""The stores that the contract of a table is held against, each started once a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest

from chalicelib.aws.clients import client
from chalicelib.aws.table import DynamoTable
from chalicelib.domain.ports import Table
from tests.aws.emulators import EMULATORS, STORES
from tests.aws.tables import make_table
from tests.fakes import FakeTable

_numbers = count()


@pytest.fixture(scope="module", params=STORES)
def store(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a store that is up."""
    if request.param == "fake":
        yield "fake"
        return
    with EMULATORS[request.param]():
        yield request.param


@pytest.fixture
def fresh(store: str) -> Callable[[], Table]:
    """Makes an empty table on that store."""

    def make() -> Table:
        if store == "fake":
            return FakeTable()
        name = f"facts-{next(_numbers)}"
        make_table(client("dynamodb"), name)
        return DynamoTable(name)

    return make


@pytest.fixture
def table(fresh: Callable[[], Table]) -> Table:
    """An empty table."""
    return fresh()


@pytest.fixture(scope="session")
def at_once() -> Callable[[Callable[[int], Any], int], list[Any]]:
    """`act(0)` to `act(count - 1)` by sixteen threads; what each returned or raised."""

    def run(act: Callable[[int], Any], count: int) -> list[Any]:
        def one(n: int) -> Any:
            try:
                return act(n)
            except Exception as error:
                return error

        with ThreadPoolExecutor(16) as pool:
            return list(pool.map(one, range(count)))

    return run
