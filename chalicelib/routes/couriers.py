"""What couriers call. The proof is in the request itself; no key of ours is asked for.

The market and the courier stand in the path, so the right secret is known before anything is read.
"""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, Response

from chalicelib import edge, wiring
from chalicelib.domain.dialect import Callback
from chalicelib.domain.errors import TooLarge

LIMIT = 64 * 1024
"""Bytes of a callback; real ones are under 4 KB."""


def blueprint() -> Blueprint:
    """The routes."""
    bp = Blueprint("couriers")

    @bp.route("/v1/callbacks/{market_id}/{courier_id}", methods=["POST"], content_types=["*/*"])
    @edge.spoken
    def take_callback(market_id: str, courier_id: str) -> Response:
        from chalicelib.flows import receive  # here and below: importing the app stays small

        heard = receive.receive(wiring.world(), market_id, courier_id, _callback(bp.current_request))
        return Response(heard.answer.decode(), headers={"Content-Type": heard.content_type})

    @bp.route("/v1/callbacks/{market_id}/{courier_id}", methods=["GET"])
    @edge.spoken
    def check_address(market_id: str, courier_id: str) -> Response:
        from chalicelib.flows import receive

        greeting = receive.greet(wiring.world(), market_id, courier_id, _callback(bp.current_request))
        return Response(greeting.decode(), headers={"Content-Type": "text/plain; charset=utf-8"})

    return bp


def _callback(request: Any) -> Callback:
    body: bytes = request.raw_body or b""
    if len(body) > LIMIT:
        raise TooLarge(f"a callback has at most {LIMIT} bytes, this one has {len(body)}")
    return Callback(
        method=request.method,
        query=dict(request.query_params or {}),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=body,
    )
