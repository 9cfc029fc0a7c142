"""One contract for `ports.Queues`: what flows send through it, on the fake, moto and ministack."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chalicelib.aws.queues import SqsQueues
from chalicelib.domain import nudges
from chalicelib.domain.ports import Letter, Queues, Topic
from tests.aws.emulators import EMULATORS, QUEUES
from tests.aws.messages import drained, make
from tests.fakes import FakeQueues


@pytest.fixture(scope="module", params=("fake", *QUEUES))
def place(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "fake":
        yield "fake"
        return
    with EMULATORS[request.param]():
        yield request.param


Sent = Callable[[], tuple[list[tuple[Topic, str]], list[dict[str, Any]]]]


@pytest.fixture
def both(place: str) -> tuple[Queues, Sent]:
    """Queues, and what was sent into them: the ids by topic, and the dead letters of `tell`."""
    if place == "fake":
        fake = FakeQueues()
        return fake, lambda: (fake.take(), [{"Body": letter.body} for _, letter in fake.letters])
    urls = {topic: make() for topic in Topic}
    letters = {topic: make() for topic in Topic}

    def sent() -> tuple[list[tuple[Topic, str]], list[dict[str, Any]]]:
        ids = [(topic, nudges.read(m["Body"])) for topic, url in urls.items() for m in drained(url)]
        return ids, drained(letters[Topic.TELL])

    return SqsQueues(urls, letters), sent


@pytest.mark.parametrize("many", [0, 1, 2, 10, 11, 25])
def test_one_message_an_id_whatever_their_number(both: tuple[Queues, Sent], many: int) -> None:
    queues, sent = both
    names = [f"ord_{n}" for n in range(many)]
    queues.nudge(Topic.BOOK, (name for name in names))  # any iterable
    found, _ = sent()
    assert sorted(found) == sorted((Topic.BOOK, name) for name in names)


def test_dead_letters_are_counted_by_queue(both: tuple[Queues, Sent]) -> None:
    queues, _ = both
    before = queues.set_aside()
    assert set(before) == set(Topic)
    queues.put_aside(Topic.TELL, Letter("{}", "no nudge", "on_tell", "m-1", 5, 0))
    after = queues.set_aside()
    assert after[Topic.TELL] - before[Topic.TELL] == 1
    assert after[Topic.BOOK] == before[Topic.BOOK]


def test_an_id_named_twice_is_one_message(both: tuple[Queues, Sent]) -> None:
    queues, sent = both
    queues.nudge(Topic.TELL, ["b", "a", "b", "a"])
    found, _ = sent()
    assert sorted(found) == [(Topic.TELL, "a"), (Topic.TELL, "b")]


def test_every_topic_has_a_queue_of_its_own_and_a_nudge_again_is_a_message_again(
    both: tuple[Queues, Sent],
) -> None:
    queues, sent = both
    for topic in Topic:
        queues.nudge(topic, [f"for {topic}", "rezone:SHA:1,2,3/中|é"])
    queues.nudge(Topic.HEAR, ["for hear"])
    found, letters = sent()
    expected = [(topic, f"for {topic}") for topic in (*Topic, Topic.HEAR)]
    expected += [(topic, "rezone:SHA:1,2,3/中|é") for topic in Topic]
    assert sorted(found) == sorted(expected)
    assert letters == []


def test_what_is_put_aside_is_among_the_letters_and_not_in_the_queue(both: tuple[Queues, Sent]) -> None:
    queues, sent = both
    queues.put_aside(Topic.TELL, Letter("{not json", "not JSON", "on_tell", "m-1", 5, 0))
    found, letters = sent()
    assert found == []
    assert [letter["Body"] for letter in letters] == ["{not json"]
