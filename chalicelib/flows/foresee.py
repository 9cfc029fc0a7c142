"""Foresee what a campaign would come to, client by client: who could get it, and why not the others. Writes no order.

Each client is asked about as a clearance is, under the rules and the fleet of now, and as placing would: caps, tiers,
the client's consents. Places are not taken one by one: whether there are enough is said of the campaign as a whole.
"""

from __future__ import annotations

from chalicelib.domain import facts
from chalicelib.domain.campaign_rows import lapses, told_key
from chalicelib.domain.campaigns import Campaign, CampaignPlan, Foreseen, ForeseenPage, span_of, told
from chalicelib.domain.clearance import Clearer
from chalicelib.domain.client_rows import client_key, client_of_row
from chalicelib.domain.clients import client_id_of
from chalicelib.domain.errors import Refused
from chalicelib.domain.fleet import Slot
from chalicelib.domain.jurisdictions import may_be_written_to
from chalicelib.domain.lanes import Lane
from chalicelib.domain.orders import Order
from chalicelib.domain.ports import Keep, Row, World
from chalicelib.domain.tallies import Tally, of_one
from chalicelib.domain.verdicts import Decision, Reason
from chalicelib.flows import check, enlist, give, look
from chalicelib.flows.walk import Walked
from chalicelib.flows.wish import Near, Wished, ahead, homes_ahead, members_on, why_of, wishes


def page(world: World, campaign: Campaign, lane: Lane) -> Walked:
    """The next page of clients; `beside`: how many of them may not be written to."""
    members = members_on(world, campaign, lane.page)
    near = ahead(world, campaign, members)
    on = check.ground(world, campaign.market_id)
    wished_for = list(wishes(near, campaign, members))
    asks = _Asks(homes_ahead(near, campaign, wished_for), campaign, on)
    tally, found, silent = Tally(), [], 0
    for wished in wished_for:
        foreseen = asks.about(wished)
        tally = tally.plus(of_one(
            foreseen.decision.value, foreseen.reasons, wished.district,
            None if foreseen.tier is None else foreseen.tier.name.lower(),
        ))  # fmt: skip
        found.append(foreseen)
        silent += _is_silent(near, campaign, wished)
    key = told_key(campaign.campaign_id, lane.page)
    before = world.table.get(key)
    was = None if before is None else before.version
    body = ForeseenPage(data=tuple(found)).model_dump_json(exclude_defaults=True)
    kept = Keep(Row(key, (was or 0) + 1, body, expires_at=lapses(campaign)), was=was)
    return Walked(tally, (kept,), beside=silent)


def _is_silent(near: Near, campaign: Campaign, wished: Wished) -> bool:
    row = near.rows.get(client_key(client_id_of(campaign.brand_id, wished.member.client)))
    return row is not None and not may_be_written_to(client_of_row(row), "service", near.world.clock())


class _Asks:
    """One ground for a whole page."""

    def __init__(self, world: World, campaign: Campaign, on: check.Ground) -> None:
        self.world, self.campaign, self.on = world, campaign, on
        now = world.clock()
        self.clearer = (
            None if on.atlas is None else Clearer(on.atlas, on.fleet, on.knowing(now), on.fleet.down(now))
        )

    def about(self, wished: Wished) -> Foreseen:
        """That client."""
        client = wished.member.client
        if wished.wish is None:
            assert wished.why is not None
            return Foreseen(client=client, decision=Decision.NO, reasons=(wished.why.value,))
        try:
            drafted = give.drafted(
                self.world, self.campaign.brand_id, wished.key, wished.wish,
                f"campaign:{self.campaign.campaign_id}", campaign_id=self.campaign.campaign_id,
            )  # fmt: skip
        except Refused as error:
            return Foreseen(client=client, decision=Decision.NO, reasons=(why_of(error).value,))
        order = drafted if isinstance(drafted, Order) else drafted.order
        decision, reasons = self._cleared(order)
        return Foreseen(
            client=client,
            decision=decision,
            reasons=tuple(dict.fromkeys(map(told, reasons))),
            tier=order.tier,
        )

    def _cleared(self, order: Order) -> tuple[Decision, tuple[Reason, ...]]:
        if self.clearer is None:
            return Decision.HOLD, (Reason.RULES_MISSING,)
        delivery = order.delivery(facts.unseal_private(self.world.sealer, order))
        answer = look.cleared(self.world, order.market_id, delivery, self.on, self.clearer)
        return answer.decision, answer.reasons


def plan_of(world: World, campaign: Campaign, tally: Tally, no_message: int) -> CampaignPlan:
    """The dry run as a whole, when its last page is done."""
    now = world.clock()
    on = check.ground(world, campaign.market_id)
    span = span_of(campaign.hours, campaign.day, enlist.market(world, campaign.market_id).time_zone)

    def counts(slot: Slot) -> bool:
        return span.overlap(max(slot.window.start, now), slot.window.end) is not None

    places = sum(max(0, on.fleet.left.get(name, 0)) for name, slot in on.fleet.slots.items() if counts(slot))
    return CampaignPlan(
        planned_at=now,
        rules_version=None if on.atlas is None else on.atlas.rules.version,
        tally=tally,
        places=places,
        short_by=max(0, tally.outcomes.get(Decision.YES.value, 0) - places),
        no_message=no_message,
    )
