"""Decide again what was decided once: the same question, under the rules kept under their hash, as known then.

What the rules say of both ends can be asked again whole: the zones that spoke, what they allow, and every reason that
lies in the places. The couriers' fleet is kept as it is now, so what was said of crews, permits, tests and places left
is not asked again; it is told as it was written down.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from chalicelib.domain import facts
from chalicelib.domain.clearance import Clearer
from chalicelib.domain.errors import Missing
from chalicelib.domain.evidence import Evidence, Step
from chalicelib.domain.fleet import Fleet
from chalicelib.domain.orders import Order
from chalicelib.domain.policies import FETCHED, Handover
from chalicelib.domain.ports import Key, World
from chalicelib.domain.shapes import Instant, Shape
from chalicelib.domain.snapshots import Head
from chalicelib.domain.survey import Ground
from chalicelib.domain.verdicts import OF_THE_PLACES, Decision, Phase, Reason
from chalicelib.flows import consult

MOMENTS = frozenset({Step.PICK_UP, Step.HAND_OVER})
"""Steps in which something had been done, and that very moment was judged."""


class Said(Shape):
    """What the rules said of a decision."""

    reasons: tuple[Reason, ...] = Field(description="Those that lie in the places.")
    handovers: tuple[Handover, ...] = Field(description="Allowed, the nearest to the client first.")
    zones: tuple[str, ...]
    client_zones: tuple[str, ...]
    policies: tuple[str, ...]


class Replay(Shape):
    """A past decision, asked again as known then."""

    order_id: str
    evidence_id: str
    step: Step
    decision: Decision
    decided_at: Instant
    known_at: Instant
    rules_version: int | None = Field(default=None, description="Absent: there were no rules.")
    rules_digest: str | None = None
    why_not: str | None = Field(default=None, description="Why it cannot be asked again.")
    recorded: Said
    replayed: Said | None = Field(default=None, description="Absent: it cannot be asked again.")
    differences: tuple[str, ...] = Field(
        default=(), description="What came out otherwise, by name. Empty: nothing."
    )
    not_replayed: tuple[Reason, ...] = Field(
        default=(), description="Reasons that lay with couriers, as they were written down."
    )


def replay(world: World, order_id: str, evidence_id: str) -> Replay:
    """That decision once more. Raises `Missing` where there is no such order or decision, `Torn` where a part of its
    snapshot is gone."""
    order = facts.load_order(world.table, order_id)
    row = world.table.get(Key(order_id, f"evidence#{evidence_id}"))
    if row is None:
        raise Missing(f"no decision {evidence_id!r} about the order {order_id!r}")
    piece = Evidence.model_validate_json(row.body)
    return again(world, order.as_decided(int(evidence_id)), piece)


def again(world: World, order: Order, piece: Evidence) -> Replay:
    """The same of an order and a decision that have been read."""
    recorded = Said(
        reasons=tuple(reason for reason in piece.reasons if reason in OF_THE_PLACES),
        handovers=tuple(Handover(name) for name in piece.handovers),
        zones=piece.zones,
        client_zones=piece.client_zones or (),
        policies=piece.policies,
    )
    told = Replay(
        order_id=order.order_id,
        evidence_id=piece.evidence_id,
        step=piece.step,
        decision=piece.decision,
        decided_at=piece.decided_at,
        known_at=piece.known_at,
        rules_version=piece.rules_version,
        rules_digest=piece.rules_digest,
        recorded=recorded,
        not_replayed=tuple(reason for reason in piece.reasons if reason not in OF_THE_PLACES),
    )
    if piece.rules_digest is None or piece.rules_version is None:
        return told.model_copy(update={"why_not": "there were no rules to ask"})
    if piece.phase is None or piece.judged_from is None or piece.judged_until is None:
        return told.model_copy(
            update={"why_not": "it is not kept what the rules were asked, or they were not"}
        )
    ground = _ground(world, order, piece, piece.judged_from, piece.judged_until, piece.phase)
    replayed = Said(
        reasons=tuple(reason for reason in ground.reasons if reason in OF_THE_PLACES),
        handovers=_ways(ground, recorded) if piece.decision is Decision.YES else (),
        zones=ground.zone_ids,
        client_zones=ground.destination.zone_ids,
        policies=ground.policies,
    )
    if _is_untold(piece, ground):
        recorded = recorded.model_copy(update={"reasons": ()})
        told = told.model_copy(update={"recorded": recorded, "not_replayed": piece.reasons})
    names = [
        name
        for name in Said.model_fields
        if not _is_same(getattr(recorded, name), getattr(replayed, name), piece.more.get(name, 0))
    ]
    if not _is_about_one_courier(piece) and "reasons" in names:
        names.remove(
            "reasons"
        )  # what each of many offers met in its own hours, not in all that were asked for
    return told.model_copy(update={"replayed": replayed, "differences": tuple(names)})


def _is_same(recorded: tuple[str, ...], replayed: tuple[str, ...], more: int) -> bool:
    """`more`: so many names were not written down, for there were too many."""
    if not more:
        return recorded == replayed
    return len(replayed) == len(recorded) + more and set(recorded) <= set(replayed)


def _ground(
    world: World, order: Order, piece: Evidence, start: datetime, end: datetime, phase: Phase
) -> Ground:
    assert piece.rules_digest is not None
    assert piece.rules_version is not None
    head = Head(piece.rules_digest, piece.rules_version, piece.rules_published_at or piece.known_at)
    atlas = consult.as_known(world, order.market_id, head)
    nobody = Fleet(couriers={}, crews={}, permits={}, slots={}, left={})
    leg = next((leg for leg in order.legs if leg.leg_no == piece.leg_no), order.leg)
    delivery = order.up_to(leg).delivery(facts.unseal_private(world.sealer, order))
    return Clearer(atlas, nobody, piece.known_at).ground(
        delivery, start, end, phase, moment=piece.step in MOMENTS
    )


def _ways(ground: Ground, recorded: Said) -> tuple[Handover, ...]:
    """Allowed by the places; what a client's curfew took away hung on the courier's hours, and is as recorded."""
    if not ground.coming_out:
        return ground.handovers
    return tuple(way for way in ground.handovers if way not in FETCHED or way in recorded.handovers)


def _is_untold(piece: Evidence, ground: Ground) -> bool:
    """True when the rules allow a hand-over, and only the courier had been told none of those: what it had been told is
    not in the rules."""
    said = piece.step is Step.REZONE and piece.reasons == (Reason.NO_HANDOVER,)
    return said and bool(ground.handovers)


def _is_about_one_courier(piece: Evidence) -> bool:
    return piece.slot is not None
