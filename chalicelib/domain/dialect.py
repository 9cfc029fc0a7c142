"""What a courier file answers. Pure: an order becomes a request value, a reply a booking, a callback events.

A file in `couriers/` holds one class that satisfies `Dialect`, and `dialect = ThatClass()`. It sees no network,
no clock and no environment: whoever calls it hands in the account, the time and the bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, Protocol

from chalicelib.domain.handover import FETCHED

if TYPE_CHECKING:  # values that name nouns and make none: the API, which books nothing, loads them without
    from chalicelib.domain.fleet import Proof
    from chalicelib.domain.gifts import Gift
    from chalicelib.domain.legs import Event
    from chalicelib.domain.orders import Contact, Recipient
    from chalicelib.domain.places import Place
    from chalicelib.domain.policies import Handover
    from chalicelib.domain.shapes import Money

Trust = Literal["signed", "shared_secret", "hint"]
"""How far a callback is believed. A hint moves nothing until a look-up at the courier confirms it."""

Account = Mapping[str, str]
"""Our account at a courier, from the secret store: names and values the dialect's docstring lists."""


@dataclass(frozen=True)
class Request:
    """One outgoing HTTP request, as a value."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    connect_timeout_s: float = 2.0
    read_timeout_s: float = 5.0


@dataclass(frozen=True)
class Reply:
    """What came back: whole, or the line raised `Unanswered`."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Callback:
    """What a courier sent us, untouched. Header names are lower case."""

    method: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Job:
    """One leg as a courier is asked to carry it."""

    reference: str
    gift: Gift
    pick_up_name: str
    pick_up: Place
    pick_up_contact: Contact
    recipient: Recipient
    deliver_from: datetime
    deliver_by: datetime
    handover: Handover
    time_zone: str
    proofs: frozenset[Proof] = frozenset()
    pick_up_from: datetime | None = None
    """When the cleared stay begins: nobody may come for the gift before. None: not before `deliver_from`."""
    quote_id: str | None = None
    """The courier's name for the quote that this booking follows, where there was one."""
    visit_minutes: int | None = None
    """So long the crew stays with the client, and then sets out for the shop with what was not sold. None: it hands
    over and goes."""
    is_safeguarded: bool = False
    """It rides alone and sealed, and the client says a code of ours (`safeguards`)."""

    @property
    def gate(self) -> str:
        """Which gate, in the client's words, where it is left at one; empty: nobody has said, or it goes further."""
        said = self.recipient.place.address.gate if self.handover in FETCHED else None
        return " ".join((said or "").split())

    @property
    def starts_at(self) -> datetime:
        """The earliest moment at which a courier may come for the gift."""
        return self.deliver_from if self.pick_up_from is None else self.pick_up_from


def takes_visits(dialect: object) -> bool:
    """True for a courier whose crews can be asked to stay with a client: its file says so (`takes_visits`)."""
    return bool(getattr(dialect, "takes_visits", False))


@dataclass(frozen=True)
class Token:
    """A short-lived access token of a courier that has such."""

    value: str
    expires_at: datetime


@dataclass(frozen=True)
class Quoted:
    """What the courier would take the job for. It binds nobody: the job is taken when it is booked."""

    fee: Money
    quote_id: str | None = None
    """The courier's name for it, where a booking wants that."""
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Booked:
    """The courier took the job."""

    delivery_id: str
    fee: Money | None = None
    codes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NotTaken:
    """The courier said no: a state, not an error. `whole_courier` when asking another crew is pointless."""

    reason: str
    whole_courier: bool = False


@dataclass(frozen=True)
class TokenRefused:
    """The access token is no good any more: log in again and repeat once."""


@dataclass(frozen=True)
class Unsure:
    """An answer that proves nothing (a 5xx, a busy code): treated as a timeout. `reason` is "unreadable" where it is
    none of the courier's words: that counts against its breaker, as no answer would."""

    reason: str
    retry_after: timedelta | None = None
    """So long the courier wants not to be asked again. Read off its `Retry-After` by whoever asks (`flows.ask`)."""


@dataclass(frozen=True)
class CancelConfirmed:
    """The courier says that it is cancelled."""

    fee: Money | None = None
    returning: bool | None = None
    """Where the gift is: True, it was picked up and is on its way back; False, it never left; None, the answer
    does not say. Then only a look-up tells, and until it does the leg is not free (house.md, law 0)."""


@dataclass(frozen=True)
class CancelUnknown:
    """The courier says that it has no such job. Of a job it had confirmed this proves nothing, as a look-up that
    finds nothing does not: nobody may conclude that the gift is free. Look it up, and alarm."""

    reason: str = "unknown_job"


@dataclass(frozen=True)
class CancelRefused:
    """The courier will not cancel."""

    reason: str


@dataclass(frozen=True)
class Found:
    """The courier knows the job; its present state as an event (source 'look_up')."""

    delivery_id: str
    event: Event | None
    codes: Mapping[str, str] = field(default_factory=dict)
    """Of a courier that names them only here: its answer to the booking had none."""


@dataclass(frozen=True)
class NotFound:
    """The courier has no job under our reference."""


@dataclass(frozen=True)
class Heard:
    """A callback that proved authentic: its events, and the answer the courier wants."""

    events: tuple[Event, ...]
    answer: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    foreign: tuple[str, ...] = ()
    """References in it that are not ours: acknowledged, counted, and nothing else."""


QuoteAnswer = Quoted | NotTaken | TokenRefused | Unsure
BookAnswer = Booked | NotTaken | TokenRefused | Unsure
CancelAnswer = CancelConfirmed | CancelRefused | CancelUnknown | TokenRefused | Unsure
LookUpAnswer = Found | NotFound | TokenRefused | Unsure


class Dialect(Protocol):
    """One courier's whole language."""

    name: str
    trust: Trust
    proofs: frozenset[Proof]
    settle: timedelta
    """How long after an attempt a look-up that finds nothing is believed."""
    cancels_by_id: bool
    """It ends only what is named by its own id: a job of which we have none yet is looked up first."""

    def login(self, account: Account) -> Request | None:
        """The request for an access token; None for couriers that sign each request."""

    def logged_in(self, reply: Reply, at: datetime) -> Token:
        """The token in that reply. Raises `Unanswered` when there is none."""

    def quote(self, account: Account, token: str, job: Job, at: datetime) -> Request | None:
        """Ask what the job would cost; None for a courier that names no prices. Raises `Uncarriable` as `book` does."""

    def quoted(self, reply: Reply, job: Job, at: datetime) -> QuoteAnswer: ...

    def book(self, account: Account, token: str, job: Job, at: datetime) -> Request:
        """Ask for the job to be taken. Repeatable under the same reference.

        Raises `Uncarriable`, and nothing else, for a job that this courier cannot be asked for (its currency,
        its times): the attempt is over then as if the courier had said no, with that reason.
        """

    def booked(self, reply: Reply, job: Job) -> BookAnswer: ...

    def cancel(
        self, account: Account, token: str, reference: str, delivery_id: str | None, reason: str, at: datetime
    ) -> Request: ...

    def cancelled(self, reply: Reply) -> CancelAnswer:
        """Only what the courier documents counts: what it does not say, the answer does not claim."""

    def look_up(
        self, account: Account, token: str, reference: str, delivery_id: str | None, at: datetime
    ) -> Request: ...

    def looked_up(self, reply: Reply, reference: str, courier_id: str, at: datetime) -> LookUpAnswer: ...

    def hear(self, accounts: Sequence[Account], callback: Callback, courier_id: str, at: datetime) -> Heard:
        """Verify on the raw bytes, then read. Several accounts: the old and the new secret during a rotation.

        Raises `Unauthorised` for anything that is not proven, `Malformed` for junk that is.
        """

    def greet(self, accounts: Sequence[Account], callback: Callback, at: datetime) -> bytes:
        """The answer to a courier's GET that checks the callback address. Raises `Unauthorised`."""
