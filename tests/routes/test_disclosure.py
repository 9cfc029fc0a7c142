"""What a brand reads of the crews: nothing. What was decided, under which rules, and how many could not: all of it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.flows import enlist
from tests.routes.conftest import Desk
from tests.stage import NOON, body, crew, place_at, slot

ABOUT_CREWS = (
    "crew-",
    "permit-",
    "slot-",
    "sampled",
    "pcr",
    "positive",
    "credential",
    "home_sealed",
    "left",
    "A0001",
)


def place(desk: Desk, compound: str = "Yongjia") -> str:
    response = desk.maison("POST", "/v1/orders", body(compound), {"Idempotency-Key": f"k-{compound}"})
    desk.stage.settle()
    name: str = response.json_body["order_id"]
    return name


def ill(desk: Desk) -> None:
    """The only crew has tested positive, and a second lives in a compound nobody may leave."""
    positive = {
        "kind": "pcr",
        "result": "positive",
        "sampled_at": NOON - timedelta(hours=3),
        "reported_at": NOON - timedelta(hours=1),
    }
    enlist.put_crew(desk.stage.world, crew(1, credentials=[positive]))
    enlist.put_crew(desk.stage.world, crew(2, home=place_at("Kitchen")["address"], withdrawn=True))
    enlist.put_slot(desk.stage.world, slot(2))
    desk.stage.settle()


def read(desk: Desk, way: str, caller: Any) -> Any:
    order_id = place(desk)
    question = {name: body()[name] for name in ("market", "gift", "pick_up", "recipient", "window")}
    desk.stage.clock.forward(minutes=31)
    desk.stage.minutes(1)
    return {
        "evidence": lambda: caller("GET", f"/v1/orders/{order_id}/evidence"),
        "clearance": lambda: caller("POST", "/v1/clearances", question),
        "order": lambda: caller("GET", f"/v1/orders/{order_id}"),
        "list": lambda: caller("GET", "/v1/orders"),
    }[way]()


@pytest.mark.parametrize("way", ["evidence", "clearance", "order", "list"])
@pytest.mark.parametrize("well", [True, False])
def test_no_answer_to_a_brand_says_anything_about_a_crew(desk: Desk, way: str, well: bool) -> None:
    if not well:
        ill(desk)
    response = read(desk, way, desk.maison)
    assert response.status_code == 200
    text = response.body.decode()
    assert not [word for word in ABOUT_CREWS if word in text], text


def test_a_brand_reads_reasons_with_counts_the_rules_and_the_times(desk: Desk) -> None:
    ill(desk)
    (piece, *_) = read(desk, "evidence", desk.maison).json_body["data"]
    assert piece["decision"] == "no"
    assert "crew_not_cleared" in piece["reasons"]
    assert {"reason": "crew_not_cleared", "count": 2} in piece["turned_down"]
    assert piece["rules_version"] >= 1
    assert piece["rules_digest"]
    assert piece["decided_at"]


def test_a_brand_reads_of_a_yes_where_how_and_until_when(desk: Desk) -> None:
    (piece, *_) = read(desk, "evidence", desk.maison).json_body["data"]
    assert piece["decision"] == "yes"
    assert set(piece["zones"]) == {"zone-Yongjia", "zone-Kitchen"}
    assert piece["policies"] == ["precautionary@1"]
    assert piece["handovers"] == ["door", "gate"]
    assert piece["valid_until"]
    assert piece["courier"] == "paper-co"


def test_an_operator_reads_all_of_it(desk: Desk) -> None:
    ill(desk)
    (piece, *_) = read(desk, "evidence", desk.operator).json_body["data"]
    assert "credential_positive" in json.dumps(piece["turned_down"])
    assert piece["turned_down"][0]["slots"]
