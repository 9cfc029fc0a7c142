"""What a simulated courier company writes down: its jobs, step by step, and the callbacks it sent.

In words of no dialect: what each step is called on the wire is its voice's business. This is what really happened,
and what the invariants are checked against.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from sandbox.conduct import Fate, Timings

Delivered = Literal["door", "gate", "none", "refused", "closed"]
"""How it went at the destination: to the client, to the compound; nobody was there, the client would not have it,
or the courier was not let in. Of the last three the gift comes back."""
HANDED_OVER: frozenset[Delivered] = frozenset({"door", "gate"})


class Stage(StrEnum):
    """Where a job can be."""

    ACCEPTED = "accepted"
    ASSIGNED = "assigned"
    AT_SHOP = "at_shop"
    PICKED_UP = "picked_up"
    IN_TRANSIT = "in_transit"
    DELIVERED = "delivered"
    RETURNING = "returning"
    RETURNED = "returned"
    PICK_UP_FAILED = "pick_up_failed"
    """The courier came and went without the gift."""
    CANCELLED = "cancelled"
    """Before the pick-up, by us or by the company; the step's reason says by whom."""


ENDS = frozenset({Stage.DELIVERED, Stage.RETURNED, Stage.PICK_UP_FAILED, Stage.CANCELLED})


@dataclass(frozen=True)
class Step:
    """One step of a job.

    `reason`: of `cancelled`, "merchant_cancelled", "courier_system" or "force_majeure"; of `pick_up_failed`,
    "courier_reason" or "merchant_fault"; of `returning`, "recalled", "client_unavailable", "client_refused" or
    "cannot_access_location".
    """

    at: datetime
    stage: Stage
    reason: str = ""


@dataclass
class CourierJob:
    """One line of the ledger: a booking as the company holds it."""

    reference: str
    delivery_id: str
    """The company's own name for it."""
    order: Any
    """The request as its voice read it."""
    booked_at: datetime
    asked_for: datetime | None
    timings: Timings
    fate: Fate
    fee: int
    """In minor units."""
    steps: list[Step] = field(default_factory=list)
    picked_up_at: datetime | None = None
    handed_over_at: datetime | None = None
    handed_over: Delivered | None = None
    cancelled_at: datetime | None = None
    returned_at: datetime | None = None
    ended_at: datetime | None = None
    cancel_tries: int = 0
    recalled_at: datetime | None = None
    """When it was first asked to stop because nobody was cleared any more."""

    @property
    def stage(self) -> Stage:
        return self.steps[-1].stage

    @property
    def is_live(self) -> bool:
        """True while a courier may still move."""
        return self.ended_at is None

    @property
    def has_custody(self) -> bool:
        """True while the gift is with the courier."""
        return self.picked_up_at is not None and self.ended_at is None

    @property
    def is_delivered(self) -> bool:
        return self.handed_over_at is not None


@dataclass(frozen=True)
class Sent:
    """One callback that went out, or was meant to."""

    at: datetime
    reference: str
    status: str
    """In the company's own word."""
    how: Literal["true", "lost", "forged"]
    answer: int | None
    """The HTTP status we answered; None: lost, or nobody answered."""


def most_live_at_once(jobs: Iterable[CourierJob]) -> int:
    """How many of these jobs were ever live together: of one order, more than one is two couriers for one gift."""
    moments: list[tuple[datetime, int]] = []
    for job in jobs:
        moments.append((job.booked_at, 1))
        if job.ended_at is not None:
            moments.append((job.ended_at, -1))
    most = now = 0
    for _, change in sorted(moments):  # an end counts before a start of the same moment
        now += change
        most = max(most, now)
    return most
