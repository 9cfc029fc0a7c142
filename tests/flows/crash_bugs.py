"""Classic bugs, brought back into the real flows for as long as a test lasts.

A bug is an edit of a module's source. The edited text is compiled, and the code of its functions takes the place
of the present one in the very same function objects, so that whoever has imported them has the bug, too. Text that
is not there exactly once fails loudly: a bug that is brought back nowhere proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from chalicelib.domain import facts
from chalicelib.flows import (
    assign,
    book,
    bookings,
    cancel,
    enlist,
    hear,
    place,
    publish,
    rezone,
    send_again,
    settle,
    tell,
)
from tests.flows.crash_ends import always, at_end, play_undisturbed
from tests.flows.crash_play import Played, Story, play_stopped


@dataclass(frozen=True)
class Bug:
    """What somebody wrote who did not think of the process being killed."""

    name: str
    module: ModuleType
    edits: tuple[tuple[str, str], ...]
    story: str
    """A story that it spoils."""
    only_stopped: bool = True
    """True where the undisturbed story ends well with it: no other test would have found it."""


class Gone(Exception):
    """The text that a bug replaces is not there, or not once."""


def edited(module: ModuleType, edits: tuple[tuple[str, str], ...]) -> str:
    """The module's source with the bug in it."""
    source = Path(str(module.__file__)).read_text()
    for old, new in edits:
        if source.count(old) != 1:
            raise Gone(f"{module.__name__} has {source.count(old)} times {old!r}")
        source = source.replace(old, new)
    return source


@contextmanager
def brought_back(module: ModuleType, source: str) -> Iterator[None]:
    """The functions of the module as this source writes them."""
    written = dict(_codes(compile(source, str(module.__file__), "exec")))
    functions = [thing for thing in vars(module).values() if isinstance(thing, FunctionType)]
    mine = [function for function in functions if function.__module__ == module.__name__]
    before = [(function, function.__code__) for function in mine if function.__qualname__ in written]
    for function, _ in before:
        function.__code__ = written[function.__qualname__]
    try:
        yield
    finally:
        for function, code in before:
            function.__code__ = code


def _codes(code: CodeType) -> Iterator[tuple[str, CodeType]]:
    for inner in code.co_consts:
        if isinstance(inner, CodeType) and inner.co_name != "<module>" and not inner.co_freevars:
            yield inner.co_qualname, inner


def caught(story: Story, *, undisturbed: bool = False, played: Played | None = None) -> str:
    """What the crash test says to the flows as they are now; empty when it finds nothing."""
    played = played or Played()
    for eager in (False,) if undisturbed or not story.eager else (True, False):
        try:
            first = play_undisturbed(story, eager=eager)
        except Exception as error:
            return f"{'handled at once' if eager else 'undisturbed'}: {type(error).__name__}: {error}"
    for stop in () if undisturbed else first.stops:
        for lost in (False, True) if stop.is_nudged else (False,):
            if played.knows(story, stop, lost):
                continue
            try:
                played.note(story, stop, lost, play_stopped(first, stop, always, at_end, lost=lost))
            except Exception as error:
                return f"{stop}: {type(error).__name__}: {error}"
    return ""


def _bug(name: str, module: ModuleType, *edits: tuple[str, str], story: str, **more: Any) -> Bug:
    return Bug(name, module, edits, story, **more)


_COUNTED_APART = "[c for c in {} if type(c).__name__ in ('Count', 'Take')]"
_THE_REST = "[c for c in {} if type(c).__name__ not in ('Count', 'Take')]"

BUGS = (
    _bug(
        "an order is nudged before it is saved",
        place,
        (
            "    try:\n        world.table.write(Keep(facts.order_row(order), was=None))\n",
            "    world.queues.nudge(Topic.DISPATCH, [order.market_id])\n"
            "    try:\n        world.table.write(Keep(facts.order_row(order), was=None))\n",
        ),
        ("    world.queues.nudge(Topic.DISPATCH, [order.market_id])\n    return order, False\n", "    return order, False\n"),
        story="booked_long_ahead",
    ),
    _bug(
        "a repeated request nudges nobody",
        place,
        ("    world.queues.nudge(Topic.DISPATCH, [before.market_id])\n", ""),
        story="delivered",
    ),
    _bug(
        "a repeated cancellation nudges nobody",
        cancel,
        ("        world.queues.nudge(Topic.BOOK if order.leg.live_booking else Topic.TELL, [order_id])\n", "        pass\n"),
        story="cancelled_when_booked",
    ),
    _bug(
        "a repeated second attempt nudges nobody",
        send_again,
        (
            "        world.queues.nudge(Topic.DISPATCH, [order.market_id])\n        world.queues.nudge(Topic.TELL, [order_id])\n",
            "        pass\n",
        ),
        story="came_back_and_sent_again",
    ),
    _bug(
        "a repeated second attempt is not known for one",
        send_again,
        ("    if order.leg.begun_from == version and order.window == window:\n", "    if False:\n"),
        story="came_back_and_sent_again",
    ),
    _bug(
        "a callback heard twice is told once or not at all",
        hear,
        (
            "                world.queues.nudge(Topic.TELL, [order_id])\n                _pass_on(world, order)\n",
            "                pass\n",
        ),
        story="delivered",
    ),
    _bug(
        "an upload finished twice is nudged once",
        publish,
        (
            "        upload = upload_of(world, market_id, upload_id, source)\n"
            "        if upload.state is UploadState.OPEN:\n            have",
            "        upload = upload_of(world, market_id, upload_id, source)\n"
            "        was_open = upload.state is UploadState.OPEN\n"
            "        if upload.state is UploadState.OPEN:\n            have",
        ),
        (
            "        if upload.state is UploadState.VALIDATING:\n            world.queues.nudge(",
            "        if was_open:\n            world.queues.nudge(",
        ),
        story="upload_in_parts",
    ),
    _bug(
        "an upload published and not yet passed on is passed on by nobody",
        publish,
        (
            "    if upload.state is UploadState.PUBLISHED:\n",
            "    if upload.state is UploadState.PUBLISHED and upload.settled_at == world.clock() and was_open:\n",
        ),
        (
            "    if upload.state is UploadState.VALIDATING:\n        upload = _settle(world, upload)\n",
            "    was_open = upload.state is UploadState.VALIDATING\n"
            "    if was_open:\n        upload = _settle(world, upload)\n",
        ),
        story="upload_in_parts",
    ),
    _bug(
        "what is enlisted is nudged only when it is new",
        enlist,
        (
            "            except Lost:\n                continue\n        _tell_of_change(world, market_id)\n        return noun",
            "            except Lost:\n                continue\n            _tell_of_change(world, market_id)\n        return noun",
        ),
        story="crew_is_withdrawn_while_it_is_booked",
    ),
    _bug(
        "the attempt is saved after the call",
        book,
        (
            "    if not write(world, order, *ration.takes(order.market_id, owed)):\n"
            "        return  # somebody else is at it, or the order has changed: whoever comes next looks anew\n"
            "    answer = _call(world, order, booking, courier, given)\n",
            "    answer = _call(world, order, booking, courier, given)\n    if not write(world, order):\n        return\n",
        ),
        story="delivered",
    ),
    _bug(
        "a booking whose end is wanted is let go before the courier is asked",
        settle,
        (
            '    """Ask for the cancellation, and again until the courier gives a certain answer."""\n',
            "    freed, changes = let_go(order, world.clock(), booking)\n"
            "    write(world, moved(freed, world.clock()), *changes)\n",
        ),
        story="cancelled_when_booked",
    ),
    _bug(
        "no answer to a cancellation is taken for a yes",
        settle,
        ("        if isinstance(answer, CancelConfirmed):\n", "        if isinstance(answer, Unsure):\n"
         "            freed, changes = let_go(order, now, present)\n"
         "            return moved(freed, now), changes\n        if isinstance(answer, CancelConfirmed):\n"),
        story="cancelled_and_nobody_answers",
        only_stopped=False,
    ),
    _bug(
        "a timeout is tried again under a new reference",
        book,
        (
            "    if live is not None:\n        settle(world, order, live)\n",
            "    if live is not None and live.state not in (BookingState.ATTEMPTED, BookingState.UNKNOWN):\n"
            "        settle(world, order, live)\n",
        ),
        story="delivered",
    ),
    _bug(
        "an attempt that was held up is made all the same",
        book,
        ("        if world.clock() - booking.attempted_at > dialect.settle / FRESH_SHARE:\n", "        if job is None:\n"),
        story="held_up_between_the_attempt_and_the_call",
        only_stopped=False,
    ),
    _bug(
        "a look-up that finds nothing is believed at once",
        settle,
        (
            "    if booking.next_look is not None and booking.next_look > now:\n        return\n",
            "    if booking.state is BookingState.ATTEMPTED:\n"
            "        again_and_again(world, order, booking, lambda o, p, at: _lost(o, at, p))\n"
            "        world.queues.nudge(Topic.BOOK, [order.order_id])\n        return\n",
        ),
        story="delivered",
    ),
    _bug(
        "the place is given back before the order is saved",
        bookings,
        (
            "        world.table.write(facts.keep_order(order), *more)\n",
            f"        for count in {_COUNTED_APART.format('more')}:\n            world.table.write(count)\n"
            f"        world.table.write(facts.keep_order(order), *{_THE_REST.format('more')})\n",
        ),
        story="cancelled_when_booked",
    ),
    _bug(
        "the place is given back after the order is saved",
        bookings,
        (
            "        world.table.write(facts.keep_order(order), *more)\n",
            f"        world.table.write(facts.keep_order(order), *{_THE_REST.format('more')})\n"
            f"        for count in {_COUNTED_APART.format('more')}:\n            world.table.write(count)\n",
        ),
        story="cancelled_when_booked",
    ),
    _bug(
        "the place is given back with every repeat of a cancellation",
        cancel,
        (
            "        world.queues.nudge(Topic.BOOK if order.leg.live_booking else Topic.TELL, [order_id])\n",
            "        world.queues.nudge(Topic.BOOK if order.leg.live_booking else Topic.TELL, [order_id])\n"
            "        if not order.leg.live_booking:\n"
            "            world.table.write(*check.give_back(order, 'slot-1'))\n",
        ),
        story="cancelled_when_assigned",
    ),
    _bug(
        "the place is taken after the assignment is saved",
        assign,
        (
            "            world.table.write(*changes)\n",
            f"            world.table.write(*{_THE_REST.format('changes')})\n"
            f"            for count in {_COUNTED_APART.format('changes')}:\n                world.table.write(count)\n",
        ),
        story="delivered",
    ),
    _bug(
        "places are counted without a condition",
        facts,
        ("    return Count(slot_key(market_id, slot_id), LEFT, -count)", "    return Count(slot_key(market_id, slot_id), LEFT, -count, floor=None)"),
        story="last_place_goes_while_a_planner_thinks",
        only_stopped=False,
    ),
    _bug(
        "evidence is kept after the step that rests on it",
        assign,
        (
            "            world.table.write(*changes)\n",
            "            pieces = [c for c in changes if 'evidence' in str(getattr(getattr(c, 'row', None), 'key', ''))]\n"
            "            world.table.write(*[c for c in changes if c not in pieces])\n"
            "            for piece in pieces:\n                world.table.write(piece)\n",
        ),
        story="delivered",
    ),
    _bug(
        "what was heard is cleared again after it is saved",
        hear,
        (
            "bookings.write(world, after, *(facts.keep_evidence(piece) for piece in pieces), *more):\n            continue\n",
            "bookings.write(world, after, *more):\n            continue\n"
            "        for piece in pieces:\n            world.table.write(facts.keep_evidence(piece))\n",
        ),
        story="delivered",
    ),
    _bug(
        "a notice is marked told before it is told",
        tell,
        (
            "    outcome, attempt = _send(world, endpoint, notice)\n",
            "    _save(world, notice.model_copy(update={'state': NoticeState.DELIVERED}))\n"
            "    outcome, attempt = _send(world, endpoint, notice)\n",
        ),
        story="delivered",
    ),
    _bug(
        "an order is closed before its last state is told",
        tell,
        (
            "    began = world.stopwatch()\n    for endpoint in sorted(endpoints",
            "    began = world.stopwatch()\n    if closes:\n        _close(world, order)\n    for endpoint in sorted(endpoints",
        ),
        story="delivered",
    ),
    _bug(
        "rules are made known before they are all there",
        publish,
        ("        _keep_snapshot(world, packed, pointer)\n        _keep_policies(world, content)\n", "        pass\n"),
        (
            '    world.log(\n        "rules_published"',
            "    if not same:\n        _keep_snapshot(world, packed, pointer)\n        _keep_policies(world, content)\n"
            '    world.log(\n        "rules_published"',
        ),
        story="upload_in_parts",
    ),
    _bug(
        "an upload is settled before its rules are made known",
        publish,
        (
            "    changes: list[Change] = [\n"
            "        Keep(snapshots.pointer_row(after), was=pointer.version if pointer else None),\n"
            "        Keep(_row(settled, now), was=upload.version),\n    ]\n",
            "    world.table.write(Keep(_row(settled, now), was=upload.version))\n"
            "    changes: list[Change] = [\n"
            "        Keep(snapshots.pointer_row(after), was=pointer.version if pointer else None),\n    ]\n",
        ),
        story="upload_in_parts",
    ),
    _bug(
        "the place of an order under new rules comes back in a write of its own",
        rezone,
        (
            "            world.table.write(facts.keep_order(after), *changes)\n",
            f"            world.table.write(facts.keep_order(after), *{_THE_REST.format('changes')})\n"
            f"            for count in {_COUNTED_APART.format('changes')}:\n                world.table.write(count)\n",
        ),
        story="sealed_while_it_waits_to_be_booked",
    ),
)  # fmt: skip
