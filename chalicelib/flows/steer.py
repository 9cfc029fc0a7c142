"""A dispatcher steers a campaign: has it rest, go on, or be called off, on the version that was seen, and with a line
of the audit in the same transaction.

Whether a campaign is placed at all is its brand's to say: here goes on only what was placed and rests.
"""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.domain.campaign_rows import (
    collection,
    deed_key,
    deed_of_row,
    deed_row,
)
from chalicelib.domain.campaigns import Calling, Campaign, CampaignState
from chalicelib.domain.deeds import CampaignDeed, Turned, deed_prefix
from chalicelib.domain.errors import Clashing, Stale
from chalicelib.domain.ports import Change, Keep, World
from chalicelib.flows import enlist, mount


def campaign_at(world: World, market_id: str, campaign_id: str) -> Campaign:
    """Any brand's campaign in that market, as it is now; for whoever sits at its board. Raises `Missing`."""
    enlist.market(world, market_id)
    return mount.campaign_if(world, campaign_id, lambda campaign: campaign.market_id == market_id)


def pause(world: World, market_id: str, campaign_id: str, version: int, who: str, why: str = "") -> Campaign:
    """Place no more until told so. Raises `Stale`, and `Clashing` for one that is not being placed."""

    def do(campaign: Campaign) -> Campaign:
        line = _line(world, Turned.PAUSED, who, why)
        return mount.pause(world, campaign.brand_id, campaign_id, version, line)

    return _done(world, market_id, campaign_id, version, Turned.PAUSED, who, do)


def proceed(
    world: World, market_id: str, campaign_id: str, version: int, who: str, why: str = ""
) -> Campaign:
    """Go on. Raises `Stale`, and `Clashing` for one that does not rest or whose hours are over."""

    def do(campaign: Campaign) -> Campaign:
        if campaign.version == version and campaign.state is not CampaignState.PAUSED:
            raise Clashing(f"a campaign that is paused was expected, this one is {campaign.state.value}")
        line = _line(world, Turned.PROCEEDED, who, why)
        return mount.place(world, campaign.brand_id, campaign_id, version, line)

    return _done(world, market_id, campaign_id, version, Turned.PROCEEDED, who, do)


def call_off(
    world: World, market_id: str, campaign_id: str, version: int, how: Calling, who: str, why: str = ""
) -> Campaign:
    """Place no more ever; and cancel what no courier has yet, if that is wished. Raises `Stale`, and `Clashing` for one
    that has ended so."""

    def do(campaign: Campaign) -> Campaign:
        line = _line(world, Turned.CALLED_OFF, who, why)
        return mount.call_off(world, campaign.brand_id, campaign_id, version, how, line)

    return _done(world, market_id, campaign_id, version, Turned.CALLED_OFF, who, do)


def deeds_of(world: World, campaign_id: str) -> list[CampaignDeed]:
    """What was done to it at the board, the first first."""
    return [deed_of_row(row) for row in world.table.read(collection(campaign_id), deed_prefix()).rows]


def _done(
    world: World,
    market_id: str,
    campaign_id: str,
    version: int,
    what: Turned,
    who: str,
    do: Callable[[Campaign], Campaign],
) -> Campaign:
    """The deed; or the campaign as it is where this very deed has made the next version: whoever was not answered asks
    again, and so do the nudges."""
    campaign = campaign_at(world, market_id, campaign_id)
    if campaign.version != version:
        row = world.table.get(deed_key(campaign_id, version + 1))
        made = None if row is None else deed_of_row(row)
        if made is None or (made.what, made.who) != (what, who):
            raise Stale(_moved_since(world, campaign, version))
        mount.nudge_again(world, campaign)
        return campaign
    try:
        return do(campaign)
    except Stale:
        now = campaign_at(world, market_id, campaign_id)
        raise Stale(_moved_since(world, now, version)) from None


def _moved_since(world: World, campaign: Campaign, version: int) -> str:
    """Where it is now, and who at the board moved it, if anybody did."""
    state = campaign.state.value
    said = f'the campaign is {state} at "v{campaign.version}" by now, If-Match named "v{version}"'
    later = [deed for deed in deeds_of(world, campaign.campaign_id) if deed.version > version]
    return f"{said}; {later[-1].who} has {later[-1].what.value.replace('_', ' ')} it" if later else said


def _line(world: World, what: Turned, who: str, why: str) -> Callable[[Campaign], Change]:
    def line(after: Campaign) -> Change:
        deed = CampaignDeed(
            campaign_id=after.campaign_id,
            what=what,
            who=who,
            at=world.clock(),
            why=why,
            version=after.version,
        )
        return Keep(deed_row(deed, after), was=None)

    return line
