"""Gifts that need no courier: a pass, a lesson, a seat in a club; what a brand says of one, and what is in stock.

Three kinds, by what the client gets. A *pass* is taken to whoever honours it and runs for some days from then on
(seven days of yoga). A *lesson* is held once, at a set time (a facial to do oneself). A *seat* is a place at a row of
sessions (a culture club that recommends books, films and music). Each has a partner, who sees the code and marks it as
used; a brand that honours its own has a partner's key of its own.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from chalicelib.domain.shapes import Instant, Money, Shape, Slug, Text, TimeZone, is_absent

MOST_SEATS = 1_000_000
LINK = r"^https://[A-Za-z0-9.-]{1,190}(:[0-9]{2,5})?(/[!-~]*)?$"


class DigitalKind(StrEnum):
    """What the client gets."""

    PASS = "pass"  # noqa: S105  # nosec B105 - a word for what it is
    LESSON = "lesson"
    SEAT = "seat"


class CodeSource(StrEnum):
    """Whose codes they are."""

    MINTED = "minted"
    """Made here, one for each client: 130 bits of chance, which nobody guesses."""
    LISTED = "listed"
    """The partner's own, loaded in parts; each goes to one client."""


class FallbackMode(StrEnum):
    """What becomes of an order that nobody may carry."""

    SEND = "send"
    """The gift is given at once."""
    OFFER = "offer"
    """The client is asked, and has it only if that is wished."""


class Recommended(StrEnum):
    """What a session can recommend."""

    BOOK = "book"
    FILM = "film"
    MUSIC = "music"


class Recommendation(Shape):
    """One thing to read, to see or to hear."""

    kind: Recommended
    title: Text
    by: Text | None = None


class Session(Shape):
    """One meeting of a club, or the lesson itself. Half-open."""

    session_id: Slug = Field(description="The brand's name for it: the calendar knows it again by that.")
    title: Text
    start: Instant
    end: Instant
    about: Annotated[str, StringConstraints(max_length=1000, strip_whitespace=True)] | None = None
    recommends: tuple[Recommendation, ...] = Field(default=(), max_length=20)
    cancelled: bool = Field(default=False, description="It does not take place; calendars are told so.")

    def model_post_init(self, _context: object) -> None:
        if not timedelta() < self.end - self.start <= timedelta(days=7):
            raise ValueError("a session ends after it starts, and at most seven days later")


class NewDigitalGift(Shape):
    """What a brand says of one; sent again it is changed, and what was given before follows the change."""

    kind: DigitalKind
    title: Text
    partner: Slug = Field(description="Who honours it: the owner of the key that redeems it.")
    value: Money = Field(description="What one of them is worth, in minor units.")
    codes: CodeSource = CodeSource.MINTED
    limit: int | None = Field(
        default=None,
        strict=True,
        ge=1,
        le=MOST_SEATS,
        description="So many are given, and never one more. Absent: of a partner's codes, the list is the limit.",
    )
    days: int | None = Field(
        default=None,
        strict=True,
        ge=1,
        le=366,
        description="Of a pass: so many days from first use, that day included, on the recipient's calendar.",
    )
    redeem_by: Instant = Field(description="From then on a code that was not used is worth nothing.")
    time_zone: TimeZone = Field(description="The clock of the sessions.")
    sessions: tuple[Session, ...] = Field(default=(), max_length=60)
    link: Annotated[str, StringConstraints(pattern=LINK, max_length=500)] | None = Field(
        default=None, description="Where it is: the page of the studio, the room of the club."
    )

    def model_post_init(self, _context: object) -> None:
        if (self.limit is None) == (self.codes is CodeSource.MINTED):
            raise ValueError(
                "limit is expected where codes are minted, and the list is the limit where it is not"
            )
        if (self.days is None) == (self.kind is DigitalKind.PASS):
            raise ValueError("days are expected of a pass, and of nothing else")
        held = len(self.sessions)
        if (self.kind is DigitalKind.PASS and held) or (self.kind is DigitalKind.LESSON and held != 1):
            raise ValueError(f"a pass has no sessions and a lesson one, this {self.kind.value} has {held}")
        if self.kind is DigitalKind.SEAT and not held:
            raise ValueError("a seat is for at least one session")
        names = [session.session_id for session in self.sessions]
        if len(set(names)) < held:
            raise ValueError("each session has a session_id of its own")


class DigitalGift(NewDigitalGift):
    """A gift that needs no courier as kept. How many are left is a counter beside it."""

    brand_id: str
    reference: Slug
    created_at: Instant
    changed_at: Instant
    sequence: int = Field(default=0, description="Of its calendar: raised with every change of the sessions.")
    version: int = 1

    @property
    def ends_at(self) -> datetime:
        """From then on nobody is given it any more: its code could not be used, or all of it is over."""
        ends = [session.end for session in self.sessions if not session.cancelled]
        return min(self.redeem_by, max(ends)) if ends else self.redeem_by


def changed(known: DigitalGift, new: NewDigitalGift, at: datetime) -> DigitalGift:
    """The gift as it is said to be now. Of a session that is no longer named the calendar goes on telling, as of one
    that does not take place: whoever put it down would wait for it."""
    named = {session.session_id for session in new.sessions}
    gone = (s.model_copy(update={"cancelled": True}) for s in known.sessions if s.session_id not in named)
    sessions = (*new.sessions, *gone)
    told = {name: getattr(new, name) for name in NewDigitalGift.model_fields} | {"sessions": sessions}
    after = known.model_copy(update=told)
    if after == known:
        return known
    more: dict[str, object] = {"changed_at": at, "version": known.version + 1}
    if (sessions, new.title, new.link, new.time_zone) != (
        known.sessions,
        known.title,
        known.link,
        known.time_zone,
    ):
        more["sequence"] = known.sequence + 1
    return after.model_copy(update=more)


class DigitalFallback(Shape):
    """Of a brand's programme: what becomes of its orders with `fallback: digital` when no courier may go."""

    gift: Slug = Field(description="Which digital gift.")
    mode: FallbackMode = FallbackMode.OFFER
    patience_minutes: int | None = Field(
        default=None,
        strict=True,
        ge=1,
        le=60 * 24 * 60,
        exclude_if=is_absent,
        description="An order that is still held so long after it was placed has waited enough. Absent: it waits until "
        "its time is over.",
    )
    offer_minutes: int = Field(
        default=24 * 60, strict=True, ge=1, le=31 * 24 * 60, description="So long the client may think."
    )
