"""The shortest story of a day that failed: everything that can be left out, is.

What takes place (`o7`, `a12`) and what goes wrong (eight hex digits each) has a name that does not depend on the
rest, so names are left out by halves, then by quarters, down to one by one, as long as the same invariant breaks
(delta debugging, Zeller and Hildebrandt 2002). The same seed shrinks to the same story.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tests.simulation.day import Day
from tests.simulation.judge import Broken

MOST_DAYS = 400
"""A story that is not the shortest yet after so many days is told as it is."""


@dataclass(frozen=True)
class Failure:
    """A day on which an invariant broke, and what of it has to be kept for that."""

    seed: int
    invariant: str
    detail: str
    keep: tuple[str, ...]
    only: tuple[str, ...]

    @property
    def command(self) -> str:
        """What plays it again."""
        return f"python -m tests.simulation {self.seed}"

    @property
    def short_command(self) -> str:
        """What plays the shrunk story again."""
        return f"{self.command} --keep {','.join(self.keep) or '-'} --only {','.join(self.only) or '-'}"


def failure_of(
    seed: int, keep: Sequence[str] | None = None, only: Sequence[str] | None = None
) -> Failure | None:
    """Play that day. None: nothing broke."""
    day = Day(seed, keep, only)
    try:
        day.play()
    except Broken as broken:
        kept = tuple(day.plan.names() if keep is None else keep)
        struck = tuple(dict.fromkeys(mishap.name for mishap in day.trouble.happened))
        return Failure(seed, broken.invariant, broken.detail, kept, struck)
    return None


def shrunk(failure: Failure) -> Failure:
    """The same failure with as little as it needs."""
    days = 0

    def fails(keep: Sequence[str], only: Sequence[str]) -> Failure | None:
        nonlocal days
        days += 1
        if days > MOST_DAYS:
            return None
        found = failure_of(failure.seed, keep, only)
        return found if found is not None and found.invariant == failure.invariant else None

    best = fails(failure.keep, failure.only)
    if best is None:  # it breaks only with all that did not strike
        return failure
    size = -1
    while size != len(best.keep) + len(best.only):
        size = len(best.keep) + len(best.only)
        keep, only = best.keep, best.only
        only = _fewest(only, lambda some, keep=keep: fails(keep, some) is not None)  # type: ignore[misc]
        keep = _fewest(keep, lambda some, only=only: fails(some, only) is not None)  # type: ignore[misc]
        found = failure_of(failure.seed, keep, only)
        assert found is not None
        best = replace(found, only=tuple(name for name in only if name in found.only))
    return best


def _fewest(names: Sequence[str], fails: Callable[[Sequence[str]], bool]) -> tuple[str, ...]:
    kept = list(names)
    step = max(1, (len(kept) + 1) // 2)
    while kept:
        at = 0
        while at < len(kept):
            fewer = kept[:at] + kept[at + step :]
            if fails(fewer):
                kept = fewer
            else:
                at += step
        if step == 1:
            break
        step = (step + 1) // 2 if step > 2 else 1
    return tuple(kept)


def story(failure: Failure, last: int = 60) -> str:
    """The failure as a person reads it: what took place, what went wrong, and the last steps."""
    day = Day(failure.seed, failure.keep, failure.only)
    try:
        day.play()
    except Broken:
        pass
    kept = set(failure.keep)
    lines = [f"seed {failure.seed}: {failure.invariant}: {failure.detail}", "", "what took place"]
    for wish in day.plan.wishes:
        if wish.name in kept:
            lines.append(
                f"  {wish.at:%H:%M:%S} {wish.name}: {wish.item_class} from {wish.shop} to {wish.site} in"
                f" {wish.market_id}, window {wish.body['window']['start'][11:16]}-{wish.body['window']['end'][11:16]}"
            )
    lines += [f"  {deed.at:%H:%M:%S} {deed.name}: {deed}" for deed in day.plan.deeds if deed.name in kept]
    lines.append("what went wrong")
    lines += [f"  {mishap.at:%H:%M:%S} {mishap.name}: {mishap}" for mishap in day.trouble.happened] or [
        "  nothing"
    ]
    lines.append("the last steps (times are UTC)")
    lines += [f"  {at:%H:%M:%S} {text.format(*facts)}" for at, text, facts in day.story[-last:]]
    lines += [
        "",
        f"the whole day again:   {failure.command}",
        f"this story again:      {failure.short_command}",
    ]
    return "\n".join(lines)
