"""What a flow can reach beyond the domain, and what each must promise. Real things live in `aws/`; fakes that
pass the same contract live in `tests/fakes.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from chalicelib.domain.errors import Unreached

if TYPE_CHECKING:  # a port says what goes through it, and whoever is in need of that imports it
    from chalicelib.domain.assignment import Problem
    from chalicelib.domain.dialect import Account, Dialect, Reply, Request
    from chalicelib.domain.feeds import Feed
    from chalicelib.domain.notices import MessageEvent, Notice, Outcome
    from chalicelib.domain.rulebooks import Book
    from chalicelib.domain.saying import ClientChannel, Mail
    from chalicelib.domain.weights import Weights
    from chalicelib.domain.words import Words

_Read = TypeVar("_Read")


class Key(NamedTuple):
    """The name of one fact: a collection and a place in it."""

    pk: str
    sk: str


@dataclass(frozen=True)
class Row:
    """One fact as the table keeps it. `version` is what conditional writes compare."""

    key: Key
    version: int
    body: str
    """JSON."""
    sealed: bytes = b""
    work: str | None = None
    """The bucket of the work index this row stands in, with ..."""
    due: str | None = None
    """... the stamp of when it has to be looked at."""
    shelf: str | None = None
    """The listing this row stands in, with ..."""
    place_on_shelf: str | None = None
    """... its place there."""
    counters: Mapping[str, int] = field(default_factory=dict)
    expires_at: int | None = None
    """Epoch seconds after which the row may vanish; a reader filters, the table's own clean-up comes late."""


@dataclass(frozen=True)
class Keep:
    """Write this row if the stored version is `was`; None: if there is no row. Counters are written only anew."""

    row: Row
    was: int | None


@dataclass(frozen=True)
class Count:
    """Add `by` to a counter of a row that exists, unless it would fall below `floor`."""

    key: Key
    counter: str
    by: int
    floor: int | None = 0


@dataclass(frozen=True)
class Take:
    """Add `by` to a counter that begins at nothing, unless it would pass `ceiling`.

    Where there is no row yet it is made, of version 1 and with nothing in it: whoever is the first of a day needs no
    write of its own. `Count` with a negative `by` gives it back.
    """

    key: Key
    counter: str
    by: int
    ceiling: int
    expires_at: int | None = None
    """Of the row from now on."""


@dataclass(frozen=True)
class Require:
    """The row's version is still this (None: there is no such row)."""

    key: Key
    version: int | None


@dataclass(frozen=True)
class Drop:
    """Delete the row if its version is `was`."""

    key: Key
    was: int


Change = Keep | Count | Take | Require | Drop


@dataclass(frozen=True)
class Page:
    """Some rows of a listing, and where the next page starts (None: this was the last)."""

    rows: tuple[Row, ...]
    after: str | None


@dataclass(frozen=True)
class KeyPage:
    """Some keys of an index. Indexes may lag behind the rows: read the row before believing it."""

    keys: tuple[Key, ...]
    after: str | None
    since: str | None = None
    """The stamp of when the first of them was due, of a work bucket: the index says it with the key."""


class Table(Protocol):
    """Where facts are. Reads of rows are strongly consistent, reads of indexes are not."""

    def get(self, key: Key) -> Row | None: ...

    def get_many(self, keys: Sequence[Key]) -> list[Row]:
        """The rows that exist, in no promised order; any number of keys."""

    def read(self, pk: str, prefix: str = "", *, limit: int | None = None, after: str | None = None) -> Page:
        """A collection in the order of `sk`, those that start with `prefix`. No limit: all of it."""

    def find_due(self, bucket: str, until: datetime, limit: int, after: str | None = None) -> KeyPage:
        """Keys in a bucket of the work index that are due at or before `until`, the longest due first."""

    def find_shelved(self, shelf: str, limit: int, after: str | None = None) -> KeyPage:
        """Keys on a shelf, the last place first."""

    def write(self, *changes: Change) -> None:
        """All of them or none; at most 100. Raises `Lost` (a condition failed), `Throttled`."""


class Topic(StrEnum):
    """The queues. A message is a nudge: it carries an id and may be lost, doubled, late or out of order."""

    DISPATCH = "dispatch"
    BOOK = "book"
    HEAR = "hear"
    TELL = "tell"
    RULES = "rules"
    CAMPAIGN = "campaign"


@dataclass(frozen=True)
class Letter:
    """A message that could not be done, as it is put aside: whole, and why."""

    body: str
    reason: str
    """For a person to read: nothing of the body stands in it."""
    function: str
    message_id: str
    """Of the message, which the letter's own is not."""
    receives: int
    """How often it was handed out."""
    sent_at: int
    """When it was sent, in epoch milliseconds; 0: unknown."""
    attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What the message carried beside its body, as Lambda hands it over."""


class Queues(Protocol):
    """Where nudges go."""

    def nudge(self, topic: Topic, ids: Iterable[str]) -> None:
        """One message an id. Raises `Throttled` when some could not be sent."""

    def put_aside(self, topic: Topic, letter: Letter) -> None:
        """Put it among the dead letters of that queue, where a person finds it. Raises `Throttled`."""

    def set_aside(self) -> Mapping[Topic, int]:
        """How many dead letters lie at each queue, about."""


class Line(Protocol):
    """The only way out over HTTP."""

    def send(self, request: Request, *, public_only: bool = False) -> Reply:
        """Raises `Unanswered` on a timeout or a broken line, `Unreached` where nothing was sent. Never follows
        redirects.

        `public_only`: the address is resolved, and refused with `Refused` when it is private, loopback,
        link-local or otherwise not on the public internet.
        """


class Mailer(Protocol):
    """The only way out for e-mail."""

    def send(self, mail: Mail) -> Reply:
        """200: it was taken; 429: later; another 4xx: never. The body is the code. Raises `Unanswered`."""


class NoMailer:
    """Where there is no way out for e-mail."""

    def send(self, mail: Mail) -> Reply:
        raise Unreached("no e-mail leaves here")


class Sealer(Protocol):
    """Keeps personal data unreadable at rest. `context` is bound to the seal: another one does not open it.

    `owner`: a client, under whose own data key it is sealed (`client_rows.data_key_of_client`, made when it is first
    needed). Whoever drops that row has all of it forgotten. A brand or a market, for secrets that last: what is sealed
    without an owner is under the key of the hour, which lapses (`retention.ORDER_KEYS`).
    """

    def seal(self, plain: bytes, context: str, owner: str = "") -> bytes: ...

    def unseal(self, sealed: bytes, context: str) -> bytes:
        """Raises `Forgotten` where the owner's data key is gone, or the hour's has lapsed; a process may know the
        owner's for another minute."""


class Solver(Protocol):
    """The engine: finds the best flow."""

    def assign(self, problem: Problem, weights: Weights) -> Sequence[int]:
        """For each order the number of its slot, or `NOBODY`: the least sum of weights that places and limits allow.
        Whoever asks checks it (`planning.planned`)."""


class Secrets(Protocol):
    """What must not stand in the environment."""

    def accounts(self, dialect: str, account: str) -> Sequence[Account]:
        """Our account at a courier, or a brand's at a channel (under the brand's name): the present secret first, the
        former one after it during a rotation."""

    def signing_keys(self) -> Sequence[str]:
        """For cursors and links: the oldest first, the last one signs."""


class Channel(Protocol):
    """One way of telling: a file in `channels/`. Pure: the notice becomes a request value, a reply an outcome."""

    def request(self, notice: Notice, url: str, secrets: Sequence[str], at: datetime) -> Request:
        """The notice as it goes out at that moment, signed with every secret."""

    def read(self, reply: Reply, at: datetime) -> Outcome:
        """What that reply, received at that moment, means."""

    def unanswered(self, problem: str) -> Outcome:
        """What it means that nobody answered."""

    def summons(self, event: MessageEvent, url: str, secrets: Sequence[str], at: datetime) -> Request:
        """That a message is owed, which the brand is to say itself."""


class Log(Protocol):
    """One line a fact, with ids and never with personal data."""

    def __call__(self, event: str, **facts: Any) -> None: ...


@dataclass
class World:
    """Everything a flow can reach, handed in from outside. Built by `wiring`, faked by tests."""

    table: Table
    queues: Queues
    line: Line
    sealer: Sealer
    solver: Solver
    secrets: Secrets
    dialects: Mapping[str, Dialect]
    channels: Mapping[str, Channel]
    clock: Callable[[], datetime]
    dice: Callable[[], float]
    """Uniform in [0, 1)."""
    token: Callable[[], str]
    """An unguessable name, URL-safe."""
    log: Log
    memory: dict[str, Any] = field(default_factory=dict)
    """What one process may remember to save a read: snapshots by digest, markets, access tokens."""
    stopwatch: Callable[[], float] = lambda: 0.0
    """Seconds, for durations only."""
    public_url: str = ""
    """Where links begin that people follow, the API's stage included. Empty: nobody has said, and none are sent."""
    webhooks_may_be_private: bool = False
    """True only where receivers live on loopback: the sandbox and tests."""
    mailer: Mailer = field(default_factory=NoMailer)
    client_channels: Mapping[str, ClientChannel] = field(default_factory=dict)
    """How clients are spoken to, by `ChannelKind`."""
    words: Mapping[str, Words] = field(default_factory=dict)
    """What is said to clients, by language."""
    feeds: Mapping[str, Feed] = field(default_factory=dict)
    """How the official lists are read, by their format."""
    books: Mapping[str, Book] = field(default_factory=dict)
    """The rule books that ship, by name."""

    def remembered(self, name: str, within: timedelta, read: Callable[[], _Read]) -> _Read:
        """What this process has read under that name, if that is not longer ago; else it is read."""
        now = self.clock()
        known: tuple[datetime, _Read] | None = self.memory.get(name)
        if known is None or not known[0] <= now < known[0] + within:
            known = self.memory[name] = (now, read())
        return known[1]
