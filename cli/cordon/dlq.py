"""`cordon dlq`: dead letters, as `cli.letters` tells of them; nothing of an unknown message is ever printed."""

from __future__ import annotations

import os
from argparse import Namespace
from typing import Annotated, Any

import typer

from chalicelib.domain.ports import Topic
from cli import letters
from cli.cordon import console
from cli.cordon.console import Exit, fail
from cli.cordon.profiles import profile

app = typer.Typer(no_args_is_help=True)
Queue = Annotated[str | None, typer.Option(help=f"One of {', '.join(topic.value for topic in Topic)}.")]
NONE = "no dead letters"
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000)]


def _boxes(queue: str | None) -> list[letters.Box]:
    here = profile(console.said.profile)
    os.environ.update(here.environment)
    if queue is not None and queue not in {topic.value for topic in Topic}:
        fail(f"no queue {queue!r}", Exit.USAGE)
    try:
        return letters.boxes(Namespace(queue=queue, stack=here.stack))
    except KeyError as error:
        fail(
            f"{error.args[0]} is not known: the profile names a stack, or it is in the environment",
            Exit.USAGE,
        )


def _told(box: letters.Box, limit: int) -> list[dict[str, Any]]:
    return [
        {
            "queue": box.topic.value,
            "message_id": one.message_id,
            "kind": one.kind,
            "name": one.name,
            "reason": one.reason,
            "function": one.function,
            "tries": one.receives,
            "bytes": one.size,
            "sent_at": None if one.sent_at is None else one.sent_at.isoformat(),
            "hopeless": one.hopeless,
        }
        for one in box.open(limit)
    ]


@app.command()
def stats(queue: Queue = None, limit: Limit = 1000) -> None:
    """How many, by queue and reason."""
    counts: dict[tuple[str, str], int] = {}
    for box in _boxes(queue):
        for one in _told(box, limit):
            counts[one["queue"], one["reason"]] = counts.get((one["queue"], one["reason"]), 0) + 1
    console.rows(
        ({"queue": q, "letters": n, "reason": why} for (q, why), n in sorted(counts.items())),
        none=NONE,
    )


@app.command()
def peek(queue: Queue = None, limit: Limit = 10) -> None:
    """Each one: its kind, its age, why it died, and its id where that is one of ours."""
    found = [one for box in _boxes(queue) for one in _told(box, limit)]
    console.rows(
        found,
        ("queue", "kind", "name", "reason", "function", "tries", "sent_at", "message_id"),
        none=NONE,
    )


@app.command()
def replay(
    queue: Queue = None,
    limit: Limit = 100,
    everything: Annotated[bool, typer.Option("--all", help="Also what never was a nudge of ours.")] = False,
) -> None:
    """Send them back to their queues; a nudge twice is harmless."""
    boxes = _boxes(queue)
    waiting = sum(len(_told(box, limit)) for box in boxes)
    if not waiting:
        console.note(NONE)
        return
    how_many = console.counted(waiting, "dead letter")
    is_meant = console.confirm(f"send {how_many} back to {queue or 'their queues'}")
    asked = Namespace(limit=limit, dry_run=not is_meant, all=everything)
    import contextlib
    import sys

    with contextlib.redirect_stdout(sys.stderr):
        done = [letters.replay(box, asked) for box in boxes]
    console.one({"waiting": waiting, "replayed": is_meant, "whole": all(done)})
    if not all(done):
        raise typer.Exit(int(Exit.PARTLY))
