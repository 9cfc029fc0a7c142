"""What couriers say at a gate, as evidence of a closure that nobody has announced.

One courier that was turned away may have come to the wrong gate. Two of them, or one with two gifts, within a day
are taken seriously: no further gift goes there before somebody has looked, for unknown is not open (house.md, law 7).
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from pydantic import Field

from chalicelib.domain.places import Address, district_key
from chalicelib.domain.shapes import Instant, Shape, folded

REASONS = frozenset({"cannot_access_location", "closed_area"})
"""What a courier says of a place that it could not get into."""
WITHIN = timedelta(hours=24)
"""So long a report counts."""
ENOUGH = 2
"""Reports, of different couriers or of different gifts, that hold what goes there."""
KEPT = 20
"""Reports kept of one place: the latest."""


class Report(Shape):
    """One courier's word of one gift."""

    order_id: str
    courier_id: str
    reason: str = Field(max_length=64)
    at: Instant


class Suspicion(Shape):
    """A compound that couriers could not get into."""

    suspicion_id: str = Field(description="Of district and compound, unreadable.")
    market_id: str
    district: str
    compound: str
    reports: tuple[Report, ...] = Field(max_length=KEPT)
    dismissed_at: Instant | None = Field(default=None, description="Somebody looked then, and it was open.")

    def live(self, now: datetime) -> tuple[Report, ...]:
        """The reports that count at that moment."""
        return tuple(report for report in self.reports if now - WITHIN < report.at)

    def holds(self, now: datetime) -> bool:
        """True while nothing more goes there. Once somebody has looked and found it open, one courier alone closes it
        no more, whatever it says of however many gifts."""
        live = self.live(now)
        if self.dismissed_at is not None:
            return len({report.courier_id for report in live}) >= ENOUGH
        return len(live) >= ENOUGH

    @property
    def last_at(self) -> datetime:
        """The last word on it."""
        said = [report.at for report in self.reports]
        return max([*said, *([self.dismissed_at] if self.dismissed_at else [])])

    def dismissed(self, now: datetime) -> Suspicion:
        """The same, and what was reported until now counts no more."""
        return self.model_copy(update={"reports": (), "dismissed_at": now})

    def with_report(self, report: Report) -> Suspicion:
        """The same with one more; who says the same of the same gift again says nothing new, while its word counts."""
        # the row outlives what it says: a gift may be sent out again the next day
        kept = self.live(report.at)
        said = {(known.order_id, known.courier_id) for known in kept}
        if (report.order_id, report.courier_id) in said:
            return self
        reports = sorted((*kept, report), key=lambda r: (r.at, r.order_id))
        return self.model_copy(update={"reports": tuple(reports[-KEPT:])})


def suspicion_id_of(address: Address) -> str | None:
    """The name under which a compound is suspected; None for an address that names none."""
    if address.compound is None:
        return None
    place = f"{district_key(address.district)}\x00{folded(address.compound)}"
    return hashlib.sha256(place.encode()).hexdigest()[:24]
