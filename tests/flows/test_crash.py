"""Stop the process before and after every outside call of every flow; deliver again: each gift ends where it
should, with exactly one live booking a leg, also in the courier's own books, no place lost or oversold, every
state told and none more than twice, and the evidence of every verdict.

Nothing here lists calls. The wire (`crash_wire.py`) is across whatever the composition root builds from AWS; the
stories (`crash_stories.py`) are played once undisturbed and then with a stop at every moment at which the world
outside was another (`crash_play.py`); what holds afterwards stands in `crash_ends.py`. A call that no story passes
fails `test_every_outside_call_of_the_flows_is_passed_by_a_story` with its place in the source.

That the test bites is shown in `test_crash_bugs.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from tests.flows.crash_ends import always, at_end, play_undisturbed
from tests.flows.crash_play import Played, Recording, Stop, pairs, play_stopped, reading_once, record, some
from tests.flows.crash_stories import STORIES
from tests.flows.crash_wire import FLOWS, Site, sites, ways


@pytest.fixture(autouse=True)
def read_once() -> Iterator[None]:
    with reading_once():
        yield


@cache
def recorded(story: str) -> Recording:
    return record(STORIES[story])


def stopped(first: Recording, stop: Stop, **how: Any) -> int | None:
    """Play it with that stop, and name the stop when it does not end well."""
    try:
        return play_stopped(first, stop, always, at_end, **how)
    except AssertionError as error:
        raise AssertionError(f"{first.play.story.name}, {stop} {how or ''}: {error}") from error


every_story = pytest.mark.parametrize("story", STORIES)
PLAYED = Played()


@every_story
def test_the_undisturbed_story_ends_well(story: str) -> None:
    play_undisturbed(STORIES[story])


@pytest.mark.parametrize("story", [name for name, story in STORIES.items() if story.eager])
def test_nudges_that_are_handled_before_their_sender_goes_on_find_everything_saved(story: str) -> None:
    """Law 4, the other half: who nudges first and saves then is nudged too early, and waits for the sweep."""
    play_undisturbed(STORIES[story], eager=True)


@every_story
def test_stopped_at_any_outside_call_the_story_still_ends_well(story: str) -> None:
    first = recorded(story)
    for stop in first.stops:
        if not PLAYED.knows(first.play.story, stop, False):
            PLAYED.note(first.play.story, stop, False, stopped(first, stop))


@every_story
def test_stopped_and_its_nudge_lost_the_sweep_makes_it_good(story: str) -> None:
    first = recorded(story)
    for stop in some(first, "lost", 0.15):
        if stop.is_nudged:
            stopped(first, stop, lost=True)


@every_story
def test_stopped_twice_the_story_still_ends_well(story: str) -> None:
    first = recorded(story)
    for stop, second in pairs(first, 2):
        stopped(first, stop, second=second)


@pytest.mark.long
@every_story
def test_stopped_before_and_after_each_single_call_the_story_still_ends_well(story: str) -> None:
    """Those, too, that the short test takes for the same as another: between them nothing changed outside."""
    first = recorded(story)
    for stop in first.every_stop:
        stopped(first, stop)


@pytest.mark.long
@every_story
def test_stopped_anywhere_and_taken_over_by_a_process_that_remembers(story: str) -> None:
    first = recorded(story)
    for stop in first.stops:
        stopped(first, stop, keeps_memory=True)
        if stop.is_nudged:
            stopped(first, stop, lost=True)
    for stop, second in pairs(first, 60):
        stopped(first, stop, second=second)


def test_every_outside_call_of_the_flows_is_passed_by_a_story() -> None:
    passed = {call.site for story in STORIES for call in recorded(story).calls}
    missed = [f"{site}: {text}" for site, text in sites().items() if site not in passed]
    assert not missed, "no story of the crash test comes by\n" + "\n".join(missed)
    strange = [str(site) for site in passed - set(sites())]
    assert not strange, f"called from where no call was seen in the source: {strange}"


def test_every_flow_that_reaches_outside_has_its_calls_found() -> None:
    assert set(ways()) >= {"table", "queues", "line", "secrets", "sealer"}
    silent = {path.stem for path in FLOWS.glob("*.py")} - {site.module for site in sites()}
    silent -= {"track", "opt_out"}  # what a recipient may ask for: of other flows only
    silent -= {"rule"}  # what becomes of one order, said to the round that saves it
    silent -= {"vouch"}  # a signature, verified: no noun, for the domain knows no cryptography
    assert silent == {"__init__"}, f"these flows call nobody, or in a way that was not seen: {silent}"


def test_stops_are_between_calls_that_change_something_and_every_call_has_one() -> None:
    first = recorded("delivered")
    assert len(first.every_stop) == 2 * len(first.calls)
    assert 20 < len(first.stops) < len(first.every_stop)
    assert {stop.call.name for stop in first.every_stop} >= {
        "table.get", "table.write", "queues.nudge", "line.send", "sealer.unseal", "secrets.accounts"
    }  # fmt: skip
    assert all(isinstance(call.site, Site) for call in first.calls)
