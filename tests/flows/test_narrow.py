"""A client takes back that anybody abroad is told of it: its gifts that wait stay with couriers at home."""

from __future__ import annotations

from typing import Any

from chalicelib.domain import facts
from chalicelib.domain.clients import Purpose
from chalicelib.domain.fleet import Courier
from chalicelib.domain.orders import OrderState
from chalicelib.flows import enlist
from chalicelib.flows.agree import withdraw
from chalicelib.flows.enrol import enrol
from tests.flows.test_forget import VIC, enrolled, given_to_client
from tests.stage import NOON, Stage, client_body, new_client


def abroad(**more: Any) -> Stage:
    on = enrolled(**more)
    told = {"courier_id": "paper-co", "market_id": "SHA", "dialect": "paper", "account": "main"}
    enlist.put_courier(on.world, Courier.model_validate({**told, "data_region": "SG"}))
    on.settle()
    return on


def test_who_agrees_is_brought_its_gift_by_whoever_may_go() -> None:
    on = abroad()
    order = given_to_client(on)
    on.minutes(2)
    assert on.order(order.order_id).state is OrderState.BOOKED


def test_who_does_not_agree_is_told_of_to_nobody_abroad_and_the_evidence_says_why() -> None:
    on = abroad()
    enrol(on.world, "maison", "vic-1", new_client(), replaces=True)
    withdraw(on.world, VIC, [Purpose.CROSS_BORDER], NOON, "letter-1")
    order = given_to_client(on)
    assert order.stays_in == "CN"
    on.minutes(2)
    assert on.order(order.order_id).state in (OrderState.HELD, OrderState.STRANDED)
    assert not on.company.jobs
    told = on.world.table.read(order.order_id, "evidence#").rows[-1].body
    assert "consent_missing" in told


def test_what_waits_is_narrowed_when_the_consent_is_taken_back_and_what_was_told_stays_told() -> None:
    on = abroad()
    booked = given_to_client(on)
    on.minutes(2)
    waiting = given_to_client(on, "key-2")
    gone = withdraw(on.world, VIC, [Purpose.CROSS_BORDER], NOON, "letter-1")
    assert withdraw(on.world, VIC, [Purpose.CROSS_BORDER], NOON, "letter-1") == gone
    on.minutes(3)
    assert on.order(booked.order_id).state is OrderState.BOOKED
    assert on.order(waiting.order_id).state in (OrderState.HELD, OrderState.STRANDED)
    assert len(on.company.jobs) == 1


def test_a_gift_that_was_given_and_not_booked_yet_is_not_booked_abroad() -> None:
    from chalicelib.domain.ports import Topic
    from tests import drive

    on = abroad()
    order = given_to_client(on)
    for topic, name in on.world.queues.take(Topic.DISPATCH):  # type: ignore[attr-defined]
        drive.run(on.world, topic, name)
    assert on.order(order.order_id).state is OrderState.ASSIGNED
    withdraw(on.world, VIC, [Purpose.CROSS_BORDER], NOON, "letter-1")
    on.minutes(3)
    assert on.order(order.order_id).state in (OrderState.HELD, OrderState.STRANDED)
    assert not on.company.jobs
    assert on.left() == 3


def test_a_list_that_says_so_does_the_same() -> None:
    on = abroad()
    waiting = given_to_client(on)
    gone = [{**one, "withdrawn_at": NOON.isoformat()} for one in client_body()["consents"]]
    enrol(on.world, "maison", "vic-1", new_client(consents=gone), replaces=True)
    assert facts.load_order(on.world.table, waiting.order_id).stays_in == "CN"
