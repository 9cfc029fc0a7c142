"""Messages to clients: what is owed can be read off the saved order, and where each one stands.

A message holds nothing personal in clear: whom it greets and what a person wrote are sealed or read when it is sent.
Its name goes out with it and comes back with every word about it, so neither a telephone number nor a channel's own
name of it (WhatsApp's holds the number) has to be kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from pydantic import Field

from chalicelib.domain.clients import ChannelKind, Client
from chalicelib.domain.due import is_over
from chalicelib.domain.instead import DigitalOutcome
from chalicelib.domain.orders import Fallback, Order, OrderState
from chalicelib.domain.shapes import Instant, Shape, Window, stamp, zone_info
from chalicelib.domain.substitutes import Proposal, Say, State
from chalicelib.domain.templates import TEMPLATES, Choice, MessageKind

SEPARATOR: Final = "."
TRIES_KEPT: Final = 12
"""Of one message over all channels: more are not made."""
SETTLE: Final = timedelta(minutes=2)
"""So long after a try whose outcome nobody knows the channel may still tell."""
BUSY_WAITS: Final = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15))
"""After tries that certainly came to nothing; then it is another channel's turn."""
MOST_SENDS: Final = 2
"""So often at most a message goes out that may have arrived already."""


class MessageState(StrEnum):
    """Where a message stands."""

    PENDING = "pending"
    SENT = "sent"
    """A channel took it. Whether it arrived may never be heard."""
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"
    """No channel was left that would take it."""
    SKIPPED = "skipped"
    """It was not to be said; `why` tells the reason."""


class TryState(StrEnum):
    """What one try came to."""

    ATTEMPTED = "attempted"
    """Saved, and then sent or not: who stopped there says it no more."""
    UNKNOWN = "unknown"
    """Nobody answered."""
    BUSY = "busy"
    """Certainly not taken, and it may be later."""
    REFUSED = "refused"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    READ = "read"


class Skipped(StrEnum):
    """Why a message was not said."""

    NO_CONSENT = "no_consent"
    STAYS_IN = "stays_in"
    """Each channel would hand the client's data to another country."""
    NO_CHANNEL = "no_channel"
    OVERTAKEN = "overtaken"
    """Something later is to be said instead."""
    TOO_LATE = "too_late"
    TOO_OFTEN = "too_often"
    ERASED = "erased"


OPEN_TRIES: Final = frozenset({TryState.ATTEMPTED, TryState.UNKNOWN})
_FURTHER: Final = (TryState.ACCEPTED, TryState.DELIVERED, TryState.READ)


class Try(Shape):
    """One try by one channel."""

    channel: ChannelKind
    at: Instant
    state: TryState
    code: str = Field(default="", max_length=40, description="The channel's own word for what went wrong.")
    settled_at: Instant | None = None


class Answer(Shape):
    """What the client pressed."""

    choice: Choice
    at: Instant
    start: Instant | None = Field(default=None, description="Of the window that was chosen.")
    result: str = Field(default="", max_length=60, description="What came of it.")


class Message(Shape):
    """One thing that is said to a client once."""

    home: str = Field(description="The collection it stands in: an order's, or a client's.")
    number: int = Field(description="Which step of the order's history it tells; of a talk, which one it is.")
    kind: MessageKind
    brand_id: str
    client_id: str
    owed_at: Instant
    state: MessageState = MessageState.PENDING
    why: Skipped | None = None
    about: str = Field(
        default="", description="What it says that may change: the same is not said once more."
    )
    tries: tuple[Try, ...] = Field(default=(), max_length=TRIES_KEPT)
    answers: tuple[Answer, ...] = Field(default=(), max_length=20)
    next_attempt_at: Instant | None = None
    until: Instant | None = Field(default=None, description="Later it is not worth saying.")
    bucket: str = ""
    version: int = 1
    sealed: bytes = Field(default=b"", exclude=True, repr=False)

    @property
    def message_id(self) -> str:
        return SEPARATOR.join((self.home, f"{self.number:04d}", self.kind.value))

    @property
    def last(self) -> Try | None:
        return self.tries[-1] if self.tries else None


class MessageView(Shape):
    """A message as its brand reads it."""

    message_id: str
    kind: MessageKind
    owed_at: Instant
    state: MessageState
    why: Skipped | None = None
    tries: tuple[Try, ...] = ()
    answers: tuple[Answer, ...] = ()
    next_attempt_at: Instant | None = None


def view(message: Message) -> MessageView:
    return MessageView.model_construct(**{name: getattr(message, name) for name in MessageView.model_fields})


@dataclass(frozen=True)
class Named:
    """A message's name, taken apart."""

    home: str
    number: int
    kind: MessageKind


def read_name(text: str) -> Named | None:
    """What a name says; None for anything that is none of ours."""
    home, _, rest = text.partition(SEPARATOR)
    number, _, kind = rest.partition(SEPARATOR)
    if not home.startswith(("ord_", "cli_")) or not home[4:].isalnum() or len(home) > 40:
        return None
    if not (number.isascii() and number.isdigit() and len(number) in range(4, 9)) or kind not in set(
        MessageKind
    ):
        return None
    return Named(home, int(number), MessageKind(kind))


@dataclass(frozen=True)
class Owed:
    """A step of an order that its client is to hear of."""

    number: int
    kind: MessageKind
    at: datetime
    about: str = ""
    until: datetime | None = None
    """Of what has an end of its own."""


_LEG: Final = 100
"""More codes than this are not made on one leg."""
WANTS_CODE: Final = frozenset({OrderState.BOOKED, OrderState.PICKED_UP})
"""A courier has the job: the client needs the code, and not before."""
SAID_OF: Final = {
    OrderState.PLACED: MessageKind.ANNOUNCED,
    OrderState.HELD: MessageKind.DELAYED,
    OrderState.STRANDED: MessageKind.STRANDED,
    OrderState.BOOKED: MessageKind.BOOKED,
    OrderState.PICKED_UP: MessageKind.ON_ITS_WAY,
    OrderState.AT_GATE: MessageKind.AT_GATE,
    OrderState.DELIVERED: MessageKind.DELIVERED,
    OrderState.FAILED: MessageKind.STRANDED,  # no other time can be named before the gift is seen in the shop again
    OrderState.RETURNED: MessageKind.FAILED,
    OrderState.CANCELLED: MessageKind.CANCELLED,
    OrderState.FULFILLED_DIGITALLY: MessageKind.DIGITAL_SENT,
}
"""What the client hears of a state. Of the others nothing: nobody but us knows an assignment, and a relay is on its way
already."""


FIRST_WORDS: Final = frozenset({MessageKind.ANNOUNCED, MessageKind.PROPOSED})
TELLS_WINDOW: Final = FIRST_WORDS | {MessageKind.BOOKED, MessageKind.MOVED}


def owed_of(order: Order, known: Iterable[Message]) -> Owed | None:
    """What the client is to hear of the order now, if anything.

    Only the last step counts that there are words for: what went before it is overtaken. The same kind is not said
    twice of one window; a client who was told another window than the one that stands hears of it, even if the order
    has gone no further.
    """
    window = order.client_window
    about = f"{stamp(window.start)}/{stamp(window.end)}"
    known = sorted(known, key=lambda message: (message.owed_at, message.number))
    told = [
        message
        for message in known
        if message.kind in TELLS_WINDOW and message.state is not MessageState.SKIPPED
    ]
    is_moved = bool(told) and told[-1].about != about and not is_over(order)
    for number in range(len(order.history) - 1, -1, -1):
        step = order.history[number]
        kind = SAID_OF.get(step.state)
        if kind is None or (kind is MessageKind.DELAYED and not order.was_given):
            continue  # whoever was told no time yet is not told that it is late
        if kind in (MessageKind.DELAYED, MessageKind.STRANDED) and _is_offered(order):
            return None  # the offer says as much
        if kind is MessageKind.ANNOUNCED:
            if number or is_moved:
                break  # back in the pool: nothing is announced twice
            if order.fallback is Fallback.DIGITAL:
                kind = MessageKind.PROPOSED
        if kind is MessageKind.BOOKED or not is_moved:
            if any((m.kind, m.about) == (kind, about) for m in known):
                return None
            return Owed(number, kind, step.at, about)
        break
    if not is_moved:
        return None
    taken = [message.number for message in known if message.kind is MessageKind.MOVED]
    return Owed(
        max([len(order.history) - 1, *(n + 1 for n in taken)]), MessageKind.MOVED, order.history[-1].at, about
    )


def _is_offered(order: Order) -> bool:
    return order.digital is not None and order.digital.outcome is DigitalOutcome.OFFERED


def also_owed_of(
    order: Order, known: Iterable[Message], proposals: Iterable[Proposal] = ()
) -> Iterator[Owed]:
    """What the client is to hear beside the order's steps: the code of the hand-over, once a courier has the job, and
    each one that is made anew; and what is offered or proposed in the gift's place, where the client has a say."""
    said = {(message.kind, message.about): message.number for message in known}
    handing, at = order.leg.handing, order.history[-1].at
    if handing is not None and handing.asks_for_code and order.state in WANTS_CODE:
        owed = Owed(
            _LEG * order.leg.leg_no + handing.codes,
            MessageKind.HAND_OVER_CODE,
            at,
            f"code-{handing.codes}",
            handing.good_until,
        )
        if (owed.kind, owed.about) not in said:
            yield owed
    digital = order.digital
    if digital is not None and digital.outcome is DigitalOutcome.OFFERED:
        about = stamp(digital.at)
        if (MessageKind.DIGITAL_OFFERED, about) not in said:
            number = sum(kind is MessageKind.DIGITAL_OFFERED for kind, _ in said)
            yield Owed(number, MessageKind.DIGITAL_OFFERED, digital.at, about, digital.until)
    for proposal in proposals:
        kind, about = MessageKind.SUBSTITUTE_PROPOSED, f"proposal-{proposal.number}"
        if proposal.state is State.OPEN and proposal.needs is Say.CLIENT and (kind, about) not in said:
            yield Owed(proposal.number, kind, proposal.proposed_at, about)


def clock_of(client: Client, window: Window) -> ZoneInfo:
    """By which clock a client reads these hours: that of the place they are at, whatever its own is. Its own, where
    nobody has said what that is."""
    return zone_info(client.time_zone if window.time_zone == "UTC" else window.time_zone)


def until_of(kind: MessageKind, owed_at: datetime, window_end: datetime | None) -> datetime | None:
    """Until when it is worth saying."""
    keeps_for = TEMPLATES[kind].keeps_for
    return window_end if keeps_for is None else owed_at + keeps_for


def advanced(message: Message, channel: ChannelKind, word: TryState, code: str, at: datetime) -> Message:
    """The message after a word of that channel about its last try by it: words come in any order and more than once,
    and none takes it back a step."""
    for place in range(len(message.tries) - 1, -1, -1):
        known = message.tries[place]
        if known.channel is channel:
            break
    else:
        return message
    if word is TryState.REFUSED:
        if known.state in (TryState.DELIVERED, TryState.READ, TryState.REFUSED):
            return message
    elif word not in _FURTHER or (
        known.state in _FURTHER and _FURTHER.index(word) <= _FURTHER.index(known.state)
    ):
        return message
    told = known.model_copy(update={"state": word, "code": code, "settled_at": at})
    tries = (*message.tries[:place], told, *message.tries[place + 1 :])
    return settled(message.model_copy(update={"tries": tries}), at)


def settled(message: Message, now: datetime) -> Message:
    """The message in the state that its tries come to; where another is due, that is due now unless it is later."""
    if message.state is MessageState.SKIPPED:
        return message
    best = max((_FURTHER.index(t.state) for t in message.tries if t.state in _FURTHER), default=None)
    if best is not None:
        state = (MessageState.SENT, MessageState.DELIVERED, MessageState.READ)[best]
        return message.model_copy(update={"state": state, "next_attempt_at": None})
    return message.model_copy(
        update={"state": MessageState.PENDING, "next_attempt_at": message.next_attempt_at or now}
    )


def next_channel(message: Message, usable: tuple[ChannelKind, ...]) -> ChannelKind | None:
    """By which of those channels it is tried next, in the client's order; None: there is none left.

    A channel that refused is not asked again, nor one that was busy too often. Of a try whose outcome nobody knows
    another channel goes first, and the same one again only where there is no other; and that much once.
    """
    open_sends = [t.channel for t in message.tries if t.state in OPEN_TRIES]
    if len(open_sends) >= MOST_SENDS or len(message.tries) >= TRIES_KEPT:
        return None
    left = []
    for channel in usable:
        own = [t for t in message.tries if t.channel is channel]
        if any(t.state is TryState.REFUSED for t in own):
            continue
        if sum(t.state is TryState.BUSY for t in own) > len(BUSY_WAITS):
            continue
        left.append(channel)
    fresh = [channel for channel in left if channel not in open_sends]
    return next(iter(fresh or left), None)


def busy_until(
    message: Message, channel: ChannelKind, at: datetime, retry_after: timedelta | None
) -> datetime:
    """When a message is tried again after a channel was busy."""
    tries = sum(t.channel is channel and t.state is TryState.BUSY for t in message.tries)
    if tries > len(BUSY_WAITS):
        return at  # the next one's turn
    wait = BUSY_WAITS[max(tries - 1, 0)]
    return at + max(wait, min(retry_after or wait, timedelta(hours=1)))
