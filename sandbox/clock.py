"""Two clocks: the wall's, and a virtual one that stands still and jumps to the next due event."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

EPOCH = datetime.fromtimestamp(0, UTC)


class Clock(Protocol):
    """Tells the time, and does things when it comes."""

    def now(self) -> datetime: ...

    def at(self, when: datetime, action: Callable[[], None]) -> None:
        """Do it at that time, never before this call has returned."""


class VirtualClock:
    """Time moves only in `advance`, from one due event to the next.

    `grain`: events fall on its multiples only, so that more of them fall together; a busy minute is as short as a
    quiet one, and more is done at the same time.
    """

    def __init__(self, start: datetime, grain: timedelta = timedelta(0)) -> None:
        self._now = start
        self._grain = grain
        self._due: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._lock = threading.Lock()

    def now(self) -> datetime:
        return self._now

    def at(self, when: datetime, action: Callable[[], None]) -> None:
        when = max(when, self._now)
        if self._grain:
            when += (EPOCH - when) % self._grain
        self.exactly(when, action)

    def exactly(self, when: datetime, action: Callable[[], None]) -> None:
        """Do it at that very time, grain or not."""
        with self._lock:
            heapq.heappush(self._due, (when, next(self._order), action))

    def advance(self, until: datetime) -> bool:
        """Jump to the next due event and do everything due at that very time; False when nothing is due by then,
        and the clock stands at `until`."""
        with self._lock:
            if not self._due or self._due[0][0] > until:
                self._now = max(self._now, until)
                return False
            when = self._due[0][0]
            actions = []
            while self._due and self._due[0][0] == when:
                actions.append(heapq.heappop(self._due)[2])
            self._now = when
        for action in actions:
            action()
        return True


class RealClock:
    """The wall's clock; actions run on one thread of its own."""

    def __init__(self) -> None:
        self._due: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="clock", daemon=True)
        self._thread.start()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def at(self, when: datetime, action: Callable[[], None]) -> None:
        with self._changed:
            heapq.heappush(self._due, (when, next(self._order), action))
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._closed:
                    return
                wait = (self._due[0][0] - self.now()).total_seconds() if self._due else None
                if wait is None or wait > 0:
                    self._changed.wait(wait)
                    continue
                action = heapq.heappop(self._due)[2]
            try:
                action()
            except Exception as error:  # a simulated courier's mishap must not stop the clock
                print(f"clock: {type(error).__name__}: {error}")
