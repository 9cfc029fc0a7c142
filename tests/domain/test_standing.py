"""Tiers by what was spent within days, and by grants; when they are lost, and what the history says."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.domain.orders import Tier
from chalicelib.domain.programme import Cap, NewProgramme
from chalicelib.domain.standing import (
    Grant,
    Held,
    Rules,
    Standing,
    held,
    holds_until,
    passed,
    spent_within,
    written_down,
)
from tests.fakes import NOON

ZONE = "Asia/Shanghai"
TODAY = date(2022, 4, 11)


def programme(**changes: Any) -> NewProgramme:
    tiers = [
        {"tier": "gold", "spend": {"amount": 10_000_000, "currency": "CNY"}},
        {"tier": "diamond", "spend": {"amount": 50_000_000, "currency": "CNY"}},
        {"tier": "gold", "spend": {"amount": 1_500_000, "currency": "EUR"}},
    ]
    return NewProgramme.model_validate({"tiers": tiers, **changes})


def standing(*grants: Grant, **spent: dict[int, int]) -> Standing:
    """`CNY={-3: 100}`: so much three days ago."""
    days = {
        currency: {TODAY + timedelta(days=ago): amount for ago, amount in each.items()}
        for currency, each in spent.items()
    }
    return Standing(client_id="cli_x", spent=days, grants=grants)


def grant(tier: str = "platinum", hours: float = 48, **changes: Any) -> Grant:
    return Grant.model_validate(
        {
            "grant": "g-1",
            "tier": tier,
            "reason": "expected-to-spend",
            "expires_at": NOON + timedelta(hours=hours),
            "granted_at": NOON - timedelta(hours=1),
            "by": "staff:li.wei",
            **changes,
        }
    )


def tier(of: Standing, now: datetime = NOON, **changes: Any) -> Held:
    return held(of, programme(), now, ZONE, **changes)


def test_a_tier_is_reached_at_its_threshold_and_not_a_fen_before() -> None:
    assert tier(standing(CNY={-3: 9_999_999})) == (Tier.STANDARD, "nothing", None)
    assert tier(standing(CNY={-3: 4_000_000, -1: 6_000_000})) == (Tier.GOLD, "spend", None)
    assert tier(standing(CNY={0: 50_000_000})).tier is Tier.DIAMOND


def test_currencies_are_not_added_up() -> None:
    assert tier(standing(CNY={-1: 9_000_000}, EUR={-1: 1_400_000})).tier is Tier.STANDARD
    assert tier(standing(EUR={-1: 1_500_000})).tier is Tier.GOLD
    assert tier(standing(CHF={-1: 99_000_000})).tier is Tier.STANDARD


def test_what_was_spent_before_the_days_that_count_counts_no_more() -> None:
    assert tier(standing(CNY={-364: 10_000_000})).tier is Tier.GOLD
    assert tier(standing(CNY={-365: 10_000_000})).tier is Tier.STANDARD
    assert spent_within(standing(CNY={-30: 5, -29: 7, 1: 9}), programme(days=30), TODAY) == {"CNY": 7}


def test_the_day_is_the_clients_own() -> None:
    half_past_midnight_in_shanghai = datetime(2022, 4, 11, 16, 30, tzinfo=UTC)
    of = standing(CNY={-364: 10_000_000})
    assert tier(of, half_past_midnight_in_shanghai).tier is Tier.STANDARD
    assert held(of, programme(), half_past_midnight_in_shanghai, "Europe/Rome").tier is Tier.GOLD


def test_a_grant_lifts_until_it_ends_and_lowers_nobody() -> None:
    assert tier(standing(grant())) == (Tier.PLATINUM, "grant", "g-1")
    assert tier(standing(grant()), NOON + timedelta(hours=48)).tier is Tier.STANDARD, "half-open"
    assert tier(standing(grant(revoked_at=NOON, revoked_by="staff:li.wei"))).tier is Tier.STANDARD
    assert tier(standing(grant("silver"), CNY={0: 10_000_000})) == (Tier.GOLD, "spend", None)


def test_whoever_does_not_agree_to_be_ranked_has_what_was_granted() -> None:
    assert tier(standing(CNY={0: 50_000_000}), is_ranked=False).tier is Tier.STANDARD
    assert tier(standing(grant(), CNY={0: 50_000_000}), is_ranked=False).tier is Tier.PLATINUM


def test_until_when_a_tier_holds_is_said_to_the_local_midnight() -> None:
    of = standing(CNY={-364: 4_000_000, -100: 6_000_000})
    assert holds_until(of, programme(), NOON, ZONE) == datetime(2022, 4, 11, 16, tzinfo=UTC)
    assert holds_until(standing(grant()), programme(), NOON, ZONE) == NOON + timedelta(hours=48)
    assert holds_until(standing(), programme(), NOON, ZONE) is None
    both = standing(grant("gold", 24), CNY={-364: 10_000_000})
    assert holds_until(both, programme(), NOON, ZONE) == NOON + timedelta(hours=24), (
        "one carries the other on"
    )


def test_what_passes_by_itself_is_in_the_history_on_its_day() -> None:
    of = standing(grant("platinum", 30), CNY={-363: 10_000_000})
    of = written_down(of, [], NOON)
    rules = [Rules(NOON - timedelta(days=9), 1, programme())]
    found = list(passed(of, rules, NOON + timedelta(days=9), ZONE))
    assert [(change.at, change.tier.name, change.because) for change in found] == [
        (datetime(2022, 4, 11, 16, tzinfo=UTC), "PLATINUM", "lapsed"),
        (NOON + timedelta(hours=30), "GOLD", "expired"),
        (datetime(2022, 4, 12, 16, tzinfo=UTC), "STANDARD", "lapsed"),
    ]


def test_a_changed_programme_moves_whoever_it_moves_from_that_moment() -> None:
    of = written_down(standing(CNY={-3: 10_000_000}), [], NOON)
    dearer = programme(tiers=[{"tier": "gold", "spend": {"amount": 20_000_000, "currency": "CNY"}}])
    rules = [
        Rules(NOON - timedelta(days=9), 1, programme()),
        Rules(NOON + timedelta(hours=2), 2, dearer),
    ]
    before = Standing.model_validate(
        {
            **dict(of),
            "history": [{"at": NOON, "tier": "gold", "rests_on": "spend", "because": "purchase", "of": "p"}],
        }
    )
    (change,) = passed(before, rules, NOON + timedelta(hours=5), ZONE)
    assert (change.at, change.tier, change.because, change.of) == (
        NOON + timedelta(hours=2),
        Tier.STANDARD,
        "programme",
        "2",
    )


def test_what_counts_nowhere_is_kept_no_longer() -> None:
    of = written_down(standing(CNY={-800: 5, -700: 6, -3: 0}), [], NOON)
    assert of.spent == {"CNY": {TODAY - timedelta(days=700): 6}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tiers": [{"tier": "standard", "spend": {"amount": 1, "currency": "CNY"}}]}, "above standard"),
        ({"tiers": [{"tier": "gold", "spend": {"amount": 0, "currency": "CNY"}}]}, "more than nothing"),
        (
            {"tiers": [{"tier": t, "spend": {"amount": 5, "currency": "CNY"}} for t in ("gold", "diamond")]},
            "takes more to reach",
        ),
        (
            {"tiers": [{"tier": "gold", "spend": {"amount": a, "currency": "CNY"}} for a in (5, 6)]},
            "CNY has two",
        ),
        ({"caps": [{"per": "client", "at_most": n, "days": 7} for n in (1, 2)]}, "count the same"),
        ({"caps": [{"per": "client", "at_most": 0}]}, "greater than or equal"),
        ({"days": 732}, "less than or equal"),
    ],
)
def test_a_programme_that_cannot_be_meant_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        NewProgramme.model_validate(changes)


def test_caps_of_a_client_and_of_a_household_stand_side_by_side() -> None:
    caps = [{"per": per, "at_most": 1, "days": 30} for per in ("client", "household")]
    assert [type(cap) for cap in NewProgramme.model_validate({"caps": caps}).caps] == [Cap, Cap]
