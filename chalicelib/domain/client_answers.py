"""What is asked and answered about clients over HTTP, beside the noun itself."""

from __future__ import annotations

from pydantic import Field, model_validator

from chalicelib.domain.clients import ClientLine, Consent, Purpose
from chalicelib.domain.jurisdictions import Jurisdiction
from chalicelib.domain.shapes import Instant, Shape, Slug


class ClientList(Shape):
    """A page of clients, the last enrolled first; nothing in it says who they are."""

    data: tuple[ClientLine, ...]
    has_more: bool
    next_cursor: str | None = None


class ClientsFound(Shape):
    """Whose contact it is: a household may share a number."""

    data: tuple[ClientLine, ...]


class Withdrawal(Shape):
    """The client agrees to it no more."""

    purpose: Purpose
    withdrawn_at: Instant
    evidence: Slug = Field(description="What proves it: the name of a form, a call, a message; not personal.")


class ConsentChange(Shape):
    """A consent that was given, or one that was taken back."""

    granted: Consent | None = None
    withdrawn: Withdrawal | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> ConsentChange:
        if (self.granted is None) == (self.withdrawn is None):
            raise ValueError("either granted or withdrawn was expected")
        return self


class Jurisdictions(Shape):
    """What each country asks. Of one that is not here the strictest is assumed."""

    data: tuple[Jurisdiction, ...]
