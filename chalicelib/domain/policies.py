"""Policies: what is allowed under one regime, as data; and the words that they are written in."""

from __future__ import annotations

from enum import IntEnum, StrEnum

from pydantic import Field

from chalicelib.domain.curfews import Curfew
from chalicelib.domain.gifts import ItemClass
from chalicelib.domain.shapes import Shape, Slug, Text


class Level(IntEnum):
    """For display, and for whether people may come out: a crew of its home, a shop's people to hand a gift out.

    What may be done for a resident is read from the policy, never from this.
    """

    OPEN = 0
    CURFEW_ONLY = 1
    PRECAUTIONARY = 2
    CONTROLLED = 3
    SEALED = 4
    SEALED_BUILDING = 5
    NO_ACCESS = 6


class Handover(StrEnum):
    """How the gift may change hands, nearest to the client first."""

    DOOR = "door"
    LOBBY = "lobby"
    GATE = "gate"
    SHELF = "shelf"
    COLLECTION_POINT = "collection_point"


NEAREST_FIRST = (Handover.DOOR, Handover.LOBBY, Handover.GATE, Handover.SHELF, Handover.COLLECTION_POINT)


TO_THE_CLIENT = frozenset({Handover.DOOR, Handover.LOBBY})
"""Hand-overs in which the client receives; the others end at the compound: `at_gate` is not `delivered`."""


class CredentialKind(StrEnum):
    """What a crew member can show."""

    PCR = "pcr"
    ANTIGEN = "antigen"
    HEALTH_CODE = "health_code"
    CLOSED_LOOP = "closed_loop"


class AgeFrom(StrEnum):
    """Which moment a test's age is counted from."""

    SAMPLED = "sampled"
    REPORTED = "reported"


class Requirement(Shape):
    """A credential the crew must hold for the whole stay."""

    kind: CredentialKind
    max_age_hours: float = Field(gt=0, le=24 * 365)
    age_from: AgeFrom = AgeFrom.SAMPLED


class GateProtocol(Shape):
    """What happens at the gate."""

    rest_minutes: int = Field(default=0, ge=0, le=1440, description="The parcel rests after disinfection.")
    antigen_at_gate: bool = Field(
        default=False, description="The crew is tested here first: twenty minutes more before it hands over."
    )


class Policy(Shape):
    """What is allowed under one regime. Data, versioned; absent means *not regulated here*."""

    policy_id: Slug
    version: int = Field(ge=1, le=999_999_999)
    title: Text
    handovers: frozenset[Handover] | None = Field(
        default=None, description="Absent: says nothing. Empty: nothing can be handed over."
    )
    items: frozenset[ItemClass] | None = Field(default=None, description="Absent: says nothing about items.")
    items_denied: frozenset[ItemClass] = frozenset()
    essential_only: bool = False
    curfews: tuple[Curfew, ...] = Field(default=(), max_length=50)
    requirements: tuple[Requirement, ...] = Field(default=(), max_length=20)
    permit_needed: bool = Field(
        default=False, description="The vehicle needs a permit that covers this place."
    )
    gate: GateProtocol = GateProtocol()
    source: str = Field(default="", max_length=500, description="The bulletin it was read from.")

    @property
    def reference(self) -> str:
        return f"{self.policy_id}@{self.version}"
