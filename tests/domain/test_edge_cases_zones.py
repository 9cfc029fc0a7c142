"""Edge cases of `../shared/research/lockdowns.md`, section 3, by number: zones, ways and places."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain.places import Datum, covers
from chalicelib.domain.policies import Handover, Level
from chalicelib.domain.verdicts import Decision, Delivery, Phase, Reason
from tests import builders as b
from tests.domain.test_clearance import BANNED, CONTACTLESS, SOFT
from tests.domain.test_crossings import EVERYWHERE, cross, over, river
from tests.domain.test_zones import square

R, H = Reason, Handover
LOCKED = b.silent("locked", handovers=frozenset())


def local(day: int, hour: int, minute: int = 0, month: int = 4) -> datetime:
    """On Shanghai's clock in 2022."""
    return datetime(2022, month, day, hour, minute, tzinfo=UTC) - timedelta(hours=8)


def handed_over(on: Any, at: datetime) -> tuple[Reason, ...]:
    """What the places say of a hand-over at that moment, to a client in the market's rules."""
    from chalicelib.domain.clearance import Clearer
    from chalicelib.domain.survey import MOMENT

    ground = Clearer(on, b.fleet(), at).ground(b.delivery(), at, at + MOMENT, Phase.CARRIED)
    return ground.reasons


@pytest.mark.parametrize("upgraded", [{"level": Level.SEALED}, {"level": Level.NO_ACCESS}])
def test_edge_case_01_a_zone_upgraded_after_the_assignment_is_met_on_entering_it(
    upgraded: dict[str, Any],
) -> None:
    news = b.zone(
        policy_id="banned", valid_from=b.NOON + b.hours(2), known_since=b.NOON + b.hours(2), **upgraded
    )
    on = b.atlas([b.zone(b.KITCHEN), b.zone(), news], [BANNED])
    assert b.clear(on=on).decision is Decision.YES  # nobody knew
    assert b.clear(on=on, phase=Phase.CARRIED, now=b.NOON + b.hours(1.9)).decision is Decision.YES
    entering = b.clear(on=on, phase=Phase.CARRIED, now=b.NOON + b.hours(2))
    assert entering.reasons == (R.NO_HANDOVER,)
    gate = b.zone(policy_id="sealed", valid_from=b.NOON + b.hours(2), known_since=b.NOON + b.hours(2))
    softer = b.atlas([b.zone(b.KITCHEN), b.zone(), gate], [CONTACTLESS])
    assert b.clear(on=softer, phase=Phase.CARRIED, now=b.NOON + b.hours(2)).handovers == (H.GATE, H.SHELF)


def test_edge_case_02_a_crew_whose_way_back_is_shut_is_given_nothing_more() -> None:
    """Enter only, no exit: what shuts the crew's own place from there on, shuts the crew in."""
    home = b.address("骑手公寓")
    fleet = b.fleet(crews=[b.crew(home=home)])
    shut = b.zone(
        "骑手公寓", level=Level.SEALED, valid_from=b.NOON + b.hours(4.4), known_since=b.NOON - b.hours(1)
    )
    on = b.atlas([b.zone(b.KITCHEN), b.zone(), b.zone("骑手公寓", zone_id="open"), shut])
    for phase in Phase:
        assert b.clear(on=on, with_fleet=fleet, phase=phase).reasons == (R.CREW_HOME_SEALED,)
    gone = b.fleet(crews=[b.crew(withdrawn=True)])
    for phase in Phase:
        assert b.clear(with_fleet=gone, phase=phase).reasons == (R.CREW_WITHDRAWN,)


def test_edge_case_03_an_announced_end_that_passes_releases_nothing() -> None:
    """Pudong, 1 April 2022, 05:00."""
    pudong = b.zone(policy_id="locked", valid_from=local(28, 5, month=3), known_since=local(27, 20, month=3),
                    expected_end=local(1, 5))  # fmt: skip
    on = b.atlas([b.zone(), pudong], [LOCKED], stale_after_hours=400, published_at=local(27, 20, month=3))
    for moment in (local(1, 4, 59), local(1, 5), local(1, 5, 1), local(5, 12)):
        assert R.NO_HANDOVER in handed_over(on, moment)
    released = b.atlas([b.zone(), pudong.model_copy(update={"valid_to": local(1, 5)})], [LOCKED],
                       stale_after_hours=400, published_at=local(27, 20, month=3))  # fmt: skip
    assert R.NO_HANDOVER in handed_over(released, local(1, 4, 59))
    assert R.NO_HANDOVER not in handed_over(released, local(1, 5))


def test_edge_case_04_the_boundary_instant_belongs_to_the_new_state_at_either_hour() -> None:
    """Pudong was locked at 05:00 on 28 March, Puxi at 03:00 on 1 April."""
    for start in (local(28, 5, month=3), local(1, 3)):
        known = start - b.hours(10)
        locking = b.zone(policy_id="locked", valid_from=start, known_since=known)
        on = b.atlas([b.zone(valid_from=known, known_since=known), locking], [LOCKED], published_at=known)
        assert R.NO_HANDOVER not in handed_over(on, start - timedelta(microseconds=1))
        assert R.NO_HANDOVER in handed_over(on, start)


def test_edge_case_09_a_sealed_building_rules_whoever_may_live_in_it() -> None:
    sealed = b.zone(policy_id="sealed", building="3号楼", level=Level.SEALED_BUILDING)
    on = b.atlas([b.zone(b.KITCHEN), b.zone(), sealed], [CONTACTLESS])

    def ways(building: str | None) -> tuple[Handover, ...]:
        return b.clear(on=on, of=b.delivery(drop_off=b.place(building=building))).handovers

    assert ways("3号") == (H.GATE, H.SHELF)
    assert ways("5号") == tuple(Handover)
    assert ways(None) == (H.GATE, H.SHELF)  # the strictest, or ask


def test_edge_case_12_zones_of_a_day_and_less_follow_each_other_without_a_gap_or_an_overlap() -> None:
    days = [b.NOON + b.hours(n) for n in (-24, -3, 3, 27)]
    zones = [
        b.zone(policy_id=policy, zone_id=f"z{n}", valid_from=start, valid_to=end)
        for n, (policy, start, end) in enumerate(
            zip(("banned", "soft", "banned"), days, days[1:], strict=False)
        )
    ]
    on = b.atlas(zones, [SOFT, BANNED])
    for moment, is_open in (
        (days[1] - timedelta(microseconds=1), False),
        (days[1], True),
        (days[2] - timedelta(microseconds=1), True),
        (days[2], False),
    ):
        assert (handed_over(on, moment) == ()) is is_open, moment
    beyond = on.regime(b.address(), None, 0, days[3], days[3] + b.hours(1), b.NOON)
    assert beyond.handovers is None  # nobody has ruled on that: not open


def test_edge_case_14_a_closed_shop_sends_nothing_though_the_client_may_receive() -> None:
    for shop in (
        b.zone(b.KITCHEN, policy_id="banned"),
        b.zone(b.KITCHEN, policy_id="soft", level=Level.SEALED),
    ):
        on = b.atlas([b.zone(b.KITCHEN), shop, b.zone()], [BANNED, SOFT])
        for phase in (Phase.OPEN, Phase.GIVEN):
            assert b.clear(on=on, phase=phase).reasons == (R.ORIGIN_CLOSED,)
        assert b.clear(on=on, phase=Phase.CARRIED).decision is Decision.YES


def test_edge_case_15_a_closed_crossing_stops_a_delivery_between_two_open_ends() -> None:
    closed = b.crossing("banned")
    assert cross(river(closed, policies=[BANNED])).reasons == (R.CROSSING_CLOSED,)
    puxi_only = b.fleet(permits=[b.permit(districts=[b.HUANGPU, b.XUHUI])])
    assert cross(river(b.crossing()), with_fleet=puxi_only).reasons == (R.PERMIT_SCOPE,)
    assert cross(river(b.crossing())).decision is Decision.YES


def test_edge_case_31_a_point_on_a_shared_edge_belongs_to_both_neighbours() -> None:
    west, east = square(121.495, 31.22, 0.005), square(121.505, 31.22, 0.005)
    for lat in (31.215, 31.22, 31.225):
        assert covers(west, 121.5, lat) and covers(east, 121.5, lat)
    both = [
        b.zone("西", "sealed", zone_id="west", polygons=west),
        b.zone("东", "banned", zone_id="east", polygons=east),
    ]
    on = b.atlas([b.zone(b.KITCHEN), b.zone(), *both], [CONTACTLESS, BANNED])
    on_the_edge = b.delivery(drop_off=b.place(lng=121.5, precision_m=0.0))
    assert b.clear(on=on, of=on_the_edge).reasons == (R.NO_HANDOVER,)
    assert b.clear(on=on, of=b.delivery(drop_off=b.place(lng=121.499, precision_m=0.0))).handovers == (
        H.GATE,
        H.SHELF,
    )


def test_edge_case_32_a_coordinate_is_read_in_its_own_datum() -> None:
    """The same three numbers lie hundreds of metres apart, and in another compound."""
    here = b.place(lng=121.49, lat=31.22, datum=Datum.GCJ02).coordinate
    zone = b.zone("别处", "banned", polygons=square(here.lng, here.lat, 0.001))
    on = b.atlas([b.zone(b.KITCHEN), b.zone(), zone], [BANNED])

    def reasons(datum: Datum, lng: float, lat: float) -> tuple[Reason, ...]:
        of = b.delivery(
            pick_up=b.place(b.KITCHEN, lng=121.47), drop_off=b.place(lng=lng, lat=lat, datum=datum)
        )
        return b.clear(on=on, of=of).reasons

    for datum in Datum:
        assert reasons(datum, *here.within(datum)) == (R.NO_HANDOVER,)
    assert reasons(Datum.BD09, here.lng, here.lat) == ()
    assert reasons(Datum.WGS84, here.lng, here.lat) == ()


def test_edge_case_38_the_gate_is_closed_today_and_the_shelf_is_the_way() -> None:
    closed = b.silent("gate-closed", handovers=frozenset({H.SHELF, H.COLLECTION_POINT}))
    today = {"valid_from": b.NOON - b.hours(12), "valid_to": b.NOON + b.hours(12)}
    gates = b.silent("contactless", handovers=frozenset({H.GATE, H.SHELF}))
    on = b.atlas(
        [b.zone(b.KITCHEN), b.zone(policy_id="contactless"), b.zone(policy_id="gate-closed", **today)],
        [closed, gates],
    )
    assert b.clear(on=on).handovers == (H.SHELF,)
    tomorrow: dict[str, Any] = {
        "of": b.delivery(window=b.window(25, 28)),
        "by": b.slot(window=b.window(24, 29)),
        "with_fleet": b.fleet(crews=[b.crew(credentials=[b.credential(sampled=-4, reported_at=b.NOON)])]),
    }
    assert b.clear(on=on, **tomorrow).handovers == (H.GATE, H.SHELF)


def test_edge_case_40_the_river_is_crossed_by_code_and_not_by_longitude() -> None:
    """Minhang lies west of the river and its towns Pujiang and Pujin were in the Pudong phase."""
    minhang = "310112"
    sides = ([b.HUANGPU, minhang], [b.PUDONG, f"{minhang}/浦江镇", f"{minhang}/浦锦街道"])
    on = river(b.crossing("banned", sides=sides), policies=[BANNED], kitchen=b.HUANGPU, home=minhang)

    def reasons(town: str, lng: float) -> tuple[Reason, ...]:
        return cross(on, over(b.HUANGPU, minhang, street=town, lng=lng)).reasons

    for lng in (121.3, 121.49, 121.6):
        assert reasons("浦江镇", lng) == reasons("浦锦街道", lng) == (R.CROSSING_CLOSED,)
        assert reasons("莘庄镇", lng) == ()


def test_edge_case_40_a_permit_that_names_the_river_leads_over_it_and_back() -> None:
    short = b.permit(districts="all", crossings=["Huangpu River"], valid=b.window(-24, 4.25))
    assert cross(river(b.crossing()), with_fleet=b.fleet(permits=[short])).reasons == (R.PERMIT_TIME,)
    assert cross(river(b.crossing()), with_fleet=EVERYWHERE).permit_ids == ("permit-1",)


def test_edge_case_41_a_client_who_is_somewhere_else_is_cleared_anew_for_there() -> None:
    """A quarantine hotel: a redirect is another delivery, and what was cleared before says nothing of it."""
    order = b.delivery()
    assert b.clear(of=order).decision is Decision.YES

    def redirected(compound: str, **changes: Any) -> Delivery:
        return order.model_copy(update={"drop_off": b.place(compound, **changes)})

    assert b.clear(of=redirected("隔离酒店")).reasons == (R.ZONE_UNKNOWN,)
    hotel = b.zone("隔离酒店", policy_id="sealed", level=Level.SEALED)
    on = b.atlas([b.zone(b.KITCHEN), b.zone(), hotel], [CONTACTLESS])
    assert b.clear(of=redirected("隔离酒店"), on=on).handovers == (H.GATE, H.SHELF)
    far = redirected(b.HOME, district=b.XUHUI)
    elsewhere = b.atlas([b.zone(b.KITCHEN), b.zone(), b.zone(district=b.XUHUI)])
    assert b.clear(of=far, on=elsewhere).reasons == (R.PERMIT_SCOPE,)


def test_edge_case_41_no_reason_speaks_of_the_clients_health() -> None:
    for reason in Reason:
        assert not any(
            word in reason.value for word in ("quarantine", "infected", "sick", "patient", "recipient")
        )
