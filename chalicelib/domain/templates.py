"""What is said to a client, as data: for each kind of message its sentence, its buttons, what it needs, and what Meta has
to approve before WhatsApp lets it through.

A template is registered once in each language (`docs/channels.md`, written from here); the sentence is the same that
e-mail carries, so nobody reads another text than the one that was approved.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Final, Literal

from chalicelib.domain.clients import Purpose
from chalicelib.domain.shapes import Shape


class MessageKind(StrEnum):
    """What a message is about."""

    ANNOUNCED = "announced"
    PROPOSED = "proposed"
    """The same, of a gift for which another that needs no courier may come instead."""
    BOOKED = "booked"
    MOVED = "moved"
    """The window is another one now."""
    ON_ITS_WAY = "on_its_way"
    AT_GATE = "at_gate"
    DELIVERED = "delivered"
    DELAYED = "delayed"
    STRANDED = "stranded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DIGITAL_OFFERED = "digital_offered"
    DIGITAL_SENT = "digital_sent"
    HAND_OVER_CODE = "hand_over_code"
    SUBSTITUTE_PROPOSED = "substitute_proposed"
    TIMES = "times"
    """Which other times there are: asked for by the client."""
    STOPPED = "stopped"
    """That nothing more will come: asked for by the client."""
    INVITATION = "invitation"
    """May we write to you? It opens a conversation."""
    TALK = "talk"
    """What a person at the brand writes to the client."""
    HEARD = "heard"
    """That the client has answered or written: to the brand, and never to the client."""


class Choice(StrEnum):
    """What a client can answer with a button."""

    ACCEPT = "accept"
    OTHER_TIME = "other_time"
    NOT_AT_HOME = "not_at_home"
    DIGITAL = "digital"
    YES = "yes"
    NO = "no"
    STOP = "stop"
    AT = "at"
    """One of the times that were named; which one goes with it."""


TITLES: Final[Mapping[Choice, str]] = {
    Choice.ACCEPT: "That suits me",
    Choice.OTHER_TIME: "Another time",
    Choice.NOT_AT_HOME: "I am not at home",
    Choice.DIGITAL: "Digital instead",
    Choice.YES: "Yes, please",
    Choice.NO: "No, thank you",
    Choice.STOP: "Stop messages",
}
LIST_TITLE: Final = "Choose a time"
TITLE_LIMIT: Final = 20
"""Characters of a button in a conversation (Meta, "Interactive reply buttons"); in a template they may be 25."""


class Template(Shape):
    """One kind of message."""

    kind: MessageKind
    text: str
    subject: str
    purpose: Purpose
    """What the client must have agreed to."""
    category: Literal["UTILITY", "MARKETING", "AUTHENTICATION"] | None
    """What Meta is asked to approve it as; None: it is only ever said within an open conversation."""
    choices: tuple[Choice, ...] = ()
    keeps_for: timedelta | None = None
    """So long after it is owed it is worth saying; None: until the window of the gift ends."""
    is_urgent: bool = False
    """Said in quiet hours as well: the client has asked for it this moment, or has a courier at the door."""

    @property
    def name(self) -> str:
        """What it is called at Meta, in every language."""
        return f"cordon_{self.kind.value}_{VERSION}"

    @property
    def parameters(self) -> tuple[str, ...]:
        """What is filled into it, in the order of the English sentence."""
        return tuple(dict.fromkeys(name for _, name, _, _ in string.Formatter().parse(self.text) if name))


VERSION: Final = "v1"
"""Of the sentences: whoever changes one raises it, for what is approved is the old one."""
_DAY: Final = timedelta(days=1)
_SERVICE, _MARKETING = Purpose.SERVICE, Purpose.MARKETING
_GIFT, _YOURS, _MESSAGE = "A gift from {brand}", "Your gift from {brand}", "A message from {brand}"
_TIMES_ONE = "We can come at {count} other time. Please choose it if it suits you."
_TIMES_MANY = "We can come at {count} other times. Please choose one that suits you."
TIMES: Final = (_TIMES_ONE, _TIMES_MANY)
"""The forms of the sentence that names a number."""
SEE_YOUR_GIFT: Final = "See your gift"
FOOTER: Final = "This message came from {brand}. If you want no more of them, tell the boutique."

TEMPLATES: Final[Mapping[MessageKind, Template]] = {
    template.kind: template
    for template in (
        Template(
            kind=MessageKind.ANNOUNCED, subject=_GIFT, purpose=_MARKETING, category="MARKETING",
            text="Dear {name}, {brand} has a gift for you. We would like to bring it on {day} between {start} and {end}. Does that suit you?",
            choices=(Choice.ACCEPT, Choice.OTHER_TIME, Choice.NOT_AT_HOME),
        ),
        Template(
            kind=MessageKind.PROPOSED, subject=_GIFT, purpose=_MARKETING, category="MARKETING",
            text="Dear {name}, {brand} has a gift for you. We would like to bring it on {day} between {start} and {end}. Does that suit you?",
            choices=(Choice.ACCEPT, Choice.OTHER_TIME, Choice.NOT_AT_HOME, Choice.DIGITAL),
        ),
        Template(
            kind=MessageKind.BOOKED, subject=_YOURS, purpose=_SERVICE, category="UTILITY",
            text="Dear {name}, your gift from {brand} is arranged: it comes on {day} between {start} and {end}.",
            choices=(Choice.OTHER_TIME, Choice.NOT_AT_HOME),
        ),
        Template(
            kind=MessageKind.MOVED, subject=_YOURS, purpose=_SERVICE, category="UTILITY",
            text="Dear {name}, your gift from {brand} now comes at another time: on {day} between {start} and {end}.",
            choices=(Choice.OTHER_TIME, Choice.NOT_AT_HOME),
        ),
        Template(
            kind=MessageKind.ON_ITS_WAY, subject=_YOURS, purpose=_SERVICE, category="UTILITY",
            text="Dear {name}, your gift from {brand} is on its way. It should be with you between {start} and {end}.",
        ),
        Template(
            kind=MessageKind.AT_GATE, subject=_YOURS, purpose=_SERVICE, category="UTILITY", keeps_for=_DAY,
            text="Dear {name}, your gift from {brand} has been handed over at the gate of your compound. Please have it fetched soon.",
            is_urgent=True,
        ),
        Template(
            kind=MessageKind.DELIVERED, subject=_YOURS, purpose=_SERVICE, category="UTILITY", keeps_for=2 * _DAY,
            text="Dear {name}, your gift from {brand} has been delivered. We hope that it brings you joy.",
        ),
        Template(
            kind=MessageKind.DELAYED, subject=_YOURS, purpose=_SERVICE, category="UTILITY",
            text="Dear {name}, your gift from {brand} is delayed: for now nobody may deliver to you. We keep trying and will write again.",
        ),
        Template(
            kind=MessageKind.STRANDED, subject=_YOURS, purpose=_SERVICE, category="UTILITY", keeps_for=2 * _DAY,
            text="Dear {name}, your gift from {brand} cannot reach you on {day}. We are sorry, and will be in touch.",
        ),
        Template(
            kind=MessageKind.FAILED, subject=_YOURS, purpose=_SERVICE, category="UTILITY", keeps_for=2 * _DAY,
            text="Dear {name}, your gift from {brand} could not be handed over. Shall we come at another time?",
            choices=(Choice.OTHER_TIME, Choice.NO),
        ),
        Template(
            kind=MessageKind.CANCELLED, subject=_YOURS, purpose=_SERVICE, category="UTILITY", keeps_for=2 * _DAY,
            text="Dear {name}, the delivery of your gift from {brand} on {day} has been cancelled.",
        ),
        Template(
            kind=MessageKind.DIGITAL_OFFERED, subject=_YOURS, purpose=_SERVICE, category="MARKETING", keeps_for=2 * _DAY,
            text="Dear {name}, nobody may deliver to you at present. {brand} can send you a gift that needs no courier instead. Would you like that?",
            choices=(Choice.YES, Choice.NO),
        ),
        Template(
            kind=MessageKind.DIGITAL_SENT, subject=_GIFT, purpose=_SERVICE, category="UTILITY", keeps_for=7 * _DAY,
            text="Dear {name}, {brand} has a gift for you that needs no courier. It is ready for you.",
        ),
        Template(
            kind=MessageKind.HAND_OVER_CODE, subject=_YOURS, purpose=_SERVICE, category="UTILITY",
            text="Dear {name}, the code for the hand-over of your gift from {brand} is {code}. Say it only to the courier at your door, with the gift before you.",
            is_urgent=True,
        ),
        Template(
            kind=MessageKind.SUBSTITUTE_PROPOSED, subject=_YOURS, purpose=_SERVICE, category="UTILITY",
            text="Dear {name}, the gift that {brand} had chosen for you cannot be made at present. May we bring you this instead: {gift}?",
            choices=(Choice.YES, Choice.NO),
        ),
        Template(
            kind=MessageKind.TIMES, subject=_MESSAGE, purpose=_SERVICE, category=None, keeps_for=_DAY,
            text=_TIMES_MANY, choices=(Choice.AT,), is_urgent=True,
        ),
        Template(
            kind=MessageKind.STOPPED, subject=_MESSAGE, purpose=_SERVICE, category=None, keeps_for=_DAY,
            text="You will get no more messages from {brand}.", is_urgent=True,
        ),
        Template(
            kind=MessageKind.INVITATION, subject=_MESSAGE, purpose=_MARKETING, category="MARKETING", keeps_for=2 * _DAY,
            text="Dear {name}, {brand} would like to write to you here. May we?",
            choices=(Choice.YES, Choice.STOP),
        ),
        Template(
            kind=MessageKind.TALK, subject=_MESSAGE, purpose=_SERVICE, category=None, keeps_for=_DAY,
            text="{words}", is_urgent=True,
        ),
        Template(
            kind=MessageKind.HEARD, subject=_MESSAGE, purpose=_SERVICE, category=None, keeps_for=2 * _DAY,
            text="{words}", is_urgent=True,
        ),
    )
}  # fmt: skip
