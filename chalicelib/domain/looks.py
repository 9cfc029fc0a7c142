"""A look at where a gift goes: the address is shown to nobody without one, and every one is kept.

collection (pk)        place (sk)                     noun
ord_...                look#<time>#<chance>           Look
"""

from __future__ import annotations

from typing import Final

from pydantic import Field

from chalicelib.domain.orders import Recipient
from chalicelib.domain.ports import Key, Row
from chalicelib.domain.shapes import Instant, Shape, Slug, is_absent, stamp

LOOKS: Final = "look#"


class Look(Shape):
    """Who looked, when and why. Nothing of what was seen."""

    look_id: str
    at: Instant
    role: str = Field(description="Of the key that asked.")
    by: str = Field(description="Whose key it is.")
    staff: Slug | None = Field(
        default=None, exclude_if=is_absent, description="Who of them, if that was said."
    )
    reason: Slug = Field(description="Not personal.", examples=["client-called"])


class Shown(Shape):
    """What a look shows, once."""

    look: Look
    recipient: Recipient


class WhyLook(Shape):
    """Why somebody has to know where a gift goes."""

    reason: Slug
    staff: Slug | None = None


class LookList(Shape):
    """Every look at one order's address, the first first."""

    order_id: str
    data: tuple[Look, ...]


def look_row(order_id: str, look: Look) -> Row:
    key = Key(order_id, f"{LOOKS}{stamp(look.at)}#{look.look_id}")
    return Row(key, 1, look.model_dump_json(exclude_defaults=True))


def look_of_row(row: Row) -> Look:
    return Look.model_validate_json(row.body)
