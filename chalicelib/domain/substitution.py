"""What was proposed in the place of a gift, and what it was before: as its order keeps it (`substitutes`)."""

from __future__ import annotations

from pydantic import Field

from chalicelib.domain.gifts import Gift
from chalicelib.domain.places import Place
from chalicelib.domain.safeguards import Safeguard
from chalicelib.domain.shapes import Instant, Shape


class WasView(Shape):
    """What an order was before something else went in its place."""

    gift: Gift
    pick_up: str
    until: Instant
    proposal: int


class Was(Shape):
    """What an order was before something else went in its place."""

    gift: Gift
    pick_up_name: str
    pick_up_place: Place
    safeguard: Safeguard | None = None
    until: Instant
    evidence: int = Field(description="So many pieces had been written by then.")
    proposal: int


class Substitution(Shape):
    """What was proposed in the place of a gift, and what it was before."""

    count: int = Field(default=0, description="Proposals so far.")
    proposed: int | None = Field(default=None, description="The one that waits for an answer.")
    passed: tuple[str, ...] = Field(
        default=(), max_length=100, description="Alternatives that were declined."
    )
    was: tuple[Was, ...] = Field(default=(), max_length=20, description="The first first.")

    @property
    def seen(self) -> tuple[WasView, ...] | None:
        """What it was, as whoever may see the order reads it; None: it is what it was."""
        told = (
            WasView(gift=was.gift, pick_up=was.pick_up_name, until=was.until, proposal=was.proposal)
            for was in self.was
        )
        return tuple(told) or None
