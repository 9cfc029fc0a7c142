"""The scenario *Shanghai, 11 April 2022*: a city's first three-class list, and a day of gifts under it.

Real: the sixteen districts, the numbers of the first list (7,624 sealed, 2,460 controlled, 7,565 precautionary
units, each district publishing its own during the day; Xinhua, 11 and 12 April 2022), the rules of the three
classes, the 48-hour PCR, the antigen test and the pass that a crew had to show, and a fleet of sixteen vehicles
of which six were left (volunteer drivers of a grocery chain, 16 April 2022). Sources: lockdowns.md, 1.1 and 2.3,
and peers.md, section 3.

Invented: every name, person, phone, plate, brand and merchant; how the list falls on the districts (by
inhabitants, the old centre more often sealed) and where its compounds lie; the hours at which each district
published, between 07:00 and 10:30; which compounds of the third class let a courier into the lobby. Streets are
made of characters and numbers: one of them may exist by chance. In reality sixteen vehicles became six within a
fortnight; here it takes one day, so that a day shows it.

Everything follows from one seed. What happens to parcels under way is decided at run time: `strike` is given
the orders that are in transit and picks from them. A relaxation never happens: a new class is laid over the old
one, where the stricter of each counts.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from chalicelib.domain.fleet import Courier, Credential, Crew, Permit, Proof, Slot, TestResult, Vehicle
from chalicelib.domain.gifts import Gift, Item, ItemClass, TemperatureRange
from chalicelib.domain.orders import Contact, Fallback, NewOrder, PickUp, Recipient, Tier
from chalicelib.domain.places import Address, Coordinate, Datum, Market, MatchQuality, Place, converted
from chalicelib.domain.policies import CredentialKind, GateProtocol, Handover, Policy, Requirement
from chalicelib.domain.shapes import Money, Shape, Window
from sandbox import checker, districts

MARKET_ID: Final = "SHA"
ZONE_NAME: Final = "Asia/Shanghai"
LOCAL: Final = ZoneInfo(ZONE_NAME)
DAY: Final = date(2022, 4, 11)
PART_BYTES: Final = 1_000_000
"""The largest part of an upload."""


def local(hour: int, minute: int = 0, day: int = DAY.day) -> datetime:
    """A moment of April 2022 on Shanghai's clock."""
    return datetime(DAY.year, DAY.month, day, hour, minute, tzinfo=LOCAL)


BEGINS: Final = local(19, 0, day=10)
"""Market, city-wide rules and fleet are put here; the first orders come at 20:00."""
ENDS: Final = local(22, 30)
"""Every window of the day is over and every recalled parcel is back."""

MARKET: Final = Market(
    market_id=MARKET_ID,
    name="Shanghai",
    country="CN",
    time_zone=ZONE_NAME,
    datum=Datum.GCJ02,
    currency="CNY",
    west=120.80,
    south=30.60,
    east=122.30,
    north=31.95,
    districts={code: english for code, (_, english) in districts.NAMES.items()},
)

BRANDS: Final = ("maison-celadon", "atelier-nuage", "casa-verbena")


# --- the rules ------------------------------------------------------------------------------------------------

_CREW: Final = (
    Requirement(kind=CredentialKind.PCR, max_age_hours=48),
    Requirement(kind=CredentialKind.ANTIGEN, max_age_hours=24),
)
_CREW_SOURCE: Final = (
    "Crew: daily PCR and antigen test for riders, China Daily, 6 Apr 2022; 48-hour PCR and pass asked of every "
    "driver, account of volunteer drivers, 16 Apr 2022."
)
_CLASSES_SOURCE: Final = "Three classes: Xinhua, 11 and 12 Apr 2022; That's Shanghai."
_GATE_SOURCE: Final = "Gate: Songjiang gate protocol (antigen test, 30 minutes' rest), xdkb.net, 19 Apr 2022."

CITY: Final = Policy(
    policy_id="sha-city",
    version=1,
    title="Whole city: crews are tested and hold a pass",
    requirements=_CREW,
    permit_needed=True,
    source=_CREW_SOURCE,
)
"""Drawn on the districts. It says nothing about hand-overs: where no list names a compound, nothing is known."""

SEALED: Final = Policy(
    policy_id="sha-sealed",
    version=1,
    title="Sealed (封控区): nobody leaves the flat, couriers stay outside the gate",
    handovers=frozenset({Handover.GATE, Handover.SHELF}),
    essential_only=True,
    requirements=_CREW,
    permit_needed=True,
    gate=GateProtocol(rest_minutes=30, antigen_at_gate=True),
    source=f"{_CLASSES_SOURCE} {_GATE_SOURCE} {_CREW_SOURCE}",
)

CONTROLLED: Final = Policy(
    policy_id="sha-controlled",
    version=1,
    title="Controlled (管控区): one person a household fetches, without contact",
    handovers=frozenset({Handover.SHELF, Handover.COLLECTION_POINT}),
    essential_only=True,
    # "that day": tests are taken from six in the morning and the last hand-over is at eight in the evening, so
    # sixteen hours admit every test of the day and none of the day before
    requirements=(_CREW[0], Requirement(kind=CredentialKind.ANTIGEN, max_age_hours=16)),
    permit_needed=True,
    gate=GateProtocol(rest_minutes=30),
    source=f"{_CLASSES_SOURCE} {_CREW_SOURCE}",
)

LOBBY: Final = Policy(
    policy_id="sha-precautionary-lobby",
    version=1,
    title="Precautionary (防范区), the compound lets couriers into the lobby",
    handovers=frozenset({Handover.LOBBY, Handover.GATE, Handover.SHELF}),
    requirements=_CREW,
    permit_needed=True,
    source=f"{_CLASSES_SOURCE} Committees decide who comes in. {_CREW_SOURCE}",
)

GATE: Final = Policy(
    policy_id="sha-precautionary-gate",
    version=1,
    title="Precautionary (防范区), couriers stay outside the gate",
    handovers=frozenset({Handover.GATE, Handover.SHELF}),
    requirements=_CREW,
    permit_needed=True,
    source=f"{_CLASSES_SOURCE} Couriers may not enter compounds, Guangming, 18 Apr 2022. {_CREW_SOURCE}",
)

NO_ACCESS: Final = Policy(
    policy_id="sha-no-access",
    version=1,
    title="The compound's committee lets nothing in",
    handovers=frozenset(),
    source="Single compounds banned purchases (residents' account, 14 Apr 2022) and deliveries (FranceInfo, May 2022).",
)

POLICIES: Final = (CITY, SEALED, CONTROLLED, LOBBY, GATE, NO_ACCESS)

Rule = Literal["sealed", "controlled", "precautionary_lobby", "precautionary_gate", "no_access"]
"""The class of a compound, as the checker calls it."""

_POLICY_OF: Final[Mapping[Rule, tuple[Policy, str]]] = {
    "sealed": (SEALED, "sealed"),
    "controlled": (CONTROLLED, "controlled"),
    "precautionary_lobby": (LOBBY, "precautionary"),
    "precautionary_gate": (GATE, "precautionary"),
    "no_access": (NO_ACCESS, "no_access"),
}

FIRST_LIST: Final = {"sealed": 7_624, "controlled": 2_460, "precautionary": 7_565}
"""Units on the city's first list (China Daily printed the last two the wrong way round)."""

_TERM: Final[Mapping[Rule, timedelta]] = {"sealed": timedelta(days=14), "controlled": timedelta(days=7)}
"""Seven days sealed and seven at home; seven days at home. Forecasts: a case starts the clock again."""

PUBLISHED: Final[tuple[tuple[datetime, tuple[str, ...]], ...]] = (
    (local(7, 0), ("310101", "310104")),
    (local(7, 30), ("310105", "310106")),
    (local(8, 0), ("310115",)),
    (local(8, 30), ("310107", "310109")),
    (local(9, 0), ("310110", "310112")),
    (local(9, 30), ("310113", "310114")),
    (local(10, 0), ("310117", "310118")),
    (local(10, 30), ("310116", "310120", "310151")),
)
"""When which districts published their lists."""

_INHABITANTS: Final = {
    "310101": (66, 1.6),
    "310104": (111, 1.3),
    "310105": (69, 1.2),
    "310106": (98, 1.4),
    "310107": (124, 1.2),
    "310109": (76, 1.4),
    "310110": (124, 1.2),
    "310112": (265, 1.1),
    "310113": (223, 1.0),
    "310114": (183, 0.9),
    "310115": (568, 1.1),
    "310116": (82, 0.4),
    "310117": (191, 0.7),
    "310118": (127, 0.6),
    "310120": (114, 0.4),
    "310151": (64, 0.3),
}
"""Ten thousands (census of 2020, rounded), and how much more often than elsewhere a compound is sealed (ours)."""


# --- what the runner is given ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Compound:
    """One named compound of the first list, and a point in it (GCJ-02)."""

    zone_id: str
    district: str
    name: str
    rule: Rule
    lng: float
    lat: float

    @property
    def site(self) -> checker.Site:
        return self.district, self.name


@dataclass(frozen=True)
class Merchant:
    """Where gifts are fetched."""

    brand: str
    name: str
    compound: Compound
    kinds: tuple[str, ...]


@dataclass(frozen=True)
class Upload:
    """Rules as a source publishes them: JSON parts of at most a megabyte, coordinates in `datum`."""

    name: str
    mode: Literal["replace", "amend"]
    parts: tuple[bytes, ...]
    datum: str = Datum.GCJ02.value
    time_zone: str = ZONE_NAME


@dataclass(frozen=True)
class Put:
    """A document of the market or its fleet, new or changed."""

    noun: Literal["markets", "couriers", "crews", "permits", "slots"]
    name: str
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Strike:
    """Compounds are closed while parcels are on their way to them: see `Shanghai.strike`."""

    name: str
    rule: Rule
    count: int


@dataclass(frozen=True)
class Happening:
    """Something that happens on the day, in order of time."""

    when: datetime
    what: Upload | Put | Strike
    why: str


@dataclass(frozen=True)
class Asked:
    """One gift order, to be posted by its brand at that moment."""

    when: datetime
    brand: str
    idempotency_key: str
    reference: str
    body: Mapping[str, Any]
    site: checker.Site
    kind: str


@dataclass(frozen=True)
class Hour:
    """The fleet at a full hour: who may drive in the city, and why the others may not."""

    at: datetime
    cleared: tuple[str, ...]
    grounded: Mapping[str, tuple[str, ...]]


# --- names and points -----------------------------------------------------------------------------------------

_FIRST: Final = "澄云霁岚汀沐栖芷蘅晴砚棠枫桐梧翎璟晖泓沅淇漪潇霖屿溯槿楠栎朔"
_SECOND: Final = "溪影禾阳舟岸泽庭坪堤湾庄林泉川港桥塘亭苑浦渡源峰川台石"
_SHARED_STREETS: Final = ("和睦新路", "朝晖新路", "长安新街", "建设新村路", "团结新路", "前进新街")
"""In every district: so there are namesakes, and a compound's name alone finds nothing."""
_ESTATES: Final = ("苑", "花园", "公寓", "家园", "小区")
STREETS_A_DISTRICT: Final = 46


class _Names:
    """Invented compounds' names, unique within a district."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        pairs = list(dict.fromkeys(first + second for first in _FIRST for second in _SECOND))
        dice.shuffle(pairs)
        self._pairs = pairs
        self._used: dict[str, set[str]] = defaultdict(set)
        self._streets: dict[str, list[str]] = {}
        for number, district in enumerate(districts.NAMES):
            own = pairs[number * STREETS_A_DISTRICT : (number + 1) * STREETS_A_DISTRICT]
            self._streets[district] = [f"{pair}{'街' if n % 5 == 4 else '路'}" for n, pair in enumerate(own)]

    def new(self, district: str) -> str:
        """A name this district does not have yet."""
        dice, used = self._dice, self._used[district]
        while True:
            draw = dice.random()
            if draw < 0.06:
                name = f"{dice.choice(_SHARED_STREETS)}{dice.randrange(10, 1000, 10)}弄"
            elif draw < 0.14:
                name = f"{dice.choice(self._pairs)}{dice.choice(_ESTATES)}"
            else:
                name = f"{dice.choice(self._streets[district])}{dice.randrange(1, 2000)}弄"
            if name not in used:
                used.add(name)
                return name


class _Points:
    """Points inside one district, spread evenly over its area."""

    ROWS: Final = 120
    MARGIN: Final = 0.01
    """Of each stretch, at either end: no point lies on a border."""

    def __init__(self, district: districts.District) -> None:
        self._edges = [
            (*one, *other)
            for polygon in district.polygons
            for ring in polygon
            for one, other in zip(ring, ring[1:], strict=False)
        ]
        _, south, _, north = district.bounds
        self._height = (north - south) / self.ROWS
        self._rows = [south + (row + 0.5) * self._height for row in range(self.ROWS)]
        self._weights = [sum(east - west for west, east in self._stretches(lat)) for lat in self._rows]

    def _stretches(self, lat: float) -> list[tuple[float, float]]:
        """Where this parallel runs inside the district."""
        crossings = sorted(
            x1 + (x2 - x1) * (lat - y1) / (y2 - y1)
            for x1, y1, x2, y2 in self._edges
            if (y1 > lat) != (y2 > lat)
        )
        return list(zip(crossings[::2], crossings[1::2], strict=True))

    def new(self, dice: random.Random) -> tuple[float, float]:
        """(lng, lat), to a tenth of a metre."""
        while True:
            row = dice.choices(self._rows, self._weights)[0]
            lat = round(row + dice.uniform(-0.5, 0.5) * self._height, 6)
            stretches = self._stretches(lat)
            widths = [east - west for west, east in stretches]
            if not stretches or max(widths) < 0.001:
                continue
            west, east = dice.choices(stretches, widths)[0]
            inset = max(self.MARGIN * (east - west), 0.00005)
            if east - west > 4 * inset:
                return round(dice.uniform(west + inset, east - inset), 6), lat


def shares(total: int, weights: Mapping[str, float]) -> dict[str, int]:
    """The total split by weight in whole numbers, largest remainders first."""
    whole = sum(weights.values())
    exact = {name: total * weight / whole for name, weight in weights.items()}
    given = {name: int(share) for name, share in exact.items()}
    rest = sorted(exact, key=lambda name: (given[name] - exact[name], name))
    for name in rest[: total - sum(given.values())]:
        given[name] += 1
    return given


# --- gifts ----------------------------------------------------------------------------------------------------

_Made = tuple[str, ItemClass, tuple[int, int], tuple[float, float] | None, int | None]
"""Name, class, value in fen from and to, degrees Celsius from and to, minutes from pick-up to hand-over."""

KINDS: Final[Mapping[str, tuple[_Made, ...]]] = {
    "meal_box": (("Chilled six-course meal box", ItemClass.CHILLED, (68_000, 168_000), (0, 5), 120),),
    "dessert_box": (("Dessert box", ItemClass.CHILLED, (28_800, 68_800), (2, 8), 150),),
    "flowers": (("Bouquet of the season", ItemClass.FLOWERS, (38_800, 128_800), None, 180),),
    "tea_box": (("Afternoon tea box", ItemClass.AMBIENT_FOOD, (32_800, 98_800), None, None),),
    "hot_meal": (("Hot supper for two", ItemClass.HOT_MEAL, (48_800, 118_800), (60, 75), 60),),
    "ice_cream": (("Ice cream cake", ItemClass.FROZEN, (32_800, 58_800), (-25, -18), 90),),
    "wine_hamper": (
        ("Pantry hamper", ItemClass.AMBIENT_FOOD, (42_800, 88_800), None, None),
        ("Bottle of wine", ItemClass.ALCOHOL, (38_800, 188_800), None, None),
    ),
    "cosmetics": (("Skin care set", ItemClass.COSMETICS, (98_000, 320_000), None, None),),
    "fashion": (("Silk scarf", ItemClass.FASHION, (180_000, 460_000), None, None),),
    "ring": (("Ring", ItemClass.HIGH_VALUE, (3_800_000, 12_000_000), None, None),),
}

_KITCHEN: Final = ("meal_box", "dessert_box", "hot_meal", "tea_box")
_MERCHANTS: Final = (
    ("maison-celadon", "Kitchen of the Jade Court Hotel", "310101", _KITCHEN),
    ("maison-celadon", "Celadon Patisserie", "310106", ("dessert_box", "tea_box", "ice_cream")),
    ("maison-celadon", "Maison Celadon, boutique", "310101", ("cosmetics", "fashion", "ring")),
    ("maison-celadon", "Harbour Florist", "310115", ("flowers",)),
    ("atelier-nuage", "Kitchen of the Cloud Garden Hotel", "310106", _KITCHEN),
    ("atelier-nuage", "Nuage Tea House", "310104", ("tea_box", "wine_hamper", "dessert_box")),
    ("atelier-nuage", "Atelier Nuage, boutique", "310106", ("fashion", "cosmetics", "ring")),
    ("atelier-nuage", "Plane Tree Florist", "310104", ("flowers",)),
    ("casa-verbena", "Kitchen of the Verbena Residence", "310105", _KITCHEN),
    ("casa-verbena", "Verbena Central Kitchen", "310115", ("meal_box", "dessert_box")),
    ("casa-verbena", "Casa Verbena, boutique", "310101", ("cosmetics", "wine_hamper")),
    ("casa-verbena", "Old Dock Florist", "310101", ("flowers",)),
)
SEALED_MERCHANT: Final = "Kitchen of the Cloud Garden Hotel"
"""A case is found there in the afternoon."""

_KIND_WEIGHTS: Final = {
    "meal_box": 38,
    "dessert_box": 23,
    "flowers": 14,
    "tea_box": 12,
    "hot_meal": 4,
    "cosmetics": 4,
    "fashion": 2,
    "wine_hamper": 3,
}
_TIER_WEIGHTS: Final = {
    Tier.STANDARD: 40,
    Tier.SILVER: 25,
    Tier.GOLD: 20,
    Tier.PLATINUM: 10,
    Tier.DIAMOND: 5,
}
_DESTINATIONS: Final = {
    "310101": 10,
    "310104": 12,
    "310105": 9,
    "310106": 12,
    "310107": 7,
    "310109": 6,
    "310110": 7,
    "310112": 9,
    "310113": 4,
    "310114": 4,
    "310115": 14,
    "310116": 1,
    "310117": 3,
    "310118": 2,
    "310120": 1,
    "310151": 1,
}

ORDERS: Final = 304
TOMORROW: Final = 15
EVENING_BEFORE: Final = 60

_CLASS_OF_ORDERS: Final[Mapping[Rule, int]] = {
    "precautionary_lobby": 46,
    "precautionary_gate": 10,
    "controlled": 16,
    "sealed": 28,
}
_ODD_ONES: Final = {
    "unlisted": 12,
    "centroid": 5,
    "none": 3,
    "elsewhere": 4,
    "ice_cream": 4,
    "ring": 4,
}
"""Orders with something the matter, of those of the day: a compound on no list, a doubtful or a wrong point, a
gift that no vehicle keeps cold enough, one that must not be left at a gate."""


# --- the fleet ------------------------------------------------------------------------------------------------

_COLD: Final = TemperatureRange(min_c=2, max_c=5)
_HOT: Final = TemperatureRange(min_c=62, max_c=70)
_BOXES: Final[Mapping[str, tuple[TemperatureRange, ...]]] = {
    "cold": (_COLD,),
    "both": (_COLD, _HOT),
    "none": (),
}

_SLOT_PATTERNS: Final = (
    (8, 12, 16, 20),
    (8, 11, 14, 17, 20),
    (8, 10, 13, 16, 18, 20),
)
_CAPACITY: Final = {2: 3, 3: 5, 4: 6}
"""Deliveries by hours of a slot: each takes half an hour and more, gate, rest and way included."""

PUXI: Final = frozenset(districts.NAMES) - {"310115", "310151"}


@dataclass(frozen=True)
class _Hand:
    """One crew of the scenario: what it drives, when it was tested, what will go wrong with it."""

    number: int
    courier_id: str
    boxes: str
    home: str
    pcr: datetime
    puxi_only: bool = False

    @property
    def crew_id(self) -> str:
        return f"crew-{self.number:02d}"

    @property
    def plate(self) -> str:
        return f"TEST-A{self.number:04d}"

    @property
    def permit_id(self) -> str:
        return f"pass-{self.number:04d}"


_HANDS: Final = (
    _Hand(1, "sftc", "cold", "310104", local(8, 10, day=10)),
    _Hand(2, "sftc", "both", "310115", local(8, 40, day=10)),
    _Hand(3, "dada", "cold", "310112", local(9, 5, day=10)),
    _Hand(4, "dada", "cold", "310107", local(9, 50, day=10)),
    _Hand(5, "sftc", "none", "310106", local(10, 20, day=10), puxi_only=True),
    _Hand(6, "dada", "cold", "310110", local(11, 15, day=10)),
    _Hand(7, "sftc", "cold", "310105", local(10, 40, day=9)),
    _Hand(8, "dada", "both", "310109", local(12, 5, day=9), puxi_only=True),
    _Hand(9, "sftc", "cold", "310113", local(13, 35, day=9)),
    _Hand(10, "sftc", "cold", "310115", local(15, 10, day=9)),
    _Hand(11, "dada", "none", "310104", local(16, 45, day=9), puxi_only=True),
    _Hand(12, "sftc", "cold", "310114", local(18, 20, day=9)),
    _Hand(13, "dada", "cold", "310112", local(9, 30, day=10)),
    _Hand(14, "sftc", "cold", "310107", local(8, 55, day=10)),
    _Hand(15, "dada", "both", "310115", local(10, 5, day=10)),
    _Hand(16, "sftc", "cold", "310101", local(9, 15, day=10)),
)
"""7 to 12 are stopped by the 48 hours of their PCR, 13 by a positive one, 14 by its home, 15 and 16 by the pass."""

RESAMPLED: Final = (10, local(8, 10), local(8, 15))
"""Crew 10 is tested again in time, and the laboratory does not answer that day: pending extends nothing."""
POSITIVE: Final = (13, local(21, 0, day=10), local(12, 41))
HOME_SEALED: Final = (14, local(13, 18))
PASS_ENDS: Final = (15, local(16, 0))
PASS_REVOKED: Final = (16, local(11, 33))
MERCHANT_SEALED: Final = local(15, 22)
BANNED: Final = (local(12, 11), 5)
"""Committees ban deliveries to so many compounds that have orders for the afternoon."""
SEALED_ON_THE_WAY: Final = (local(14, 11), 8)
BANNED_ON_THE_WAY: Final = (local(16, 37), 4)
GUARDS_REFUSE: Final = 3
"""Parcels that nobody takes in, whatever the list says."""


# --- the scenario ---------------------------------------------------------------------------------------------


class Shanghai:
    """The whole day, from one seed. `strike` is the only thing that changes it, and only adds to the truth."""

    begins, ends, brands = BEGINS, ENDS, BRANDS

    def __init__(self, seed: int = 20220411, map_path: Path = districts.MAP) -> None:
        self.seed = seed
        self.market = MARKET
        self.policies = POLICIES
        self.districts = districts.districts(map_path)
        self._listings: list[checker.Listing] = []
        self._laid_over = 0
        self._rules_of: dict[checker.Site, list[checker.Listing]] = defaultdict(list)
        self.compounds = self._compounds()
        self._by_rule: dict[tuple[str, Rule], list[Compound]] = defaultdict(list)
        self._by_site = {compound.site: compound for compound in self.compounds}
        for compound in self.compounds:
            self._by_rule[compound.district, compound.rule].append(compound)
        self._list_the_first()
        self._taken: set[checker.Site] = set()
        self.merchants = self._merchants()
        self._homes = self._settle()
        self.orders = self._orders()
        self._order_of = {order.reference: order for order in self.orders}
        self._merchant_of = {(merchant.brand, merchant.name): merchant for merchant in self.merchants}
        self._refused = frozenset(
            self._dice("guards").sample(
                [o.reference for o in self.orders if self._first_rule(o.site) == "precautionary_lobby"],
                GUARDS_REFUSE,
            )
        )
        self._tests = self._tested()
        self._passes = self._passed()
        self.slots = self._slots()
        self.happenings = self._happenings()

    def _dice(self, purpose: str) -> random.Random:
        return random.Random(f"{self.seed}/{purpose}")  # nosec B311 - dice of a game

    # --- compounds ---

    def _compounds(self) -> tuple[Compound, ...]:
        """The first list: its real numbers, over the real districts, with invented names."""
        names = _Names(self._dice("names"))
        dice = self._dice("compounds")
        sealed = {code: people * tilt for code, (people, tilt) in _INHABITANTS.items()}
        calm = {code: people / tilt for code, (people, tilt) in _INHABITANTS.items()}
        people = {code: float(count) for code, (count, _) in _INHABITANTS.items()}
        split = {
            "sealed": shares(FIRST_LIST["sealed"], sealed),
            "controlled": shares(FIRST_LIST["controlled"], people),
            "precautionary": shares(FIRST_LIST["precautionary"], calm),
        }
        found = []
        for district in self.districts:
            points = _Points(district)
            for letter, level in (("S", "sealed"), ("C", "controlled"), ("P", "precautionary")):
                for number in range(1, split[level][district.code] + 1):
                    lng, lat = points.new(dice)
                    found.append(
                        Compound(
                            zone_id=f"SHA-{district.code}-{letter}{number:04d}",
                            district=district.code,
                            name=names.new(district.code),
                            rule=_rule(level, dice.random()),
                            lng=lng,
                            lat=lat,
                        )
                    )
        return tuple(found)

    def _list_the_first(self) -> None:
        at = local(0, 0)
        for known_since, codes in PUBLISHED:
            upload = f"list-{known_since:%H%M}"
            for compound in self.compounds:
                if compound.district in codes:
                    self._add(checker.Listing(compound.site, compound.rule, at, known_since, upload))

    def _add(self, listing: checker.Listing) -> None:
        self._listings.append(listing)
        self._rules_of[listing.site].append(listing)

    def _first_rule(self, site: checker.Site) -> str:
        listed = self._rules_of.get(site)
        return listed[0].rule if listed else "unlisted"

    def _free(self, dice: random.Random, district: str, rule: Rule) -> Compound:
        """A compound of that class in which nothing of this scenario is yet."""
        while True:
            compound = dice.choice(self._by_rule[district, rule])
            if compound.site not in self._taken:
                self._taken.add(compound.site)
                return compound

    def _merchants(self) -> tuple[Merchant, ...]:
        dice = self._dice("merchants")
        return tuple(
            Merchant(brand, name, self._free(dice, district, "precautionary_lobby"), kinds)
            for brand, name, district, kinds in _MERCHANTS
        )

    def _settle(self) -> dict[str, Compound]:
        dice = self._dice("homes")
        return {hand.crew_id: self._free(dice, hand.home, "precautionary_gate") for hand in _HANDS}

    # --- orders ---

    def _orders(self) -> tuple[Asked, ...]:
        dice = self._dice("orders")
        today = ORDERS - TOMORROW
        matters = [matter for matter, count in _ODD_ONES.items() for _ in range(count)]
        plain = today - len(matters)
        classes = shares(plain, {rule: float(weight) for rule, weight in _CLASS_OF_ORDERS.items()})
        rules: list[Rule] = [rule for rule in _CLASS_OF_ORDERS for _ in range(classes[rule])]
        lobby: Rule = "precautionary_lobby"
        drawn: list[tuple[Rule, str]] = [(rule, "") for rule in rules] + [
            (lobby, matter) for matter in matters
        ]
        dice.shuffle(drawn)
        times = self._times(dice, today)
        asked = [
            self._order(dice, number, when, window, rule, matter)
            for number, ((when, window), (rule, matter)) in enumerate(zip(times, drawn, strict=True), start=1)
        ]
        for number in range(today + 1, ORDERS + 1):
            when = local(9, 0) + timedelta(minutes=dice.randrange(0, 540))
            begin = datetime.combine(date(2022, 4, 12), time(8 + dice.randrange(0, 4)), LOCAL)
            window = (begin, begin + timedelta(hours=dice.choice((2, 3, 4))))
            asked.append(self._order(dice, number, when, window, dice.choice((lobby, "sealed")), ""))
        return tuple(sorted(asked, key=lambda order: (order.when, order.reference)))

    @staticmethod
    def _times(dice: random.Random, count: int) -> list[tuple[datetime, tuple[datetime, datetime]]]:
        """When each order of the day is placed, and its window: two to four hours between 08:00 and 20:00."""
        last = local(20, 0)
        found = []
        for number in range(count):
            length = timedelta(minutes=15 * dice.randrange(8, 17))
            if number < EVENING_BEFORE:
                when = local(20, 0, day=10) + timedelta(minutes=dice.randrange(0, 180))
                begin = local(8, 0) + timedelta(minutes=15 * dice.randrange(0, 17))
            else:
                when = local(6, 30) + timedelta(minutes=dice.randrange(0, 615))
                begin = max(local(8, 0), when + timedelta(minutes=dice.randrange(20, 120)))
                begin -= timedelta(minutes=begin.minute % 15)
            end = min(last, begin + length)
            found.append((when, (min(begin, end - timedelta(hours=2)), end)))
        return found

    def _order(
        self,
        dice: random.Random,
        number: int,
        when: datetime,
        window: tuple[datetime, datetime],
        rule: Rule,
        matter: str,
    ) -> Asked:
        kind = (
            matter if matter in KINDS else dice.choices(list(_KIND_WEIGHTS), list(_KIND_WEIGHTS.values()))[0]
        )
        merchant = dice.choice([m for m in self.merchants if kind in m.kinds])
        district = dice.choices(list(_DESTINATIONS), list(_DESTINATIONS.values()))[0]
        compound = self._free(dice, district, rule)
        name = f"无名新村{number}弄" if matter == "unlisted" else compound.name
        lng, lat = compound.lng, compound.lat
        quality = dice.choice((MatchQuality.EXACT, MatchQuality.EXACT, MatchQuality.LANE, MatchQuality.NAME))
        if matter in ("centroid", "none"):
            quality = MatchQuality(matter)
        if matter == "elsewhere":  # a geocoder picked a namesake on the other side of the city
            far = "310116" if district not in ("310116", "310117") else "310113"
            namesake = dice.choice(self._by_rule[far, "sealed"])
            lng, lat = namesake.lng, namesake.lat
        reference = (
            f"{''.join(word[0] for word in merchant.brand.split('-')).upper()}-{DAY:%m%d}-{number:04d}"
        )
        new = NewOrder(
            market=MARKET_ID,
            reference=reference,
            gift=_gift(dice, kind),
            pick_up=PickUp(
                name=merchant.name,
                place=_place(
                    dice, merchant.compound.site, merchant.compound.lng, merchant.compound.lat, "1号", None
                ),
                contact=Contact(
                    name="虚构店员", phone=f"+861700000{9000 + self.merchants.index(merchant):04d}"
                ),
            ),
            recipient=Recipient(
                name=f"虚构收件人{number:04d}",
                phone=f"+861700000{number:04d}",
                place=_place(
                    dice,
                    (district, name),
                    lng,
                    lat,
                    f"{dice.randrange(1, 40)}号",
                    f"{dice.randrange(1, 19)}{dice.randrange(1, 5):02d}室",
                    quality,
                ),
            ),
            window=Window(start=window[0], end=window[1], time_zone=ZONE_NAME),
            tier=dice.choices(list(_TIER_WEIGHTS), list(_TIER_WEIGHTS.values()))[0],
            fallback=dice.choices(list(Fallback), (80, 15, 5))[0],
        )
        return Asked(
            when=when,
            brand=merchant.brand,
            idempotency_key=f"{merchant.brand}/{reference}",
            reference=reference,
            body=_body(new),
            site=(district, name),
            kind=kind,
        )

    # --- the fleet ---

    def _tested(self) -> tuple[checker.Test, ...]:
        """Every test of every crew, with what came out and when that was known."""
        tests = []
        for place, hand in enumerate(_HANDS):
            tests.append(_test(hand, "pcr", hand.pcr, hand.pcr + timedelta(hours=7, minutes=5 * place)))
            for day in (10, 11):
                sampled = local(6, 5, day=day) + timedelta(minutes=5 * place)
                tests.append(_test(hand, "antigen", sampled, sampled + timedelta(minutes=20)))
        number, sampled, _ = RESAMPLED
        tests.append(checker.Test(_HANDS[number - 1].crew_id, "pcr", None, sampled, None))
        number, sampled, reported = POSITIVE
        tests.append(checker.Test(_HANDS[number - 1].crew_id, "pcr", False, sampled, reported))
        return tuple(tests)

    def _passed(self) -> tuple[checker.Pass, ...]:
        ends = {PASS_ENDS[0]: PASS_ENDS[1]}
        revoked = {PASS_REVOKED[0]: PASS_REVOKED[1]}
        return tuple(
            checker.Pass(
                permit_id=hand.permit_id,
                plate=hand.plate,
                districts=PUXI if hand.puxi_only else None,
                valid_from=local(0, 0, day=9),
                valid_to=ends.get(hand.number, local(0, 0, day=14)),
                revoked_at=revoked.get(hand.number),
            )
            for hand in _HANDS
        )

    def _slots(self) -> tuple[Slot, ...]:
        dice = self._dice("slots")
        found = []
        for place, hand in enumerate(_HANDS):
            price, on_time = dice.randrange(1800, 4200, 50), dice.randrange(880, 985)
            pattern = _SLOT_PATTERNS[place % len(_SLOT_PATTERNS)]
            spans = [(local(a), local(b)) for a, b in zip(pattern, pattern[1:], strict=False)]
            if hand.number <= 4:
                spans.append((local(9, 0, day=12), local(13, 0, day=12)))
            for begin, end in spans:
                found.append(
                    Slot(
                        slot_id=f"{hand.crew_id}-{begin:%m%d-%H}",
                        market_id=MARKET_ID,
                        courier_id=hand.courier_id,
                        crew_id=hand.crew_id,
                        window=Window(start=begin, end=end, time_zone=ZONE_NAME),
                        capacity=_CAPACITY[int((end - begin).total_seconds()) // 3600],
                        price=Money(amount=price, currency="CNY"),
                        on_time_permille=on_time,
                        trip_minutes=45,
                        return_minutes=30,
                    )
                )
        return tuple(found)

    def crew_at(self, crew_id: str, at: datetime) -> Crew:
        """The crew's document as it stands at that moment: nothing in it is known later than that."""
        hand = next(hand for hand in _HANDS if hand.crew_id == crew_id)
        home = self._homes[crew_id]
        shown = []
        for test in self._tests:
            if test.crew_id != crew_id or test.sampled_at > at:
                continue
            known = test.reported_at is not None and test.reported_at <= at
            result = TestResult.PENDING
            if known:
                result = TestResult.NEGATIVE if test.negative else TestResult.POSITIVE
            shown.append(
                Credential(
                    kind=CredentialKind(test.kind),
                    result=result,
                    sampled_at=test.sampled_at,
                    reported_at=test.reported_at if known else None,
                )
            )
        return Crew(
            crew_id=crew_id,
            market_id=MARKET_ID,
            courier_id=hand.courier_id,
            vehicle=Vehicle(plate=hand.plate, compartments=_BOXES[hand.boxes]),
            home=_address(home.site, "2号", None),
            credentials=tuple(shown),
        )

    def permit_at(self, permit_id: str, at: datetime) -> Permit:
        """The permit's document as it stands at that moment."""
        held = next(held for held in self._passes if held.permit_id == permit_id)
        revoked = held.revoked_at if held.revoked_at is not None and held.revoked_at <= at else None
        return Permit(
            permit_id=permit_id,
            market_id=MARKET_ID,
            plate=held.plate,
            districts="all" if held.districts is None else held.districts,
            valid=Window(start=held.valid_from, end=held.valid_to, time_zone=ZONE_NAME),
            revoked_at=revoked,
        )

    @staticmethod
    def couriers() -> tuple[Courier, ...]:
        """Two companies behind one gateway; accounts 'sf' and 'dada'."""
        proofs = frozenset({Proof.PICKUP_CODE, Proof.RECEIPT_CODE})
        return tuple(
            Courier(
                courier_id=courier_id,
                market_id=MARKET_ID,
                dialect="wechat",
                account=account,
                proofs=proofs,
                insured_limit=Money(amount=limit, currency="CNY"),
            )
            for courier_id, account, limit in (("sftc", "sf", 5_000_000), ("dada", "dada", 500_000))
        )

    # --- the day ---

    def _happenings(self) -> tuple[Happening, ...]:
        found = [
            Happening(BEGINS, Put("markets", MARKET_ID, _body(MARKET)), "the market"),
            *(
                Happening(BEGINS, Put("couriers", c.courier_id, _body(c)), "a courier")
                for c in self.couriers()
            ),
            *(Happening(BEGINS, self._crew(hand, BEGINS), "a crew") for hand in _HANDS),
            *(Happening(BEGINS, self._permit(hand, BEGINS), "its pass") for hand in _HANDS),
            *(Happening(BEGINS, Put("slots", slot.slot_id, _body(slot)), "its hours") for slot in self.slots),
            Happening(BEGINS, self._city(), "the city-wide rules"),
            *(
                Happening(when, self._first_list(when, codes), "districts publish")
                for when, codes in PUBLISHED
            ),
        ]
        for test in self._tests:
            hand = next(hand for hand in _HANDS if hand.crew_id == test.crew_id)
            if test.reported_at is not None and BEGINS < test.reported_at < ENDS:
                why = "a test is negative" if test.negative else "a test is positive"
                found.append(Happening(test.reported_at, self._crew(hand, test.reported_at), why))
        crew, _, told = RESAMPLED
        found.append(Happening(told, self._crew(_HANDS[crew - 1], told), "tested again, result pending"))
        pass_of, revoked = PASS_REVOKED
        found.append(Happening(revoked, self._permit(_HANDS[pass_of - 1], revoked), "a pass is revoked"))

        crew, at = HOME_SEALED
        home = self._homes[_HANDS[crew - 1].crew_id].site
        found.append(
            Happening(at, self._lay_over("home-sealed", "sealed", at, [home]), "a crew's home is sealed")
        )
        kitchen = next(m for m in self.merchants if m.name == SEALED_MERCHANT).compound.site
        why = "a merchant is sealed"
        found.append(
            Happening(
                MERCHANT_SEALED, self._lay_over("merchant-sealed", "sealed", MERCHANT_SEALED, [kitchen]), why
            )
        )
        at, count = BANNED
        afternoon = [
            order.site
            for order in self.orders
            if at + timedelta(hours=3) < datetime.fromisoformat(order.body["window"]["end"]) <= local(20, 0)
            and order.when < at
            and self._first_rule(order.site) in ("sealed", "precautionary_lobby")
        ]
        sites = self._dice("bans").sample(afternoon, count)
        found.append(
            Happening(at, self._lay_over("banned", "no_access", at, sites), "committees ban deliveries")
        )
        at, count = SEALED_ON_THE_WAY
        found.append(
            Happening(at, Strike("sealed-on-the-way", "sealed", count), "sealed with parcels on their way")
        )
        at, count = BANNED_ON_THE_WAY
        found.append(
            Happening(at, Strike("banned-on-the-way", "no_access", count), "banned with parcels on their way")
        )
        return tuple(sorted(found, key=lambda happening: happening.when))

    def _crew(self, hand: _Hand, at: datetime) -> Put:
        return Put("crews", hand.crew_id, _body(self.crew_at(hand.crew_id, at)))

    def _permit(self, hand: _Hand, at: datetime) -> Put:
        return Put("permits", hand.permit_id, _body(self.permit_at(hand.permit_id, at)))

    def _city(self) -> Upload:
        features = [
            {
                "type": "Feature",
                "geometry": district.geometry,
                "properties": {
                    "zone_id": f"SHA-{district.code}",
                    "level": "precautionary",
                    "policy": CITY.reference,
                    "unit": {"kind": "district", "district": district.code},
                    "valid_from": local(0, 0, day=6).isoformat(),
                    "known_since": BEGINS.isoformat(),
                    "precision_m": districts.PRECISION_M,
                    "basis": "Rider rules of 6 Apr 2022; borders after the map of echarts 4.9.0",
                },
            }
            for district in self.districts
        ]
        return Upload("city", "replace", parts_of(features, [_body(policy) for policy in POLICIES]))

    def _first_list(self, when: datetime, codes: Iterable[str]) -> Upload:
        features = [
            feature_of(
                c.zone_id, c.site, c.rule, local(0, 0), when, "First list, 11 Apr 2022 (names are invented)"
            )
            for c in self.compounds
            if c.district in codes
        ]
        return Upload(f"list-{when:%H%M}", "amend", parts_of(features))

    def _lay_over(self, name: str, rule: Rule, at: datetime, sites: Iterable[checker.Site]) -> Upload:
        """A stricter class over these compounds from now on, known at once."""
        features = []
        for site in sites:
            self._laid_over += 1
            self._add(checker.Listing(site, rule, at, at, name))
            zone_id = f"SHA-{site[0]}-X{self._laid_over:04d}"
            features.append(feature_of(zone_id, site, rule, at, at, "Reported on the day (invented)"))
        return Upload(name, "amend", parts_of(features))

    def strike(self, strike: Strike, at: datetime, in_transit: Iterable[str]) -> Upload | None:
        """Close destinations of parcels that are on their way: the upload to publish now, None if there is none.

        `in_transit` are references of orders that are picked up and not yet handed over. Chosen are up to
        `strike.count` compounds that still let a courier in, flowers and other gifts that a sealed compound
        refuses first, so that some parcels end at the gate and some turn back.
        """
        orders = [self._order_of[reference] for reference in sorted(set(in_transit))]
        still_open = [order for order in orders if self._way(order.site, at) == "door"]
        if strike.rule == "no_access":
            still_open = [order for order in orders if self._way(order.site, at) != "none"]
        dice = self._dice(strike.name)
        dice.shuffle(still_open)
        edible = [order for order in still_open if _is_essential(order.kind)]
        refused = [order for order in still_open if not _is_essential(order.kind)]
        half = max(1, strike.count // 2)
        chosen = [*refused[:half], *edible][: strike.count]
        sites = list(dict.fromkeys(order.site for order in chosen))
        return self._lay_over(strike.name, strike.rule, at, sites) if sites else None

    # --- the truth ---

    def physical(self, when: datetime, reference: str) -> Literal["door", "gate", "none"]:
        """What a courier can really do at this order's compound then, whatever anybody has published."""
        if reference in self._refused:
            return "none"
        return self._way(self._order_of[reference].site, when)

    def _way(self, site: checker.Site, when: datetime) -> Literal["door", "gate", "none"]:
        rules = {listing.rule for listing in self._rules_of.get(site, ()) if listing.valid_from <= when}
        if "no_access" in rules:
            return "none"
        return "door" if rules == {"precautionary_lobby"} else "gate"

    def truth(self) -> checker.Truth:
        """Everything the checker has to know; ask for it after the last strike."""
        wishes = tuple(
            checker.Wish(
                reference=order.reference,
                placed_at=order.when,
                site=order.site,
                merchant=self._merchant_of[order.brand, order.body["pick_up"]["name"]].compound.site,
                item_classes=frozenset(item["item_class"] for item in order.body["gift"]["items"]),
                window_end=datetime.fromisoformat(order.body["window"]["end"]),
            )
            for order in self.orders
        )
        return checker.Truth(
            wishes=wishes,
            listings=tuple(self._listings),
            tests=self._tests,
            passes=self._passes,
            crews=tuple(
                checker.Crew(hand.crew_id, hand.plate, self._homes[hand.crew_id].site) for hand in _HANDS
            ),
            slots=tuple(checker.Slot(slot.slot_id, slot.crew_id, slot.capacity) for slot in self.slots),
        )

    def fleet_by_hour(self) -> tuple[Hour, ...]:
        """Who may drive in the city at each full hour from 08:00 to 20:00."""
        truth = self.truth()
        hours = []
        for hour in range(8, 21):
            at = local(hour)
            faults = checker.standing(truth, at)
            hours.append(
                Hour(
                    at=at,
                    cleared=tuple(crew for crew, found in faults.items() if not found),
                    grounded={crew: found for crew, found in faults.items() if found},
                )
            )
        return tuple(hours)


# --- shapes of documents --------------------------------------------------------------------------------------


def _rule(level: str, draw: float) -> Rule:
    if level == "sealed":
        return "sealed"
    if level == "controlled":
        return "controlled"
    return "precautionary_lobby" if draw < 0.7 else "precautionary_gate"


def _is_essential(kind: str) -> bool:
    return all(made[1].value in checker.ESSENTIAL for made in KINDS[kind])


def _body(document: Shape) -> dict[str, Any]:
    """The document as JSON has it, without what is not said."""
    body: dict[str, Any] = json.loads(document.model_dump_json(exclude_none=True))
    return body


def _test(
    hand: _Hand, kind: Literal["pcr", "antigen"], sampled: datetime, reported: datetime
) -> checker.Test:
    return checker.Test(hand.crew_id, kind, True, sampled, reported)


def plain_gift(kind: str) -> Gift:
    """A gift of that kind at its lowest value; what is kept cold, in the 0 to 8 degrees of every cold box."""
    return Gift(
        items=tuple(
            Item(
                name=name,
                item_class=item_class,
                value=Money(amount=low, currency="CNY"),
                temperature=None if kept is None else TemperatureRange(min_c=0, max_c=8),
                dwell_limit_minutes=minutes,
            )
            for name, item_class, (low, _), kept, minutes in KINDS[kind]
        )
    )


def _gift(dice: random.Random, kind: str) -> Gift:
    return Gift(
        items=tuple(
            Item(
                name=name,
                item_class=item_class,
                value=Money(amount=dice.randrange(low, high + 1, 100), currency="CNY"),
                temperature=TemperatureRange(min_c=kept[0], max_c=kept[1]) if kept else None,
                dwell_limit_minutes=minutes,
            )
            for name, item_class, (low, high), kept, minutes in KINDS[kind]
        )
    )


def _address(site: checker.Site, building: str, unit: str | None) -> Address:
    district, compound = site
    return Address(
        country="CN",
        city="上海市",
        district=district,
        compound=compound,
        building=building,
        unit=unit,
        line=f"上海市{districts.NAMES[district][0]}{compound}{building}{unit or ''}",
    )


def _place(
    dice: random.Random,
    site: checker.Site,
    lng: float,
    lat: float,
    building: str,
    unit: str | None,
    quality: MatchQuality = MatchQuality.EXACT,
) -> Place:
    """The place, its point in one of the three datums that brands' geocoders use, and said to be in it."""
    datum = dice.choice((Datum.GCJ02, Datum.GCJ02, Datum.BD09, Datum.WGS84))
    x, y = converted((lng, lat), Datum.GCJ02, datum)
    return Place(
        address=_address(site, building, unit),
        coordinate=Coordinate(lng=round(x, 6), lat=round(y, 6), datum=datum, precision_m=10),
        match_quality=quality,
    )


def feature_of(
    zone_id: str, site: checker.Site, rule: Rule, valid_from: datetime, known_since: datetime, basis: str
) -> dict[str, Any]:
    """One named compound of one class as a GeoJSON feature: the lists of 2022 were names, not polygons."""
    policy, level = _POLICY_OF[rule]
    properties: dict[str, Any] = {
        "zone_id": zone_id,
        "level": level,
        "policy": policy.reference,
        "unit": {"kind": "compound", "district": site[0], "compound": site[1]},
        "valid_from": valid_from.isoformat(),
        "known_since": known_since.isoformat(),
        "basis": basis,
    }
    term = _TERM.get(rule)
    if term is not None:
        properties["expected_end"] = (valid_from + term).isoformat()
    return {"type": "Feature", "geometry": None, "properties": properties}


def parts_of(
    features: Sequence[Mapping[str, Any]], policies: Sequence[Mapping[str, Any]] = ()
) -> tuple[bytes, ...]:
    """An upload's parts, each at most `PART_BYTES`; policies go into the first."""
    shell = _json({"policies": list(policies), "features": [], "released": []})
    parts: list[list[str]] = [[]]
    size = len(shell.encode())
    for feature in features:
        text = _json(feature)
        weight = len(text.encode()) + 1
        if size + weight > PART_BYTES:
            parts.append([])
            size = len(_json({"policies": [], "features": [], "released": []}))
        parts[-1].append(text)
        size += weight
    bodies = []
    for number, texts in enumerate(parts):
        named = _json(list(policies)) if number == 0 else "[]"
        bodies.append(f'{{"policies":{named},"features":[{",".join(texts)}],"released":[]}}'.encode())
    return tuple(bodies)


def _json(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
