"""What couriers say at a gate is evidence of a closure that nobody has announced."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain import facts
from chalicelib.domain.errors import Missing
from chalicelib.domain.evidence import Evidence
from chalicelib.domain.legs import BookingState
from chalicelib.domain.orders import OrderState
from chalicelib.domain.suspicion import WITHIN, suspicion_id_of
from chalicelib.domain.verdicts import Decision, Reason
from chalicelib.flows import look, receive, suspect
from chalicelib.flows.place import place
from tests.stage import Stage, new_order, stage, zone
from tests.stage import publish_rules as publish

CLOSED = "cannot_access_location"


def put(on: Stage, key: str, compound: str = "Yongjia") -> str:
    order, _ = place(on.world, "maison", key, new_order(compound))
    on.settle()
    return order.order_id


def turned_away(on: Stage, name: str, reason: str = CLOSED) -> None:
    """The gift was fetched, nobody let the courier in, and it brings it back."""
    (reference,) = [b.reference for b in on.order(name).leg.bookings if b.is_live]
    on.clock.forward(minutes=1)
    for kind, why in (("picked_up", ""), ("returning", reason)):
        on.clock.forward(minutes=1)
        said = on.company.move(reference, kind, on.clock(), reason=why)
        receive.receive(on.world, "SHA", "paper-co", said)
        on.settle()


def wide() -> Stage:
    return stage(capacity=9)


def test_one_courier_at_one_gate_is_noted_and_stops_nothing() -> None:
    on = wide()
    turned_away(on, put(on, "key-1"))
    (suspicion,) = suspect.suspicions(on.world, "SHA")
    assert (suspicion.district, suspicion.compound) == ("310101", "Yongjia")
    assert [report.reason for report in suspicion.reports] == [CLOSED]
    assert on.order(put(on, "key-2")).state is OrderState.BOOKED


def test_two_gifts_that_could_not_get_in_hold_what_goes_there_and_nothing_else() -> None:
    on = wide()
    publish(on.world, "amend", zone("Elsewhere"))
    first, second = put(on, "key-1"), put(on, "key-2")
    turned_away(on, first)
    turned_away(on, second)
    held = on.order(put(on, "key-3"))
    assert held.state is OrderState.HELD
    assert held.outlook is not None
    assert (held.outlook.decision, held.outlook.reasons) == (Decision.HOLD, (Reason.CLOSURE_SUSPECTED,))
    last = Evidence.model_validate_json(on.plain.table.read(held.order_id, "evidence#").rows[-1].body)
    assert last.reasons == (Reason.CLOSURE_SUSPECTED,)
    assert look.clearance(on.world, new_order()).reasons == (Reason.CLOSURE_SUSPECTED,)
    assert on.order(put(on, "key-4", "Elsewhere")).state is OrderState.BOOKED


def test_an_operator_who_has_looked_takes_it_back_and_the_gifts_go() -> None:
    on = wide()
    for key in ("key-1", "key-2"):
        turned_away(on, put(on, key))
    name = put(on, "key-3")
    (suspicion,) = suspect.suspicions(on.world, "SHA")
    suspect.dismiss(on.world, "SHA", suspicion.suspicion_id)
    on.settle()
    assert on.order(name).state is OrderState.BOOKED
    assert suspect.suspicions(on.world, "SHA") == []
    suspect.dismiss(on.world, "SHA", suspicion.suspicion_id)
    with pytest.raises(Missing, match="'nowhere'"):
        suspect.dismiss(on.world, "SHA", "nowhere")


def test_what_is_reported_after_somebody_looked_counts_anew() -> None:
    on = wide()
    name = put(on, "key-1")
    suspect.suspect(on.world, on.order(name), "paper-co", CLOSED)
    (suspicion,) = suspect.suspicions(on.world, "SHA")
    suspect.dismiss(on.world, "SHA", suspicion.suspicion_id)
    suspect.suspect(on.world, on.order(name), "other-co", CLOSED)
    (anew,) = suspect.suspicions(on.world, "SHA")
    assert [report.courier_id for report in anew.reports] == ["other-co"]
    assert not anew.holds(on.clock())


def test_a_day_later_it_counts_no_more() -> None:
    on = wide()
    for key in ("key-1", "key-2"):
        turned_away(on, put(on, key))
    (suspicion,) = suspect.suspicions(on.world, "SHA")
    assert suspicion.holds(on.clock())
    later = max(report.at for report in suspicion.reports) + WITHIN
    assert suspicion.holds(suspicion.reports[0].at + WITHIN - timedelta(seconds=1))
    assert not suspicion.holds(later)
    assert suspicion.live(later) == ()


def test_a_gift_that_is_turned_away_again_the_next_day_is_reported_again() -> None:
    """The row may be there still: what lapses in DynamoDB is taken out within days, not at once."""
    on = wide()
    name, other = put(on, "key-1"), put(on, "key-2")
    suspect.suspect(on.world, on.order(name), "paper-co", CLOSED)
    on.clock.forward(hours=25)
    for gift in (name, other):
        suspect.suspect(on.world, on.order(gift), "paper-co", CLOSED)
    (suspicion,) = suspect.suspicions(on.world, "SHA")
    assert {report.order_id for report in suspicion.live(on.clock())} == {name, other}
    assert suspicion.holds(on.clock())


def test_a_refusal_of_the_booking_for_that_place_is_a_report_too() -> None:
    on = wide()
    on.company.refuse["book"] = "closed_area"
    put(on, "key-1")
    (suspicion,) = suspect.suspicions(on.world, "SHA")
    assert [report.reason for report in suspicion.reports] == ["closed_area"]


@pytest.mark.parametrize("reason", ["", "client_unavailable", "no_rider"])
def test_other_reasons_say_nothing_of_the_place(reason: str) -> None:
    on = wide()
    turned_away(on, put(on, "key-1"), reason)
    assert suspect.suspicions(on.world, "SHA") == []


def test_the_same_word_twice_is_one_report() -> None:
    on = wide()
    name = put(on, "key-1")
    for _ in range(3):
        suspect.suspect(on.world, on.order(name), "paper-co", CLOSED)
    assert len(suspect.suspicions(on.world, "SHA")[0].reports) == 1


def test_a_gift_that_was_given_a_slot_before_is_not_asked_for_again_once_its_place_is_suspected() -> None:
    on = wide()
    on.company.deaf.add("book")
    name = put(on, "key-1")
    for courier in ("one-co", "other-co"):
        suspect.suspect(on.world, on.order(name), courier, CLOSED)
    on.company.deaf.clear()
    on.minutes(5)
    order = on.order(name)
    assert (order.state, order.outlook and order.outlook.reasons) == (
        OrderState.HELD,
        (Reason.CLOSURE_SUSPECTED,),
    )
    assert [b.state for b in order.leg.bookings] == [BookingState.LOST]
    assert on.company.jobs == {}
    assert on.left() == 9


def test_of_sixteen_reports_at_once_none_is_lost() -> None:
    on = wide()
    names = [put(on, f"key-{number}") for number in range(4)]
    orders = [on.order(name) for name in names]

    def report(number: int) -> None:
        for _ in range(20):
            try:
                suspect.suspect(on.world, orders[number % 4], f"courier-{number // 4}", CLOSED)
            except Exception:  # noqa: S112, BLE001 - its message would come again
                continue
            return

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(report, range(16)))
    assert len(suspect.suspicions(on.world, "SHA")[0].reports) == 16


def test_nothing_personal_stands_in_its_key_and_no_more_than_the_place_in_it() -> None:
    on = wide()
    turned_away(on, put(on, "key-1"))
    rows: dict[Any, Any] = on.plain.table.rows  # type: ignore[attr-defined]
    (row,) = [row for key, row in rows.items() if key.sk.startswith("suspicion#")]
    assert "Yongjia" not in row.key.sk
    assert "Wang" not in row.body and "+86" not in row.body


def test_one_compound_however_it_is_spelt_is_one_place_and_an_address_without_one_is_none() -> None:
    address = new_order().recipient.place.address
    spelt = address.model_copy(update={"compound": " YONGJIA "})
    assert suspicion_id_of(address) == suspicion_id_of(spelt)
    assert suspicion_id_of(address.model_copy(update={"compound": None})) is None
    assert facts.suspicion_key("SHA", str(suspicion_id_of(address))).pk == "fleet#SHA"


def test_once_somebody_has_looked_one_courier_alone_closes_a_place_no_more() -> None:
    on = wide()
    names = [put(on, f"key-{number}") for number in range(3)]
    for name in names[:2]:
        suspect.suspect(on.world, on.order(name), "paper-co", CLOSED)
    (suspicion,) = suspect.suspicions(on.world, "SHA")
    assert suspicion.holds(on.clock())
    suspect.dismiss(on.world, "SHA", suspicion.suspicion_id)
    for name in names:
        suspect.suspect(on.world, on.order(name), "paper-co", CLOSED)
    (anew,) = suspect.suspicions(on.world, "SHA")
    assert len(anew.live(on.clock())) == 3
    assert not anew.holds(on.clock())
    suspect.suspect(on.world, on.order(names[0]), "other-co", CLOSED)
    (both,) = suspect.suspicions(on.world, "SHA")
    assert both.holds(on.clock())
