"""One gift for many: whom it is for, who could get it, who gets it, nobody twice; paused, called off, told."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest

from chalicelib.domain import facts
from chalicelib.domain.campaign_rows import collection
from chalicelib.domain.campaigns import Calling, Campaign, CampaignState, NewCampaign, order_name
from chalicelib.domain.client_rows import client_row
from chalicelib.domain.errors import Clashing, Invalid, Missing, Stale
from chalicelib.domain.given import client_ledger_key, ledger_of_row
from chalicelib.domain.lists import ListStart
from chalicelib.domain.orders import Order, OrderState, order_id_of
from chalicelib.domain.places import Market
from chalicelib.domain.ports import Keep, Topic
from chalicelib.domain.programme import NewProgramme
from chalicelib.domain.purchases import NewPurchase
from chalicelib.flows import enlist, enrol, mount, receive, set_up, sum_up, sweep, take_in
from chalicelib.flows.count_in import count_in
from chalicelib.flows.give import give
from tests import drive
from tests.stage import MARKET, NOON, Stage, body, client_wish, new_client, place_at, stage

DAY = date(2022, 4, 11)
AFTERNOON = [{"start": "13:00", "end": "16:00"}]


@pytest.fixture
def on() -> Stage:
    return stage(capacity=200)


def enrolled(on: Stage, *numbers: int, **changes: Any) -> list[str]:
    """Clients of those numbers, each at a flat of its own in the compound that is open."""
    for number in numbers:
        home = place_at("Yongjia")
        home["address"] |= {"unit": str(number)}
        person = {"name": f"W{number}", "phone": f"+86138{number:08d}", "places": {"home": home}}
        person |= changes.pop("person", {})
        enrol.enrol(on.plain, "maison", f"vic-{number}", new_client(person=person, **changes))
    return [f"vic-{number}" for number in numbers]


def wanted(audience: Any, **changes: Any) -> NewCampaign:
    whole = {name: body()[name] for name in ("market", "gift", "pick_up")} | {
        "reference": "EASTER-BOXES",
        "audience": audience,
        "day": DAY.isoformat(),
        "hours": AFTERNOON,
        "occasion": "easter",
        **changes,
    }
    return NewCampaign.model_validate_json(json.dumps(whole))


def named(*clients: str) -> dict[str, Any]:
    return {"clients": [{"client": client} for client in clients]}


def mounted(on: Stage, audience: Any, key: str = "boxes", **changes: Any) -> Campaign:
    """A campaign, as far as it goes by itself."""
    campaign = mount.mount(on.world, "maison", key, wanted(audience, **changes))
    settle(on)
    return now(on, campaign)


def settle(on: Stage) -> None:
    """Lanes only: the orders stay as they were placed."""
    queues: Any = on.world.queues
    while any(topic is Topic.CAMPAIGN for topic, _ in queues.sent):
        at = next(at for at, (topic, _) in enumerate(queues.sent) if topic is Topic.CAMPAIGN)
        topic, name = queues.sent.pop(at)
        drive.run(on.world, topic, name)


def now(on: Stage, campaign: Campaign) -> Campaign:
    return mount.campaign_of(on.plain, "maison", campaign.campaign_id)


def placed(on: Stage, campaign: Campaign) -> Campaign:
    mount.place(on.world, "maison", campaign.campaign_id, campaign.version)
    settle(on)
    return now(on, campaign)


def orders(on: Stage) -> list[Order]:
    rows: Any = on.plain.table
    return [facts.order_of_row(row) for key, row in rows.rows.items() if key.sk == facts.ORDER]


def told(on: Stage, campaign: Campaign) -> dict[str, tuple[str, ...]]:
    """Why not, of each client of whom it is said."""
    found, _ = sum_up.outcomes(on.plain, campaign, 1000, 0)
    return {one.client: one.reasons for one in found if one.reasons}


# --- whom it is for -----------------------------------------------------------------------------------------


def test_a_campaign_for_named_clients_is_planned_and_nothing_is_sent_before_it_is_placed(on: Stage) -> None:
    campaign = mounted(on, named(*enrolled(on, *range(3))))
    assert (campaign.state, campaign.clients) == (CampaignState.PLANNED, 3)
    assert campaign.plan is not None
    assert campaign.plan.tally.outcomes == {"yes": 3}
    assert (campaign.plan.places, campaign.plan.short_by, campaign.plan.rules_version) == (200, 0, 1)
    assert orders(on) == []
    done = placed(on, campaign)
    assert (done.state, done.placed and done.placed.outcomes) == (CampaignState.PLACED, {"placed": 3})
    assert {order.client_id for order in orders(on)} == {
        enrol.client_of(on.plain, "maison", f"vic-{n}").client_id for n in range(3)
    }
    (one, *_) = orders(on)
    assert (one.reference, one.campaign_id, one.occasion) == (
        "EASTER-BOXES", campaign.campaign_id, "easter",
    )  # fmt: skip
    assert (one.window.start, one.window.end) == (NOON + timedelta(hours=1), NOON + timedelta(hours=4))
    drive.settle(on.world)
    assert Counter(order.state for order in orders(on)) == {OrderState.BOOKED: 3}


def test_a_campaign_placed_at_once_needs_no_second_word(on: Stage) -> None:
    campaign = mounted(on, named(*enrolled(on, 1)), at_once=True)
    assert (campaign.state, len(orders(on))) == (CampaignState.PLACED, 1)


def test_the_same_request_is_the_same_campaign_and_another_body_is_refused(on: Stage) -> None:
    clients = enrolled(on, 1, 2)
    first = mounted(on, named(*clients), at_once=True)
    again = mount.mount(on.world, "maison", "boxes", wanted(named(*clients), at_once=True))
    settle(on)
    assert again.campaign_id == first.campaign_id
    assert len(orders(on)) == 2
    with pytest.raises(Invalid, match="another body"):
        mount.mount(on.world, "maison", "boxes", wanted(named("vic-1")))
    assert mount.mount(on.world, "atelier", "boxes", wanted(named("vic-1"))).campaign_id != first.campaign_id


def test_a_list_that_is_ready_is_whom_it_is_for_and_its_rows_say_what_is_their_own(on: Stage) -> None:
    enrolled(on, 1, 2, 3)
    begun = take_in.begin(on.world, "maison", ListStart.model_validate({"kind": "members"}))
    raw = b"reference,tier,occasion\nvic-1,gold,\nvic-3,,birthday\n"
    with pytest.raises(Invalid, match="list that is ready"):
        mount.mount(on.world, "maison", "early", wanted({"list_id": begun.list_id}))
    take_in.add_part(on.world, "maison", begun.list_id, 1, raw)
    take_in.finish(on.world, "maison", begun.list_id, 1)
    settle(on)
    campaign = mounted(on, {"list_id": begun.list_id}, at_once=True)
    assert campaign.clients == 2
    by_client = {order.client_id: order for order in orders(on)}
    one, three = (enrol.client_of(on.plain, "maison", f"vic-{n}").client_id for n in (1, 3))
    assert by_client[one].tier.name == "GOLD"
    assert [by_client[each].occasion for each in (one, three)] == ["easter", "birthday"]
    with pytest.raises(Invalid, match="has not lapsed"):
        mount.mount(on.world, "atelier", "x", wanted({"list_id": begun.list_id}))


def test_a_rule_takes_those_of_whom_all_of_it_is_true_and_says_who_was_passed_by(on: Stage) -> None:
    programme = {"tiers": [{"tier": "gold", "spend": {"amount": 10_000_000, "currency": "CNY"}}]}
    set_up.set_up(on.world, "maison", NewProgramme.model_validate(programme), "brand", None)
    enrolled(on, *range(6))
    enrolled(on, 6, country="IT")
    enrolled(on, 7, person={"places": {"home": elsewhere()}})
    enrolled(on, 8, consents=[])
    for number in (0, 1, 2, 6, 7, 8):
        client = enrol.client_of(on.plain, "maison", f"vic-{number}")
        sum_ = {
            "purchase": "till-1",
            "at": NOON.isoformat(),
            "amount": {"amount": 10_000_000, "currency": "CNY"},
        }
        count_in(on.world, client, (NewPurchase.model_validate(sum_),), "brand")
    give(on.world, "maison", "easter-1", client_wish("vic-2", occasion="easter"))
    rule = {"tier_at_least": "gold", "country": "CN", "consent": "service", "open_occasion": "easter"}
    campaign = mounted(on, {"rule": rule})
    assert campaign.gathered is not None
    assert campaign.gathered.outcomes == {"listed": 2, "passed_by": 7}
    assert campaign.gathered.reasons == {
        "below_tier": 3, "country": 1, "outside_market": 1, "consent_missing": 1, "occasion_given": 1,
    }  # fmt: skip
    assert campaign.plan is not None
    assert campaign.plan.tally.tiers == {"gold": {"yes": 2}}


def test_a_gift_that_was_called_off_leaves_its_occasion_open(on: Stage) -> None:
    enrolled(on, *range(3))
    open_to_all = {"rule": {"open_occasion": "easter"}}
    first = placed(on, mounted(on, open_to_all))
    second = mounted(on, open_to_all, "while-it-runs")
    assert second.gathered is not None
    assert second.gathered.reasons == {"occasion_given": 3}
    called_off(on, first, "cancelled")
    third = mounted(on, open_to_all, "afterwards")
    assert third.gathered is not None
    assert third.gathered.outcomes == {"listed": 3}


def test_a_rule_goes_through_all_of_the_brands_clients(on: Stage) -> None:
    enrolled(on, *range(250))
    campaign = mounted(on, {"rule": {}}, at_once=True)
    assert (campaign.clients, campaign.pages) == (250, 3)
    assert campaign.placed is not None
    assert campaign.placed.outcomes == {"placed": 250}
    assert len({order.client_id for order in orders(on)}) == 250


def elsewhere() -> dict[str, Any]:
    found = place_at("Yongjia")
    return {**found, "coordinate": {"lng": 9.19, "lat": 45.46, "datum": "WGS84"}}


# --- who could get it ---------------------------------------------------------------------------------------


def test_who_cannot_get_it_is_told_with_the_reason_before_anything_is_sent(on: Stage) -> None:
    enrolled(on, 1)
    enrolled(on, 2, person={"places": {}})
    enrolled(on, 3, person={"places": {"home": elsewhere()}})
    enrolled(on, 4, person={"phone": None})
    enrolled(on, 5, person={"places": {"home": place_at("Nowhere")}})
    enrolled(on, 6)
    gone = enrol.client_of(on.plain, "maison", "vic-6")
    asked = gone.model_copy(update={"erasure_asked_at": NOON, "version": 2})
    on.plain.table.write(Keep(client_row(asked), was=1))
    enrolled(on, 7, 8)
    caps = NewProgramme.model_validate({"caps": [{"per": "client", "days": 30, "at_most": 1}]})
    set_up.set_up(on.world, "maison", caps, "brand", None)
    give(on.world, "maison", "before", client_wish("vic-7"))
    members = [{"client": f"vic-{n}"} for n in (*range(1, 8), 99)] + [{"client": "vic-8", "place": "office"}]
    campaign = mounted(on, {"clients": members})
    reasons = {
        "vic-2": ("no_place",),
        "vic-3": ("outside_market",),
        "vic-4": ("no_phone",),
        "vic-5": ("zone_unknown",),
        "vic-6": ("erased",),
        "vic-7": ("cap_reached",),
        "vic-99": ("unknown_client",),
        "vic-8": ("no_such_place",),
    }
    assert told(on, campaign) == reasons
    assert campaign.plan is not None
    tally = campaign.plan.tally
    assert tally.outcomes == {"yes": 1, "no": 7, "hold": 1}
    assert tally.reasons == Counter(reason for each in reasons.values() for reason in each)
    assert sum(sum(counts.values()) for counts in tally.districts.values()) == 5
    assert len(orders(on)) == 1
    done = placed(on, campaign)
    assert done.placed is not None
    assert done.placed.outcomes == {"placed": 2, "refused": 7}  # who is only held is placed, and waits


def test_hours_are_those_of_the_clients_district_or_those_for_all(on: Stage) -> None:
    enrolled(on, 1)
    home = place_at("Yongjia")
    home["address"] |= {"district": "310104"}
    enrolled(on, 2, person={"places": {"home": home}})
    hours = [
        {"start": "13:00", "end": "14:00", "districts": ["310101"]},
        {"start": "14:30", "end": "15:30"},
    ]
    mounted(on, named("vic-1", "vic-2"), at_once=True, hours=hours)
    assert sorted(order.window.start - NOON for order in orders(on)) == [
        timedelta(hours=1), timedelta(hours=2, minutes=30),
    ]  # fmt: skip
    campaign = mounted(on, named("vic-1", "vic-2"), key="other", hours=hours[:1])
    assert told(on, campaign) == {"vic-2": ("no_hours",)}


def test_the_place_in_the_market_is_chosen_among_a_clients_places(on: Stage) -> None:
    enrolled(on, 1, person={"places": {"villa": elsewhere(), "home": place_at("Yongjia")}})
    campaign = mounted(on, named("vic-1"))
    assert campaign.plan is not None
    assert campaign.plan.tally.outcomes == {"yes": 1}


def test_a_plan_says_when_there_are_fewer_places_than_gifts_and_whom_nobody_may_write_to() -> None:
    on = stage(capacity=2)
    enrolled(on, 1, 2)
    enrolled(on, 3, consents=[])
    campaign = mounted(on, named("vic-1", "vic-2", "vic-3"))
    assert campaign.plan is not None
    assert (campaign.plan.places, campaign.plan.short_by, campaign.plan.no_message) == (2, 1, 1)


def test_a_tier_above_the_clients_standing_is_told(on: Stage) -> None:
    programme = {"tiers": [{"tier": "gold", "spend": {"amount": 100, "currency": "CNY"}}]}
    set_up.set_up(on.world, "maison", NewProgramme.model_validate(programme), "brand", None)
    enrolled(on, 1)
    campaign = mounted(on, {"clients": [{"client": "vic-1", "tier": "diamond"}]})
    assert told(on, campaign) == {"vic-1": ("tier_above_standing",)}


def test_it_is_foreseen_again_under_the_rules_of_now(on: Stage) -> None:
    from tests.stage import publish_rules, zone

    campaign = mounted(on, named(*enrolled(on, 1)))
    publish_rules(on.world, "amend", zone("Yongjia", "banned@1", "sealed"))
    mount.plan_again(on.world, "maison", campaign.campaign_id, campaign.version)
    settle(on)
    again = now(on, campaign)
    assert again.plan is not None
    assert (again.state, again.plan.rules_version) == (CampaignState.PLANNED, 2)
    assert told(on, again) == {"vic-1": ("no_handover",)}


# --- what is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"market": "ROM"}, "/market"),
        ({"day": "2022-04-10"}, "/day"),
        ({"day": "2022-07-01"}, "/day"),
        ({"hours": [{"start": "08:00", "end": "09:00"}]}, "/hours"),
    ],
)
def test_what_cannot_be_placed_is_refused_at_once(on: Stage, changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        mount.mount(on.world, "maison", "boxes", wanted(named("vic-1"), **changes))
    assert [fault.pointer for fault in refused.value.faults] == [pointer]


def test_hours_in_which_the_clock_is_put_forward_are_refused(on: Stage) -> None:
    shanghai = enlist.market(on.plain, "SHA")
    told = shanghai.model_dump() | {"market_id": "PAR", "time_zone": "Europe/Paris"}
    enlist.put_market(on.world, Market.model_validate(told))
    on.clock.now = NOON - timedelta(days=16)
    day = {"market": "PAR", "day": "2022-03-27"}
    gap = [{"start": "02:30", "end": "03:00"}, {"start": "10:00", "end": "12:00", "districts": ["310101"]}]
    with pytest.raises(Invalid) as refused:
        mount.mount(on.world, "maison", "gap", wanted(named("vic-1"), hours=gap, **day))
    assert [fault.pointer for fault in refused.value.faults] == ["/hours/0"]


def test_a_gift_in_another_currency_and_a_shop_elsewhere_are_refused(on: Stage) -> None:
    gift = body()["gift"]
    gift["items"][0]["value"] = {"amount": 100, "currency": "EUR"}
    shop = {**body()["pick_up"], "place": elsewhere()}
    with pytest.raises(Invalid) as refused:
        mount.mount(on.world, "maison", "boxes", wanted(named("vic-1"), gift=gift, pick_up=shop))
    assert [fault.pointer for fault in refused.value.faults] == [
        "/pick_up/place/coordinate", "/gift/items/0/value/currency",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        {"audience": {}},
        {"audience": {"list_id": "lst_1", "rule": {}}},
        {"audience": named("vic-1", "vic-1")},
        {"hours": []},
        {"hours": [{"start": "13:00", "end": "13:00"}]},
        {"hours": [{"start": "13:00Z", "end": "14:00"}]},
        {"hours": [AFTERNOON[0], AFTERNOON[0]]},
        {"hours": [{**AFTERNOON[0], "districts": ["黄浦区"]}, {**AFTERNOON[0], "districts": ["黄浦"]}]},
    ],
)
def test_a_campaign_that_says_two_things_is_none(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"expected|hours|district|clock"):
        wanted(**{"audience": named("vic-1"), **wrong})


def test_another_brands_campaign_is_not_there(on: Stage) -> None:
    campaign = mounted(on, named("vic-1"))
    with pytest.raises(Missing):
        mount.campaign_of(on.plain, "atelier", campaign.campaign_id)


def test_no_row_of_a_campaign_names_anybody(on: Stage) -> None:
    campaign = mounted(on, named(*enrolled(on, 1)), at_once=True)
    mount.ask_report(on.world, campaign)
    settle(on)
    rows = repr(on.plain.table.read(collection(campaign.campaign_id)).rows)
    assert not [word for word in ("W1", "+8613800000001", "Li Baoxian", "Yongjia") if word in rows]


# --- paused, called off -------------------------------------------------------------------------------------


def test_a_pause_rests_until_it_is_told_to_go_on(on: Stage) -> None:
    campaign = mounted(on, named(*enrolled(on, *range(1000))))
    placing = mount.place(on.world, "maison", campaign.campaign_id, campaign.version)
    queues: Any = on.world.queues
    drive.run(on.world, *queues.sent.pop(0))  # one page of ten
    paused = mount.pause(on.world, "maison", campaign.campaign_id, placing.version)
    settle(on)
    on.clock.forward(minutes=10)
    sweep.sweep(on.world)
    settle(on)
    assert len(orders(on)) == 100
    assert mount.view(on.plain, now(on, paused)).progress.outcomes == {"placed": 100}
    mount.place(on.world, "maison", campaign.campaign_id, paused.version)
    settle(on)
    done = now(on, campaign)
    assert (done.state, done.placed and done.placed.outcomes) == (CampaignState.PLACED, {"placed": 1000})
    assert len(orders(on)) == 1000


def test_who_acts_on_what_has_moved_is_told_and_the_same_again_is_safe(on: Stage) -> None:
    campaign = mounted(on, named(*enrolled(on, 1)))
    with pytest.raises(Stale):
        mount.place(on.world, "maison", campaign.campaign_id, campaign.version + 1)
    with pytest.raises(Clashing):
        mount.pause(on.world, "maison", campaign.campaign_id, campaign.version)
    placing = mount.place(on.world, "maison", campaign.campaign_id, campaign.version)
    assert mount.place(on.world, "maison", campaign.campaign_id, campaign.version) == placing
    settle(on)
    with pytest.raises(Clashing):
        mount.place(on.world, "maison", campaign.campaign_id, now(on, campaign).version)


def test_hours_that_are_over_are_not_placed(on: Stage) -> None:
    campaign = mounted(on, named(*enrolled(on, 1)))
    on.clock.forward(hours=5)
    with pytest.raises(Clashing):
        mount.place(on.world, "maison", campaign.campaign_id, campaign.version)


def called_off(on: Stage, campaign: Campaign, orders_: str) -> Campaign:
    how = Calling.model_validate({"orders": orders_})
    mount.call_off(on.world, "maison", campaign.campaign_id, now(on, campaign).version, how)
    settle(on)
    return now(on, campaign)


def test_what_is_not_given_yet_is_cancelled_if_that_is_wished(on: Stage) -> None:
    campaign = placed(on, mounted(on, named(*enrolled(on, *range(4)))))
    drive.settle(on.world)
    (first, *_) = sorted(orders(on), key=lambda order: order.order_id)
    (job,) = [b.reference for b in first.leg.bookings]
    carried = on.company.move(job, "picked_up", on.clock.now)
    receive.receive(on.world, "SHA", "paper-co", carried)
    drive.settle(on.world)
    off = called_off(on, campaign, "cancelled")
    assert off.state is CampaignState.CANCELLING
    on.minutes(7)
    off = now(on, campaign)
    assert (off.state, off.called_off and off.called_off.outcomes) == (
        CampaignState.CANCELLED, {"cancelled": 3, "too_late": 1},
    )  # fmt: skip
    assert Counter(order.state for order in orders(on)) == {
        OrderState.CANCELLED: 3, OrderState.PICKED_UP: 1,
    }  # fmt: skip
    assert not on.plain.table.find_due("lanes", NOON + timedelta(days=9), 10).keys


def test_what_its_courier_sets_out_with_all_the_same_is_not_counted_as_cancelled(on: Stage) -> None:
    campaign = placed(on, mounted(on, named(*enrolled(on, *range(2)))))
    drive.settle(on.world)
    (first, _) = orders(on)
    (job,) = [b.reference for b in first.leg.bookings]
    on.company.deaf.add("cancel")
    assert called_off(on, campaign, "cancelled").called_off.outcomes == {"cancelled": 2}  # type: ignore[union-attr]
    receive.receive(on.world, "SHA", "paper-co", on.company.move(job, "picked_up", on.clock.now))
    on.minutes(7)
    assert on.order(first.order_id).state is OrderState.PICKED_UP
    assert now(on, campaign).called_off.outcomes == {"cancelled": 1, "too_late": 1}  # type: ignore[union-attr]


def test_what_a_run_places_that_was_at_it_when_the_campaign_was_called_off_is_cancelled_too(
    on: Stage,
) -> None:
    campaign = mounted(on, named(*enrolled(on, *range(3))))
    mount.place(on.world, "maison", campaign.campaign_id, campaign.version)
    off = called_off(on, campaign, "cancelled")
    assert off.called_off is not None
    assert off.called_off.outcomes == {"never_placed": 3}
    from chalicelib.domain.lanes import laid
    from chalicelib.flows import place_all

    (slow, *_) = laid(collection(campaign.campaign_id), "place", campaign.pages)
    place_all.page(on.world, campaign, slow)  # it had read the campaign before
    assert len(orders(on)) == 3
    again = Calling.model_validate({"orders": "cancelled"})
    mount.call_off(
        on.world, "maison", campaign.campaign_id, campaign.version + 1, again
    )  # whoever was not answered
    settle(on)
    on.minutes(5)
    assert {order.cancel_asked_at for order in orders(on)} == {None}
    on.minutes(3)
    done = now(on, campaign)
    assert (done.state, done.called_off and done.called_off.outcomes) == (
        CampaignState.CANCELLED, {"cancelled": 3},
    )  # fmt: skip


def test_a_campaign_that_keeps_what_is_placed_only_ends(on: Stage) -> None:
    campaign = mounted(on, named(*enrolled(on, *range(300))))
    mount.place(on.world, "maison", campaign.campaign_id, campaign.version)
    queues: Any = on.world.queues
    drive.run(on.world, *queues.sent.pop(0))
    off = called_off(on, campaign, "kept")
    assert (off.state, off.placed and off.placed.outcomes) == (CampaignState.CANCELLED, {"placed": 100})
    on.minutes(10)
    assert {order.cancel_asked_at for order in orders(on)} == {None}
    with pytest.raises(Clashing):
        called_off(on, campaign, "cancelled")


def test_one_that_is_only_planned_is_called_off_at_once(on: Stage) -> None:
    campaign = mounted(on, named(*enrolled(on, 1)))
    assert called_off(on, campaign, "cancelled").state is CampaignState.CANCELLED
    assert called_off(on, campaign, "cancelled").state is CampaignState.CANCELLED


# --- what is told of it -------------------------------------------------------------------------------------


def test_a_report_counts_orders_by_state_tier_district_and_reason(on: Stage) -> None:
    enrolled(on, 1, 2)
    enrolled(on, 3, person={"places": {"home": place_at("Nowhere")}})
    campaign = mounted(on, {"clients": [{"client": "vic-1", "tier": "gold"}, {"client": "vic-2"},
                                        {"client": "vic-3"}, {"client": "vic-9"}]})  # fmt: skip
    with pytest.raises(Missing):
        mount.report_of(on.plain, campaign)
    campaign = placed(on, campaign)
    drive.settle(on.world)
    mount.ask_report(on.world, campaign)
    assert mount.ask_report(on.world, campaign).number == 1  # it is being made
    settle(on)
    report = mount.report_of(on.plain, campaign)
    assert report.as_of == on.clock.now
    assert report.tally.outcomes == {"booked": 2, "held": 1, "refused": 1}
    assert report.tally.tiers == {"gold": {"booked": 1}, "standard": {"booked": 1, "held": 1}}
    assert report.tally.districts == {"310101": {"booked": 2, "held": 1}}
    assert report.tally.reasons == {"zone_unknown": 1, "unknown_client": 1}
    assert mount.ask_report(on.world, campaign).number == 2
    assert mount.report_of(on.plain, campaign) == report, "the last one stays until the next is there"


def test_a_report_refuses_nobody_whom_placing_has_not_come_to(on: Stage) -> None:
    clients = enrolled(on, 1)
    clients += enrolled(on, 2, person={"places": {"home": place_at("Nowhere")}})
    campaign = mounted(on, named(*clients))
    assert told(on, campaign) == {"vic-2": ("zone_unknown",)}  # the dry run: it would wait
    for _ in range(2):
        mount.ask_report(on.world, campaign)
        settle(on)
        tally = mount.report_of(on.plain, campaign).tally
        assert (tally.outcomes, tally.reasons) == ({"not_placed": 2}, {})
        campaign = called_off(on, campaign, "kept")


def test_clients_are_told_page_by_page(on: Stage) -> None:
    campaign = mounted(on, named(*enrolled(on, *range(130))), at_once=True)
    first, more = sum_up.outcomes(on.plain, campaign, 90, 0)
    assert more is not None
    second, more = sum_up.outcomes(on.plain, campaign, 90, more)
    assert [one.client for one in [*first, *second]] == [f"vic-{n}" for n in range(130)]
    assert more is None
    assert {one.state for one in [*first, *second]} == {OrderState.PLACED}


# --- what goes wrong ----------------------------------------------------------------------------------------


def test_lost_doubled_and_late_nudges_give_to_everybody_once(on: Stage) -> None:
    enrolled(on, *range(950))
    campaign = mounted(on, {"rule": {}})
    mount.place(on.world, "maison", campaign.campaign_id, campaign.version)
    queues: Any = on.world.queues
    first = [each for each in queues.sent if each[0] is Topic.CAMPAIGN]
    queues.sent.clear()  # lost
    on.clock.forward(minutes=3)
    sweep.sweep(on.world)
    queues.sent += queues.sent  # doubled
    settle(on)
    queues.sent += first  # late
    settle(on)
    done = now(on, campaign)
    assert (done.state, done.placed and done.placed.outcomes) == (CampaignState.PLACED, {"placed": 950})
    assert len(orders(on)) == 950
    for number in (0, 949):
        client = enrol.client_of(on.plain, "maison", f"vic-{number}")
        row = on.plain.table.get(client_ledger_key(client.client_id, 2022))
        assert len(ledger_of_row(row).gifts) == 1


def test_a_page_that_was_placed_and_not_noted_is_found_and_noted(on: Stage) -> None:
    from chalicelib.domain.lanes import laid
    from chalicelib.flows import place_all

    campaign = mounted(on, named(*enrolled(on, *range(30))))
    (lane, *_) = laid(collection(campaign.campaign_id), "place", campaign.pages)
    place_all.page(on.world, campaign, lane)  # and it was killed here
    done = placed(on, campaign)
    assert done.placed is not None
    assert done.placed.outcomes == {"placed": 30}
    assert len(orders(on)) == 30


def test_gifts_that_were_overtaken_in_one_transaction_are_given_one_by_one(on: Stage) -> None:
    campaign = mounted(on, named(*enrolled(on, *range(12))))
    table: Any = on.world.table
    real, seen = table.write, []

    def write(*changes: Any) -> None:
        if len(changes) > 4 and not seen:  # another order for one of these clients comes first
            seen.append(len(changes))
            give(on.plain, "maison", "other", client_wish("vic-3"))
        real(*changes)

    table.write = write
    done = placed(on, campaign)
    assert seen
    assert done.placed is not None
    assert done.placed.outcomes == {"placed": 12}
    assert len(orders(on)) == 13


def test_gifts_to_one_household_are_counted_one_after_the_other(on: Stage) -> None:
    caps = {"caps": [{"per": "household", "days": 30, "at_most": 1}]}
    set_up.set_up(on.world, "maison", NewProgramme.model_validate(caps), "brand", None)
    home = place_at("Yongjia")
    for number in range(4):
        enrolled(on, number, person={"places": {"home": home}})
    campaign = mounted(on, named(*(f"vic-{n}" for n in range(4))))
    assert campaign.plan is not None
    done = placed(on, campaign)
    assert done.placed is not None
    assert done.placed.outcomes == {"placed": 1, "refused": 3}
    assert done.placed.reasons == {"cap_reached": 3}


def test_the_order_of_a_client_follows_from_the_campaign(on: Stage) -> None:
    campaign = mounted(on, named(*enrolled(on, 1)), at_once=True)
    (order,) = orders(on)
    assert order.order_id == order_id_of("maison", order_name(campaign.campaign_id, "vic-1"))


def test_a_market_in_another_zone_has_its_own_hours(on: Stage) -> None:
    enlist.put_market(on.world, Market.model_validate({**MARKET, "market_id": "SHB", "time_zone": "UTC"}))
    enrolled(on, 1)
    mounted(on, named("vic-1"), at_once=True, market="SHB")
    (order,) = orders(on)
    assert order.window.start == NOON + timedelta(hours=9)
