"""How the last round of a market shared out what there was: the row that is kept of it, and as operators read it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta

from pydantic import Field

from chalicelib.domain.orders import Tier
from chalicelib.domain.ports import Key
from chalicelib.domain.shapes import Instant, Shape

KEPT = timedelta(days=7)
STANDS = timedelta(minutes=30)
"""A report of a round over many is not overwritten for so long by one over a few: by then all are looked at again."""
SLOTS = 50
"""Full slots that are told of, those with the highest worth."""
NAMED = 20
"""Brands and districts that are counted by name, those with most gifts; the others are counted together."""
OTHERS = "(others)"


class Shared(Shape):
    """How many gifts were served and left, by this name."""

    served: int = 0
    left: int = 0


class Worth(Shape):
    """What one more place in a full slot would change."""

    slot: str
    courier: str
    tiers: dict[str, int] = Field(
        default={}, description="Gifts served more, by rank; below 0: fewer. Empty: nobody more."
    )
    saves: int = Field(description="Minor units of price and lateness saved; below 0: that is what it costs.")


class PlanReport(Shape):
    """The last round that left somebody behind or planned many: what it had, what it did, and what was scarce."""

    market_id: str
    planned_at: Instant
    is_large: bool = Field(
        default=False,
        description="Of many gifts, planned under the market's lease; else of those few that were due.",
    )
    rules_version: int | None = None
    currency: str | None = Field(default=None, description="Absent: there was no slot.")
    orders: int = Field(description="Gifts that the round planned.")
    slots: int
    pairs: int = Field(description="Of a gift and a slot that might take it.")
    served: int
    left: int
    later: int = Field(
        default=0,
        description="Neither: so many have a place in the plan that is given away at the last moment.",
    )
    nobody_may_go: int = Field(description="Of those left: no courier with a place left might have gone.")
    value: str = Field(
        description="The plan's value in a unit of its own, as text because it may pass 2^53; the smaller, the better."
    )
    bound: str = Field(description="No plan can have a smaller value: the prices prove it.")
    gap: str = Field(description="Value less bound: no plan is better by more.")
    is_proven: bool = Field(
        description="No plan serves more of any rank, the highest first, and none that serves as many costs less."
    )
    tiers_are_proven: bool = Field(
        default=False,
        description="It is proven that nobody more of any rank could have been served, the highest first.",
    )
    is_cut_short: bool = Field(default=False, description="The time was over before the best plan was found.")
    by_tier: dict[str, Shared]
    by_brand: dict[str, Shared]
    by_district: dict[str, Shared] = Field(
        description="Of the client, where rules or passes name that district; as it is compared."
    )
    full_slots: int = Field(description="Slots in which one more place would be worth something.")
    worths: tuple[Worth, ...] = ()


class WorthView(Worth):
    """The same, with its words."""

    words: str


class PlanView(PlanReport):
    """The report as operators read it."""

    worths: tuple[WorthView, ...] = ()


def plan_key(market_id: str) -> Key:
    """Where the last one is kept."""
    return Key(f"market#{market_id}", "plan")


def shared(served: Iterable[str], left: Iterable[str], most: int | None = None) -> dict[str, Shared]:
    """How many by each name, the most first; `most`: the rest is counted as others."""
    counts, lefts = Counter(served), Counter(left)
    names = sorted(counts | lefts, key=lambda name: (-counts[name] - lefts[name], name))
    shown = {name: Shared(served=counts[name], left=lefts[name]) for name in names[:most]}
    rest = names[len(shown) :]
    if rest:
        shown[OTHERS] = Shared(
            served=sum(counts[name] for name in rest), left=sum(lefts[name] for name in rest)
        )
    return shown


def tiers_of(counts: Mapping[int, int]) -> dict[str, int]:
    """By the names of the tiers, the highest first."""
    return {Tier(tier).name.lower(): count for tier, count in counts.items()}
