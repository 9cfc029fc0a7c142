"""What is going to happen on a day, drawn from the seed alone: towns, fleets, twenty orders, and what people do.

Two markets in two time zones and two datums. Every order and everything that somebody does has a name (`o7`,
`a12`) by which a shorter story leaves it out.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.builders import MILAN, SHANGHAI
from tests.simulation.dice import roll

NOON = datetime(2022, 4, 11, 4, 0, tzinfo=UTC)
"""The day begins: noon in Shanghai, six in the morning in Milan."""
ORDERS = 20
RUSHES = 6
"""Orders come in bunches, and rules often just then: so planners, publishers and bookings meet."""
FAIR_WEATHER = NOON + timedelta(hours=6)
"""From then on nothing goes wrong any more, and whatever was left undone has to be made good, ..."""
END = NOON + timedelta(hours=12)
"""... by then."""

MARKETS: Mapping[str, dict[str, Any]] = {
    "SHA": {**SHANGHAI, "shards": 2},
    "MIL": {**MILAN, "shards": 1},
}
POINT = {"SHA": (121.49, 31.22), "MIL": (9.19, 45.46)}
DATUMS = {"SHA": ("GCJ02", "WGS84", "BD09"), "MIL": ("WGS84",)}
DISTRICT = {"SHA": "310101", "MIL": "015146"}
SITES = ("Arc", "Bay", "Cove", "Dell")
SHOPS = ("Kitchen", "Boutique")
HOME = "Eaves"
"""Where crews live."""

FLATS = ("501", "2单元502室")
_PCR = [{"kind": "pcr", "max_age_hours": 48}]
POLICIES: Mapping[str, dict[str, Any]] = {
    "open": {"handovers": ["door", "gate"], "requirements": _PCR, "permit_needed": True},
    "gate": {"handovers": ["gate", "shelf"], "requirements": _PCR, "permit_needed": True},
    "few": {
        "handovers": ["door", "gate"],
        "requirements": _PCR,
        "permit_needed": True,
        "quotas": [
            {"per": "zone", "limit": 2},
            {"per": "household", "limit": 1},
            {"per": "courier", "limit": 2},
        ],
    },
    "one": {
        "handovers": ["door", "gate"],
        "requirements": _PCR,
        "permit_needed": True,
        "quotas": [{"per": "zone", "limit": 1}],
    },
    "food": {
        "handovers": ["door", "gate"],
        "requirements": _PCR,
        "permit_needed": True,
        "essential_only": True,
    },
    "shut": {"handovers": []},
    "night": {
        "handovers": ["door", "gate"],
        "requirements": _PCR,
        "permit_needed": True,
        "curfews": [{"start_local": "22:00", "end_local": "07:30"}],
    },
}
LEVELS = {
    "open": "precautionary",
    "few": "precautionary",
    "one": "precautionary",
    "gate": "controlled",
    "food": "controlled",
    "shut": "sealed",
    "night": "curfew_only",
}


@dataclass(frozen=True)
class Wish:
    """One order, as its brand will hand it in."""

    name: str
    market_id: str
    brand_id: str
    at: datetime
    body: Mapping[str, Any]
    site: str
    shop: str
    item_class: str
    flat: str


@dataclass(frozen=True)
class Deed:
    """Something somebody does at a time. `order`: whose; a deed to an order that is left out is left out too."""

    name: str
    at: datetime
    what: str
    order: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        told = ", ".join(f"{name} {value}" for name, value in self.facts.items())
        return f"{self.what} {self.order or told}"


@dataclass(frozen=True)
class Plan:
    """A day before it happens."""

    seed: int
    endpoints: Mapping[str, Sequence[str]]
    """Brand to the hosts at which it listens."""
    zones: Mapping[tuple[str, str], str]
    """(market, compound) to the policy it begins under."""
    couriers: Sequence[dict[str, Any]]
    crews: Sequence[dict[str, Any]]
    permits: Sequence[dict[str, Any]]
    slots: Sequence[dict[str, Any]]
    wishes: Sequence[Wish]
    deeds: Sequence[Deed]

    def names(self) -> list[str]:
        """Everything that can be left out."""
        return [wish.name for wish in self.wishes] + [deed.name for deed in self.deeds]


def drawn(seed: int) -> Plan:
    """The plan of that day."""
    chance = random.Random(seed)
    fleet = [_fleet(chance, market_id) for market_id in MARKETS]
    zones = {
        (market_id, site): chance.choice(
            ("open", "open", "gate", "food", "night" if market_id == "MIL" else "open")
        )
        for market_id in MARKETS
        for site in SITES
    }
    for market_id in MARKETS:
        zones |= {(market_id, shop): "open" for shop in (*SHOPS, HOME)}
        if chance.random() < 0.3:
            zones[market_id, chance.choice(SITES)] = "shut"
        if chance.random() < 0.15:
            del zones[market_id, chance.choice(SITES)]  # nobody has ruled on it
    rushes = [NOON + _hours(chance, 0.02, 3.5) for _ in range(RUSHES)]
    wishes = [_wish(chance, seed, number, rushes) for number in range(1, ORDERS + 1)]
    couriers, crews, permits, slots = (
        [each for part in parts for each in part] for parts in zip(*fleet, strict=True)
    )
    zones = {place: _rationed(seed, place, rule) for place, rule in zones.items()}
    more = _for_one_delivery(seed, permits)
    endpoints = {
        "maison": ("maison", "maison-2") if chance.random() < 0.3 else ("maison",),
        "atelier": ("atelier",),
    }
    return Plan(
        seed,
        endpoints,
        zones,
        [_hinting(seed, courier) for courier in couriers],
        crews,
        [*permits, *more],
        slots,
        wishes,
        [_published(seed, deed) for deed in _deeds(chance, rushes, wishes, crews, permits, slots)],
    )


def _hinting(seed: int, courier: dict[str, Any]) -> dict[str, Any]:
    """Some couriers' callbacks prove nothing. By dice of their own."""
    is_one = courier["dialect"] == "paper" and roll(f"{seed}|hints|{courier['courier_id']}") < 0.3
    return {**courier, "dialect": "heron"} if is_one else courier


def _rationed(seed: int, place: tuple[str, str], rule: str) -> str:
    """Some open sites let only so many gifts through. By dice of their own, which leave all the others as they fell."""
    if rule != "open" or place[1] not in SITES:
        return rule
    fell = roll(f"{seed}|rationed|{place}")
    return "few" if fell < 0.25 else "one" if fell < 0.35 else rule


def _published(seed: int, deed: Deed) -> Deed:
    """What is opened in the middle of the day is opened for some."""
    if deed.what != "publish" or deed.facts["policy"] != "open" or deed.facts["site"] not in SITES:
        return deed
    fell = roll(f"{seed}|rationed|{deed.name}")
    rule = "few" if fell < 0.35 else "one" if fell < 0.6 else "open"
    return replace(deed, facts={**deed.facts, "policy": rule})


def _for_one_delivery(seed: int, permits: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Some vehicles have permits that are good for one delivery each: the first, and these."""
    more = []
    for permit in permits:
        name = f"{permit['market_id']}/{permit['permit_id']}"
        if roll(f"{seed}|once|{name}") < 0.3:
            permit["single_use"] = True
            count = int(3 * roll(f"{seed}|how many|{name}"))
            more += [{**permit, "permit_id": f"{permit['permit_id']}-{n}"} for n in range(count)]
    return more


def _hours(chance: random.Random, low: float, high: float) -> timedelta:
    return timedelta(seconds=round(3600 * chance.uniform(low, high)))


def _fleet(chance: random.Random, market_id: str) -> tuple[list[dict[str, Any]], ...]:
    currency = MARKETS[market_id]["currency"]
    couriers, crews, permits, slots = [], [], [], []
    for dialect, count in (("paper", 2), ("crane", 1)):
        courier_id = f"{dialect}-{market_id.lower()}"
        couriers.append(
            {
                "courier_id": courier_id,
                "market_id": market_id,
                "dialect": dialect,
                "account": market_id.lower(),
                "proofs": ["receipt_code"],
                "insured_limit": {"amount": 10_000_000, "currency": currency},
            }
        )
        for _ in range(count):
            number = len(crews) + 1
            crew_id, plate = f"crew-{number}", f"A{number:04d}"
            crews.append(
                {
                    "crew_id": crew_id,
                    "market_id": market_id,
                    "courier_id": courier_id,
                    "vehicle": {"plate": plate, "compartments": [{"min_c": 0, "max_c": 8}]},
                    "home": _address(market_id, HOME) if chance.random() < 0.5 else None,
                    "credentials": [_test(NOON - _hours(chance, 6, 44))],
                }
            )
            permits.append(
                {
                    "permit_id": f"permit-{number}",
                    "market_id": market_id,
                    "plate": plate,
                    "districts": "all",
                    "valid": {
                        "start": NOON - timedelta(days=1),
                        "end": NOON + (_hours(chance, 4, 7) if chance.random() < 0.2 else timedelta(days=2)),
                    },
                }
            )
            for part, (start, end) in enumerate(((0.0, 4.0), (3.0, 8.0))):
                slots.append(
                    {
                        "slot_id": f"slot-{number}-{part}",
                        "market_id": market_id,
                        "courier_id": courier_id,
                        "crew_id": crew_id,
                        "window": {
                            "start": NOON + timedelta(hours=start),
                            "end": NOON + timedelta(hours=end),
                            "time_zone": MARKETS[market_id]["time_zone"],
                        },
                        "capacity": chance.choice((1, 1, 2, 3)),
                        "price": {"amount": chance.randrange(2000, 4000), "currency": currency},
                        "trip_minutes": chance.choice((20, 30, 45)),
                        "return_minutes": 20,
                    }
                )
    return couriers, crews, permits, slots


def _test(sampled_at: datetime, result: str = "negative") -> dict[str, Any]:
    return {
        "kind": "pcr",
        "result": result,
        "sampled_at": sampled_at,
        "reported_at": sampled_at + timedelta(hours=4),
    }


def _address(market_id: str, compound: str) -> dict[str, Any]:
    return {
        "country": MARKETS[market_id]["country"],
        "city": MARKETS[market_id]["name"],
        "district": DISTRICT[market_id],
        "compound": compound,
        "building": "3",
        "line": f"{compound} 3",
    }


def _place(chance: random.Random, market_id: str, compound: str, flat: str | None = None) -> dict[str, Any]:
    lng, lat = POINT[market_id]
    return {
        "address": {**_address(market_id, compound), "unit": flat},
        "coordinate": {"lng": lng, "lat": lat, "datum": chance.choice(DATUMS[market_id])},
        "match_quality": "exact",
    }


INSTEAD = 0.25
"""So many gifts may have something that needs no courier in their place."""


def _wish(chance: random.Random, seed: int, number: int, rushes: Sequence[datetime]) -> Wish:
    market_id = "SHA" if number % 2 else "MIL"
    brand_id = chance.choice(("maison", "atelier"))
    at = chance.choice(rushes) + _hours(chance, 0, 0.03)
    start = at + _hours(chance, 0.2, 2)
    if chance.random() < 0.04:
        start += timedelta(days=1)
    end = start + _hours(chance, 0.8, 2.5)
    site, shop = chance.choice(SITES), chance.choice(SHOPS)
    flat = FLATS[roll(f"{seed}|flat|o{number}") < 0.4]
    item_class = chance.choice(("chilled", "chilled", "flowers", "cosmetics", "high_value"))
    item: dict[str, Any] = {
        "name": "Gift",
        "item_class": item_class,
        "value": {"amount": 88000, "currency": MARKETS[market_id]["currency"]},
    }
    if item_class == "chilled":
        item |= {"temperature": {"min_c": 0, "max_c": 8}, "dwell_limit_minutes": 120}
    body = {
        "market": market_id,
        "reference": f"EASTER-{number}",
        "gift": {"items": [item]},
        "pick_up": {
            "name": shop,
            "place": _place(chance, market_id, shop),
            "contact": {"name": "Li Baoxian", "phone": "+8613800138000"},
        },
        "recipient": {
            "name": "Wang Secretive",
            "phone": "+8613800138001",
            "place": _place(chance, market_id, site, flat),
        },
        "window": {
            "start": start.isoformat(),
            "end": end.isoformat(),
            "time_zone": MARKETS[market_id]["time_zone"],
        },
        "tier": chance.choice(("standard", "standard", "silver", "gold", "diamond")),
        "fallback": chance.choice(("hold", "hold", "cancel")),
    }
    if roll(f"{seed}|instead|o{number}") < INSTEAD:
        body["fallback"] = "digital"
    return Wish(f"o{number}", market_id, brand_id, at, body, site, shop, item_class, flat)


def _deeds(
    chance: random.Random,
    rushes: Sequence[datetime],
    wishes: Sequence[Wish],
    crews: Sequence[dict[str, Any]],
    permits: Sequence[dict[str, Any]],
    slots: Sequence[dict[str, Any]],
) -> list[Deed]:
    deeds: list[tuple[datetime, str, str, dict[str, Any]]] = []

    def some_time(low: float, high: float) -> datetime:
        """Mostly just when orders come in."""
        if chance.random() < 0.75:
            return chance.choice(rushes) + _hours(chance, 0, 0.035)
        return NOON + _hours(chance, low, high)

    for wish in wishes:
        for _ in range(chance.choice((0, 0, 0, 1, 2))):
            deeds.append((wish.at + _hours(chance, 0, 1.5), "place again", wish.name, {}))
        if chance.random() < 0.05:
            deeds.append((wish.at + _hours(chance, 0.01, 1), "place another under its key", wish.name, {}))
        if chance.random() < 0.22:
            late = chance.choice((0.02, 0.5, 3))
            deeds.append((wish.at + _hours(chance, 0, late), "cancel", wish.name, {}))
        deeds.append((wish.at + _hours(chance, 3, 6), "confirm the receipt of", wish.name, {}))
    for market_id in MARKETS:
        for _ in range(chance.choice((1, 2, 3, 4))):
            where = chance.choice((*SITES, *SITES, SHOPS[1], HOME))
            rule = chance.choice(("shut", "shut", "gate", "food", "open"))
            facts = {"market": market_id, "site": where, "policy": rule, "mid_flight": chance.random() < 0.5}
            at = some_time(0.2, 6)
            deeds.append((at, "publish", "", facts))
        crew = chance.choice([c for c in crews if c["market_id"] == market_id])
        if chance.random() < 0.4:
            deeds.append((some_time(0.5, 5), "withdraw", "", {"crew": crew}))
        for each in crews:
            if each["market_id"] != market_id:
                continue
            if chance.random() < 0.35:
                sampled = NOON - _hours(chance, 1, 3)
                tests = [
                    *each["credentials"],
                    _test(sampled, "positive" if chance.random() < 0.2 else "negative"),
                ]
                deeds.append(
                    (sampled + timedelta(hours=4), "report a test of", "", {"crew": each, "tests": tests})
                )
        if chance.random() < 0.3:
            courier = f"{chance.choice(('paper', 'crane'))}-{market_id.lower()}"
            at = some_time(0.5, 5)
            deeds.append((at, "suspend", "", {"market": market_id, "courier": courier}))
            deeds.append(
                (at + _hours(chance, 0.2, 1), "resume", "", {"market": market_id, "courier": courier})
            )
        if chance.random() < 0.3:
            permit = chance.choice([p for p in permits if p["market_id"] == market_id])
            at = some_time(1, 5)
            deeds.append((at, "revoke", "", {"permit": permit, "at": at}))
        for _ in range(4):
            slot = chance.choice([s for s in slots if s["market_id"] == market_id])
            if chance.random() < 0.4:
                facts = {
                    "market": market_id,
                    "slot": slot,
                    "capacity": chance.choice((0, 1, 2, 4)),
                    "mid_flight": chance.random() < 0.7,
                }
                deeds.append((some_time(0.1, 5), "resize", "", facts))
    for brand_id in ("maison", "atelier"):
        for ill in ("brand_fails", "brand_hangs", "brand_asks_for_time", "brand_slow", "brand_gone"):
            if chance.random() < 0.25:
                at = NOON + _hours(chance, 0.1, 5)
                facts = {"brand": brand_id, "ill": ill, "for": _hours(chance, 0.05, 0.8)}
                deeds.append((at, "fall ill", "", facts))
        for what in ("rotate", "disable", "replay"):
            if chance.random() < 0.25:
                deeds.append((NOON + _hours(chance, 0.5, 5), what, "", {"brand": brand_id}))
        deeds.append((FAIR_WEATHER + timedelta(minutes=5), "enable", "", {"brand": brand_id}))
    deeds.sort(key=lambda deed: (deed[0], deed[1], deed[2]))
    named = [Deed(f"a{number}", *deed) for number, deed in enumerate(deeds, start=1)]
    return [*named, *_answers(wishes)]


def _answers(wishes: Sequence[Wish]) -> Iterator[Deed]:
    """What clients say to something else in the place of their gift: nothing, yes, no, or both, early or late."""
    for wish in wishes:
        name = f"{wish.at.isoformat()}|{wish.name}"
        if roll(f"{name}|rather") < 0.08:
            hours = 2.5 * roll(f"{name}|rather at")
            yield Deed(f"r-{wish.name}", wish.at + timedelta(hours=hours), "rather give", wish.name, {})
        if wish.body["fallback"] != "digital":
            continue
        for turn in range(int(roll(f"{name}|answers") * 4)):
            hours = 0.3 + 4 * roll(f"{name}|answer {turn}")
            says = "say yes for" if roll(f"{name}|yes {turn}") < 0.6 else "say no for"
            yield Deed(f"y{turn}-{wish.name}", wish.at + timedelta(hours=hours), says, wish.name, {})
