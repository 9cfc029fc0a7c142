"""What is said to a proposal, and what is read of them. Imported where it is asked for: few requests need it."""

from __future__ import annotations

from pydantic import Field

from chalicelib.domain.shapes import Shape, Slug
from chalicelib.domain.substitutes import Proposal, Say, SayName


class Answer(Shape):
    """An answer to a proposal."""

    consent: SayName = Field(
        default=Say.BRAND,
        description="Who has agreed, or not: the brand itself, or its client, whom it has asked.",
        json_schema_extra={"default": "brand"},
    )
    evidence: Slug | None = Field(default=None, description="What proves the client's answer; not personal.")


class ProposalList(Shape):
    """What was proposed in the place of one gift, the first first."""

    order_id: str
    data: tuple[Proposal, ...]
