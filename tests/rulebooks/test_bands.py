"""Germany's incidence bands: three days over, five working days below, from the day after next."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.bands import BELOW, BRAKE, LAW, Band, Threshold, bands

HUNDRED, HUNDRED_AND_FIFTY = (threshold.policy for threshold in BRAKE)
HOLIDAYS = frozenset({date(2021, 5, 1), date(2021, 5, 13), date(2021, 5, 24)})
"""Labour Day (a Saturday), Ascension (a Thursday) and Whit Monday."""
SEVERITY = {BELOW: 0, HUNDRED: 1, HUNDRED_AND_FIFTY: 2, None: 3}


def figures(first: date, *of_days: float | None) -> dict[date, float]:
    """One a day from the first; None: nobody reported."""
    days = ((first + timedelta(days=n), figure) for n, figure in enumerate(of_days))
    return {day: figure for day, figure in days if figure is not None}


def found(
    given_figures: dict[date, float], holidays: Iterable[date] = HOLIDAYS
) -> list[tuple[str, str | None]]:
    """The day on which each band begins, and its policy."""
    return [(band.since.strftime("%d %b"), band.policy) for band in bands(given_figures, frozenset(holidays))]


def on(day: date, given_figures: dict[date, float], holidays: Iterable[date] = HOLIDAYS) -> str | None:
    (policy,) = [b.policy for b in bands(given_figures, frozenset(holidays)) if b.since <= day < b.until]
    return policy


def test_measures_begin_on_the_day_after_next_after_three_days_over() -> None:
    seen = found(figures(date(2021, 4, 26), 100.1, 101, 102, 99, 99))
    assert seen[:2] == [("23 Apr", BELOW), ("30 Apr", HUNDRED)]


def test_two_days_over_begin_nothing_and_a_day_between_starts_again() -> None:
    assert on(date(2021, 5, 2), figures(date(2021, 4, 25), 101, 101, 99, 101, 101, 99)) == BELOW


def test_exactly_on_the_threshold_is_neither_over_nor_below() -> None:
    assert on(date(2021, 5, 1), figures(date(2021, 4, 26), 101, 101, 100.0, 101)) == BELOW
    over, below = [101.0] * 3, [99.0] * 4
    assert on(date(2021, 5, 14), figures(date(2021, 5, 3), *over, *below, 100.0, 99, 99), ()) == HUNDRED


def test_edge_case_13_five_working_days_leave_out_sunday_and_the_first_of_may() -> None:
    """Over until Tuesday 27 April; below from Wednesday: 28, 29, 30, then Monday 3 and Tuesday 4 May make five."""
    series = figures(date(2021, 4, 23), *[120.0] * 5, *[80.0] * 14)
    assert found(series)[:3] == [("23 Apr", BELOW), ("27 Apr", HUNDRED), ("06 May", BELOW)]
    a_naive_count = found(series, ())
    assert a_naive_count[2] == ("05 May", BELOW), "without the holiday Saturday 1 May would be the fourth"


def test_edge_case_13_five_working_days_leave_out_ascension() -> None:
    """Over until Sunday 9 May; 10, 11, 12, 14 and Saturday 15 May make five, Thursday the 13th is none."""
    series = figures(date(2021, 5, 3), *[120.0] * 7, *[80.0] * 10)
    assert found(series)[:3] == [("23 Apr", BELOW), ("07 May", HUNDRED), ("17 May", BELOW)]
    assert found(series, ())[2] == ("16 May", BELOW)


def test_edge_case_13_a_sunday_or_holiday_over_the_threshold_does_not_interrupt() -> None:
    calm = figures(date(2021, 5, 3), *[120.0] * 7, *[80.0] * 10)
    assert found(calm | {date(2021, 5, 13): 130.0, date(2021, 5, 16): 130.0}) == found(calm)
    assert on(date(2021, 5, 17), calm | {date(2021, 5, 14): 130.0}) == HUNDRED


def test_a_higher_band_is_counted_by_itself_and_the_highest_one_holds() -> None:
    series = figures(date(2021, 4, 23), 120, 160, 160, 160, *[120.0] * 10)
    assert found(series)[:4] == [
        ("23 Apr", BELOW),
        ("27 Apr", HUNDRED),
        ("28 Apr", HUNDRED_AND_FIFTY),
        ("05 May", HUNDRED),
    ]


def test_measures_that_were_lifted_begin_again() -> None:
    series = figures(date(2021, 5, 3), *[120.0] * 3, *[80.0] * 7, *[120.0] * 3, 80)
    holds = [band for band in bands(series, frozenset()) if band.policy == HUNDRED]
    assert [(band.since.day, band.until.day) for band in holds] == [(7, 13), (17, 19)]
    assert bands(series, frozenset())[-1] == Band(date(2021, 5, 19), LAW[1], None)


def test_nothing_holds_before_or_after_the_law() -> None:
    series = {date(2021, 4, 1) + timedelta(days=n): 200.0 for n in range(120)}
    assert bands(series, HOLIDAYS) == (Band(*LAW, HUNDRED_AND_FIFTY),)


def test_two_days_after_the_last_figure_nothing_is_known() -> None:
    assert found(figures(date(2021, 4, 23), 50, 50)) == [("23 Apr", BELOW), ("27 Apr", None)]
    assert bands({}, HOLIDAYS) == (Band(*LAW, None),)


def test_a_missing_figure_is_unknown_only_where_it_makes_a_difference() -> None:
    between = figures(date(2021, 4, 26), 120, None, 120, 50, 50, 50, 50, 50, 50, 50)
    assert on(date(2021, 4, 30), between) is None, "with a third day over it would hold"
    alone = figures(date(2021, 4, 26), 50, None, 50, 120, 50)
    assert {band.policy for band in bands(alone, HOLIDAYS) if band.until <= date(2021, 5, 3)} == {BELOW}
    in_the_count = figures(date(2021, 5, 3), *[120.0] * 3, 50, 50, None, *[50.0] * 4)
    assert on(date(2021, 5, 7), in_the_count) == HUNDRED
    assert on(date(2021, 5, 14), in_the_count, ()) is None, "the fifth working day below may be the sixth"


@pytest.mark.parametrize("figure", [-1.0, float("nan"), float("inf")])
def test_a_figure_that_is_none_is_refused_with_its_day(figure: float) -> None:
    with pytest.raises(ValueError, match="0 or more was expected on 2021-05-03"):
        bands({date(2021, 5, 3): figure}, HOLIDAYS)


@pytest.mark.parametrize("day", [date.min, date(2020, 4, 21), date(2022, 7, 2), date.max])
def test_a_figure_of_another_time_is_refused_with_its_day(day: date) -> None:
    with pytest.raises(ValueError, match=f"days from 2020-04-22 until 2022-07-02 were expected, got {day}"):
        bands({day: 120.0}, HOLIDAYS)


SERIES = st.lists(st.none() | st.sampled_from([80.0, 99.9, 100.0, 101.0, 149.0, 151.0]), max_size=40)


@given(SERIES, SERIES)
def test_higher_figures_never_permit_more(one: list[float | None], other: list[float | None]) -> None:
    length = min(len(one), len(other))
    pairs = [(min(a, b), max(a, b)) for a, b in zip(one[:length], other[:length], strict=True) if a and b]
    lower, higher = (figures(LAW[0], *(pair[n] for pair in pairs)) for n in (0, 1))
    days = [LAW[0] + timedelta(days=n) for n in range((LAW[1] - LAW[0]).days)]
    assert all(SEVERITY[on(day, lower)] <= SEVERITY[on(day, higher)] for day in days)


@given(SERIES, st.sampled_from([80.0, 101.0, 151.0]))
def test_what_is_known_with_a_gap_stays_true_whatever_fills_it(
    series: list[float | None], filling: float
) -> None:
    gaps = figures(LAW[0], *series)
    if not gaps:
        return
    last = max(gaps)
    filled = {
        day: gaps.get(day, filling)
        for day in (min(gaps) + timedelta(days=n) for n in range((last - min(gaps)).days + 1))
    }
    for band in bands(gaps, HOLIDAYS):
        if band.policy is not None:
            day = band.since
            while day < band.until:
                assert on(day, filled) == band.policy
                day += timedelta(days=1)


@given(SERIES)
def test_bands_cover_the_law_without_a_gap(series: list[float | None]) -> None:
    made = bands(figures(LAW[0], *series), HOLIDAYS)
    assert (made[0].since, made[-1].until) == LAW
    assert all(a.until == b.since and a.policy != b.policy for a, b in pairwise(made))


def test_one_threshold_of_another_law_is_counted_the_same_way() -> None:
    law = (date(2021, 12, 1), date(2021, 12, 20))
    series = figures(date(2021, 12, 1), *[60.0] * 3)
    made = bands(series, (), [Threshold(50, "land-over-50@1")], "land-below-50@1", law)
    assert made[1] == Band(date(2021, 12, 5), date(2021, 12, 6), "land-over-50@1")
