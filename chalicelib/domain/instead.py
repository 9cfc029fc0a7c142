"""A gift that needs no courier, given in the place of one that nobody may carry: how far that has come for an order."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from chalicelib.domain.shapes import Instant, Shape, Slug


class WhyDigital(StrEnum):
    """Why a gift that needs no courier came into it."""

    STRANDED = "stranded"
    """Nobody may go in the time asked for."""
    PATIENCE = "patience"
    """It was held for longer than its brand waits."""
    ASKED = "asked"
    """The brand, or the client, would rather have it so."""
    PLACED = "placed"
    """It was placed so: there never was a parcel."""


class DigitalOutcome(StrEnum):
    """How far it has come."""

    OFFERED = "offered"
    """The client is asked; a seat or a code is kept for the answer."""
    WANTED = "wanted"
    """One is kept, and given as soon as the courier has let go of the parcel; if it does not, the parcel goes."""
    GIVEN = "given"
    DECLINED = "declined"
    LAPSED = "lapsed"
    """Nobody answered in time, or the parcel went after all."""
    SOLD_OUT = "sold_out"
    NOT_SET_UP = "not_set_up"
    """The brand's programme names no gift for this, or one that is over."""
    WITHDRAWN = "withdrawn"


UNMET = frozenset({DigitalOutcome.SOLD_OUT, DigitalOutcome.NOT_SET_UP})
"""There was nothing to give: on the next occasion there may be."""


class Digital(Shape):
    """What an order has come to beside the way by courier."""

    gift: Slug | None = Field(default=None, description="The brand's name for it; absent: none is set up.")
    why: WhyDigital
    outcome: DigitalOutcome
    at: Instant = Field(description="Since when that is the outcome.")
    until: Instant | None = Field(default=None, description="Of an offer: an answer counts before then.")

    @property
    def is_given(self) -> bool:
        return self.outcome is DigitalOutcome.GIVEN

    def is_open(self, now: datetime) -> bool:
        """True while the client's answer is waited for."""
        return self.outcome is DigitalOutcome.OFFERED and self.until is not None and now < self.until
