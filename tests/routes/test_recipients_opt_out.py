"""Who wants no more messages says so on the order's page, or at a mail program's own button, and gets none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.domain.clients import Purpose
from chalicelib.domain.consents import MESSAGES
from chalicelib.domain.words import LANGUAGES
from chalicelib.flows import enrol
from tests.routes.conftest import Desk
from tests.routes.test_brands import place
from tests.routes.test_recipients import booked, came, link, look, read, send
from tests.stage import client_order, place_at
from tests.talking import connected, enrolled

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def path(desk: Desk) -> str:
    """The page of an order for a client who is told of it by mail."""
    person = {
        "name": "W",
        "phone": "+8613800138077",
        "email": "w@x.example",
        "places": {"home": place_at("Yongjia")},
    }
    enrolled(desk.stage.plain, person=person, channels=["email"])
    connected(desk.stage)
    answer = place(desk, client_order())
    assert answer.status_code == 202, answer.body
    return link(desk, answer.json_body["order_id"])


def agreed(desk: Desk) -> set[Purpose]:
    client = enrol.client_of(desk.stage.world, "maison", "vic-1")
    return {each for each in MESSAGES if client.agrees_to(each, desk.stage.clock.now)}


def mails(desk: Desk) -> list[Any]:
    sent: list[Any] = desk.stage.plain.mailer.sent  # type: ignore[attr-defined]
    return sent


def test_the_page_ends_messages_and_says_so_and_only_by_its_form(desk: Desk, path: str) -> None:
    page = read(desk, path)
    assert "Stop messages" in page.text
    for form in ("", "made.up"):
        assert came(send(desk, path, form=form, do="stop")) == "form"
    assert (
        came(send(desk, path, {"Sec-Fetch-Site": "cross-site"}, form=page.field("form"), do="stop")) == "form"
    )
    assert agreed(desk) == set(MESSAGES)
    for _ in range(2):
        assert came(send(desk, path, form=page.field("form"), do="stop")) == "stopped"
    assert agreed(desk) == set()
    assert "You will get no more messages." in read(desk, f"{path}?said=stopped").text
    before = len(mails(desk))
    desk.stage.minutes(5)
    assert len(mails(desk)) == before


def test_a_mail_programs_own_button_ends_them_without_a_form_and_is_not_led_elsewhere(
    desk: Desk, path: str
) -> None:
    desk.stage.settle()
    (mail,) = mails(desk)[-1:]
    (address,) = [
        line[19:-1] for line in mail.raw.decode().split("\r\n") if line.startswith("List-Unsubscribe: <")
    ]
    assert address.startswith("https://cordon.example/prod/t/")
    there = address.removeprefix("https://cordon.example/prod")
    for _ in range(2):
        answer = send(desk, there, **ONE_CLICK)
        assert answer.status_code == 200, answer.body
    assert agreed(desk) == set()
    acts = json.dumps([row.body for row in desk.stage.plain.table.rows.values()])  # type: ignore[attr-defined]
    assert "page-ord_" in acts, "the proof says by what it was withdrawn"


def test_looking_ends_nothing_and_neither_does_a_link_that_is_made_up(desk: Desk, path: str) -> None:
    look(desk, f"{path}?List-Unsubscribe=One-Click&do=stop")
    assert send(desk, f"{path}x", **ONE_CLICK).status_code == 404
    assert agreed(desk) == set(MESSAGES)


def test_where_nobody_is_written_to_there_is_nothing_to_end(desk: Desk) -> None:
    nobody = link(desk, booked(desk))
    page = read(desk, nobody)
    assert "Stop messages" not in page.text
    assert came(send(desk, nobody, form=page.field("form"), do="stop")) == "late"
    assert send(desk, nobody, **ONE_CLICK).status_code == 404


@pytest.mark.parametrize("lang", LANGUAGES)
def test_it_is_asked_in_the_language_of_the_page(desk: Desk, path: str, lang: str) -> None:
    text = read(desk, f"{path.partition('?')[0]}?lang={lang}").text
    assert ("Do you want no more messages about your gifts?" in text) == (lang == "en")
