"""Functions that take their time: the real flows behind queues and workers, on a table in memory and a virtual clock.

A run begins at a virtual moment, and what it takes passes on its own clock: what it computes here (by the share of a
processor that its memory buys it on Lambda), and an assumed wait for every call of AWS and of a courier. Its worker is
busy for as long, and messages wait for one that is free. Not simulated: two runs that overlap do not see each other's
writes halfway, for each is carried out whole when it begins (tests/simulation holds them halfway, and kills them).
"""

from __future__ import annotations

import heapq
import json
import random
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from chalicelib.domain.errors import Delayed, Refused
from chalicelib.domain.ports import Topic, World
from tests import drive
from tests.ledger.bill import AWS_CALL_S, COURIER_S

ROOT = Path(__file__).resolve().parent.parent
WHOLE_PROCESSOR_MB = 1769
"""Of a Lambda function's memory (AWS, "Configure Lambda function memory")."""
TRANSACTION_S = 0.020
"""Assumed: one transaction."""
ON_THE_WAY_S = (0.02, 0.3)
"""Assumed: from a message's sending to its being received."""
VISIBLE_AGAIN = timedelta(seconds=60)
BATCH = 10
BATCHING_S = {"dispatch": 1.0}
"""`maximum_batching_window_in_seconds` of the listeners that have one (app.py)."""


class Clock:
    """The moment at which a run began, and what has passed in it since."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.waited = 0.0
        self.slower = 1.0
        self._began = time.process_time()

    def __call__(self) -> datetime:
        return self.now + timedelta(seconds=self.took())

    def begin(self, now: datetime, slower: float) -> None:
        self.now, self.waited, self.slower = now, 0.0, slower
        self._began = time.process_time()

    def took(self) -> float:
        """Seconds since the run began."""
        return self.waited + self.slower * (time.process_time() - self._began)

    def stop(self, now: datetime) -> None:
        """Nobody runs: time stands still."""
        self.now, self.waited, self.slower = now, 0.0, 0.0


class Slow:
    """A table or a line whose every call takes a while."""

    def __init__(self, plain: Any, clock: Clock, seconds: Callable[[str, tuple[Any, ...]], float]) -> None:
        self._plain, self._clock, self._seconds = plain, clock, seconds

    def __getattr__(self, verb: str) -> Any:
        do = getattr(self._plain, verb)

        def called(*args: Any, **named: Any) -> Any:
            self._clock.waited += self._seconds(verb, args)
            return do(*args, **named)

        return called

    def __call__(self, *args: Any) -> Any:
        return self._plain(*args)


def of_the_table(verb: str, args: tuple[Any, ...]) -> float:
    """What one call of `ports.Table` waits for."""
    if verb == "write":
        return AWS_CALL_S if len(args) == 1 else TRANSACTION_S
    if verb == "get_many":
        batches = -(-len(args[0]) // 100)
        return AWS_CALL_S * (batches if batches <= 4 else -(-batches // 8))
    if verb == "read":
        return 3 * AWS_CALL_S  # a fleet of some thousand rows is pages of 1 MB
    return AWS_CALL_S


def of_the_line(verb: str, args: tuple[Any, ...]) -> float:
    """What one call of `ports.Line` waits for."""
    return COURIER_S


@dataclass
class Function:
    """One listener: its queue and its workers."""

    name: str
    workers: int
    slower: float
    """Than a whole processor."""
    batching_s: float
    waiting: deque[tuple[datetime, str]] = field(default_factory=deque)
    idle: list[World] = field(default_factory=list)
    runs: int = 0
    busy_s: float = 0.0
    longest_s: float = 0.0


class Clockwork:
    """Virtual time, the listeners, and whatever else is to happen."""

    def __init__(self, world: World, clock: Clock, seed: int, lost: float) -> None:
        """`world`: with a table and a line of its own; `lost`: of a message, how likely it is never received."""
        self.clock, self.now = clock, clock.now
        self.dice = random.Random(seed)  # nosec B311 - dice of a bench
        self.lost, self.losses = lost, 0
        self._agenda: list[tuple[datetime, int, Callable[[], None]]] = []
        self._number = 0
        self.world = replace(
            world,
            table=Slow(world.table, clock, of_the_table),
            line=Slow(world.line, clock, of_the_line),
            queues=self,
            clock=clock,
            stopwatch=clock.took,
            memory={},
        )
        self.functions = {
            topic: Function(
                topic.value, count, _slower(f"on_{topic.value}"), BATCHING_S.get(topic.value, 0.0)
            )
            for topic, count in _workers().items()
        }
        for function in self.functions.values():
            function.idle = [replace(self.world, memory={}) for _ in range(function.workers)]

    # --- time -------------------------------------------------------------------------------------------------

    def at(self, when: datetime, do: Callable[[], None]) -> None:
        """Have it done then."""
        self._number += 1
        heapq.heappush(self._agenda, (max(when, self.now), self._number, do))

    def run_until(self, end: datetime) -> None:
        """Let time pass."""
        while self._agenda and self._agenda[0][0] <= end:
            when, _, do = heapq.heappop(self._agenda)
            self.now = when
            self.clock.stop(when)
            do()
        self.now = end
        self.clock.stop(end)

    def call(self, do: Callable[[World], Any], function: str) -> Any:
        """Somebody calls a function that is no listener: the API, a schedule."""
        self.clock.begin(self.now, _slower(function))
        try:
            return do(self.world)
        finally:
            self.clock.stop(self.now)

    # --- `ports.Queues` ---------------------------------------------------------------------------------------

    def nudge(self, topic: Topic, ids: Iterable[str]) -> None:
        names = list(dict.fromkeys(ids))
        for start in range(0, len(names), BATCH):
            self.clock.waited += AWS_CALL_S
            for name in names[start : start + BATCH]:
                self._send(topic, name)

    def put_aside(self, topic: Topic, letter: Any) -> None:
        raise AssertionError(f"nothing here is hopeless, {topic} is: {letter}")

    def set_aside(self) -> dict[Topic, int]:
        return {}

    def _send(self, topic: Topic, name: str) -> None:
        if self.dice.random() < self.lost:
            self.losses += 1
            return
        wait = self.dice.uniform(*ON_THE_WAY_S)
        self.at(self.clock() + timedelta(seconds=wait), lambda: self._arrive(topic, name))

    # --- listeners --------------------------------------------------------------------------------------------

    def _arrive(self, topic: Topic, name: str) -> None:
        self.functions[topic].waiting.append((self.now, name))
        self._pull(topic)

    def _pull(self, topic: Topic) -> None:
        function = self.functions[topic]
        while function.idle and function.waiting:
            ready = function.waiting[0][0] + timedelta(seconds=function.batching_s)
            if len(function.waiting) < BATCH and self.now < ready:
                self.at(ready, lambda: self._pull(topic))
                return
            names = [function.waiting.popleft()[1] for _ in range(min(BATCH, len(function.waiting)))]
            self._run(topic, function, names)

    def _run(self, topic: Topic, function: Function, names: Sequence[str]) -> None:
        world = function.idle.pop()
        self.clock.begin(self.now, function.slower)
        for name in dict.fromkeys(names):  # the same nudge twice in one batch is one nudge
            try:
                drive.run(world, topic, name)
            except Refused:
                continue
            except Delayed:
                again = self.clock() + VISIBLE_AGAIN
                self.at(again, lambda name=name: self._arrive(topic, name))  # type: ignore[misc]
        took = self.clock.took()
        self.clock.stop(self.now)
        function.runs += 1
        function.busy_s += took
        function.longest_s = max(function.longest_s, took)

        def done() -> None:
            function.idle.append(world)
            self._pull(topic)

        self.at(self.now + timedelta(seconds=took), done)


def _slower(function: str) -> float:
    told = json.loads((ROOT / ".chalice" / "config.json").read_text())["stages"]["prod"]["lambda_functions"]
    return max(1.0, WHOLE_PROCESSOR_MB / int(told[function]["lambda_memory_size"]))


def _workers() -> dict[Topic, int]:
    text = (ROOT / ".chalice" / "resources.yaml").read_text()
    found = {}
    for topic in Topic:
        pattern = rf"On{topic.value.title()}SqsEventSource.*?MaximumConcurrency: (\d+)"
        match = re.search(pattern, text, re.S)
        assert match is not None, topic
        found[topic] = int(match[1])
    return found
