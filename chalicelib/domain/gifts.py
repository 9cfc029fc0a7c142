"""The gift: what is in the parcel, and what that demands of whoever carries it."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from chalicelib.domain.shapes import MOST, Money, Shape, Slug, Text, is_absent


class ItemClass(StrEnum):
    """What kind of thing it is; policies permit and forbid by this."""

    HOT_MEAL = "hot_meal"
    CHILLED = "chilled"
    FROZEN = "frozen"
    AMBIENT_FOOD = "ambient_food"
    FLOWERS = "flowers"
    ALCOHOL = "alcohol"
    COSMETICS = "cosmetics"
    FASHION = "fashion"
    HIGH_VALUE = "high_value"
    MEDICINE = "medicine"
    DOCUMENT = "document"


ESSENTIAL_BY_DEFAULT = frozenset(
    {ItemClass.HOT_MEAL, ItemClass.CHILLED, ItemClass.FROZEN, ItemClass.AMBIENT_FOOD, ItemClass.MEDICINE}
)
"""Food and medicine. A policy that knows better names its own classes."""
IDENTITY_FOR = frozenset({ItemClass.HIGH_VALUE, ItemClass.ALCOHOL, ItemClass.MEDICINE})
"""Whose client is asked for a document: nobody shows one for flowers."""


class TemperatureRange(Shape):
    """Degrees Celsius, both ends included."""

    min_c: float = Field(strict=True, ge=-40, le=80)
    max_c: float = Field(strict=True, ge=-40, le=80)

    def model_post_init(self, _context: object) -> None:
        if self.max_c < self.min_c:
            raise ValueError(f"max_c is at least min_c, got {self.min_c!r} to {self.max_c!r}")

    def holds(self, other: TemperatureRange) -> bool:
        """True when whatever stays in `other` is also inside this range."""
        return self.min_c <= other.min_c and other.max_c <= self.max_c


class Item(Shape):
    """One line of the gift."""

    name: Text
    item_class: ItemClass
    quantity: int = Field(default=1, strict=True, ge=1, le=999)
    value: Money = Field(description="What one piece is worth, in minor units.")
    temperature: TemperatureRange | None = Field(
        default=None, description="What it has to be kept at; absent: any temperature does."
    )
    dwell_limit_minutes: int | None = Field(
        default=None,
        strict=True,
        ge=5,
        le=14400,
        description="From pick-up to hand-over at the most, gate rest included.",
    )
    millilitres: int | None = Field(
        default=None,
        exclude_if=is_absent,
        strict=True,
        ge=1,
        le=10_000_000,
        description="Room that one piece takes, packed. Absent: it takes none of a vehicle's room.",
    )
    grams: int | None = Field(
        default=None,
        exclude_if=is_absent,
        strict=True,
        ge=1,
        le=10_000_000,
        description="What one piece weighs, packed. Absent: it counts as nothing.",
    )
    sku: Slug | None = Field(
        default=None,
        exclude_if=is_absent,
        description="The brand's own name for this kind of thing: by it something else can be proposed.",
        examples=["CAKE-STRAWBERRY"],
    )
    allergens: frozenset[Slug] | None = Field(
        default=None,
        exclude_if=is_absent,
        max_length=50,
        description="All that is in it of what people must not eat. Empty: nothing. Absent: nobody says.",
        examples=[["nuts", "milk"]],
    )


class Gift(Shape):
    """One parcel; all its items share one currency."""

    items: tuple[Item, ...] = Field(min_length=1, max_length=20)

    def model_post_init(self, _context: object) -> None:
        currencies = {item.value.currency for item in self.items}
        if len(currencies) > 1:
            raise ValueError(f"the items of one gift share one currency, got {sorted(currencies)!r}")
        if self._amount > MOST:  # refused here, not found out while clearing
            _ = self.value

    @property
    def value(self) -> Money:
        """What the whole gift is worth."""
        return Money(amount=self._amount, currency=self.items[0].value.currency)

    @property
    def _amount(self) -> int:
        return sum(item.value.amount * item.quantity for item in self.items)

    @property
    def item_classes(self) -> frozenset[ItemClass]:
        return frozenset(item.item_class for item in self.items)

    @property
    def millilitres(self) -> int:
        """Of all that state it."""
        return sum((item.millilitres or 0) * item.quantity for item in self.items)

    @property
    def grams(self) -> int:
        """Of all that state it."""
        return sum((item.grams or 0) * item.quantity for item in self.items)

    @property
    def dwell_limit_minutes(self) -> int | None:
        """The shortest of its items' limits."""
        return min(
            (i.dwell_limit_minutes for i in self.items if i.dwell_limit_minutes is not None), default=None
        )
