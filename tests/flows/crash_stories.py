"""The stories of the crash test: what happens to gifts, and where each of them ends."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, cast

from chalicelib.domain import breaker, facts
from chalicelib.domain.associates import NewAssociate
from chalicelib.domain.breaker import FAILURES
from chalicelib.domain.campaigns import CampaignState
from chalicelib.domain.clients import Client
from chalicelib.domain.fleet import Courier
from chalicelib.domain.given import ledger_of_row
from chalicelib.domain.impact import ImpactQuestion, ImpactState, impact_id_of
from chalicelib.domain.keys import Caller, Role
from chalicelib.domain.orders import OrderState
from chalicelib.domain.pass_answers import DigitalAction, DigitalStep
from chalicelib.domain.pass_rows import stock_key
from chalicelib.domain.passes import pass_id_of
from chalicelib.domain.ports import Count, Keep, KeyPage, Row, Topic, World
from chalicelib.domain.programme import NewProgramme
from chalicelib.domain.purchases import NewPurchases
from chalicelib.domain.suspicion import suspicion_id_of
from chalicelib.flows import (
    act,
    act_for,
    acts,
    answer,
    count_in,
    dispatch,
    draw,
    enlist,
    enrol,
    explain,
    give,
    grant,
    inquire,
    let_in,
    oversee,
    publish,
    rank,
    receive,
    recount,
    redeem,
    rezone,
    set_up,
    sign_in,
    stock,
    subscribe,
    suspect,
    sweep,
    tell,
    weigh,
)
from chalicelib.flows.place_digital import place_digital
from chalicelib.flows.settle import ATTEMPTS
from tests import digital
from tests.flows import crash_clients
from tests.flows.crash_campaigns import (
    MOVED,
    ONE_A_PAGE,
    RIGHT,
    WRONG,
    counting_households,
    ended_as,
    everybody_is_enrolled_once,
    followed,
    handed_in,
    mounted,
    order_key,
    read_the_lists,
    reported,
    steered,
    steered_once_each,
    told,
    two_clients,
)
from tests.flows.crash_play import Play, Story
from tests.flows.crash_steps import (
    AT_THE_GATE,
    BANNED,
    NEW_POLICY,
    OPEN,
    POLICIES,
    Step,
    add,
    allows,
    another_says,
    answers,
    brand,
    cancel,
    company,
    count,
    courier,
    expects,
    fails,
    fine,
    finish,
    flat,
    forget_jobs,
    gives,
    gone,
    later,
    looks_at_address,
    lose_nudges,
    meanwhile,
    minutes,
    new_code,
    on_the_page,
    only,
    only_publish,
    operator,
    page_is_read,
    place,
    point_at,
    proves,
    read_everything,
    receipt,
    refused,
    relay,
    reschedule,
    rules,
    says,
    says_of_nobody,
    seen_back,
    send_again,
    settle,
    silent,
    slow,
    slow_down,
    upload,
    visit,
)
from tests.flows.crash_talks import (
    a_person_writes,
    agrees_by_a_clock_ahead,
    all_is_said,
    channel_is_stated_anew,
    given,
    is_read,
    meta,
    presses,
    something_else_is_proposed,
    status,
    wish,
    with_clients,
    writes,
    writes_and_nobody_is_nudged,
)
from tests.paper import (
    HintingPaperDialect,
    NamedPaperDialect,
    PricedPaperDialect,
    TokenPaperDialect,
    callback,
)
from tests.provider import ACCOUNT, ISSUER, Provider
from tests.ring import RING, with_ring_courier
from tests.stage import (
    MARKET,
    NOON,
    OPEN_TO_THE_DOOR,
    Market,
    Stage,
    client_wish,
    crew,
    new_client,
    new_order,
    permit,
    publish_rules,
    slot,
    stage,
    zone,
)
from tests.swaps import CAKE, ELSEWHERE, FLOWERS, NUT_CAKE, NUTS, OPEN_KITCHEN, SEALED_KITCHEN, two_kitchens

STORIES: dict[str, Story] = dict(crash_clients.STORIES)

DELIVERED, CANCELLED, STRANDED = OrderState.DELIVERED, OrderState.CANCELLED, OrderState.STRANDED
HELD, RETURNED, AT_GATE, BOOKED = OrderState.HELD, OrderState.RETURNED, OrderState.AT_GATE, OrderState.BOOKED
ASSIGNED, PICKED_UP = OrderState.ASSIGNED, OrderState.PICKED_UP


def story(name: str, *steps: Any, ends: dict[str, OrderState] | None = None, **more: Any) -> None:
    STORIES[name] = Story(name, flat(*steps), ends or {}, **more)


RIDE: list[Any] = [
    later(minutes=60),
    courier("picked_up"),
    minutes(2),
    courier("in_transit", heard=False),
    courier("delivered"),
    minutes(18),
]
"""From booked to delivered."""

IN_A_WEEK = {
    "start": (NOON + timedelta(days=7)).isoformat(),
    "end": (NOON + timedelta(days=7, hours=3)).isoformat(),
    "time_zone": "Asia/Shanghai",
}

# --- the common way -----------------------------------------------------------------------------------------

story("delivered", place(), place(), minutes(7), RIDE, ends={"key-1": DELIVERED})
story(
    "repeated_after_its_window",
    place(), minutes(7), RIDE, later(hours=9), place(), minutes(1), ends={"key-1": DELIVERED},
)  # fmt: skip
story(
    "booked_long_ahead",
    place(), minutes(7), later(hours=1), cancel(), minutes(6),
    opening=partial(stage, start=NOON - timedelta(hours=2)), ends={"key-1": CANCELLED},
)  # fmt: skip
story(
    "placed_days_ahead",
    place(window=IN_A_WEEK), minutes(7), ends={"key-1": OrderState.PLACED},
)  # fmt: skip
story(
    "doubled_and_late_callbacks",
    place(), minutes(7), later(minutes=60),
    courier("accepted", heard=False), courier("picked_up", times=2), says("accepted", minutes_ago=20),
    courier("in_transit", heard=False), says_of_nobody, says_of_nobody, courier("delivered", times=3), says("in_transit", minutes_ago=1),
    says("delivered"), says("gibberish"), says("delivered", courier_id="nobody"), minutes(18),
    ends={"key-1": DELIVERED},
)  # fmt: skip
story(
    "callback_before_the_answer",
    meanwhile("before the answer to book", courier("accepted")), place(), minutes(7), RIDE,
    ends={"key-1": DELIVERED},
)  # fmt: skip
story(
    "callback_never_comes",
    place(), minutes(7), later(minutes=60), courier("picked_up", heard=False), later(minutes=20),
    minutes(18), courier("delivered", heard=False), later(minutes=20), minutes(18),
    ends={"key-1": DELIVERED}, by_itself=False,
)  # fmt: skip


def _with_token(**more: Any) -> Stage:
    on = stage(**more)
    on.world.dialects = {"paper": TokenPaperDialect()}
    on.company.token = "asked for"
    return on


story(
    "logged_in_to_the_courier",
    place(), minutes(7), RIDE, read_everything(),
    opening=_with_token, ends={"key-1": DELIVERED},
)  # fmt: skip


def _named(**more: Any) -> Stage:
    on = stage(**more)
    on.world.dialects = {"paper": NamedPaperDialect()}
    return on


story(
    "cancelled_before_the_couriers_own_id_is_known",
    company(silent={"book"}), place(), company(silent=set()), courier("courier_assigned"), company(deaf={"look"}),
    cancel(), minutes(4), company(deaf=set()), minutes(8),
    opening=_named, ends={"key-1": CANCELLED},
)  # fmt: skip


def _failing(**more: Any) -> Stage:
    """The courier has failed so often that once more opens its breaker."""
    on = stage(**more)
    known = None
    for _ in range(FAILURES - 1):
        known = breaker.failed(known, "SHA", "paper-co", "unanswered", on.clock())
    assert known is not None
    on.world.table.write(Keep(facts.breaker_row(known, 1), was=None))
    return on


def _hinting(**more: Any) -> Stage:
    on = stage(**more)
    on.world.dialects = {"paper": HintingPaperDialect()}
    return on


def _priced(**more: Any) -> Stage:
    on = stage(**more)
    on.world.dialects = {"paper": PricedPaperDialect()}
    asked = enlist.courier(on.world, "SHA", "paper-co").model_copy(update={"asks_price": True})
    enlist.put_courier(on.world, asked)
    on.settle()
    return on


story(
    "courier_could_not_get_in",
    place(), minutes(7), later(minutes=60), courier("picked_up"), minutes(2),
    courier("returning", reason="cannot_access_location"), minutes(2), courier("returned"), minutes(18),
    ends={"key-1": RETURNED},
)  # fmt: skip


def _somebody_has_looked(play: Play) -> None:
    """Whatever is suspected is taken back; and once more, for whoever was not answered."""
    name = suspicion_id_of(new_order().recipient.place.address)
    assert name is not None
    refused(play, lambda: suspect.suspicions(play.on.world, "SHA"))
    for _ in range(2):
        refused(play, lambda: suspect.dismiss(play.on.world, "SHA", name))
    play.settle()


story(
    "couriers_refuse_a_place_that_may_be_closed",
    company(refuse={"book": "closed_area"}), place(), place("key-2"), minutes(2), company(refuse={}),
    place("key-3"), minutes(2), _somebody_has_looked, minutes(35),
    ends={"key-3": BOOKED}, by_itself=False,
)  # fmt: skip
story(
    "courier_that_is_asked_for_its_price",
    company(silent={"quote"}), place(), company(silent=set()), minutes(7), place("key-2"), minutes(7), RIDE,
    opening=_priced, ends={"key-1": DELIVERED},
)  # fmt: skip
story(
    "courier_whose_callbacks_are_hints",
    place(), minutes(7), later(minutes=45), courier("courier_assigned", times=2), minutes(2), says("delivered"), RIDE,
    opening=_hinting, ends={"key-1": DELIVERED},
)  # fmt: skip


# --- couriers that do not ------------------------------------------------------------------------------------

story(
    "refused_then_another_crew",
    company(refuse={"book-1": "no_riders"}), place(), expects(BOOKED), minutes(8), read_everything(), RIDE,
    opening=partial(stage, crews=2), ends={"key-1": DELIVERED},
)  # fmt: skip
story(
    "refused_by_the_only_crew",
    company(refuse={"book": "no_riders"}), place(), minutes(3), later(hours=2), later(hours=2), minutes(4),
    ends={"key-1": STRANDED},
)  # fmt: skip


def _without_account(**more: Any) -> Stage:
    on = stage(**more)
    on.plain.secrets.by_account.clear()  # type: ignore[attr-defined]
    return on


story(
    "no_account_at_the_courier",
    place(), minutes(2), later(hours=2), minutes(8), later(hours=2), minutes(4),
    # stopped in the attempt, nobody can find out any more whether it arrived
    opening=_without_account, ends={"key-1": frozenset({STRANDED, ASSIGNED})},
)  # fmt: skip
story(
    "unknown_and_found",
    company(silent={"book"}), place(), company(silent=set()), minutes(7), RIDE, ends={"key-1": DELIVERED},
    by_itself=False,
)  # fmt: skip
story(
    "unknown_and_never_arrived",
    company(deaf={"book"}), place(), company(deaf=set()), minutes(12), RIDE, ends={"key-1": DELIVERED},
    by_itself=False,
)  # fmt: skip


def _held_up(play: Play) -> None:
    """The process stands still for so long that another looks the attempt up, finds nothing and tries anew."""
    for _ in range(3):
        play.on.clock.forward(minutes=1)
        play.act(lambda: sweep.sweep(play.other_process()))
        play.settle_beside()


story(
    "held_up_between_the_attempt_and_the_call",
    meanwhile("before secrets.accounts", _held_up), place(), minutes(7), RIDE,
    ends={"key-1": DELIVERED}, by_itself=False,
)  # fmt: skip
story(
    "deaf_until_the_slot_counts_as_refusing",
    company(deaf={"book"}), place(), minutes(3 * ATTEMPTS), company(deaf=set()), minutes(8), RIDE,
    opening=partial(stage, crews=2), ends={"key-1": DELIVERED}, by_itself=False,
)  # fmt: skip
story(
    "unknown_and_nobody_can_be_asked",
    company(deaf={"book", "look"}), place(), minutes(6), company(deaf=set()), minutes(14), RIDE,
    ends={"key-1": DELIVERED}, by_itself=False,
)  # fmt: skip
story(
    "courier_gives_the_job_back",
    place(), minutes(7), courier("cancelled", times=2, number=1, reason="no_rider"), expects(BOOKED), minutes(7),
    RIDE,
    opening=partial(stage, crews=2), ends={"key-1": DELIVERED},
)  # fmt: skip
story(
    "courier_loses_the_job",
    place(), minutes(7), forget_jobs, later(minutes=75), minutes(3), cancel(), minutes(6),
    ends={"key-1": CANCELLED}, by_itself=False,
)  # fmt: skip
story(
    "courier_is_down_and_left_in_peace",
    company(deaf={"book", "look"}), place(), place("key-2"), minutes(2), company(deaf=set()), minutes(12), RIDE,
    opening=_failing, ends={"key-1": DELIVERED, "key-2": DELIVERED},
)  # fmt: skip
story(
    "courier_takes_no_connection",
    company(gone={"book"}), place(), minutes(2), company(gone=set()), minutes(12), RIDE,
    ends={"key-1": DELIVERED},
)  # fmt: skip
story(
    "courier_reports_on_a_job_and_loses_it",
    company(silent={"book"}), place(), company(silent=set()),
    courier("courier_assigned", settled=False), lose_nudges, forget_jobs, minutes(8), cancel(), minutes(8),
    ends={"key-1": CANCELLED}, by_itself=False,
)  # fmt: skip


def _job_turns_up(play: Play) -> None:
    """The first request was not lost after all: the courier has two jobs now, and we made only one of them live."""
    job = f"{play.order_id()}-1-1"
    other = next(iter(play.on.company.jobs.values()))
    lost = dataclasses.replace(other, reference=job, state="accepted", since=None)
    play.on.company.jobs.setdefault(
        job, lost
    )  # where a stop kept the first request back, that was never lost


story(
    "hint_of_a_job_given_up_for_lost",
    company(deaf={"book"}), place(), company(deaf=set()), minutes(14), _job_turns_up,
    courier("courier_assigned", number=1), minutes(4), courier("courier_assigned", number=1), minutes(4), RIDE,
    opening=_hinting, ends={"key-1": DELIVERED}, by_itself=False,
)  # fmt: skip
story(
    "given_up_for_lost_and_turns_up",
    company(deaf={"book"}), place(), company(deaf=set()), minutes(14), _job_turns_up,
    courier("accepted", number=1), minutes(4), courier("accepted", number=1), minutes(2), RIDE,
    ends={"key-1": DELIVERED}, by_itself=False,
)  # fmt: skip
story(
    "courier_is_gone",
    place(), minutes(7),
    lambda play: play.table.rows.pop(next(k for k in play.table.rows if k.sk == "courier#paper-co")),
    later(minutes=20), minutes(3), later(minutes=75), minutes(3),
    ends={"key-1": BOOKED}, by_itself=False,
)  # fmt: skip

# --- second attempts ----------------------------------------------------------------------------------------

CAME_BACK: list[Any] = [
    place(), minutes(7), later(minutes=55), courier("picked_up"), minutes(5), courier("returned"), minutes(2),
    expects(RETURNED),
]  # fmt: skip
"""Fetched, and brought back to the shop."""
story(
    "came_back_and_sent_again",
    CAME_BACK, send_again(), expects(BOOKED), minutes(2), says("in_transit", leg_no=1, minutes_ago=12),
    says("delivered", leg_no=1), minutes(6), RIDE, send_again(), ends={"key-1": DELIVERED},
)  # fmt: skip
story(
    "sent_again_and_rather_cancelled",
    CAME_BACK, send_again(times=2), expects(BOOKED), minutes(2), cancel(), minutes(6), send_again(), ends={"key-1": CANCELLED},
)  # fmt: skip
story(
    "failed_seen_back_and_sent_again",
    place(), minutes(7), later(minutes=55), courier("picked_up"), minutes(3), courier("failed"), send_again(),
    seen_back(settled=False), seen_back(), minutes(2), send_again(), expects(BOOKED), minutes(7), RIDE,
    ends={"key-1": DELIVERED},
)  # fmt: skip
story(
    "the_first_courier_had_delivered_it_after_all",
    CAME_BACK, send_again(), expects(BOOKED), minutes(2), says("delivered", leg_no=1, minutes_ago=7), expects(HELD), minutes(3),
    later(hours=5), minutes(4), ends={"key-1": STRANDED},
)  # fmt: skip
story(
    "the_second_attempt_waits_while_a_lost_job_of_the_first_is_called_off",
    company(deaf={"book"}), place(), company(deaf=set()), minutes(14), later(minutes=45), courier("picked_up"), minutes(3),
    courier("returned"), send_again(start=24, end=28), _job_turns_up, company(deaf={"cancel"}),
    courier("accepted", number=1), minutes(3), company(deaf=set()), minutes(10), cancel(), minutes(3),
    ends={"key-1": CANCELLED}, by_itself=False,
)  # fmt: skip

# --- relays -------------------------------------------------------------------------------------------------

LASTING: dict[str, Any] = {
    "items": [{"name": "Book", "item_class": "fashion", "value": {"amount": 88000, "currency": "CNY"}}]
}
BY_THE_LINE: list[Any] = [
    rules(zone("Line")), place(relay=point_at("Line"), gift=LASTING), expects(BOOKED), minutes(7), later(minutes=25),
    courier("picked_up"), minutes(3), courier("delivered"), expects(BOOKED), minutes(2),
]  # fmt: skip
"""Handed over at the point, and the next courier is booked."""
story(
    "relayed_to_the_client",
    BY_THE_LINE, says("in_transit", leg_no=1), minutes(5), RIDE, opening=partial(stage, crews=2), ends={"key-1": DELIVERED},
)  # fmt: skip
story(
    "relayed_and_cancelled_at_the_point",
    BY_THE_LINE, cancel(), minutes(18), opening=partial(stage, crews=2), ends={"key-1": CANCELLED},
)  # fmt: skip
story(
    "nobody_may_carry_it_on_from_the_point",
    rules(zone("Line")), place(relay=point_at("Line"), gift=LASTING), minutes(7), later(minutes=25), courier("picked_up"),
    minutes(2), rules(BANNED), courier("delivered"), expects(HELD), minutes(2), rules(OPEN), expects(BOOKED), minutes(6), RIDE,
    opening=partial(stage, crews=2), ends={"key-1": DELIVERED},
)  # fmt: skip
story(
    "the_dispatcher_names_a_point_for_what_waits",
    place(compound="Garden", gift=LASTING), expects(HELD), minutes(2), rules(zone("Line")), relay("Line", times=2),
    expects(BOOKED), minutes(7), later(minutes=25), courier("picked_up"), minutes(2), courier("returned"), minutes(2),
    expects(RETURNED), send_again(end=4), minutes(2), later(hours=5), minutes(4),
    opening=partial(stage, crews=2), ends={"key-1": STRANDED},
)  # fmt: skip

# --- gifts of great value -----------------------------------------------------------------------------------

A_RING: dict[str, Any] = {"gift": RING, "safeguard": {}}
story(
    "ring_whose_courier_says_delivered_before_it_is_proven",
    place(**A_RING), expects(BOOKED), minutes(7), looks_at_address(), read_everything(), later(minutes=60),
    courier("picked_up"), proves(pick_up_seal="S-1", times=2), minutes(2), courier("delivered"), expects(PICKED_UP), minutes(2),
    later(minutes=31), minutes(3), proves(seal="S-2"), proves(code="000000"), new_code(), proves(seal="S-1", code="right"),
    minutes(2), proves(identity="crew-1", times=2), expects(DELIVERED), minutes(18),
    opening=with_ring_courier, ends={"key-1": DELIVERED},
)  # fmt: skip
story(
    "ring_that_its_courier_proves_itself",
    place(**A_RING), minutes(7), later(minutes=60), courier("picked_up", seal="S-1"), minutes(2),
    courier("in_transit", seal="S-2", said="000000"), expects(PICKED_UP), minutes(2), later(minutes=5),
    courier("delivered", seal="S-1", said="right", proofs="identity", times=2), expects(DELIVERED), minutes(18),
    opening=with_ring_courier, ends={"key-1": DELIVERED},
)  # fmt: skip
story(
    "ring_that_rides_alone_beside_a_cake",
    place(**A_RING), expects(BOOKED), place("key-2"), expects(HELD, "key-2"), minutes(7), cancel(), expects(BOOKED, "key-2"),
    minutes(12), opening=with_ring_courier, ends={"key-1": CANCELLED, "key-2": BOOKED},
)  # fmt: skip
story(
    "ring_that_was_not_handed_over_after_all",
    place(**A_RING), minutes(7), later(minutes=60), courier("picked_up"), courier("delivered"), minutes(2),
    seen_back(), expects(RETURNED), minutes(4), send_again(), minutes(2), cancel(), minutes(12),
    opening=with_ring_courier, ends={"key-1": CANCELLED},
)  # fmt: skip

# --- something else in its place -------------------------------------------------------------------------


def _two_kitchens(**more: Any) -> Stage:
    on = two_kitchens(**more)
    enrol.enrol(on.plain, "maison", "vic-1", new_client())
    on.plain.memory.clear()
    return on


A_CAKE: dict[str, Any] = {"gift": {"items": [CAKE]}}
story(
    "kitchen_sealed_and_another_takes_over",
    allows(ELSEWHERE), gives(**A_CAKE), expects(BOOKED), minutes(7), rules(SEALED_KITCHEN), minutes(3), expects(BOOKED), minutes(8), RIDE,
    opening=_two_kitchens, ends={"key-1": DELIVERED},
)  # fmt: skip
story(
    "flowers_are_agreed_to_when_the_kitchen_is_sealed",
    allows(FLOWERS), rules(SEALED_KITCHEN), minutes(3), place(**A_CAKE), expects(HELD), minutes(2), later(minutes=32), minutes(2),
    answers(times=2, settled=False), only(Topic.BOOK), settle, expects(BOOKED), minutes(7), RIDE, answers(yes=False), opening=_two_kitchens, ends={"key-1": DELIVERED},
)  # fmt: skip
story(
    "declined_and_what_is_next_has_changed_meanwhile",
    allows(FLOWERS, NUTS), rules(SEALED_KITCHEN), minutes(3), place(**A_CAKE), expects(HELD), answers(yes=False, times=2), minutes(2),
    allows({**NUTS, "items": [{**NUT_CAKE, "allergens": []}]}, version=1), answers(2), minutes(2), answers(3),
    minutes(2), cancel(), minutes(12), opening=_two_kitchens, ends={"key-1": CANCELLED},
)  # fmt: skip
story(
    "the_kitchen_opens_again_before_anybody_has_agreed",
    allows(FLOWERS), rules(SEALED_KITCHEN), minutes(3), place(**A_CAKE), expects(HELD), rules(OPEN_KITCHEN), expects(BOOKED), answers(),
    minutes(7), RIDE, opening=_two_kitchens, ends={"key-1": DELIVERED},
)  # fmt: skip

# --- rules change -------------------------------------------------------------------------------------------

story(
    "sealed_while_it_waits_to_be_booked",
    place(settled=False), only(Topic.DISPATCH), rules(BANNED, settled=False), only(Topic.RULES), settle,
    minutes(3), later(hours=4), minutes(4),
    ends={"key-1": STRANDED}, by_itself=False,
)  # fmt: skip
story(
    "sealed_before_the_attempt",
    place(settled=False), only(Topic.DISPATCH), rules(BANNED, settled=False),
    only_publish,
    only(Topic.BOOK), settle, minutes(3), later(hours=4), minutes(4),
    ends={"key-1": STRANDED}, by_itself=False, eager=False,
)  # fmt: skip
story(
    "sealed_while_booked",
    place(), minutes(7), rules(BANNED), expects(HELD), minutes(3), later(hours=4), minutes(4),
    ends={"key-1": STRANDED},
)  # fmt: skip
story(
    "sealed_and_nobody_says_so",
    place(), minutes(7), rules(BANNED, settled=False), only_publish, lose_nudges, minutes(2), expects(HELD),
    minutes(2), later(hours=4), minutes(4), ends={"key-1": STRANDED}, by_itself=False, eager=False,
)  # fmt: skip
story(
    "sealed_while_unknown",
    company(silent={"book"}), place(), company(silent=set()), rules(BANNED), minutes(7), later(hours=4),
    minutes(4), ends={"key-1": STRANDED}, by_itself=False,
)  # fmt: skip
story(
    "sealed_while_carried",
    place(), minutes(7), later(minutes=60), courier("picked_up"), minutes(4), rules(BANNED), minutes(4),
    courier("returning"), minutes(2), courier("returned"), minutes(18), ends={"key-1": RETURNED},
)  # fmt: skip
story(
    "sealed_at_the_very_pick_up",
    place(), minutes(7), later(minutes=60), rules(BANNED, settled=False),
    only_publish,
    courier("picked_up", settled=False), only(Topic.HEAR), settle, minutes(4), courier("returned"), minutes(18),
    ends={"key-1": RETURNED}, eager=False,
)  # fmt: skip
story(
    "recall_refused",
    place(), minutes(7), company(refuse={"cancel": "on the way"}), rules(BANNED), minutes(3), RIDE,
    ends={"key-1": AT_GATE},
)  # fmt: skip
story(
    "only_to_the_gate_while_carried",
    place(), minutes(7), later(minutes=60), courier("picked_up"), rules(AT_THE_GATE), minutes(4),
    courier("delivered"), minutes(4), receipt(settled=False), receipt(), minutes(16), ends={"key-1": DELIVERED},
)  # fmt: skip
story(
    "fetched_before_the_news_and_told_after_them",
    place(), minutes(7), later(minutes=60), courier("picked_up", heard=False), rules(AT_THE_GATE),
    says("picked_up", minutes_ago=2), minutes(4), courier("delivered"), minutes(18), ends={"key-1": AT_GATE},
)  # fmt: skip
story(
    "left_at_the_gate",
    place(), minutes(7), rules(AT_THE_GATE), page_is_read, RIDE, page_is_read, ends={"key-1": AT_GATE},
)  # fmt: skip


def _two_shards(**more: Any) -> Stage:
    on = stage(crews=1, **more)
    enlist.put_market(on.plain, Market.model_validate({**MARKET, "shards": 2}))
    on.plain.memory.clear()
    return on


TWO = ("key-1", "key-12")  # one in each shard
story(
    "many_orders_decided_again",
    [place(key) for key in TWO], minutes(7), rules(BANNED), [expects(HELD, key) for key in TWO], minutes(1), later(hours=5), minutes(2),
    opening=partial(_two_shards, capacity=3), settings={(rezone, "PAGE"): 1},
    ends=dict.fromkeys(TWO, STRANDED),
    # pages are cut by the time each order is due, which the step that was stopped has moved: the sweep meets it
    waits=("rezone",),
)  # fmt: skip
THREE = ("key-1", "key-2", "key-3")
story(
    "more_are_touched_than_one_run_decides",
    [place(key) for key in THREE], minutes(7), rules(BANNED), [expects(HELD, key) for key in THREE], minutes(3), later(hours=5),
    minutes(2), opening=partial(stage, capacity=3),
    settings={(rezone, "BLOCK"): 1, (rezone, "URGENT"): 1, (rezone, "SPARE"): 1, (rezone, "MORE"): 2},
    ends=dict.fromkeys(THREE, STRANDED),
    waits=("rezone",),
)  # fmt: skip
story(
    "more_wait_than_fit_into_a_round",
    [place(key, "Garden") for key in TWO], rules(zone("Elsewhere")), [cancel(key) for key in TWO],
    minutes(3),
    opening=_two_shards, settings={(dispatch, "POOL"): 1}, ends=dict.fromkeys(TWO, CANCELLED),
)  # fmt: skip
story(
    "cancelled_while_it_is_decided_again",
    place(), minutes(7), rules(BANNED, settled=False), only_publish, meanwhile("before table.write", cancel(settled=False)),
    settle, minutes(6), ends={"key-1": CANCELLED}, eager=False,
)  # fmt: skip
story(
    "rules_that_open_again_find_the_gift_waiting",
    place(compound="Garden"), minutes(2), read_everything(), rules(zone("Garden")), expects(BOOKED), minutes(7), RIDE,
    ends={"key-1": DELIVERED},
)  # fmt: skip

# --- waiting ------------------------------------------------------------------------------------------------

story(
    "held_looked_at_again_and_stranded",
    place(compound="Garden"), minutes(2), later(minutes=30), later(hours=5), minutes(4),
    ends={"key-1": STRANDED},
)  # fmt: skip
story(
    "stranded_and_rather_cancelled",
    place(compound="Garden", fallback="cancel"), minutes(1), later(hours=5), minutes(4),
    ends={"key-1": CANCELLED},
)  # fmt: skip
story(
    "every_nudge_is_lost",
    place(settled=False), lose_nudges, Play.minute, minutes(7), later(minutes=60),
    courier("picked_up", settled=False), lose_nudges, later(minutes=16), minutes(3),
    courier("delivered", settled=False), lose_nudges, later(minutes=16), minutes(18),
    ends={"key-1": DELIVERED}, by_itself=False,
)  # fmt: skip


def _read_the_plan(play: Play) -> None:
    """How the last round shared what there was; where it was stopped before it said so, nobody is owed that."""
    refused(play, lambda: explain.last(play.on.world, "SHA"))


story(
    "two_want_the_last_place",
    place("key-1", settled=False), place("key-2", settled=False), settle, minutes(4), _read_the_plan,
    cancel("key-1"), cancel("key-2"), minutes(4),
    opening=partial(stage, capacity=1), ends={"key-1": CANCELLED, "key-2": CANCELLED},
)  # fmt: skip
story(
    "the_place_of_one_goes_to_the_other",
    place("key-1"), place("key-2", tier="silver"), minutes(7), cancel("key-1"), minutes(7), expects(BOOKED, "key-2"), RIDE,
    opening=partial(stage, capacity=1), ends={"key-1": CANCELLED, "key-2": DELIVERED},
)  # fmt: skip
story(
    "whoever_stands_by_is_planned_with_whoever_comes",
    place("key-1"), place("key-2", tier="gold"), cancel("key-1", settled=False), place("key-3"), minutes(3),
    expects(BOOKED, "key-2"), cancel("key-2"), minutes(3), expects(BOOKED, "key-3"), cancel("key-3"), minutes(4),
    opening=partial(stage, capacity=1), ends={"key-1": CANCELLED, "key-2": CANCELLED, "key-3": CANCELLED},
)  # fmt: skip

# --- quotas and permits that are good once -------------------------------------------------------------------

LIMITED: dict[str, Any] = {
    **OPEN_TO_THE_DOOR,
    "policy_id": "limited",
    "quotas": [{"per": "zone", "limit": 1}, {"per": "household", "limit": 1}, {"per": "courier", "limit": 5}],
}
ONE_A_DAY = zone("Yongjia", "limited@1")


def _one_a_day(**more: Any) -> Stage:
    """One gift a day goes to Yongjia."""
    on = stage(**more)
    publish_rules(on.plain, "amend", ONE_A_DAY, policies=[LIMITED])
    return on


def _one_permit(**more: Any) -> Stage:
    """The only permit is good once."""
    on = stage(**more)
    enlist.put_permit(on.plain, permit(1, single_use=True))
    on.settle()
    return on


def _salt_of_another(play: Play) -> None:
    """Another process names a household of this market first."""
    row = Row(facts.salt_key("SHA"), 1, "{}", sealed=play.on.plain.sealer.seal(b"theirs", "salt#SHA"))
    if play.table.get(row.key) is None:
        play.table.write(Keep(row, was=None))


story(
    "one_a_day_goes_to_the_next_when_the_first_is_cancelled",
    place("key-1"), place("key-2", tier="silver"), minutes(7), read_everything("key-2"), cancel("key-1"), minutes(14),
    expects(BOOKED, "key-2"), RIDE,
    opening=_one_a_day, ends={"key-1": CANCELLED, "key-2": DELIVERED},
)  # fmt: skip
story(
    "one_a_day_and_the_courier_refuses",
    company(refuse={"book-1": "no_riders"}), place(), expects(BOOKED), minutes(8), RIDE,
    opening=partial(_one_a_day, crews=2), ends={"key-1": DELIVERED},
)  # fmt: skip
story(
    "two_name_their_first_household_at_once",
    meanwhile("before sealer.seal", _salt_of_another), place(), minutes(7), cancel(), minutes(6),
    opening=_one_a_day, ends={"key-1": CANCELLED},
)  # fmt: skip
story(
    "one_a_day_from_the_middle_of_the_day_on",
    place("key-1"), minutes(7), place("key-2", tier="silver"), minutes(7), rules(ONE_A_DAY, policies=[LIMITED]),
    minutes(3), cancel("key-1"), cancel("key-2"), minutes(14),
    ends={"key-1": CANCELLED, "key-2": CANCELLED},
)  # fmt: skip
story(
    "one_a_day_from_just_before_the_booking_on",
    place(settled=False), only(Topic.DISPATCH), rules(ONE_A_DAY, policies=[LIMITED], settled=False), only_publish,
    only(Topic.BOOK), settle, minutes(7), RIDE, ends={"key-1": DELIVERED}, by_itself=False, eager=False,
)  # fmt: skip
story(
    "sealed_while_it_holds_one_of_a_quota",
    place(), minutes(7), rules(BANNED), expects(HELD), minutes(3), later(hours=4), minutes(4),
    opening=_one_a_day, ends={"key-1": STRANDED},
)  # fmt: skip
story(
    "a_permit_that_is_good_once_goes_to_the_next_when_the_first_is_cancelled",
    place("key-1"), place("key-2", tier="silver"), minutes(7), cancel("key-1"), minutes(14), expects(BOOKED, "key-2"), RIDE,
    opening=_one_permit, ends={"key-1": CANCELLED, "key-2": DELIVERED},
)  # fmt: skip

# --- the brand wants the end of it --------------------------------------------------------------------------

story("cancelled_when_placed", place(settled=False), cancel(), minutes(4), ends={"key-1": CANCELLED})
story("cancelled_when_held", place(compound="Garden"), cancel(), minutes(4), ends={"key-1": CANCELLED})
story(
    "cancelled_when_assigned",
    place(settled=False), only(Topic.DISPATCH), cancel(), minutes(4), ends={"key-1": CANCELLED},
    by_itself=False,
)  # fmt: skip
story(
    "cancelled_when_unknown",
    company(silent={"book"}), place(), company(silent=set()), cancel(), minutes(8), ends={"key-1": CANCELLED},
    by_itself=False,
)  # fmt: skip
story(
    "cancelled_when_the_attempt_never_arrived",
    company(deaf={"book"}), place(), company(deaf=set()), cancel(), minutes(12), ends={"key-1": CANCELLED},
    by_itself=False,
)  # fmt: skip
story(
    "cancelled_before_the_answer",
    meanwhile("before the answer to book", cancel(settled=False)), place(), minutes(8),
    ends={"key-1": CANCELLED},
)  # fmt: skip
story("cancelled_when_booked", place(), minutes(7), cancel(), cancel(), minutes(6), ends={"key-1": CANCELLED})
story(
    "cancelled_and_nobody_answers",
    place(), minutes(7), company(deaf={"cancel"}), cancel(), minutes(4), company(deaf=set()), minutes(10),
    ends={"key-1": CANCELLED}, by_itself=False,
)  # fmt: skip
story(
    "cancelled_and_the_answer_is_lost",
    place(), minutes(7), company(silent={"cancel"}), cancel(), minutes(2), company(silent=set()), minutes(10),
    ends={"key-1": CANCELLED}, by_itself=False,
)  # fmt: skip
story(
    "cancelled_and_fetched_at_the_same_moment",
    place(), minutes(7), later(minutes=60),
    meanwhile("before cancel", courier("picked_up", settled=False)), cancel(), minutes(4), courier("returned"),
    minutes(18), ends={"key-1": RETURNED},
)  # fmt: skip
story(
    "cancelled_and_refused",
    place(), minutes(7), company(refuse={"cancel": "too_late"}), cancel(), minutes(3), RIDE,
    ends={"key-1": DELIVERED},
)  # fmt: skip
story(
    "cancelled_when_carried",
    place(), minutes(7), later(minutes=60), courier("picked_up", heard=False), cancel(), minutes(3),
    courier("returning"), courier("returned"), minutes(18), ends={"key-1": RETURNED},
)  # fmt: skip
story(
    "cancelled_when_it_is_too_late",
    place(), minutes(7), later(minutes=60), courier("picked_up"), cancel(), courier("delivered"), cancel(),
    minutes(18), ends={"key-1": DELIVERED},
)  # fmt: skip

# --- what needs no courier ----------------------------------------------------------------------------------

INSTEAD = OrderState.FULFILLED_DIGITALLY


def _with_gifts(*codes: str, limit: int = 3, **fallback: Any) -> Any:
    """A yoga pass with our codes, another with the studio's own, and what stands in for a parcel."""

    def opening(**more: Any) -> Stage:
        on = stage(**more)
        digital.put(on.plain, "YOGA", digital.yoga(limit=limit))
        digital.put(on.plain, "STUDIO", digital.listed())
        if codes:
            digital.load(on.plain, "STUDIO", 1, *codes)
        if fallback:
            digital.programme(on.plain, **fallback)
        on.plain.memory.clear()
        return on

    return opening


def _digitally(step: str, gift: str | None = None, key: str = "key-1") -> Step:
    """The brand says so; not answered, it sends the very same request again."""

    def do(play: Play) -> None:
        version, wish = play.order(key).version, DigitalAction(action=DigitalStep(step), gift=gift)
        refused(play, lambda: answer.act(play.on.world, "maison", play.order_id(key), wish, version))
        play.settle()

    return do


def _given_at_once(key: str = "key-1", gift: str = "YOGA") -> Step:
    def do(play: Play) -> None:
        refused(play, lambda: place_digital(play.on.world, "maison", key, digital.wanted(gift)))
        play.settle()

    return do


def _used(key: str = "key-1", times: int = 2) -> Step:
    """The client shows the code, twice; and somebody one that nobody has."""

    def do(play: Play) -> None:
        world, pass_id = play.on.world, pass_id_of(play.order_id(key))
        told = refused(play, lambda: redeem.code_of(world, redeem.pass_of(world, pass_id)))
        code = "no-code" if told is None else told.code
        for number in range(times):
            refused(play, partial(redeem.redeem, world, digital.STUDIO, f"visit-{number}", code))
        refused(play, lambda: redeem.redeem(world, digital.STUDIO, "guess", "nobody-has-it"))
        play.act(lambda: redeem.invitation_of(world, redeem.pass_of(world, pass_id)))

    return do


def _withdrawn(key: str = "key-1") -> Step:
    def do(play: Play) -> None:
        refused(play, lambda: redeem.withdraw(play.on.world, "maison", pass_id_of(play.order_id(key))))
        play.settle()

    return do


def _answers(do: Any, key: str = "key-1") -> Step:
    def step(play: Play) -> None:
        refused(play, lambda: do(play.on.world, play.order_id(key)))
        play.settle()

    return step


def _sets_up(play: Play) -> None:
    """A brand puts both in stock, changes one, and looks at them."""
    world = play.on.world
    play.act(lambda: digital.put(world, "YOGA", digital.yoga(limit=1)))
    play.act(lambda: digital.put(world, "STUDIO", digital.listed()))
    refused(play, lambda: digital.put(world, "YOGA", digital.yoga(limit=2), 1))
    for number in (1, 2):
        play.act(partial(digital.load, world, "STUDIO", number, "YOGA-0001", f"YOGA-001{number}"))
    play.act(lambda: stock.gifts_of(world, "maison", 10, None))


def _takes_a_code(play: Play) -> None:
    """Another process gives the only code to somebody, just now."""
    refused(play, lambda: place_digital(play.on.world, "maison", "key-9", digital.wanted("STUDIO")))


def _loads_it_again(play: Play) -> None:
    """A loader that had looked before puts a code back that was given meanwhile."""
    table, given = play.table, dict(play.table.rows)
    free = next((row for row in given.values() if row.key.sk.startswith("free#")), None)
    if free is None:
        return
    _takes_a_code(play)
    if free.key not in table.rows:
        table.write(Keep(free, was=None), Count(stock_key("maison", "STUDIO"), facts.LEFT, 1, floor=None))


story(
    "stranded_and_something_else_is_sent",
    place(compound="Garden", fallback="digital"), minutes(1), later(hours=5), expects(INSTEAD), minutes(4), _used(),
    _withdrawn(), cancel(), opening=_with_gifts(gift="YOGA", mode="send"), ends={"key-1": INSTEAD},
)  # fmt: skip
story(
    "held_for_too_long_and_a_partners_code_is_sent",
    place(compound="Garden", fallback="digital"), minutes(1), later(minutes=30), minutes(2), expects(INSTEAD), minutes(3),
    _withdrawn(), minutes(4),
    opening=_with_gifts("YOGA-0001", "YOGA-0002", gift="STUDIO", mode="send", patience_minutes=20),
    ends={"key-1": CANCELLED},
)  # fmt: skip
story(
    "offered_and_accepted",
    place(compound="Garden", fallback="digital"), minutes(1), later(minutes=30), minutes(2), expects(HELD),
    _answers(answer.accept), _answers(answer.accept), minutes(4), _used(),
    opening=_with_gifts(gift="YOGA", mode="offer", patience_minutes=20), ends={"key-1": INSTEAD},
)  # fmt: skip
story(
    "a_partners_code_is_offered_and_declined",
    place(compound="Garden", fallback="digital"), minutes(1), later(minutes=30), minutes(2), _answers(answer.decline),
    minutes(1), _digitally("offer", "STUDIO"), minutes(1), _digitally("accept"), minutes(4),
    opening=_with_gifts("YOGA-0001", gift="STUDIO", mode="offer", patience_minutes=20), ends={"key-1": INSTEAD},
)  # fmt: skip
story(
    "offered_and_nobody_answers",
    place(compound="Garden", fallback="digital"), minutes(1), later(hours=5), minutes(2), later(hours=2), minutes(4),
    _answers(answer.accept), minutes(4),
    opening=_with_gifts("YOGA-0001", gift="STUDIO", mode="offer", offer_minutes=60), ends={"key-1": STRANDED},
)  # fmt: skip
story(
    "offered_and_a_courier_is_found",
    place(compound="Garden", fallback="digital"), minutes(1), later(minutes=30), minutes(2), rules(zone("Garden")),
    minutes(5), expects(BOOKED), _answers(answer.accept), minutes(2), RIDE,
    opening=_with_gifts(gift="YOGA", mode="offer", patience_minutes=20, offer_minutes=600),
    ends={"key-1": DELIVERED},
)  # fmt: skip
story(
    "nothing_is_left_to_stand_in",
    _given_at_once("key-9"), place(compound="Garden", fallback="digital"), minutes(1), later(hours=5), minutes(4),
    opening=_with_gifts(limit=1, gift="YOGA", mode="send"), ends={"key-9": INSTEAD, "key-1": STRANDED},
)  # fmt: skip
story(
    "nothing_was_set_up_to_stand_in",
    place(compound="Garden", fallback="digital"), minutes(1), later(hours=5), minutes(4), ends={"key-1": STRANDED},
)  # fmt: skip
story(
    "a_place_is_given_back_for_something_else",
    place(settled=False), only(Topic.DISPATCH), _digitally("send", "YOGA"), minutes(4),
    opening=_with_gifts(), ends={"key-1": INSTEAD}, by_itself=False, eager=False,
)  # fmt: skip
story(
    "a_booked_courier_lets_go_for_something_else",
    place(), expects(BOOKED), minutes(7), _digitally("send", "YOGA"), minutes(8), _used(),
    opening=_with_gifts(), ends={"key-1": INSTEAD},
)  # fmt: skip
story(
    "a_courier_in_doubt_lets_go_for_something_else",
    company(silent={"book"}), place(), company(silent=set()), _digitally("send", "STUDIO"), minutes(10),
    opening=_with_gifts("YOGA-0001"), ends={"key-1": INSTEAD}, by_itself=False,
)  # fmt: skip
story(
    "a_booked_courier_does_not_let_go_for_something_else",
    place(), minutes(7), company(refuse={"cancel": "too_late"}), _digitally("send", "STUDIO"), minutes(3), RIDE,
    opening=_with_gifts("YOGA-0001"), ends={"key-1": DELIVERED},
)  # fmt: skip
story(
    "offered_then_a_courier_is_found_and_the_brand_would_rather_give_it",
    place(compound="Garden", fallback="digital"), minutes(1), later(minutes=30), minutes(2), rules(zone("Garden")),
    minutes(5), expects(BOOKED), _digitally("send", "YOGA"), minutes(8),
    opening=_with_gifts(gift="YOGA", mode="offer", patience_minutes=20, offer_minutes=600), ends={"key-1": INSTEAD},
)  # fmt: skip
story(
    "given_from_the_start",
    _sets_up, _given_at_once(), _given_at_once(), minutes(1), _given_at_once("key-2"), _given_at_once("key-3"),
    _given_at_once("key-4", "STUDIO"), minutes(2), _used("key-4"), _withdrawn(), _withdrawn(), minutes(4),
    ends={"key-1": CANCELLED, "key-2": INSTEAD, "key-4": INSTEAD},
)  # fmt: skip


def _enrols(play: Play) -> None:
    play.act(lambda: enrol.enrol(play.on.world, "maison", "vic-1", new_client()))


def _given_to_a_client(key: str = "key-1") -> Step:
    def do(play: Play) -> None:
        asked = digital.wanted(client="vic-1", occasion="birthday")
        refused(play, lambda: place_digital(play.on.world, "maison", key, asked))
        play.settle()

    return do


story(
    "given_from_the_start_to_a_client",
    _enrols, meanwhile("before table.write", _given_to_a_client("key-2")), _given_to_a_client(), _given_to_a_client(),
    minutes(4), opening=_with_gifts(gift="YOGA"), ends={"key-1": INSTEAD, "key-2": INSTEAD},
)  # fmt: skip
story(
    "another_takes_the_only_code",
    meanwhile("before table.write", _takes_a_code), _given_at_once(gift="STUDIO"), minutes(4),
    opening=_with_gifts("YOGA-0001"), ends={"key-9": INSTEAD},
)  # fmt: skip
story(
    "a_code_that_was_loaded_once_more_as_it_was_given_is_passed_over",
    meanwhile("before table.write", _loads_it_again), _given_at_once(gift="STUDIO"), minutes(4),
    opening=_with_gifts("YOGA-0001", "YOGA-0002"), ends={"key-9": INSTEAD, "key-1": INSTEAD},
)  # fmt: skip
story(
    "the_same_request_twice_at_once",
    meanwhile("before table.write", _given_at_once()), _given_at_once(), minutes(4),
    opening=_with_gifts(), ends={"key-1": INSTEAD},
)  # fmt: skip

# --- telling ------------------------------------------------------------------------------------------------

story(
    "brand_fails_for_a_while",
    brand(fails), place(), minutes(3), brand(slow_down), cancel(), minutes(4), brand(fine), later(minutes=40),
    minutes(8), ends={"key-1": CANCELLED}, by_itself=False,
)  # fmt: skip
story(
    "brand_is_slow",
    brand(slow), place(), cancel(), minutes(4), brand(fine), minutes(20),
    ends={"key-1": CANCELLED}, by_itself=False, most_told=2,
)  # fmt: skip
story(
    "brand_does_not_answer",
    brand(silent), place(), cancel(), minutes(2), brand(fine), later(minutes=40), minutes(8),
    ends={"key-1": CANCELLED}, by_itself=False,
)  # fmt: skip


def _create(play: Play) -> None:
    endpoint, _ = subscribe.create(play.on.world, "maison", "https://brand.example/second")
    play.known["hook"] = endpoint.endpoint_id


def _hook(do: str, *, settled: bool = True, **more: Any) -> Step:
    def step(play: Play) -> Any:
        return getattr(subscribe, do)(play.on.world, "maison", _second(play), **more)

    return operator(step, settled=settled)


def _second(play: Play) -> str:
    return next(k.sk.removeprefix("hook#") for k in play.table.rows if k.sk.startswith("hook#whe_"))


def _replay(hook: str = "hook-1", *, of_order: bool = False) -> Step:
    def step(play: Play) -> None:
        given = {"order_id": play.order_id()} if of_order else {}
        tell.replay(play.on.world, "maison", hook or _second(play), **given)

    return operator(step)


story(
    "endpoints_come_and_go",
    place(compound="Garden"), operator(_create), minutes(1), rules(zone("Garden")), minutes(7), _hook("rotate"),
    _hook("disable"), cancel(), minutes(2), _hook("enable"), _hook("enable"), _replay(hook="", of_order=True),
    _hook("deliveries", limit=10, after=None), operator(lambda play: subscribe.of_brand(play.on.world, "maison")),
    minutes(12),
    ends={"key-1": CANCELLED}, by_itself=False, most_told=3,
)  # fmt: skip
story(
    "receiver_is_gone_and_comes_back",
    brand(gone), place(), cancel(), minutes(3), brand(fine),
    operator(lambda play: subscribe.enable(play.on.world, "maison", "hook-1")), _replay(of_order=True), minutes(12),
    ends={"key-1": CANCELLED}, by_itself=False,
)  # fmt: skip
story(
    "told_again_on_request",
    place(), cancel(), minutes(3), _replay(), minutes(2), _replay(of_order=True), minutes(12),
    ends={"key-1": CANCELLED}, most_told=4,
)  # fmt: skip
story(
    "endpoint_changes_while_it_is_told",
    brand(lambda play, request: (play.once("before the brand answers"), fine(play, request))[1]),
    operator(_create),
    meanwhile("before the brand answers", _hook("rotate", settled=False)), place(settled=False), only(Topic.DISPATCH, Topic.BOOK),
    settle, minutes(2), cancel(), minutes(12),
    ends={"key-1": CANCELLED}, by_itself=False,
)  # fmt: skip

# --- rules are handed in ------------------------------------------------------------------------------------

story(
    "upload_in_parts",
    place(compound="Garden"), upload(mode="replace"),
    add(1, OPEN, zone("Kitchen"), policies=POLICIES), add(2, zone("Garden", "banned@1", "no_access")),
    add(2, zone("Garden")), add(2, zone("Garden")), finish(parts=2), minutes(7), RIDE,
    ends={"key-1": DELIVERED},
)  # fmt: skip
story(
    "upload_is_refused",
    place(), upload(), add(1, {"type": "Feature", "geometry": None, "properties": {"zone_id": "z"}}), finish(),
    minutes(4), cancel(), minutes(6), ends={"key-1": CANCELLED},
)  # fmt: skip
story(
    "two_uploads_at_once",
    place(), minutes(7), upload("one"), upload("two"), add(1, BANNED, name="one"), add(1, OPEN, name="two"),
    finish("one", settled=False), finish("two", settled=False), settle, rules(OPEN, policies=[NEW_POLICY]), minutes(4), cancel(), minutes(6),
    ends={"key-1": CANCELLED},
)  # fmt: skip
story(
    "upload_whose_nudges_are_lost",
    place(), minutes(7), rules(BANNED, settled=False), lose_nudges, minutes(4), expects(HELD), minutes(4),
    later(hours=4), minutes(4), ends={"key-1": STRANDED}, by_itself=False,
)  # fmt: skip


def _begin(play: Play) -> None:
    publish.begin(play.on.world, "SHA", "test", mode="amend", time_zone="Asia/Shanghai", datum="GCJ02")


story(
    "one_upload_too_many",
    operator(_begin), operator(_begin), operator(_begin), place(compound="Garden"), cancel(), minutes(4),
    ends={"key-1": CANCELLED}, settings={(publish, "OPEN_LIMIT"): 2},
)  # fmt: skip

# --- a change is asked about --------------------------------------------------------------------------------


def _asked(of_upload: bool = False) -> Step:
    """What would `BANNED` do? It is stated in the question, or in the upload that was begun."""

    def step(play: Play) -> None:
        given = {"amendment": {"features": [BANNED]}}
        raw = json.dumps({"upload_id": play.known["upload"]} if of_upload else given).encode()
        question, key = ImpactQuestion.model_validate_json(raw), f"question-{of_upload}"
        refused(play, lambda: inquire.ask(play.on.world, "SHA", "test", key, question, raw))
        play.settle()

    return step


def _read_the_answer(play: Play) -> None:
    for of_upload in (False, True):
        found = inquire.impact_of(play.on.world, "SHA", impact_id_of("test", "SHA", f"question-{of_upload}"))
        assert (found.state, found.affected) == (ImpactState.DONE, 2)
        told, _ = inquire.affected(play.on.world, found, 5, 0)
        assert len({one.order_id for one in told}) == 2
        assert (inquire.amendment(play.on.world, found) is None) is of_upload


story(
    "a_change_is_asked_about_before_it_is_made",
    place(), place("key-2"), minutes(7), _asked(), upload(), add(1, BANNED), _asked(of_upload=True), minutes(4),
    operator(_read_the_answer), cancel(), cancel("key-2"), minutes(6),
    ends={"key-1": CANCELLED, "key-2": CANCELLED}, settings={(weigh, "PAGE"): 1},
    waits=("weigh",),
)  # fmt: skip

# --- the fleet ----------------------------------------------------------------------------------------------


def _put(do: Any, *given: Any, settled: bool = True, **changes: Any) -> Step:
    name = {"crew": enlist.put_crew, "permit": enlist.put_permit, "slot": enlist.put_slot}
    noun = {"crew": crew, "permit": permit, "slot": slot}
    return operator(lambda play: name[do](play.on.world, noun[do](*given, **changes)), settled=settled)


def _remove(kind: str, name: str, *, settled: bool = True) -> Step:
    return operator(lambda play: enlist.remove(play.on.world, "SHA", kind, name), settled=settled)


story(
    "fleet_is_enlisted_and_changed",
    place(), minutes(7), _put("crew", 2), _put("permit", 2), _put("slot", 2, 2), _put("slot", 2, 2),
    _put("slot", 1, 5), _put("slot", 1, 1), _put("slot", 1, 0), place("key-2"), minutes(7),
    _remove("slots", "slot-1"), _remove("couriers", "paper-co"), _remove("crews", "crew-1"),
    operator(lambda play: enlist.member(play.on.world, "SHA", "crews", "crew-1")),
    cancel("key-1"), cancel("key-2"), minutes(6),
    _remove("slots", "slot-2"), _remove("permits", "permit-2"), _remove("crews", "crew-2"), minutes(4),
    ends={"key-1": CANCELLED, "key-2": CANCELLED},
)  # fmt: skip


def _never_waited(play: Play) -> None:
    states = [step.state for step in play.order().history]
    assert HELD not in states, f"it waited without need: {states}"


story(
    "another_permit_serves_by_now",
    place(settled=False), only(Topic.DISPATCH), _put("permit", 9, plate="A0001", settled=False),
    _remove("permits", "permit-1", settled=False), only(Topic.BOOK), settle, expects(BOOKED), minutes(7), RIDE,
    ends={"key-1": DELIVERED}, at_end=_never_waited,
)  # fmt: skip


def _another_courier(**more: Any) -> Stage:
    on = stage(**more)
    on.plain.secrets.by_account["paper", "other"] = [{"secret": "another secret"}]  # type: ignore[attr-defined]
    enlist.put_courier(
        on.plain, Courier(courier_id="other-co", market_id="SHA", dialect="paper", account="other")
    )
    on.plain.queues.sent.clear()  # type: ignore[attr-defined]
    return on


story(
    "another_courier_has_no_say",
    place(), minutes(7), another_says("delivered"), expects(BOOKED), minutes(1), another_says("cancelled"),
    expects(BOOKED), RIDE, opening=_another_courier, ends={"key-1": DELIVERED},
)  # fmt: skip
story(
    "fetched_as_its_time_runs_out",
    place(), minutes(7), lambda play: play.on.clock.forward(hours=5),
    lambda play: play.act(lambda: sweep.sweep(play.on.world)),
    meanwhile("before table.write", courier("picked_up", settled=False)), only(Topic.BOOK), settle, minutes(4),
    courier("delivered"), minutes(18), ends={"key-1": frozenset({DELIVERED, AT_GATE})}, by_itself=False, eager=False,
)  # fmt: skip
story(
    "crew_is_withdrawn_while_it_is_booked",
    place(), minutes(7), _put("crew", 1, withdrawn=True), expects(BOOKED), minutes(7), RIDE,
    opening=partial(stage, crews=2), ends={"key-1": DELIVERED},
)  # fmt: skip


def _keys(play: Play) -> None:
    from chalicelib.domain.keys import Role, hash_of

    secret = play.act(lambda: enlist.create_key(play.on.world, Role.BRAND, "maison"))
    play.act(lambda: enlist.disable_key(play.on.world, hash_of(secret)))


story(
    "market_and_keys",
    operator(lambda play: enlist.put_market(play.on.world, Market.model_validate({**MARKET, "name": "Hu"}))),
    operator(lambda play: receive.greet(play.on.world, "SHA", "paper-co", callback("", "hello", play.on.clock.now))),
    _keys, place(), cancel(), minutes(6), ends={"key-1": CANCELLED},
)  # fmt: skip

LEASED = {(dispatch, "UNLEASED"): 0}
"""So small a pool is planned without the lease otherwise."""

# --- planners -----------------------------------------------------------------------------------------------


def _another_plans(play: Play) -> None:
    """Another planner comes while this one thinks: it meets the lease."""
    play.act(lambda: dispatch.dispatch(play.other_process(), "SHA", everything=True))


def _the_same_again(play: Play) -> None:
    """A process that remembers a lease it took and could not give back is woken again."""
    play.act(lambda: dispatch.dispatch(play.on.world, "SHA"))


def _another_takes_over(play: Play) -> None:
    """This planner thinks for longer than its lease lives; another takes over, and plans the same orders."""
    play.on.clock.forward(minutes=2)
    play.act(lambda: dispatch.dispatch(play.other_process(), "SHA"))


story(
    "planner_meets_another",
    meanwhile("while planning", _another_plans), place(), minutes(7), cancel(), minutes(6),
    ends={"key-1": CANCELLED}, settings=LEASED,
)  # fmt: skip
story(
    "planner_outlives_its_lease",
    meanwhile("while planning", _another_takes_over), place("key-1", settled=False),
    place("key-2", tier="silver", settled=False), settle, minutes(7), cancel("key-1"), cancel("key-2"), minutes(8),
    opening=partial(stage, capacity=1), ends={"key-1": CANCELLED, "key-2": CANCELLED}, by_itself=False,
    settings=LEASED,
)  # fmt: skip
story(
    "two_plan_without_a_lease",
    meanwhile("while planning", _another_plans), place("key-1", settled=False),
    place("key-2", tier="silver", settled=False), settle, minutes(7), cancel("key-1"), cancel("key-2"), minutes(8),
    opening=partial(stage, capacity=1), ends={"key-1": CANCELLED, "key-2": CANCELLED},
)  # fmt: skip


@dataclasses.dataclass
class _Lagging:
    """A table whose index does not know of an order yet."""

    table: Any
    hidden: str

    def __getattr__(self, verb: str) -> Any:
        return getattr(self.table, verb)

    def find_due(self, *asked: Any) -> KeyPage:
        page = self.table.find_due(*asked)
        return KeyPage(tuple(key for key in page.keys if key.pk != self.hidden), page.after)


def _another_order_takes_the_last_place(play: Play) -> None:
    """Another order is placed while a planner thinks, and another planner, that sees this one alone, is quicker."""
    place("key-2", settled=False)(play)
    other = play.other_process()
    other.table = _Lagging(other.table, play.order_id("key-1"))
    play.act(lambda: dispatch.dispatch(other, "SHA"))


story(
    "last_place_goes_while_a_planner_thinks",
    place("key-1", settled=False), meanwhile("while planning", _another_order_takes_the_last_place), settle,
    minutes(7), cancel("key-1"), minutes(2), cancel("key-2"), minutes(8),
    opening=partial(stage, capacity=1), ends={"key-1": CANCELLED, "key-2": CANCELLED},
    waits=("place",), eager=False,
)  # fmt: skip
story(
    "planner_that_could_not_give_its_lease_back",
    meanwhile("while planning", _the_same_again), place(), minutes(7), cancel(), minutes(6),
    ends={"key-1": CANCELLED}, settings=LEASED,
)  # fmt: skip


def _derived_otherwise(play: Play) -> None:
    """An order as older code left it: its history lacks a step that follows from its facts."""
    order = play.order()
    older = order.model_copy(update={"received_at": play.on.clock.now, "version": order.version + 1})
    play.table.write(facts.keep_order(older))


story(
    "closing_brings_a_state_to_light",
    place(compound="Garden"), cancel(settled=False), _derived_otherwise, settle, minutes(6),
    ends={"key-1": DELIVERED}, eager=False,
)  # fmt: skip


# --- the board --------------------------------------------------------------------------------------------------


def _deed(do: Callable[[World, str, int], Any]) -> Step:
    """A dispatcher acts, and clicks twice; not answered, the very same again."""

    def step(play: Play) -> None:
        order = play.order()
        for _ in range(2):
            refused(play, lambda: do(play.on.world, order.order_id, order.version))
        play.settle()

    return step


def _redispatch(world: World, order_id: str, version: int) -> Any:
    return act.redispatch(world, order_id, version, "mei")


def _hold(world: World, order_id: str, version: int) -> Any:
    return act.hold(world, order_id, version, world.clock() + timedelta(minutes=20), "mei")


def _by_a_provider(play: Play) -> None:
    """Somebody comes in on a provider's word; not answered, they begin anew."""
    world, plain = play.on.world, play.on.plain
    provider = Provider(play.on.clock)
    secrets, line = cast(Any, plain.secrets), cast(Any, plain.line)
    secrets.by_account["oidc", "board"] = [ACCOUNT]
    answer = line.answer
    line.answer = lambda request: (provider if request.url.startswith(ISSUER) else answer)(request)
    for _ in range(3):
        begun = refused(play, lambda: let_in.begin(world, "https://cordon.example/enter/oidc/back"))
        if begun is None:
            continue
        address, secret = begun
        state, code = provider.sign_in(address)
        back = (secret, state, code, "https://cordon.example/enter/oidc/back")
        if refused(play, lambda told=back: let_in.finish(world, *told)) is not None:  # type: ignore[misc]
            break
    line.answer = answer


def _at_the_board(play: Play) -> None:
    """Somebody signs in, looks, and is turned away."""
    world = play.on.world
    for _ in range(2):
        secret, _ = play.act(lambda: sign_in.invite(world, "mei", "control-room"))
        known = refused(play, lambda s=secret: sign_in.enter(world, s))  # type: ignore[misc]
        if known is None:  # not answered, and the link is spent: another is made
            secret, _ = play.act(lambda: sign_in.invite(world, "mei", "control-room"))
            known = refused(play, lambda s=secret: sign_in.enter(world, s))  # type: ignore[misc]
        if known is None:
            return
        token = known[0]
        refused(play, lambda t=token: sign_in.session_of(world, t))  # type: ignore[misc]
        proof = play.act(lambda t=token: sign_in.proof_of(world, t))  # type: ignore[misc]
        refused(play, lambda t=token, p=proof: sign_in.prove(world, t, p))  # type: ignore[misc]
        for _ in range(2):
            board = play.act(lambda: recount.watch(world, "SHA"))
            play.settle()
        if board is not None:
            play.act(lambda b=board: recount.lines(world, b))  # type: ignore[misc]
        play.act(lambda: oversee.suspend(world, "SHA", "paper-co", "mei", suspended=False))
        refused(play, lambda: oversee.dismiss(world, "SHA", "none", "mei"))
        play.act(lambda: oversee.deeds(world, "SHA"))
        versions = play.act(lambda: draw.versions(world, "SHA"))
        refused(play, lambda v=versions: draw.part(world, "SHA", v[-1].digest, 1))  # type: ignore[misc]
        play.act(lambda: draw.policies(world, "SHA"))
        play.act(lambda: draw.zone(world, "SHA", "zone-Yongjia"))
        play.act(lambda: draw.at(world, "SHA", 121.49, 31.22, None))
        play.act(lambda t=token: sign_in.leave(world, t))  # type: ignore[misc]
        play.act(lambda: sign_in.turn_away(world, "mei"))
        play.on.clock.forward(minutes=1)


def _told_whom(play: Play) -> None:
    play.act(lambda: act.look_at(play.on.world, play.order_id(), "mei", "control-room"))
    play.act(lambda: act.deeds_of(play.on.world, play.order_id()))


story(
    "looked_at_and_acted_on_at_the_board",
    place(), minutes(7), _told_whom, _at_the_board, _by_a_provider, _deed(_hold), _deed(_hold),
    _deed(lambda *asked: act.release(*asked, "mei")), minutes(7), _deed(_redispatch), minutes(7),
    _deed(lambda *asked: act.cancel(*asked, "mei")), minutes(8), ends={"key-1": CANCELLED}, eager=False,
)  # fmt: skip
story(
    "recalled_at_the_board",
    place(), minutes(7), later(minutes=60), courier("picked_up"),
    _deed(lambda *asked: act.recall(*asked, "mei")), courier("returned"), minutes(18), _at_the_board,
    ends={"key-1": RETURNED}, eager=False,
)  # fmt: skip


# --- another window, and visits -----------------------------------------------------------------------------------

story(
    "another_window_while_it_waits",
    place(settled=False), reschedule(settled=False), settle, expects(BOOKED), minutes(2), later(minutes=120), RIDE,
    ends={"key-1": DELIVERED},
)  # fmt: skip
story(
    "another_window_once_a_place_was_given",
    place(settled=False), only(Topic.DISPATCH), reschedule(times=2), expects(BOOKED), minutes(2),
    later(minutes=120), RIDE, ends={"key-1": DELIVERED},
)  # fmt: skip
story(
    "another_window_once_the_courier_has_it",
    place(), minutes(3), reschedule(times=2), expects(BOOKED), minutes(3), later(minutes=120), RIDE,
    ends={"key-1": DELIVERED},
)  # fmt: skip
story(
    "another_window_that_the_courier_refuses",
    place(), minutes(3), company(refuse={"cancel": "too_late"}), reschedule(), minutes(3), company(refuse={}), RIDE,
    ends={"key-1": DELIVERED},
)  # fmt: skip
story(
    "another_window_for_a_booking_in_doubt",
    company(deaf={"book"}), place(), reschedule(), company(deaf=set()), minutes(6), expects(BOOKED), later(minutes=120),
    RIDE, ends={"key-1": DELIVERED},
)  # fmt: skip
story(
    "another_window_and_then_none",
    place(), minutes(3), company(deaf={"cancel"}), reschedule(), cancel(), company(deaf=set()), minutes(20),
    ends={"key-1": CANCELLED},
)  # fmt: skip


story(
    "another_window_by_the_clients_link_which_is_then_revoked",
    place(), minutes(3), on_the_page("move"), expects(BOOKED), minutes(3), on_the_page("revoke"), later(minutes=120), RIDE,
    ends={"key-1": DELIVERED},
)  # fmt: skip
story(
    "nobody_at_home_by_the_clients_link",
    place(), minutes(3), on_the_page("absent"), minutes(3), cancel(), minutes(4), ends={"key-1": CANCELLED},
)  # fmt: skip


def _with_team(**more: Any) -> Stage:
    on = stage(**more)
    team = {"capacity": 1, "slot_id": "team-1", "crew_id": "crew-1", "visits": True}
    enlist.put_slot(on.world, slot(2, **team))
    on.settle()
    return on


story(
    "a_visit_whose_pieces_are_all_accounted_for",
    visit(), minutes(7), count(A1="out", A2="out"), RIDE, count(A1="sold", A2="back"), minutes(3),
    opening=_with_team, ends={"key-1": DELIVERED},
)  # fmt: skip
story(
    "a_visit_of_which_a_piece_is_looked_for",
    visit(), minutes(7), RIDE, count(A1="back"), later(hours=2), minutes(4), count(A2="sold"), minutes(3),
    opening=_with_team, ends={"key-1": DELIVERED},
)  # fmt: skip


# --- the gift programme -------------------------------------------------------------------------------------


def _stated(**changes: Any) -> NewProgramme:
    tiers = [{"tier": "gold", "spend": {"amount": 10_000_000, "currency": "CNY"}}]
    caps = [{"per": per, "at_most": 1, "days": 3} for per in ("client", "household")]
    return NewProgramme.model_validate({"tiers": tiers, "caps": caps, **changes})


def _client_of(play: Play) -> Client:
    return enrol.client_of(play.on.world, "maison", "vic-1")


def _a_programme(play: Play) -> None:
    """Everything a brand sets up before it gives; each request is sent again by whoever was not answered."""
    world, expires_at = play.on.world, play.on.clock.now + timedelta(days=9)
    named = NewAssociate(name="Anna Bianchi", countries=("CN",), locale="it-IT")
    new = {"grant": "g-1", "tier": "diamond", "reason": "press", "expires_at": expires_at}
    bought = [
        {"purchase": "t-1", "at": NOON, "amount": {"amount": 10_000_000, "currency": "CNY"}},
        {"purchase": "r-1", "at": NOON, "amount": {"amount": 1, "currency": "CNY"}, "refunds": "t-1"},
    ]
    told = NewPurchases.model_validate({"purchases": bought}).purchases
    by = "staff:li.wei"
    play.act(lambda: enrol.enrol(world, "maison", "vic-1", new_client(associate_id="anna")))
    for _ in range(2):
        play.act(lambda: act_for.put_associate(world, "maison", "anna", named, None))
    play.act(lambda: act_for.of_brand(world, "maison"))
    play.act(lambda: act_for.associate_of(world, "maison", "anna"))
    play.act(lambda: set_up.set_up(world, "maison", _stated(), by, None))
    play.act(lambda: set_up.programme_of(world, "maison"))
    play.act(lambda: count_in.count_in(world, _client_of(play), told, by))
    play.act(lambda: grant.grant(world, _client_of(play), grant.NewGrant.model_validate(new), by))
    play.act(lambda: grant.revoke(world, _client_of(play), "g-1", by))
    play.settle()


def _given(key: str = "key-1", **changes: Any) -> Step:
    def step(play: Play) -> None:
        who = Caller(role=Role.ASSOCIATE, owner="maison", associate_id="anna")
        associate = play.act(lambda: act_for.active(play.on.world, who))
        wish = client_wish(**changes)
        give_it = partial(give.give, play.on.world, "maison", key, wish, who.actor, associate=associate)
        refused(play, give_it)
        play.settle()
        if key in play.story.ends:
            play.act(lambda: act_for.order_for(play.on.world, who, play.order_id(key)))
            play.act(lambda: acts.acts_for(play.on.world, _client_of(play).client_id, 2, None))

    return step


def _each_once(play: Play) -> None:
    """However often it was asked: one purchase counted, one grant, one act of each, one gift in the books."""
    client = _client_of(play)
    seen = rank.view(play.on.plain, client)
    assert [money.amount for money in seen.spent] == [9_999_999]
    assert [(one.grant, one.revoked_at is not None) for one in seen.grants] == [("g-1", True)]
    done = Counter(act.did.value for act in acts.acts_for(play.on.plain, client.client_id, 100, None)[0])
    assert done.pop("client_changed") == 1
    gifts = done.pop("gift_ordered")
    done.pop("gift_cancelled", None)
    assert done == dict.fromkeys(("purchase_counted", "refund_counted", "tier_granted", "grant_revoked"), 1)
    orders = [order for order in play.orders() if order.client_id is not None]
    assert gifts == len(orders) == len(play.story.ends), "a gift is entered with its order, or not at all"
    for year in play.table.read(client.client_id, "gifts#").rows:
        listed = [gift.order_id for gift in ledger_of_row(year).gifts]
        assert sorted(listed) == sorted(order.order_id for order in orders)


story(
    "a_client_is_given_to",
    _a_programme, _given(), _given("key-2"), minutes(7), RIDE, _given("key-3"),
    ends={"key-1": DELIVERED}, at_end=_each_once,
)  # fmt: skip
story(
    "a_gift_to_a_client_that_came_to_nothing_makes_room_for_another",
    _a_programme, _given(), cancel(), minutes(4), _given("key-2"), minutes(7), later(minutes=60),
    courier("picked_up", key="key-2"), minutes(2), courier("delivered", key="key-2"), minutes(18),
    ends={"key-1": CANCELLED, "key-2": DELIVERED}, at_end=_each_once,
)  # fmt: skip
story(
    "a_gift_to_a_client_is_sent_out_again",
    _a_programme, _given(), minutes(7), later(minutes=55), courier("picked_up"), minutes(5), courier("returned"),
    minutes(2), expects(RETURNED), send_again(start=98, end=99), minutes(2), cancel(), minutes(18),
    ends={"key-1": CANCELLED}, at_end=_each_once,
)  # fmt: skip


# --- clients who are spoken to ------------------------------------------------------------------------------------


def talks(name: str, *steps: Any, **more: Any) -> None:
    """A story with a client in it: at its end all is said."""
    story(name, *steps, opening=with_clients, at_end=all_is_said, waits=("speak", "summon"), **more)


talks(
    "spoken_to_until_delivered",
    given(settled=False), settle, minutes(7), is_read, RIDE, minutes(4), ends={"key-1": DELIVERED},
)  # fmt: skip
talks(
    "announced_and_answered",
    given(days=1), status("delivered"), status("read"), presses("accept"), writes("hello"),
    presses("other_time", times=2), presses("at", "times", times=2), presses("not_at_home", ago=30),
    writes("who is this", number="4915112345678", user_id=None), a_person_writes("hello"), is_read, minutes(6),
    ends={"key-1": frozenset({HELD, OrderState.PLACED})}, by_itself=False,
)  # fmt: skip
talks(
    "not_at_home_and_no_more_messages",
    given(days=1), presses("not_at_home"), wish, agrees_by_a_clock_ahead, writes("stop"), cancel(), minutes(6), ends={"key-1": CANCELLED},
    by_itself=False,
)  # fmt: skip
talks(
    "refused_by_one_channel_and_taken_by_the_next",
    given(days=1), status("failed", 131049), meta("refuses"), cancel(), minutes(6), ends={"key-1": CANCELLED},
    by_itself=False,
)  # fmt: skip
talks(
    "nobody_answers_whoever_speaks",
    meta("nobody"), given("vic-nobody", days=1), minutes(9), cancel(), meta(), minutes(9),
    ends={"key-1": CANCELLED}, by_itself=False,
)  # fmt: skip
talks(
    "a_channel_that_is_busy_and_overtaken",
    meta("busy"), given("vic-nobody", days=1), meta("unreached"), minutes(3), cancel(), meta(), minutes(9),
    ends={"key-1": CANCELLED}, by_itself=False,
)  # fmt: skip
talks(
    "by_the_brand_itself_or_not_at_all",
    given("vic-webhook", days=1), given("vic-service", "key-2", days=1), given("vic-service", "key-3", days=1),
    minutes(3), cancel(), cancel("key-2"), brand(fails), given("vic-webhook", "key-4", days=1), minutes(30),
    brand(fine), minutes(60), channel_is_stated_anew, cancel("key-4"), minutes(9), ends={"key-1": CANCELLED},
    by_itself=False, most_told=4,
)  # fmt: skip
talks(
    "written_and_the_nudge_is_lost",
    given(days=1), writes_and_nobody_is_nudged, minutes(3), cancel(), minutes(6), ends={"key-1": CANCELLED},
    by_itself=False,
)  # fmt: skip
talks(
    "something_else_is_proposed_and_declined",
    given(days=1), something_else_is_proposed, presses("no", "substitute_proposed"), cancel(), minutes(6),
    ends={"key-1": CANCELLED}, by_itself=False,
)  # fmt: skip
talks(
    "too_many_offers_for_one_day",
    given(days=1), given(key="key-2", days=1), minutes(3), ends={"key-1": HELD}, by_itself=False,
)  # fmt: skip
talks(
    "a_conversation_is_asked_for",
    a_person_writes("too early", client="vic-nobody"), a_person_writes(None, "t-0"), writes("yes"),
    a_person_writes("hello", "t-2"), a_person_writes("other words", "t-2"), meta("silent"),
    a_person_writes("once more", "t-3"), minutes(6), by_itself=False,
)  # fmt: skip

# --- lists and campaigns --------------------------------------------------------------------------------------

story(
    "lists_of_clients_are_handed_in",
    handed_in(RIGHT, "right", currency="CNY"), handed_in(MOVED, "moved", currency="CNY"),
    handed_in(WRONG, "wrong", currency="CNY"), read_the_lists,
    minutes(3), read_the_lists,
    settings=ONE_A_PAGE, at_end=everybody_is_enrolled_once, waits=("walk", "take_in"),
)  # fmt: skip
story(
    "a_campaign_is_placed_paused_and_goes_on",
    two_clients, counting_households, mounted({"rule": {"tier_at_least": "standard", "open_occasion": "easter"}}), minutes(3),
    told("plan"), minutes(3), told("place", settled=False), told("pause"), minutes(2), told("place"), minutes(3), reported, minutes(3),
    cancel(order_key("vic-1")), cancel(order_key("vic-2")), minutes(6),
    ends={order_key("vic-1"): CANCELLED, order_key("vic-2"): CANCELLED}, settings=ONE_A_PAGE,
    at_end=ended_as(CampaignState.PLACED, placed=2), waits=("walk", "place_all", "proceed"),
)  # fmt: skip
story(
    "a_campaign_is_steered_from_the_board",
    two_clients, mounted({"clients": [{"client": "vic-1"}, {"client": "vic-2"}]}), minutes(3), told("place", settled=False),
    steered("pause"), minutes(2), steered("proceed"), minutes(3), followed, steered("off", orders="cancelled"), minutes(9),
    followed, minutes(3), reported, minutes(3),
    ends={order_key("vic-1"): CANCELLED, order_key("vic-2"): CANCELLED}, settings=ONE_A_PAGE,
    at_end=steered_once_each(ended_as(CampaignState.CANCELLED, cancelled=2), "paused", "proceeded", "called_off"),
    waits=("walk", "place_all", "proceed"), eager=False,
)  # fmt: skip
story(
    "a_campaign_off_a_list_is_called_off",
    two_clients, handed_in(b"reference\nvic-1\nvic-2", "list", kind="members"), minutes(3),
    mounted("list", at_once=True), minutes(3), reported, told("off", orders="cancelled"), minutes(9), reported, minutes(3),
    ends={order_key("vic-1"): CANCELLED, order_key("vic-2"): CANCELLED}, settings=ONE_A_PAGE,
    at_end=ended_as(CampaignState.CANCELLED, cancelled=2), waits=("walk", "place_all", "proceed"),
)  # fmt: skip
story(
    "something_digital_is_sent_from_the_board",
    place(compound="Garden"), minutes(1), _deed(lambda *asked: act.send_digitally(*asked, "mei")), minutes(6),
    opening=_with_gifts(gift="YOGA", mode="send"), ends={"key-1": INSTEAD}, eager=False,
)  # fmt: skip
