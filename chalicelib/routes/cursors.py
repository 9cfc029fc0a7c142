"""Cursors: where the next page starts, signed, so that nobody pages through what is not theirs.

A cursor is bound to its scope (which list, whose): carried to another list it does not open.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from chalicelib.domain.errors import Malformed
from chalicelib.domain.ports import World

if TYPE_CHECKING:
    from itsdangerous import URLSafeSerializer

LENGTH = 2000
"""Characters a cursor has at most."""


def sign(world: World, scope: str, after: str) -> str:
    """The cursor for a page of that scope that starts after `after`."""
    return str(_serializer(world, scope).dumps(after))


def read(world: World, scope: str, cursor: str) -> str:
    """Where that cursor points. Raises `Malformed` for one of another scope, a forged one, and junk."""
    from itsdangerous import BadData

    try:
        after = _serializer(world, scope).loads(cursor) if len(cursor) <= LENGTH else None
    except (BadData, UnicodeError):
        after = None
    if not isinstance(after, str):
        raise Malformed("the cursor is not one that this list gave out; start again without it")
    return after


def _serializer(world: World, scope: str) -> URLSafeSerializer:
    from itsdangerous import URLSafeSerializer

    return URLSafeSerializer(
        list(world.secrets.signing_keys()),
        salt=f"cursor|{scope}",
        signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"},
    )
