"""What the board's templates are told of campaigns: how far they are, and what can be done with one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from chalicelib.domain.campaigns import Audience, Campaign, CampaignState
from chalicelib.domain.deeds import CampaignDeed, Turned
from chalicelib.domain.orders import OrderState
from chalicelib.domain.progress import Campaigns, Progress
from chalicelib.domain.tallies import Tally
from chalicelib.pages import words
from chalicelib.pages.board import Action

STATES: Final[dict[CampaignState, tuple[str, str, str]]] = {
    CampaignState.GATHERING: ("Gathering clients", "…", "calm"),
    CampaignState.PLANNING: ("Being foreseen", "…", "calm"),
    CampaignState.PLANNED: ("Planned, not placed", "◷", "calm"),
    CampaignState.PLACING: ("Being placed", "▶", "fine"),
    CampaignState.PAUSED: ("Paused", "‖", "held"),
    CampaignState.PLACED: ("Placed", "✓", "fine"),
    CampaignState.CANCELLING: ("Being called off", "×", "stranded"),
    CampaignState.CANCELLED: ("Called off", "×", "stranded"),
}
"""Each state as it is read, a sign, so that no colour has to be seen, and the colour."""
_STEPS: Final = {CampaignState.GATHERING: "clients read", CampaignState.PLANNING: "foreseen"}


@dataclass(frozen=True)
class Bar:
    """A campaign as it is read."""

    one: Progress
    word: str
    sign: str
    tone: str
    hours: str
    step: str
    """How far a step is that places nothing; empty: placing has begun."""
    under_way: int
    """Open gifts that neither wait nor are stranded."""
    delivered: str
    as_of: str


def bar(one: Progress, zone: ZoneInfo, now: datetime) -> Bar:
    word, sign, tone = STATES[one.state]
    start, end = one.start.astimezone(zone), one.end.astimezone(zone)
    day = "today" if start.date() == now.astimezone(zone).date() else f"{start:%a %d %b}"
    states, delivered = one.now.states, one.delivered
    waits = states.get(OrderState.HELD.value, 0)
    as_of = "" if one.as_of is None else f"{one.as_of.astimezone(zone):%H:%M}"
    return Bar(
        one=one,
        word=word,
        sign=sign,
        tone=tone,
        hours=f"{day}, {start:%H:%M}–{end:%H:%M}",
        step=f"{one.done:,} {_STEPS[one.state]}" if one.state in _STEPS else "",
        under_way=one.now.open - waits,
        delivered="" if delivered is None else f"{delivered:,}",
        as_of=as_of,
    )


def told(found: Campaigns | None, zone: ZoneInfo, now: datetime) -> dict[str, Any]:
    """What the list's template is told."""
    shown: Sequence[Progress] = () if found is None else found.progress
    return {
        "is_counted": found is not None,
        "bars": [bar(one, zone, now) for one in shown],
        "is_cut": found is not None and found.is_cut,
        "tag": "none" if found is None else found.digest,
    }


def actions(campaign: Campaign) -> list[Action]:
    """What it allows as it stands; whoever does it finds out whether it still does."""
    state, found = campaign.state, []
    if state is CampaignState.PLACING:
        found.append(Action("pause", "Pause"))
    if state is CampaignState.PAUSED:
        found.append(Action("proceed", "Proceed"))
    if state not in (CampaignState.CANCELLING, CampaignState.CANCELLED):
        found.append(Action("call_off", "Call off", "grave", why_is_required=True))
    return found


@dataclass(frozen=True)
class Done:
    """A deed, as it is read."""

    at: datetime
    text: str
    why: str


_DID: Final = {
    Turned.PAUSED: "had it rest",
    Turned.PROCEEDED: "let it go on",
    Turned.CALLED_OFF: "called it off",
}


def done(deeds: Iterable[CampaignDeed]) -> list[Done]:
    return [Done(deed.at, f"{deed.who} {_DID[deed.what]}", deed.why) for deed in deeds]


def audience(wanted: Audience) -> str:
    """Whom it is for, and nobody by name."""
    if wanted.list_id is not None:
        return "the clients on a list of the brand's"
    return "clients by a rule of the brand's" if wanted.rule is not None else "clients that the brand named"


def reasons(tally: Tally | None) -> list[tuple[str, int]]:
    """Why clients get nothing, the most frequent first."""
    found = {} if tally is None else tally.reasons
    ranked = sorted(found.items(), key=lambda one: (-one[1], one[0]))
    return [(_CLIENTS.get(name) or words.said(words.REASONS, name), count) for name, count in ranked]


_CLIENTS: Final = {
    "unknown_client": "The client is not enrolled.",
    "erased": "The client was forgotten.",
    "no_place": "No address of the client is known.",
    "no_such_place": "The client has no place of that name.",
    "no_phone": "No telephone number is known.",
    "no_hours": "There are no hours for the client's district.",
    "outside_market": "The client's place lies outside the market.",
    "window_closed": "The hours were over.",
    "tier_above_standing": "The row states a tier that the client does not have.",
    "cap_reached": "A cap of the brand's was reached.",
    "invalid": "The order would not have been valid.",
}
