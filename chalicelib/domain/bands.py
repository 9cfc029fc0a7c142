"""Germany's incidence bands: from a district's daily incidence to the days on which each policy holds.

The federal brake of spring 2021 begins, per Landkreis or city, on the *day after next* once the incidence was over
a threshold on three days in a row. It ends on the day after next once it was below on five *working* days in a row;
Sundays and holidays are not counted and do not interrupt (`../shared/research/lockdowns.md`, 1.4 and edge case 13).
Exactly on the threshold is neither over nor below: it breaks both counts.

A day without a figure is not a good day. It is read both ways, and where that makes a difference nothing is known:
unknown is not open (house.md, law 7).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple

OVER_DAYS: Final = 3
BELOW_WORKING_DAYS: Final = 5
NOTICE: Final = timedelta(days=2)
"""The day after next."""
YEAR: Final = timedelta(days=366)
"""How far from the law's days a figure may lie; it is another law's beyond."""
_DAY: Final = timedelta(days=1)
_SUNDAY: Final = 6


class Threshold(NamedTuple):
    """An incidence (cases in seven days per 100,000), and the policy once it was exceeded long enough."""

    over: float
    policy: str


class Band(NamedTuple):
    """Local days `[since, until)` on which one policy holds; None: it is not known which."""

    since: date
    until: date
    policy: str | None


LAW: Final = (date(2021, 4, 23), date(2021, 7, 1))
"""The days of the federal brake, half-open."""
BELOW: Final = "germany-below-100@1"
BRAKE: Final = (Threshold(100, "germany-100-150@1"), Threshold(150, "germany-over-150@1"))


def bands(
    incidences: Mapping[date, float],
    holidays: Collection[date],
    thresholds: Sequence[Threshold] = BRAKE,
    below: str = BELOW,
    law: tuple[date, date] = LAW,
) -> tuple[Band, ...]:
    """Which policy holds when, for every day of the law.

    Days are counted from the first that has a figure: what came before it is said not to count, so a caller
    gives the figures that the law lets count. After the last figure two more days are known.
    """
    first, past = law[0] - YEAR, law[1] + YEAR
    for day, figure in incidences.items():
        if not first <= day < past:
            days = f"{first.isoformat()} until {past.isoformat()}"
            raise ValueError(f"days from {days} were expected, got {day.isoformat()}")
        if not (math.isfinite(figure) and figure >= 0):
            raise ValueError(f"an incidence of 0 or more was expected on {day.isoformat()}, got {figure!r}")
    ranked = sorted(thresholds, reverse=True)
    held = {rank: _held(incidences, rank.over, holidays) for rank in ranked}
    known_until = max(incidences) + NOTICE + _DAY if incidences else law[0]
    found: list[Band] = []
    day = law[0]
    while day < law[1]:
        policy = _policy(day, ranked, held, below) if day < known_until else None
        if found and found[-1].policy == policy:
            found[-1] = found[-1]._replace(until=day + _DAY)
        else:
            found.append(Band(day, day + _DAY, policy))
        day += _DAY
    return tuple(found)


_Turns = list[tuple[date, bool]]
"""From which day on it holds, or no longer does; in order."""


def _policy(
    day: date, ranked: Sequence[Threshold], held: Mapping[Threshold, tuple[_Turns, _Turns]], below: str
) -> str | None:
    for threshold in ranked:
        at_best, at_worst = (_is_on(turns, day) for turns in held[threshold])
        if at_best:
            return threshold.policy
        if at_worst:
            return None
    return below


def _held(incidences: Mapping[date, float], over: float, holidays: Collection[date]) -> tuple[_Turns, _Turns]:
    """The turns when every day without a figure was good, and when every one was bad."""
    return _turns(incidences, over, holidays, 0.0), _turns(incidences, over, holidays, math.inf)


def _turns(incidences: Mapping[date, float], over: float, holidays: Collection[date], gap: float) -> _Turns:
    turns: _Turns = []
    is_on = False
    days_over = days_below = 0
    day, last = (min(incidences), max(incidences)) if incidences else (date.max, date.min)
    while day <= last:
        figure = incidences.get(day, gap)
        days_over = days_over + 1 if figure > over else 0
        if day.weekday() != _SUNDAY and day not in holidays:
            days_below = days_below + 1 if figure < over else 0
        if days_over >= OVER_DAYS:
            days_below = 0
            if not is_on:
                is_on = True
                turns.append((day + NOTICE, True))
        elif is_on and days_below >= BELOW_WORKING_DAYS:
            is_on = False
            turns.append((day + NOTICE, False))
        day += _DAY
    return turns


def _is_on(turns: _Turns, day: date) -> bool:
    is_on = False
    for since, turn in turns:
        if since > day:
            break
        is_on = turn
    return is_on
