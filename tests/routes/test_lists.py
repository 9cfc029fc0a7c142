"""Lists of clients over HTTP, as whoever keeps a brand's clients meets them."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from tests.flows.test_take_in import file
from tests.routes.conftest import Desk

CSV = {"Content-Type": "text/csv"}
BYTES = {"Content-Type": "application/octet-stream"}


def begun(desk: Desk, **start: Any) -> str:
    made = desk.maison("POST", "/v1/lists", start)
    assert made.status_code == 201
    assert made.headers["Location"] == f"/v1/lists/{made.json_body['list_id']}"
    return str(made.json_body["list_id"])


def sent(desk: Desk, raw: bytes, kind: dict[str, str] | None = None, **start: Any) -> str:
    """A list that is finished and has been read."""
    name = begun(desk, **start)
    put = desk.maison("PUT", f"/v1/lists/{name}/parts/1", raw, kind or CSV)
    assert put.status_code == 200, put.body
    assert desk.maison("POST", f"/v1/lists/{name}/finish", {"parts": 1}).status_code == 202
    desk.stage.settle()
    return name


def test_a_list_is_handed_in_read_and_everybody_is_enrolled(desk: Desk) -> None:
    name = sent(desk, file(3))
    found = desk.maison("GET", f"/v1/lists/{name}").json_body
    assert (found["state"], found["rows"], found["progress"]["outcomes"]) == ("ready", 3, {"enrolled": 3})
    assert desk.maison("GET", "/v1/clients/vic-2").json_body["person"]["name"] == "王女士2"
    assert desk.other_brand("GET", f"/v1/lists/{name}").status_code == 404


def test_lists_are_shown_page_by_page_the_last_first(desk: Desk) -> None:
    names = []
    for _ in range(3):
        desk.stage.clock.forward(minutes=1)
        names.append(begun(desk))
    first = desk.maison("GET", "/v1/lists?limit=2").json_body
    last = desk.maison("GET", f"/v1/lists?limit=2&cursor={first['next_cursor']}").json_body
    assert [each["list_id"] for each in [*first["data"], *last["data"]]] == names[::-1]
    assert desk.other_brand("GET", "/v1/lists").json_body["data"] == []


@pytest.mark.parametrize(
    ("start", "kind", "status", "word"),
    [
        ({}, {"Content-Type": "text/csv; charset=gb18030"}, 422, "charset"),
        ({"charset": "gb18030"}, {"Content-Type": "text/csv; charset=gb18030"}, 400, "octet-stream"),
        ({"charset": "gb18030"}, {"Content-Type": 'application/octet-stream; charset="GBK"'}, 200, ""),
        ({"charset": "windows-1252"}, {"Content-Type": "application/octet-stream; charset=latin1"}, 200, ""),
        ({}, {"Content-Type": "text/csv;charset=UTF-8"}, 200, ""),
        ({}, {"Content-Type": "application/x-ndjson"}, 422, "text/csv"),
        ({"format": "jsonl"}, {"Content-Type": "application/x-ndjson"}, 200, ""),
        ({}, {"Content-Type": "application/json"}, 415, ""),
    ],
)
def test_a_part_says_in_which_letters_it_is_as_its_list_did(
    desk: Desk, start: dict[str, str], kind: dict[str, str], status: int, word: str
) -> None:
    answer = desk.maison("PUT", f"/v1/lists/{begun(desk, **start)}/parts/1", b"reference", kind)
    assert answer.status_code == status, answer.body
    assert word in answer.json_body.get("detail", "")


@pytest.mark.parametrize(
    "start",
    [
        {"charset": "koi8-r"},
        {"kind": "orders"},
        {"format": "xlsx"},
        {"currency": "yuan"},
        {"kind": "members", "currency": "CNY"},
        {"format": "jsonl", "charset": "gb18030"},
    ],
)
def test_what_a_list_cannot_be_is_refused(desk: Desk, start: dict[str, str]) -> None:
    answer = desk.maison("POST", "/v1/lists", start)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_faults_are_told_by_row_and_column_to_programs_and_as_a_table(desk: Desk) -> None:
    name = sent(desk, file(5, phone="Secretive") + b"\nvic-9,=1+1\n")
    assert desk.maison("GET", f"/v1/lists/{name}").json_body["state"] == "refused"
    path = f"/v1/lists/{name}/faults"
    first = desk.maison("GET", f"{path}?rows=5").json_body
    rest = desk.maison("GET", f"{path}?rows=5&cursor={first['next_cursor']}").json_body
    faults = [(each["row"], each["column"]) for each in [*first["data"], *rest["data"]]]
    assert faults[:5] == [(number, "phone") for number in range(2, 7)]
    assert (first["fault_count"], faults[5]) == (len(faults), (7, "name"))
    told = desk.maison("GET", f"{path}?rows=4", headers={"Accept": "text/csv"})
    assert told.headers["Content-Type"] == "text/csv; charset=utf-8"
    text = told.body.decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == ["row", "column", "expected", "value"]
    assert [row[:2] for row in rows[1:]] == [[str(number), "phone"] for number in range(2, 6)]
    more = desk.maison("GET", f"{path}?cursor={told.headers['Next-Cursor']}", headers={"Accept": "text/csv"})
    assert "Next-Cursor" not in more.headers
    assert b"Secretive" not in told.body + more.body
    assert b"\n=" not in more.body


def test_one_list_is_no_key_to_the_faults_of_another(desk: Desk) -> None:
    one, other = sent(desk, file(5, phone="1")), sent(desk, file(5, phone="1"))
    cursor = desk.maison("GET", f"/v1/lists/{one}/faults?rows=2").json_body["next_cursor"]
    assert desk.maison("GET", f"/v1/lists/{other}/faults?cursor={cursor}").status_code == 400
    assert desk.other_brand("GET", f"/v1/lists/{one}/faults").status_code == 404
