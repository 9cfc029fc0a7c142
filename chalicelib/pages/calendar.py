"""A calendar file: entries, iCalendar (RFC 5545, RFC 5546), with their time zones written out.

The UID never changes and SEQUENCE only rises, so whoever takes a later file into a calendar replaces the entry, and a
cancellation takes it out. A file has one method: of several entries those that are cancelled say so by their status,
and all of them together by `METHOD:CANCEL`. The words are the caller's, and no address stands in it: files are
forwarded.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

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


def written(*entries: Entry) -> str:
    """The file of these, at least one; the same for the same entries."""
    from icalendar import Calendar  # here: nothing else needs it

    calendar = Calendar()
    calendar.add("version", "2.0")
    calendar.add("prodid", PRODUCT)
    calendar.add("method", "CANCEL" if all(entry.is_cancelled for entry in entries) else "PUBLISH")
    for entry in entries:
        calendar.add_component(_event(entry))
    calendar.add_missing_timezones()
    return str(calendar.to_ical().decode())


def _event(entry: Entry) -> Any:
    from icalendar import Event, vCalAddress

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
    return event
