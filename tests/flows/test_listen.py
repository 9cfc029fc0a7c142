"""What clients answer: proven, kept, read once whatever comes twice, and done as their brand would."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.channel_answers import NewTalk
from chalicelib.domain.clients import Purpose
from chalicelib.domain.dialect import Callback
from chalicelib.domain.errors import (
    Clashing,
    Forbidden,
    Forgotten,
    Invalid,
    Lost,
    Malformed,
    Missing,
    Unauthorised,
)
from chalicelib.domain.message_rows import INBOX
from chalicelib.domain.messages import Message, MessageState, TryState
from chalicelib.domain.ports import Topic
from chalicelib.domain.templates import Choice, MessageKind
from chalicelib.flows import enrol, forget, listen, speak, talk, tell
from chalicelib.flows.cancel import cancel
from chalicelib.flows.oblige import tomorrow
from tests.stage import NOON
from tests.talking import (
    ACCOUNT,
    BSUID,
    PHONE,
    Talking,
    enrolled,
    name_of,
    payload,
    pressed,
    signed,
    status,
    talking,
    wrote,
)

RECORDED = Path(os.environ.get("CORDON_SHARED", Path(__file__).parents[3] / "shared")) / "data" / "whatsapp"
needs_shared = pytest.mark.skipif(
    not RECORDED.is_dir(), reason=f"the recorded payloads are not at {RECORDED} (set CORDON_SHARED)"
)

TOMORROW = {
    "start": (NOON + timedelta(hours=25)).isoformat(),
    "end": (NOON + timedelta(hours=27)).isoformat(),
    "time_zone": "Asia/Shanghai",
}


@pytest.fixture
def said() -> Talking:
    return talking()


@pytest.fixture
def asked(said: Talking) -> Talking:
    """A gift for tomorrow has been announced."""
    said.order_id = said.place(window=TOMORROW)  # type: ignore[attr-defined]
    said.on.settle()
    return said


def announced(said: Talking) -> Any:
    return said.messages(said.order_id)[0]  # type: ignore[attr-defined]


def order(said: Talking) -> Any:
    return said.order(said.order_id)  # type: ignore[attr-defined]


def write(said: Talking, key: str, words: NewTalk) -> Message:
    client = enrol.client_of(said.world, "maison", "vic-1")
    return talk.write(said.world, client, "associate:anna", key, words)


# --- who is believed ----------------------------------------------------------------------------------------


def test_forged_webhooks_change_nothing(asked: Talking) -> None:
    body = pressed(f"{announced(asked).message_id}:stop", asked.on.clock.now)
    right = signed(body)
    before = dict(asked.on.plain.table.rows)  # type: ignore[attr-defined]
    forged = [
        signed(body, "another secret"),
        Callback("POST", {}, {}, right.body),
        Callback("POST", {}, {"x-hub-signature-256": right.headers["x-hub-signature-256"][7:]}, right.body),
        Callback("POST", {}, right.headers, right.body + b" "),
        Callback("POST", {}, right.headers, right.body.replace(b"stop", b"yes ")),
        Callback("POST", {}, {"x-hub-signature-256": "sha256="}, right.body),
        Callback("POST", {}, {"x-hub-signature-256": "sha1=" + "0" * 40}, right.body),
    ]
    for callback in forged:
        with pytest.raises(Unauthorised):
            listen.take(asked.world, "maison", callback)
    with pytest.raises(Unauthorised):
        listen.take(asked.world, "another-brand", right)
    assert asked.on.plain.table.rows == before  # type: ignore[attr-defined]
    assert asked.world.queues.sent == [m for m in asked.world.queues.sent if m[0] is not Topic.HEAR]  # type: ignore[attr-defined]


def test_during_a_change_of_the_secret_both_are_believed(asked: Talking) -> None:
    secrets: Any = asked.on.plain.secrets
    secrets.by_account["whatsapp", "maison"] = [{**ACCOUNT, "app_secret": "the new one"}, ACCOUNT]
    listen.take(asked.world, "maison", signed(payload()))
    listen.take(asked.world, "maison", signed(payload(), "the new one"))


def test_a_replayed_webhook_changes_nothing(asked: Talking) -> None:
    body = pressed(f"{announced(asked).message_id}:other_time", asked.on.clock.now)
    asked.hear(body)
    before = dict(asked.on.plain.table.rows)  # type: ignore[attr-defined]
    sent = len(asked.meta.sent)
    for _ in range(3):
        asked.hear(body)
    assert asked.on.plain.table.rows == before  # type: ignore[attr-defined]
    assert len(asked.meta.sent) == sent


def test_the_same_word_in_another_payload_is_the_same_word(asked: Talking) -> None:
    body = pressed(f"{announced(asked).message_id}:other_time", asked.on.clock.now)
    asked.hear(body)
    sent = len(asked.meta.sent)
    asked.hear({**body, "entry": [*body["entry"], {"id": "9", "changes": []}]})
    assert len(asked.meta.sent) == sent
    assert len(announced(asked).answers) == 1


def test_meta_checks_the_address_and_gets_its_challenge_back(said: Talking) -> None:
    query = {
        "hub.mode": "subscribe",
        "hub.verify_token": ACCOUNT["verify_token"],
        "hub.challenge": "1158201444",
    }
    assert listen.greet(said.world, "maison", Callback("GET", query, {}, b"")) == b"1158201444"
    for wrong in ({"hub.verify_token": "guessed"}, {"hub.mode": "x"}, {"hub.verify_token": ""}):
        with pytest.raises(Forbidden):
            listen.greet(said.world, "maison", Callback("GET", query | wrong, {}, b""))
    with pytest.raises(Forbidden):
        listen.greet(said.world, "nobody", Callback("GET", query, {}, b""))
    with pytest.raises(Malformed):
        listen.greet(said.world, "maison", Callback("GET", query | {"hub.challenge": "<b>"}, {}, b""))


@pytest.mark.parametrize("junk", [b"", b"[]", b"{}", b"{", b"\xff", b'{"object":"page","entry":[]}'])
def test_junk_that_is_signed_is_refused_and_kept_nowhere(said: Talking, junk: bytes) -> None:
    with pytest.raises(Malformed):
        listen.take(said.world, "maison", signed(junk))
    assert not [key for key in said.on.plain.table.rows if key.pk.startswith(INBOX)]  # type: ignore[attr-defined]


# --- statuses -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("sent", "delivered", "read"),
        ("read", "sent", "delivered"),
        ("read",),
        ("delivered", "delivered", "read", "sent"),
        ("played",),
    ],
)
def test_statuses_in_any_order_come_to_the_same(asked: Talking, words: tuple[str, ...]) -> None:
    for word in words:
        asked.hear(status(announced(asked).message_id, word, asked.on.clock.now))
    assert announced(asked).state is MessageState.READ


def test_metas_cap_of_marketing_is_no_failure_of_ours_to_repeat_and_the_next_channel_says_it(
    asked: Talking,
) -> None:
    asked.hear(status(announced(asked).message_id, "failed", asked.on.clock.now, 131049))
    tries = announced(asked).tries
    assert [(t.channel.value, t.state, t.code) for t in tries] == [
        ("whatsapp", TryState.REFUSED, "131049"),
        ("email", TryState.ACCEPTED, ""),
    ]
    assert len(asked.meta.sent) == 1 and len(asked.mails) == 1
    asked.hear(status(announced(asked).message_id, "failed", asked.on.clock.now, 131049))
    assert len(asked.mails) == 1


def test_a_failure_that_comes_after_the_delivery_takes_nothing_back(asked: Talking) -> None:
    asked.hear(status(announced(asked).message_id, "delivered", asked.on.clock.now))
    asked.hear(status(announced(asked).message_id, "failed", asked.on.clock.now, 130472))
    assert announced(asked).state is MessageState.DELIVERED
    assert asked.mails == []


def test_a_status_of_anothers_message_or_of_none_moves_nothing(asked: Talking) -> None:
    for name in ("", "some data", "ord_x.0000.announced", f"{asked.order_id}.9999.announced"):  # type: ignore[attr-defined]
        asked.hear(status(name, "read", asked.on.clock.now))
    assert announced(asked).state is MessageState.SENT


def test_a_status_that_overtakes_the_answer_to_the_sending_spares_the_second_try(said: Talking) -> None:
    from chalicelib.domain.errors import Unanswered

    def silent(request: Any) -> Any:
        raise Unanswered("timed out")

    said.meta.answer = silent
    order_id = said.place(window=TOMORROW)
    said.on.settle()
    said.hear(status(said.messages(order_id)[0].message_id, "sent", said.on.clock.now))
    said.on.clock.forward(minutes=5)
    tell.tell(said.world, order_id)
    assert len(said.meta.sent) == 1 and said.mails == []
    assert said.messages(order_id)[0].state is MessageState.SENT


# --- buttons ------------------------------------------------------------------------------------------------


def test_whoever_wants_another_time_is_named_some_and_the_chosen_one_is_planned(asked: Talking) -> None:
    before = order(asked).window
    asked.press(announced(asked), "other_time")
    times = asked.last(asked.order_id)  # type: ignore[attr-defined]
    assert times.kind is MessageKind.TIMES
    rows = asked.meta.sent[-1]["interactive"]["action"]["sections"][0]["rows"]
    assert rows[0]["title"] == "15:00–17:00" and rows[0]["description"] == "Tuesday, 12 April"
    name, _, answer = rows[1]["id"].partition(":")
    assert name == times.message_id
    asked.on.clock.forward(minutes=1)
    asked.press(times, answer)
    after = order(asked).window
    assert after.start == before.start + timedelta(days=1)
    assert after.end - after.start == before.end - before.start
    assert "moved" in asked.meta.kinds() or "booked" in asked.meta.kinds()


def test_whoever_is_not_at_home_gets_it_a_day_later(asked: Talking) -> None:
    before = order(asked).window
    asked.press(announced(asked), "not_at_home")
    assert order(asked).window == tomorrow(asked.client, before)
    assert announced(asked).answers[0].result == "moved"
    asked.press(announced(asked), "not_at_home", asked.on.clock.now - timedelta(seconds=30))
    assert order(asked).window == tomorrow(asked.client, before), "an older word comes late"


def test_an_answer_to_an_order_that_has_ended_moves_nothing(asked: Talking) -> None:
    cancel(asked.world, "maison", asked.order_id, order(asked).version)  # type: ignore[attr-defined]
    asked.on.settle()
    before = order(asked)
    for choice in ("not_at_home", "other_time", "accept", "digital"):
        asked.on.clock.forward(minutes=1)
        asked.press(announced(asked), choice)
    assert order(asked) == before
    assert [a.result for a in announced(asked).answers] == ["too_late", "too_late", "noted", "too_late"]


def test_a_button_of_another_brands_order_moves_nothing(asked: Talking) -> None:
    secrets: Any = asked.on.plain.secrets
    secrets.by_account["whatsapp", "rival"] = [{**ACCOUNT, "app_secret": "the rival's"}]
    before = order(asked)
    body = pressed(f"{announced(asked).message_id}:not_at_home", asked.on.clock.now)
    listen.take(asked.world, "rival", signed(body, "the rival's"))
    asked.on.settle()
    assert order(asked) == before and announced(asked).answers == ()


def test_the_brand_hears_that_its_client_has_answered_or_written_and_not_what(asked: Talking) -> None:
    asked.press(announced(asked), "accept")
    asked.hear(wrote("I live at 5 Secret Lane", asked.on.clock.now))
    asked.hear(wrote("I live at 5 Secret Lane", asked.on.clock.now))
    told = [one for one in asked.on.brand.heard if one["type"].startswith("client.")]
    assert [(one["type"], one["data"].get("order_id")) for one in told] == [
        ("client.answered", asked.order_id),  # type: ignore[attr-defined]
        ("client.wrote", None),
    ]
    assert {one["data"]["client"] for one in told} == {"vic-1"}
    assert "Secret" not in str(told) and PHONE[1:] not in str(told)
    shown = talk.conversation(asked.world, enrol.client_of(asked.world, "maison", "vic-1"))
    assert [m.kind for m in shown.messages] == [], "it is no message to the client"
    assert MessageKind.HEARD not in {m.kind for m in speak.messages_of(asked.world, order(asked))}


def test_a_brand_that_is_down_hears_of_the_answer_when_it_is_back(asked: Talking) -> None:
    from chalicelib.domain.dialect import Reply

    asked.on.brand.answer = lambda request: Reply(503, {}, b"")
    asked.press(announced(asked), "accept")
    asked.on.brand.answer = None
    asked.on.minutes(3)
    took = [one["type"] for one, fine in zip(asked.on.brand.heard, asked.on.brand.took, strict=True) if fine]
    assert took.count("client.answered") == 1


# --- who it is ----------------------------------------------------------------------------------------------


def test_a_client_whose_payload_names_no_number_is_found_by_what_our_message_taught_us(
    asked: Talking,
) -> None:
    asked.hear(status(announced(asked).message_id, "delivered", asked.on.clock.now))
    asked.hear(wrote("When will it come?", asked.on.clock.now, number=None))
    found = talk.conversation(asked.world, enrol.client_of(asked.world, "maison", "vic-1"))
    assert [one.text for one in found.said] == ["When will it come?"]
    assert BSUID in enrol.person_of(asked.world, enrol.by_id(asked.world, asked.client.client_id)).whatsapp


def test_a_client_is_found_by_the_number_that_the_brand_entered(said: Talking) -> None:
    said.hear(wrote("Bonjour", said.on.clock.now, user_id=None))
    assert said.talks() == 1


def test_a_stranger_is_kept_nowhere(said: Talking) -> None:
    said.hear(wrote("who is this", said.on.clock.now, number="4915112345678", user_id="DE.1"))
    assert said.talks() == 0
    lines: Any = said.world.log
    assert any(line["event"] == "message_foreign" for line in lines.lines)


# --- words --------------------------------------------------------------------------------------------------


def test_free_text_is_kept_sealed_and_moves_nothing(asked: Talking) -> None:
    before = order(asked)
    asked.hear(wrote("Please cancel it, I live at 5 Secret Lane", asked.on.clock.now))
    assert order(asked) == before
    rows = asked.on.plain.table.rows  # type: ignore[attr-defined]
    assert not any("Secret Lane" in row.body or b"Secret Lane" in row.sealed for row in rows.values())
    assert not any(PHONE[1:] in str(key) or BSUID in str(key) for key in rows)
    found = talk.conversation(asked.world, enrol.client_of(asked.world, "maison", "vic-1"))
    assert found.said[0].text == "Please cancel it, I live at 5 Secret Lane" and found.is_open


@pytest.mark.parametrize("word", ["STOP", "stop.", "退订", "arrêt", "إيقاف", " Basta! "])
def test_the_one_word_that_ends_messages_ends_them_and_is_confirmed(asked: Talking, word: str) -> None:
    asked.hear(wrote(word, asked.on.clock.now))
    client = enrol.by_id(asked.world, asked.client.client_id)
    assert not client.agrees_to(Purpose.MARKETING, asked.on.clock.now)
    assert not client.agrees_to(Purpose.SERVICE, asked.on.clock.now)
    assert client.agrees_to(Purpose.CROSS_BORDER, asked.on.clock.now)
    assert asked.meta.sent[-1]["text"]["body"] == "You will get no more messages from Maison Céladon."
    sent = len(asked.meta.sent)
    asked.hear(wrote(word, asked.on.clock.now, wamid="wamid.again"))
    cancel(asked.world, "maison", asked.order_id, order(asked).version)  # type: ignore[attr-defined]
    asked.on.settle()
    assert len(asked.meta.sent) == sent, "not a word more, about the gift either"


def test_who_wants_no_marketing_any_more_in_metas_settings_gets_none(said: Talking) -> None:
    wish = {"wa_id": PHONE[1:], "category": "marketing_messages", "value": "stop", "timestamp": 1649649600}
    said.hear(payload("user_preferences", user_preferences=[wish]))
    client = enrol.by_id(said.world, said.client.client_id)
    assert not client.agrees_to(Purpose.MARKETING, said.on.clock.now)
    assert client.agrees_to(Purpose.SERVICE, said.on.clock.now)
    said.hear(payload("user_preferences", user_preferences=[{**wish, "value": "resume"}]))
    client = enrol.by_id(said.world, said.client.client_id)
    assert not client.agrees_to(Purpose.MARKETING, said.on.clock.now), "that is for the brand to ask"


def test_a_person_at_the_brand_writes_freely_while_the_conversation_is_open(said: Talking) -> None:
    said.client = enrolled(said.on.plain, channels=["whatsapp"])
    words = NewTalk(text="The ring is here, in rose gold.")
    with pytest.raises(Clashing, match="no conversation is open"):
        write(said, "t-1", words)
    invitation = write(said, "t-0", NewTalk(kind=MessageKind.INVITATION))
    said.on.settle()
    assert said.meta.sent[-1]["template"]["name"] == "cordon_invitation_v1"
    said.press(invitation, "yes")
    for _ in range(2):
        write(said, "t-1", words)
        said.on.settle()
    assert said.meta.sent[-1]["text"]["body"] == "The ring is here, in rose gold."
    assert said.meta.kinds() == ["invitation", "talk"]
    with pytest.raises(Invalid):
        write(said, "t-1", NewTalk(text="Other words"))
    said.on.clock.forward(hours=25)
    with pytest.raises(Clashing):
        write(said, "t-2", words)


def test_answers_within_the_day_are_free_of_templates_and_have_at_most_three_buttons(asked: Talking) -> None:
    asked.hear(wrote("hello", asked.on.clock.now))
    asked.press(announced(asked), "not_at_home")
    interactive = [one["interactive"] for one in asked.meta.sent if "interactive" in one]
    assert interactive
    for one in interactive:
        assert len(one["action"].get("buttons", [])) <= 3


# --- at least once ------------------------------------------------------------------------------------------


def test_the_sweep_reads_what_the_nudge_was_lost_of(asked: Talking) -> None:
    body = pressed(f"{announced(asked).message_id}:not_at_home", asked.on.clock.now)
    asked.hear(body, settled=False)
    asked.world.queues.sent.clear()  # type: ignore[attr-defined]
    asked.on.minutes(1)
    assert announced(asked).answers[0].choice is Choice.NOT_AT_HOME


def test_what_is_read_is_kept_no_longer(asked: Talking) -> None:
    asked.hear(wrote("hello", asked.on.clock.now))
    (row,) = [r for k, r in asked.on.plain.table.rows.items() if k.pk.startswith("inbox#")]  # type: ignore[attr-defined]
    assert (row.sealed, row.work) == (b"", None) and row.expires_at is not None
    with pytest.raises(Missing):
        listen.listen(asked.world, "said/maison/nothing")


def test_one_word_that_cannot_be_done_now_stops_no_other(
    asked: Talking, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = asked.on.clock.now
    broken = pressed(f"{announced(asked).message_id}:not_at_home", now)
    fine = wrote("hello", now)
    both = {**broken, "entry": broken["entry"] + fine["entry"]}

    def bug(*_: Any) -> str:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr("chalicelib.flows.oblige.oblige", bug)
        asked.hear(both, settled=False)
        (name,) = [n for t, n in asked.world.queues.sent if t is Topic.HEAR]  # type: ignore[attr-defined]
        with pytest.raises(RuntimeError):
            listen.listen(asked.world, name)
    assert asked.talks() == 1
    asked.on.settle()
    assert announced(asked).answers[0].result == "moved"
    assert asked.talks() == 1


def test_a_payload_of_three_megabytes_is_kept_in_rows_that_fit(said: Talking) -> None:
    message = wrote("x" * 4000, said.on.clock.now)
    value = message["entry"][0]["changes"][0]["value"]
    value["messages"] = [{**value["messages"][0], "id": f"wamid.{n}"} for n in range(600)]
    said.hear(message)
    assert said.talks() == 600


# --- show 2 -------------------------------------------------------------------------------------------------


@needs_shared
@pytest.mark.parametrize("path", sorted(RECORDED.glob("*.json")), ids=lambda path: path.stem)
def test_every_recorded_payload_is_taken_and_read(said: Talking, path: Any) -> None:
    told = json.loads(path.read_text())
    payloads = [told] if "object" in told else [one for one in told.values() if isinstance(one, dict)]
    for one in payloads:
        if one.get("object") == "whatsapp_business_account":
            said.hear(one)
    assert said.world.queues.sent == []  # type: ignore[attr-defined]


@needs_shared
def test_the_recorded_client_without_a_number_is_found(said: Talking) -> None:
    known = json.loads((RECORDED / "status_delivered_bsuid_only.json").read_text())
    user_id = "US.13491208655302741918"
    said.client = enrolled(said.on.plain, "vic-9", person={"name": "Pablo M.", "whatsapp": [user_id]})
    order_id = said.place(window=TOMORROW)
    tell.tell(said.world, order_id)
    change = known["entry"][0]["changes"][0]["value"]
    change["statuses"][0]["biz_opaque_callback_data"] = name_of(said.meta.sent[0])
    said.hear(known)
    assert said.messages(order_id)[0].state is MessageState.DELIVERED
    del change["statuses"]
    change["messages"] = [
        {"id": "wamid.1", "timestamp": "1649649700", "type": "text", "text": {"body": "Hola"}}
    ]
    said.hear(known)
    assert [
        one.text for one in talk.conversation(said.world, enrol.client_of(said.world, "maison", "vic-9")).said
    ] == ["Hola"]


# --- who is forgotten ---------------------------------------------------------------------------------------


def test_what_a_client_writes_while_it_is_being_forgotten_is_kept_nowhere(
    said: Talking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The erasure begins after the client was found and before its words are written."""
    plain = listen._note_session

    def meanwhile(world: Any, client: Any, at: Any) -> None:
        plain(world, client, at)
        forget.ask(said.on.plain, "maison", "vic-1")
        forget.forget(said.on.plain, client.client_id)

    with monkeypatch.context() as patch:
        patch.setattr(listen, "_note_session", meanwhile)
        listen.take(said.world, "maison", signed(wrote("I live at 5 Secret Lane", said.on.clock.now)))
        (name,) = [n for t, n in said.world.queues.sent if t is Topic.HEAR]  # type: ignore[attr-defined]
        with pytest.raises(Lost):
            listen.listen(said.world, name)
    said.on.settle()
    said.on.minutes(2)
    assert said.talks() == 0
    rows = said.on.plain.table.rows  # type: ignore[attr-defined]
    assert not [key for key, row in rows.items() if key.pk.startswith("inbox#") and row.sealed]


def test_of_whoever_is_forgotten_no_message_and_no_word_is_left_that_can_be_read(asked: Talking) -> None:
    asked.hear(wrote("I live at 5 Secret Lane", asked.on.clock.now))
    write(asked, "t-1", NewTalk(text="The ring of Wang Secretive"))
    asked.on.settle()
    forget.ask(asked.on.plain, "maison", "vic-1")
    asked.on.minutes(3)
    rows = asked.on.plain.table.rows  # type: ignore[attr-defined]
    mine = [row for key, row in rows.items() if key.pk == asked.client.client_id]
    assert mine and not [row.key for row in mine if row.sealed]
    with pytest.raises(Forgotten):
        enrol.client_of(asked.world, "maison", "vic-1")
    asked.hear(wrote("hello again", asked.on.clock.now, wamid="wamid.later"))
    assert asked.talks() == 0
