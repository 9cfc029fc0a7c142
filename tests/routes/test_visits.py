"""Appointments over HTTP: made, moved, counted, put into a calendar, and called off."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from chalice.test import HTTPResponse
from icalendar import Calendar

from chalicelib.flows import enlist
from tests.flows.test_visits import PIECES, team
from tests.paper import callback
from tests.routes.conftest import Desk
from tests.routes.test_brands import PERSONAL, problem
from tests.stage import NOON, body


def asked(**changes: Any) -> dict[str, Any]:
    told = {name: value for name, value in body().items() if name != "gift"}
    return {**told, "minutes": 60, "pieces": PIECES, **changes}


def make(desk: Desk, key: str = "visit-1", **changes: Any) -> HTTPResponse:
    enlist.put_slot(desk.stage.world, team())
    desk.stage.settle()
    return desk.maison("POST", "/v1/appointments", asked(**changes), {"Idempotency-Key": key})


def window(start: float = 2, end: float = 4.5) -> dict[str, Any]:
    first, last = (NOON + timedelta(hours=hours) for hours in (start, end))
    return {"window": {"start": first.isoformat(), "end": last.isoformat(), "time_zone": "Asia/Shanghai"}}


def etag(desk: Desk, order_id: str) -> dict[str, str]:
    return {"If-Match": desk.maison("GET", f"/v1/orders/{order_id}").headers["ETag"]}


def entry(desk: Desk, order_id: str) -> tuple[str, Any]:
    """The method of the calendar file, and its one event."""
    answer = desk.maison("GET", f"/v1/orders/{order_id}/calendar")
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    calendar = Calendar.from_ical(answer.body.decode())
    (event,) = calendar.walk("VEVENT")
    assert [str(zone["TZID"]) for zone in calendar.walk("VTIMEZONE")] == ["Asia/Shanghai"]
    return str(calendar["METHOD"]), event


def test_an_appointment_is_made_like_an_order_and_read_like_one(desk: Desk) -> None:
    answer = make(desk)
    assert answer.status_code == 202, answer.body
    said = answer.json_body
    assert (said["state"], said["appointment"]["minutes"]) == ("placed", 60)
    assert [piece["serial"] for piece in said["appointment"]["pieces"]] == ["W-1", "W-2", "W-3"]
    assert said["gift"]["items"] == [
        {
            "name": "3 on loan",
            "item_class": "fashion",
            "quantity": 1,
            "value": {"amount": 2_700_000, "currency": "CNY"},
        }
    ]
    again = make(desk)
    assert (again.status_code, again.json_body) == (202, said)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert problem(make(desk, minutes=90))["status"] == 422
    assert not any(word in answer.body.decode() for word in PERSONAL)


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"minutes": 5}, "/minutes"),
        ({"minutes": 481}, "/minutes"),
        ({"pieces": []}, "/pieces"),
        ({"pieces": [{**PIECES[0], "serial": ""}]}, "/pieces/0/serial"),
        ({"pieces": [PIECES[0], PIECES[0]]}, ""),
        ({"pieces": [{**PIECES[0], "value": {"amount": 9.5, "currency": "CNY"}}]}, "/pieces/0/value/amount"),
        (
            {"pieces": [{**PIECES[0], "value": {"amount": 9, "currency": "EUR"}}]},
            "/gift/items/0/value/currency",
        ),
        ({"gift": body()["gift"]}, "/gift"),
        ({"minutes": None}, "/minutes"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_kept(
    desk: Desk, changes: dict[str, Any], pointer: str
) -> None:
    answer = make(desk, **changes)
    assert answer.status_code == 422, answer.body
    assert pointer in [fault["pointer"] for fault in problem(answer)["errors"]]
    assert desk.maison("GET", "/v1/orders").json_body["data"] == []


def test_the_clearance_of_a_visit_can_be_asked_before(desk: Desk) -> None:
    enlist.put_slot(desk.stage.world, team())
    question = {name: body()[name] for name in ("market", "gift", "pick_up", "recipient", "window")}
    found = desk.operator("POST", "/v1/clearances", {**question, "visit_minutes": 90}).json_body
    assert (found["decision"], [way["slot"] for way in found["possible"]]) == ("yes", ["team-1"])
    assert [
        way["slot"] for way in desk.operator("POST", "/v1/clearances", question).json_body["possible"]
    ] == ["slot-1"]


def test_another_window_moves_the_entry_in_the_calendar_and_the_end_takes_it_out(desk: Desk) -> None:
    order_id = make(desk).json_body["order_id"]
    desk.stage.settle()
    method, first = entry(desk, order_id)
    assert (method, first["SEQUENCE"], str(first["STATUS"])) == ("PUBLISH", 0, "CONFIRMED")
    assert (first["DTEND"].dt - first["DTSTART"].dt) == timedelta(hours=4), (
        "three hours to arrive in, one to stay"
    )
    path, read = f"/v1/orders/{order_id}/reschedule", etag(desk, order_id)
    answer = desk.maison("POST", path, window(), read)
    assert answer.status_code == 202, answer.body
    assert answer.json_body["rescheduling"]["is_pending"] is True
    assert desk.maison("POST", path, window(), read).json_body == answer.json_body
    desk.stage.settle()
    after = desk.maison("GET", f"/v1/orders/{order_id}").json_body
    assert (after["state"], after["window"]["start"], after["rescheduling"]["is_pending"]) == (
        "booked",
        "2022-04-11T06:00:00Z",
        False,
    )
    method, second = entry(desk, order_id)
    assert (method, second["SEQUENCE"], str(second["UID"])) == ("PUBLISH", 1, str(first["UID"]))
    assert str(second["DTSTART"].dt) == "2022-04-11 14:00:00+08:00"
    desk.maison("POST", f"/v1/orders/{order_id}/cancel", headers=etag(desk, order_id))
    desk.stage.settle()
    method, last = entry(desk, order_id)
    assert (method, last["SEQUENCE"], str(last["STATUS"])) == ("CANCEL", 2, "CANCELLED")


def test_who_read_an_older_version_is_told_so_and_who_read_none_is_asked_to(desk: Desk) -> None:
    order_id = make(desk).json_body["order_id"]
    read = etag(desk, order_id)
    desk.stage.settle()
    path = f"/v1/orders/{order_id}/reschedule"
    assert desk.maison("POST", path, window(), read).status_code == 412
    assert desk.maison("POST", path, window()).status_code == 428
    assert desk.maison("POST", path, window(-3, -1), etag(desk, order_id)).status_code == 422
    assert desk.other_brand("POST", path, window(), etag(desk, order_id)).status_code == 404


def test_pieces_are_counted_out_and_back_by_the_boutique_or_the_control_room(desk: Desk) -> None:
    order_id = make(desk).json_body["order_id"]
    desk.stage.settle()
    path = f"/v1/orders/{order_id}/manifest"
    out = {"pieces": [{"serial": piece["serial"], "state": "out"} for piece in PIECES]}
    assert desk.maison("POST", path, out).status_code == 200
    desk.stage.clock.forward(minutes=60)
    for kind in ("picked_up", "delivered"):
        said = callback(f"{order_id}-1-1", kind, desk.stage.clock.now)
        desk.client.http.post("/v1/callbacks/SHA/paper-co", headers=dict(said.headers), body=said.body)
        desk.stage.settle()
    seen = desk.maison("GET", f"/v1/orders/{order_id}").json_body
    assert (seen["state"], seen["appointment"]["missing"]) == ("delivered", ["W-1", "W-2", "W-3"])
    back = {"pieces": [{"serial": "W-1", "state": "sold"}, {"serial": "W-2", "state": "back"}]}
    answer = desk.operator("POST", path, back)
    assert answer.json_body["appointment"]["missing"] == ["W-3"]
    assert answer.headers["ETag"] == etag(desk, order_id)["If-Match"]
    refused = desk.maison("POST", path, {"pieces": [{"serial": "W-7", "state": "back"}]})
    assert (refused.status_code, problem(refused)["errors"][0]["pointer"]) == (422, "/pieces/0/serial")
    refused = desk.maison("POST", path, {"pieces": [{"serial": "W-2", "state": "sold"}]})
    assert (refused.status_code, "only what is out is sold" in problem(refused)["detail"]) == (409, True)
    assert desk.maison("POST", path, {"pieces": [{"serial": "W-2", "state": "lost"}]}).status_code == 422
    assert desk.other_brand("POST", path, back).status_code == 404


def test_the_calendar_file_of_a_gift_says_neither_whom_it_is_for_nor_where(desk: Desk) -> None:
    placed = desk.maison("POST", "/v1/orders", body(), {"Idempotency-Key": "gift-1"})
    answer = desk.maison("GET", f"/v1/orders/{placed.json_body['order_id']}/calendar")
    text = answer.body.decode()
    assert "SUMMARY:Delivery: Hotel kitchen" in text
    assert not any(word in text for word in PERSONAL)
    assert answer.headers["Cache-Control"] == "no-store"
