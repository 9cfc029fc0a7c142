"""What a brand's engineers call about the ways in which its clients are spoken to, and what the channels call.

Shapes and flows are imported inside the views: whoever places an order waits for none of them at a cold start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalice.app import Blueprint, Response

from chalicelib import edge, wiring
from chalicelib.domain.errors import Missing
from chalicelib.domain.keys import Role
from chalicelib.routes.calling import callback_of, caller

if TYPE_CHECKING:
    from chalicelib.domain.dialect import Callback

LIMIT = 3 * 1024 * 1024
"""Bytes of what a channel sends (Meta: up to 3 MB)."""
HEARING = "whatsapp"
"""The channel that calls us."""


def blueprint(authorizer: Any) -> Blueprint:
    """The routes: the brand's behind that authorizer; a channel's own proof is in its request."""
    bp = Blueprint("channels")

    @bp.route("/v1/channels/{kind}", methods=["PUT"], authorizer=authorizer)
    @edge.spoken
    def put_channel(kind: str) -> Response:
        from chalicelib.domain.channel_answers import ChannelStatement, view
        from chalicelib.flows import connect

        request = bp.current_request
        brand = caller(request, Role.BRAND).owner
        version = edge.if_match_given(request)
        stated = edge.body_of(request, ChannelStatement)
        after = connect.connect(wiring.world(), brand, kind, stated, version)
        return edge.answer(view(after), headers={"ETag": f'"v{after.version}"'})

    @bp.route("/v1/channels/{kind}", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def get_channel(kind: str) -> Response:
        from chalicelib.domain.channel_answers import view
        from chalicelib.flows import connect

        brand = caller(bp.current_request, Role.BRAND).owner
        found = connect.own(wiring.world(), brand, kind)
        return edge.answer(view(found), headers={"ETag": f'"v{found.version}"'})

    @bp.route("/v1/channels/{kind}/{brand_id}", methods=["POST"], content_types=["*/*"])
    @edge.spoken
    def hear_channel(kind: str, brand_id: str) -> Response:
        from chalicelib.flows import listen

        listen.take(wiring.world(), brand_id, _callback(kind, bp.current_request))
        return Response("", headers={"Content-Type": "text/plain; charset=utf-8"})

    @bp.route("/v1/channels/{kind}/{brand_id}", methods=["GET"])
    @edge.spoken
    def greet_channel(kind: str, brand_id: str) -> Response:
        from chalicelib.flows import listen

        challenge = listen.greet(wiring.world(), brand_id, _callback(kind, bp.current_request))
        return Response(challenge.decode(), headers={"Content-Type": "text/plain; charset=utf-8"})

    @bp.route("/v1/orders/{order_id}/messages", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def list_messages(order_id: str) -> Response:
        from chalicelib.domain.channel_answers import MessageList
        from chalicelib.domain.messages import view
        from chalicelib.flows import act_for, speak

        who, world = caller(bp.current_request, Role.BRAND, Role.ASSOCIATE), wiring.world()
        found = speak.messages_of(world, act_for.order_for(world, who, order_id))
        return edge.answer(MessageList(data=tuple(map(view, found))))

    @bp.route("/v1/clients/{reference}/messages", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def write_to_client(reference: str) -> Response:
        from chalicelib.domain.channel_answers import NewTalk
        from chalicelib.domain.messages import view
        from chalicelib.flows import act_for, talk

        request, world = bp.current_request, wiring.world()
        who = caller(request, Role.BRAND, Role.ASSOCIATE)
        key = edge.idempotency_key(request)
        new = edge.body_of(request, NewTalk)
        client = act_for.client_for(world, who, reference)
        return edge.answer(view(talk.write(world, client, who.actor, key, new)), 202)

    @bp.route("/v1/clients/{reference}/messages", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def read_conversation(reference: str) -> Response:
        from chalicelib.flows import act_for, talk

        who, world = caller(bp.current_request, Role.BRAND, Role.ASSOCIATE), wiring.world()
        return edge.answer(talk.conversation(world, act_for.client_for(world, who, reference)))

    return bp


def _callback(kind: str, request: Any) -> Callback:
    if kind != HEARING:
        raise Missing(f"no channel {kind!r} calls here: {HEARING} was expected")
    return callback_of(request, LIMIT)
