"""The scenario is what it says it is: real counts, points where they belong, documents that hold."""

from __future__ import annotations

import csv
import json
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from chalicelib.domain.fleet import Courier, Crew, Permit, Slot
from chalicelib.domain.orders import NewOrder
from chalicelib.domain.places import Datum, Market, MatchQuality, covers
from chalicelib.domain.reading import Reading
from chalicelib.domain.uploads import Content, UploadStart
from sandbox import districts
from sandbox.checker import RULES
from sandbox.districts import untangled
from sandbox.shanghai import (
    _POLICY_OF,
    BEGINS,
    ENDS,
    MARKET,
    ORDERS,
    PART_BYTES,
    POLICIES,
    Put,
    Shanghai,
    Strike,
    Upload,
    local,
    shares,
)

pytestmark = pytest.mark.skipif(
    not districts.MAP.exists(), reason=f"{districts.MAP} is not there: run `npm ci`"
)
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(scope="module")
def day() -> Shanghai:
    return Shanghai()


@pytest.fixture
def playable() -> Shanghai:
    return Shanghai()


# --- districts ---


def test_there_are_sixteen_districts_with_their_codes(day: Shanghai) -> None:
    assert [(d.code, d.name) for d in day.districts] == [
        (code, name) for code, (name, _) in districts.NAMES.items()
    ]
    assert len(day.districts) == 16


def test_each_polygon_is_closed_and_inside_the_market(day: Shanghai) -> None:
    for district in day.districts:
        west, south, east, north = district.bounds
        assert MARKET.west < west < east < MARKET.east
        assert MARKET.south < south < north < MARKET.north
        for polygon in district.polygons:
            assert all(ring[0] == ring[-1] and len(ring) > 3 for ring in polygon)


def test_a_ring_that_crosses_itself_loses_the_loop_and_nothing_else() -> None:
    square = [(0, 0), (10, 0), (10, 10), (5, 12), (0, 10)]
    assert untangled([*square, (0, 0)]) == square
    assert untangled([*square, (3, 3), (0, 10), (0, 10), (0, 0)]) == square
    bow = [(0, 0), (10, 0), (10, 10), (6, 10), (5, 12), (6, 12), (5, 10), (0, 10)]
    assert untangled(bow) == [(0, 0), (10, 0), (10, 10), (6, 10), (5, 10), (0, 10)]


def test_a_missing_map_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="npm ci"):
        districts.districts(tmp_path / "shanghai.json")


def test_a_foreign_map_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    path.write_text(json.dumps({"features": [{"properties": {"name": "朝阳区"}}]}))
    with pytest.raises(ValueError, match="no district of Shanghai"):
        districts.districts(path)


@pytest.mark.skipif(not (SHARED / "derived/crs_golden.csv").exists(), reason="no ../shared/data here")
def test_the_map_is_in_gcj02_by_measurement(day: Shanghai) -> None:
    by_name = {d.name: d.polygons for d in day.districts}
    columns = {
        "GCJ02": ("gcj02_lng_amap", "gcj02_lat_amap"),
        "WGS84": ("wgs84_lng_exact_inverse", "wgs84_lat_exact_inverse"),
        "BD09": ("bd09_lng_baidu", "bd09_lat_baidu"),
    }
    with (SHARED / "derived/crs_golden.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    inside = {
        datum: sum(covers(by_name[row["district"]], float(row[x]), float(row[y])) for row in rows)
        for datum, (x, y) in columns.items()
    }
    assert len(rows) == 177
    assert inside == {"GCJ02": 175, "WGS84": 168, "BD09": 156}


# --- the first list ---


def test_the_counts_are_those_of_the_real_list(day: Shanghai) -> None:
    levels = Counter(_POLICY_OF[compound.rule][1] for compound in day.compounds)
    assert levels == {"sealed": 7_624, "controlled": 2_460, "precautionary": 7_565}


def test_every_district_has_compounds_of_every_class(day: Shanghai) -> None:
    seen = Counter((compound.district, compound.rule) for compound in day.compounds)
    assert len(seen) == 16 * 4
    assert min(seen.values()) >= 5


def test_every_point_lies_inside_its_district(day: Shanghai) -> None:
    polygons = {district.code: district.polygons for district in day.districts}
    outside = [c for c in day.compounds if not covers(polygons[c.district], c.lng, c.lat)]
    assert outside == []


def test_names_are_unique_in_a_district_and_have_namesakes_elsewhere(day: Shanghai) -> None:
    assert len({compound.site for compound in day.compounds}) == len(day.compounds)
    assert len({compound.zone_id for compound in day.compounds}) == len(day.compounds)
    districts_of = Counter(compound.name for compound in day.compounds)
    assert sum(count > 1 for count in districts_of.values()) > 100


def test_every_upload_is_read_without_a_fault_and_in_parts_of_a_megabyte(playable: Shanghai) -> None:
    content: Content | None = None
    for happening in playable.happenings:
        upload = happening.what
        if isinstance(upload, Strike):
            upload = playable.strike(upload, happening.when, [order.reference for order in playable.orders])
        if not isinstance(upload, Upload):
            continue
        assert upload.parts
        reading = Reading(
            MARKET, UploadStart(mode=upload.mode, time_zone=upload.time_zone, datum=upload.datum)
        )
        for number, part in enumerate(upload.parts):
            assert len(part) <= PART_BYTES
            reading.read(number, part)
        settled = reading.settle(content, happening.when)
        assert isinstance(settled, Content), settled.listed[:3]
        content = settled
    assert content is not None
    listed = [zone for zone in content.zones if zone.zone_id[11:12] in "SCP" and zone.zone_id[11:12]]
    assert Counter(zone.level.name for zone in listed) == {
        "SEALED": 7_624,
        "CONTROLLED": 2_460,
        "PRECAUTIONARY": 7_565,
    }
    assert content.datum is Datum.GCJ02
    assert {policy.reference for policy in content.policies} == {policy.reference for policy in POLICIES}


def test_each_list_is_in_force_from_midnight_and_known_when_its_district_published(day: Shanghai) -> None:
    hours = set()
    for happening in day.happenings:
        if isinstance(happening.what, Upload) and happening.what.name.startswith("list-"):
            for part in happening.what.parts:
                for feature in json.loads(part)["features"]:
                    stated = feature["properties"]
                    assert feature["geometry"] is None
                    assert stated["valid_from"] == "2022-04-11T00:00:00+08:00"
                    assert datetime.fromisoformat(stated["known_since"]) == happening.when
                    assert ("expected_end" in stated) == (stated["level"] != "precautionary")
            hours.add(happening.when)
    assert (min(hours), max(hours)) == (local(7), local(10, 30))


def test_the_checkers_own_rules_say_what_the_published_policies_say() -> None:
    for name, (policy, level) in _POLICY_OF.items():
        rule = RULES[name]
        assert (rule.level, rule.handovers) == (level, frozenset(h.value for h in policy.handovers or ()))
        assert rule.essential_only == policy.essential_only
        ages = sorted((need.kind.value, need.max_age_hours) for need in policy.requirements)
        antigen = 16 if rule.antigen_of_the_day else 24
        assert ages == ([] if name == "no_access" else [("antigen", antigen), ("pcr", 48)])
        assert policy.source


# --- orders ---


def test_every_order_is_one_that_the_front_door_takes(day: Shanghai) -> None:
    assert len(day.orders) == ORDERS >= 300
    for asked in day.orders:
        new = NewOrder.model_validate_json(json.dumps(asked.body))
        assert new.reference == asked.reference
        assert new.market == MARKET.market_id
        assert MARKET.holds(new.recipient.place.coordinate)
        assert MARKET.holds(new.pick_up.place.coordinate)
        assert new.window.end > asked.when
        assert timedelta(hours=2) <= new.window.end - new.window.start <= timedelta(hours=4)
        assert new.recipient.phone.startswith("+861700000")
        assert (new.recipient.place.address.district, new.recipient.place.address.compound) == asked.site
        begin, end = (moment.astimezone(local(0).tzinfo) for moment in (new.window.start, new.window.end))
        assert begin.date() == end.date()
        assert (begin.hour, end.hour * 60 + end.minute) >= (8, 0)
        assert end.hour * 60 + end.minute <= 20 * 60
    assert len({asked.reference for asked in day.orders}) == ORDERS
    assert len({(asked.brand, asked.idempotency_key) for asked in day.orders}) == ORDERS
    assert len({asked.brand for asked in day.orders}) == 3


def test_points_in_three_datums_are_the_same_places(day: Shanghai) -> None:
    known = {compound.site: compound for compound in day.compounds}
    datums: Counter[Datum] = Counter()
    astray = 0
    for asked in day.orders:
        place = NewOrder.model_validate(asked.body).recipient.place
        datums[place.coordinate.datum] += 1
        compound = known.get(asked.site)
        if compound is None:
            continue
        lng, lat = place.coordinate.within(Datum.GCJ02)
        astray += abs(lng - compound.lng) > 1e-5 or abs(lat - compound.lat) > 1e-5
    assert set(datums) == set(Datum)
    assert min(datums.values()) > 40
    assert astray == 4  # those that a geocoder put on the other side of the city


def test_orders_come_from_the_evening_before_on_and_some_are_for_tomorrow(day: Shanghai) -> None:
    times = [asked.when for asked in day.orders]
    assert times == sorted(times)
    assert times[0] >= local(20, day=10)
    assert sum(when < local(0) for when in times) == 60
    assert sum(NewOrder.model_validate(a.body).window.start > local(23) for a in day.orders) == 15


def test_every_kind_of_trouble_is_among_them(day: Shanghai) -> None:
    known = {compound.site: compound for compound in day.compounds}
    classes = Counter(known[a.site].rule if a.site in known else "unlisted" for a in day.orders)
    assert set(classes) == {"sealed", "controlled", "precautionary_lobby", "precautionary_gate", "unlisted"}
    qualities = Counter(NewOrder.model_validate(a.body).recipient.place.match_quality for a in day.orders)
    assert (qualities[MatchQuality.CENTROID], qualities[MatchQuality.NONE]) == (5, 3)
    kinds = Counter(asked.kind for asked in day.orders)
    assert kinds["ring"] == 4
    assert kinds["ice_cream"] == 4
    assert min(kinds.values()) >= 3


# --- the fleet ---


def test_all_documents_validate_and_know_nothing_of_the_future(day: Shanghai) -> None:
    shapes = {"markets": Market, "couriers": Courier, "crews": Crew, "permits": Permit, "slots": Slot}
    seen: Counter[str] = Counter()
    for happening in day.happenings:
        if not isinstance(happening.what, Put):
            continue
        put = happening.what
        document = shapes[put.noun].model_validate_json(json.dumps(put.body))
        seen[put.noun] += happening.when == BEGINS
        if isinstance(document, Crew):
            for credential in document.credentials:
                assert credential.sampled_at <= happening.when
                assert credential.reported_at is None or credential.reported_at <= happening.when
        if isinstance(document, Permit) and document.revoked_at is not None:
            assert document.revoked_at <= happening.when
    assert seen == {"markets": 1, "couriers": 2, "crews": 16, "permits": 16, "slots": len(day.slots)}


def test_slots_are_two_to_four_hours_of_the_day(day: Shanghai) -> None:
    for slot in day.slots:
        length = slot.window.end - slot.window.start
        assert timedelta(hours=2) <= length <= timedelta(hours=4)
        assert 0 < slot.capacity <= 6
    assert len({slot.slot_id for slot in day.slots}) == len(day.slots)


def test_sixteen_vehicles_become_six(day: Shanghai) -> None:
    hours = day.fleet_by_hour()
    for hour in hours:
        why = ", ".join(f"{crew} {'+'.join(faults)}" for crew, faults in hour.grounded.items())
        print(f"{hour.at:%H:%M}  {len(hour.cleared):2}  {why}")  # noqa: T201  shown by `pytest -s`
    counts = [len(hour.cleared) for hour in hours]
    assert counts[0] == 16
    assert counts[-1] == counts[-2] == 6
    assert counts == sorted(counts, reverse=True)
    assert len(set(counts)) >= 7
    reasons = {fault for faults in hours[-1].grounded.values() for fault in faults}
    assert reasons == {"pcr", "positive", "permit", "home_sealed"}


def test_a_pending_test_extends_nothing(day: Shanghai) -> None:
    crew = day.crew_at("crew-10", local(12))
    assert [c.result for c in crew.credentials if c.sampled_at == local(8, 10)] == ["pending"]
    last = {hour.at: hour.grounded for hour in day.fleet_by_hour()}[local(16)]
    assert last["crew-10"] == ("pcr",)


# --- the day ---


def test_happenings_are_in_order_and_within_the_day(day: Shanghai) -> None:
    times = [happening.when for happening in day.happenings]
    assert times == sorted(times)
    assert times[0] == BEGINS
    assert times[-1] < ENDS
    assert [h.what.name for h in day.happenings if isinstance(h.what, Strike)] == [
        "sealed-on-the-way",
        "banned-on-the-way",
    ]


def test_a_strike_closes_open_destinations_of_parcels_under_way(playable: Shanghai) -> None:
    strike = Strike("sealed-on-the-way", "sealed", 6)
    at = local(14, 11)
    under_way = [order.reference for order in playable.orders[100:160]]
    before = {reference: playable.physical(at, reference) for reference in under_way}
    upload = playable.strike(strike, at, under_way)
    assert upload is not None
    features = json.loads(upload.parts[0])["features"]
    assert len(features) == 6
    sealed = {(f["properties"]["unit"]["district"], f["properties"]["unit"]["compound"]) for f in features}
    struck = [order for order in playable.orders if order.site in sealed]
    assert {order.reference for order in struck} <= set(under_way)
    for order in struck:
        assert before[order.reference] in ("door", "none")
        assert playable.physical(at, order.reference) != "door"
        assert playable.physical(at - timedelta(seconds=1), order.reference) == before[order.reference]
    assert {order.kind in ("meal_box", "dessert_box", "tea_box", "hot_meal") for order in struck} == {
        True,
        False,
    }
    added = [listing for listing in playable.truth().listings if listing.upload == "sealed-on-the-way"]
    assert {listing.site for listing in added} == sealed


def test_nothing_under_way_is_nothing_struck(playable: Shanghai) -> None:
    count = len(playable.truth().listings)
    assert playable.strike(Strike("s", "sealed", 6), local(14, 11), []) is None
    assert len(playable.truth().listings) == count


def test_what_a_courier_can_do_follows_from_the_class_of_the_moment(day: Shanghai) -> None:
    known = {compound.site: compound for compound in day.compounds}
    ways = Counter(
        (
            known[order.site].rule if order.site in known else "unlisted",
            day.physical(local(11), order.reference),
        )
        for order in day.orders
    )
    lobby = ways.pop(("precautionary_lobby", "door"))
    assert lobby > 100
    assert ways.pop(("precautionary_lobby", "none")) == 3
    assert {way for _, way in ways} == {"gate"}


def test_the_same_seed_is_the_same_day_and_another_is_another(day: Shanghai) -> None:
    again = Shanghai()
    assert again.compounds == day.compounds
    assert again.orders == day.orders
    assert again.happenings == day.happenings
    assert again.truth() == day.truth()
    other = Shanghai(seed=1)
    assert other.compounds != day.compounds
    assert other.orders != day.orders
    assert len(other.compounds) == len(day.compounds)


def test_shares_add_up() -> None:
    assert shares(10, {"a": 1, "b": 1, "c": 1}) == {"a": 4, "b": 3, "c": 3}
    assert sum(shares(7_624, {"a": 0.3, "b": 17, "c": 3.3}).values()) == 7_624
