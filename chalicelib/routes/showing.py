"""What the board's pages are told, and what comes of a dispatcher's forms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from chalice.app import Response

from chalicelib import edge, wiring
from chalicelib.domain.errors import Fault, Invalid, Malformed, Missing, Refused
from chalicelib.routes import desk
from chalicelib.routes.desk import Desk

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from chalicelib.domain.board import Board, Filter, Line
    from chalicelib.domain.orders import Order
    from chalicelib.domain.places import Market

LEVELS = (
    ("open", "open", "·"),
    ("curfew", "curfew only", "◷"),
    ("precautionary", "precautionary", "╱"),
    ("controlled", "controlled", "╳"),
    ("sealed", "sealed", "▦"),
    ("building", "sealed building", "▩"),
    ("noaccess", "no access", "■"),
)
"""Each level: its name in the style sheet, how it is read, and a mark, so that no colour has to be seen."""


def market(market_id: str) -> Market:
    from chalicelib.flows import enlist

    return enlist.market(wiring.world(), market_id)


def zone_of(place: Market) -> ZoneInfo:
    from chalicelib.domain.shapes import zone_info

    return zone_info(place.time_zone)


def page(seat: Desk, market_id: str, tab: str, template: str, status: int = 200, **told: Any) -> Response:
    place = market(market_id)
    known = {
        "market": place,
        "zone": zone_of(place),
        "tab": tab,
        "heading": tab,
        "here": f"{seat.base}/board/{place.market_id}",
    }
    return desk.page(seat, seat.base, template, status, **{**known, **told})


def counted(market_id: str) -> tuple[Board | None, list[Line]]:
    """The last count and its lines; where those have just gone, the count that took their place."""
    from chalicelib.flows import recount

    world = wiring.world()
    for _ in range(2):
        board = recount.watch(world, market_id)
        lines = [] if board is None else recount.lines(world, board)
        if lines is not None:
            return board, lines
    return None, []


def wanted(seat: Desk) -> tuple[Filter, int]:
    from chalicelib.domain.board import Filter
    from chalicelib.pages.board import MOST_SHOWN, SHOWN

    query = seat.query
    said = {name: query[name][:64] for name in Filter._fields if query.get(name)}
    limit = query.get("limit", "")
    is_count = limit.isascii() and limit.isdigit() and len(limit) < 6
    return Filter(**said), min(max(1, int(limit)), MOST_SHOWN) if is_count else SHOWN


def queue(seat: Desk, market_id: str) -> dict[str, Any]:
    from chalicelib.pages import board as pages

    zone, now = zone_of(market(market_id)), wiring.world().clock()
    asked, limit = wanted(seat)
    board, lines = counted(market_id)
    return {
        **pages.queue(board, lines, asked, limit, zone, now),
        **pages.choices(lines),
        "asked": asked._asdict(),
        "risk_words": {name: word for name, (word, _) in pages.RISKS.items()},
        "tag": tag_of(board),
        "order": None,
        "open_id": None,
    }


def tag_of(board: Board | None) -> str:
    return "none" if board is None else board.digest


def polled(seat: Desk, market_id: str) -> Response:
    """What has changed since the tag that the browser names: one reading, and nothing where nothing has."""
    from chalicelib.flows import recount
    from chalicelib.pages import board as pages

    board = recount.watch(wiring.world(), market_id)
    tag = f'"{tag_of(board)}"'
    if edge.header(seat.request, "if-none-match") == tag:
        return desk.unchanged(tag)
    zone, now = zone_of(market(market_id)), wiring.world().clock()
    asked, limit = wanted(seat)
    board, lines = counted(market_id)
    told = pages.queue(board, lines, asked, limit, zone, now)
    answer = page(seat, market_id, "Queue", "live.html", **told, open_id=None)
    answer.headers |= {"ETag": f'"{tag_of(board)}"', "Cache-Control": "private, no-cache"}
    return answer


def data(told: Mapping[str, Any], headers: Mapping[str, str]) -> Response:
    body = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    return Response(
        body, headers={"Content-Type": "application/json", "X-Content-Type-Options": "nosniff", **headers}
    )


# --- an order ---------------------------------------------------------------------------------------------------------


def order_of(market_id: str, order_id: str) -> Order:
    from chalicelib.flows import look

    order = look.any_order(wiring.world(), order_id)
    if order.market_id != market_id:
        raise Missing(f"no order {order_id!r}")
    return order


def order_page(
    seat: Desk,
    market_id: str,
    order_id: str,
    told: str = "",
    tone: str = "no",
    status: int = 200,
    private: Any = None,
) -> Response:
    from urllib.parse import urlencode

    from chalicelib.domain.board import Risk, risk_of
    from chalicelib.domain.order_views import view
    from chalicelib.flows import act, look, reveal
    from chalicelib.pages import board as pages
    from chalicelib.routes import disclosure

    world = wiring.world()
    order = order_of(market_id, order_id)
    zone, now = zone_of(market(market_id)), world.clock()
    pieces = look.evidence_of(world, order_id)
    risk = Risk(risk_of(order, now)).name.lower()
    asked, _ = wanted(seat)
    query = {name: value for name, value in asked._asdict().items() if value}
    word, sign = pages.RISKS[risk]
    known = {
        "order": view(order),
        "brand": order.brand_id,
        "hub": order.pick_up_name,
        "stopped": order.stopped if order.is_stopped(now) else None,
        "risk_name": risk,
        "risk_word": word,
        "sign": sign,
        "actions": pages.actions(order, now, zone),
        "timeline": pages.timeline(order, act.deeds_of(world, order_id), reveal.looks_of(world, order_id)),
        "piece": disclosure.piece(pieces[-1], whole=True) if pieces else None,
        "private": private,
        "told": told,
        "told_tone": tone,
        "query": "?" + urlencode(query) if query else "",
    }
    template = "order.html" if seat.is_part else "order_page.html"
    return page(seat, market_id, "Queue", template, status, **known)


def done(seat: Desk, market_id: str, order_id: str, deed: str, fields: Mapping[str, str]) -> Response:
    """The deed, and the order as it is after it; or as it is, and why the deed was not done."""
    from chalicelib.flows import act

    world, zone, who = wiring.world(), zone_of(market(market_id)), seat.who
    order_of(market_id, order_id)
    why = why_of(fields)
    try:
        version = edge.version_of(fields.get("if_match", ""))
        if deed == "look":
            seen = act.look_at(world, order_id, who, seat.session.let_in_by)
            return order_page(seat, market_id, order_id, private=seen)
        if deed == "hold":
            act.hold(world, order_id, version, moment(fields, "until", zone), who, why)
        elif deed == "redispatch":
            other = fields.get("not_this_courier") == "yes"
            act.redispatch(world, order_id, version, who, why, not_this_courier=other)
        elif deed == "send_again":
            from chalicelib.domain.shapes import Window

            start, end = moment(fields, "start", zone), moment(fields, "end", zone)
            if end <= start:
                raise Invalid("/end: the hours end after they begin", [Fault("/end", "after the beginning")])
            window = Window(start=start, end=end, time_zone=zone.key)
            act.send_again(world, order_id, version, window, who, why)
        else:
            plain = {
                "release": act.release,
                "cancel": act.cancel,
                "recall": act.recall,
                "send_digitally": act.send_digitally,
                "seen_back": act.seen_back,
                "received": act.received,
            }
            if deed not in plain:
                raise Missing(f"nothing is called {deed!r}")
            plain[deed](world, order_id, version, who, why)
    except Refused as error:
        if not desk.wants_page(seat.request):
            raise
        return order_page(seat, market_id, order_id, f"Not done: {error.detail}.", "no", error.status)
    if not desk.wants_page(seat.request) or seat.is_part:
        return order_page(seat, market_id, order_id, "Done, and noted in the log.", "yes")
    return desk.away(f"{seat.base}/board/{market_id}/orders/{order_id}")


def why_of(fields: Mapping[str, str]) -> str:
    why = fields.get("why", "").strip()
    if len(why) > 300:
        raise Invalid("/why: at most 300 characters were expected", [Fault("/why", "at most 300 characters")])
    return why


def moment(fields: Mapping[str, str], name: str, zone: ZoneInfo) -> datetime:
    """A local time of the market, as a browser's field says it."""
    try:
        return datetime.strptime(fields.get(name, ""), "%Y-%m-%dT%H:%M").replace(tzinfo=zone)
    except ValueError:
        detail = "a day and an hour were expected, such as 2022-04-11T14:30"
        raise Malformed(f"/{name}: {detail}") from None


# --- couriers and questions -------------------------------------------------------------------------------------------


def couriers(seat: Desk, market_id: str) -> Response:
    from chalicelib.domain import facts
    from chalicelib.flows import draw
    from chalicelib.pages import couriers as pages

    world = wiring.world()
    market(market_id)
    _, lines = counted(market_id)
    fleet = facts.load_fleet(world.table, market_id)
    policies = draw.policies(world, market_id)
    told = pages.told(fleet, policies, lines, world.clock())
    return page(seat, market_id, "Couriers", "couriers.html", **told, told="")


def question(seat: Desk, market_id: str, fields: Mapping[str, str], error: Refused | None = None) -> Response:
    from chalicelib.flows import draw

    world = wiring.world()
    versions = draw.versions(world, market_id)
    names = ("zone_id", "district", "compound", "corners", "policy", "level", "at")
    return page(
        seat,
        market_id,
        "What if",
        "whatif.html",
        200 if error is None else error.status,
        asked={name: fields.get(name, "") for name in names},
        policies=sorted(versions[0].policies) if versions else [],
        version_list=versions[0].digest if versions else "",
        levels=LEVELS,
        once=world.token()[:22],
        since=world.clock().isoformat(),
        told="" if error is None else f"{error.detail}.",
    )
