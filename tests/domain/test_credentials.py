"""What a crew can show at a moment: tests, codes, sequences, lists. Derived, never stored."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chalicelib.domain.credentials import faults_of, shown_by, stands_on
from chalicelib.domain.fleet import Credential, Listing
from chalicelib.domain.policies import Requirement
from chalicelib.domain.verdicts import Decision, Phase, Reason
from tests import builders as b

R = Reason
TWO_TWO = Requirement.model_validate({"kind": "antigen", "max_age_hours": 24, "sequence": "2+2"})


def antigen(*sampled: float, result: str = "negative") -> list[Credential]:
    """Sampled so many hours after noon, and read twenty minutes later."""
    return [
        b.credential("antigen", result, at, reported_at=b.NOON + b.hours(at) + b.minutes(20))
        for at in sampled
    ]


def pcr(*sampled: float) -> list[Credential]:
    return [b.credential("pcr", sampled=at) for at in sampled]


def passes(*credentials: Credential, at: float = 0) -> float | None:
    """When it lapses, in hours after noon; None: it does not pass."""
    now = b.NOON + b.hours(at)
    _, ((_, lapses),) = shown_by(b.crew(credentials=credentials), [TWO_TWO], now, time_zone="Asia/Shanghai")
    return None if lapses is None else (lapses - b.NOON) / timedelta(hours=1)


# --- "2+2" ----------------------------------------------------------------------------------------------------


def test_a_pcr_and_an_antigen_test_of_the_day_pass_until_midnight() -> None:
    assert passes(*pcr(-5), *antigen(-4)) == 12
    assert passes(*pcr(-5)) is None
    assert passes(*antigen(-4)) is None


def test_two_antigen_tests_pass_on_the_day_after_a_pcr_only() -> None:
    assert passes(*pcr(-24), *antigen(-24, -5, -4)) == 12
    assert passes(*antigen(-25, -24, -5, -4)) is None
    assert passes(*pcr(-48), *antigen(-48, -5, -4)) is None  # two days ago
    assert passes(*pcr(-24), *antigen(-24, -4)) is None


def test_one_test_that_stands_there_twice_is_one_test() -> None:
    assert passes(*pcr(-24), *antigen(-4, -4)) is None


def test_the_days_are_those_of_the_markets_clock() -> None:
    """00:30 in Shanghai is the evening before in UTC."""
    assert passes(*pcr(-11.5), *antigen(-11), at=-7) == 12
    assert passes(*pcr(-12.5), *antigen(-11), at=-7) is None
    _, ((_, lapses),) = shown_by(b.crew(credentials=[*pcr(-4), *antigen(-3)]), [TWO_TWO], b.NOON, "UTC")
    assert lapses == b.NOON + b.hours(20)


def test_what_passed_yesterday_does_not_pass_today() -> None:
    assert passes(*pcr(-5), *antigen(-4), at=11.9) == 12
    assert passes(*pcr(-5), *antigen(-4), at=12) is None


def test_a_pending_pcr_makes_no_day_of_a_pcr() -> None:
    pending = b.credential("pcr", "pending", -5)
    assert passes(pending, *antigen(-4)) is None
    assert passes(b.credential("pcr", "pending", -24), *antigen(-24, -5, -4)) is None


def test_the_sequence_is_asked_for_beside_single_tests_and_is_shown_with_both_its_tests() -> None:
    on = b.atlas(
        [b.zone(b.KITCHEN), b.zone(policy_id="riders")],
        [b.policy("riders", requirements=[TWO_TWO.model_dump()])],
    )
    crew = b.crew(credentials=[*pcr(-5), *antigen(-4)])
    verdict = b.clear(on=on, with_fleet=b.fleet(crews=[crew]))
    assert verdict.decision is Decision.YES
    assert [text.split()[0] for text in verdict.credentials] == ["pcr", "antigen", "pcr"]
    old = b.crew(credentials=[*pcr(-20), *antigen(-4)])
    assert b.clear(on=on, with_fleet=b.fleet(crews=[old])).reasons == (R.CREDENTIAL_MISSING,)


def test_a_stay_over_midnight_needs_the_tests_of_both_days() -> None:
    on = b.atlas(
        [b.zone(b.KITCHEN), b.zone(policy_id="riders")],
        [b.policy("riders", requirements=[TWO_TWO.model_dump()])],
    )
    crew = b.crew(credentials=[*pcr(-5), *antigen(-4)])
    verdict = b.clear(
        on=on,
        with_fleet=b.fleet(crews=[crew]),
        of=b.delivery(window=b.window(10, 13)),
        by=b.slot(window=b.window(8, 14)),
    )
    assert verdict.reasons == (R.CREDENTIAL_EXPIRES,)


def test_a_sequence_is_of_antigen_tests() -> None:
    with pytest.raises(ValidationError, match="of kind 'antigen'"):
        Requirement.model_validate({"kind": "pcr", "max_age_hours": 24, "sequence": "2+2"})


TESTS = st.lists(
    st.tuples(
        st.sampled_from(["pcr", "antigen"]), st.integers(-80, -1), st.sampled_from(["negative", "pending"])
    ),
    max_size=8,
)


@given(TESTS, st.tuples(st.sampled_from(["pcr", "antigen"]), st.integers(-80, -1)))
def test_another_negative_never_shortens_a_sequence(tests: Any, more: tuple[str, int]) -> None:
    def of(listed: Any) -> list[Credential]:
        return [b.credential(kind, result, at / 2) for kind, at, result in listed]

    before, after = passes(*of(tests)), passes(*of([*tests, (*more, "negative")]))
    assert before is None or (after is not None and after >= before)


# --- codes and loops --------------------------------------------------------------------------------------------


def needing(kind: str, **changes: Any) -> Any:
    need = {"kind": kind, "max_age_hours": 24, **changes}
    return b.atlas(
        [b.zone(b.KITCHEN), b.zone(policy_id="need")],
        [b.policy("need", requirements=[need], permit_needed=False)],
    )


def reasons(on: Any, *credentials: Credential, **changes: Any) -> tuple[Reason, ...]:
    crew = b.crew(credentials=[b.credential(), *credentials])
    return b.clear(on=on, with_fleet=b.fleet(crews=[crew]), **changes).reasons


def test_a_code_that_turns_red_in_mid_shift_stops_the_crew_at_that_moment_and_not_before() -> None:
    green, red = (b.credential("health_code", result, at, reported_at=b.NOON + b.hours(at)) for result, at in
                  (("negative", -4), ("positive", 1)))  # fmt: skip
    on = needing("health_code")
    for phase in (Phase.GIVEN, Phase.CARRIED):
        assert reasons(on, green, red, phase=phase, now=b.NOON + b.hours(0.9)) == ()
        assert R.CREDENTIAL_POSITIVE in reasons(on, green, red, phase=phase, now=b.NOON + b.hours(1))


def test_a_closed_loop_is_kept_until_it_is_left_and_leaving_it_is_no_positive_test() -> None:
    def loop(result: str, at: float) -> Credential:
        return b.credential("closed_loop", result, at, reported_at=b.NOON + b.hours(at))

    on = needing("closed_loop")
    assert reasons(on) == (R.CREDENTIAL_MISSING,)
    assert reasons(on, loop("negative", -10)) == ()
    assert reasons(on, loop("negative", -10), loop("positive", -5)) == (R.CREDENTIAL_MISSING,)
    assert reasons(on, loop("positive", -5), loop("negative", -4)) == ()


# --- from the future --------------------------------------------------------------------------------------------


def test_a_credential_from_the_future_is_named_by_its_place_and_a_clock_that_is_a_little_fast_is_none() -> (
    None
):
    fine = b.credential(sampled=-20)
    ahead = b.credential(sampled=0, reported_at=b.NOON + b.minutes(5))
    future = b.credential(sampled=-1, reported_at=b.NOON + b.hours(3))
    faults = faults_of([fine, ahead, future, b.credential(result="pending", sampled=2)], b.NOON)
    assert [fault.pointer for fault in faults] == ["/credentials/2/reported_at", "/credentials/3/sampled_at"]
    assert "up to now" in faults[0].detail


# --- lists ------------------------------------------------------------------------------------------------------


def listing(name: str = "riders", since: float = -24, until: float | None = None) -> Listing:
    return Listing(
        list_id=name,
        since=b.NOON + b.hours(since),
        until=None if until is None else b.NOON + b.hours(until),
    )


@pytest.mark.parametrize(
    ("listings", "is_on", "until"),
    [
        ([listing()], True, None),
        ([listing(until=4)], True, 4),
        ([listing(until=3.9)], False, None),
        ([listing(since=0.1)], False, None),
        ([listing("others")], False, None),
        ([], False, None),
        (
            [listing(until=1), listing(since=1)],
            False,
            None,
        ),  # off and on again within the stay: a gap is none
        ([listing(until=5), listing(until=9)], True, 9),
    ],
)
def test_a_list_is_stood_on_for_the_whole_stay(listings: Any, is_on: bool, until: float | None) -> None:
    found, lasts = stands_on(listings, ["riders"], b.NOON, b.NOON + b.hours(4))
    assert found is is_on
    assert lasts == (None if until is None else b.NOON + b.hours(until))


def test_every_list_that_a_zone_at_either_end_names_has_to_be_stood_on() -> None:
    company = b.silent("company", companies=frozenset({"whitelist"}))
    person = b.silent("person", persons=frozenset({"riders"}))
    on = b.atlas(
        [b.zone(b.KITCHEN), b.zone(), b.zone(b.KITCHEN, "company"), b.zone(policy_id="person")],
        [company, person],
    )

    def said(*, courier: Any = (), crew: Any = (), phase: Phase = Phase.OPEN) -> tuple[Reason, ...]:
        fleet = b.fleet(couriers=[b.courier(listed=courier)], crews=[b.crew(listed=crew)])
        return b.clear(on=on, with_fleet=fleet, phase=phase).reasons

    riders, whitelist = [listing()], [listing("whitelist")]
    assert said(courier=whitelist, crew=riders) == ()
    assert said(crew=riders) == (R.COMPANY_UNLISTED,)
    assert said(courier=whitelist) == (R.PERSON_UNLISTED,)
    assert said(crew=riders, phase=Phase.CARRIED) == ()  # the kitchen lies behind it
    assert said() == (R.PERSON_UNLISTED, R.COMPANY_UNLISTED)


def test_a_yes_lapses_with_the_first_listing_that_does() -> None:
    on = b.atlas(
        [b.zone(b.KITCHEN), b.zone(policy_id="person")],
        [b.policy("person", persons=["riders"])],
    )
    fleet = b.fleet(crews=[b.crew(listed=[listing(until=4.5)])])
    assert b.clear(on=on, with_fleet=fleet).valid_until == b.NOON + b.hours(4.5)
