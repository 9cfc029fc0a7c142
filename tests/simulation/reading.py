"""The rules, read a second time: who may move what, by what was known at a moment.

It shares no code with what it judges (as `sandbox/checker.py`, which recounts the demo's day): only the standard
library, the policies as the plan means them, and the facts in the order in which they became known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

WAYS: Mapping[str, frozenset[str]] = {
    "open": frozenset({"door", "gate"}),
    "few": frozenset({"door", "gate"}),
    "one": frozenset({"door", "gate"}),
    "gate": frozenset({"gate", "shelf"}),
    "food": frozenset({"door", "gate"}),
    "shut": frozenset(),
    "night": frozenset({"door", "gate"}),
}
QUOTAS: Mapping[str, Mapping[str, int]] = {
    "few": {"zone": 2, "household": 1, "courier": 2},
    "one": {"zone": 1},
}
"""How many a local day, by zone, household and courier."""
ESSENTIAL = frozenset({"chilled"})
NIGHT = (time(22, 0), time(7, 30))
CLOCKS = {"SHA": ZoneInfo("Asia/Shanghai"), "MIL": ZoneInfo("Europe/Rome")}
PCR_LASTS = timedelta(hours=48)


class Reading:
    """What became known, when; and what follows from it."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], list[tuple[datetime, Any]]] = defaultdict(list)
        self._learnt: dict[str, list[datetime]] = defaultdict(list)

    def learn(self, market_id: str, name: str, at: datetime, fact: Any) -> None:
        """`name`: `site/<compound>`, `courier/<id>`, `crew/<id>`, `permit/<id>`."""
        self._known[market_id, name].append((at, fact))
        self._learnt[market_id].append(at)

    def changes(self, market_id: str, since: datetime, until: datetime) -> list[datetime]:
        """The moments between these two at which something became known there."""
        return [at for at in self._learnt[market_id] if since < at < until]

    def known(self, market_id: str, name: str, at: datetime) -> Any:
        """The last that was known of it then, or None."""
        found = None
        for since, fact in self._known.get((market_id, name), ()):
            if since > at:
                break
            found = fact
        return found

    def ways(self, market_id: str, site: str, known_at: datetime) -> frozenset[str] | None:
        """How a gift may change hands there; None: nobody has ruled on it."""
        rule = self.known(market_id, f"site/{site}", known_at)
        return None if rule is None else WAYS[rule]

    def quotas(self, market_id: str, site: str, known_at: datetime) -> Mapping[str, int]:
        """How many a local day go there, by what is counted."""
        return QUOTAS.get(self.known(market_id, f"site/{site}", known_at) or "", {})

    def against(
        self,
        step: str,
        at: datetime,
        known_at: datetime,
        *,
        market_id: str,
        site: str,
        shop: str,
        item_class: str,
        courier_id: str,
        crew_id: str,
    ) -> list[str]:
        """Everything that speaks against it. `step`: `pick_up` or `hand_over`."""
        faults = self._against_the_crew(market_id, courier_id, crew_id, at, known_at, step)
        if step == "pick_up":
            ways = self.ways(market_id, shop, known_at)
            if not ways:
                faults.append("shop_shut")
        rule = self.known(market_id, f"site/{site}", known_at)
        ways = None if rule is None else WAYS[rule]
        if not ways:
            faults.append("destination_unknown" if ways is None else "destination_shut")
        elif item_class == "high_value" and "door" not in ways:
            faults.append("left_unattended")
        if rule == "food" and item_class not in ESSENTIAL:
            faults.append("item_class")
        if rule == "night" and step == "hand_over":
            local = at.astimezone(CLOCKS[market_id]).time()
            if local >= NIGHT[0] or local < NIGHT[1]:
                faults.append("curfew")
        return faults

    def _against_the_crew(
        self, market_id: str, courier_id: str, crew_id: str, at: datetime, known_at: datetime, step: str
    ) -> list[str]:
        faults = []
        courier = self.known(market_id, f"courier/{courier_id}", known_at)
        if courier is None or courier.get("suspended"):
            faults.append("courier_suspended")
        crew = self.known(market_id, f"crew/{crew_id}", known_at)
        if crew is None:
            return [*faults, "crew_unknown"]
        if crew.get("withdrawn"):
            faults.append("crew_withdrawn")
        tests = [
            (test["result"], datetime.fromisoformat(test["sampled_at"]))
            for test in crew.get("credentials", ())
            if datetime.fromisoformat(test["reported_at"]) <= known_at
        ]
        positive = max((sampled for result, sampled in tests if result == "positive"), default=None)
        negative = max((sampled for result, sampled in tests if result == "negative"), default=None)
        if positive is not None and (negative is None or negative <= positive):
            faults.append("positive")
        elif negative is None or at > negative + PCR_LASTS:
            faults.append("pcr")
        if not self._has_permit(market_id, crew["vehicle"]["plate"], at, known_at):
            faults.append("permit")
        if crew.get("home"):
            ways = self.ways(market_id, crew["home"]["compound"], known_at)
            if ways is not None and not ways:
                faults.append("home_shut")
            elif ways is None and step == "pick_up":
                faults.append("home_unknown")
        return faults

    def _has_permit(self, market_id: str, plate: str, at: datetime, known_at: datetime) -> bool:
        for where, name in self._known:
            if where != market_id or not name.startswith("permit/"):
                continue
            permit = self.known(market_id, name, known_at)
            if permit is None or permit["plate"] != plate:
                continue
            start, end = (datetime.fromisoformat(permit["valid"][edge]) for edge in ("start", "end"))
            revoked = permit.get("revoked_at")
            if start <= at <= end and (revoked is None or datetime.fromisoformat(revoked) > at):
                return True
        return False
