"""A page before it has a look: headings, paragraphs, facts and lists, all of them plain text.

Nothing in it is markup, so no look can forget to escape one part and not another.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from chalicelib.pages.words import DAYS, MONTHS

UNSEEN = frozenset({"Cc", "Cf", "Zl", "Zp"})
"""Of Unicode's categories: control, format, line and paragraph separators."""


@dataclass(frozen=True)
class Moment:
    """A point in time, as a clock on the spot shows it and as the machines keep it."""

    at: datetime
    local: str
    utc: str
    """Empty where it is not said."""

    def __str__(self) -> str:
        return f"{self.local} ({self.utc})" if self.utc else self.local


Line = tuple[str | Moment, ...]
"""Text with moments in it."""


@dataclass(frozen=True)
class Paragraph:
    """A few sentences. `tone`: `yes`, `hold` or `no` where they say what was decided."""

    line: Line
    tone: str = ""


@dataclass(frozen=True)
class Facts:
    """Terms and what there is to say of each."""

    rows: tuple[tuple[str, tuple[Line, ...]], ...]


@dataclass(frozen=True)
class Bullets:
    """A list."""

    lines: tuple[Line, ...]


Block = Paragraph | Facts | Bullets


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it. `tone`: as of a paragraph."""

    heading: Line
    blocks: tuple[Block, ...]
    level: int = 2
    tone: str = ""


@dataclass(frozen=True)
class Sheet:
    """One page."""

    title: str
    lead: tuple[Block, ...]
    sections: tuple[Section, ...]


def seen(text: str) -> str:
    """The text without what is not seen: a control character in a name moves no cursor, colours nothing and turns no
    text round."""
    return "".join(" " if unicodedata.category(char) in UNSEEN else char for char in text)


def moment(at: datetime, zone: ZoneInfo) -> Moment:
    """`Mon 11 Apr 2022, 13:05` there, `05:05 UTC`; seconds only where there are any.

    The UTC day is said when it is another one than on the spot.
    """
    local, utc = at.astimezone(zone), at.astimezone(UTC)
    clock = _clock(at)
    day = "" if local.date() == utc.date() else f"{utc.day} {_month(utc)}, "
    return Moment(
        at=utc,
        local=f"{DAYS[local.weekday()][:3]} {local.day} {_month(local)} {local.year}, {local:{clock}}",
        utc=f"{day}{utc:{clock}} UTC",
    )


def brief(at: datetime, zone: ZoneInfo, day: date) -> Moment:
    """`13:05` on that day there, `Tue 12 Apr, 13:05` on another one, and the year where it is another year."""
    local = at.astimezone(zone)
    text = f"{local:{_clock(at)}}"
    if local.date() != day:
        year = "" if local.year == day.year else f" {local.year}"
        text = f"{DAYS[local.weekday()][:3]} {local.day} {_month(local)}{year}, {text}"
    return Moment(at=at.astimezone(UTC), local=text, utc="")


def _clock(at: datetime) -> str:
    return "%H:%M:%S" if at.second else "%H:%M"


def _month(day: datetime) -> str:
    return MONTHS[day.month - 1][:3]


def ahead(at: datetime, zone: ZoneInfo) -> str:
    """How far that clock was ahead of UTC then: `UTC+8`, `UTC-3:30`."""
    offset = at.astimezone(zone).utcoffset() or timedelta()
    minutes = int(offset.total_seconds() // 60)
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'-' if minutes < 0 else '+'}{hours}{f':{rest:02d}' if rest else ''}"


def span(length: timedelta) -> str:
    """`2 days 3 hours`, `45 minutes`: the two largest parts."""
    seconds = int(length.total_seconds())
    parts = []
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {name}{'' if count == 1 else 's'}")
    return " ".join(parts[:2]) or "less than a minute"
