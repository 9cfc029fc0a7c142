"""Two hundred simulated days: every invariant holds at every step, and what can go wrong did go wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from tests.simulation import many, shrink
from tests.simulation.__main__ import main
from tests.simulation.brands import ILL_SPELLS
from tests.simulation.bugs import CLASSIC, MORE, Bug, brought_back
from tests.simulation.day import Day
from tests.simulation.many import Tally
from tests.simulation.trouble import AT_CALLS

DAYS = 200
LONG = 10_000
CALLS = {kind for kinds in AT_CALLS.values() for kind in kinds}
MISHAPS = {
    **dict.fromkeys(CALLS, DAYS // 2),
    **dict.fromkeys(ILL_SPELLS, DAYS // 8),
    **dict.fromkeys(("slow", "stale_index", "message_late", "message_doubled", "message_lost"), 4 * DAYS),
    **dict.fromkeys(("callback_lost", "callback_late", "callback_doubled", "callback_forged"), DAYS),
    **dict.fromkeys(("callback_of_another", "callback_unreadable"), DAYS // 2),
    **dict.fromkeys(("courier_down", "courier_deaf", "courier_mute", "courier_odd"), DAYS // 2),
    **dict.fromkeys(("courier_refuses", "cancel_refused", "shown_late", "token_revoked"), DAYS // 4),
    **dict.fromkeys(("job_dropped", "job_forgotten", "job_not_begun", "pick_up_failed"), DAYS // 10),
    **dict.fromkeys(("not_received", "courier_late"), DAYS // 10),
    "gift_damaged": DAYS // 20,
    "courier_out": DAYS,
    "callback_false": DAYS // 4,
    "brand_hiccup": DAYS,
}
"""How often each mishap has to have happened at least; otherwise the days prove less than they say."""
STATES = {
    "placed": 18 * DAYS,
    "held": 5 * DAYS,
    "stranded": DAYS,
    "assigned": 8 * DAYS,
    "booked": 7 * DAYS,
    "picked_up": 5 * DAYS,
    "at_gate": DAYS // 2,
    "delivered": 3 * DAYS,
    "failed": DAYS // 20,
    "returning": DAYS // 2,
    "returned": DAYS // 2,
    "cancelled": DAYS,
    "fulfilled_digitally": DAYS // 4,
}
EVENTS = {
    "held": 10 * DAYS,
    "timed_out": DAYS,
    "lease taken": 10 * DAYS,
    "lease met": DAYS,
    "lease outlived": DAYS // 20,
    "round goes on": DAYS // 4,
    "run killed": 10 * DAYS,
    "rules_published": DAYS,
    "moved_uncleared": DAYS // 20,
    "booking_vanished": DAYS,
    "notice_given_up": DAYS,
    "quota taken": 4 * DAYS,
    "quota given back": DAYS,
    "place again": 4 * DAYS,
    "refused Invalid": DAYS // 4,
    "refused Clashing": DAYS,
    "withdraw": DAYS // 4,
    "suspend": DAYS // 4,
    "revoke": DAYS // 4,
    "resize": DAYS // 2,
    "asked while out": DAYS,
    "breaker_opened": DAYS,
    "breaker_closed": DAYS // 2,
    "replay": DAYS // 4,
    "rotate": DAYS // 4,
    "stood_in": DAYS,
    "say yes for": DAYS,
    "rather give": DAYS // 2,
    "say no for": DAYS // 2,
}


@pytest.fixture(scope="module")
def days() -> Tally:
    return many.played(range(1, DAYS + 1))


def told(tally: Tally) -> str:
    """What a person has to know of days that failed: each, and the first as its shortest story."""
    return tally.report() + "\n\n" + shrink.story(shrink.shrunk(tally.failures[0]))


def test_every_invariant_holds_on_every_day(days: Tally) -> None:
    assert days.days == DAYS
    assert not days.failures, told(days)


def test_what_can_go_wrong_did_go_wrong_and_every_state_was_reached(days: Tally) -> None:
    counted = [(days.mishaps, MISHAPS), (days.states, STATES), (days.events, EVENTS)]
    rare = [
        f"{name}: {found[name]} of {least}"
        for found, wanted in counted
        for name, least in wanted.items()
        if found[name] < least
    ]
    assert not rare
    assert not set(days.mishaps) - set(MISHAPS), "a mishap without a least count may never happen"


PRINT_A_DAY = (
    "from hashlib import sha256; from tests.simulation.test_days import printed; print(printed({seed}))"
)


def printed(seed: int) -> str:
    """All steps of a day as one hash."""
    day = Day(seed).play()
    text = "\n".join(f"{at.isoformat()} {text.format(*facts)}" for at, text, facts in day.story)
    rows = sorted(f"{key.pk} {key.sk} {row.version} {row.body}" for key, row in day.store.rows.items())
    return sha256("\n".join([text, *rows]).encode()).hexdigest()


def test_the_same_seed_is_the_same_day_in_every_process() -> None:
    root = Path(__file__).parents[2]
    answers = {
        subprocess.run(
            [sys.executable, "-c", PRINT_A_DAY.format(seed=5)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "4711")
    }
    assert answers == {printed(5)}
    assert printed(6) not in answers


def test_a_day_that_fails_shrinks_to_a_story_that_one_command_plays_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with brought_back(CLASSIC[1]):
        whole = shrink.failure_of(1)
        assert whole is not None
        short = shrink.shrunk(whole)
        assert short == shrink.shrunk(whole)
        assert short.invariant == whole.invariant
        assert len(short.keep) == 1, "one order is enough for this bug"
        assert short.only == (), "nothing has to go wrong for this bug"
        command = short.short_command.split()
        assert command[:3] == ["python", "-m", "tests.simulation"]
        assert main(command[3:]) == 1
        said = capsys.readouterr().out
    assert f"seed 1: {short.invariant}" in said
    assert short.short_command in said
    assert main(command[3:]) == 0


@pytest.mark.parametrize("bug", CLASSIC, ids=str)
def test_a_classic_bug_that_is_brought_back_is_found(bug: Bug) -> None:
    assert found_within(bug), f"{bug.within} days were blind to it"


@pytest.mark.long
@pytest.mark.parametrize("bug", MORE, ids=str)
def test_any_other_bug_that_is_brought_back_is_found(bug: Bug) -> None:
    assert found_within(bug), f"{bug.within} days were blind to it"


def found_within(bug: Bug) -> bool:
    with brought_back(bug):
        return any(shrink.failure_of(seed) is not None for seed in range(bug.since, bug.since + bug.within))


def test_a_bug_whose_text_is_gone_is_not_brought_back_in_silence() -> None:
    with pytest.raises(LookupError), brought_back(Bug("gone", "flows.book", "no such text", "")):
        pass


@pytest.mark.long
def test_every_invariant_holds_on_ten_thousand_days(capsys: pytest.CaptureFixture[str]) -> None:
    tally = many.played(range(DAYS + 1, DAYS + LONG + 1))
    with capsys.disabled():
        sys.stdout.write(f"\n{tally.report()}\n")
    assert not tally.failures, told(tally)
