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
