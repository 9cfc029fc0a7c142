"""Who is calling, and what that key may do. The authorizer answers once per key; each view checks the role."""

from __future__ import annotations

from typing import Any

from chalicelib.domain.errors import Forbidden
from chalicelib.domain.keys import Caller, Role


def caller(request: Any, *roles: Role) -> Caller:
    """The caller, if its role is one of these. Raises `Forbidden` that names both."""
    context = request.context.get("authorizer") or {}
    role = context.get("role")
    if role not in set(Role):
        raise Forbidden("this needs a key")
    found = Caller(role=Role(role), owner=str(context.get("owner", "")))
    if found.role not in roles:
        wanted = " or ".join(sorted(roles))
        raise Forbidden(f"this needs a key with the role {wanted}, yours has the role {found.role.value}")
    return found
