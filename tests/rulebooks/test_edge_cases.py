"""The edge cases of lockdowns.md, section 3, that a rule book can settle, each under its number."""

from __future__ import annotations

import itertools
import zoneinfo
from datetime import date, datetime, time, timedelta

import pytest

from chalicelib.domain.curfews import Curfew, curfew_spans
from chalicelib.domain.gifts import ItemClass
from chalicelib.domain.policies import FETCHED, Handover
from chalicelib.domain.rulebooks import layers
from chalicelib.domain.verdicts import Decision, Reason
from chalicelib.domain.zones import meet
from tests import builders as b
from tests.rulebooks import ground
from tests.rulebooks.ground import BOOKS, regime, stopped, verdict
from tests.rulebooks.test_books import days, said

EASTER = "2021-03-29", "2021-04-12"


def test_edge_case_08_controlled_of_the_first_of_april_is_not_controlled_of_the_eleventh() -> None:
    early = regime("shanghai", "2022-04-10 12:00", ("controlled", "2022-04-03", "2022-04-20"))
    late = regime("shanghai", "2022-04-12 12:00", ("controlled", "2022-04-03", "2022-04-20"))
    assert (early.policies[0], early.handovers) == ("shanghai-controlled@1", {Handover.GATE})
    assert late.policies[0] == "shanghai-controlled@2"
    assert late.handovers == {Handover.SHELF, Handover.COLLECTION_POINT}
    assert (early.rest_minutes, late.rest_minutes) == (0, 30)
    on_the_turn = regime("shanghai", "2022-04-11 00:00", ("controlled", "2022-04-03", "2022-04-20"))
    assert on_the_turn.policies == late.policies, "the instant belongs to the new rules"


def test_edge_case_10_a_red_comune_in_a_white_region_is_red() -> None:
    town = regime(
        "italy",
        "2021-03-08 23:00",
        ("white", "2021-03-01", "2021-03-15"),
        ("red", "2021-03-08", "2021-03-20"),
    )
    assert set(town.policies) == {"italy-white@1", "italy-red@1"}
    assert town.curfews and town.hand_out_denied == {ItemClass.FASHION, ItemClass.HIGH_VALUE}
    beside = regime("italy", "2021-03-08 23:00", ("white", "2021-03-01", "2021-03-15"))
    assert not beside.curfews and not beside.hand_out_denied


def test_edge_case_10_city_town_and_committee_meet_and_two_lists_of_items_are_intersected() -> None:
    compound = regime(
        "shanghai",
        "2022-04-25 12:00",
        ("precautionary", "2022-04-12", "2022-05-01"),
        ("town-pcr", "2022-04-24", "2022-05-01"),
    )
    assert compound.handovers == {Handover.LOBBY, Handover.GATE, Handover.SHELF}
    assert min(need.max_age_hours for need in compound.requirements if need.kind == "pcr") == 24
    assert compound.companies == {"shanghai-courier-companies"}
    ban = ("no-access", "2022-04-14", "2022-05-01")
    assert (
        regime("shanghai", "2022-04-25 12:00", ("sealed", "2022-04-12", None), ban).handovers == frozenset()
    )
    gifts = b.policy("gifts", items=["flowers", "chilled"]), b.policy("food", items=["chilled", "frozen"])
    met = meet([b.zone(policy_id=p.policy_id) for p in gifts], {p.reference: p for p in gifts})
    assert [c.value for c in ItemClass if met.permits(c)] == ["chilled"], "equal level, other lists"


def test_edge_case_11_easter_is_red_on_days_over_yellow_and_orange_and_not_over_white() -> None:
    assert said("italy", "orange", *EASTER) == [
        "italy-orange@1 2021-03-29 2021-04-12",
        "italy-red@1 2021-04-03 2021-04-06",
    ]
    assert said("italy", "yellow", *EASTER) == [
        "italy-yellow@1 2021-03-29 2021-04-12",
        "italy-orange@1 2021-03-29 2021-04-07",
        "italy-red@1 2021-04-03 2021-04-06",
    ]
    assert said("italy", "white", *EASTER) == ["italy-white@1 2021-03-29 2021-04-12"]
    assert said("italy", "red", *EASTER) == ["italy-red@1 2021-03-29 2021-04-12"]


@pytest.mark.parametrize(
    ("local", "is_closed"),
    [
        ("2021-04-02 18:00", False),
        ("2021-04-03 00:00", True),
        ("2021-04-05 20:00", True),
        ("2021-04-06 00:00", False),
    ],
)
def test_edge_case_11_jewellers_close_over_easter_and_the_colour_stays_what_it_was(
    local: str, is_closed: bool
) -> None:
    orange = ("orange", *EASTER)
    found = verdict("italy", local, orange, of="fashion")
    assert (Reason.ORIGIN_CLOSED in found.reasons) is is_closed
    assert "italy-orange@1" in regime("italy", local, orange).policies
    assert verdict("italy", local, ("white", *EASTER), of="fashion").decision is Decision.YES


def test_edge_case_11_a_week_before_easter_yellow_is_orange_already() -> None:
    (base, as_orange, easter) = layers(BOOKS["italy"], "yellow", days(*EASTER))
    assert base.overlay is None
    assert as_orange.overlay is not None and as_orange.overlay.overlay_id == "yellow-as-orange-2021"
    assert easter.overlay is not None and "white" not in easter.overlay.on


def test_edge_case_12_a_zone_of_one_day_and_zones_back_to_back() -> None:
    """Christmas 2020: red until the 27th, orange for three days, red again; 4 January alone was orange."""
    calendar = (
        ("red", "2020-12-24", "2020-12-28"),
        ("orange", "2020-12-28", "2020-12-31"),
        ("red", "2020-12-31", "2021-01-04"),
        ("orange", "2021-01-04", "2021-01-05"),
        ("red", "2021-01-05", "2021-01-07"),
    )
    for local, colour in (
        ("2020-12-27 23:59", "red"),
        ("2020-12-28 00:00", "orange"),
        ("2021-01-03 23:59", "red"),
        ("2021-01-04 00:00", "orange"),
        ("2021-01-04 23:59", "orange"),
        ("2021-01-05 00:00", "red"),
    ):
        assert regime("italy", local, *calendar, minutes=1).policies == (f"italy-{colour}@1",), local
    across = regime("italy", "2021-01-04 23:00", *calendar, minutes=120)
    assert set(across.policies) == {"italy-orange@1", "italy-red@1"}, "over both, both"


def test_edge_case_12_a_zone_shorter_than_a_day_holds_for_its_hours_only() -> None:
    """A compound that was free for six hours (lockdowns.md, 1.1)."""
    shanghai = BOOKS["shanghai"]
    free, locked = (ground.moment(shanghai, f"2022-04-12 {hour}:00") for hour in ("10", "16"))
    first = ground.zones(shanghai, b.HOME, ("sealed", "2022-04-11", None))[0]
    again = first.model_copy(update={"zone_id": "again", "valid_from": locked})
    was = first.model_copy(update={"valid_to": free})
    on = b.atlas([was, again], ground.policies(shanghai))
    seen = [
        on.regime(b.address(), None, 0, at, at + timedelta(microseconds=1), locked + b.hours(9)).zone_ids
        for at in (free - timedelta(microseconds=1), free, locked - timedelta(microseconds=1), locked)
    ]
    assert [bool(names) for names in seen] == [True, False, False, True]


@pytest.mark.parametrize(
    ("clock", "is_in"),
    [("21:59", False), ("22:00", True), ("23:30", True), ("04:59", True), ("05:00", False)],
)
def test_edge_case_25_the_italian_curfew_crosses_midnight(clock: str, is_in: bool) -> None:
    assert stopped("italy", f"2021-03-10 {clock}", "collection", ("orange", "2021-03-01", None)) is is_in


def test_edge_case_25_a_saturday_curfew_belongs_to_the_day_it_starts() -> None:
    saturdays = Curfew(start_local=time(22), end_local=time(5), days=(5,))
    first, last = (ground.moment(BOOKS["france"], f"2021-03-{day} 00:00") for day in ("01", "15"))
    local = [
        [end.astimezone(zoneinfo.ZoneInfo("Europe/Paris")).strftime("%a %H") for end in span]
        for span in curfew_spans(saturdays, "Europe/Paris", first, last)
    ]
    assert local == [["Sat 22", "Sun 05"]] * 2
    weekend = ("weekend", "2021-03-01", None)
    seen = {
        local: stopped("france", local, "collection", weekend)
        for local in ("2021-03-05 12:00", "2021-03-06 05:59", "2021-03-06 06:00", "2021-03-07 17:59")
    }
    assert list(seen.values()) == [False, False, True, True]


def night(book: str, policy: str, evening: str, number: int = 0) -> float:
    """How many hours the curfew that starts that evening lasts."""
    found = BOOKS[book].find(policy)
    assert found is not None
    zone = BOOKS[book].time_zone
    noon = ground.moment(BOOKS[book], f"{evening} 12:00")
    (span,) = [
        span
        for span in curfew_spans(found.curfews[number], zone, noon, noon + b.hours(18))
        if span[0] >= noon and span[1] < noon + b.hours(23)
    ]
    return (span[1] - span[0]) / b.hours(1)


def test_edge_case_26_nights_of_a_clock_change_are_as_long_as_they_are() -> None:
    assert night("italy", "italy-orange@1", "2021-03-27") == 6
    assert night("italy", "italy-orange@1", "2021-03-26") == 7
    assert night("france", "france-night@3", "2021-03-27") == 10
    assert night("france", "france-night@3", "2021-03-28") == 11


def test_edge_case_26_an_hour_that_comes_twice_or_never_makes_the_curfew_longer() -> None:
    autumn = Curfew(start_local=time(21), end_local=time(6))
    at = datetime.fromisoformat("2020-10-24T12:00+02:00")
    (low, high) = curfew_spans(autumn, "Europe/Paris", at, at + b.hours(20))[-1]
    assert (high - low) == b.hours(10), "nine by the wall"
    half_past_two = Curfew(start_local=time(2, 30), end_local=time(5))
    for local, length in (("2021-03-28T00:00+01:00", 2.5), ("2020-10-25T00:00+02:00", 3.5)):
        at = datetime.fromisoformat(local)
        (span,) = curfew_spans(half_past_two, "Europe/Paris", at, at + b.hours(5))
        assert span[1] - span[0] == b.hours(length), local
    until = Curfew(start_local=time(22), end_local=time(2, 30))
    at = datetime.fromisoformat("2020-10-24T20:00+02:00")
    (span,) = curfew_spans(until, "Europe/Paris", at, at + b.hours(10))
    assert span[1] - span[0] == b.hours(5.5), "the second half past two ends it"


def test_edge_case_27_the_clock_of_the_book_decides_whatever_clock_the_others_read() -> None:
    evening = ("orange", "2021-03-01", "2021-03-15")
    in_rome = ground.moment(BOOKS["italy"], "2021-03-10 22:30")
    for offset in ("Asia/Shanghai", "America/New_York", "UTC"):
        local = in_rome.astimezone(zoneinfo.ZoneInfo(offset))
        assert local == in_rome
        there = ground.atlas(BOOKS["italy"], in_rome, (), (evening,)).regime(
            b.address(), None, 0, local, local + b.hours(1), in_rome
        )
        (curfew,) = there.curfews
        assert curfew_spans(curfew, "Europe/Rome", local, local + b.hours(1)) == curfew_spans(
            curfew, "Europe/Rome", in_rome, in_rome + b.hours(1)
        )


def test_edge_case_27_window_shift_and_server_may_each_have_a_clock_of_their_own() -> None:
    """From half past nine to half past eleven in Milan: after ten nobody comes out to fetch."""
    at = ground.moment(BOOKS["italy"], "2021-03-10 21:30")
    orange = ("orange", "2021-03-01", "2021-03-15")
    on = ground.atlas(BOOKS["italy"], at, (orange,), (orange,))
    found = set()
    for clocks in itertools.permutations(("Asia/Shanghai", "America/New_York", "Europe/Rome", "UTC"), 3):
        client, shift, server = (at.astimezone(zoneinfo.ZoneInfo(clock)) for clock in clocks)
        slot = b.slot(window={"start": shift, "end": shift + b.hours(2)}, trip_minutes=1, return_minutes=0)
        of = b.delivery(window={"start": client, "end": client + b.hours(2)})
        test = b.credential(sampled_at=at - b.hours(5), reported_at=at - b.hours(4))
        fleet = b.fleet(crews=[b.crew(credentials=[test])], slots=[slot])
        found.add(b.clear(of=of, by=slot, on=on, with_fleet=fleet, now=server))
    (said,) = found
    assert (said.decision, set(said.handovers)) == (Decision.YES, set(Handover) - FETCHED)
    assert said.hand_over_by == at + b.hours(2)


def test_edge_case_27_time_zones_come_with_the_package_and_shanghai_has_no_summer_time() -> None:
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath(())
    try:
        for book in BOOKS.values():
            assert zoneinfo.ZoneInfo.no_cache(book.time_zone).key == book.time_zone
        shanghai = zoneinfo.ZoneInfo.no_cache("Asia/Shanghai")
    finally:
        zoneinfo.reset_tzpath(before)
    offsets = {datetime(2022, month, 1, tzinfo=shanghai).utcoffset() for month in range(1, 13)}
    assert offsets == {timedelta(hours=8)}


PARIS = (("confinement", "2020-11-01", "2020-12-01"), ("paris-night", "2020-11-06", "2020-12-01"))
DECEMBER = (("night", "2020-12-15", "2021-01-10"),)


def test_edge_case_28_the_same_hour_parcels_not_meals_in_paris_and_meals_not_parcels_in_december() -> None:
    for local, words, meal, parcel in (
        ("2020-11-20 22:30", PARIS, True, False),
        ("2020-11-20 21:30", PARIS, False, False),
        ("2020-12-20 22:30", DECEMBER, False, True),
        ("2020-12-20 19:30", DECEMBER, False, False),
    ):
        for item_class, expected in (("hot_meal", meal), ("fashion", parcel)):
            is_stopped = any(
                stopped("france", local, stop, *words, of=item_class) for stop in ("delivery", "hand_out")
            )
            assert is_stopped is expected, (local, item_class)
    assert stopped("france", "2020-11-20 22:30", "hand_out", *PARIS, of="alcohol")


@pytest.mark.parametrize(
    ("local", "is_in"),
    [
        ("2021-05-18 22:15", True),
        ("2021-05-19 04:59", True),
        ("2021-05-19 22:15", False),
        ("2021-05-19 23:00", True),
        ("2021-06-06 23:30", True),
        ("2021-06-07 04:00", True),
        ("2021-06-07 23:30", False),
        ("2021-06-08 00:00", True),
        ("2021-06-20 04:59", True),
        ("2021-06-21 00:00", False),
    ],
)
def test_edge_case_30_the_italian_curfew_starts_later_from_a_date_on(local: str, is_in: bool) -> None:
    assert stopped("italy", local, "collection", ("yellow", "2021-05-10", "2021-06-30")) is is_in


def test_edge_case_30_a_plan_over_the_date_reads_each_night_by_its_own_hours() -> None:
    policy = BOOKS["italy"].find("italy-yellow@2")
    assert policy is not None
    start, end = (ground.moment(BOOKS["italy"], f"2021-05-{day} 12:00") for day in ("17", "21"))
    spans = sorted(
        span for curfew in policy.curfews for span in curfew_spans(curfew, "Europe/Rome", start, end)
    )
    assert [(high - low) / b.hours(1) for low, high in spans if low >= start] == [7, 7, 6, 6]


def test_edge_case_43_wine_in_a_box_of_food_refuses_the_box_where_only_essentials_go() -> None:
    sealed = ("sealed", "2022-04-12", None)
    box = ["ambient_food", "alcohol"]
    for word in (sealed, ("controlled", "2022-04-12", None)):
        there = regime("shanghai", "2022-04-13 12:00", word)
        assert [there.permits(ItemClass(name)) for name in box] == [True, False]
    at = ("precautionary", "2022-04-12", "2022-05-01")
    assert (
        Reason.ITEM_NOT_ALLOWED
        in verdict("shanghai", "2022-04-13 12:00", sealed, of=box, origin=[at]).reasons
    )
    alone = verdict("shanghai", "2022-04-13 12:00", sealed, of="ambient_food", origin=[at])
    assert Reason.ITEM_NOT_ALLOWED not in alone.reasons


def test_edge_case_43_no_route_changes_what_a_gift_is_said_to_be() -> None:
    from app import app

    changing = [
        path
        for path, methods in app.routes.items()
        if path.startswith("/v1/orders") and {"PUT", "PATCH"} & set(methods)
    ]
    assert changing == ["/v1/orders/{order_id}/relay"], "where it changes hands, and nothing of what it is"


def test_every_day_of_the_german_law_has_a_policy_for_every_band() -> None:
    first, last = date(2021, 4, 23), date(2021, 6, 30)
    for word in ("below-100", "100-150", "over-150"):
        (layer,) = layers(BOOKS["germany"], word, days(str(first), "2021-07-01"))
        assert layer.days.since == first and layer.entry.in_force.holds(last)
