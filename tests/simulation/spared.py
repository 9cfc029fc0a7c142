"""Whether couriers that do not answer are left in peace, and asked again: the breakers of a day, as a watcher sees them.

Reads the breakers' rows as JSON and calls nothing of what it watches.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.simulation.processes import Run

SKEW = timedelta(seconds=6)
"""Clocks of two processes are at most five seconds apart."""


@dataclass
class Peace:
    """One courier, as far as its breaker is concerned."""

    opened_at: datetime | None = None
    """When it opened last; None while it is closed."""
    until: datetime | None = None
    asking: set[str] = field(default_factory=set)
    """Runs that have leave to ask the one question."""
    asked_until: datetime | None = None
    """Whoever asks it is waited for till then."""
    answered: set[str] = field(default_factory=set)
    """Of these, who was answered."""
    last_writer: str = ""
    spells: list[list[datetime]] = field(default_factory=list)
    """From when till when nobody could ask it, or nobody would have got an answer."""


class Spared:
    """Every courier of a day."""

    def __init__(self) -> None:
        self._peace: dict[tuple[str, str], Peace] = {}

    def of(self, market_id: str, courier_id: str) -> Peace:
        return self._peace.setdefault((market_id, courier_id), Peace())

    def written(
        self, market_id: str, courier_id: str, told: dict[str, Any] | None, now: datetime, run: Run
    ) -> str:
        """A commit to a breaker's row; `told` None: it is gone. Says what is wrong with it, if anything."""
        peace = self.of(market_id, courier_id)
        peace.last_writer = run.key
        until, asked_until = (_time(told, name) for name in ("until", "probe_until"))
        if until is None:
            if peace.opened_at is not None:
                peace.spells[-1][1] = now
            self._peace[market_id, courier_id] = Peace(spells=peace.spells, last_writer=run.key)
            return ""
        if until != peace.until:
            peace.opened_at, peace.until, peace.asked_until = now, until, None
            peace.asking.clear()
            peace.answered.clear()
            peace.spells.append([now, until])
        if asked_until is None or asked_until == peace.asked_until:
            return ""
        before, peace.asked_until = peace.asked_until, asked_until
        peace.asking.add(run.key)
        if now < until - SKEW:
            return f"{courier_id} is asked by {run.key} before its time of peace is over"
        if before is not None and now < before - SKEW:
            return f"{courier_id} is asked by {run.key} while another asks it the one question"
        return ""

    def out(self, market_id: str, courier_id: str, since: datetime, until: datetime) -> None:
        """It does not answer for so long."""
        self.of(market_id, courier_id).spells.append([since, until])

    def may_ask(self, market_id: str, courier_id: str, run: Run) -> bool:
        """Whether that run can ask it: none can that began after the breaker opened, but for who asks the one question."""
        peace = self.of(market_id, courier_id)
        return peace.opened_at is None or run.began_at <= peace.opened_at or run.key in peace.asking

    def was_answered(self, market_id: str, courier_id: str, run: Run) -> None:
        peace = self.of(market_id, courier_id)
        if run.key in peace.asking:
            peace.answered.add(run.key)

    def unforgiven(self, run: Run) -> Iterator[str]:
        """Couriers that answered the one question of a run in which nothing went wrong, and are on record all the same."""
        for (market_id, courier_id), peace in self._peace.items():
            if run.key in peace.answered and peace.last_writer == run.key and run.went_well:
                yield f"{courier_id} in {market_id}"

    def silence(self, market_id: str, courier_id: str, since: datetime, now: datetime) -> timedelta:
        """For how long between these two it could not be told anything; overlapping spells count twice."""
        spells = self.of(market_id, courier_id).spells
        return sum(
            (max(timedelta(), min(end, now) - max(began, since)) for began, end in spells), timedelta()
        )

    def still_open(self, now: datetime) -> Iterator[str]:
        """Couriers whose time of peace is not over."""
        for (market_id, courier_id), peace in self._peace.items():
            if peace.until is not None and peace.until > now:
                yield f"{courier_id} in {market_id}"


def _time(told: dict[str, Any] | None, name: str) -> datetime | None:
    said = None if told is None else told.get(name)
    return None if said is None else datetime.fromisoformat(said)
