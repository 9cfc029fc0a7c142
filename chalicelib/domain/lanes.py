"""Lanes: how much work is cut into pages and walked by several at once, each page once, resumable after any stop.

A job (a list that is read in, a campaign that is placed) has pages. Lane k of n walks the pages k, k + n, k + 2n, ...
A page is a step, a step is one conditional transaction that also says what the page came to, and the next is a nudge
that names it. So what all lanes have counted adds up, whatever was doubled, lost or stopped. A lane stands in the work
index until its task is over, where the sweep finds it; the last to end finds all others ended, and whoever stopped
before it saw that is nudged again.

    collection (pk)                  place (sk)            noun    indexes
    list#<list> or campaign#<id>     lane#<task>#<nn>      Lane    work: lanes, while its job waits for it
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from pydantic import Field

from chalicelib.domain.ports import Key, Row
from chalicelib.domain.shapes import Instant, Shape, is_absent, stamp
from chalicelib.domain.tallies import Tally

WORK: Final = "lanes"
"""The bucket of the work index in which lanes stand until their task is over."""
PATIENCE: Final = timedelta(minutes=2)
"""After so long a lane that has made no step is nudged again."""
MOST: Final = 8
"""Lanes of one task: so many runs work at it at a time."""


class Lane(Shape):
    """One of those who walk the pages of a task."""

    owner: str = Field(description="The collection of its job.")
    task: str
    number: int
    of: int = Field(description="So many lanes walk together.")
    pages: int | None = Field(default=None, description="Of the whole task; None: it ends where a list does.")
    after: str | None = Field(default=None, description="Of a task that reads a list: how far it has come.")
    beside: int = Field(
        default=0, description="What it counts beside the tally: pages that it has written, for one."
    )
    not_before: Instant | None = Field(
        default=None, exclude_if=is_absent, description="It does nothing until then, whoever nudges it."
    )
    step: int = 0
    tally: Tally = Tally()
    is_done: bool = False
    version: int = Field(default=1, exclude=True)

    @property
    def page(self) -> int:
        """Which comes next."""
        return self.number + self.step * self.of

    @property
    def name(self) -> str:
        """What a nudge says that asks for its next step."""
        kind, _, name = self.owner.partition("#")
        return f"{kind}:{name}:{self.task}:{self.number}:{self.step}"


def lane_key(owner: str, task: str, number: int) -> Key:
    return Key(owner, f"lane#{task}#{number:02d}")


def lane_row(lane: Lane, due: datetime | None, expires_at: int) -> Row:
    """`due`: when the sweep is to nudge it; None while its job waits for somebody else."""
    return Row(
        key=lane_key(lane.owner, lane.task, lane.number),
        version=lane.version,
        body=lane.model_dump_json(exclude_defaults=True),
        work=None if due is None else WORK,
        due=None if due is None else stamp(due),
        expires_at=expires_at,
    )


def lane_of_row(row: Row) -> Lane:
    return Lane.model_validate_json(row.body).model_copy(update={"version": row.version})


def laid(owner: str, task: str, pages: int | None, not_before: datetime | None = None) -> list[Lane]:
    """The lanes of a task that begins: as many as there are pages, and not too many."""
    count = 1 if pages is None else max(1, min(MOST, pages))
    lanes = [
        Lane(owner=owner, task=task, number=number, of=count, pages=pages, not_before=not_before)
        for number in range(count)
    ]
    return [
        lane.model_copy(update={"is_done": True}) if pages is not None and lane.page >= pages else lane
        for lane in lanes
    ]
