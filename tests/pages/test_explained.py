"""An explanation in plain words: who was served in its place, why dearer, and what would help."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.pages import explained
from chalicelib.pages.explained import Explained, Near
from chalicelib.pages.sheet import Moment, brief
from tests import builders as b
from tests.pages.test_evidence import piece, told


def lines(**known: Any) -> str:
    found = Explained(**known)

    def hour(at: Any) -> Moment:
        return brief(at, b.window().start.tzinfo, b.NOON.date())  # type: ignore[arg-type]

    said = [*explained.out_ranked(found, "silver"), *explained.dearer(found), *explained.nearest(found, hour)]
    return " ".join("".join(map(str, line)) for line in said)


def test_who_is_out_ranked_reads_by_whom_and_what_one_more_place_would_have_done() -> None:
    known = {"by": "higher_tier", "slots": 3, "lowest": "gold", "slot": "slot-1"}
    assert lines(**known, would_serve=True) == (
        "3 offers might have taken it. The places went to gifts that rank higher. The lowest rank that has one is gold. "
        "One more place in slot-1 would have gone to this gift."
    )
    assert lines(**known, next_tier="gold").endswith(
        "One more place in slot-1 would have gone to a gift of gold rank first."
    )


def test_who_lost_to_its_own_rank_reads_by_how_much_or_that_it_was_the_lot() -> None:
    known = {"by": "same_tier", "slots": 1, "slot": "slot-1", "next_tier": "silver", "currency": "CNY"}
    assert "1 offer might have taken it. Places went to gifts of the same rank, too" in lines(**known)
    assert lines(**known, short=1250).endswith(
        "another gift of the same rank, which costs 12.50 CNY less, its lateness included."
    )
    assert lines(**known, short=0).endswith("another gift of the same rank, which drew the better lot.")


def test_a_brand_reads_the_same_without_names_ranks_and_prices() -> None:
    assert lines(by="higher_tier", slots=2, would_serve=True) == (
        "2 offers might have taken it. The places went to gifts that rank higher. One more place would have gone to this "
        "gift."
    )
    assert lines(why="worth_more") == (
        "Another courier would have cost less, and its places went where they are worth more."
    )
    near = Near(("crew_not_cleared",), 2)
    assert lines(nearest=(near,)) == "With a crew that is cleared to go, 2 offers would have been open to it."


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (
            {"why": "worth_more", "lowest": "standard", "next_tier": "standard"},
            "slot-2 would have cost 40.00 CNY less, its lateness included, and its places went where they are worth "
            "more. The lowest rank that has one is standard. One more there would have served one more gift, of standard "
            "rank.",
        ),
        (
            {"why": "worth_more", "saves": 4000},
            "slot-2 would have cost 40.00 CNY less, its lateness included, and its places went where they are worth "
            "more. One more there would have saved 40.00 CNY, and served nobody more.",
        ),
        (
            {"why": "given_away"},
            "slot-2 would have cost 40.00 CNY less, its lateness included, and its places had been given away before.",
        ),
        (
            {"why": "limit"},
            "slot-2 would have cost 40.00 CNY less, its lateness included, and it had a place, and the rules let only "
            "so many deliveries through.",
        ),
        (
            {"why": "later", "later": 490},
            "slot-2 has a price that is 40.00 CNY lower, and it is late more often, which outweighs its lower price: "
            "490 more of a thousand are late there.",
        ),
    ],
)
def test_who_goes_dearer_reads_why_not_with_the_cheaper_one(known: dict[str, Any], said: str) -> None:
    assert lines(slot="slot-2", less=4000, currency="CNY", **known) == said


def test_the_nearest_changes_read_as_changes_with_the_hours_that_would_do() -> None:
    hours = {"hours_from": b.NOON + timedelta(hours=4.5), "hours_until": b.NOON + timedelta(hours=8)}
    said = lines(
        nearest=(
            Near(("permit_missing",), 1, "slot-1"),
            Near(("credential_missing", "temperature"), 3, "slot-2"),
            Near(("window",), 2, "slot-3", **hours),
        )
    )
    assert said == (
        "With a pass for the crew or its vehicle, 1 offer (slot-1) would have been open to it. "
        "With a test of the kind that the rules ask for and a vehicle that keeps the gift at its temperature, or a gift "
        "that needs none, 3 offers (such as slot-2) would have been open to it. "
        "With other hours (08:30 to 12:00), 2 offers (such as slot-3) might have been: whether the crew may go then has "
        "not been asked."
    )


def test_the_page_has_it_with_the_decision_that_it_explains() -> None:
    why = Explained(by="higher_tier", slots=1, would_serve=True)
    said = told(piece(decision="no", reasons=("outranked",), explained=why))
    assert "Out-ranked 1 offer might have taken it." in said
    assert "Not the cheapest" not in said and "What would help" not in said
    near = Explained(nearest=(Near(("permit_missing",), 1),))
    assert "What would help With a pass for the crew" in told(piece(explained=near))
    assert "Out-ranked" not in told(piece())


@pytest.mark.parametrize(
    ("tiers", "saves", "said"),
    [
        ({"gold": 1}, -3000, "serve one gift of gold rank more, and cost 30.00 CNY"),
        ({}, 4000, "serve nobody more, and save 40.00 CNY"),
        (
            {"gold": 2, "silver": -1},
            0,
            "serve 2 gifts of gold rank more and one gift of silver rank fewer, and save 0.00 CNY",
        ),
    ],
)
def test_a_worth_is_a_sentence(tiers: dict[str, int], saves: int, said: str) -> None:
    assert (
        explained.worth("slot-1", tiers, saves, "CNY")
        == f"One more place in slot-1 would {said}, lateness included."
    )


def test_of_a_gift_that_was_left_over_it_is_not_said_that_nobody_may_go() -> None:
    for reason in ("outranked", "slot_full"):
        said = told(piece(decision="no", reasons=("permit_missing", reason)))
        assert "Left over: somebody might go, and had no place for it." in said
        assert "Nobody may go." not in said
    assert "Nobody may go." in told(piece(decision="no", reasons=("permit_missing",)))
