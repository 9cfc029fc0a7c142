"""Evidence for people: the page over HTTP, as brands and as operators read it."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.flows import enlist, look, publish
from chalicelib.flows.recall import recalled
from tests.routes.conftest import Caller, Desk
from tests.routes.test_brands import PERSONAL
from tests.routes.test_disclosure import ill, place
from tests.stage import CLOSED, CONTACTLESS, NOON, OPEN_TO_THE_DOOR, body, publish_rules, zone

HTML, TEXT, JSON = "text/html", "text/plain", "application/json"
OF_CREWS = (
    "crew-1",
    "permit-1",
    "slot-1",
    "A0001",
    "was positive",
    "has been withdrawn",
    "sampled",
    "13 Apr",
)


def page(caller: Caller, order_id: str, kind: str = TEXT) -> str:
    response = caller("GET", f"/v1/orders/{order_id}/evidence", headers={"Accept": kind})
    assert response.status_code == 200
    assert response.headers["Content-Type"] == f"{kind}; charset=utf-8"
    text: str = response.body.decode()
    return text


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, JSON),
        ("*/*", JSON),
        ("application/json, text/html;q=0.9", JSON),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", HTML),
        ("text/*", HTML),
        ("text/plain", TEXT),
        ("text/html;q=0, text/*;q=0.5", TEXT),
        ("TEXT/PLAIN; Q=1", TEXT),
        ("image/png", JSON),
        ("text/html;q=lots", JSON),
        (";;,,;q=", JSON),
    ],
)
def test_accept_says_whether_a_program_or_a_person_reads(desk: Desk, accept: str | None, kind: str) -> None:
    headers = {} if accept is None else {"Accept": accept}
    answer = desk.maison("GET", f"/v1/orders/{place(desk)}/evidence", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith(kind)
    assert answer.headers["Vary"] == "Accept"
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_page_runs_nothing_and_fetches_nothing(desk: Desk) -> None:
    answer = desk.maison("GET", f"/v1/orders/{place(desk)}/evidence", headers={"Accept": HTML})
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    body = answer.body.decode()
    assert not [word for word in ("<script", "src=", "href=", "url(", "@import") if word in body]


@pytest.mark.parametrize("kind", [HTML, TEXT])
def test_the_page_tells_what_was_asked_decided_and_on_what(desk: Desk, kind: str) -> None:
    said = flat(page(desk.operator, place(desk), kind))
    for words in (
        "order EASTER-1",
        "Chilled food",
        "kept at 0 to 8 °C",
        "Mon 11 Apr 2022, 12:00",
        "04:00 UTC",
        "From 13:00 to 16:00",
        "A courier may go, and was given the gift.",
        "“Precautionary zone” (precautionary@1)",
        "Things may change hands at the client",
        "paper-co, crew crew-1, hours slot-1",
        "permit-1, good until",
        "PCR test sampled",
        ", good until",
    ):
        assert words in re.sub(r"</?(span|time)[^>]*>", "", said), words


@pytest.mark.parametrize("kind", [HTML, TEXT])
@pytest.mark.parametrize("who", ["maison", "operator"])
def test_no_page_says_whom_the_gift_is_for(desk: Desk, kind: str, who: str) -> None:
    said = page(getattr(desk, who), place(desk), kind)
    assert not [word for word in (*PERSONAL, "Cake", "Wang", "Li Baoxian", "Yongjia, ") if word in said]


@pytest.mark.parametrize("kind", [HTML, TEXT])
@pytest.mark.parametrize("well", [True, False])
def test_a_brands_page_says_nothing_of_a_crew(desk: Desk, kind: str, well: bool) -> None:
    if not well:
        ill(desk)
    said = page(desk.maison, place(desk), kind)
    assert not [word for word in OF_CREWS if word in said]
    assert "Crews are people." in flat(said)


def test_a_brand_reads_that_crews_were_not_cleared_and_how_many(desk: Desk) -> None:
    ill(desk)
    said = flat(page(desk.maison, place(desk)))
    assert "Nobody may go." in said
    assert "2 offers: The crew is not cleared to go." in said


def test_an_operator_reads_which_offer_was_turned_down_and_why(desk: Desk) -> None:
    ill(desk)
    said = flat(page(desk.operator, place(desk)))
    assert "1 offer (slot-1): A test of the crew was positive, and no later one has taken it back." in said
    assert "1 offer (slot-2): The crew has been withdrawn: off duty, off the list, or shut in." in said


@pytest.mark.parametrize("kind", [HTML, TEXT, JSON])
def test_another_brands_page_looks_like_none(desk: Desk, kind: str) -> None:
    path = f"/v1/orders/{place(desk)}/evidence"
    answer = desk.other_brand("GET", path, headers={"Accept": kind})
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_why_it_stops_at_the_gate_is_said_with_the_rule_and_its_bulletin(desk: Desk) -> None:
    order_id = place(desk)
    desk.stage.clock.forward(minutes=5)
    sealed = zone(
        "Yongjia",
        "sealed@1",
        "sealed",
        zone_id="zone-sealed",
        valid_from=(NOON - timedelta(hours=2)).isoformat(),
        expected_end=(NOON + timedelta(days=14)).isoformat(),
        basis="Bulletin 12 of the district",
    )
    publish_rules(desk.stage.world, "amend", sealed, policies=[OPEN_TO_THE_DOOR, CONTACTLESS, CLOSED])
    desk.stage.settle()
    said = flat(page(desk.operator, order_id))
    assert "It still may go, under the rules as they stand now." in said
    assert (
        "Not in the lobby of the building, on a shelf at the gate or at a collection point: “Precautionary"
        in said
    )
    assert "Not at the client's door: “Sealed zone” does not allow it." in said
    assert "zone-sealed at the client's place: “Sealed zone”. In force since 10:00, known since 12:05" in said
    assert (
        "2 hours 5 minutes after it began; announced to end Mon 25 Apr, 12:00, which by itself releases"
        in said
    )
    assert "Bulletin: Bulletin 12 of the district" in said
    assert "As before: zone-Kitchen where it is fetched and zone-Yongjia at the client's place." in said
    assert "2. Mon 11 Apr 2022, 12:05 (04:05 UTC): rules or fleet had changed" in said
    assert "Version 2 of this market, published 12:05" in said
    first = said.partition("2. Mon 11 Apr")[0]
    assert "zone-Kitchen where it is fetched: “Precautionary zone”" in first
    assert "zone-sealed" not in first  # what became known later is not read into what was decided before


def test_a_title_that_is_markup_is_text(desk: Desk) -> None:
    odd = {**CLOSED, "policy_id": "odd", "title": "<img src=x onerror=alert(1)>", "source": "<b>&"}
    there = zone("Odd", "odd@1", "sealed", zone_id="zone-odd", basis="<i>bulletin</i>")
    publish_rules(desk.stage.world, "amend", there, policies=[odd])
    said = page(desk.maison, place(desk, "Odd"), HTML)
    assert "&lt;img src=x onerror=alert(1)&gt;" in said
    assert not [mark for mark in ("<img", "<b>", "<i>") if mark in said]


@pytest.mark.parametrize("gone", ["chunk#", "snapshot#"])
def test_a_snapshot_that_cannot_be_read_is_said_and_the_rest_still_stands(desk: Desk, gone: str) -> None:
    order_id = place(desk)
    table: Any = desk.stage.plain.table
    for key in [key for key in table.rows if key.pk.startswith(gone)]:
        del table.rows[key]
    said = flat(page(desk.operator, order_id))
    assert "They cannot be read any more, so their zones are given by name only." in said
    assert "zone-Yongjia" in said
    assert "A courier may go, and was given the gift." in said
    log: Any = desk.stage.world.log
    assert "snapshot_unreadable" in str(log.lines)


def test_an_order_that_nothing_was_decided_about_has_a_page_that_says_so(desk: Desk) -> None:
    order_id = desk.maison("POST", "/v1/orders", body(), {"Idempotency-Key": "new"}).json_body["order_id"]
    said = flat(page(desk.maison, order_id))
    assert "None yet. Until one is taken, the gift goes nowhere." in said
    assert "0 decisions about it are on record" in said


def test_where_no_rules_were_ever_published_the_page_says_that(desk: Desk) -> None:
    table: Any = desk.stage.plain.table
    for key in [key for key in table.rows if key.sk == "rules"]:
        del table.rows[key]
    said = flat(page(desk.maison, place(desk)))
    assert "Held, until what is unknown is known." in said
    assert "No rules have been published for this market" in said
    assert "None had been published." in said


def test_a_permit_that_is_gone_by_now_is_shown_as_it_was(desk: Desk) -> None:
    order_id = place(desk)
    enlist.remove(desk.stage.world, "SHA", "permits", "permit-1")
    said = flat(page(desk.operator, order_id))
    assert "permit-1, good until Wed 13 Apr, 12:00" in said


def test_of_a_snapshot_only_what_the_decisions_named_is_recalled(desk: Desk) -> None:
    publish_rules(desk.stage.world, "amend", zone("Elsewhere"))
    pieces = look.evidence_of(desk.stage.world, place(desk)) * 3
    (known,) = recalled(desk.stage.world, pieces).values()
    assert set(known.zones) == {"zone-Kitchen", "zone-Yongjia"}
    assert "precautionary@1" in known.policies


def test_an_exemption_is_told_with_who_granted_it_and_what_it_lifts(desk: Desk) -> None:
    told = {
        "exemption_id": "flowers-ok",
        "policy": "sealed@1",
        "lifts": ["handover"],
        "unit": {"kind": "compound", "district": "310101", "compound": "Yongjia"},
        "valid_from": (NOON - timedelta(hours=1)).isoformat(),
        "valid_to": (NOON + timedelta(days=1)).isoformat(),
        "authority": "The district's office",
        "basis": "Letter 7",
    }
    there = zone("Yongjia", "sealed@1", "sealed", zone_id="zone-sealed")
    world = desk.stage.world
    upload = publish.begin(world, "SHA", "test", mode="amend", time_zone="Asia/Shanghai", datum="GCJ02")
    part = {"policies": [CONTACTLESS], "features": [there], "exemptions": [told]}
    publish.add_part(world, "SHA", upload.upload_id, 1, json.dumps(part).encode())
    publish.finish(world, "SHA", upload.upload_id)
    desk.stage.settle()
    order_id = place(desk)
    for who in (desk.operator, desk.maison):
        said = flat(page(who, order_id))
        assert (
            "flowers-ok, granted by The district's office: of “Sealed zone” it lifts where things change hands, since "
            "11:00 until Tue 12 Apr, 12:00. Bulletin: Letter 7"
        ) in said
        assert "Allowed at the client's door or at the gate of the compound." in said


def test_a_hand_over_that_the_courier_was_not_told_is_not_called_none(desk: Desk) -> None:
    order_id = place(desk)
    only_lobby = {**OPEN_TO_THE_DOOR, "policy_id": "lobby", "title": "Lobby only", "handovers": ["lobby"]}
    there = zone("Yongjia", "lobby@1", "precautionary", zone_id="zone-Yongjia")
    publish_rules(desk.stage.world, "amend", there, policies=[only_lobby])
    desk.stage.settle()
    said = flat(page(desk.operator, order_id))
    assert "The rules allow only a hand-over that the courier had not been told of." in said
    assert "allow no way of handing anything over" not in said


def test_a_way_that_a_curfew_for_clients_takes_is_said_to_be_taken_by_it(desk: Desk) -> None:
    curfew = {"start_local": "15:00", "end_local": "23:00", "stops": ["collection"]}
    indoors = {**OPEN_TO_THE_DOOR, "policy_id": "indoors", "title": "Indoors", "curfews": [curfew]}
    publish_rules(desk.stage.world, "amend", zone("Yongjia", "indoors@1"), policies=[indoors])
    said = flat(page(desk.operator, place(desk)))
    assert "Allowed at the client's door." in said
    assert "Not at the gate of the compound: in a curfew of those hours no client comes out to fetch." in said
