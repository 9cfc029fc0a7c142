"""Cursors: where the next page starts, signed, so that nobody pages through what is not theirs.

A cursor is bound to its scope (which list, whose): carried to another list it does not open.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from chalicelib.domain.errors import Malformed
from chalicelib.domain.ports import World
from chalicelib.domain.shapes import Shape

if TYPE_CHECKING:
    from itsdangerous import URLSafeSerializer

LENGTH = 2000
"""Characters a cursor has at most."""


class PageOf(Shape):
    """How long a page is."""

    limit: int = Field(default=20, ge=1, le=100)


def after(world: World, scope: str, request: Any) -> str | None:
    """Where the page that was asked for starts; None: at the beginning. Raises `Malformed` as `read` does."""
    query: Mapping[str, str] = request.query_params or {}
    return read(world, scope, query["cursor"]) if "cursor" in query else None


def following(world: World, scope: str, more: str | int | None) -> str | None:
    """The cursor for what is left; None where nothing is."""
    return None if more is None else sign(world, scope, str(more))


def sign(world: World, scope: str, after: str) -> str:
    """The cursor for a page of that scope that starts after `after`."""
    *_, key = world.secrets.signing_keys()
    return str(_serializer(key, scope).dumps(after))


def read(world: World, scope: str, cursor: str) -> str:
    """Where that cursor points. Raises `Malformed` for one of another scope, a forged one, and junk.

    One spelling counts, the one we gave out: base64 can be read from several.
    """
    from itsdangerous import BadData

    for key in world.secrets.signing_keys() if len(cursor) <= LENGTH else ():
        serializer = _serializer(key, scope)
        try:
            after = serializer.loads(cursor)
        except (BadData, UnicodeError):
            continue
        if isinstance(after, str) and serializer.dumps(after) == cursor:
            return after
    raise Malformed("the cursor is not one that this list gave out; start again without it")


def _serializer(key: str, scope: str) -> URLSafeSerializer:
    from itsdangerous import URLSafeSerializer

    return URLSafeSerializer(
        key,
        salt=f"cursor|{scope}",
        signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"},
    )
