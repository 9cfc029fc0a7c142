"""Riding alone: a safeguarded gift takes a vehicle whole, unless its courier's insurer lets it share one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from chalicelib.domain.fleet import Courier, Slot
from chalicelib.domain.gifts import Gift
from chalicelib.domain.legs import QuotaTaken
from chalicelib.domain.quotas import KEPT, Need

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
