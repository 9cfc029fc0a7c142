"""A campaign in the sandbox: handed in as a list, foreseen, and placed; `python -m bench.campaign [CLIENTS] [--kill]`.

Everything goes over HTTP and through the queues of the embedded AWS, as `make run` has it. Only the campaign's queue is
worked at, by as many runs at a time as the pumps have workers, so that what is measured is placing and not planning.
With `--kill` placing dies twice in the middle of a page, at some write, and its message is lost; then it is counted
who has how many. On a machine that others use as well the wall clock says how busy they are: CPU stands beside it, and
what is reached if no two of these seconds ever overlapped.
"""

from __future__ import annotations

import io
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import urllib3

from chalicelib.domain import lanes
from chalicelib.domain.keys import Role
from chalicelib.domain.ports import Topic
from sandbox import run, shanghai
from sandbox.client import Client
from sandbox.clock import VirtualClock
from sandbox.stand import HOME, Stand

CLIENTS = 10_000
GOAL = 100
"""Orders a second."""
BRAND = "maison-celadon"
HEAD = (
    "reference,name,phone,country,locale,time_zone,consent_service,consent_evidence,"
    "city,district,compound,building,unit,line,lng,lat,datum,match_quality"
)
PART = 900_000
CAPS = [
    {"per": "client", "at_most": 1, "occasion": "easter"},
    {"per": "household", "at_most": 4, "days": 30},
]


def table(count: int) -> bytes:
    """So many invented clients, each in a flat of his own."""
    page = io.StringIO()
    page.write(HEAD + "\n")
    for number in range(count):
        flat = f"{number % 97},{number}"
        page.write(
            f"vic-{number},Client {number},+86170{number:08d},CN,zh-CN,Asia/Shanghai,2022-01-10,form-7,"
            f'Shanghai,310101,Garden Court,{flat},"Garden Court, Huangpu",121.4903,31.2228,GCJ02,exact\n'
        )
    return page.getvalue().encode()


class Killed(BaseException):
    """The process is gone: nothing catches it but whoever starts the next one."""


def main(arguments: list[str]) -> int:
    """Print what was measured; 1 where somebody has none or two, or it took too long."""
    kills = 2 if "--kill" in arguments else 0
    count = next((int(each) for each in arguments if each.isdigit()), CLIENTS)
    clock = VirtualClock(shanghai.local(8))
    with Stand(clock, {}, log=HOME / "bench-campaign.log") as stand:
        pool = urllib3.PoolManager()
        operator = Client(stand.front.url, stand.key(Role.OPERATOR, "control-room"), pool)
        brand = Client(stand.front.url, stand.key(Role.BRAND, BRAND), pool)
        run.furnish(operator, clock.now())
        stand.pumps.settle()
        brand("PUT", "/v1/programme", {"caps": CAPS})
        timed = _Timed(stand)
        print(
            f"{'work':36}{'wall':>10}{'our CPU':>10}{'AWS, CPU':>10}{'a second':>9}{'of CPU':>10}", flush=True
        )
        listed = timed("list read, and all of it enrolled", count, lambda: hand_in(brand, count))
        campaign = timed("gathered and foreseen", count, lambda: _mount(brand, clock, listed))
        path = f"/v1/campaigns/{campaign}"
        version = brand("GET", path)["version"]
        restore = _kill(stand, kills)
        rate = timed.rate(
            "placed, caps checked",
            count,
            lambda: _place(brand, path, version),
            lambda: _is_placed(brand, path),
        )
        restore()
        told = brand("GET", path)["progress"]["outcomes"]
        ids = [order["order_id"] for order in brand.pages("/v1/orders")]
        doubled = [order_id for order_id, times in Counter(ids).items() if times > 1]
        fine = told == {"placed": count} and len(ids) == count and not doubled
        print(f"{told}; {len(ids)} orders, {len(doubled)} twice; killed {kills} times: "
              f"{'each client one' if fine else 'WRONG'}")  # fmt: skip
        print(f"{rate:.0f} orders a second; {GOAL} were to be reached")
        pool.clear()
    return 0 if fine and (rate >= GOAL or kills) else 1


def hand_in(brand: Client, count: int) -> str:
    raw = table(count)
    begun: str = brand("POST", "/v1/lists", {"kind": "clients"})["list_id"]
    parts = [raw[at : at + PART] for at in range(0, len(raw), PART)]
    for number, part in enumerate(parts, start=1):
        brand("PUT", f"/v1/lists/{begun}/parts/{number}", part, {"Content-Type": "text/csv"})
    brand("POST", f"/v1/lists/{begun}/finish", {"parts": len(parts)})
    return begun


def boxes(now: datetime, day: date, listed: str) -> dict[str, Any]:
    """A campaign of Easter boxes on that day, for everybody on the list."""
    whole = run.order_body(now)
    return {
        **{name: whole[name] for name in ("market", "gift", "pick_up")},
        "reference": "EASTER-BOXES",
        "audience": {"list_id": listed},
        "occasion": "easter",
        "day": day.isoformat(),
        "hours": [{"start": "14:00", "end": "18:00"}],
    }


def _mount(brand: Client, clock: VirtualClock, listed: str) -> str:
    now = clock.now()
    body = boxes(now, now.astimezone(shanghai.LOCAL).date(), listed)
    made: str = brand("POST", "/v1/campaigns", body, {"Idempotency-Key": "bench"})["campaign_id"]
    return made


def _place(brand: Client, path: str, version: int) -> None:
    brand("POST", f"{path}/place", headers={"If-Match": f'"v{version}"'})


def _is_placed(brand: Client, path: str) -> bool:
    return bool(brand("GET", path)["state"] == "placed")


class _Timed:
    """Works the campaign's queue off, and tells how long that took."""

    def __init__(self, stand: Stand) -> None:
        self.stand = stand
        self.queue = next(
            name for name, (f, _) in stand.pumps.listeners.items() if f.handler == "app.on_campaign"
        )

    def __call__(self, name: str, count: int, begin: Callable[[], Any]) -> Any:
        began = self._now()
        made = begin()
        self._drain()
        self._tell(name, count, began)
        return made

    def rate(self, name: str, count: int, begin: Callable[[], Any], is_over: Callable[[], bool]) -> float:
        began = self._now()
        begin()
        self._drain()
        while not is_over():  # somebody was killed, and its message lost
            self._sweep()
            self._drain()
        return self._tell(name, count, began)

    def _drain(self) -> None:
        self.stand.pumps._drain({self.queue})

    def _sweep(self) -> None:
        """What the sweep does two minutes later, without the planner's two minutes."""
        world = self.stand.world
        page = world.table.find_due(lanes.WORK, world.clock() + lanes.PATIENCE, 500)
        names = [lanes.lane_of_row(row).name for row in world.table.get_many(page.keys)]
        world.queues.nudge(Topic.CAMPAIGN, names)

    def _now(self) -> tuple[float, float, float]:
        """Wall, CPU of this process, CPU of the embedded AWS."""
        process = self.stand.emulator._process
        assert process is not None
        spent = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        theirs = (int(spent[11]) + int(spent[12])) / os.sysconf("SC_CLK_TCK")
        return time.perf_counter(), time.process_time(), theirs

    def _tell(self, name: str, count: int, began: tuple[float, float, float]) -> float:
        wall, ours, theirs = (after - before for before, after in zip(began, self._now(), strict=True))
        least = count / (ours + theirs)
        print(
            f"{name:36}{wall:8.1f} s{ours:8.1f} s{theirs:8.1f} s{count / wall:9.0f}{least:10.0f}", flush=True
        )
        return max(count / wall, least)


def _kill(stand: Stand, kills: int) -> Callable[[], None]:
    """That many times the process dies at some write, before or after it."""
    if not kills:
        return lambda: None
    world = stand.world
    plain, left, chance = world.table, [kills], random.Random(7)  # nosec B311 - chooses where to stop

    class Mortal:
        def __getattr__(self, name: str) -> Any:
            return getattr(plain, name)

        def write(self, *changes: Any) -> None:
            dies = left[0] > 0 and chance.random() < 0.01
            if dies and chance.random() < 0.5:
                left[0] -= 1
                raise Killed
            plain.write(*changes)
            if dies:
                left[0] -= 1
                raise Killed

    world.table = Mortal()
    handlers = stand.pumps._handlers
    name = next(f.name for f, _ in stand.pumps.listeners.values() if f.handler == "app.on_campaign")
    handle = handlers[name]

    def handled(event: Any, context: Any) -> Any:
        try:
            return handle(event, context)
        except Killed:
            world.memory.clear()
            return {"batchItemFailures": [{"itemIdentifier": r["messageId"]} for r in event["Records"]]}

    handlers[name] = handled

    def restore() -> None:
        world.table, handlers[name] = plain, handle

    return restore


if __name__ == "__main__":
    os.environ.setdefault("AWS_MAX_ATTEMPTS", "3")
    sys.exit(main(sys.argv[1:]))
