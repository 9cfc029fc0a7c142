"""What AWS does and no emulator: transactions that meet others, batches done in part, indexes that lag. Our adapter
repeats five times and gives back; our flows do nothing twice for it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

import app as front
from chalicelib import wiring
from chalicelib.aws import calls
from chalicelib.aws.clients import client
from chalicelib.aws.queues import SqsQueues
from chalicelib.aws.table import DynamoTable
from chalicelib.domain import facts
from chalicelib.domain.errors import Lost, Throttled
from chalicelib.domain.ports import Count, Keep, Key, Row, Topic
from chalicelib.flows import sweep
from chalicelib.flows.dispatch import dispatch
from chalicelib.flows.place import place
from tests.aws import weather
from tests.aws.messages import drained, make
from tests.aws.tables import make_table
from tests.conftest import behind_its_lock
from tests.stage import Stage, new_order, stage
from tests.test_listeners import batch, nudge

TWO = (Keep(Row(Key("a", "x"), 1, "{}"), was=None), Keep(Row(Key("b", "x"), 1, "{}"), was=None))
MET = ("TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded")


@pytest.fixture(scope="module", autouse=True)
def cloud() -> Iterator[None]:
    with behind_its_lock():
        yield


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def table(waits: list[float]) -> Iterator[DynamoTable]:
    make_table(client("dynamodb"))
    yield DynamoTable("facts", calls.Patience(sleep=waits.append, dice=lambda: 0.5))
    client("dynamodb").delete_table(TableName="facts")


def tokens(asked: list[Any]) -> list[str]:
    return [request["ClientRequestToken"] for request in asked]


# --- transactions ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("why", MET)
def test_a_transaction_that_met_others_four_times_is_done_the_fifth_time(
    table: DynamoTable, waits: list[float], why: str
) -> None:
    met = weather.cancelled("None", why)
    with weather.answering("dynamodb", "TransactWriteItems", met, met, met, met) as asked:
        table.write(*TWO)
    assert len(asked) == 5
    assert len(set(tokens(asked))) == 5, (
        "what was cancelled is over: its token would be answered with that for ever"
    )
    assert len(waits) == 4 and waits == sorted(waits) and sum(waits) < 2
    assert len(table.get_many([Key("a", "x"), Key("b", "x")])) == 2


@pytest.mark.parametrize("why", MET)
def test_a_transaction_that_met_others_five_times_is_given_back_undone(table: DynamoTable, why: str) -> None:
    met = [weather.cancelled(why, why)] * 9
    with weather.answering("dynamodb", "TransactWriteItems", *met) as asked, pytest.raises(Throttled):
        table.write(*TWO)
    assert len(asked) == 5
    assert table.get_many([Key("a", "x"), Key("b", "x")]) == []


def test_a_lost_condition_is_believed_beside_a_conflict_and_only_where_it_is_said(table: DynamoTable) -> None:
    told = weather.cancelled("TransactionConflict", "ConditionalCheckFailed")
    with weather.answering("dynamodb", "TransactWriteItems", told) as asked, pytest.raises(Lost) as lost:
        table.write(*TWO)
    assert lost.value.at == (1,)
    assert len(asked) == 1


@pytest.mark.parametrize("why", ["ValidationError", "ItemCollectionSizeLimitExceeded", "SomethingNew"])
def test_a_transaction_that_is_wrong_is_our_bug_and_is_not_repeated(table: DynamoTable, why: str) -> None:
    told = weather.cancelled("None", why)
    with weather.answering("dynamodb", "TransactWriteItems", told) as asked, pytest.raises(ClientError):
        table.write(*TWO)
    assert len(asked) == 1


def test_a_transaction_still_in_progress_is_asked_for_again_under_its_own_token(table: DynamoTable) -> None:
    told = weather.error("TransactionInProgressException")
    with weather.answering("dynamodb", "TransactWriteItems", told, told) as asked:
        table.write(*TWO)
    assert len(asked) == 3 and len(set(tokens(asked))) == 1
    with (
        weather.answering("dynamodb", "TransactWriteItems", told, told, told) as asked,
        pytest.raises(Throttled),
    ):
        table.write(Keep(Row(Key("c", "x"), 1, "{}"), None), Keep(Row(Key("d", "x"), 1, "{}"), None))
    assert len(asked) == 3


# --- single calls ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["ProvisionedThroughputExceededException", "TransactionConflictException"])
def test_a_single_write_that_was_turned_away_did_nothing_and_is_repeated(
    table: DynamoTable, code: str
) -> None:
    slot = Key("slot", "x")
    table.write(Keep(Row(slot, 1, "{}", counters={"left": 5}), was=None))
    with weather.answering("dynamodb", "UpdateItem", *[weather.error(code)] * 2) as asked:
        table.write(Count(slot, "left", -1))
    assert len(asked) == 3
    with weather.answering("dynamodb", "UpdateItem", *[weather.error(code)] * 3), pytest.raises(Throttled):
        table.write(Count(slot, "left", -1))
    found = table.get(slot)
    assert found is not None and found.counters == {"left": 4}


def test_reads_that_were_turned_away_are_repeated_and_then_given_back(table: DynamoTable) -> None:
    busy = weather.error("ProvisionedThroughputExceededException")
    table.write(Keep(Row(Key("a", "x"), 1, "{}"), was=None))
    for operation, read in (
        ("GetItem", lambda: table.get(Key("a", "x"))),
        ("Query", lambda: table.read("a")),
        ("Query", lambda: table.find_shelved("s", 1)),
        ("BatchGetItem", lambda: table.get_many([Key("a", "x")])),
    ):
        with weather.answering("dynamodb", operation, busy, busy) as asked:
            read()
        assert len(asked) == 3
        with weather.answering("dynamodb", operation, *[busy] * 9), pytest.raises(Throttled):
            read()


# --- batches in part ------------------------------------------------------------------------------------------


def test_what_a_batch_left_unread_is_read_after_a_wait_and_nothing_comes_twice(
    table: DynamoTable, waits: list[float]
) -> None:
    keys = [Key(f"o{n}", "x") for n in range(120)]
    for start in (0, 60):
        table.write(*(Keep(Row(key, 1, "{}"), was=None) for key in keys[start : start + 60]))
    with weather.read_in_part(25) as asked:
        found = table.get_many(keys)
    assert sorted(r.key.pk for r in found) == sorted(k.pk for k in keys)
    assert asked == [100, 75, 50, 25, 20]
    assert len(waits) == 3
    with weather.read_in_part(15) as asked, pytest.raises(Throttled):
        table.get_many(keys[:100])
    assert asked == [100, 85, 70, 55, 40], "five times, and then it is given back whole"


def test_of_a_batch_of_nudges_each_is_sent_once_and_what_is_never_taken_is_given_back() -> None:
    url, waits = make(), list[float]()
    queues = SqsQueues({Topic.BOOK: url}, {}, calls.Patience(sleep=waits.append, dice=lambda: 0.5))
    names = [f"ord_{n}" for n in range(10)]
    with weather.taken_in_part(4, 3, 3) as asked:
        queues.nudge(Topic.BOOK, names)
    assert asked == [10, 6, 3] and len(waits) == 2
    assert sorted(json.loads(m["Body"])["id"] for m in drained(url)) == names
    with weather.taken_in_part(4, 1, 1) as asked, pytest.raises(Throttled):
        queues.nudge(Topic.BOOK, names)
    assert asked == [10, 6, 5]
    assert len(drained(url)) == 6, "what was taken is sent: whoever repeats the rest repeats it too"


# --- flows in such weather ------------------------------------------------------------------------------------


def copied(on: Stage, table: Any) -> Stage:
    """The same stage on that table."""
    for row in on.plain.table.rows.values():  # type: ignore[attr-defined]
        table.write(Keep(row, was=None))
    world = dataclasses.replace(on.plain, table=table, memory={})
    return dataclasses.replace(on, world=world, plain=world)


@pytest.fixture
def on(table: DynamoTable) -> Iterator[Stage]:
    on = stage(capacity=2)
    orders = [place(on.world, "maison", f"k-{n}", new_order())[0] for n in range(3)]
    assert len(orders) == 3
    on.world.queues.sent.clear()  # type: ignore[attr-defined]
    on = copied(on, table)
    wiring.use(on.world)
    yield on
    wiring.use(None)


def orders_of(on: Stage) -> list[Any]:
    page = on.plain.table.find_shelved("brand#maison", 50)
    return [facts.order_of_row(row) for row in on.plain.table.get_many(page.keys)]


def sold(on: Stage) -> int:
    return sum(order.leg.assignment is not None for order in orders_of(on))


def test_a_planner_whose_transactions_only_meet_others_is_given_back_and_sells_later(on: Stage) -> None:
    met = weather.cancelled(*["TransactionConflict"] * 8)
    with weather.answering("dynamodb", "TransactWriteItems", *[met] * 99):
        answer = front.on_dispatch(batch(Topic.DISPATCH, nudge("SHA")), None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m-0"}]}
    assert (sold(on), on.left()) == (0, 2)
    assert front.on_dispatch(batch(Topic.DISPATCH, nudge("SHA")), None) == {"batchItemFailures": []}
    assert (sold(on), on.left()) == (2, 0)


def test_a_planner_that_reads_an_index_that_lags_assigns_nothing_twice(on: Stage) -> None:
    with weather.indexes_standing_still("facts"):
        dispatch(on.world, "SHA")
        first = orders_of(on)
        assert (sold(on), on.left()) == (2, 0)
        on.settle()
        booked = {o.order_id: o.version for o in orders_of(on) if o.leg.assignment is not None}
        for _ in range(3):
            dispatch(on.world, "SHA")
        after = {o.order_id: o.version for o in orders_of(on) if o.leg.assignment is not None}
    assert len(first) == 3
    assert booked == after, "the index still says that they wait; the rows say otherwise, and are believed"
    assert on.left() == 0
    assert all(on.live_bookings(name) == 1 for name in booked)


def test_what_an_index_does_not_show_yet_is_found_when_it_does(on: Stage) -> None:
    with weather.indexes_standing_still("facts"):
        late, _ = place(on.world, "maison", "k-late", new_order())
        on.world.queues.sent.clear()  # type: ignore[attr-defined]
        dispatch(on.world, "SHA")
        assert on.order(late.order_id).outlook is None, "not looked at"
        on.world.queues.sent.clear()  # type: ignore[attr-defined]
    on.minutes(1)
    assert on.order(late.order_id).outlook is not None


def test_the_sweep_nudges_what_an_index_still_shows_only_if_it_is_due(on: Stage) -> None:
    dispatch(on.world, "SHA")
    on.world.queues.sent.clear()  # type: ignore[attr-defined]
    with weather.indexes_standing_still("facts"):  # assigned, and to be booked
        on.clock.forward(minutes=3)
        sweep.sweep(on.world)
        told = on.world.queues.take(Topic.BOOK)  # type: ignore[attr-defined]
        assert len(told) == 2
        on.world.queues.sent += told  # type: ignore[attr-defined]
        on.settle()
        on.clock.forward(seconds=20)
        sweep.sweep(on.world)
        assert on.world.queues.take(Topic.BOOK) == []  # type: ignore[attr-defined]
