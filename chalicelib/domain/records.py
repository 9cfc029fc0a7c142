"""The record of a courier: how many of its gifts came within the hours that were asked for, and how many did not.

Counted in the transaction that hears of the hand-over, by periods of four weeks; each period counts half of the one
after it, and what is older than six of them is forgotten. Before a courier has a record its slots state what is
expected of them; that counts as so many gifts (`PRIOR`) and gives way as the record grows: a Beta prior, in whole
numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from chalicelib.domain.fleet import Fleet, Record, Slot
from chalicelib.domain.ports import Key, Take
from chalicelib.domain.shapes import Window

PERIOD: Final = timedelta(weeks=4)
PERIODS: Final = 6
PRIOR: Final = 40
"""Gifts that what a slot states is worth: with as many of its own, a courier's record counts as much."""
ON_TIME: Final = "on_time"
LATE: Final = "late"
ENDLESS: Final = 10**9

Known = dict[str, tuple[Slot, int, Slot]]
"""By slot: as it is stated, its figure, and the same with that."""


def period_of(at: datetime) -> int:
    """Its number, since 1970."""
    return int(at.timestamp()) // int(PERIOD.total_seconds())


def noted(collection: str, courier_id: str, at: datetime, *, on_time: bool) -> Take:
    """One gift more. `collection`: the fleet's."""
    period = period_of(at)
    until = datetime.fromtimestamp(0, UTC) + (period + PERIODS) * PERIOD
    key = Key(collection, f"record#{courier_id}#{period:05d}")
    return Take(key, ON_TIME if on_time else LATE, 1, ENDLESS, int(until.timestamp()))


def is_on_time(window: Window, handed_over_at: datetime) -> bool:
    """Within the hours that were asked for: too early is as bad as too late."""
    return window.start <= handed_over_at <= window.end


def aged(record: Mapping[int, Record], now: datetime) -> Record:
    """The whole of it, in 32nds of a gift."""
    present = period_of(now)
    on_time = late = 0
    for period, counted in record.items():
        age = max(0, present - period)
        if age < PERIODS:
            weight = 1 << (PERIODS - 1 - age)
            on_time += weight * counted.on_time
            late += weight * counted.late
    return Record(on_time=on_time, late=late)


def on_time_permille(stated: int, record: Record) -> int:
    """What is expected of a slot that states so much, of a courier with that record as `aged` has it."""
    prior = PRIOR << (PERIODS - 1)
    return (prior * stated + 1000 * record.on_time) // (prior + record.on_time + record.late)


def by_record(fleet: Fleet, now: datetime, known: Known | None = None) -> Fleet:
    """The fleet with slots that say what is expected of them now. `known` keeps them from one reading to the next."""
    if not fleet.records:
        return fleet
    known = {} if known is None else known
    records = {courier: aged(record, now) for courier, record in fleet.records.items()}
    slots: dict[str, Slot] = {}
    for name, slot in fleet.slots.items():
        record = records.get(slot.courier_id)
        if record is not None and record.on_time + record.late:
            expected = on_time_permille(slot.on_time_permille, record)
            kept = known.get(name)
            if kept is None or kept[0] is not slot or kept[1] != expected:
                kept = known[name] = (
                    slot,
                    expected,
                    slot.model_copy(update={"on_time_permille": expected}),
                )
            slots[name] = kept[2]
        else:
            slots[name] = slot
    for name in known.keys() - slots.keys():
        del known[name]
    return fleet.model_copy(update={"slots": slots})
