"""A purchase, or the refund of one, as a brand reports it: each once, under the brand's own name for it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from pydantic import Field, model_validator

from chalicelib.domain.acts import Actor
from chalicelib.domain.ports import Key, Row
from chalicelib.domain.programme import LONGEST_DAYS
from chalicelib.domain.retention import PURCHASE, kept_until
from chalicelib.domain.shapes import Instant, Money, Shape, Slug

MOST: Final = 30
"""In one request: with what each refunds, the standing and the acts they have to fit into one transaction."""
COUNTS: Final = timedelta(days=LONGEST_DAYS)
AHEAD: Final = timedelta(minutes=5)
"""So far a till's clock may run before ours."""
PREFIX: Final = "purchase#"


class NewPurchase(Shape):
    """What was bought, or given back."""

    purchase: Slug = Field(
        description="The brand's own name for it; not personal.", examples=["TILL-7-000123"]
    )
    at: Instant
    amount: Money
    refunds: Slug | None = Field(
        default=None,
        description="The purchase that this gives money back for, wholly or in part: it is taken off on the day that "
        "one was counted on.",
    )


class NewPurchases(Shape):
    """Purchases of one client, all of them counted or none."""

    purchases: tuple[NewPurchase, ...] = Field(min_length=1, max_length=MOST)

    @model_validator(mode="after")
    def _each_once(self) -> NewPurchases:
        names = [each.purchase for each in self.purchases]
        if len(set(names)) < len(names):
            raise ValueError("each purchase stands once")
        return self


class Purchase(NewPurchase):
    """A purchase as kept."""

    day: date = Field(description="Local, on which it counts.")
    by: Actor
    recorded_at: Instant
    refunded: int = Field(default=0, description="Minor units given back of it.")

    @property
    def told(self) -> NewPurchase:
        """As it was reported: what the same request says again."""
        return NewPurchase.model_construct(**{name: getattr(self, name) for name in NewPurchase.model_fields})


def purchase_key(client_id: str, name: str) -> Key:
    return Key(client_id, f"{PREFIX}{name}")


def purchase_row(client_id: str, purchase: Purchase, version: int) -> Row:
    body = purchase.model_dump_json(exclude_defaults=True)
    expires_at = kept_until(PURCHASE, purchase.at)
    return Row(purchase_key(client_id, purchase.purchase), version, body, expires_at=expires_at)
