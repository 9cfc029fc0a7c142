"""A visit: whoever stays with the client has to be let in until the team is out again; and where its pieces are."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.domain.appointments import (
    DAILY,
    MOST_NAGS,
    Appointment,
    NewPiece,
    PieceState,
    parcel,
    planned,
)
from chalicelib.domain.clearance import Clearer
from chalicelib.domain.gifts import ItemClass
from chalicelib.domain.policies import Handover
from chalicelib.domain.verdicts import Decision, Phase, Reason
from tests import builders as b
from tests.builders import NOON, hours, minutes

TEAM = {"visits": True, "capacity": 1}


def visit(length: int = 90, **changes: Any) -> Any:
    return b.delivery(visit_minutes=length, **changes)


def piece(
    serial: str = "A1", item_class: str = "fashion", amount: int = 100_000, currency: str = "EUR"
) -> NewPiece:
    return NewPiece.model_validate(
        {
            "serial": serial,
            "name": "Coat",
            "item_class": item_class,
            "value": {"amount": amount, "currency": currency},
        }
    )


# --- clearance --------------------------------------------------------------------------------------------------


def test_the_stay_of_a_visit_lasts_until_the_team_that_arrived_last_is_out_again() -> None:
    short, long = b.clear(of=visit(30), by=b.slot(**TEAM)), b.clear(of=visit(60), by=b.slot(**TEAM))
    assert short.decision is long.decision is Decision.YES
    assert short.hand_over_by == long.hand_over_by == NOON + hours(4)
    assert (short.end, long.end) == (NOON + hours(5), NOON + hours(5.5))


def test_a_team_arrives_so_early_that_the_visit_is_over_when_its_hours_are() -> None:
    verdict = b.clear(of=visit(150), by=b.slot(**TEAM))
    assert (verdict.hand_over_by, verdict.end) == (NOON + hours(2.5), NOON + hours(5.5))
    assert b.clear(of=visit(240), by=b.slot(**TEAM)).reasons == (Reason.WINDOW,)


def test_a_permit_that_would_do_for_a_parcel_is_too_short_for_a_visit() -> None:
    ends_at_five = b.fleet(permits=[b.permit(valid=b.window(-24, 5))], slots=[b.slot(**TEAM)])
    assert b.clear(with_fleet=ends_at_five).decision is Decision.YES
    assert Reason.PERMIT_TIME in b.clear(of=visit(60), by=b.slot(**TEAM), with_fleet=ends_at_five).reasons


def test_a_test_has_to_be_good_until_the_team_is_out() -> None:
    crew = b.crew(credentials=[b.credential("pcr", "negative", -42.75)])  # 48 hours: until 17:15
    for length, expected in ((30, ()), (60, (Reason.CREDENTIAL_EXPIRES,))):
        assert (
            b.clear(of=visit(length), by=b.slot(**TEAM), with_fleet=b.fleet(crews=[crew])).reasons == expected
        )


def test_nobody_is_still_at_a_clients_when_a_curfew_begins() -> None:
    curfew = {"start_local": "16:00", "end_local": "20:00"}  # four hours after noon there
    on = b.atlas(None, [b.policy(curfews=[curfew])])
    parcel_, stays = b.clear(on=on), b.clear(of=visit(60), by=b.slot(**TEAM), on=on)
    assert parcel_.hand_over_by == NOON + hours(3.5)
    assert stays.hand_over_by == NOON + hours(2.5)
    assert b.clear(of=visit(150), by=b.slot(**TEAM), on=on).reasons == (Reason.CURFEW,)


def test_nobody_is_visited_at_a_gate() -> None:
    on = b.atlas(None, [b.policy(handovers=["gate"])])
    assert b.clear(on=on).decision is Decision.YES
    assert b.clear(of=visit(), by=b.slot(**TEAM), on=on).reasons == (Reason.SIGNATURE_CONFLICT,)
    assert b.clear(of=visit(), by=b.slot(**TEAM)).handovers == (Handover.DOOR,)


def test_a_team_takes_appointments_and_a_courier_takes_parcels() -> None:
    assert b.clear(of=visit()).reasons == (Reason.NOT_CARRIED,)
    assert b.clear(by=b.slot(**TEAM)).reasons == (Reason.NOT_CARRIED,)


def test_a_team_that_is_at_the_clients_is_held_to_the_end_of_the_visit_and_no_longer() -> None:
    fleet = b.fleet(slots=[b.slot(**TEAM)])
    clearer = Clearer(b.atlas(), fleet, NOON + hours(4))
    under_way = visit(60, window=b.window(4, 4.75))
    carried = clearer.clear(under_way, b.slot(**TEAM, window=b.window(4, 4.75)), phase=Phase.CARRIED)
    given = clearer.clear(under_way, b.slot(**TEAM, window=b.window(4, 4.75)), phase=Phase.GIVEN)
    assert (carried.end, given.end) == (NOON + hours(5.25), NOON + hours(6.25))


def test_a_team_is_with_one_client_at_a_time() -> None:
    with pytest.raises(ValidationError, match="one client at a time"):
        b.slot(visits=True, capacity=2)


# --- the manifest -----------------------------------------------------------------------------------------------


def made(*serials: str) -> Appointment:
    return planned(60, [piece(serial) for serial in serials or ("A1", "A2")])


def test_what_nobody_has_counted_is_out_once_the_team_has_left() -> None:
    assert made().on_loan(has_left=False) == ()
    assert [one.serial for one in made().on_loan(has_left=True)] == ["A1", "A2"]
    kept = made().recorded([("A1", PieceState.BACK)], NOON)
    assert [one.serial for one in kept.on_loan(has_left=True)] == ["A2"]


def test_a_visit_is_settled_when_the_last_piece_is_sold_or_back() -> None:
    first = made().recorded([("A1", PieceState.SOLD)], NOON)
    assert first.settled_at(has_left=True) is None
    then = first.recorded([("A1", PieceState.SOLD), ("A2", PieceState.BACK)], NOON + minutes(9))
    assert then.settled_at(has_left=True) == NOON + minutes(9)
    assert then.pieces[0].since == NOON, "the same word again is no news"


def test_reminders_come_less_often_and_come_to_an_end() -> None:
    found = []
    for nags in range(MOST_NAGS + 1):
        at = made().model_copy(update={"nags": nags}).next_nag(NOON)
        found.append(None if at is None else at - NOON)
    assert found[:4] == [hours(2), hours(10), hours(12), DAILY] and found[-2:] == [DAILY, None]


def test_two_pieces_of_one_serial_number_are_refused_and_named() -> None:
    with pytest.raises(ValueError, match=r"\['A1'\] more than once"):
        made("A1", "A2", "A1")


def test_the_parcel_has_a_line_for_each_kind_and_is_worth_all_of_it() -> None:
    gift = parcel([piece("A"), piece("B"), piece("C", "high_value", 30_000_000)])
    assert [(line.name, line.item_class) for line in gift.items] == [
        ("2 on loan", ItemClass.FASHION),
        ("1 on loan", ItemClass.HIGH_VALUE),
    ]
    assert gift.value.amount == 30_200_000


@pytest.mark.parametrize("other", ["fashion", "high_value"])
def test_pieces_in_two_currencies_are_refused(other: str) -> None:
    with pytest.raises(ValueError, match="share one currency"):
        parcel([piece("A"), piece("B", other, currency="CHF")])
