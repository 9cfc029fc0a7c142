"""What a recipient opens: the page of one order, behind a signed link. No key is asked for, and looking changes
nothing: programs that preview links look as well.

What is asked for comes by a form that this page has made, for this link and this version of the order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qs

from chalice.app import Blueprint, Response

from chalicelib import edge, journal, wiring
from chalicelib.domain.errors import Clashing, Delayed, Invalid, Malformed, Missing, Refused, Stale, TooLarge
from chalicelib.domain.keys import Role
from chalicelib.domain.shapes import Instant, Shape
from chalicelib.domain.words import LANGUAGES
from chalicelib.routes.calling import caller, check_own

if TYPE_CHECKING:
    from chalicelib.domain.orders import Order
    from chalicelib.domain.pass_answers import CodeView, Invitation
    from chalicelib.pages.track import Given

FORM = "application/x-www-form-urlencoded"
LIMIT = 4096
"""Bytes of a form."""
ONE_CLICK = ("List-Unsubscribe", "One-Click")
"""What a mail program sends that is asked to end messages (RFC 8058)."""
NEIGHBOURS = frozenset({"same-origin", "none"})
"""What a browser calls whoever sends a form of ours; another page's is not read."""


class LinkWish(Shape):
    """In which language the page is to open; absent: in the reader's own, as the browser says."""

    language: Literal["en", "fr", "it", "de", "zh-CN", "ar"] | None = None


class Link(Shape):
    """Where the recipient's page is. Whoever has the link may look, and ask for another time."""

    order_id: str
    url: str
    expires_at: Instant


def blueprint(authorizer: Any) -> Blueprint:
    """The routes; the brand's own are behind that authorizer."""
    bp = Blueprint("recipients")

    @bp.route("/v1/orders/{order_id}/link", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def make_link(order_id: str) -> Response:
        from chalicelib.flows import links

        request = bp.current_request
        who = caller(request, Role.BRAND, Role.ASSOCIATE)
        check_own(who, order_id)
        wish = edge.body_of(request, LinkWish)
        url, until = links.made(wiring.world(), who.owner, order_id, wish.language)
        return edge.answer(Link(order_id=order_id, url=url, expires_at=until))

    @bp.route("/v1/orders/{order_id}/link", methods=["DELETE"], authorizer=authorizer)
    @edge.spoken
    def revoke_link(order_id: str) -> Response:
        from chalicelib.flows import links

        request = bp.current_request
        brand = caller(request, Role.BRAND)
        order = links.revoke(wiring.world(), brand.owner, order_id, edge.if_match(request))
        return Response("", status_code=204, headers={"ETag": f'"v{order.version}"'})

    def _shown(view: Callable[[str], Response]) -> Callable[[str], Response]:
        """Whatever goes wrong is told on a page."""

        @wraps(view)
        def show(token: str) -> Response:
            try:
                return view(token)
            except TooLarge as error:
                return edge.problem(error.status, error.title, error.detail)
            except Refused:
                return _page(bp.current_request, None, 404)
            except Delayed:
                return _page(bp.current_request, None, 503)
            except Exception as error:
                journal.log_failure(view.__name__, error)
                return _page(bp.current_request, None, 500)

        return show

    @bp.route("/t/{token}", methods=["GET"])
    @_shown
    def see_order(token: str) -> Response:
        from chalicelib.flows import links

        order = links.opened(wiring.world(), token)
        tag = _tag(bp.current_request, order)
        if edge.header(bp.current_request, "if-none-match") == f'"{tag}"':
            return Response("", status_code=304, headers={"ETag": f'"{tag}"', **_kept()})
        said = _query(bp.current_request, "said")
        return _page(bp.current_request, order, 200, token, said)

    @bp.route("/t/{token}", methods=["POST"], content_types=[FORM])
    @_shown
    def ask_for_change(token: str) -> Response:
        from chalicelib.flows import links, opt_out, track

        request = bp.current_request
        told = _form(request)
        order = links.opened(wiring.world(), token)
        if told.get(ONE_CLICK[0]) == ONE_CLICK[1]:  # a mail program's own button: it has no form of ours
            opt_out.opt_out(wiring.world(), order)
            return _page(request, order, 200, token, "stopped")
        if told.get("do") == "code" and _is_ours(request, token, told):
            return _page(request, order, 200, token, code=track.code_of(wiring.world(), order))
        said = _asked(request, order, token, told)
        lang = told.get("lang", "")
        asked = f"lang={lang}&" if lang in LANGUAGES else ""
        return Response("", status_code=303, headers={"Location": f"{token}?{asked}said={said}", **_kept()})

    @bp.route("/t/{token}/calendar", methods=["GET"])
    @_shown
    def see_calendar(token: str) -> Response:
        from chalicelib.flows import links, track
        from chalicelib.locales import Shelf
        from chalicelib.pages import calendar
        from chalicelib.pages.appointment import entry_of
        from chalicelib.pages.invitation import entries_of

        world = wiring.world()
        order = links.opened(world, token)
        lang = _language(bp.current_request)
        given = track.sessions_of(world, order)
        if given is not None:
            entries = entries_of(given)
        elif order.pick_up_place is not None:
            entries = [entry_of(order, Shelf("page")[lang].say, links.link_of(world, order, lang))]
        else:
            raise Missing("a pass is for no hour of its own")
        headers = {
            "Content-Disposition": 'attachment; filename="gift.ics"',
            "X-Content-Type-Options": "nosniff",
        }
        return edge.page(calendar.written(*entries), calendar.KIND, headers | _kept())

    return bp


def _asked(request: Any, order: Order, token: str, told: Mapping[str, str]) -> str:
    """Do what the form asks for; the word for what came of it."""
    from chalicelib.flows import answer, links, opt_out, track

    if not _is_from_here(request):
        return "form"
    world = wiring.world()
    try:
        version = links.sent(world, token, told.get("form", ""))
        if told.get("do") == "absent":
            track.not_at_home(world, order, version)
        elif told.get("do") == "move":
            track.other_time(
                world, order, track.moment_of(order, told.get("day", ""), told.get("from", "")), version
            )
        elif told.get("do") == "digital":
            answer.accept(world, order.order_id)
            return "digital"
        elif told.get("do") == "wait":
            answer.decline(world, order.order_id)
            return "waits"
        elif told.get("do") == "stop":
            opt_out.opt_out(world, order)
            return "stopped"
        else:
            return "form"
    except Malformed:
        return "form"
    except Stale:
        return "stale"
    except Invalid:
        return "past"
    except (Clashing, Missing):
        return "late"
    return "moved"


def _is_from_here(request: Any) -> bool:
    return edge.header(request, "sec-fetch-site") in (None, *NEIGHBOURS)


def _is_ours(request: Any, token: str, told: Mapping[str, str]) -> bool:
    from chalicelib.flows import links

    try:
        links.sent(wiring.world(), token, told.get("form", ""))
    except Malformed:
        return False
    return _is_from_here(request)


def _form(request: Any) -> dict[str, str]:
    raw: bytes = request.raw_body or b""
    if len(raw) > LIMIT:
        raise TooLarge(f"a form of this page has at most {LIMIT} bytes, this one has {len(raw)}")
    try:
        found = parse_qs(raw.decode("ascii"), max_num_fields=10)
    except ValueError:
        return {}
    return {name: values[-1] for name, values in found.items()}


def _query(request: Any, name: str) -> str:
    given: Mapping[str, str] = request.query_params or {}
    return given.get(name, "")


def _language(request: Any) -> str:
    from chalicelib.pages import track

    asked = _query(request, "lang")
    return asked if asked in LANGUAGES else track.language_asked(edge.header(request, "accept-language"))


def _page(
    request: Any,
    order: Order | None,
    status: int,
    token: str = "",  # nosec B107 - none, and no secret
    said: str = "",
    code: CodeView | None = None,
) -> Response:
    from chalicelib.flows import links, reschedule, track
    from chalicelib.locales import Shelf
    from chalicelib.pages import track as pages

    lang = _language(request)
    shown, form = None, ""
    if order is not None:
        world = wiring.world()
        now = world.clock()
        way = track.handing_over(world, order)
        shown = pages.page_of(
            order,
            now,
            track.a_day_later(order, now),
            way.way,
            way.last_legs,
            way.rest_minutes,
            can_move=not reschedule.why_not(order) and order.pick_up_place is not None,
            given=_given(track.given_instead(world, order), code),
            said=said,
            gate=way.gate,
        )
        form = links.form_of(world, order, token)
    answer = edge.page(
        pages.rendered(
            shown,
            lang,
            Shelf("page")[lang],
            Shelf("messages")[lang],
            token,
            form,
            pages.DEAD if status < 500 else pages.BUSY,
            "" if order is None else _tag(request, order),
        ),
        "text/html",
        pages.headers(),
    )
    answer.status_code = status
    return answer


def _tag(request: Any, order: Order) -> str:
    from chalicelib.pages import track as pages

    return pages.tag_of(order, _language(request), wiring.world().clock())


def _given(invitation: Invitation | None, code: CodeView | None) -> Given | None:
    from chalicelib.pages.track import Given

    if invitation is None:
        return None
    return Given(
        title=invitation.title,
        has_sessions=bool(invitation.sessions),
        code="" if code is None else code.code,
        link=invitation.link if code is None else code.link,
    )


def _kept() -> dict[str, str]:
    return {
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Robots-Tag": "noindex, nofollow",
    }
