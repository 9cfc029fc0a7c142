"""How a simulated courier company behaves: what becomes of each job and of each callback, drawn from a seed.

Drawn by the job's reference, so that neither threads nor the order of requests change a scenario.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from sandbox.ledger import CourierJob, Delivered

Aim = Literal["arrival", "pick_up", "search"]
"""What a job asked a time for: to have arrived, the pick-up, or when to start looking for a courier."""
Spoiled = Literal["lost", "doubled", "reordered", "forged"]
Failure = Literal["courier_reason", "merchant_fault", "courier_system", "force_majeure"]
"""How a job fails before its pick-up: the first two at the shop, the last two when a courier should be found."""
AT_SHOP: frozenset[Failure] = frozenset({"courier_reason", "merchant_fault"})


@dataclass(frozen=True)
class Wish:
    """When a job is to be done."""

    at: datetime | None = None
    """None: at once."""
    aim: Aim = "arrival"
    not_before: datetime | None = None
    """Nobody comes for the gift before."""
    stays: timedelta = timedelta()
    """Of a visit: so long it stays there, before it says that it is done."""


@dataclass(frozen=True)
class Fate:
    """What becomes of one booking and of the tries to cancel it."""

    book: Literal["accept", "refuse", "stall", "stall_lost"] = "accept"
    """`stall`: the job is made and no answer comes; `stall_lost`: no answer and no job."""
    refusal: str = "no_rider"
    """Why it says no: "no_rider", "out_of_area", "closed_area", "goods_refused" or "account_unpaid"."""
    cancel_stalls: int = 0
    """So many cancellations in a row get no answer; every second of them takes effect all the same."""
    failure: Failure | None = None
    forgets: bool = False
    """It says that it took the job, and knows nothing of it from then on."""
    boasts: bool = False
    """It calls that it has delivered as soon as somebody is assigned. Asked, it tells the truth."""
    at_gate: Delivered | None = None
    """How it goes at the destination, whatever the scenario has there: a pass that has lapsed, a compound that
    nobody knew was closed."""


@dataclass(frozen=True)
class Down:
    """A time for which the company cannot be reached."""

    start: datetime
    end: datetime
    how: Literal["gone", "unavailable"] = "gone"
    """`gone`: nobody takes the connection; `unavailable`: 503 to everything."""


@dataclass(frozen=True)
class Timings:
    """When what happens to a job that goes well."""

    assigned: datetime
    at_shop: datetime
    picked_up: datetime
    in_transit: datetime
    arrived: datetime


@dataclass
class Conduct:
    """How the company behaves. Chances are drawn per job, and for callbacks per callback."""

    seed: int = 0
    refuse: float = 0.0
    refusals: tuple[str, ...] = ("no_rider",)
    stall: float = 0.0
    stall_lost: float = 0.0
    fail: float = 0.0
    failures: tuple[Failure, ...] = ("courier_reason", "merchant_fault", "courier_system", "force_majeure")
    cancel_stall: float = 0.0
    cancel_after_pick_up: Literal["returns", "refused"] = "returns"
    lose: float = 0.0
    double: float = 0.0
    reorder: float = 0.0
    forge: float = 0.0
    forget: float = 0.0
    own_up_after: timedelta | None = None
    """So long after it took a job that it forgot, somebody finds that out and has it reported as cancelled."""
    boast: float = 0.0
    closed: float = 0.0
    """Arrivals at a door that turns out to be closed: to this gift, or to this courier, whose pass has lapsed."""
    stall_seconds: float = 0.0
    """Real seconds for which a stalled request is held before the line is cut; 0 cuts it at once."""
    slow_seconds: float = 0.0
    """Real seconds by which every answer comes late."""
    busy: float = 0.0
    """Requests answered 429; the same one may pass when it is asked again."""
    retry_after: timedelta = timedelta(seconds=30)
    """What a 429 and a 503 say."""
    down: tuple[Down, ...] = ()
    """Read once, when the company opens."""

    fee: int = 1_850
    """What a job costs, in minor units."""
    cancel_fee: int = 200
    """What it costs to cancel one that somebody is on the way for."""
    assign_after: timedelta = timedelta(minutes=2)
    shop_wait: timedelta = timedelta(minutes=5)
    ride: timedelta = timedelta(minutes=30)
    late: timedelta = timedelta(0)
    """Arrival counted from the time the job asked for."""
    immediate: timedelta = timedelta(minutes=60)
    """Arrival counted from the booking when the job asked for no time."""
    return_after: timedelta = timedelta(minutes=40)
    reorder_by: timedelta = timedelta(minutes=20)
    at_gate: Callable[[CourierJob], Delivered] = lambda job: "door"
    """Asked on arrival: a scenario seals a compound here."""
    fates: dict[str, Fate] = field(default_factory=dict)
    """Fates by reference that are not left to chance."""

    def fate_of(self, reference: str) -> Fate:
        """What becomes of this booking."""
        told = self.fates.get(reference)
        if told is not None:
            return told
        dice = random.Random(f"{self.seed}/{reference}")  # nosec B311 - dice of a game
        draw, refusal = dice.random(), dice.choice(self.refusals)
        failing, failure, stalling = dice.random(), dice.choice(self.failures), dice.random()
        book: Literal["accept", "refuse", "stall", "stall_lost"] = "accept"
        if draw < self.refuse:
            book = "refuse"
        elif draw < self.refuse + self.stall:
            book = "stall"
        elif draw < self.refuse + self.stall + self.stall_lost:
            book = "stall_lost"
        # dice of their own, so that what came later to this game changes nothing that was drawn before
        lies = random.Random(f"{self.seed}/{reference}/lies")  # nosec B311 - dice of a game
        forgets, boasts, closed = lies.random(), lies.random(), lies.random()
        return Fate(
            book=book,
            refusal=refusal,
            cancel_stalls=dice.choice((1, 2)) if stalling < self.cancel_stall else 0,
            failure=failure if failing < self.fail else None,
            forgets=forgets < self.forget,
            boasts=boasts < self.boast,
            at_gate="closed" if closed < self.closed else None,
        )

    def is_busy(self, verb: str, reference: str, times: int) -> bool:
        """Whether this request, asked for the so manieth time, is put off."""
        if not self.busy:
            return False
        dice = random.Random(f"{self.seed}/{reference}/{verb}/{times}")  # nosec B311 - dice of a game
        return dice.random() < self.busy

    def is_down(self, at: datetime) -> bool:
        return any(down.start <= at < down.end for down in self.down)

    def spoils(self, reference: str, status: str) -> frozenset[Spoiled]:
        """What goes wrong with the callback of this status, named in the company's own word."""
        dice = random.Random(f"{self.seed}/{reference}/{status}")  # nosec B311 - dice of a game
        chances: tuple[tuple[Spoiled, float], ...] = (
            ("lost", self.lose),
            ("doubled", self.double),
            ("reordered", self.reorder),
            ("forged", self.forge),
        )
        return frozenset(name for name, chance in chances if dice.random() < chance)

    def timings(self, booked: datetime, wish: Wish) -> Timings:
        """When it means to do what, for a job that asked for that time."""
        assigned = booked + self.assign_after
        arrived = wish.at or booked + self.immediate
        if wish.at is not None and wish.aim == "pick_up":
            arrived = wish.at + self.ride
        elif wish.at is not None and wish.aim == "search":
            assigned = max(booked, wish.at) + self.assign_after
            arrived = assigned + self.shop_wait + self.ride
        arrived += self.late
        picked_up = max(assigned + self.shop_wait, arrived - self.ride, wish.not_before or booked)
        return Timings(
            assigned=assigned,
            at_shop=max(assigned, picked_up - self.shop_wait),
            picked_up=picked_up,
            in_transit=picked_up + timedelta(minutes=1),
            arrived=max(arrived, picked_up + timedelta(minutes=2)) + wish.stays,
        )
