"""The recipient's page over HTTP: who has the link sees one order and may ask for another time, and nobody else anything."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import pytest
from chalice.test import HTTPResponse

from chalicelib.domain.orders import OrderState
from chalicelib.domain.words import LANGUAGES
from chalicelib.flows import links, redeem
from chalicelib.locales import Shelf
from chalicelib.pages import jinja
from tests import digital
from tests.paper import callback
from tests.routes.conftest import Desk
from tests.routes.test_brands import PERSONAL, place
from tests.stage import CONTACTLESS, body, publish_rules, zone

WEIGHS = 50_000
"""Bytes that the page has at most."""


class Reader(HTMLParser):
    """What a page says and asks for; every tag closed, or it is no page."""

    VOID = frozenset({"meta", "link", "input", "br", "img"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == [], f"not closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def field(self, name: str) -> str:
        return next(
            str(given["value"]) for _, given in self.tags if given.get("name") == name and "value" in given
        )


def link(desk: Desk, order_id: str, **wish: str) -> str:
    answer = desk.maison("POST", f"/v1/orders/{order_id}/link", wish)
    assert answer.status_code == 200, answer.body
    return str(answer.json_body["url"]).removeprefix("https://cordon.example/prod")


def look(desk: Desk, path: str, **headers: str) -> HTTPResponse:
    return desk.client.http.get(path, headers=headers)


def read(desk: Desk, path: str, **headers: str) -> Reader:
    answer = look(desk, path, **headers)
    assert answer.status_code == 200, answer.body
    assert len(answer.body) < WEIGHS
    return Reader(answer.body.decode())


def send(desk: Desk, path: str, headers: dict[str, str] | None = None, **fields: str) -> HTTPResponse:
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return desk.client.http.post(path, headers=kind | (headers or {}), body=urlencode(fields).encode())


def came(answer: HTTPResponse) -> str:
    """The word for what came of it."""
    assert answer.status_code == 303, answer.body
    return str(answer.headers["Location"]).rpartition("said=")[2]


def booked(desk: Desk) -> str:
    order_id = str(place(desk).json_body["order_id"])
    desk.stage.settle()
    return order_id


def says(desk: Desk, order_id: str, *kinds: str) -> None:
    for kind in kinds:
        desk.stage.clock.forward(minutes=5)
        said = callback(f"{order_id}-1-1", kind, desk.stage.clock.now)
        desk.client.http.post("/v1/callbacks/SHA/paper-co", headers=dict(said.headers), body=said.body)
        desk.stage.settle()


# --- the link ---------------------------------------------------------------------------------------------------


def test_a_link_is_the_same_until_it_is_revoked_and_then_dead(desk: Desk) -> None:
    order_id = booked(desk)
    first = link(desk, order_id)
    assert link(desk, order_id) == first and look(desk, first).status_code == 200
    etag = desk.maison("GET", f"/v1/orders/{order_id}").headers["ETag"]
    path = f"/v1/orders/{order_id}/link"
    assert desk.maison("DELETE", path, headers={"If-Match": '"v1"'}).status_code == 412
    assert desk.maison("DELETE", path, headers={"If-Match": etag}).status_code == 204
    assert look(desk, first).status_code == 404
    second = link(desk, order_id)
    assert second != first and look(desk, second).status_code == 200


def test_a_link_expires_a_month_after_its_window(desk: Desk) -> None:
    order_id = booked(desk)
    path = link(desk, order_id)
    desk.stage.clock.forward(days=29)
    assert look(desk, path).status_code == 200
    desk.stage.clock.forward(days=2)
    answer = look(desk, path)
    assert answer.status_code == 404 and "This link does not work any more" in answer.body.decode()


def test_a_link_that_is_made_up_changed_or_of_another_key_opens_nothing(desk: Desk) -> None:
    order_id = booked(desk)
    path = link(desk, order_id)
    token = path.removeprefix("/t/")
    text, _, proof = token.partition(".")
    for forged in (
        text, f"{text}.", f"{token}x", f"{text}.{proof[:-2]}AA", f"{text[:-1]}A.{proof}", "a" * 4000, "x", f"{token}=",
        links.form_of(desk.stage.world, desk.stage.order(order_id), token),
    ):  # fmt: skip
        answer = look(desk, f"/t/{forged}")
        assert answer.status_code == 404, forged
        assert order_id not in answer.body.decode()
    secrets: Any = desk.stage.world.secrets
    secrets.signing_keys = lambda: ["another key of thirty-two letters"]
    assert look(desk, path).status_code == 404


def test_a_link_of_a_key_that_was_rotated_still_opens(desk: Desk) -> None:
    order_id = booked(desk)
    path = link(desk, order_id)
    secrets: Any = desk.stage.world.secrets
    keys = [*secrets.signing_keys(), "the next key of thirty-two letters"]
    secrets.signing_keys = lambda: keys
    assert look(desk, path).status_code == 200 and link(desk, order_id) != path


def test_whoever_has_been_forgotten_has_no_page(desk: Desk) -> None:
    from chalicelib.domain import facts
    from chalicelib.domain.steps import moved

    order_id = booked(desk)
    path = link(desk, order_id)
    order = desk.stage.order(order_id)
    gone = moved(order, desk.stage.clock.now).model_copy(update={"sealed": b""})
    desk.stage.world.table.write(facts.keep_order(gone))
    assert look(desk, path).status_code == 404


def test_another_brand_makes_no_link_to_it(desk: Desk) -> None:
    order_id = booked(desk)
    assert desk.other_brand("POST", f"/v1/orders/{order_id}/link", {}).status_code == 404
    assert desk.maison("POST", f"/v1/orders/{order_id}/link", {"language": "ja"}).status_code == 422


# --- looking ----------------------------------------------------------------------------------------------------


def test_looking_changes_nothing_however_often(desk: Desk) -> None:
    order_id = booked(desk)
    path = link(desk, order_id)
    before = dict(desk.stage.world.table.rows)  # type: ignore[attr-defined]
    for suffix in ("", "?lang=ar", "?said=moved", "?do=move&day=2022-04-12&from=09:00", "/calendar"):
        assert look(desk, path + suffix, **{"User-Agent": "WhatsApp/2.23 preview"}).status_code == 200
    assert desk.stage.world.table.rows == before  # type: ignore[attr-defined]
    assert desk.stage.world.queues.sent == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_page_is_in_six_languages_and_switches_between_them(desk: Desk, lang: str) -> None:
    page = read(desk, link(desk, booked(desk), language=lang))
    assert page.tags[0] == ("html", {"lang": lang, "dir": "rtl" if lang == "ar" else "ltr"})
    assert Shelf("page")[lang].say("It is arranged and confirmed.") in page.text
    others = [
        given["href"]
        for tag, given in page.tags
        if tag == "a" and str(given.get("href", "")).startswith("?lang=")
    ]
    assert others == [f"?lang={tag}" for tag in LANGUAGES if tag != lang]
    assert "13:00" in page.text and "16:00" in page.text, "the recipient's clock"
    assert "{" not in page.text


@pytest.mark.parametrize(
    ("accepted", "lang"),
    [("de-CH,de;q=0.9,en;q=0.8", "de"), ("ja,zh-TW;q=0.9,en;q=0.1", "zh-CN"), ("en;q=0.2,ar;q=0.9", "ar"), ("ja", "en"),
     ("", "en"), ("*", "en"), (";;q=x,,fr", "fr")],
)  # fmt: skip
def test_without_a_wish_it_is_in_the_readers_own_language(desk: Desk, accepted: str, lang: str) -> None:
    page = read(desk, link(desk, booked(desk)), **{"Accept-Language": accepted})
    assert page.tags[0][1]["lang"] == lang


def test_what_is_personal_and_whoever_carries_it_is_not_on_the_page(desk: Desk) -> None:
    order_id = booked(desk)
    path = link(desk, order_id)
    says(desk, order_id, "picked_up")
    text = look(desk, path).body.decode()
    for word in (*PERSONAL, "paper-co", "crew-1", "slot-1", "maison", "pcr", "Cake", order_id, "310101"):
        assert word not in text, word


def test_it_is_kept_nowhere_found_nowhere_and_loads_nothing_but_one_script_of_ours(desk: Desk) -> None:
    answer = look(desk, link(desk, booked(desk)))
    told = answer.headers
    assert (told["Cache-Control"], told["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert "noindex" in told["X-Robots-Tag"]
    policy = told["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "script-src 'self';" in policy and "connect-src 'self';" in policy
    assert "unsafe" not in policy and "form-action 'self'" in policy and "frame-ancestors 'none'" in policy
    page = Reader(answer.body.decode())
    assert not [tag for tag, given in page.tags if any(name.startswith("on") for name in given)]
    (script,) = [given for tag, given in page.tags if tag == "script"]
    assert script["src"] == f"../static/{jinja.digest()}/track.js"
    assert look(desk, f"/static/{jinja.digest()}/track.js").status_code == 200
    loaded = [given[name] for _, given in page.tags for name in ("src", "href") if name in given]
    assert not [where for where in loaded if re.match(r"(https?:)?//", str(where))]


def asked_again(desk: Desk, path: str) -> tuple[str, str]:
    """Where the page's script asks, below the page itself, and with which tag."""
    ((_, given),) = [found for found in read(desk, path).tags if found[0] == "main"]
    return str(given.get("data-again", "")), f'"{given["data-tag"]}"'


def test_whoever_asks_again_is_sent_nothing_until_something_has_changed(desk: Desk) -> None:
    order_id = booked(desk)
    path = link(desk, order_id)
    again, tag = asked_again(desk, path)
    assert again == f"{path.rpartition('/')[2].partition('?')[0]}?lang=en"
    same = look(desk, path, **{"If-None-Match": tag})
    assert (same.status_code, same.body, same.headers["ETag"]) == (304, b"", tag)
    assert same.headers["Cache-Control"] == "no-store"
    says(desk, order_id, "picked_up")
    assert look(desk, path, **{"If-None-Match": tag}).status_code == 200
    assert asked_again(desk, path)[1] != tag


def test_the_tag_of_a_page_is_of_its_language_and_its_day(desk: Desk) -> None:
    path = link(desk, booked(desk))
    _, tag = asked_again(desk, path)
    assert look(desk, f"{path}?lang=de", **{"If-None-Match": tag}).status_code == 200
    desk.stage.clock.forward(hours=24)
    assert look(desk, path, **{"If-None-Match": tag}).status_code == 200


def test_of_a_gift_that_has_arrived_nothing_is_asked_again(desk: Desk) -> None:
    order_id = booked(desk)
    says(desk, order_id, "picked_up", "delivered")
    page = read(desk, link(desk, order_id))
    assert not [tag for tag, _ in page.tags if tag == "script"]
    assert asked_again(desk, link(desk, order_id))[0] == ""


def test_a_name_that_is_html_is_text(desk: Desk) -> None:
    name = '</bdi><script>alert(1)</script><img src=x onerror=alert(2)>{name}{0.__class__}\u202e"'
    pick_up = {**body()["pick_up"], "name": name}
    order_id = place(desk, body(pick_up=pick_up)).json_body["order_id"]
    page = read(desk, link(desk, order_id))
    assert not [tag for tag, given in page.tags if tag == "img" or (tag == "script" and "src" not in given)]
    assert "<script>alert(1)</script>" in page.text and "\u202e" not in page.text
    calendar = look(desk, link(desk, order_id) + "/calendar").body.decode()
    assert "<script>" in calendar.replace("\r\n ", "") and "\u202e" not in calendar


def test_states_are_an_ordered_list_and_one_of_them_is_now(desk: Desk) -> None:
    order_id = booked(desk)
    path = link(desk, order_id)

    def steps() -> list[tuple[str, bool]]:
        text = look(desk, path).body.decode()
        found = re.findall(
            r'<li class="(done|ahead)"( aria-current="step")?><span class="what">([^<]+)</span>', text
        )
        assert sum(bool(now) for _, now, _ in found) == 1
        return [(name, kind == "done") for kind, _, name in found]

    assert steps() == [("Planned", True), ("Confirmed", True), ("On its way", False), ("With you", False)]
    says(desk, order_id, "picked_up")
    assert steps()[2] == ("On its way", True)
    says(desk, order_id, "delivered")
    assert steps()[-1] == ("With you", True)


def test_where_nobody_comes_in_it_says_where_it_is_left_who_brings_it_on_and_how_long_it_rests(
    desk: Desk,
) -> None:
    at_gate = {**CONTACTLESS, "version": 2, "last_leg": ["volunteer"], "gate": {"rest_minutes": 30}}
    publish_rules(
        desk.stage.world, "amend", zone("Yongjia", f"{at_gate['policy_id']}@2", "sealed"), policies=[at_gate]
    )
    order_id = booked(desk)
    text = read(desk, link(desk, order_id)).text
    for sentence in (
        "It is brought to the gate of your compound, the one where deliveries are taken in now.",
        "Volunteers bring it from there to your door.",
        "There it rests for 30 minutes after disinfection before it may be taken in.",
    ):
        assert sentence in text, sentence
    says(desk, order_id, "picked_up", "delivered")
    text = read(desk, link(desk, order_id)).text
    assert "handed over where your compound takes in deliveries" in text


GATE = "North gate on <b>Yanqing</b> Road; ask for Mrs Wu"


def at_that_gate(desk: Desk, policy: str) -> str:
    """A gift to somebody who has said which gate; where that compound stands under that policy."""
    at_gate = {**CONTACTLESS, "version": 2}
    publish_rules(desk.stage.world, "amend", zone("Yongjia", policy, "sealed"), policies=[at_gate])
    told = body()
    told["recipient"]["place"]["address"]["gate"] = GATE
    order_id = str(place(desk, told).json_body["order_id"])
    desk.stage.settle()
    return order_id


def test_which_gate_the_client_has_named_is_told_to_the_courier_and_on_the_page(desk: Desk) -> None:
    order_id = at_that_gate(desk, f"{CONTACTLESS['policy_id']}@2")
    assert f"Where exactly, as we were told: {GATE}" in read(desk, link(desk, order_id)).text
    order = desk.stage.order(order_id)
    assert "Yanqing" not in order.model_dump_json(), "it is personal, and sealed"
    shown = desk.maison("GET", f"/v1/orders/{order_id}")
    assert "Yanqing" not in repr(shown.body)
    says(desk, order_id, "picked_up", "delivered")
    assert desk.stage.order(order_id).state is OrderState.AT_GATE
    assert GATE in read(desk, link(desk, order_id)).text, "there it waits"


def test_a_gate_is_not_spoken_of_where_it_is_brought_to_the_door(desk: Desk) -> None:
    order_id = at_that_gate(desk, "precautionary@1")
    assert GATE not in read(desk, link(desk, order_id)).text


def test_it_says_that_nobody_may_come_and_never_why(desk: Desk) -> None:
    order_id = place(desk, body("Nowhere")).json_body["order_id"]
    desk.stage.settle()
    assert desk.stage.order(order_id).state is OrderState.HELD
    text = read(desk, link(desk, order_id)).text
    assert "For now nobody may come to you with it." in text
    assert not [
        word for word in ("zone", "unknown", "test", "positive", "sealed", "rules_") if word in text.lower()
    ]


# --- asking -----------------------------------------------------------------------------------------------------


def test_another_time_is_asked_for_by_the_form_of_the_page(desk: Desk) -> None:
    order_id = booked(desk)
    path = link(desk, order_id)
    page = read(desk, path)
    fields = {"form": page.field("form"), "lang": "fr", "do": "move", "day": "2022-04-12", "from": "09:00"}
    answer = send(desk, path, **fields)
    assert answer.headers["Location"].endswith("?lang=fr&said=moved")
    assert "Asked for instead:" in read(desk, path).text
    desk.stage.settle()
    order = desk.stage.order(order_id)
    assert order.window.start.isoformat() == "2022-04-12T01:00:00+00:00"
    assert order.window.end - order.window.start == timedelta(hours=3)
    assert "Tuesday, 12 April, 09:00 to 12:00" in re.sub(r" ,", ",", read(desk, path).text)
    assert came(send(desk, path, **fields)) == "moved", "clicked twice is asked once"
    assert desk.stage.order(order_id).calendar_sequence == 1


def test_who_is_not_at_home_gets_it_a_day_later_at_the_same_hours(desk: Desk) -> None:
    order_id = booked(desk)
    path = link(desk, order_id)
    assert came(send(desk, path, form=read(desk, path).field("form"), do="absent")) == "moved"
    desk.stage.settle()
    assert desk.stage.order(order_id).window.start.isoformat() == "2022-04-12T05:00:00+00:00"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"do": "move", "day": "2022-04-10", "from": "09:00"}, "past"),
        ({"do": "move", "day": "", "from": "09:00"}, "past"),
        ({"do": "move", "day": "tomorrow", "from": "noon"}, "past"),
        ({"do": "move", "day": "9999-12-31", "from": "09:00"}, "past"),
        ({"do": "move", "day": "0001-01-01", "from": "00:00"}, "past"),
        ({"do": "move"}, "past"),
        ({"do": "cancel"}, "form"),
        ({}, "form"),
    ],
)
def test_what_cannot_be_asked_for_changes_nothing_and_is_told(
    desk: Desk, fields: dict[str, str], said: str
) -> None:
    order_id = booked(desk)
    path = link(desk, order_id)
    page = read(desk, path)
    assert came(send(desk, path, form=page.field("form"), **fields)) == said
    assert desk.stage.order(order_id).rescheduling is None
    assert read(desk, f"{path}?said={said}").text != page.text


def test_a_form_that_is_not_of_this_page_is_not_read(desk: Desk) -> None:
    order_id = booked(desk)
    path = link(desk, order_id)
    good = {"form": read(desk, path).field("form"), "do": "absent"}
    other = booked_too(desk)
    assert came(send(desk, path, do="absent")) == "form"
    assert came(send(desk, path, do="absent", form="made.up")) == "form"
    assert came(send(desk, path, do="absent", form=read(desk, link(desk, other)).field("form"))) == "form"
    assert came(send(desk, path, {"Sec-Fetch-Site": "cross-site"}, **good)) == "form"
    assert send(desk, "/t/none-of-ours", **good).status_code == 404
    desk.stage.clock.forward(hours=2, minutes=1)
    assert came(send(desk, path, **good)) == "form", "it was open for too long"
    assert desk.stage.order(order_id).rescheduling is None


def booked_too(desk: Desk) -> str:
    answer = desk.maison("POST", "/v1/orders", body(reference="OTHER"), {"Idempotency-Key": "gift-2"})
    desk.stage.settle()
    return str(answer.json_body["order_id"])


def test_who_read_an_older_page_looks_once_more(desk: Desk) -> None:
    order_id = str(place(desk).json_body["order_id"])
    path = link(desk, order_id)
    form = read(desk, path).field("form")
    desk.stage.settle()
    assert came(send(desk, path, form=form, do="absent")) == "stale"


def test_what_is_on_its_way_is_not_changed_here(desk: Desk) -> None:
    order_id = booked(desk)
    path = link(desk, order_id)
    says(desk, order_id, "picked_up")
    page = read(desk, path)
    assert "Another time" not in page.text and not [tag for tag, _ in page.tags if tag == "form"]
    form = links.form_of(desk.stage.world, desk.stage.order(order_id), path.removeprefix("/t/"))
    assert came(send(desk, path, form=form, do="absent")) == "late"


def test_a_body_that_is_no_form_is_turned_away(desk: Desk) -> None:
    path = link(desk, booked(desk))
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    for raw in (b"\xff\xfe", b"a=1&" * 50, b""):
        assert came(desk.client.http.post(path, headers=kind, body=raw)) == "form"
    answer = desk.client.http.post(
        path, headers={"Content-Type": "application/json"}, body=json.dumps({}).encode()
    )
    assert answer.status_code == 415
    assert desk.client.http.post(path, headers=kind, body=b"x" * 5000).status_code == 413


def test_the_calendar_file_of_the_page_leads_back_to_it_and_speaks_its_language(desk: Desk) -> None:
    path = link(desk, booked(desk))
    answer = look(desk, f"{path}/calendar?lang=de")
    text = answer.body.decode().replace("\r\n ", "")
    assert "SUMMARY:Lieferung: Hotel kitchen" in text
    assert f"URL:https://cordon.example/prod{path}?lang=de" in text
    assert answer.headers["Content-Disposition"] == 'attachment; filename="gift.ics"'


# --- a gift that needs no courier --------------------------------------------------------------------------------


def offered(desk: Desk, gift: str = "YOGA") -> tuple[str, str]:
    """An order that nobody may bring, for which another gift is offered; and its page."""
    on = desk.stage
    digital.put(on.world, gift, digital.club() if gift == "CLUB" else digital.yoga())
    digital.programme(on.world, gift=gift, mode="offer", offer_minutes=120)
    publish_rules(on.world, "amend", zone("Yongjia", "banned@1", "no_access"))
    order_id = str(place(desk, body(fallback="digital")).json_body["order_id"])
    on.settle()
    on.clock.forward(hours=4)
    on.minutes(6)
    return order_id, link(desk, order_id)


def test_what_is_offered_instead_is_taken_on_the_page_and_its_code_is_shown_to_who_asks(desk: Desk) -> None:
    order_id, path = offered(desk)
    page = read(desk, path)
    assert "Yes, send me that instead" in page.text
    form = page.field("form")
    assert came(send(desk, path, form=form, do="digital")) == "digital"
    assert came(send(desk, path, form=form, do="digital")) == "digital", "clicked twice is asked once"
    assert desk.stage.order(order_id).state is OrderState.FULFILLED_DIGITALLY
    page = read(desk, path)
    assert "Show my code" in page.text and "Another time" not in page.text
    shown = send(desk, path, form=page.field("form"), do="code", lang="en")
    (code,) = re.findall(r'<p class="code" dir="ltr">([^<]+)</p>', shown.body.decode())
    assert code == redeem.code_of(desk.stage.world, digital.pass_of(desk.stage.world, order_id)).code
    assert code not in look(desk, path).body.decode(), "who previews a link does not see it"
    assert came(send(desk, path, form="made.up", do="code")) == "form"


def test_who_would_rather_wait_says_so_and_is_not_asked_again(desk: Desk) -> None:
    order_id, path = offered(desk)
    assert came(send(desk, path, form=read(desk, path).field("form"), do="wait")) == "waits"
    assert desk.stage.order(order_id).state is OrderState.STRANDED
    assert "Yes, send me that instead" not in read(desk, path).text


def test_an_offer_that_is_over_cannot_be_taken(desk: Desk) -> None:
    order_id, path = offered(desk)
    form = read(desk, path).field("form")
    desk.stage.clock.forward(hours=2)
    form = links.form_of(desk.stage.world, desk.stage.order(order_id), path.removeprefix("/t/")) or form
    assert came(send(desk, path, form=form, do="digital")) == "late"
    assert "Yes, send me that instead" not in read(desk, path).text


def test_an_invitation_comes_with_its_sessions_as_a_calendar_file(desk: Desk) -> None:
    _, path = offered(desk, "CLUB")
    assert came(send(desk, path, form=read(desk, path).field("form"), do="digital")) == "digital"
    assert "Add to calendar" in read(desk, path).text
    assert look(desk, f"{path}/calendar").body.decode().count("BEGIN:VEVENT") == 3
