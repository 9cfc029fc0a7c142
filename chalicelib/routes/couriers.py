"""What couriers call. The proof is in the request itself; no key of ours is asked for.

The market and the courier stand in the path, so the right secret is known before anything is read.
"""

from __future__ import annotations

from chalice.app import Blueprint, Response

from chalicelib import edge, wiring
from chalicelib.routes.calling import callback_of

LIMIT = 64 * 1024
"""Bytes of a callback; real ones are under 4 KB."""


def blueprint() -> Blueprint:
    """The routes."""
    bp = Blueprint("couriers")

    @bp.route("/v1/callbacks/{market_id}/{courier_id}", methods=["POST"], content_types=["*/*"])
    @edge.spoken
    def take_callback(market_id: str, courier_id: str) -> Response:
        from chalicelib.flows import receive  # here and below: importing the app stays small

        heard = receive.receive(wiring.world(), market_id, courier_id, callback_of(bp.current_request, LIMIT))
        return Response(heard.answer.decode(), headers={"Content-Type": heard.content_type})

    @bp.route("/v1/callbacks/{market_id}/{courier_id}", methods=["GET"])
    @edge.spoken
    def check_address(market_id: str, courier_id: str) -> Response:
        from chalicelib.flows import receive

        greeting = receive.greet(
            wiring.world(), market_id, courier_id, callback_of(bp.current_request, LIMIT)
        )
        return Response(greeting.decode(), headers={"Content-Type": "text/plain; charset=utf-8"})

    return bp
