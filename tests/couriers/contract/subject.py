"""The courier under test: its dialect, what its samples say, and the callbacks that were recorded from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, cast

from chalicelib.domain.dialect import Account, Callback, Dialect, Heard, Job, Reply
from chalicelib.domain.errors import CordonError, Malformed, Unauthorised
from tests.couriers.contract.clause import Broken, NotAsked, crash
from tests.couriers.jobs import NOON, REFERENCE, gift, job

COURIER_ID = "sf"
"""The name under which our fleet has this courier."""
DELIVERY_ID = "SF1"
"""The courier's own name for the job in what the samples tell."""


class Samples(Protocol):
    """What `samples_<name>.py` holds. Of what is not there nothing is asked, and the verdict says so."""

    ACCOUNT: Account
    ROTATED: Account
    """The same account after its callback secrets were changed."""
    STATUSES: Sequence[str]
    """Every documented status, as it stands in a callback."""
    UNKNOWN_STATUS: str
    PERSONAL: Sequence[str]
    """Of the people in what `said` and `told` make: the driver's name, a phone number."""
    REPLAY_WINDOW: timedelta | None
    """How far a callback's own time may lie from now; None for a scheme that signs no time."""

    def said(
        self, account: Account, reference: str, delivery_id: str, status: str, occurred_at: datetime
    ) -> bytes:
        """One status as this courier words it: the message alone."""

    def enveloped(self, account: Account, inside: bytes, sent_at: datetime) -> Callback:
        """Any message, proven as this courier proves it."""

    def told(
        self,
        account: Account,
        reference: str,
        delivery_id: str,
        status: str,
        occurred_at: datetime,
        sent_at: datetime,
    ) -> Callback:
        """Both in one. May be left out."""

    QUOTED: Reply | None
    """An answer that names a price; None for a courier that names none."""
    BOOKED: Sequence[Reply]
    """It took the job."""
    REFUSED: Sequence[Reply]
    """It certainly made no job of it."""
    EXISTS_ALREADY: Sequence[Reply]
    """What it answers to a booking under a reference that it has already."""
    CANCELLED: Sequence[Reply]
    """All that confirms by its status alone is among them."""
    FOUND: Sequence[Reply]
    """Answers to a look-up of `jobs.REFERENCE`, in several states."""
    NOT_FOUND: Sequence[Reply]
    """All that says so by an empty answer is among them."""

    # --- where the courier is unlike others; each may be left out ---

    CURRENCY: str
    """The gift's, where it takes no other than that; else CNY."""
    NAMES_ITS_JOBS: bool
    """False where its answer to a booking names the job by nothing: our reference is its name there. Else True."""
    CORRECTIONS: Sequence[str]
    """Statuses by which the courier takes an end back."""
    HEARING_SECRETS: Sequence[str]
    PROOF_QUERY: Sequence[str]
    PROOF_HEADERS: Sequence[str]
    """Keys of the account, of the query and of the headers that authenticity rests on, beside those that are found
    by trying."""

    def recorded(self, folder: Path) -> Mapping[str, tuple[Account, Callback, datetime]]:
        """By name: further callbacks that were recorded from the courier and lie in `folder`."""


@dataclass(frozen=True)
class Sent:
    """A callback that was proven to the account it came for, at the time it came."""

    label: str
    account: Account
    callback: Callback
    came_at: datetime

    def part(self, where: str, name: str, value: str | None) -> Callback:
        """The callback with that part of its 'query' or 'headers' changed, or without it."""
        parts: dict[str, str] = dict(getattr(self.callback, where))
        if value is None:
            del parts[name]
        else:
            parts[name] = value
        return (
            replace(self.callback, query=parts) if where == "query" else replace(self.callback, headers=parts)
        )


@dataclass(frozen=True)
class Subject:
    """One courier under test."""

    name: str
    file: Path
    dialect: Dialect
    samples: ModuleType | None = None
    recorded: Sequence[Sent] = ()
    account_beside: Account = field(default_factory=dict)
    """The account that lies with the recorded callbacks."""

    # --- what the samples say ---

    def has(self, *names: str) -> bool:
        return all(hasattr(self.samples, name) for name in names)

    def wants(self, name: str) -> Any:
        """That of the samples. Raises `NotAsked` where it is not there."""
        if self.samples is None:
            raise NotAsked(f"samples_{self.name}.py is not there: {name} is wanted", wanting=True)
        if not self.has(name):
            raise NotAsked(f"samples_{self.name}.py has no {name}", wanting=True)
        return getattr(self.samples, name)

    def may_say(self, name: str, otherwise: Any) -> Any:
        return getattr(self.samples, name) if self.has(name) else otherwise

    @property
    def account(self) -> Account:
        if self.has("ACCOUNT"):
            return cast("Account", self.wants("ACCOUNT"))
        if self.account_beside:
            return self.account_beside
        return cast("Account", self.wants("ACCOUNT"))

    def job(self, reference: str = REFERENCE, **changes: Any) -> Job:
        return job(reference, of=gift(currency=self.may_say("CURRENCY", "CNY")), **changes)

    def told(
        self,
        status: str | None = None,
        account: Account | None = None,
        reference: str = REFERENCE,
        occurred_at: datetime = NOON,
        sent_at: datetime = NOON,
    ) -> Callback:
        """A callback that says this, as the courier would send it."""
        status = self.wants("STATUSES")[0] if status is None else status
        account = self.account if account is None else account
        if self.has("told"):
            return self._made("told", account, reference, DELIVERY_ID, status, occurred_at, sent_at)
        return self.enveloped(self.said(status, account, reference, occurred_at), account, sent_at)

    def said(
        self,
        status: str | None = None,
        account: Account | None = None,
        reference: str = REFERENCE,
        occurred_at: datetime = NOON,
    ) -> bytes:
        """The message alone."""
        status = self.wants("STATUSES")[0] if status is None else status
        account = self.account if account is None else account
        said = self._asked("said", account, reference, DELIVERY_ID, status, occurred_at)
        if not isinstance(said, bytes):
            raise NotAsked(f"said of the samples gives bytes, and gave {said!r}", wanting=True)
        return said

    def enveloped(self, inside: bytes, account: Account | None = None, sent_at: datetime = NOON) -> Callback:
        return self._made("enveloped", self.account if account is None else account, inside, sent_at)

    def _made(self, name: str, *arguments: Any) -> Callback:
        callback = self._asked(name, *arguments)
        if not isinstance(callback, Callback):
            raise NotAsked(f"{name} of the samples gives a Callback, and gave {callback!r}", wanting=True)
        odd = [header for header in callback.headers if header != header.lower()]
        if odd:
            raise NotAsked(
                f"{name} of the samples names headers in lower case, and named {odd!r}", wanting=True
            )
        return callback

    def _asked(self, name: str, *arguments: Any) -> Any:
        asked: Callable[..., Any] = self.wants(name)
        try:
            return asked(*arguments)
        except Exception as error:
            raise NotAsked(f"{name} of the samples {crash(error, self.file)}", wanting=True) from error

    # --- what it hears ---

    def hear(self, callback: Callback, *accounts: Account, at: datetime = NOON) -> Heard:
        heard = self.dialect.hear(accounts or (self.account,), callback, COURIER_ID, at)
        if not isinstance(heard, Heard):
            raise Broken("hear to give Heard", f"it gave {heard!r}")
        return heard

    def heard(self, what: str, callback: Callback, *accounts: Account, at: datetime = NOON) -> Heard:
        """What it made of a callback that has to be heard."""
        try:
            return self.hear(callback, *accounts, at=at)
        except Broken:
            raise
        except CordonError as error:
            raise Broken(f"{what} to be heard", f"raised {told_of(error)}") from None
        except Exception as error:
            raise Broken(f"{what} to be heard", crash(error, self.file)) from error

    def refuses(
        self, what: str, callback: Callback, *accounts: Account, at: datetime = NOON, covered: bool = False
    ) -> None:
        """That callback is not proven.

        `covered`: only what a signature covers was changed. Where nothing is signed that is a callback like any
        other, or junk. A hint proves nothing at all: it may be found malformed as well.
        """
        trust = self.dialect.trust
        allowed = (Unauthorised,) if trust == "signed" else (Unauthorised, Malformed)
        if trust == "shared_secret" and not covered:
            allowed = (Unauthorised,)
        expected = f"{' or '.join(kind.__name__ for kind in allowed)} for {what}"
        try:
            heard = self.dialect.hear(accounts, callback, COURIER_ID, at)
        except allowed:
            return
        except CordonError as error:
            raise Broken(expected, f"raised {told_of(error)}") from None
        except Exception as error:
            raise Broken(expected, crash(error, self.file)) from error
        if trust == "signed" or not covered or not isinstance(heard, Heard):
            raise Broken(expected, described(heard))

    def is_heard(self, callback: Callback, *accounts: Account, at: datetime = NOON) -> bool:
        try:
            self.hear(callback, *accounts, at=at)
        except Exception:
            return False
        return True

    # --- what authenticity rests on ---

    @cached_property
    def sent(self) -> Sequence[Sent]:
        """Authentic callbacks: one that the samples tell, and those that were recorded."""
        said = self.has("STATUSES") and (self.has("told") or self.has("said", "enveloped"))
        told = (Sent("a callback as the samples tell it", self.account, self.told(), NOON),) if said else ()
        found = (*told, *self.recorded)
        if not found:
            raise NotAsked("there is neither a recorded callback nor a sample that tells one", wanting=True)
        return found

    @property
    def sent_and_heard(self) -> Sequence[Sent]:
        """Those of them that are heard: a refusal proves something only beside what is not refused."""
        heard = [sent for sent in self.sent if self.is_heard(sent.callback, sent.account, at=sent.came_at)]
        if not heard:
            raise NotAsked("no authentic callback is heard as it is")
        return heard

    def proof_of(self, sent: Sent) -> Sequence[tuple[str, str]]:
        """Where the proof stands, as ('query' or 'headers', name): without it, or with it changed, nothing is heard."""
        named = {
            *(("query", name) for name in self.may_say("PROOF_QUERY", ())),
            *(("headers", name) for name in self.may_say("PROOF_HEADERS", ())),
        }
        for where in ("query", "headers"):
            for name, value in getattr(sent.callback, where).items():
                tried = (None, "", another(value))
                if any(
                    not self.is_heard(sent.part(where, name, one), sent.account, at=sent.came_at)
                    for one in tried
                ):
                    named.add((where, name))
        return sorted(one for one in named if one[1] in getattr(sent.callback, one[0]))

    def secrets_of(self, sent: Sent) -> Sequence[str]:
        """Keys of the account with another value of which nothing is heard."""
        named = set(self.may_say("HEARING_SECRETS", ()))
        for key, value in sent.account.items():
            changed = {**sent.account, key: another(value)}
            if not self.is_heard(sent.callback, changed, at=sent.came_at):
                named.add(key)
        return sorted(named)

    def other_account(self, sent: Sent) -> Account:
        """The account of `sent` with every callback secret changed."""
        return {
            **sent.account,
            **{key: another(sent.account.get(key, "")) for key in self.secrets_of(sent)},
        }


def another(value: str) -> str:
    """A value of the same make: one character in its middle is the next digit, hex digit or letter."""
    kinds = ("0123456789", "abcdef", "ABCDEF", "ghijklmnopqrstuvwxyz", "GHIJKLMNOPQRSTUVWXYZ")
    for position in sorted(range(len(value)), key=lambda p: abs(p - len(value) // 2)):
        for kind in kinds:
            if value[position] in kind:
                turned = kind[(kind.index(value[position]) + 1) % len(kind)]
                return value[:position] + turned + value[position + 1 :]
    return value + "x"


def told_of(error: CordonError) -> str:
    return f"{type(error).__name__}({str(error)[:160]!r})"


def described(heard: object) -> str:
    """What a callback was read as, in words."""
    if not isinstance(heard, Heard):
        return f"it gave {heard!r}"
    events = [
        f"{event.kind} (their {event.raw_status!r}) of {event.reference} at {event.occurred_at:%Y-%m-%dT%H:%M:%SZ}"
        for event in heard.events
    ]
    foreign = [f"{name!r}, which is not ours" for name in heard.foreign]
    return "heard " + ("; ".join([*events, *foreign]) or "it, and nothing in it")
