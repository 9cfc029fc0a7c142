"""One contract for the table: the fake in memory and DynamoDB (moto behind its lock) promise the same."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.domain.errors import Lost
from chalicelib.domain.ports import Count, Drop, Keep, Key, Require, Row, Table
from chalicelib.domain.shapes import stamp
from tests.aws.tables import make_table
from tests.fakes import FakeTable

NOW = datetime(2022, 4, 11, 4, tzinfo=UTC)


@pytest.fixture(params=["fake", "moto"])
def table(request: pytest.FixtureRequest) -> Iterator[Table]:
    if request.param == "fake":
        yield FakeTable()
        return
    request.getfixturevalue("moto")
    from chalicelib.aws.clients import client
    from chalicelib.aws.table import DynamoTable

    make_table(client("dynamodb"))
    yield DynamoTable("facts")


def row(pk: str = "a", sk: str = "x", version: int = 1, **changes: object) -> Row:
    return Row(key=Key(pk, sk), version=version, body='{"n":1}', **changes)  # type: ignore[arg-type]


def test_a_row_comes_back_as_it_was_kept(table: Table) -> None:
    whole = row(
        sealed=b"\x00\xff",
        work="pool#SHA#0",
        due=stamp(NOW),
        shelf="brand#lv",
        place_on_shelf="1",
        counters={"left": 3},
        expires_at=17,
    )
    table.write(Keep(whole, was=None))
    assert table.get(whole.key) == whole
    assert table.get(Key("a", "nothing")) is None


def test_a_second_first_write_is_lost_and_shows_what_stands_there(table: Table) -> None:
    table.write(Keep(row(), was=None))
    with pytest.raises(Lost) as lost:
        table.write(Keep(row(version=9), was=None))
    assert lost.value.at == (0,)
    assert lost.value.found == row()


def test_a_write_over_another_version_is_lost(table: Table) -> None:
    table.write(Keep(row(), was=None))
    table.write(Keep(row(version=2), was=1))
    with pytest.raises(Lost):
        table.write(Keep(row(version=2), was=1))
    with pytest.raises(Lost):
        table.write(Keep(row(pk="b", version=2), was=1))


def test_fields_that_are_gone_in_the_new_version_are_gone_in_the_row(table: Table) -> None:
    table.write(Keep(row(work="pool", due=stamp(NOW), sealed=b"s", expires_at=5), was=None))
    table.write(Keep(row(version=2), was=1))
    assert table.get(Key("a", "x")) == row(version=2)
    assert table.find_due("pool", NOW, 10).keys == ()


def test_a_counter_survives_a_new_version_and_is_set_only_by_the_first(table: Table) -> None:
    table.write(Keep(row(counters={"left": 3}), was=None))
    table.write(Count(Key("a", "x"), "left", -2))
    table.write(Keep(row(version=2, counters={"left": 99}), was=1))
    kept = table.get(Key("a", "x"))
    assert kept is not None
    assert kept.counters == {"left": 1}


def test_a_counter_never_falls_below_its_floor(table: Table) -> None:
    table.write(Keep(row(counters={"left": 2}), was=None))
    table.write(Count(Key("a", "x"), "left", -2))
    with pytest.raises(Lost):
        table.write(Count(Key("a", "x"), "left", -1))
    with pytest.raises(Lost):
        table.write(Count(Key("a", "missing"), "left", 1, floor=None))
    table.write(Count(Key("a", "x"), "left", 1, floor=None))
    kept = table.get(Key("a", "x"))
    assert kept is not None
    assert kept.counters == {"left": 1}


def test_a_transaction_is_all_or_nothing_and_names_who_failed(table: Table) -> None:
    table.write(Keep(row(pk="slot", counters={"left": 1}), was=None))
    table.write(Keep(row(pk="pointer", version=4), was=None))
    with pytest.raises(Lost) as lost:
        table.write(
            Keep(row(pk="order"), was=None),
            Count(Key("slot", "x"), "left", -2),
            Require(Key("pointer", "x"), 3),
        )
    assert lost.value.at == (1, 2)
    assert table.get(Key("order", "x")) is None
    table.write(
        Keep(row(pk="order"), was=None),
        Count(Key("slot", "x"), "left", -1),
        Require(Key("pointer", "x"), 4),
        Require(Key("nobody", "x"), None),
    )
    assert table.get(Key("order", "x")) is not None


def test_a_row_is_dropped_only_at_its_version(table: Table) -> None:
    table.write(Keep(row(), was=None))
    with pytest.raises(Lost):
        table.write(Drop(Key("a", "x"), was=2))
    table.write(Drop(Key("a", "x"), was=1))
    assert table.get(Key("a", "x")) is None


def test_a_collection_is_read_in_order_by_prefix_and_in_pages(table: Table) -> None:
    for n in (3, 1, 2):
        table.write(Keep(row(sk=f"event#{n}"), was=None))
    table.write(Keep(row(sk="order"), was=None))
    assert [r.key.sk for r in table.read("a", "event#").rows] == ["event#1", "event#2", "event#3"]
    assert len(table.read("a").rows) == 4
    first = table.read("a", "event#", limit=2)
    assert [r.key.sk for r in first.rows] == ["event#1", "event#2"]
    rest = table.read("a", "event#", limit=2, after=first.after)
    assert [r.key.sk for r in rest.rows] == ["event#3"]


def test_many_rows_are_read_at_once(table: Table) -> None:
    for n in range(120):
        table.write(Keep(row(pk=f"o{n}"), was=None))
    keys = [Key(f"o{n}", "x") for n in range(130)]
    assert {r.key for r in table.get_many(keys)} == set(keys[:120])
    assert table.get_many([]) == []


def test_what_is_due_is_found_the_longest_due_first_and_in_pages(table: Table) -> None:
    for n in (2, 0, 1, 5):
        table.write(Keep(row(pk=f"o{n}", work="pool", due=stamp(NOW + timedelta(minutes=n))), was=None))
    table.write(Keep(row(pk="other", work="wait", due=stamp(NOW)), was=None))
    first = table.find_due("pool", NOW + timedelta(minutes=2), 2)
    assert [k.pk for k in first.keys] == ["o0", "o1"]
    second = table.find_due("pool", NOW + timedelta(minutes=2), 2, first.after)
    assert [k.pk for k in second.keys] == ["o2"]


def test_a_shelf_is_read_the_last_first_and_in_pages(table: Table) -> None:
    for n in range(5):
        table.write(Keep(row(pk=f"o{n}", shelf="brand#lv", place_on_shelf=f"{n}"), was=None))
    seen: list[str] = []
    after = None
    for _ in range(5):
        page = table.find_shelved("brand#lv", 2, after)
        seen += [k.pk for k in page.keys]
        after = page.after
        if after is None:
            break
    assert seen == ["o4", "o3", "o2", "o1", "o0"]
