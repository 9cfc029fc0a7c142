"""A city's day cleared at once: 50,000 open orders against 2,000 slots, by a pool and pair by pair."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bench import pairs
from bench.shanghai import addresses, compounds
from chalicelib.domain.assignment import Choices, Problem, cost_of
from chalicelib.domain.atlas import Atlas
from chalicelib.domain.clearance import Clearer
from chalicelib.domain.fleet import Courier, Crew, Fleet, Permit, Proof, Slot
from chalicelib.domain.gifts import Gift
from chalicelib.domain.places import Address, Coordinate, Datum, MatchQuality, Place
from chalicelib.domain.policies import Level, Policy
from chalicelib.domain.pool import Pool
from chalicelib.domain.shapes import Window
from chalicelib.domain.verdicts import Decision, Delivery, Phase
from chalicelib.domain.zones import NamedUnit, Rules, Zone

ORDERS, SLOTS = 50_000, 2_000
NOW = datetime(2022, 4, 12, 0, tzinfo=UTC)
"""Eight in the morning in Shanghai."""
GIFTS = (
    ("chilled", 88_000, {"min_c": 0, "max_c": 8}, 120),
    ("chilled", 120_000, {"min_c": 0, "max_c": 8}, 150),
    ("ambient_food", 40_000, None, None),
    ("flowers", 60_000, {"min_c": 4, "max_c": 20}, 180),
    ("high_value", 900_000, None, None),
)


@dataclass(frozen=True)
class City:
    """A market on one morning."""

    atlas: Atlas
    fleet: Fleet
    deliveries: list[Delivery]


def _hours(start: float, length: float) -> Window:
    begins = NOW + timedelta(hours=start)
    return Window(start=begins, end=begins + timedelta(hours=length), time_zone="Asia/Shanghai")


def _policy(name: str, handovers: list[str], hours: int, permit: bool) -> Policy:
    return Policy.model_validate(
        {
            "policy_id": name,
            "version": 1,
            "title": name,
            "handovers": handovers,
            "permit_needed": permit,
            "requirements": [{"kind": "pcr", "max_age_hours": hours}],
            "curfews": [{"start_local": "22:00", "end_local": "06:00"}],
        }
    )


def city(orders: int = ORDERS, slots: int = SLOTS) -> City:
    """Zones, permits by district, cold chain, insured limits, tests of every age, windows: the kinds of solver.md."""
    dice = random.Random(412)  # nosec B311 - dice of a bench
    content, _, _ = compounds()
    districts = sorted({name for name, *_ in addresses()[0]})
    policies = (
        _policy("sealed", ["gate", "door"], 48, True),
        _policy("controlled", ["gate", "lobby", "door"], 72, True),
    )
    kitchens = []
    shops = []
    for number in range(20):
        name = f"礼品厨房{number}"
        kitchens.append(
            Zone(
                zone_id=f"kitchen-{number}",
                level=Level.PRECAUTIONARY,
                policy_id="controlled",
                policy_version=1,
                unit=NamedUnit(kind="compound", district=districts[0], compound=name),
                valid_from=NOW - timedelta(days=2),
                known_since=NOW - timedelta(days=2),
            )
        )
        shops.append(_place(districts[0], name, 121.48, 31.23))
    rules = Rules(
        market_id="SHA",
        version=1,
        digest="0" * 64,
        time_zone="Asia/Shanghai",
        datum=Datum.GCJ02,
        published_at=NOW - timedelta(hours=1),
        zones=(*content.zones, *kitchens),
        policies=policies,
    )
    return City(
        Atlas(rules),
        _fleet(dice, districts, slots),
        _deliveries(dice, content.zones, shops, orders),
    )


def _place(district: str, compound: str, lng: float, lat: float) -> Place:
    return Place(
        address=Address(
            country="CN",
            city="上海市",
            district=district,
            compound=compound,
            building="3号",
            line=f"上海市{district}{compound}3号",
        ),
        coordinate=Coordinate(lng=lng, lat=lat, datum=Datum.GCJ02, precision_m=15.0),
        match_quality=MatchQuality.EXACT,
    )


def _deliveries(dice: random.Random, zones: Sequence[Zone], shops: list[Place], count: int) -> list[Delivery]:
    gifts = [
        Gift.model_validate(
            {
                "items": [
                    {
                        "name": "Gift",
                        "item_class": kind,
                        "value": {"amount": amount + 100 * step, "currency": "CNY"},
                        "temperature": temperature,
                        "dwell_limit_minutes": dwell,
                    }
                ]
            }
        )
        for kind, amount, temperature, dwell in GIFTS
        for step in range(200)
    ]
    windows = [_hours(start, 3) for start in range(1, 10)]
    homes = []
    for zone in zones:
        assert zone.unit is not None
        assert zone.unit.district is not None
        assert zone.unit.compound is not None
        ring = zone.polygons[0][0][:-1]
        middle = [sum(point[axis] for point in ring) / len(ring) for axis in (0, 1)]
        homes.append(_place(zone.unit.district, zone.unit.compound, *middle))
    return [
        Delivery.model_construct(
            gift=dice.choice(gifts),
            pick_up=dice.choice(shops),
            drop_off=dice.choice(homes),
            window=dice.choice(windows),
        )
        for _ in range(count)
    ]


def _fleet(dice: random.Random, districts: list[str], count: int) -> Fleet:
    couriers = [
        Courier.model_validate(
            {
                "courier_id": f"courier-{number}",
                "market_id": "SHA",
                "dialect": "wechat",
                "account": "main",
                "proofs": [Proof.RECEIPT_CODE] if number % 4 else [],
                "insured_limit": {"amount": 500_000 + 100_000 * number, "currency": "CNY"},
            }
        )
        for number in range(12)
    ]
    crews, permits, slots = [], [], []
    for number in range(count):
        sampled = NOW - timedelta(minutes=dice.randint(300, 72 * 60))
        crew = Crew.model_validate(
            {
                "crew_id": f"crew-{number}",
                "market_id": "SHA",
                "courier_id": f"courier-{number % 12}",
                "vehicle": {
                    "plate": f"沪A·{number:05d}",
                    "compartments": dice.choice(([], [{"min_c": 2, "max_c": 8}], [{"min_c": 4, "max_c": 8}])),
                },
                "credentials": [
                    {
                        "kind": "pcr",
                        "result": "negative",
                        "sampled_at": sampled,
                        "reported_at": sampled + timedelta(hours=4),
                    }
                ],
            }
        )
        crews.append(crew)
        valid = _hours(dice.choice((-24, -24, 2)), dice.choice((30, 48, 48)))
        named = [districts[0], dice.choice(districts)]
        permits.append(
            Permit.model_validate(
                {
                    "permit_id": f"permit-{number}",
                    "market_id": "SHA",
                    "plate": crew.vehicle.plate,
                    "districts": named,
                    "valid": valid,
                }
            )
        )
        slots.append(
            Slot.model_validate(
                {
                    "slot_id": f"slot-{number:04d}",
                    "market_id": "SHA",
                    "courier_id": crew.courier_id,
                    "crew_id": crew.crew_id,
                    "window": _hours(dice.randint(0, 8), dice.choice((3, 4, 5))),
                    "capacity": 25,
                    "price": {"amount": dice.randint(2000, 6000), "currency": "CNY"},
                    "trip_minutes": dice.choice((30, 45, 60)),
                    "return_minutes": dice.choice((15, 30, 45)),
                }
            )
        )
    return Fleet(
        couriers={one.courier_id: one for one in couriers},
        crews={one.crew_id: one for one in crews},
        permits={one.permit_id: one for one in permits},
        slots={one.slot_id: one for one in slots},
        left={one.slot_id: one.capacity for one in slots},
    )


@dataclass(frozen=True)
class Cleared:
    """What it took."""

    surveyed_s: float
    """Seconds of CPU: every address looked up, ..."""
    answered_s: float
    """... every pair answered, ..."""
    paired_s: float
    """... and the feasible ones put as a problem, with their cost."""
    problem: Problem
    pairs: int
    a_pair_us: float
    """Microseconds for one pair, asked alone; for comparison."""

    @property
    def seconds(self) -> float:
        return self.surveyed_s + self.answered_s + self.paired_s


def clear(place: City) -> Cleared:
    """Clear it; a few orders once more pair by pair, which has to come to the same."""
    slots = list(place.fleet.slots.values())
    gc.collect()
    gc.freeze()  # what the city is made of is no garbage, and is not looked through again and again
    clearer = Clearer(place.atlas, place.fleet, NOW)
    began = time.process_time()
    for delivery in place.deliveries:
        clearer.surveyed(delivery)
    surveyed = time.process_time()
    pool = Pool(clearer, slots)
    answers = [pool.ask(delivery) for delivery in place.deliveries]
    answered = time.process_time()
    costs = {slot.slot_id: cost_of(slot.price.amount, slot.on_time_permille) for slot in slots}
    known: dict[int, Choices] = {}
    choices: dict[str, Choices] = {}
    for number, answer in enumerate(answers):
        alike = known.get(answer.yes)
        if alike is None:
            alike = known[answer.yes] = tuple([(name, costs[name]) for name in pool.names(answer.yes)])
        choices[f"order-{number:05d}"] = alike
    dice = random.Random(1)  # nosec B311 - dice of a bench
    tiers = dict(zip(choices, dice.choices(range(1, 6), pairs.TIERS, k=len(choices)), strict=True))
    problem = Problem.among(tiers, {slot.slot_id: slot.capacity for slot in slots}, choices)
    paired = time.process_time()
    gc.unfreeze()
    some = random.Random(5).sample(range(len(answers)), min(40, len(answers)))  # nosec B311 - dice of a bench
    alone = Clearer(place.atlas, place.fleet, NOW)
    asked = 0
    for number in some:
        yes = {
            slot.slot_id
            for slot in slots
            if alone.clear(place.deliveries[number], slot, phase=Phase.OPEN).decision is Decision.YES
        }
        asked += len(slots)
        assert yes == set(pool.names(answers[number].yes))
    a_pair = (time.process_time() - paired) / asked
    return Cleared(
        surveyed - began,
        answered - surveyed,
        paired - answered,
        problem,
        sum(map(len, choices.values())),
        a_pair * 1_000_000,
    )
