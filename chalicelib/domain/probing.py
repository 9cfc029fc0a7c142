"""Which gift asks a courier whether it is back.

A courier whose time of peace is over is asked by one alone (`breaker`). Were it given every gift that waits, one would
ask and the others be taken back, step by step, and their brands told of each; so it is given one gift, or those that
travel together, and the others wait for what comes of that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from chalicelib.domain.breaker import BreakerState
from chalicelib.domain.fleet import Fleet
from chalicelib.domain.orders import Order
from chalicelib.domain.verdicts import Decision, Reason, Verdict


class _Chances(NamedTuple):
    """Who says yes to an order and has a place left."""

    answers: Sequence[Verdict]
    """Kept, or its identity would go to another."""
    doubtful: frozenset[str]
    """Couriers that have to be asked whether they are back."""
    has_other: bool


def left_to_one(
    orders: Iterable[Order],
    verdicts: Mapping[str, Sequence[Verdict]],
    parties: Mapping[str, frozenset[str]],
    fleet: Fleet,
    now: datetime,
) -> Mapping[str, Sequence[Verdict]]:
    """The verdicts by order, with a no of every courier whose time of peace is over, but for the one gift that asks it.

    `parties`: by order those that it travels with, itself among them. Who has nobody else goes first, then who has been
    ruled on least, or the same gift would be given and taken back time after time. Orders that shared their answers
    share them still; without such a courier these are the verdicts that were given.
    """
    half_open = {
        name for name, breaker in fleet.breakers.items() if breaker.state(now) is BreakerState.HALF_OPEN
    }
    if not half_open:
        return verdicts
    of_slot = {name: slot.courier_id for name, slot in fleet.slots.items() if slot.courier_id in half_open}
    free = half_open - {name for name in half_open if fleet.breakers[name].is_probed(now)}
    chances = _chances(verdicts, of_slot, fleet.left)
    ruled = {order.order_id: order.evidence_count for order in orders}
    units = {parties.get(name, frozenset({name})): None for name in verdicts}
    asks: dict[str, str] = {}
    for courier_id in sorted(free):
        able = [
            unit for unit in units if not unit & asks.keys() and _may_ask(unit, courier_id, verdicts, chances)
        ]
        if able:
            chosen = min(able, key=lambda unit: _turn(unit, verdicts, chances, ruled))
            asks |= dict.fromkeys(chosen, courier_id)
    spared: dict[tuple[int, str], Sequence[Verdict]] = {}
    found: dict[str, Sequence[Verdict]] = {}
    for name, answers in verdicts.items():
        asked = asks.get(name, "")
        key = id(answers), asked
        if key not in spared:
            spared[key] = _spared(answers, lambda slot_id, asked=asked: of_slot.get(slot_id, asked) != asked)  # type: ignore[misc]
        found[name] = spared[key]
    return found


def _chances(
    verdicts: Mapping[str, Sequence[Verdict]], of_slot: Mapping[str, str], left: Mapping[str, int]
) -> dict[int, _Chances]:
    """By the identity of the answers, which many orders share."""
    found: dict[int, _Chances] = {}
    for answers in verdicts.values():
        if id(answers) not in found:
            yes = [
                of_slot.get(v.slot_id)
                for v in answers
                if v.decision is Decision.YES and left.get(v.slot_id, 0) > 0
            ]
            doubtful = frozenset(courier_id for courier_id in yes if courier_id is not None)
            found[id(answers)] = _Chances(answers, doubtful, None in yes)
    return found


def _may_ask(
    unit: frozenset[str],
    courier_id: str,
    verdicts: Mapping[str, Sequence[Verdict]],
    chances: Mapping[int, _Chances],
) -> bool:
    return all(name in verdicts and courier_id in chances[id(verdicts[name])].doubtful for name in unit)


def _turn(
    unit: frozenset[str],
    verdicts: Mapping[str, Sequence[Verdict]],
    chances: Mapping[int, _Chances],
    ruled: Mapping[str, int],
) -> tuple[bool, int, str]:
    has_other = all(chances[id(verdicts[name])].has_other for name in unit)
    return has_other, max(ruled.get(name, 0) for name in unit), min(unit)


def _spared(answers: Sequence[Verdict], is_spared: Callable[[str], bool]) -> Sequence[Verdict]:
    found = [
        v._replace(decision=Decision.NO, reasons=(Reason.COURIER_DOWN,), handovers=())
        if v.decision is Decision.YES and is_spared(v.slot_id)
        else v
        for v in answers
    ]
    return answers if all(new is old for new, old in zip(found, answers, strict=True)) else found
