"""One contract for the table: the fake in memory, moto behind its lock, ministack and dynoxide keep the same promises.

Each promise of `domain/ports.py` is a test here. What an emulator does not keep stands in docs/emulators.md, and the
test says there which one it leaves out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain.errors import CordonError, Lost
from chalicelib.domain.ports import Change, Count, Drop, Keep, Key, KeyPage, Page, Require, Row, Table, Take
from chalicelib.domain.shapes import stamp

NOW = datetime(2022, 4, 11, 4, tzinfo=UTC)


def row(pk: str = "a", sk: str = "x", version: int = 1, **changes: object) -> Row:
    return Row(key=Key(pk, sk), version=version, body='{"n":1}', **changes)  # type: ignore[arg-type]


def keep(table: Table, *rows: Row) -> None:
    for one in rows:
        table.write(Keep(one, was=None))


def there(table: Table, pk: str, sk: str = "x") -> Row:
    found = table.get(Key(pk, sk))
    assert found is not None
    return found


def refused(table: Table, *changes: Change) -> None:
    """The store calls this our bug: no `Lost`, no `Delayed`, and nothing is written."""
    with pytest.raises(Exception) as raised:
        table.write(*changes)
    assert not isinstance(raised.value, CordonError), raised.value


# --- one row --------------------------------------------------------------------------------------------------


def test_a_row_comes_back_as_it_was_kept(table: Table) -> None:
    whole = row(
        sealed=bytes(range(256)),
        work="pool#SHA#0",
        due=stamp(NOW),
        shelf="brand#lv",
        place_on_shelf="1",
        counters={"left": 3, "owed": -(10**15)},
        expires_at=int(NOW.timestamp()) + 10**9,
    )
    keep(table, whole)
    assert table.get(whole.key) == whole
    assert table.get_many([whole.key]) == [whole]
    assert table.read("a").rows == (whole,)
    assert table.get(Key("a", "nothing")) is None
    assert table.get(Key("nobody", "x")) is None


@pytest.mark.parametrize(
    "body", ["", "{}", '{"n":"中文 😀 é \\u0000"}', "line\nbreak\ttab", " " * 1000, "x" * 70_000]
)
def test_a_body_comes_back_to_the_letter(table: Table, body: str) -> None:
    keep(table, Row(Key("a", "x"), 1, body))
    assert there(table, "a").body == body


def test_a_large_sealed_part_comes_back_to_the_byte(table: Table) -> None:
    sealed = bytes(range(256)) * 1200
    keep(table, row(sealed=sealed))
    assert there(table, "a").sealed == sealed


def test_half_a_place_in_an_index_is_no_place(table: Table) -> None:
    keep(table, row(work="pool", shelf="brand#lv"))
    assert there(table, "a") == row()


def test_what_the_writer_does_with_its_counters_afterwards_is_its_own_affair(table: Table) -> None:
    mine = {"left": 3}
    keep(table, row(counters=mine))
    mine["left"] = 99
    assert there(table, "a").counters == {"left": 3}


def test_an_item_is_at_most_400_kilobytes(table: Table, store: str) -> None:
    keep(table, Row(Key("a", "most"), 1, "{}", sealed=b"x" * 390_000))
    # of what is sealed, which nothing makes smaller: a body is packed on its way into the real store
    refused(table, Keep(Row(Key("a", "more"), 1, "{}", sealed=b"x" * 410_000), was=None))
    refused(
        table,
        Keep(Row(Key("b", "x"), 1, "{}"), was=None),
        Keep(Row(Key("a", "more"), 1, "{}", sealed=b"x" * 410_000), was=None),
    )
    assert table.get(Key("a", "more")) is None and table.get(Key("b", "x")) is None


def test_keys_have_a_length(table: Table) -> None:
    keep(table, row(pk="p" * 2048, sk="s" * 1024))
    for key in (Key("p" * 2049, "x"), Key("a", "s" * 1025), Key("", "x"), Key("a", "")):
        refused(table, Keep(Row(key, 1, "{}"), was=None))


# --- conditions -----------------------------------------------------------------------------------------------


def test_a_second_first_write_is_lost_and_shows_what_stands_there(table: Table) -> None:
    keep(table, row(sealed=b"s", counters={"left": 2}))
    with pytest.raises(Lost) as lost:
        table.write(Keep(row(version=9), was=None))
    assert lost.value.at == (0,)
    assert lost.value.found == row(sealed=b"s", counters={"left": 2})
    assert there(table, "a").version == 1


def test_a_write_over_another_version_is_lost_and_shows_what_stands_there(table: Table) -> None:
    keep(table, row())
    table.write(Keep(row(version=2), was=1))
    with pytest.raises(Lost) as lost:
        table.write(Keep(row(version=2, expires_at=5), was=1))
    assert (lost.value.at, lost.value.found) == ((0,), row(version=2))
    with pytest.raises(Lost) as lost:
        table.write(Keep(row(pk="b", version=2), was=1))
    assert (lost.value.at, lost.value.found) == ((0,), None)
    assert table.get(Key("b", "x")) is None


def test_a_lone_count_or_drop_that_is_lost_shows_what_stands_there_and_a_lone_question_does_not(
    table: Table,
) -> None:
    keep(table, row(counters={"left": 1}))
    for change in (Count(Key("a", "x"), "left", -2), Drop(Key("a", "x"), was=7)):
        with pytest.raises(Lost) as lost:
            table.write(change)
        assert (lost.value.at, lost.value.found) == ((0,), row(counters={"left": 1}))
    with pytest.raises(Lost) as lost:
        table.write(Require(Key("a", "x"), 7))
    assert (lost.value.at, lost.value.found) == ((0,), None)


def test_fields_that_are_gone_in_the_new_version_are_gone_in_the_row(table: Table) -> None:
    places = {"work": "pool", "due": stamp(NOW), "shelf": "brand#lv", "place_on_shelf": "1"}
    keep(table, row(sealed=b"s", expires_at=5, **places))
    table.write(Keep(row(version=2), was=1))
    assert there(table, "a") == row(version=2)
    assert table.find_due("pool", NOW, 10) == KeyPage((), None)
    assert table.find_shelved("brand#lv", 10) == KeyPage((), None)


def test_a_question_is_answered_by_version_or_by_absence(table: Table) -> None:
    keep(table, row(version=4))
    table.write(Require(Key("a", "x"), 4))
    table.write(Require(Key("b", "x"), None), Require(Key("a", "x"), 4))
    for wrong in (Require(Key("a", "x"), 3), Require(Key("a", "x"), None), Require(Key("b", "x"), 1)):
        with pytest.raises(Lost):
            table.write(wrong)


def test_a_row_is_dropped_only_at_its_version_and_leaves_the_indexes(table: Table) -> None:
    keep(table, row(work="pool", due=stamp(NOW), counters={"left": 3}))
    with pytest.raises(Lost):
        table.write(Drop(Key("a", "x"), was=2))
    table.write(Drop(Key("a", "x"), was=1))
    assert table.get(Key("a", "x")) is None
    assert table.find_due("pool", NOW, 10).keys == ()
    with pytest.raises(Lost) as lost:
        table.write(Drop(Key("a", "x"), was=1))
    assert lost.value.found is None
    keep(table, row(counters={"left": 7}))
    assert there(table, "a").counters == {"left": 7}, "anew"


# --- counters -------------------------------------------------------------------------------------------------


def test_a_counter_survives_a_new_version_and_is_set_only_by_the_first(table: Table) -> None:
    keep(table, row(counters={"left": 3}))
    table.write(Count(Key("a", "x"), "left", -2))
    table.write(Keep(row(version=2, counters={"left": 99, "other": 1}), was=1))
    assert there(table, "a") == row(version=2, counters={"left": 1})


def test_a_counter_never_falls_below_its_floor(table: Table) -> None:
    keep(table, row(counters={"left": 2}))
    table.write(Count(Key("a", "x"), "left", -2))
    with pytest.raises(Lost):
        table.write(Count(Key("a", "x"), "left", -1))
    table.write(Count(Key("a", "x"), "left", -3, floor=-3))
    table.write(Count(Key("a", "x"), "left", -10, floor=None))
    table.write(Count(Key("a", "x"), "left", 15, floor=2))
    with pytest.raises(Lost):
        table.write(Count(Key("a", "x"), "left", 1, floor=4))
    assert there(table, "a") == row(counters={"left": 2})


def test_a_counter_that_is_not_there_has_no_floor_to_stand_on(table: Table) -> None:
    keep(table, row())
    with pytest.raises(Lost):
        table.write(Count(Key("a", "x"), "left", 5))
    table.write(Count(Key("a", "x"), "left", 5, floor=None))
    assert there(table, "a").counters == {"left": 5}


def test_nothing_is_counted_on_a_row_that_is_not_there(table: Table) -> None:
    for floor in (0, None):
        with pytest.raises(Lost) as lost:
            table.write(Count(Key("a", "x"), "left", 1, floor=floor))
        assert (lost.value.at, lost.value.found) == ((0,), None)
    assert table.get(Key("a", "x")) is None


# --- counters that begin at nothing ---------------------------------------------------------------------------


def test_the_first_who_takes_makes_the_row_and_no_more_is_taken_than_the_ceiling(table: Table) -> None:
    key = Key("quota", "x")
    table.write(Take(key, "taken", 2, ceiling=3, expires_at=2 * 10**9))
    first = Row(key, 1, "{}", counters={"taken": 2}, expires_at=2 * 10**9)
    assert there(table, "quota") == first
    with pytest.raises(Lost) as lost:
        table.write(Take(key, "taken", 2, ceiling=3, expires_at=2 * 10**9))
    assert (lost.value.at, lost.value.found) == ((0,), first)
    table.write(Take(key, "taken", 1, ceiling=3))
    assert there(table, "quota") == Row(key, 1, "{}", counters={"taken": 3}, expires_at=2 * 10**9)
    table.write(Take(key, "taken", 1, ceiling=4, expires_at=3 * 10**9))
    assert there(table, "quota") == Row(key, 1, "{}", counters={"taken": 4}, expires_at=3 * 10**9)


def test_more_than_the_ceiling_is_not_taken_from_nothing_either(table: Table) -> None:
    with pytest.raises(Lost) as lost:
        table.write(Take(Key("a", "x"), "taken", 3, ceiling=2))
    assert (lost.value.at, lost.value.found) == ((0,), None)
    keep(table, row(pk="b"))
    for ceiling in (0, -1):
        with pytest.raises(Lost):
            table.write(Take(Key("b", "x"), "taken", 1, ceiling=ceiling))
    assert table.get(Key("a", "x")) is None and there(table, "b") == row(pk="b")


def test_what_was_taken_under_a_higher_ceiling_stays_and_the_lower_one_holds_from_then_on(
    table: Table,
) -> None:
    key = Key("a", "x")
    table.write(Take(key, "taken", 5, ceiling=9))
    with pytest.raises(Lost):
        table.write(Take(key, "taken", 1, ceiling=3))
    table.write(Count(key, "taken", -3, floor=None))
    table.write(Take(key, "taken", 1, ceiling=3))
    assert there(table, "a").counters == {"taken": 3}


def test_taking_nothing_up_to_nothing_asks_whether_anything_is_taken(table: Table) -> None:
    """So a slot is asked whether somebody has it for himself, in the transaction that gives it more places."""
    key = Key("fleet", "alone#slot-1")
    table.write(Take(key, "taken", 0, ceiling=0))
    table.write(Take(key, "taken", 1, ceiling=1))
    keep(table, row(pk="slot", counters={"left": 0}))
    with pytest.raises(Lost) as lost:
        table.write(Count(Key("slot", "x"), "left", 2), Take(key, "taken", 0, ceiling=0))
    assert lost.value.at == (1,)
    assert there(table, "slot").counters == {"left": 0}
    table.write(Count(key, "taken", -1, floor=None))
    table.write(Count(Key("slot", "x"), "left", 2), Take(key, "taken", 0, ceiling=0))
    assert there(table, "slot").counters == {"left": 2}


def test_taking_from_a_row_that_is_there_leaves_what_is_in_it(table: Table) -> None:
    whole = row(version=7, sealed=b"s", work="pool", due=stamp(NOW), counters={"left": 2}, expires_at=5)
    keep(table, whole)
    table.write(Take(Key("a", "x"), "taken", 1, ceiling=1))
    assert there(table, "a") == dataclasses.replace(whole, counters={"left": 2, "taken": 1})


def test_taking_is_part_of_a_transaction_or_of_none(table: Table) -> None:
    keep(table, row(pk="order"))
    takes = [Take(Key("quota", f"{n}"), "taken", 1, ceiling=1, expires_at=2 * 10**9) for n in range(3)]
    table.write(Keep(row(pk="order", version=2), was=1), *takes)
    assert [r.counters for r in table.read("quota").rows] == [{"taken": 1}] * 3
    for fails, changes in (
        ((1, 3), (Keep(row(pk="order", version=3), 2), takes[0], Take(Key("new", "x"), "taken", 1, 1), takes[2])),
        ((0,), (Keep(row(pk="order", version=3), 7), Take(Key("new", "x"), "taken", 1, 1))),
        ((1,), (Keep(row(pk="order", version=3), 2), Take(Key("new", "x"), "taken", 2, 1))),
    ):  # fmt: skip
        with pytest.raises(Lost) as lost:
            table.write(*changes)
        assert lost.value.at == fails
    assert table.get(Key("new", "x")) is None
    table.write(Keep(row(pk="order", version=3), 2), *(Count(t.key, "taken", -1, floor=None) for t in takes))
    assert [r.counters for r in table.read("quota").rows] == [{"taken": 0}] * 3
    assert there(table, "order").version == 3


# --- several changes ------------------------------------------------------------------------------------------


def test_a_transaction_is_all_or_nothing_and_names_who_failed(table: Table) -> None:
    keep(table, row(pk="slot", counters={"left": 1}), row(pk="pointer", version=4), row(pk="old"))
    for changes, failed in (
        ((Keep(row(pk="order"), None), Count(Key("slot", "x"), "left", -2), Require(Key("pointer", "x"), 3)), (1, 2)),
        ((Keep(row(pk="old"), None), Keep(row(pk="order"), None), Drop(Key("pointer", "x"), 3)), (0, 2)),
        ((Keep(row(pk="order"), None), Keep(row(pk="old", version=3), 2), Require(Key("slot", "x"), None)), (1, 2)),
        ((Drop(Key("old", "x"), 1), Count(Key("nobody", "x"), "left", 1, None)), (1,)),
    ):  # fmt: skip
        with pytest.raises(Lost) as lost:
            table.write(*changes)
        assert (lost.value.at, lost.value.found) == (failed, None)
        assert table.get(Key("order", "x")) is None
        assert there(table, "old") == row(pk="old")
        assert there(table, "slot").counters == {"left": 1}


def test_a_transaction_does_everything_that_it_names(table: Table) -> None:
    keep(
        table,
        row(pk="slot", counters={"left": 1}),
        row(pk="pointer", version=4),
        row(pk="old"),
        row(pk="order"),
    )
    table.write(
        Keep(row(pk="order", version=2, work="pool", due=stamp(NOW)), was=1),
        Keep(row(pk="evidence", counters={"n": 1}), was=None),
        Count(Key("slot", "x"), "left", -1),
        Require(Key("pointer", "x"), 4),
        Require(Key("nobody", "x"), None),
        Drop(Key("old", "x"), was=1),
    )
    assert there(table, "order").version == 2
    assert there(table, "evidence").counters == {"n": 1}
    assert there(table, "slot") == row(pk="slot", counters={"left": 0})
    assert table.get(Key("old", "x")) is None and table.get(Key("nobody", "x")) is None
    assert table.find_due("pool", NOW, 2).keys == (Key("order", "x"),)


def test_a_hundred_changes_are_one_and_a_hundred_and_one_are_none(table: Table) -> None:
    table.write(*(Keep(row(pk=f"o{n}"), was=None) for n in range(100)))
    assert len(table.get_many([Key(f"o{n}", "x") for n in range(100)])) == 100
    refused(table, *(Keep(row(pk=f"p{n}"), was=None) for n in range(101)))
    assert table.get_many([Key(f"p{n}", "x") for n in range(101)]) == []


def test_nothing_is_no_transaction(table: Table, store: str) -> None:
    if store != "moto":  # takes it: docs/emulators.md
        refused(table)


def test_one_row_is_named_once_in_a_transaction(table: Table) -> None:
    keep(table, row(counters={"left": 5}))
    refused(table, Count(Key("a", "x"), "left", -1), Count(Key("a", "x"), "left", -1))
    refused(table, Keep(row(version=2), was=1), Require(Key("a", "x"), 1))
    assert there(table, "a") == row(counters={"left": 5})


def test_a_transaction_has_at_most_4_megabytes(table: Table, store: str) -> None:
    large = [Keep(Row(Key(f"o{n}", "x"), 1, "{}", sealed=b"x" * 300_000), was=None) for n in range(15)]
    table.write(*large[:10])  # ministack counts bytes in base64: docs/emulators.md
    if store == "moto":  # takes it: docs/emulators.md
        return
    refused(
        table, *(Keep(Row(Key(f"p{n}", "x"), 1, "{}", sealed=b"x" * 300_000), was=None) for n in range(15))
    )
    assert table.get(Key("p0", "x")) is None


# --- collections ----------------------------------------------------------------------------------------------


def all_pages(turn: Callable[[str | None], Page | KeyPage], limit: int) -> list[Key]:
    """Every key, page by page, as whoever reads a listing does it: until no page follows."""
    seen: list[Key] = []
    after: str | None = None
    for _ in range(100):
        page = turn(after)
        keys = [r.key for r in page.rows] if isinstance(page, Page) else list(page.keys)
        assert len(keys) <= limit
        assert len(keys) == limit or page.after is None, "only the last page is short"
        seen += keys
        after = page.after
        if after is None:
            return seen
    raise AssertionError("there is no last page")


NAMES = (
    "event#",
    "event#1",
    "event#10",
    "event#2",
    "event#é",
    "event#中",
    "event#😀",
    "event#\uffff",
    "other",
    "z",
)


def test_a_collection_is_read_in_the_order_of_its_names_by_prefix(table: Table) -> None:
    keep(
        table,
        *(row(sk=name) for name in reversed(NAMES)),
        row(pk="b", sk="event#3"),
        row(pk="aa", sk="event#4"),
    )
    assert [r.key.sk for r in table.read("a").rows] == sorted(NAMES, key=str.encode)
    events = [name for name in sorted(NAMES, key=str.encode) if name.startswith("event#")]
    assert [r.key.sk for r in table.read("a", "event#").rows] == events
    assert table.read("a", "event#1").after is None
    assert [r.key.sk for r in table.read("a", "event#1").rows] == ["event#1", "event#10"]
    assert table.read("a", "nothing") == table.read("nobody") == Page((), None)


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 7, 8, 9])
def test_a_collection_is_read_in_pages_also_when_the_last_is_full(table: Table, limit: int) -> None:
    keep(table, *(row(sk=name) for name in NAMES))
    events = [name for name in sorted(NAMES, key=str.encode) if name.startswith("event#")]
    keys = all_pages(lambda after: table.read("a", "event#", limit=limit, after=after), limit)
    assert [key.sk for key in keys] == events


def test_a_full_page_does_not_know_that_it_is_the_last(table: Table, store: str) -> None:
    if store == "moto":  # it looks ahead, as DynamoDB never does: docs/emulators.md
        return
    keep(
        table,
        *(row(sk=f"{n}", work="pool", due=stamp(NOW), shelf="s", place_on_shelf=f"{n}") for n in range(3)),
    )
    for full in (table.read("a", limit=3), table.find_due("pool", NOW, 3), table.find_shelved("s", 3)):
        assert full.after is not None
    assert table.read("a", limit=3, after=table.read("a", limit=3).after) == Page((), None)


def test_a_page_starts_after_a_row_that_is_gone_by_now(table: Table) -> None:
    keep(table, *(row(sk=f"event#{n}") for n in range(4)))
    first = table.read("a", "event#", limit=2)
    table.write(Drop(Key("a", "event#1"), was=1))
    rest = table.read("a", "event#", limit=3, after=first.after)
    assert [r.key.sk for r in rest.rows] == ["event#2", "event#3"]


def test_a_collection_larger_than_a_megabyte_is_read_whole(table: Table) -> None:
    keep(table, *(Row(Key("a", f"{n}"), 1, "{}", sealed=b"x" * 350_000) for n in range(5)))
    assert [r.key.sk for r in table.read("a").rows] == ["0", "1", "2", "3", "4"]
    page = table.read("a", limit=4)
    assert [r.key.sk for r in page.rows] == ["0", "1", "2", "3"]
    assert [r.key.sk for r in table.read("a", limit=4, after=page.after).rows] == ["4"]


def test_many_rows_are_read_at_once(table: Table) -> None:
    for start in (0, 60):
        table.write(*(Keep(row(pk=f"o{n}"), was=None) for n in range(start, start + 60)))
    keys = [Key(f"o{n}", "x") for n in range(250)]
    assert sorted(r.key.pk for r in table.get_many([*keys, *keys])) == sorted(k.pk for k in keys[:120])
    assert table.get_many([]) == []
    city = [*keys, *(Key(f"nobody{n}", "x") for n in range(600))]  # so many are read side by side
    assert sorted(r.key.pk for r in table.get_many(city)) == sorted(k.pk for k in keys[:120])


@pytest.mark.long
def test_more_is_read_at_once_than_one_answer_holds(table: Table) -> None:
    keep(table, *(Row(Key(f"o{n}", "x"), 1, "{}", sealed=b"x" * 390_000) for n in range(45)))
    found = table.get_many([Key(f"o{n}", "x") for n in range(45)])
    assert sorted(r.key.pk for r in found) == sorted(f"o{n}" for n in range(45))
    assert {len(r.sealed) for r in found} == {390_000}


def test_what_was_written_is_read_at_once(table: Table) -> None:
    keep(table, row())
    for version in range(2, 12):
        table.write(Keep(row(version=version), was=version - 1))
        assert there(table, "a").version == version
        assert table.get_many([Key("a", "x")])[0].version == version
        assert table.read("a").rows[0].version == version


# --- indexes --------------------------------------------------------------------------------------------------


def test_what_is_due_is_found_the_longest_due_first_up_to_the_moment_itself(table: Table) -> None:
    moments = {n: NOW + timedelta(minutes=n) for n in (2, 0, 1, 5)}
    keep(table, *(row(pk=f"o{n}", work="pool", due=stamp(at)) for n, at in moments.items()))
    keep(table, row(pk="other", work="wait", due=stamp(NOW)), row(pk="nowhere"))
    at = moments[2]
    assert [k.pk for k in table.find_due("pool", at, 10).keys] == ["o0", "o1", "o2"]
    assert [k.pk for k in table.find_due("pool", at - timedelta(microseconds=1), 10).keys] == ["o0", "o1"]
    assert table.find_due("pool", NOW - timedelta(days=1), 10) == KeyPage((), None)
    assert table.find_due("nobody", NOW, 10) == KeyPage((), None)
    page = table.find_due("pool", at, 2)
    assert ([k.pk for k in page.keys], page.since) == (["o0", "o1"], stamp(NOW))
    page = table.find_due("pool", at, 2, page.after)
    assert ([k.pk for k in page.keys], page.after, page.since) == (["o2"], None, stamp(at))


def test_a_bucket_says_with_its_keys_since_when_the_first_was_due(table: Table) -> None:
    for n in (1, 0, 2):
        keep(
            table,
            row(
                f"o{n}", work="pool", due=stamp(NOW + timedelta(minutes=n)), shelf="s", place_on_shelf=str(n)
            ),
        )
    until = NOW + timedelta(hours=1)
    page = table.find_due("pool", until, 2)
    assert page.since == stamp(NOW)
    assert table.find_due("pool", until, 2, page.after).since == stamp(NOW + timedelta(minutes=2))
    assert table.find_shelved("s", 2).since is None


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 6, 7])
def test_what_is_due_comes_once_in_pages_also_when_it_is_due_together(table: Table, limit: int) -> None:
    due = (0, 0, 0, 1, 1, 2)
    keep(
        table,
        *(row(pk=f"o{n}", work="pool", due=stamp(NOW + timedelta(minutes=m))) for n, m in enumerate(due)),
    )
    until = NOW + timedelta(minutes=2)
    keys = all_pages(lambda after: table.find_due("pool", until, limit, after), limit)
    assert [due[int(k.pk[1:])] for k in keys] == list(due)
    assert len(set(keys)) == 6


def test_a_row_moves_from_bucket_to_bucket_with_its_versions(table: Table) -> None:
    keep(table, row(work="pool", due=stamp(NOW)))
    table.write(Keep(row(version=2, work="wait", due=stamp(NOW)), was=1))
    assert table.find_due("pool", NOW, 5).keys == ()
    assert table.find_due("wait", NOW, 5).keys == (Key("a", "x"),)
    table.write(Keep(row(version=3, work="wait", due=stamp(NOW + timedelta(hours=1))), was=2))
    assert table.find_due("wait", NOW, 5).keys == ()
    page = table.find_due("wait", NOW + timedelta(hours=1), 5)
    assert page.keys == (Key("a", "x"),)


def test_paging_goes_on_after_a_row_that_has_left_the_index(table: Table) -> None:
    keep(table, *(row(pk=f"o{n}", work="pool", due=stamp(NOW + timedelta(minutes=n))) for n in range(4)))
    first = table.find_due("pool", NOW + timedelta(hours=1), 2)
    table.write(Keep(row(pk="o1", version=2), was=1))
    rest = table.find_due("pool", NOW + timedelta(hours=1), 3, first.after)
    assert [k.pk for k in rest.keys] == ["o2", "o3"]


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6])
def test_a_shelf_is_read_the_last_place_first_and_in_pages(table: Table, limit: int) -> None:
    places = ["1", "10", "2", "20", "3"]
    keep(table, *(row(pk=f"o{p}", sk=f"x|{p}", shelf="brand#lv", place_on_shelf=p) for p in places))
    keep(table, row(pk="other", shelf="brand#kering", place_on_shelf="9"))
    keys = all_pages(lambda after: table.find_shelved("brand#lv", limit, after), limit)
    assert [k.pk for k in keys] == ["o3", "o20", "o2", "o10", "o1"]
    assert all(k.sk == f"x|{k.pk[1:]}" for k in keys)


# --- many at once ---------------------------------------------------------------------------------------------


def test_of_many_who_write_over_one_version_one_wins(table: Table, at_once: Any) -> None:
    keep(table, row())
    for version in range(1, 6):
        answers = at_once(
            lambda n, was=version: table.write(Keep(row(version=was + 1, expires_at=n), was=was)), 16
        )
        assert sum(a is None for a in answers) == 1
        assert all(isinstance(a, Lost) for a in answers if a is not None), answers
        assert there(table, "a").expires_at == answers.index(None)


def test_of_many_who_write_first_one_is_first_and_the_others_see_it(table: Table, at_once: Any) -> None:
    answers = at_once(lambda n: table.write(Keep(row(version=n + 1), was=None)), 16)
    winner = answers.index(None)
    assert [a.found for a in answers if a is not None] == [row(version=winner + 1)] * 15
    assert there(table, "a").version == winner + 1


def test_never_one_unit_is_sold_too_many(table: Table, at_once: Any) -> None:
    keep(table, row(counters={"left": 100}))
    answers = at_once(lambda n: table.write(Count(Key("a", "x"), "left", -1)), 160)
    assert sum(a is None for a in answers) == 100
    assert all(isinstance(a, Lost) for a in answers if a is not None), answers
    assert there(table, "a").counters == {"left": 0}


def test_transactions_of_order_and_slot_sell_what_there_is(table: Table, at_once: Any) -> None:
    keep(table, row(pk="slot", counters={"left": 30}))
    answers = at_once(
        lambda n: table.write(Keep(row(pk=f"order-{n}"), was=None), Count(Key("slot", "x"), "left", -1)), 48
    )
    assert sum(a is None for a in answers) == 30
    assert all(isinstance(a, Lost) and a.at == (1,) for a in answers if a is not None), answers
    assert len(table.get_many([Key(f"order-{n}", "x") for n in range(48)])) == 30
    assert there(table, "slot").counters == {"left": 0}


def test_of_many_who_take_the_first_makes_the_row_and_never_one_too_many_is_taken(
    table: Table, at_once: Any
) -> None:
    answers = at_once(lambda n: table.write(Take(Key("quota", f"{n % 2}"), "taken", 1, ceiling=12)), 48)
    assert sum(a is None for a in answers) == 24
    assert all(isinstance(a, Lost) for a in answers if a is not None), answers
    assert [r.counters for r in table.read("quota").rows] == [{"taken": 12}] * 2


def test_transactions_of_order_and_quota_take_what_there_is(table: Table, at_once: Any) -> None:
    answers = at_once(
        lambda n: table.write(Keep(row(pk=f"order-{n}"), was=None), Take(Key("quota", "x"), "taken", 1, 20)),
        40,
    )
    assert sum(a is None for a in answers) == 20
    assert all(isinstance(a, Lost) and a.at == (1,) for a in answers if a is not None), answers
    assert len(table.get_many([Key(f"order-{n}", "x") for n in range(40)])) == 20
    assert there(table, "quota").counters == {"taken": 20}


def test_transactions_are_whole_to_whoever_reads_and_writes_beside_them(table: Table, at_once: Any) -> None:
    """Transfers between ten counters: the sum stays, none falls below zero, and what others keep meanwhile stays."""
    keep(table, *(row(pk=f"c{n}", counters={"left": 10}) for n in range(10)))

    def transfer(n: int) -> None:
        if n % 4 == 3:
            keep(table, row(pk=f"beside-{n}"))
            return
        table.write(
            Count(Key(f"c{n % 10}", "x"), "left", -3), Count(Key(f"c{(n * 7 + 1) % 10}", "x"), "left", 3)
        )

    answers = at_once(transfer, 64)
    assert all(a is None or isinstance(a, Lost) for a in answers), answers
    left = [there(table, f"c{n}").counters["left"] for n in range(10)]
    assert sum(left) == 100 and min(left) >= 0
    assert len(table.get_many([Key(f"beside-{n}", "x") for n in range(3, 64, 4)])) == 16
