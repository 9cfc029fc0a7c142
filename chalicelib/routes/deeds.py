"""What the board shows and does, for programs: the queue of a market, what holds at a place, and deeds on an order."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, Response

from chalicelib import edge, wiring
from chalicelib.domain.errors import Missing
from chalicelib.domain.keys import Role
from chalicelib.routes.calling import caller


def blueprint(authorizer: Any) -> Blueprint:
    """The routes, behind that authorizer."""
    bp = Blueprint("deeds")

    @bp.route("/v1/markets/{market_id}/board", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def get_board(market_id: str) -> Response:
        from chalicelib.flows import recount
        from chalicelib.routes.deed_shapes import board_view

        caller(bp.current_request, Role.OPERATOR)
        world = wiring.world()
        board = recount.watch(world, market_id)
        lines = None if board is None else recount.lines(world, board)
        if board is None or lines is None:
            headers = {"Retry-After": "2"}
            return edge.problem(503, "Not now", "it is being counted; ask again in a moment", headers=headers)
        return edge.answer(board_view(board, lines))

    @bp.route("/v1/markets/{market_id}/zones", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def list_zones(market_id: str) -> Response:
        from chalicelib.flows import draw
        from chalicelib.routes.deed_shapes import ZoneQuestion

        request = bp.current_request
        caller(request, Role.OPERATOR, Role.SOURCE)
        question = edge.query_of(request, ZoneQuestion)
        return edge.answer(draw.at(wiring.world(), market_id, question.lng, question.lat, question.at))

    @bp.route("/v1/orders/{order_id}/deeds", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def act_on_order(order_id: str) -> Response:
        from chalicelib.domain.order_views import view
        from chalicelib.flows import act
        from chalicelib.routes.deed_shapes import NewDeed, done

        request = bp.current_request
        who = caller(request, Role.OPERATOR)
        version = edge.if_match(request)
        deed = edge.body_of(request, NewDeed)
        world = wiring.world()
        if not order_id.startswith("ord_"):
            raise Missing(f"no order {order_id!r}")
        order = done(act, world, order_id, version, deed, who.owner)
        return edge.answer(view(order), 202, {"ETag": f'"v{order.version}"'})

    return bp
