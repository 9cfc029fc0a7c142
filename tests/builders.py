"""Valid nouns with the defaults of Shanghai in April 2022; keywords override what a test is about.

Monday 11 April 2022, noon in Shanghai. The hotel kitchen and the client live in two compounds of Huangpu whose
zones allow everything to the door under a 48-hour PCR and a permit. `clear()` of the defaults is a yes.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zlib import crc32

from chalicelib.domain.atlas import Atlas
from chalicelib.domain.clearance import Clearer
from chalicelib.domain.fleet import Courier, Credential, Crew, Fleet, Permit, Proof, Slot, TestResult
from chalicelib.domain.gifts import Gift, Item
from chalicelib.domain.orders import NewOrder
from chalicelib.domain.places import Address, Coordinate, Datum, Market, MatchQuality, Place
from chalicelib.domain.policies import Handover, Level, Policy
from chalicelib.domain.shapes import Window
from chalicelib.domain.verdicts import Delivery, Phase, Verdict
from chalicelib.domain.zones import Exemption, NamedUnit, Rules, Zone

TestResult.__test__ = False  # type: ignore[attr-defined]  # pytest takes its name for a test

NOON = datetime(2022, 4, 11, 4, 0, tzinfo=UTC)
"""12:00 in Shanghai."""
HUANGPU = "310101"
XUHUI = "310104"
PUDONG = "310115"
HOME, KITCHEN = "永嘉新村", "外滩厨房"
HUANGPU_RING = ((121.46, 31.19), (121.52, 31.19), (121.52, 31.25), (121.46, 31.25))


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def window(start: float = 1, end: float = 4, time_zone: str = "Asia/Shanghai") -> Window:
    """From so many hours after noon to so many."""
    return Window(start=NOON + hours(start), end=NOON + hours(end), time_zone=time_zone)


SHANGHAI: dict[str, Any] = {
    "market_id": "SHA",
    "name": "Shanghai",
    "country": "CN",
    "time_zone": "Asia/Shanghai",
    "datum": "GCJ02",
    "currency": "CNY",
    "west": 120.8,
    "south": 30.6,
    "east": 122.3,
    "north": 31.95,
}
MILAN: dict[str, Any] = {
    "market_id": "MIL",
    "name": "Milan",
    "country": "IT",
    "time_zone": "Europe/Rome",
    "datum": "WGS84",
    "currency": "EUR",
    "west": 8.9,
    "south": 45.3,
    "east": 9.4,
    "north": 45.6,
}


def market(**changes: Any) -> Market:
    return Market.model_validate({**SHANGHAI, **changes})


def address(compound: str | None = HOME, **changes: Any) -> Address:
    return Address.model_validate(
        {
            "country": "CN",
            "city": "上海市",
            "district": HUANGPU,
            "compound": compound,
            "building": "3号" if compound else None,
            "line": f"上海市黄浦区{compound or '南京东路1号'}",
            **changes,
        }
    )


def place(compound: str | None = HOME, *, lng: float = 121.49, lat: float = 31.22, **changes: Any) -> Place:
    """`changes` are of the address, but for `match_quality`, `datum` and `precision_m`."""
    quality = changes.pop("match_quality", MatchQuality.EXACT)
    datum, precision = changes.pop("datum", Datum.GCJ02), changes.pop("precision_m", 10.0)
    return Place(
        address=address(compound, **changes),
        coordinate=Coordinate(lng=lng, lat=lat, datum=datum, precision_m=precision),
        match_quality=quality,
    )


def item(item_class: str = "chilled", **changes: Any) -> Item:
    return Item.model_validate(
        {
            "name": "Cake",
            "item_class": item_class,
            "value": {"amount": 88000, "currency": "CNY"},
            **changes,
        }
    )


def gift(*items: Item) -> Gift:
    return Gift(items=items or (item(),))


def delivery(**changes: Any) -> Delivery:
    return Delivery.model_validate(
        {"gift": gift(), "pick_up": place(KITCHEN), "drop_off": place(), "window": window(), **changes}
    )


def order_body(**changes: Any) -> dict[str, Any]:
    """An order as a brand hands it in: JSON."""
    return {
        "market": "SHA",
        "reference": "EASTER-0001",
        "gift": gift().model_dump(mode="json"),
        "pick_up": {
            "name": "Hotel kitchen",
            "place": place(KITCHEN).model_dump(mode="json"),
            "contact": {"name": "Li Baoxian", "phone": "+8613800138000"},
        },
        "recipient": {
            "name": "Wang Secretive",
            "phone": "+8613800138001",
            "place": place().model_dump(mode="json"),
        },
        "window": window().model_dump(mode="json"),
        "tier": "gold",
        **changes,
    }


def new_order(**changes: Any) -> NewOrder:
    return NewOrder.model_validate_json(json.dumps(order_body(**changes)))


# --- rules ----------------------------------------------------------------------------------------------------


def policy(policy_id: str = "precautionary", **changes: Any) -> Policy:
    return Policy.model_validate(
        {
            "policy_id": policy_id,
            "version": 1,
            "title": policy_id,
            "handovers": list(Handover),
            "requirements": [{"kind": "pcr", "max_age_hours": 48}],
            "permit_needed": True,
            **changes,
        }
    )


def silent(policy_id: str, **changes: Any) -> Policy:
    """A policy that says nothing but what is given."""
    return Policy(policy_id=policy_id, version=1, title=policy_id, **changes)


def zone(compound: str | None = HOME, policy_id: str = "precautionary", **changes: Any) -> Zone:
    """Of a compound in Huangpu (None: the district), in force and known since yesterday."""
    building, district = changes.pop("building", None), changes.pop("district", HUANGPU)
    kind = "building" if building else "compound" if compound else "district"
    unit = NamedUnit.model_validate(
        {"kind": kind, "district": district, "compound": compound, "building": building}
    )
    return Zone.model_validate(
        {
            "zone_id": f"z{crc32(repr((district, compound, building, policy_id)).encode()):08x}",
            "level": Level.PRECAUTIONARY,
            "policy_id": policy_id,
            "policy_version": 1,
            "unit": unit,
            "valid_from": NOON - hours(24),
            "known_since": NOON - hours(24),
            **changes,
        }
    )


def crossing(policy_id: str = "precautionary", name: str = "Huangpu River", **changes: Any) -> Zone:
    """Of the river between Huangpu and Xuhui on one side and Pudong on the other."""
    sides = changes.pop("sides", ([HUANGPU, XUHUI], [PUDONG]))
    unit = {"kind": "crossing", "crossing": name, "sides": sides}
    return Zone.model_validate(
        {
            "zone_id": f"crossing-{policy_id}",
            "level": Level.OPEN,
            "policy_id": policy_id,
            "policy_version": 1,
            "unit": unit,
            "valid_from": NOON - hours(24),
            "known_since": NOON - hours(24),
            **changes,
        }
    )


def exemption(policy_id: str = "precautionary", *lifts: str, **changes: Any) -> Exemption:
    """Granted and known since yesterday, without an end."""
    return Exemption.model_validate(
        {
            "exemption_id": f"but-{policy_id}",
            "policy": f"{policy_id}@1",
            "lifts": lifts,
            "valid_from": NOON - hours(24),
            "known_since": NOON - hours(24),
            "authority": "District government",
            **changes,
        }
    )


def rules(zones: Iterable[Zone] | None = None, policies: Iterable[Policy] = (), **changes: Any) -> Rules:
    """The zones given, by default those of kitchen and home; `policies` beside the precautionary one."""
    given = {one.reference: one for one in (policy(), *policies)}
    return Rules.model_validate(
        {
            "market_id": "SHA",
            "version": 1,
            "digest": "0" * 64,
            "time_zone": "Asia/Shanghai",
            "datum": Datum.GCJ02,
            "published_at": NOON - hours(1),
            "zones": tuple(zones) if zones is not None else (zone(KITCHEN), zone(HOME)),
            "policies": tuple(given.values()),
            **changes,
        }
    )


def atlas(zones: Iterable[Zone] | None = None, policies: Iterable[Policy] = (), **changes: Any) -> Atlas:
    return Atlas(rules(zones, policies, **changes))


# --- fleet ----------------------------------------------------------------------------------------------------


def credential(
    kind: str = "pcr", result: str = "negative", sampled: float = -20, **changes: Any
) -> Credential:
    """Sampled so many hours after noon, reported (unless pending) four hours later."""
    reported = None if result == "pending" else NOON + hours(sampled + 4)
    return Credential.model_validate(
        {
            "kind": kind,
            "result": result,
            "sampled_at": NOON + hours(sampled),
            "reported_at": reported,
            **changes,
        }
    )


def courier(courier_id: str = "sf", **changes: Any) -> Courier:
    return Courier.model_validate(
        {
            "courier_id": courier_id,
            "market_id": "SHA",
            "dialect": "wechat",
            "account": "main",
            "proofs": [Proof.RECEIPT_CODE],
            "insured_limit": {"amount": 10_000_000, "currency": "CNY"},
            **changes,
        }
    )


def crew(crew_id: str = "crew-1", **changes: Any) -> Crew:
    return Crew.model_validate(
        {
            "crew_id": crew_id,
            "market_id": "SHA",
            "courier_id": "sf",
            "vehicle": {
                "plate": "沪A·D12345",
                "compartments": [{"min_c": 1, "max_c": 6}, {"min_c": 62, "max_c": 75}],
            },
            "credentials": [credential()],
            **changes,
        }
    )


def permit(permit_id: str = "permit-1", **changes: Any) -> Permit:
    return Permit.model_validate(
        {
            "permit_id": permit_id,
            "market_id": "SHA",
            "plate": "沪AD12345",
            "districts": [HUANGPU],
            "valid": window(-24, 48),
            **changes,
        }
    )


def slot(slot_id: str = "slot-1", **changes: Any) -> Slot:
    """Noon to five, an hour there and half an hour back."""
    return Slot.model_validate(
        {
            "slot_id": slot_id,
            "market_id": "SHA",
            "courier_id": "sf",
            "crew_id": "crew-1",
            "window": window(0, 5),
            "capacity": 3,
            "price": {"amount": 3000, "currency": "CNY"},
            "trip_minutes": 60,
            "return_minutes": 30,
            **changes,
        }
    )


def fleet(
    *,
    couriers: Iterable[Courier] | None = None,
    crews: Iterable[Crew] | None = None,
    permits: Iterable[Permit] | None = None,
    slots: Iterable[Slot] | None = None,
) -> Fleet:
    of_slots = {one.slot_id: one for one in (slots if slots is not None else (slot(),))}
    return Fleet(
        couriers={one.courier_id: one for one in (couriers if couriers is not None else (courier(),))},
        crews={one.crew_id: one for one in (crews if crews is not None else (crew(),))},
        permits={one.permit_id: one for one in (permits if permits is not None else (permit(),))},
        slots=of_slots,
        left={name: one.capacity for name, one in of_slots.items()},
    )


def clear(
    *,
    of: Delivery | None = None,
    by: Slot | None = None,
    on: Atlas | None = None,
    with_fleet: Fleet | None = None,
    now: datetime = NOON,
    refused: Collection[str] = (),
    down: Collection[str] = (),
    phase: Phase = Phase.OPEN,
) -> Verdict:
    """The verdict on the defaults, but for what is given."""
    return Clearer(on or atlas(), with_fleet or fleet(), now, down).clear(
        of or delivery(), by or slot(), refused, phase
    )
