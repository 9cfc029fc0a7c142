"""The order: its id and fingerprint, what is refused at the door, the state read off it, what is owed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from chalicelib.domain.due import due_at, in_pool, is_over
from chalicelib.domain.legs import Assignment, Booking, BookingState, EventKind, Leg
from chalicelib.domain.orders import (
    ENDED,
    Moved,
    NewOrder,
    Order,
    OrderState,
    Outlook,
    Tier,
    TierName,
    fingerprint_of,
    order_id_of,
)
from chalicelib.domain.policies import Handover
from chalicelib.domain.steps import moved, placed, state_of
from chalicelib.domain.verdicts import Decision
from tests import builders as b
from tests.domain.test_legs import booking

S, K, B = OrderState, EventKind, BookingState
LATER = b.NOON + b.hours(2)


def order(**changes: Any) -> Order:
    return placed(b.new_order(), "maison", "key-1", b.market(), b.NOON).model_copy(update=changes)


def assignment(handover: Handover = Handover.DOOR) -> Assignment:
    return Assignment(
        slot_id="slot-1",
        courier_id="sf",
        crew_id="crew-1",
        start=b.NOON,
        hand_over_from=b.NOON,
        hand_over_by=LATER - b.minutes(30),
        end=LATER,
        valid_until=LATER,
        handovers=(handover,),
        rules_version=1,
        assigned_at=b.NOON,
    )


def leg(*bookings: Booking, handover: Handover | None = Handover.DOOR) -> Leg:
    return Leg(assignment=assignment(handover) if handover else None, bookings=bookings)


def outlook(next_look: bool) -> Outlook:
    return Outlook(
        decision=Decision.NO, reasons=(), decided_at=b.NOON, next_look=LATER if next_look else None, digest=""
    )


# --- names ----------------------------------------------------------------------------------------------------


@given(st.text(), st.text())
def test_an_order_id_follows_from_brand_and_key_and_is_safe_in_a_url(brand: str, key: str) -> None:
    name = order_id_of(brand, key)
    assert name == order_id_of(brand, key)
    assert len(name) == 30 and name.startswith("ord_")
    assert set(name[4:]) <= set("abcdefghijklmnopqrstuvwxyz234567")
    assert name != order_id_of(brand, key + "x") and name != order_id_of(brand + "x", key)


def test_the_id_says_nothing_of_the_body_and_the_fingerprint_everything() -> None:
    one, other = b.new_order(), b.new_order(reference="EASTER-0002")
    assert fingerprint_of("key", one) == fingerprint_of("key", b.new_order())
    assert fingerprint_of("key", one) != fingerprint_of("key", other)
    assert fingerprint_of("key", one) != fingerprint_of("another", one)
    at = [placed(new, "maison", "key", b.market(), b.NOON) for new in (one, other)]
    assert at[0].order_id == at[1].order_id and at[0].fingerprint != at[1].fingerprint


def test_a_body_without_fields_that_came_later_has_the_fingerprint_that_it_always_had() -> None:
    """Else a request that is repeated across an update would be refused as another body."""
    assert fingerprint_of("key", b.new_order()) == "3494da4b6aeb694fb89b9f55be1427e5"
    told = b.new_order(together={"group": "SET-7", "gifts": 2})
    assert fingerprint_of("key", told) != fingerprint_of("key", b.new_order())


def test_the_same_moment_in_another_offset_is_the_same_body() -> None:
    window = {
        "start": "2022-04-11T13:00:00+08:00",
        "end": "2022-04-11T10:00:00+02:00",
        "time_zone": "Asia/Shanghai",
    }
    assert fingerprint_of("key", b.new_order(window=window)) == fingerprint_of("key", b.new_order())


def test_an_order_as_placed_holds_nothing_that_says_who_the_client_is() -> None:
    kept = order().model_dump_json()
    assert not any(secret in kept for secret in ("Wang", "Baoxian", "+86138", b.HOME))
    assert order().state is S.PLACED


# --- tiers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gold", "GOLD", "Gold"])
def test_a_tier_is_named_and_read_back(name: str) -> None:
    tiers = TypeAdapter(TierName)
    assert tiers.validate_python(name) is Tier.GOLD
    assert tiers.dump_json(tiers.validate_json(json.dumps(name))) == b'"gold"'


@pytest.mark.parametrize(
    "junk",
    [
        *("", "gilded", "gold ", 0, 3, 6, 2.5, None, [], "__class__", True, "3"),
    ],
)
def test_a_tier_that_is_none_is_refused(junk: object) -> None:
    with pytest.raises(ValidationError):
        b.new_order(tier=junk)


def test_tiers_rank_strictly() -> None:
    assert sorted(Tier) == [Tier.STANDARD, Tier.SILVER, Tier.GOLD, Tier.PLATINUM, Tier.DIAMOND]


# --- bad input ------------------------------------------------------------------------------------------------


def changed(path: str, value: object) -> dict[str, Any]:
    body = b.order_body()
    *way, last = path.split("/")
    at: Any = body
    for step in way:
        at = at[int(step)] if step.isdigit() else at[step]
    at[last] = value
    return body


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("window/start", "2022-04-11T13:00:00"),
        ("window/start", "2022-04-11T17:00:00+08:00"),
        ("window/end", "2022-04-11T13:00:00+08:00"),
        ("window/end", "0001-01-01T00:00:00+14:00"),
        ("window/end", "9999-12-31T23:59:59-12:00"),
        ("window/time_zone", "Asia/Pudong"),
        ("window/time_zone", "../../etc/passwd"),
        ("recipient/place/coordinate/lat", 121.49),
        ("recipient/place/coordinate/lng", -181),
        ("recipient/place/coordinate/lat", "NaN"),
        ("recipient/place/coordinate/datum", "CGCS2000"),
        ("recipient/place/coordinate/precision_m", -1),
        ("recipient/place/match_quality", "sure"),
        ("recipient/phone", "13800138000"),
        ("recipient/nickname", "Xiao Wang"),
        ("recipient/place/address/zip", "200001"),
        ("gift/items/0/value/amount", -1),
        ("gift/items/0/value/amount", 880.5),
        ("gift/items/0/value/currency", "yuan"),
        ("gift/items/0/quantity", 0),
        ("gift/items/0/item_class", "bribe"),
        ("gift/items/0/temperature", {"min_c": 8, "max_c": 0}),
        ("gift/items", []),
        ("market", "../SHA"),
        ("reference", "Wang Secretive, Yongjia"),
        ("fallback", "bribe"),
        ("note", "ring twice"),
    ],
)
def test_a_body_with_a_fault_is_refused_at_its_field(path: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        NewOrder.model_validate_json(json.dumps(changed(path, value)))
    place = "/".join(map(str, caught.value.errors()[0]["loc"]))
    assert path.startswith(place) and place  # a fault between two fields is told at what holds them


def test_a_gift_is_of_one_currency_and_its_sum_is_an_amount() -> None:
    for bad in (
        [b.item(), b.item(value={"amount": 1, "currency": "EUR"})],
        [b.item(value={"amount": 10**13, "currency": "CNY"}, quantity=2)],
    ):
        with pytest.raises(ValidationError):
            b.gift(*bad)
    assert b.gift(b.item(quantity=3), b.item("flowers")).value.amount == 4 * 88000


# --- states ---------------------------------------------------------------------------------------------------

STATES: list[tuple[OrderState, dict[str, Any]]] = [
    (S.PLACED, {}),
    (S.HELD, {"outlook": outlook(True)}),
    (S.STRANDED, {"outlook": outlook(False)}),
    (S.ASSIGNED, {"legs": (leg(),)}),
    (S.ASSIGNED, {"legs": (leg(booking(1, B.ATTEMPTED)),)}),
    (S.ASSIGNED, {"legs": (leg(booking(1, B.UNKNOWN)),)}),
    (S.ASSIGNED, {"legs": (leg(booking(1, B.LOST)),)}),
    (S.BOOKED, {"legs": (leg(booking(1, B.LOST), booking(2)),)}),
    (S.BOOKED, {"legs": (leg(booking(1, B.BOOKED, K.ACCEPTED, K.AT_PICK_UP)),)}),
    (S.BOOKED, {"legs": (leg(booking(1, B.CANCELLING)),), "cancel_asked_at": b.NOON}),
    (S.PICKED_UP, {"legs": (leg(booking(1, B.BOOKED, K.PICKED_UP)),)}),
    (S.PICKED_UP, {"legs": (leg(booking(1, B.CANCELLING, K.IN_TRANSIT)),), "cancel_asked_at": b.NOON}),
    (S.PICKED_UP, {"legs": (leg(booking(1, B.UNKNOWN, K.PICKED_UP)),)}),
    (S.DELIVERED, {"legs": (leg(booking(1, B.BOOKED, K.DELIVERED)),)}),
    (S.DELIVERED, {"legs": (leg(booking(1, B.BOOKED, K.DELIVERED), handover=Handover.LOBBY),)}),
    (S.AT_GATE, {"legs": (leg(booking(1, B.BOOKED, K.DELIVERED), handover=Handover.GATE),)}),
    (S.AT_GATE, {"legs": (leg(booking(1, B.BOOKED, K.DELIVERED), handover=Handover.SHELF),)}),
    (
        S.DELIVERED,
        {"legs": (leg(booking(1, B.BOOKED, K.DELIVERED), handover=Handover.GATE),), "received_at": LATER},
    ),
    (S.RETURNING, {"legs": (leg(booking(1, B.CANCELLING, K.PICKED_UP, K.RETURNING)),)}),
    (S.RETURNED, {"legs": (leg(booking(1, B.BOOKED, K.PICKED_UP, K.RETURNED)),)}),
    (S.RETURNED, {"legs": (leg(booking(1, B.BOOKED, K.RETURNED)),)}),
    (S.FAILED, {"legs": (leg(booking(1, B.BOOKED, K.PICKED_UP, K.FAILED)),)}),
    (S.HELD, {"legs": (leg(booking(1, B.CANCELLED), handover=None),), "outlook": outlook(True)}),
    (S.CANCELLED, {"cancel_asked_at": b.NOON}),
    (S.CANCELLED, {"legs": (leg(booking(1, B.CANCELLED), handover=None),), "cancel_asked_at": b.NOON}),
    (S.DELIVERED, {"legs": (leg(booking(1, B.CANCELLED, K.DELIVERED)),), "cancel_asked_at": b.NOON}),
]


@pytest.mark.parametrize(("state", "changes"), STATES)
def test_the_state_is_read_off_the_facts(state: OrderState, changes: dict[str, Any]) -> None:
    assert state_of(order(**changes)) is state


def test_a_step_makes_the_next_version_and_enters_a_state_once() -> None:
    first = order(told=True)
    held = moved(first, LATER, outlook=outlook(True))
    assert (held.state, held.version, held.told) == (S.HELD, 2, False)
    assert held.history[-1] == Moved(state=S.HELD, at=LATER) and len(held.history) == 2
    assert len(moved(held, LATER, evidence_count=1).history) == 2


@pytest.mark.parametrize(("state", "changes"), STATES)
@pytest.mark.parametrize("told", [True, False])
def test_something_is_owed_until_all_is_over_and_told(
    state: OrderState, changes: dict[str, Any], told: bool
) -> None:
    now = moved(order(), LATER, **changes).model_copy(update={"told": told})
    due = due_at(now)
    if due is None:
        assert told and is_over(now)
    assert (due is None) is (told and is_over(now))
    if in_pool(now):
        assert not is_over(now) and due is not None
    assert is_over(now) <= (now.state in ENDED)
