"""Bugs that are brought back into the flows, to see that a day finds them.

Each is an edit of a flow's source text, compiled and put in the place of the function as it runs. An edit whose text
is no longer there fails loudly: a bug that cannot be brought back proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType


@dataclass(frozen=True)
class Bug:
    """One bug: in this module, this text becomes that."""

    name: str
    module: str
    text: str
    becomes: str
    within: int = 40
    """Days within which it has to be found, ..."""
    since: int = 1
    """... from this one on, where it is known to be found soon."""

    def __str__(self) -> str:
        return self.name


CLASSIC = (
    Bug(
        "nudge only if fresh",
        "flows.sweep",
        "    if is_over(order):\n        return (Topic.TELL,)",
        "    if is_over(order):\n        return (Topic.TELL,) if now - due < publish.PATIENCE / 2 else ()",
        since=9,
    ),
    Bug(
        "save after the call",
        "flows.book",
        "    if not write(world, order, *ration.takes(order.market_id, owed)):\n"
        "        return  # somebody else is at it, or the order has changed: whoever comes next looks anew\n"
        "    answer = _call(world, order, booking, courier, given)\n",
        "    answer = _call(world, order, booking, courier, given)\n    if not write(world, order):\n        return\n",
    ),
    Bug(
        "release before confirm",
        "flows.cancel",
        'update={"state": BookingState.CANCELLING, "cancel_reason": "brand", "next_look": now}',
        'update={"state": BookingState.CANCELLED, "cancel_reason": "brand", "next_look": now}',
    ),
    Bug(
        "a new reference after a timeout",
        "flows.book",
        "state=BookingState.UNKNOWN, next_look=look, looks=0)",
        "state=BookingState.LOST, next_look=look, looks=0)",
    ),
    Bug(
        "an index that lags is believed",
        "flows.dispatch",
        "        if in_pool(o) and not o.is_stopped(moment)\n",
        "        if not o.is_stopped(moment)\n",
        since=14,
    ),
)
MORE = (
    Bug(
        "a hint is believed",
        "flows.receive",
        '    return trust == "hint" or (',
        '    return trust == "h" or (',
    ),
    Bug(
        "a courier that is to be left in peace is asked",
        "flows.spare",
        "    if state is BreakerState.CLOSED:\n",
        "    if state is not BreakerState.HALF_OPEN:\n",
    ),
    Bug(
        "everybody asks the one question",
        "flows.spare",
        "    if known.is_probed(now):\n",
        "    if known.is_probed(now) and known.failures < 0:\n",
    ),
    Bug(
        "a courier that is back stays on record",
        "flows.spare",
        "    if given.probe is None:\n",
        "    if given.probe is None or given.probe.version:\n",
    ),
    Bug("a late callback is believed", "flows.hear", "    if _is_old_news(booking, track):", "    if False:"),
    Bug(
        "nobody clears again before a booking",
        "flows.book",
        "    if verdict.decision is not Decision.YES or courier is None or",
        "    if courier is None or",
    ),
    Bug(
        "the place is given back beside the step",
        "flows.rezone",
        "            world.table.write(facts.keep_order(after), *changes)\n",
        "            world.table.write(*changes)\n            world.table.write(facts.keep_order(after))\n",
    ),
    Bug(
        "told before it was told",
        "flows.tell",
        "    outcome, attempt = _send(world, endpoint, notice)\n",
        '    done = {"state": NoticeState.DELIVERED, "next_attempt_at": None}\n'
        "    _save(world, notice.model_copy(update=done))\n"
        '    notice = notice.model_copy(update={"version": notice.version + 1})\n'
        "    outcome, attempt = _send(world, endpoint, notice)\n",
    ),
    Bug(
        "assigned under rules that have moved on",
        "flows.assign",
        "changes: list[Change] = [Require(facts.pointer_key(market_id), version)]",
        "changes: list[Change] = [Require(facts.market_key('nowhere'), None)]",
        within=200,
    ),
    Bug(
        "a look-up that finds nothing is believed at once",
        "flows.settle",
        "    settled = booking.attempted_at + world.dialects[courier.dialect].settle\n",
        "    settled = booking.attempted_at\n",
    ),
    Bug(
        "whoever has a signature is believed",
        "flows.hear",
        "        if not may_speak(world, order, booking, event):",
        "        if False:",
    ),
    Bug(
        "what is on its way is not decided again",
        "flows.rezone",
        "    left = _decide(world, market.market_id, rest, share, on)\n",
        "    left = len(rest)\n",
        within=100,
    ),
    Bug(
        "a courier that agrees to bring it back has let go",
        "flows.settle",
        "            if answer.returning or present.track.has_custody:",
        "            if False:",
    ),
    Bug(
        "a quota is not given back",
        "flows.check",
        "        *(facts.give_back_quota(market_id, one, rooms.amount(one, order.gift)) for one in taken),\n",
        "",
    ),
    Bug(
        "who is booked takes nothing of a quota that is new",
        "flows.rezone",
        "        owed = ration.owed(world, order, verdict, on)\n",
        "        owed = {}\n",
        since=50,
    ),
    Bug(
        "evidence is counted and not kept",
        "flows.rezone",
        "        return after, [evidence, *give_back], (Topic.TELL, Topic.DISPATCH)",
        "        return after, [*give_back], (Topic.TELL, Topic.DISPATCH)",
        within=100,
    ),
)


@contextmanager
def brought_back(bug: Bug) -> Iterator[None]:
    """The flows with that bug."""
    module = import_module(f"chalicelib.{bug.module}")
    path = Path(module.__file__ or "")
    source = path.read_text()
    if source.count(bug.text) != 1:
        raise LookupError(
            f"{bug.name!r}: its text stands {source.count(bug.text)} times in {path.name}, not once"
        )
    with running(module, source.replace(bug.text, bug.becomes)):
        yield


@contextmanager
def running(module: ModuleType, source: str) -> Iterator[None]:
    """The functions of that module, as this source says, for everybody who has them already."""
    made = dict(module.__dict__)
    exec(compile(source, module.__file__ or "", "exec"), made)  # noqa: S102
    kept: list[tuple[FunctionType, object]] = []
    for name, function in vars(module).items():
        other = made.get(name)
        if (
            isinstance(function, FunctionType)
            and isinstance(other, FunctionType)
            and function.__module__ == module.__name__
            and function.__code__ != other.__code__
        ):
            kept.append((function, function.__code__))
            function.__code__ = other.__code__
    try:
        yield
    finally:
        for function, code in kept:
            function.__code__ = code  # type: ignore[assignment]
