"""What needs no courier, on a simulated day: what two brands have in stock, and whether any of it was given twice.

It reads rows as JSON, and calls nothing of what it judges.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from pydantic_core import from_json

from chalicelib.domain.digital import NewDigitalGift
from chalicelib.domain.pass_answers import CodesPart
from chalicelib.domain.ports import Row, World
from chalicelib.domain.programme import NewProgramme
from chalicelib.flows import stock
from chalicelib.flows.set_up import set_up
from tests.digital import listed, yoga

SEATS = 3
CODES = ("STUDIO-1", "STUDIO-2", "STUDIO-3")
FALLBACKS: dict[str, dict[str, Any]] = {
    "maison": {"gift": "YOGA", "mode": "send", "patience_minutes": 75},
    "atelier": {"gift": "STUDIO", "mode": "offer", "offer_minutes": 40, "patience_minutes": 25},
}
"""One brand sends passes with our codes, the other offers those of a studio's list."""
HELD = ("offered", "given", "redeemed")


def put_up(world: World) -> None:
    """Both brands have little in stock, so that it runs out."""
    stock.put_gift(world, "maison", "YOGA", NewDigitalGift.model_validate_json(json.dumps(yoga(limit=SEATS))))
    stock.put_gift(world, "atelier", "STUDIO", NewDigitalGift.model_validate_json(json.dumps(listed())))
    stock.add_codes(world, "atelier", "STUDIO", 1, CodesPart(codes=CODES))
    for brand, fallback in FALLBACKS.items():
        set_up(world, brand, NewProgramme.model_validate({"fallback": fallback}), "brand", None)


class Seats:
    """Counts what is left, what is free and what is held, at every commit."""

    def __init__(self) -> None:
        self.left: dict[str, int] = {}
        self.free: Counter[str] = Counter()
        self.passes: dict[str, dict[str, Any]] = {}

    def read(self, before: Row | None, after: Row | None) -> None:
        """One row of a commit."""
        row = after or before
        assert row is not None
        pk, sk = row.key.pk, row.key.sk
        if sk == "pass":
            self.passes[pk] = {} if after is None else from_json(after.body)
        elif sk.startswith("stock#"):
            self.left[pk.removeprefix("digital#")] = 0 if after is None else after.counters["left"]
        elif sk.startswith("free#"):
            self.free[pk.split("#")[1]] += (after is not None) - (before is not None)

    def fault(self) -> str:
        """What is wrong after a commit; empty: nothing."""
        held = Counter(p["brand_id"] for p in self.passes.values() if p.get("state") in HELD)
        for brand, left in self.left.items():
            most = SEATS if brand == "maison" else len(CODES)
            if left < 0 or (left + held[brand] != most and self.is_whole(brand)):
                return f"{brand} has {left} left and {held[brand]} held, of {most}"
        if self.left.get("atelier", 0) != self.free["atelier"]:
            return f"{self.left['atelier']} codes are left, and {self.free['atelier']} are free"
        codes = Counter(p["code_name"] for p in self.passes.values() if p.get("code_name"))
        twice = [name for name, count in codes.items() if count > 1]
        return f"one code went to two: {twice}" if twice else ""

    def is_whole(self, brand: str) -> bool:
        """Everything is in stock: the list is loaded after the counter is made."""
        return brand == "maison" or bool(self.left.get(brand)) or bool(self.passes)

    def unended(self, now: datetime, waits: Callable[[str], bool]) -> list[str]:
        """Orders for which one is kept at the end of the day, and nobody is waited for any more.

        `waits`: true while a courier has not let go of that order. An offer has its hour; what is kept until a
        courier lets go has none.
        """
        return [
            name
            for name, p in self.passes.items()
            if p.get("state") == "offered" and not self._waits(p, now, waits)
        ]

    def _waits(self, one: dict[str, Any], now: datetime, waits: Callable[[str], bool]) -> bool:
        until = one.get("offered_until")
        if until is None:
            return waits(one["order_id"])
        return bool(datetime.fromisoformat(until) >= now - timedelta(minutes=5))
