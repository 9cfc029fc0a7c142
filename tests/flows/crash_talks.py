"""What stories of the crash test say to clients, and what clients answer: steps, and a stage with people to talk to."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from chalicelib.domain.channel_answers import ChannelStatement, NewTalk
from chalicelib.domain.clients import Consent, Purpose, client_id_of
from chalicelib.domain.dialect import Callback, Reply, Request
from chalicelib.domain.errors import Unanswered, Unreached
from chalicelib.domain.message_rows import MESSAGE, message_of_row
from chalicelib.domain.messages import Message, TryState
from chalicelib.domain.ports import Keep, Topic
from chalicelib.domain.saying import Mail
from chalicelib.domain.substitutes import Proposal, Say, State, proposal_row
from chalicelib.domain.templates import MessageKind
from chalicelib.domain.verdicts import Reason
from chalicelib.flows import agree, connect, enrol, listen, speak, talk
from chalicelib.flows.give import give as flow_give
from tests import talking
from tests.flows.crash_play import Play
from tests.flows.crash_steps import Step, refused, same
from tests.stage import NOON, Stage, client_wish, place_at, stage

CLIENT = "vic-1"


def with_clients(**more: Any) -> Stage:
    """A stage on which what Meta and the mail server take stands among what the brand heard: whoever counts that nobody
    hears a thing too often counts it, too."""
    on = stage(**more)
    meta = talking.connected(on)

    def noted(name: str) -> None:
        on.brand.heard.append({"id": name})
        on.brand.at.append(on.clock.now)
        on.brand.took.append(True)

    def answer(request: Request) -> Reply:
        how = MOODS.get(_mood(on))
        if how is not None:
            return how(request)
        noted(talking.name_of(json.loads(request.body)))
        return talking.accepted(request)

    def posted(mail: Mail) -> Reply:
        if _mood(on) == "nobody":
            raise Unanswered("SES: ReadTimeoutError")
        noted(f"mail-{len(mail.raw)}")
        return Reply(200, {}, b"")

    meta.answer = answer
    on.plain.mailer.answer = posted  # type: ignore[attr-defined]
    for name, changes in PEOPLE.items():
        person = {
            "name": "Wang Secretive",
            "phone": talking.PHONE,
            "email": "wang@secret.example",
            "places": {"home": place_at("Yongjia")},
        }
        talking.enrolled(on.plain, name, person=person, **changes)
    return on


PEOPLE: dict[str, dict[str, Any]] = {
    CLIENT: {},
    "vic-webhook": {"channels": ["webhook"]},
    "vic-nobody": {"channels": ["whatsapp"]},
    "vic-service": {"purposes": ("service", "cross_border")},
}


def _unanswered(request: Request) -> Reply:
    raise Unanswered("graph.example: timed out")


def _unreached(request: Request) -> Reply:
    raise Unreached("graph.example: no connection")


MOODS: dict[str, Callable[[Request], Reply]] = {
    "silent": _unanswered,
    "nobody": _unanswered,
    "unreached": _unreached,
    "refuses": talking.failing(400, 131026),
    "busy": talking.failing(429, 130429),
}


def _mood(on: Stage) -> str:
    return on.company.refuse.get("meta", "")


@same
def meta(mood: str = "") -> Step:
    """From now on Meta is so."""

    def step(play: Play) -> None:
        others = {name: why for name, why in play.on.company.refuse.items() if name != "meta"}
        play.on.company.refuse = others | ({"meta": mood} if mood else {})

    return step


@same
def given(client: str = CLIENT, key: str = "key-1", *, settled: bool = True, days: int = 0) -> Step:
    """A brand has a gift brought to that client."""

    def step(play: Play) -> None:
        start = NOON + timedelta(days=days, hours=1)
        window = {
            "start": start.isoformat(),
            "end": (start + timedelta(hours=3)).isoformat(),
            "time_zone": "Asia/Shanghai",
        }
        wish = client_wish(client, window=window)
        play.act(lambda: flow_give(play.on.world, "maison", key, wish, "brand"))
        if settled:
            play.settle()

    return step


def said_to(play: Play, home: str = "") -> list[Message]:
    rows = play.table.read(home or play.order_id(), MESSAGE).rows
    return sorted(map(message_of_row, rows), key=lambda message: (message.owed_at, message.number))


def _last(play: Play, kind: str) -> Message | None:
    return next((m for m in reversed(said_to(play)) if m.kind.value == kind), None)


def _hears(play: Play, body: dict[str, Any], times: int = 1) -> None:
    said = talking.signed(body)
    for _ in range(times):
        play.act(lambda: listen.take(play.on.world, "maison", said))
    play.settle()


@same
def presses(answer: str, kind: str = "announced", *, times: int = 1, ago: float = 0) -> Step:
    """The client presses that button of the last message of that kind."""

    def step(play: Play) -> None:
        message = _last(play, kind)
        if message is None:
            return
        at = play.on.clock.now - timedelta(minutes=ago)
        chosen = answer
        if answer == "at":
            chosen = f"at={message.about.split('|')[1].split('/')[0]}"
        _hears(play, talking.pressed(f"{message.message_id}:{chosen}", at), times)

    return step


@same
def writes(text: str, *, number: str = talking.PHONE[1:], user_id: str | None = talking.BSUID) -> Step:
    def step(play: Play) -> None:
        _hears(play, talking.wrote(text, play.on.clock.now, number=number, user_id=user_id))

    return step


@same
def status(word: str, code: int | None = None, kind: str = "announced") -> Step:
    """Meta says that of the last message of that kind, or of one that nobody knows."""

    def step(play: Play) -> None:
        message = _last(play, kind)
        name = "ord_nobody.0000.announced" if message is None else message.message_id
        _hears(play, talking.status(name, word, play.on.clock.now, code), 2)

    return step


def writes_and_nobody_is_nudged(play: Play) -> None:
    """What the client wrote is kept, and every nudge that waits is lost."""
    said = talking.signed(talking.wrote("hello", play.on.clock.now))
    play.act(lambda: listen.take(play.on.world, "maison", said))
    play.queues.sent.clear()


def wish(play: Play) -> None:
    """The client wants no marketing any more, and says so to Meta."""
    told = {
        "wa_id": talking.PHONE[1:],
        "category": "marketing_messages",
        "value": "stop",
        "timestamp": 1649649600,
    }
    _hears(play, talking.payload("user_preferences", user_preferences=[told]))


def agrees_by_a_clock_ahead(play: Play) -> None:
    """A consent that the brand dates two minutes from now: no word of now is older than it by that alone."""
    granted = play.on.clock.now + timedelta(minutes=2)
    consent = Consent(purpose=Purpose.SERVICE, granted_at=granted, evidence="form-8")
    play.act(lambda: agree.agree(play.on.world, client_id_of("maison", CLIENT), [consent]))


@same
def a_person_writes(text: str | None, key: str = "t-1", client: str = CLIENT) -> Step:
    new = NewTalk(text=text) if text else NewTalk(kind=MessageKind.INVITATION)

    def step(play: Play) -> None:
        world = play.on.world

        def write() -> None:
            talk.write(world, enrol.client_of(world, "maison", client), "associate:anna", key, new)

        refused(play, write)
        play.settle()

    return step


def is_read(play: Play) -> None:
    """Whatever the brand looks at, and Meta's check of the address."""
    world = play.on.world
    play.act(lambda: talk.conversation(world, enrol.client_of(world, "maison", CLIENT)))
    play.act(lambda: speak.messages_of(world, play.order()))
    play.act(lambda: connect.own(world, "maison", "whatsapp"))
    query = {
        "hub.mode": "subscribe",
        "hub.verify_token": talking.ACCOUNT["verify_token"],
        "hub.challenge": "1",
    }
    play.act(lambda: listen.greet(world, "maison", Callback("GET", query, {}, b"")))
    refused(play, lambda: listen.take(world, "maison", talking.signed(talking.payload(), "forged")))


def channel_is_stated_anew(play: Play) -> None:
    stated = ChannelStatement(sender="Maison Céladon", phone_number_id=talking.NUMBER_ID, is_paused=True)
    refused(play, partial(connect.connect, play.on.world, "maison", "whatsapp", stated, 1))


def all_is_said(play: Play) -> None:
    """At the end: no message waits, none has gone out more often than it may, each that was to be said was, and each
    word was done once."""
    homes = [order.order_id for order in play.orders()] + [client_id_of("maison", name) for name in PEOPLE]
    for home in homes:
        for message in said_to(play, home):
            assert message.next_attempt_at is None, f"{message.message_id} waits: {message}"
            sends = [t for t in message.tries if t.state in (TryState.ATTEMPTED, TryState.UNKNOWN)]
            assert len(sends) <= 2, f"{message.message_id} may have gone out {len(sends)} times"
    for order in play.orders():
        answers = [answer for message in said_to(play, order.order_id) for answer in message.answers]
        asked = sum(answer.result == "moved" for answer in answers)
        count = 0 if order.rescheduling is None else order.rescheduling.count
        assert count <= asked, f"{order.order_id} was moved {count} times for {asked} words"
    waiting = [row for row in play.table.rows.values() if row.work == "inbox"]
    assert not waiting, f"{len(waiting)} payloads were never read"


def something_else_is_proposed(play: Play) -> None:
    """The kitchen is shut, and what the brand's rules name in its place needs the client's own word."""
    proposal = Proposal(
        order_id=play.order_id(),
        number=1,
        name="tea",
        reason=Reason.ORIGIN_CLOSED,
        gift=play.order().gift,
        pick_up="Tea house",
        needs=Say.CLIENT,
        state=State.OPEN,
        proposed_at=play.on.clock.now,
        digest="d",
    )
    play.table.write(Keep(proposal_row(proposal), was=None))
    play.queues.nudge(Topic.TELL, [play.order_id()])
    play.settle()
