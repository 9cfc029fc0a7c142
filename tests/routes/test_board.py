"""The board over HTTP without a browser: who is let in, what a form needs, what a poll costs, what is told of a no."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

import pytest

from chalicelib.domain import facts
from chalicelib.domain.board import FRESH
from chalicelib.domain.sessions import SESSION_LASTS
from chalicelib.flows import act, recount, sign_in
from chalicelib.pages import jinja
from tests import fakes
from tests.security.gateway import Answer, Gateway, gateway

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
HTML = {"Accept": "text/html,*/*;q=0.8"}


@pytest.fixture(scope="module")
def town() -> Iterator[Gateway]:
    with gateway() as gate:
        yield gate


@dataclass
class Seat:
    """A browser of one dispatcher."""

    gate: Gateway
    token: str

    def get(self, path: str, **headers: str) -> Answer:
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        cookie = {"Cookie": f"other=1; __Host-cordon-board={self.token}"}
        return self.gate.ask("GET", path, headers={**HTML, **cookie, **told})

    def post(self, path: str, proof: str | None = None, **fields: str) -> Answer:
        said = {"form": sign_in.proof_of(self.gate.stage.world, self.token) if proof is None else proof}
        headers = {**FORM, **HTML, "Cookie": f"__Host-cordon-board={self.token}"}
        return self.gate.ask("POST", path, body=urlencode({**said, **fields}).encode(), headers=headers)

    @property
    def order(self) -> str:
        return f"/board/SHA/orders/{self.gate.names['order_id']}"

    @property
    def version(self) -> str:
        return f'"v{self.gate.stage.order(self.gate.names["order_id"]).version}"'


@pytest.fixture
def seat(town: Gateway) -> Seat:
    town.restore()
    return seated(town)


def seated(town: Gateway, who: str = "mei") -> Seat:
    world = town.stage.world
    secret, _ = sign_in.invite(world, who, "control-room")
    return Seat(town, sign_in.enter(world, secret)[0])


def header(answer: Answer, name: str) -> str:
    return {key.lower(): str(value) for key, value in answer.headers.items()}.get(name, "")


# --- the way in -------------------------------------------------------------------------------------------------------


def test_an_operator_makes_a_link_whose_secret_no_server_is_ever_sent(town: Gateway) -> None:
    town.restore()
    made = town.ask("POST", "/v1/board/links", "operator control-room", {"who": "mei"})
    assert made.status == 201
    address, _, secret = made.json()["url"].partition("#")
    assert address.endswith("/enter") and len(secret) > 30
    entered = town.ask("POST", "/enter", body=urlencode({"code": secret}).encode(), headers={**FORM, **HTML})
    assert (entered.status, header(entered, "location")[-6:]) == (303, "/board")
    cookie = header(entered, "set-cookie")
    assert re.fullmatch(
        r"__Host-cordon-board=[\w-]{30,}; Path=/; Max-Age=43200; Secure; HttpOnly; SameSite=Strict", cookie
    )
    again = town.ask("POST", "/enter", body=urlencode({"code": secret}).encode(), headers={**FORM, **HTML})
    assert again.status == 401 and b"used before" in again.body and not header(again, "set-cookie")


def test_whoever_is_turned_away_by_an_operator_sees_nothing_more(town: Gateway, seat: Seat) -> None:
    assert seat.get("/board/SHA").status == 200
    assert town.ask("DELETE", "/v1/board/dispatchers/mei", "operator control-room").status == 204
    assert seat.get("/board/SHA").status == 401


def test_a_session_ends_with_the_shift_and_when_somebody_leaves(town: Gateway, seat: Seat) -> None:
    left = seat.post("/leave")
    assert (left.status, "Max-Age=0" in header(left, "set-cookie")) == (303, True)
    assert seat.get("/board/SHA").status == 401
    late = seated(town)
    clock = town.stage.clock
    before = clock.now
    try:
        clock.now = before + SESSION_LASTS
        assert late.get("/board/SHA").status == 401
    finally:
        clock.now = before


@pytest.mark.parametrize("cookie", ["", "__Host-cordon-board=", "__Host-cordon-board=made-up", "x;=;;", "é"])
def test_no_cookie_and_junk_are_asked_to_sign_in_on_a_page(town: Gateway, cookie: str) -> None:
    town.restore()
    answer = town.ask("GET", "/board/SHA", headers={**HTML, "Cookie": cookie})
    assert (answer.status, answer.kind) == (401, "text/html") and b"cordon keys link" in answer.body
    plain = town.ask("GET", "/board/SHA", headers={"Cookie": cookie})
    assert (plain.status, plain.kind) == (401, "application/problem+json")


# --- forms ------------------------------------------------------------------------------------------------------------


def test_a_form_without_this_sessions_token_does_nothing(town: Gateway, seat: Seat) -> None:
    others = seated(town, "anna")
    town_before = dict(town._table.rows)
    for proof in ("", "made-up", sign_in.proof_of(town.stage.world, others.token)):
        answer = seat.post(f"{seat.order}/cancel", proof=proof, if_match=seat.version)
        assert answer.status == 403, proof
    assert town._table.rows == town_before


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_a_form_that_another_site_sends_does_nothing(town: Gateway, seat: Seat, site: str) -> None:
    said = {"form": sign_in.proof_of(town.stage.world, seat.token), "if_match": seat.version}
    headers = {**FORM, "Cookie": f"__Host-cordon-board={seat.token}", "Sec-Fetch-Site": site}
    answer = town.ask("POST", f"{seat.order}/cancel", body=urlencode(said).encode(), headers=headers)
    assert answer.status == 403 and b"another site" in answer.body


def test_a_deed_needs_the_version_it_was_decided_on(seat: Seat) -> None:
    assert seat.post(f"{seat.order}/cancel").status == 400
    assert seat.post(f"{seat.order}/cancel", if_match='"v999"').status == 412
    assert seat.post(f"{seat.order}/conjure", if_match=seat.version).status == 404
    done = seat.post(f"{seat.order}/cancel", if_match=seat.version, why="the brand called")
    assert done.status == 303
    (deed,) = act.deeds_of(seat.gate.stage.world, seat.gate.names["order_id"])
    assert (deed.who, deed.what, deed.why) == ("mei", "cancelled", "the brand called")


def test_the_second_of_two_dispatchers_is_told_who_was_quicker_and_sees_the_order_as_it_is(
    town: Gateway, seat: Seat
) -> None:
    anna, version = seated(town, "anna"), seat.version
    assert seat.post(f"{seat.order}/cancel", if_match=version, why="asked").status == 303
    lost = anna.post(f"{seat.order}/redispatch", if_match=version)
    assert lost.status == 412 and b"mei has cancelled it" in lost.body and b"cancelled</strong>" in lost.body


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"until": "tomorrow"}, 400, b"a day and an hour"),
        ({"until": "2022-04-11T11:00"}, 422, b"within the next 48 hours"),
        ({"until": "2022-04-11T14:00", "why": "x" * 301}, 422, b"at most 300 characters"),
        ({}, 400, b"a day and an hour"),
    ],
)
def test_a_field_that_is_wrong_is_named(
    seat: Seat, fields: dict[str, str], status: int, words: bytes
) -> None:
    answer = seat.post(f"{seat.order}/hold", if_match=seat.version, **fields)
    assert answer.status == status and words in answer.body
    assert act.deeds_of(seat.gate.stage.world, seat.gate.names["order_id"]) == []


def test_an_order_of_another_market_is_not_found_here(seat: Seat) -> None:
    assert seat.get(f"/board/ROM/orders/{seat.gate.names['order_id']}").status == 404
    assert seat.get("/board/SHA/orders/ord_nobodyhasthis").status == 404


# --- pages ------------------------------------------------------------------------------------------------------------


PLACES = (
    "",
    "/map",
    "/whatif",
    "/campaigns",
    "/progress",
    "/couriers",
    "/suspicions",
    "/log",
    "/queue",
    "/gifts",
)


@pytest.mark.parametrize("place", PLACES)
def test_every_page_lets_nothing_run_that_is_not_a_file_of_ours(seat: Seat, place: str) -> None:
    answer = seat.get(f"/board/SHA{place}")
    assert answer.status == 200
    if answer.kind == "text/html":
        policy = header(answer, "content-security-policy")
        assert (
            "unsafe" not in policy and "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        )
        assert (
            b"<style" not in answer.body and b" style=" not in answer.body and b" onclick" not in answer.body
        )
        assert not re.search(rb"<script(?![^>]* src=)", answer.body)
        assert not re.search(rb"(src|href|action)=\"(https?:)?//", answer.body)
    assert not any(word in answer.body.decode() for word in ("Secretive", "王女士", "+8613800138"))


def test_the_address_is_shown_to_whoever_asks_for_it_and_to_nobody_else(seat: Seat) -> None:
    order = seat.gate.stage.order(seat.gate.names["order_id"])
    person = facts.unseal_private(seat.gate.stage.world.sealer, order).recipient
    assert person.name not in seat.get(seat.order).body.decode()
    shown = seat.post(f"{seat.order}/look", if_match=seat.version).body.decode()
    assert person.name in shown and f"tel:{person.phone}" in shown and person.place.address.line in shown
    after = seat.get(seat.order).body.decode()
    assert person.name not in after and "mei looked at whom it is for" in after


def test_the_evidence_is_a_page_of_the_order(seat: Seat) -> None:
    answer = seat.get(f"{seat.order}/evidence")
    assert answer.status == 200 and b"Why it was decided so" in answer.body


def test_a_poll_that_has_nothing_new_is_three_readings_and_no_body(
    seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    on = seat.gate.stage
    seat.get("/board/SHA/queue")
    recount.recount(on.world, "SHA")
    first = seat.get("/board/SHA/queue")
    calls = fakes.calls_of(on.world.table, monkeypatch)
    again = seat.get("/board/SHA/queue", If_None_Match=header(first, "etag"))
    assert (again.status, again.body) == (304, b"")
    assert calls == ["get", "get", "get_many"]  # the session, its dispatcher, the count


def test_filters_stand_in_the_address(seat: Seat) -> None:
    on = seat.gate.stage
    seat.get("/board/SHA/queue")
    recount.recount(on.world, "SHA")
    on.clock.now += FRESH - timedelta(seconds=1)
    body = seat.get("/board/SHA?state=placed&find=easter").body.decode()
    assert 'value="placed" selected' in body and "EASTER-1" in body
    assert "Nothing fits these filters" in seat.get("/board/SHA?risk=late&brand=nobody").body.decode()
    on.clock.now -= FRESH - timedelta(seconds=1)


@pytest.mark.parametrize(
    "junk", ["limit=-1", "limit=9999999", "limit=x", "risk=%3Cscript%3E", "find=" + "x" * 999]
)
def test_junk_in_the_address_is_harmless(seat: Seat, junk: str) -> None:
    answer = seat.get(f"/board/SHA?{junk}")
    assert answer.status == 200 and b"<script>" not in answer.body


# --- couriers, suspicions, questions ----------------------------------------------------------------------------------


def test_a_courier_is_suspended_and_resumed_and_the_log_says_by_whom(seat: Seat) -> None:
    assert seat.post("/board/SHA/couriers/paper-co/suspend", why="they strike").status == 303
    assert b"suspended" in seat.get("/board/SHA/couriers").body
    log = seat.get("/board/SHA/log").body.decode()
    assert "they strike" in log and "paper-co" in log and "mei" in log
    assert seat.post("/board/SHA/couriers/paper-co/resume").status == 303
    assert seat.post("/board/SHA/couriers/nobody/suspend", why="x").status == 404
    assert seat.post("/board/SHA/couriers/paper-co/sack", why="x").status == 404


def test_a_suspicion_is_taken_back_by_whoever_has_looked(seat: Seat) -> None:
    assert b"Yongjia" in seat.get("/board/SHA/suspicions").body
    name = seat.gate.names["suspicion_id"]
    assert seat.post(f"/board/SHA/suspicions/{name}/dismiss", why="Ms Li drove by").status == 303
    assert b"No courier was turned away" in seat.get("/board/SHA/suspicions").body
    assert b"Ms Li drove by" in seat.get("/board/SHA/log").body


def test_what_if_names_the_field_that_is_wrong_and_keeps_what_was_typed(seat: Seat) -> None:
    wrong = seat.post("/board/SHA/whatif", policy="banned@1", corners="121.4, 31.2\nhere", district="")
    assert wrong.status == 422 and b"/corners: " in wrong.body and b"121.4, 31.2" in wrong.body
    empty = seat.post("/board/SHA/whatif")
    assert empty.status == 422 and b"/zone_id" in empty.body


def test_what_if_tells_which_gifts_a_closure_would_strand(seat: Seat) -> None:
    on = seat.gate.stage
    asked = seat.post(
        "/board/SHA/whatif", once="q1", policy="banned@1", level="6", district="310101", compound="Yongjia"
    )
    assert asked.status == 303
    place = header(asked, "location").removeprefix("/prod")  # the stage, as API Gateway puts it before
    assert b"Looking" in seat.get(place).body
    on.settle()
    told = seat.get(place).body.decode()
    assert "open gifts would be touched" in told


def answered(seat: Seat, **form: str) -> str:
    """The answer's page, when it is there."""
    asked = seat.post("/board/SHA/whatif", policy="banned@1", level="6", **form)
    assert asked.status == 303
    seat.gate.stage.settle()
    return seat.get(header(asked, "location").removeprefix("/prod")).body.decode()


def test_what_if_of_a_zone_that_there_is_says_which_and_the_same_as_of_its_place(seat: Seat) -> None:
    by_name = answered(seat, once="q3", zone_id="zone-Yongjia")
    by_place = answered(seat, once="q4", district="310101", compound="Yongjia")
    assert "(zone-Yongjia): <strong>no access</strong>, banned@1" in by_name
    assert "Yongjia, 310101: <strong>no access</strong>, banned@1" in by_place
    touched = [re.findall(r"<strong>(\d+)</strong> of \d+ open gifts", page) for page in (by_name, by_place)]
    assert touched[0] == touched[1] != ["0"]
    unknown = seat.post("/board/SHA/whatif", once="q5", zone_id="zone-nowhere", policy="banned@1")
    assert unknown.status == 422 and b"/zone_id: " in unknown.body and b"zone-nowhere" in unknown.body


def test_a_question_that_is_sent_twice_is_one_and_changed_from_the_page_before_another(seat: Seat) -> None:
    form = {
        "once": "q2",
        "since": seat.gate.stage.clock.now.isoformat(),
        "policy": "banned@1",
        "district": "310101",
        "compound": "Yongjia",
    }
    first = seat.post("/board/SHA/whatif", **form)
    seat.gate.stage.clock.forward(seconds=5)
    again = seat.post("/board/SHA/whatif", **form)
    other = seat.post("/board/SHA/whatif", **{**form, "compound": "Garden"})
    assert [one.status for one in (first, again, other)] == [303, 303, 303]
    places = [header(one, "location") for one in (first, again, other)]
    assert places[0] == places[1] != places[2]


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["board.css", "board.js", "map.js", "htmx.js", "maplibre-gl.mjs", "favicon.svg"]
)
def test_files_are_kept_for_ever_under_the_digest_of_this_release(town: Gateway, name: str) -> None:
    answer = town.ask("GET", f"/static/{jinja.digest()}/{name}")
    assert answer.status == 200 and "immutable" in header(answer, "cache-control")
    assert town.ask("GET", f"/static/0123456789abcdef/{name}").status == 404


@pytest.mark.parametrize("name", ["..", "board.html", "jinja.py", "nothing.js", "."])
def test_no_other_file_is_served(town: Gateway, name: str) -> None:
    assert town.ask("GET", f"/static/{jinja.digest()}/{name}").status == 404


# --- campaigns --------------------------------------------------------------------------------------------------------


def campaign_path(seat: Seat, name: str = "placing") -> str:
    return f"/board/SHA/campaigns/{seat.gate.names[name]}"


def test_campaigns_of_every_brand_of_the_market_are_listed_with_how_far_they_are(seat: Seat) -> None:
    on = seat.gate.stage
    seat.get("/board/SHA/progress")
    recount.recount(on.world, "SHA")
    body = seat.get("/board/SHA/campaigns").body.decode()
    assert (
        "Being placed" in body and "Planned, not placed" in body and 'aria-current="page">Campaigns' in body
    )
    for name in ("planned", "placing"):
        assert f'{campaign_path(seat, name)}" data-order=' in body
        page = seat.get(campaign_path(seat, name)).body.decode()
        assert "How far it is" in page and "vic-1" not in page and "Secretive" not in page
    assert seat.get(f"/board/ROM/campaigns/{seat.gate.names['placing']}").status == 404


def test_a_poll_of_campaigns_that_has_nothing_new_is_four_readings_and_no_body(
    seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    on = seat.gate.stage
    seat.get("/board/SHA/progress")
    recount.recount(on.world, "SHA")
    first = seat.get("/board/SHA/progress")
    calls = fakes.calls_of(on.world.table, monkeypatch)
    again = seat.get("/board/SHA/progress", If_None_Match=header(first, "etag"))
    assert (again.status, again.body) == (304, b"")
    assert calls == ["get", "get", "get_many", "get_many"]  # the session, its dispatcher, the counts


def test_a_campaign_is_paused_goes_on_and_is_called_off_by_form_and_says_by_whom(seat: Seat) -> None:
    path = campaign_path(seat)
    assert seat.post(f"{path}/pause").status == 400
    assert seat.post(f"{path}/conjure", if_match='"v1"').status == 404
    assert seat.post(f"{path}/pause", proof="made-up", if_match='"v1"').status == 403
    assert seat.post(f"{path}/pause", if_match='"v1"', why="the lift is out").status == 303
    anna = seated(seat.gate, "anna")
    late = anna.post(f"{path}/call_off", if_match='"v1"', orders="kept", why="not wanted")
    assert late.status == 412 and b"mei has paused it" in late.body and b"Paused</span>" in late.body
    page = seat.get(path).body.decode()
    assert "mei had it rest" in page and "the lift is out" in page and "Proceed" in page
    assert seat.post(f"{path}/proceed", if_match='"v2"').status == 303
    wrong = seat.post(f"{path}/call_off", if_match='"v3"', orders="burnt", why="x")
    assert wrong.status == 422 and b"kept or cancelled was expected" in wrong.body
    assert seat.post(f"{path}/call_off", if_match='"v3"', orders="kept", why="not wanted").status == 303
    body = seat.get(path).body.decode()
    assert "Called off" in body and "mei called it off" in body and "Nothing here" in body


def test_a_campaign_that_is_planned_is_its_brands_to_place(seat: Seat) -> None:
    path = campaign_path(seat, "planned")
    body = seat.get(path).body.decode()
    assert "for its brand to say" in body and "Proceed" not in body and "Call off" in body
    answer = seat.post(f"{path}/proceed", if_match='"v1"')
    assert answer.status == 409 and b"paused was expected" in answer.body


def test_the_queue_says_that_it_is_narrowed_to_a_campaign(seat: Seat) -> None:
    name = seat.gate.names["placing"]
    body = seat.get(f"/board/SHA?campaign={name}").body.decode()
    assert "one campaign" in body and f'name="campaign" value="{name}"' in body
