"""What clients have bought and were granted: each once, refunds on the day they are of, and a history of every change."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain.client_rows import data_key_of_client
from chalicelib.domain.clients import Client
from chalicelib.domain.errors import Clashing, Invalid, Lost, Missing, Stale, Unconditional
from chalicelib.domain.orders import Tier
from chalicelib.domain.ports import Drop
from chalicelib.domain.programme import NewProgramme
from chalicelib.domain.purchases import NewPurchase
from chalicelib.flows import enrol, rank
from chalicelib.flows.acts import acts_for
from chalicelib.flows.count_in import count_in
from chalicelib.flows.grant import NewGrant, grant, revoke
from chalicelib.flows.set_up import programme_of, set_up
from tests.stage import NOON, Stage, new_client, stage

TIERS = [
    {"tier": "gold", "spend": {"amount": 10_000_000, "currency": "CNY"}},
    {"tier": "diamond", "spend": {"amount": 30_000_000, "currency": "CNY"}},
]


def bought(name: str, amount: int, at: datetime = NOON, currency: str = "CNY", **changes: Any) -> NewPurchase:
    whole = {"purchase": name, "at": at, "amount": {"amount": amount, "currency": currency}, **changes}
    return NewPurchase.model_validate(whole)


def ready(**changes: Any) -> tuple[Stage, Client]:
    on = stage()
    set_up(on.world, "maison", NewProgramme.model_validate({"tiers": TIERS, **changes}), "brand", None)
    return on, enrol.enrol(on.world, "maison", "vic-1", new_client())


def granted(tier: str = "diamond", hours: float = 48, name: str = "g-1") -> NewGrant:
    expires_at = NOON + timedelta(hours=hours)
    return NewGrant.model_validate(
        {"grant": name, "tier": tier, "reason": "expected-to-spend", "expires_at": expires_at}
    )


def told(on: Stage, client: Client) -> list[tuple[str, str, str | None]]:
    return [(c.tier.name, c.because, c.by) for c in rank.view(on.world, client).history]


def test_purchases_add_up_to_a_tier_and_a_refund_takes_it_away() -> None:
    on, client = ready()
    assert count_in(on.world, client, (bought("p-1", 6_000_000), bought("p-2", 4_000_000)), "brand") == 2
    seen = rank.view(on.world, client)
    assert (seen.tier, seen.rests_on, seen.spent[0].amount) == (Tier.GOLD, "spend", 10_000_000)
    assert seen.until == datetime(2023, 4, 10, 16, tzinfo=NOON.tzinfo), (
        "the 365th day after is the first without"
    )
    on.clock.forward(hours=1)
    count_in(on.world, client, (bought("r-1", 1, on.clock.now, refunds="p-2"),), "staff:li.wei")
    seen = rank.view(on.world, client)
    assert (seen.tier, seen.spent[0].amount) == (Tier.STANDARD, 9_999_999)
    assert told(on, client) == [("GOLD", "purchase", "brand"), ("STANDARD", "refund", "staff:li.wei")]


def test_the_same_purchase_counts_once_however_often_it_is_sent() -> None:
    on, client = ready()
    for _ in range(3):
        count_in(on.world, client, (bought("p-1", 6_000_000),), "brand")
    assert count_in(on.world, client, (bought("p-1", 6_000_000), bought("p-2", 1)), "brand") == 1
    assert rank.view(on.world, client).spent[0].amount == 6_000_001
    with pytest.raises(Clashing, match="'p-1'"):
        count_in(on.world, client, (bought("p-1", 6_000_000 + 1),), "brand")


def test_a_refund_counts_on_the_day_of_what_was_bought() -> None:
    on, client = ready()
    old = NOON - timedelta(days=364)
    count_in(on.world, client, (bought("p-1", 9_000_000, old), bought("p-2", 12_000_000)), "brand")
    count_in(on.world, client, (bought("r-1", 9_000_000, refunds="p-1"),), "brand")
    on.clock.forward(days=1)
    assert rank.view(on.world, client).spent[0].amount == 12_000_000, "not 3,000,000"


@pytest.mark.parametrize(
    ("purchase", "pointer"),
    [
        (bought("p", 5, NOON + timedelta(hours=1)), "/purchases/1/at"),
        (bought("p", 5, NOON - timedelta(days=732)), "/purchases/1/at"),
        (bought("p", 5, refunds="nothing"), "/purchases/1/refunds"),
        (bought("p", 101, refunds="p-0"), "/purchases/1/amount/amount"),
        (bought("p", 5, refunds="p-0", currency="EUR"), "/purchases/1/amount/currency"),
    ],
)
def test_one_that_cannot_be_counted_refuses_all(purchase: NewPurchase, pointer: str) -> None:
    on, client = ready()
    with pytest.raises(Invalid) as refused:
        count_in(on.world, client, (bought("p-0", 100), purchase), "brand")
    assert [fault.pointer for fault in refused.value.faults] == [pointer]
    assert rank.view(on.world, client).spent == ()


def test_no_more_is_given_back_than_was_paid_and_no_refund_is_refunded() -> None:
    on, client = ready()
    count_in(on.world, client, (bought("p-1", 100), bought("r-1", 60, refunds="p-1")), "brand")
    for name, amount, of in (("r-2", 41, "p-1"), ("r-3", 1, "r-1")):
        with pytest.raises(Invalid):
            count_in(on.world, client, (bought(name, amount, refunds=of),), "brand")
    count_in(on.world, client, (bought("r-2", 40, refunds="p-1"),), "brand")
    assert rank.view(on.world, client).spent == ()


def test_currencies_stand_apart() -> None:
    on, client = ready()
    count_in(on.world, client, (bought("p-1", 9_000_000), bought("p-2", 9_000_000, currency="EUR")), "brand")
    seen = rank.view(on.world, client)
    assert seen.tier is Tier.STANDARD
    assert [(each.currency, each.amount) for each in seen.spent] == [("CNY", 9_000_000), ("EUR", 9_000_000)]


def test_the_day_that_a_tier_lapses_is_in_the_history_though_nobody_was_looking() -> None:
    on, client = ready(days=30)
    count_in(on.world, client, (bought("p-1", 10_000_000),), "brand")
    on.clock.forward(days=100)
    seen = rank.view(on.world, client)
    assert (seen.tier, seen.until) == (Tier.STANDARD, None)
    assert [(change.at, change.because) for change in seen.history] == [
        (NOON, "purchase"),
        (datetime(2022, 5, 10, 16, tzinfo=NOON.tzinfo), "lapsed"),
    ]
    count_in(on.world, client, (bought("p-2", 10_000_000, on.clock.now),), "brand")
    assert [because for _, because, _ in told(on, client)] == ["purchase", "lapsed", "purchase"]


def test_a_grant_by_name_lifts_a_client_until_it_runs_out_or_is_taken_back() -> None:
    on, client = ready()
    given = grant(on.world, client, granted(), "staff:li.wei")
    assert (given.by, given.reason) == ("staff:li.wei", "expected-to-spend")
    seen = rank.view(on.world, client)
    assert (seen.tier, seen.rests_on, seen.grant) == (Tier.DIAMOND, "grant", "g-1")
    assert seen.until == NOON + timedelta(hours=48)
    on.clock.forward(hours=1)
    grant(on.world, client, granted("gold", 90, "g-2"), "staff:li.wei")
    revoke(on.world, client, "g-1", "staff:chen")
    assert revoke(on.world, client, "g-1", "staff:else").revoked_by == "staff:chen", "once"
    assert rank.view(on.world, client).tier is Tier.GOLD
    on.clock.forward(days=5)
    assert told(on, client) == [
        ("DIAMOND", "grant", "staff:li.wei"),
        ("GOLD", "revoked", "staff:chen"),
        ("STANDARD", "expired", None),
    ]
    did = [(act.did, act.by, act.of) for act in acts_for(on.world, client.client_id, 10, None)[0]]
    assert sorted(did) == [
        ("client_changed", "brand", None),
        ("grant_revoked", "staff:chen", "g-1"),
        ("tier_granted", "staff:li.wei", "g-1"),
        ("tier_granted", "staff:li.wei", "g-2"),
    ]


def test_a_grant_is_given_once_and_only_one_that_says_something() -> None:
    on, client = ready()
    first = grant(on.world, client, granted(), "staff:li.wei")
    assert grant(on.world, client, granted(), "staff:else") == first
    with pytest.raises(Clashing, match="says something else"):
        grant(on.world, client, granted("gold"), "staff:li.wei")
    for wrong, pointer in (
        (granted("standard", name="g-2"), "/tier"),
        (granted(hours=0, name="g-2"), "/expires_at"),
    ):
        with pytest.raises(Invalid) as refused:
            grant(on.world, client, wrong, "staff:li.wei")
        assert refused.value.faults[0].pointer == pointer
    with pytest.raises(Missing):
        revoke(on.world, client, "g-9", "staff:li.wei")


def test_a_grant_that_stands_outlives_however_many_come_and_go() -> None:
    on, client = ready()
    grant(on.world, client, granted(hours=9000), "staff:li.wei")
    for number in range(55):
        grant(on.world, client, granted("gold", 2 * number + 1, f"short-{number}"), "staff:li.wei")
        on.clock.forward(hours=2)
    seen = rank.view(on.world, client)
    assert (seen.tier, seen.grant, len(seen.grants)) == (Tier.DIAMOND, "g-1", 51)


def test_whoever_withdraws_from_being_ranked_has_no_tier_by_spend_any_more() -> None:
    on, client = ready()
    count_in(on.world, client, (bought("p-1", 10_000_000),), "brand")
    consent = {
        "purpose": "profiling",
        "granted_at": NOON - timedelta(days=1),
        "evidence": "form-7",
        "withdrawn_at": NOON,
        "withdrawal": "call-9",
    }
    new = new_client(consents=[*new_client().model_dump()["consents"], consent])
    client = enrol.enrol(on.world, "maison", "vic-1", new, version=client.version)
    seen = rank.view(on.world, client)
    assert (seen.tier, seen.ranked) == (Tier.STANDARD, False)
    assert [change.because for change in seen.history] == ["purchase", "consent"]


def test_a_programme_is_changed_by_who_has_read_it_and_every_version_stays() -> None:
    on, client = ready()
    count_in(on.world, client, (bought("p-1", 10_000_000),), "brand")
    dearer = NewProgramme.model_validate({"tiers": [TIERS[1]]})
    with pytest.raises(Unconditional):
        set_up(on.world, "maison", dearer, "brand", None)
    with pytest.raises(Stale):
        set_up(on.world, "maison", dearer, "brand", 2)
    on.clock.forward(hours=2)
    changed = set_up(on.world, "maison", dearer, "staff:li.wei", 1)
    assert (changed.version, changed.by) == (2, "staff:li.wei")
    assert set_up(on.world, "maison", dearer, "brand", None) == programme_of(on.world, "maison") == changed
    assert [rule.version for rule in rank.rules_of(on.world, "maison")] == [1, 2]
    last = rank.view(on.world, client).history[-1]
    assert (last.tier, last.because, last.of, last.at) == (Tier.STANDARD, "programme", "2", on.clock.now)
    with pytest.raises(Missing):
        programme_of(on.world, "another")


def test_many_tills_at_once_lose_no_purchase() -> None:
    on, client = ready()
    failed: list[Exception] = []

    def till(number: int) -> None:
        for tries in range(20):
            try:
                count_in(on.world, client, (bought(f"p-{number}", 1_000_000),), "brand")
                return
            except Exception as error:
                if tries == 19:
                    failed.append(error)

    threads = [threading.Thread(target=till, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert rank.view(on.world, client).spent[0].amount == 16_000_000


def test_of_a_client_whose_key_is_gone_nothing_is_counted() -> None:
    on, client = ready()
    on.plain.table.write(Drop(data_key_of_client(client.client_id), 1))
    with pytest.raises(Exception) as refused:
        count_in(on.world, client, (bought("p-1", 5),), "brand")
    assert not isinstance(refused.value, Lost)
    assert not [key for key in on.plain.table.rows if key.sk.startswith(("purchase", "standing"))]  # type: ignore[attr-defined]
