"""What a brand asks for, before it is known whom it is for: a gift or a visit, to a recipient whom it describes or to a
client whom it has enrolled.
"""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from chalicelib.domain.appointments import NewPiece, parcel, planned
from chalicelib.domain.errors import Fault
from chalicelib.domain.orders import Fallback, NewOrder, PickUp, Recipient, Tier, TierName
from chalicelib.domain.shapes import Shape, Slug, Window


def _one_of_both(schema: dict[str, Any]) -> None:
    """The description says what `OrderWish` asks for: a recipient, or a client that is known."""
    schema["oneOf"] = [{"required": ["recipient"]}, {"required": ["client"]}]


class OrderWish(NewOrder):
    """A gift order as a brand hands it in: to a recipient whom it describes, or to a client whom it has enrolled."""

    model_config = ConfigDict(json_schema_extra=_one_of_both)

    recipient: Recipient | None = Field(  # type: ignore[assignment]  # what is placed has one in the end
        default=None, description="To whom. Or `client`, and not both."
    )
    client: Slug | None = Field(
        default=None,
        description="The brand's own name for a client who is enrolled, in the place of `recipient`.",
    )
    place: Slug | None = Field(
        default=None, description="Which of the client's places; absent: the first. Goes with `client`."
    )
    occasion: Slug | None = Field(
        default=None, description="What caps may count by. Goes with `client`.", examples=["birthday"]
    )
    tier: TierName | None = Field(  # type: ignore[assignment]
        default=None,
        description="Absent: of a client the tier that the standing says, of a recipient standard. A client's standing "
        "may be gone below, and not above: grant the tier first.",
    )

    @property
    def described(self) -> NewOrder | None:
        """The order to a recipient whom the brand has described; None: it is for a client."""
        if self.recipient is None:
            return None
        told = {name: getattr(self, name) for name in NewOrder.model_fields}
        return NewOrder.model_construct(**{**told, "tier": self.tier or Tier.STANDARD})

    @property
    def faults(self) -> list[Fault]:
        """What keeps it from being one or the other."""
        if self.recipient is not None and self.client is not None:
            detail = "a recipient or a client was expected, not both"
            return [Fault("/recipient", detail), Fault("/client", detail)]
        if self.recipient is None and self.client is None:
            detail = "a recipient or a client was expected"
            return [Fault("/recipient", detail), Fault("/client", detail)]
        if self.client is not None:
            return []
        stated = [name for name in ("place", "occasion") if getattr(self, name) is not None]
        return [Fault(f"/{name}", "this goes with client") for name in stated]


class NewAppointment(Shape):
    """A visit by appointment as a brand hands it in: a team comes to the client's door, with pieces on loan. To a
    recipient whom it describes, or to a client whom it has enrolled."""

    model_config = ConfigDict(json_schema_extra=_one_of_both)

    market: Slug = Field(examples=["SHA"])
    reference: Slug = Field(description="The brand's own name for it; not personal.", examples=["VISIT-0001"])
    pick_up: PickUp = Field(description="Where the team sets out, and the pieces come back to.")
    recipient: Recipient | None = Field(
        default=None, description="Who is visited. Or `client`, and not both."
    )
    client: Slug | None = Field(
        default=None, description="The brand's own name for a client who is enrolled."
    )
    place: Slug | None = Field(default=None, description="Which of the client's places; absent: the first.")
    occasion: Slug | None = Field(default=None, description="What caps may count by. Goes with `client`.")
    window: Window = Field(description="In which the team arrives.")
    minutes: int = Field(
        strict=True, ge=10, le=480, description="So long it stays, from when it arrives.", examples=[90]
    )
    pieces: tuple[NewPiece, ...] = Field(min_length=1, max_length=40, description="What it takes along.")
    tier: TierName | None = Field(default=None, description="As of an order.")
    fallback: Fallback = Fallback.HOLD

    def model_post_init(self, _context: object) -> None:
        planned(self.minutes, self.pieces)
        parcel(self.pieces)  # refused here, not found out while placing

    def as_order(self) -> OrderWish:
        """The order that it is."""
        told = {
            name: getattr(self, name) for name in type(self).model_fields if name in OrderWish.model_fields
        }
        return OrderWish.model_construct(
            **told, gift=parcel(self.pieces), appointment=planned(self.minutes, self.pieces)
        )
