"""Why it was decided so: one immutable item a verdict, at most 4 KB."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from pydantic import Field

from chalicelib.domain.explanation import Explanation
from chalicelib.domain.instead import Digital
from chalicelib.domain.shapes import Instant, Shape
from chalicelib.domain.verdicts import Decision, Phase, Reason, Verdict

LISTED = 8
"""How many couriers' slots are named under one reason; the rest is counted. Keeps an item under 4 KB."""


class Step(StrEnum):
    """Where the decision was taken."""

    DISPATCH = "dispatch"
    BOOK = "book"
    PICK_UP = "pick_up"
    HAND_OVER = "hand_over"
    REZONE = "rezone"
    DIGITAL = "digital"
    """Whether the client is given something that needs no courier."""
    SUBSTITUTE = "substitute"


class TurnedDown(Shape):
    """Slots that could not, for one reason."""

    reason: Reason
    slots: tuple[str, ...]
    more: int = 0


class Evidence(Shape):
    """One decision and everything it rests on."""

    evidence_id: str
    order_id: str
    leg_no: int = Field(default=1, description="On which leg.")
    step: Step
    decided_at: Instant
    decision: Decision
    reasons: tuple[Reason, ...]
    rules_version: int | None = Field(default=None, description="Absent: there were no rules, and so no yes.")
    rules_digest: str | None = Field(default=None, description="Points at the snapshot it was decided under.")
    rules_published_at: Instant | None = Field(
        default=None, description="When their source had last spoken; absent: not kept in those days."
    )
    known_at: Instant = Field(description="What was known then counted; nothing later did.")
    judged_from: Instant | None = Field(
        default=None, description="The rules were asked for the time from here"
    )
    judged_until: Instant | None = Field(default=None, description="to here: there and back.")
    phase: Phase | None = Field(default=None, description="How far it was; absent: not kept in those days.")
    zones: tuple[str, ...] = ()
    client_zones: tuple[str, ...] | None = Field(
        default=None, description="Those of them at the client's place; absent: not kept in those days."
    )
    policies: tuple[str, ...] = ()
    slot: str | None = None
    crew: str | None = None
    courier: str | None = None
    permits: tuple[str, ...] = ()
    permit_ends: dict[str, Instant] = Field(
        default={}, description="How long each was good for, as known then."
    )
    credentials: tuple[str, ...] = ()
    exemptions: tuple[str, ...] = Field(default=(), description="Without which it would have been stricter.")
    handovers: tuple[str, ...] = ()
    valid_until: Instant | None = None
    turned_down: tuple[TurnedDown, ...] = ()
    explanation: Explanation | None = Field(
        default=None, description="Of who was left over, or goes with a dearer courier: why, as planned then."
    )
    digital: Digital | None = Field(
        default=None, description="Of a gift that needs no courier: which, why, and what came of it."
    )
    more: dict[str, int] = Field(
        default={}, description="By field, how many more names its list had: the snapshot has them all."
    )


def grouped(verdicts: Iterable[Verdict]) -> tuple[TurnedDown, ...]:
    """The slots that were turned down, by reason, most first."""
    by_reason: dict[Reason, list[str]] = {}
    for verdict in verdicts:
        for reason in verdict.reasons:
            by_reason.setdefault(reason, []).append(verdict.slot_id)
    return tuple(
        TurnedDown(reason=reason, slots=tuple(sorted(slots)[:LISTED]), more=max(0, len(slots) - LISTED))
        for reason, slots in sorted(by_reason.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    )


LIMIT = 4096
"""Bytes of one item's body."""


NAMED: Final = ("zones", "client_zones", "policies", "exemptions")
"""Lists of names that are cut where they are too long: the snapshot that the evidence points at has them all."""
KEEPING: Final = ((4, 64), (2, 32), (1, 32), (0, 32), (0, 16), (0, 8), (0, 4))
"""Slots under one reason and names in one list, tried in this order."""


def fitted(evidence: Evidence) -> Evidence:
    """The same evidence, its lists shortened until it fits; counts stay true.

    Slots that were turned down go first, then names: ten thousand zones may speak at one address.
    """
    found = evidence
    for slots, names in KEEPING:
        if len(found.model_dump_json(exclude_defaults=True).encode()) <= LIMIT:
            break
        found = _shortened(evidence, slots, names)
    return found


def _shortened(evidence: Evidence, slots: int, names: int) -> Evidence:
    changes: dict[str, object] = {
        "turned_down": tuple(
            TurnedDown(
                reason=group.reason,
                slots=group.slots[:slots],
                more=group.more + len(group.slots[slots:]),
            )
            for group in evidence.turned_down
        )
    }
    told = {name: getattr(evidence, name) or () for name in NAMED}
    kept = {name: every[:names] for name, every in told.items()}
    if len(kept["zones"]) < len(
        told["zones"]
    ):  # those at the client's place first, and each of them in both lists
        mine = set(kept["client_zones"])
        others = set(told["zones"]).difference(told["client_zones"])
        chosen = mine | set(sorted(others)[: max(0, names - len(mine))])
        kept["zones"] = tuple(name for name in told["zones"] if name in chosen)
    more = {name: len(told[name]) - len(kept[name]) for name in NAMED if len(kept[name]) < len(told[name])}
    changes |= {name: kept[name] for name in more}
    return evidence.model_copy(update={**changes, "more": {**evidence.more, **more}})


def digest_of(decision: Decision, reasons: Iterable[Reason], rules_version: int | None) -> str:
    """What makes two verdicts the same verdict."""
    text = f"{decision}|{','.join(sorted(reasons))}|{rules_version}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]
