"""Let a dispatcher in: a link that is good once becomes a session, and a session can be ended from outside.

The link is spent and the session made in one transaction, so of two who follow the same link one gets in.
"""

from __future__ import annotations

from chalicelib.domain.errors import Forbidden, Lost, Missing, Unauthorised
from chalicelib.domain.keys import hash_of
from chalicelib.domain.ports import Drop, Keep, World
from chalicelib.domain.sessions import (
    LINK_LASTS,
    SESSION_LASTS,
    Dispatcher,
    Link,
    Session,
    dispatcher_key,
    dispatcher_row,
    form_token,
    is_form_token,
    is_over,
    link_key,
    link_row,
    session_key,
    session_row,
)

TRIES = 5


def invite(world: World, who: str, by: str) -> tuple[str, Link]:
    """A link's secret, and what is kept of it."""
    now, secret = world.clock(), world.token()
    link = Link(who=who, made_by=by, made_at=now, expires_at=now + LINK_LASTS)
    changes = [Keep(link_row(hash_of(secret), link), was=None)]
    if world.table.get(dispatcher_key(who)) is None:
        changes.append(Keep(dispatcher_row(Dispatcher(who=who), 1), was=None))
    world.table.write(*changes)
    return secret, link


def enter(world: World, secret: str) -> tuple[str, Session]:
    """The session's own secret, for the cookie. Raises `Unauthorised` for a link that opens nothing."""
    now, name = world.clock(), hash_of(secret)
    row = world.table.get(link_key(name))
    link = None if row is None else Link.model_validate_json(row.body)
    if row is None or link is None or now >= link.expires_at:
        raise Unauthorised("this link was used before or is over; ask for a new one")
    token = world.token()
    session = Session(who=link.who, let_in_by=link.made_by, since=now, expires_at=now + SESSION_LASTS)
    try:
        world.table.write(
            Keep(session_row(hash_of(token), session), was=None), Drop(row.key, was=row.version)
        )
    except Lost:
        raise Unauthorised("this link was used before or is over; ask for a new one") from None
    return token, session


def session_of(world: World, token: str) -> Session:
    """Whose cookie this is. Raises `Unauthorised`."""
    row = world.table.get(session_key(hash_of(token)))
    session = None if row is None else Session.model_validate_json(row.body)
    if session is not None:
        known = world.table.get(dispatcher_key(session.who))
        told = None if known is None else Dispatcher.model_validate_json(known.body)
        if not is_over(session, world.clock(), told):
            return session
    raise Unauthorised("nobody is signed in here; ask the control room for a link")


def proof_of(world: World, token: str) -> str:
    """What the forms of this session carry."""
    return form_token(world.secrets.signing_keys()[-1], token)


def prove(world: World, token: str, said: str) -> None:
    """Raises `Forbidden` for a form that is not of this session's pages."""
    if not is_form_token(list(world.secrets.signing_keys()), token, said):
        raise Forbidden("this form is not from a page of yours; load the page again")


def leave(world: World, token: str) -> None:
    """The session is over. Doing it twice is harmless."""
    row = world.table.get(session_key(hash_of(token)))
    if row is None:
        return
    try:
        world.table.write(Drop(row.key, was=row.version))
    except Lost:
        pass  # somebody was quicker


def turn_away(world: World, who: str) -> None:
    """Every session that this dispatcher has open is over; a new link lets in again. Raises `Missing` for somebody who
    was never invited."""
    for _ in range(TRIES):
        row = world.table.get(dispatcher_key(who))
        if row is None:
            raise Missing(f"no dispatcher {who!r}")
        told = Dispatcher(who=who, turned_away_at=world.clock())
        try:
            world.table.write(Keep(dispatcher_row(told, row.version + 1), was=row.version))
        except Lost:
            continue
        return
    raise Lost([0])
