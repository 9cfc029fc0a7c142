"""An invitation as entries in a calendar: each session, what it is about, and what it recommends."""

from __future__ import annotations

from collections.abc import Iterator

from chalicelib.domain.digital import Session
from chalicelib.domain.pass_answers import Invitation
from chalicelib.domain.shapes import Window
from chalicelib.pages.calendar import Entry


def entries_of(told: Invitation, organizer: str = "urn:cordon") -> list[Entry]:
    """One entry a session, also of those that do not take place any more: whoever put one down would wait for it."""
    return [
        Entry(
            uid=f"{told.pass_id}-{session.session_id}@cordon",
            sequence=told.sequence,
            hours=Window(start=session.start, end=session.end, time_zone=told.time_zone),
            summary=session.title if len(told.sessions) == 1 else f"{told.title}: {session.title}",
            description="\n".join(_said(session)),
            changed_at=told.changed_at,
            is_cancelled=session.cancelled or told.withdrawn,
            organizer=organizer,
            link=told.link,
        )
        for session in sorted(told.sessions, key=lambda one: (one.start, one.session_id))
    ]


def _said(session: Session) -> Iterator[str]:
    if session.about:
        yield session.about
    for one in session.recommends:
        yield f"- {one.title}" if one.by is None else f"- {one.title}, {one.by}"
