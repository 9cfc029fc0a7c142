"""What a brand's engineers call to be told: endpoints, their secrets, what was sent there, and once more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalice.app import Blueprint, Response
from pydantic import Field, model_validator

from chalicelib import edge, wiring
from chalicelib.domain.keys import Role
from chalicelib.domain.notices import Attempt, Notice, NoticeState
from chalicelib.domain.orders import OrderState
from chalicelib.domain.shapes import Instant, Shape, Slug
from chalicelib.flows import subscribe
from chalicelib.flows.subscribe import EndpointView
from chalicelib.routes import cursors
from chalicelib.routes.calling import caller


class NewEndpoint(Shape):
    """Where to tell the brand."""

    url: str = Field(
        min_length=1,
        max_length=subscribe.URL_LIMIT,
        description="https, on the public internet, without user and fragment.",
        examples=["https://hooks.example.com/cordon"],
    )


class EndpointList(Shape):
    """The brand's endpoints, the oldest first."""

    data: tuple[EndpointView, ...]


class ReplayQuestion(Shape):
    """What to tell again: one order, or every state entered since a moment."""

    order_id: Slug | None = None
    since: Instant | None = None
    cursor: str | None = Field(
        default=None, max_length=cursors.LENGTH, description="Of the answer before, with the same `since`."
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> ReplayQuestion:
        if (self.order_id is None) == (self.since is None):
            raise ValueError("either order_id or since was expected")
        if self.cursor is not None and self.since is None:
            raise ValueError("a cursor goes with since")
        return self


class ReplayAnswer(Shape):
    """How many notices are on their way again; a cursor when there are more."""

    replayed: int
    has_more: bool = False
    next_cursor: str | None = None


class NoticeView(Shape):
    """One state of one order as told to this endpoint, with every try that is kept (the last 40)."""

    notice_id: str = Field(description="The webhook-id: the same at every try.")
    order_id: str
    order_state: OrderState
    sequence: int
    happened_at: Instant
    state: NoticeState
    next_attempt_at: Instant | None = None
    attempts: tuple[Attempt, ...]


class NoticeList(Shape):
    """A page of notices, the last state first."""

    data: tuple[NoticeView, ...]
    has_more: bool
    next_cursor: str | None = None


class Limit(Shape):
    """How long a page is."""

    limit: int = Field(default=20, ge=1, le=100)


def blueprint(authorizer: Any) -> Blueprint:
    """The routes, behind that authorizer."""
    bp = Blueprint("webhooks")

    @bp.route("/v1/webhooks", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def create_webhook() -> Response:
        request = bp.current_request
        brand = caller(request, Role.BRAND).owner
        asked = edge.body_of(request, NewEndpoint)
        endpoint, secret = subscribe.create(wiring.world(), brand, asked.url)
        headers = {"Location": f"/v1/webhooks/{endpoint.endpoint_id}"}
        return edge.answer(subscribe.with_secret(endpoint, secret), 201, headers)

    @bp.route("/v1/webhooks", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def list_webhooks() -> Response:
        brand = caller(bp.current_request, Role.BRAND).owner
        found = subscribe.of_brand(wiring.world(), brand)
        return edge.answer(EndpointList(data=tuple(subscribe.view(endpoint) for endpoint in found)))

    @bp.route("/v1/webhooks/{endpoint_id}", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def get_webhook(endpoint_id: str) -> Response:
        brand = caller(bp.current_request, Role.BRAND).owner
        return edge.answer(subscribe.view(subscribe.find(wiring.world(), brand, endpoint_id)))

    @bp.route("/v1/webhooks/{endpoint_id}/rotate", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def rotate_webhook(endpoint_id: str) -> Response:
        brand = caller(bp.current_request, Role.BRAND).owner
        endpoint, secret = subscribe.rotate(wiring.world(), brand, endpoint_id)
        return edge.answer(subscribe.with_secret(endpoint, secret))

    @bp.route("/v1/webhooks/{endpoint_id}/disable", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def disable_webhook(endpoint_id: str) -> Response:
        brand = caller(bp.current_request, Role.BRAND).owner
        return edge.answer(subscribe.view(subscribe.disable(wiring.world(), brand, endpoint_id)))

    @bp.route("/v1/webhooks/{endpoint_id}/enable", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def enable_webhook(endpoint_id: str) -> Response:
        brand = caller(bp.current_request, Role.BRAND).owner
        return edge.answer(subscribe.view(subscribe.enable(wiring.world(), brand, endpoint_id)))

    @bp.route("/v1/webhooks/{endpoint_id}/replay", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def replay_webhook(endpoint_id: str) -> Response:
        from chalicelib.flows.tell import replay

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
                next_cursor=None if done.after is None else cursors.sign(world, scope, done.after),
            ),
            202,
        )

    @bp.route("/v1/webhooks/{endpoint_id}/attempts", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def list_attempts(endpoint_id: str) -> Response:
        request = bp.current_request
        brand = caller(request, Role.BRAND).owner
        query: Mapping[str, str] = request.query_params or {}
        limit = edge.query_of(request, Limit).limit
        world, scope = wiring.world(), f"attempts|{brand}|{endpoint_id}"
        after = cursors.read(world, scope, query["cursor"]) if "cursor" in query else None
        notices, more = subscribe.deliveries(world, brand, endpoint_id, limit, after)
        return edge.answer(
            NoticeList(
                data=tuple(_view(notice) for notice in notices),
                has_more=more is not None,
                next_cursor=None if more is None else cursors.sign(world, scope, more),
            )
        )

    return bp


def _view(notice: Notice) -> NoticeView:
    return NoticeView.model_construct(**{name: getattr(notice, name) for name in NoticeView.model_fields})
