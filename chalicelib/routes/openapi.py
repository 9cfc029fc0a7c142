"""The API's own description, as built (`make openapi`) and committed."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from chalice.app import Blueprint, Response

DOCUMENT = Path(__file__).resolve().parent.parent / "openapi.json"


@cache
def _document() -> str:
    return DOCUMENT.read_text(encoding="utf-8")


def blueprint() -> Blueprint:
    """One route."""
    bp = Blueprint("openapi")

    @bp.route("/openapi.json", methods=["GET"])
    def get_openapi() -> Response:
        return Response(
            _document(),
            headers={"Content-Type": "application/json", "Cache-Control": "public, max-age=300"},
        )

    return bp
