"""May this crew take this gift there, now, and until when? Pure: rules, fleet and times in, a verdict out.

The permission must hold over the whole stay: pick-up, entering, handing over, coming back. Every reason
against is collected, none hides another. Unknown is not open: stale rules, a doubtful address or a place
nobody has ruled on hold the gift (house.md, law 7).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import Field

from chalicelib.domain.fleet import Courier, Credential, Crew, Fleet, Permit, Proof, Slot, TestResult
from chalicelib.domain.gifts import Gift, ItemClass
from chalicelib.domain.places import MatchQuality, Place, district_key
from chalicelib.domain.shapes import Instant, Shape, Window, folded
from chalicelib.domain.zones import (
    NEAREST_FIRST,
    REMEMBERED,
    TO_THE_CLIENT,
    AgeFrom,
    Atlas,
    CredentialKind,
    Found,
    Handover,
    Level,
    Regime,
    Requirement,
    curfew_spans,
    open_hours,
)

HANDLING = timedelta(minutes=20)
"""The shortest stretch of open hours in which a hand-over is planned."""

DISTRICT_SLACK_M = 250.0
"""How far outside the drawn district a point may lie before it contradicts its address (maps are coarse)."""


class Reason(StrEnum):
    """Why not. The first group holds the gift, the second turns it down."""

    RULES_MISSING = "rules_missing"
    RULES_STALE = "rules_stale"
    ZONE_UNKNOWN = "zone_unknown"
    ADDRESS_DOUBTFUL = "address_doubtful"
    ADDRESS_DISAGREES = "address_disagrees"

    NO_HANDOVER = "no_handover"
    ORIGIN_CLOSED = "origin_closed"
    ITEM_NOT_ALLOWED = "item_not_allowed"
    CURFEW = "curfew"
    WINDOW = "window"
    SLOT_FULL = "slot_full"
    OUTRANKED = "outranked"
    NO_SLOTS = "no_slots"
    COURIER_SUSPENDED = "courier_suspended"
    COURIER_REFUSED = "courier_refused"
    CREW_WITHDRAWN = "crew_withdrawn"
    CREW_HOME_SEALED = "crew_home_sealed"
    CREDENTIAL_MISSING = "credential_missing"
    CREDENTIAL_EXPIRES = "credential_expires"
    CREDENTIAL_POSITIVE = "credential_positive"
    PERMIT_MISSING = "permit_missing"
    PERMIT_SCOPE = "permit_scope"
    PERMIT_TIME = "permit_time"
    PERMIT_REVOKED = "permit_revoked"
    TEMPERATURE = "temperature"
    DWELL = "dwell"
    SIGNATURE_CONFLICT = "signature_conflict"
    PROOF_MISSING = "proof_missing"
    VALUE_UNINSURED = "value_uninsured"
    NOT_CARRIED = "not_carried"


HOLDING = frozenset(
    {
        Reason.RULES_MISSING,
        Reason.RULES_STALE,
        Reason.ZONE_UNKNOWN,
        Reason.ADDRESS_DOUBTFUL,
        Reason.ADDRESS_DISAGREES,
    }
)


class Decision(StrEnum):
    """The three answers."""

    YES = "yes"
    HOLD = "hold"
    NO = "no"


class Phase(StrEnum):
    """How far the delivery is; what lies behind it is not asked again."""

    OPEN = "open"
    """Nobody has been given it: fetching it and the trip still have to fit into the hours."""
    GIVEN = "given"
    """Somebody has: the hours were settled then, and to be late is no lack of permission."""
    CARRIED = "carried"
    """The gift is with the crew: where it was fetched no longer matters, no time for handling is reserved."""


class Delivery(Shape):
    """What clearance has to know of an order; carries personal data and is never stored or logged."""

    gift: Gift
    pick_up: Place
    drop_off: Place
    window: Window


class Verdict(Shape):
    """One answer for one delivery and one slot, with what it rests on."""

    decision: Decision
    slot_id: str
    reasons: tuple[Reason, ...] = ()
    handovers: tuple[Handover, ...] = Field(default=(), description="Allowed, nearest to the client first.")
    start: Instant | None = Field(default=None, description="The stay: from pick-up ...")
    end: Instant | None = Field(default=None, description="... to being out again.")
    hand_over_from: Instant | None = Field(default=None, description="Within the stay, outside curfews ...")
    hand_over_by: Instant | None = Field(default=None, description="... and early enough to come back.")
    valid_until: Instant | None = Field(default=None, description="The first moment at which it may lapse.")
    zone_ids: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    permit_ids: tuple[str, ...] = ()
    credentials: tuple[str, ...] = Field(default=(), description="Kind and sampling time of each.")


class Ground(Shape):
    """What the places alone say, before any courier is asked: the same for every slot of one interval."""

    reasons: tuple[Reason, ...]
    origin: Regime
    destination: Regime
    requirements: tuple[Requirement, ...] = Field(
        description="Of both ends; once carried, of the destination."
    )
    permit_needed: bool
    zone_ids: tuple[str, ...]
    policies: tuple[str, ...]


def address_reasons(place: Place, atlas: Atlas) -> list[Reason]:
    """What is doubtful about where this is."""
    return _doubts(place, place.coordinate.within(atlas.rules.datum), atlas)


def _doubts(place: Place, point: tuple[float, float], atlas: Atlas) -> list[Reason]:
    if place.match_quality in (MatchQuality.CENTROID, MatchQuality.NONE):
        return [Reason.ADDRESS_DOUBTFUL]
    slack = DISTRICT_SLACK_M + place.coordinate.precision_m
    return [Reason.ADDRESS_DISAGREES] if atlas.district_disagrees(place.address, *point, slack) else []


@dataclass(frozen=True)
class _Surveyed:
    """What is known of a delivery's places whatever the hour: looked up once, asked for every slot."""

    delivery: Delivery
    doubts: tuple[Reason, ...]
    origin: Found
    destination: Found
    item_classes: frozenset[ItemClass]


def _survey(delivery: Delivery, atlas: Atlas) -> _Surveyed:
    there, doubts = _seen(delivery.drop_off, atlas)
    here, others = _seen(delivery.pick_up, atlas)
    doubts = tuple(dict.fromkeys((*doubts, *others)))
    return _Surveyed(delivery, doubts, here, there, delivery.gift.item_classes)


def _seen(place: Place, atlas: Atlas) -> tuple[Found, tuple[Reason, ...]]:
    known: Any = atlas.seen.get(place)
    if known is None:
        point, reach = place.coordinate.within(atlas.rules.datum), place.coordinate.precision_m
        known = (atlas.around(place.address, point, reach), tuple(_doubts(place, point, atlas)))
        if len(atlas.seen) >= REMEMBERED:
            atlas.seen.clear()
        atlas.seen[place] = known
    found: tuple[Found, tuple[Reason, ...]] = known
    return found


def ground(delivery: Delivery, atlas: Atlas, start: datetime, end: datetime, now: datetime) -> Ground:
    """Rules at both ends during `[start, end)`, as known now."""
    return _ground(_survey(delivery, atlas), atlas, start, end, now, Phase.OPEN)


def _ground(
    surveyed: _Surveyed, atlas: Atlas, start: datetime, end: datetime, now: datetime, phase: Phase
) -> Ground:
    reasons: list[Reason] = []
    if atlas.is_stale(now):
        reasons.append(Reason.RULES_STALE)
    reasons += surveyed.doubts
    if atlas.needs_compound(surveyed.delivery.drop_off.address, start, end, now):
        reasons.append(Reason.ADDRESS_DOUBTFUL)
    origin = atlas.regime_of(surveyed.origin, start, end, now)
    destination = atlas.regime_of(surveyed.destination, start, end, now)
    classes = surveyed.item_classes
    if destination.handovers is None:
        reasons.append(Reason.ZONE_UNKNOWN)
    elif not destination.handovers:
        reasons.append(Reason.NO_HANDOVER)
    allowed = all(map(destination.permits, classes))
    if phase is not Phase.CARRIED:
        # a shop that nobody has ruled on is not known to be open; one that is sealed can hand nothing out
        if origin.handovers is None:
            reasons.append(Reason.ZONE_UNKNOWN)
        elif not origin.handovers or origin.level >= Level.SEALED:
            reasons.append(Reason.ORIGIN_CLOSED)
        allowed = allowed and all(map(origin.permits, classes))
    if not allowed:
        reasons.append(Reason.ITEM_NOT_ALLOWED)
    if ItemClass.HIGH_VALUE in classes and not (
        destination.handovers is None or Handover.DOOR in destination.handovers
    ):
        reasons.append(Reason.SIGNATURE_CONFLICT)
    asked = (destination,) if phase is Phase.CARRIED else (origin, destination)
    return Ground.model_construct(
        reasons=tuple(reasons),
        origin=origin,
        destination=destination,
        requirements=_united(*(regime.requirements for regime in asked)),
        permit_needed=any(regime.permit_needed for regime in asked),
        zone_ids=tuple(sorted({name for regime in asked for name in regime.zone_ids})),
        policies=tuple(sorted({name for regime in asked for name in regime.policies})),
    )


class Clearer:
    """Clears many deliveries against one fleet under one snapshot at one moment, doing shared work once."""

    def __init__(self, atlas: Atlas, fleet: Fleet, now: datetime) -> None:
        self.atlas = atlas
        self.fleet = fleet
        self.now = now
        self._permits: dict[str, list[Permit]] = {}
        for permit in fleet.permits.values():
            self._permits.setdefault(folded(permit.plate), []).append(permit)
        for permits in self._permits.values():
            permits.sort(key=lambda p: (p.valid.end, p.permit_id), reverse=True)
        # a survey keeps its delivery, so no other can come to bear the same id
        self._surveys: dict[int, _Surveyed] = {}
        self._grounds: dict[tuple[int, datetime, datetime, Phase], Ground] = {}

    def clear(
        self, delivery: Delivery, slot: Slot, refused: Iterable[str] = (), phase: Phase = Phase.GIVEN
    ) -> Verdict:
        """May this slot's crew take it? `refused` are slots and couriers that turned it down before.

        Where slot and window share no hours, nothing more is asked: there is no stay for rules to hold over.
        """
        now = self.now
        reasons: list[Reason] = []
        crew = self.fleet.crews.get(slot.crew_id)
        courier = self.fleet.couriers.get(slot.courier_id)
        refused = frozenset(refused)
        if slot.slot_id in refused or slot.courier_id in refused:
            reasons.append(Reason.COURIER_REFUSED)
        if courier is None or courier.suspended:
            reasons.append(Reason.COURIER_SUSPENDED)
        if crew is None or crew.withdrawn or crew.courier_id != slot.courier_id:
            reasons.append(Reason.CREW_WITHDRAWN)
        begun = start = max(slot.window.start, now)
        trip = timedelta(minutes=slot.trip_minutes if phase is Phase.OPEN else 0)
        back = timedelta(minutes=slot.return_minutes)
        least = timedelta(0) if phase is Phase.CARRIED else HANDLING
        share = delivery.window.overlap(start + trip, slot.window.end)
        if share is None or share[1] - share[0] < least:
            reasons.append(Reason.WINDOW)
            return self._answer(slot, reasons)
        # Rules, tests and permits are held against the stay as it is before curfews shorten it: else a curfew
        # more could turn a no into a yes.
        end = share[1] + back
        base = self._ground(delivery, start, end, phase)
        reasons += base.reasons
        regime = base.destination
        classes = delivery.gift.item_classes
        stay = share
        if regime.curfews or base.origin.curfews:
            fetched, hours = self._open_hours(delivery, base, phase, (start, share), trip, back)
            hours = [span for span in hours if span[1] - span[0] >= least]
            if hours:
                stay = max(hours, key=lambda span: (span[1] - span[0], -span[0].timestamp()))
                start = fetched
            else:
                reasons.append(Reason.CURFEW)
        reasons += self._gift_reasons(delivery.gift, classes, slot, courier, crew, regime, phase)
        left = stay[1] + back
        until = [left, self.atlas.stale_from]
        permit_ids: list[str] = []
        shown: list[str] = []
        if crew is not None:
            held, expiries, missing = _credentials(crew, base.requirements, end, now)
            reasons += missing
            until += expiries
            shown += held
            if base.permit_needed:
                places = (
                    (delivery.drop_off,) if phase is Phase.CARRIED else (delivery.pick_up, delivery.drop_off)
                )
                permit, against = self._permit(crew, places, begun, end, now)
                reasons += against
                if permit is not None:
                    permit_ids.append(permit.permit_id)
                    until.append(permit.valid.end)
            if crew.home is not None:
                level = self.atlas.home_level(crew.home, begun, now, end)
                if level is not None and level >= Level.SEALED:
                    reasons.append(Reason.CREW_HOME_SEALED)
        return self._answer(
            slot,
            reasons,
            handovers=self._handovers(classes, regime),
            start=start,
            end=left,
            hand_over_from=stay[0],
            hand_over_by=stay[1],
            valid_until=min(until),
            zone_ids=base.zone_ids,
            policies=base.policies,
            permit_ids=tuple(permit_ids),
            credentials=tuple(shown),
        )

    def _answer(self, slot: Slot, reasons: Sequence[Reason], **rest: Any) -> Verdict:
        unique = tuple(dict.fromkeys(reasons))
        decision = (
            Decision.YES
            if not unique
            else Decision.HOLD
            if any(reason in HOLDING for reason in unique)
            else Decision.NO
        )
        if decision is not Decision.YES:
            rest["handovers"] = ()
        return Verdict.model_construct(decision=decision, slot_id=slot.slot_id, reasons=unique, **rest)

    def _ground(self, delivery: Delivery, start: datetime, end: datetime, phase: Phase) -> Ground:
        name = id(delivery)
        key = (name, start, end, phase)
        known = self._grounds.get(key)
        if known is None:
            surveyed = self._surveys.get(name)
            if surveyed is None:
                surveyed = self._surveys[name] = _survey(delivery, self.atlas)
            known = self._grounds[key] = _ground(surveyed, self.atlas, start, end, self.now, phase)
        return known

    def _open_hours(
        self,
        delivery: Delivery,
        base: Ground,
        phase: Phase,
        hours: tuple[datetime, tuple[datetime, datetime]],
        trip: timedelta,
        back: timedelta,
    ) -> tuple[datetime, list[tuple[datetime, datetime]]]:
        """When it is fetched at the earliest, and the hours for handing over, outside everybody's curfew.

        The origin's curfew bears on the fetching, the destination's on everything from entering to being out.
        """
        start, (low, high) = hours
        if phase is not Phase.CARRIED:
            fetching = open_hours(start, high, self._closed(delivery, base.origin, start, high))
            if not fetching:
                return start, []
            start = fetching[0][0]
            low = max(low, start + trip)
        if low >= high:
            return start, []
        closed = self._closed(delivery, base.destination, low, high + back)
        return start, open_hours(low, high, [(begins - back, ends) for begins, ends in closed])

    def _closed(
        self, delivery: Delivery, regime: Regime, start: datetime, end: datetime
    ) -> list[tuple[datetime, datetime]]:
        return [
            span
            for curfew in regime.curfews
            if curfew.item_classes is None or curfew.item_classes & delivery.gift.item_classes
            for span in curfew_spans(curfew, self.atlas.rules.time_zone, start, end)
        ]

    @staticmethod
    def _handovers(classes: frozenset[ItemClass], regime: Regime) -> tuple[Handover, ...]:
        allowed = regime.handovers or frozenset()
        if ItemClass.HIGH_VALUE in classes:
            allowed = allowed & {Handover.DOOR}  # never left at a gate, never in a lobby
        return tuple(handover for handover in NEAREST_FIRST if handover in allowed)

    @staticmethod
    def _gift_reasons(
        gift: Gift,
        classes: frozenset[ItemClass],
        slot: Slot,
        courier: Courier | None,
        crew: Crew | None,
        regime: Regime,
        phase: Phase,
    ) -> list[Reason]:
        reasons = []
        if slot.item_classes is not None and not classes <= slot.item_classes:
            reasons.append(Reason.NOT_CARRIED)
        if crew is not None:
            for item in gift.items:
                if item.temperature is not None and not any(
                    item.temperature.holds(kept) for kept in crew.vehicle.compartments
                ):
                    reasons.append(Reason.TEMPERATURE)
                    break
        limit = gift.dwell_limit_minutes
        carrying = slot.trip_minutes + regime.rest_minutes
        if limit is not None and phase is not Phase.CARRIED and carrying > limit:
            reasons.append(Reason.DWELL)
        if courier is not None and ItemClass.HIGH_VALUE in classes:
            if Proof.RECEIPT_CODE not in courier.proofs:
                reasons.append(Reason.PROOF_MISSING)
            insured, value = courier.insured_limit, gift.value
            if insured is None or insured.currency != value.currency or insured.amount < value.amount:
                reasons.append(Reason.VALUE_UNINSURED)
        return reasons

    def _permit(
        self, crew: Crew, places: Iterable[Place], start: datetime, end: datetime, now: datetime
    ) -> tuple[Permit | None, list[Reason]]:
        permits = self._permits.get(folded(crew.vehicle.plate), [])
        if not permits:
            return None, [Reason.PERMIT_MISSING]
        needed = {district_key(place.address.district) for place in places}
        against: list[Reason] = []
        for permit in permits:
            if permit.revoked_at is not None and permit.revoked_at < max(end, now):
                against.append(Reason.PERMIT_REVOKED)
            elif permit.districts != "all" and not needed <= set(map(district_key, permit.districts)):
                against.append(Reason.PERMIT_SCOPE)
            elif not (permit.valid.start <= start and end <= permit.valid.end):
                against.append(Reason.PERMIT_TIME)
            else:
                return permit, []
        return None, against


def _united(*sets: Iterable[Requirement]) -> tuple[Requirement, ...]:
    strictest: dict[tuple[str, AgeFrom], Requirement] = {}
    for needs in sets:
        for need in needs:
            had = strictest.get((need.kind, need.age_from))
            if had is None or need.max_age_hours < had.max_age_hours:
                strictest[need.kind, need.age_from] = need
    return tuple(strictest[key] for key in sorted(strictest))


def _credentials(
    crew: Crew, needs: Iterable[Requirement], end: datetime, now: datetime
) -> tuple[list[str], list[datetime], list[Reason]]:
    """What is shown for each requirement, when each lapses, and what is missing.

    Only what was reported by now counts. A positive result ends every negative sampled before it, of any
    kind, and stands until a later negative of its own kind; a PCR also clears an antigen test, not the other way.
    """
    known = [c for c in crew.credentials if c.reported_at is not None and c.reported_at <= now]
    positives = [c for c in known if c.result is TestResult.POSITIVE]
    reasons: list[Reason] = []
    if any(not _cleared(positive, known) for positive in positives):
        reasons.append(Reason.CREDENTIAL_POSITIVE)
    elif positives:
        last = max(positive.sampled_at for positive in positives)
        known = [c for c in known if c.sampled_at > last]
    shown, expiries = [], []
    for need in needs:
        best, expiry = _freshest(known, need)
        if best is None or expiry is None:
            reasons.append(Reason.CREDENTIAL_MISSING)
        elif expiry < end:
            reasons.append(Reason.CREDENTIAL_EXPIRES)
        else:
            shown.append(f"{best.kind} sampled {best.sampled_at.isoformat()}")
            expiries.append(expiry)
    return shown, expiries, reasons


def _cleared(positive: Credential, known: Iterable[Credential]) -> bool:
    kinds = {positive.kind}
    if positive.kind is CredentialKind.ANTIGEN:
        kinds.add(CredentialKind.PCR)
    return any(
        c.result is TestResult.NEGATIVE and c.kind in kinds and c.sampled_at > positive.sampled_at
        for c in known
    )


def _freshest(known: Sequence[Credential], need: Requirement) -> tuple[Credential | None, datetime | None]:
    fresh = None
    for credential in known:
        if credential.kind is not need.kind or credential.result is not TestResult.NEGATIVE:
            continue
        counted = credential.sampled_at if need.age_from is AgeFrom.SAMPLED else credential.reported_at
        if counted is not None and (fresh is None or counted > fresh[1]):
            fresh = (credential, counted)
    if fresh is None:
        return None, None
    return fresh[0], fresh[1] + timedelta(hours=need.max_age_hours)


def received_by_client(handover: Handover) -> bool:
    """True when a courier's *delivered* under this hand-over means the client has it."""
    return handover in TO_THE_CLIENT
