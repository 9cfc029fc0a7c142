"""What a brand's engineers call: orders in, orders out, their evidence, and a dry run of clearance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from chalice.app import Blueprint, Response
from pydantic import Field

from chalicelib import edge, wiring
from chalicelib.domain.errors import Fault, Forbidden, Invalid
from chalicelib.domain.evidence import Evidence
from chalicelib.domain.keys import Caller, Role
from chalicelib.domain.orders import Order, OrderView, first_view, view
from chalicelib.domain.places import HandOverPoint
from chalicelib.domain.shapes import Shape, Slug, Window
from chalicelib.flows import look
from chalicelib.flows.place import place
from chalicelib.routes import cursors, disclosure
from chalicelib.routes.calling import caller

if TYPE_CHECKING:
    from chalicelib.domain.wishes import OrderWish

KINDS = ("application/json", "text/html", "text/plain")
"""How evidence is told: to programs, or to people on a page; Accept says which."""
VARY = {"Vary": "Accept"}


class OrderList(Shape):
    """A page of orders, the last placed first."""

    data: tuple[disclosure.BrandOrder, ...] | tuple[OrderView, ...]
    has_more: bool
    next_cursor: str | None = None


class BrandEvidenceList(Shape):
    """Every decision about one order as its brand reads it, the first first."""

    order_id: str
    data: tuple[disclosure.BrandEvidence, ...]


class EvidenceList(Shape):
    """Every decision about one order and all it rests on, for operators; the first first."""

    order_id: str
    data: tuple[Evidence, ...]


class Codes(Shape):
    """What the courier asks for, by name; empty when nobody holds the gift or this courier asks for none."""

    order_id: str
    codes: dict[str, str]


class AnotherAttempt(Shape):
    """When a gift that came back, or that nobody could take, is to be sent out again."""

    window: Window


class Which(Shape):
    """Whose orders, and how long a page is."""

    brand: Slug | None = None
    limit: int = Field(default=20, ge=1, le=100)


def blueprint(authorizer: Any) -> Blueprint:
    """The routes, behind that authorizer."""
    bp = Blueprint("brands")

    @bp.route("/v1/orders", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def place_order() -> Response:
        request = bp.current_request
        who = caller(request, Role.BRAND, Role.ASSOCIATE)
        from chalicelib.domain.wishes import OrderWish  # here: importing the app stays small

        key = edge.idempotency_key(request)
        order, repeated = placed_for(who, key, edge.body_of(request, OrderWish))
        headers = {"ETag": '"v1"', "Location": f"/v1/orders/{order.order_id}"}
        if repeated:
            headers["Idempotent-Replayed"] = "true"
        return edge.answer(disclosure.order(first_view(order)), 202, headers)

    @bp.route("/v1/orders", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def list_orders() -> Response:
        request = bp.current_request
        who = caller(request, Role.BRAND, Role.OPERATOR)
        query: Mapping[str, str] = request.query_params or {}
        which = edge.query_of(request, Which)
        brand = who.owner if who.role is Role.BRAND else which.brand
        if brand is None:
            raise Invalid("/brand: an operator names the brand", [Fault("/brand", "a brand was expected")])
        world, scope = wiring.world(), f"orders|{brand}"
        after = cursors.read(world, scope, query["cursor"]) if "cursor" in query else None
        orders, more = look.orders_of(world, brand, which.limit, after)
        page = OrderList(
            data=tuple(_seen(who, order) for order in orders),
            has_more=more is not None,
            next_cursor=None if more is None else cursors.sign(world, scope, more),
        )
        return edge.answer(page)

    @bp.route("/v1/orders/{order_id}", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def get_order(order_id: str) -> Response:
        who, order = _readable(bp.current_request, order_id, Role.ASSOCIATE)
        return edge.answer(_seen(who, order), headers={"ETag": f'"v{order.version}"'})

    @bp.route("/v1/orders/{order_id}/cancel", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def cancel_order(order_id: str) -> Response:
        request = bp.current_request
        who = caller(request, Role.BRAND, Role.ASSOCIATE)
        version = edge.if_match(request)
        from chalicelib.flows import cancel as cancelling

        check_own(who, order_id)
        order = cancelling.cancel(wiring.world(), who.owner, order_id, version, by=who.actor)
        return edge.answer(_seen(who, order), 202, {"ETag": f'"v{order.version}"'})

    @bp.route("/v1/orders/{order_id}/attempts", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def send_order_again(order_id: str) -> Response:
        from chalicelib.flows.send_again import send_again

        request = bp.current_request
        who = caller(request, Role.BRAND, Role.OPERATOR)
        version = edge.if_match(request)
        wish = edge.body_of(request, AnotherAttempt)
        brand_id = who.owner if who.role is Role.BRAND else None
        order = send_again(wiring.world(), brand_id, order_id, wish.window, version)
        return edge.answer(_seen(who, order), 202, {"ETag": f'"v{order.version}"'})

    @bp.route("/v1/orders/{order_id}/relay", methods=["PUT"], authorizer=authorizer)
    @edge.spoken
    def relay_order(order_id: str) -> Response:
        from chalicelib.flows.relay import relay

        request = bp.current_request
        caller(request, Role.OPERATOR)
        version = edge.if_match(request)
        point = edge.body_of(request, HandOverPoint)
        order = relay(wiring.world(), order_id, point, version)
        return edge.answer(view(order), 202, {"ETag": f'"v{order.version}"'})

    @bp.route("/v1/orders/{order_id}/returns", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def record_return(order_id: str) -> Response:
        from chalicelib.flows.send_again import seen_back

        caller(bp.current_request, Role.OPERATOR)
        order = seen_back(wiring.world(), order_id)
        return edge.answer(view(order), headers={"ETag": f'"v{order.version}"'})

    @bp.route("/v1/orders/{order_id}/evidence", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def get_evidence(order_id: str) -> Response:
        request = bp.current_request
        who, order = _readable(request, order_id)
        pieces = look.evidence_of(wiring.world(), order.order_id)
        kind = edge.preferred(request, KINDS)
        if kind != KINDS[0]:
            return evidence_page(kind, order, pieces, whole=who.role is Role.OPERATOR)
        if who.role is Role.BRAND:
            told = tuple(disclosure.evidence(piece) for piece in pieces)
            return edge.answer(BrandEvidenceList(order_id=order.order_id, data=told), headers=VARY)
        return edge.answer(EvidenceList(order_id=order.order_id, data=tuple(pieces)), headers=VARY)

    @bp.route("/v1/orders/{order_id}/evidence/{evidence_id}/replay", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def replay_decision(order_id: str, evidence_id: str) -> Response:
        from chalicelib.flows.replay import replay

        caller(bp.current_request, Role.OPERATOR)
        return edge.answer(replay(wiring.world(), order_id, evidence_id))

    @bp.route("/v1/orders/{order_id}/codes", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def get_codes(order_id: str) -> Response:
        from chalicelib.flows.codes import codes_of

        brand = caller(bp.current_request, Role.BRAND)
        return edge.answer(Codes(order_id=order_id, codes=codes_of(wiring.world(), brand.owner, order_id)))

    @bp.route("/v1/orders/{order_id}/receipts", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def record_receipt(order_id: str) -> Response:
        request = bp.current_request
        caller(request, Role.OPERATOR)
        from chalicelib.flows import cancel as cancelling

        order = cancelling.receipt(wiring.world(), order_id)
        return edge.answer(view(order), headers={"ETag": f'"v{order.version}"'})

    @bp.route("/v1/clearances", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def ask_clearance() -> Response:
        request = bp.current_request
        who = caller(request, Role.BRAND, Role.OPERATOR)
        question = edge.body_of(request, look.ClearanceQuestion)
        answer = look.clearance(wiring.world(), question)
        return edge.answer(disclosure.clearance(answer) if who.role is Role.BRAND else answer)

    return bp


def placed_for(who: Caller, key: str, wish: OrderWish) -> tuple[Order, bool]:
    """What was placed: for a recipient whom the brand describes, or for a client, by whoever acts for that one."""
    faults = wish.faults
    if faults:
        raise Invalid(f"{faults[0].pointer}: {faults[0].detail}", faults)
    world, described = wiring.world(), wish.described
    if described is not None and who.role is Role.BRAND:
        return place(world, who.owner, key, described)
    if described is not None:
        raise Forbidden("an associate orders for a client who is enrolled, and for nobody else")
    from chalicelib.flows import act_for, give  # here: importing the app stays small

    associate = act_for.active(world, who) if who.role is Role.ASSOCIATE else None
    return give.give(world, who.owner, key, wish, who.actor, associate=associate)


def _readable(request: Any, order_id: str, *more: Role) -> tuple[Caller, Order]:
    who = caller(request, Role.BRAND, Role.OPERATOR, *more)
    if who.role is Role.OPERATOR:
        return who, look.any_order(wiring.world(), order_id)
    check_own(who, order_id)
    return who, look.own_order(wiring.world(), who.owner, order_id)


def check_own(who: Caller, order_id: str) -> None:
    """An associate sees and changes what is for his own clients. Raises `Missing`."""
    if who.role is Role.ASSOCIATE:
        from chalicelib.flows import act_for

        act_for.order_for(wiring.world(), who, order_id)


def evidence_page(kind: str, order: Order, pieces: list[Evidence], *, whole: bool) -> Response:
    """The evidence as a page for people; `whole`: for operators."""
    from chalicelib.flows.recall import recalled  # here: importing the app stays small
    from chalicelib.flows.reveal import looks_of
    from chalicelib.flows.substitute import proposals_of
    from chalicelib.pages import evidence, html, text

    world = wiring.world()
    sheet = evidence.sheet(
        view(order) if whole else disclosure.order(view(order)),
        [disclosure.piece(piece, whole=whole) for piece in pieces],
        recalled(world, pieces),
        order.brand_id,
        world.clock(),
        looks_of(world, order.order_id),
        proposals_of(world, order.order_id) if order.substitution.count else (),
    )
    if kind == "text/html":
        return edge.page(html.rendered(sheet), kind, {**VARY, **html.HEADERS})
    return edge.page(text.rendered(sheet), kind, {**VARY, "X-Content-Type-Options": "nosniff"})


def _seen(who: Caller, order: Order) -> OrderView:
    """The order as this caller may read it."""
    seen = view(order)
    return seen if who.role is Role.OPERATOR else disclosure.order(seen)
