"""How far the campaigns of a market are, as its board shows it: counted with the board, and read by every poll.

    collection (pk)   place (sk)            noun
    market#<market>   campaigns             Campaigns    written when something in it has changed
    market#<market>   campaigns-watched     Watched      when somebody last looked at them

How many stand where now is counted off the open orders, every few seconds. What has ended is read by nobody then: it is
counted by the campaign's own report, which is asked for while somebody looks. Nothing here names a client.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Final

from pydantic import Field

from chalicelib.domain.board import AFTERMATH_DAYS, Line, Risk
from chalicelib.domain.campaigns import Campaign, CampaignReport, CampaignState, span_of
from chalicelib.domain.orders import ENDED, OrderState
from chalicelib.domain.ports import Key
from chalicelib.domain.shapes import Instant, Shape, Slug
from chalicelib.domain.tallies import Counts, Tally

SHOWN: Final = 100
"""Campaigns on one board; those under way come first."""
FIRST_DAY: Final = timedelta(days=AFTERMATH_DAYS)
"""So long after its day a campaign stays on the board."""
LOOKED: Final = timedelta(minutes=1)
"""Of those who look at a time one asks once in so long whether a report is due."""
REPORT_EVERY: Final = timedelta(minutes=5)
"""A report reads every order of a campaign; while somebody looks, so often."""
_LAST: Final = frozenset(
    {
        OrderState.DELIVERED.value,
        OrderState.CANCELLED.value,
        OrderState.FULFILLED_DIGITALLY.value,
        OrderState.STRANDED.value,
        OrderState.RETURNED.value,
        OrderState.FAILED.value,
        "refused",
        "not_placed",
    }
)
"""Where a report need not look again, if nobody sends it again."""
_RANK: Final = (
    CampaignState.PLACING,
    CampaignState.PAUSED,
    CampaignState.CANCELLING,
    CampaignState.PLANNED,
    CampaignState.PLANNING,
    CampaignState.GATHERING,
    CampaignState.PLACED,
    CampaignState.CANCELLED,
)


class Standing(Shape):
    """What the open orders of one campaign say now."""

    states: Counts = {}
    late: int = 0
    at_risk: int = Field(default=0, description="Of those that are open: not on track.")

    @property
    def open(self) -> int:
        return sum(count for state, count in self.states.items() if state not in _ENDED)


_ENDED = frozenset(state.value for state in ENDED)


class Progress(Shape):
    """One campaign, as a line of the board."""

    campaign_id: str
    version: int
    reference: Slug
    brand: str
    state: CampaignState
    start: Instant = Field(description="Of its hours, in any district; ...")
    end: Instant
    clients: int = 0
    done: int = Field(default=0, description="Of the step that is under way.")
    placed: int = 0
    refused: int = 0
    called_back: int = Field(default=0, description="Of one that is called off with its orders.")
    now: Standing = Standing()
    reported: Counts = Field(
        default={}, description="Its orders by state, when the last report was made, ..."
    )
    as_of: Instant | None = None

    @property
    def remaining(self) -> int:
        """Clients of whom nothing is settled yet; of one that is called off, who gets nothing."""
        return max(0, self.clients - self.placed - self.refused)

    @property
    def delivered(self) -> int | None:
        """By the last report; None: there is none."""
        return None if self.as_of is None else self.reported.get(OrderState.DELIVERED.value, 0)

    def wants_report(self, at: datetime) -> bool:
        """True when something may have ended since the last one, and that was not just now."""
        if not self.placed or (self.as_of is not None and at - self.as_of < REPORT_EVERY):
            return False
        is_moving = self.state not in (CampaignState.PLACED, CampaignState.CANCELLED) or self.now.open > 0
        return self.as_of is None or is_moving or not self.reported.keys() <= _LAST


class Campaigns(Shape):
    """Those of a market, those under way first."""

    digest: str = Field(description="Of all that is shown: the same again is not sent again.")
    progress: tuple[Progress, ...] = ()
    is_cut: bool = Field(default=False, description="There are more than are shown.")


def campaigns_key(market_id: str) -> Key:
    return Key(f"market#{market_id}", "campaigns")


def looked_key(market_id: str) -> Key:
    return Key(f"market#{market_id}", "campaigns-watched")


def since(today: date) -> str:
    """From which place on the campaigns of a market are of interest."""
    return (today - FIRST_DAY).isoformat()


def standings(lines: Iterable[Line]) -> dict[str, Standing]:
    """The gifts of each campaign that are on the board, by its id."""
    states: dict[str, dict[str, int]] = {}
    late: dict[str, int] = {}
    at_risk: dict[str, int] = {}
    for line in lines:
        campaign_id = line.campaign
        if campaign_id is None:
            continue
        counts = states.setdefault(campaign_id, {})
        counts[line.state] = counts.get(line.state, 0) + 1
        late[campaign_id] = late.get(campaign_id, 0) + (line.risk == Risk.LATE)
        at_risk[campaign_id] = at_risk.get(campaign_id, 0) + (line.risk != Risk.FINE)
    return {
        name: Standing(states=dict(sorted(counts.items())), late=late[name], at_risk=at_risk[name])
        for name, counts in states.items()
    }


def progress_of(
    campaign: Campaign, step: Tally, now: Standing, report: CampaignReport | None, time_zone: str
) -> Progress:
    """One line. `step`: of the task under way, or the last (`flows.mount.progress`)."""
    placing = campaign.state in (CampaignState.PLACING, CampaignState.PAUSED)
    placed: Mapping[str, int] = (step if placing else campaign.placed or Tally()).outcomes
    back = step if campaign.state is CampaignState.CANCELLING else campaign.called_off or Tally()
    hours = span_of(campaign.hours, campaign.day, time_zone)
    return Progress(
        campaign_id=campaign.campaign_id,
        version=campaign.version,
        reference=campaign.reference,
        brand=campaign.brand_id,
        state=campaign.state,
        start=hours.start,
        end=hours.end,
        clients=campaign.clients,
        done=step.clients,
        placed=placed.get("placed", 0),
        refused=placed.get("refused", 0),
        called_back=back.outcomes.get("cancelled", 0),
        now=now,
        reported={} if report is None else dict(sorted(report.tally.outcomes.items())),
        as_of=None if report is None else report.as_of,
    )


def counted(found: Iterable[Progress]) -> Campaigns:
    """All of them, in the order in which they are shown."""
    ranked = sorted(
        found, key=lambda one: (_RANK.index(one.state), one.start, one.reference, one.campaign_id)
    )
    shown = tuple(ranked[:SHOWN])
    whole = Campaigns(digest="", progress=shown, is_cut=len(ranked) > SHOWN)
    digest = hashlib.sha256(whole.model_dump_json(exclude_defaults=True).encode()).hexdigest()[:32]
    return whole.model_copy(update={"digest": digest})
