"""How messages, talks and a brand's channels are kept.

collection (pk)   place (sk)                  noun                                                    indexes
ord_... cli_...   message#<nnnn>#<kind>       Message                        work: message#, while one is to be sent
cli_...           talk#<time>#<event>         Talk: what the client wrote, sealed for the brand       (flows.listen)
cli_...           session#<channel>           when the client wrote last                              (flows.listen)
cli_...           spoken#<purpose>#<day>      how much was said that day (counter: said)              (flows.speak)
inbox#<brand>     <digest of what came>       what a channel told us, sealed until it is read         work: inbox
brand#<brand>     channel#<kind>              ChannelAccount
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from pydantic import Field

from chalicelib.domain.clients import ChannelKind, Country
from chalicelib.domain.messages import Message, Named
from chalicelib.domain.ports import Key, Row
from chalicelib.domain.shapes import Instant, Shape, Slug, Text, is_absent, stamp
from chalicelib.domain.templates import MessageKind

MESSAGE: Final = "message#"
TALK: Final = "talk#"
INBOX: Final = "inbox"
"""Where what came in waits to be read."""
TALKS: Final = "message#talk"
"""Where messages wait that no order owes."""
SESSION: Final = timedelta(hours=24)
"""So long after the client wrote a brand may write freely (Meta, "Customer service windows")."""
REMEMBERED: Final = timedelta(days=8)
"""So long what came in is known again: Meta repeats for seven days."""


class ChannelAccount(Shape):
    """What a brand states of one of its channels. Its secrets are in the secret store, under the brand's name."""

    brand_id: str
    kind: ChannelKind
    sender: Text = Field(description="How the brand is called in messages.", examples=["Maison Céladon"])
    phone_number_id: Slug | None = Field(
        default=None, exclude_if=is_absent, description="WhatsApp: the brand's number as Meta names it."
    )
    from_address: str | None = Field(
        default=None,
        exclude_if=is_absent,
        max_length=320,
        description="E-mail: what it comes from; in the domain that the operator has entered for the brand.",
    )
    data_region: Country | None = Field(
        default=None,
        exclude_if=is_absent,
        description="The country in which this channel keeps what it carries. Absent: unknown, and taken to be abroad.",
    )
    is_paused: bool = Field(default=False, description="Nothing goes out by it.")
    version: int = 1


class Session(Shape):
    """When the client wrote last by that channel."""

    at: Instant


class Talk(Shape):
    """What a client wrote, as kept; the words are sealed."""

    at: Instant
    channel: ChannelKind
    form: Slug = Field(description="text, image, audio, ...")


def message_key(home: str, number: int, kind: MessageKind) -> Key:
    return Key(home, f"{MESSAGE}{number:04d}#{kind.value}")


def key_of(named: Named) -> Key:
    return message_key(named.home, named.number, named.kind)


def message_bucket(market_id: str, shard: int) -> str:
    """Where the messages of orders wait that are to be sent."""
    return f"{MESSAGE}{market_id}#{shard}"


def message_row(message: Message) -> Row:
    waits = message.next_attempt_at is not None
    return Row(
        key=message_key(message.home, message.number, message.kind),
        version=message.version,
        body=message.model_dump_json(exclude_defaults=True),
        sealed=message.sealed,
        work=message.bucket if waits else None,
        due=stamp(message.next_attempt_at) if message.next_attempt_at is not None else None,
    )


def message_of_row(row: Row) -> Message:
    found = Message.model_validate_json(row.body)
    return found.model_copy(update={"sealed": row.sealed, "version": row.version})


def session_key(client_id: str, channel: ChannelKind) -> Key:
    return Key(client_id, f"session#{channel.value}")


def spoken_key(client_id: str, purpose: str, day: str) -> Key:
    return Key(client_id, f"spoken#{purpose}#{day}")


def talk_row(client_id: str, event_id: str, talk: Talk, sealed: bytes) -> Row:
    key = Key(client_id, f"{TALK}{stamp(talk.at)}#{event_id}")
    return Row(key, 1, talk.model_dump_json(exclude_defaults=True), sealed=sealed)


def inbox_key(brand_id: str, digest: str) -> Key:
    return Key(f"{INBOX}#{brand_id}", digest)


def inbox_row(brand_id: str, digest: str, sealed: bytes, at: datetime) -> Row:
    """As it came in: due at once, whatever becomes of the nudge."""
    return Row(inbox_key(brand_id, digest), 1, "{}", sealed=sealed, work=INBOX, due=stamp(at))


def read_inbox_row(brand_id: str, digest: str, expires_at: int) -> Row:
    """What is left of it when it has been read: that it came."""
    return Row(inbox_key(brand_id, digest), 2, "{}", expires_at=expires_at)


def channel_key(brand_id: str, kind: ChannelKind) -> Key:
    return Key(f"brand#{brand_id}", f"channel#{kind.value}")


def channel_row(account: ChannelAccount) -> Row:
    key = channel_key(account.brand_id, account.kind)
    return Row(key, account.version, account.model_dump_json(exclude_defaults=True))


def channel_of_row(row: Row) -> ChannelAccount:
    return ChannelAccount.model_validate_json(row.body).model_copy(update={"version": row.version})
