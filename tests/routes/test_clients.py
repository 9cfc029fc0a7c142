"""Clients over HTTP, as a brand's engineers meet them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.routes.conftest import Desk
from tests.stage import client_body

PATH = "/v1/clients/vic-1"


def put(desk: Desk, path: str = PATH, **changes: Any) -> Any:
    return desk.maison("PUT", path, client_body(**changes))


def test_a_client_is_handed_in_and_read_back_by_its_own_brand_alone(desk: Desk) -> None:
    made = put(desk)
    assert (made.status_code, made.headers["ETag"]) == (200, '"v1"')
    found = desk.maison("GET", PATH)
    assert found.headers["Cache-Control"] == "no-store"
    sent = client_body()
    told = found.json_body
    assert told["person"]["name"] == sent["person"]["name"]
    assert told["person"]["places"]["home"]["address"] == sent["person"]["places"]["home"]["address"]
    assert [consent["purpose"] for consent in told["consents"]] == ["cross_border", "service"]
    assert desk.other_brand("GET", PATH).status_code == 404


def test_a_change_needs_the_etag_and_the_same_again_does_not(desk: Desk) -> None:
    put(desk)
    assert put(desk).headers["ETag"] == '"v1"'
    assert put(desk, locale="en").status_code == 428
    moved = desk.maison("PUT", PATH, client_body(locale="en"), {"If-Match": '"v1"'})
    assert (moved.status_code, moved.headers["ETag"]) == (200, '"v2"')
    assert desk.maison("PUT", PATH, client_body(), {"If-Match": '"v1"'}).status_code == 412


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"country": "China"}, "/country"),
        ({"locale": "zh CN"}, "/locale"),
        ({"time_zone": "Beijing"}, "/time_zone"),
        ({"channels": ["pigeon"]}, "/channels/0"),
        ({"channels": ["email", "email"]}, "/channels"),
        ({"person": {"name": "Wang Secretive", "phone": "13800138001"}}, "/person/phone"),
        ({"person": {"name": "Wang Secretive", "email": "nobody"}}, "/person/email"),
        ({"person": {"name": "W", "passport": "E1"}}, "/person/passport"),
        ({"consents": [{"purpose": "service", "granted_at": "2022-04-01", "evidence": "x"}]}, "/consents/0/granted_at"),
        ({"consents": [{"purpose": "service", "granted_at": "2032-04-01T00:00:00Z", "evidence": "x"}]}, "/consents/0"),
        ({"consents": [{"purpose": "service", "granted_at": "2022-04-01T00:00:00Z"}]}, "/consents/0/evidence"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_and_nothing_personal_is_repeated(
    desk: Desk, changes: dict[str, Any], pointer: str
) -> None:
    answer = put(desk, **changes)
    assert answer.status_code == 422
    assert pointer in [error["pointer"] for error in answer.json_body["errors"]]
    assert not [word for word in (b"Secretive", b"13800138001", b"nobody") if word in answer.body]
    assert desk.maison("GET", PATH).status_code == 404, "nothing half written"


def test_clients_are_listed_page_by_page_and_nobody_can_read_who_they_are(desk: Desk) -> None:
    for number in range(3):
        desk.stage.clock.forward(minutes=1)
        put(desk, f"/v1/clients/vic-{number}")
    first = desk.maison("GET", "/v1/clients?limit=2")
    assert [one["reference"] for one in first.json_body["data"]] == ["vic-2", "vic-1"]
    cursor = first.json_body["next_cursor"]
    rest = desk.maison("GET", f"/v1/clients?limit=2&cursor={cursor}").json_body
    assert [one["reference"] for one in rest["data"]] == ["vic-0"]
    assert "王女士" not in first.body.decode()
    assert desk.other_brand("GET", f"/v1/clients?cursor={cursor}").status_code == 400
    assert desk.other_brand("GET", "/v1/clients").json_body["data"] == []


def test_a_client_is_found_by_what_it_is_reached_by(desk: Desk) -> None:
    put(desk)
    put(desk, "/v1/clients/vic-2", person={"name": "B", "phone": "+8613800138000"})
    asked = [{"phone": "+8613800138000"}, {"email": "WANG@example.com"}, {"whatsapp": "8613800138000"}]
    answers = [desk.maison("POST", "/v1/clients/search", one).json_body["data"] for one in asked]
    assert [[one["reference"] for one in data] for data in answers] == [
        ["vic-1", "vic-2"],
        ["vic-1"],
        ["vic-1", "vic-2"],
    ]
    assert desk.other_brand("POST", "/v1/clients/search", asked[0]).json_body["data"] == []
    for wrong in ({}, {"phone": "+8613800138000", "email": "a@example.com"}, {"phone": "138"}):
        assert desk.maison("POST", "/v1/clients/search", wrong).status_code == 422


def test_a_consent_is_given_and_taken_back_with_its_proof(desk: Desk) -> None:
    put(desk, consents=[])
    given = {"purpose": "marketing", "granted_at": "2022-04-01T09:00:00+08:00", "evidence": "call-5"}
    told = desk.maison("POST", f"{PATH}/consents", {"granted": given})
    assert told.json_body["consents"] == [{**given, "granted_at": "2022-04-01T01:00:00Z"}]
    assert desk.maison("POST", f"{PATH}/consents", {"granted": given}).headers["ETag"] == '"v2"'
    gone = {"purpose": "marketing", "withdrawn_at": "2022-04-02T09:00:00+08:00", "evidence": "message-1"}
    (consent,) = desk.maison("POST", f"{PATH}/consents", {"withdrawn": gone}).json_body["consents"]
    assert (consent["withdrawn_at"], consent["withdrawal"]) == ("2022-04-02T01:00:00Z", "message-1")
    for wrong in ({}, {"granted": given, "withdrawn": gone}):
        assert desk.maison("POST", f"{PATH}/consents", wrong).status_code == 422
    assert desk.maison("POST", "/v1/clients/vic-9/consents", {"granted": given}).status_code == 404


def test_an_erasure_is_asked_for_and_told(desk: Desk) -> None:
    put(desk)
    assert desk.maison("GET", f"{PATH}/erasure").status_code == 404, "nobody has asked"
    assert desk.other_brand("DELETE", PATH).status_code == 404
    asked = desk.maison("DELETE", PATH)
    assert (asked.status_code, asked.headers["Location"]) == (202, f"{PATH}/erasure")
    assert asked.json_body["state"] == "waiting"
    desk.stage.settle()
    told = desk.maison("GET", f"{PATH}/erasure").json_body
    assert (told["state"], told["out_of_backups_at"]) == ("erased", "2022-05-16T04:00:00Z")
    assert desk.maison("DELETE", PATH).status_code == 202, "twice is once"
    assert desk.maison("GET", PATH).status_code == 410
    again = put(desk)
    assert (again.status_code, "王女士" in again.body.decode()) == (409, False)
    other = put(desk, "/v1/clients/vic-2")
    assert other.status_code == 409
    assert {error["pointer"] for error in other.json_body["errors"]} == {"/person/phone", "/person/email"}
    assert b"13800138000" not in other.body
    assert put(desk, "/v1/clients/vic-2", returns="letter-1").status_code == 200
    (mark, _) = sorted(
        desk.maison("GET", "/v1/clients").json_body["data"], key=lambda one: str(one["reference"])
    )
    assert mark["erased_at"] == "2022-04-11T04:00:00Z"


def test_what_countries_ask_can_be_read(desk: Desk) -> None:
    told = desk.maison("GET", "/v1/jurisdictions").json_body["data"]
    assert [one["country"] for one in told] == ["CN", "IT", "FR", "DE", "CH", "AE"]
    assert told[-1]["marketing"]["hours"]["until"] == "18:00:00"
