"""Gifts that need no courier: what a brand says of them, orders for them, and what a partner redeems.

Shapes and flows are imported inside the views: whoever places an order waits for none of them at a cold start.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from chalice.app import Blueprint, Response

from chalicelib import edge, wiring
from chalicelib.domain.errors import Forbidden, Missing
from chalicelib.domain.keys import Role
from chalicelib.routes import cursors
from chalicelib.routes.calling import brand_of, caller, placed, told

if TYPE_CHECKING:
    from chalicelib.domain.pass_answers import GiftView
    from chalicelib.domain.passes import Pass

KINDS = ("application/json", "text/calendar")
"""How an invitation is told; Accept says which."""


def blueprint(authorizer: Any) -> Blueprint:
    """The routes, behind that authorizer."""
    bp = Blueprint("digital")

    @bp.route("/v1/digital-gifts/{gift}", methods=["PUT"], authorizer=authorizer)
    @edge.spoken
    def put_digital_gift(gift: str) -> Response:
        from chalicelib.domain.digital import NewDigitalGift
        from chalicelib.flows import stock

        request = bp.current_request
        brand = caller(request, Role.BRAND).owner
        version = edge.if_match_given(request)
        new = edge.body_of(request, NewDigitalGift)
        return _gift(stock.put_gift(wiring.world(), brand, gift, new, version))

    @bp.route("/v1/digital-gifts/{gift}", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def get_digital_gift(gift: str) -> Response:
        from chalicelib.flows import stock

        brand = caller(bp.current_request, Role.BRAND).owner
        return _gift(stock.seen(wiring.world(), brand, gift))

    @bp.route("/v1/digital-gifts", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def list_digital_gifts() -> Response:
        from chalicelib.domain.pass_answers import GiftList
        from chalicelib.flows import stock

        request = bp.current_request
        brand = caller(request, Role.BRAND).owner
        limit = edge.query_of(request, cursors.PageOf).limit
        world, scope = wiring.world(), f"digital-gifts|{brand}"
        after = cursors.after(world, scope, request)
        gifts, more = stock.gifts_of(world, brand, limit, after)
        page = GiftList(
            data=tuple(gifts),
            has_more=more is not None,
            next_cursor=cursors.following(world, scope, more),
        )
        return edge.answer(page)

    @bp.route("/v1/digital-gifts/{gift}/codes/{number}", methods=["PUT"], authorizer=authorizer)
    @edge.spoken
    def put_codes(gift: str, number: str) -> Response:
        from chalicelib.domain.pass_answers import CodesPart
        from chalicelib.flows import stock

        request = bp.current_request
        brand = caller(request, Role.BRAND).owner
        part = edge.body_of(request, CodesPart)
        return edge.answer(stock.add_codes(wiring.world(), brand, gift, _number(number), part))

    @bp.route("/v1/digital-orders", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def place_digital_order() -> Response:
        from chalicelib.domain.pass_answers import NewDigitalOrder
        from chalicelib.flows import act_for, place_digital

        request, world = bp.current_request, wiring.world()
        who = caller(request, Role.BRAND, Role.ASSOCIATE)
        key = edge.idempotency_key(request)
        new = edge.body_of(request, NewDigitalOrder)
        associate = act_for.active(world, who) if who.role is Role.ASSOCIATE else None
        if associate is not None and new.client is None:
            raise Forbidden("an associate orders for a client who is enrolled, and for nobody else")
        order, repeated = place_digital.place_digital(
            world, who.owner, key, new, who.actor, associate=associate
        )
        return placed(place_digital.first_view(order), repeated=repeated)

    @bp.route("/v1/orders/{order_id}/digital", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def change_to_digital(order_id: str) -> Response:
        from chalicelib.domain.pass_answers import DigitalAction
        from chalicelib.flows import answer

        request = bp.current_request
        who = caller(request, Role.BRAND, Role.OPERATOR)
        version = edge.if_match(request)
        wish = edge.body_of(request, DigitalAction)
        return told(who, answer.act(wiring.world(), brand_of(who), order_id, wish, version), 202)

    @bp.route("/v1/redemptions", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def redeem_code() -> Response:
        from chalicelib.domain.pass_answers import Redemption
        from chalicelib.flows.redeem import redeem

        request = bp.current_request
        partner = caller(request, Role.PARTNER).owner
        key = edge.idempotency_key(request)
        shown = edge.body_of(request, Redemption)
        passed, repeated = redeem(wiring.world(), partner, key, shown.code)
        return _pass(passed, {"Idempotent-Replayed": "true"} if repeated else {})

    @bp.route("/v1/passes/{pass_id}", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def get_pass(pass_id: str) -> Response:
        from chalicelib.flows.redeem import pass_of

        who = caller(bp.current_request, Role.BRAND, Role.PARTNER, Role.OPERATOR)
        brand_id = who.owner if who.role is Role.BRAND else None
        partner = who.owner if who.role is Role.PARTNER else None
        return _pass(pass_of(wiring.world(), pass_id, brand_id=brand_id, partner=partner))

    @bp.route("/v1/passes/{pass_id}/code", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def get_pass_code(pass_id: str) -> Response:
        from chalicelib.flows.redeem import code_of, pass_of

        brand = caller(bp.current_request, Role.BRAND).owner
        world = wiring.world()
        return edge.answer(code_of(world, pass_of(world, pass_id, brand_id=brand)))

    @bp.route("/v1/passes/{pass_id}/invitation", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def get_invitation(pass_id: str) -> Response:
        from chalicelib.flows.redeem import invitation_of, pass_of

        request = bp.current_request
        brand = caller(request, Role.BRAND).owner
        world = wiring.world()
        passed = pass_of(world, pass_id, brand_id=brand)
        told = invitation_of(world, passed)
        if edge.preferred(request, KINDS) == KINDS[0] or not told.sessions:
            return edge.answer(told, headers={"Vary": "Accept"})
        from chalicelib.pages.calendar import written
        from chalicelib.pages.invitation import entries_of

        file = written(*entries_of(told, f"urn:cordon:{brand}"))
        return edge.page(file, KINDS[1], {"Vary": "Accept", "X-Content-Type-Options": "nosniff"})

    @bp.route("/v1/passes/{pass_id}/withdraw", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def withdraw_pass(pass_id: str) -> Response:
        from chalicelib.flows.redeem import withdraw

        brand = caller(bp.current_request, Role.BRAND).owner
        return _pass(withdraw(wiring.world(), brand, pass_id))

    return bp


def _gift(seen: GiftView) -> Response:
    return edge.answer(seen, headers={"ETag": f'"v{seen.version}"'})


def _pass(passed: Pass, headers: Mapping[str, str] | None = None) -> Response:
    from chalicelib.domain.pass_answers import seen

    told = seen(passed, wiring.world().clock())
    return edge.answer(told, headers={"ETag": f'"v{passed.version}"', **(headers or {})})


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:9]) >= 1):
        raise Missing(f"parts are numbered from 1, got {text[:20]!r}")
    return int(text[:9])
