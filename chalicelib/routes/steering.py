"""The board's campaigns: what their pages are told, and what comes of a dispatcher's forms about one."""

from __future__ import annotations

from collections.abc import Mapping

from chalice.app import Response

from chalicelib import edge, wiring
from chalicelib.domain.campaigns import Calling, Campaign, CampaignState, Kept
from chalicelib.domain.errors import Fault, Invalid, Missing, Refused
from chalicelib.flows import follow, mount, steer
from chalicelib.pages import campaigns as pages
from chalicelib.routes import desk, showing
from chalicelib.routes.desk import Desk

TAB = "Campaigns"


def listed(seat: Desk, market_id: str) -> Response:
    zone, now = showing.zone_of(showing.market(market_id)), wiring.world().clock()
    found = follow.watch(wiring.world(), market_id)
    return showing.page(seat, market_id, TAB, "campaigns.html", **pages.told(found, zone, now))


def polled(seat: Desk, market_id: str) -> Response:
    """What has changed since the tag that the browser names: two readings, and nothing where nothing has."""
    found = follow.watch(wiring.world(), market_id)
    tag = f'"{"none" if found is None else found.digest}"'
    if edge.header(seat.request, "if-none-match") == tag:
        return desk.unchanged(tag)
    zone, now = showing.zone_of(showing.market(market_id)), wiring.world().clock()
    answer = showing.page(seat, market_id, TAB, "campaigns_live.html", **pages.told(found, zone, now))
    answer.headers |= {"ETag": tag, "Cache-Control": "private, no-cache"}
    return answer


def shown(
    seat: Desk, market_id: str, campaign: Campaign, told: str = "", tone: str = "no", status: int = 200
) -> Response:
    world = wiring.world()
    zone, now = showing.zone_of(showing.market(market_id)), world.clock()
    one = follow.progress_now(world, market_id, campaign)
    is_placed = campaign.placed is not None
    tally = campaign.placed if is_placed else None if campaign.plan is None else campaign.plan.tally
    if campaign.state in (CampaignState.PLACING, CampaignState.PAUSED):
        is_placed, tally = True, mount.progress(world, campaign)
    return showing.page(
        seat,
        market_id,
        TAB,
        "campaign.html" if seat.is_part else "campaign_page.html",
        status,
        campaign=campaign,
        one=one,
        bar=pages.bar(one, zone, now),
        audience=pages.audience(campaign.audience),
        reasons=pages.reasons(tally),
        reasons_of="Who was refused, and why" if is_placed else "Who would wait or could not, and why",
        actions=pages.actions(campaign),
        deeds=pages.done(steer.deeds_of(world, campaign.campaign_id)),
        told=told,
        told_tone=tone,
    )


def done(seat: Desk, market_id: str, campaign_id: str, deed: str, fields: Mapping[str, str]) -> Response:
    """The deed, and the campaign as it is after it; or as it is, and why the deed was not done."""
    world, who = wiring.world(), seat.who
    steer.campaign_at(world, market_id, campaign_id)
    try:
        why = showing.why_of(fields)
        version = edge.version_of(fields.get("if_match", ""))
        if deed == "pause":
            after = steer.pause(world, market_id, campaign_id, version, who, why)
        elif deed == "proceed":
            after = steer.proceed(world, market_id, campaign_id, version, who, why)
        elif deed == "call_off":
            after = steer.call_off(world, market_id, campaign_id, version, _calling(fields), who, why)
        else:
            raise Missing(f"nothing is called {deed!r}; pause, proceed or call_off was expected")
    except Refused as error:
        if not desk.wants_page(seat.request):
            raise
        now = steer.campaign_at(world, market_id, campaign_id)
        return shown(seat, market_id, now, f"Not done: {error.detail}.", "no", error.status)
    if not desk.wants_page(seat.request) or seat.is_part:
        return shown(seat, market_id, after, "Done, and noted here.", "yes")
    return desk.away(f"{seat.base}/board/{market_id}/campaigns/{campaign_id}")


def _calling(fields: Mapping[str, str]) -> Calling:
    said = fields.get("orders", "")
    if said not in (Kept.KEPT.value, Kept.CANCELLED.value):
        detail = "kept or cancelled was expected"
        raise Invalid(f"/orders: {detail}", [Fault("/orders", detail, said[:20])])
    return Calling(orders=Kept(said))
