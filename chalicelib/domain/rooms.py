"""Room: what a gift takes of a vehicle beside one of its places, by volume and by weight, where the slot states it.

What is taken is counted beside the fleet, a row for each slot and measure, in the transaction that assigns, and
compared with what the slot states at that moment, as quotas are: a slot that states another room needs no counter anew.
How much goes back when the place does is read off the gift, which never changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from chalicelib.domain.fleet import Slot
from chalicelib.domain.gifts import Gift
from chalicelib.domain.legs import MEASURES, QuotaTaken
from chalicelib.domain.quotas import KEPT, Need

ENDLESS: Final = 10**12
"""Of a measure that the slot does not state."""

Size = tuple[int, ...]
"""Millilitres and grams; and of a round in which somebody rides alone, how much of the vehicle (`alone.WHOLE`)."""


def size_of(gift: Gift) -> Size:
    """What it takes; of an item that states none, nothing."""
    return gift.millilitres, gift.grams


def room_of(slot: Slot) -> Size | None:
    """What the slot has when it is empty. None: it states nothing, and has room for whatever has a place."""
    if slot.room_litres is None and slot.load_kilograms is None:
        return None
    volume, weight = (
        ENDLESS if stated is None else stated * 1000 for stated in (slot.room_litres, slot.load_kilograms)
    )
    return volume, weight


def left_of(slot: Slot, taken: Mapping[str, int]) -> Size | None:
    """What is left of it; `taken` as `fleet.Fleet` has it."""
    room = room_of(slot)
    if room is None:
        return None
    volume, weight = (
        max(0, most - taken.get(f"{per}#{slot.slot_id}", 0)) for per, most in zip(MEASURES, room, strict=True)
    )
    return volume, weight


def needed(slot: Slot, gift: Gift) -> dict[QuotaTaken, Need]:
    """What a delivery of that gift takes of that slot's room."""
    room = room_of(slot)
    if room is None:
        return {}
    return {
        QuotaTaken.model_construct(per=per, name=slot.slot_id, day=None): Need(  # type: ignore[arg-type]
            most, slot.window.end + KEPT, size
        )
        for per, most, size in zip(MEASURES, room, size_of(gift), strict=True)
        if size and most < ENDLESS
    }


def amount(taken: QuotaTaken, gift: Gift) -> int:
    """How much of that counter an assignment of the gift holds."""
    if taken.per not in MEASURES:
        return 1
    return size_of(gift)[MEASURES.index(taken.per)]
