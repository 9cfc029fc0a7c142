"""One step of a campaign: a page of it, and what begins when the last page of a task is done.

Which task goes on is read off the campaign's row; a lane of a task that is no longer the campaign's does nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from chalicelib.domain.campaign_rows import (
    campaign_key,
    campaign_of_row,
    campaign_row,
    collection,
    lapses,
    report_key,
    report_of_row,
)
from chalicelib.domain.campaigns import Campaign, CampaignReport, CampaignState
from chalicelib.domain.errors import Lost
from chalicelib.domain.lanes import Lane
from chalicelib.domain.ports import Change, Keep, Row, World
from chalicelib.domain.tallies import summed
from chalicelib.flows import call_off, foresee, gather, place_all, sum_up, walk
from chalicelib.flows.mount import GATHER, PLACE, REPORT, cancel_task, note, plan_task
from chalicelib.flows.walk import Walked

GRACE = timedelta(minutes=6)
"""After so long no run that was placing when a campaign was called off can still be at it: none lives longer than five
minutes. What such a run has placed is cancelled by the second time through."""

Page = Callable[[World, Campaign, Lane], Walked]


def step(world: World, campaign_id: str, task: str, number: int, at: int) -> None:
    """The next page of that lane; the same again, or of a task that is over, is nothing."""
    owner = collection(campaign_id)
    lane = walk.lane_at(world, owner, task, number, at)
    row = world.table.get(campaign_key(campaign_id))
    if lane is None or row is None:
        return
    campaign = campaign_of_row(row)
    page = _page_of(campaign, task)
    if page is None:
        return
    if not lane.is_done:
        after = walk.stepped(world, lane, page(world, campaign, lane), lapses(campaign))
        if after is None or not after.is_done:
            return
    lanes = walk.all_done(world, owner, task)
    if lanes is not None:
        _end(world, campaign, task, lanes)


def _page_of(campaign: Campaign, task: str) -> Page | None:
    """What that task does with a page, if it is the one that the campaign is at."""
    if task == REPORT:
        return sum_up.page
    pages: dict[tuple[CampaignState, str], Page] = {
        (CampaignState.GATHERING, GATHER): gather.page,
        (CampaignState.PLANNING, plan_task(campaign)): foresee.page,
        (CampaignState.PLACING, PLACE): place_all.page,
        (CampaignState.CANCELLING, cancel_task(1)): call_off.page,
        (CampaignState.CANCELLING, cancel_task(2)): call_off.page,
    }
    return pages.get((campaign.state, task))


def _end(world: World, campaign: Campaign, task: str, lanes: list[Lane]) -> None:
    tally = summed(lane.tally for lane in lanes)
    if task == GATHER:
        pages = lanes[0].beside if lanes[0].pages is None else lanes[0].pages
        clients = tally.outcomes.get("listed", 0)
        _turn(
            world, campaign, lanes, CampaignState.PLANNING, plan_task(campaign),
            clients=clients, pages=pages, gathered=tally,
        )  # fmt: skip
    elif task == PLACE:
        _turn(world, campaign, lanes, CampaignState.PLACED, None, placed=tally)
    elif task == cancel_task(1):
        _turn(world, campaign, lanes, CampaignState.CANCELLING, cancel_task(2), called_off=tally)
    elif task == cancel_task(2):
        _turn(world, campaign, lanes, CampaignState.CANCELLED, None, called_off=tally)
    elif task == REPORT:
        _end_report(world, campaign, lanes, CampaignReport(as_of=world.clock(), tally=tally))
    else:
        plan = foresee.plan_of(world, campaign, tally, no_message=sum(lane.beside for lane in lanes))
        at_once = campaign.at_once and campaign.round == 1
        state = CampaignState.PLACING if at_once else CampaignState.PLANNED
        _turn(world, campaign, lanes, state, PLACE if at_once else None, plan=plan)


def _turn(
    world: World,
    campaign: Campaign,
    lanes: list[Lane],
    state: CampaignState,
    task: str | None,
    **changes: object,
) -> None:
    """The campaign in its next state, the lanes that ended gone and the next ones there; once."""
    now, owner = world.clock(), collection(campaign.campaign_id)
    told = {**changes, "state": state, "version": campaign.version + 1}
    if state is not campaign.state:
        told["state_since"] = now
    after = campaign.model_copy(update=told)
    later = now + GRACE if task == cancel_task(2) else None
    begun = [] if task is None else walk.begun(owner, task, after.pages, now, lapses(after), later)
    changed: list[Change] = [Keep(campaign_row(after), was=campaign.version), *walk.over(lanes), *begun]
    try:
        world.table.write(*changed)
    except Lost:
        return  # somebody has seen the same
    note(world, after)
    if task is not None and later is None:
        walk.nudge(world, owner, task)


def _end_report(world: World, campaign: Campaign, lanes: list[Lane], report: CampaignReport) -> None:
    row = world.table.get(report_key(campaign.campaign_id))
    if row is None:
        return
    told = report_of_row(row).model_copy(update={"report": report})
    kept = Row(row.key, row.version + 1, told.model_dump_json(exclude_none=True), expires_at=lapses(campaign))
    try:
        world.table.write(Keep(kept, was=row.version), *walk.over(lanes))
    except Lost:
        return
    world.log("campaign_reported", campaign=campaign.campaign_id, clients=report.tally.clients)
