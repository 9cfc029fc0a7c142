"""Which permits cover an errand: where, which way, over what, for whom, when, and how often."""

from __future__ import annotations

from datetime import time
from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.domain.clearance import Clearer
from chalicelib.domain.fleet import DailyHours, Permit
from chalicelib.domain.permits import Errand, Passes
from chalicelib.domain.places import district_key
from chalicelib.domain.verdicts import Decision, Phase, Reason, Verdict
from tests import builders as b

R = Reason
ACROSS = b.delivery(pick_up=b.place(b.KITCHEN, district=b.PUDONG))
"""Fetched in Pudong, handed over in Huangpu."""
RIVER = b.atlas([b.zone(b.KITCHEN, district=b.PUDONG), b.zone(), b.crossing()])


def verdict(*permits: Permit, uses_left: dict[str, int] | None = None, **changes: Any) -> Verdict:
    fleet = b.fleet(permits=permits).model_copy(update={"uses_left": uses_left or {}})
    return b.clear(with_fleet=fleet, **changes)


def reasons(*permits: Permit, **changes: Any) -> tuple[Reason, ...]:
    return verdict(*permits, **changes).reasons


def hours(start: str, end: str) -> dict[str, Any]:
    return DailyHours(start_local=time.fromisoformat(start), end_local=time.fromisoformat(end)).model_dump()


# --- where ----------------------------------------------------------------------------------------------------


def test_what_is_remembered_of_an_errand_is_not_said_of_the_next_one_that_is_made() -> None:
    passes = Passes(b.fleet(permits=[b.permit()]), "Asia/Shanghai")

    def covered(destination: str) -> bool:
        # nobody keeps the errand: the next one may come to lie where it lay
        errand = Errand(
            district_key(b.HUANGPU),
            district_key(destination),
            False,
            frozenset({"z"}),
            frozenset(),
            frozenset(),
        )
        return bool(passes.cover(b.crew(), errand, b.NOON, b.NOON + b.hours(1))[0])

    said = [covered(destination) for _ in range(20) for destination in (b.HUANGPU, b.XUHUI)]
    assert said == [True, False] * 20


def test_a_permit_for_zones_names_every_zone_that_asks_for_one() -> None:
    kitchen, home = b.zone(b.KITCHEN).zone_id, b.zone().zone_id
    assert reasons(b.permit(districts=None, zones=[kitchen, home])) == ()
    assert reasons(b.permit(districts=None, zones=[home])) == (R.PERMIT_SCOPE,)
    silent = b.silent("soft", handovers=frozenset({"door"}))
    on = b.atlas([b.zone(b.KITCHEN, policy_id="soft"), b.zone()], [silent])
    assert reasons(b.permit(districts=None, zones=[home]), on=on) == ()  # the kitchen's asks for none


def test_a_permit_that_names_districts_and_zones_means_both() -> None:
    zones = [b.zone(b.KITCHEN).zone_id, b.zone().zone_id]
    assert reasons(b.permit(zones=zones)) == ()
    assert reasons(b.permit(zones=zones, districts=[b.XUHUI])) == (R.PERMIT_SCOPE,)
    assert reasons(b.permit(zones=zones[:1])) == (R.PERMIT_SCOPE,)


def test_a_permit_for_a_route_is_for_exactly_that_way() -> None:
    def on_route(origin: str, destination: str) -> Permit:
        return b.permit(districts=None, route={"origin": origin, "destination": destination})

    on = b.atlas([b.zone(b.KITCHEN, district=b.PUDONG), b.zone()])
    assert reasons(on_route(b.PUDONG, b.HUANGPU), of=ACROSS, on=on) == ()
    assert reasons(on_route(b.HUANGPU, b.PUDONG), of=ACROSS, on=on) == (R.PERMIT_SCOPE,)
    assert reasons(on_route(b.PUDONG, b.XUHUI), of=ACROSS, on=on) == (R.PERMIT_SCOPE,)
    # once it is carried, too: the way is still the same one
    assert reasons(on_route(b.HUANGPU, b.HUANGPU), of=ACROSS, on=on, phase=Phase.CARRIED) == (R.PERMIT_SCOPE,)


def test_what_may_be_carried_under_a_permit_is_all_of_the_gift() -> None:
    food = b.permit(item_classes=["chilled", "hot_meal"])
    assert reasons(food) == ()
    wine = b.delivery(gift=b.gift(b.item("chilled"), b.item("alcohol")))
    assert reasons(food, of=wine) == (R.PERMIT_SCOPE,)


# --- crossings ------------------------------------------------------------------------------------------------


def test_a_crossing_that_asks_for_a_permit_is_passed_only_with_one_that_names_it() -> None:
    assert reasons(b.permit(districts="all"), of=ACROSS, on=RIVER) == (R.PERMIT_SCOPE,)
    named = b.permit(districts="all", crossings=["huangpu river"])  # another spelling of one name
    assert reasons(named, of=ACROSS, on=RIVER) == ()
    assert reasons(b.permit(districts="all")) == ()  # nothing is crossed


def test_a_pass_for_the_crossing_may_be_another_one_than_that_for_the_ends() -> None:
    ends, over = (
        b.permit("ends", districts="all"),
        b.permit("over", districts=None, crossings=["Huangpu River"]),
    )
    both = verdict(ends, over, of=ACROSS, on=RIVER)
    assert both.decision is Decision.YES
    assert set(both.permit_ids) == {"ends", "over"}
    assert reasons(over, of=ACROSS, on=RIVER) == (R.PERMIT_MISSING,)
    short = b.permit("over", districts=None, crossings=["Huangpu River"], valid=b.window(-24, 4))
    assert reasons(ends, short, of=ACROSS, on=RIVER) == (R.PERMIT_SCOPE, R.PERMIT_TIME)


def test_a_pass_for_one_bank_only_lets_nobody_across() -> None:
    west = b.permit(districts=[b.HUANGPU, b.XUHUI], crossings=["Huangpu River"])
    assert R.PERMIT_SCOPE in reasons(west, of=ACROSS, on=RIVER)


# --- for whom -------------------------------------------------------------------------------------------------


def test_a_permit_is_bound_to_a_vehicle_to_people_or_to_both() -> None:
    assert reasons(b.permit(plate=None, crew_id="crew-1")) == ()
    assert reasons(b.permit(crew_id="crew-1")) == ()
    assert reasons(b.permit(crew_id="crew-2")) == (R.PERMIT_VEHICLE,)
    assert reasons(b.permit(plate="沪A00000", crew_id="crew-1")) == (R.PERMIT_VEHICLE,)
    assert reasons(b.permit(plate=None, crew_id="crew-2")) == (R.PERMIT_MISSING,)
    assert reasons(b.permit(plate="沪A00000")) == (R.PERMIT_MISSING,)


def test_any_one_permit_that_covers_is_enough_and_halves_do_not_add_up() -> None:
    early, late = b.permit("early", valid=b.window(-24, 3)), b.permit("late", valid=b.window(3, 48))
    assert reasons(early, late) == (R.PERMIT_TIME,)
    assert verdict(early, late, b.permit("whole")).permit_ids == ("whole",)
    here, there = b.permit("here", districts=[b.PUDONG]), b.permit("there", districts=[b.HUANGPU])
    on = b.atlas([b.zone(b.KITCHEN, district=b.PUDONG), b.zone()])
    assert reasons(here, there, of=ACROSS, on=on) == (R.PERMIT_SCOPE,)


# --- when -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "is_covered"),
    [
        ("12:00", "16:30", True),
        ("12:00", "16:29", False),  # the way back
        ("12:01", "18:00", False),
        ("00:00", "00:00", True),
        ("22:00", "18:00", True),  # across midnight
        ("18:00", "12:00", False),
        ("16:30", "12:00", False),
    ],
)
def test_daily_hours_cover_the_stay_and_the_way_back_on_the_markets_clock(
    start: str, end: str, is_covered: bool
) -> None:
    assert reasons(b.permit(daily_hours=hours(start, end))) == (() if is_covered else (R.PERMIT_TIME,))


def test_a_stay_over_midnight_needs_hours_that_last_over_midnight() -> None:
    night = {"of": b.delivery(window=b.window(11, 13)), "by": b.slot(window=b.window(10, 14))}
    assert reasons(b.permit(daily_hours=hours("20:00", "06:00")), **night) == ()
    assert reasons(b.permit(daily_hours=hours("06:00", "00:00")), **night) == (R.PERMIT_TIME,)


# --- how often ------------------------------------------------------------------------------------------------

ONCE = b.permit(single_use=True)


def test_a_permit_for_a_single_use_is_good_while_its_use_is_left() -> None:
    assert verdict(ONCE).permit_ids == ("permit-1",)
    assert reasons(ONCE, uses_left={"permit-1": 0}) == (R.PERMIT_USED,)


def test_a_use_is_not_spent_where_a_permit_covers_that_has_no_count() -> None:
    lasting = b.permit("lasting", valid=b.window(-24, 5))
    assert verdict(ONCE, lasting).permit_ids == ("lasting",)


def test_a_use_belongs_to_the_order_that_holds_it_and_to_no_other_later_on() -> None:
    fleet = b.fleet(permits=[ONCE]).model_copy(update={"uses_left": {"permit-1": 0}})
    clearer = Clearer(b.atlas(), fleet, b.NOON)
    for phase in (Phase.GIVEN, Phase.CARRIED):
        assert clearer.clear(b.delivery(), b.slot(), phase=phase, held=["permit-1"]).permit_ids == (
            "permit-1",
        )
        assert clearer.clear(b.delivery(), b.slot(), phase=phase).reasons == (R.PERMIT_USED,)


def test_the_permit_that_is_held_is_kept_while_it_covers() -> None:
    fleet = b.fleet(permits=[ONCE, b.permit("other")])
    given = Clearer(b.atlas(), fleet, b.NOON).clear(b.delivery(), b.slot(), held=["permit-1"])
    assert given.permit_ids == ("permit-1",)


# --- shapes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"plate": None}, "bound to a plate, to a crew, or to both"),
        ({"districts": None}, "districts, zones, a route or crossings"),
        ({"item_classes": []}, "at least 1"),
        ({"daily_hours": {"start_local": "08:00+08:00", "end_local": "20:00"}}, "no offset"),
    ],
)
def test_a_permit_for_nobody_for_nowhere_or_for_nothing_is_refused(
    changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        b.permit(**changes)
