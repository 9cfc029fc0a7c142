"""Campaigns at the board: how far each is, what a look costs, and a dispatcher who has one rest, go on, or end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.board import FRESH, Filter
from chalicelib.domain.campaigns import Calling, Campaign, CampaignState, Kept
from chalicelib.domain.deeds import Turned
from chalicelib.domain.errors import Clashing, Missing, Stale
from chalicelib.domain.ports import Topic
from chalicelib.domain.progress import LOOKED, REPORT_EVERY, SHOWN, Campaigns, Progress, Standing, counted
from chalicelib.flows import follow, mount, recount, steer
from tests import drive, fakes
from tests.flows.test_campaign import DAY, enrolled, mounted, named, now, orders, place_at, placed, settle
from tests.flows.test_send_again import says
from tests.stage import NOON, Stage, stage

KEEP, BACK = Calling(orders=Kept.KEPT), Calling(orders=Kept.CANCELLED)


@pytest.fixture
def on() -> Stage:
    return stage(capacity=200)


def look(on: Stage) -> Campaigns:
    """What a dispatcher sees a moment after coming in."""
    on.clock.now += FRESH
    follow.watch(on.world, "SHA")
    drive.settle(on.world)
    found = follow.watch(on.world, "SHA")
    assert found is not None
    return found


def one(on: Stage) -> Progress:
    (found,) = look(on).progress
    return found


def waiting(on: Stage, *numbers: int) -> list[str]:
    """Clients who live where nobody has ruled."""
    return enrolled(on, *numbers, person={"places": {"home": place_at("Nowhere")}})


# --- how far it is ------------------------------------------------------------------------------------------


def test_a_campaign_is_seen_from_its_first_moment_to_the_last_gift(on: Stage) -> None:
    clients = [*enrolled(on, 0, 1, 2), *waiting(on, 3), "nobody"]
    assert look(on).progress == ()
    campaign = mounted(on, named(*clients))
    planned = one(on)
    assert (planned.state, planned.clients, planned.placed, planned.remaining) == (
        CampaignState.PLANNED, 5, 0, 5,
    )  # fmt: skip
    assert (planned.reference, planned.brand, planned.start) == (
        "EASTER-BOXES", "maison", NOON + timedelta(hours=1),
    )  # fmt: skip
    placed(on, campaign)
    drive.settle(on.world)
    seen = one(on)
    assert (seen.placed, seen.refused, seen.remaining) == (4, 1, 0)
    assert seen.now.states == {"booked": 3, "held": 1} and seen.now.open == 4
    on.clock.now = seen.start
    job = next(order for order in orders(on) if order.leg.live_booking is not None).order_id
    for kind in ("picked_up", "delivered"):
        says(on, f"{job}-1-1", kind)
    on.clock.now += REPORT_EVERY
    look(on)
    told = one(on)
    assert (told.delivered, told.now.states) == (1, {"booked": 2, "held": 1})
    assert told.as_of is not None and told.as_of > seen.start


def test_a_market_sees_its_own_campaigns_and_those_of_days_that_matter(on: Stage) -> None:
    enrolled(on, 1)
    mounted(on, named("vic-1"))
    mounted(on, named("vic-1"), key="later", day=(DAY + timedelta(days=20)).isoformat())
    assert len(look(on).progress) == 2
    on.clock.now += timedelta(days=3)
    assert len(look(on).progress) == 2
    on.clock.now += timedelta(days=1)
    assert [each.start.date() for each in look(on).progress] == [DAY + timedelta(days=20)]
    with pytest.raises(Missing):
        steer.campaign_at(on.world, "ROM", "cmp_none")


def test_those_under_way_come_first_and_too_many_are_said_to_be_more() -> None:
    def made(number: int, state: CampaignState) -> Progress:
        return Progress(
            campaign_id=f"cmp_{number}", version=1, reference=f"R{number}", brand="maison", state=state,
            start=NOON + timedelta(hours=number), end=NOON + timedelta(hours=number + 1),
        )  # fmt: skip

    states = [CampaignState.CANCELLED, CampaignState.PLACED, CampaignState.PAUSED, CampaignState.PLACING]
    found = counted(made(number, state) for number, state in enumerate(states))
    assert [each.state for each in found.progress] == states[::-1] and not found.is_cut
    many = counted(made(number, CampaignState.PLANNED) for number in range(SHOWN + 1))
    assert (len(many.progress), many.is_cut) == (SHOWN, True)
    assert found.digest != many.digest


def test_the_queue_can_be_narrowed_to_a_campaign(on: Stage) -> None:
    campaign = placed(on, mounted(on, named(*enrolled(on, 0, 1))))
    look(on)
    board = recount.watch(on.world, "SHA")
    assert board is not None
    lines = recount.lines(on.world, board) or []
    assert [Filter(campaign=campaign.campaign_id).lets(line) for line in lines] == [True, True]
    assert not any(Filter(campaign="cmp_other").lets(line) for line in lines)


def test_nothing_of_a_client_is_read_or_kept_for_it(on: Stage) -> None:
    placed(on, mounted(on, named(*enrolled(on, 0, 1))))
    look(on)
    kept = str(on.plain.table.get(follow.campaigns_key("SHA")))
    assert "vic-" not in kept and "+86138" not in kept and "Yongjia" not in kept


# --- what a look costs --------------------------------------------------------------------------------------


def test_a_look_costs_two_readings_and_writes_nothing_where_nothing_is_due(
    on: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed(on, mounted(on, named(*enrolled(on, 0))))
    look(on)
    look(on)
    calls = fakes.calls_of(on.world.table, monkeypatch)
    for _ in range(20):
        follow.watch(on.world, "SHA")
    assert calls == ["get_many", "get_many"] * 20


def test_a_count_in_which_nothing_has_changed_is_not_written_again(on: Stage) -> None:
    mounted(on, named(*enrolled(on, 0)))
    look(on)
    before = on.plain.table.get(follow.campaigns_key("SHA"))
    look(on)
    assert on.plain.table.get(follow.campaigns_key("SHA")) == before


def test_of_all_who_look_one_asks_for_a_report_and_not_too_often(on: Stage) -> None:
    placed(on, mounted(on, named(*enrolled(on, 0))))
    on.clock.now += FRESH
    recount.watch(on.world, "SHA")  # somebody looks at the queue: no report is asked for
    drive.settle(on.world)
    queues: Any = on.world.queues
    assert not any(topic is Topic.CAMPAIGN for topic, _ in queues.sent)
    for _ in range(20):
        follow.watch(on.world, "SHA")
    asked = [name for topic, name in queues.sent if topic is Topic.CAMPAIGN]
    assert len(asked) == 1 and ":report:" in asked[0]
    drive.settle(on.world)
    as_of = one(on).as_of
    assert as_of is not None
    on.clock.now += LOOKED
    look(on)
    assert one(on).as_of == as_of
    on.clock.now += REPORT_EVERY
    look(on)
    assert one(on).as_of != as_of


def test_when_every_gift_has_ended_nothing_is_counted_any_more() -> None:
    told = Progress(
        campaign_id="cmp_1", version=3, reference="R", brand="maison", state=CampaignState.PLACED, start=NOON,
        end=NOON, clients=3, placed=2, refused=1, reported={"delivered": 1, "returned": 1, "refused": 1}, as_of=NOON,
    )  # fmt: skip
    later = NOON + timedelta(days=1)
    assert not told.wants_report(later)
    assert told.model_copy(update={"now": Standing(states={"booked": 1})}).wants_report(later), "sent again"
    assert told.model_copy(update={"reported": {"at_gate": 1}}).wants_report(later)
    assert told.model_copy(update={"state": CampaignState.PAUSED}).wants_report(later)
    assert not told.model_copy(update={"state": CampaignState.PAUSED}).wants_report(NOON)
    assert not told.model_copy(update={"as_of": None, "placed": 0}).wants_report(later)


# --- a dispatcher's word ------------------------------------------------------------------------------------


@pytest.fixture
def placing(on: Stage, monkeypatch: pytest.MonkeyPatch) -> Campaign:
    """Placing is about to begin: nothing of it has been walked."""
    campaign = mounted(on, named(*enrolled(on, 0, 1)))
    return mount.place(on.world, "maison", campaign.campaign_id, campaign.version)


def test_it_rests_and_goes_on_on_the_version_that_was_seen_and_each_is_a_line(
    on: Stage, placing: Campaign
) -> None:
    ids = ("SHA", placing.campaign_id)
    rests = steer.pause(on.world, *ids, placing.version, "mei", "the lift is out")
    settle(on)
    assert (now(on, placing).state, orders(on)) == (CampaignState.PAUSED, [])
    goes = steer.proceed(on.world, *ids, rests.version, "anna")
    settle(on)
    assert (now(on, placing).state, len(orders(on))) == (CampaignState.PLACED, 2)
    assert [(d.what, d.who, d.why, d.version) for d in steer.deeds_of(on.plain, placing.campaign_id)] == [
        (Turned.PAUSED, "mei", "the lift is out", rests.version),
        (Turned.PROCEEDED, "anna", "", goes.version),
    ]


def test_whoever_is_not_answered_asks_again_and_it_is_done_once(on: Stage, placing: Campaign) -> None:
    ids = ("SHA", placing.campaign_id, placing.version)
    first = steer.pause(on.world, *ids, "mei")
    assert steer.pause(on.world, *ids, "mei") == first
    assert len(steer.deeds_of(on.plain, placing.campaign_id)) == 1


def test_the_second_of_two_is_told_who_was_quicker_and_leaves_no_line(on: Stage, placing: Campaign) -> None:
    ids = ("SHA", placing.campaign_id, placing.version)
    steer.pause(on.world, *ids, "mei")
    with pytest.raises(Stale, match=r"is paused .* mei has paused it"):
        steer.pause(on.world, *ids, "anna")
    with pytest.raises(Stale, match="mei has paused it"):
        steer.call_off(on.world, *ids, KEEP, "anna")
    assert [deed.who for deed in steer.deeds_of(on.plain, placing.campaign_id)] == ["mei"]


def test_what_its_brand_has_done_meanwhile_is_no_deed_of_a_dispatchers(on: Stage, placing: Campaign) -> None:
    mount.pause(on.world, "maison", placing.campaign_id, placing.version)
    with pytest.raises(Stale, match="is paused"):
        steer.pause(on.world, "SHA", placing.campaign_id, placing.version, "mei")
    assert steer.deeds_of(on.plain, placing.campaign_id) == []


def test_whether_it_is_placed_is_for_its_brand_to_say(on: Stage) -> None:
    campaign = mounted(on, named(*enrolled(on, 0)))
    with pytest.raises(Clashing, match="paused was expected, this one is planned"):
        steer.proceed(on.world, "SHA", campaign.campaign_id, campaign.version, "mei")
    assert (now(on, campaign).state, steer.deeds_of(on.plain, campaign.campaign_id)) == (
        CampaignState.PLANNED, [],
    )  # fmt: skip


@pytest.mark.parametrize(("how", "state"), [(KEEP, "cancelled"), (BACK, "cancelling")])
def test_it_is_called_off_with_its_gifts_or_without(on: Stage, how: Calling, state: str) -> None:
    campaign = placed(on, mounted(on, named(*enrolled(on, 0, 1))))
    after = steer.call_off(on.world, "SHA", campaign.campaign_id, campaign.version, how, "mei", "recalled")
    assert after.state == state
    (deed,) = steer.deeds_of(on.plain, campaign.campaign_id)
    assert (deed.what, deed.why) == (Turned.CALLED_OFF, "recalled")
    with pytest.raises((Clashing, Stale)):
        steer.call_off(on.world, "SHA", campaign.campaign_id, after.version, KEEP, "anna")
    assert len(steer.deeds_of(on.plain, campaign.campaign_id)) == 1


def test_a_campaign_of_another_market_is_not_found_here(on: Stage, placing: Campaign) -> None:
    for do in (steer.pause, steer.proceed):
        with pytest.raises(Missing):
            do(on.world, "ROM", placing.campaign_id, placing.version, "mei")
    with pytest.raises(Missing):
        steer.call_off(on.world, "ROM", placing.campaign_id, placing.version, KEEP, "mei")
