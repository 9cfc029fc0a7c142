"""Crossings: a river or a line between districts speaks for every delivery whose ends lie on different sides."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.domain.atlas import Atlas
from chalicelib.domain.gifts import ItemClass
from chalicelib.domain.places import Datum
from chalicelib.domain.policies import Handover
from chalicelib.domain.snapshots import content_of, pack, unpack_manifest, unpack_zones
from chalicelib.domain.uploads import Content
from chalicelib.domain.verdicts import Decision, Delivery, Phase, Reason, Verdict
from chalicelib.domain.zones import NamedUnit, Zone
from tests import builders as b
from tests.domain.test_zones import night

R = Reason
CLOSED = b.silent("closed", handovers=frozenset())
EVERYWHERE = b.fleet(permits=[b.permit(districts="all", crossings=["Huangpu River"])])


def river(*zones: Zone, policies: Any = (), kitchen: str = b.PUDONG, home: str = b.HUANGPU) -> Atlas:
    ends = (b.zone(b.KITCHEN, district=kitchen), b.zone(district=home))
    return b.atlas([*ends, *zones], policies)


def over(kitchen: str = b.PUDONG, home: str = b.HUANGPU, **changes: Any) -> Delivery:
    return b.delivery(
        pick_up=b.place(b.KITCHEN, district=kitchen), drop_off=b.place(district=home, **changes)
    )


def cross(on: Atlas, of: Delivery | None = None, **changes: Any) -> Verdict:
    return b.clear(on=on, of=of or over(), with_fleet=changes.pop("with_fleet", EVERYWHERE), **changes)


def test_a_closed_crossing_stops_both_ways_and_nobody_who_stays_on_his_side() -> None:
    closed = b.crossing("closed")
    for kitchen, home, is_stopped in (
        (b.PUDONG, b.HUANGPU, True),
        (b.HUANGPU, b.PUDONG, True),
        (b.XUHUI, b.HUANGPU, False),
        (b.PUDONG, b.PUDONG, False),
        ("310112", b.HUANGPU, False),  # no side is named for it
    ):
        verdict = cross(river(closed, policies=[CLOSED], kitchen=kitchen, home=home), over(kitchen, home))
        assert verdict.reasons == ((R.CROSSING_CLOSED,) if is_stopped else ()), (kitchen, home)


def test_what_crosses_is_told_by_the_district_and_never_by_the_point() -> None:
    """Minhang's Pujiang lies across the river and belongs to the west; a point may lie anywhere."""
    on = river(b.crossing("closed"), policies=[CLOSED], kitchen=b.HUANGPU)
    far_east = b.delivery(pick_up=b.place(b.KITCHEN), drop_off=b.place(lng=121.9))
    assert cross(on, far_east).reasons == ()


def test_the_crossing_stands_in_the_evidence_of_a_yes() -> None:
    verdict = cross(river(b.crossing()))
    assert verdict.decision is Decision.YES
    assert "crossing-precautionary" in verdict.zone_ids
    assert "crossing-precautionary" not in (verdict.client_zones or ())


def test_a_crossing_that_says_nothing_of_hand_overs_is_open() -> None:
    verdict = cross(river(b.crossing("quiet"), policies=[b.silent("quiet")]))
    assert verdict.decision is Decision.YES and verdict.handovers == tuple(Handover)


def test_a_crossing_bears_on_items_tests_lists_and_curfews_as_an_end_does() -> None:
    def said(**policy: Any) -> tuple[Reason, ...]:
        return cross(river(b.crossing("line"), policies=[b.silent("line", **policy)])).reasons

    assert said(items_denied=frozenset({ItemClass.CHILLED})) == (R.ITEM_NOT_ALLOWED,)
    assert said(requirements=({"kind": "antigen", "max_age_hours": 12},)) == (R.CREDENTIAL_MISSING,)
    assert said(companies=frozenset({"whitelist"})) == (R.COMPANY_UNLISTED,)
    assert said(curfews=(night("12:00", "17:00"),)) == (R.CURFEW,)
    assert said(curfews=(night("18:00", "05:00"),)) == ()


def test_nobody_sets_out_into_a_crossing_that_is_shut_nor_stays_behind_one() -> None:
    on = river(b.crossing("line"), policies=[b.silent("line", curfews=(night("22:00", "13:00"),))])
    verdict = cross(on)
    assert (verdict.start, verdict.hand_over_from) == (b.NOON + b.hours(1), b.NOON + b.hours(2))
    on = river(b.crossing("line"), policies=[b.silent("line", curfews=(night("15:00", "22:00"),))])
    verdict = cross(on)
    assert (verdict.hand_over_by, verdict.end) == (b.NOON + b.hours(2.5), b.NOON + b.hours(3))


def test_a_gift_on_its_way_still_has_to_cross_and_one_that_was_handed_over_has() -> None:
    from tests.domain.test_clearance import done

    on = river(b.crossing("closed", valid_from=b.NOON), policies=[CLOSED])
    assert cross(on, phase=Phase.CARRIED).reasons == (R.CROSSING_CLOSED,)
    handed_over = done(0, Phase.CARRIED, on=on, with_fleet=EVERYWHERE, of=over())
    assert handed_over.decision is Decision.YES


def test_a_crossing_closes_and_opens_at_the_instant() -> None:
    out = b.NOON + b.hours(4.5)
    for change, is_stopped in (
        ({"valid_from": out}, False),
        ({"valid_from": out - b.minutes(1)}, True),
        ({"valid_to": b.NOON}, False),
        ({"valid_to": b.NOON + b.minutes(1)}, True),
        ({"known_since": b.NOON + b.minutes(1)}, False),
    ):
        verdict = cross(river(b.crossing("closed", **change), policies=[CLOSED]))
        assert verdict.reasons == ((R.CROSSING_CLOSED,) if is_stopped else ()), change


# --- a district on both sides -----------------------------------------------------------------------------------

MINHANG = "310112"
SIDES = ([b.HUANGPU, MINHANG], [b.PUDONG, f"{MINHANG}/浦江镇"])


@pytest.mark.parametrize(
    ("stated", "reasons"),
    [
        ({"street": "浦江镇"}, (R.CROSSING_CLOSED,)),
        ({"street": "莘庄镇"}, ()),
        ({"street": None, "line": "上海市闵行区浦江镇联航路1188弄"}, (R.CROSSING_CLOSED,)),
        ({"street": None, "line": "上海市闵行区联航路1188弄"}, (R.ADDRESS_DOUBTFUL,)),
    ],
)
def test_a_town_across_the_river_is_on_its_own_side_and_who_states_no_town_may_be_there(
    stated: dict[str, Any], reasons: tuple[Reason, ...]
) -> None:
    on = river(b.crossing("closed", sides=SIDES), policies=[CLOSED], kitchen=b.HUANGPU, home=MINHANG)
    assert cross(on, over(b.HUANGPU, MINHANG, **stated)).reasons == reasons


def test_who_may_live_across_needs_the_permit_of_who_does() -> None:
    on = river(b.crossing(sides=SIDES), kitchen=b.HUANGPU, home=MINHANG)
    west = b.fleet(permits=[b.permit(districts=[b.HUANGPU, MINHANG])])
    assert cross(on, over(b.HUANGPU, MINHANG), with_fleet=west).reasons == (R.PERMIT_SCOPE,)
    assert cross(on, over(b.HUANGPU, MINHANG, street="莘庄镇"), with_fleet=west).reasons == ()


def test_two_crossings_on_one_way_both_speak() -> None:
    line = b.crossing("closed", name="District line", sides=([b.HUANGPU], [b.PUDONG, b.XUHUI]))
    on = river(b.crossing(), line, policies=[CLOSED])
    verdict = cross(on)
    assert verdict.reasons == (R.CROSSING_CLOSED,)
    both = river(b.crossing(), line.model_copy(update={"policy_id": "precautionary"}))
    assert cross(both).reasons == (R.PERMIT_SCOPE,)  # the permit names the river only


# --- shapes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "said"),
    [
        ({"crossing": "River"}, "named by crossing and sides"),
        ({"crossing": "River", "sides": [["a"], ["b"]], "district": "a"}, "named by crossing and sides"),
        ({"crossing": "River", "sides": [["黄浦区"], ["黄浦"]]}, "on one side of a crossing"),
        ({"crossing": "River", "sides": [["a"], []]}, "at least 1"),
    ],
)
def test_a_crossing_has_a_name_and_two_sides_that_share_nothing(unit: Any, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        NamedUnit.model_validate({"kind": "crossing", **unit})


@pytest.mark.parametrize(
    ("unit", "said"),
    [
        ({"kind": "address", "district": "黄浦"}, "an address is named by district and address"),
        ({"kind": "building", "district": "黄浦", "building": "3"}, "district, compound and building"),
        ({"kind": "district", "address": "永嘉路580弄"}, "a district is named by district"),
    ],
)
def test_a_unit_is_named_by_just_what_its_kind_needs(unit: Any, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        NamedUnit.model_validate(unit)


def test_a_crossing_comes_out_of_a_snapshot_as_it_went_in() -> None:
    closed = b.crossing("closed", sides=SIDES)
    content = Content(
        market_id="SHA",
        time_zone="Asia/Shanghai",
        datum=Datum.GCJ02,
        stale_after_hours=36,
        policies=(CLOSED, b.policy()),
        zones=(closed, b.zone(b.KITCHEN), b.zone(district=MINHANG)),
    )
    packed = pack(content)
    sheets = [unpack_zones(chunk, name) for name, chunk in packed.chunks.items()]
    rules = b.rules(()).model_copy(
        update={
            "zones": content_of(unpack_manifest(packed.manifest, packed.digest), sheets).zones,
            "policies": content.policies,
        }
    )
    across = over(b.HUANGPU, MINHANG, street="浦江镇")
    assert cross(Atlas(rules), across).reasons == (R.CROSSING_CLOSED,)
    assert closed in list(rules.zones)


def test_a_crossing_is_the_same_however_its_sides_are_listed() -> None:
    one = b.crossing(sides=(["b", "a", "c"], ["d"]))
    other = b.crossing(sides=(["c", "a", "b", "a"], ["d"]))
    assert one == other
    assert one.model_dump_json() == other.model_dump_json()
