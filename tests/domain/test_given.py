"""What a cap counts: in a client's days, in a row or in a year, for one occasion or for all."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given as drawn
from hypothesis import strategies as st

from chalicelib.domain.given import Given, Ledger, counting, entered, full, may_grow, pruned, years_of
from chalicelib.domain.programme import Cap

DAY = date(2022, 4, 11)


def gift(day: date = DAY, name: str = "ord_new", **changes: object) -> Given:
    return Given.model_validate({"order_id": name, "day": day, **changes})


def gifts(*days: int) -> list[Given]:
    return [gift(DAY + timedelta(days=day), f"ord_{n}") for n, day in enumerate(days)]


def cap(at_most: int = 1, **changes: object) -> Cap:
    return Cap.model_validate({"per": "client", "at_most": at_most, **changes})


def test_within_seven_days_means_any_seven_days_in_a_row_and_not_one_more() -> None:
    week = cap(days=7)
    assert full(week, gifts(-6), gift()) is not None
    assert full(week, gifts(6), gift()) is not None, "what is ordered for later counts as well"
    assert full(week, gifts(-7, 7), gift()) is None


def test_gifts_on_both_sides_are_too_many_only_where_one_span_holds_them() -> None:
    two = cap(2, days=7)
    assert full(two, gifts(-3, 3), gift()) is not None
    assert full(two, gifts(-4, 4), gift()) is None, "no seven days hold all three"
    assert full(two, gifts(-6, -5), gift()) is not None


def test_a_year_is_the_calendars() -> None:
    year = cap()
    assert full(year, gifts(-101), gift()) is None
    assert full(year, gifts(-100), gift()) is not None, "1 January"
    assert full(year, [gift(date(2022, 12, 31), "ord_0")], gift()) is not None
    assert full(year, [gift(date(2023, 1, 1), "ord_0")], gift()) is None


def test_a_cap_for_an_occasion_counts_gifts_for_that_one_and_a_cap_for_none_counts_all() -> None:
    cake, every = cap(days=30, occasion="birthday"), cap(3, days=30)
    assert counting([cake, every], "client", "birthday") == [cake, every]
    assert counting([cake, every], "client", None) == [every]
    assert counting([cake, every], "household", "birthday") == []
    others = [gift(DAY, "ord_a"), gift(DAY, "ord_b", occasion="new-year")]
    assert full(cake, others, gift(occasion="birthday")) is None
    assert full(every, [*others, gift(DAY, "ord_c", occasion="birthday")], gift()) is not None


def test_neither_the_gift_itself_nor_one_that_came_to_nothing_counts() -> None:
    assert full(cap(days=7), [gift()], gift()) is None
    assert full(cap(days=7), [gift(DAY, "ord_old", struck=True)], gift()) is None


def test_who_is_full_is_told_which_gifts_it_is_full_of() -> None:
    found = full(cap(2, days=7), gifts(-9, -2, 1), gift())
    assert found is not None
    assert [each.order_id for each in found.gifts] == ["ord_1", "ord_2"]


@drawn(
    st.lists(st.integers(-40, 40), max_size=12),
    st.integers(1, 20),
    st.integers(1, 4),
)
def test_whoever_counts_every_span_by_hand_comes_to_the_same(
    days: list[int], span: int, at_most: int
) -> None:
    known = gifts(*days)
    said = full(cap(at_most, days=span), known, gift()) is not None
    by_hand = any(sum(first <= day < first + span for day in days) >= at_most for first in range(1 - span, 1))
    assert said is by_hand


def test_near_new_year_two_years_are_read_and_in_spring_one() -> None:
    assert years_of([cap(days=30)], DAY) == (2022,)
    assert years_of([cap(days=30)], date(2022, 12, 20)) == (2022, 2023)
    assert years_of([cap(days=30)], date(2022, 1, 20)) == (2021, 2022)
    assert years_of([cap()], date(2022, 1, 1)) == (2022,)
    assert years_of([], DAY) == (2022,)


def test_a_year_that_is_long_over_grows_no_more() -> None:
    earliest, latest = date(2022, 3, 10), date(2022, 6, 12)
    assert may_grow(2022, earliest, latest)
    assert not may_grow(2021, earliest, latest)
    assert may_grow(2021, date(2021, 12, 20), latest)


def test_a_gift_is_entered_once_and_what_came_to_nothing_is_struck() -> None:
    ledger = entered(Ledger(gifts=tuple(gifts(-1, -2))), gift(), ["ord_1"])
    assert [(each.order_id, each.struck) for each in ledger.gifts] == [
        ("ord_0", False),
        ("ord_1", True),
        ("ord_new", False),
    ]
    assert entered(ledger, gift(DAY + timedelta(days=3))).gifts[-1].day == DAY + timedelta(days=3)
    assert len(entered(ledger, gift()).gifts) == 3


def test_a_households_ledger_forgets_what_no_cap_can_count_any_more() -> None:
    ledger = Ledger(gifts=tuple(gifts(-60, -9, 0)))
    assert [g.order_id for g in pruned(ledger, [cap(days=7)], DAY - timedelta(days=3)).gifts] == [
        "ord_1",
        "ord_2",
    ]
    assert pruned(ledger, [cap(days=7), cap()], DAY).gifts == ledger.gifts, "a year counts the whole year"
