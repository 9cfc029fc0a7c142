"""What a dispatcher did to an order, and why: the audit line that goes into the same transaction as the deed.

    collection (pk)   place (sk)                     noun
    ord_...           deed#<version>                 Deed that wrote this version of the order
    ord_...           deed#<version>#<stamp>#<who>   Deed that wrote none: a look at whom the gift is for

A version is written once, so of two who act on one order at a time there is one line, and it is the winner's.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from chalicelib.domain.ports import Key, Row
from chalicelib.domain.shapes import Instant, Shape, Slug, stamp


class What(StrEnum):
    """What was done, past tense."""

    REDISPATCHED = "redispatched"
    SENT_AGAIN = "sent_again"
    HELD = "held"
    RELEASED = "released"
    CANCELLED = "cancelled"
    RECALLED = "recalled"
    LOOKED = "looked"
    """At whom it is for, and where: the address and the telephone were shown."""
    SEEN_BACK = "seen_back"
    RECEIVED = "received"
    SENT_DIGITALLY = "sent_digitally"


class Deed(Shape):
    """One line of the audit."""

    order_id: str
    what: What
    who: Slug
    at: Instant
    why: str = Field(default="", max_length=300, description="In the dispatcher's words; nothing personal.")
    version: int = Field(description="Of the order after it; of a look, the one that was looked at.")


def deed_place(version: int) -> str:
    """Where the deed stands that wrote this version."""
    return f"deed#{version:06d}"


def deed_row(deed: Deed) -> Row:
    place = deed_place(deed.version)
    if deed.what is What.LOOKED:
        place += f"#{stamp(deed.at)}#{deed.who}"
    return Row(Key(deed.order_id, place), 1, deed.model_dump_json(exclude_defaults=True))


def deed_prefix() -> str:
    return "deed#"


def deed_of_row(row: Row) -> Deed:
    return Deed.model_validate_json(row.body)
