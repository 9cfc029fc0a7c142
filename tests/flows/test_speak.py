"""What a client hears of an order: once, by the first channel that takes it, when it may be said."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from chalicelib.domain.clients import Purpose
from chalicelib.domain.dialect import Reply, Request
from chalicelib.domain.errors import Unanswered, Unreached
from chalicelib.domain.messages import MessageState, Skipped, TryState
from chalicelib.domain.templates import MessageKind
from chalicelib.flows import agree, enrol, speak, tell
from chalicelib.flows.cancel import cancel
from tests.stage import NOON
from tests.talking import BSUID, PHONE, Talking, enrolled, failing, keep, name_of, talking


@pytest.fixture
def talk() -> Talking:
    return talking()


def silent(request: Request) -> Reply:
    raise Unanswered("graph.example: timed out")


def states(talk: Talking, home: str) -> dict[MessageKind, MessageState]:
    return {message.kind: message.state for message in talk.messages(home)}


def test_a_client_is_told_in_its_language_by_a_template_that_names_day_and_hours(talk: Talking) -> None:
    order_id = talk.place()
    tell.tell(talk.world, order_id)
    (said,) = talk.meta.sent
    assert said["to"] == PHONE[1:]
    assert said["template"]["name"] == "cordon_announced_v1"
    assert said["template"]["language"] == {"code": "en"}
    body, *buttons = said["template"]["components"]
    values = {one["parameter_name"]: one["text"] for one in body["parameters"]}
    assert values == {
        "name": "Wang Secretive",
        "brand": "Maison Céladon",
        "day": "Monday, 11 April",
        "start": "13:00",
        "end": "16:00",
    }
    answers = [button["parameters"][0]["payload"].split(":")[1] for button in buttons]
    assert answers == ["accept", "other_time", "not_at_home"]
    (message,) = talk.messages(order_id)
    assert name_of(said) == message.message_id == f"{order_id}.0000.announced"
    assert message.state is MessageState.SENT


def test_on_its_way_the_client_hears_each_step_once_and_of_what_was_overtaken_nothing(talk: Talking) -> None:
    order_id = talk.place()
    talk.on.settle()  # placed, assigned and booked before anybody told
    for _ in range(3):
        tell.tell(talk.world, order_id)
    (booking,) = talk.order(order_id).leg.bookings
    talk.on.clock.forward(minutes=60)
    talk.on.company.move(booking.reference, "picked_up", talk.on.clock.now)
    talk.on.minutes(20)
    talk.on.company.move(booking.reference, "delivered", talk.on.clock.now)
    talk.on.minutes(20)
    kinds = talk.meta.kinds()
    assert kinds[-3:] == ["booked", "on_its_way", "delivered"]
    assert len(kinds) == len(set(kinds))


def test_an_order_without_a_client_asks_nothing_and_says_nothing(talk: Talking) -> None:
    from chalicelib.flows.place import place
    from tests.stage import new_order

    order, _ = place(talk.world, "maison", "key-9", new_order())
    talk.on.settle()
    assert talk.meta.sent == [] and talk.mails == []
    assert talk.messages(order.order_id) == []


def test_quiet_hours_of_the_recipient_hold_a_message_until_they_end() -> None:
    talk = talking(start=NOON + timedelta(hours=10))  # ten at night in Shanghai
    window = {
        "start": (NOON + timedelta(hours=26)).isoformat(),
        "end": (NOON + timedelta(hours=29)).isoformat(),
        "time_zone": "Asia/Shanghai",
    }
    order_id = talk.place(window=window)
    tell.tell(talk.world, order_id)
    assert talk.meta.sent == []
    (message,) = talk.messages(order_id)
    eight = datetime(2022, 4, 12, 8, tzinfo=ZoneInfo("Asia/Shanghai"))
    assert message.next_attempt_at == eight
    talk.on.clock.forward(hours=9, minutes=58)
    talk.on.minutes(1)
    assert talk.meta.sent == []
    talk.on.minutes(2)
    assert len(talk.meta.sent) == 1


def test_what_is_not_worth_saying_after_the_quiet_hours_is_not_said(talk: Talking) -> None:
    order_id = talk.place()
    talk.on.clock.now = NOON + timedelta(hours=12)
    tell.tell(talk.world, order_id)
    (message,) = talk.messages(order_id)
    assert (message.state, message.why) == (MessageState.SKIPPED, Skipped.TOO_LATE)
    assert talk.meta.sent == []


@pytest.mark.parametrize(
    ("purposes", "why"),
    [(("service", "cross_border"), Skipped.NO_CONSENT), (("marketing",), None)],
)
def test_a_gift_is_announced_only_to_whoever_agreed_to_that(
    talk: Talking, purposes: tuple[str, ...], why: Skipped | None
) -> None:
    talk.client = enrolled(talk.on.plain, "vic-2", purposes=purposes)
    order_id = talk.place()
    tell.tell(talk.world, order_id)
    (message,) = talk.messages(order_id)
    assert message.why is why
    assert len(talk.meta.sent) == (0 if why else 1)


def test_after_an_opt_out_nothing_of_that_purpose_is_said(talk: Talking) -> None:
    agree.withdraw(talk.world, talk.client.client_id, [Purpose.MARKETING, Purpose.SERVICE], NOON, "call-8")
    order_id = talk.place()
    tell.tell(talk.world, order_id)
    assert talk.meta.sent == [] and talk.mails == []
    assert talk.last(order_id).why is Skipped.NO_CONSENT


def test_no_channel_abroad_hears_of_a_client_who_has_not_agreed_to_that(talk: Talking) -> None:
    from chalicelib.domain.channel_answers import ChannelStatement
    from chalicelib.flows import connect

    talk.client = enrolled(talk.on.plain, "vic-3", purposes=("marketing",))
    abroad = {"sender": "Maison", "phone_number_id": "106540352242922", "data_region": "US"}
    unknown = {"sender": "Maison", "from_address": "gifts@maison.example"}
    connect.connect(talk.on.plain, "maison", "whatsapp", ChannelStatement.model_validate(abroad), 1)
    connect.connect(talk.on.plain, "maison", "email", ChannelStatement.model_validate(unknown), 1)
    order_id = talk.place()
    tell.tell(talk.world, order_id)
    assert talk.meta.sent == [] and talk.mails == []
    assert talk.last(order_id).why is Skipped.STAYS_IN


def test_a_number_that_is_not_on_whatsapp_is_told_by_the_next_channel(talk: Talking) -> None:
    talk.meta.answer = failing(400, 131026)
    order_id = talk.place()
    tell.tell(talk.world, order_id)
    talk.on.settle()
    first = talk.messages(order_id)[0]
    assert [(t.channel.value, t.state, t.code) for t in first.tries] == [
        ("whatsapp", TryState.REFUSED, "131026"),
        ("email", TryState.ACCEPTED, ""),
    ]
    assert talk.mails[0].to == "wang@secret.example"
    assert b"Wang Secretive" not in str(first).encode()


def test_the_order_of_channels_is_the_clients(talk: Talking) -> None:
    talk.client = enrolled(talk.on.plain, "vic-4", channels=["email", "whatsapp"])
    tell.tell(talk.world, talk.place())
    assert len(talk.mails) == 1 and talk.meta.sent == []


def test_nobody_answered_and_the_other_channel_goes_and_it_is_never_more_than_twice(talk: Talking) -> None:
    talk.meta.answer = silent
    order_id = talk.place()
    tell.tell(talk.world, order_id)
    assert [t.state for t in talk.messages(order_id)[0].tries] == [TryState.UNKNOWN]
    talk.on.clock.forward(minutes=3)
    tell.tell(talk.world, order_id)
    assert [t.channel.value for t in talk.messages(order_id)[0].tries] == ["whatsapp", "email"]
    assert len(talk.mails) == 1

    talk.client = enrolled(talk.on.plain, "vic-5", channels=["whatsapp"])
    other = talk.place("key-2")
    for _ in range(6):
        tell.tell(talk.world, other)
        talk.on.clock.forward(minutes=3)
    message = talk.messages(other)[0]
    assert [t.state for t in message.tries] == [TryState.UNKNOWN, TryState.UNKNOWN]
    assert message.state is MessageState.FAILED


def test_a_channel_that_is_busy_is_asked_again_and_then_the_next_one(talk: Talking) -> None:
    talk.meta.answer = failing(429, 130429)
    order_id = talk.place(window=_tomorrow())
    tell.tell(talk.world, order_id)
    for _ in range(30):
        talk.on.clock.forward(minutes=1)
        tell.tell(talk.world, order_id)
    assert [t.channel.value for t in talk.messages(order_id)[0].tries] == ["whatsapp"] * 4 + ["email"]


def test_where_no_connection_came_about_nothing_was_said_and_it_is_said_later(talk: Talking) -> None:
    def unreached(request: Request) -> Reply:
        raise Unreached("graph.example: no connection")

    talk.meta.answer = unreached
    order_id = talk.place(window=_tomorrow())
    tell.tell(talk.world, order_id)
    assert talk.messages(order_id)[0].tries[0].state is TryState.BUSY


def test_two_processes_at_once_say_it_once(talk: Talking) -> None:
    order_id = talk.place()
    order = talk.order(order_id)
    speak.speak(talk.world, order, [])
    speak.speak(talk.world, order, [])  # it has read the same nothing
    assert len(talk.meta.sent) == 1


def test_no_more_than_so_many_offers_a_day_reach_one_client(talk: Talking) -> None:
    first, second = talk.place("key-1", window=_tomorrow()), talk.place("key-2", window=_tomorrow())
    tell.tell(talk.world, first)
    tell.tell(talk.world, second)
    assert [m.why for home in (first, second) for m in talk.messages(home)] == [None, Skipped.TOO_OFTEN]
    talk.on.clock.forward(hours=24)
    third = talk.place("key-3", window=_tomorrow(2))
    tell.tell(talk.world, third)
    assert talk.messages(third)[0].state is MessageState.SENT


def test_a_client_without_a_number_is_written_to_by_its_business_scoped_id(talk: Talking) -> None:
    person = {"name": "Wang Secretive", "whatsapp": [BSUID]}
    talk.client = enrolled(talk.on.plain, "vic-6", person=person)
    tell.tell(talk.world, talk.place())
    (said,) = talk.meta.sent
    assert said["recipient"] == BSUID and "to" not in said


def test_another_window_is_told_though_the_order_has_gone_no_further(talk: Talking) -> None:
    order_id = talk.place(window=_tomorrow())
    tell.tell(talk.world, order_id)
    order = talk.order(order_id)
    later = order.window.model_copy(update={"end": order.window.end + timedelta(hours=1)})
    keep(talk.on.plain, order.model_copy(update={"window": later, "version": order.version + 1}))
    for _ in range(2):
        tell.tell(talk.world, order_id)
    assert talk.meta.kinds() == ["announced", "moved"]
    assert talk.meta.sent[1]["template"]["components"][0]["parameters"][-1]["text"] == "16:00"


def test_an_ended_order_owes_its_last_word_before_it_is_closed(talk: Talking) -> None:
    order_id = talk.place(window=_tomorrow())
    tell.tell(talk.world, order_id)
    cancel(talk.world, "maison", order_id, talk.order(order_id).version)
    talk.on.settle()
    assert talk.order(order_id).told
    assert talk.meta.kinds() == ["announced", "cancelled"]


def test_a_message_put_off_is_overtaken_by_what_comes_after_it(talk: Talking) -> None:
    talk.meta.answer = failing(429, 4)
    order_id = talk.place(window=_tomorrow())
    tell.tell(talk.world, order_id)
    cancel(talk.world, "maison", order_id, talk.order(order_id).version)
    talk.meta.answer = lambda request: Reply(200, {}, b'{"messages":[{"id":"w"}]}')
    talk.on.clock.forward(minutes=2)
    talk.on.settle()
    talk.on.minutes(2)
    found = states(talk, order_id)
    assert found[MessageKind.ANNOUNCED] is MessageState.SKIPPED
    assert found[MessageKind.CANCELLED] is MessageState.SENT


def test_the_brand_is_asked_to_say_it_itself_where_the_client_wants_it_so(talk: Talking) -> None:
    talk.client = enrolled(talk.on.plain, "vic-7", channels=["webhook"])
    order_id = talk.place()
    tell.tell(talk.world, order_id)
    said = [one for one in talk.on.brand.heard if one["type"] == "message.owed"]
    assert [one["data"] for one in said] == [
        {
            "message_id": f"{order_id}.0000.announced",
            "kind": "announced",
            "client": "vic-7",
            "language": "en",
            "order_id": order_id,
            "market": "SHA",
        }
    ]
    assert "Wang" not in str(talk.on.brand.heard)


def test_whoever_is_being_erased_hears_nothing_more(talk: Talking) -> None:
    order_id = talk.place()
    client = enrol.by_id(talk.world, talk.client.client_id)
    from chalicelib.domain.client_rows import client_row
    from chalicelib.domain.ports import Keep

    leaving = client.model_copy(update={"erasure_asked_at": NOON, "version": client.version + 1})
    talk.world.table.write(Keep(client_row(leaving), was=client.version))
    tell.tell(talk.world, order_id)
    assert talk.meta.sent == []
    assert talk.last(order_id).why is Skipped.ERASED


@pytest.mark.parametrize(
    ("locale", "code", "day"),
    [
        ("zh-CN", "zh_CN", "4月11日（星期一）"),
        ("ar", "ar", "الاثنين 11 أبريل"),
        ("de-CH", "de", "Montag, 11. April"),
    ],
)
def test_six_languages_have_metas_own_codes(talk: Talking, locale: str, code: str, day: str) -> None:
    talk.client = enrolled(talk.on.plain, "vic-8", locale=locale)
    tell.tell(talk.world, talk.place())
    template = talk.meta.sent[0]["template"]
    assert template["language"]["code"] == code
    assert day in [one["text"] for one in template["components"][0]["parameters"]]


def _tomorrow(days: int = 1) -> dict[str, Any]:
    start = NOON + timedelta(days=days, hours=1)
    return {
        "start": start.isoformat(),
        "end": (start + timedelta(hours=2)).isoformat(),
        "time_zone": "Asia/Shanghai",
    }
