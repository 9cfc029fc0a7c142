"""Mount a campaign, tell it to plan, to place, to pause, and call it off; and read how far it is.

Each is one conditional write of the campaign's row, with the lanes that end and begin by it. What a run does that was
under way at that moment is no step of a lane any more: it counts for nothing, and what it has placed is found by the
ids of the orders, which follow from campaign and client.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from chalicelib.domain.campaign_rows import (
    campaign_key,
    campaign_of_row,
    campaign_row,
    collection,
    day_row,
    lapses,
    page_key,
    report_key,
    report_of_row,
    seal_contact,
    shelf,
)
from chalicelib.domain.campaigns import (
    LATEST,
    Calling,
    Campaign,
    CampaignReport,
    CampaignState,
    CampaignView,
    Kept,
    NewCampaign,
    Reporting,
    campaign_id_of,
    skipped,
    span_of,
)
from chalicelib.domain.errors import Clashing, Delayed, Fault, Invalid, Lost, Missing, Stale
from chalicelib.domain.lanes import PATIENCE
from chalicelib.domain.lists import PAGE, ListState, members_row
from chalicelib.domain.orders import fingerprint_of
from chalicelib.domain.places import Market
from chalicelib.domain.ports import Change, Keep, Row, World
from chalicelib.domain.retention import is_gone
from chalicelib.domain.shapes import zone_info
from chalicelib.domain.tallies import Tally, summed
from chalicelib.flows import enlist, take_in, walk
from chalicelib.flows.place import closed, outside

GATHER, PLACE, REPORT = "gather", "place", "report"
TRIES = 8
"""Lanes move on while somebody tells them to rest: as often it is tried again."""
RUNNING = 20
"""Campaigns of one brand that are under way at a time."""
ENDED = frozenset({CampaignState.PLACED, CampaignState.CANCELLED})


class Turn(NamedTuple):
    """What a wish makes of a campaign."""

    after: Campaign
    changes: Sequence[Change]
    task: str | None
    """That is nudged when it is written."""


def plan_task(campaign: Campaign) -> str:
    return f"plan-{campaign.round}"


def cancel_task(time: int) -> str:
    return f"cancel-{time}"


# --- mounting -----------------------------------------------------------------------------------------------


def mount(world: World, brand_id: str, idempotency_key: str, new: NewCampaign) -> Campaign:
    """A new campaign, or the one that the same request began. Raises `Invalid` for what cannot be placed on that day in
    that market, or when the key was used with another body, and `Clashing` for one campaign too many."""
    campaign_id = campaign_id_of(brand_id, idempotency_key)
    fingerprint = fingerprint_of(idempotency_key, new)
    row = world.table.get(campaign_key(campaign_id))
    if row is not None:
        return _repeated(world, campaign_of_row(row), fingerprint)
    now = world.clock()
    market = _market(world, new)
    faults = _faults(world, brand_id, new, market, now)
    if faults:
        raise Invalid(f"{faults[0].pointer}: {faults[0].detail}", faults)
    _check_running(world, brand_id)
    members = new.audience.clients
    campaign = Campaign(
        campaign_id=campaign_id,
        brand_id=brand_id,
        market_id=market.market_id,
        reference=new.reference,
        gift=new.gift,
        pick_up_name=new.pick_up.name,
        pick_up_place=new.pick_up.place,
        # those who are named stand in pages, as everybody's do in the end
        audience=new.audience
        if members is None
        else new.audience.model_copy(update={"clients": members[:1]}),
        occasion=new.occasion,
        day=new.day,
        hours=new.hours,
        fallback=new.fallback,
        at_once=new.at_once,
        fingerprint=fingerprint,
        state=CampaignState.GATHERING,
        begun_at=now,
        state_since=now,
        sealed=seal_contact(world.sealer, new.pick_up.contact, brand_id, campaign_id),
    )
    owner, expires_at = collection(campaign_id), lapses(campaign)
    changes: list[Change] = []
    if members is None:
        pages, task = None, GATHER
        if new.audience.list_id is not None:
            pages = take_in.list_of(world, brand_id, new.audience.list_id).pages
    else:
        starts = range(0, len(members), PAGE)
        for number, start in enumerate(starts):
            some = members[start : start + PAGE]
            changes.append(Keep(members_row(page_key(campaign_id, number), some, expires_at), was=None))
        pages = len(starts)
        counted = {"clients": len(members), "pages": pages, "state": CampaignState.PLANNING}
        campaign = campaign.model_copy(update=counted)
        task = plan_task(campaign)
    try:
        world.table.write(
            Keep(campaign_row(campaign), was=None),
            Keep(day_row(campaign), was=None),
            *changes,
            *walk.begun(owner, task, pages, now, expires_at),
        )
    except Lost:  # the same request was quicker
        return mount(world, brand_id, idempotency_key, new)
    world.log("campaign_begun", campaign=campaign_id, brand=brand_id, market=campaign.market_id)
    walk.nudge(world, owner, task)
    return campaign


def _repeated(world: World, campaign: Campaign, fingerprint: str) -> Campaign:
    if campaign.fingerprint != fingerprint:
        raise Invalid(
            "this Idempotency-Key was used with another body",
            [Fault("", "the same key goes with the same body; a new campaign needs a new key")],
        )
    nudge_again(world, campaign)
    return campaign


def _market(world: World, new: NewCampaign) -> Market:
    try:
        return enlist.market(world, new.market)
    except Missing:
        detail = "a market that exists was expected"
        raise Invalid(f"/market: no market {new.market!r}", [Fault("/market", detail, new.market)]) from None


def _faults(world: World, brand_id: str, new: NewCampaign, market: Market, now: datetime) -> list[Fault]:
    faults = outside(market, new.pick_up.place, "/pick_up/place/coordinate")
    currency = new.gift.value.currency
    if currency != market.currency:
        detail = f"the currency of the market {market.market_id!r} was expected, {market.currency}"
        faults.append(Fault("/gift/items/0/value/currency", detail, currency))
    today = now.astimezone(zone_info(market.time_zone)).date()
    if not today <= new.day <= today + LATEST:
        detail = f"a day from today on was expected, at most {LATEST.days} days ahead"
        faults.append(Fault("/day", detail, new.day.isoformat()))
    elif none := skipped(new.hours, new.day, market.time_zone):
        detail = "hours were expected that there are on that day: the clock is put forward in these"
        faults += [Fault(f"/hours/{at}", detail) for at in none]
    elif found := closed(span_of(new.hours, new.day, market.time_zone), now):
        faults.append(Fault("/hours", found[0].detail, found[0].value))
    if new.audience.list_id is not None:
        faults += _list_faults(world, brand_id, new.audience.list_id)
    return faults


def _list_faults(world: World, brand_id: str, list_id: str) -> list[Fault]:
    pointer = "/audience/list_id"
    try:
        found = take_in.list_of(world, brand_id, list_id)
    except Missing:
        return [Fault(pointer, "a list of yours that has not lapsed was expected", list_id)]
    if found.state is not ListState.READY:
        return [
            Fault(pointer, f"a list that is ready was expected, this one is {found.state.value}", list_id)
        ]
    return []


def _check_running(world: World, brand_id: str) -> None:
    """Counted in an index that lags by a moment, so a few more can slip in: a bound, not a count."""
    keys = world.table.find_shelved(shelf(brand_id), RUNNING).keys
    rows = world.table.get_many(keys)
    if len(rows) == RUNNING and all(campaign_of_row(row).state not in ENDED for row in rows):
        raise Clashing(f"at most {RUNNING} campaigns of one brand are under way; place one, or call it off")


# --- telling it what to do ----------------------------------------------------------------------------------


def plan_again(world: World, brand_id: str, campaign_id: str, version: int) -> Campaign:
    """Once more, under the rules and with the places of now."""

    def turn(campaign: Campaign, now: datetime) -> Turn | None:
        if campaign.state is CampaignState.PLANNING:
            return None
        _expect(campaign, CampaignState.PLANNED)
        after = _next(campaign, CampaignState.PLANNING, now, round=campaign.round + 1)
        return Turn(after, _begun(after, plan_task(after), now), plan_task(after))

    return _turned(world, brand_id, campaign_id, version, CampaignState.PLANNING, turn)


Line = Callable[[Campaign], Change]
"""Of the audit: written with what somebody who is not the brand has done."""


def place(world: World, brand_id: str, campaign_id: str, version: int, line: Line | None = None) -> Campaign:
    """Place it, or go on. Raises `Clashing` when its hours are over."""

    def turn(campaign: Campaign, now: datetime) -> Turn:
        _expect(campaign, CampaignState.PLANNED, CampaignState.PAUSED)
        market = enlist.market(world, campaign.market_id)
        if span_of(campaign.hours, campaign.day, market.time_zone).end <= now:
            raise Clashing("hours that are not over were expected")
        after = _next(campaign, CampaignState.PLACING, now)
        if campaign.state is CampaignState.PLANNED:
            return Turn(after, _begun(after, PLACE, now), PLACE)
        lanes = walk.lanes_of(world, collection(campaign_id), PLACE)
        return Turn(after, walk.resting(lanes, now + PATIENCE, lapses(campaign)), PLACE)

    return _turned(world, brand_id, campaign_id, version, CampaignState.PLACING, turn, line=line)


def pause(world: World, brand_id: str, campaign_id: str, version: int, line: Line | None = None) -> Campaign:
    """Place no more until told so. The pages that are being placed at this moment are still placed."""

    def turn(campaign: Campaign, now: datetime) -> Turn:
        _expect(campaign, CampaignState.PLACING)
        lanes = walk.lanes_of(world, collection(campaign_id), PLACE)
        after = _next(campaign, CampaignState.PAUSED, now)
        return Turn(after, walk.resting(lanes, None, lapses(campaign)), None)

    return _turned(world, brand_id, campaign_id, version, CampaignState.PAUSED, turn, line=line)


def call_off(
    world: World, brand_id: str, campaign_id: str, version: int, how: Calling, line: Line | None = None
) -> Campaign:
    """Place no more ever; and cancel what no courier has yet, if that is wished."""
    wanted = CampaignState.CANCELLED if how.orders is Kept.KEPT else CampaignState.CANCELLING

    def turn(campaign: Campaign, now: datetime) -> Turn | None:
        was_placing = campaign.state in (CampaignState.PLACING, CampaignState.PAUSED, CampaignState.PLACED)
        if not was_placing:
            _expect(campaign, CampaignState.GATHERING, CampaignState.PLANNING, CampaignState.PLANNED)
        lanes = [lane for lane in walk.every(world, collection(campaign_id)) if lane.task != REPORT]
        so_far = summed(lane.tally for lane in lanes if lane.task == PLACE)
        changes: dict[str, object] = {"orders": how.orders, "called_off_at": now}
        if any(lane.task == PLACE for lane in lanes):
            changes["placed"] = so_far
        if not was_placing or how.orders is Kept.KEPT:
            after = _next(campaign, CampaignState.CANCELLED, now, **changes)
            return Turn(after, walk.over(lanes), None)
        after = _next(campaign, CampaignState.CANCELLING, now, **changes)
        return Turn(after, [*walk.over(lanes), *_begun(after, cancel_task(1), now)], cancel_task(1))

    def was_asked(campaign: Campaign) -> bool:
        return campaign.called_off_at is not None and campaign.orders is how.orders

    return _turned(world, brand_id, campaign_id, version, wanted, turn, was_asked, line)


def _expect(campaign: Campaign, *states: CampaignState) -> None:
    if campaign.state not in states:
        wanted = " or ".join(state.value for state in states)
        raise Clashing(f"a campaign that is {wanted} was expected, this one is {campaign.state.value}")


def _turned(
    world: World,
    brand_id: str,
    campaign_id: str,
    version: int,
    wanted: CampaignState,
    turn: Callable[[Campaign, datetime], Turn | None],
    was_asked: Callable[[Campaign], bool] = lambda campaign: False,
    line: Line | None = None,
) -> Campaign:
    for _ in range(TRIES):
        campaign = campaign_of(world, brand_id, campaign_id)
        is_there = was_asked(campaign) or (campaign.state is wanted and campaign.version == version + 1)
        if is_there and line is None:
            turned = None  # the same again: safe, and nudged again
        elif campaign.version != version:
            raise Stale(f'the campaign is at "v{campaign.version}", If-Match named "v{version}"')
        else:
            turned = turn(campaign, world.clock())
        if turned is None:
            nudge_again(world, campaign)
            return campaign
        lines = [] if line is None else [line(turned.after)]
        try:
            world.table.write(Keep(campaign_row(turned.after), was=campaign.version), *turned.changes, *lines)
        except Lost:
            continue
        note(world, turned.after)
        if turned.task is not None:
            walk.nudge(world, collection(campaign_id), turned.task)
        return turned.after
    raise Delayed(f"the campaign {campaign_id!r} moves on faster than it can be told")


def nudge_again(world: World, campaign: Campaign) -> None:
    """Whoever was not answered asks again, and so do the nudges."""
    for lane in walk.every(world, collection(campaign.campaign_id))[:1]:
        walk.nudge(world, lane.owner, lane.task)


def note(world: World, campaign: Campaign) -> None:
    """A line for the state that it has entered."""
    world.log(
        "campaign_moved",
        campaign=campaign.campaign_id,
        market=campaign.market_id,
        state=campaign.state.value,
        clients=campaign.clients,
    )


def _next(campaign: Campaign, state: CampaignState, now: datetime, **changes: object) -> Campaign:
    told = {**changes, "state": state, "state_since": now, "version": campaign.version + 1}
    return campaign.model_copy(update=told)


def _begun(campaign: Campaign, task: str, now: datetime) -> list[Keep]:
    return walk.begun(collection(campaign.campaign_id), task, campaign.pages, now, lapses(campaign))


# --- reading ------------------------------------------------------------------------------------------------


def campaign_of(world: World, brand_id: str, campaign_id: str) -> Campaign:
    """The brand's own campaign as it is now. Raises `Missing`."""
    return campaign_if(world, campaign_id, lambda campaign: campaign.brand_id == brand_id)


def campaign_if(world: World, campaign_id: str, is_theirs: Callable[[Campaign], bool]) -> Campaign:
    """The campaign as it is now. Raises `Missing`; one that is not theirs looks like none at all."""
    row = world.table.get(campaign_key(campaign_id))
    campaign = None if row is None or is_gone(row.expires_at, world.clock()) else campaign_of_row(row)
    if campaign is None or not is_theirs(campaign):
        raise Missing(f"no campaign {campaign_id!r}")
    return campaign


def campaigns_of(
    world: World, brand_id: str, limit: int, after: str | None
) -> tuple[list[Campaign], str | None]:
    """The brand's campaigns, the last begun first, and where the next page starts."""
    page = world.table.find_shelved(shelf(brand_id), limit, after)
    rows = {row.key: row for row in world.table.get_many(page.keys)}
    now = world.clock()
    there = [rows[key] for key in page.keys if key in rows and not is_gone(rows[key].expires_at, now)]
    return [campaign_of_row(row) for row in there], page.after


def view(world: World, campaign: Campaign) -> CampaignView:
    """As its brand reads it, with how far the step under way has come."""
    told = {name: getattr(campaign, name) for name in CampaignView.model_fields if name in _SAME}
    return CampaignView.model_construct(**told, market=campaign.market_id, progress=progress(world, campaign))


_SAME = CampaignView.model_fields.keys() & Campaign.model_fields.keys()


def progress(world: World, campaign: Campaign) -> Tally:
    """Of the step that is under way, or was the last."""
    owner, state = collection(campaign.campaign_id), campaign.state
    if state is CampaignState.GATHERING:
        return summed(lane.tally for lane in walk.lanes_of(world, owner, GATHER))
    if state is CampaignState.PLANNING:
        return summed(lane.tally for lane in walk.lanes_of(world, owner, plan_task(campaign)))
    if state in (CampaignState.PLACING, CampaignState.PAUSED):
        return summed(lane.tally for lane in walk.lanes_of(world, owner, PLACE))
    if state is CampaignState.CANCELLING:
        lanes = [lane for lane in walk.every(world, owner) if lane.task.startswith("cancel-")]
        return summed(lane.tally for lane in lanes)
    if state is CampaignState.PLANNED:
        return campaign.plan.tally if campaign.plan is not None else Tally()
    return campaign.called_off or campaign.placed or Tally()


# --- the report ---------------------------------------------------------------------------------------------


def ask_report(world: World, campaign: Campaign) -> Reporting:
    """Have a report made of how its orders stand; the one that is being made, if one is."""
    now, owner, expires_at = world.clock(), collection(campaign.campaign_id), lapses(campaign)
    row = world.table.get(report_key(campaign.campaign_id))
    before = None if row is None else report_of_row(row)
    if walk.lanes_of(world, owner, REPORT):
        walk.nudge(world, owner, REPORT)
        return before or Reporting(number=1, asked_at=now)
    asked = Reporting(
        number=1 if before is None else before.number + 1,
        asked_at=now,
        report=None if before is None else before.report,
    )
    was = None if row is None else row.version
    kept = Row(
        report_key(campaign.campaign_id), (was or 0) + 1, asked.model_dump_json(exclude_none=True),
        expires_at=expires_at,
    )  # fmt: skip
    try:
        world.table.write(Keep(kept, was=was), *walk.begun(owner, REPORT, campaign.pages, now, expires_at))
    except Lost:  # somebody else asks
        return ask_report(world, campaign)
    walk.nudge(world, owner, REPORT)
    return asked


def report_of(world: World, campaign: Campaign) -> CampaignReport:
    """The last report that is there. Raises `Missing`."""
    row = world.table.get(report_key(campaign.campaign_id))
    found = None if row is None else report_of_row(row).report
    if found is None:
        raise Missing("no report is there yet; ask for one, and wait until it is made")
    return found
