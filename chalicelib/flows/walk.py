"""Walk the pages of a job in lanes: one step, and what comes after it. Whose job it is knows what a page is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.domain.errors import Lost, NotANudge
from chalicelib.domain.lanes import PATIENCE, WORK, Lane, laid, lane_key, lane_of_row, lane_row
from chalicelib.domain.ports import Change, Drop, Keep, Topic, World
from chalicelib.domain.tallies import Tally


@dataclass(frozen=True)
class Walked:
    """What one page came to."""

    tally: Tally = field(default_factory=Tally)
    changes: tuple[Change, ...] = ()
    """To be written with the step."""
    after: str | None = None
    """Of a task that reads a list: where it goes on; None: it was the end."""
    beside: int = 0
    """What it counts beside the tally."""


def named(world: World, name: str) -> None:
    """The step that a nudge names, `<kind>:<job>:<task>:<lane>:<step>`. Raises `NotANudge`."""
    from chalicelib.flows import proceed, take_in

    kind, *rest = name.split(":")
    jobs: dict[str, Callable[[World, str, str, int, int], None]]
    jobs = {"list": take_in.step, "campaign": proceed.step}
    if kind not in jobs or len(rest) != 4 or not (rest[2].isdecimal() and rest[3].isdecimal()):
        raise NotANudge("a step of a list or of a campaign was expected, and nothing else")
    jobs[kind](world, rest[0], rest[1], int(rest[2]), int(rest[3]))


def begun(
    owner: str,
    task: str,
    pages: int | None,
    now: datetime,
    expires_at: int,
    not_before: datetime | None = None,
) -> list[Keep]:
    """The lanes of a task, to be written with the step of the job that begins it. `not_before`: when the sweep is the
    first to nudge them; absent: soon, if nobody has before."""
    due = not_before or now + PATIENCE
    lanes = laid(owner, task, pages, not_before)
    return [Keep(lane_row(lane, due, expires_at), was=None) for lane in lanes]


def nudge(world: World, owner: str, task: str) -> None:
    """Every lane of a task that has just begun, or goes on."""
    lanes = lanes_of(world, owner, task)
    if lanes:
        world.queues.nudge(Topic.CAMPAIGN, [lane.name for lane in lanes])


def lanes_of(world: World, owner: str, task: str) -> list[Lane]:
    """Those of a task, as they stand now."""
    return [lane_of_row(row) for row in world.table.read(owner, f"lane#{task}#").rows]


def every(world: World, owner: str) -> list[Lane]:
    """Those of all tasks of a job."""
    return [lane_of_row(row) for row in world.table.read(owner, "lane#").rows]


def lane_at(world: World, owner: str, task: str, number: int, step: int) -> Lane | None:
    """The lane if that step is the one it waits for, or it waits for the others."""
    row = world.table.get(lane_key(owner, task, number))
    if row is None or row.work is None:
        return None  # the task is over, or its job rests
    lane = lane_of_row(row)
    if lane.not_before is not None and world.clock() < lane.not_before:
        return None
    return lane if lane.step == step or lane.is_done else None


def stepped(world: World, lane: Lane, walked: Walked, expires_at: int) -> Lane | None:
    """The lane one step further, or None where somebody else was quicker. What it came to is written with it."""
    step = lane.step + 1
    is_done = walked.after is None if lane.pages is None else lane.number + step * lane.of >= lane.pages
    after = lane.model_copy(
        update={
            "step": step,
            "after": walked.after,
            "beside": lane.beside + walked.beside,
            "tally": lane.tally.plus(walked.tally),
            "is_done": is_done,
            "version": lane.version + 1,
        }
    )
    due = world.clock() + PATIENCE
    try:
        world.table.write(Keep(lane_row(after, due, expires_at), was=lane.version), *walked.changes)
    except Lost:
        return None
    if not is_done:
        world.queues.nudge(Topic.CAMPAIGN, [after.name])
    return after


def all_done(world: World, owner: str, task: str) -> list[Lane] | None:
    """The lanes of a task when each has walked its last page; None while one has not."""
    lanes = lanes_of(world, owner, task)
    return lanes if lanes and all(lane.is_done for lane in lanes) else None


def over(lanes: Iterable[Lane]) -> list[Drop]:
    """These lanes taken away, with the step of the job that ends their task."""
    return [Drop(lane_key(lane.owner, lane.task, lane.number), lane.version) for lane in lanes]


def resting(lanes: Iterable[Lane], due: datetime | None, expires_at: int) -> list[Keep]:
    """These lanes out of the sweep's sight while their job rests, or in it again."""
    return [
        Keep(
            lane_row(lane.model_copy(update={"version": lane.version + 1}), due, expires_at),
            was=lane.version,
        )
        for lane in lanes
    ]


def nudge_waiting(world: World, limit: int = 500) -> int:
    """Nudge every lane that has made no step for a while; for the sweep."""
    page = world.table.find_due(WORK, world.clock(), limit)
    rows = world.table.get_many(page.keys)
    names = [lane_of_row(row).name for row in rows if row.work == WORK]
    if names:
        world.queues.nudge(Topic.CAMPAIGN, names)
    return len(names)
