"""What would have let a courier go: of the slots that share a gift's hours those that lack least, and what that is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from chalicelib.domain.explanation import NearestChange
from chalicelib.domain.fleet import Slot
from chalicelib.domain.shapes import Window
from chalicelib.domain.survey import HANDLING
from chalicelib.domain.verdicts import Decision, Reason, Verdict

TOLD = 3
"""Changes that are named for one gift, at most."""
_Span = tuple[datetime, datetime]


def nearest(
    answers: Iterable[Verdict],
    slots: Mapping[str, Slot],
    left: Mapping[str, int],
    window: Window,
    now: datetime,
) -> tuple[NearestChange, ...]:
    """The changes that would have opened most slots, among those that lack the fewest things.

    `answers` are of the slots that share the window; a yes among them has no place left. A slot in which the trip does
    not fit was asked nothing else, so it comes last among its like. Where no slot shares the window the one that is
    nearest in time is named. Hours are told of slots that have a place left. Empty: there is nothing to be told.
    """
    lacking: dict[tuple[Reason, ...], list[str]] = {}
    for verdict in answers:
        reasons = (Reason.SLOT_FULL,) if verdict.decision is Decision.YES else verdict.reasons
        lacking.setdefault(tuple(sorted(reasons)), []).append(verdict.slot_id)
    free = {name: slot for name, slot in slots.items() if left.get(name, 0) > 0}
    if not lacking:
        return _in_time(free, window, now)
    fewest = min(map(len, lacking))
    ranked = sorted(
        (Reason.WINDOW in reasons, -len(names), reasons)
        for reasons, names in lacking.items()
        if len(reasons) == fewest
    )
    return tuple(_told(reasons, lacking[reasons], free, window, now) for _, _, reasons in ranked[:TOLD])


def _told(
    reasons: tuple[Reason, ...], names: list[str], free: Mapping[str, Slot], window: Window, now: datetime
) -> NearestChange:
    near = None
    if Reason.WINDOW in reasons:
        near = _nearest(((name, free[name]) for name in names if name in free), window, now)
    if near is None:
        return NearestChange(reasons=reasons, slots=len(names), slot=min(names))
    return NearestChange(
        reasons=reasons, slots=len(names), slot=near.slot, hours_from=near.start, hours_until=near.end
    )


def _in_time(free: Mapping[str, Slot], window: Window, now: datetime) -> tuple[NearestChange, ...]:
    near = _nearest(free.items(), window, now)
    if near is None:
        return ()
    return (
        NearestChange(
            reasons=(Reason.NO_SLOTS,),
            slots=near.as_near,
            slot=near.slot,
            hours_from=near.start,
            hours_until=near.end,
        ),
    )


class _Near(NamedTuple):
    slot: str
    start: datetime
    end: datetime
    as_near: int


def _nearest(slots: Iterable[tuple[str, Slot]], window: Window, now: datetime) -> _Near | None:
    """The slot whose hours come nearest to those that were asked for, and how many come as near."""
    found = [(_apart(hours, window), name, hours) for name, slot in slots if (hours := _hours(slot, now))]
    if not found:
        return None
    apart, name, (start, end) = min(found)
    return _Near(name, start, end, sum(one[0] == apart for one in found))


def _hours(slot: Slot, now: datetime) -> _Span | None:
    """When it could hand over, whatever was asked for; None: in its own hours the trip does not fit any more."""
    start = max(slot.window.start, now) + timedelta(minutes=slot.trip_minutes)
    return (start, slot.window.end) if start + HANDLING <= slot.window.end else None


def _apart(hours: _Span, window: Window) -> timedelta:
    """How far the window would have to be moved or drawn out for a hand-over in these hours."""
    return max(hours[0] + HANDLING - window.end, window.start + HANDLING - hours[1], timedelta())
