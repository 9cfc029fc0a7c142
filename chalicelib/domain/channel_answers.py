"""What a brand says of its channels and to its clients over HTTP, and what it is answered."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from chalicelib.domain.clients import ChannelKind, Country, Email
from chalicelib.domain.message_rows import ChannelAccount
from chalicelib.domain.messages import MessageView
from chalicelib.domain.shapes import Instant, Shape, Slug, Text, is_absent
from chalicelib.domain.templates import MessageKind


class ChannelStatement(Shape):
    """One of a brand's channels, as far as it is no secret."""

    sender: Text = Field(description="How the brand is called in messages.", examples=["Maison Céladon"])
    phone_number_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,32}$")] | None = Field(
        default=None, exclude_if=is_absent, description="WhatsApp: the brand's number as Meta names it."
    )
    from_address: Email | None = Field(
        default=None,
        exclude_if=is_absent,
        description="E-mail: in the domain that was entered for the brand.",
    )
    data_region: Country | None = Field(
        default=None,
        exclude_if=is_absent,
        description="The country in which this channel keeps what it carries. Absent: abroad for everybody.",
    )
    is_paused: bool = Field(default=False, description="Nothing goes out by it.")


class ChannelView(ChannelStatement):
    """The same as it stands."""

    kind: ChannelKind
    version: int


class NewTalk(Shape):
    """What a person at the brand writes to a client; or, where no conversation is open, that one is wished."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=4000, strip_whitespace=True)] | None = (
        None
    )
    kind: MessageKind = MessageKind.TALK

    @model_validator(mode="after")
    def _says_something(self) -> NewTalk:
        if self.kind not in (MessageKind.TALK, MessageKind.INVITATION):
            raise ValueError("talk or invitation was expected")
        if (self.kind is MessageKind.TALK) != (self.text is not None):
            raise ValueError("a talk has a text, and an invitation has none of its own")
        return self


class MessageList(Shape):
    """What an order's client was told, the first first."""

    data: tuple[MessageView, ...]


class Said(Shape):
    """What the client wrote."""

    at: Instant
    channel: ChannelKind
    form: Slug
    text: str


class Conversation(Shape):
    """What was said between a brand and its client beside the orders: the last hundred of each side."""

    messages: tuple[MessageView, ...]
    said: tuple[Said, ...]
    is_open: bool = Field(description="The client has written within the day: the brand may write freely.")


def view(account: ChannelAccount) -> ChannelView:
    return ChannelView.model_construct(**{name: getattr(account, name) for name in ChannelView.model_fields})
