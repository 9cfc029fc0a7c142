"""What a brand calls to give one gift to many: plan it, place it, pause it, call it off, and read what became of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chalice.app import Blueprint, Response

from chalicelib import edge, wiring
from chalicelib.domain.keys import Role
from chalicelib.routes import cursors
from chalicelib.routes.calling import caller
from chalicelib.routes.lists import KINDS, TABLE, RowsOf, table

if TYPE_CHECKING:
    from chalicelib.domain.campaigns import Campaign
    from chalicelib.domain.ports import World


def blueprint(authorizer: Any) -> Blueprint:
    """The routes, behind that authorizer."""
    bp = Blueprint("campaigns")

    @bp.route("/v1/campaigns", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def mount_campaign() -> Response:
        from chalicelib.domain.campaigns import NewCampaign  # here and below: importing the app stays small
        from chalicelib.flows import mount

        request, world = bp.current_request, wiring.world()
        brand = caller(request, Role.BRAND).owner
        key = edge.idempotency_key(request)
        campaign = mount.mount(world, brand, key, edge.body_of(request, NewCampaign))
        return _shown(world, campaign, 202, {"Location": f"/v1/campaigns/{campaign.campaign_id}"})

    @bp.route("/v1/campaigns", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def list_campaigns() -> Response:
        from chalicelib.domain.campaigns import CampaignPage
        from chalicelib.flows import mount

        request, world = bp.current_request, wiring.world()
        brand = caller(request, Role.BRAND).owner
        limit = edge.query_of(request, cursors.PageOf).limit
        after = cursors.after(world, scope := f"campaigns|{brand}", request)
        found, more = mount.campaigns_of(world, brand, limit, after)
        cursor = cursors.following(world, scope, more)
        data = tuple(mount.view(world, campaign) for campaign in found)
        return edge.answer(CampaignPage(data=data, has_more=more is not None, next_cursor=cursor))

    @bp.route("/v1/campaigns/{campaign_id}", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def get_campaign(campaign_id: str) -> Response:
        from chalicelib.flows import mount

        world, brand = wiring.world(), caller(bp.current_request, Role.BRAND).owner
        return _shown(world, mount.campaign_of(world, brand, campaign_id))

    @bp.route("/v1/campaigns/{campaign_id}/plan", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def plan_campaign(campaign_id: str) -> Response:
        from chalicelib.flows import mount

        return _told(bp.current_request, campaign_id, mount.plan_again)

    @bp.route("/v1/campaigns/{campaign_id}/place", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def place_campaign(campaign_id: str) -> Response:
        from chalicelib.flows import mount

        return _told(bp.current_request, campaign_id, mount.place)

    @bp.route("/v1/campaigns/{campaign_id}/pause", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def pause_campaign(campaign_id: str) -> Response:
        from chalicelib.flows import mount

        return _told(bp.current_request, campaign_id, mount.pause)

    @bp.route("/v1/campaigns/{campaign_id}/cancel", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def cancel_campaign(campaign_id: str) -> Response:
        from chalicelib.domain.campaigns import Calling
        from chalicelib.flows import mount

        request, world = bp.current_request, wiring.world()
        brand = caller(request, Role.BRAND).owner
        version, how = edge.if_match(request), edge.body_of(request, Calling)
        return _shown(world, mount.call_off(world, brand, campaign_id, version, how), 202)

    @bp.route("/v1/campaigns/{campaign_id}/clients", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def list_campaign_clients(campaign_id: str) -> Response:
        from chalicelib.domain.campaigns import OutcomePage
        from chalicelib.flows import mount, sum_up

        request, world = bp.current_request, wiring.world()
        brand = caller(request, Role.BRAND).owner
        campaign = mount.campaign_of(world, brand, campaign_id)
        rows = edge.query_of(request, RowsOf).rows
        start = int(cursors.after(world, scope := f"campaign|{campaign_id}", request) or 0)
        found, more = sum_up.outcomes(world, campaign, rows, start)
        cursor = cursors.following(world, scope, more)
        if edge.preferred(request, KINDS) == TABLE:
            names = ("client", "foreseen", "order_id", "state", "tier", "reasons")
            told = [
                (one.client, one.foreseen, one.order_id, one.state, _tier(one.tier), " ".join(one.reasons))
                for one in found
            ]
            return table(names, told, cursor)
        page = OutcomePage(
            campaign_id=campaign_id, data=tuple(found), has_more=more is not None, next_cursor=cursor
        )
        return edge.answer(page, headers={"Vary": "Accept"})

    @bp.route("/v1/campaigns/{campaign_id}/report", methods=["POST"], authorizer=authorizer)
    @edge.spoken
    def ask_campaign_report(campaign_id: str) -> Response:
        from chalicelib.flows import mount

        world, brand = wiring.world(), caller(bp.current_request, Role.BRAND).owner
        return edge.answer(mount.ask_report(world, mount.campaign_of(world, brand, campaign_id)), 202)

    @bp.route("/v1/campaigns/{campaign_id}/report", methods=["GET"], authorizer=authorizer)
    @edge.spoken
    def get_campaign_report(campaign_id: str) -> Response:
        from chalicelib.flows import mount

        request, world = bp.current_request, wiring.world()
        brand = caller(request, Role.BRAND).owner
        report = mount.report_of(world, mount.campaign_of(world, brand, campaign_id))
        if edge.preferred(request, KINDS) == TABLE:
            from chalicelib.domain.tallies import as_rows

            return table(("by", "name", "outcome", "count"), as_rows(report.tally), None)
        return edge.answer(report, headers={"Vary": "Accept"})

    return bp


def _told(request: Any, campaign_id: str, do: Callable[[World, str, str, int], Campaign]) -> Response:
    world, brand = wiring.world(), caller(request, Role.BRAND).owner
    return _shown(world, do(world, brand, campaign_id, edge.if_match(request)), 202)


def _shown(
    world: World, campaign: Campaign, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    from chalicelib.flows import mount

    etag = {"ETag": f'"v{campaign.version}"'}
    return edge.answer(mount.view(world, campaign), status, {**etag, **(headers or {})})


def _tier(tier: Any) -> str | None:
    return None if tier is None else str(tier.name).lower()
