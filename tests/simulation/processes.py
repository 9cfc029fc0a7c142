"""Processes that run flows, on clocks of their own, and can be stopped or held at any outside call.

A run is one invocation of a flow. Most runs happen in one go. A slow one has a thread, and is held at some of its
outside calls while others go on; exactly one of them all runs at a time, handed on by locks, so a day is the same
every time. A run that is held longer than its function may take is killed, as Lambda does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from chalicelib.channels import webhook
from chalicelib.domain.dialect import Account, Reply, Request
from chalicelib.domain.errors import Delayed, Refused, Throttled, Unanswered
from chalicelib.domain.ports import Change, Key, KeyPage, Page, Row, Topic, World
from chalicelib.solver import FlowSolver

if TYPE_CHECKING:
    from tests.simulation.day import Day

SKEWS = (-2.5, -0.9, 1.1, 2.5)
"""Seconds by which the processes' clocks are wrong: five between the first and the last."""
HELD_FOR = (0.2, 0.2, 1.0, 1.0, 5.0, 5.0, 15.0, 40.0, 70.0, 110.0)
"""Seconds for which a slow run is held at one call."""
LIMITS: Mapping[str, float] = {"api": 29, "dispatch": 120, "book": 120, "hear": 60, "tell": 120, "rules": 300}
"""Seconds that a function may take (.chalice/config.json)."""


class Killed(BaseException):
    """The process ends here. No `except Exception` sees it."""


@dataclass
class Process:
    """One process: a clock, a memory, a way to the outside."""

    number: int
    skew: timedelta
    world: World
    extra_s: float = 0.0
    """What its stopwatch has seen beyond the clock."""
    run: Run | None = None


@dataclass
class Run:
    """One invocation."""

    key: str
    do: Callable[[World], Any]
    done: Callable[[Run], None]
    began_at: datetime
    limit: timedelta
    process: Process
    is_slow: bool = False
    calls: int = 0
    is_dead: bool = False
    was_hit: bool = False
    """Something went wrong in it."""
    ended_at: datetime | None = None
    outcome: str = ""
    """`done`, `refused`, `delayed` or `killed`."""
    result: Any = None
    error: BaseException | None = None
    go: threading.Lock | None = None
    """Held while a slow run is; it goes on when somebody releases it."""

    @property
    def went_well(self) -> bool:
        """True when it ended by itself, in one go, and nothing went wrong in it."""
        return self.outcome == "done" and not self.was_hit and not self.is_slow


class Outside:
    """Every way out of a process: where things go wrong."""

    def __init__(self, day: Day) -> None:
        self.day = day

    def _call(self, verb: str, what: str, do: Callable[..., Any], *args: Any) -> Any:
        run, kind, where = self._enter(verb, what)
        if kind is not None:
            if kind == "crash_before":
                raise self._die(run)
            if kind in ("throttled", "conflict", "partial"):
                raise Throttled(f"{what}: {kind}")
            if kind == "deaf":
                raise Unanswered(kind)
        result = do(*args)
        if kind is not None:
            if kind == "crash_after":
                raise self._die(run)
            raise Throttled(f"{what}: {kind}") if kind == "unanswered" else Unanswered(kind)
        if run.is_slow:
            self.day.maybe_hold(run, where + " after")
        return result

    def _enter(self, verb: str, what: str) -> tuple[Run, str | None, str]:
        run = self.day.current
        assert run is not None
        if run.is_dead:
            raise Killed
        run.calls += 1
        where = f"{run.key}.{run.calls}"
        if run.is_slow:
            # nobody can look at a clock between looking at it and sending: there it is held for seconds only
            most_s = 15.0 if what.endswith(" book") else None
            self.day.maybe_hold(run, where + " before", most_s, writes=verb == "write")
        kind = self.day.trouble.at_call(verb, where)
        if kind is not None:
            run.was_hit = True
            self.day.tell("    {} {}: {}", run.key, what, kind)
        return run, kind, where

    def _die(self, run: Run) -> Killed:
        run.is_dead = True
        return Killed()


class OutsideTable(Outside):
    """`ports.Table`."""

    def get(self, key: Key) -> Row | None:
        return self._call("get", "get", self.day.store.get, key)

    def get_many(self, keys: Sequence[Key]) -> list[Row]:
        return self._call("get_many", "get_many", self.day.store.get_many, keys)

    def read(self, pk: str, prefix: str = "", *, limit: int | None = None, after: str | None = None) -> Page:
        store = self.day.store
        return self._call("read", "read", lambda: store.read(pk, prefix, limit=limit, after=after))

    def find_due(self, bucket: str, until: datetime, limit: int, after: str | None = None) -> KeyPage:
        return self._find(self.day.store.find_due, bucket, until, limit, after)

    def find_shelved(self, shelf: str, limit: int, after: str | None = None) -> KeyPage:
        return self._find(self.day.store.find_shelved, shelf, limit, after)

    def _find(self, find: Callable[..., KeyPage], *question: Any) -> KeyPage:
        def ask() -> KeyPage:
            run = self.day.current
            assert run is not None
            where = f"{run.key}.{run.calls}"
            if self.day.trouble.strikes("stale_index", where, 0.12):
                lag = timedelta(seconds=10 * self.day.trouble.roll(where + " lag"))
                return find(*question, since=self.day.clock.now - lag, salt=where)
            return find(*question)

        return self._call("find", "find", ask)

    def write(self, *changes: Change) -> None:
        self._call("write", "write", self.day.store.write, *changes)


class OutsideQueues(Outside):
    """`ports.Queues`."""

    def nudge(self, topic: Topic, ids: Iterable[str]) -> None:
        names = list(dict.fromkeys(ids))
        if not names:
            return
        run, kind, where = self._enter("nudge", f"nudge {topic.value}")
        if kind == "crash_before":
            raise self._die(run)
        taken = names
        if kind == "throttled":
            taken = []
        elif kind == "partial":
            taken = [name for name in names if self.day.trouble.roll(where + name) < 0.5]
        for name in taken:
            self.day.send(topic, name, where)
        if kind == "crash_after":
            raise self._die(run)
        if kind is not None:
            raise Throttled(f"nudges to {topic}: {kind}")
        if run.is_slow:
            self.day.maybe_hold(run, where + " after")


class OutsideLine(Outside):
    """`ports.Line`."""

    def send(self, request: Request, *, public_only: bool = False) -> Reply:
        host = urlsplit(request.url).hostname or ""
        company = self.day.companies.get(host)
        if company is not None:
            verb = request.url.rsplit("/", 1)[1]

            def ask() -> Reply:
                return company(request)

            if verb == "cancel":
                company.stop_tried(request.body.split(b'"', 4)[3].decode())
            return self._call("send", f"{company.courier_id} {verb}", ask)
        receiver = self.day.receivers[host]
        receiver.tried(request)
        return self._call("send", f"tell {host}", receiver, request)


class OutsideSealer(Outside):
    """`ports.Sealer`."""

    def seal(self, plain: bytes, context: str, owner: str = "") -> bytes:
        return self._call("seal", "seal", self.day.sealer.seal, plain, context, owner)

    def unseal(self, sealed: bytes, context: str) -> bytes:
        return self._call("seal", "unseal", self.day.sealer.unseal, sealed, context)


class OutsideSecrets(Outside):
    """`ports.Secrets`."""

    def accounts(self, dialect: str, account: str) -> Sequence[Account]:
        return self._call("secrets", "secrets", self.day.secrets.accounts, dialect, account)

    def signing_keys(self) -> Sequence[str]:
        return ["-"]


def process(day: Day, number: int) -> Process:
    """A process that has just started."""
    skew = timedelta(seconds=SKEWS[number])
    rolled = day.trouble.roll

    def where(what: str) -> str:
        run = day.current
        assert run is not None
        run.calls += 1
        return f"{run.key}.{run.calls} {what}"

    made = Process(number, skew, None)  # type: ignore[arg-type]

    def seconds() -> float:
        return (day.clock.now - day.began_at).total_seconds() + made.extra_s

    made.world = World(
        table=OutsideTable(day),
        queues=OutsideQueues(day),
        line=OutsideLine(day),
        sealer=OutsideSealer(day),
        solver=FlowSolver(),
        secrets=OutsideSecrets(day),
        dialects=day.dialects,
        channels={"webhook": webhook},
        clock=lambda: day.clock.now + skew,
        dice=lambda: rolled(where("dice")),
        token=lambda: (
            f"{int(rolled(where('token')) * 2**32):08x}{int(rolled(where('token')) * 2**32):08x}" * 4
        ),
        log=day.log,
        stopwatch=seconds,
        webhooks_may_be_private=True,
    )
    return made


def run_in_one_go(run: Run) -> None:
    """Run it, and note what came of it."""
    try:
        run.result = run.do(run.process.world)
        run.outcome = "done"
    except Refused as error:
        run.outcome, run.error = "refused", error
    except Delayed as error:
        run.outcome, run.error = "delayed", error
    except Killed:
        run.outcome = "killed"
    except BaseException as error:
        run.outcome, run.error = "broken", error


class Hand:
    """A thread that slow runs borrow, one after another; it waits for the next as long as the process lives."""

    idle: ClassVar[list[Hand]] = []

    def __init__(self) -> None:
        self._wake = closed()
        self._task: Callable[[], threading.Lock] | None = None
        threading.Thread(target=self._work, daemon=True).start()

    @classmethod
    def borrow(cls, task: Callable[[], threading.Lock]) -> None:
        """Have it done in another thread; the lock that it returns is released when the thread is free again."""
        hand = cls.idle.pop() if cls.idle else cls()
        hand._task = task
        hand._wake.release()

    def _work(self) -> None:
        while True:
            self._wake.acquire()
            assert self._task is not None
            back = self._task()
            self._task = None
            self.idle.append(self)
            back.release()


def closed() -> threading.Lock:
    """A lock that nobody gets through until it is released."""
    lock = threading.Lock()
    lock.acquire()
    return lock
