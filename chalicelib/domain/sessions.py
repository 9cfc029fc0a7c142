"""Who sits at the board: one-time links, and the sessions that they open.

    collection (pk)      place (sk)   noun
    link#<hash>          link         Link       made for one dispatcher, good once
    session#<hash>       session      Session    what a cookie names
    dispatcher#<who>     dispatcher   Dispatcher whoever was ever invited, and when the sessions of then were ended

Only hashes are kept, as of keys: whoever reads the table signs in nowhere.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Final

from pydantic import Field

from chalicelib.domain.ports import Key, Row
from chalicelib.domain.shapes import Instant, Shape, Slug

LINK_LASTS: Final = timedelta(minutes=15)
SESSION_LASTS: Final = timedelta(hours=12)
"""A shift; whoever works on asks for another link."""


class Link(Shape):
    """A way in for one dispatcher, good once."""

    who: Slug
    made_by: str
    made_at: Instant
    expires_at: Instant


class Session(Shape):
    """Somebody at the board, until the shift is over."""

    who: Slug = Field(description="Whose deeds these are; a name for the audit, no key.")
    let_in_by: str
    since: Instant
    expires_at: Instant
    markets: tuple[Slug, ...] | None = Field(
        default=None, description="All they may see; absent: all there are."
    )
    looks_on: bool = Field(default=False, description="Sees the board and does nothing there.")

    def sees(self, market_id: str) -> bool:
        return self.markets is None or market_id in self.markets


class Dispatcher(Shape):
    """Somebody who was invited once."""

    who: Slug
    turned_away_at: Instant | None = Field(default=None, description="Whatever was open then is over.")


def link_key(code_hash: str) -> Key:
    return Key(f"link#{code_hash}", "link")


def session_key(token_hash: str) -> Key:
    return Key(f"session#{token_hash}", "session")


def dispatcher_key(who: str) -> Key:
    return Key(f"dispatcher#{who}", "dispatcher")


def dispatcher_row(dispatcher: Dispatcher, version: int) -> Row:
    return Row(dispatcher_key(dispatcher.who), version, dispatcher.model_dump_json(exclude_defaults=True))


def link_row(code_hash: str, link: Link) -> Row:
    return Row(
        link_key(code_hash), 1, link.model_dump_json(), expires_at=int(link.expires_at.timestamp()) + 86400
    )


def session_row(token_hash: str, session: Session) -> Row:
    # without what is as it is anyway: the version before, while it is being replaced, knows fewer fields
    key, body = session_key(token_hash), session.model_dump_json(exclude_defaults=True)
    return Row(key, 1, body, expires_at=int(session.expires_at.timestamp()) + 86400)


def is_over(session: Session, now: datetime, dispatcher: Dispatcher | None) -> bool:
    """True when its cookie opens nothing any more."""
    ended = None if dispatcher is None else dispatcher.turned_away_at
    return now >= session.expires_at or (ended is not None and session.since <= ended)


def form_token(key: str, session_token: str) -> str:
    """What every form of that session carries: a page of somebody else's cannot know it."""
    return hmac.new(key.encode(), f"form|{session_token}".encode(), hashlib.sha256).hexdigest()


def is_form_token(keys: list[str], session_token: str, said: str) -> bool:
    """True when one of our keys made it for this session."""
    return any(
        hmac.compare_digest(form_token(key, session_token).encode(), said.encode("utf-8", "replace"))
        for key in keys
    )
