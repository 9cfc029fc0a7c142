"""Appointments: what a brand calls so that its boutique comes to the client, and what is counted out and back in.

Another window for an order, and its calendar file, are of use to any gift, and stand here because a visit needs both.
"""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, Response

from chalicelib import edge, wiring
from chalicelib.domain.appointments import Count
from chalicelib.domain.keys import Caller, Role
from chalicelib.domain.orders import Order, OrderView, first_view, view
from chalicelib.domain.shapes import Shape, Window
from chalicelib.flows import look
from chalicelib.routes import disclosure
from chalicelib.routes.brands import check_own, placed_for
from chalicelib.routes.calling import caller

CALENDAR = "text/calendar"


class AnotherWindow(Shape):
    """When the client would have it instead."""

    window: Window


def blueprint(authorizer: Any) -> Blueprint:
    """The routes, behind that authorizer."""
    bp = Blueprint("visits")

    @bp.route("/v1/appointments", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def make_appointment() -> Response:
        request = bp.current_request
        who = caller(request, Role.BRAND, Role.ASSOCIATE)
        from chalicelib.domain.wishes import NewAppointment  # here: importing the app stays small

        key = edge.idempotency_key(request)
        wish = edge.body_of(request, NewAppointment)
        order, repeated = placed_for(who, key, wish.as_order())
        headers = {"ETag": '"v1"', "Location": f"/v1/orders/{order.order_id}"}
        if repeated:
            headers["Idempotent-Replayed"] = "true"
        return edge.answer(disclosure.order(first_view(order)), 202, headers)

    @bp.route("/v1/orders/{order_id}/manifest", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def count_pieces(order_id: str) -> Response:
        from chalicelib.flows.manifest import record

        request = bp.current_request
        who = caller(request, Role.BRAND, Role.ASSOCIATE, Role.OPERATOR)
        check_own(who, order_id)
        counted = edge.body_of(request, Count)
        order = record(wiring.world(), _brand(who), order_id, counted.pieces, _actor(who))
        return _told(who, order, 200)

    @bp.route("/v1/orders/{order_id}/reschedule", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def reschedule_order(order_id: str) -> Response:
        from chalicelib.flows.reschedule import reschedule

        request = bp.current_request
        who = caller(request, Role.BRAND, Role.ASSOCIATE, Role.OPERATOR)
        check_own(who, order_id)
        version = edge.if_match(request)
        wish = edge.body_of(request, AnotherWindow)
        order = reschedule(wiring.world(), _brand(who), order_id, wish.window, version, _actor(who))
        return _told(who, order, 202)

    @bp.route("/v1/orders/{order_id}/calendar", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def get_calendar(order_id: str) -> Response:
        from chalicelib.pages.appointment import entry_of
        from chalicelib.pages.calendar import written

        who = caller(bp.current_request, Role.BRAND, Role.ASSOCIATE)
        check_own(who, order_id)
        order = look.own_order(wiring.world(), who.owner, order_id)
        headers = {"ETag": f'"v{order.version}"', "X-Content-Type-Options": "nosniff"}
        return edge.page(written(entry_of(order)), CALENDAR, headers)

    return bp


def _brand(who: Caller) -> str | None:
    return None if who.role is Role.OPERATOR else who.owner


def _actor(who: Caller) -> str:
    from chalicelib.domain.acts import CORDON

    return CORDON if who.role is Role.OPERATOR else who.actor


def _told(who: Caller, order: Order, status: int) -> Response:
    seen: OrderView = view(order)
    told = seen if who.role is Role.OPERATOR else disclosure.order(seen)
    return edge.answer(told, status, {"ETag": f'"v{order.version}"'})
