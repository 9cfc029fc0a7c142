"""May this crew take this gift there? Every reason, the times, and that a restriction never permits more."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.atlas import Atlas
from chalicelib.domain.clearance import Clearer
from chalicelib.domain.curfews import Curfew
from chalicelib.domain.fleet import Fleet, Permit
from chalicelib.domain.gifts import ItemClass, TemperatureRange
from chalicelib.domain.policies import AgeFrom, Handover, Level, Policy
from chalicelib.domain.shapes import Window
from chalicelib.domain.verdicts import HOLDING, Decision, Phase, Reason, Verdict
from chalicelib.domain.zones import Zone
from tests import builders as b
from tests.domain.test_zones import CURFEWS, REQUIREMENTS, night, policies, square

R = Reason
HIGH = b.gift(b.item("high_value", value={"amount": 5_000_000, "currency": "CNY"}))
HOT = b.gift(b.item("hot_meal", dwell_limit_minutes=60, temperature={"min_c": 60, "max_c": 80}))
CONTACTLESS = b.silent("sealed", handovers=frozenset({Handover.GATE, Handover.SHELF}))
BANNED = b.silent("banned", handovers=frozenset())
SOFT = b.silent("soft", handovers=frozenset(Handover))
"""Everything to the door, and nothing asked."""
FAR_AWAY = b.window(-24, 96)


def at_home(policy: Policy, **changes: Any) -> Atlas:
    """The default rules, and this policy at the client's as well."""
    return b.atlas([b.zone(b.KITCHEN), b.zone(), b.zone(policy_id=policy.policy_id, **changes)], [policy])


def only(policy: Policy, **changes: Any) -> Atlas:
    """This policy alone, at both ends."""
    names = (b.KITCHEN, b.HOME)
    return b.atlas([b.zone(name, policy_id=policy.policy_id) for name in names], [policy], **changes)


def crewed(*credentials: Any, **changes: Any) -> Any:
    return b.fleet(crews=[b.crew(credentials=list(credentials), **changes)])


# --- yes ------------------------------------------------------------------------------------------------------


def test_the_plain_case_is_a_yes_with_hand_overs_stay_and_what_it_rests_on() -> None:
    verdict = b.clear()
    assert verdict.decision is Decision.YES and verdict.reasons == ()
    assert verdict.handovers == tuple(Handover)
    assert (verdict.start, verdict.end) == (b.NOON, b.NOON + b.hours(4.5))
    assert (verdict.hand_over_from, verdict.hand_over_by) == (b.NOON + b.hours(1), b.NOON + b.hours(4))
    assert verdict.valid_until == verdict.end
    assert len(verdict.zone_ids) == 2 and verdict.policies == ("precautionary@1",)
    assert verdict.permit_ids == ("permit-1",)
    assert verdict.credentials == ("pcr sampled 2022-04-10T08:00:00+00:00 until 2022-04-12T08:00:00+00:00",)


def test_a_yes_lapses_when_the_rules_it_rests_on_grow_stale() -> None:
    verdict = b.clear(on=b.atlas(stale_after_hours=3), phase=Phase.CARRIED)
    assert verdict.decision is Decision.YES
    assert verdict.valid_until == b.NOON + b.hours(2)


@pytest.mark.parametrize("phase", [Phase.OPEN, Phase.GIVEN])
def test_rules_that_grow_stale_before_the_stay_is_over_hold_the_gift(phase: Phase) -> None:
    lasting, stale = b.atlas(stale_after_hours=5.5), b.atlas(stale_after_hours=5.49)  # out at half past four
    assert b.clear(on=lasting, phase=phase).decision is Decision.YES
    assert b.clear(on=stale, phase=phase).reasons == (R.RULES_STALE,)
    tomorrow = {"of": b.delivery(window=b.window(25, 28)), "by": b.slot(window=b.window(24, 29))}
    fresh = crewed(b.credential(sampled=-4, reported_at=b.NOON))
    assert b.clear(**tomorrow, with_fleet=fresh, on=b.atlas(stale_after_hours=24)).reasons == (R.RULES_STALE,)
    assert b.clear(**tomorrow, with_fleet=fresh, phase=phase).decision is Decision.YES


def test_what_is_on_its_way_is_judged_by_the_rules_of_now() -> None:
    assert b.clear(on=b.atlas(stale_after_hours=1.1), phase=Phase.CARRIED).decision is Decision.YES
    assert b.clear(on=b.atlas(stale_after_hours=1), phase=Phase.CARRIED).reasons == (R.RULES_STALE,)


# --- every reason ---------------------------------------------------------------------------------------------

UNREAD = {
    R.RULES_MISSING: "flows: there is no atlas to ask",
    R.SLOT_FULL: "flows: counted in the table",
    R.NO_ROOM: "flows: counted in the table",
    R.QUOTA_FULL: "flows: counted in the table",
    R.OUTRANKED: "flows: the plan says so",
    R.NO_SLOTS: "flows: nobody was asked",
    R.COMPANIONS_MISSING: "flows: of several gifts",
    R.CLOSURE_SUSPECTED: "flows: couriers said so",
    R.GIFT_ELSEWHERE: "flows: of the chain of custody",
    R.HELD_BY_HAND: "flows: a dispatcher stopped it",
}
"""Reasons that are not for `Clearer` to find."""


def used(permit: Permit) -> Fleet:
    """The fleet when somebody has gone under that permit."""
    return b.fleet(permits=[permit]).model_copy(update={"uses_left": {permit.permit_id: 0}})


CASES: dict[Reason, dict[str, Any]] = {
    R.RULES_STALE: {"on": b.atlas(published_at=b.NOON - b.hours(36))},
    R.ZONE_UNKNOWN: {"of": b.delivery(drop_off=b.place("无名新村"))},
    R.ADDRESS_DOUBTFUL: {"of": b.delivery(drop_off=b.place(match_quality="centroid"))},
    R.ADDRESS_DISAGREES: {
        "on": b.atlas(
            [
                b.zone(b.KITCHEN),
                b.zone(),
                b.zone(None, polygons=((b.HUANGPU_RING,),)),
            ]
        ),
        "of": b.delivery(drop_off=b.place(lng=121.53)),
    },
    R.NO_HANDOVER: {"on": at_home(BANNED)},
    R.ORIGIN_CLOSED: {"on": b.atlas([b.zone(b.KITCHEN, level=Level.SEALED), b.zone()])},
    R.CROSSING_CLOSED: {
        "on": b.atlas(
            [b.zone(b.KITCHEN, district=b.PUDONG), b.zone(), b.crossing("banned")],
            [BANNED],
        ),
        "of": b.delivery(pick_up=b.place(b.KITCHEN, district=b.PUDONG)),
        "with_fleet": b.fleet(permits=[b.permit(districts="all")]),
    },
    R.ITEM_NOT_ALLOWED: {"on": at_home(b.silent("no-cake", items_denied=frozenset({ItemClass.CHILLED})))},
    R.CURFEW: {"on": at_home(b.silent("curfew", curfews=(night("12:00", "17:00"),)))},
    R.WINDOW: {"of": b.delivery(window=b.window(6, 8))},
    R.COURIER_DOWN: {"down": ["sf"]},
    R.COURIER_SUSPENDED: {"with_fleet": b.fleet(couriers=[b.courier(suspended=True)])},
    R.COURIER_REFUSED: {"refused": ["slot-1"]},
    R.CREW_WITHDRAWN: {"with_fleet": b.fleet(crews=[b.crew(withdrawn=True)])},
    R.CREW_HOME_SEALED: {
        "with_fleet": b.fleet(crews=[b.crew(home=b.address("骑手公寓"))]),
        "on": b.atlas([b.zone(b.KITCHEN), b.zone(), b.zone("骑手公寓", level=Level.SEALED)]),
    },
    R.CREW_HOME_UNKNOWN: {"with_fleet": b.fleet(crews=[b.crew(home=b.address("无名"))])},
    R.CREDENTIAL_MISSING: {"with_fleet": crewed()},
    R.CREDENTIAL_EXPIRES: {"with_fleet": crewed(b.credential(sampled=-44))},
    R.CREDENTIAL_POSITIVE: {"with_fleet": crewed(b.credential(), b.credential("antigen", "positive", -5))},
    R.PERMIT_MISSING: {"with_fleet": b.fleet(permits=[b.permit(plate="沪A00000")])},
    R.PERMIT_SCOPE: {"with_fleet": b.fleet(permits=[b.permit(districts=[b.XUHUI])])},
    R.PERMIT_TIME: {"with_fleet": b.fleet(permits=[b.permit(valid=b.window(-24, 4.25))])},
    R.PERMIT_USED: {"with_fleet": used(b.permit(single_use=True))},
    R.PERMIT_REVOKED: {"with_fleet": b.fleet(permits=[b.permit(revoked_at=b.NOON)])},
    R.PERMIT_VEHICLE: {"with_fleet": b.fleet(permits=[b.permit(crew_id="crew-2")])},
    R.PERMIT_USED: {
        "with_fleet": b.fleet(permits=[b.permit(single_use=True)]).model_copy(
            update={"uses_left": {"permit-1": 0}}
        )
    },
    R.COMPANY_UNLISTED: {"on": at_home(b.silent("listed", companies=frozenset({"white-list"})))},
    R.PERSON_UNLISTED: {"on": at_home(b.silent("listed", persons=frozenset({"riders"})))},
    R.TEMPERATURE: {
        "of": b.delivery(gift=b.gift(b.item("frozen", temperature={"min_c": -25, "max_c": -18})))
    },
    R.DWELL: {
        "of": b.delivery(gift=HOT),
        "on": at_home(b.silent("rest", gate={"rest_minutes": 30})),
        "by": b.slot(trip_minutes=45),
    },
    R.SIGNATURE_CONFLICT: {"of": b.delivery(gift=HIGH), "on": at_home(CONTACTLESS)},
    R.PROOF_MISSING: {"of": b.delivery(gift=HIGH), "with_fleet": b.fleet(couriers=[b.courier(proofs=[])])},
    R.VALUE_UNINSURED: {
        "of": b.delivery(gift=HIGH),
        "with_fleet": b.fleet(couriers=[b.courier(insured_limit={"amount": 4_999_999, "currency": "CNY"})]),
    },
    R.VEHICLE_SHARED: {
        "of": b.delivery(gift=HIGH, safeguard={}),
        "with_fleet": b.fleet(couriers=[b.courier(proofs=["identity"])]).model_copy(
            update={"left": {"slot-1": 2}}
        ),
    },
    R.NOT_CARRIED: {"by": b.slot(item_classes=["document"])},
    R.CONSENT_MISSING: {
        "of": b.delivery(stays_in="CN"),
        "with_fleet": b.fleet(couriers=[b.courier(data_region="SG")]),
    },
}


@pytest.mark.parametrize("reason", CASES)
def test_each_reason_stands_alone_and_decides(reason: Reason) -> None:
    verdict = b.clear(**CASES[reason])
    assert verdict.reasons == (reason,)
    assert verdict.decision is (Decision.HOLD if reason in HOLDING else Decision.NO)
    assert verdict.handovers == ()


@pytest.mark.parametrize(
    ("stays_in", "region", "may"),
    [
        (None, "SG", True),
        ("CN", None, True),  # it keeps them where the client is
        ("CN", "CN", True),
        ("FR", "DE", True),
        ("FR", "US", False),
        ("IT", None, False),  # a client under Italian law, given to in China
    ],
)
def test_who_keeps_its_data_abroad_is_told_of_a_client_that_agreed_or_whose_law_allows_it(
    stays_in: str | None, region: str | None, may: bool
) -> None:
    couriers = b.fleet(couriers=[b.courier(data_region=region)])
    delivery = b.delivery(stays_in=stays_in)
    assert (b.clear(of=delivery, with_fleet=couriers).decision is Decision.YES) is may
    # whoever has the gift has been told long ago: to turn it round would make that no better
    carried = b.clear(of=delivery, with_fleet=couriers, phase=Phase.CARRIED)
    assert carried.decision is Decision.YES


def test_no_reason_is_without_its_case() -> None:
    assert set(CASES) | set(UNREAD) == set(Reason)
    assert not set(CASES) & set(UNREAD)


def test_two_reasons_are_both_told_and_doubt_about_the_place_outweighs_a_no() -> None:
    verdict = b.clear(on=at_home(BANNED), by=b.slot(item_classes=["document"]))
    assert set(verdict.reasons) == {R.NO_HANDOVER, R.NOT_CARRIED} and verdict.decision is Decision.NO
    doubtful = b.delivery(drop_off=b.place(match_quality="none"))
    verdict = b.clear(of=doubtful, on=at_home(BANNED))
    assert set(verdict.reasons) == {R.ADDRESS_DOUBTFUL, R.NO_HANDOVER} and verdict.decision is Decision.HOLD


# --- places ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["drop_off", "pick_up"])
@pytest.mark.parametrize("quality", ["centroid", "none"])
def test_a_place_found_only_roughly_holds_at_either_end(end: str, quality: str) -> None:
    compound = b.HOME if end == "drop_off" else b.KITCHEN
    verdict = b.clear(of=b.delivery(**{end: b.place(compound, match_quality=quality)}))
    assert verdict.reasons == (R.ADDRESS_DOUBTFUL,)


def test_a_shop_nobody_has_ruled_on_is_not_known_to_be_open() -> None:
    assert b.clear(of=b.delivery(pick_up=b.place("无名"))).reasons == (R.ZONE_UNKNOWN,)


def test_a_client_without_a_compound_may_live_in_any_that_is_listed_by_name() -> None:
    district = b.zone(None, policy_id="soft")
    street = b.delivery(drop_off=b.place(None))
    assert b.clear(of=street, on=b.atlas([b.zone(b.KITCHEN), district], [SOFT])).reasons == (
        R.ADDRESS_DOUBTFUL,
    )
    drawn = b.zone(b.KITCHEN, polygons=square(121.47, 31.2, 0.001))
    assert (
        b.clear(of=street, on=b.atlas([drawn, district], [SOFT])).decision is Decision.YES
    )  # the point decides
    at_kitchen = b.delivery(drop_off=b.place(None), pick_up=b.place(None))
    assert b.clear(of=at_kitchen, on=b.atlas([district], [SOFT])).decision is Decision.YES
    elsewhere = b.zone("别处", district=b.XUHUI)
    assert b.clear(of=at_kitchen, on=b.atlas([district, elsewhere], [SOFT])).decision is Decision.YES


def test_a_shop_without_a_compound_may_be_in_any_that_is_listed_until_the_gift_has_left_it() -> None:
    of = b.delivery(pick_up=b.place(None))
    on = b.atlas([b.zone(), b.zone(None, policy_id="soft")], [SOFT])
    for phase in (Phase.OPEN, Phase.GIVEN):
        assert b.clear(of=of, on=on, phase=phase).reasons == (R.ADDRESS_DOUBTFUL,)
    assert b.clear(of=of, on=on, phase=Phase.CARRIED).decision is Decision.YES


def test_a_point_well_inside_another_district_disagrees_even_when_its_own_is_not_drawn() -> None:
    other = b.zone(None, district=b.XUHUI, policy_id="soft", polygons=((b.HUANGPU_RING,),))
    on = b.atlas([b.zone(b.KITCHEN, policy_id="soft"), b.zone(policy_id="soft"), other], [SOFT])
    assert b.clear(on=on).reasons == (R.ADDRESS_DISAGREES,)
    at_the_border = b.place(lng=121.461)
    assert (
        b.clear(on=on, of=b.delivery(drop_off=at_the_border, pick_up=at_the_border)).decision is Decision.YES
    )


def test_an_origin_bears_on_what_may_leave_it() -> None:
    essential = b.policy("essential", essential_only=True)
    on = b.atlas([b.zone(b.KITCHEN, policy_id="essential"), b.zone()], [essential])
    assert b.clear(on=on).decision is Decision.YES
    assert b.clear(on=on, of=b.delivery(gift=b.gift(b.item("fashion")))).reasons == (R.ITEM_NOT_ALLOWED,)


def test_one_thing_that_is_not_allowed_refuses_the_whole_box() -> None:
    on = at_home(b.silent("essential", essential_only=True))
    box = b.gift(b.item("ambient_food"), b.item("alcohol"))
    assert b.clear(on=on, of=b.delivery(gift=box)).reasons == (R.ITEM_NOT_ALLOWED,)


def test_a_zone_that_begins_or_ends_within_the_stay_counts_for_all_of_it() -> None:
    stay_ends = b.NOON + b.hours(4.5)
    for change, yes in (
        ({"valid_from": stay_ends - timedelta(microseconds=1)}, False),
        ({"valid_from": stay_ends}, True),
        ({"valid_to": b.NOON + timedelta(microseconds=1)}, False),
        ({"valid_to": b.NOON}, True),
        ({"expected_end": b.NOON}, False),
        ({"known_since": b.NOON + b.hours(1)}, True),
    ):
        assert (b.clear(on=at_home(BANNED, **change)).decision is Decision.YES) is yes, change


# --- crews ----------------------------------------------------------------------------------------------------


def reasons_with(*credentials: Any, age_from: AgeFrom | None = None, **changes: Any) -> tuple[Reason, ...]:
    on = None
    if age_from:
        need = {"kind": "pcr", "max_age_hours": 48, "age_from": age_from}
        on = only(b.policy("reported", requirements=[need]))
    return b.clear(with_fleet=crewed(*credentials), on=on, **changes).reasons


def test_a_test_of_48_hours_is_good_to_the_dot_and_no_longer() -> None:
    on_the_dot = -48 + 4.5
    assert reasons_with(b.credential(sampled=on_the_dot)) == ()
    assert reasons_with(b.credential(sampled=on_the_dot - 1 / 3600)) == (R.CREDENTIAL_EXPIRES,)


def test_a_test_that_ends_on_the_way_back_is_refused() -> None:
    assert reasons_with(b.credential(sampled=-48 + 4.25)) == (R.CREDENTIAL_EXPIRES,)


def test_the_age_counts_from_the_moment_the_policy_names() -> None:
    old = b.credential(sampled=-46)  # reported four hours later
    assert reasons_with(old) == (R.CREDENTIAL_EXPIRES,)
    assert reasons_with(old, age_from=AgeFrom.REPORTED) == ()


def test_a_pending_test_extends_nothing() -> None:
    assert reasons_with(b.credential(result="pending", sampled=-2)) == (R.CREDENTIAL_MISSING,)
    assert reasons_with(b.credential(sampled=-46), b.credential(result="pending", sampled=-2)) == (
        R.CREDENTIAL_EXPIRES,
    )


def test_what_will_be_reported_later_does_not_count_either_way() -> None:
    later = b.NOON + b.hours(1)
    assert reasons_with(b.credential(reported_at=later)) == (R.CREDENTIAL_MISSING,)
    bad = b.credential(result="positive", sampled=-1, reported_at=later)
    assert reasons_with(b.credential(), bad) == ()


def test_a_later_positive_overrides_and_only_a_later_negative_lifts_it() -> None:
    old, bad = b.credential(), b.credential(result="positive", sampled=-10)
    assert reasons_with(old, bad) == (R.CREDENTIAL_POSITIVE,)
    assert reasons_with(bad, b.credential(sampled=-8)) == ()
    assert reasons_with(bad, b.credential(sampled=-10)) == (R.CREDENTIAL_POSITIVE,)


def test_an_antigen_test_does_not_lift_a_positive_pcr_but_a_pcr_lifts_an_antigen_test() -> None:
    pcr = b.credential(result="positive", sampled=-10)
    assert R.CREDENTIAL_POSITIVE in reasons_with(b.credential(), pcr, b.credential("antigen", sampled=-6))
    antigen = b.credential("antigen", "positive", sampled=-10)
    assert reasons_with(antigen, b.credential(sampled=-6)) == ()
    red = b.credential("health_code", "positive", sampled=-10)
    assert R.CREDENTIAL_POSITIVE in reasons_with(red, b.credential(sampled=-6))


def test_a_negative_from_before_a_positive_is_worth_nothing_once_that_is_lifted() -> None:
    bad, lifted = b.credential("antigen", "positive", -10), b.credential("antigen", sampled=-6)
    assert reasons_with(b.credential(), bad, lifted) == (R.CREDENTIAL_MISSING,)


def test_the_stricter_of_two_ends_rules() -> None:
    strict = b.policy("strict", requirements=[{"kind": "pcr", "max_age_hours": 24}])
    for ends in ((b.KITCHEN, b.HOME), (b.HOME, b.KITCHEN)):
        on = b.atlas([b.zone(ends[0]), b.zone(ends[1], policy_id="strict")], [strict])
        assert b.clear(on=on).reasons == (R.CREDENTIAL_EXPIRES,)


def test_a_permit_covers_the_way_back_both_districts_and_this_plate() -> None:
    def reasons(*permits: Any, **changes: Any) -> tuple[Reason, ...]:
        return b.clear(with_fleet=b.fleet(permits=permits), **changes).reasons

    assert reasons(b.permit(valid=b.window(0, 4.5))) == ()
    assert reasons(b.permit(valid=b.window(0, 4.49))) == (R.PERMIT_TIME,)
    assert reasons(b.permit(valid=b.window(0.01, 48))) == (R.PERMIT_TIME,)
    assert reasons(b.permit(districts=["黄浦区"])) == (R.PERMIT_SCOPE,)  # a code is not a name
    assert reasons(b.permit(districts="all")) == ()
    far = b.delivery(pick_up=b.place(b.KITCHEN, district=b.XUHUI))
    on = b.atlas([b.zone(b.KITCHEN, district=b.XUHUI), b.zone()])
    assert reasons(b.permit(), of=far, on=on) == (R.PERMIT_SCOPE,)
    assert reasons(b.permit(districts=[b.HUANGPU, b.XUHUI]), of=far, on=on) == ()
    assert reasons(b.permit("a", districts=[b.XUHUI]), b.permit("b")) == ()


def test_a_permit_that_is_to_be_revoked_within_the_stay_does_not_cover_it() -> None:
    def reasons(at: float) -> tuple[Reason, ...]:
        return b.clear(with_fleet=b.fleet(permits=[b.permit(revoked_at=b.NOON + b.hours(at))])).reasons

    assert reasons(4.4) == (R.PERMIT_REVOKED,)
    assert reasons(4.5) == ()


def test_a_slot_with_a_crew_of_another_courier_or_with_none_goes_nowhere() -> None:
    assert b.clear(with_fleet=b.fleet(crews=[b.crew(courier_id="jd")])).reasons == (R.CREW_WITHDRAWN,)
    assert b.clear(with_fleet=b.fleet(crews=[])).reasons == (R.CREW_WITHDRAWN,)
    assert b.clear(with_fleet=b.fleet(couriers=[])).reasons == (R.COURIER_SUSPENDED,)


def test_a_courier_that_refused_as_a_whole_is_not_asked_under_any_slot() -> None:
    assert b.clear(refused=["sf"]).reasons == (R.COURIER_REFUSED,)
    assert b.clear(refused=["slot-2", "jd"]).decision is Decision.YES


def test_a_home_that_is_sealed_while_the_crew_is_away_keeps_it_at_home() -> None:
    with_fleet = b.fleet(crews=[b.crew(home=b.address("骑手公寓"))])
    sealed = b.zone("骑手公寓", level=Level.SEALED, valid_from=b.NOON + b.hours(4.25))
    on = b.atlas([b.zone(b.KITCHEN), b.zone(), sealed])
    assert b.clear(with_fleet=with_fleet, on=on).reasons == (R.CREW_HOME_SEALED,)


def test_a_home_that_nobody_has_ruled_on_is_not_known_to_be_open() -> None:
    def reasons(home: Any, *zones: Zone, phase: Phase = Phase.OPEN) -> tuple[Reason, ...]:
        on = b.atlas([b.zone(b.KITCHEN), b.zone(), *zones], [SOFT, b.silent("city")])
        return b.clear(with_fleet=b.fleet(crews=[b.crew(home=home)]), on=on, phase=phase).reasons

    listed, unlisted, street = b.address("骑手公寓"), b.address("无名"), b.address(None)
    far = b.address("无名", district=b.XUHUI)
    assert reasons(None) == ()  # sleeps in a closed loop
    assert reasons(listed, b.zone("骑手公寓")) == ()
    assert reasons(unlisted) == (R.CREW_HOME_UNKNOWN,)
    assert reasons(unlisted, b.zone(None, "city")) == (R.CREW_HOME_UNKNOWN,)  # speaks of tests, not of homes
    assert reasons(far, b.zone(None, "soft", district=b.XUHUI)) == ()
    assert reasons(street, b.zone(None, "soft")) == (R.CREW_HOME_UNKNOWN,)  # it may be in any of the two
    known_later = b.zone("骑手公寓", known_since=b.NOON + b.minutes(1))
    assert reasons(listed, known_later) == (R.CREW_HOME_UNKNOWN,)
    assert reasons(unlisted, phase=Phase.CARRIED) == ()  # out already: no reason to turn round
    sealed = b.zone("骑手公寓", level=Level.SEALED)
    assert reasons(listed, sealed, phase=Phase.CARRIED) == (R.CREW_HOME_SEALED,)


# --- gifts ----------------------------------------------------------------------------------------------------


def test_what_is_of_high_value_goes_to_the_door_or_not_at_all() -> None:
    assert b.clear(of=b.delivery(gift=HIGH)).handovers == (Handover.DOOR,)
    for allowed in (Handover.LOBBY, Handover.GATE, Handover.SHELF, Handover.COLLECTION_POINT):
        on = at_home(b.silent("one", handovers=frozenset({allowed})))
        assert b.clear(of=b.delivery(gift=HIGH), on=on).reasons == (R.SIGNATURE_CONFLICT,)


def test_hand_overs_are_told_nearest_to_the_client_first() -> None:
    two = b.silent("two", handovers=frozenset({Handover.COLLECTION_POINT, Handover.LOBBY}))
    assert b.clear(on=at_home(two)).handovers == (Handover.LOBBY, Handover.COLLECTION_POINT)


def test_insurance_in_another_currency_insures_nothing() -> None:
    for limit in ({"amount": 10**9, "currency": "EUR"}, None):
        with_fleet = b.fleet(couriers=[b.courier(insured_limit=limit)])
        assert b.clear(of=b.delivery(gift=HIGH), with_fleet=with_fleet).reasons == (R.VALUE_UNINSURED,)


def test_a_hot_meal_has_no_time_to_rest_at_the_gate() -> None:
    def reasons(rest: int, trip: int) -> tuple[Reason, ...]:
        on = at_home(b.silent("rest", gate={"rest_minutes": rest}))
        return b.clear(of=b.delivery(gift=HOT), on=on, by=b.slot(trip_minutes=trip)).reasons

    assert reasons(30, 31) == (R.DWELL,)
    assert reasons(30, 30) == ()
    assert reasons(0, 60) == ()


def test_a_test_at_the_gate_takes_twenty_minutes_of_the_trip_and_of_the_meal() -> None:
    tested = at_home(b.silent("tested", gate={"antigen_at_gate": True}))
    verdict = b.clear(on=tested, by=b.slot(trip_minutes=60))
    assert verdict.decision is Decision.YES
    assert (verdict.start, verdict.hand_over_from) == (b.NOON, b.NOON + b.minutes(80))
    meal = b.delivery(gift=HOT)
    assert b.clear(of=meal, on=tested, by=b.slot(trip_minutes=40)).decision is Decision.YES
    assert b.clear(of=meal, on=tested, by=b.slot(trip_minutes=41)).reasons == (R.DWELL,)
    late = b.NOON + b.hours(4) - b.minutes(100)
    assert b.clear(on=tested, now=late).decision is Decision.YES
    assert b.clear(on=tested, now=late + b.minutes(1)).reasons == (R.WINDOW,)
    assert b.clear(on=tested, now=late + b.minutes(1), phase=Phase.GIVEN).decision is Decision.YES


def test_each_thing_needs_a_compartment_that_stays_within_its_range() -> None:
    def reasons(**temperature: float) -> tuple[Reason, ...]:
        return b.clear(of=b.delivery(gift=b.gift(b.item(temperature=temperature)))).reasons

    assert reasons(min_c=0, max_c=6) == ()
    assert reasons(min_c=2, max_c=6) == (R.TEMPERATURE,)
    assert TemperatureRange(min_c=1, max_c=6).holds(TemperatureRange(min_c=1, max_c=6))


# --- times ----------------------------------------------------------------------------------------------------


def test_a_trip_that_cannot_end_within_the_window_is_not_begun() -> None:
    late = b.NOON + b.hours(4) - b.minutes(79)
    assert b.clear(now=late).reasons == (R.WINDOW,)
    assert b.clear(now=late - b.minutes(1)).decision is Decision.YES
    assert b.clear(now=late, phase=Phase.GIVEN).decision is Decision.YES


def test_less_than_the_time_of_a_hand_over_is_no_window() -> None:
    assert b.clear(of=b.delivery(window=b.window(1, 1 + 19 / 60))).reasons == (R.WINDOW,)
    assert b.clear(of=b.delivery(window=b.window(1, 1 + 20 / 60))).decision is Decision.YES
    assert b.clear(now=b.NOON + b.hours(5)).reasons == (R.WINDOW,)


def test_the_hours_are_trimmed_so_that_the_crew_is_out_before_the_curfew() -> None:
    on = only(b.policy("curfew", curfews=[night("15:30", "23:00").model_dump()]))
    verdict = b.clear(on=on)
    assert verdict.decision is Decision.YES
    assert (verdict.hand_over_by, verdict.end) == (b.NOON + b.hours(3), b.NOON + b.hours(3.5))


def test_the_longest_stretch_between_curfews_is_taken_and_a_short_one_is_none() -> None:
    noon = night("14:00", "14:30")
    verdict = b.clear(on=at_home(b.silent("noon", curfews=(noon,))))
    assert (verdict.hand_over_from, verdict.hand_over_by) == (b.NOON + b.hours(2.5), b.NOON + b.hours(4))
    two = (night("13:19", "15:30"), night("16:00", "22:00"))
    assert (
        b.clear(on=at_home(b.silent("two", curfews=two)), by=b.slot(return_minutes=0)).decision
        is Decision.YES
    )
    two = (night("13:19", "15:41"), night("16:00", "22:00"))
    on = at_home(b.silent("two", curfews=two))
    assert b.clear(on=on, by=b.slot(return_minutes=0)).reasons == (R.CURFEW,)


def test_what_a_shop_may_not_give_out_may_still_be_delivered_there() -> None:
    red = b.policy("red", hand_out_denied=["fashion", "high_value"])
    scarf = b.delivery(gift=b.gift(b.item("fashion")))
    at_the_shop = b.atlas([b.zone(b.KITCHEN, policy_id="red"), b.zone()], [red])
    at_the_client = b.atlas([b.zone(b.KITCHEN), b.zone(policy_id="red")], [red])
    for phase in (Phase.OPEN, Phase.GIVEN):
        assert b.clear(of=scarf, on=at_the_shop, phase=phase).reasons == (R.ORIGIN_CLOSED,)
    assert b.clear(of=scarf, on=at_the_shop, phase=Phase.CARRIED).decision is Decision.YES
    assert b.clear(of=scarf, on=at_the_client).decision is Decision.YES
    assert b.clear(on=at_the_shop).decision is Decision.YES, "cake is not kept in"
    box = b.delivery(gift=b.gift(b.item(), b.item("fashion")))
    assert b.clear(of=box, on=at_the_shop).reasons == (R.ORIGIN_CLOSED,)


def test_a_gift_is_fetched_only_once_the_curfew_of_its_origin_is_over() -> None:
    on = b.atlas(
        [b.zone(b.KITCHEN, policy_id="night"), b.zone()],
        [b.policy("night", curfews=[night("22:00", "14:00")])],
    )
    verdict = b.clear(on=on)
    assert verdict.decision is Decision.YES
    assert (verdict.start, verdict.hand_over_from) == (b.NOON + b.hours(2), b.NOON + b.hours(3))
    all_day = b.policy("night", curfews=[night("00:00", "00:00")])
    on = b.atlas([b.zone(b.KITCHEN, policy_id="night"), b.zone()], [all_day])
    assert b.clear(on=on).reasons == (R.CURFEW,)


def test_a_curfew_for_meals_does_not_stop_flowers_nor_the_other_way() -> None:
    """Paris, November 2020: meals may not be handed over for delivery from 22 to 6."""
    meals = Curfew(**{**dict(night("12:00", "20:00")), "item_classes": frozenset({ItemClass.HOT_MEAL})})
    on = at_home(b.silent("meals", curfews=(meals,)))
    assert b.clear(on=on, of=b.delivery(gift=b.gift(b.item("flowers")))).decision is Decision.YES
    assert b.clear(on=on, of=b.delivery(gift=b.gift(b.item("hot_meal")))).reasons == (R.CURFEW,)


def test_a_gift_on_its_way_is_not_judged_by_where_it_came_from() -> None:
    closed = b.zone(b.KITCHEN, policy_id="banned", level=Level.SEALED)
    on = b.atlas([b.zone(b.KITCHEN), closed, b.zone()], [BANNED])
    assert b.clear(on=on, phase=Phase.GIVEN).reasons == (R.ORIGIN_CLOSED,)
    verdict = b.clear(on=on, phase=Phase.CARRIED)
    assert verdict.decision is Decision.YES and len(verdict.zone_ids) == 1
    minute_left = b.NOON + b.hours(4) - b.minutes(1)
    assert b.clear(now=minute_left, phase=Phase.CARRIED).decision is Decision.YES
    assert b.clear(on=at_home(BANNED), phase=Phase.CARRIED).reasons == (R.NO_HANDOVER,)


def test_the_stay_that_is_asked_about_is_the_one_before_curfews_shorten_it() -> None:
    """Else a curfew more would turn a no into a yes."""
    early = b.fleet(permits=[b.permit(valid=b.window(-24, 4))])
    curfew = only(b.policy("curfew", curfews=[night("15:00", "23:00").model_dump()]))
    assert b.clear(with_fleet=early).reasons == (R.PERMIT_TIME,)
    assert b.clear(with_fleet=early, on=curfew).reasons == (R.PERMIT_TIME,)
    old = crewed(b.credential(sampled=-48 + 4))
    assert b.clear(with_fleet=old, on=only(b.policy("x"))).reasons == (R.CREDENTIAL_EXPIRES,)
    assert b.clear(with_fleet=old, on=curfew).reasons == (R.CREDENTIAL_EXPIRES,)


# --- moments --------------------------------------------------------------------------------------------------


def done(at: float, phase: Phase, **changes: Any) -> Verdict:
    """What was done so many hours after noon: a pick-up with the rest of the stay before it, or a hand-over."""
    moment = b.NOON + b.hours(at)
    length = timedelta(microseconds=1) if phase is Phase.CARRIED else b.hours(4)
    stay = Window(start=moment, end=moment + length, time_zone="Asia/Shanghai")
    on = changes.pop("on", None) or b.atlas()
    with_fleet = changes.pop("with_fleet", None) or b.fleet()
    of = changes.pop("of", b.delivery()).model_copy(update={"window": stay})
    by = b.slot(window=stay)
    return Clearer(on, with_fleet, moment).clear(of, by, phase=phase, moment=True)


@pytest.mark.parametrize(
    ("at", "reasons"), [(-0.01, ()), (0, (R.CURFEW,)), (0.67, (R.CURFEW,)), (1.99, (R.CURFEW,)), (2, ())]
)
def test_a_hand_over_within_a_curfew_is_not_excused_by_open_hours_later(
    at: float, reasons: tuple[Reason, ...]
) -> None:
    on = at_home(b.silent("noon", curfews=(night("12:00", "14:00"),)))
    assert done(at, Phase.CARRIED, on=on).reasons == reasons


def test_a_pick_up_within_the_curfew_of_the_shop_is_not_excused_by_later_hours() -> None:
    shop = b.zone(b.KITCHEN, policy_id="noon")
    noon = b.silent("noon", curfews=(night("12:00", "14:00"),))
    on = b.atlas([b.zone(b.KITCHEN), shop, b.zone()], [noon])
    assert [done(at, Phase.GIVEN, on=on).reasons for at in (-0.1, 0, 1.9, 2)] == [
        (),
        (R.CURFEW,),
        (R.CURFEW,),
        (),
    ]
    # the client's curfew bears on the hand-over, which is still to come
    assert done(0, Phase.GIVEN, on=at_home(noon)).decision is Decision.YES
    long = b.silent("long", curfews=(night("12:00", "18:00"),))
    assert done(0, Phase.GIVEN, on=at_home(long)).reasons == (R.CURFEW,)


def test_what_was_done_is_judged_by_the_zones_of_that_moment() -> None:
    for at, is_right in ((0.99, True), (1, False), (1.5, False), (2, True)):
        banned = {"valid_from": b.NOON + b.hours(1), "valid_to": b.NOON + b.hours(2)}
        on = at_home(BANNED, **banned)
        assert (done(at, Phase.CARRIED, on=on).decision is Decision.YES) is is_right, at
        closing = b.zone(b.KITCHEN, policy_id="banned", **banned)
        on = b.atlas([b.zone(b.KITCHEN), closing, b.zone()], [BANNED])
        assert (done(at, Phase.GIVEN, on=on).decision is Decision.YES) is is_right, at
    soon = at_home(BANNED, valid_from=b.NOON + b.hours(3))  # a pick-up looks ahead at the client's
    assert done(0, Phase.GIVEN, on=soon).reasons == (R.NO_HANDOVER,)


def test_permits_tests_and_the_home_of_a_crew_that_handed_over_last_for_the_way_back() -> None:
    half_past = b.NOON + b.minutes(30)
    cases = (
        (b.fleet(permits=[b.permit(valid=b.window(-24, 0.5))]), (R.PERMIT_TIME,)),
        (crewed(b.credential(sampled=-47.5)), (R.CREDENTIAL_EXPIRES,)),
        (b.fleet(crews=[b.crew(home=b.address("骑手公寓"))]), (R.CREW_HOME_SEALED,)),
    )
    sealed = b.zone("骑手公寓", level=Level.SEALED, valid_from=half_past)
    on = b.atlas([b.zone(b.KITCHEN), b.zone(), sealed, b.zone("骑手公寓", zone_id="before")])
    for with_fleet, reasons in cases:
        assert done(-0.01, Phase.CARRIED, with_fleet=with_fleet, on=on).reasons == ()
        assert done(0.01, Phase.CARRIED, with_fleet=with_fleet, on=on).reasons == reasons


# --- properties -----------------------------------------------------------------------------------------------

FLEET = crewed(
    b.credential(sampled=-4, reported_at=b.NOON),
    b.credential("antigen", sampled=-20),
    b.credential("health_code", sampled=-44),
)
LESS = {Decision.YES: 1, Decision.HOLD: 0, Decision.NO: 0}


def zones_of(name: str) -> st.SearchStrategy[Zone]:
    def moment(low: int, high: int) -> st.SearchStrategy[datetime]:
        return st.integers(low, high).map(lambda n: b.NOON + b.minutes(n * 15))

    return st.builds(
        b.zone,
        st.sampled_from([b.HOME, b.KITCHEN]),
        st.just(name),
        zone_id=st.just(name),
        level=st.sampled_from(Level),
        valid_from=moment(-40, 30),
        valid_to=st.none() | moment(31, 60),
        known_since=moment(-40, 2),
    )


RESTRICTIONS = st.builds(
    Policy,
    policy_id=st.just("more"),
    version=st.just(1),
    title=st.just("more"),
    handovers=st.none() | st.frozensets(st.sampled_from(Handover), min_size=3),
    items_denied=st.frozensets(st.sampled_from([ItemClass.ALCOHOL, ItemClass.CHILLED])),
    curfews=st.lists(CURFEWS, max_size=2).map(tuple),
    requirements=st.lists(REQUIREMENTS, max_size=2).map(tuple),
    permit_needed=st.booleans(),
)


@settings(max_examples=300)
@given(
    base=st.builds(
        lambda curfews, needs: b.policy(curfews=curfews, requirements=needs, handovers=list(Handover)),
        st.lists(CURFEWS, max_size=1),
        st.lists(REQUIREMENTS, max_size=1),
    ),
    more=RESTRICTIONS | policies("more"),
    zone=zones_of("more"),
    expires=st.integers(0, 30),
    begins=st.integers(0, 20),
    length=st.integers(2, 20),
    phase=st.sampled_from(Phase),
)
def test_adding_a_restriction_never_permits_more(
    base: Policy, more: Policy, zone: Zone, expires: int, begins: int, length: int, phase: Phase
) -> None:
    fleet = FLEET.model_copy(update={"permits": {"p": b.permit("p", valid=b.window(-24, expires / 4 + 0.1))}})
    of = b.delivery(window=b.window(begins / 4, (begins + length) / 4))
    plain = [b.zone(b.KITCHEN), b.zone()]

    def verdict(zones: list[Zone]) -> Verdict:
        return b.clear(on=b.atlas(zones, [base, more]), of=of, with_fleet=fleet, phase=phase)

    before, after = verdict(plain), verdict([*plain, zone])
    assert LESS[after.decision] <= LESS[before.decision]
    if after.decision is Decision.YES:  # and what it may do in its hours, it might do in them without
        assert after.hand_over_from and after.hand_over_by
        hours = Window(start=after.hand_over_from, end=after.hand_over_by)
        of = of.model_copy(update={"window": hours})
        assert set(after.handovers) <= set(verdict(plain).handovers)


@settings(max_examples=300)
@given(
    base=st.builds(
        lambda curfews, needs: b.policy(curfews=curfews, requirements=needs),
        st.lists(CURFEWS, max_size=2),
        st.lists(REQUIREMENTS, max_size=1),
    ),
    slot_start=st.integers(0, 8),
    stale=st.integers(2, 12),
    later=st.integers(0, 40),
    phase=st.sampled_from(Phase),
    sampled=st.integers(-48, -5),
)
def test_a_yes_stays_a_yes_until_it_lapses_or_the_stay_begins(
    base: Policy, slot_start: int, stale: int, later: int, phase: Phase, sampled: int
) -> None:
    on = only(base, stale_after_hours=stale)
    by = b.slot(window=b.window(slot_start / 2, 8))
    with_fleet = crewed(
        *(b.credential(kind, sampled=sampled) for kind in ("pcr", "antigen", "health_code", "closed_loop"))
    )
    first = b.clear(on=on, by=by, with_fleet=with_fleet, phase=phase)
    if first.decision is not Decision.YES:
        return
    assert first.start and first.end and first.valid_until and first.hand_over_from and first.hand_over_by
    assert first.start <= first.hand_over_from < first.hand_over_by < first.end
    assert first.valid_until <= first.end
    again = b.NOON + b.minutes(later * 15)
    if again <= first.start and again < first.valid_until:
        if phase is Phase.OPEN and again > by.window.start:
            return  # the trip has to begin anew, and may no longer fit in
        second = b.clear(on=on, by=by, with_fleet=with_fleet, phase=phase, now=again)
        assert second.decision is Decision.YES
        assert (second.hand_over_by, second.handovers) == (first.hand_over_by, first.handovers)


@given(st.integers(0, 16), st.integers(1, 24))
def test_a_yes_keeps_every_moment_of_the_stay_out_of_the_curfew(start: int, length: int) -> None:
    begins = b.NOON + b.minutes(15 * start)
    ends = begins + b.minutes(15 * length)
    local = [(moment + b.hours(8)).strftime("%H:%M") for moment in (begins, ends)]
    verdict = b.clear(on=at_home(b.silent("curfew", curfews=(night(*local),))))
    if verdict.decision is Decision.YES:
        assert verdict.hand_over_from and verdict.end
        assert verdict.end <= begins or verdict.hand_over_from >= ends


def test_deliveries_that_come_and_go_are_not_taken_for_one_another() -> None:
    """A Clearer remembers by identity: the memory has to keep what it remembers alive."""
    clearer = Clearer(b.atlas(), b.fleet(), b.NOON)
    for n in range(200):
        known = n % 2 == 0
        verdict = clearer.clear(b.delivery(drop_off=b.place(b.HOME if known else "无名")), b.slot())
        assert (verdict.decision is Decision.YES) is known


def test_windows_far_apart_do_not_overflow() -> None:
    assert b.clear(of=b.delivery(window=FAR_AWAY)).decision is Decision.YES


# --- what is counted ------------------------------------------------------------------------------------------


def test_a_verdict_names_the_quotas_of_the_clients_zones_and_who_sets_them() -> None:
    limited = b.silent("limited", quotas=[{"per": "household", "limit": 2}, {"per": "zone", "limit": 40}])
    verdict = b.clear(on=at_home(limited))
    assert verdict.decision is Decision.YES
    assert sorted((quoted.quota.per, quoted.quota.limit) for quoted in verdict.quotas) == [
        ("household", 2),
        ("zone", 40),
    ]
    assert {quoted.policy for quoted in verdict.quotas} == {"limited@1"}
    assert b.clear().quotas == ()


def test_a_permit_that_is_good_once_has_its_one_use_until_it_is_taken() -> None:
    once = b.permit(single_use=True)
    assert b.clear(with_fleet=b.fleet(permits=[once])).permit_ids == ("permit-1",)
    other = b.permit("permit-2", single_use=True)
    both = b.fleet(permits=[once, other])
    assert b.clear(with_fleet=both.model_copy(update={"uses_left": {"permit-1": 0}})).permit_ids == (
        "permit-2",
    )
    many = b.fleet(permits=[b.permit()]).model_copy(update={"uses_left": {"permit-1": 0}})
    assert b.clear(with_fleet=many).decision is Decision.YES, "of a permit for many uses nobody counts any"
