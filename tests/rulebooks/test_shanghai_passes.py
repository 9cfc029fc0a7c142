"""Who may go in Shanghai, as its book has it from one edition of the rules to the next."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.policies import Handover
from chalicelib.domain.verdicts import Decision, Reason, Verdict
from tests import builders as b
from tests.rulebooks import ground
from tests.rulebooks.ground import BOOKS, verdict

SEALED = ("sealed", "2022-04-12", "2022-05-10")
SHOP = [("precautionary", "2022-04-12", "2022-05-10")]
"""Where the kitchen is: a sealed one hands nothing out."""


def negatives(*of: tuple[str, str]) -> list[Any]:
    """A negative test of that kind, sampled at that local time and reported an hour later."""
    at = [(kind, ground.moment(BOOKS["shanghai"], local)) for kind, local in of]
    return [b.credential(kind, sampled_at=when, reported_at=when + b.hours(1)) for kind, when in at]


def on_lists(*names: str, until: str | None = None) -> list[dict[str, Any]]:
    end = None if until is None else ground.moment(BOOKS["shanghai"], until)
    since = ground.moment(BOOKS["shanghai"], "2022-04-19 00:00")
    return [{"list_id": name, "since": since, "until": end} for name in names]


COMPANY = {"listed": on_lists("shanghai-courier-companies")}
TWO_AND_TWO = negatives(
    ("antigen", "2022-04-24 07:00"),
    ("antigen", "2022-04-24 19:00"),
    ("pcr", "2022-04-25 06:00"),
    ("antigen", "2022-04-25 07:00"),
    ("health_code", "2022-04-25 07:00"),
)
CREW = {"listed": on_lists("shanghai-courier-persons"), "credentials": TWO_AND_TWO}


def asked(local: str, crew: Any = CREW, company: Any = COMPANY, **changes: Any) -> Verdict:
    given = {"of": "ambient_food", "origin": SHOP, "minutes": 120, **changes}
    return verdict("shanghai", local, SEALED, crew=crew, company=company, **given)


def test_with_the_whole_pass_food_gets_to_the_gate_or_shelf_of_a_sealed_compound() -> None:
    found = asked("2022-04-25 12:00")
    assert found.decision is Decision.YES, found.reasons
    assert set(found.handovers) == {Handover.GATE, Handover.SHELF}
    assert {"shanghai-sealed@2", "shanghai-couriers@3"} <= set(found.policies)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"company": {}}, Reason.COMPANY_UNLISTED),
        ({"crew": {**CREW, "listed": []}}, Reason.PERSON_UNLISTED),
        (
            {"company": {"listed": on_lists("shanghai-courier-companies", until="2022-04-25 12:30")}},
            Reason.COMPANY_UNLISTED,
        ),
        ({"crew": {**CREW, "credentials": TWO_AND_TWO[:3] + TWO_AND_TWO[4:]}}, Reason.CREDENTIAL_MISSING),
        ({"crew": {**CREW, "credentials": TWO_AND_TWO[:-1]}}, Reason.CREDENTIAL_MISSING),
        ({"of": "flowers"}, Reason.ITEM_NOT_ALLOWED),
        ({"origin": [SEALED]}, Reason.ORIGIN_CLOSED),
    ],
    ids=[
        "no-company",
        "no-person",
        "company-leaves-in-mid-route",
        "day-b-unfinished",
        "no-code",
        "flowers",
        "kitchen",
    ],
)
def test_each_part_of_the_pass_is_asked_by_itself(changes: dict[str, Any], reason: Reason) -> None:
    assert reason in asked("2022-04-25 12:00", **changes).reasons


def test_before_the_pass_there_were_tests_and_no_lists() -> None:
    daily = negatives(("pcr", "2022-04-14 06:00"), ("antigen", "2022-04-14 07:00"))
    found = asked("2022-04-14 12:00", crew={"credentials": daily}, company={})
    assert found.decision is Decision.YES, found.reasons
    assert "shanghai-couriers@1" in found.policies
    on_the_day = asked("2022-04-19 12:00", crew={"credentials": daily}, company={})
    assert {Reason.COMPANY_UNLISTED, Reason.PERSON_UNLISTED} <= set(on_the_day.reasons)


def test_a_town_that_asks_a_younger_pcr_is_stricter_than_the_city() -> None:
    older = [*TWO_AND_TWO[:2], *negatives(("pcr", "2022-04-24 11:00")), *TWO_AND_TWO[3:]]
    crew = {**CREW, "credentials": [*older, *negatives(("pcr", "2022-04-23 06:00"))]}
    town = ("town-pcr", "2022-04-24", "2022-05-01")
    given: Any = {"of": "ambient_food", "origin": SHOP, "minutes": 120, "company": COMPANY, "crew": crew}
    found = verdict("shanghai", "2022-04-25 12:00", SEALED, town, **given)
    assert {Reason.CREDENTIAL_EXPIRES, Reason.CREDENTIAL_MISSING} & set(found.reasons)
    assert verdict("shanghai", "2022-04-25 12:00", SEALED, town, **{**given, "crew": CREW}).reasons == ()


def test_what_pudong_decreed_nobody_found_so_gifts_there_are_held() -> None:
    pudong = BOOKS["shanghai"].find("shanghai-precautionary-pudong@3")
    assert pudong is not None
    on = b.atlas([b.zone(b.KITCHEN), b.zone(policy_id=pudong.policy_id, policy_version=3)], [pudong])
    found = b.clear(on=on)
    assert found.decision is Decision.HOLD
    assert found.reasons == (Reason.ZONE_UNKNOWN,)


def test_nothing_gets_past_a_committee_that_lets_nothing_in() -> None:
    ban = ("no-access", "2022-04-14", "2022-05-01")
    given: Any = {"of": "ambient_food", "origin": SHOP, "minutes": 120, "company": COMPANY, "crew": CREW}
    found = verdict("shanghai", "2022-04-25 12:00", SEALED, ban, **given)
    assert {Reason.NO_HANDOVER, Reason.ITEM_NOT_ALLOWED} <= set(found.reasons)
