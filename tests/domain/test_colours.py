from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.colours import Act, Colour, Period, Why, colours, national, regional

FIRST = date(2021, 3, 1)


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def act(since: int, until: int | None, colour: Colour, made: int = 0, **changes: Any) -> Act:
    told = {"number": made, "area": "03", "name": f"act of day {made}", **changes}
    return Act(
        since=day(since), until=None if until is None else day(until), colour=colour, made=day(made), **told
    )


def plain(periods: tuple[Period, ...]) -> list[tuple[int, int | None, Colour | Why | None]]:
    return [
        (
            (p.since - FIRST).days,
            None if p.until is None else (p.until - FIRST).days,
            p.why if p.colour is None else p.colour,
        )
        for p in periods
    ]


def test_the_later_act_supersedes_and_days_are_half_open() -> None:
    acts = [act(0, 14, Colour.ORANGE, 0), act(7, 21, Colour.RED, 5)]
    assert plain(regional(acts, "03", FIRST)) == [
        (0, 7, Colour.ORANGE),
        (7, 21, Colour.RED),
        (21, None, Why.NO_ACT),
    ]


def test_two_acts_of_one_day_that_contradict_one_another_leave_it_unknown() -> None:
    acts = [act(0, 14, Colour.ORANGE), act(0, 14, Colour.YELLOW)]
    (tie, _) = regional(acts, "03", FIRST)
    assert (tie.colour, tie.why, len(tie.acts)) == (None, Why.TIE, 2)


def test_a_decree_holds_again_when_an_ordinance_is_over_and_an_ordinance_does_not() -> None:
    short = act(5, 10, Colour.RED, 4)
    decree = act(0, 20, Colour.YELLOW, 0, is_decree=True)
    assert plain(regional([decree, short], "03", FIRST))[2] == (10, 20, Colour.YELLOW)
    ordinance = act(0, 20, Colour.YELLOW, 0)
    assert plain(regional([ordinance, short], "03", FIRST))[2] == (10, 20, Why.REPLACED)


def test_an_act_without_an_end_holds_until_another_begins() -> None:
    acts = [act(0, None, Colour.WHITE, 0), act(30, 40, Colour.YELLOW, 28)]
    told = plain(regional(acts, "03", FIRST))
    assert told == [(0, 30, Colour.WHITE), (30, 40, Colour.YELLOW), (40, None, Why.REPLACED)]


def test_edge_case_11_a_national_overlay_meets_the_colour_and_spares_white_where_it_says_so() -> None:
    easter = act(3, 6, Colour.RED, 1, area=None, spares_white=True)
    orange, white = act(0, 9, Colour.ORANGE), act(0, 9, Colour.WHITE)
    assert plain(colours([orange, easter], "03", FIRST))[:3] == [
        (0, 3, Colour.ORANGE),
        (3, 6, Colour.RED),
        (6, 9, Colour.ORANGE),
    ]
    assert plain(colours([white, easter], "03", FIRST))[0] == (0, 9, Colour.WHITE)
    assert national([white, easter], "03", FIRST) == ()


def test_a_milder_overlay_opens_nothing() -> None:
    yellow = act(3, 6, Colour.YELLOW, 5, area=None)
    assert plain(colours([act(0, 9, Colour.RED), yellow], "03", FIRST))[0] == (0, 9, Colour.RED)


def test_edge_case_12_back_to_back_days_leave_no_gap_and_one_day_is_a_period() -> None:
    acts = [act(0, 1, Colour.RED, 0), act(1, 2, Colour.ORANGE, 1), act(2, 3, Colour.RED, 2)]
    assert plain(regional(acts, "03", FIRST))[:3] == [
        (0, 1, Colour.RED),
        (1, 2, Colour.ORANGE),
        (2, 3, Colour.RED),
    ]


ACTS = st.lists(
    st.builds(
        act,
        st.integers(0, 20),
        st.one_of(st.none(), st.integers(21, 40)),
        st.sampled_from(Colour),
        st.integers(0, 6),
        area=st.sampled_from(["03", "12", None]),
        is_decree=st.booleans(),
        spares_white=st.booleans(),
    ),
    max_size=8,
)


@given(ACTS, st.randoms(use_true_random=False))
def test_periods_leave_no_gap_and_do_not_depend_on_the_order_of_records(acts: list[Act], chance: Any) -> None:
    found = colours(acts, "03", FIRST)
    assert found[0].since == FIRST
    assert found[-1].until is None
    assert all(one.until == two.since for one, two in pairwise(found))
    shuffled = list(acts)
    chance.shuffle(shuffled)
    assert plain(colours(shuffled, "03", FIRST)) == plain(found)


@given(ACTS)
def test_an_overlay_never_makes_a_known_colour_milder(acts: list[Act]) -> None:
    for period in regional(acts, "03", FIRST):
        if period.colour is not None:
            here = next(p for p in colours(acts, "03", FIRST) if p.until is None or period.since < p.until)
            assert here.colour is not None
            assert here.colour >= period.colour
