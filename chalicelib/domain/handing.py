"""The hand-over of a gift of great value, as it is proven: a seal, a code that only the client has, and who it was.

*Delivered* takes all of it. A courier that says so without is heard, and the gift stays in its custody until the rest
is there: *awaiting proof*. Nothing is taken back once it is proven, and what did not fit stays on record beside it.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from pydantic import Field

from chalicelib.domain.handover import Handover
from chalicelib.domain.shapes import Instant, Shape, Slug

TRIES: Final = 5
"""At one code; then the brand has another one made."""
HEARD: Final = 40
"""Events of a courier that said something wrong, as many as are remembered: each counts once."""
MISFITS: Final = 10
"""Seals that did not fit, as many as are kept."""
NAG: Final = timedelta(minutes=30)
"""After a courier said that it was handed over, and twice as long after each time that was asked, ..."""
LONGEST_NAG: Final = timedelta(hours=24)
"""... up to this."""
AFTERWARDS: Final = timedelta(hours=2)
"""So long a code is good that was made anew when its window was over, or nearly."""


class Part(StrEnum):
    """What a hand-over is proven by."""

    SEAL = "seal"
    """The number that was read at the pick-up is read again."""
    CODE = "code"
    IDENTITY = "identity"
    PHOTO = "photo"
    """In the place of the identity, where the insurer has agreed and the client was not met at the door."""


class Misfit(Shape):
    """A seal that was read at the hand-over and is not the one of the pick-up."""

    number: Slug
    at: Instant


class Handing(Shape):
    """What is known of it, on one leg."""

    seal: Slug | None = Field(default=None, description="Its number, read when the gift was fetched.")
    sealed_at: Instant | None = None
    seal_read_at: Instant | None = Field(default=None, description="The same number, at the hand-over.")
    misfits: tuple[Misfit, ...] = Field(default=(), max_length=MISFITS)
    tries: int = Field(default=0, description="Wrong codes since the last one was made.")
    heard: tuple[str, ...] = Field(
        default=(),
        max_length=HEARD,
        description="Of its courier's events, those whose seal or code did not fit.",
    )
    codes: int = Field(
        default=1,
        description="So many were made, over all legs: a new one is owed to the client again.",
    )
    code_at: Instant | None = Field(default=None, description="The client's code was said.")
    identity_at: Instant | None = Field(default=None, description="Somebody saw who the client is.")
    identity: Slug | None = Field(
        default=None, description="Whoever checked it, or the courier's own name for that."
    )
    photo_at: Instant | None = None
    photo: Slug | None = Field(default=None, description="The courier's own name for it.")
    good_until: Instant | None = Field(
        default=None, description="Of a code that was made anew; absent: the end of the window."
    )
    nags: int = Field(default=0, description="So often it was asked where the proof is.")
    nagged_at: Instant | None = None

    @property
    def in_the_shop(self) -> Handing:
        """The same before anybody has fetched it: a seal that was put on for a courier who then did not come is off."""
        return self.model_copy(update={"seal": None, "sealed_at": None})

    @property
    def sent_again(self) -> Handing:
        """Of the next leg: nothing is proven, and the client is told a code that no courier has heard yet."""
        return Handing(codes=self.codes + 1)

    @property
    def asks_for_code(self) -> bool:
        """True while the client has to know the code, for nobody has said it yet."""
        return self.code_at is None

    def missing(self, told: Handover | None) -> tuple[Part, ...]:
        """What is not there yet. `told`: how the courier was told to hand it over."""
        who = Part.IDENTITY if told in (Handover.DOOR, None) else Part.PHOTO
        has_seen = self.identity_at is not None or (who is Part.PHOTO and self.photo_at is not None)
        is_there = {
            Part.SEAL: self.seal_read_at is not None,
            Part.CODE: self.code_at is not None,
            who: has_seen,
        }
        return tuple(part for part, there in is_there.items() if not there)

    def nag_at(self, since: datetime) -> datetime:
        """When it is asked next where the proof is, of a hand-over that is said to have been at `since`."""
        times: int = 2 ** min(self.nags, 10)
        return (self.nagged_at or since) + min(LONGEST_NAG, NAG * times)


class HandingView(Shape):
    """How far the hand-over of a gift of great value is proven."""

    missing: tuple[Part, ...]
    awaits_proof: bool = Field(
        description="Its courier says that it was handed over, and something is missing: it counts as being with it."
    )
    tries_left: int
    seal: Slug | None = None
    sealed_at: Instant | None = None
    seal_read_at: Instant | None = None
    misfits: tuple[Misfit, ...] = ()
    code_at: Instant | None = None
    identity_at: Instant | None = None
    photo_at: Instant | None = None
    nags: int = 0


def code_from(chance: str, last: str | None = None) -> str:
    """Six digits from a name that nobody can guess: said at a door, over a visor, in any language. Never the `last`
    one."""
    number = int.from_bytes(hashlib.sha256(chance.encode()).digest()[:8], "big") % 10**6
    code = f"{number:06d}"
    return code if code != last else f"{(number + 1) % 10**6:06d}"


def is_same_code(one: str, other: str) -> bool:
    """Compared in a time that says nothing of where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())
