"""Brands that listen, or fail, or hang, or say that they are gone, and get well again."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from chalicelib.domain.dialect import Reply, Request
from chalicelib.domain.errors import Unanswered

if TYPE_CHECKING:
    from tests.simulation.day import Day

ILL_SPELLS = ("brand_fails", "brand_hangs", "brand_asks_for_time", "brand_slow", "brand_gone")


@dataclass
class Receiver:
    """One endpoint's far end, at one address of one brand."""

    day: Day
    brand_id: str
    host: str
    endpoint_id: str = ""
    ill: str = ""
    """What it suffers from now, one of `ILL_SPELLS`; empty while it is well."""
    ill_until: datetime | None = None
    told: dict[tuple[str, int], list[str]] = field(default_factory=dict)
    """(order, sequence) to the runs that told it, as often as it answered that it was told."""
    tries: Counter[tuple[str, int]] = field(default_factory=Counter)
    replays: int = 0
    """Under way."""
    was_replayed: bool = False
    """Its brand switched it off, or had it told again: then states arrive in another order."""

    def tried(self, request: Request) -> None:
        """A notice is on its way here, and may never arrive."""
        said = json.loads(request.body)["data"]
        self.tries[said["order_id"], said["sequence"]] += 1

    def __call__(self, request: Request) -> Reply:
        said = json.loads(request.body)
        order_id, sequence = said["data"]["order_id"], said["data"]["sequence"]
        if self.ill_until is not None and self.day.clock.now >= self.ill_until:
            self.ill, self.ill_until = "", None
        if self.ill == "brand_fails":
            return Reply(500, {}, b"")
        if self.ill == "brand_hangs":
            self.day.take_time(5.0)
            raise Unanswered("timed out")
        if self.ill == "brand_asks_for_time":
            return Reply(429, {"retry-after": "90"}, b"")
        if self.ill == "brand_gone":
            return Reply(410, {}, b"")
        if self.ill == "brand_slow":
            self.day.take_time(4.0)
        elif self.day.trouble.strikes(
            "brand_hiccup", f"{self.host} {order_id} {sequence} {self.tries[order_id, sequence]}", 0.02
        ):
            return Reply(502, {}, b"")
        self.day.judge.told(self, order_id, sequence, said["data"]["state"])
        return Reply(204, {}, b"")
