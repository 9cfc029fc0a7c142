"""The courier page: who can be asked, who is left in peace, and whose papers are about to end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from chalicelib.domain.board import Line, Risk
from chalicelib.domain.fleet import Fleet, TestResult
from chalicelib.domain.policies import Policy

AHEAD = timedelta(hours=24)
DEFAULT_HOURS = 48.0


@dataclass(frozen=True)
class CourierLine:
    """One company."""

    courier_id: str
    dialect: str
    suspended: bool
    word: str
    tone: str
    sign: str
    until: datetime | None
    failures: int
    gifts: int
    at_risk: int
    left: int
    record: str


@dataclass(frozen=True)
class Lapse:
    """Something that ends."""

    at: datetime
    what: str
    of: str
    courier: str | None


def told(fleet: Fleet, policies: Iterable[Policy], lines: Sequence[Line], now: datetime) -> dict[str, Any]:
    """What the page is told."""
    gifts = Counter(line.courier for line in lines if line.courier)
    at_risk = Counter(line.courier for line in lines if line.courier and line.risk < Risk.FINE)
    refused = Counter(
        line.courier or "no courier named" for line in lines if "courier_refused" in line.reasons
    )
    hours = min(
        (need.max_age_hours for policy in policies for need in policy.requirements), default=DEFAULT_HOURS
    )
    return {
        "couriers": [_line(fleet, name, gifts, at_risk, now) for name in sorted(fleet.couriers)],
        "lapsing": sorted(_lapsing(fleet, hours, now), key=lambda lapse: (lapse.at, lapse.of)),
        "test_hours": f"{hours:g}",
        "refusals": sorted(refused.items()),
    }


def _line(
    fleet: Fleet, name: str, gifts: Mapping[str, int], at_risk: Mapping[str, int], now: datetime
) -> CourierLine:
    courier, breaker = fleet.couriers[name], fleet.breakers.get(name)
    word, tone, sign = "asked", "fine", "✓"
    if breaker is not None and not breaker.is_open(now):
        word, tone, sign = "failing", "doubtful", "?"
    if breaker is not None and breaker.is_open(now):
        word, tone, sign = "left in peace", "late", "!"
    if courier.suspended:
        word, tone, sign = "suspended", "stranded", "×"
    records = fleet.records.get(name, {}).values()
    on_time, late = sum(each.on_time for each in records), sum(each.late for each in records)
    slots = [
        slot_id for slot_id, slot in fleet.slots.items() if slot.courier_id == name and slot.window.end > now
    ]
    return CourierLine(
        courier_id=name,
        dialect=courier.dialect,
        suspended=courier.suspended,
        word=word,
        tone=tone,
        sign=sign,
        until=breaker.until if breaker is not None and breaker.is_open(now) else None,
        failures=0 if breaker is None else breaker.failures,
        gifts=gifts.get(name, 0),
        at_risk=at_risk.get(name, 0),
        left=sum(fleet.left.get(slot_id, 0) for slot_id in slots),
        record=f"{on_time} of {on_time + late}" if on_time + late else "",
    )


def _lapsing(fleet: Fleet, hours: float, now: datetime) -> Iterable[Lapse]:
    for crew in fleet.crews.values():
        if crew.withdrawn:
            continue
        kinds: dict[str, datetime] = {}
        for credential in crew.credentials:
            if credential.result is TestResult.NEGATIVE:
                end = credential.sampled_at + timedelta(hours=hours)
                kinds[credential.kind] = max(end, kinds.get(credential.kind, end))
        for kind, end in kinds.items():
            if end <= now + AHEAD:
                yield Lapse(end, f"{kind} test", crew.crew_id, crew.courier_id)
    for permit in fleet.permits.values():
        if permit.revoked_at is None and permit.valid.end <= now + AHEAD:
            yield Lapse(permit.valid.end, "permit", permit.permit_id, None)
