"""What one order costs on AWS: counts, which are promises."""

from __future__ import annotations

import json
from typing import Any

import pytest
from chalice.test import Client

from chalicelib import wiring
from chalicelib.aws.packing import unpack
from chalicelib.domain.keys import Role
from chalicelib.domain.places import Market
from chalicelib.flows import enlist
from tests.aws.cloud import by_service, counted, make_cloud
from tests.ledger.meter import size_of, units_of_write
from tests.stage import MARKET, body


@pytest.fixture
def placing(moto: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that places an order through the app on moto."""
    monkeypatch.setattr("tests.stage.NOON", wiring.real.__globals__["datetime"].now().astimezone())
    make_cloud(monkeypatch)
    wiring.use(None)
    world = wiring.world()
    enlist.put_market(world, Market.model_validate(MARKET))
    key = enlist.create_key(world, Role.BRAND, "maison")
    from app import app

    def place(sent: dict[str, Any], name: str) -> Any:
        with Client(app) as client:
            return client.http.post(
                "/v1/orders",
                headers={
                    "Authorization": f"Bearer {key}",
                    "Idempotency-Key": name,
                    "Content-Type": "application/json",
                },
                body=json.dumps(sent).encode(),
            )

    yield place
    wiring.use(None)


def of_two_kilobytes() -> dict[str, Any]:
    """An order that is stored in about 2 KB: three lines of gift and long addresses."""
    from tests import stage

    sent = stage.body()
    item = sent["gift"]["items"][0]
    sent["gift"]["items"] = [{**item, "name": f"Item {n} " + "x" * 40} for n in range(3)]
    sent["recipient"]["place"]["address"]["line"] = "Yongjia Road " + "y" * 60
    return sent


def order_written(calls: list[tuple[str, str, dict[str, Any]]]) -> dict[str, Any]:
    """The item of the order: a fresh process writes the hour's data key besides."""
    (item,) = [
        params["Item"]
        for _, name, params in calls
        if name == "PutItem" and params["Item"]["sk"]["S"] == "order"
    ]
    return item  # type: ignore[no-any-return]


def write_units(item: dict[str, Any]) -> int:
    """Units of a plain put of that item, with its index entries."""
    own, spread = units_of_write(None, item)
    return own + len(spread)


def test_placing_is_one_write_one_nudge_and_the_authorizers_read(placing: Any) -> None:
    assert placing(of_two_kilobytes(), "warm").status_code == 202
    with counted() as calls:
        assert placing(of_two_kilobytes(), "counted").status_code == 202
    assert [(service, name) for service, name, _ in calls] == [
        ("dynamodb", "GetItem"),  # the authorizer's, which API Gateway keeps for five minutes
        ("dynamodb", "PutItem"),
        ("sqs", "SendMessage"),
    ]


def test_a_two_kilobyte_order_takes_at_most_five_write_units(placing: Any) -> None:
    with counted() as calls:
        placing(of_two_kilobytes(), "counted")
    item = order_written(calls)
    unpacked = size_of(item) - len(item["body"]["B"]) + len(unpack(item["body"]["B"]))
    assert 1500 < unpacked <= 2048, f"{unpacked} bytes is not about 2 KB"
    assert write_units(item) <= 3, "packed it is one unit, and each of its index entries another"


def test_a_repeated_request_is_answered_with_one_write_attempt(placing: Any) -> None:
    first = placing(of_two_kilobytes(), "same")
    with counted() as calls:
        second = placing(of_two_kilobytes(), "same")
    assert second.body == first.body
    assert by_service(calls)["dynamodb"] == 2


def test_the_smallest_order_is_no_dearer(placing: Any) -> None:
    with counted() as calls:
        placing(body() | {"window": of_two_kilobytes()["window"]}, "small")
    item = order_written(calls)
    assert write_units(item) == 3
