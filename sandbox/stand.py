"""Everything on one laptop, put together: embedded AWS, the packaged template on it, the app over HTTP, the pumps,
a courier company and the brands' receivers.
"""

from __future__ import annotations

import dataclasses
import json
import os
import threading
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from chalicelib import journal, settings, wiring
from chalicelib.aws import clients
from chalicelib.domain.keys import Role
from chalicelib.domain.ports import Change, Drop, Keep, Key, Letter, Queues, Table, Topic
from chalicelib.domain.shapes import stamp
from chalicelib.flows import enlist
from cli import package
from sandbox import template as templates
from sandbox.brand import BrandServer
from sandbox.clock import Clock
from sandbox.emulator import Emulator
from sandbox.front import Front
from sandbox.pumps import Pumps
from sandbox.wire import Wire

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".sandbox"


class Stand:
    """The running system. `home`: where its state stays between runs; None: gone at the end."""

    def __init__(
        self,
        clock: Clock,
        accounts: dict[str, Any],
        *,
        home: Path | None = None,
        port: int = 0,
        log: Path | None = None,
    ) -> None:
        self.clock = clock
        self.dues = Dues()
        self.emulator = Emulator(home)
        self.brands = BrandServer(clock.now)
        self._accounts = accounts
        self._port = port
        self._log: IO[str] | None = None
        self._log_path = log
        self._log_lock = threading.Lock()

    def __enter__(self) -> Self:
        template = package.package(ROOT / "build" / "template", dependencies=False)
        self.emulator.start()
        if self._log_path is not None:  # not before: another sandbox on the same state may be writing there
            self._log_path.parent.mkdir(parents=True, exist_ok=True)
            self._log = self._log_path.open("w", buffering=1, encoding="utf-8")
        os.environ.update(self.emulator.environment)
        clients.reset()
        clients.session().register("before-send", Wire(self.emulator.endpoint))
        self.deployment = templates.deploy(template, clients.client, {"couriers": self._accounts})
        os.environ.update(self.deployment.environment)
        self.world = dataclasses.replace(
            wiring.real(), clock=self.clock.now, webhooks_may_be_private=True, log=self._write_log
        )
        wiring.use(self.world)
        journal.write_to(self._write_line if self._log is not None else None)
        from app import app

        self.front = Front(app, template, self._port)
        self.front.__enter__()
        self.world.public_url = self.front.url
        self.pumps = Pumps(self.deployment, clients.client, self.clock)
        self._urls = settings.read().queue_urls()
        self.world.queues = Counted(self.world.queues, self._sent)
        self.world.table = Watched(self.world.table, self.dues.note)
        self.pumps.anything_due = lambda handler: self.dues.any_at(self.clock.now(), handler == "app.tick")
        return self

    def _sent(self, topic: Topic, count: int) -> None:
        self.pumps.expect(self._urls[topic], count)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pumps.stop()
        self.front.__exit__()
        self.brands.close()
        self.emulator.stop()
        journal.write_to(None)
        wiring.use(None)
        if self._log is not None:
            self._log.close()

    def key(self, role: Role, owner: str) -> str:
        """A fresh key of that role."""
        return enlist.create_key(self.world, role, owner)

    def _write_log(self, event: str, **facts: Any) -> None:
        journal.log(event, at=self.clock.now().isoformat(timespec="seconds"), **facts)

    def remark(self, event: str, **facts: Any) -> None:
        """A line of the sandbox's own, with whatever it found; it plays with nobody's real data."""
        self._write_line(json.dumps({"event": event, **facts}, default=str, ensure_ascii=False) + "\n")

    def _write_line(self, line: str) -> None:
        with self._log_lock:
            if self._log is not None and not self._log.closed:
                self._log.write(line)


class Counted:
    """The real queues; reports what was sent, so that empty queues need not be asked."""

    def __init__(self, queues: Queues, report: Any) -> None:
        self._queues, self._report = queues, report

    def nudge(self, topic: Topic, ids: Iterable[str]) -> None:
        names = list(dict.fromkeys(ids))
        self._queues.nudge(topic, names)
        self._report(topic, len(names))

    def put_aside(self, topic: Topic, letter: Letter) -> None:
        self._queues.put_aside(topic, letter)

    def set_aside(self) -> Mapping[Topic, int]:
        return self._queues.set_aside()


class Watched:
    """The real table; reports when each row it writes is due. Reading is left to the table."""

    def __init__(self, table: Table, report: Any) -> None:
        self._table, self._report = table, report

    def __getattr__(self, verb: str) -> Any:
        return getattr(self._table, verb)

    def write(self, *changes: Change) -> None:
        self._table.write(*changes)
        for change in changes:
            if isinstance(change, Keep):
                row = change.row
                self._report(row.key, row.due, (row.work or "").startswith("pool#"))
            elif isinstance(change, Drop):
                self._report(change.key, None, False)


class Dues:
    """When each row that was written is due, so that virtual time can jump over the minutes in which the schedules
    would find nothing."""

    def __init__(self) -> None:
        self._due: dict[bool, dict[Key, str]] = {True: {}, False: {}}
        """By whether the row waits in a pool, which is the tick's; everything else is the sweep's."""
        self._lock = threading.Lock()

    def note(self, key: Key, due: str | None, in_pool: bool) -> None:
        with self._lock:
            for known in self._due.values():
                known.pop(key, None)
            if due is not None:
                self._due[in_pool][key] = due

    def any_at(self, now: datetime, in_pool: bool) -> bool:
        with self._lock:
            return min(self._due[in_pool].values(), default="~") <= stamp(now)
