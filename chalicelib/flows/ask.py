"""Say something to a courier: log in where it wants that, send, and repeat once with a fresh token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TypeVar

from chalicelib.domain import facts
from chalicelib.domain.dialect import Account, Dialect, Reply, Request, Token, TokenRefused, Unsure
from chalicelib.domain.errors import Refused, Unanswered, Unreached
from chalicelib.domain.fleet import Courier
from chalicelib.domain.ports import World
from chalicelib.flows import spare

_Answer = TypeVar("_Answer")

TOKEN_MARGIN = timedelta(minutes=5)
WAITS = frozenset({429, 503})
"""Statuses with which a courier may say when it wants to be asked again (RFC 9110, 10.2.3)."""
REFUSES_US = frozenset({"account_refused", "signature_refused"})
"""Reasons that are said of our account, whatever the gift: who goes on asking loses the courier for one gift after the
other."""
UNSENT = "unsent"
"""The reason of `Unsure` where the request never went out: there was no connection, or nobody let us log in."""
UNREADABLE = "unreadable"
"""And where the answer is none of the courier's words, such as the page of somebody who is mending its house."""


class NoAccount(Refused):
    """The secret store names no account for this courier, or not all of it: nobody can be asked."""


def ask(
    world: World,
    courier: Courier,
    speak: Callable[[Dialect, Account, str], Request],
    read: Callable[[Dialect, Reply], _Answer | TokenRefused | Unsure],
    order_id: str,
    given: spare.Leave | None = None,
) -> _Answer | Unsure:
    """The courier's answer. A timeout, a broken line and a 5xx are all `Unsure`: nothing is known. So is that nothing
    was asked, because it has failed so often of late that it is left in peace; `given`: leave to ask all the same.

    Says in the log what kind of answer it was: that is how a courier that fails is noticed.
    """
    began = world.stopwatch()

    def note(kind: str) -> None:
        took_ms = round((world.stopwatch() - began) * 1000)
        world.log("courier_asked", order=order_id, courier=courier.courier_id, answer=kind, took_ms=took_ms)

    dialect = world.dialects[courier.dialect]
    accounts = world.secrets.accounts(courier.dialect, courier.account)
    if not accounts:
        raise NoAccount(f"no account {courier.account!r} of {courier.dialect!r} in the secret store")
    if given is None:
        row = world.table.get(facts.breaker_key(courier.market_id, courier.courier_id))
        leave = spare.leave(world, courier, row)
        if isinstance(leave, Unsure):
            note("Spared")
            return leave
        given = leave
    account = accounts[0]
    for fresh in (False, True):
        token = None
        try:
            token = _token(world, courier, dialect, account, fresh=fresh)
            reply = world.line.send(speak(dialect, account, token))
        except Unanswered as error:
            note("Unanswered")
            spare.failed(world, courier, "unanswered", None)
            never_sent = token is None or isinstance(error, Unreached)
            return Unsure(UNSENT if never_sent else type(error).__name__)
        except KeyError as error:
            name = error.args[0] if error.args else None
            if type(name) is not str or name in account:
                raise
            raise NoAccount(
                f"the account {courier.account!r} of {courier.dialect!r} lacks {name!r}"
            ) from None
        answer = read(dialect, reply)
        if not isinstance(answer, TokenRefused):
            note(type(answer).__name__)
            wait = _retry_after(reply, world.clock())
            if reply.status >= 500 or reply.status == 429 or 300 <= reply.status < 400:
                spare.failed(world, courier, f"http_{reply.status}", wait)
            elif reply.status == 401 or getattr(answer, "reason", "") in REFUSES_US:
                spare.failed(world, courier, "account_refused", None)
            elif isinstance(answer, Unsure) and answer.reason == UNREADABLE:
                spare.failed(world, courier, UNREADABLE, wait)
            elif not isinstance(answer, Unsure):  # what proves nothing does not prove that it is back
                spare.answered(world, courier, given)
            if isinstance(answer, Unsure) and wait is not None:
                return replace(answer, retry_after=wait)
            return answer
    note("TokenRefused")
    spare.failed(world, courier, "token_refused", None)
    return Unsure("token_refused")


def _retry_after(reply: Reply, now: datetime) -> timedelta | None:
    """What `Retry-After` says, in seconds or as a date; None where it says nothing that can be read."""
    said = reply.headers.get("retry-after", "").strip()
    if reply.status not in WAITS or not said:
        return None
    if said.isascii() and said.isdigit() and len(said) < 10:
        return timedelta(seconds=int(said))
    try:
        until = parsedate_to_datetime(said)
    except (ValueError, OverflowError):  # a day of twenty digits is no ValueError to it
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(until - now, timedelta())


def _token(world: World, courier: Courier, dialect: Dialect, account: Account, *, fresh: bool) -> str:
    name = f"token#{courier.dialect}#{courier.account}"
    known: Token | None = world.memory.get(name)
    now: datetime = world.clock()
    if known is not None and not fresh and known.expires_at - TOKEN_MARGIN > now:
        return known.value
    request = dialect.login(account)
    if request is None:
        return ""
    token = dialect.logged_in(world.line.send(request), now)
    world.memory[name] = token
    return token.value
