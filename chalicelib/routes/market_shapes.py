"""What the routes of a market and its fleet say. Imported by the views that need it."""

from __future__ import annotations

from pydantic import Field

from chalicelib.domain.breaker import Breaker
from chalicelib.domain.fleet import Courier, Crew, Fleet, Permit, Record, Slot
from chalicelib.domain.places import Market
from chalicelib.domain.shapes import Shape
from chalicelib.domain.suspicion import Suspicion


class MarketList(Shape):
    """Every market, by name."""

    data: tuple[Market, ...]
    has_more: bool = False


class SuspicionList(Shape):
    """Compounds that couriers could not get into within a day, the latest first. Two reports hold what goes there."""

    data: tuple[Suspicion, ...]
    has_more: bool = False


class FleetView(Shape):
    """A market's fleet at one reading; `left` is what each slot still holds."""

    couriers: tuple[Courier, ...]
    crews: tuple[Crew, ...]
    permits: tuple[Permit, ...]
    slots: tuple[Slot, ...]
    left: dict[str, int]
    breakers: tuple[Breaker, ...] = Field(
        default=(),
        description="Of couriers that fail: nothing is planned for one until its time of peace is over.",
    )
    uses_left: dict[str, int] = Field(description="Of each permit for a single use.")
    taken: dict[str, int] = Field(
        default={},
        description="Of slots that state their room: millilitres by `volume#<slot>`, grams by `weight#<slot>`.",
    )
    records: dict[str, Record] = Field(
        default={},
        description="Of couriers, their gifts of the last 24 weeks: how many came within the hours asked for.",
    )


def fleet_view(fleet: Fleet) -> FleetView:
    """The fleet as it is shown: of a courier's record the sum."""
    return FleetView(
        couriers=tuple(fleet.couriers.values()),
        crews=tuple(fleet.crews.values()),
        permits=tuple(fleet.permits.values()),
        slots=tuple(fleet.slots.values()),
        left=fleet.left,
        breakers=tuple(fleet.breakers.values()),
        uses_left={
            name: fleet.uses_left.get(name, 1) for name, permit in fleet.permits.items() if permit.single_use
        },
        taken=fleet.taken,
        records={
            name: Record(
                on_time=sum(each.on_time for each in periods.values()),
                late=sum(each.late for each in periods.values()),
            )
            for name, periods in fleet.records.items()
        },
    )
