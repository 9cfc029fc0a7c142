"""Who is calling, what that key may do, and what its holder is told of an order.

The authorizer answers once per key; each view checks the role. A source's key may be for some markets only. Any other,
whether it exists or not, is not found. A brand may say who of its staff is acting, in the header X-Acting-Staff: it
answers for that, we write it down.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from chalice.app import Response

from chalicelib import edge, wiring
from chalicelib.domain.errors import Forbidden, Malformed, Missing, TooLarge
from chalicelib.domain.keys import Caller, Role

if TYPE_CHECKING:
    from chalicelib.domain.dialect import Callback
    from chalicelib.domain.order_views import OrderView
    from chalicelib.domain.orders import Order

STAFF = "x-acting-staff"


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
        associate_id=context.get("associate"),
        staff=_staff(request) if role == Role.BRAND else None,
    )
    if found.role not in roles:
        wanted = " or ".join(sorted(roles))
        raise Forbidden(f"this needs a key with the role {wanted}, yours has the role {found.role.value}")
    market_id = (request.uri_params or {}).get("market_id")
    if market_id is not None and not found.speaks_of(market_id):
        raise Missing(f"no market {market_id!r}")
    return found


def check_own(who: Caller, order_id: str) -> None:
    """An associate sees and changes what is for his own clients. Raises `Missing`."""
    if who.role is Role.ASSOCIATE:
        from chalicelib.flows import act_for  # here and below: importing the app stays small

        act_for.order_for(wiring.world(), who, order_id)


def brand_of(who: Caller) -> str | None:
    """Whose orders those are; None: the control room's, which are everybody's."""
    return None if who.role is Role.OPERATOR else who.owner


def seen(who: Caller, order: Order) -> OrderView:
    """The order as this caller may read it."""
    from chalicelib.domain.order_views import view
    from chalicelib.routes import disclosure

    whole = view(order)
    return whole if who.role is Role.OPERATOR else disclosure.order(whole)


def told(who: Caller, order: Order, status: int = 200) -> Response:
    """The order as this caller may read it, and its version."""
    return edge.answer(seen(who, order), status, {"ETag": f'"v{order.version}"'})


def placed(first: OrderView, *, repeated: bool) -> Response:
    """The answer to whoever placed an order, the same at each repeat."""
    from chalicelib.routes import disclosure

    headers: Mapping[str, str] = {"ETag": '"v1"', "Location": f"/v1/orders/{first.order_id}"}
    if repeated:
        headers = {**headers, "Idempotent-Replayed": "true"}
    return edge.answer(disclosure.order(first), 202, headers)


def callback_of(request: Any, limit: int) -> Callback:
    """What somebody else's system sent, untouched. Raises `TooLarge` above so many bytes."""
    from chalicelib.domain.dialect import Callback

    body: bytes = request.raw_body or b""
    if len(body) > limit:
        raise TooLarge(f"at most {limit} bytes are taken here, this has {len(body)}")
    return Callback(
        method=request.method,
        query=dict(request.query_params or {}),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=body,
    )


def staff_of(who: Caller) -> str:
    """Who does what only a named person may. Raises `Malformed` where the brand has not said."""
    if who.staff is None:
        raise Malformed("the header X-Acting-Staff is missing; it names who of your staff does this")
    return who.staff


def _staff(request: Any) -> str | None:
    name = edge.decisive(request, STAFF)
    if name is not None and not edge.is_name(name):
        raise Malformed("X-Acting-Staff: 1 to 64 letters, digits, dots, dashes and underscores were expected")
    return name
