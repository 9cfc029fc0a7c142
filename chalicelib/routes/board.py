"""The board: what a dispatcher sees of a market, and does about it. Pages for people, and what their scripts fetch."""

from __future__ import annotations

from functools import partial
from typing import Any

from chalice.app import Blueprint, Response

from chalicelib import edge, wiring
from chalicelib.domain.errors import Missing, Refused
from chalicelib.routes import desk, showing
from chalicelib.routes.desk import FORM, shown


def blueprint() -> Blueprint:
    """The routes; who is signed in is read off the cookie."""
    bp = Blueprint("board")

    def ask() -> Any:
        return bp.current_request

    @bp.route("/board", methods=["GET"])
    @shown(ask)
    def choose_market() -> Response:
        from chalicelib.flows import enlist

        seat = desk.seated(bp.current_request)
        markets = [one for one in enlist.markets(wiring.world()) if seat.session.sees(one.market_id)]
        if len(markets) == 1:
            return desk.away(f"{seat.base}/board/{markets[0].market_id}")
        return desk.page(seat, seat.base, "markets.html", markets=markets)

    @bp.route("/board/{market_id}", methods=["GET"])
    @shown(ask)
    def show_queue(market_id: str) -> Response:
        seat = desk.seated(bp.current_request)
        return showing.page(seat, market_id, "Queue", "queue.html", **showing.queue(seat, market_id))

    @bp.route("/board/{market_id}/queue", methods=["GET"])
    @shown(ask)
    def poll_queue(market_id: str) -> Response:
        seat = desk.seated(bp.current_request)
        return showing.polled(seat, market_id)

    @bp.route("/board/{market_id}/gifts", methods=["GET"])
    @shown(ask)
    def get_gifts(market_id: str) -> Response:
        seat = desk.seated(bp.current_request)
        board, lines = showing.counted(market_id)
        tag = f'"{board.digest}"' if board is not None else '"none"'
        if edge.header(seat.request, "if-none-match") == tag:
            return desk.unchanged(tag)
        from chalicelib.pages.places import gifts

        return showing.data(
            gifts(lines, showing.market(market_id)), {"ETag": tag, "Cache-Control": "private, no-cache"}
        )

    # --- one order ------------------------------------------------------------------------------------------

    @bp.route("/board/{market_id}/orders/{order_id}", methods=["GET"])
    @shown(ask)
    def show_order(market_id: str, order_id: str) -> Response:
        seat = desk.seated(bp.current_request)
        return showing.order_page(seat, market_id, order_id)

    @bp.route("/board/{market_id}/orders/{order_id}/evidence", methods=["GET"])
    @shown(ask)
    def show_evidence(market_id: str, order_id: str) -> Response:
        from chalicelib.flows import look
        from chalicelib.routes.brands import evidence_page

        desk.seated(bp.current_request)
        order = showing.order_of(market_id, order_id)
        pieces = look.evidence_of(wiring.world(), order_id)
        return evidence_page(desk.HTML, order, pieces, whole=True)

    @bp.route("/board/{market_id}/orders/{order_id}/{deed}", methods=["POST"], content_types=[FORM])
    @shown(ask)
    def act_on_order(market_id: str, order_id: str, deed: str) -> Response:
        seat = desk.seated(bp.current_request)
        fields = desk.posted(seat)
        return showing.done(seat, market_id, order_id, deed, fields)

    # --- the market -----------------------------------------------------------------------------------------

    @bp.route("/board/{market_id}/map", methods=["GET"])
    @shown(ask)
    def show_map(market_id: str) -> Response:
        from chalicelib.flows import draw

        seat = desk.seated(bp.current_request)
        told = draw.versions(wiring.world(), market_id)
        listed = ",".join(pointer.digest for pointer in told)
        return showing.page(
            seat, market_id, "Map", "map.html", versions=told, version_list=listed, levels=showing.LEVELS
        )

    @bp.route("/board/{market_id}/zones/{digest}/{number}", methods=["GET"])
    @shown(ask)
    def get_zones(market_id: str, digest: str, number: str) -> Response:
        from chalicelib.flows import draw

        desk.seated(bp.current_request)
        if not (number.isascii() and number.isdigit() and len(number) < 6):
            raise Missing(f"parts are numbered from 1, got {number[:20]!r}")
        parts, zones = draw.part(wiring.world(), market_id, digest, int(number))
        return showing.data(
            {"parts": parts, "zones": zones}, {"Cache-Control": "private, max-age=86400, immutable"}
        )

    # --- campaigns ------------------------------------------------------------------------------------------

    @bp.route("/board/{market_id}/campaigns", methods=["GET"])
    @shown(ask)
    def show_campaigns(market_id: str) -> Response:
        from chalicelib.routes import steering  # here and below: importing the app stays small

        return steering.listed(desk.seated(bp.current_request), market_id)

    @bp.route("/board/{market_id}/progress", methods=["GET"])
    @shown(ask)
    def poll_campaigns(market_id: str) -> Response:
        from chalicelib.routes import steering

        return steering.polled(desk.seated(bp.current_request), market_id)

    @bp.route("/board/{market_id}/campaigns/{campaign_id}", methods=["GET"])
    @shown(ask)
    def show_campaign(market_id: str, campaign_id: str) -> Response:
        from chalicelib.flows import steer
        from chalicelib.routes import steering

        seat = desk.seated(bp.current_request)
        found = steer.campaign_at(wiring.world(), market_id, campaign_id)
        return steering.shown(seat, market_id, found)

    @bp.route("/board/{market_id}/campaigns/{campaign_id}/{deed}", methods=["POST"], content_types=[FORM])
    @shown(ask)
    def act_on_campaign(market_id: str, campaign_id: str, deed: str) -> Response:
        from chalicelib.routes import steering

        seat = desk.seated(bp.current_request)
        fields = desk.posted(seat)
        return steering.done(seat, market_id, campaign_id, deed, fields)

    # --- the fleet ------------------------------------------------------------------------------------------

    @bp.route("/board/{market_id}/couriers", methods=["GET"])
    @shown(ask)
    def show_couriers(market_id: str) -> Response:
        return showing.couriers(desk.seated(bp.current_request), market_id)

    @bp.route("/board/{market_id}/couriers/{courier_id}/{deed}", methods=["POST"], content_types=[FORM])
    @shown(ask)
    def act_on_courier(market_id: str, courier_id: str, deed: str) -> Response:
        from chalicelib.flows import oversee

        seat = desk.seated(bp.current_request)
        why = showing.why_of(desk.posted(seat))
        if deed not in ("suspend", "resume"):
            raise Missing(f"nothing is called {deed!r}; suspend or resume was expected")
        suspended = deed == "suspend"
        oversee.suspend(wiring.world(), market_id, courier_id, seat.who, suspended=suspended, why=why)
        return desk.away(f"{seat.base}/board/{market_id}/couriers")

    @bp.route("/board/{market_id}/suspicions", methods=["GET"])
    @shown(ask)
    def show_suspicions(market_id: str) -> Response:
        from chalicelib.flows import suspect

        seat = desk.seated(bp.current_request)
        found = suspect.suspicions(wiring.world(), market_id)
        return showing.page(seat, market_id, "Suspicions", "suspicions.html", suspicions=found, told="")

    @bp.route("/board/{market_id}/suspicions/{suspicion_id}/dismiss", methods=["POST"], content_types=[FORM])
    @shown(ask)
    def dismiss(market_id: str, suspicion_id: str) -> Response:
        from chalicelib.flows import oversee

        seat = desk.seated(bp.current_request)
        why = showing.why_of(desk.posted(seat))
        oversee.dismiss(wiring.world(), market_id, suspicion_id, seat.who, why)
        return desk.away(f"{seat.base}/board/{market_id}/suspicions")

    @bp.route("/board/{market_id}/log", methods=["GET"])
    @shown(ask)
    def show_log(market_id: str) -> Response:
        from chalicelib.flows import oversee, recount

        seat, world = desk.seated(bp.current_request), wiring.world()
        board = recount.watch(world, market_id)
        deeds = oversee.deeds(world, market_id)
        letters = {} if board is None else board.letters
        return showing.page(seat, market_id, "Log", "log.html", deeds=deeds, letters=letters)

    # --- what if --------------------------------------------------------------------------------------------

    @bp.route("/board/{market_id}/whatif", methods=["GET"])
    @shown(ask)
    def show_question(market_id: str) -> Response:
        seat = desk.seated(bp.current_request)
        return showing.question(seat, market_id, dict(seat.query))

    @bp.route("/board/{market_id}/whatif", methods=["POST"], content_types=[FORM])
    @shown(ask)
    def ask_what_if(market_id: str) -> Response:
        from chalicelib.domain.whatif import key_of, question_of
        from chalicelib.flows import draw, inquire

        seat = desk.seated(bp.current_request)
        fields = desk.posted(seat, acts=False)  # nothing is touched by asking
        zone = showing.zone_of(showing.market(market_id))
        try:
            fields["at"] = showing.moment(fields, "at", zone).isoformat() if fields.get("at") else ""
            find = partial(draw.zone, wiring.world(), market_id)
            question, raw = question_of(fields, wiring.world().clock().isoformat(), find)
            owner = f"board-{seat.who}"[:64]
            asked = inquire.ask(wiring.world(), market_id, owner, key_of(fields), question, raw, True)
        except Refused as error:
            if not desk.wants_page(seat.request):
                raise
            return showing.question(seat, market_id, fields, error)
        return desk.away(f"{seat.base}/board/{market_id}/whatif/{asked.impact_id}")

    @bp.route("/board/{market_id}/whatif/{impact_id}", methods=["GET"])
    @shown(ask)
    def show_impact(market_id: str, impact_id: str) -> Response:
        from chalicelib.domain.whatif import said
        from chalicelib.flows import inquire

        seat, world = desk.seated(bp.current_request), wiring.world()
        impact = inquire.impact_of(world, market_id, impact_id, None)
        orders, more = inquire.affected(world, impact, 100, 0) if impact.is_over else ([], None)
        _, lines = showing.counted(market_id)
        told: dict[str, Any] = {
            "impact": impact,
            "changes": [] if seat.is_part else said(inquire.amendment(world, impact) or {}),
            "orders": orders,
            "levels": showing.LEVELS,
            "has_more": more is not None,
            "names": {line.order_id: line.reference for line in lines},
            "tones": {
                "stranded": "stranded",
                "held": "held",
                "recalled": "astray",
                "loses_slot": "short",
                "fails_anyway": "short",
            },
        }
        template = "impact_part.html" if seat.is_part else "impact.html"
        return showing.page(seat, market_id, "What if", template, **told)

    return bp
