"""A brand's programme: who is a very important client, and how often one is given to.

A tier is reached by what was spent within the last days, in one currency: nothing is converted, for a rate of the day
would move people up and down. A client may be granted a higher one.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final, Literal

from pydantic import Field, model_validator

from chalicelib.domain.digital import DigitalFallback
from chalicelib.domain.orders import Tier, TierName
from chalicelib.domain.ports import Key, Row
from chalicelib.domain.shapes import Instant, Money, Shape, Slug, is_absent

LONGEST_DAYS: Final = 731
"""Two years: what was spent before counts nowhere."""
FORMER: Final = "programme#"


class Threshold(Shape):
    """Whoever has spent so much is of that tier."""

    tier: TierName
    spend: Money = Field(description="At least; CNY 100,000 is 10000000 fen.")

    @model_validator(mode="after")
    def _above_the_lowest(self) -> Threshold:
        if self.tier is Tier.STANDARD or self.spend.amount == 0:
            raise ValueError("a tier above standard, and more than nothing, were expected")
        return self


class Cap(Shape):
    """At most so many gifts of this brand, to a client or a household, counted in the recipient's own days."""

    per: Literal["client", "household"]
    at_most: int = Field(strict=True, ge=1, le=366)
    days: int | None = Field(
        default=None,
        strict=True,
        ge=1,
        le=366,
        description="Within so many days in a row; absent: in a calendar year.",
    )
    occasion: Slug | None = Field(
        default=None,
        description="Counts only gifts for this occasion; absent: every gift.",
        examples=["birthday"],
    )


class NewProgramme(Shape):
    """A programme as a brand states it, whole."""

    days: int = Field(
        default=365,
        strict=True,
        ge=1,
        le=LONGEST_DAYS,
        description="What was spent in so many days counts, today included.",
    )
    tiers: tuple[Threshold, ...] = Field(
        default=(),
        max_length=40,
        description="In any currencies, each by itself. None: the brand ranks its clients elsewhere, and says so with "
        "each order.",
    )
    caps: tuple[Cap, ...] = Field(default=(), max_length=12)
    fallback: DigitalFallback | None = Field(
        default=None,
        exclude_if=is_absent,
        description="What stands in for a parcel that nobody may carry, of orders with `fallback: digital`.",
    )

    @model_validator(mode="after")
    def _in_order(self) -> NewProgramme:
        for currency in {each.spend.currency for each in self.tiers}:
            steps = sorted(
                (each for each in self.tiers if each.spend.currency == currency), key=lambda one: one.tier
            )
            for lower, higher in pairwise(steps):
                if lower.tier == higher.tier:
                    raise ValueError(f"one threshold a tier and currency was expected, {currency} has two")
                if lower.spend.amount >= higher.spend.amount:
                    raise ValueError(f"a higher tier takes more to reach than a lower one, in {currency} too")
        if len({(cap.per, cap.days, cap.occasion) for cap in self.caps}) < len(self.caps):
            raise ValueError("two caps count the same; the lower one would do")
        return self


class Programme(NewProgramme):
    """A programme as kept."""

    brand_id: Slug
    since: Instant
    by: str = Field(default="brand", description="Who changed it last.")
    version: int = 1


NOTHING: Final = NewProgramme()
"""What holds of a brand that has stated none."""


def programme_key(brand_id: str) -> Key:
    return Key(f"brand#{brand_id}", "programme")


def former_key(brand_id: str, version: int) -> Key:
    """Where each version stays for good."""
    return Key(f"brand#{brand_id}", f"{FORMER}{version:06d}")


def programme_row(programme: Programme, key: Key | None = None) -> Row:
    body = programme.model_dump_json(exclude_defaults=True)
    return Row(key or programme_key(programme.brand_id), programme.version, body)


def programme_of_row(row: Row) -> Programme:
    return Programme.model_validate_json(row.body).model_copy(update={"version": row.version})
