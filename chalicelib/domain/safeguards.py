"""What a brand demands for a gift of great value: a ring sold over messages and brought to the door.

It is handed over in person, in a vehicle of its own, under a seal, for a code that only the client has and after a
look at who the client is. Its address is asked for when it is needed, and not before (`looks`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from pydantic import Field

from chalicelib.domain.handover import Handover
from chalicelib.domain.shapes import Shape, Slug

IN_PERSON: Final = frozenset({Handover.DOOR})
FACE_TO_FACE: Final = frozenset({Handover.DOOR, Handover.LOBBY, Handover.GATE})
"""Where a client can stand before a courier and say a code. On a shelf and at a collection point something is left."""


class Contactless(StrEnum):
    """What becomes of it where the rules let nobody come to the door: a signature there, and no contact, exclude each
    other."""

    HOLD = "hold"
    """It waits for other rules."""
    CODE_SEAL_PHOTO = "code_seal_photo"
    """It is handed to the client at the gate or in the lobby, for the code, under its seal, and with a photo in the
    place of the look at who it is; the insurer has agreed."""
    SWAP = "swap"
    """Something else is proposed in its place, as the brand's substitutes say (`substitutes`)."""


class Safeguard(Shape):
    """The demands of one order. Only for a gift with an item of class high_value."""

    contactless: Contactless = Contactless.HOLD
    insurer_consent: Slug | None = Field(
        default=None, description="The insurer's paper that agrees to code_seal_photo, by name; not personal."
    )
    hours_before: int = Field(
        default=4,
        strict=True,
        ge=1,
        le=48,
        description="No courier is told of it, and nobody reads the address, earlier than so long before its window.",
    )

    def model_post_init(self, _context: object) -> None:
        if (self.contactless is Contactless.CODE_SEAL_PHOTO) is not (self.insurer_consent is not None):
            raise ValueError("insurer_consent goes with code_seal_photo, and code_seal_photo with it")

    @property
    def handovers(self) -> frozenset[Handover]:
        """Where it may change hands at all."""
        return IN_PERSON if self.insurer_consent is None else FACE_TO_FACE

    @property
    def ahead(self) -> timedelta:
        """How long before its window anybody may know more of it than that it is there."""
        return timedelta(hours=self.hours_before)

    def is_needed(self, begins: datetime, now: datetime) -> bool:
        """True from when the address of a gift with a window that begins then may be looked at."""
        return now >= begins - self.ahead
