"""What a brand's engineers call to be told: endpoints, their secrets, what was sent there, and once more."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, Response

from chalicelib import edge, wiring
from chalicelib.domain.keys import Role
from chalicelib.routes import cursors
from chalicelib.routes.calling import caller


def blueprint(authorizer: Any) -> Blueprint:
    """The routes, behind that authorizer. Shapes and flows are imported inside the views: importing the app stays
    small."""
    bp = Blueprint("webhooks")

    @bp.route("/v1/webhooks", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def create_webhook() -> Response:
        from chalicelib.flows import subscribe
        from chalicelib.routes.webhook_shapes import NewEndpoint

        request = bp.current_request
        brand = caller(request, Role.BRAND).owner
        asked = edge.body_of(request, NewEndpoint)
        endpoint, secret = subscribe.create(wiring.world(), brand, asked.url)
        headers = {"Location": f"/v1/webhooks/{endpoint.endpoint_id}"}
        return edge.answer(subscribe.with_secret(endpoint, secret), 201, headers)

    @bp.route("/v1/webhooks", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def list_webhooks() -> Response:
        from chalicelib.flows import subscribe
        from chalicelib.routes.webhook_shapes import EndpointList

        brand = caller(bp.current_request, Role.BRAND).owner
        found = subscribe.of_brand(wiring.world(), brand)
        return edge.answer(EndpointList(data=tuple(subscribe.view(endpoint) for endpoint in found)))

    @bp.route("/v1/webhooks/{endpoint_id}", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def get_webhook(endpoint_id: str) -> Response:
        from chalicelib.flows import subscribe

        brand = caller(bp.current_request, Role.BRAND).owner
        return edge.answer(subscribe.view(subscribe.find(wiring.world(), brand, endpoint_id)))

    @bp.route("/v1/webhooks/{endpoint_id}/rotate", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def rotate_webhook(endpoint_id: str) -> Response:
        from chalicelib.flows import subscribe

        brand = caller(bp.current_request, Role.BRAND).owner
        endpoint, secret = subscribe.rotate(wiring.world(), brand, endpoint_id)
        return edge.answer(subscribe.with_secret(endpoint, secret))

    @bp.route("/v1/webhooks/{endpoint_id}/disable", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def disable_webhook(endpoint_id: str) -> Response:
        from chalicelib.flows import subscribe

        brand = caller(bp.current_request, Role.BRAND).owner
        return edge.answer(subscribe.view(subscribe.disable(wiring.world(), brand, endpoint_id)))

    @bp.route("/v1/webhooks/{endpoint_id}/enable", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def enable_webhook(endpoint_id: str) -> Response:
        from chalicelib.flows import subscribe

        brand = caller(bp.current_request, Role.BRAND).owner
        return edge.answer(subscribe.view(subscribe.enable(wiring.world(), brand, endpoint_id)))

    @bp.route("/v1/webhooks/{endpoint_id}/replay", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def replay_webhook(endpoint_id: str) -> Response:
        from chalicelib.flows.tell import replay
        from chalicelib.routes.webhook_shapes import ReplayAnswer, ReplayQuestion

        request = bp.current_request
        brand = caller(request, Role.BRAND).owner
        asked = edge.body_of(request, ReplayQuestion)
        world, scope = wiring.world(), f"replay|{brand}|{endpoint_id}"
        after = None if asked.cursor is None else cursors.read(world, scope, asked.cursor)
        done = replay(world, brand, endpoint_id, order_id=asked.order_id, since=asked.since, after=after)
        return edge.answer(
            ReplayAnswer(
                replayed=done.count,
                has_more=done.after is not None,
                next_cursor=cursors.following(world, scope, done.after),
            ),
            202,
        )

    @bp.route("/v1/webhooks/{endpoint_id}/attempts", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def list_attempts(endpoint_id: str) -> Response:
        from chalicelib.flows import subscribe
        from chalicelib.routes.webhook_shapes import NoticeList, view

        request = bp.current_request
        brand = caller(request, Role.BRAND).owner
        limit = edge.query_of(request, cursors.PageOf).limit
        world, scope = wiring.world(), f"attempts|{brand}|{endpoint_id}"
        after = cursors.after(world, scope, request)
        notices, more = subscribe.deliveries(world, brand, endpoint_id, limit, after)
        return edge.answer(
            NoticeList(
                data=tuple(view(notice) for notice in notices),
                has_more=more is not None,
                next_cursor=cursors.following(world, scope, more),
            )
        )

    return bp
