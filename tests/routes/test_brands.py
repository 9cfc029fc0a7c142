"""Orders over HTTP: what a brand's engineer meets, on good days and with bad input."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from chalice.test import HTTPResponse

from chalicelib.domain.ports import Topic
from tests.routes.conftest import Desk
from tests.stage import body

PERSONAL = ("Wang Secretive", "+8613800138001", "Li Baoxian", "+8613800138000", "Yongjia, Huangpu")


def place(desk: Desk, sent: Any = None, key: str = "k-1", caller: Any = None) -> HTTPResponse:
    who = caller or desk.maison
    return who("POST", "/v1/orders", body() if sent is None else sent, {"Idempotency-Key": key})


def problem(response: HTTPResponse) -> dict[str, Any]:
    assert response.headers["Content-Type"] == "application/problem+json", response.body
    said: dict[str, Any] = json.loads(response.body)
    assert said["status"] == response.status_code
    for word in PERSONAL:
        assert word not in response.body.decode()
    return said


def changed(path: str, value: Any) -> dict[str, Any]:
    """The good body with one thing changed; `path` like `gift/items/0/value/amount`."""
    sent = copy.deepcopy(body())
    *way, last = path.split("/")
    at: Any = sent
    for step in way:
        at = at[int(step)] if isinstance(at, list) else at[step]
    at[int(last) if isinstance(at, list) else last] = value
    return sent


def stored_orders(desk: Desk) -> int:
    table: Any = desk.stage.world.table
    return sum(key.sk == "order" for key in table.rows)


def test_a_placed_order_is_accepted_and_can_be_read(desk: Desk) -> None:
    response = place(desk)
    assert response.status_code == 202
    order = response.json_body
    assert order["state"] == "placed"
    assert response.headers["Location"] == f"/v1/orders/{order['order_id']}"
    read = desk.maison("GET", f"/v1/orders/{order['order_id']}")
    assert read.status_code == 200
    assert read.headers["ETag"] == '"v1"'
    assert read.json_body["order_id"] == order["order_id"]


def test_no_answer_says_whom_the_gift_is_for(desk: Desk) -> None:
    response = place(desk)
    order_id = response.json_body["order_id"]
    desk.stage.settle()
    seen = response.body + desk.maison("GET", f"/v1/orders/{order_id}").body
    seen += desk.maison("GET", f"/v1/orders/{order_id}/evidence").body
    seen += json.dumps(desk.stage.world.log.lines).encode()  # type: ignore[attr-defined]
    table: Any = desk.stage.world.table
    seen += "".join(f"{row.key}{row.body}{row.shelf}{row.work}" for row in table.rows.values()).encode()
    for word in PERSONAL:
        assert word.encode() not in seen


def test_the_same_key_and_body_again_get_the_same_answer_even_after_the_order_moved(desk: Desk) -> None:
    first = place(desk)
    desk.stage.settle()
    second = place(desk)
    assert second.status_code == 202
    assert second.body == first.body
    assert second.headers["Idempotent-Replayed"] == "true"
    assert stored_orders(desk) == 1


def test_a_repeat_nudges_again_because_the_first_nudge_may_be_lost(desk: Desk) -> None:
    place(desk)
    queues: Any = desk.stage.world.queues
    queues.take()
    place(desk)
    assert queues.take() == [(Topic.DISPATCH, "SHA")]


def test_the_same_key_with_another_body_is_refused(desk: Desk) -> None:
    place(desk)
    response = place(desk, changed("tier", "silver"))
    assert response.status_code == 422
    assert "Idempotency-Key" in problem(response)["detail"]


def test_without_a_key_nothing_is_placed(desk: Desk) -> None:
    response = desk.maison("POST", "/v1/orders", body())
    assert response.status_code == 400
    assert "Idempotency-Key" in problem(response)["detail"]
    assert stored_orders(desk) == 0


@pytest.mark.parametrize(
    ("path", "value", "pointer"),
    [
        ("surprise", 1, "/surprise"),
        ("gift/items/0/colour", "red", "/gift/items/0/colour"),
        ("window/start", "2022-04-11T13:00:00", "/window/start"),
        ("window/end", "2022-04-11T11:00:00+08:00", "/window"),
        ("window/time_zone", "Shanghai", "/window/time_zone"),
        ("gift/items/0/value/amount", -1, "/gift/items/0/value/amount"),
        ("gift/items/0/value/amount", 10.5, "/gift/items/0/value/amount"),
        ("gift/items/0/value/currency", "yuan", "/gift/items/0/value/currency"),
        ("gift/items/0/item_class", "weapon", "/gift/items/0/item_class"),
        ("gift/items", [], "/gift/items"),
        ("gift/items/0/millilitres", 0, "/gift/items/0/millilitres"),
        ("gift/items/0/grams", 1.5, "/gift/items/0/grams"),
        ("together", {"group": "SET-7"}, "/together/gifts"),
        ("together", {"group": "SET-7", "gifts": 1}, "/together/gifts"),
        ("together", {"group": "Mrs Wang's birthday", "gifts": 2}, "/together/group"),
        ("tier", "emperor", "/tier"),
        ("market", "ATLANTIS", "/market"),
        ("recipient/place/coordinate/datum", "NAD27", "/recipient/place/coordinate/datum"),
        ("recipient/place/coordinate/datum", None, "/recipient/place/coordinate/datum"),
        ("recipient/place/coordinate/lng", 200, "/recipient/place/coordinate/lng"),
        (
            "recipient/place/coordinate",
            {"lng": 31.22, "lat": 121.49, "datum": "GCJ02"},
            "/recipient/place/coordinate/lat",
        ),
        (
            "recipient/place/coordinate",
            {"lng": 9.19, "lat": 45.46, "datum": "WGS84"},
            "/recipient/place/coordinate",
        ),
        ("recipient/phone", "13800138001", "/recipient/phone"),
        ("recipient/name", "", "/recipient/name"),
        ("recipient/place/match_quality", "sure", "/recipient/place/match_quality"),
        ("reference", "Mrs Wang's birthday", "/reference"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_stored(
    desk: Desk, path: str, value: Any, pointer: str
) -> None:
    response = place(desk, changed(path, value))
    assert response.status_code == 422
    assert pointer in [fault["pointer"] for fault in problem(response)["errors"]]
    assert stored_orders(desk) == 0


def test_a_wrong_value_is_shown_unless_it_is_personal(desk: Desk) -> None:
    shown = problem(place(desk, changed("tier", "emperor")))["errors"][0]
    assert shown["value"] == "'emperor'"
    hidden = problem(place(desk, changed("recipient/phone", "13800138001")))["errors"][0]
    assert "value" not in hidden


def test_a_window_that_has_closed_is_refused(desk: Desk) -> None:
    sent = body()
    sent["window"] = {
        **sent["window"],
        "start": "2022-04-10T13:00:00+08:00",
        "end": "2022-04-10T16:00:00+08:00",
    }
    response = place(desk, sent)
    assert response.status_code == 422
    assert problem(response)["errors"][0]["pointer"] == "/window/end"


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe{}", 400),
        (b'{"market": "SHA", "reference": "\xc3\x28"}', 400),
        (b"[]", 422),
        (b"null", 422),
        (b'"gift"', 422),
        (b" " * (2 * 1024 * 1024), 413),
    ],
)
def test_a_body_that_is_no_order_is_a_problem_and_never_a_crash(desk: Desk, raw: bytes, status: int) -> None:
    response = desk.maison("POST", "/v1/orders", raw, {"Idempotency-Key": "k"})
    assert response.status_code == status
    problem(response)
    assert stored_orders(desk) == 0


def test_another_brands_order_looks_like_none_at_all(desk: Desk) -> None:
    order_id = place(desk).json_body["order_id"]
    for method, path, headers in (
        ("GET", f"/v1/orders/{order_id}", {}),
        ("GET", f"/v1/orders/{order_id}/evidence", {}),
        ("POST", f"/v1/orders/{order_id}/cancel", {"If-Match": '"v1"'}),
    ):
        foreign = desk.other_brand(method, path, None, headers)
        absent = desk.other_brand(method, path.replace(order_id, "ord_" + "a" * 26), None, headers)
        assert foreign.status_code == absent.status_code == 404
        assert problem(foreign)["title"] == problem(absent)["title"]
    assert desk.operator("GET", f"/v1/orders/{order_id}").status_code == 200


def test_two_brands_with_the_same_key_place_two_orders(desk: Desk) -> None:
    mine = place(desk).json_body["order_id"]
    theirs = place(desk, caller=desk.other_brand).json_body["order_id"]
    assert mine != theirs


@pytest.mark.parametrize(
    ("caller", "method", "path"),
    [
        ("operator", "POST", "/v1/orders"),
        ("source", "POST", "/v1/orders"),
        ("source", "GET", "/v1/orders"),
        ("maison", "PUT", "/v1/markets/SHA"),
        ("maison", "GET", "/v1/markets/SHA/fleet"),
        ("maison", "POST", "/v1/keys"),
        ("source", "POST", "/v1/keys"),
    ],
)
def test_a_key_with_the_wrong_role_is_turned_away(desk: Desk, caller: str, method: str, path: str) -> None:
    response = getattr(desk, caller)(method, path, {}, {"Idempotency-Key": "k"})
    assert response.status_code == 403
    assert "role" in problem(response)["detail"]


def test_an_unknown_key_and_no_key_are_turned_away(desk: Desk) -> None:
    nobody = desk.client.http.get("/v1/orders", headers={"Authorization": "Bearer cordon_brand_nobody"})
    assert nobody.status_code == 403
    assert desk.client.http.get("/v1/orders").status_code == 401


def test_a_list_goes_page_by_page_and_a_cursor_cannot_be_forged(desk: Desk) -> None:
    placed = []
    for n in range(5):
        desk.stage.clock.forward(seconds=1)
        placed.append(place(desk, key=f"k-{n}").json_body["order_id"])
    place(desk, key="theirs", caller=desk.other_brand)
    seen, path = [], "/v1/orders?limit=2"
    for _ in range(3):
        page = desk.maison("GET", path).json_body
        seen += [order["order_id"] for order in page["data"]]
        if not page["has_more"]:
            break
        path = f"/v1/orders?limit=2&cursor={page['next_cursor']}"
    assert seen == placed[::-1]
    forged = path[:-3] + ("abc" if not path.endswith("abc") else "xyz")
    assert desk.maison("GET", forged).status_code == 400
    assert desk.other_brand("GET", path).status_code == 400, "a cursor is bound to its brand"


@pytest.mark.parametrize("limit", ["0", "101", "many"])
def test_a_list_has_one_to_a_hundred_entries(desk: Desk, limit: str) -> None:
    response = desk.maison("GET", f"/v1/orders?limit={limit}")
    assert response.status_code == 422
    assert problem(response)["errors"][0]["pointer"] == "/limit"


def test_cancelling_needs_the_version_that_was_read(desk: Desk) -> None:
    order_id = place(desk).json_body["order_id"]
    path = f"/v1/orders/{order_id}/cancel"
    assert desk.maison("POST", path).status_code == 428
    assert desk.maison("POST", path, None, {"If-Match": "seven"}).status_code == 400
    assert desk.maison("POST", path, None, {"If-Match": '"v9"'}).status_code == 412
    done = desk.maison("POST", path, None, {"If-Match": '"v1"'})
    assert done.status_code == 202
    assert done.json_body["state"] == "cancelled"
    again = desk.maison("POST", path, None, {"If-Match": done.headers["ETag"]})
    assert (again.status_code, again.json_body["state"]) == (202, "cancelled")
    assert desk.maison("POST", path, None, {"If-Match": '"v1"'}).json_body == again.json_body


def test_a_booked_order_is_cancelled_only_when_the_courier_confirms(desk: Desk) -> None:
    order_id = place(desk).json_body["order_id"]
    desk.stage.settle()
    read = desk.maison("GET", f"/v1/orders/{order_id}")
    assert read.json_body["state"] == "booked"
    desk.stage.company.deaf.add("cancel")
    asked = desk.maison("POST", f"/v1/orders/{order_id}/cancel", None, {"If-Match": read.headers["ETag"]})
    assert asked.json_body["state"] == "booked"
    desk.stage.settle()
    assert desk.maison("GET", f"/v1/orders/{order_id}").json_body["state"] == "booked"
    desk.stage.company.deaf.clear()
    desk.stage.minutes(20)
    assert desk.maison("GET", f"/v1/orders/{order_id}").json_body["state"] == "cancelled"
    assert desk.stage.left() == 3


def test_evidence_says_what_the_decision_rests_on(desk: Desk) -> None:
    order_id = place(desk).json_body["order_id"]
    desk.stage.settle()
    pieces = desk.operator("GET", f"/v1/orders/{order_id}/evidence").json_body["data"]
    assert pieces[0]["decision"] == "yes"
    assert pieces[0]["rules_version"] >= 1
    assert pieces[0]["permits"] == ["permit-1"]
    assert pieces[0]["credentials"]
    assert set(pieces[0]["zones"]) == {"zone-Yongjia", "zone-Kitchen"}


def test_a_dry_run_says_who_could_and_why_not_the_others_and_keeps_nothing(desk: Desk) -> None:
    question = {name: body()[name] for name in ("market", "gift", "pick_up", "recipient", "window")}
    assert desk.operator("POST", "/v1/clearances", question).json_body["possible"][0]["slot"] == "slot-1"
    answer = desk.maison("POST", "/v1/clearances", question).json_body
    assert answer["decision"] == "yes"
    assert answer["possible"][0]["courier"] == "paper-co"
    assert answer["possible"][0]["handovers"] == ["door", "gate"]
    unknown = copy.deepcopy(question)
    unknown["recipient"]["place"]["address"]["compound"] = "Nobody ruled on it"
    held = desk.maison("POST", "/v1/clearances", unknown).json_body
    assert held["decision"] == "hold"
    assert "zone_unknown" in held["reasons"]
    assert stored_orders(desk) == 0


def test_only_the_brand_reads_the_codes_that_its_courier_asks_for(desk: Desk) -> None:
    order_id = place(desk).json_body["order_id"]
    path = f"/v1/orders/{order_id}/codes"
    assert desk.maison("GET", path).json_body == {"order_id": order_id, "codes": {}}
    desk.stage.settle()
    response = desk.maison("GET", path)
    assert response.json_body["codes"] == {"receipt": "4711"}
    assert response.headers["Cache-Control"] == "no-store"
    assert desk.other_brand("GET", path).status_code == 404
    assert desk.operator("GET", path).status_code == 403
    assert b"4711" not in desk.maison("GET", f"/v1/orders/{order_id}").body


def test_chalices_own_errors_are_problems_too(desk: Desk) -> None:
    response = desk.client.http.post(
        "/v1/orders",
        headers={"Authorization": f"Bearer {desk.maison.key}", "Content-Type": "text/plain"},
        body=b"x",
    )
    assert response.status_code == 415
    problem(response)


@pytest.mark.parametrize(
    ("method", "path", "header", "value"),
    [("POST", "/v1/orders", "Idempotency-Key", "k"), ("POST", "/v1/orders/ord_x/cancel", "If-Match", '"v1"')],
)
def test_a_header_that_was_sent_twice_is_refused(
    desk: Desk, method: str, path: str, header: str, value: str
) -> None:
    """API Gateway hands over the last one; a proxy on the way may have gone by the first."""
    from app import app
    from sandbox.front import Front, Headers

    front = Front(app, {"Resources": {"RestAPI": {"Properties": {"GatewayResponses": {}}}}})
    front.server.server_close()
    one = {"Authorization": [f"Bearer {desk.maison.key}"], header: [value]}
    raw = json.dumps(body()).encode()
    assert front.answer(method, path, Headers(one), raw)[0] in (202, 404)
    told_twice = {**one, "traceparent": ["00-1-1-00", "00-2-2-00"], "User-Agent": ["a", "b"]}
    assert front.answer(method, path, Headers(told_twice), raw)[0] in (202, 404), "what decides nothing"
    for twice in ([value, "other"], [value, value]):
        status, _, told = front.answer(method, path, Headers({**one, header: twice}), raw)
        assert status == 400
        assert "was sent twice" in json.loads(told)["detail"]
