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
    stall_seconds: float = 0.0
    """Real seconds for which a stalled request is held before the line is cut; 0 cuts it at once."""

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
        return Fate(
            book=book,
            refusal=refusal,
            cancel_stalls=dice.choice((1, 2)) if stalling < self.cancel_stall else 0,
            failure=failure if failing < self.fail else None,
        )

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
            arrived=max(arrived, picked_up + timedelta(minutes=2)),
        )
