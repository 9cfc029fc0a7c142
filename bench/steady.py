"""Two hundred orders a minute, for half an hour, planned as they come and again each minute: how long until a courier
is asked, and who is moved.

`python -m bench.steady` (`make steady`). Flows, queues and workers as in `clockwork.py`; the couriers are on paper.
What happens meanwhile, all of it invented: of a hundred bookings one is refused; a district is closed for ten minutes;
twenty crews of four hundred go home; slots at half the price are put in, for which nobody is to be moved; of a thousand
messages one is lost. A wait is counted from the placing, and for those that the closing held from the moment that the
district was open again. Moved is who has been offered to a courier and is then given another slot.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import quantiles
from typing import Any

from bench.clockwork import Clock, Clockwork
from chalicelib.domain import facts
from chalicelib.domain.dialect import Reply, Request
from chalicelib.domain.evidence import Evidence, Step
from chalicelib.domain.fleet import Courier
from chalicelib.domain.legs import order_of
from chalicelib.domain.orders import NewOrder, Order
from chalicelib.domain.places import Market
from chalicelib.domain.ports import World
from chalicelib.domain.verdicts import Decision
from chalicelib.flows import enlist, place, publish, receive, sweep
from tests import drive, fakes, stage
from tests.paper import ACCOUNT, PaperCompany, PaperDialect
from tests.simulation.store import Store

NOON, MINUTE = stage.NOON, timedelta(minutes=1)
A_MINUTE, MINUTES, REST = 200, 30, 10
"""Orders a minute, minutes, and minutes after the last order until it is looked who has a courier."""
SHARDS, DISTRICTS, CREWS, COURIERS, CAPACITY = 16, 16, 400, 8, 12
CLOSED, CLOSES, OPENS = 3, 10, 20
"""A district, and the minutes from which it is closed and open again."""
GONE, GO = 20, 14
"""Crews that go home, and the minute."""
CHEAP, COME = 100, 22
"""Slots at half the price, and the minute."""
REFUSED, LOST = 0.01, 0.001
TIERS = ("standard", "silver", "gold", "platinum", "diamond")


class Town:
    """One market for an afternoon."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)  # nosec B311 - dice of a bench
        self.clock = Clock(NOON)
        self.offered: dict[str, list[datetime]] = {}
        """Of each order, when a courier was asked to take it."""
        self.placed: dict[str, datetime] = {}
        self.company = PaperCompany(self.clock)
        secrets = fakes.FakeSecrets()
        secrets.by_account["paper", "main"] = [ACCOUNT]
        plain = fakes.world(
            clock=self.clock,  # type: ignore[arg-type]
            table=Store(self.clock),
            line=fakes.FakeLine(self._answer),
            dialects={"paper": PaperDialect()},
            secrets=secrets,
            seed=seed,
        )
        self._furnish(plain)
        self.work = Clockwork(plain, self.clock, seed, LOST)
        self.log: list[dict[str, Any]] = plain.log.lines  # type: ignore[attr-defined]

    # --- the afternoon ----------------------------------------------------------------------------------------

    def play(self) -> None:
        work = self.work
        for number in range(A_MINUTE * MINUTES):
            minute = number // A_MINUTE
            at = NOON + minute * MINUTE + timedelta(seconds=60 * self.dice.random())
            work.at(at, lambda number=number: self._place(number))  # type: ignore[misc]
        for minute in range(1, MINUTES + REST + 1):
            work.at(NOON + minute * MINUTE, lambda: work.call(sweep.tick, "tick"))
            work.at(NOON + minute * MINUTE, lambda: work.call(sweep.sweep, "sweep"))
        work.at(NOON + CLOSES * MINUTE, lambda: self._rule("banned@1", "sealed"))
        work.at(NOON + OPENS * MINUTE, lambda: self._rule("precautionary@1", "precautionary"))
        work.at(NOON + GO * MINUTE, lambda: work.call(self._go_home, "api_handler"))
        work.at(NOON + COME * MINUTE, lambda: work.call(self._come, "api_handler"))
        work.run_until(NOON + (MINUTES + REST) * MINUTE)

    def _place(self, number: int) -> None:
        district = number % DISTRICTS
        said = stage.body(f"Lane {number}", tier=TIERS[number % 5])
        said["recipient"]["place"]["address"]["district"] = _code(district)
        said["pick_up"]["place"]["address"]["district"] = _code((district + 5) % DISTRICTS)
        start = self.work.now + self.dice.choice((1, 2, 3, 4)) * timedelta(hours=1)
        said["window"] |= {"start": start.isoformat(), "end": (start + timedelta(hours=3)).isoformat()}
        new = NewOrder.model_validate_json(json.dumps(said))
        order, _ = self.work.call(
            lambda world: place.place(world, "maison", f"key-{number}", new), "api_handler"
        )
        self.placed[order.order_id] = order.placed_at

    def _rule(self, policy: str, level: str) -> None:
        feature = _district(CLOSED, policy, level)
        self.work.call(lambda world: _publish(world, "amend", [feature]), "on_rules")

    def _go_home(self, world: World) -> None:
        for n in range(1, GONE + 1):
            enlist.put_crew(world, stage.crew(n, courier_id=_courier(n), withdrawn=True))

    def _come(self, world: World) -> None:
        for n in range(GONE + 1, GONE + CHEAP + 1):
            _put_slot(world, n, "cheap", 8, 1500)

    def _answer(self, request: Request) -> Reply:
        verb = request.url.rsplit("/", 1)[1]
        reference = json.loads(request.body)["reference"]
        if verb == "book":
            named = order_of(reference)
            assert named is not None
            self.offered.setdefault(named[0], []).append(self.clock())
            if self.dice.random() < REFUSED:
                return Reply(200, {}, json.dumps({"said": "no", "why": "no_riders"}).encode())
            courier = self._courier_of(named[0])
            wait = timedelta(seconds=self.dice.uniform(20, 90))
            self.work.at(self.clock() + wait, lambda: self._say(reference, courier))
        return self.company(request)

    def _courier_of(self, order_id: str) -> str:
        given = self.order(order_id).leg.assignment
        assert given is not None
        return given.courier_id

    def _say(self, reference: str, courier: str) -> None:
        said = self.company.move(reference, "courier_assigned", self.work.now)
        self.work.call(lambda world: receive.receive(world, "SHA", courier, said), "api_handler")

    def order(self, order_id: str) -> Order:
        """As it stands, at no cost."""
        row = self.work.world.table._plain.rows[facts.order_key(order_id)]  # type: ignore[attr-defined]
        return facts.order_of_row(row)

    # --- the morning ------------------------------------------------------------------------------------------

    def _furnish(self, world: World) -> None:
        enlist.put_market(world, Market.model_validate({**stage.MARKET, "shards": SHARDS}))
        policies = [stage.OPEN_TO_THE_DOOR, stage.CONTACTLESS, stage.CLOSED]
        _publish(world, "replace", [_district(n) for n in range(DISTRICTS)], policies)
        drive.settle(world)
        for n in range(COURIERS):
            enlist.put_courier(
                world, Courier(courier_id=_courier(n), market_id="SHA", dialect="paper", account="main")
            )
        for n in range(1, CREWS + 1):
            enlist.put_crew(world, stage.crew(n, courier_id=_courier(n)))
            enlist.put_permit(world, stage.permit(n))
            for shift in range(3):
                price = self.dice.randint(2000, 4000)
                _put_slot(world, n, f"{shift}", 2 * (n % 2) + 4 * shift, price)
        world.queues.sent.clear()  # type: ignore[attr-defined]

    # --- the evening ------------------------------------------------------------------------------------------

    def waits(self) -> tuple[list[float], list[float], int]:
        """Seconds from placed to offered; of those that the closing held, from the opening; and how many have never
        been offered."""
        plain, held, never = [], [], 0
        opened = NOON + OPENS * MINUTE
        for order_id, placed_at in self.placed.items():
            asked = self.offered.get(order_id)
            if asked is None:
                never += 1
            elif self._was_held(order_id) and placed_at < opened <= asked[0]:
                held.append((asked[0] - opened).total_seconds())
            else:
                plain.append((asked[0] - placed_at).total_seconds())
        return plain, held, never

    def moves(self) -> tuple[Counter[int], Counter[str], int]:
        """How many orders were moved so often; why; and how often the plan moved one though nobody had to."""
        counts, causes, unforced = Counter[int](), Counter[str](), 0
        for order_id in self.placed:
            given = [
                e.slot
                for e in self._evidence(order_id, Step.DISPATCH)
                if e.decision is Decision.YES and e.slot
            ]
            order = self.order(order_id)
            counts[max(0, len(given) - 1)] += 1
            refusals = len(order.leg.refusals)
            causes["a courier refused"] += refusals
            causes["rules or crews changed"] += max(0, len(given) - 1 - refusals)
            undone = sum(
                e.decision is not Decision.YES for e in self._evidence(order_id, Step.REZONE, Step.BOOK)
            )
            unforced = max(unforced, len(given) - 1 - refusals - undone)
        return counts, causes, unforced

    def _was_held(self, order_id: str) -> bool:
        return any(e.decision is not Decision.YES for e in self._evidence(order_id, Step.DISPATCH))

    def _evidence(self, order_id: str, *steps: Step) -> list[Evidence]:
        rows = self.work.world.table._plain.read(order_id, "evidence#").rows  # type: ignore[attr-defined]
        found = [Evidence.model_validate_json(row.body) for row in rows]
        return [piece for piece in found if piece.step in steps]


def _courier(number: int) -> str:
    return f"courier-{number % COURIERS}"


def _code(district: int) -> str:
    return f"3101{district:02d}"


def _district(number: int, policy: str = "precautionary@1", level: str = "precautionary") -> dict[str, Any]:
    unit = {"kind": "district", "district": _code(number)}
    return stage.zone(f"district-{number}", policy, level, unit=unit)


def _put_slot(world: World, crew: int, name: str, hour: float, price: int) -> None:
    starts = NOON + timedelta(hours=hour)
    window = {"start": starts, "end": starts + timedelta(hours=4)}
    told = {
        "slot_id": f"slot-{crew}-{name}",
        "courier_id": _courier(crew),
        "crew_id": f"crew-{crew}",
        "window": window,
        "price": {"amount": price, "currency": "CNY"},
    }
    enlist.put_slot(world, stage.slot(1, CAPACITY, **told))


def _publish(world: World, mode: str, features: Sequence[Any], policies: Sequence[Any] = ()) -> None:
    upload = publish.begin(world, "SHA", "bench", mode=mode, time_zone="Asia/Shanghai", datum="GCJ02")
    part = {"policies": list(policies), "features": list(features), "released": []}
    publish.add_part(world, "SHA", upload.upload_id, 1, json.dumps(part).encode())
    publish.finish(world, "SHA", upload.upload_id)


def rows(town: Town) -> list[tuple[str, str, str]]:
    """What is printed: what, how much, and what was promised."""
    plain, held, never = town.waits()
    counts, causes, unforced = town.moves()
    planned = [line for line in town.log if line["event"] == "planned"]
    told = [
        (f"{len(plain):,} gifts, from placed to offered: median", f"{_quantile(plain, 50):.1f} s", ""),
        ("  99 of 100 within", f"{_quantile(plain, 99):.1f} s", "< 75 s"),
        ("  the longest", f"{max(plain):.1f} s", ""),
        (
            f"{len(held):,} gifts that a closing held, from its end: median",
            f"{_quantile(held, 50):.1f} s",
            "",
        ),
        ("  99 of 100 within", f"{_quantile(held, 99):.1f} s", "< 75 s"),
        ("  the longest", f"{max(held):.1f} s", ""),
        ("gifts that were never offered", f"{never:,}", "0"),
        *((f"gifts that were moved {n} times", f"{counts[n]:,}", "") for n in range(max(counts) + 1)),
        (
            "the most that the plan moved one that nobody had refused or stopped",
            f"{unforced} times",
            "<= 2 times",
        ),
        ("the most that one was moved, whoever forced it", f"{max(counts)} times", ""),
        *((f"  moves because {cause}", f"{count:,}", "") for cause, count in causes.items()),
        ("rounds", f"{len(planned):,}", ""),
        ("messages lost", f"{town.work.losses:,}", ""),
    ]
    for function in town.work.functions.values():
        if function.runs:
            share = function.busy_s / function.workers / (60 * (MINUTES + REST))
            what = f"on_{function.name}: runs, longest, share of its {function.workers} workers"
            told.append((what, f"{function.runs:,}, {function.longest_s:.1f} s, {share:.0%}", ""))
    return told


def _quantile(of: Sequence[float], percent: int) -> float:
    return quantiles(of, n=100, method="inclusive")[percent - 1]


def main(seed: int) -> None:
    town = Town(seed)
    town.play()
    for what, ours, goal in rows(town):
        print(f"{what:70}{ours:>24}{goal:>12}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20220411)
