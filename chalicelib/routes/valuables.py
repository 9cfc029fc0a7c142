"""What a gift of great value needs beside the rest: proofs of its hand-over, its code, and looks at its address."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, Response

from chalicelib import edge, wiring
from chalicelib.domain.keys import Role
from chalicelib.routes.calling import caller, told


def blueprint(authorizer: Any) -> Blueprint:
    """The routes, behind that authorizer."""
    bp = Blueprint("valuables")

    @bp.route("/v1/orders/{order_id}/looks", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def look_at_address(order_id: str) -> Response:
        from chalicelib.domain.looks import WhyLook
        from chalicelib.flows.reveal import reveal

        request = bp.current_request
        who = caller(request, Role.BRAND, Role.OPERATOR, Role.ASSOCIATE)
        why = edge.body_of(request, WhyLook)
        # the name on an associate's key is proven, what he says is not
        staff = who.associate_id or why.staff or who.staff
        shown = reveal(wiring.world(), who, order_id, why.reason, staff)
        return edge.answer(shown, 201)

    @bp.route("/v1/orders/{order_id}/looks", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def list_looks(order_id: str) -> Response:
        from chalicelib.domain.looks import LookList
        from chalicelib.flows.reveal import looks_at

        who = caller(bp.current_request, Role.BRAND, Role.OPERATOR, Role.ASSOCIATE)
        found = looks_at(wiring.world(), who, order_id)
        return edge.answer(LookList(order_id=order_id, data=tuple(found)))

    @bp.route("/v1/orders/{order_id}/proofs", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def prove_hand_over(order_id: str) -> Response:
        from chalicelib.flows.prove import NewProof, prove

        request = bp.current_request
        who = caller(request, Role.OPERATOR)
        return told(who, prove(wiring.world(), order_id, edge.body_of(request, NewProof)))

    @bp.route("/v1/orders/{order_id}/codes", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def make_code_anew(order_id: str) -> Response:
        from chalicelib.flows.prove import made_anew
        from chalicelib.routes.order_shapes import NewCode

        brand = caller(bp.current_request, Role.BRAND)
        code = made_anew(wiring.world(), brand.owner, order_id)
        return edge.answer(NewCode(order_id=order_id, hand_over_code=code), 201)

    return bp
