"""A courier's circuit breaker: who does not answer is left in peace for a while, and then asked by one alone.

*closed*: it is asked. *open*: nobody asks, and no gift is given to it. *half_open*: its time of peace is over, and one
question goes out; what comes back closes it, or opens it for twice as long. An answer that proves nothing does neither,
and another asks. Failures are counted in its row; a courier without one is closed, so that nothing is read or
written for couriers that do well.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

from chalicelib.domain.shapes import Instant, Shape

FAILURES = 5
"""So many failures ..."""
WITHIN = timedelta(minutes=5)
"""... since the first of them, not longer ago than this, open it."""
OPEN_MINUTES = (1, 2, 4, 8, 15)
"""How long it stays open, by how often it opened without having closed between."""
PROBE = timedelta(seconds=30)
"""So long one question may be under way, alone; the longest that a courier is waited for is ten seconds a try."""
LONGEST = timedelta(hours=1)
"""Of what a courier asks for by `Retry-After` no more than this is granted."""


class BreakerState(StrEnum):
    """May this courier be asked?"""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker(Shape):
    """What is on record against a courier."""

    market_id: str
    courier_id: str
    failures: int = Field(ge=0, description="Since `since`.")
    since: Instant
    why: str = Field(default="", max_length=64, description="The last failure, as a code.")
    trips: int = Field(default=0, ge=0, description="How often it opened without having closed between.")
    until: Instant | None = Field(default=None, description="Open until then. Absent: closed.")
    probe_until: Instant | None = Field(
        default=None, description="One is asking, and is waited for till then."
    )

    def state(self, now: datetime) -> BreakerState:
        if self.until is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self.until else BreakerState.HALF_OPEN

    def is_open(self, now: datetime) -> bool:
        """True while nobody asks."""
        return self.state(now) is BreakerState.OPEN

    def is_probed(self, now: datetime) -> bool:
        """True while somebody else is asking the one question."""
        return self.probe_until is not None and now < self.probe_until

    def probing(self, now: datetime) -> Breaker:
        """The same with the one question under way."""
        return self.model_copy(update={"probe_until": now + PROBE})


def failed(
    known: Breaker | None,
    market_id: str,
    courier_id: str,
    why: str,
    now: datetime,
    retry_after: timedelta | None = None,
) -> Breaker:
    """What is on record after one more failure. A courier that names a time is left in peace for that at once."""
    if known is None or (known.until is None and now - known.since > WITHIN):
        known = Breaker(market_id=market_id, courier_id=courier_id, failures=0, since=now)
    failures = known.failures + 1
    wished = min(retry_after or timedelta(), LONGEST)
    state = known.state(now)
    if state is BreakerState.OPEN:
        # asked before it opened, or beside it: it is open as long as it was going to be
        until = max(known.until or now, now + wished)
        return known.model_copy(update={"failures": failures, "why": why[:64], "until": until})
    opens = state is BreakerState.HALF_OPEN or failures >= FAILURES or wished > timedelta()
    if not opens:
        return known.model_copy(update={"failures": failures, "why": why[:64]})
    minutes = OPEN_MINUTES[min(known.trips, len(OPEN_MINUTES) - 1)]
    until = now + max(timedelta(minutes=minutes), wished)
    return known.model_copy(
        update={
            "failures": failures,
            "why": why[:64],
            "trips": known.trips + 1,
            "until": until,
            "probe_until": None,
        }
    )
