"""A pass: one digital gift for one order, from the offer to its use.

It stands in the order's own collection, so that whoever reads what hangs on an order has it as well, and its id
follows from the order's. Its code is sealed; who brings a code is found by a keyed hash of it.

    (offered) ──▶ given ──▶ redeemed
        │           └─────▶ withdrawn      a seat comes free, once; a partner's code, which the client knows, does not
        └──▶ released                      seat and code come free, once
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum

from pydantic import Field

from chalicelib.domain.digital import DigitalKind
from chalicelib.domain.shapes import Instant, Shape, Slug, TimeZone, short_name, zone_info

SCHEMA = 1
"""The version of the stored shape."""
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base32: no letter that is read as another."""
LETTERS = 26
"""Of a code made here: 130 bits."""


class PassState(StrEnum):
    """How far it is."""

    OFFERED = "offered"
    GIVEN = "given"
    REDEEMED = "redeemed"
    RELEASED = "released"
    WITHDRAWN = "withdrawn"


HELD = frozenset({PassState.OFFERED, PassState.GIVEN, PassState.REDEEMED})
"""States in which it takes one of what there is."""


class Pass(Shape):
    """As kept; `sealed` holds its code."""

    schema_version: int = SCHEMA
    order_id: str
    brand_id: str
    gift: Slug
    kind: DigitalKind
    partner: Slug
    client_id: str | None = None
    state: PassState
    at: Instant = Field(description="Since when it is in that state.")
    offered_until: Instant | None = None
    time_zone: TimeZone = Field(description="The recipient's.")
    days: int | None = None
    redeem_by: Instant
    code_name: str = Field(default="", description="Of its code, unreadable. Empty: it has none yet.")
    is_listed: bool = Field(default=False, description="The code is from the partner's list.")
    redeemed_at: Instant | None = None
    redeemed_under: str = Field(default="", description="Which request redeemed it, unreadable.")
    valid_until: Instant | None = None
    version: int = 1
    sealed: bytes = Field(default=b"", exclude=True, repr=False)

    @property
    def pass_id(self) -> str:
        return pass_id_of(self.order_id)


def pass_id_of(order_id: str) -> str:
    """The name of an order's pass."""
    return f"pass_{order_id.removeprefix('ord_')}"


def order_id_of_pass(pass_id: str) -> str:
    """Whose pass that is."""
    return f"ord_{pass_id.removeprefix('pass_')}"


def end_of(days: int, time_zone: str, first_use: datetime) -> datetime:
    """When a pass of so many days, first used then, is over. Half-open.

    They are days of the recipient's calendar, and the day of first use is the first of them: seven days from a Monday
    evening end with the Sunday, and none is an hour longer or shorter for a change of clocks.
    """
    zone = zone_info(time_zone)
    last = first_use.astimezone(zone).date() + timedelta(days=days)
    return datetime.combine(last, time(), zone).astimezone(UTC)


# --- codes ----------------------------------------------------------------------------------------------------


def minted(token: str) -> str:
    """A code of ours, made of an unguessable name: 26 letters in groups, to be read out and typed."""
    number = int.from_bytes(hashlib.sha256(token.encode()).digest(), "big")
    letters = "".join(ALPHABET[number >> 5 * place & 31] for place in range(LETTERS))
    return "-".join((letters[:5], letters[5:10], letters[10:15], letters[15:20], letters[20:]))


_BETWEEN = re.compile(r"[\s\-\u2010-\u2015]+")


def plain(code: str) -> str:
    """A code as it is compared: however it was grouped, and whether in small letters or large."""
    return _BETWEEN.sub("", code).upper()


def code_name(salt: bytes, partner: str, code: str) -> str:
    """The name under which a code is found: without the salt nobody finds a code by it, nor tries any out."""
    said = f"{partner}\x00{plain(code)}"
    return hmac.new(salt, said.encode(), hashlib.sha256).hexdigest()[:40]


def request_name(salt: bytes, idempotency_key: str) -> str:
    """By which a repeated request is known again."""
    digest = hmac.new(salt, f"request\x00{idempotency_key}".encode(), hashlib.sha256).digest()
    return short_name(digest)
