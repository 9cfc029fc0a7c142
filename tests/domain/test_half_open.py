"""Half-open everywhere: a first moment belongs to what begins, a last one to what follows. Held against sets of moments."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.credentials import stands_on
from chalicelib.domain.curfews import Curfew, curfew_spans
from chalicelib.domain.fleet import Listing
from chalicelib.domain.verdicts import Reason
from chalicelib.domain.zones import Exemption
from tests import builders as b

Span = tuple[int, int]
spans = st.tuples(st.integers(0, 6), st.integers(1, 5)).map(lambda drawn: (drawn[0], drawn[0] + drawn[1]))
"""From one moment to before another: moments are microseconds, so that a boundary is often met."""


def at(moment: int) -> datetime:
    return b.NOON + timedelta(microseconds=moment)


def moments(span: Span) -> set[int]:
    return set(range(*span))


@given(spans, spans, st.integers(0, 2))
def test_a_zone_speaks_of_a_stay_that_shares_a_moment_with_it(zone: Span, stay: Span, known: int) -> None:
    found = b.zone(valid_from=at(zone[0]), valid_to=at(zone[1]), known_since=at(1))
    on = b.atlas([found])
    speaks = bool(moments(zone) & moments(stay)) and known >= 1
    regime = on.regime(b.address(), None, 0, at(stay[0]), at(stay[1]), at(known))
    assert bool(regime.zone_ids) is speaks


@given(spans, spans)
def test_an_exemption_and_a_list_count_for_a_stay_that_lies_in_them_whole(given_: Span, stay: Span) -> None:
    exemption = Exemption(
        exemption_id="e", policy="p@1", lifts=frozenset({"items"}), valid_from=at(given_[0]), valid_to=at(given_[1]),
        known_since=at(0), authority="A",
    )  # fmt: skip
    listing = Listing(list_id="l", since=at(given_[0]), until=at(given_[1]))
    is_within = moments(stay) <= moments(given_)
    assert exemption.holds(at(stay[0]), at(stay[1]), at(0)) is is_within
    assert stands_on([listing], ["l"], at(stay[0]), at(stay[1]))[0] is is_within


@given(st.integers(-2, 2), st.integers(-2, 2))
def test_a_permit_is_good_for_a_stay_that_lies_in_it_whole(begins: int, ends: int) -> None:
    """A stay from noon to half past four: a permit may begin with it and end with it, and no later nor earlier."""
    valid = {"start": at(begins), "end": at(ends) + b.hours(4.5)}
    verdict = b.clear(with_fleet=b.fleet(permits=[b.permit(valid=valid)]))
    assert (verdict.reasons == ()) is (begins <= 0 <= ends)
    assert begins <= 0 <= ends or verdict.reasons == (Reason.PERMIT_TIME,)


@given(st.integers(0, 95), st.integers(0, 95), st.integers(0, 3), st.sampled_from([-1, 0, 1]))
def test_a_curfew_begins_at_its_first_moment_and_is_over_at_its_last(
    start: int, end: int, of_an_hour: int, beside: int
) -> None:
    """On a clock without a change in those days, told quarter by quarter and a microsecond beside it."""
    clock = [time(number // 4, number % 4 * 15) for number in range(96)]
    curfew = Curfew(start_local=clock[start], end_local=clock[end])
    zone = ZoneInfo("Europe/Rome")
    for quarter in range(of_an_hour, 96, 4):
        local = datetime(2021, 3, 10, tzinfo=zone) + timedelta(minutes=15 * quarter, microseconds=beside)
        moment = local.astimezone(UTC)
        found = curfew_spans(curfew, zone.key, moment, moment + timedelta(microseconds=1))
        now = local.time()
        has_begun, is_not_over = clock[start] <= now, now < clock[end]
        # over midnight one of them is enough; the same twice is the whole day
        is_in = has_begun and is_not_over if start < end else has_begun or is_not_over
        assert bool(found) is is_in, (curfew.start_local, curfew.end_local, local)
