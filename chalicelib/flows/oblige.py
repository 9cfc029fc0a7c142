"""Do what a client asks for with a button, as the brand of the order would; and say that it was done.

What is asked for late, twice, or of a gift that is past it changes nothing, and the answer on record says so.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from chalicelib.domain import facts
from chalicelib.domain.clients import Client
from chalicelib.domain.errors import Clashing, Invalid, Lost, Missing, Stale
from chalicelib.domain.instead import DigitalOutcome
from chalicelib.domain.message_rows import MESSAGE, TALKS, message_bucket
from chalicelib.domain.messages import Message, clock_of, until_of
from chalicelib.domain.orders import Order
from chalicelib.domain.ports import World
from chalicelib.domain.shapes import Window, stamp
from chalicelib.domain.substitutes import Say
from chalicelib.domain.templates import Choice, MessageKind
from chalicelib.flows import speak
from chalicelib.flows.phrase import windows_of
from chalicelib.flows.reschedule import reschedule, why_not

DAYS_OFFERED = 3
"""Other times are named on so many days."""
MOVES = frozenset({Choice.AT, Choice.NOT_AT_HOME, Choice.DIGITAL})
"""Choices of which the last one stands, in whatever order they arrive."""


def oblige(
    world: World, client: Client, message: Message, choice: Choice, start: datetime | None, at: datetime
) -> str:
    """Do it, and what came of it in a word. Doing it twice is harmless."""
    try:
        order = facts.load_order(world.table, message.home)
    except Missing:
        return "noted"  # of a message that no order owed
    if choice in (Choice.ACCEPT, Choice.STOP):
        return "noted"
    if choice is Choice.OTHER_TIME:
        return _name_times(world, client, order, order.client_window, at)
    wanted = _wanted(client, order, message, choice, start)
    if choice in MOVES and not _is_so(order, wanted) and _is_outdated(world, client, order, choice, at):
        return "outdated"
    if choice in (Choice.NOT_AT_HOME, Choice.AT):
        if wanted is None:
            return "unreadable"
        if choice is Choice.NOT_AT_HOME and not (_is_so(order, wanted) or _told(order, message)):
            # of hours that stand no more: which day is meant, nobody can tell
            return _name_times(world, client, order, order.client_window, at)
        moved = _moved(world, order, wanted)
        if moved == "moved" and choice is Choice.NOT_AT_HOME:
            _name_times(world, client, order, wanted, at)
        return moved
    return _instead(world, order, message, choice)


def confirm_stop(world: World, client: Client, at: datetime) -> None:
    """Owe the client one last word: that nothing more will come."""
    speak.owe(world, _of_client(client, MessageKind.STOPPED, at))


def tomorrow(client: Client, window: Window, days: int = 1) -> Window:
    """The same hours by the clock on the wall there, so many days later."""
    zone = clock_of(client, window)
    first = window.start.astimezone(zone)
    later = datetime.combine(first.date() + timedelta(days=days), first.time(), zone)
    start = later.astimezone(window.start.tzinfo)
    return window.model_copy(update={"start": start, "end": start + (window.end - window.start)})


def other_windows(client: Client, window: Window, now: datetime) -> list[Window]:
    """What is offered instead: the same hours, and those half as late again, on the next days."""
    length, zone = window.end - window.start, clock_of(client, window)
    found = []
    for days in range(DAYS_OFFERED + 1):
        for shift in (timedelta(), length):
            moved = tomorrow(client, window, days)
            moved = moved.model_copy(update={"start": moved.start + shift, "end": moved.end + shift})
            is_same_day = _day(zone, moved.start) == _day(zone, moved.end - timedelta(seconds=1))
            if moved.start > now and moved.start != window.start and is_same_day:
                found.append(moved)
    return found[: 2 * DAYS_OFFERED]


def _day(zone: ZoneInfo, moment: datetime) -> date:
    return moment.astimezone(zone).date()


def _name_times(world: World, client: Client, order: Order, window: Window, at: datetime) -> str:
    if why_not(order):
        return "too_late"
    now = world.clock()
    windows = other_windows(client, window, now)
    if not windows:
        return "no_other_time"
    about = "|".join(f"{w.start.isoformat()}/{w.end.isoformat()}" for w in windows)
    speak.owe(
        world,
        Message(
            home=order.order_id,
            number=_number(at),
            kind=MessageKind.TIMES,
            brand_id=order.brand_id,
            client_id=client.client_id,
            owed_at=at,
            about=about,
            next_attempt_at=now,
            until=until_of(MessageKind.TIMES, at, None),
            bucket=message_bucket(order.market_id, order.shard),
        ),
    )
    return "times_named"


def _of_client(client: Client, kind: MessageKind, at: datetime, about: str = "") -> Message:
    return Message(
        home=client.client_id,
        number=_number(at),
        kind=kind,
        brand_id=client.brand_id,
        client_id=client.client_id,
        owed_at=at,
        about=about,
        next_attempt_at=at,
        until=until_of(kind, at, None),
        bucket=TALKS,
    )


def _number(at: datetime) -> int:
    """A number for what hangs on a moment and on no step: the same for the same word of the client's."""
    return int(at.timestamp()) % 100_000_000


def _moved(world: World, order: Order, window: Window) -> str:
    """What came of the wish for that window. Raises `Lost` where the order moved meanwhile: it is wished again."""
    if _is_so(order, window):
        return "moved"  # by whoever stopped before it was on record
    try:
        reschedule(world, None, order.order_id, window, order.version, "client")
    except Stale:
        raise Lost([0]) from None
    except Clashing:
        return "too_late"
    except Invalid:
        return "not_possible"
    return "moved"


def _wanted(
    client: Client, order: Order, message: Message, choice: Choice, start: datetime | None
) -> Window | None:
    """The window that the client asks for, if it asks for one. Who is not at home is so in the hours that the message
    told: the same word read twice asks for the same day."""
    window = order.client_window
    if choice is Choice.NOT_AT_HOME:
        told = next(iter(windows_of(message.about)), (window.start, window.end))
        return tomorrow(client, window.model_copy(update={"start": told[0], "end": told[1]}))
    if choice is not Choice.AT or start is None:
        return None
    return window.model_copy(update={"start": start, "end": start + (window.end - window.start)})


def _is_so(order: Order, wanted: Window | None) -> bool:
    """True when that is the window that it has, or that was asked for last."""
    asked = None if order.rescheduling is None else order.rescheduling.window
    return wanted is not None and wanted in (order.client_window, asked)


def _told(order: Order, message: Message) -> bool:
    """True when the hours that the message told are those that stand."""
    window = order.client_window
    return (window.start, window.end) in windows_of(message.about)


def _is_outdated(world: World, client: Client, order: Order, choice: Choice, at: datetime) -> bool:
    """True when a later word of the client's about this order has been taken already; of its hours, when another window
    was asked for since, on the order's page or by its brand."""
    known = speak.messages_in(world.table.read(order.order_id, MESSAGE).rows)
    if any(answer.at > at and answer.choice in MOVES for message in known for answer in message.answers):
        return True
    asked = order.rescheduling
    if choice is Choice.DIGITAL or asked is None or asked.asked_at <= at:
        return False
    pressed = (
        _wanted(client, order, message, answer.choice, answer.start)
        for message in known
        for answer in message.answers
    )
    # what a button asked for counts from when that was pressed, which is above
    return all(window is None or window.start != asked.window.start for window in pressed)


def _is_another_offer(order: Order, message: Message) -> bool:
    """True when what is offered now is not what the message offered: nobody has answered that yet."""
    now = order.digital
    return now is not None and now.outcome is DigitalOutcome.OFFERED and stamp(now.at) != message.about


def _instead(world: World, order: Order, message: Message, choice: Choice) -> str:
    """What the client says of another gift, or of one that needs no courier, which the brand sends if it is wished."""
    from chalicelib.domain.pass_answers import DigitalAction, DigitalStep
    from chalicelib.flows import answer

    try:
        if choice is Choice.DIGITAL:
            wish = DigitalAction(action=DigitalStep.SEND)
            answer.act(world, order.brand_id, order.order_id, wish, order.version)
        elif message.kind is MessageKind.SUBSTITUTE_PROPOSED:
            from chalicelib.flows.substitute import answer as say

            is_accepted, proof = choice is Choice.YES, message.message_id.replace(".", "-")[-64:].strip("-_")
            say(
                world,
                order.order_id,
                message.number,
                is_accepted=is_accepted,
                consent=Say.CLIENT,
                evidence=proof,
            )
        elif message.kind is not MessageKind.DIGITAL_OFFERED:
            return "noted"
        elif _is_another_offer(order, message):
            return "outdated"
        elif choice is Choice.YES:
            answer.accept(world, order.order_id)
        else:
            answer.decline(world, order.order_id)
    except Stale:
        raise Lost([0]) from None
    except Clashing:
        return "too_late"
    except Invalid:
        return "not_possible"
    return "declined" if choice is Choice.NO else "given"
