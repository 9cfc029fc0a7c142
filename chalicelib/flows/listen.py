"""Listen to what clients answer: save what a channel sends as it came, and read it when there is time.

A payload is verified on the raw bytes, kept sealed under a name that follows from its bytes, and answered; a replay is
the same row. Reading it is idempotent word by word: words come more than once, in any order, and from several payloads.

Whom a word is about is told by the message it answers, which our own name in it says; else by what the person is called
there, a number or a business-scoped user id. A button moves the order as its brand would, and no other way round: not
another brand's order, not one that has ended, and not once more when a later word of the client's stands. What a client
writes freely is kept sealed for the brand to read; it moves nothing, but for the one word that ends all messages.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime

from chalicelib.domain import facts
from chalicelib.domain.client_rows import PROOF, client_key, owner_of_brand
from chalicelib.domain.clients import ChannelKind, Client, Consent, Purpose
from chalicelib.domain.consents import AHEAD, MESSAGES
from chalicelib.domain.contacts import by_whatsapp
from chalicelib.domain.dialect import Account, Callback
from chalicelib.domain.errors import Clashing, Forgotten, Lost, Missing, Unauthorised
from chalicelib.domain.message_rows import (
    INBOX,
    REMEMBERED,
    TALKS,
    Session,
    Talk,
    inbox_key,
    inbox_row,
    key_of,
    message_of_row,
    message_row,
    read_inbox_row,
    session_key,
    talk_row,
)
from chalicelib.domain.messages import Answer, Message, advanced, read_name
from chalicelib.domain.ports import Keep, Require, Row, Topic, World
from chalicelib.domain.saying import HearingChannel, Word, answer_of
from chalicelib.domain.templates import Choice
from chalicelib.flows import agree, contacts, enrol, oblige, speak
from chalicelib.flows.hear import SAID

IN_ONE_ROW = 200 * 1024
"""Bytes of words in one row: more become several."""
TRIES = 5
STOPS = frozenset(
    {
        "stop",
        "unsubscribe",
        "arrêt",
        "arret",
        "arrêter",
        "basta",
        "stopp",
        "退订",
        "停止",
        "إيقاف",
        "توقف",
        "قف",
    }
)
"""The one word that ends all messages, in the languages that are spoken here; the whole text has to be it."""
MARKETING_ONLY = "131050"
"""Meta's word for a client who wants no marketing."""


# --- what a channel sends -----------------------------------------------------------------------------------


def greet(world: World, brand_id: str, callback: Callback) -> bytes:
    """The answer to Meta's check of the address. Raises `Forbidden`."""
    channel, accounts = _channel(world, brand_id)
    return channel.greet(accounts, callback)


def take(world: World, brand_id: str, callback: Callback) -> None:
    """Keep what came, and nudge. A repeat is the same rows, and nudges again. Raises `Unauthorised`, `Malformed`."""
    channel, accounts = _channel(world, brand_id)
    try:
        channel.verify(accounts, callback)
    except Unauthorised:
        world.log("message_forged", brand=brand_id)
        raise
    now = world.clock()
    words = channel.words(callback.body, now)
    digest = hashlib.sha256(callback.body).hexdigest()[:40]
    names = []
    for number, part in enumerate(_parts(words)):
        name = f"{digest}-{number}"
        sealed = world.sealer.seal(part, name, owner=owner_of_brand(brand_id))
        try:
            world.table.write(Keep(inbox_row(brand_id, name, sealed, now), was=None))
        except Lost:
            pass  # it came before
        names.append(f"{SAID}{brand_id}/{name}")
    world.log("message_heard", brand=brand_id, count=len(words))
    if names:
        world.queues.nudge(Topic.HEAR, names)


def _channel(world: World, brand_id: str) -> tuple[HearingChannel, Sequence[Account]]:
    """WhatsApp and the brand's account. A brand without one looks like any other that proves nothing."""
    channel: HearingChannel = world.client_channels[ChannelKind.WHATSAPP]  # type: ignore[assignment]
    return channel, world.secrets.accounts(ChannelKind.WHATSAPP.value, brand_id)


def _parts(words: Sequence[Word]) -> list[bytes]:
    """The words as JSON, in pieces that fit a row."""
    parts: list[list[str]] = []
    size = IN_ONE_ROW
    for word in words:
        text = word.model_dump_json(exclude_defaults=True)
        if size + len(text.encode()) > IN_ONE_ROW:
            parts.append([])
            size = 0
        parts[-1].append(text)
        size += len(text.encode())
    return [f"[{','.join(part)}]".encode() for part in parts]


def waiting(world: World, limit: int) -> list[str]:
    """What came and is not read yet, as nudges."""
    keys = world.table.find_due(INBOX, world.clock(), limit).keys
    return [f"{SAID}{key.pk.removeprefix(f'{INBOX}#')}/{key.sk}" for key in keys]


# --- reading it ---------------------------------------------------------------------------------------------


def listen(world: World, name: str) -> None:
    """Read what came under that name, word by word; what cannot be done now stops no other word. Doing it twice is
    harmless. Raises `Missing`."""
    brand_id, _, digest = name.removeprefix(SAID).rpartition("/")
    row = world.table.get(inbox_key(brand_id, digest))
    if row is None:
        raise Missing("nothing came under that name")
    if not row.sealed:
        return  # it has been read
    trouble: Exception | None = None
    for said in json.loads(world.sealer.unseal(row.sealed, digest)):
        try:
            _hear(world, brand_id, Word.model_validate_json(json.dumps(said)))
        except Forgotten:
            continue  # whoever said it is being forgotten
        except Exception as error:
            trouble = trouble or error
    if trouble is not None:
        raise trouble
    until = facts.epoch(world.clock() + REMEMBERED)
    try:
        world.table.write(Keep(read_inbox_row(brand_id, digest, until), was=row.version))
    except Lost:
        pass  # another has read it, too


def _hear(world: World, brand_id: str, word: Word) -> None:
    if word.kind == "status":
        _hear_status(world, brand_id, word)
    elif word.kind == "said":
        _hear_said(world, brand_id, word)
    elif word.kind == "wish":
        for client in _everybody(world, brand_id, word.names):
            _wish(world, client, word)


def _hear_status(world: World, brand_id: str, word: Word) -> None:
    message = _message(world, brand_id, word.message_id)
    if message is None or word.state is None:
        world.log("message_foreign", brand=brand_id)
        return
    for _ in range(TRIES):
        after = advanced(message, ChannelKind.WHATSAPP, word.state, word.code, word.at)
        if after is message:
            break
        after = after.model_copy(update={"version": message.version + 1})
        try:
            world.table.write(Keep(message_row(after), was=message.version))
        except Lost as lost:
            if lost.found is None:
                return
            message = message_of_row(lost.found)
            continue
        world.log(
            "message_status",
            order=message.home,
            brand=brand_id,
            state=word.state.value,
            code=speak.number_of(word.code),
        )
        message = after
        break
    if message.next_attempt_at is not None and message.next_attempt_at <= world.clock():
        world.queues.nudge(Topic.TELL, [message.home])  # refused: the next channel's turn
    client = speak.client_by_id(world, message.client_id)
    if client is None or client.is_leaving:
        return
    if word.code == MARKETING_ONLY:
        _withdraw(world, client, (Purpose.MARKETING,), word)
    _learn(world, client, word.names)


def _hear_said(world: World, brand_id: str, word: Word) -> None:
    pressed = answer_of(word.payload)
    message = None if pressed is None else _message(world, brand_id, pressed[0])
    client = None if message is None else speak.client_by_id(world, message.client_id)
    if client is None:
        client = next(iter(_called(world, brand_id, word.names)), None)
    if client is None or client.is_leaving:
        world.log("message_foreign", brand=brand_id)
        return
    _note_session(world, client, word.at)
    if message is not None:
        _learn(world, client, word.names)
    if pressed is not None and message is not None:
        _take_answer(world, client, message, pressed[1], pressed[2], word)
        return
    if word.text.strip().casefold().rstrip(".!。！") in STOPS:
        _stop(world, brand_id, client, word)
        return
    text = json.dumps({"text": word.text, "form": word.form}, ensure_ascii=False).encode()
    talk = Talk(at=word.at, channel=ChannelKind.WHATSAPP, form=word.form)
    sealed = world.sealer.seal(text, word.event_id, owner=client.client_id)
    stands = Require(
        client_key(client.client_id), client.version
    )  # nothing is kept of whoever is forgotten now
    try:
        world.table.write(Keep(talk_row(client.client_id, word.event_id, talk, sealed), was=None), stands)
    except Lost as lost:
        if lost.at != (0,):
            raise
    speak.heard(world, client, client.client_id, TALKS, word.event_id, word.at)


def _take_answer(
    world: World, client: Client, message: Message, choice: Choice, more: str, word: Word
) -> None:
    """What the client pressed: done, and then on record with the message, so that a repeat does nothing."""
    start = _start(more) if choice is Choice.AT else None
    if any((a.choice, a.at, a.start) == (choice, word.at, start) for a in message.answers):
        speak.heard(world, client, message.home, message.bucket, word.event_id, word.at)
        return
    if choice is Choice.STOP:
        _stop(world, message.brand_id, client, word)
        result = "stopped"
    else:
        result = oblige.oblige(world, client, message, choice, start, word.at)
    for _ in range(TRIES):
        told = Answer(choice=choice, at=word.at, start=start, result=result)
        answers = (*message.answers, told)[-20:]
        after = message.model_copy(update={"answers": answers, "version": message.version + 1})
        try:
            world.table.write(Keep(message_row(after), was=message.version))
        except Lost as lost:
            if lost.found is None:
                return
            message = message_of_row(lost.found)
            if any((a.choice, a.at, a.start) == (choice, word.at, start) for a in message.answers):
                return
            continue
        world.log(
            "message_answered", order=message.home, brand=message.brand_id, answer=choice.value, result=result
        )
        speak.heard(world, client, message.home, message.bucket, word.event_id, word.at)
        return
    raise Lost([0])


def _start(more: str) -> datetime | None:
    try:
        start = datetime.fromisoformat(more)
    except ValueError:
        return None
    return start if start.tzinfo is not None else None


def _message(world: World, brand_id: str, name: str) -> Message | None:
    """The brand's own message of that name."""
    named = read_name(name)
    row: Row | None = None if named is None else world.table.get(key_of(named))
    message = None if row is None else message_of_row(row)
    return message if message is not None and message.brand_id == brand_id else None


def _called(world: World, brand_id: str, names: Sequence[str]) -> list[Client]:
    """Whoever of the brand's clients is called so, by the first name that finds anybody."""
    for name in names:
        found = contacts.clients_with(world, brand_id, by_whatsapp(name))
        if found:
            return found
    return []


def _everybody(world: World, brand_id: str, names: Sequence[str]) -> list[Client]:
    """All of them, by any of these names: one may have been entered by its number, another learned by its id."""
    found = (client for name in names for client in contacts.clients_with(world, brand_id, by_whatsapp(name)))
    return list({client.client_id: client for client in found}.values())


def _learn(world: World, client: Client, names: Sequence[str]) -> None:
    """Whoever got our message, or pressed its button, is called so: found by it, even where a payload names no number.
    Only business-scoped ids are learned; a number is for the brand to enter."""
    for name in names:
        known = f"learned#{client.client_id}#{hashlib.sha256(name.encode()).hexdigest()}"
        if name.isdigit() or known in world.memory:
            continue
        try:
            enrol.learn_whatsapp(world, client.client_id, name)
        except Clashing:
            pass  # of somebody who has been erased: the brand has to say that it is another
        world.memory[known] = True


def _note_session(world: World, client: Client, at: datetime) -> None:
    """The client has written: a day begins in which the brand may answer freely."""
    key = session_key(client.client_id, ChannelKind.WHATSAPP)
    for _ in range(TRIES):
        row = world.table.get(key)
        if row is not None and Session.model_validate_json(row.body).at >= at:
            return
        version = 1 if row is None else row.version + 1
        body = Session(at=at).model_dump_json()
        try:
            expires_at = facts.epoch(at + REMEMBERED)
            world.table.write(
                Keep(Row(key, version, body, expires_at=expires_at), was=None if row is None else row.version)
            )
        except Lost:
            continue
        return


# --- what ends messages -------------------------------------------------------------------------------------


def _wish(world: World, client: Client, word: Word) -> None:
    """Marketing is wanted no more, or again: told to Meta, in the settings of the app."""
    if word.form == "stop":
        _withdraw(world, client, (Purpose.MARKETING,), word)
    # `resume` lets Meta carry marketing again; whether the client agrees to it the brand has to ask


def _stop(world: World, brand_id: str, client: Client, word: Word) -> None:
    """Nothing more, of either kind; and one last message that says so. Whoever shares the number reads the same
    telephone: to them it ends as well."""
    after = _withdraw(world, client, MESSAGES, word)
    for other in _everybody(world, brand_id, word.names):
        if other.client_id != client.client_id:
            _withdraw(world, other, MESSAGES, word)
    now = world.clock()
    if not any(after.agrees_to(purpose, now) for purpose in MESSAGES):
        oblige.confirm_stop(world, after, word.at)


def _withdraw(world: World, client: Client, purposes: Sequence[Purpose], word: Word) -> Client:
    """The client as it agrees now. To what it has agreed again since, a word of before says nothing: Meta repeats for a
    week, and whoever once saw a payload has its proof for ever."""
    name = f"whatsapp-{word.event_id}"
    ended = [each for each in purposes if not _is_renewed(world, client, each, word.at, name)]
    return agree.withdraw(world, client.client_id, ended, word.at, name) if ended else client


def _is_renewed(world: World, client: Client, purpose: Purpose, at: datetime, name: str) -> bool:
    """True when what stands was agreed to after that moment; within what the brand's clock may run ahead, when the same
    word has been taken before."""
    granted = next((c.granted_at for c in client.consents if c.purpose is purpose), at)
    if not at < granted <= at + AHEAD:
        return granted > at
    rows = world.table.read(client.client_id, PROOF).rows
    return any(Consent.model_validate_json(row.body).withdrawal == name for row in rows)
