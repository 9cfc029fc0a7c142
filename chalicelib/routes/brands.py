"""What a brand's engineers call: orders in, orders out, their evidence, and a dry run of clearance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalice.app import Blueprint, Response

from chalicelib import edge, wiring
from chalicelib.domain.errors import Fault, Forbidden, Invalid
from chalicelib.domain.keys import Caller, Role
from chalicelib.routes import cursors
from chalicelib.routes.calling import brand_of, caller, check_own, placed, seen, told

if TYPE_CHECKING:
    from chalicelib.domain.evidence import Evidence
    from chalicelib.domain.orders import Order
    from chalicelib.domain.wishes import OrderWish

KINDS = ("application/json", "text/html", "text/plain")
"""How evidence is told: to programs, or to people on a page; Accept says which."""
VARY = {"Vary": "Accept"}


def blueprint(authorizer: Any) -> Blueprint:
    """The routes, behind that authorizer. Shapes and flows are imported inside the views: importing the app stays
    small."""
    bp = Blueprint("brands")

    @bp.route("/v1/orders", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def place_order() -> Response:
        request = bp.current_request
        who = caller(request, Role.BRAND, Role.ASSOCIATE)
        from chalicelib.domain.order_views import first_view
        from chalicelib.domain.wishes import OrderWish

        key = edge.idempotency_key(request)
        order, repeated = placed_for(who, key, edge.body_of(request, OrderWish))
        return placed(first_view(order), repeated=repeated)

    @bp.route("/v1/orders", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def list_orders() -> Response:
        from chalicelib.flows import look
        from chalicelib.routes.order_shapes import OrderList, Which

        request = bp.current_request
        who = caller(request, Role.BRAND, Role.OPERATOR)
        which = edge.query_of(request, Which)
        brand = who.owner if who.role is Role.BRAND else which.brand
        if brand is None:
            raise Invalid("/brand: an operator names the brand", [Fault("/brand", "a brand was expected")])
        world, scope = wiring.world(), f"orders|{brand}"
        after = cursors.after(world, scope, request)
        orders, more = look.orders_of(world, brand, which.limit, after)
        page = OrderList(
            data=tuple(seen(who, order) for order in orders),
            has_more=more is not None,
            next_cursor=cursors.following(world, scope, more),
        )
        return edge.answer(page)

    @bp.route("/v1/orders/{order_id}", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def get_order(order_id: str) -> Response:
        return told(*_readable(bp.current_request, order_id, Role.ASSOCIATE))

    @bp.route("/v1/orders/{order_id}/cancel", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def cancel_order(order_id: str) -> Response:
        request = bp.current_request
        who = caller(request, Role.BRAND, Role.ASSOCIATE)
        version = edge.if_match(request)
        from chalicelib.flows import cancel as cancelling

        check_own(who, order_id)
        order = cancelling.cancel(wiring.world(), who.owner, order_id, version, by=who.actor)
        return told(who, order, 202)

    @bp.route("/v1/orders/{order_id}/attempts", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def send_order_again(order_id: str) -> Response:
        from chalicelib.flows.send_again import send_again
        from chalicelib.routes.order_shapes import AnotherAttempt

        request = bp.current_request
        who = caller(request, Role.BRAND, Role.OPERATOR)
        version = edge.if_match(request)
        wish = edge.body_of(request, AnotherAttempt)
        order = send_again(wiring.world(), brand_of(who), order_id, wish.window, version)
        return told(who, order, 202)

    @bp.route("/v1/orders/{order_id}/relay", methods=["PUT"], authorizer=authorizer)
    @edge.spoken
    def relay_order(order_id: str) -> Response:
        from chalicelib.domain.places import HandOverPoint
        from chalicelib.flows.relay import relay

        request = bp.current_request
        who = caller(request, Role.OPERATOR)
        version = edge.if_match(request)
        point = edge.body_of(request, HandOverPoint)
        return told(who, relay(wiring.world(), order_id, point, version), 202)

    @bp.route("/v1/orders/{order_id}/returns", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def record_return(order_id: str) -> Response:
        from chalicelib.flows.send_again import seen_back

        who = caller(bp.current_request, Role.OPERATOR)
        return told(who, seen_back(wiring.world(), order_id))

    @bp.route("/v1/orders/{order_id}/evidence", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def get_evidence(order_id: str) -> Response:
        from chalicelib.flows import look
        from chalicelib.routes import disclosure
        from chalicelib.routes.order_shapes import BrandEvidenceList, EvidenceList

        request = bp.current_request
        who, order = _readable(request, order_id)
        pieces = look.evidence_of(wiring.world(), order.order_id)
        kind = edge.preferred(request, KINDS)
        if kind != KINDS[0]:
            return evidence_page(kind, order, pieces, whole=who.role is Role.OPERATOR)
        if who.role is Role.BRAND:
            data = tuple(disclosure.evidence(piece) for piece in pieces)
            return edge.answer(BrandEvidenceList(order_id=order.order_id, data=data), headers=VARY)
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
        from chalicelib.routes.order_shapes import Codes

        brand = caller(bp.current_request, Role.BRAND)
        return edge.answer(Codes(order_id=order_id, codes=codes_of(wiring.world(), brand.owner, order_id)))

    @bp.route("/v1/orders/{order_id}/receipts", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def record_receipt(order_id: str) -> Response:
        from chalicelib.flows import cancel as cancelling

        who = caller(bp.current_request, Role.OPERATOR)
        return told(who, cancelling.receipt(wiring.world(), order_id))

    @bp.route("/v1/clearances", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def ask_clearance() -> Response:
        from chalicelib.flows import look
        from chalicelib.routes import disclosure

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
        from chalicelib.flows.place import place

        return place(world, who.owner, key, described)
    if described is not None:
        raise Forbidden("an associate orders for a client who is enrolled, and for nobody else")
    from chalicelib.flows import act_for, give

    associate = act_for.active(world, who) if who.role is Role.ASSOCIATE else None
    return give.give(world, who.owner, key, wish, who.actor, associate=associate)


def _readable(request: Any, order_id: str, *more: Role) -> tuple[Caller, Order]:
    from chalicelib.flows import look

    who = caller(request, Role.BRAND, Role.OPERATOR, *more)
    check_own(who, order_id)
    return who, look.order_for(wiring.world(), brand_of(who), order_id)


def evidence_page(kind: str, order: Order, pieces: list[Evidence], *, whole: bool) -> Response:
    """The evidence as a page for people; `whole`: for operators."""
    from chalicelib.domain.order_views import view
    from chalicelib.flows.recall import recalled
    from chalicelib.flows.reveal import looks_of
    from chalicelib.flows.substitute import proposals_of
    from chalicelib.pages import evidence, html, text
    from chalicelib.routes import disclosure

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
