"""Follow the campaigns of a market, as its board does: what the last count says, and what that misses, asked for."""

from __future__ import annotations

from chalicelib.domain.board import Watched
from chalicelib.domain.campaign_rows import report_key, report_of_row
from chalicelib.domain.campaigns import Campaign
from chalicelib.domain.errors import Missing
from chalicelib.domain.ports import Row, World
from chalicelib.domain.progress import (
    LOOKED,
    Campaigns,
    Progress,
    Standing,
    campaigns_key,
    looked_key,
    progress_of,
    standings,
)
from chalicelib.flows import enlist, mount, recount


def watch(world: World, market_id: str) -> Campaigns | None:
    """The last count of campaigns, a new one asked for with the board's if that is old: four rows, and where a report
    is due one write in a minute beside what the board's own polls write. None: nobody has counted yet. Raises
    `Missing` for a market that is not here."""
    recount.watch(world, market_id)
    key, looked = campaigns_key(market_id), looked_key(market_id)
    rows = {row.key: row for row in world.table.get_many([key, looked])}
    if key not in rows:
        return None
    campaigns = Campaigns.model_validate_json(rows[key].body)
    due = [one for one in campaigns.progress if one.wants_report(world.clock())]
    if due and _is_time(world, rows.get(looked)) and recount.is_first(world, looked, rows.get(looked)):
        for one in due:
            try:
                mount.ask_report(world, mount.campaign_of(world, one.brand, one.campaign_id))
            except Missing:
                continue  # it has lapsed since it was counted
    return campaigns


def _is_time(world: World, looked: Row | None) -> bool:
    """Nobody has looked whether reports are due within this minute."""
    return looked is None or world.clock() - Watched.model_validate_json(looked.body).asked_at >= LOOKED


def progress_now(world: World, market_id: str, campaign: Campaign) -> Progress:
    """That campaign as it is now, beside the gifts as they were counted last."""
    market = enlist.market(world, market_id)
    board = recount.watch(world, market_id)
    lines = (None if board is None else recount.lines(world, board)) or []
    row = world.table.get(report_key(campaign.campaign_id))
    report = None if row is None else report_of_row(row).report
    now = standings(lines).get(campaign.campaign_id, Standing())
    return progress_of(campaign, mount.progress(world, campaign), now, report, market.time_zone)
