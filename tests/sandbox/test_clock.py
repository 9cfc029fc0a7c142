"""Virtual time stands still, and jumps from one due event to the next."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from sandbox.clock import RealClock, VirtualClock

START = datetime(2022, 4, 11, 6, tzinfo=UTC)


def test_virtual_time_moves_only_when_it_is_advanced() -> None:
    clock = VirtualClock(START)
    clock.at(START + timedelta(hours=1), lambda: None)
    assert clock.now() == START
    assert clock.advance(START + timedelta(hours=2))
    assert clock.now() == START + timedelta(hours=1)


def test_events_happen_in_the_order_of_their_times_and_then_of_their_asking() -> None:
    clock, seen = VirtualClock(START), list[tuple[str, datetime]]()
    for name, minutes in (("late", 9), ("first", 5), ("second", 5)):
        clock.at(START + timedelta(minutes=minutes), lambda name=name: seen.append((name, clock.now())))  # type: ignore[misc]
    while clock.advance(START + timedelta(hours=1)):
        pass
    assert [name for name, _ in seen] == ["first", "second", "late"]
    assert [at for _, at in seen] == [START + timedelta(minutes=m) for m in (5, 5, 9)]
    assert clock.now() == START + timedelta(hours=1)


def test_an_event_in_the_past_happens_now_and_never_turns_time_back() -> None:
    clock = VirtualClock(START)
    clock.at(START - timedelta(days=1), lambda: None)
    assert clock.advance(START)
    assert clock.now() == START


def test_what_is_due_after_the_end_stays_due() -> None:
    clock, seen = VirtualClock(START), list[datetime]()
    clock.at(START + timedelta(hours=2), lambda: seen.append(clock.now()))
    assert not clock.advance(START + timedelta(hours=1))
    assert seen == []
    assert clock.advance(START + timedelta(hours=3))
    assert seen == [START + timedelta(hours=2)]


def test_many_threads_may_ask_for_events_at_once() -> None:
    clock, seen = VirtualClock(START), list[int]()

    def ask(thread: int) -> None:
        for n in range(200):
            clock.at(START + timedelta(seconds=n + 1), lambda: seen.append(thread))

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while clock.advance(START + timedelta(hours=1)):
        pass
    assert len(seen) == 1600


def test_the_walls_clock_does_things_when_their_time_has_come() -> None:
    clock, done = RealClock(), threading.Event()
    try:
        clock.at(clock.now() + timedelta(milliseconds=20), done.set)
        assert done.wait(5)
    finally:
        clock.close()


def test_with_a_grain_events_fall_together_and_never_before_their_time() -> None:
    clock, seen = VirtualClock(START, grain=timedelta(seconds=30)), list[tuple[int, datetime]]()
    for seconds in (1, 29, 30, 31):
        clock.at(
            START + timedelta(seconds=seconds), lambda seconds=seconds: seen.append((seconds, clock.now()))
        )
    while clock.advance(START + timedelta(minutes=5)):
        pass
    half, whole = START + timedelta(seconds=30), START + timedelta(minutes=1)
    assert seen == [(1, half), (29, half), (30, half), (31, whole)]
