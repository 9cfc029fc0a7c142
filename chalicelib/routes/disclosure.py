"""What a brand may know of a decision about its gift: what was decided, under which rules, and how many could not go.

Not who: crews are people, and that one of them tested positive, when it was sampled, or that its home is sealed is
nobody's business but the control room's. Operators read the evidence itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import Field

from chalicelib.domain.custody import Chain, Flaw, Holder
from chalicelib.domain.evidence import Evidence, Step, TurnedDown
from chalicelib.domain.explanation import By, Explanation, Instead, NearestChange
from chalicelib.domain.instead import Digital
from chalicelib.domain.order_views import OrderView
from chalicelib.domain.orders import Tier
from chalicelib.domain.policies import Handover
from chalicelib.domain.shapes import Instant, Shape
from chalicelib.domain.verdicts import Decision, Reason
from chalicelib.flows.look import ClearanceAnswer

if TYPE_CHECKING:
    from chalicelib.pages.evidence import Piece
    from chalicelib.pages.explained import Explained

ABOUT_PEOPLE = frozenset(
    reason for reason in Reason if reason.value.startswith(("crew_", "credential_", "person_"))
)
"""By name, so that a reason that is new tomorrow is kept back, too. A brand reads `crew_not_cleared` for each."""

_WORDS = {reason.name: reason.value for reason in Reason if reason not in ABOUT_PEOPLE}
BrandReason = StrEnum("BrandReason", {**_WORDS, "CREW_NOT_CLEARED": "crew_not_cleared"})  # type: ignore[misc]
BrandReason.__doc__ = "Why not, as a brand reads it."


class CountedReason(Shape):
    """One reason, and how many of the couriers' slots it turned down."""

    reason: BrandReason
    count: int = Field(description="At least so many, where several reasons are told as one.")


class BrandOutRanked(Shape):
    """Couriers might have gone, and went with others."""

    by: By
    slots: int = Field(description="So many offers might have taken it.")
    would_serve: bool = Field(default=False, description="One more place would have gone to this gift.")


class BrandNearest(Shape):
    """What would have opened some offers, had only that been otherwise."""

    reasons: tuple[BrandReason, ...] = Field(description="All that stood against them.")
    slots: int = Field(description="At least so many offers lacked just that.")
    hours_from: Instant | None = Field(
        default=None, description="The hours in which one could hand over, where they are what was missing."
    )
    hours_until: Instant | None = None


class BrandExplanation(Shape):
    """Why it stays, or goes with a dearer courier, or what would have let one go: nothing of other brands' gifts."""

    out_ranked: BrandOutRanked | None = None
    dearer: Instead | None = Field(
        default=None, description="A cheaper courier was cleared, too: why not it."
    )
    nearest: tuple[BrandNearest, ...] = Field(default=(), description="Nobody may go; the nearest first.")


class BrandStretch(Shape):
    """Somebody had the gift from when until when."""

    holder: Holder
    since: Instant
    until: Instant | None = Field(default=None, description="Absent: has it still, for all that is known.")
    leg_no: int | None = Field(default=None, description="Of a courier: on which leg.")
    courier: str | None = None


class BrandChain(Shape):
    """Who had the gift from when until when, the first first, and where that is not known for certain."""

    stretches: tuple[BrandStretch, ...]
    flaws: tuple[Flaw, ...] = ()


class BrandOrder(OrderView):
    """An order as its brand reads it."""

    custody: BrandChain = Field(description="Who had the gift from when until when, as far as is known.")  # type: ignore[assignment]
    reasons: tuple[BrandReason, ...] = Field(default=(), description="Why it is held or stranded.")  # type: ignore[assignment]


class BrandEvidence(Shape):
    """One decision about an order, and the rules it rests on."""

    evidence_id: str
    order_id: str
    leg_no: int = Field(default=1, description="On which leg.")
    step: Step
    decided_at: Instant
    decision: Decision
    reasons: tuple[BrandReason, ...]
    rules_version: int | None = Field(default=None, description="Absent: there were no rules, and so no yes.")
    rules_digest: str | None = Field(default=None, description="Points at the snapshot it was decided under.")
    rules_published_at: Instant | None = Field(default=None, description="When their source had last spoken.")
    known_at: Instant = Field(description="What was known then counted; nothing later did.")
    judged_from: Instant | None = Field(
        default=None, description="The rules were asked for the time from here"
    )
    judged_until: Instant | None = Field(default=None, description="to here: there and back.")
    zones: tuple[str, ...] = ()
    client_zones: tuple[str, ...] | None = Field(
        default=None, description="Those of them at the client's place; absent: not kept in those days."
    )
    policies: tuple[str, ...] = ()
    courier: str | None = None
    exemptions: tuple[str, ...] = Field(default=(), description="Without which it would have been stricter.")
    handovers: tuple[str, ...] = ()
    valid_until: Instant | None = None
    turned_down: tuple[CountedReason, ...] = ()
    explanation: BrandExplanation | None = Field(
        default=None, description="Of who was left over, or goes with a dearer courier: why, as planned then."
    )
    digital: Digital | None = Field(
        default=None, description="Of a gift that needs no courier: which, why, and what came of it."
    )
    more: dict[str, int] = Field(
        default={}, description="By field, how many more names its list had: the snapshot has them all."
    )


class BrandPossible(Shape):
    """One way it could go."""

    courier: str
    start: Instant
    end: Instant
    handovers: tuple[Handover, ...]
    valid_until: Instant


class BrandClearance(Shape):
    """Whether this could be delivered, when, and why not by the others."""

    decision: Decision
    reasons: tuple[BrandReason, ...] = ()
    rules_version: int | None = Field(default=None, description="Absent: there are no rules.")
    rules_published_at: Instant | None = None
    possible: tuple[BrandPossible, ...] = Field(description="The earliest first.")
    turned_down: tuple[CountedReason, ...]
    decided_at: Instant


def order(seen: OrderView) -> BrandOrder:
    """The order as its brand may read it."""
    fields = {name: getattr(seen, name) for name in OrderView.model_fields}
    return BrandOrder.model_construct(
        **{**fields, "reasons": _reasons(seen.reasons), "custody": _custody(seen.custody)}
    )


def _custody(chain: Chain) -> BrandChain:
    """The chain with the company that the brand meets at its door, and without crews and references."""
    names = BrandStretch.model_fields
    stretches = (
        BrandStretch(**{name: getattr(stretch, name) for name in names}) for stretch in chain.stretches
    )
    return BrandChain(stretches=tuple(stretches), flaws=chain.flaws)


def evidence(piece: Evidence) -> BrandEvidence:
    """The evidence as the brand may read it."""
    kept = {
        name: getattr(piece, name) for name in BrandEvidence.model_fields if name in Evidence.model_fields
    }
    changed = {
        "reasons": _reasons(piece.reasons),
        "turned_down": _counted(piece.turned_down),
        "explanation": None if piece.explanation is None else explanation(piece.explanation),
    }
    return BrandEvidence.model_construct(**{**kept, **changed})


def explanation(known: Explanation) -> BrandExplanation:
    """The same without slots, prices and the ranks of others; couriers' reasons as a brand reads them."""
    place = known.out_ranked
    return BrandExplanation(
        out_ranked=None
        if place is None
        else BrandOutRanked(by=place.by, slots=place.slots, would_serve=place.would_serve),
        dearer=known.dearer.why if known.dearer is not None else None,
        nearest=_nearest(known.nearest),
    )


def _nearest(changes: Iterable[NearestChange]) -> tuple[BrandNearest, ...]:
    """Changes that differ only in what is wrong with a crew are one."""
    told: dict[tuple[BrandReason, ...], BrandNearest] = {}
    for change in changes:
        reasons = _reasons(change.reasons)
        had = told.get(reasons)
        told[reasons] = BrandNearest(
            reasons=reasons,
            slots=change.slots + (had.slots if had is not None else 0),
            hours_from=change.hours_from,
            hours_until=change.hours_until,
        )
    return tuple(told.values())


def _explained(known: Explanation, *, whole: bool) -> Explained:
    """The explanation as it goes on a page."""
    from chalicelib.pages.explained import Explained, Near

    told = explanation(known)
    place, dearer = known.out_ranked, known.dearer
    found = Explained(
        by=place.by if place is not None else None,
        slots=place.slots if place is not None else 0,
        would_serve=place is not None and place.would_serve,
        why=told.dearer,
        nearest=tuple(Near(n.reasons, n.slots, None, n.hours_from, n.hours_until) for n in told.nearest),
    )
    if not whole:
        return found
    both = place or dearer
    return replace(
        found,
        slot=both.slot if both is not None else None,
        currency=both.currency if both is not None else None,
        lowest=_rank(both.lowest) if both is not None else None,
        next_tier=_rank(both.next_tier) if both is not None else None,
        short=place.short if place is not None else None,
        less=dearer.less if dearer is not None else None,
        later=dearer.later if dearer is not None else None,
        saves=dearer.saves if dearer is not None else None,
        nearest=tuple(Near(n.reasons, n.slots, n.slot, n.hours_from, n.hours_until) for n in known.nearest),
    )


def _rank(tier: Tier | None) -> str | None:
    return None if tier is None else tier.name.lower()


def piece(known: Evidence, *, whole: bool) -> Piece:
    """The evidence as it goes on a page: `whole` for operators, else no more than its brand may read."""
    from chalicelib.pages import evidence as pages  # here: importing the app stays small

    told = known if whole else evidence(known)
    groups = (
        tuple(pages.Turned(g.reason, len(g.slots) + g.more, g.slots) for g in known.turned_down)
        if whole
        else tuple(pages.Turned(g.reason, g.count) for g in _counted(known.turned_down))
    )
    return pages.Piece(
        evidence_id=told.evidence_id,
        step=told.step,
        decision=told.decision,
        reasons=told.reasons,
        decided_at=told.decided_at,
        known_at=told.known_at,
        rules_version=told.rules_version,
        rules_digest=told.rules_digest,
        rules_published_at=told.rules_published_at,
        zones=told.zones,
        client_zones=told.client_zones,
        policies=told.policies,
        exemptions=told.exemptions,
        handovers=told.handovers,
        judged_from=told.judged_from,
        judged_until=told.judged_until,
        valid_until=told.valid_until,
        courier=told.courier,
        turned_down=groups,
        crew=known.crew if whole else None,
        slot=known.slot if whole else None,
        permits={name: known.permit_ends.get(name) for name in known.permits} if whole else None,
        credentials=known.credentials if whole else None,
        more_zones=told.more.get("zones", 0),
        explained=None if known.explanation is None else _explained(known.explanation, whole=whole),
    )


def clearance(answer: ClearanceAnswer) -> BrandClearance:
    """The dry run as a brand may read it; what is full is no way to go."""
    ways = [
        BrandPossible.model_construct(**{name: getattr(way, name) for name in BrandPossible.model_fields})
        for way in answer.possible
        if way.left > 0
    ]
    return BrandClearance.model_construct(
        decision=answer.decision,
        reasons=_reasons(answer.reasons),
        rules_version=answer.rules_version,
        rules_published_at=answer.rules_published_at,
        possible=tuple(dict.fromkeys(ways)),
        turned_down=_counted(answer.turned_down),
        decided_at=answer.decided_at,
    )


def _reasons(reasons: Iterable[Reason]) -> tuple[BrandReason, ...]:
    return tuple(dict.fromkeys(map(_told, reasons)))


def _told(reason: Reason) -> BrandReason:
    return BrandReason("crew_not_cleared" if reason in ABOUT_PEOPLE else reason.value)


def _counted(groups: Iterable[TurnedDown]) -> tuple[CountedReason, ...]:
    """Slots by reason. One slot may stand under several reasons about its crew, and counts once as far as is known."""
    named: dict[BrandReason, set[str]] = {}
    most: dict[BrandReason, int] = {}
    for group in groups:
        told = _told(group.reason)
        named.setdefault(told, set()).update(group.slots)
        most[told] = max(most.get(told, 0), len(group.slots) + group.more)
    counts = {told: max(most[told], len(slots)) for told, slots in named.items()}
    return tuple(
        CountedReason(reason=told, count=count)
        for told, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    )
