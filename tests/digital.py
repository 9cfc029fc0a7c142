"""Digital gifts for tests: a yoga pass, a lesson, a seat in a club, and a programme that names one."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from chalicelib.domain.digital import NewDigitalGift
from chalicelib.domain.facts import LEFT
from chalicelib.domain.pass_answers import CodesPart, NewDigitalOrder
from chalicelib.domain.pass_rows import pass_key, pass_of_row, stock_key
from chalicelib.domain.passes import Pass
from chalicelib.domain.ports import World
from chalicelib.domain.programme import NewProgramme, programme_key
from chalicelib.flows import stock
from chalicelib.flows.set_up import set_up
from tests.stage import NOON

STUDIO = "yoga-studio"
HOST = "club-host"


def at(**span: float) -> str:
    """So long after noon."""
    return (NOON + timedelta(**span)).isoformat()


def yoga(**changes: Any) -> dict[str, Any]:
    """Seven days of yoga, as a brand hands it in."""
    return {
        "kind": "pass",
        "title": "Seven days of yoga",
        "partner": STUDIO,
        "value": {"amount": 70000, "currency": "CNY"},
        "limit": 3,
        "days": 7,
        "redeem_by": at(days=60),
        "time_zone": "Asia/Shanghai",
        "link": "https://yoga.example/start",
        **changes,
    }


def listed(**changes: Any) -> dict[str, Any]:
    """The same with the studio's own codes."""
    told = yoga(codes="listed", **changes)
    del told["limit"]
    return told


def session(name: str = "evening-1", *, day: float = 3, **changes: Any) -> dict[str, Any]:
    return {
        "session_id": name,
        "title": "Paris in the thirties",
        "start": at(days=day, hours=7),
        "end": at(days=day, hours=8.5),
        "about": "An evening with a curator",
        "recommends": [
            {"kind": "book", "title": "Nadja", "by": "André Breton"},
            {"kind": "film", "title": "L'Atalante"},
            {"kind": "music", "title": "Gymnopédies", "by": "Erik Satie"},
        ],
        **changes,
    }


def club(**changes: Any) -> dict[str, Any]:
    """Three evenings of a culture club."""
    told = yoga(
        kind="seat",
        title="Culture club",
        partner=HOST,
        sessions=[session(f"evening-{n}", day=3 + 7 * n) for n in range(1, 4)],
        link="https://club.example/room",
    )
    del told["days"]
    return told | changes


def facial(**changes: Any) -> dict[str, Any]:
    """A facial to do oneself, held once."""
    told = club(kind="lesson", title="A facial at home", sessions=[session("lesson", day=2, recommends=[])])
    return told | changes


def new_gift(told: dict[str, Any]) -> NewDigitalGift:
    return NewDigitalGift.model_validate_json(json.dumps(told))


def put(world: World, name: str, told: dict[str, Any], version: int | None = None) -> None:
    stock.put_gift(world, "maison", name, new_gift(told), version)


def load(world: World, name: str, number: int, *codes: str) -> Any:
    return stock.add_codes(world, "maison", name, number, CodesPart(codes=codes))


def wanted(gift: str = "YOGA", **changes: Any) -> NewDigitalOrder:
    return NewDigitalOrder.model_validate_json(
        json.dumps({"market": "SHA", "reference": "CLUB-1", "gift": gift, **changes})
    )


def programme(world: World, **fallback: Any) -> None:
    """The brand says what stands in for a parcel."""
    told = NewProgramme.model_validate({"fallback": fallback} if fallback else {})
    row = world.table.get(programme_key("maison"))
    set_up(world, "maison", told, by="brand", version=None if row is None else row.version)


def left(world: World, name: str = "YOGA") -> int:
    row = world.table.get(stock_key("maison", name))
    assert row is not None
    return row.counters[LEFT]


def pass_of(world: World, order_id: str) -> Pass:
    row = world.table.get(pass_key(order_id))
    assert row is not None, f"{order_id} has no pass"
    return pass_of_row(row)
