"""Say something to a courier: log in where it wants that, send, and repeat once with a fresh token."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from chalicelib.domain.dialect import Account, Dialect, Reply, Request, Token, TokenRefused, Unsure
from chalicelib.domain.errors import Refused, Unanswered
from chalicelib.domain.fleet import Courier
from chalicelib.domain.ports import World

_Answer = TypeVar("_Answer")

TOKEN_MARGIN = timedelta(minutes=5)


class NoAccount(Refused):
    """The secret store names no account for this courier: nobody can be asked."""


def ask(
    world: World,
    courier: Courier,
    speak: Callable[[Dialect, Account, str], Request],
    read: Callable[[Dialect, Reply], _Answer | TokenRefused | Unsure],
    order_id: str,
) -> _Answer | Unsure:
    """The courier's answer. A timeout, a broken line and a 5xx are all `Unsure`: nothing is known.

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
    account = accounts[0]
    for fresh in (False, True):
        try:
            token = _token(world, courier, dialect, account, fresh=fresh)
            answer = read(dialect, world.line.send(speak(dialect, account, token)))
        except Unanswered as error:
            note("Unanswered")
            return Unsure(type(error).__name__)
        if not isinstance(answer, TokenRefused):
            note(type(answer).__name__)
            return answer
    note("TokenRefused")
    return Unsure("token_refused")


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
