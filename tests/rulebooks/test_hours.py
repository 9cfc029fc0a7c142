"""Hours in which something stops, put to the clearance: what a courier may still do, and what the client may."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.policies import FETCHED, Handover
from chalicelib.domain.verdicts import Decision, Reason
from tests.rulebooks import ground
from tests.rulebooks.ground import BOOKS, verdict
from tests.rulebooks.test_edge_cases import DECEMBER, PARIS

ORANGE = ("orange", "2021-03-01", "2021-03-15")


def test_edge_case_28_a_curfew_of_people_stops_no_work_trip() -> None:
    for book, word, local in (
        ("italy", ("red", "2021-03-01", "2021-03-15"), "2021-03-10 23:00"),
        ("germany", ("over-150", "2021-05-01", "2021-05-15"), "2021-05-10 23:00"),
    ):
        found = verdict(book, local, word)
        assert found.decision is Decision.YES and Handover.DOOR in found.handovers


@pytest.mark.parametrize(
    ("local", "words", "item_class", "is_yes"),
    [
        ("2020-11-20 22:30", PARIS, "hot_meal", False),
        ("2020-11-20 22:30", PARIS, "fashion", True),
        ("2020-11-20 21:00", PARIS, "hot_meal", True),
        ("2020-12-20 22:30", DECEMBER, "hot_meal", True),
        ("2020-12-20 22:30", DECEMBER, "fashion", False),
        ("2020-12-20 19:00", DECEMBER, "fashion", True),
        ("2020-12-21 05:30", DECEMBER, "medicine", True),
    ],
)
def test_edge_case_28_paris_and_december_at_the_same_hour(
    local: str, words: Any, item_class: str, is_yes: bool
) -> None:
    found = verdict("france", local, *words, of=item_class, minutes=30)
    assert found.reasons == (() if is_yes else (Reason.CURFEW,))


def test_edge_case_28_a_meal_from_outside_paris_may_still_arrive_there_at_night() -> None:
    outside = [("confinement", "2020-11-01", "2020-12-01")]
    assert verdict("france", "2020-11-20 22:30", *PARIS, origin=outside).decision is Decision.YES


def test_edge_case_29_a_delivery_over_the_start_of_the_curfew_ends_before_it() -> None:
    found = verdict("france", "2020-12-20 19:00", *DECEMBER, of="fashion", minutes=120)
    assert found.hand_over_by == ground.moment(BOOKS["france"], "2020-12-20 20:00")
    too_late = verdict("france", "2020-12-20 19:50", *DECEMBER, of="fashion", minutes=120)
    assert too_late.reasons == (Reason.CURFEW,)


def test_edge_case_29_a_client_who_may_not_come_out_fetches_nothing_though_the_drop_is_in_time() -> None:
    early = verdict("italy", "2021-03-10 19:00", ORANGE)
    assert set(Handover) == set(early.handovers)
    for local in ("2021-03-10 21:55", "2021-03-10 23:00", "2021-03-11 04:20"):
        late = verdict("italy", local, ORANGE, minutes=30)
        assert late.decision is Decision.YES
        assert set(late.handovers) == set(Handover) - FETCHED, local
