"""Runs the flows as the queues and schedules would, on a world in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chalicelib.domain.errors import Delayed, Refused
from chalicelib.domain.ports import Topic, World
from chalicelib.flows import sweep, walk
from chalicelib.flows.book import book
from chalicelib.flows.dispatch import named
from chalicelib.flows.forget import forget
from chalicelib.flows.hear import named as heard
from chalicelib.flows.publish import publish
from chalicelib.flows.recount import recount
from chalicelib.flows.rezone import rezone
from chalicelib.flows.tell import named as told
from chalicelib.flows.weigh import plan, weigh


class Stopped(BaseException):
    """The process was killed here. No `except Exception` sees it."""


def run(world: World, topic: Topic, name: str) -> None:
    """What the listener of that queue does with one nudge."""
    if topic is Topic.DISPATCH and name.startswith("impact/"):
        market_id, rest = name.removeprefix("impact/").split(":", 1)
        plan(world, market_id, rest)
    elif topic is Topic.DISPATCH:
        named(world, name)
    elif topic is Topic.RULES:
        verb, market_id, rest = (*name.split(":", 2), "")[:3]
        verbs: dict[str, Callable[[World, str, str], None]]
        verbs = {"publish": publish, "rezone": rezone, "impact": weigh, "board": _count, "erase": _erase}
        verbs[verb](world, market_id, rest)
    elif topic is Topic.CAMPAIGN:
        walk.named(world, name)
    else:
        {Topic.BOOK: book, Topic.HEAR: heard, Topic.TELL: told}[topic](world, name)


def _count(world: World, market_id: str, rest: str) -> None:
    recount(world, market_id)


def _erase(world: World, client_id: str, rest: str) -> None:
    forget(world, client_id)


def settle(world: World, limit: int = 2000) -> int:
    """Deliver every waiting nudge, and those they cause, until none is left. Returns how many."""
    queues: Any = world.queues
    count = 0
    while queues.sent:
        topic, name = queues.sent[0]
        count += 1
        assert count <= limit, f"still not quiet after {limit} nudges, next is {topic} {name}"
        try:
            run(world, topic, name)
        except Refused:
            pass
        except Delayed:
            queues.sent.append((topic, name))
        queues.sent.pop(0)
    return count


def minutes(world: World, clock: Any, count: int, each: Callable[[], None] | None = None) -> None:
    """Let that many minutes pass: the schedules fire, and everything settles."""
    for _ in range(count):
        clock.forward(minutes=1)
        if each is not None:
            each()
        sweep.tick(world)
        sweep.sweep(world)
        settle(world)
