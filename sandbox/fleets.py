"""The scenario *trouble*: a day on which four fleets of four dialects carry the gifts, and none of them as it should.

One goes down, one is slow, one refuses, one lies. Every gift could be delivered: there are places enough, and whoever
has fetched a gift brings it. Nobody closes anything; what can go wrong here is the couriers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from chalicelib.couriers import Folder
from chalicelib.domain.fleet import Courier, Crew, Permit, Slot, Vehicle
from chalicelib.domain.gifts import TemperatureRange
from chalicelib.domain.orders import Contact, Fallback, NewOrder, PickUp, Recipient, Tier
from chalicelib.domain.shapes import Money
from sandbox import checker, documents, shanghai
from sandbox.ledger import Delivered
from sandbox.shanghai import MARKET_ID, Asked, Happening, Hour, Put, Strike, Upload, local

BEGINS: Final = local(7, 30)
ENDS: Final = local(23, 0)
BRANDS: Final = ("maison-celadon", "atelier-nuage")
JADE: Final[checker.Site] = ("310101", "Jade Court")
QUARTERS: Final[checker.Site] = ("310101", "Crew Quarters")
HOMES: Final[tuple[checker.Site, ...]] = (
    ("310101", "Osmanthus Court"),
    ("310104", "Ginkgo Lane"),
    ("310104", "Plane Tree Terrace"),
    ("310110", "River Bend"),
)
KINDS: Final = ("flowers", "tea_box", "dessert_box", "meal_box")
GIFTS: Final = 48
FIRST, EVERY, PATIENCE = local(8), timedelta(minutes=10), timedelta(hours=7)
CREWS_EACH: Final = 2


@dataclass(frozen=True)
class Fleet:
    """One company: its dialect, which of `profiles.FLEETS` it is, what a delivery costs, and how many a crew carries
    in a shift.

    The worst are the cheapest, so that they are the first to be asked; who is left could carry everything alone.
    """

    courier_id: str
    dialect: str
    conduct: str
    fen: int
    places: int


FLEETS: Final = (
    Fleet("dada", "dada", "lying", 1_500, 3),
    Fleet("locals", "onfleet", "refusing", 1_700, 3),
    Fleet("sftc", "wechat", "down", 1_900, 3),
    Fleet("boutique", "partner", "slow", 4_000, 8),
)


class Fleets:
    """The whole day."""

    begins, ends, brands = BEGINS, ENDS, BRANDS

    def __init__(self, seed: int = 20220411, fleets: tuple[Fleet, ...] = FLEETS) -> None:
        self.seed = seed
        self.fleets = fleets
        self.crews = [
            (f"crew-{number + 1}", number + 1, fleets[number // CREWS_EACH])
            for number in range(CREWS_EACH * len(fleets))
        ]
        self.orders = tuple(_order(number) for number in range(1, GIFTS + 1))
        self.slots = tuple(_slots(self.crews))
        self._wishes = {order.reference: documents.wish_of(order) for order in self.orders}
        self.happenings = tuple(self._happenings())

    def _happenings(self) -> list[Happening]:
        puts = [
            Put("markets", MARKET_ID, documents.body(shanghai.MARKET)),
            *(Put("couriers", c.courier_id, documents.body(c)) for c in self.couriers()),
            *(Put("crews", name, documents.body(_crew(name, n, of))) for name, n, of in self.crews),
            *(Put("permits", f"pass-{n}", documents.body(_permit(n))) for _, n, _ in self.crews),
            *(Put("slots", slot.slot_id, documents.body(slot)) for slot in self.slots),
        ]
        return [*(Happening(BEGINS, put, put.noun) for put in puts), Happening(BEGINS, _list(), "the list")]

    def couriers(self) -> tuple[Courier, ...]:
        folder = Folder()
        return tuple(
            Courier(
                courier_id=fleet.courier_id,
                market_id=MARKET_ID,
                dialect=fleet.dialect,
                account=fleet.courier_id,
                proofs=folder[fleet.dialect].proofs,
                insured_limit=Money(amount=500_000, currency="CNY"),
            )
            for fleet in self.fleets
        )

    def strike(self, strike: Strike, at: datetime, carried: Mapping[str, str]) -> Upload | Put | None:
        """Nothing befalls anybody here but their couriers."""
        return None

    def physical(self, when: datetime, reference: str) -> Delivered:
        """Every door is open."""
        return "door"

    def truth(self) -> checker.Truth:
        return checker.Truth(
            wishes=tuple(self._wishes.values()),
            listings=tuple(
                checker.Listing(site, rule, local(0), BEGINS, "first") for site, rule in _rules().items()
            ),
            tests=tuple(test for _, number, _ in self.crews for test in documents.tests_of(number)),
            passes=tuple(
                checker.Pass(
                    f"pass-{number}", documents.plate(number), None, local(0, day=9), local(0, day=14)
                )
                for _, number, _ in self.crews
            ),
            crews=tuple(
                checker.Crew(name, documents.plate(number), QUARTERS) for name, number, _ in self.crews
            ),
            slots=tuple(checker.Slot(slot.slot_id, slot.crew_id, slot.capacity) for slot in self.slots),
        )

    def fleet_by_hour(self) -> tuple[Hour, ...]:
        """Not told: all crews may drive all day."""
        return ()


# --- documents ------------------------------------------------------------------------------------------------


def _order(number: int) -> Asked:
    brand = BRANDS[number % len(BRANDS)]
    reference = "".join(word[0] for word in brand.split("-")).upper() + f"-{number:02d}"
    kind, home = KINDS[number % len(KINDS)], HOMES[number % len(HOMES)]
    when = FIRST + EVERY * (number - 1)
    new = NewOrder(
        market=MARKET_ID,
        reference=reference,
        gift=shanghai.plain_gift(kind),
        pick_up=PickUp(
            name=f"Kitchen of {JADE[1]}",
            place=documents.place_in(JADE, "1"),
            contact=Contact(name="虚构店员", phone="+8617000009001"),
        ),
        recipient=Recipient(
            name=f"虚构收件人{number:04d}",
            phone=f"+861700000{number:04d}",
            place=documents.place_in(home, "1"),
        ),
        window=documents.window(when + timedelta(minutes=90), when + PATIENCE),
        tier=list(Tier)[number % len(Tier)],
        fallback=Fallback.HOLD,
    )
    return Asked(
        when=when,
        brand=brand,
        idempotency_key=f"{brand}/{reference}",
        reference=reference,
        body=documents.body(new),
        site=home,
        kind=kind,
    )


def _slots(crews: list[tuple[str, int, Fleet]]) -> list[Slot]:
    shifts = (
        ("morning", local(9), local(13)),
        ("afternoon", local(13), local(17)),
        ("evening", local(17), local(22)),
    )
    return [
        Slot(
            slot_id=f"{crew}-{name}",
            market_id=MARKET_ID,
            courier_id=fleet.courier_id,
            crew_id=crew,
            window=documents.window(start, end),
            capacity=fleet.places,
            price=Money(amount=fleet.fen, currency="CNY"),
            trip_minutes=45,
            return_minutes=30,
        )
        for crew, _, fleet in crews
        for name, start, end in shifts
    ]


def _crew(name: str, number: int, fleet: Fleet) -> Crew:
    return Crew(
        crew_id=name,
        market_id=MARKET_ID,
        courier_id=fleet.courier_id,
        vehicle=Vehicle(plate=documents.plate(number), compartments=(TemperatureRange(min_c=2, max_c=5),)),
        home=documents.address(QUARTERS, str(number)),
        credentials=documents.credentials(documents.tests_of(number), BEGINS),
    )


def _permit(number: int) -> Permit:
    return Permit(
        permit_id=f"pass-{number}",
        market_id=MARKET_ID,
        plate=documents.plate(number),
        districts="all",
        valid=documents.window(local(0, day=9), local(0, day=14)),
    )


def _rules() -> dict[checker.Site, str]:
    return {
        **dict.fromkeys((JADE, *HOMES), "precautionary_lobby"),
        QUARTERS: "precautionary_gate",
    }


def _list() -> Upload:
    features = [
        documents.feature(
            f"first-{number:02d}",
            {"kind": "compound", "district": site[0], "compound": site[1]},
            shanghai.GATE if rule == "precautionary_gate" else shanghai.LOBBY,
            "precautionary",
            local(0),
            BEGINS,
            "First list of 11 April 2022 (invented)",
        )
        for number, (site, rule) in enumerate(_rules().items(), start=1)
    ]
    policies = [documents.body(policy) for policy in (shanghai.LOBBY, shanghai.GATE)]
    return Upload("first", "replace", shanghai.parts_of(features, policies))
