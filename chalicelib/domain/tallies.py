"""A count of clients by what became of each, split by reason, district and tier. It names nobody, and adds up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from pydantic import Field

from chalicelib.domain.shapes import Shape

DISTRICTS: Final = 300
"""In one count by name; the rest stands under `OTHERS`. A row holds them, and no city has so many."""
SPELLED: Final = 64
"""Characters of a district's name; whoever writes more has written an address there, and stands under `OTHERS`."""
OTHERS: Final = "others"
Counts = dict[str, int]


class Tally(Shape):
    """How many, by outcome; of each district and tier the same; and how often each reason was given."""

    clients: int = 0
    outcomes: Counts = {}
    reasons: Counts = Field(default={}, description="A client may have several, and counts under each.")
    districts: dict[str, Counts] = Field(default={}, description="As the clients' addresses spell them.")
    tiers: dict[str, Counts] = {}

    def plus(self, other: Tally) -> Tally:
        """Both together."""
        return Tally(
            clients=self.clients + other.clients,
            outcomes=_added(self.outcomes, other.outcomes),
            reasons=_added(self.reasons, other.reasons),
            districts=_bounded(_joined(self.districts, other.districts)),
            tiers=_joined(self.tiers, other.tiers),
        )


def of_one(
    outcome: str, reasons: Iterable[str] = (), district: str | None = None, tier: str | None = None
) -> Tally:
    """The count of one client."""
    if district is not None and len(district) > SPELLED:
        district = OTHERS
    return Tally(
        clients=1,
        outcomes={outcome: 1},
        reasons=dict.fromkeys(reasons, 1),
        districts={} if district is None else {district: {outcome: 1}},
        tiers={} if tier is None else {tier: {outcome: 1}},
    )


def summed(tallies: Iterable[Tally]) -> Tally:
    """All of them together."""
    whole = Tally()
    for tally in tallies:
        whole = whole.plus(tally)
    return whole


def _added(one: Mapping[str, int], other: Mapping[str, int]) -> Counts:
    found = dict(one)
    for name, count in other.items():
        found[name] = found.get(name, 0) + count
    return found


def _joined(one: Mapping[str, Counts], other: Mapping[str, Counts]) -> dict[str, Counts]:
    found = dict(one)
    for name, counts in other.items():
        found[name] = _added(found.get(name, {}), counts)
    return found


def _bounded(districts: dict[str, Counts]) -> dict[str, Counts]:
    if len(districts) <= DISTRICTS:
        return districts
    names = sorted(districts, key=lambda name: (name == OTHERS, -sum(districts[name].values()), name))
    kept = {name: districts[name] for name in names[: DISTRICTS - 1] if name != OTHERS}
    rest: Counts = {}
    for name, counts in districts.items():
        if name not in kept:
            rest = _added(rest, counts)
    return {**kept, OTHERS: rest}


def as_rows(tally: Tally) -> list[tuple[str, str, str, int]]:
    """A tally as a table has it: by what it counts, whose, what came of it, and how many."""
    rows = [("all", "", outcome, count) for outcome, count in sorted(tally.outcomes.items())]
    rows += [("reason", reason, "", count) for reason, count in sorted(tally.reasons.items())]
    for by, counted in (("tier", tally.tiers), ("district", tally.districts)):
        for name, counts in sorted(counted.items()):
            rows += [(by, name, outcome, count) for outcome, count in sorted(counts.items())]
    return rows
