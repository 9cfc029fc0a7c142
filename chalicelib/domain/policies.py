"""Policies: what is allowed under one regime, as data; and the words that they are written in."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Literal

from pydantic import Field

from chalicelib.domain.curfews import Curfew
from chalicelib.domain.gifts import ItemClass
from chalicelib.domain.handover import FETCHED as FETCHED  # whoever reads a policy finds its words here
from chalicelib.domain.handover import NEAREST_FIRST as NEAREST_FIRST
from chalicelib.domain.handover import TO_THE_CLIENT as TO_THE_CLIENT
from chalicelib.domain.handover import Handover as Handover
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


class LastLeg(StrEnum):
    """Who brings the gift from the hand-over to the flat. For people to read; nothing is decided by it."""

    RECIPIENT = "recipient"
    VOLUNTEER = "volunteer"
    PROPERTY_STAFF = "property_staff"


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
    sequence: Literal["2+2"] | None = Field(
        default=None,
        description="2+2: on one local day two antigen tests, on the next a PCR and an antigen test, and again.",
    )

    def model_post_init(self, _context: object) -> None:
        if self.sequence is not None and self.kind is not CredentialKind.ANTIGEN:
            raise ValueError(f"a sequence {self.sequence!r} is of kind 'antigen', got {self.kind.value!r}")


class Quota(Shape):
    """So many deliveries a local day, for each zone, household or courier by itself."""

    per: Literal["zone", "household", "courier"]
    limit: int = Field(strict=True, ge=0, le=1_000_000)
    period: Literal["local_day"] = "local_day"


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
    unknown: bool = Field(
        default=False,
        description="Nobody knows what holds there: gifts are held, whatever other policies allow.",
    )
    items: frozenset[ItemClass] | None = Field(default=None, description="Absent: says nothing about items.")
    items_denied: frozenset[ItemClass] = frozenset()
    hand_out_denied: frozenset[ItemClass] = Field(
        default=frozenset(),
        description="Classes that shops here may not give out; what comes from elsewhere may still be delivered.",
    )
    essential_only: bool = False
    curfews: tuple[Curfew, ...] = Field(default=(), max_length=50)
    requirements: tuple[Requirement, ...] = Field(default=(), max_length=20)
    permit_needed: bool = Field(
        default=False, description="The vehicle needs a permit that covers this place."
    )
    gate: GateProtocol = GateProtocol()
    auto_release: bool = Field(
        default=False, description="An announced end (expected_end) ends a zone: a statute with dates."
    )
    companies: frozenset[Slug] = Field(
        default=frozenset(), max_length=20, description="Official lists: the courier stands on every one."
    )
    persons: frozenset[Slug] = Field(
        default=frozenset(), max_length=20, description="Official lists: the crew stands on every one."
    )
    quotas: tuple[Quota, ...] = Field(default=(), max_length=10)
    last_leg: frozenset[LastLeg] = Field(
        default=frozenset(), description="Who brings it to the flat: for people to read. Empty: says nothing."
    )
    source: str = Field(default="", max_length=500, description="The bulletin it was read from.")

    @property
    def reference(self) -> str:
        return f"{self.policy_id}@{self.version}"
