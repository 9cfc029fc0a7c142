"""Riding alone: a safeguarded gift takes a vehicle whole, unless its courier's insurer lets it share one.

Whole means the vehicle and not the slot: a plate that is in a second slot at the same hours, with whichever crew, is
shared. A gift is not planned beside such a slot, such a slot is not opened beside a gift, and where both happen at the
same time it is found before the courier is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from chalicelib.domain.fleet import Courier, Crew, Fleet, Slot
from chalicelib.domain.gifts import Gift
from chalicelib.domain.legs import Assignment, QuotaTaken
from chalicelib.domain.quotas import KEPT, Need
from chalicelib.domain.shapes import folded

WHOLE: Final = 1_000_000
"""Of the room of a vehicle that somebody has for himself: an ordinary gift takes one of it, and no slot has as many
places (`fleet.Slot.capacity`), so that no other is kept out by it, and none is beside who takes all."""


def rides_alone(gift: Gift, courier: Courier) -> bool:
    """True of a safeguarded gift that shares no vehicle of that courier: worth more than what its insurer lets ride
    beside others, and where it says nothing of that, whatever it is worth."""
    limit, value = courier.shared_up_to, gift.value
    return limit is None or limit.currency != value.currency or limit.amount < value.amount


def whole(slot: Slot) -> Mapping[QuotaTaken, Need]:
    """The mark that somebody rides alone in that slot, beside all its places: a capacity that is raised meanwhile lets
    nobody in."""
    taken = QuotaTaken.model_construct(per="alone", name=slot.slot_id, day=None)
    return {taken: Need(1, slot.window.end + KEPT)}


def vehicle_of(slot: Slot, crew: Crew | None) -> str:
    """What tells one vehicle from another."""
    return slot.crew_id if crew is None else folded(crew.vehicle.plate)


def is_beside(one: Slot, other: Slot) -> bool:
    """True of two slots that share hours."""
    return (
        one.slot_id != other.slot_id and one.window.overlap(other.window.start, other.window.end) is not None
    )


def has_company(gift: Gift, given: Assignment, courier: Courier, fleet: Fleet) -> bool:
    """True of an assigned gift that rides alone and does not: its insurer has said less since, the slot has had more
    places than it took, or its vehicle is in another slot at the same hours. `fleet`: the whole of it, as it is now."""
    if not rides_alone(gift, courier):
        return False
    slot = fleet.slots.get(given.slot_id)
    if slot is None or slot.capacity != given.places or all(taken.per != "alone" for taken in given.quotas):
        return True
    own = vehicle_of(slot, fleet.crews.get(slot.crew_id))
    return any(
        is_beside(slot, other) and vehicle_of(other, fleet.crews.get(other.crew_id)) == own
        for other in fleet.slots.values()
    )
