"""Regions in colours: acts that declare one for days, and what they come to day by day.

An act names an area (or the whole country), a colour, the days, and when it was made. The later act supersedes. A
decree is the floor: where an ordinance that superseded it is over and the decree still runs, the decree holds again. An
ordinance does not come back so: it was replaced. Acts of the whole country lie on top, and the stricter of both
holds, but that some spare white regions.

What the acts leave open stays unknown and is given with its reason: two acts of one day that say different things,
no act at all, an act that was replaced by one that is over. An act without an end holds until another one begins.
Days are local and half-open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import IntEnum, StrEnum
from itertools import pairwise


class Colour(IntEnum):
    """From the freest to the strictest."""

    WHITE = 0
    YELLOW = 1
    ORANGE = 2
    RED = 3


class Why(StrEnum):
    """Why a colour is not known."""

    NO_ACT = "no_act"
    TIE = "tie"
    REPLACED = "replaced"


@dataclass(frozen=True)
class Act:
    """One colour for one area over days `[since, until)`."""

    number: int
    """Which record of its table."""
    area: str | None
    """None: the whole country."""
    colour: Colour
    since: date
    until: date | None
    """None: it does not say."""
    made: date
    name: str
    is_decree: bool = False
    spares_white: bool = False

    def holds(self, day: date) -> bool:
        return self.since <= day and (self.until is None or day < self.until)


@dataclass(frozen=True)
class Period:
    """Days `[since, until)` of one area on which the same holds."""

    since: date
    until: date | None
    """None: no act says when it ends, or nothing is known from then on."""
    colour: Colour | None
    """None: unknown, and why."""
    why: Why | None
    acts: tuple[Act, ...]
    """What it rests on: of a tie, those that contradict one another."""


_Decide = Callable[[Sequence[Act], date], tuple[Colour | None, Why | None, tuple[Act, ...]]]


def regional(acts: Iterable[Act], area: str, first: date) -> tuple[Period, ...]:
    """What the area's own acts come to, from `first` on without a gap."""
    own = [act for act in acts if act.area == area]
    return tuple(_merged(_over(own, first, _decided)))


def national(acts: Iterable[Act], area: str, first: date) -> tuple[Period, ...]:
    """Where acts of the whole country hold in this area: days without one are left out."""
    every = [act for act in acts if act.area in (None, area)]

    def decided(here: Sequence[Act], day: date) -> tuple[Colour | None, Why | None, tuple[Act, ...]]:
        country = [act for act in here if act.area is None and act.holds(day)]
        colour, *_ = _decided([act for act in here if act.area is not None], day)
        if colour is Colour.WHITE:
            country = [act for act in country if not act.spares_white]
        if not country:
            return None, Why.NO_ACT, ()
        strictest = max(act.colour for act in country)
        return strictest, None, tuple(act for act in country if act.colour is strictest)

    return tuple(p for p in _merged(_over(every, first, decided)) if p.colour is not None)


def colours(acts: Sequence[Act], area: str, first: date) -> tuple[Period, ...]:
    """What holds in the area day by day, both together, from `first` on without a gap."""
    over = national(acts, area, first)

    def decided(here: Sequence[Act], day: date) -> tuple[Colour | None, Why | None, tuple[Act, ...]]:
        colour, why, rests_on = _decided([act for act in here if act.area is not None], day)
        top = next((p for p in over if p.since <= day and (p.until is None or day < p.until)), None)
        if top is None or top.colour is None:
            return colour, why, rests_on
        if colour is not None:
            strictest = max(colour, top.colour)
            return strictest, None, top.acts if strictest is not colour else rests_on
        said = {max(act.colour, top.colour) for act in rests_on} or {top.colour}
        return (said.pop(), None, top.acts) if len(said) == 1 else (None, why, rests_on)

    return tuple(_merged(_over([act for act in acts if act.area in (None, area)], first, decided)))


def _decided(own: Sequence[Act], day: date) -> tuple[Colour | None, Why | None, tuple[Act, ...]]:
    running = [act for act in own if act.holds(day)]
    if not running:
        return None, Why.NO_ACT, ()
    newest = max(act.made for act in running)
    last = tuple(act for act in running if act.made == newest)
    said = {act.colour for act in last}
    if len(said) > 1:
        return None, Why.TIE, last
    replaced = any(act.made > newest and act.since <= day for act in own)
    if replaced and not any(act.is_decree for act in last):
        return None, Why.REPLACED, last
    return said.pop(), None, last


def _over(acts: Sequence[Act], first: date, decided: _Decide) -> Iterator[Period]:
    turns = {act.since for act in acts} | {act.until for act in acts if act.until is not None}
    days = sorted({first, *(day for day in turns if day > first)})
    for since, until in [*pairwise(days), (days[-1], None)]:
        colour, why, rests_on = decided(acts, since)
        yield Period(since, until, colour, why, rests_on)


def _merged(periods: Iterable[Period]) -> Iterator[Period]:
    before: Period | None = None
    for period in periods:
        if before is not None and (before.colour, before.why, before.acts) == (
            period.colour,
            period.why,
            period.acts,
        ):
            before = Period(before.since, period.until, before.colour, before.why, before.acts)
            continue
        if before is not None:
            yield before
        before = period
    if before is not None:
        yield before
