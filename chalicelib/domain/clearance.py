"""May this crew take this gift there, now, and until when? Pure: rules, fleet and times in, a verdict out.

The permission must hold over the whole stay: pick-up, entering, handing over, coming back. Every reason
against is collected, none hides another. Unknown is not open: rules that are stale before the stay is over, a
doubtful address, or a place or a crew's home that nobody has ruled on hold the gift (house.md, law 7).

What may be done is read off the policies, never off a level, but for two questions to which no policy speaks:
whether people may come out. Hand-overs say how a gift reaches a resident, and a sealed compound still takes in at
its gate; but nobody there may leave the flat, so no shop in it hands out and no crew that lives in it sets out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from chalicelib.domain.alone import is_beside, rides_alone, vehicle_of
from chalicelib.domain.atlas import Atlas
from chalicelib.domain.credentials import Shown, shown_by, stands_on, united
from chalicelib.domain.curfews import Curfew, Stop, curfew_spans, open_hours
from chalicelib.domain.fleet import Crew, Fleet, Proof, Slot
from chalicelib.domain.gifts import ItemClass
from chalicelib.domain.jurisdictions import may_be_told
from chalicelib.domain.permits import Errand, Passes
from chalicelib.domain.policies import FETCHED, NEAREST_FIRST, Handover, Level, Requirement
from chalicelib.domain.safeguards import IN_PERSON, Safeguard
from chalicelib.domain.shapes import Window
from chalicelib.domain.survey import (
    HANDLING,
    MOMENT,
    NO_STAY,
    NO_TIME,
    Ground,
    Offer,
    Stay,
    Surveyed,
    staying,
    survey,
)
from chalicelib.domain.verdicts import HOLDING, Asked, Decision, Delivery, Phase, Reason, Verdict
from chalicelib.domain.zones import Regime

GATE_TEST = timedelta(minutes=20)
"""What a crew that is tested at the client's gate needs there before it may hand over: an antigen test shows its
result after 15 to 20 minutes (lockdowns.md, 3.22)."""

COMING_OUT = timedelta(minutes=20)
"""How long the client has to be able to come out, from when a gift that was left for it has rested."""
_CARRYING = frozenset({Stop.DELIVERY})
_FETCHING = frozenset({Stop.DELIVERY, Stop.HAND_OUT})
_COMING_OUT = frozenset({Stop.COLLECTION})
_Span = tuple[datetime, datetime]


class Clearer:
    """Clears many deliveries against one fleet under one snapshot at one moment, doing shared work once.

    It remembers by identity; what it remembers keeps what it is about, so no other can come to bear the same id.
    """

    def __init__(self, atlas: Atlas, fleet: Fleet, now: datetime, down: Collection[str] = ()) -> None:
        """`down`: couriers that are given nothing new, because they do not answer."""
        self.down = down
        self.atlas = atlas
        self.fleet = fleet
        self.now = now
        self._stale_from = atlas.stale_from
        self._time_zone = atlas.rules.time_zone
        self.passes = Passes(fleet, self._time_zone)
        self._offers: dict[int, Offer] = {}
        self._surveys: dict[int, Surveyed] = {}
        self._grounds: dict[tuple[int, datetime, datetime, Phase, bool], Ground] = {}
        self._alike: dict[tuple[object, ...], Ground] = {}
        self._needs: dict[tuple[object, ...], tuple[Requirement, ...]] = {}
        self._shown: dict[tuple[str, int], Shown] = {}
        self._errands: dict[Errand, Errand] = {}
        self._nights: dict[tuple[int, date, date], list[_Span]] = {}
        self._of_vehicle: dict[str, list[Slot]] | None = None

    def ground(
        self,
        delivery: Delivery,
        start: datetime,
        end: datetime,
        phase: Phase = Phase.OPEN,
        *,
        moment: bool = False,
    ) -> Ground:
        """Rules at both ends during `[start, end)`, as known now."""
        return self._ground(self.surveyed(delivery), start, end, phase, moment)

    def clear(
        self,
        delivery: Delivery,
        slot: Slot,
        refused: Collection[str] = (),
        phase: Phase = Phase.GIVEN,
        *,
        moment: bool = False,
        held: Collection[str] = (),
    ) -> Verdict:
        """May this slot's crew take it? `refused` are slots and couriers that turned it down before.

        `held`: permits it was given; of those for a single use the use is its own.

        Where slot and window share no hours, nothing more is asked: there is no stay for rules to hold over.

        `moment`: not *may it be done in these hours*, but *was it right to do it just then*, at the beginning of
        them. A gift that is given was fetched at that moment; one that is carried was handed over, and only the
        permits, the tests and the home of the crew still have to last for the way back.
        """
        offer = self._offers.get(id(slot)) or self.offer(slot)
        surveyed = self.surveyed(delivery)
        reasons: list[Reason] = []
        if refused and (slot.slot_id in refused or slot.courier_id in refused):
            reasons.append(Reason.COURIER_REFUSED)
        reasons += offer.standing
        stay = self.stay(surveyed, delivery.window, offer, phase, moment)
        reasons += stay.reasons
        base = stay.base
        if base is None:
            return _answer(slot.slot_id, reasons)
        begun, end = offer.begins, stay.end
        left = stay.by + offer.back + staying(surveyed, phase)
        until = min(left, self._stale_from)
        reasons += self.gift_reasons(surveyed, offer, base.destination, stay.at_gate, phase)
        permit_ids: tuple[str, ...] = ()
        shown: list[str] = []
        crew = offer.crew
        if crew is not None:
            is_positive, tests = self._tests(crew, base.requirements)
            if is_positive:
                reasons.append(Reason.CREDENTIAL_POSITIVE)
            for texts, expiry in tests:
                if expiry is None:
                    reasons.append(Reason.CREDENTIAL_MISSING)
                elif expiry < end:
                    reasons.append(Reason.CREDENTIAL_EXPIRES)
                else:
                    shown += texts
                    until = min(until, expiry)
            if base.errand is not None:
                permits, missing = self.passes.cover(crew, base.errand, begun, end, phase is Phase.OPEN, held)
                reasons += missing
                for permit in permits:
                    permit_ids = (*permit_ids, permit.permit_id)
                    until = min(until, permit.valid.end)
            if base.persons:
                is_listed, lasts = stands_on(crew.listed, base.persons, begun, end)
                if not is_listed:
                    reasons.append(Reason.PERSON_UNLISTED)
                elif lasts is not None:
                    until = min(until, lasts)
            if crew.home is not None:
                home = self.home(offer, crew, end)
                # with the gift on board a crew is out already: where it sleeps is then no reason to turn back
                if home is not None and not (phase is Phase.CARRIED and home is Reason.CREW_HOME_UNKNOWN):
                    reasons.append(home)
        if base.companies and offer.courier is not None:
            is_listed, lasts = stands_on(offer.courier.listed, base.companies, begun, end)
            if not is_listed:
                reasons.append(Reason.COMPANY_UNLISTED)
            elif lasts is not None:
                until = min(until, lasts)
        return _answer(
            slot.slot_id,
            reasons,
            stay.handovers,
            stay.start,
            left,
            stay.since,
            stay.by,
            until,
            base.zone_ids,
            base.policies,
            permit_ids,
            tuple(shown),
            base.destination.zone_ids,
            stay.asked,
            base.quotas,
            base.exemptions,
        )

    # --- what is remembered -----------------------------------------------------------------------------------

    def offer(self, slot: Slot) -> Offer:
        """What is known of a slot whatever the delivery."""
        known = self._offers.get(id(slot))
        if known is not None:
            return known
        crew, courier = self.fleet.crews.get(slot.crew_id), self.fleet.couriers.get(slot.courier_id)
        standing = []
        if courier is None or courier.suspended:
            standing.append(Reason.COURIER_SUSPENDED)
        elif slot.courier_id in self.down:
            standing.append(Reason.COURIER_DOWN)
        if crew is None or crew.withdrawn or crew.courier_id != slot.courier_id:
            standing.append(Reason.CREW_WITHDRAWN)
        offer = self._offers[id(slot)] = Offer(
            slot,
            crew,
            courier,
            tuple(standing),
            begins=max(slot.window.start, self.now),
            ends=slot.window.end,
            trip=timedelta(minutes=slot.trip_minutes),
            back=timedelta(minutes=slot.return_minutes),
        )
        return offer

    def surveyed(self, delivery: Delivery) -> Surveyed:
        """What is known of a delivery whatever the hour."""
        surveyed = self._surveys.get(id(delivery))
        if surveyed is None:
            surveyed = self._surveys[id(delivery)] = survey(delivery, self.atlas)
        return surveyed

    def _ground(
        self, surveyed: Surveyed, start: datetime, end: datetime, phase: Phase, moment: bool
    ) -> Ground:
        key = (id(surveyed), start, end, phase, moment)
        known = self._grounds.get(key)
        if known is not None:
            return known
        atlas, now, delivery = self.atlas, self.now, surveyed.delivery
        # what is on its way is judged by the rules of now: turning it round would not make them newer
        is_stale = atlas.is_stale(now) or (phase is not Phase.CARRIED and self._stale_from < end)
        until = start + MOMENT if moment else end  # a shop that closes later has handed out what was fetched
        is_vague = atlas.needs_compound(delivery.drop_off.address, start, end, now) or (
            phase is not Phase.CARRIED and atlas.needs_compound(delivery.pick_up.address, start, until, now)
        )
        classes, (here, there, *over) = surveyed.item_classes, surveyed.excuses
        origin = atlas.regime_of(surveyed.origin, start, until, now, here, classes)
        destination = atlas.regime_of(surveyed.destination, start, end, now, there, classes)
        crossings = {
            name: atlas.regime_of(found, start, end, now, excuses, classes)
            for (name, found), excuses in zip(surveyed.crossings, over, strict=True)
        }
        over_them = tuple(map(id, crossings.values()))
        alike = (id(surveyed), id(origin), id(destination), over_them, phase, moment, is_stale, is_vague)
        known = self._alike.get(alike)
        if known is None:
            known = self._judged(surveyed, origin, destination, crossings, phase, moment, is_stale, is_vague)
            self._alike[alike] = known
        self._grounds[key] = known
        return known

    def _judged(
        self,
        surveyed: Surveyed,
        origin: Regime,
        destination: Regime,
        crossings: Mapping[str, Regime],
        phase: Phase,
        moment: bool,
        is_stale: bool,
        is_vague: bool,
    ) -> Ground:
        is_across = moment and phase is Phase.CARRIED  # it has been handed over
        reasons: list[Reason] = []
        if is_stale:
            reasons.append(Reason.RULES_STALE)
        reasons += surveyed.doubts
        if is_vague:
            reasons.append(Reason.ADDRESS_DOUBTFUL)
        classes = surveyed.item_classes
        if destination.handovers is None:
            reasons.append(Reason.ZONE_UNKNOWN)
        elif not destination.handovers:
            reasons.append(Reason.NO_HANDOVER)
        ends: tuple[Regime, ...] = (destination,)
        if phase is not Phase.CARRIED:
            # a shop that nobody has ruled on is not known to be open
            if origin.handovers is None:
                reasons.append(Reason.ZONE_UNKNOWN)
            elif (
                not origin.handovers
                or origin.level >= Level.SEALED
                or not origin.hand_out_denied.isdisjoint(classes)
            ):
                reasons.append(Reason.ORIGIN_CLOSED)
            ends = (origin, destination)
        asked = (*ends, *crossings.values())
        for crossing in crossings.values() if not is_across else ():
            if crossing.is_unknown:
                reasons.append(Reason.ZONE_UNKNOWN)
            if crossing.handovers is not None and not crossing.handovers:
                # where it cannot be told on which side an end lies, it cannot be told that the way is closed
                is_sure = set(crossing.zone_ids) > set(crossing.near_border)
                reasons.append(Reason.CROSSING_CLOSED if is_sure else Reason.ADDRESS_DOUBTFUL)
        if not all(regime.permits(item_class) for regime in asked for item_class in classes):
            reasons.append(Reason.ITEM_NOT_ALLOWED)
        handovers = destination.handovers or frozenset()
        # never left at a gate, never in a lobby; and nobody is visited there
        if ItemClass.HIGH_VALUE in classes or surveyed.visit:
            guard = surveyed.delivery.safeguard
            handovers = handovers & (IN_PERSON if guard is None else guard.handovers)
            if not handovers and destination.handovers is not None:
                reasons.append(Reason.SIGNATURE_CONFLICT)
        needs = united(*(regime.requirements for regime in asked))
        said = tuple((need.kind, need.age_from, need.max_age_hours, need.sequence) for need in needs)
        return Ground(
            reasons=tuple(dict.fromkeys(reasons)),
            origin=origin,
            destination=destination,
            handovers=tuple(handover for handover in NEAREST_FIRST if handover in handovers),
            requirements=self._needs.setdefault(said, needs),
            zone_ids=_names(asked, "zone_ids"),
            policies=_names(asked, "policies"),
            crossings=tuple(crossings.values()),
            errand=self._errand(surveyed, ends, crossings, phase),
            companies=_names(asked, "companies"),
            persons=_names(asked, "persons"),
            fetching=(
                *_stopping(_FETCHING, classes, origin),
                *_stopping(_CARRYING, classes, *(() if moment else crossings.values())),
            )
            if phase is not Phase.CARRIED
            else (),
            carrying=_stopping(_CARRYING, classes, destination, *(() if is_across else crossings.values())),
            coming_out=_stopping(_COMING_OUT, classes, destination),
            exemptions=_names(asked, "exemptions"),
            quotas=tuple(quoted for regime in (destination, *crossings.values()) for quoted in regime.quotas),
        )

    def _errand(
        self, surveyed: Surveyed, ends: Sequence[Regime], crossings: Mapping[str, Regime], phase: Phase
    ) -> Errand | None:
        zones = frozenset(name for regime in ends for name in regime.asking)
        passed = frozenset(name for name, regime in crossings.items() if regime.asking)
        if not zones and not passed:
            return None
        errand = Errand(
            *surveyed.districts,
            is_carried=phase is Phase.CARRIED,
            zones=zones,
            crossings=passed,
            item_classes=surveyed.item_classes,
        )
        return self._errands.setdefault(errand, errand)

    def _tests(self, crew: Crew, needs: tuple[Requirement, ...]) -> Shown:
        key = (crew.crew_id, id(needs))
        known = self._shown.get(key)
        if known is None:
            known = self._shown[key] = shown_by(crew, needs, self.now, self._time_zone)
        return known

    def shows(self, crew: Crew, needs: tuple[Requirement, ...], end: datetime) -> list[Reason]:
        """What speaks against what a crew can show until then, as `clear` says it, which is hot and says it itself."""
        is_positive, tests = self._tests(crew, needs)
        lapsing = [
            Reason.CREDENTIAL_MISSING if expiry is None else Reason.CREDENTIAL_EXPIRES
            for _, expiry in tests
            if expiry is None or expiry < end
        ]
        return [Reason.CREDENTIAL_POSITIVE, *lapsing] if is_positive else lapsing

    def home(self, offer: Offer, crew: Crew, end: datetime) -> Reason | None:
        """What speaks against setting out from where the crew lives, and coming back there."""
        assert crew.home is not None
        if end not in offer.homes:
            level = self.atlas.home_level(crew.home, offer.begins, self.now, end)
            unknown = Reason.CREW_HOME_UNKNOWN if level is None else None
            is_shut = level is not None and level >= Level.SEALED
            offer.homes[end] = Reason.CREW_HOME_SEALED if is_shut else unknown
        return offer.homes[end]

    # --- hours ------------------------------------------------------------------------------------------------

    def stay(self, surveyed: Surveyed, window: Window, offer: Offer, phase: Phase, moment: bool) -> Stay:
        """When it would be done, and what speaks against that whoever goes."""
        is_open, is_carried = phase is Phase.OPEN, phase is Phase.CARRIED
        start = offer.begins
        trip = offer.trip if is_open else NO_TIME
        least = NO_TIME if is_carried else HANDLING
        visit = staying(surveyed, phase)
        back = offer.back + visit
        # a team that stays is planned to have done so by the end of its hours
        low, high = (
            max(window.start, start + trip),
            min(window.end, offer.ends - visit if is_open else offer.ends),
        )
        if low >= high or high - low < least:
            return NO_STAY
        # Rules, tests and permits are held against the stay as it is before curfews shorten it: else a curfew
        # more could turn a no into a yes.
        end = high + back
        until = high if moment and is_carried else end
        asked = Asked(start, until, phase, moment)
        base = self._ground(surveyed, start, until, phase, moment)
        regime = base.destination
        at_gate = GATE_TEST if regime.antigen_at_gate else NO_TIME
        if at_gate and is_open:
            trip += at_gate
            low = max(low, start + trip)
            if low >= high or high - low < least:
                return NO_STAY
        reasons = base.reasons
        stay = (low, high)
        handovers = base.handovers
        if base.fetching or base.carrying or base.coming_out:
            fetched, hours, out = self._open_hours(base, phase, start, stay, trip, back, moment)
            indoors = handovers
            if out is not None:  # in some of these hours the client cannot come out
                indoors = tuple(way for way in handovers if way not in FETCHED)
                hours = hours if indoors else out
            hours = [span for span in hours if span[1] - span[0] >= least]
            if hours:
                stay = max(hours, key=lambda span: (span[1] - span[0], -span[0].timestamp()))
                start = fetched
                if out is not None and not _comes_out(stay, out, least, is_open):
                    handovers = indoors
            else:
                reasons = (*reasons, Reason.CURFEW)
        return Stay(reasons, base, handovers, start, *stay, end, at_gate, asked)

    def _open_hours(
        self,
        base: Ground,
        phase: Phase,
        start: datetime,
        stay: _Span,
        trip: timedelta,
        back: timedelta,
        moment: bool,
    ) -> tuple[datetime, list[_Span], list[_Span] | None]:
        """When it is fetched at the earliest, and the hours for handing over, outside everybody's curfew.

        The origin's curfew bears on the fetching, the destination's on everything from entering to being out, that
        of a crossing on both. Last the hours in which a gift can be left for the client to fetch: once it has
        rested the client has to be able to come out (lockdowns.md, 3.29). None: the same hours.
        """
        low, high = stay
        if phase is Phase.CARRIED:
            if moment:
                back = NO_TIME
        elif base.fetching:
            until = start + MOMENT if moment else high
            fetching = open_hours(start, until, self._closed(base.fetching, start, until))
            if not fetching:
                return start, [], None
            start = fetching[0][0]
        if phase is not Phase.CARRIED:
            low = max(low, start + trip)
        if low >= high:
            return start, [], None
        closed = [(begins - back, ends) for begins, ends in self._closed(base.carrying, low, high + back)]
        hours = open_hours(low, high, closed)
        if not base.coming_out:
            return start, hours, None
        rest = timedelta(minutes=base.destination.rest_minutes)
        indoors = [
            (begins - rest - COMING_OUT, ends - rest)
            for begins, ends in self._closed(base.coming_out, low + rest, high + rest + COMING_OUT)
        ]
        return start, hours, open_hours(low, high, [*closed, *indoors]) if indoors else None

    def _closed(self, curfews: Iterable[Curfew], start: datetime, end: datetime) -> list[_Span]:
        return [
            span
            for curfew in curfews
            for span in self._curfew(curfew, start, end)
            if span[0] < end and span[1] > start
        ]

    def _curfew(self, curfew: Curfew, start: datetime, end: datetime) -> list[_Span]:
        """The curfew's hours on the days from start to end, and maybe some before and after."""
        first, last = start.date(), end.date()
        key = (id(curfew), first, last)
        known = self._nights.get(key)
        if known is None:
            begins = datetime.combine(first, time(), UTC) - timedelta(
                days=1
            )  # whatever clock the dates are of
            ends = datetime.combine(last, time(), UTC) + timedelta(days=2)
            known = curfew_spans(curfew, self.atlas.rules.time_zone, begins, ends)
            self._nights[key] = known
        return known

    # --- gift and vehicle -------------------------------------------------------------------------------------

    def gift_reasons(
        self, surveyed: Surveyed, offer: Offer, regime: Regime, at_gate: timedelta, phase: Phase
    ) -> list[Reason]:
        """What speaks against this gift in that vehicle, with that courier."""
        reasons = []
        gift, classes, slot, crew = surveyed.delivery.gift, surveyed.item_classes, offer.slot, offer.crew
        is_other = bool(slot.visits) is not bool(surveyed.visit)
        if is_other or (slot.item_classes is not None and not classes <= slot.item_classes):
            reasons.append(Reason.NOT_CARRIED)
        if crew is not None:
            is_kept = surveyed.kept.get(crew.crew_id)
            if is_kept is None:
                is_kept = surveyed.kept[crew.crew_id] = all(
                    any(item.temperature.holds(kept) for kept in crew.vehicle.compartments)
                    for item in gift.items
                    if item.temperature is not None
                )
            if not is_kept:
                reasons.append(Reason.TEMPERATURE)
        if surveyed.dwell_limit is not None and phase is not Phase.CARRIED:
            carrying = offer.trip + at_gate + timedelta(minutes=regime.rest_minutes)
            if carrying > surveyed.dwell_limit:
                reasons.append(Reason.DWELL)
        if offer.courier is not None and ItemClass.HIGH_VALUE in classes:
            guard = surveyed.delivery.safeguard
            if offer.courier.proofs.isdisjoint(_brings_back(guard)):
                reasons.append(Reason.PROOF_MISSING)
            insured, value = offer.courier.insured(*surveyed.districts), gift.value
            if insured is None or insured.currency != value.currency or insured.amount < value.amount:
                reasons.append(Reason.VALUE_UNINSURED)
            if (
                guard is not None
                and phase is Phase.OPEN
                and rides_alone(gift, offer.courier)
                and self._is_shared(slot)
            ):
                reasons.append(Reason.VEHICLE_SHARED)
        home = surveyed.delivery.stays_in
        # who carries it has been told already
        if home is not None and offer.courier is not None and phase is not Phase.CARRIED:
            region = offer.courier.data_region or surveyed.delivery.drop_off.address.country
            if not may_be_told(home, region):
                reasons.append(Reason.CONSENT_MISSING)
        return reasons

    def _is_shared(self, slot: Slot) -> bool:
        """True when somebody else is, or may come to be, in that vehicle in those hours: another has a place in the
        slot, or the vehicle is in a second slot beside it."""
        if self.fleet.left.get(slot.slot_id, 0) < max(1, slot.capacity):
            return True
        crews = self.fleet.crews
        if self._of_vehicle is None:
            self._of_vehicle = {}
            for other in self.fleet.slots.values():
                vehicle = vehicle_of(other, crews.get(other.crew_id))
                self._of_vehicle.setdefault(vehicle, []).append(other)
        own = vehicle_of(slot, crews.get(slot.crew_id))
        return any(is_beside(slot, other) for other in self._of_vehicle.get(own, ()))


def _brings_back(guard: Safeguard | None) -> frozenset[Proof]:
    """Of these a courier has to bring back one. The code of a safeguarded gift is ours, and asks nothing of it."""
    if guard is None:
        return frozenset({Proof.RECEIPT_CODE})
    return frozenset({Proof.IDENTITY} if guard.insurer_consent is None else {Proof.IDENTITY, Proof.PHOTO})


def _stopping(
    stops: frozenset[Stop], item_classes: frozenset[ItemClass], *regimes: Regime
) -> tuple[Curfew, ...]:
    """The curfews there that stop one of these things for a gift of these classes."""
    return tuple(
        curfew
        for regime in regimes
        for curfew in regime.curfews
        if not curfew.stops.isdisjoint(stops)
        and (curfew.item_classes is None or not curfew.item_classes.isdisjoint(item_classes))
    )


def _comes_out(stay: _Span, out: Sequence[_Span], least: timedelta, is_open: bool) -> bool:
    """Can the client fetch what was left? While hours are being planned at any time of them; later at some time."""
    low, high = stay
    if is_open:
        return any(begins <= low and high <= ends for begins, ends in out)
    return any(begins < high and low < ends and ends - begins >= least for begins, ends in out)


def _names(regimes: Sequence[Regime], field: str) -> tuple[str, ...]:
    return tuple(sorted({name for regime in regimes for name in getattr(regime, field)}))


def _answer(
    slot_id: str, reasons: Sequence[Reason], handovers: tuple[Handover, ...] = (), *rest: Any
) -> Verdict:
    if not reasons:
        return Verdict(Decision.YES, slot_id, (), handovers, *rest)
    decision = Decision.NO if HOLDING.isdisjoint(reasons) else Decision.HOLD
    return Verdict(decision, slot_id, tuple(dict.fromkeys(reasons)), (), *rest)
