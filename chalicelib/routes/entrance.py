"""The way to the board: one-time links, signing in and out, and the files that its pages load."""

from __future__ import annotations

from typing import Any

from chalice.app import Blueprint, Response
from pydantic import Field

from chalicelib import edge, wiring
from chalicelib.domain.errors import Missing, Refused
from chalicelib.domain.keys import Role
from chalicelib.domain.shapes import Instant, Shape, Slug
from chalicelib.routes import desk
from chalicelib.routes.calling import caller
from chalicelib.routes.desk import FORM, shown


class NewLink(Shape):
    """Whom a link is for."""

    who: Slug = Field(description="The name that stands in the log beside every deed.", examples=["mei"])


class MadeLink(Shape):
    """A way in, shown this once: good for a quarter of an hour, and for one sign-in."""

    url: str
    who: str
    expires_at: Instant


def blueprint(authorizer: Any) -> Blueprint:
    """The routes; those that make and end are behind that authorizer."""
    bp = Blueprint("entrance")

    def ask() -> Any:
        return bp.current_request

    @bp.route("/v1/board/links", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def make_link() -> Response:
        from chalicelib.flows import sign_in

        request = bp.current_request
        who = caller(request, Role.OPERATOR)
        wanted = edge.body_of(request, NewLink)
        secret, link = sign_in.invite(wiring.world(), wanted.who, who.owner)
        # behind a hash: it reaches no log of ours, and no other page
        url = f"{desk.origin_of(request)}/enter#{secret}"
        return edge.answer(MadeLink(url=url, who=link.who, expires_at=link.expires_at), 201)

    @bp.route("/v1/board/dispatchers/{who}", methods=["DELETE"], authorizer=authorizer)
    @edge.spoken
    def turn_away(who: str) -> Response:
        from chalicelib.flows import sign_in

        caller(bp.current_request, Role.OPERATOR)
        sign_in.turn_away(wiring.world(), who)
        return Response("", status_code=204, headers={"Cache-Control": "no-store"})

    @bp.route("/enter", methods=["GET"])
    @shown(ask)
    def show_entrance() -> Response:
        return desk.page(None, desk.base_of(bp.current_request), "enter.html", told="")

    @bp.route("/enter", methods=["POST"], content_types=[FORM])
    @shown(ask)
    def enter() -> Response:
        from chalicelib.domain.sessions import SESSION_LASTS
        from chalicelib.flows import sign_in

        request = bp.current_request
        code = desk.form_of(request).get("code", "").strip()
        base = desk.base_of(request)
        try:
            token, _ = sign_in.enter(wiring.world(), code)
        except Refused as error:
            if edge.preferred(request, (edge.PROBLEM, desk.HTML)) != desk.HTML:
                raise
            return desk.page(None, base, "enter.html", error.status, told=f"{error.detail}.")
        cookie = desk.keeping(token, int(SESSION_LASTS.total_seconds()))
        return desk.away(f"{base}/board", {"Set-Cookie": cookie})

    @bp.route("/leave", methods=["POST"], content_types=[FORM])
    @shown(ask)
    def leave() -> Response:
        from chalicelib.flows import sign_in

        seat = desk.seated(bp.current_request)
        desk.posted(seat)
        sign_in.leave(wiring.world(), seat.token)
        return desk.away(f"{seat.base}/enter", {"Set-Cookie": desk.keeping("", 0)})

    @bp.route("/static/{digest}/{name}", methods=["GET"])
    @edge.spoken
    def get_static(digest: str, name: str) -> Response:
        from chalicelib.pages import jinja

        found = jinja.static(name) if digest == jinja.digest() else None
        if found is None:
            raise Missing("no such file, or one of another release")
        body, kind = found
        headers: dict[str, str | list[str]] = {
            "Content-Type": f"{kind}; charset=utf-8",
            "Cache-Control": "public, max-age=31536000, immutable",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        return Response(body, headers=headers)

    return bp
