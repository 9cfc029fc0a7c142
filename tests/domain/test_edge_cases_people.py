"""Edge cases of `../shared/research/lockdowns.md`, section 3, by number: permits, credentials, lists."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.credentials import faults_of
from chalicelib.domain.fleet import Credential, Permit
from chalicelib.domain.verdicts import Decision, Phase, Reason
from tests import builders as b
from tests.domain.test_clearance import only
from tests.domain.test_credentials import TWO_TWO, antigen, pcr

R = Reason
OUT = 4.5
"""Hours after noon at which the crew is out again."""


def by(*credentials: Credential, **changes: Any) -> Any:
    return b.fleet(crews=[b.crew(credentials=credentials, **changes)])


def under(*permits: Permit, **changes: Any) -> tuple[Reason, ...]:
    return b.clear(with_fleet=b.fleet(permits=permits, **changes)).reasons


@pytest.mark.parametrize(
    ("ends", "reasons"),
    [
        (3.9, (R.PERMIT_TIME,)),  # before the window does
        (4.25, (R.PERMIT_TIME,)),  # covers the delivery and not the way back
        (OUT, ()),
    ],
)
def test_edge_case_16_a_permit_lasts_for_the_delivery_and_the_way_back(ends: float, reasons: Any) -> None:
    assert under(b.permit(valid=b.window(-24, ends))) == reasons


def test_edge_case_17_a_permit_does_not_change_vehicles_or_drivers_with_its_courier() -> None:
    bound = b.permit(crew_id="crew-1")
    assert under(bound) == ()
    vehicle = {"plate": "沪B·00001", "compartments": [{"min_c": 1, "max_c": 6}]}
    assert under(bound, crews=[b.crew(vehicle=vehicle)]) == (R.PERMIT_VEHICLE,)
    another = b.crew("crew-2")
    fleet = b.fleet(permits=[bound], crews=[another])
    assert b.clear(with_fleet=fleet, by=b.slot(crew_id="crew-2")).reasons == (R.PERMIT_VEHICLE,)


def test_edge_case_17_one_vehicle_one_route_a_second_drop_elsewhere_is_not_covered() -> None:
    route = b.permit(districts=None, route={"origin": b.HUANGPU, "destination": b.HUANGPU})
    fleet = b.fleet(permits=[route])
    on = b.atlas([b.zone(b.KITCHEN), b.zone(), b.zone(district=b.XUHUI)])
    assert b.clear(with_fleet=fleet, on=on).decision is Decision.YES
    second = b.delivery(drop_off=b.place(district=b.XUHUI))
    assert b.clear(with_fleet=fleet, on=on, of=second).reasons == (R.PERMIT_SCOPE,)


def test_edge_case_17_an_articulated_truck_goes_by_its_tractor() -> None:
    truck = b.crew(vehicle={"plate": "沪A·T0001", "compartments": [{"min_c": 1, "max_c": 6}]})
    assert under(b.permit(plate="沪A·T0001"), crews=[truck]) == ()
    assert under(b.permit(plate="沪A·9001挂"), crews=[truck]) == (R.PERMIT_MISSING,)


def test_edge_case_18_forty_eight_hours_are_good_on_the_dot_and_count_from_what_the_rule_says() -> None:
    dot = OUT - 48
    assert b.clear(with_fleet=by(b.credential(sampled=dot))).decision is Decision.YES
    assert b.clear(with_fleet=by(b.credential(sampled=dot - 0.01))).reasons == (R.CREDENTIAL_EXPIRES,)
    need = {"kind": "pcr", "max_age_hours": 48, "age_from": "reported"}
    reported = only(b.policy("reported", requirements=[need]))
    assert b.clear(with_fleet=by(b.credential(sampled=dot - 4)), on=reported).decision is Decision.YES
    assert b.clear(with_fleet=by(b.credential(sampled=dot - 4.01)), on=reported).reasons == (
        R.CREDENTIAL_EXPIRES,
    )


def test_edge_case_18_a_pending_test_extends_nothing_and_a_later_positive_ends_an_earlier_negative() -> None:
    old, pending = b.credential(sampled=-45), b.credential(result="pending", sampled=-2)
    assert b.clear(with_fleet=by(old, pending)).reasons == (R.CREDENTIAL_EXPIRES,)
    fresh, positive = b.credential(), b.credential(result="positive", sampled=-6)
    for phase in Phase:  # also in the middle of the route
        verdict = b.clear(with_fleet=by(fresh, positive), phase=phase)
        assert verdict.reasons == (R.CREDENTIAL_POSITIVE,)


def test_edge_case_19_two_antigen_tests_alone_do_not_pass_on_the_second_day() -> None:
    on = only(b.policy("riders", requirements=[TWO_TWO.model_dump()]))
    day_a = by(*pcr(-24), *antigen(-24, -5, -4))
    day_b = by(*antigen(-29, -28, -5, -4))
    assert b.clear(with_fleet=day_a, on=on).decision is Decision.YES
    assert b.clear(with_fleet=day_b, on=on).reasons == (R.CREDENTIAL_MISSING,)
    with_pcr = by(*antigen(-29, -28, -4), *pcr(-5))
    assert b.clear(with_fleet=with_pcr, on=on).decision is Decision.YES


def test_edge_case_20_a_code_that_turns_red_stops_the_crew_with_the_gift_on_board() -> None:
    need = {"kind": "health_code", "max_age_hours": 24}
    on = only(b.policy("green", requirements=[need]))
    seen = [
        b.credential("health_code", result, at, reported_at=b.NOON + b.hours(at))
        for result, at in (("negative", -4), ("positive", 2))
    ]
    fleet = by(*seen)
    assert b.clear(with_fleet=fleet, on=on, phase=Phase.CARRIED, now=b.NOON + b.hours(1.9)).decision is (
        Decision.YES
    )
    red = b.clear(with_fleet=fleet, on=on, phase=Phase.CARRIED, now=b.NOON + b.hours(2))
    assert R.CREDENTIAL_POSITIVE in red.reasons
    waiting = b.clear(with_fleet=fleet, on=on, now=b.NOON + b.hours(2))
    assert R.CREDENTIAL_POSITIVE in waiting.reasons


def test_edge_case_21_a_company_off_the_whitelist_sends_nobody_however_good_their_passes_are() -> None:
    on = only(b.policy("white", companies=["whitelist"], persons=["riders"]))
    riders = [{"list_id": "riders", "since": b.NOON - b.hours(90)}]

    def reasons(**listing: Any) -> tuple[Reason, ...]:
        company = b.courier(listed=[{"list_id": "whitelist", "since": b.NOON - b.hours(90), **listing}])
        fleet = b.fleet(couriers=[company], crews=[b.crew(listed=riders)])
        return b.clear(on=on, with_fleet=fleet).reasons

    assert reasons() == ()
    assert reasons(until=b.NOON + b.hours(OUT)) == ()
    assert reasons(until=b.NOON + b.hours(OUT - 0.1)) == (R.COMPANY_UNLISTED,)
    assert reasons(until=b.NOON) == (R.COMPANY_UNLISTED,)


def test_edge_case_22_the_test_at_the_gate_takes_its_time_of_the_trip() -> None:
    tested = only(b.policy("tested", gate={"antigen_at_gate": True}))
    plain = b.clear()
    verdict = b.clear(on=tested)
    assert plain.hand_over_from and verdict.hand_over_from
    assert verdict.hand_over_from - plain.hand_over_from == b.minutes(20)
    meal = b.delivery(gift=b.gift(b.item("hot_meal", dwell_limit_minutes=60)))
    assert b.clear(of=meal).decision is Decision.YES
    assert b.clear(of=meal, on=tested).reasons == (R.DWELL,)


def test_edge_case_24_a_pass_that_was_offline_is_as_old_as_what_it_shows_and_not_as_its_upload() -> None:
    need = {"kind": "health_code", "max_age_hours": 24, "age_from": "reported"}
    on = only(b.policy("green", requirements=[need]))
    screenshot = b.credential("health_code", sampled=-30, reported_at=b.NOON - b.hours(1))
    assert b.clear(on=on, with_fleet=by(screenshot)).reasons == (R.CREDENTIAL_EXPIRES,)
    seen = b.credential("health_code", sampled=-10, reported_at=b.NOON - b.hours(1))
    assert b.clear(on=on, with_fleet=by(seen)).decision is Decision.YES
    assert faults_of([screenshot, seen], b.NOON) == []
