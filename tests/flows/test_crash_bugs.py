"""The crash test bites: classic bugs, brought back into the real flows, make it fail."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chalicelib.flows import place
from tests.flows.crash_bugs import BUGS, Bug, Gone, brought_back, caught, edited
from tests.flows.crash_play import reading_once
from tests.flows.crash_stories import STORIES


@pytest.fixture(autouse=True)
def read_once() -> Iterator[None]:
    with reading_once():
        yield


@pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
def test_the_crash_test_catches(bug: Bug) -> None:
    story = STORIES[bug.story]
    with brought_back(bug.module, edited(bug.module, bug.edits)):
        undisturbed = caught(story, undisturbed=True)
        assert (undisturbed == "") is bug.only_stopped, undisturbed
        assert caught(story)
    assert caught(story, undisturbed=True) == "", "the bug has stayed"


def test_a_bug_whose_text_is_gone_is_not_taken_for_caught() -> None:
    with pytest.raises(Gone):
        edited(place, (("this stands nowhere", ""),))
