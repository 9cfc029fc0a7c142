"""Many days, on every core, and what they came to: a simulation that exercises nothing is no proof."""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

from tests.simulation.day import Day
from tests.simulation.judge import Broken
from tests.simulation.shrink import Failure

BATCH = 20


@dataclass
class Tally:
    """What some days came to."""

    days: int = 0
    failures: list[Failure] = field(default_factory=list)
    mishaps: Counter[str] = field(default_factory=Counter)
    """By kind, how often one really happened."""
    states: Counter[str] = field(default_factory=Counter)
    """How often an order entered a state."""
    events: Counter[str] = field(default_factory=Counter)
    """What was logged and done."""

    def add(self, other: Tally) -> None:
        self.days += other.days
        self.failures += other.failures
        self.mishaps += other.mishaps
        self.states += other.states
        self.events += other.events

    def report(self) -> str:
        """For people."""

        def row(counts: Counter[str]) -> str:
            return ", ".join(f"{name} {count}" for name, count in counts.most_common())

        lines = [
            f"{self.days} days, {len(self.failures)} failed",
            f"states entered: {row(self.states)}",
            f"mishaps: {row(self.mishaps)}",
            f"and: {row(self.events)}",
        ]
        lines += [f"FAILED {f.command}: {f.invariant}: {f.detail}" for f in self.failures[:20]]
        return "\n".join(lines)


def played(seeds: Iterable[int], processes: int | None = None) -> Tally:
    """Play these days."""
    seeds = list(seeds)
    batches = [seeds[at : at + BATCH] for at in range(0, len(seeds), BATCH)]
    count = processes or os.cpu_count() or 1
    whole = Tally()
    if count == 1 or len(batches) == 1:
        for batch in batches:
            whole.add(_batch(batch))
        return whole
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        for tally in pool.map(_batch, batches):
            whole.add(tally)
    return whole


def _batch(seeds: list[int]) -> Tally:
    tally = Tally()
    was_on = gc.isenabled()
    gc.disable()  # a day is thrown away as a whole
    for seed in seeds:
        day = Day(seed)
        try:
            day.play()
        except Broken as broken:
            struck = tuple(dict.fromkeys(mishap.name for mishap in day.trouble.happened))
            tally.failures.append(
                Failure(seed, broken.invariant, broken.detail, tuple(day.plan.names()), struck)
            )
        except Exception as error:  # a day that cannot be judged is one that failed, and has a seed too
            tally.failures.append(Failure(seed, "no day", repr(error), tuple(day.plan.names()), ()))
        tally.days += 1
        tally.mishaps += day.trouble.counts
        tally.states += day.judge.states
        tally.events += day.counted
        day.forget()
    if was_on:
        gc.enable()
    return tally
