"""What a curfew stops: couriers, clients who come out, shops that give out; and on which dates."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chalicelib.domain.curfews import Curfew, Stop, curfew_spans
from chalicelib.domain.gifts import ItemClass
from chalicelib.domain.policies import Handover
from chalicelib.domain.verdicts import Decision, Phase, Reason, Verdict
from tests import builders as b
from tests.domain.test_clearance import at_home, done
from tests.domain.test_zones import night

R, H = Reason, Handover
EVERY = frozenset(Handover)
FETCHED = (H.GATE, H.SHELF, H.COLLECTION_POINT)


def indoors(start: str, end: str, *, rest: int = 0, ways: Any = EVERY, **changes: Any) -> Any:
    """The client may not come out in these hours."""
    curfew = night(start, end, stops=frozenset({Stop.COLLECTION}), **changes)
    return at_home(b.silent("indoors", curfews=(curfew,), handovers=ways, gate={"rest_minutes": rest}))


# --- collection -------------------------------------------------------------------------------------------------


def test_a_client_who_may_not_come_out_is_served_at_the_door_at_any_hour() -> None:
    verdict = b.clear(on=indoors("12:00", "18:00"))
    assert verdict.decision is Decision.YES
    assert verdict.handovers == (H.DOOR, H.LOBBY)
    assert (verdict.hand_over_from, verdict.hand_over_by) == (b.NOON + b.hours(1), b.NOON + b.hours(4))


def test_what_has_to_be_fetched_is_left_only_when_it_can_be_fetched_after_its_rest() -> None:
    ways = frozenset({H.GATE})
    verdict = b.clear(on=indoors("15:00", "22:00", ways=ways))
    assert verdict.hand_over_by == b.NOON + b.hours(3) - b.minutes(20)
    verdict = b.clear(on=indoors("15:00", "22:00", ways=ways, rest=30))
    assert verdict.hand_over_by == b.NOON + b.hours(3) - b.minutes(50)
    # it rests while nobody may come out, and is fetched when that is over
    verdict = b.clear(on=indoors("12:00", "14:00", ways=ways, rest=30))
    assert verdict.hand_over_from == b.NOON + b.hours(1.5)
    assert b.clear(on=indoors("13:20", "17:00", ways=ways)).reasons == (R.CURFEW,)
    assert b.clear(on=indoors("13:40", "17:00", ways=ways)).decision is Decision.YES


def test_where_both_are_allowed_the_longer_hours_are_planned_and_the_gate_is_offered_only_if_it_fits_them() -> (
    None
):
    assert b.clear(on=indoors("15:00", "22:00")).handovers == (H.DOOR, H.LOBBY)
    assert b.clear(on=indoors("22:00", "05:00")).handovers == tuple(Handover)


def test_a_curfew_for_clients_stops_no_courier_and_no_shop() -> None:
    """Italy, 2020: home delivery at any hour, and nobody out after ten."""
    verdict = b.clear(on=indoors("00:00", "00:00", ways=frozenset({H.DOOR})))
    assert verdict.decision is Decision.YES
    at_the_shop = b.atlas(
        [b.zone(b.KITCHEN, policy_id="in"), b.zone()],
        [b.policy("in", curfews=[night("00:00", "00:00", stops=frozenset({Stop.COLLECTION})).model_dump()])],
    )
    assert b.clear(on=at_the_shop).handovers == tuple(Handover)


def test_a_curfew_for_clients_of_some_classes_keeps_only_those_from_the_gate() -> None:
    meals = indoors("12:00", "18:00", item_classes=frozenset({ItemClass.HOT_MEAL}))
    assert b.clear(on=meals).handovers == tuple(Handover)
    meal = b.delivery(gift=b.gift(b.item("hot_meal")))
    assert b.clear(on=meals, of=meal).handovers == (H.DOOR, H.LOBBY)


def test_a_gift_that_was_left_is_judged_by_whether_its_client_can_come_out() -> None:
    ways = frozenset({H.GATE})
    on = indoors("14:00", "18:00", ways=ways, rest=30)
    assert done(1, Phase.CARRIED, on=on).handovers == (H.GATE,)  # fetched from 13:30 on
    assert done(1.1, Phase.CARRIED, on=on).handovers == (H.GATE,)
    assert done(1.2, Phase.CARRIED, on=on).reasons == (R.CURFEW,)
    assert done(1.2, Phase.CARRIED, on=indoors("14:00", "18:00", rest=30)).handovers == (H.DOOR, H.LOBBY)


# --- shops ------------------------------------------------------------------------------------------------------


def test_a_shop_that_gives_out_nothing_stops_the_fetching_and_no_hand_over() -> None:
    curfew = night("12:00", "14:00", stops=frozenset({Stop.HAND_OUT}))
    shut = b.policy("shut", curfews=[curfew.model_dump()])
    on = b.atlas([b.zone(b.KITCHEN, policy_id="shut"), b.zone()], [shut])
    verdict = b.clear(on=on)
    assert (verdict.start, verdict.hand_over_from) == (b.NOON + b.hours(2), b.NOON + b.hours(3))
    assert done(1, Phase.GIVEN, on=on).reasons == (R.CURFEW,)
    at_the_client = b.atlas([b.zone(b.KITCHEN), b.zone(policy_id="shut")], [shut])
    assert b.clear(on=at_the_client).hand_over_from == b.NOON + b.hours(1)


def test_a_curfew_may_stop_everything() -> None:
    everything = night("12:00", "17:00", stops=frozenset(Stop))
    assert b.clear(on=at_home(b.silent("all", curfews=(everything,)))).reasons == (R.CURFEW,)


# --- dates ------------------------------------------------------------------------------------------------------


def starts(curfew: Curfew, zone: str = "Asia/Shanghai") -> list[int]:
    """The local days of April 2022 on which it begins."""
    low, high = datetime(2022, 4, 1, tzinfo=UTC), datetime(2022, 4, 30, tzinfo=UTC)
    return [(begins + b.hours(8)).day for begins, _ in curfew_spans(curfew, zone, low, high)]


def test_a_dated_curfew_begins_on_its_dates_and_its_last_night_ends_the_morning_after() -> None:
    three = night(dates_from=date(2022, 4, 9), dates_until=date(2022, 4, 12))
    assert starts(three) == [9, 10, 11]
    on = at_home(b.silent("three", curfews=(three,)))
    last_night = {"of": b.delivery(window=b.window(16, 20)), "by": b.slot(window=b.window(15, 21))}
    assert b.clear(on=on, **last_night).hand_over_from == b.NOON + b.hours(17)  # the 12th, at five
    after = {"of": b.delivery(window=b.window(34, 38)), "by": b.slot(window=b.window(33, 39))}
    fleet = b.fleet(crews=[b.crew(credentials=[b.credential(sampled=-4, reported_at=b.NOON)])])
    found = b.clear(on=on, with_fleet=fleet, **after)
    assert R.CURFEW not in found.reasons


def test_hours_that_change_on_a_date_are_two_curfews_that_follow_each_other() -> None:
    """Italy, 19 May 2021: from 22 to 23."""
    change = date(2021, 5, 19)
    both = (night("22:00", dates_until=change), night("23:00", dates_from=change))
    found = [
        curfew_spans(
            curfew,
            "Europe/Rome",
            datetime(2021, 5, 18, 12, tzinfo=UTC),
            datetime(2021, 5, 20, 12, tzinfo=UTC),
        )
        for curfew in both
    ]
    assert [len(spans) for spans in found] == [1, 1]
    assert found[0][0][0] == datetime(2021, 5, 18, 20, tzinfo=UTC)
    assert found[1][0][0] == datetime(2021, 5, 19, 21, tzinfo=UTC)


def test_dates_that_end_before_they_begin_and_a_curfew_that_stops_nothing_are_refused() -> None:
    with pytest.raises(ValidationError, match="dates_until lies after dates_from"):
        night(dates_from=date(2022, 4, 9), dates_until=date(2022, 4, 9))
    with pytest.raises(ValidationError, match="at least 1"):
        night(stops=frozenset())


def test_a_curfew_of_before_there_were_stops_stops_deliveries() -> None:
    assert Curfew.model_validate({"start_local": "22:00", "end_local": "05:00"}).stops == {Stop.DELIVERY}


# --- both at once -----------------------------------------------------------------------------------------------


@given(
    st.integers(48, 72),
    st.integers(1, 12),
    st.sampled_from([frozenset({stop}) for stop in Stop]),
    st.sampled_from([0, 30]),
    st.sampled_from([frozenset({H.GATE}), EVERY]),
)
def test_whatever_is_offered_can_be_done_at_every_moment_of_the_hours(
    start: int, length: int, stops: frozenset[Stop], rest: int, ways: Any
) -> None:
    begins, ends = (b.NOON + b.minutes(15 * (n - 48)) for n in (start, start + length))
    local = [(moment + b.hours(8)).strftime("%H:%M") for moment in (begins, ends)]
    curfew = night(*local, stops=stops)
    policy = b.silent("p", curfews=(curfew,), handovers=ways, gate={"rest_minutes": rest})
    verdict: Verdict = b.clear(on=at_home(policy))
    if verdict.decision is not Decision.YES:
        return
    assert verdict.hand_over_from and verdict.hand_over_by and verdict.end
    low, high = verdict.hand_over_from, verdict.hand_over_by
    if Stop.DELIVERY in stops:
        assert verdict.end <= begins or low >= ends
    if Stop.COLLECTION in stops and not set(FETCHED).isdisjoint(verdict.handovers):
        pause = b.minutes(rest)
        assert high + pause + b.minutes(20) <= begins or low + pause >= ends
