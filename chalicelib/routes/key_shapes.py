"""What the routes of keys say and are told. Imported by the views that need it."""

from __future__ import annotations

from pydantic import Field, model_validator

from chalicelib.domain.keys import Markets, Role
from chalicelib.domain.shapes import Shape, Slug


class NewKey(Shape):
    """Whom a key is for. A brand's key has the brand as its owner."""

    role: Role
    owner: Slug
    markets: Markets | None = Field(
        default=None, description="All that a source may see and change; absent: every market."
    )
    associate_id: Slug | None = Field(
        default=None, description="Of an associate: which of those that the brand, its owner, has named."
    )

    @model_validator(mode="after")
    def _of_its_role(self) -> NewKey:
        if self.markets is not None and self.role is not Role.SOURCE:
            raise ValueError("markets go with the role source; others have none of their own")
        if (self.associate_id is not None) != (self.role is Role.ASSOCIATE):
            raise ValueError("an associate_id goes with the role associate, and with no other")
        return self


class CreatedKey(Shape):
    """The secret is shown this once."""

    secret: str
    key_hash: str
    role: Role
    owner: str
    markets: tuple[str, ...] | None = None
    associate_id: str | None = None


class DisabledKey(Shape):
    """A key that opens nothing any more."""

    key_hash: str
    role: Role
    owner: str
    disabled: bool
