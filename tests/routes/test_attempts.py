"""Second attempts and the chain of custody over HTTP."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from tests.paper import callback
from tests.routes.conftest import Desk
from tests.routes.test_brands import PERSONAL, place, problem
from tests.stage import NOON, body, place_at

WINDOW = {
    "start": (NOON + timedelta(hours=2)).isoformat(),
    "end": (NOON + timedelta(hours=4)).isoformat(),
    "time_zone": "Asia/Shanghai",
}


def ended(desk: Desk, *kinds: str) -> tuple[str, dict[str, str]]:
    """An order whose courier said so much, and the headers of whoever has read it."""
    order_id = place(desk).json_body["order_id"]
    desk.stage.settle()
    for kind in kinds:
        desk.stage.clock.forward(minutes=5)
        said = callback(f"{order_id}-1-1", kind, desk.stage.clock.now)
        desk.client.http.post("/v1/callbacks/SHA/paper-co", headers=dict(said.headers), body=said.body)
        desk.stage.settle()
    etag = desk.maison("GET", f"/v1/orders/{order_id}").headers["ETag"]
    return order_id, {"If-Match": etag}


def test_a_brand_sends_out_again_what_came_back_and_a_repeat_is_the_same_attempt(desk: Desk) -> None:
    order_id, read = ended(desk, "picked_up", "returned")
    path = f"/v1/orders/{order_id}/attempts"
    answer = desk.maison("POST", path, {"window": WINDOW}, read)
    assert answer.status_code == 202, answer.body
    said = answer.json_body
    assert (said["state"], said["leg_no"]) == ("placed", 2)
    assert said["window"]["start"].startswith("2022-04-11T06:00:00")
    assert [step["state"] for step in said["history"]][-2:] == ["returned", "placed"]
    assert desk.maison("POST", path, {"window": WINDOW}, read).json_body == said
    desk.stage.settle()
    repeated = desk.maison("POST", path, {"window": WINDOW}, read).json_body
    assert (repeated["state"], repeated["leg_no"]) == ("booked", 2)
    first = place(desk).json_body
    assert (first["state"], first["leg_no"], first["window"]["start"]) == (
        "placed",
        1,
        "2022-04-11T05:00:00Z",
    )


def test_what_may_not_go_out_is_refused_with_the_reason(desk: Desk) -> None:
    order_id, read = ended(desk, "picked_up")
    path = f"/v1/orders/{order_id}/attempts"
    refused = desk.maison("POST", path, {"window": WINDOW}, read)
    assert refused.status_code == 409
    assert "only an order that is returned or stranded" in problem(refused)["detail"]
    assert desk.maison("POST", path, {"window": WINDOW}).status_code == 428
    assert desk.maison("POST", path, {"window": WINDOW}, {"If-Match": '"v99"'}).status_code == 412
    assert desk.maison("POST", path, {}, read).status_code == 422
    assert desk.other_brand("POST", path, {"window": WINDOW}, read).status_code == 404


def test_a_window_that_is_over_is_refused_with_its_pointer(desk: Desk) -> None:
    order_id, read = ended(desk, "picked_up", "returned")
    over = {**WINDOW, "start": NOON.isoformat(), "end": (NOON + timedelta(minutes=3)).isoformat()}
    refused = desk.maison("POST", f"/v1/orders/{order_id}/attempts", {"window": over}, read)
    assert (refused.status_code, problem(refused)["errors"][0]["pointer"]) == (422, "/window/end")


def test_an_operator_records_that_a_failed_gift_is_back_and_sends_it_out(desk: Desk) -> None:
    order_id, read = ended(desk, "picked_up", "failed")
    path = f"/v1/orders/{order_id}"
    assert desk.maison("POST", f"{path}/attempts", {"window": WINDOW}, read).status_code == 409
    assert desk.maison("POST", f"{path}/returns").status_code == 403
    back = desk.operator("POST", f"{path}/returns")
    assert (back.status_code, back.json_body["state"]) == (200, "returned")
    headers = {"If-Match": back.headers["ETag"]}
    assert desk.operator("POST", f"{path}/attempts", {"window": WINDOW}, headers).status_code == 202


def test_an_operator_reads_who_carried_it_and_a_brand_which_company(desk: Desk) -> None:
    order_id, _ = ended(desk, "picked_up", "delivered")

    def custody(who: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = who("GET", f"/v1/orders/{order_id}").json_body["custody"]["stretches"]
        return found

    whole = custody(desk.operator)
    assert [stretch["holder"] for stretch in whole] == ["shop", "courier", "client"]
    assert (whole[1]["crew"], whole[1]["reference"]) == ("crew-1", f"{order_id}-1-1")
    told = custody(desk.maison)
    assert [stretch["holder"] for stretch in told] == ["shop", "courier", "client"]
    assert told[1]["courier"] == "paper-co"
    assert not any({"crew", "reference"} & stretch.keys() for stretch in told)
    assert not any(word in json.dumps(whole) for word in PERSONAL)


def test_an_operator_names_a_hand_over_point_for_what_waits(desk: Desk) -> None:
    (item,) = body()["gift"]["items"]
    lasting = {"items": [{name: item[name] for name in ("name", "item_class", "value")}]}
    order_id = place(desk, body(gift=lasting)).json_body["order_id"]
    point = {"name": "Line desk", "place": place_at("Line"), "hours": WINDOW}
    path = f"/v1/orders/{order_id}/relay"
    assert desk.maison("PUT", path, point, {"If-Match": '"v1"'}).status_code == 403
    assert desk.operator("PUT", path, point).status_code == 428
    named = desk.operator("PUT", path, point, {"If-Match": '"v1"'})
    assert named.status_code == 202, named.body
    assert (named.json_body["relay"], named.json_body["window"]["start"]) == (
        "Line desk",
        "2022-04-11T05:00:00Z",
    )
    assert desk.operator("PUT", path, point, {"If-Match": '"v1"'}).json_body == named.json_body
    over = {**point, "hours": {**WINDOW, "start": "2022-04-10T01:00:00Z", "end": "2022-04-10T02:00:00Z"}}
    refused = desk.operator("PUT", path, over, {"If-Match": named.headers["ETag"]})
    assert (refused.status_code, problem(refused)["errors"][0]["pointer"]) == (422, "/hours")
