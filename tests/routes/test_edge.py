"""What an error may repeat of what was sent: numbers, names from a list, times; never what may be about a person."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from chalicelib import journal, wiring
from tests.routes.conftest import Desk
from tests.stage import body

SECRETS = (
    "Wang Secretive",
    "+8613800138001",
    "13800138001",
    "To my dear Wei",
    "WANG-SECRETIVE",
    "wang@example.com",
)


def sent(path: str, value: Any) -> dict[str, Any]:
    whole = copy.deepcopy(body())
    *way, last = path.split("/")
    at: Any = whole
    for step in way:
        at = at[int(step)] if isinstance(at, list) else at[step]
    at[last] = value
    return whole


def place(desk: Desk, whole: dict[str, Any]) -> Any:
    return desk.maison("POST", "/v1/orders", whole, {"Idempotency-Key": "k"})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("client_phone", "+8613800138001"),
        ("client_phone", 13800138001),
        ("recipient_name", "Wang Secretive"),
        ("gift/message_card", "To my dear Wei"),
        ("gift/items/0/engraving", "WANG-SECRETIVE"),
        ("gift/items/0/name", 13800138001),
        ("reference", "Wang Secretive"),
        ("reference", 13800138001),
        ("reference", "wang@example.com"),
        ("recipient/email", "wang@example.com"),
        ("pick_up/name", 13800138001),
        ("pick_up/contact/phone", "13800138001"),
        ("market", "Wang Secretive"),
        ("market", "+8613800138001"),
        ("tier", "Wang Secretive"),
        ("tier", "13800138001"),
        ("fallback", "wang@example.com"),
        ("window/time_zone", "Wang Secretive"),
        ("window/start", "Wang Secretive"),
        ("window/start", "13800138001x"),
        ("gift/items/0/quantity", "Wang Secretive"),
        ("gift/items/0/value/currency", "Wang Secretive"),
        ("gift/items/0/item_class", "To my dear Wei"),
        ("recipient/place/coordinate/lng", "13800138001"),
        ("Wang Secretive", True),
        ("gift/+8613800138001", True),
    ],
)
def test_what_may_be_personal_is_repeated_neither_in_the_answer_nor_in_the_log(
    desk: Desk, path: str, value: Any
) -> None:
    lines: list[str] = []
    journal.write_to(lines.append)
    try:
        response = place(desk, sent(path, value))
    finally:
        journal.write_to(None)
    assert response.status_code == 422
    seen = response.body.decode() + "".join(lines)
    assert not [word for word in SECRETS if word in seen], seen


@pytest.mark.parametrize(
    ("path", "value", "shown"),
    [
        ("tier", "emperor", "'emperor'"),
        ("gift/items/0/quantity", 0, "0"),
        ("gift/items/0/quantity", "12x", None),
        ("gift/items/0/quantity", 10**400, None),
        ("gift/items/0/value/amount", -1, "-1"),
        ("gift/items/0/value/amount", 10.5, "10.5"),
        ("gift/items/0/value/currency", "yuan", "'yuan'"),
        ("gift/items/0/item_class", "weapon", "'weapon'"),
        ("window/start", "2022-04-11T13:00:00", "'2022-04-11T13:00:00'"),
        ("window/time_zone", "Shanghai", "'Shanghai'"),
        ("market", "S_H A", None),
        ("fallback", False, "False"),
        ("recipient/place/match_quality", "sure", None),
        ("colour", "red", None),
    ],
)
def test_every_fault_names_the_field_what_was_expected_and_where_it_is_safe_the_value(
    desk: Desk, path: str, value: Any, shown: str | None
) -> None:
    response = place(desk, sent(path, value))
    faults = {fault["pointer"]: fault for fault in json.loads(response.body)["errors"]}
    fault = faults[f"/{path}"]
    assert fault["detail"]
    assert fault.get("value") == shown


def test_a_bug_is_logged_by_its_kind_and_place_and_never_by_its_text(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []

    def broken(*_: Any) -> Any:
        raise RuntimeError("Wang Secretive lives at +8613800138001")

    monkeypatch.setattr(wiring.world().table, "write", broken)
    journal.write_to(lines.append)
    try:
        response = place(desk, body())
    finally:
        journal.write_to(None)
    assert response.status_code == 500
    (line,) = [json.loads(line) for line in lines if "failure" in line]
    assert line["error"] == "RuntimeError" and line["at"]
    seen = response.body.decode() + "".join(lines)
    assert not [word for word in SECRETS if word in seen], seen


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("gift/items/0/value/amount", True),
        ("gift/items/0/value/amount", "88000"),
        ("gift/items/0/quantity", "2"),
        ("recipient/place/coordinate/lng", "121.49"),
        ("window/start", 0),
        ("window/start", "1790000000"),
        ("recipient/phone", "+861380000\u0663\u0663"),
    ],
)
def test_nothing_is_guessed_from_a_value_of_another_kind(desk: Desk, path: str, value: Any) -> None:
    before = dict(desk.stage.plain.table.rows)  # type: ignore[attr-defined]
    response = place(desk, sent(path, value))
    assert response.status_code == 422
    assert [fault["pointer"] for fault in json.loads(response.body)["errors"]] == [f"/{path}"]
    assert desk.stage.plain.table.rows == before  # type: ignore[attr-defined]


def test_a_name_that_stands_twice_in_one_object_is_refused(desk: Desk) -> None:
    raw = json.dumps(body()).encode()
    for doubled in (
        raw[:-1] + b', "tier": "diamond"}',
        raw.replace(b'"quantity"', b'"quantity"').replace(
            b'"currency": "CNY"', b'"currency": "CNY", "currency": "CNY"'
        ),
    ):
        response = desk.maison("POST", "/v1/orders", doubled, {"Idempotency-Key": "k"})
        assert response.status_code == 400
        assert "stands twice" in json.loads(response.body)["detail"]


@pytest.mark.parametrize("name", ["a" * 3000, "a" * 65, ".hidden", "a|b", "a~b"])
def test_a_name_in_a_path_that_can_be_none_of_ours_is_nothing_here(desk: Desk, name: str) -> None:
    for caller, method, path in (
        (desk.maison, "GET", f"/v1/orders/{name}"),
        (desk.maison, "GET", f"/v1/webhooks/{name}"),
        (desk.maison, "POST", f"/v1/webhooks/{name}/rotate"),
        (desk.operator, "GET", f"/v1/markets/{name}"),
        (desk.maison, "POST", f"/v1/callbacks/SHA/{name}"),
        (desk.maison, "POST", f"/v1/callbacks/{name}/paper-co"),
    ):
        response = caller(method, path, {} if method == "POST" else None)
        assert response.status_code == 404, (method, path[:40], response.status_code)


def test_a_dry_run_refuses_what_an_order_would_be_refused_for(desk: Desk) -> None:
    for path, value, pointer in (
        (
            "recipient/place/coordinate",
            {"lng": 2.3, "lat": 48.8, "datum": "WGS84"},
            "/recipient/place/coordinate",
        ),
        ("gift/items/0/value/currency", "EUR", "/gift/items/0/value/currency"),
        ("window/end", "2099-01-01T00:00:00Z", "/window/end"),
    ):
        whole = sent(path, value)
        question = {name: whole[name] for name in ("market", "gift", "pick_up", "recipient", "window")}
        for response in (place(desk, whole), desk.maison("POST", "/v1/clearances", question)):
            assert response.status_code == 422, path
            assert json.loads(response.body)["errors"][0]["pointer"] == pointer
