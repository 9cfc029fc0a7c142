"""Substitutes over HTTP: what a brand allows, what is proposed, and what is said to it."""

from __future__ import annotations

import json
from typing import Any

from tests.routes.conftest import Desk
from tests.routes.test_brands import PERSONAL, place, problem
from tests.stage import body, publish_rules, zone
from tests.swaps import CAKE, ELSEWHERE, FLOWERS, ROSES, seal_kitchen, way

RULES = {"rules": [{"sku": "CAKE", "instead": [FLOWERS]}]}


def waiting(desk: Desk, rules: Any = RULES) -> str:
    """An order whose kitchen is sealed, of a brand that allows that."""
    publish_rules(desk.stage.world, "amend", zone("Second"))
    assert desk.maison("PUT", "/v1/substitutes", rules).status_code == 200
    seal_kitchen(desk.stage)
    order_id = place(desk, body(gift={"items": [CAKE]})).json_body["order_id"]
    desk.stage.settle()
    return str(order_id)


def test_what_is_proposed_is_read_agreed_to_and_told_on_the_page(desk: Desk) -> None:
    order_id = waiting(desk)
    path = f"/v1/orders/{order_id}"
    held = desk.maison("GET", path).json_body
    assert (held["state"], held["proposed"], held["reasons"]) == ("held", 1, ["origin_closed"])
    listed = desk.maison("GET", f"{path}/proposals").json_body["data"]
    assert [(one["name"], one["needs"], one["state"]) for one in listed] == [("flowers", "brand", "open")]
    assert not any(word in json.dumps(listed) for word in (*PERSONAL, "Zhou", "1390"))
    agreed = desk.maison("POST", f"{path}/proposals/1/accept", {})
    assert agreed.status_code == 202, agreed.body
    desk.stage.settle()
    order = desk.maison("GET", path).json_body
    assert (order["state"], order["gift"]["items"][0]["sku"]) == ("booked", "ROSES")
    assert order["was"][0]["gift"]["items"][0]["sku"] == "CAKE"
    page = desk.maison("GET", f"{path}/evidence", headers={"Accept": "text/plain"}).body.decode()
    told = " ".join(page.split())
    for sentence in (
        "something else goes in its place, as was agreed",
        "Something else goes in its place, and somebody may bring it",
        "flowers from Second kitchen (flowers); its brand had to agree; agreed to",
        "Before that it was chilled food from Hotel kitchen",
    ):
        assert sentence in told, page
    assert not any(word in page for word in (*PERSONAL, "Zhou"))


def test_another_brand_reads_and_answers_nothing_of_it(desk: Desk) -> None:
    path = f"/v1/orders/{waiting(desk)}/proposals"
    assert desk.other_brand("GET", path).status_code == 404
    assert desk.other_brand("POST", f"{path}/1/accept", {}).status_code == 404
    assert desk.operator("POST", f"{path}/1/accept", {}).status_code == 403
    assert desk.operator("GET", path).status_code == 200
    for number in ("0", "7", "seven", "99999"):
        assert desk.maison("POST", f"{path}/{number}/decline", {}).status_code == 404


def test_consent_that_is_not_enough_is_refused_by_its_field(desk: Desk) -> None:
    rules = {"rules": [{"sku": "CAKE", "instead": [{**FLOWERS, "consent": "client"}]}]}
    path = f"/v1/orders/{waiting(desk, rules)}/proposals/1/accept"
    for said, pointer in (
        ({}, "/consent"),
        ({"consent": "client"}, "/evidence"),
        ({"consent": "x"}, "/consent"),
    ):
        refused = desk.maison("POST", path, said)
        assert (refused.status_code, problem(refused)["errors"][0]["pointer"]) == (422, pointer)
    assert desk.maison("POST", path, {"consent": "client", "evidence": "call-7"}).status_code == 202


def test_rules_are_read_with_their_etag_and_changed_with_it(desk: Desk) -> None:
    assert desk.maison("GET", "/v1/substitutes").status_code == 404
    made = desk.maison("PUT", "/v1/substitutes", RULES)
    assert (made.status_code, made.headers["ETag"]) == (200, '"v1"')
    other = {"rules": [{"sku": "CAKE", "instead": [ELSEWHERE]}]}
    assert desk.maison("PUT", "/v1/substitutes", other).status_code == 428
    assert desk.maison("PUT", "/v1/substitutes", other, {"If-Match": '"v9"'}).status_code == 412
    changed = desk.maison("PUT", "/v1/substitutes", other, {"If-Match": '"v1"'})
    assert changed.json_body["rules"][0]["instead"][0]["pick_up"]["contact"]["name"] == "Zhou Discreet"


def test_a_box_that_is_called_food_is_refused_when_the_rules_are_handed_in(desk: Desk) -> None:
    food = {**ROSES, "item_class": "ambient_food"}
    rules = {"rules": [{"sku": "CAKE", "instead": [way("a", items=[ROSES]), way("b", items=[food])]}]}
    refused = desk.maison("PUT", "/v1/substitutes", rules)
    assert refused.status_code == 422 and "a box is not food" in problem(refused)["detail"]
