"""Who sits at the board: the cookie, the forms' tokens, and errors as pages. Checked here and by no authorizer, for a
browser sends cookies by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec
from urllib.parse import parse_qsl, urlsplit

from chalice.app import Response

from chalicelib import edge, wiring
from chalicelib.domain.errors import Forbidden, Malformed, Missing, TooLarge, Unauthorised

if TYPE_CHECKING:
    from chalicelib.domain.sessions import Session

COOKIE = "__Host-cordon-board"
"""Of this host alone, and over nothing but HTTPS; browsers take loopback for as safe."""
AWAY = "__Host-cordon-away"
FORM = "application/x-www-form-urlencoded"
FORM_LIMIT = 64 * 1024
HTML = "text/html"
_P = ParamSpec("_P")


@dataclass(frozen=True)
class Desk:
    """Somebody who is signed in, and the request."""

    session: Session
    token: str
    base: str
    """What every address of ours begins with."""
    request: Any

    @property
    def who(self) -> str:
        return self.session.who

    @property
    def is_part(self) -> bool:
        """True when only a part of the page is wanted."""
        return edge.header(self.request, "hx-request") == "true"

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query_params or {}


def base_of(request: Any) -> str:
    """Where this deployment begins: as it was told, or as this request came in, for a REST API lives under a stage."""
    told = wiring.world().public_url
    if told:
        return urlsplit(told).path.rstrip("/")
    here: str = str(request.context.get("path") or "")
    resource: str = request.path if hasattr(request, "path") else ""
    return here[: -len(resource)] if resource and here.endswith(resource) else ""


def origin_of(request: Any) -> str:
    """The same with scheme and host, for links that leave the browser."""
    told = wiring.world().public_url
    if told:
        return told
    host = str(request.context.get("domainName") or edge.header(request, "host") or "")
    return f"https://{host}{base_of(request)}"


def seated(request: Any) -> Desk:
    """Who is signed in. Raises `Unauthorised`, and `Missing` for a market that they may not see."""
    from chalicelib.flows import sign_in

    token = cookie(request)
    if token is None:
        raise Unauthorised("nobody is signed in here; ask the control room for a link")
    session = sign_in.session_of(wiring.world(), token)
    market_id = (request.uri_params or {}).get("market_id")
    if market_id is not None and not session.sees(market_id):
        raise Missing(f"no market {market_id!r}")  # as of one that is not there
    return Desk(session, token, base_of(request), request)


def cookie(request: Any, wanted: str = COOKIE) -> str | None:
    """What the browser keeps for us."""
    for part in (edge.header(request, "cookie") or "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == wanted and value:
            return value
    return None


def keeping(token: str, seconds: int) -> str:
    """The header that has the browser keep it; no script ever reads it, and no other site sends it."""
    return f"{COOKIE}={token}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Strict"


def away_with(secret: str, seconds: int) -> str:
    """The same for what it keeps while it is away at a provider, whose site sends it back here."""
    return f"{AWAY}={secret}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Lax"


def form_of(request: Any) -> dict[str, str]:
    """The fields of a form of this site. Raises `Forbidden` for one that another site has sent."""
    site = edge.header(request, "sec-fetch-site")
    if site is not None and site != "same-origin":
        raise Forbidden("this form came from another site")
    raw: bytes = request.raw_body
    if len(raw) > FORM_LIMIT:
        raise TooLarge(f"the form has {len(raw)} bytes, at most {FORM_LIMIT} are taken here")
    try:
        return dict(parse_qsl(raw.decode("utf-8"), keep_blank_values=True, max_num_fields=50))
    except ValueError:
        raise Malformed("the body is no form, fields as a browser sends them were expected") from None


def posted(desk: Desk, *, acts: bool = True) -> dict[str, str]:
    """The fields of a form that one of this session's own pages has sent. Raises `Forbidden`, also for whoever only
    looks on where it `acts`."""
    from chalicelib.flows import sign_in

    fields = form_of(desk.request)
    sign_in.prove(wiring.world(), desk.token, fields.pop("form", ""))
    if acts and desk.session.looks_on:
        raise Forbidden("you see this board and do nothing there; ask the control room")
    return fields


def page(desk: Desk | None, base: str, template: str, status: int = 200, **told: Any) -> Response:
    """A page, with everything that each of them is told."""
    from chalicelib.flows import sign_in
    from chalicelib.pages import jinja

    world = wiring.world()
    known: dict[str, Any] = {
        "base": base,
        "static": f"{base}/static/{jinja.digest()}",
        "now": world.clock(),
        "session": None if desk is None else desk.session,
        "proof": "" if desk is None else sign_in.proof_of(world, desk.token),
    }
    body = jinja.rendered(template, **{**known, **told})
    answer = edge.page(body, HTML, {**jinja.HEADERS, "Vary": "Accept, HX-Request"})
    answer.status_code = status
    return answer


def away(place: str, headers: Mapping[str, str] | None = None) -> Response:
    """The browser goes there next, and asks for it with a GET."""
    told: dict[str, str | list[str]] = {"Location": place, "Cache-Control": "no-store", **(headers or {})}
    return Response("", headers=told, status_code=303)


def unchanged(tag: str) -> Response:
    """What the browser has is what there is."""
    return Response("", headers={"ETag": tag, "Cache-Control": "private, no-cache"}, status_code=304)


def wants_page(request: Any) -> bool:
    """Whoever asks would rather have a page than a problem."""
    return edge.preferred(request, (edge.PROBLEM, HTML)) == HTML


def shown(ask: Callable[[], Any]) -> Callable[[Callable[_P, Response]], Callable[_P, Response]]:
    """A view for people: what goes wrong is told on a page, to whoever wants pages; to others as a problem."""

    def decorate(view: Callable[_P, Response]) -> Callable[_P, Response]:
        spoken = edge.spoken(view)

        @wraps(view)
        def show(*args: _P.args, **kwargs: _P.kwargs) -> Response:
            answer = spoken(*args, **kwargs)
            request = ask()
            is_problem = answer.headers.get("Content-Type") == edge.PROBLEM
            if not is_problem or not wants_page(request):
                return answer
            return _troubled(request, answer)

        return show

    return decorate


def _troubled(request: Any, answer: Response) -> Response:
    import json

    said = json.loads(answer.body)
    is_part = edge.header(request, "hx-request") == "true"
    template = "trouble_part.html" if is_part else "trouble.html"
    return page(None, base_of(request), template, answer.status_code, said=said)
