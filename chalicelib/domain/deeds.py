"""What a dispatcher did to an order, and why: the audit line that goes into the same transaction as the deed.

    collection (pk)   place (sk)                     noun
    ord_...           deed#<version>                 Deed that wrote this version of the order
    campaign#cmp_...  deed#<version>                 CampaignDeed that wrote this version (campaign_rows)
    desk#<market>     <stamp>#<what>#<of>            DeskDeed, to a courier or a suspicion: it vanishes after 90 days

A version is written once, so of two who act on one order at a time there is one line, and it is the winner's.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Final

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
    version: int = Field(description="Of the order after it.")


def deed_place(version: int) -> str:
    """Where the deed stands that wrote this version."""
    return f"deed#{version:06d}"


def deed_row(deed: Deed) -> Row:
    return Row(Key(deed.order_id, deed_place(deed.version)), 1, deed.model_dump_json(exclude_defaults=True))


def deed_prefix() -> str:
    return "deed#"


def deed_of_row(row: Row) -> Deed:
    return Deed.model_validate_json(row.body)


class Turned(StrEnum):
    """What was done to a campaign, past tense."""

    PAUSED = "paused"
    PROCEEDED = "proceeded"
    CALLED_OFF = "called_off"


class CampaignDeed(Shape):
    """One line of a campaign's audit; it stays as long as the campaign."""

    campaign_id: str
    what: Turned
    who: Slug
    at: Instant
    why: str = Field(default="", max_length=300, description="In the dispatcher's words; nothing personal.")
    version: int = Field(description="Of the campaign after it.")


KEPT: Final = timedelta(days=90)


class DeskDeed(Shape):
    """What a dispatcher did to something that is no order."""

    market_id: str
    what: str = Field(description="`suspended`, `resumed`, `dismissed`.")
    of: str = Field(description="Which courier, or which suspicion.")
    who: Slug
    at: Instant
    why: str = Field(default="", max_length=300)


def desk_collection(market_id: str) -> str:
    return f"desk#{market_id}"


def desk_deed_row(deed: DeskDeed) -> Row:
    place = f"{stamp(deed.at)}#{deed.what}#{deed.of}"
    gone = int((deed.at + KEPT).timestamp())
    key = Key(desk_collection(deed.market_id), place)
    return Row(key, 1, deed.model_dump_json(exclude_defaults=True), expires_at=gone)


def desk_deed_of_row(row: Row) -> DeskDeed:
    return DeskDeed.model_validate_json(row.body)
