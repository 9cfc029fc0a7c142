"""A calendar file: one entry, iCalendar (RFC 5545, RFC 5546), with its time zone written out.

The UID never changes and SEQUENCE only rises, so whoever takes a later file into a calendar replaces the entry, and a
cancellation takes it out. The words are the caller's, and no address stands in it: files are forwarded.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from chalicelib.domain.shapes import Window, zone_info

KIND: Final = "text/calendar"
PRODUCT: Final = "-//Cordon//Gifts through the cordon//EN"


@dataclass(frozen=True)
class Entry:
    """What stands in the calendar."""

    uid: str
    sequence: int
    hours: Window
    summary: str
    description: str = ""
    changed_at: datetime | None = None
    """When it was last changed; the same file for the same state."""
    is_cancelled: bool = False
    organizer: str = "urn:cordon"
    """A URI: RFC 5546 wants one of every file with a METHOD."""
    link: str | None = None


def written(entry: Entry) -> str:
    """The file."""
    from icalendar import Calendar, Event, vCalAddress  # here: nothing else needs it

    zone = zone_info(entry.hours.time_zone)
    event = Event()
    event.add("uid", entry.uid)
    event.add("sequence", entry.sequence)
    event.add("dtstamp", entry.changed_at or entry.hours.start)
    event.add("dtstart", entry.hours.start.astimezone(zone))
    event.add("dtend", entry.hours.end.astimezone(zone))
    event.add("summary", entry.summary)
    if entry.description:
        event.add("description", entry.description)
    if entry.link is not None:
        event.add("url", entry.link)
    event["organizer"] = vCalAddress(entry.organizer)
    event.add("status", "CANCELLED" if entry.is_cancelled else "CONFIRMED")
    event.add("class", "PRIVATE")
    calendar = Calendar()
    calendar.add("version", "2.0")
    calendar.add("prodid", PRODUCT)
    calendar.add("method", "CANCEL" if entry.is_cancelled else "PUBLISH")
    calendar.add_component(event)
    calendar.add_missing_timezones()
    return str(calendar.to_ical().decode())
