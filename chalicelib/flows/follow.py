"""Follow the campaigns of a market, as its board does: what the last count says, and what that misses, asked for."""

from __future__ import annotations

from chalicelib.domain.board import Board, Watched
from chalicelib.domain.campaign_rows import report_key, report_of_row
from chalicelib.domain.campaigns import Campaign
from chalicelib.domain.errors import Lost, Missing
from chalicelib.domain.ports import Keep, Row, World
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


def watch(world: World, market_id: str) -> tuple[Board | None, Campaigns | None]:
    """The last count of gifts and of campaigns, new ones asked for if they are old: four rows, and where a report is
    due one write in a minute beside what the board's own polls write. None: nobody has counted yet. Raises `Missing`
    for a market that is not here."""
    board = recount.watch(world, market_id)
    key, looked = campaigns_key(market_id), looked_key(market_id)
    rows = {row.key: row for row in world.table.get_many([key, looked])}
    if key not in rows:
        return board, None
    campaigns = Campaigns.model_validate_json(rows[key].body)
    due = [one for one in campaigns.progress if one.wants_report(world.clock())]
    if due and _is_first(world, rows.get(looked), market_id):
        for one in due:
            try:
                mount.ask_report(world, mount.campaign_of(world, one.brand, one.campaign_id))
            except Missing:
                continue  # it has lapsed since it was counted
    return board, campaigns


def _is_first(world: World, row: Row | None, market_id: str) -> bool:
    """True for the one of all who look who asks for reports in this minute."""
    now = world.clock()
    if row is not None and now - Watched.model_validate_json(row.body).asked_at < LOOKED:
        return False
    version = 0 if row is None else row.version
    kept = Row(looked_key(market_id), version + 1, Watched(asked_at=now).model_dump_json())
    try:
        world.table.write(Keep(kept, was=version or None))
    except Lost:
        return False
    return True


def progress_now(world: World, market_id: str, campaign: Campaign) -> Progress:
    """That campaign as it is now, beside the gifts as they were counted last."""
    market = enlist.market(world, market_id)
    board = recount.watch(world, market_id)
    lines = (None if board is None else recount.lines(world, board)) or []
    row = world.table.get(report_key(campaign.campaign_id))
    report = None if row is None else report_of_row(row).report
    now = standings(lines).get(campaign.campaign_id, Standing())
    return progress_of(campaign, mount.progress(world, campaign), now, report, market.time_zone)
