"""Who is calling, and what that key may do. The authorizer answers once per key; each view checks the role.

A source's key may be for some markets only. Any other, whether it exists or not, is not found.
"""

from __future__ import annotations

from typing import Any

from chalicelib.domain.errors import Forbidden, Missing
from chalicelib.domain.keys import Caller, Role


def caller(request: Any, *roles: Role) -> Caller:
    """The caller, if its role is one of these. Raises `Forbidden` that names both, and `Missing` for a market in the
    path that is not the caller's business."""
    context = request.context.get("authorizer") or {}
    role = context.get("role")
    if role not in set(Role):
        raise Forbidden("this needs a key")
    told = context.get("markets")
    found = Caller(
        role=Role(role),
        owner=str(context.get("owner", "")),
        markets=None if told is None else tuple(str(told).split()),
    )
    if found.role not in roles:
        wanted = " or ".join(sorted(roles))
        raise Forbidden(f"this needs a key with the role {wanted}, yours has the role {found.role.value}")
    market_id = (request.uri_params or {}).get("market_id")
    if market_id is not None and not found.speaks_of(market_id):
        raise Missing(f"no market {market_id!r}")
    return found
