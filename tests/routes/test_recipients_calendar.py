"""The recipient's page where clocks change, buttons are pressed twice, and what was given is taken back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain import erasure, facts
from chalicelib.domain.orders import OrderState
from chalicelib.domain.passes import pass_id_of
from chalicelib.domain.shapes import Window
from chalicelib.flows import place_digital, redeem, track
from tests import digital
from tests.routes.conftest import Desk
from tests.routes.test_brands import place
from tests.routes.test_recipients import booked, came, link, look, offered, read, send
from tests.stage import body


def calendar(desk: Desk, path: str) -> str:
    answer = look(desk, f"{path}/calendar")
    assert answer.status_code == 200, answer.body
    return str(answer.body.decode()).replace("\r\n ", "")


def given(desk: Desk, told: dict[str, Any], name: str = "GIFT") -> tuple[str, str]:
    """An order that never had a parcel, and its page."""
    world = desk.stage.world
    digital.put(world, name, told)
    order, _ = place_digital.place_digital(world, "maison", "d-1", digital.wanted(name))
    return order.order_id, link(desk, order.order_id)


def test_who_presses_not_at_home_twice_asks_once_and_is_told_the_same(desk: Desk) -> None:
    order_id = booked(desk)
    path = link(desk, order_id)
    form = read(desk, path).field("form")
    for _ in range(2):
        assert came(send(desk, path, form=form, do="absent")) == "moved"
        desk.stage.settle()
    assert desk.stage.order(order_id).window.start.isoformat() == "2022-04-12T05:00:00+00:00"


def test_of_hours_that_no_clock_shows_in_the_next_night_the_page_is_shown_all_the_same(desk: Desk) -> None:
    """From two to three in the night before Rome puts its clocks forward."""
    order = desk.stage.order(booked(desk))
    rome = Window(
        start=datetime(2022, 3, 26, 1, tzinfo=UTC),
        end=datetime(2022, 3, 26, 2, tzinfo=UTC),
        time_zone="Europe/Rome",
    )
    later = track.a_day_later(
        order.model_copy(update={"window": rome}), datetime(2022, 3, 25, 12, tzinfo=UTC)
    )
    assert later.end - later.start == timedelta(hours=1)
    assert later.start == datetime(2022, 3, 27, 1, tzinfo=UTC)


def test_where_a_brand_names_no_clock_hours_are_those_of_the_city_it_goes_to(desk: Desk) -> None:
    sent = body()
    del sent["window"]["time_zone"]
    answer = place(desk, sent)
    assert answer.json_body["window"]["time_zone"] == "Asia/Shanghai"
    order_id = answer.json_body["order_id"]
    assert "13:00" in read(desk, link(desk, order_id)).text
    window = {"start": "2022-04-12T06:00:00Z", "end": "2022-04-12T08:00:00Z"}
    path = f"/v1/orders/{order_id}/reschedule"
    for _ in range(2):
        again = desk.maison("POST", path, {"window": window}, headers={"If-Match": '"v1"'})
        assert again.status_code in (200, 202), again.body
    assert desk.stage.order(order_id).window.time_zone == "Asia/Shanghai"
    assert place(desk, sent).headers.get("Idempotent-Replayed") == "true"


def test_what_was_to_be_brought_and_needs_no_courier_now_is_taken_out_of_the_calendar(desk: Desk) -> None:
    order_id, path = offered(desk)
    before = calendar(desk, path)
    assert "STATUS:CONFIRMED" in before
    assert came(send(desk, path, form=read(desk, path).field("form"), do="digital")) == "digital"
    after = calendar(desk, path)
    assert desk.stage.order(order_id).state is OrderState.FULFILLED_DIGITALLY
    assert "METHOD:CANCEL" in after and f"UID:{order_id}@cordon" in after and "STATUS:CANCELLED" in after
    assert "SEQUENCE:0" in before and "SEQUENCE:1" in after


def test_a_pass_has_no_hour_and_so_no_calendar_file(desk: Desk) -> None:
    _, path = given(desk, digital.yoga())
    assert look(desk, f"{path}/calendar").status_code == 404
    assert "calendar" not in look(desk, path).body.decode()


@pytest.mark.parametrize(("told", "evenings"), [(digital.club(), 3), (digital.yoga(), 0)])
def test_what_is_taken_back_leaves_the_calendar_and_its_page_says_so_by_its_name(
    desk: Desk, told: dict[str, Any], evenings: int
) -> None:
    order_id, path = given(desk, told)
    redeem.withdraw(desk.stage.world, "maison", pass_id_of(order_id))
    page = read(desk, path)
    assert f"Your gift: {told['title']}" in page.text and "Cancelled" in page.text
    assert "will be glad" not in page.text and "Show my code" not in page.text
    answer = look(desk, f"{path}/calendar")
    if not evenings:
        assert answer.status_code == 404
        return
    text = answer.body.decode()
    assert text.count("BEGIN:VEVENT") == evenings == text.count("STATUS:CANCELLED")
    assert "METHOD:CANCEL" in text and f"UID:{pass_id_of(order_id)}-" in text.replace("\r\n ", "")


def test_of_a_gift_without_a_parcel_too_there_is_no_page_once_its_client_is_forgotten(desk: Desk) -> None:
    order_id, path = given(desk, digital.yoga())
    assert look(desk, path).status_code == 200
    order = desk.stage.order(order_id)
    desk.stage.world.table.write(facts.keep_order(erasure.left_of_order(order)))
    assert look(desk, path).status_code == 404 == look(desk, f"{path}/calendar").status_code
