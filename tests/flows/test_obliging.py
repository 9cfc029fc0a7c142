"""What a client asks for with a button, when it is read twice, comes late, or crosses what was asked for elsewhere."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.instead import DigitalOutcome
from chalicelib.domain.messages import Message
from chalicelib.domain.orders import Order
from chalicelib.domain.ports import Topic
from chalicelib.domain.shapes import Window
from chalicelib.domain.templates import MessageKind
from chalicelib.flows import answer, listen, oblige, reschedule
from tests import digital
from tests.stage import NOON, publish_rules, zone
from tests.talking import Talking, enrolled, pressed, talking

DAY = timedelta(days=1)
TOMORROW = {
    "start": (NOON + timedelta(hours=25)).isoformat(),
    "end": (NOON + timedelta(hours=27)).isoformat(),
    "time_zone": "Asia/Shanghai",
}


class Asked:
    """A gift for tomorrow has been announced."""

    def __init__(self, talk: Talking) -> None:
        self.talk = talk
        self.order_id = talk.place(window=TOMORROW)
        talk.on.settle()

    @property
    def order(self) -> Order:
        return self.talk.order(self.order_id)

    @property
    def window(self) -> Window:
        return self.order.client_window

    def said(self, kind: MessageKind) -> Message:
        return next(m for m in self.talk.messages(self.order_id) if m.kind is kind)

    def press(self, choice: str, kind: MessageKind = MessageKind.ANNOUNCED, ago: float = 0) -> None:
        message = self.said(kind)
        self.talk.press(message, choice, self.talk.on.clock.now - timedelta(minutes=ago))

    def result(self, kind: MessageKind = MessageKind.ANNOUNCED) -> str:
        return self.said(kind).answers[-1].result


@pytest.fixture
def asked() -> Asked:
    return Asked(talking())


def test_who_is_not_at_home_gets_it_one_day_later_also_where_the_reader_was_stopped_before_that_was_on_record(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, plain = asked.window, oblige.oblige

    def stopped(*said: Any) -> str:
        plain(*said)
        raise RuntimeError("stopped")

    world = asked.talk.world
    name = f"{asked.said(MessageKind.ANNOUNCED).message_id}:not_at_home"
    with monkeypatch.context() as patch:
        patch.setattr(oblige, "oblige", stopped)
        asked.talk.hear(pressed(name, asked.talk.on.clock.now), settled=False)
        (heard,) = [n for topic, n in world.queues.sent if topic is Topic.HEAR]  # type: ignore[attr-defined]
        for _ in range(2):
            with pytest.raises(RuntimeError):
                listen.listen(world, heard)
    asked.talk.on.settle()
    assert asked.window.start == before.start + DAY
    assert asked.result() == "moved"


def test_two_readers_of_one_word_move_it_by_one_day(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    before, plain = asked.window, oblige.oblige
    body = pressed(f"{asked.said(MessageKind.ANNOUNCED).message_id}:not_at_home", asked.talk.on.clock.now)

    def beside(*said: Any) -> str:
        """The other one does it all before this one begins, which has read that there is no answer yet."""
        monkeypatch.setattr(oblige, "oblige", plain)
        asked.talk.hear({**body, "entry": [*body["entry"], {"id": "9", "changes": []}]})
        return plain(*said)

    monkeypatch.setattr(oblige, "oblige", beside)
    asked.talk.hear(body)
    assert asked.window.start == before.start + DAY
    assert len(asked.said(MessageKind.ANNOUNCED).answers) == 1


def test_who_is_not_at_home_in_hours_that_stand_no_more_is_asked_when(asked: Asked) -> None:
    before = asked.window
    other = before.model_copy(update={"start": before.start + 3 * DAY, "end": before.end + 3 * DAY})
    reschedule.reschedule(asked.talk.world, "maison", asked.order_id, other, asked.order.version)
    asked.talk.on.settle()
    asked.talk.on.clock.forward(minutes=5)
    asked.press("not_at_home")
    assert asked.window.start == before.start + 3 * DAY
    assert asked.result() == "times_named"


def test_a_button_that_was_pressed_before_the_page_was_asked_takes_nothing_back(asked: Asked) -> None:
    before = asked.window
    chosen = before.model_copy(update={"start": before.start + 2 * DAY, "end": before.end + 2 * DAY})
    asked.talk.on.clock.forward(minutes=10)
    reschedule.reschedule(asked.talk.world, "maison", asked.order_id, chosen, asked.order.version, "client")
    asked.talk.on.settle()
    asked.talk.on.clock.forward(minutes=10)
    for choice in ("not_at_home", f"at={(before.start + DAY).isoformat()}"):
        asked.press(choice, ago=15)
        assert asked.result() == "outdated"
    assert asked.window.start == chosen.start


def test_of_two_buttons_the_later_stands_though_the_first_was_read_after_the_second_was_pressed(
    asked: Asked,
) -> None:
    before = asked.window
    asked.talk.on.clock.forward(minutes=10)
    asked.press("not_at_home", ago=9)
    asked.press(f"at={(before.start + 2 * DAY).isoformat()}", ago=8)
    assert asked.window.start == before.start + 2 * DAY


def test_hours_are_told_by_the_clock_of_the_place_the_gift_goes_to() -> None:
    """A client of Paris who is in Shanghai in these weeks."""
    talk = talking()
    talk.client = enrolled(talk.on.plain, time_zone="Europe/Paris")
    talk.on.clock.forward(hours=5)  # it is morning in Paris
    asked = Asked(talk)
    said = talk.meta.sent[0]["template"]["components"][0]["parameters"]
    assert [one["text"] for one in said][2:] == ["Tuesday, 12 April", "13:00", "15:00"]
    asked.press("other_time")
    rows = talk.meta.sent[-1]["interactive"]["action"]["sections"][0]["rows"]
    assert (rows[1]["title"], rows[1]["description"]) == ("13:00–15:00", "Wednesday, 13 April")


def test_hours_of_which_nobody_said_where_they_are_are_told_by_the_clients_own_clock() -> None:
    talk = talking()
    talk.place(window={**TOMORROW, "time_zone": "UTC"})
    talk.on.settle()
    said = talk.meta.sent[0]["template"]["components"][0]["parameters"]
    assert [one["text"] for one in said][2:] == ["Tuesday, 12 April", "13:00", "15:00"]


@pytest.mark.parametrize("choice", ["yes", "no"])
def test_an_answer_to_an_offer_that_is_over_answers_no_later_one(choice: str) -> None:
    talk = talking()
    digital.put(talk.world, "YOGA", digital.yoga())
    digital.put(talk.world, "FACIAL", digital.yoga())
    digital.programme(talk.world, gift="YOGA", mode="offer", offer_minutes=120)
    publish_rules(talk.world, "amend", zone("Yongjia", "banned@1", "no_access"))
    order_id = talk.place(fallback="digital")
    talk.on.minutes(5 * 60)
    first = next(m for m in talk.messages(order_id) if m.kind is MessageKind.DIGITAL_OFFERED)
    talk.press(first, "no")
    assert talk.order(order_id).digital.outcome is DigitalOutcome.DECLINED  # type: ignore[union-attr]
    wish = answer.DigitalAction(action=answer.DigitalStep.OFFER, gift="FACIAL")
    answer.act(talk.world, "maison", order_id, wish, talk.order(order_id).version)
    talk.on.settle()
    talk.on.clock.forward(minutes=1)
    talk.press(first, choice)
    assert talk.order(order_id).digital.outcome is DigitalOutcome.OFFERED  # type: ignore[union-attr]
    second = talk.last(order_id)
    assert second.kind is MessageKind.DIGITAL_OFFERED and second.message_id != first.message_id
    talk.press(second, "yes")
    assert talk.order(order_id).digital.outcome is DigitalOutcome.GIVEN  # type: ignore[union-attr]
