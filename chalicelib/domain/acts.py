"""An act: who did what for a client, and when. Nothing in it is personal, so it stays when the person is forgotten."""

from __future__ import annotations

import hashlib
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from chalicelib.domain.ports import Keep, Key, Row
from chalicelib.domain.retention import ACT, kept_until
from chalicelib.domain.shapes import Instant, Shape, stamp

Actor = Annotated[
    str,
    StringConstraints(
        pattern=r"^(brand|client|cordon|(staff|associate|campaign):[A-Za-z0-9][A-Za-z0-9._-]{0,63})$"
    ),
    Field(examples=["associate:anna.li"]),
]
"""Who acts: the brand's own systems, one of its staff by name (`X-Acting-Staff`), an associate, a campaign, the client,
or we, as the rules say."""
BRAND: Final = "brand"
CORDON: Final = "cordon"
PREFIX: Final = "act#"


class Deed(StrEnum):
    """What was done."""

    GIFT_ORDERED = "gift_ordered"
    GIFT_CANCELLED = "gift_cancelled"
    GIFT_SUBSTITUTED = "gift_substituted"
    GIFT_RESCHEDULED = "gift_rescheduled"
    PIECES_COUNTED = "pieces_counted"
    PURCHASE_COUNTED = "purchase_counted"
    REFUND_COUNTED = "refund_counted"
    TIER_GRANTED = "tier_granted"
    GRANT_REVOKED = "grant_revoked"
    CLIENT_CHANGED = "client_changed"
    CONSENT_CHANGED = "consent_changed"
    WRITTEN_TO = "written_to"
    ERASURE_ASKED = "erasure_asked"
    ERASED = "erased"


class Act(Shape):
    """One deed, written in the transaction of what it tells of."""

    at: Instant
    by: Actor
    did: Deed
    of: str | None = Field(
        default=None,
        description="What it was done to: an order, a purchase, a grant; an id, or the brand's own name.",
    )


def change_row(client_id: str, act: Act, version: int) -> Row:
    """Where it stands when the client itself is written with it: that version is written once."""
    return act_row(client_id, act, f"{version:08d}")


def act_row(client_id: str, act: Act, token: str) -> Row:
    """Where it stands, after all that were before it; `token` tells two of one moment apart."""
    name = hashlib.sha256(token.encode()).hexdigest()[:8]
    key = Key(client_id, f"{PREFIX}{stamp(act.at)}#{name}")
    return Row(key, 1, act.model_dump_json(exclude_defaults=True), expires_at=kept_until(ACT, act.at))


def kept_act(client_id: str | None, at: datetime, by: str, did: Deed, of: str, token: str) -> list[Keep]:
    """What is written with an order of that client's; nothing where the brand has described whom it is for."""
    if client_id is None:
        return []
    return [Keep(act_row(client_id, Act(at=at, by=by, did=did, of=of), token), was=None)]
