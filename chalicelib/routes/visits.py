"""Appointments: what a brand calls so that its boutique comes to the client, and what is counted out and back in.

Another window for an order, and its calendar file, are of use to any gift, and stand here because a visit needs both.
"""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, Response

from chalicelib import edge, wiring
from chalicelib.domain.keys import Caller, Role
from chalicelib.routes.brands import placed_for
from chalicelib.routes.calling import brand_of, caller, check_own, placed, told

CALENDAR = "text/calendar"


def blueprint(authorizer: Any) -> Blueprint:
    """The routes, behind that authorizer."""
    bp = Blueprint("visits")

    @bp.route("/v1/appointments", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def make_appointment() -> Response:
        request = bp.current_request
        who = caller(request, Role.BRAND, Role.ASSOCIATE)
        from chalicelib.domain.order_views import first_view
        from chalicelib.domain.wishes import NewAppointment  # here and below: importing the app stays small

        key = edge.idempotency_key(request)
        wish = edge.body_of(request, NewAppointment)
        order, repeated = placed_for(who, key, wish.as_order())
        return placed(first_view(order), repeated=repeated)

    @bp.route("/v1/orders/{order_id}/manifest", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def count_pieces(order_id: str) -> Response:
        from chalicelib.domain.appointments import Count
        from chalicelib.flows.manifest import record

        request = bp.current_request
        who = caller(request, Role.BRAND, Role.ASSOCIATE, Role.OPERATOR)
        check_own(who, order_id)
        counted = edge.body_of(request, Count)
        return told(who, record(wiring.world(), brand_of(who), order_id, counted.pieces, _actor(who)))

    @bp.route("/v1/orders/{order_id}/reschedule", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def reschedule_order(order_id: str) -> Response:
        from chalicelib.flows.reschedule import reschedule
        from chalicelib.routes.order_shapes import AnotherWindow

        request = bp.current_request
        who = caller(request, Role.BRAND, Role.ASSOCIATE, Role.OPERATOR)
        check_own(who, order_id)
        version = edge.if_match(request)
        wish = edge.body_of(request, AnotherWindow)
        order = reschedule(wiring.world(), brand_of(who), order_id, wish.window, version, _actor(who))
        return told(who, order, 202)

    @bp.route("/v1/orders/{order_id}/calendar", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def get_calendar(order_id: str) -> Response:
        from chalicelib.flows import look
        from chalicelib.pages.appointment import entry_of
        from chalicelib.pages.calendar import written

        who = caller(bp.current_request, Role.BRAND, Role.ASSOCIATE)
        check_own(who, order_id)
        order = look.own_order(wiring.world(), who.owner, order_id)
        headers = {"ETag": f'"v{order.version}"', "X-Content-Type-Options": "nosniff"}
        return edge.page(written(entry_of(order)), CALENDAR, headers)

    return bp


def _actor(who: Caller) -> str:
    from chalicelib.domain.acts import CORDON

    return CORDON if who.role is Role.OPERATOR else who.actor
