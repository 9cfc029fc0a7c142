"""When a courier that fails is left in peace, and for how long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.breaker import (
    FAILURES,
    LONGEST,
    OPEN_MINUTES,
    PROBE,
    WITHIN,
    Breaker,
    BreakerState,
    failed,
)

NOON = datetime(2022, 4, 11, 4, tzinfo=UTC)


def after(count: int, *, apart: timedelta = timedelta(seconds=10), known: Breaker | None = None) -> Breaker:
    for number in range(count):
        known = failed(known, "SHA", "sf", "unanswered", NOON + number * apart)
    assert known is not None
    return known


def test_a_few_failures_are_no_reason_to_stop_asking() -> None:
    assert after(FAILURES - 1).state(NOON) is BreakerState.CLOSED


def test_so_many_within_some_minutes_open_it_for_a_minute_and_then_one_may_ask() -> None:
    breaker = after(FAILURES)
    opened = NOON + (FAILURES - 1) * timedelta(seconds=10)
    assert breaker.until == opened + timedelta(minutes=1)
    assert breaker.state(breaker.until - timedelta(microseconds=1)) is BreakerState.OPEN
    assert breaker.state(breaker.until) is BreakerState.HALF_OPEN


def test_failures_that_lie_far_apart_never_open_it() -> None:
    assert after(40, apart=WITHIN).until is None


def test_every_question_that_fails_again_doubles_the_time_of_peace_up_to_a_quarter_of_an_hour() -> None:
    breaker = after(FAILURES)
    for minutes in (*OPEN_MINUTES[1:], OPEN_MINUTES[-1]):
        assert breaker.until is not None
        asked = breaker.until
        breaker = failed(breaker.probing(asked), "SHA", "sf", "http_503", asked)
        assert breaker.until == asked + timedelta(minutes=minutes)
        assert not breaker.is_probed(asked)
    assert breaker.why == "http_503"


def test_what_was_asked_before_it_opened_and_fails_late_makes_it_no_longer() -> None:
    breaker = after(FAILURES)
    late = failed(breaker, "SHA", "sf", "unanswered", NOON + timedelta(minutes=1))
    assert (late.until, late.trips) == (breaker.until, 1)


def test_a_courier_that_names_a_time_is_left_in_peace_for_it_at_once_and_within_reason() -> None:
    breaker = failed(None, "SHA", "sf", "http_429", NOON, timedelta(minutes=7))
    assert breaker.until == NOON + timedelta(minutes=7)
    greedy = failed(None, "SHA", "sf", "http_429", NOON, timedelta(days=7))
    assert greedy.until == NOON + LONGEST
    none = failed(None, "SHA", "sf", "http_429", NOON, timedelta())
    assert none.until is None


def test_one_question_is_under_way_for_half_a_minute_at_most() -> None:
    breaker = after(FAILURES)
    assert breaker.until is not None
    probing = breaker.probing(breaker.until)
    assert probing.is_probed(breaker.until)
    assert not probing.is_probed(breaker.until + PROBE)


@given(st.lists(st.tuples(st.integers(0, 600), st.none() | st.integers(0, 10**7)), min_size=1, max_size=40))
def test_it_never_stays_open_for_longer_than_an_hour_after_the_last_failure(
    failures: list[tuple[int, int | None]],
) -> None:
    now, breaker = NOON, None
    for seconds, wished in failures:
        now += timedelta(seconds=seconds)
        wait = None if wished is None else timedelta(seconds=wished)
        breaker = failed(breaker, "SHA", "sf", "unanswered", now, wait)
    assert breaker is not None
    assert breaker.until is None or breaker.until <= now + LONGEST
    assert Breaker.model_validate_json(breaker.model_dump_json(exclude_defaults=True)) == breaker
