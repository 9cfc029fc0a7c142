"""Review the campaigns of a market for its board: how far each is, counted after the gifts. Moves none.

A count costs the campaigns of the days that matter and, of each that is under way, its lanes: nothing of a client is
read. What has ended is counted by the campaign's own report, and that only while somebody looks at campaigns.
"""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.domain.board import Line
from chalicelib.domain.campaign_rows import (
    campaign_key,
    campaign_of_row,
    days_collection,
    report_key,
    report_of_row,
)
from chalicelib.domain.campaigns import Campaign
from chalicelib.domain.errors import Lost
from chalicelib.domain.places import Market
from chalicelib.domain.ports import Keep, Row, World
from chalicelib.domain.progress import (
    Campaigns,
    Standing,
    campaigns_key,
    counted,
    progress_of,
    since,
    standings,
)
from chalicelib.domain.retention import is_gone
from chalicelib.domain.shapes import zone_info
from chalicelib.flows import mount

MOST = 500
"""Campaigns of one market that are read for one count."""


def review(world: World, market: Market, lines: Iterable[Line]) -> None:
    """How far the market's campaigns are, beside these lines of its gifts; written when that has changed."""
    campaigns = _campaigns(world, market)
    reports = world.table.get_many([report_key(one.campaign_id) for one in campaigns]) if campaigns else []
    told = {row.key: report_of_row(row).report for row in reports}
    stand = standings(lines)
    found = counted(
        progress_of(
            one,
            mount.progress(world, one),
            stand.get(one.campaign_id, Standing()),
            told.get(report_key(one.campaign_id)),
            market.time_zone,
        )
        for one in campaigns
    )
    key = campaigns_key(market.market_id)
    before = world.table.get(key)
    if before is not None and Campaigns.model_validate_json(before.body).digest == found.digest:
        return
    version = 0 if before is None else before.version
    try:
        world.table.write(
            Keep(Row(key, version + 1, found.model_dump_json(exclude_defaults=True)), was=version or None)
        )
    except Lost:
        return  # another count was quicker, and is as good


def _campaigns(world: World, market: Market) -> list[Campaign]:
    now = world.clock()
    first = since(now.astimezone(zone_info(market.time_zone)).date())
    named = world.table.read(days_collection(market.market_id), after=first, limit=MOST).rows
    keys = [campaign_key(row.key.sk.partition("#")[2]) for row in named]
    rows = world.table.get_many(keys) if keys else []
    return [campaign_of_row(row) for row in rows if not is_gone(row.expires_at, now)]
