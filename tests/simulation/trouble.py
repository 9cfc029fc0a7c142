"""What goes wrong, where and when: every misfortune of a day has a name, and can be left out by it.

A misfortune strikes at a place that has a stable name (the third call of the second run that booked that order),
not at the n-th call of the day. `only` leaves out every one that is not in it: so a day is shrunk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from tests.simulation.dice import begun, number, roll

READING = {"throttled": 2, "crash_before": 1, "crash_after": 1}
AT_CALLS: Mapping[str, Mapping[str, int]] = {
    "get": READING,
    "get_many": READING,
    "read": READING,
    "find": READING,
    "write": {"throttled": 2, "unanswered": 4, "conflict": 3, "crash_before": 3, "crash_after": 4},
    "nudge": {"throttled": 2, "partial": 3, "unanswered": 1, "crash_before": 3, "crash_after": 2},
    "send": {"deaf": 3, "mute": 4, "crash_before": 3, "crash_after": 4},
    "seal": {"throttled": 2, "crash_before": 1},
    "secrets": {"throttled": 2, "crash_before": 1},
}
"""What can go wrong at each kind of outside call, with weights.

`throttled`, `conflict`: it did nothing and says so. `unanswered`: it was done, and the answer was lost, which the
table's adapter reports as `Throttled`, too. `partial`: of several nudges some were taken. `deaf`, `mute`: nobody
answered, before or after the other side did it. `crash_*`: the process is killed there.
"""
RATES: Mapping[str, float] = {
    "get": 0.006,
    "get_many": 0.006,
    "read": 0.006,
    "find": 0.006,
    "write": 0.03,
    "nudge": 0.03,
    "send": 0.03,
    "seal": 0.006,
    "secrets": 0.006,
}
_CHOICES = {
    verb: [kind for kind, weight in kinds.items() for _ in range(weight)] for verb, kinds in AT_CALLS.items()
}


@dataclass(frozen=True)
class Mishap:
    """One thing that went wrong."""

    name: str
    kind: str
    where: str
    at: datetime

    def __str__(self) -> str:
        return f"{self.kind} at {self.where}"


class Trouble:
    """The dice of one day."""

    def __init__(self, seed: int, only: Collection[str] | None = None) -> None:
        self.seed = seed
        self._dice = begun(f"{seed}|")
        self.only = None if only is None else frozenset(only)
        self.over = False
        """Once it is over nothing goes wrong any more."""
        self.happened: list[Mishap] = []
        self.counts: Counter[str] = Counter()
        self.now: datetime | None = None

    def at_call(self, verb: str, where: str) -> str | None:
        """What goes wrong at this call; mostly nothing."""
        if self.over:
            return None
        fell = roll(where, self._dice)
        if fell >= RATES[verb]:
            return None
        choices = _CHOICES[verb]
        kind = choices[int(fell / RATES[verb] * len(choices))]
        return kind if self._note(kind, where) else None

    def strikes(self, kind: str, where: str, probability: float) -> bool:
        """True when this misfortune strikes there."""
        if self.over or roll(f"{kind}|{where}", self._dice) >= probability:
            return False
        return self._note(kind, where)

    def roll(self, where: str) -> float:
        """Chance that is nobody's misfortune: how long something takes."""
        return roll(where, self._dice)

    def _note(self, kind: str, where: str) -> bool:
        name = f"{number(f'{kind}|{where}'):08x}"
        if self.only is not None and name not in self.only:
            return False
        assert self.now is not None
        self.happened.append(Mishap(name, kind, where, self.now))
        self.counts[kind] += 1
        return True
