"""Gifts that need no courier over HTTP: a brand sets one up, gives it, and a partner redeems it; and the calendar."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import pytest

from tests import digital
from tests.security.gateway import Answer, Gateway, gateway
from tests.stage import NOON, body

BRAND, STUDIO = "brand maison", "partner yoga-studio"


@pytest.fixture(scope="module")
def opened() -> Any:
    with gateway() as found:
        yield found


@pytest.fixture
def gate(opened: Gateway) -> Gateway:
    opened.restore()
    return opened


def put(gate: Gateway, name: str, told: dict[str, Any], version: int | None = None) -> Answer:
    more = {} if version is None else {"If-Match": f'"v{version}"'}
    return gate.ask("PUT", f"/v1/digital-gifts/{name}", BRAND, told, more)


def place(gate: Gateway, gift: str, key: str = "club-1", **changes: Any) -> Answer:
    wanted = {"market": "SHA", "reference": "CLUB-1", "gift": gift, **changes}
    return gate.ask("POST", "/v1/digital-orders", BRAND, wanted, {"Idempotency-Key": key})


def pass_id(order: dict[str, Any]) -> str:
    return str(order["order_id"]).replace("ord_", "pass_")


def test_from_setting_it_up_to_first_use(gate: Gateway) -> None:
    made = put(gate, "WEEK", digital.yoga(limit=1))
    assert (made.status, made.json()["left"], made.headers["ETag"]) == (200, 1, '"v1"')
    order = place(gate, "WEEK").json()
    assert (order["state"], order["digital"]["outcome"]) == ("fulfilled_digitally", "given")
    assert place(gate, "WEEK", "club-2").status == 409
    told = gate.ask("GET", f"/v1/passes/{pass_id(order)}/code", BRAND).json()
    assert told["link"] == "https://yoga.example/start"
    redeemed = gate.ask(
        "POST", "/v1/redemptions", STUDIO, {"code": told["code"]}, {"Idempotency-Key": "visit-1"}
    )
    assert redeemed.json()["valid_until"] == "2022-04-17T16:00:00Z"
    again = gate.ask(
        "POST", "/v1/redemptions", STUDIO, {"code": told["code"]}, {"Idempotency-Key": "visit-1"}
    )
    assert (again.status, again.headers["Idempotent-Replayed"]) == (200, "true")
    twice = gate.ask(
        "POST", "/v1/redemptions", STUDIO, {"code": told["code"]}, {"Idempotency-Key": "visit-2"}
    )
    assert twice.status == 409
    assert "redeemed at 2022-04-11T04:00:00+00:00" in twice.json()["detail"]
    seen = gate.ask("GET", f"/v1/passes/{pass_id(order)}", STUDIO).json()
    assert (seen["state"], seen["expired"]) == ("redeemed", False)
    assert "maison" not in str(seen), "whose client it is, is not the studio's business"


def test_a_repeat_is_the_same_order_and_says_so(gate: Gateway) -> None:
    put(gate, "WEEK", digital.yoga())
    first = place(gate, "WEEK")
    gate.stage.settle()
    second = place(gate, "WEEK")
    assert (second.status, second.headers["Idempotent-Replayed"]) == (202, "true")
    assert second.body == first.body
    assert place(gate, "WEEK", reference="CLUB-2").status == 422


def test_a_change_needs_if_match_and_what_is_wrong_is_named(gate: Gateway) -> None:
    put(gate, "WEEK", digital.yoga())
    assert put(gate, "WEEK", digital.yoga(title="Two weeks")).status == 428
    assert put(gate, "WEEK", digital.yoga(title="Two weeks"), 9).status == 412
    assert put(gate, "WEEK", digital.yoga(title="Two weeks"), 1).status == 200
    wrong = put(gate, "WEEK", digital.yoga(days="seven"), 2)
    assert wrong.json()["errors"][0]["pointer"] == "/days"
    empty = put(gate, "CLUB", digital.club(sessions=[]))
    assert empty.status == 422 and "at least one session" in empty.json()["detail"]


def test_codes_come_in_parts_and_a_wrong_one_is_named_and_not_repeated(gate: Gateway) -> None:
    put(gate, "LIST", digital.listed())
    path = "/v1/digital-gifts/LIST/codes/1"
    wrong = gate.ask("PUT", path, BRAND, {"codes": ["YOGA-0001", "short", "YOGA 0001"]})
    assert [error["pointer"] for error in wrong.json()["errors"]] == ["/codes/1"]
    wrong = gate.ask("PUT", path, BRAND, {"codes": ["YOGA-0001", "SECRET-CODE-1", "YOGA 0001"]})
    assert [error["pointer"] for error in wrong.json()["errors"]] == ["/codes/2"]
    assert b"0001" not in wrong.body
    done = gate.ask("PUT", path, BRAND, {"codes": ["YOGA-0001", "YOGA-0002"]})
    assert done.json() == {"number": 1, "loaded": 2, "known": 0}
    assert gate.ask("PUT", path, BRAND, {"codes": ["YOGA-0001", "YOGA-0002"]}).body == done.body
    assert gate.ask("PUT", path, BRAND, {"codes": ["YOGA-0003"]}).status == 409
    assert gate.ask("GET", "/v1/digital-gifts/LIST", BRAND).json()["left"] == 2
    assert gate.ask("PUT", path.replace("/1", "/201"), BRAND, {"codes": ["YOGA-0003"]}).status == 404


def test_a_parcel_that_waits_is_offered_something_else_and_the_answer_is_passed_on(gate: Gateway) -> None:
    put(gate, "WEEK", digital.yoga())
    placed = gate.ask(
        "POST", "/v1/orders", BRAND, body("Nowhere"), {"Idempotency-Key": "gift-nowhere"}
    ).json()
    gate.stage.settle()
    path = f"/v1/orders/{placed['order_id']}"

    def act(**told: Any) -> Answer:
        now = gate.ask("GET", path, BRAND)
        return gate.ask("POST", f"{path}/digital", BRAND, told, {"If-Match": str(now.headers["ETag"])})

    offered = act(action="offer", gift="WEEK")
    assert (offered.json()["state"], offered.json()["digital"]["outcome"]) == ("held", "offered")
    assert act(action="accept", gift="WEEK").status == 422, "an answer names no gift"
    assert act(action="accept").json()["state"] == "fulfilled_digitally"
    gate.stage.settle()
    types = [said["type"] for said in gate.stage.brand.heard if said["subject"] == placed["order_id"]]
    assert types[-2:] == ["order.digital_offered", "order.fulfilled_digitally"]
    shown = gate.ask("GET", f"{path}/evidence", BRAND).json()["data"]
    assert [piece["digital"]["outcome"] for piece in shown if piece["step"] == "digital"] == [
        "offered",
        "given",
    ]
    page = gate.ask("GET", f"{path}/evidence", BRAND, headers={"Accept": "text/plain"})
    assert b"a gift that needs no courier" in page.body


# --- invitations and calendars ----------------------------------------------------------------------------------


def calendar_of(gate: Gateway, order: dict[str, Any]) -> icalendar.Calendar:
    answer = gate.ask(
        "GET", f"/v1/passes/{pass_id(order)}/invitation", BRAND, headers={"Accept": "text/calendar"}
    )
    assert (answer.status, answer.kind) == (200, "text/calendar")
    found = icalendar.Calendar.from_ical(answer.body)
    assert isinstance(found, icalendar.Calendar)
    return found


def test_an_invitation_tells_the_programme_and_what_it_recommends(gate: Gateway) -> None:
    put(gate, "CLUB", digital.club())
    order = place(gate, "CLUB").json()
    told = gate.ask("GET", f"/v1/passes/{pass_id(order)}/invitation", BRAND).json()
    assert (told["title"], len(told["sessions"])) == ("Culture club", 3)
    kinds = [one["kind"] for one in told["sessions"][0]["recommends"]]
    assert kinds == ["book", "film", "music"]


def test_a_calendar_has_every_session_on_the_clock_of_the_club(gate: Gateway) -> None:
    put(gate, "CLUB", digital.club(time_zone="Europe/Paris", title="Culture; club\r\nBEGIN:VEVENT"))
    found = calendar_of(gate, place(gate, "CLUB").json())
    assert found["METHOD"] == "PUBLISH"
    (zone,) = found.walk("VTIMEZONE")
    assert str(zone["TZID"]) == "Europe/Paris"
    first, *others = found.walk("VEVENT")
    assert len(others) == 2
    start = first.decoded("DTSTART")
    assert start == datetime.fromisoformat(digital.session("evening-1", day=10)["start"])
    assert start.astimezone(ZoneInfo("Europe/Paris")).utcoffset() == start.utcoffset()
    assert str(first["SUMMARY"]) == "Culture; club\nBEGIN:VEVENT: Paris in the thirties"
    assert "- Nadja, André Breton" in str(first["DESCRIPTION"])
    assert str(first["URL"]) == "https://club.example/room"


def test_a_change_keeps_the_uid_and_raises_the_sequence_and_an_end_says_cancel(gate: Gateway) -> None:
    put(gate, "CLUB", digital.club())
    order = place(gate, "CLUB").json()
    before = {str(event["UID"]): event for event in calendar_of(gate, order).walk("VEVENT")}
    assert {int(event["SEQUENCE"]) for event in before.values()} == {0}
    later = [digital.session("evening-1", day=12), digital.session("evening-2", day=17)]
    gate.stage.clock.forward(hours=1)
    put(gate, "CLUB", digital.club(sessions=later), 1)
    after = {str(event["UID"]): event for event in calendar_of(gate, order).walk("VEVENT")}
    assert after.keys() == before.keys(), "what is left out is told of as cancelled, not forgotten"
    assert {int(event["SEQUENCE"]) for event in after.values()} == {1}
    statuses = {uid.rsplit("-", 1)[1]: str(event["STATUS"]) for uid, event in after.items()}
    assert statuses == {"1@cordon": "CONFIRMED", "2@cordon": "CONFIRMED", "3@cordon": "CANCELLED"}
    assert calendar_of(gate, order).to_ical() == calendar_of(gate, order).to_ical()
    gate.ask("POST", f"/v1/passes/{pass_id(order)}/withdraw", BRAND)
    ended = calendar_of(gate, order)
    assert ended["METHOD"] == "CANCEL"
    assert {(int(e["SEQUENCE"]), str(e["STATUS"])) for e in ended.walk("VEVENT")} == {(2, "CANCELLED")}
    gate.stage.clock.now = NOON


def test_a_lesson_is_one_entry_of_its_own_name_and_a_pass_has_none(gate: Gateway) -> None:
    put(gate, "FACIAL", digital.facial())
    (event,) = calendar_of(gate, place(gate, "FACIAL").json()).walk("VEVENT")
    assert str(event["SUMMARY"]) == "Paris in the thirties"
    assert event.decoded("DTSTART").astimezone(UTC) == datetime(2022, 4, 13, 11, tzinfo=UTC)
    put(gate, "WEEK", digital.yoga())
    order = place(gate, "WEEK", "week-1").json()
    plain = gate.ask(
        "GET", f"/v1/passes/{pass_id(order)}/invitation", BRAND, headers={"Accept": "text/calendar"}
    )
    assert plain.kind == "application/json"


# --- who may --------------------------------------------------------------------------------------------------------


def test_another_partner_sees_no_pass_and_an_operator_sees_every_one(gate: Gateway) -> None:
    from chalicelib.domain.keys import Role
    from chalicelib.flows import enlist

    other = enlist.create_key(gate.stage.world, Role.PARTNER, "other-studio")
    path = f"/v1/passes/{gate.names['pass_id']}"
    theirs = gate.front.answer("GET", path, {"Authorization": f"Bearer {other}"}, None)
    assert theirs[0] == 404
    assert gate.ask("GET", path, "operator control-room").status == 200
    told = {"Authorization": f"Bearer {other}", "Idempotency-Key": "v-1", "Content-Type": "application/json"}
    sent = ('{"code": "' + gate.names["code"] + '"}').encode()
    assert gate.front.answer("POST", "/v1/redemptions", told, sent)[0] == 404


def test_who_guesses_is_told_to_slow_down(gate: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    from chalicelib.flows import redeem

    monkeypatch.setattr(redeem, "WRONG", 3)
    statuses = [
        gate.ask("POST", "/v1/redemptions", STUDIO, {"code": f"GUESS-{n}"}, {"Idempotency-Key": "v"}).status
        for n in range(5)
    ]
    assert statuses == [404, 404, 404, 429, 429]


def test_whatever_is_asked_about_an_order_that_never_had_a_parcel_has_an_answer(gate: Gateway) -> None:
    from tests.security.test_matrix import OPERATIONS, ask, names_of

    put(gate, "WEEK", digital.yoga())
    order_id = str(place(gate, "WEEK").json()["order_id"])
    gate.stage.settle()
    told = gate.ask("GET", f"/v1/orders/{order_id}", BRAND).json()
    assert told["custody"] == {"stretches": [], "flaws": []}, "nobody ever had a parcel"
    before, asked = dict(gate.names), []
    try:
        for route in sorted(OPERATIONS):
            if "order_id" not in names_of(route[1]):
                continue
            for name in before:
                if before[name].startswith("ord_"):
                    gate.names[name] = order_id
            for caller in (BRAND, "operator control-room"):
                answer = ask(gate, route, caller)
                asked.append((route, answer.status))
                assert answer.status < 500, (route, caller, answer.body)
    finally:
        gate.names.update(before)
    assert len(asked) > 30
    for kind in ("text/html", "text/plain"):
        page = gate.ask("GET", f"/v1/orders/{order_id}/evidence", BRAND, headers={"Accept": kind})
        assert (page.status, page.kind) == (200, kind)
