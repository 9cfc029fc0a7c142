"""Who may speak to us: bearer keys, kept as hashes, each with a role and an owner."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from chalicelib.domain import ports
from chalicelib.domain.shapes import Instant, Shape, Slug


class Role(StrEnum):
    """What a key may do."""

    BRAND = "brand"
    OPERATOR = "operator"
    SOURCE = "source"
    ASSOCIATE = "associate"
    """One of a brand's shop assistants, for clients of his own."""
    PARTNER = "partner"
    """Honours digital gifts, and marks their codes as used: a studio, the host of a club."""


Markets = Annotated[tuple[Slug, ...], Field(min_length=1, max_length=50)]
"""What a source may speak of."""


class Key(Shape):
    """A key as kept: the secret itself is shown once and nowhere stored."""

    key_hash: str
    role: Role
    owner: Slug
    markets: Markets | None = Field(default=None, description="Of a source; absent: every market.")
    associate_id: Slug | None = Field(default=None, description="Of an associate: which of the brand's.")
    created_at: Instant
    disabled: bool = False
    version: int = 1


class Caller(Shape):
    """Who is calling, as the authorizer found out."""

    role: Role
    owner: str
    markets: tuple[str, ...] | None = None
    associate_id: str | None = None
    staff: str | None = None
    """Who of the brand's staff is acting, as the brand says."""

    @property
    def actor(self) -> str:
        """As an act names whoever did it (`acts.Actor`)."""
        if self.associate_id is not None:
            return f"associate:{self.associate_id}"
        return self.role.value if self.staff is None else f"staff:{self.staff}"

    def speaks_of(self, market_id: str) -> bool:
        """True when that market is this caller's business."""
        return self.markets is None or market_id in self.markets


def hash_of(secret: str) -> str:
    """SHA-256; the secrets have 256 bits of chance in them, so a slow hash would protect nothing more."""
    return hashlib.sha256(secret.encode()).hexdigest()


def key_place(key_hash: str) -> ports.Key:
    """Where the key with that hash is kept."""
    return ports.Key(f"key#{key_hash}", "key")


def key_row(key: Key) -> ports.Row:
    return ports.Row(key_place(key.key_hash), key.version, key.model_dump_json(exclude_defaults=True))
