"""Stop the process before and after every outside call on the whole path; deliver again: the gift arrives,
with exactly one live booking, no place lost or oversold, and no state told more than twice.

The calls are found, not written down: whatever the flows call on the table, the queues or the line is counted
in an undisturbed run, and then each call is stopped at in a run of its own.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain.orders import OrderState
from chalicelib.domain.ports import World
from chalicelib.flows import hear, sweep
from chalicelib.flows.cancel import cancel
from chalicelib.flows.place import place
from tests import drive
from tests.stage import Stage, new_order, stage


class Tripwire:
    """Counts the calls that pass, and stops the process at one of them."""

    def __init__(self, stop_at: int | None = None, after: bool = False) -> None:
        self.stop_at, self.after = stop_at, after
        self.calls: list[str] = []

    def around(self, world: World) -> World:
        """The same world, with the wire across every way out."""
        ways = ("table", "queues", "line")
        return dataclasses.replace(world, **{way: _Wired(getattr(world, way), way, self) for way in ways})

    def passing(self, name: str, call: Callable[[], Any]) -> Any:
        self.calls.append(name)
        here = len(self.calls) - 1 == self.stop_at
        if here and not self.after:
            raise drive.Stopped
        answer = call()
        if here:
            raise drive.Stopped
        return answer


class _Wired:
    def __init__(self, inner: Any, name: str, wire: Tripwire) -> None:
        self._inner, self._name, self._wire = inner, name, wire

    def __getattr__(self, verb: str) -> Any:
        found = getattr(self._inner, verb)
        if not callable(found):
            return found
        return lambda *args, **kwargs: self._wire.passing(
            f"{self._name}.{verb}", lambda: found(*args, **kwargs)
        )


def again(act: Callable[[], Any]) -> Any:
    """What at-least-once means: whoever was not answered asks again."""
    for _ in range(3):
        try:
            return act()
        except drive.Stopped:
            continue
    raise AssertionError("stopped three times")


def settle(on: Stage) -> None:
    """Deliver every nudge; one whose handler was stopped is delivered again."""
    again(lambda: drive.settle(on.world))


def pass_minutes(on: Stage, count: int, each: Callable[[], None] = lambda: None) -> None:
    for _ in range(count):
        on.clock.forward(minutes=1)
        each()
        again(lambda: sweep.tick(on.world))
        again(lambda: sweep.sweep(on.world))
        settle(on)


def deliver(on: Stage) -> str:
    """One gift from placed to told, the courier doing its work ten minutes a step."""
    order, _ = again(lambda: place(on.world, "maison", "key-1", new_order()))
    settle(on)

    def courier_works() -> None:
        for reference, job in list(on.company.jobs.items()):
            after = {"accepted": "picked_up", "picked_up": "in_transit", "in_transit": "delivered"}
            booked = on.order(order.order_id).leg.booking(reference)
            if job.state in after and on.clock.now.minute % 10 == 0 and booked is not None:
                said = on.company.move(reference, after[job.state], on.clock.now)
                again(lambda said=said: hear.receive(on.world, "SHA", "paper-co", said))  # type: ignore[misc]

    pass_minutes(on, 3)
    on.clock.forward(minutes=60)
    pass_minutes(on, 60, courier_works)
    return order.order_id


def cancel_when_booked(on: Stage) -> str:
    """One gift that the brand cancels while a courier has it booked."""
    order, _ = again(lambda: place(on.world, "maison", "key-1", new_order()))
    settle(on)
    pass_minutes(on, 6)

    def ask() -> None:
        present = on.order(order.order_id)
        if present.cancel_asked_at is None and present.state is not OrderState.CANCELLED:
            cancel(on.world, "maison", order.order_id, present.version)

    again(ask)
    pass_minutes(on, 10)
    return order.order_id


STORIES = {"deliver": deliver, "cancel_when_booked": cancel_when_booked}
ENDS = {
    "deliver": (OrderState.DELIVERED, 1, 2),
    "cancel_when_booked": (OrderState.CANCELLED, 0, 3),
}
"""Story: the state it ends in, jobs the courier still counts, places left of three."""


def assert_well_ended(on: Stage, story: str, order_id: str) -> None:
    state, jobs, left = ENDS[story]
    order = on.order(order_id)
    assert order.state is state
    assert sum(job.is_live for job in on.company.jobs.values()) == jobs
    assert on.live_bookings(order_id) == 0
    assert on.left() == left
    asked = Counter(reference for verb, reference in on.company.calls if verb == "book")
    assert max(asked.values(), default=1) == 1, "a courier without idempotency would have two jobs"
    told = Counter(notice["id"] for notice in on.brand.heard)
    steps = {notice["data"]["sequence"] for notice in on.brand.heard}
    assert steps == set(range(len(order.history))), "every state is told"
    assert max(told.values()) <= 2, told


@pytest.mark.parametrize("story", STORIES)
def test_the_undisturbed_story_ends_well(story: str) -> None:
    on = stage()
    assert_well_ended(on, story, STORIES[story](on))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("story", STORIES)
def test_stopped_at_any_outside_call_the_story_still_ends_well(story: str, after: bool) -> None:
    counting = Tripwire()
    STORIES[story](stage(wrap=counting.around))
    assert len(counting.calls) > 40
    assert {"table.write", "queues.nudge", "line.send"} <= set(counting.calls)
    for at, call in enumerate(counting.calls):
        wire = Tripwire(at, after)
        on = stage(wrap=wire.around)
        order_id = STORIES[story](on)
        try:
            assert_well_ended(on, story, order_id)
        except AssertionError as error:
            raise AssertionError(f"stopped {'after' if after else 'before'} call {at}, {call}") from error
