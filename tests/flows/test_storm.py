"""Ten thousand callbacks of five couriers, shuffled, doubled and forged, leave what the ordered truth leaves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chalicelib.domain.legs import BookingState
from chalicelib.domain.orders import OrderState
from chalicelib.flows import receive
from tests.conftest import SHARED
from tests.flows import storm

FORGED = 0.05
JOBS = 230
"""With each courier: so many that all they say, doubled, is ten thousand callbacks."""
FOLDER = Path(os.environ.get("CORDON_SHARED", SHARED)) / "data" / "couriers"


def weathered(jobs: int, seed: int) -> tuple[storm.Town, storm.Town, storm.Arrived]:
    """A town in which all was heard in order, the same in a storm, and what came in it."""
    calm = storm.town(jobs, seed)
    wild = calm.again()
    calm = calm.again()
    storm.hear_in_order(calm)
    came = storm.storm(wild, seed, FORGED, list(storm.recorded_of_all(FOLDER)))
    return calm, wild, came


def holds(calm: storm.Town, wild: storm.Town) -> None:
    truth, heard = calm.outcomes(), wild.outcomes()
    differing = {
        reference: (calm.stories[reference], truth[reference], heard[reference])
        for reference in truth
        if truth[reference] != heard[reference]
    }
    assert not differing, f"{len(differing)} of {len(truth)}, such as {next(iter(differing.values()))}"
    assert calm.left() == wild.left(), "no place is lost, and none given back twice"


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 7))])
def test_ten_thousand_callbacks_leave_what_the_ordered_truth_leaves(seed: int) -> None:
    calm, wild, came = weathered(JOBS, seed)
    assert came.genuine + came.recorded + came.forged >= 10_000
    assert came.forged >= FORGED * (came.genuine + came.recorded)
    assert came.refused + came.hinted == came.forged, "whatever can be told from a genuine one is refused"
    assert min(came.hinted, came.recorded) > 0
    holds(calm, wild)
    reached = {wild.order(reference).state for reference in wild.stories}
    assert reached >= {OrderState.DELIVERED, OrderState.RETURNED, OrderState.FAILED, OrderState.PICKED_UP}
    ended = {wild.order(reference).leg.bookings[0].state for reference in wild.stories}
    assert BookingState.CANCELLED in ended


def test_where_hints_are_believed_the_storm_moves_what_the_truth_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It finds what it is there to find."""
    monkeypatch.setattr(receive, "_is_hint", lambda *_: False)
    calm, wild, _ = weathered(40, 1)
    with pytest.raises(AssertionError, match="'dada'"):
        holds(calm, wild)
