"""Many orders against many slots at once: what `Clearer.clear` would say of every pair, without asking pair by pair.

What is said of a pair is the sum of what is said of it for a few reasons each: of the hours, of the places, of the
gift in that vehicle, of the crew's tests, its permits, its lists, its home. Each of these hangs on little of an order:
its permits on two districts, its tests on what the regime asks. So orders that are alike in one respect share that
answer for all slots, kept as the bits of one whole number, a bit a slot. 50,000 orders and 2,000 slots are a hundred
million pairs, and a few hundred thousand answers.

The rules themselves are `Clearer`'s; here stands only what each of them hangs on. Whoever adds to `clear` adds the same
here, or to the arguments of what is called: `tests/domain/test_pool.py` compares both pair by pair.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import NamedTuple

from chalicelib.domain.atlas import Found
from chalicelib.domain.clearance import Clearer
from chalicelib.domain.credentials import stands_on
from chalicelib.domain.fleet import Slot
from chalicelib.domain.gifts import Gift, ItemClass
from chalicelib.domain.permits import Errand
from chalicelib.domain.shapes import Window
from chalicelib.domain.survey import Ground, Surveyed
from chalicelib.domain.verdicts import HOLDING, Decision, Delivery, Phase, Reason, Verdict
from chalicelib.domain.zones import Zone

Slots = int
"""Slots of a pool, a bit for each in the order of their ids."""
Against = dict[Reason, Slots]
"""What speaks against whom."""

_NAMES = frozenset({"zone_id", "unit", "polygons", "precision_m", "basis"})
_says = attrgetter(*(name for name in Zone.model_fields if name not in _NAMES))
"""What two zones have in common that say the same at the same times."""


class Answer(NamedTuple):
    """What `clear` says of one order and every slot that shares hours with it."""

    near: Slots
    yes: Slots
    against: Mapping[Reason, Slots]
    is_rationed: bool
    """True when a yes may need one of something that is counted: of a quota, or a permit for a single use."""


class _Hours(NamedTuple):
    """One window, and when each slot would be out again."""

    window: Window
    near: Slots
    numbers: tuple[int, ...]
    """Of the slots that are near."""
    ends: Mapping[int, datetime]


class _Asking(NamedTuple):
    """What the rules ask of whoever goes, at one hour."""

    requirements: int
    """The identity of the tuple, which `Clearer` keeps."""
    zones: frozenset[str] | None
    """Of the errand; None: no permit is asked for."""
    crossings: frozenset[str]
    persons: tuple[str, ...]
    companies: tuple[str, ...]
    rest_minutes: int
    at_gate: timedelta
    is_counted: bool
    """Quotas count what goes there."""


class _Stays(NamedTuple):
    """What hours and places say of orders that are alike in both."""

    against: Against
    asking: tuple[tuple[_Asking, Ground, Slots], ...]
    """Of those whose hours fit."""


class Pool:
    """One fleet's slots, laid out to be asked about order after order. Nobody has been given any of them."""

    def __init__(self, clearer: Clearer, slots: Iterable[Slot]) -> None:
        self.clearer = clearer
        self.slots: Sequence[Slot] = sorted(slots, key=lambda slot: slot.slot_id)
        self._offers = [clearer.offer(slot) for slot in self.slots]
        self._of_courier: dict[str, Slots] = {}
        self._of_slot: dict[str, Slots] = {}
        self._standing: Against = {}
        times: dict[tuple[datetime, datetime, timedelta, timedelta], Slots] = {}
        for number, (slot, offer) in enumerate(zip(self.slots, self._offers, strict=True)):
            bit = 1 << number
            self._of_slot[slot.slot_id] = bit
            self._of_courier[slot.courier_id] = self._of_courier.get(slot.courier_id, 0) | bit
            _add(self._standing, offer.standing, bit)
            time = (offer.begins, offer.ends, offer.trip, offer.back)
            times[time] = times.get(time, 0) | bit
        self._times = tuple((self._offers[_first(bits)], bits) for bits in times.values())
        permits = clearer.fleet.permits.values()
        self._zones_matter = any(permit.zones for permit in permits)
        self._classes_matter = any(permit.item_classes is not None for permit in permits)
        limits: dict[str, set[int]] = {}
        for courier in clearer.fleet.couriers.values():
            ways = (way.limit for way in courier.insured_ways)
            for limit in filter(None, (courier.insured_limit, *ways)):
                limits.setdefault(limit.currency, set()).add(limit.amount)
        self._limits = {currency: sorted(amounts) for currency, amounts in limits.items()}
        self._ways_matter = any(courier.insured_ways for courier in clearer.fleet.couriers.values())
        self._numbers: dict[object, int] = {}
        self._named: dict[Slots, tuple[str, ...]] = {}
        self._hours: dict[tuple[datetime, datetime, timedelta], _Hours] = {}
        self._stays: dict[tuple[datetime, datetime, int], _Stays] = {}
        self._errands: dict[Errand, Errand] = {}
        self._founds: dict[int, tuple[Found, int]] = {}
        self._said: dict[tuple[object, ...], Against] = {}
        self._answers: dict[tuple[object, ...], Answer] = {}
        self._said_of: dict[int, tuple[Verdict, ...]] = {}
        self._single = any(permit.single_use for permit in clearer.fleet.permits.values())

    def slots_of(self, slots: Slots) -> Iterator[Slot]:
        """These slots, by id."""
        while slots:
            lowest = slots & -slots
            yield self.slots[lowest.bit_length() - 1]
            slots ^= lowest

    def verdicts(self, delivery: Delivery, refused: Collection[str] = ()) -> Sequence[Verdict]:
        """A verdict for every slot that shares hours with it. The reasons of a no, and a yes that is not rationed, are
        the same ones for all orders that are alike, and such a yes names its slot only: what it rests on is asked of
        `clear` for the one slot that is chosen. A yes that is rationed is `clear`'s own."""
        answer = self.ask(delivery, refused)
        said = self._said_of.get(id(answer))
        if said is None:
            noes = self._turned_down(answer)
            yes = () if answer.is_rationed else self.names(answer.yes)
            said = self._said_of[id(answer)] = (*(Verdict(Decision.YES, name) for name in yes), *noes)
        if not answer.is_rationed:
            return said
        slots = self.slots_of(answer.yes)
        return [*(self.clearer.clear(delivery, slot, refused, Phase.OPEN) for slot in slots), *said]

    def _turned_down(self, answer: Answer) -> tuple[Verdict, ...]:
        found: dict[str, list[Reason]] = {}
        for reason, slots in answer.against.items():
            for name in self.names(slots):
                found.setdefault(name, []).append(reason)
        return tuple(
            Verdict(Decision.NO if HOLDING.isdisjoint(reasons) else Decision.HOLD, name, tuple(reasons))
            for name, reasons in found.items()
        )

    def names(self, slots: Slots) -> tuple[str, ...]:
        """The ids of these slots, in order; many orders have the same ones."""
        known = self._named.get(slots)
        if known is None:
            known = self._named[slots] = tuple([slot.slot_id for slot in self.slots_of(slots)])
        return known

    def ask(self, delivery: Delivery, refused: Collection[str] = ()) -> Answer:
        """What `clear` says of this delivery, open, and of each slot. `refused`: as there."""
        surveyed = self.clearer.surveyed(delivery)
        window = delivery.window
        places, gift = self._places(surveyed), self._gift(surveyed, delivery.gift)
        key = (window.start, window.end, places, surveyed.districts, gift, *sorted(refused))
        known = self._answers.get(key)
        if known is None:
            known = self._answers[key] = self._answer(surveyed, places, gift, refused)
        return known

    # --- what an order hangs on -------------------------------------------------------------------------------

    def _number(self, what: object) -> int:
        return self._numbers.setdefault(what, len(self._numbers))

    def _places(self, surveyed: Surveyed) -> int:
        """Which of the kinds of places this is: in one kind the rules say the same of every hour."""
        atlas, delivery = self.clearer.atlas, surveyed.delivery
        return self._number(
            (
                self._found(surveyed.origin),
                self._found(surveyed.destination),
                tuple([(name, self._found(found), self._reach(found)) for name, found in surveyed.crossings]),
                surveyed.doubts,
                surveyed.item_classes,
                delivery.safeguard,
                tuple([tuple(map(id, excuses)) for excuses in surveyed.excuses]),
                atlas.vague(delivery.pick_up.address),
                atlas.vague(delivery.drop_off.address),
                surveyed.visit,
            )
        )

    def _found(self, found: Found) -> int:
        known = self._founds.get(id(found))
        if known is not None:
            return known[1]
        said = frozenset((_says(zone), zone.zone_id if self._zones_matter else "") for zone, _ in found)
        number = self._number(said)
        self._founds[id(found)] = (found, number)
        return number

    @staticmethod
    def _reach(found: Found) -> frozenset[object]:
        """Which of them only the buffer reaches: of a crossing that says whether it is crossed for sure."""
        return frozenset((near, _says(zone)) for zone, near in found)

    def _gift(self, surveyed: Surveyed, gift: Gift) -> int:
        """Which of the kinds of gifts this is: each vehicle and courier may carry one as well as another."""
        insured: tuple[object, ...] | None = None
        guard = surveyed.delivery.safeguard
        if ItemClass.HIGH_VALUE in surveyed.item_classes:
            value = gift.value
            insured = (value.currency, bisect_left(self._limits.get(value.currency, ()), value.amount))
            if self._ways_matter:
                insured = (*insured, surveyed.districts)
            if guard is not None:
                insured = (*insured, guard, value.amount)
        temperatures = frozenset([item.temperature for item in gift.items])
        home = surveyed.delivery.stays_in
        border = None if home is None else (home, surveyed.delivery.drop_off.address.country)
        return self._number(
            (surveyed.item_classes, surveyed.dwell_limit, temperatures, insured, border, surveyed.visit)
        )

    def _hours_of(self, window: Window, visit: timedelta) -> _Hours:
        key = (window.start, window.end, visit)
        known = self._hours.get(key)
        if known is None:
            numbers = tuple(
                number
                for number, slot in enumerate(self.slots)
                if window.overlap(slot.window.start, slot.window.end)
            )
            near, ends = 0, {}
            for number in numbers:
                offer = self._offers[number]
                near |= 1 << number
                ends[number] = min(window.end, offer.ends - visit) + visit + offer.back
            known = self._hours[key] = _Hours(window, near, numbers, ends)
        return known

    # --- what is said -----------------------------------------------------------------------------------------

    def _answer(self, surveyed: Surveyed, places: int, gift: int, refused: Collection[str]) -> Answer:
        hours = self._hours_of(surveyed.delivery.window, surveyed.visit)
        stays = self._stays_of(surveyed, places, hours)
        against = dict(stays.against)
        for reason, slots in self._standing.items():
            _put(against, reason, slots & hours.near)
        for name in refused:
            bits = self._of_slot.get(name, 0) | self._of_courier.get(name, 0)
            _put(against, Reason.COURIER_REFUSED, bits & hours.near)
        for asking, base, slots in stays.asking:
            for said in self._asked(surveyed, gift, asking, base, hours):
                for reason, those in said.items():
                    _put(against, reason, those & slots)
        turned_down = 0
        for slots in against.values():
            turned_down |= slots
        yes = hours.near & ~turned_down
        is_rationed = yes > 0 and any(
            base.quotas or (self._single and base.errand is not None) for _, base, _ in stays.asking
        )
        return Answer(hours.near, yes, against, is_rationed)

    def _stays_of(self, surveyed: Surveyed, places: int, hours: _Hours) -> _Stays:
        key = (hours.window.start, hours.window.end, places)
        known = self._stays.get(key)
        if known is None:
            against: Against = {}
            asking: dict[_Asking, tuple[Ground, Slots]] = {}
            for offer, bits in self._times:
                slots = bits & hours.near
                if not slots:
                    continue
                stay = self.clearer.stay(surveyed, hours.window, offer, Phase.OPEN, moment=False)
                _add(against, stay.reasons, slots)
                if stay.base is not None:
                    what = self._asking(stay.base, stay.at_gate)
                    asking[what] = (stay.base, asking.get(what, (stay.base, 0))[1] | slots)
            known = _Stays(against, tuple((what, base, slots) for what, (base, slots) in asking.items()))
            self._stays[key] = known
        return known

    def _asking(self, base: Ground, at_gate: timedelta) -> _Asking:
        zones, crossings = None, frozenset[str]()
        if base.errand is not None:
            zones, crossings = base.errand.zones, base.errand.crossings
            if zones and not self._zones_matter:
                zones = frozenset({"any"})
        return _Asking(
            id(base.requirements),
            zones,
            crossings,
            base.persons,
            base.companies,
            base.destination.rest_minutes,
            at_gate,
            bool(base.quotas),
        )

    def _asked(
        self, surveyed: Surveyed, gift: int, asking: _Asking, base: Ground, hours: _Hours
    ) -> Iterator[Against]:
        """What is said of every slot for each of the things that are asked; not of those whose hours do not fit."""
        clearer, when = self.clearer, (hours.window.start, hours.window.end, surveyed.visit)
        yield self._remembered(
            (gift, asking.rest_minutes, asking.at_gate),
            range(len(self.slots)),
            lambda n: clearer.gift_reasons(
                surveyed, self._offers[n], base.destination, asking.at_gate, Phase.OPEN
            ),
        )
        yield self._remembered((when, "home"), hours.numbers, lambda n: self._home(n, hours.ends[n]))
        # a crew that is positive is turned down where no test is asked for, too
        yield self._remembered(
            (when, "tests", asking.requirements),
            hours.numbers,
            lambda n: self._shows(n, base, hours.ends[n]),
        )
        if asking.zones is not None:
            errand = self._errand(surveyed, asking.zones, asking.crossings)
            yield self._remembered(
                (when, errand), hours.numbers, lambda n: self._covers(n, errand, hours.ends[n])
            )
        if asking.persons:
            yield self._remembered(
                (when, "persons", asking.persons),
                hours.numbers,
                lambda n: self._persons(n, asking.persons, hours.ends[n]),
            )
        if asking.companies:
            yield self._remembered(
                (when, "companies", asking.companies),
                hours.numbers,
                lambda n: self._companies(n, asking.companies, hours.ends[n]),
            )

    def _remembered(
        self, key: tuple[object, ...], numbers: Iterable[int], ask: Callable[[int], Iterable[Reason]]
    ) -> Against:
        known = self._said.get(key)
        if known is None:
            known = self._said[key] = {}
            for number in numbers:
                reasons = ask(number)
                if reasons:
                    _add(known, reasons, 1 << number)
        return known

    def _errand(self, surveyed: Surveyed, zones: frozenset[str], crossings: frozenset[str]) -> Errand:
        classes = surveyed.item_classes if self._classes_matter else frozenset[ItemClass]()
        errand = Errand(*surveyed.districts, False, zones, crossings, classes)
        return self._errands.setdefault(errand, errand)  # permits are remembered by its identity

    def _shows(self, number: int, base: Ground, end: datetime) -> Sequence[Reason]:
        crew = self._offers[number].crew
        return () if crew is None else self.clearer.shows(crew, base.requirements, end)

    def _covers(self, number: int, errand: Errand, end: datetime) -> Sequence[Reason]:
        offer = self._offers[number]
        if offer.crew is None:
            return ()
        return self.clearer.passes.cover(offer.crew, errand, offer.begins, end)[1]

    def _home(self, number: int, end: datetime) -> Sequence[Reason]:
        offer = self._offers[number]
        if offer.crew is None or offer.crew.home is None:
            return ()
        reason = self.clearer.home(offer, offer.crew, end)
        return () if reason is None else (reason,)

    def _persons(self, number: int, lists: Iterable[str], end: datetime) -> Sequence[Reason]:
        offer = self._offers[number]
        if offer.crew is None or stands_on(offer.crew.listed, lists, offer.begins, end)[0]:
            return ()
        return (Reason.PERSON_UNLISTED,)

    def _companies(self, number: int, lists: Iterable[str], end: datetime) -> Sequence[Reason]:
        offer = self._offers[number]
        if offer.courier is None or stands_on(offer.courier.listed, lists, offer.begins, end)[0]:
            return ()
        return (Reason.COMPANY_UNLISTED,)


def _add(against: Against, reasons: Iterable[Reason], slots: Slots) -> None:
    for reason in reasons:
        against[reason] = against.get(reason, 0) | slots


def _put(against: Against, reason: Reason, slots: Slots) -> None:
    if slots:
        against[reason] = against.get(reason, 0) | slots


def _first(slots: Slots) -> int:
    return (slots & -slots).bit_length() - 1
