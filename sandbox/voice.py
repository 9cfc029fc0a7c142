"""How a simulated company speaks: a `Voice` reads requests and writes answers and callbacks in one dialect.

What is decided (taken or not, where a job is) the company decides, in words of no dialect; the voice alone knows
paths, methods, headers, keys and status words. It signs with code of its own: shared with the adapter, a common
mistake would prove itself right. One module a dialect in `sandbox/voices`, named as its adapter is:

    voice = ThatVoice                      called with an account, gives a Voice
    def account(name) -> dict[str, str]    an invented account, without `base_url`
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from sandbox.conduct import Wish
from sandbox.ledger import CourierJob, Step

Verb = Literal["quote", "book", "cancel", "look_up"]


@dataclass(frozen=True)
class Call:
    """One HTTP request as it came. Header names are lower case; of a repeated query field the first counts."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    at: datetime


@dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ask:
    """What a request asks for. Named by our reference, by the company's own id, or by both."""

    verb: Verb
    reference: str = ""
    delivery_id: str | None = None
    wish: Wish = field(default_factory=Wish)
    reason: str = ""
    order: Any = None
    """The request as the voice read it: kept with the job, and handed back with each answer."""
    of_all: Callable[[Sequence[CourierJob]], Answer] | None = None
    """Of a look-up that names no job, where the dialect has only such: the answer from all of them, newest first."""


@dataclass(frozen=True)
class News:
    """One callback about one step: its status in the company's own word, and what will be in it."""

    status: str
    content: Any


@dataclass(frozen=True)
class Letter:
    """A callback ready for the line."""

    method: str = "POST"
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Voice(Protocol):
    """One dialect, spoken by the company. Called under the company's lock."""

    account: dict[str, str]
    """The same mapping as the adapter gets, without `base_url`."""
    proves: bool
    """False where anyone can write its callbacks: a forged one is acknowledged, and must move nothing."""
    retries: Sequence[timedelta]
    """How long it waits before each further try of a callback that was not taken."""

    def read(self, call: Call) -> Ask | Answer:
        """What is asked for, or at once the answer: to a login, to what is not proven, not understood or not there."""

    def delivery_id(self, reference: str) -> str:
        """The company's name for the job under that reference."""

    def quoted(self, ask: Ask, fee: int) -> Answer: ...

    def booked(self, ask: Ask, job: CourierJob) -> Answer: ...

    def exists(self, ask: Ask, job: CourierJob) -> Answer:
        """There is a job under that reference already, this one."""

    def refused(self, ask: Ask, reason: str) -> Answer:
        """No, for one of the reasons of `conduct.Fate.refusal`."""

    def cancelled(self, ask: Ask, job: CourierJob, fee: int) -> Answer:
        """Cancelled; the job's last step is `cancelled` or `returning`."""

    def kept(self, ask: Ask, job: CourierJob) -> Answer:
        """Not cancelled: the gift is picked up, and this company brings nothing back."""

    def over(self, ask: Ask, job: CourierJob) -> Answer:
        """Not cancelled: the job is over, or the gift on its way back."""

    def unknown(self, ask: Ask) -> Answer:
        """To a cancellation or a look-up: no such job."""

    def found(self, ask: Ask, job: CourierJob) -> Answer: ...

    def news(self, job: CourierJob, step: Step) -> Sequence[News]:
        """The callbacks of that step: none where the dialect has no word for it. Made when it happens."""

    def sealed(self, news: News, at: datetime, number: int, forged: bool) -> Letter:
        """Signed, when it is sent. `forged`: by somebody who has not the secret; where there is none, as well as
        anybody can. `number` counts what was sent."""
