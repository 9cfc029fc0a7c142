"""Order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.dialect import Callback
from chalicelib.domain.legs import ENDS, Event, fold
from tests.couriers.contract.clause import clause, expect
from tests.couriers.contract.junk import patiently
from tests.couriers.contract.meaning import event_of, said
from tests.couriers.contract.subject import Sent, Subject
from tests.couriers.jobs import NOON

SOON = timedelta(seconds=90)
"""Of a repeat: well within every replay window."""


@clause
def an_event_bears_the_time_at_which_it_happened_and_not_that_of_its_arrival(subject: Subject) -> None:
    for sent in subject.recorded:
        now, late = arrivals(subject, sent)
        for one, other in zip(now, late, strict=True):
            expect(
                one.occurred_at == other.occurred_at,
                f"{sent.label} to have happened at one time, however late it comes",
                f"it happened at {one.occurred_at.isoformat()} or at {other.occurred_at.isoformat()}",
            )
    for status in subject.wants("STATUSES"):
        occurred_at = NOON - timedelta(minutes=17)
        told = subject.told(status, occurred_at=occurred_at)
        for late_by in (timedelta(), SOON):
            event = event_of(subject, told, f"the status {status!r}", late_by)
            for name, time in (("occurred_at", occurred_at), ("received_at", NOON + late_by)):
                was = getattr(event, name)
                expect(was == time, f"{name} {time.isoformat()} of {status!r}", f"it is {was.isoformat()}")


def arrivals(subject: Subject, sent: Sent) -> tuple[tuple[Event, ...], tuple[Event, ...]]:
    """The events of a recorded callback when it came, and when it comes again."""
    now, late = (
        subject.heard(sent.label, sent.callback, sent.account, at=sent.came_at + by).events
        for by in (timedelta(), SOON)
    )
    expect(len(now) == len(late), f"as many events in {sent.label} each time", f"{len(now)} and {len(late)}")
    return now, late


@clause
def a_double_is_the_same_event_and_another_word_is_another(subject: Subject) -> None:
    for sent in subject.recorded:
        for one, other in zip(*arrivals(subject, sent), strict=True):
            _is_double(one, other, sent.label)
    names: dict[str, str] = {}
    for status in (*subject.wants("STATUSES"), subject.wants("UNKNOWN_STATUS")):
        for minute in (0, 1):
            told = subject.told(status, occurred_at=NOON + timedelta(minutes=minute))
            what = f"{status!r} at minute {minute}"
            first, double = (event_of(subject, told, what, late) for late in (timedelta(), SOON))
            _is_double(first, double, what)
            expect(
                first.event_id not in names,
                f"an event_id of its own for {what}",
                f"{first.event_id!r} is that of {names.get(first.event_id)}",
            )
            names[first.event_id] = what


def _is_double(first: Event, double: Event, what: str) -> None:
    expect(
        first.event_id == double.event_id,
        f"one event_id for {what}, however late it comes",
        f"they are {first.event_id!r} and {double.event_id!r}",
    )


@clause
def any_status_may_be_the_first_word_of_a_job(subject: Subject) -> None:
    """Callbacks are lost and overtake each other: a file that remembers what came before is wrong."""
    alone = {status: said(subject, status) for status in subject.wants("STATUSES")}
    for status in reversed(subject.wants("STATUSES")):
        event = said(subject, status)
        expect(event == alone[status], f"{status!r} to mean the same whenever it comes", f"it is {event!r}")
        expect(
            fold([event]).kind is event.kind, f"{status!r} alone to mean {event.kind}", f"{fold([event])!r}"
        )


@clause
def a_later_word_does_not_undo_an_end(subject: Subject) -> None:
    corrections = subject.may_say("CORRECTIONS", ())
    for end in subject.wants("STATUSES"):
        ended = said(subject, end)
        if ended.kind not in ENDS:
            continue
        for status in subject.wants("STATUSES"):
            if status in corrections:
                continue
            kind = fold([ended, said(subject, status, 5)]).kind
            expect(
                kind is ended.kind,
                f"{end!r} ({ended.kind}) to stay when {status!r} comes later",
                f"it becomes {kind}",
            )


@clause
def what_counts_is_when_it_happened_and_not_when_it_arrived(subject: Subject) -> None:
    known = subject.wants("STATUSES")
    for first, then in pairwise(known):
        story = [subject.told(first), subject.told(then, occurred_at=NOON + timedelta(minutes=5))]
        forth, back = (
            fold(event_of(subject, told, "a callback", late * (n + 1)) for n, told in enumerate(calls))
            for calls, late in ((story, timedelta(seconds=1)), (story[::-1], timedelta(seconds=20)))
        )
        expect(
            forth == back,
            f"{first!r} and, five minutes later, {then!r} to come to {forth.kind} at {forth.at}",
            f"in the other order of arrival they come to {back.kind} at {back.at}",
        )


@clause
def replays_in_any_order_come_to_the_same(subject: Subject) -> None:
    stories: dict[str, list[Sent]] = {}
    for sent in subject.recorded:
        for event in subject.heard(sent.label, sent.callback, sent.account, at=sent.came_at).events:
            stories.setdefault(event.reference, []).append(sent)
    for reference, story in stories.items():
        orders = [
            [event for sent in some for event in arrivals(subject, sent)[late]]
            for some, late in _orders(story)
        ]
        tracks = [fold(event for event in events if event.reference == reference) for events in orders]
        for track in tracks:
            expect(track == tracks[0], f"the recorded callbacks to come to {tracks[0]!r}", f"or to {track!r}")
    known = st.sampled_from([*subject.wants("STATUSES"), subject.wants("UNKNOWN_STATUS")])

    @patiently
    @given(data=st.data())
    def asked(data: st.DataObject) -> None:
        story = data.draw(
            st.lists(st.tuples(known, st.integers(0, 90)), min_size=1, max_size=8, unique=True), label="story"
        )
        calls = [
            subject.told(status, occurred_at=NOON + timedelta(minutes=minute)) for status, minute in story
        ]
        doubled = data.draw(st.lists(st.sampled_from(calls), max_size=4), label="doubles")
        arrived = data.draw(st.permutations([*calls, *doubled]), label="arrived")

        def track(some: list[Callback], late: int) -> object:
            after = timedelta(seconds=late)
            return fold(event_of(subject, call, "a callback of the story", after) for call in some)

        once, replayed = track(calls, 1), track(arrived, 60)
        expect(once == replayed, f"{story!r} to come to {once!r}", f"doubled and shuffled it is {replayed!r}")

    asked()


def _orders(story: list[Sent]) -> Iterator[tuple[Sequence[Sent], int]]:
    """As recorded; backwards; with each first or last; all of it twice."""
    yield story, 0
    yield story[::-1], 0
    for at in range(len(story)):
        rest = story[:at] + story[at + 1 :]
        yield [story[at], *rest], 0
        yield [*rest, story[at]], 0
    yield [*story, *story[::-1]], 1
