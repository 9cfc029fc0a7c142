"""Zones, policies and how they meet; curfews and their nights."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from chalicelib.domain.curfews import Curfew, Stop, curfew_spans, open_hours
from chalicelib.domain.gifts import ItemClass
from chalicelib.domain.places import covers
from chalicelib.domain.policies import (
    AgeFrom,
    CredentialKind,
    GateProtocol,
    Handover,
    Level,
    Policy,
    Quota,
    Requirement,
)
from chalicelib.domain.zones import Regime, Rules, Zone, meet
from tests import builders as b

CLASSES = st.frozensets(st.sampled_from(ItemClass))
CURFEWS = st.builds(
    Curfew,
    start_local=st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    end_local=st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    days=st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
    item_classes=st.none() | CLASSES,
    stops=st.frozensets(st.sampled_from(Stop), min_size=1),
    dates_from=st.none() | st.just(date(2022, 4, 11)),
    dates_until=st.none() | st.just(date(2022, 4, 12)),
)
TWO_TWO = Requirement.model_validate({"kind": "antigen", "max_age_hours": 24, "sequence": "2+2"})
REQUIREMENTS = st.just(TWO_TWO) | st.builds(
    Requirement,
    kind=st.sampled_from(CredentialKind),
    max_age_hours=st.sampled_from([6.0, 24.0, 48.0]),
    age_from=st.sampled_from(AgeFrom),
)


def policies(name: str) -> st.SearchStrategy[Policy]:
    return st.builds(
        Policy,
        policy_id=st.just(name),
        version=st.just(1),
        title=st.just(name),
        handovers=st.none() | st.frozensets(st.sampled_from(Handover)),
        items=st.none() | CLASSES,
        items_denied=CLASSES,
        hand_out_denied=CLASSES,
        essential_only=st.booleans(),
        curfews=st.lists(CURFEWS, max_size=2).map(tuple),
        requirements=st.lists(REQUIREMENTS, max_size=3).map(tuple),
        permit_needed=st.booleans(),
        companies=st.frozensets(st.sampled_from(["whitelist", "other-list"])),
        persons=st.frozensets(st.sampled_from(["riders", "other-list"])),
        quotas=st.lists(
            st.builds(Quota, per=st.sampled_from(["zone", "household", "courier"]), limit=st.integers(0, 3)),
            max_size=2,
        ).map(tuple),
        gate=st.builds(GateProtocol, rest_minutes=st.sampled_from([0, 30]), antigen_at_gate=st.booleans()),
    )


def regime(
    *zones: Any, at: datetime = b.NOON, known_at: datetime = b.NOON, of: Any = None, **rules: Any
) -> Regime:
    """At the client's, for an hour from `at`."""
    return b.atlas(zones, **rules).regime(of or b.address(), None, 0, at, at + b.hours(1), known_at)


@given(st.tuples(*(policies(f"p{n}") for n in range(4))), st.integers(0, 3))
def test_adding_a_zone_never_permits_more(given_policies: tuple[Policy, ...], few: int) -> None:
    known = {policy.reference: policy for policy in given_policies}
    zones = [b.zone(policy_id=policy.policy_id) for policy in given_policies]
    less, more = meet(zones[:few], known), meet(zones[: few + 1], known)
    if less.handovers is not None:
        assert more.handovers is not None and more.handovers <= less.handovers
    assert not [c for c in ItemClass if more.permits(c) and not less.permits(c)]
    assert less.hand_out_denied <= more.hand_out_denied
    assert set(less.curfews) <= set(more.curfews)
    ages = {(need.kind, need.age_from, need.sequence): need.max_age_hours for need in more.requirements}
    assert all(
        ages[need.kind, need.age_from, need.sequence] <= need.max_age_hours for need in less.requirements
    )
    for field in ("companies", "persons", "quotas", "asking"):
        assert set(getattr(less, field)) <= set(getattr(more, field))
    for field in ("permit_needed", "rest_minutes", "antigen_at_gate", "level"):
        assert getattr(more, field) >= getattr(less, field)


@given(st.tuples(*(policies(f"p{n}") for n in range(3))), st.permutations(range(3)))
def test_zones_meet_in_any_order(given_policies: tuple[Policy, ...], order: list[int]) -> None:
    known = {policy.reference: policy for policy in given_policies}
    zones = [b.zone(policy_id=policy.policy_id) for policy in given_policies]
    one, other = meet(zones, known), meet([zones[n] for n in order], known)
    assert set(one.curfews) == set(other.curfews)
    assert one.model_copy(update={"curfews": ()}) == other.model_copy(update={"curfews": ()})


def test_of_two_ages_for_one_test_the_younger_is_asked_and_different_tests_are_all_asked() -> None:
    def needing(name: str, *needs: tuple[str, float]) -> Policy:
        return b.silent(name, requirements=tuple({"kind": kind, "max_age_hours": age} for kind, age in needs))

    two = needing("day", ("pcr", 24)), needing("two-days", ("pcr", 48), ("antigen", 12))
    for order in (two, two[::-1]):
        met = meet([b.zone(policy_id=p.policy_id) for p in order], {p.reference: p for p in two})
        assert {(need.kind.value, need.max_age_hours) for need in met.requirements} == {
            ("pcr", 24),
            ("antigen", 12),
        }


def test_nobody_speaking_is_unknown_and_not_open() -> None:
    assert regime().handovers is None


def test_the_boundary_instant_belongs_to_the_new_state() -> None:
    end = b.NOON + b.hours(1)
    left = b.zone(valid_from=b.NOON - b.hours(9), valid_to=b.NOON)
    assert regime(left).zone_ids == ()
    assert regime(left, at=b.NOON - timedelta(microseconds=1)).zone_ids != ()
    coming = b.zone(valid_from=end)
    assert regime(coming).zone_ids == ()
    assert regime(coming).next_change == end
    assert regime(coming, at=b.NOON + timedelta(microseconds=1)).zone_ids != ()


def test_back_to_back_zones_leave_no_gap_and_do_not_overlap_at_the_instant() -> None:
    first = b.zone(zone_id="first", valid_to=b.NOON)
    second = b.zone(zone_id="second", valid_from=b.NOON)
    assert regime(first, second).zone_ids == ("second",)
    assert regime(first, second, at=b.NOON - b.hours(1)).zone_ids == ("first",)
    assert regime(first, second, at=b.NOON - b.hours(0.5)).zone_ids == ("first", "second")


def test_an_announced_end_releases_nothing_a_release_does() -> None:
    """Pudong, 1 April 2022, 05:00."""
    announced = b.zone(expected_end=b.NOON - b.hours(1))
    assert regime(announced).zone_ids == (announced.zone_id,)
    assert regime(b.zone(expected_end=b.NOON + b.hours(9), valid_to=b.NOON)).zone_ids == ()


def test_the_past_does_not_know_what_was_published_later() -> None:
    late = b.zone(valid_from=b.NOON - b.hours(24), known_since=b.NOON + b.hours(5))
    assert regime(late).zone_ids == ()
    coming = b.zone(valid_from=b.NOON + b.hours(9), known_since=b.NOON + b.hours(5))
    assert regime(coming).next_change is None
    assert regime(late, known_at=b.NOON + b.hours(5)).zone_ids == (late.zone_id,)


SEALED = b.silent("sealed", handovers=frozenset({Handover.GATE}))
BANNED = b.silent("banned", handovers=frozenset())


def test_an_unstated_building_is_taken_for_the_strictest_in_its_compound() -> None:
    zones = (b.zone(), b.zone(building="3号楼", policy_id="sealed"), b.zone(building="8", policy_id="banned"))

    def handovers(building: str | None) -> Any:
        return regime(*zones, policies=(SEALED, BANNED), of=b.address(building=building)).handovers

    assert handovers("5") == frozenset(Handover)
    assert handovers("3") == {Handover.GATE}
    assert handovers("8号") == frozenset()
    assert handovers(None) == frozenset()


@pytest.mark.parametrize(
    ("building", "is_sealed"),
    [
        ("3号楼2单元", True), ("3号3单元", True), ("3-1", True), ("三号楼", True), ("03", True), ("Building 3", True),
        ("东楼", True), ("2-4号楼", True),  # neither says that it is another one
        ("5号楼", False), ("13", False), ("三十号", False), ("B座", False), ("Building 5, Unit 3", False),
    ],
)  # fmt: skip
def test_a_sealed_building_is_met_by_every_spelling_that_may_mean_it(building: str, is_sealed: bool) -> None:
    zones = (b.zone(), b.zone(building="3号楼", policy_id="banned"))
    met = regime(*zones, policies=(BANNED,), of=b.address(building=building))
    assert (met.handovers == frozenset()) is is_sealed


def test_a_zone_over_several_buildings_counts_for_each_and_a_spelling_that_is_listed_only_for_its_own() -> (
    None
):
    def handovers(*buildings: str, of: str) -> Any:
        zones = [
            b.zone(building=name, policy_id="banned", zone_id=f"z{n}") for n, name in enumerate(buildings)
        ]
        return regime(b.zone(), *zones, policies=(BANNED,), of=b.address(building=of)).zone_ids

    assert "z0" in handovers("1-3号楼", of="2号楼")
    assert set(handovers("东楼", "西楼", of="西楼")) & {"z0", "z1"} == {"z1"}
    assert set(handovers("3-1", "3", "4", of="3-1")) & {"z0", "z1", "z2"} == {"z0", "z1"}


def test_lanes_one_to_three_are_not_lane_thirteen() -> None:
    zone = b.zone("和睦新路13弄", policy_id="banned")
    assert regime(zone, policies=(BANNED,), of=b.address("和睦新路1-3弄")).handovers is None
    assert regime(zone, policies=(BANNED,), of=b.address("和睦新路 13 弄")).handovers == frozenset()


def test_namesake_compounds_of_two_districts_do_not_mix() -> None:
    other = b.zone(district=b.XUHUI, policy_id="banned")
    assert regime(b.zone(), other, policies=(BANNED,)).handovers == frozenset(Handover)
    assert (
        regime(b.zone(), other, policies=(BANNED,), of=b.address(district=b.XUHUI)).handovers == frozenset()
    )


def test_a_zone_and_an_address_meet_under_different_spellings() -> None:
    named = b.zone("永嘉（二期）", district="黄浦区", policy_id="banned")
    for district, compound in (("黄浦", "永嘉(二期)"), (" 黄浦区", "永嘉 二期")):
        of = b.address(compound, district=district)
        assert regime(named, policies=(BANNED,), of=of).handovers == frozenset()


def test_two_versions_under_one_name_both_count() -> None:
    lenient, strict = b.zone(zone_id="same"), b.zone(zone_id="same", policy_id="banned")
    for order in ((lenient, strict), (strict, lenient)):
        assert regime(*order, policies=(BANNED,)).handovers == frozenset()


def test_rules_that_name_a_policy_they_lack_or_have_twice_are_refused() -> None:
    with pytest.raises(ValidationError, match="no policy here"):
        b.rules([b.zone(policy_id="missing")])
    two = (b.policy(), b.policy(essential_only=True))
    with pytest.raises(ValidationError, match="once"):
        Rules.model_validate({**dict(b.rules()), "policies": two})


# --- polygons -------------------------------------------------------------------------------------------------


def square(lng: float, lat: float, half: float) -> Any:
    ring = (
        (lng - half, lat - half),
        (lng + half, lat - half),
        (lng + half, lat + half),
        (lng - half, lat + half),
    )
    return ((ring,),)


def test_a_zone_reached_only_through_the_buffer_counts_and_is_marked() -> None:
    near = b.zone(compound="隔壁", policy_id="banned", polygons=square(121.50, 31.22, 0.005))
    on = b.atlas([near], policies=(BANNED,))
    end = b.NOON + b.hours(1)
    point = (121.4949, 31.22)  # about 10 m outside
    assert on.regime(b.address(), point, 5, b.NOON, end, b.NOON).zone_ids == ()
    met = on.regime(b.address(), point, 20, b.NOON, end, b.NOON)
    assert met.zone_ids == met.near_border == (near.zone_id,)
    inside = on.regime(b.address(), (121.4951, 31.22), 20, b.NOON, end, b.NOON)
    assert inside.zone_ids == (near.zone_id,) and inside.near_border == ()


def test_a_neighbour_district_within_the_buffer_is_not_where_the_address_says_it_is() -> None:
    neighbour = b.zone(None, district=b.XUHUI, policy_id="banned", polygons=square(121.50, 31.22, 0.005))
    on = b.atlas([neighbour], policies=(BANNED,))
    end = b.NOON + b.hours(1)
    assert on.regime(b.address(), (121.4949, 31.22), 20, b.NOON, end, b.NOON).zone_ids == ()
    assert on.regime(b.address(), (121.4951, 31.22), 20, b.NOON, end, b.NOON).zone_ids != ()


@given(
    st.lists(
        st.tuples(st.floats(121, 122), st.floats(30.8, 31.8), st.floats(0.0005, 0.5), st.floats(0, 500)),
        max_size=12,
    ),
    st.tuples(st.floats(121, 122), st.floats(30.8, 31.8), st.sampled_from([0.0, 10.0, 800.0, 40_000.0])),
)
@example([(121.0, 31.0, 0.5, 0.0), (121.0, 31.0, 0.0625, 0.0)], (121.0, 31.0, 0.0))
def test_the_index_finds_what_looking_at_every_zone_finds(
    squares: list[tuple[float, float, float, float]], at: tuple[float, float, float]
) -> None:
    zones = [
        b.zone(f"c{n}", zone_id=f"c{n}", polygons=square(x, y, half), precision_m=precision)
        for n, (x, y, half, precision) in enumerate(squares)
    ]
    found = b.atlas(zones).drawn(*at)
    by_hand = []
    for zone in zones:
        if covers(zone.polygons, at[0], at[1], at[2] + zone.precision_m):
            by_hand.append((zone, not covers(zone.polygons, at[0], at[1])))
    assert sorted(found, key=_by_id) == sorted(by_hand, key=_by_id)


def _by_id(found: tuple[Zone, bool]) -> str:
    return found[0].zone_id


# --- curfews --------------------------------------------------------------------------------------------------


def night(start: str = "22:00", end: str = "05:00", **changes: Any) -> Curfew:
    return Curfew(start_local=time.fromisoformat(start), end_local=time.fromisoformat(end), **changes)


def spans(curfew: Curfew, zone: str, *day: int) -> list[tuple[datetime, datetime]]:
    """Over the day and night that begin at noon of that day."""
    noon = datetime(*day, 12, tzinfo=ZoneInfo(zone)).astimezone(UTC)  # type: ignore[arg-type, misc]
    return curfew_spans(curfew, zone, noon, noon + b.hours(24))


@pytest.mark.parametrize(
    ("local", "is_in"),
    [("21:59", False), ("22:00", True), ("23:30", True), ("04:59", True), ("05:00", False)],
)
def test_a_curfew_crosses_midnight_and_is_half_open(local: str, is_in: bool) -> None:
    hour, minute = map(int, local.split(":"))
    at = datetime(2022, 4, 12, hour, minute, tzinfo=ZoneInfo("Asia/Shanghai")).astimezone(UTC)
    found = curfew_spans(night(), "Asia/Shanghai", at, at + b.minutes(1))
    assert any(low <= at < high for low, high in found) is is_in


@pytest.mark.parametrize(
    ("zone", "day", "curfew", "hours"),
    [
        ("Europe/Rome", (2021, 3, 26), night(), 7),
        ("Europe/Rome", (2021, 3, 27), night(), 6),
        ("Europe/Paris", (2021, 3, 27), night("19:00", "06:00"), 10),
        ("Europe/Paris", (2020, 10, 24), night("21:00", "06:00"), 10),
        ("Europe/Rome", (2020, 10, 24), night("22:00", "02:30"), 5.5),  # the second 02:30
        ("Europe/Rome", (2020, 10, 24), night("02:30", "05:00"), 3.5),  # from the first 02:30
        ("Europe/Rome", (2021, 3, 27), night("22:00", "02:30"), 4.5),  # 02:30 is not: until 03:30, not 01:30
        ("Asia/Shanghai", (2022, 4, 11), night("00:00", "00:00"), 24),
    ],
)
def test_a_night_of_curfew_is_as_long_as_it_really_is(
    zone: str, day: tuple[int, ...], curfew: Curfew, hours: float
) -> None:
    low, high = max(spans(curfew, zone, *day))
    assert (high - low) / b.hours(1) == hours


def test_a_curfew_of_a_day_belongs_to_the_day_it_starts() -> None:
    saturday = night(days=(5,))
    assert spans(saturday, "Asia/Shanghai", 2022, 4, 8) == []  # Friday into Saturday
    assert len(spans(saturday, "Asia/Shanghai", 2022, 4, 9)) == 1  # into Sunday morning
    assert spans(saturday, "Asia/Shanghai", 2022, 4, 10) == []


def test_a_curfew_with_an_offset_is_refused() -> None:
    with pytest.raises(ValidationError, match="offset"):
        night("22:00+08:00")


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(1, 30)), max_size=6))
def test_open_hours_are_what_the_closed_ones_leave(closed: list[tuple[int, int]]) -> None:
    at = [b.NOON + b.minutes(n) for n in range(140)]
    pieces = open_hours(at[10], at[90], [(at[low], at[low + length]) for low, length in closed])
    assert pieces == sorted(pieces) and all(low < high for low, high in pieces)
    for n in range(10, 90):
        is_open = not any(low <= n < low + length for low, length in closed)
        assert any(low <= at[n] < high for low, high in pieces) is is_open


def test_a_home_is_as_high_as_it_gets_while_the_crew_is_away() -> None:
    later = b.zone(level=Level.SEALED, valid_from=b.NOON + b.hours(3))
    on = b.atlas([b.zone(), later])
    assert on.home_level(b.address(), b.NOON, b.NOON) is Level.PRECAUTIONARY
    assert on.home_level(b.address(), b.NOON, b.NOON, b.NOON + b.hours(4)) is Level.SEALED
    assert on.home_level(b.address("无名"), b.NOON, b.NOON) is None


def test_a_home_in_a_district_that_is_sealed_as_a_whole_is_sealed() -> None:
    district = b.zone(None, level=Level.SEALED)
    assert b.atlas([district]).home_level(b.address(), b.NOON, b.NOON) is Level.SEALED
