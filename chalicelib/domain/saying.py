"""What goes out to a client by a channel, and what comes back: the values that flows and channel files exchange."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol

from pydantic import Field

from chalicelib.domain.clients import ChannelKind, Person
from chalicelib.domain.dialect import Account, Callback, Reply, Request
from chalicelib.domain.message_rows import ChannelAccount
from chalicelib.domain.messages import TryState
from chalicelib.domain.shapes import Instant, Shape
from chalicelib.domain.templates import Choice, MessageKind, Template


@dataclass(frozen=True)
class Button:
    """What the client can press. `answer` comes back with it."""

    answer: str
    title: str
    description: str = ""


@dataclass(frozen=True)
class Saying:
    """One message in the client's language, ready to be put into a channel's own form."""

    message_id: str
    kind: MessageKind
    template: Template
    language: str
    sender: str
    subject: str
    text: str
    values: Mapping[str, str] = field(repr=False)
    buttons: tuple[Button, ...] = ()
    in_session: bool = False
    """The client has written within the last day: no approved template is needed."""
    link: str = ""
    link_title: str = ""
    footer: str = ""
    list_title: str = ""

    @property
    def is_right_to_left(self) -> bool:
        from chalicelib.domain.words import RIGHT_TO_LEFT

        return self.language in RIGHT_TO_LEFT


@dataclass(frozen=True)
class Mail:
    """One e-mail, whole, as a value: RFC 5322 with its envelope."""

    sender: str
    to: str = field(repr=False)
    raw: bytes = field(repr=False)


@dataclass(frozen=True)
class Sent:
    """What a try came to. `code` is the channel's own word, never a text that may quote the message."""

    state: TryState
    code: str = ""
    retry_after: timedelta | None = None


class Word(Shape):
    """One thing that a channel told us, in our own terms. Personal: kept sealed until it is read."""

    kind: Literal["status", "said", "wish", "other"]
    event_id: str = Field(description="The same for the same word, however often it comes; not personal.")
    at: Instant
    number_id: str = Field(default="", description="To which of the brand's numbers it was said.")
    names: tuple[str, ...] = Field(
        default=(), description="All that the person is called: a number, a business-scoped user id."
    )
    message_id: str = Field(default="", description="Ours, of a status.")
    state: TryState | None = None
    code: str = ""
    payload: str = Field(default="", description="Of the button that was pressed: `<message id>:<answer>`.")
    text: str = ""
    form: str = Field(default="", description="text, image, button, ...; of a wish stop or resume.")


def payload_of(message_id: str, answer: str) -> str:
    return f"{message_id}:{answer}"


def answer_of(payload: str) -> tuple[str, Choice, str] | None:
    """Message, choice and what goes with the choice; None for what no button of ours says."""
    message_id, _, rest = payload.partition(":")
    choice, _, more = rest.partition("=")
    return (message_id, Choice(choice), more) if choice in set(Choice) else None


class ClientChannel(Protocol):
    """A file in `channels/` that speaks to clients. Pure."""

    kind: ChannelKind

    def address(self, person: Person) -> str | None:
        """Where that person is reached by this channel; None: not at all."""

    def out(
        self, account: Account, stated: ChannelAccount, to: str, saying: Saying, at: datetime
    ) -> Request | Mail:
        """The message in the channel's form."""

    def read(self, reply: Reply) -> Sent:
        """What the answer means."""


class HearingChannel(ClientChannel, Protocol):
    """One that also hears."""

    def greet(self, accounts: Sequence[Account], callback: Callback) -> bytes:
        """The answer to the check of our address. Raises `Forbidden`."""

    def verify(self, accounts: Sequence[Account], callback: Callback) -> None:
        """Raises `Unauthorised` for anything that is not proven."""

    def words(self, body: bytes, at: datetime) -> list[Word]:
        """All that stands in it. Raises `Malformed` for junk."""
