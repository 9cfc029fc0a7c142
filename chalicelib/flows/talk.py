"""Talk with a client beside the orders: what a person at the brand writes, and what the client wrote."""

from __future__ import annotations

import hashlib
import json

from chalicelib.domain.acts import Act, Deed, act_row
from chalicelib.domain.channel_answers import Conversation, NewTalk, Said
from chalicelib.domain.client_rows import client_key
from chalicelib.domain.clients import ChannelKind, Client, Purpose
from chalicelib.domain.errors import Clashing, Fault, Forgotten, Invalid
from chalicelib.domain.jurisdictions import Kind, may_be_written_to
from chalicelib.domain.message_rows import (
    MESSAGE,
    TALK,
    TALKS,
    Talk,
    message_of_row,
    message_row,
)
from chalicelib.domain.messages import Message, until_of, view
from chalicelib.domain.ports import Keep, Require, Row, Topic, World
from chalicelib.domain.templates import TEMPLATES, MessageKind
from chalicelib.flows import speak

SHOWN = 100
NUMBERS = 100_000_000


def write(world: World, client: Client, by: str, key: str, new: NewTalk) -> Message:
    """The message, on its way, and on record who wrote it. The same key and words again are the same message; other
    words are refused.

    Raises `Clashing` where the client has not agreed to be written to, or no conversation is open.
    """
    now = world.clock()
    digest = hashlib.sha256(f"{client.client_id}\x00{key}".encode()).digest()
    message = Message(
        home=client.client_id,
        number=int.from_bytes(digest[:8], "big") % NUMBERS,
        kind=new.kind,
        brand_id=client.brand_id,
        client_id=client.client_id,
        owed_at=now,
        next_attempt_at=now,
        until=until_of(new.kind, now, None),
        bucket=TALKS,
    )
    row = message_row(message)
    before = world.table.get(row.key)
    if before is None:
        _check(world, client, new)
        if new.text is not None:
            sealed = world.sealer.seal(new.text.encode(), message.message_id, owner=client.client_id)
            message = message.model_copy(update={"sealed": sealed})
        act = Act(at=now, by=by, did=Deed.WRITTEN_TO, of=message.message_id)
        acts = Keep(act_row(client.client_id, act, world.token()), was=None)
        stands = Require(client_key(client.client_id), client.version)  # and is not being forgotten meanwhile
        world.table.write(Keep(message_row(message), was=None), acts, stands)
    if before is not None:
        message = message_of_row(before)
        said = world.sealer.unseal(message.sealed, message.message_id).decode() if message.sealed else None
        if said != new.text:
            detail = "the same key goes with the same words; another message needs a new key"
            raise Invalid("this Idempotency-Key was used with other words", [Fault("", detail)])
    world.queues.nudge(Topic.TELL, [client.client_id])
    return message


def _check(world: World, client: Client, new: NewTalk) -> None:
    purpose = TEMPLATES[new.kind].purpose
    kind: Kind = "marketing" if purpose is Purpose.MARKETING else "service"
    if not may_be_written_to(client, kind, world.clock()):
        raise Clashing(f"the client has not agreed to {purpose.value} messages, or does so no more")
    is_bound = new.text is not None and ChannelKind.EMAIL not in client.channels
    if is_bound and not speak.in_session(world, client.client_id, ChannelKind.WHATSAPP):
        raise Clashing(
            "no conversation is open: the client has not written within a day; send an invitation first"
        )


def conversation(world: World, client: Client) -> Conversation:
    """Both sides, the first first."""
    rows = world.table.read(client.client_id, MESSAGE).rows
    told = [message for message in map(message_of_row, rows) if message.kind is not MessageKind.HEARD]
    messages = sorted(told, key=lambda message: message.owed_at)
    talks = world.table.read(client.client_id, TALK).rows
    world.log("conversation_read", client=client.client_id, brand=client.brand_id)
    return Conversation(
        messages=tuple(view(message) for message in messages[-SHOWN:]),
        said=tuple(_said(world, row) for row in talks[-SHOWN:] if row.sealed),
        is_open=speak.in_session(world, client.client_id, ChannelKind.WHATSAPP),
    )


def _said(world: World, row: Row) -> Said:
    kept = Talk.model_validate_json(row.body)
    event_id = row.key.sk.rpartition("#")[2]
    try:
        text = json.loads(world.sealer.unseal(row.sealed, event_id))["text"]
    except Forgotten:
        text = ""
    return Said(at=kept.at, channel=kept.channel, form=kept.form, text=text)
