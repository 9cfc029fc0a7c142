"""The shapes of an explanation: why a gift stays though couriers might go, or goes with a dearer one, or what would
have let one go. Kept in evidence, so small; `rationing` and `nearest` find what stands in them.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from chalicelib.domain.orders import TierName
from chalicelib.domain.shapes import Currency, Instant, Shape
from chalicelib.domain.verdicts import Reason


class By(StrEnum):
    """What stood in the way of a place."""

    HIGHER_TIER = "higher_tier"
    """All the places went to gifts that rank higher."""
    SAME_TIER = "same_tier"
    """Some went to gifts of its own rank, which cost less there or drew the lot."""
    EARLIER = "earlier"
    """All the places had gone in earlier rounds."""
    LIMIT = "limit"
    """Not the places: the rules let only so many through."""
    ROOM = "room"
    """Not the places: no vehicle had room for one of its size or weight beside the others."""
    TOGETHER = "together"
    """Not a place: it travels with others, and none could take all of them."""
    TIME = "time"
    """Nobody knows: the time to plan in was over before the best plan was found."""


class OutRanked(Shape):
    """Couriers might have gone, and went with others."""

    by: By
    slots: int = Field(description="So many might have taken it.")
    lowest: TierName | None = Field(
        default=None,
        description="The lowest rank that sits in them: one of those would have to stay instead.",
    )
    slot: str | None = Field(default=None, description="Where one more place comes nearest to serving it.")
    would_serve: bool = Field(default=False, description="One more place there would have gone to this gift.")
    next_tier: TierName | None = Field(
        default=None, description="Else the rank of the gift that one more place there would have gone to."
    )
    short: int | None = Field(
        default=None,
        description="Where that is its own rank: by how many minor units of price and lateness the other is cheaper.",
    )
    currency: Currency | None = None


class Instead(StrEnum):
    """Why it does not go with the slot that would be cheapest for it."""

    WORTH_MORE = "worth_more"
    """That place is worth more to others."""
    GIVEN_AWAY = "given_away"
    """Its places had gone in an earlier round."""
    LIMIT = "limit"
    """There was a place, and the rules let only so many through."""
    ROOM = "room"
    """There was a place, and no room for one of its size or weight."""
    TOGETHER = "together"
    """There was a place, and not for all that it travels with."""
    FAIR_LOAD = "fair_load"
    """Its courier has more than its share already."""
    SOONER = "sooner"
    """It begins later: what waiting for it costs outweighs the price, whether or not it had a place."""
    LATER = "later"
    """It only costs less: it is on time less often, and that outweighs the price."""


class Dearer(Shape):
    """It goes, and a cheaper slot had been cleared for it, too."""

    why: Instead
    slot: str
    less: int = Field(
        description="So many minor units less would it have been there: price and lateness in one."
    )
    currency: Currency
    later: int | None = Field(default=None, description="Of a thousand, so many more are late there.")
    lowest: TierName | None = Field(default=None, description="The lowest rank that sits there.")
    next_tier: TierName | None = Field(
        default=None, description="One more place there would have served one gift more, of that rank."
    )
    saves: int | None = Field(
        default=None,
        description="One more place there would have saved so many minor units, and served nobody more.",
    )


class NearestChange(Shape):
    """What would have opened some slots, had only that been otherwise."""

    reasons: tuple[Reason, ...] = Field(description="All that stood against them.")
    slots: int = Field(description="So many lacked just that.")
    slot: str = Field(description="One of them.")
    hours_from: Instant | None = Field(
        default=None, description="The hours in which it could hand over, where they are what was missing."
    )
    hours_until: Instant | None = None


class Explanation(Shape):
    """One of these three."""

    out_ranked: OutRanked | None = None
    dearer: Dearer | None = None
    nearest: tuple[NearestChange, ...] = Field(default=(), description="Nobody may go; the nearest first.")
