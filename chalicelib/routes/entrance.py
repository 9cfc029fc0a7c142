"""The way to the board: one-time links, signing in and out, and the files that its pages load."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

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


def _entrance(request: Any, error: Refused | None = None) -> Response:
    """The page on which somebody signs in, and what has gone wrong."""
    from chalicelib.flows import let_in

    known, base = let_in.provider(wiring.world()), desk.base_of(request)
    told, status = ("", 200) if error is None else (f"{error.detail}.", error.status)
    host = "" if known is None else urlsplit(known.issuer).hostname
    return desk.page(None, base, "enter.html", status, told=told, provider=host)


def _back(request: Any) -> str:
    """Where the provider sends people back to: as it is registered there."""
    return f"{desk.origin_of(request)}/enter/oidc/back"


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
        return _entrance(bp.current_request)

    @bp.route("/enter", methods=["POST"], content_types=[FORM])
    @shown(ask)
    def enter() -> Response:
        from chalicelib.domain.sessions import SESSION_LASTS
        from chalicelib.flows import sign_in

        request = bp.current_request
        code = desk.form_of(request).get("code", "").strip()
        try:
            token, _ = sign_in.enter(wiring.world(), code)
        except Refused as error:
            if not desk.wants_page(request):
                raise
            return _entrance(request, error)
        cookie = desk.keeping(token, int(SESSION_LASTS.total_seconds()))
        return desk.away(f"{desk.base_of(request)}/board", {"Set-Cookie": cookie})

    @bp.route("/enter/oidc", methods=["GET"])
    @shown(ask)
    def go_to_provider() -> Response:
        from chalicelib.flows import let_in

        request = bp.current_request
        address, secret = let_in.begin(wiring.world(), _back(request))
        return desk.away(address, {"Set-Cookie": desk.away_with(secret, let_in.AWAY_S)})

    @bp.route("/enter/oidc/back", methods=["GET"])
    @shown(ask)
    def come_from_provider() -> Response:
        from chalicelib.domain.sessions import SESSION_LASTS
        from chalicelib.flows import let_in

        request = bp.current_request
        said: Any = request.query_params or {}
        secret, state, code = (
            desk.cookie(request, desk.AWAY) or "",
            said.get("state", ""),
            said.get("code", ""),
        )
        try:
            token, session = let_in.finish(wiring.world(), secret, state, code, _back(request))
        except Refused as error:
            if not desk.wants_page(request):
                raise
            return _entrance(request, error)
        # a page and no redirect: on the way from another site a browser does not send the session's cookie
        page = desk.page(None, desk.base_of(request), "welcome.html", who=session.who)
        cookies = [desk.keeping(token, int(SESSION_LASTS.total_seconds())), desk.away_with("", 0)]
        return Response(page.body, headers={**page.headers, "Set-Cookie": cookies}, status_code=200)

    @bp.route("/leave", methods=["POST"], content_types=[FORM])
    @shown(ask)
    def leave() -> Response:
        from chalicelib.flows import sign_in

        seat = desk.seated(bp.current_request)
        desk.posted(seat, acts=False)
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
