"""Curfews: hours, on a zone's own clock, in which something stops; and what they leave open."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field

from chalicelib.domain.gifts import ItemClass
from chalicelib.domain.shapes import LocalTime, Shape, zone_info


class Stop(StrEnum):
    """What does not happen in a curfew."""

    DELIVERY = "delivery"
    """Couriers carry and hand over."""
    COLLECTION = "collection"
    """The client comes out and fetches, from gate, shelf or collection point."""
    HAND_OUT = "hand_out"
    """A shop gives a gift out."""


class Curfew(Shape):
    """Hours, on the zone's own clock, in which something stops.

    Across midnight it belongs to the day it starts.
    """

    start_local: LocalTime
    end_local: LocalTime = Field(description="The same as the start: a whole day.")
    days: tuple[Annotated[int, Field(ge=0, le=6)], ...] = Field(
        default=(0, 1, 2, 3, 4, 5, 6), max_length=7, description="Monday is 0; the day on which it starts."
    )
    item_classes: frozenset[ItemClass] | None = Field(default=None, description="Absent: every class.")
    dates_from: date | None = Field(
        default=None, description="The first local day on which it starts. Absent: as long as the policy."
    )
    dates_until: date | None = Field(
        default=None, description="The first local day on which it starts no more."
    )
    stops: frozenset[Stop] = Field(
        default=frozenset({Stop.DELIVERY}),
        min_length=1,
        description="delivery: couriers carry and hand over; collection: the client comes out and fetches "
        "from gate, shelf or collection point; hand_out: a shop gives out.",
    )

    def model_post_init(self, _context: object) -> None:
        if self.dates_from and self.dates_until and self.dates_until <= self.dates_from:
            days = f"{self.dates_from.isoformat()} to {self.dates_until.isoformat()}"
            raise ValueError(f"dates_until lies after dates_from, these run {days}")
        if self.start_local.tzinfo is not None or self.end_local.tzinfo is not None:
            raise ValueError("a curfew is read off the zone's own clock, its times have no offset")

    def begins_on(self, day: date) -> bool:
        """True when that local day is among its dates: `[dates_from, dates_until)`."""
        return (self.dates_from is None or day >= self.dates_from) and (
            self.dates_until is None or day < self.dates_until
        )


def curfew_spans(
    curfew: Curfew, time_zone: str, start: datetime, end: datetime
) -> list[tuple[datetime, datetime]]:
    """The curfew's hours that touch `[start, end)`, in UTC.

    Each end is converted by itself, so a night with a DST change is as long as it really is; an hour that
    happens twice, or not at all, is read so that the curfew is longest.
    """
    zone = zone_info(time_zone)
    first: date = start.astimezone(zone).date() - timedelta(days=1)
    last: date = end.astimezone(zone).date()
    spans = []
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        if day.weekday() not in curfew.days or not curfew.begins_on(day):
            continue
        until = day if curfew.end_local > curfew.start_local else day + timedelta(days=1)
        low = min(_readings(day, curfew.start_local, zone))
        high = max(_readings(until, curfew.end_local, zone))
        if low < end and high > start:
            spans.append((low, high))
    return spans


def _readings(day: date, clock: time, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """What a local time can mean: one moment, two in an hour that happens twice or not at all."""
    local = datetime.combine(day, clock, zone)
    return local.replace(fold=0).astimezone(UTC), local.replace(fold=1).astimezone(UTC)


def open_hours(
    start: datetime, end: datetime, closed: Iterable[tuple[datetime, datetime]]
) -> list[tuple[datetime, datetime]]:
    """`[start, end)` less the closed spans, in order."""
    pieces = [(start, end)]
    for low, high in closed:
        pieces = [
            piece for a, b in pieces for piece in ((a, min(b, low)), (max(a, high), b)) if piece[0] < piece[1]
        ]
    return sorted(set(pieces))
