"""The scenario *sealed on the way*: some forty gifts travel through one day on which, hour by hour, places close.

Eight things change while gifts are planned, booked and carried: a compound is sealed, another lets couriers no further
than its gate, one building is closed, a kitchen is sealed with gifts in it, a pass is revoked, a crew's test comes out
positive, a district keeps couriers off its streets, and a bulletin says at noon what has held since nine. Rules of the
classes as in `shanghai`; names, people, hours and the two rules that are new here are invented. Nothing is drawn by
chance but for what the couriers do, and the crews that lose pass and clearance are whoever carries most just then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Final

from chalicelib.domain.curfews import Curfew
from chalicelib.domain.fleet import Courier, Crew, Permit, Slot, Vehicle
from chalicelib.domain.gifts import TemperatureRange
from chalicelib.domain.orders import Contact, Fallback, NewOrder, PickUp, Recipient, Tier
from chalicelib.domain.policies import Policy
from chalicelib.domain.shapes import Money
from sandbox import checker, documents, shanghai
from sandbox.ledger import Delivered
from sandbox.shanghai import MARKET_ID, Asked, Happening, Hour, Put, Strike, Upload, local

BEGINS: Final = local(7, 30)
ENDS: Final = local(22, 40)
BRANDS: Final = ("maison-celadon", "atelier-nuage")

BUILDING: Final = Policy(
    policy_id="sha-building-closed",
    version=1,
    title="One building is closed (invented): nobody and nothing goes in",
    handovers=frozenset(),
    source="A building with a case is sealed for 14 days: Xinhua, 11 Apr 2022. Here it takes nothing in.",
)
TESTING: Final = Policy(
    policy_id="sha-testing-day",
    version=1,
    title="Everybody is tested (invented): no couriers on the streets from noon to eight",
    curfews=(Curfew(start_local=time(12), end_local=time(20)),),
    source="Invented for this scenario.",
)
POLICIES: Final = (
    shanghai.SEALED,
    shanghai.LOBBY,
    shanghai.GATE,
    shanghai.NO_ACCESS,
    BUILDING,
    TESTING,
)

Site = checker.Site
OSMANTHUS: Final[Site] = ("310101", "Osmanthus Court")
GINKGO: Final[Site] = ("310104", "Ginkgo Lane")
TWIN: Final[Site] = ("310104", "Twin Towers Garden")
RIVER: Final[Site] = ("310110", "River Bend")
MAPLE: Final[Site] = ("310101", "Maple Yard")
PLANE: Final[Site] = ("310104", "Plane Tree Terrace")
JADE: Final[Site] = ("310101", "Jade Court")
CLOUD: Final[Site] = ("310104", "Cloud Garden")
QUARTERS: Final[Site] = ("310101", "Crew Quarters")
SITES: Final = (OSMANTHUS, GINKGO, TWIN, RIVER, MAPLE, PLANE, JADE, CLOUD, QUARTERS)


@dataclass(frozen=True)
class Parcels:
    """Gifts of one kind, to one place, meant to arrive about one time."""

    count: int
    kind: str
    to: Site
    arrive: tuple[int, int]
    building: str = "1"
    merchant: Site = JADE
    until: tuple[int, int] | None = None
    """The end of the hours asked for, where they are long; else an hour round the arrival."""


PARCELS: Final = (
    Parcels(3, "meal_box", OSMANTHUS, (11, 0)),
    Parcels(2, "flowers", OSMANTHUS, (11, 0)),
    Parcels(2, "dessert_box", OSMANTHUS, (13, 0)),
    Parcels(1, "flowers", OSMANTHUS, (13, 0)),
    Parcels(2, "flowers", GINKGO, (11, 0)),
    Parcels(2, "tea_box", GINKGO, (13, 30)),
    Parcels(2, "meal_box", TWIN, (11, 0), building="3"),
    Parcels(2, "meal_box", TWIN, (11, 0), building="5"),
    Parcels(1, "dessert_box", TWIN, (13, 0), building="3"),
    Parcels(2, "meal_box", PLANE, (11, 15), merchant=CLOUD),
    Parcels(3, "dessert_box", PLANE, (13, 15), merchant=CLOUD),
    Parcels(9, "meal_box", PLANE, (11, 45)),
    Parcels(2, "meal_box", RIVER, (12, 10)),
    Parcels(2, "dessert_box", RIVER, (14, 0)),
    Parcels(2, "dessert_box", RIVER, (17, 30), until=(22, 0)),
    Parcels(1, "meal_box", MAPLE, (11, 30)),
    Parcels(3, "meal_box", MAPLE, (12, 40)),
)

PASS_REVOKED, POSITIVE = "pass-revoked", "positive"
"""Changes that befall whichever crew carries most."""


@dataclass(frozen=True)
class Change:
    """Something that closes while gifts travel, and whom it touches."""

    name: str
    when: datetime
    words: str
    sites: tuple[Site, ...] = ()
    building: str | None = None
    district: str | None = None

    def touches(self, wish: checker.Wish, state: str, crew: str | None, struck: str | None) -> bool:
        """Whether an order in that state, carried or to be carried by that crew, has to be decided again."""
        if self.name in (PASS_REVOKED, POSITIVE):
            return crew is not None and crew == struck
        ends = [wish.site] if state == "picked_up" else [wish.site, wish.merchant]
        if self.district is not None:
            return any(site[0] == self.district for site in ends)
        if self.building is not None and wish.building != self.building:
            return False
        return any(site in self.sites for site in ends)


CHANGES: Final = (
    Change("compound", local(10, 40), "Osmanthus Court is sealed", (OSMANTHUS,)),
    Change("gate", local(10, 42), "Ginkgo Lane lets couriers no further than its gate", (GINKGO,)),
    Change("building", local(10, 45), "Building 3 of Twin Towers Garden is closed", (TWIN,), "3"),
    Change("kitchen", local(10, 50), "Cloud Garden is sealed, and the kitchen in it", (CLOUD,)),
    Change(PASS_REVOKED, local(11, 20), "The pass of a crew is revoked"),
    Change(POSITIVE, local(11, 25), "A test of a crew comes out positive"),
    Change("district", local(11, 50), "No couriers in Yangpu from noon to eight", district="310110"),
    Change("late", local(12, 20), "Maple Yard is sealed, and has been since nine", (MAPLE,)),
)

CREWS: Final = 8


class Sealed:
    """The whole day. `strike` is the only thing that changes it, and only adds to the truth."""

    begins, ends, brands = BEGINS, ENDS, BRANDS

    def __init__(self, seed: int = 20220411) -> None:
        self.seed = seed
        self.changes = CHANGES
        self.struck: dict[str, str] = {}
        """By change, the crew that it befell."""
        self.nights: tuple[checker.Night, ...] = ()
        self.orders = _orders()
        self.slots = _slots()
        self._wishes = {order.reference: documents.wish_of(order) for order in self.orders}
        self._listings = [
            checker.Listing(site, "precautionary_lobby", local(0), BEGINS, "first")
            for site in SITES
            if site != QUARTERS
        ]
        self._listings.append(checker.Listing(QUARTERS, "precautionary_gate", local(0), BEGINS, "first"))
        self._tests = [test for number in range(1, CREWS + 1) for test in documents.tests_of(number)]
        self._revoked: dict[str, datetime] = {}
        self.happenings = self._happenings()

    # --- what happens -----------------------------------------------------------------------------------------

    def _happenings(self) -> tuple[Happening, ...]:
        found = [
            Happening(BEGINS, Put("markets", MARKET_ID, documents.body(shanghai.MARKET)), "the market"),
            *(
                Happening(BEGINS, Put("couriers", c.courier_id, documents.body(c)), "a courier")
                for c in self.couriers()
            ),
            *(Happening(BEGINS, self._crew(n, BEGINS), "a crew") for n in range(1, CREWS + 1)),
            *(Happening(BEGINS, self._permit(n), "its pass") for n in range(1, CREWS + 1)),
            *(Happening(BEGINS, Put("slots", s.slot_id, documents.body(s)), "its hours") for s in self.slots),
            Happening(BEGINS, self._first(), "the first list"),
        ]
        for change in self.changes:
            what = Strike(change.name, "sealed", 1) if change.name in (PASS_REVOKED, POSITIVE) else None
            found.append(Happening(change.when, what or self._close(change), change.words))
        return tuple(sorted(found, key=lambda happening: happening.when))

    def _first(self) -> Upload:
        features = [
            documents.feature(
                f"first-{number:02d}",
                {"kind": "compound", "district": site[0], "compound": site[1]},
                shanghai.GATE if site == QUARTERS else shanghai.LOBBY,
                "precautionary",
                local(0),
                BEGINS,
                "First list of 11 April 2022 (invented)",
            )
            for number, site in enumerate(SITES, start=1)
        ]
        policies = [documents.body(policy) for policy in POLICIES]
        return Upload("first", "replace", shanghai.parts_of(features, policies))

    def _close(self, change: Change) -> Upload:
        """The upload that says so, and the same in the truth."""
        since = local(9) if change.name == "late" else change.when
        policy, level, rule = {
            "gate": (shanghai.GATE, "precautionary", "precautionary_gate"),
            "building": (BUILDING, "sealed_building", "no_access"),
            "district": (TESTING, "curfew_only", ""),
        }.get(change.name, (shanghai.SEALED, "sealed", "sealed"))
        basis = f"Notice of {change.when:%H:%M}, 11 April 2022 (invented): {change.words}"
        if change.district is not None:
            unit: dict[str, Any] = {"kind": "district", "district": change.district}
            self.nights = (checker.Night(change.district, local(12), local(20), change.name),)
        else:
            (site,) = change.sites
            unit = {"kind": "compound", "district": site[0], "compound": site[1]}
            if change.building is not None:
                unit |= {"kind": "building", "building": change.building}
            assert rule in checker.RULES
            self._listings.append(
                checker.Listing(site, rule, since, change.when, change.name, change.building)
            )
        feature = documents.feature(f"notice-{change.name}", unit, policy, level, since, change.when, basis)
        if level == "sealed":
            feature["properties"]["expected_end"] = (since + timedelta(days=14)).isoformat()
        return Upload(change.name, "amend", shanghai.parts_of([feature]))

    def strike(self, strike: Strike, at: datetime, carried: Mapping[str, str]) -> Upload | Put | None:
        """The crew that carries most, and has not been struck yet, loses its pass or its clearance."""
        loads = Counter(crew for crew in carried.values() if crew not in self.struck.values())
        if not loads:
            return None
        crew = min(loads, key=lambda name: (-loads[name], name))
        self.struck[strike.name] = crew
        number = int(crew.removeprefix("crew-"))
        if strike.name == PASS_REVOKED:
            self._revoked[documents.plate(number)] = at
            return self._permit(number)
        self._tests.append(checker.Test(crew, "pcr", False, local(7, 40), at))
        return self._crew(number, at)

    # --- the fleet --------------------------------------------------------------------------------------------

    @staticmethod
    def couriers() -> tuple[Courier, ...]:
        """One company: SF, which is told when to arrive."""
        return shanghai.Shanghai.couriers()[:1]

    def _crew(self, number: int, at: datetime) -> Put:
        name = f"crew-{number}"
        shown = documents.credentials((test for test in self._tests if test.crew_id == name), at)
        crew = Crew(
            crew_id=name,
            market_id=MARKET_ID,
            courier_id="sftc",
            vehicle=Vehicle(
                plate=documents.plate(number), compartments=(TemperatureRange(min_c=2, max_c=5),)
            ),
            home=documents.address(QUARTERS, str(number)),
            credentials=shown,
        )
        return Put("crews", name, documents.body(crew))

    def _permit(self, number: int) -> Put:
        permit = Permit(
            permit_id=f"pass-{number}",
            market_id=MARKET_ID,
            plate=documents.plate(number),
            districts="all",
            valid=documents.window(local(0, day=9), local(0, day=14)),
            revoked_at=self._revoked.get(documents.plate(number)),
        )
        return Put("permits", permit.permit_id, documents.body(permit))

    # --- the truth --------------------------------------------------------------------------------------------

    def wish(self, reference: str) -> checker.Wish:
        return self._wishes[reference]

    def physical(self, when: datetime, reference: str) -> Delivered:
        """What a courier can really do there then, whatever anybody has published."""
        wish = self._wishes[reference]
        rules = {
            listing.rule
            for listing in self._listings
            if listing.site == wish.site
            and listing.valid_from <= when
            and listing.building in (None, wish.building)
        }
        if "no_access" in rules:
            return "none"
        return "door" if rules == {"precautionary_lobby"} else "gate"

    def truth(self) -> checker.Truth:
        """Everything the checker has to know; ask for it after the last strike."""
        return checker.Truth(
            wishes=tuple(self._wishes.values()),
            listings=tuple(self._listings),
            tests=tuple(self._tests),
            passes=tuple(
                checker.Pass(
                    f"pass-{number}",
                    documents.plate(number),
                    None,
                    local(0, day=9),
                    local(0, day=14),
                    self._revoked.get(documents.plate(number)),
                )
                for number in range(1, CREWS + 1)
            ),
            crews=tuple(
                checker.Crew(f"crew-{number}", documents.plate(number), QUARTERS)
                for number in range(1, CREWS + 1)
            ),
            slots=tuple(checker.Slot(slot.slot_id, slot.crew_id, slot.capacity) for slot in self.slots),
            nights=self.nights,
        )

    def fleet_by_hour(self) -> tuple[Hour, ...]:
        """Not told: this day is about places."""
        return ()


# --- documents ------------------------------------------------------------------------------------------------


def _orders() -> tuple[Asked, ...]:
    found: list[Asked] = []
    for parcels in PARCELS:
        for _ in range(parcels.count):
            number = len(found) + 1
            brand = BRANDS[number % len(BRANDS)]
            initials = "".join(word[0] for word in brand.split("-")).upper()
            found.append(_order(parcels, number, brand, f"{initials}-{number:02d}"))
    return tuple(found)


def _order(parcels: Parcels, number: int, brand: str, reference: str) -> Asked:
    arrive = local(*parcels.arrive)
    half = timedelta(minutes=30)
    window = documents.window(arrive - half, arrive + half)
    if parcels.until is not None:
        window = documents.window(local(13), local(*parcels.until))
    new = NewOrder(
        market=MARKET_ID,
        reference=reference,
        gift=shanghai.plain_gift(parcels.kind),
        pick_up=PickUp(
            name=f"Kitchen of {parcels.merchant[1]}",
            place=documents.place_in(parcels.merchant, "1"),
            contact=Contact(name="虚构店员", phone="+8617000009001"),
        ),
        recipient=Recipient(
            name=f"虚构收件人{number:04d}",
            phone=f"+861700000{number:04d}",
            place=documents.place_in(parcels.to, parcels.building),
        ),
        window=window,
        tier=list(Tier)[number % len(Tier)],
        fallback=Fallback.HOLD,
    )
    return Asked(
        when=local(8) + timedelta(minutes=number % 12),
        brand=brand,
        idempotency_key=f"{brand}/{reference}",
        reference=reference,
        body=documents.body(new),
        site=parcels.to,
        kind=parcels.kind,
    )


def _slots() -> tuple[Slot, ...]:
    hours = (("day", local(9, 30), local(16, 0), 7), ("evening", local(19, 30), local(22, 30), 3))
    return tuple(
        Slot(
            slot_id=f"crew-{number}-{name}",
            market_id=MARKET_ID,
            courier_id="sftc",
            crew_id=f"crew-{number}",
            window=documents.window(start, end),
            capacity=capacity,
            price=Money(amount=2_000 + 100 * number, currency="CNY"),
            trip_minutes=45,
            return_minutes=30,
        )
        for number in range(1, CREWS + 1)
        for name, start, end, capacity in hours
    )
