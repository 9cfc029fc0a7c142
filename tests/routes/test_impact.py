"""Asking over HTTP what a change would do."""

from __future__ import annotations

from typing import Any

from chalicelib.flows.place import place
from tests.routes.conftest import Caller, Desk
from tests.stage import new_order, zone

AT = "/v1/markets/SHA/impact"
BAN = {"amendment": {"features": [zone("Yongjia", "banned@1", "no_access")]}}


def ordered(desk: Desk, count: int) -> list[str]:
    names = [place(desk.stage.world, "maison", f"key-{n}", new_order())[0].order_id for n in range(count)]
    desk.stage.settle()
    return names


def asked(desk: Desk, who: Caller, body: Any = BAN, key: str = "question-1") -> str:
    answer = who("POST", AT, body, {"Idempotency-Key": key})
    assert answer.status_code == 202, answer.body
    assert answer.json_body["state"] == "looking"
    place: str = answer.headers["Location"]
    assert place == f"{AT}/{answer.json_body['impact_id']}"
    desk.stage.settle()
    return place


def test_the_answer_comes_in_pages_the_most_urgent_first(desk: Desk) -> None:
    names = ordered(desk, 3)
    at = asked(desk, desk.operator)
    first = desk.operator("GET", f"{at}?limit=2").json_body
    assert (first["state"], first["progress_percent"], first["counts"]) == ("done", 100, {"stranded": 3})
    assert (len(first["orders"]["data"]), first["orders"]["has_more"]) == (2, True)
    second = desk.operator("GET", f"{at}?limit=2&cursor={first['orders']['next_cursor']}").json_body
    assert (len(second["orders"]["data"]), second["orders"]["has_more"]) == (1, False)
    orders = first["orders"]["data"] + second["orders"]["data"]
    assert {one["order_id"] for one in orders} == set(names)
    assert {(one["outcome"], one["tier"], one["brand_id"]) for one in orders} == {
        ("stranded", "gold", "maison")
    }
    assert all("no_handover" in one["reasons"] for one in orders)


def test_a_source_is_not_told_whose_gift_it_is_and_nobody_for_whom(desk: Desk) -> None:
    ordered(desk, 1)
    at = asked(desk, desk.source)
    for who in (desk.source, desk.operator):
        answer = who("GET", at)
        for personal in ("Secretive", "+861380", "121.49", "Yongjia"):
            assert personal not in answer.body.decode()
    assert "maison" not in desk.source("GET", at).body.decode()
    assert desk.maison("GET", at).status_code == 403


def test_the_same_request_has_the_same_answer_and_a_key_is_needed(desk: Desk) -> None:
    at = asked(desk, desk.operator)
    again = desk.operator("POST", AT, BAN, {"Idempotency-Key": "question-1"})
    assert (again.status_code, again.headers["Location"], again.json_body["state"]) == (202, at, "done")
    other = {"amendment": {"released": ["zone-Yongjia"]}}
    assert desk.operator("POST", AT, other, {"Idempotency-Key": "question-1"}).status_code == 422
    assert desk.operator("POST", AT, BAN).status_code == 400


def test_what_is_wrong_with_a_question_is_named(desk: Desk) -> None:
    def faults(body: Any) -> list[str]:
        answer = desk.operator("POST", AT, body, {"Idempotency-Key": "question-9"})
        assert answer.status_code == 422, answer.body
        return [fault["pointer"] for fault in answer.json_body["errors"]]

    assert faults({}) == [""]
    assert faults({**BAN, "upload_id": "upl_1"}) == [""]
    assert faults({**BAN, "at": "2022-04-01T00:00:00+08:00"}) == ["/at"]
    assert faults({"amendment": {"features": {}}}) == ["/amendment/features"]


def test_a_change_that_an_upload_would_be_refused_for_is_answered_with_its_faults(desk: Desk) -> None:
    spoiled = {"features": [{**zone("Yongjia"), "type": "Point"}, 7], "released": ["zone-nowhere"]}
    at = asked(desk, desk.operator, {"amendment": spoiled})
    answer = desk.operator("GET", at).json_body
    assert (answer["state"], answer["fault_count"]) == ("refused", 3)
    pointers = [fault["pointer"] for fault in answer["faults"]]
    assert pointers == ["/features/0/type", "/features/1", "/released/0"]
