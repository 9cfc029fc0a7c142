"""The scenario *sixteen to six*: in one week ten of sixteen crews fall out, while gifts of five tiers are placed.

Real: sixteen volunteer drivers of whom six were left, and what was asked of them, a PCR test of the last 48 hours and a
pass (account of 16 April 2022, peers.md, section 3); the three classes of compounds (lockdowns.md, 1.1). Invented:
everything else, by chance from one seed. In reality it took a fortnight.

Of the ten crews seven fall out as was known: the pass has an end, the list of couriers has one, no new test came, the
home is sealed on a day that was announced. Three do so without warning, in the middle of their hours. So do compounds:
most are sealed from a day that a list names, some at once. Nobody here looks ahead: `fleet_at` and `atlas_at` are what
the table would hold at that moment.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Final

from chalicelib.domain.atlas import Atlas
from chalicelib.domain.fleet import (
    Credential,
    Crew,
    Fleet,
    Listing,
    Permit,
    Slot,
    TestResult,
    Vehicle,
)
from chalicelib.domain.gifts import TemperatureRange
from chalicelib.domain.orders import Contact, NewOrder, PickUp, Recipient, Tier
from chalicelib.domain.places import Address, Coordinate, Datum, MatchQuality, Place
from chalicelib.domain.policies import CredentialKind, Level, Policy, Requirement
from chalicelib.domain.shapes import Money, Window
from chalicelib.domain.verdicts import Delivery
from chalicelib.domain.zones import NamedUnit, Rules, Zone
from sandbox import shanghai
from sandbox.shanghai import DAY, LOCAL, MARKET_ID, ZONE_NAME, local, plain_gift

GIFTS: Final = 1_100
DAYS: Final = 7
CREWS: Final = 16
CAPACITY: Final = 6
"""Deliveries in half a day; of fewer gifts in proportion."""
HALVES: Final = 2 * DAYS
"""Half-days: a morning and an afternoon each day."""

BEGINS, ENDS = (time(8), time(13)), (time(12), time(17))
LOOKS = (time(7), time(12, 30))
"""The last moment before each half-day at which it is settled who goes."""
BACK: Final = timedelta(minutes=30)

TESTED: Final = (Requirement(kind=CredentialKind.PCR, max_age_hours=48),)
"""No antigen test of the same day: with one that lasts 24 hours nobody's tomorrow can be cleared today."""
REPORTED_AFTER: Final = timedelta(hours=7)
COURIERS_LIST: Final = "city-couriers"


def _week(policy: Policy, **changes: object) -> Policy:
    return policy.model_copy(
        update={"policy_id": f"week-{policy.policy_id}", "requirements": TESTED} | changes
    )


CITY: Final = _week(shanghai.CITY, persons=frozenset({COURIERS_LIST}))
LOBBY, GATE, SEALED = _week(shanghai.LOBBY), _week(shanghai.GATE), _week(shanghai.SEALED)
POLICIES: Final = (CITY, LOBBY, GATE, SEALED)

SHOPS: Final = {"meal_box": "310106", "dessert_box": "310101", "flowers": "310104", "tea_box": "310104"}
"""Where gifts of each kind are fetched."""
KIND_WEIGHTS: Final = {"meal_box": 40, "dessert_box": 20, "flowers": 25, "tea_box": 15}
INNER: Final = ("310101", "310104", "310105", "310106")
EAST, SOUTH, NORTH = ("310115",), ("310112", "310117"), ("310109", "310110", "310113")
DISTRICTS: Final = (*INNER, *EAST, *SOUTH, *NORTH)
WHERE: Final = {**dict.fromkeys(INNER, 9), "310115": 26, **dict.fromkeys(SOUTH, 9), **dict.fromkeys(NORTH, 7)}
"""How often a client lives there."""
SCOPES: Final = (
    DISTRICTS,
    *((*INNER, *EAST),) * 4,
    *((*INNER, *SOUTH),) * 3,
    *((*INNER, *NORTH),) * 3,
    *(INNER,) * 5,
)
"""Districts of the sixteen passes. Those that are good over the river are the first to end: see `_losses`."""
COMPOUNDS: Final = 8
"""In each district."""
ANNOUNCED, AT_ONCE = 5, 2
"""Compounds that are sealed a day."""
TIERS: Final = {Tier.STANDARD: 40, Tier.SILVER: 25, Tier.GOLD: 20, Tier.PLATINUM: 10, Tier.DIAMOND: 5}
SPANS: Final = {1: 30, 2: 30, 3: 20, 4: 20}
"""Days over which a gift may arrive, and how often."""
STARTS: Final = (24, 10, 24, 8, 16, 10, 8)
"""How many gifts may arrive from each day on: they come in surges."""


class End(StrEnum):
    """How a crew falls out."""

    PASS = "pass ends"  # nosec B105 - a cause, no secret
    LIST = "list ends"
    TEST = "no new test"
    HOME = "home sealed, as announced"
    POSITIVE = "test positive"
    REVOKED = "pass revoked"
    HOME_AT_ONCE = "home sealed at once"


ENDINGS: Final = (
    *(End.PASS,) * 3,
    *(End.LIST,) * 2,
    End.TEST,
    End.HOME,
    End.POSITIVE,
    End.REVOKED,
    End.HOME_AT_ONCE,
)
SUDDEN: Final = frozenset({End.POSITIVE, End.REVOKED, End.HOME_AT_ONCE})
FIRST: Final = 2
"""The half-day in which the first crew falls out; each of the following loses one more."""


def moment(half: int, at: tuple[time, time]) -> datetime:
    """That time of that half-day."""
    return datetime.combine(DAY + timedelta(days=half // 2), at[half % 2], LOCAL)


@dataclass(frozen=True)
class Loss:
    """One crew falls out: from that moment on it may not go."""

    crew_id: str
    end: End
    half: int
    at: datetime


@dataclass(frozen=True)
class Wanted:
    """A gift that somebody placed."""

    order_id: str
    placed_at: datetime
    new: NewOrder
    delivery: Delivery


class Sixteen:
    """The whole week, from one seed; nothing that is done in it changes it."""

    def __init__(self, seed: int = 20220411, gifts: int = GIFTS) -> None:
        self.seed = seed
        self.capacity = max(1, round(CAPACITY * gifts / GIFTS))
        self.names = tuple(f"crew-{number:02d}" for number in range(1, CREWS + 1))
        scopes = list(SCOPES)
        self._dice("scopes").shuffle(scopes)
        self._scopes = dict(zip(self.names, scopes, strict=True))
        self.losses = self._losses()
        self._lost = {loss.crew_id: loss for loss in self.losses}
        self._tests = {name: self._tested(number, name) for number, name in enumerate(self.names)}
        self.slots = self._slots()
        self.zones = self._zones()
        self.orders = self._orders(gifts)
        self._couriers = {c.courier_id: c for c in shanghai.Shanghai.couriers()}

    def _dice(self, purpose: str) -> random.Random:
        return random.Random(f"{self.seed}/{purpose}")  # nosec B311 - dice of a game

    def _losses(self) -> tuple[Loss, ...]:
        """Ten in turn. Ends that are known befall the crews whose pass is good over the river, all but one."""
        dice = self._dice("losses")
        endings = list(ENDINGS)
        dice.shuffle(endings)
        crews = dice.sample(self.names, CREWS)
        over = [name for name in crews if EAST[0] in self._scopes[name]][1:]
        others = [name for name in crews if EAST[0] not in self._scopes[name]]
        found = []
        for half, end in enumerate(endings, FIRST):
            at = moment(half, BEGINS) + timedelta(minutes=dice.randrange(75, 165))
            if end not in SUDDEN:  # with the last half-day, its way back included
                at = moment(half - 1, ENDS) + BACK
            crew_id = over.pop() if over and end not in SUDDEN else others.pop()
            found.append(Loss(crew_id, end, half, at))
        return tuple(found)

    # --- the fleet --------------------------------------------------------------------------------------------

    def _slots(self) -> dict[str, Slot]:
        """Every crew's hours for the whole week: nobody takes them back when a pass lapses."""
        dice, found = self._dice("slots"), {}
        for place, crew_id in enumerate(self.names):
            price, on_time = dice.randrange(1_800, 4_200, 50), dice.randrange(880, 985)
            for half in range(HALVES):
                window = Window(start=moment(half, BEGINS), end=moment(half, ENDS), time_zone=ZONE_NAME)
                slot_id = f"{crew_id}-{window.start.astimezone(LOCAL):%m%d-%H}"
                found[slot_id] = Slot(
                    slot_id=slot_id,
                    market_id=MARKET_ID,
                    courier_id="sftc" if place % 2 else "dada",
                    crew_id=crew_id,
                    window=window,
                    capacity=self.capacity,
                    price=Money(amount=price, currency="CNY"),
                    on_time_permille=on_time,
                    trip_minutes=45,
                    return_minutes=int(BACK / timedelta(minutes=1)),
                )
        return found

    def fleet_at(self, at: datetime) -> Fleet:
        """Crews and passes as they are known at that moment; every slot has all its places left."""
        return Fleet(
            couriers=self._couriers,
            crews={name: self._crew(number, name, at) for number, name in enumerate(self.names)},
            permits={name: self._permit(name, at) for name in self.names},
            slots=self.slots,
            left={name: slot.capacity for name, slot in self.slots.items()},
        )

    def _crew(self, number: int, name: str, at: datetime) -> Crew:
        loss = self._lost.get(name)
        until = loss.at if loss is not None and loss.end is End.LIST else None
        return Crew(
            crew_id=name,
            market_id=MARKET_ID,
            courier_id="sftc" if number % 2 else "dada",
            # every fourth has no cold box
            vehicle=Vehicle(
                plate=_plate(name), compartments=(TemperatureRange(min_c=2, max_c=5),) if number % 4 else ()
            ),
            home=_address(INNER[number % len(INNER)], _home(name), "1"),
            credentials=tuple(test for test in self._tests[name] if (test.reported_at or at) <= at)[-5:],
            listed=(Listing(list_id=COURIERS_LIST, since=local(0, day=1), until=until),),
        )

    def _tested(self, number: int, name: str) -> list[Credential]:
        """A PCR test every evening, until the last one."""
        loss = self._lost.get(name)
        evenings = [local(18, 40 + number, day=day) for day in range(9, DAY.day + DAYS)]
        if loss is None or loss.end not in (End.TEST, End.POSITIVE):
            return [_pcr(sampled, TestResult.NEGATIVE) for sampled in evenings]
        # the last one is good for exactly as long, or is told just then
        sampled = loss.at - (timedelta(hours=48) if loss.end is End.TEST else REPORTED_AFTER)
        result = TestResult.NEGATIVE if loss.end is End.TEST else TestResult.POSITIVE
        before = [_pcr(evening, TestResult.NEGATIVE) for evening in evenings if evening < sampled]
        return [*before, _pcr(sampled, result)]

    def _permit(self, name: str, at: datetime) -> Permit:
        loss = self._lost.get(name)
        ends = loss.at if loss is not None and loss.end is End.PASS else local(0, day=30)
        revoked = loss.at if loss is not None and loss.end is End.REVOKED and loss.at <= at else None
        return Permit(
            permit_id=f"pass-{name}",
            market_id=MARKET_ID,
            plate=_plate(name),
            districts=frozenset(self._scopes[name]),
            valid=Window(start=local(0, day=1), end=ends, time_zone=ZONE_NAME),
            revoked_at=revoked,
        )

    # --- the rules --------------------------------------------------------------------------------------------

    def _zones(self) -> tuple[Zone, ...]:
        dice = self._dice("zones")
        since = local(0, day=9)
        found = [_zone(f"city-{code}", CITY, since, since, code) for code in DISTRICTS]
        sites = [(code, f"court-{number}") for code in DISTRICTS for number in range(COMPOUNDS)]
        for code, name in sites:
            rule = LOBBY if dice.random() < 0.7 else GATE
            found.append(_zone(f"first-{code}-{name}", rule, since, since, code, name))
        for number, name in enumerate(self.names):
            found.append(_zone(f"home-{name}", GATE, since, since, INNER[number % len(INNER)], _home(name)))
        for kind, code in SHOPS.items():
            found.append(_zone(f"shop-{kind}", LOBBY, since, since, code, f"shop-{kind}"))
        dice.shuffle(sites)
        for day in range(DAYS):
            for place in range(ANNOUNCED + AT_ONCE):
                code, name = sites.pop()
                known = local(6, day=DAY.day + day)
                begins = known + timedelta(hours=dice.choice((30, 42)))
                if place >= ANNOUNCED:
                    known = begins = known + timedelta(minutes=dice.randrange(180, 600))
                found.append(_zone(f"sealed-{code}-{name}", SEALED, begins, known, code, name))
        for loss in self.losses:
            if loss.end in (End.HOME, End.HOME_AT_ONCE):
                known = loss.at - timedelta(hours=30 if loss.end is End.HOME else 0)
                code = INNER[self.names.index(loss.crew_id) % len(INNER)]
                found.append(
                    _zone(f"sealed-{loss.crew_id}", SEALED, loss.at, known, code, _home(loss.crew_id))
                )
        return tuple(found)

    def atlas_at(self, at: datetime) -> Atlas:
        """The rules as published then. What was not known at that moment is left out, not only passed over."""
        return Atlas(
            Rules(
                market_id=MARKET_ID,
                version=1,
                digest="0" * 64,
                time_zone=ZONE_NAME,
                datum=Datum.GCJ02,
                published_at=at,
                stale_after_hours=48,
                zones=tuple(zone for zone in self.zones if zone.known_since <= at),
                policies=POLICIES,
            )
        )

    def changes_within(self, start: datetime, end: datetime) -> list[datetime]:
        """Moments in `(start, end]` at which something is learned that was not known before."""
        known = {zone.known_since for zone in self.zones} | {
            loss.at for loss in self.losses if loss.end in SUDDEN
        }
        return sorted(at for at in known if start < at <= end)

    # --- gifts ------------------------------------------------------------------------------------------------

    def _orders(self, count: int) -> tuple[Wanted, ...]:
        dice = self._dice("orders")
        found = [self._order(dice, number) for number in range(1, count + 1)]
        return tuple(sorted(found, key=lambda wanted: (wanted.placed_at, wanted.order_id)))

    def _order(self, dice: random.Random, number: int) -> Wanted:
        kind = dice.choices(list(KIND_WEIGHTS), list(KIND_WEIGHTS.values()))[0]
        day = dice.choices(range(DAYS), STARTS)[0]
        days = min(dice.choices(list(SPANS), list(SPANS.values()))[0], DAYS - day)
        begins = datetime.combine(DAY + timedelta(days=day), time(8), LOCAL)
        ends = datetime.combine(DAY + timedelta(days=day + days - 1), time(17), LOCAL)
        placed = begins - timedelta(minutes=dice.randrange(2 * 60, 72 * 60))
        new = NewOrder(
            market=MARKET_ID,
            reference=f"W-{number:04d}",
            gift=plain_gift(kind),
            pick_up=PickUp(
                name=f"Shop of {kind}",
                place=_place(SHOPS[kind], f"shop-{kind}", "1"),
                contact=Contact(name="虚构店员", phone="+8617000009001"),
            ),
            recipient=Recipient(
                name=f"虚构收件人{number:04d}",
                phone=f"+861700000{number:04d}",
                place=_place(
                    dice.choices(list(WHERE), list(WHERE.values()))[0],
                    f"court-{dice.randrange(COMPOUNDS)}",
                    str(dice.randrange(1, 30)),
                ),
            ),
            window=Window(start=begins, end=ends, time_zone=ZONE_NAME),
            tier=dice.choices(list(TIERS), list(TIERS.values()))[0],
        )
        delivery = Delivery(
            gift=new.gift, pick_up=new.pick_up.place, drop_off=new.recipient.place, window=new.window
        )
        return Wanted(f"ord-{number:04d}", max(placed, local(18, day=10)), new, delivery)

    def is_late(self, order_id: str, slot: Slot) -> bool:
        """Whether that courier, with that gift, comes after the hour it gave: by its own record, the same under
        everybody's plan."""
        return self._dice(f"{order_id}/{slot.slot_id}").randrange(1000) >= slot.on_time_permille


def _pcr(sampled: datetime, result: TestResult) -> Credential:
    return Credential(
        kind=CredentialKind.PCR, result=result, sampled_at=sampled, reported_at=sampled + REPORTED_AFTER
    )


def _plate(crew_id: str) -> str:
    return f"TEST-W{crew_id}"


def _home(crew_id: str) -> str:
    return f"home-{crew_id}"


def _address(district: str, compound: str, building: str) -> Address:
    return Address(
        country="CN",
        city="上海市",
        district=district,
        compound=compound,
        building=building,
        line=f"{compound}, building {building} (invented)",
    )


def _place(district: str, compound: str, building: str) -> Place:
    return Place(
        address=_address(district, compound, building),
        coordinate=Coordinate(lng=121.47, lat=31.23, datum=Datum.GCJ02, precision_m=20),
        match_quality=MatchQuality.EXACT,
    )


def _zone(
    zone_id: str,
    policy: Policy,
    begins: datetime,
    known: datetime,
    district: str,
    compound: str | None = None,
) -> Zone:
    unit = NamedUnit(kind="compound" if compound else "district", district=district, compound=compound)
    return Zone(
        zone_id=zone_id,
        level=Level.SEALED if policy is SEALED else Level.PRECAUTIONARY,
        policy_id=policy.policy_id,
        policy_version=policy.version,
        unit=unit,
        valid_from=begins,
        known_since=known,
    )
