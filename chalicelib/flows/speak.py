"""Speak to clients: whatever an order's client is to hear, by the first channel that takes it, once.

What is owed is read off the saved order (`messages.owed_of`), as notices are. A try is saved before it is made, with
the message itself: who stops in between leaves a try that nobody knows the end of, and it is made once more at most, by
another channel if there is one, after the time in which the channel could still tell. None of these channels drops a
double by a name of ours, so the other way round a client would hear it as often as a process dies.

A message that is put off (quiet hours, a channel that is busy) stands in the work index until it is said or too late.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from chalicelib.domain import facts
from chalicelib.domain.client_rows import client_key, client_of_row, unseal_person
from chalicelib.domain.clients import ChannelKind, Client, Person, Purpose
from chalicelib.domain.dialect import Account
from chalicelib.domain.errors import Forgotten, Lost, Unanswered, Unreached
from chalicelib.domain.jurisdictions import Kind, may_be_told, may_be_written_to, next_open, stays_in
from chalicelib.domain.message_rows import (
    MESSAGE,
    SESSION,
    TALKS,
    ChannelAccount,
    Session,
    channel_key,
    channel_of_row,
    message_bucket,
    message_of_row,
    message_row,
    session_key,
    spoken_key,
)
from chalicelib.domain.messages import (
    FIRST_WORDS,
    SAID_OF,
    SETTLE,
    Message,
    MessageState,
    Owed,
    Skipped,
    Try,
    TryState,
    also_owed_of,
    busy_until,
    next_channel,
    owed_of,
    settled,
    until_of,
)
from chalicelib.domain.orders import Order
from chalicelib.domain.ports import Change, Keep, Row, Take, Topic, World
from chalicelib.domain.saying import ClientChannel, Mail, Saying, Sent
from chalicelib.domain.shapes import zone_info
from chalicelib.domain.substitutes import PROPOSALS, Proposal, proposal_of_row
from chalicelib.domain.templates import TEMPLATES, MessageKind
from chalicelib.flows import phrase, summon

MOST_A_DAY = {Purpose.SERVICE: 12, Purpose.MARKETING: 1}
"""Messages of one brand to one client on one day of the client's."""
KNOWN_FOR = timedelta(seconds=30)
"""So long a process believes what a brand has stated of its channels."""
COUNTED = timedelta(days=3)
SAID_TODAY = "said"
ABROAD = "ZZ"
"""The country of a channel that says nothing of where it keeps what it carries: none."""
PROGRESS = frozenset({*SAID_OF.values(), *FIRST_WORDS, MessageKind.MOVED})
"""Of these a later one says all that an earlier one would."""
IN_SESSION = frozenset({MessageKind.TIMES, MessageKind.STOPPED})
"""Said only by the channel that the client has just written by."""
UNASKED = frozenset({MessageKind.STOPPED, MessageKind.HEARD})
"""What needs no consent: the confirmation of the last word, and what is said to the brand."""
MARGIN = timedelta(minutes=5)
"""Before a session ends it is believed to be over: a message takes its time."""


def speak(world: World, order: Order, known: Iterable[Message], proposals: Iterable[Proposal] = ()) -> None:
    """Say what the order's client is to hear now, and what was put off and is due. Doing it twice is harmless."""
    now, known = world.clock(), list(known)
    owed = owed_of(order, known)
    fresh = None if owed is None else _drafted(order, owed)
    beside = [_drafted(order, each) for each in also_owed_of(order, known, proposals)]
    due = [message for message in known if message.next_attempt_at and message.next_attempt_at <= now]
    if fresh is None and not due and not beside:
        return
    client = client_by_id(world, order.client_id or "")
    newest = fresh or max((m for m in known if m.kind in PROGRESS), key=_age, default=None)
    for message in [*due, *([fresh] if fresh else []), *beside]:
        if message.kind in PROGRESS and newest is not None and _age(message) < _age(newest):
            _skip(world, message, Skipped.OVERTAKEN)
        else:
            _deal_with(world, client, order, message)


def converse(world: World, client_id: str) -> None:
    """Say what is due to that client and hangs on no order."""
    now = world.clock()
    rows = [message_of_row(row) for row in world.table.read(client_id, MESSAGE).rows]
    due = [message for message in rows if message.next_attempt_at and message.next_attempt_at <= now]
    client = client_by_id(world, client_id) if due else None
    for message in due:
        _deal_with(world, client, None, message)


def due(world: World, buckets: Iterable[str], limit: int) -> list[str]:
    """Collections with a message that is due."""
    now = world.clock()
    found: dict[str, None] = {}
    for bucket in (*buckets, TALKS):
        found |= dict.fromkeys(key.pk for key in world.table.find_due(bucket, now, limit).keys)
    return list(found)


def client_by_id(world: World, client_id: str) -> Client | None:
    row = world.table.get(client_key(client_id))
    return None if row is None else client_of_row(row)


def owe(world: World, message: Message) -> None:
    """Put another message on record, due at once, and have it said. Doing it twice is harmless."""
    try:
        world.table.write(Keep(message_row(message), was=None))
    except Lost:
        pass  # it is owed already
    world.queues.nudge(Topic.TELL, [message.home])


def _drafted(order: Order, owed: Owed) -> Message:
    window = order.client_window
    return Message(
        home=order.order_id,
        number=owed.number,
        kind=owed.kind,
        brand_id=order.brand_id,
        client_id=order.client_id or "",
        owed_at=owed.at,
        about=owed.about,
        until=owed.until or until_of(owed.kind, owed.at, window.end),
        bucket=message_bucket(order.market_id, order.shard),
        version=0,
    )


def _kind(message: Message) -> Kind:
    return "marketing" if TEMPLATES[message.kind].purpose is Purpose.MARKETING else "service"


def _age(message: Message) -> tuple[datetime, int]:
    return message.owed_at, message.number


# --- one message --------------------------------------------------------------------------------------------


def _deal_with(world: World, client: Client | None, order: Order | None, message: Message) -> None:
    """Say it, put it off, or write down why not."""
    now = world.clock()
    template = TEMPLATES[message.kind]
    if client is None or client.is_leaving:
        _skip(world, message, Skipped.ERASED)
        return
    if message.until is not None and message.until <= now:
        _skip(world, message, Skipped.TOO_LATE)
        return
    if message.kind not in UNASKED and not may_be_written_to(client, _kind(message), now):
        _skip(world, message, Skipped.NO_CONSENT)
        return
    last = message.last
    if last is not None and last.state in (TryState.ATTEMPTED, TryState.UNKNOWN) and last.at + SETTLE > now:
        _save(world, message.model_copy(update={"next_attempt_at": last.at + SETTLE}))
        return
    opens = now if template.is_urgent else next_open(client, _kind(message), now)
    if opens > now:  # quiet hours
        if message.until is not None and message.until <= opens:
            _skip(world, message, Skipped.TOO_LATE)
        else:
            _save(world, message.model_copy(update={"next_attempt_at": opens}))
        return
    try:
        person = unseal_person(world.sealer, client)
    except Forgotten:
        _skip(world, message, Skipped.ERASED)
        return
    _say(world, client, person, order, message)


def _say(world: World, client: Client, person: Person, order: Order | None, message: Message) -> None:
    now = world.clock()
    stated = stated_channels(world, client.brand_id)
    usable, why = _usable(world, client, person, order, message, stated)
    channel = next_channel(message, usable)
    if channel is None:
        if message.tries:
            _give_up(world, message)
        else:
            _skip(world, message, why)
        return
    attempt = Try(channel=channel, at=now, state=TryState.ATTEMPTED)
    trying = message.model_copy(
        update={
            "tries": (*message.tries, attempt),
            "next_attempt_at": now + SETTLE,
            "version": message.version + 1,
        }
    )
    changes: list[Change] = [Keep(message_row(trying), was=message.version or None)]
    purpose = TEMPLATES[message.kind].purpose
    is_talk = TEMPLATES[message.kind].is_urgent or in_session(world, client.client_id, channel)
    if not message.tries and not is_talk:  # in a conversation nobody counts
        day = now.astimezone(zone_info(client.time_zone)).date().isoformat()
        key = spoken_key(client.client_id, purpose.value, day)
        until = facts.epoch(now + COUNTED)
        changes.append(Take(key, SAID_TODAY, 1, MOST_A_DAY[purpose], until))
    try:
        world.table.write(*changes)
    except Lost as lost:
        if lost.at == (1,):
            _skip(world, message, Skipped.TOO_OFTEN)
        return  # else another process has it
    sent = _sent(world, client, person, order, trying, channel, stated)
    world.log(
        "message_tried",
        order=message.home,
        brand=message.brand_id,
        step=message.kind.value,
        queue=channel.value,
        result=sent.state.value,
        why=None if sent.code.isdigit() else sent.code or None,
        code=number_of(sent.code),
    )
    _note(world, trying, channel, sent)


def _usable(
    world: World,
    client: Client,
    person: Person,
    order: Order | None,
    message: Message,
    stated: dict[ChannelKind, ChannelAccount],
) -> tuple[tuple[ChannelKind, ...], Skipped]:
    """The client's channels by which this can be said, in the client's order, and why not, if there is none."""
    found: list[ChannelKind] = []
    why = Skipped.NO_CHANNEL
    if message.kind is MessageKind.HEARD:
        return (ChannelKind.WEBHOOK,), why
    for kind in client.channels:
        if kind is ChannelKind.WEBHOOK:
            if message.kind not in IN_SESSION and summon.has_receiver(world, client.brand_id):
                found.append(kind)
            continue
        account = stated.get(kind)
        channel = world.client_channels.get(kind.value)
        if account is None or channel is None or account.is_paused or channel.address(person) is None:
            continue
        home = stays_in(client, world.clock())
        if home is not None and not may_be_told(home, account.data_region or ABROAD):
            why = Skipped.STAYS_IN
            continue
        if TEMPLATES[message.kind].category is None:
            is_right = kind is ChannelKind.WHATSAPP and in_session(world, client.client_id, kind)
            if not is_right and (message.kind in IN_SESSION or kind is ChannelKind.WHATSAPP):
                continue
        if not world.secrets.accounts(kind.value, client.brand_id):
            world.log("channel_account_missing", brand=client.brand_id, queue=kind.value)
            continue
        found.append(kind)
    return tuple(found), why


def _sent(
    world: World,
    client: Client,
    person: Person,
    order: Order | None,
    message: Message,
    kind: ChannelKind,
    stated: dict[ChannelKind, ChannelAccount],
) -> Sent:
    """Send it by that channel. Whatever happens, what is known of it."""
    if kind is ChannelKind.WEBHOOK:
        return summon.summon(world, client, order, message)
    account, channel = stated[kind], world.client_channels[kind.value]
    secret: Account = world.secrets.accounts(kind.value, client.brand_id)[0]
    saying = phrase.phrase(
        world, client, person, order, message, account, in_session(world, client.client_id, kind)
    )
    if saying is None:
        return Sent(TryState.REFUSED, "nothing_to_say")
    return _out(world, channel, secret, account, channel.address(person) or "", saying)


def _out(
    world: World, channel: ClientChannel, secret: Account, stated: ChannelAccount, to: str, saying: Saying
) -> Sent:
    made = channel.out(secret, stated, to, saying, world.clock())
    try:
        return channel.read(world.mailer.send(made) if isinstance(made, Mail) else world.line.send(made))
    except Unreached:
        return Sent(TryState.BUSY, "unreached")
    except Unanswered:
        return Sent(TryState.UNKNOWN, "unanswered")


def stated_channels(world: World, brand_id: str) -> dict[ChannelKind, ChannelAccount]:
    """What the brand has stated of its channels; a process believes it for half a minute."""
    name, now = f"channels#{brand_id}", world.clock()
    known = world.memory.get(name)
    if known is None or now - known[0] >= KNOWN_FOR:
        keys = [channel_key(brand_id, ChannelKind(kind)) for kind in sorted(world.client_channels)]
        accounts = [channel_of_row(row) for row in world.table.get_many(keys)]
        known = world.memory[name] = now, {account.kind: account for account in accounts}
    found: dict[ChannelKind, ChannelAccount] = known[1]
    return found


def in_session(world: World, client_id: str, kind: ChannelKind) -> bool:
    """Whether the client has written by that channel within the day."""
    if kind is not ChannelKind.WHATSAPP:
        return False
    row = world.table.get(session_key(client_id, kind))
    return row is not None and world.clock() < Session.model_validate_json(row.body).at + SESSION - MARGIN


# --- saving -------------------------------------------------------------------------------------------------


def _note(world: World, message: Message, channel: ChannelKind, sent: Sent) -> None:
    """Write down what the try came to. What the channel has said of it meanwhile stands."""
    now = world.clock()
    told = message.tries[-1].model_copy(
        update={"state": sent.state, "code": sent.code[:40], "settled_at": now}
    )
    after = message.model_copy(update={"tries": (*message.tries[:-1], told), "next_attempt_at": None})
    if sent.state is TryState.BUSY:
        again = busy_until(after, channel, now, sent.retry_after)
        after = after.model_copy(update={"next_attempt_at": again})
    elif sent.state is TryState.UNKNOWN:
        after = after.model_copy(update={"next_attempt_at": told.at + SETTLE})
    else:
        after = settled(after, now)
    _save(world, after)
    if after.next_attempt_at is not None and after.next_attempt_at <= now:
        world.queues.nudge(Topic.TELL, [message.home])  # refused: the next channel's turn


def _give_up(world: World, message: Message) -> None:
    _save(world, message.model_copy(update={"state": MessageState.FAILED, "next_attempt_at": None}))
    world.log("message_given_up", order=message.home, brand=message.brand_id, step=message.kind.value)


def _skip(world: World, message: Message, why: Skipped) -> None:
    changes = {"state": MessageState.SKIPPED, "why": why, "next_attempt_at": None}
    _save(world, message.model_copy(update=changes))
    world.log(
        "message_skipped", order=message.home, brand=message.brand_id, step=message.kind.value, why=why.value
    )


def _save(world: World, message: Message) -> None:
    """Write it over the version read; another's word stands."""
    after = message.model_copy(update={"version": message.version + 1})
    try:
        world.table.write(Keep(message_row(after), was=message.version or None))
    except Lost:
        pass  # whoever was quicker has done what is right, or has left it due


def number_of(code: str) -> int | None:
    """A channel's own number for what went wrong, as a line of the log may show it."""
    return int(code) if code.isascii() and code.isdigit() and len(code) < 9 else None


def heard(world: World, client: Client, home: str, bucket: str, event_id: str, at: datetime) -> None:
    """Owe the brand a word that its client has answered or written, if the brand listens at all."""
    if not summon.has_receiver(world, client.brand_id):
        return
    message = Message(
        home=home,
        number=int(event_id[:8], 16) % 100_000_000,
        kind=MessageKind.HEARD,
        brand_id=client.brand_id,
        client_id=client.client_id,
        owed_at=at,
        next_attempt_at=world.clock(),
        until=until_of(MessageKind.HEARD, at, None),
        bucket=bucket,
    )
    owe(world, message)


def messages_in(rows: Sequence[Row]) -> list[Message]:
    return [message_of_row(row) for row in rows if row.key.sk.startswith(MESSAGE)]


def proposals_in(rows: Sequence[Row]) -> list[Proposal]:
    return [proposal_of_row(row) for row in rows if row.key.sk.startswith(PROPOSALS)]


def messages_of(world: World, order: Order) -> list[Message]:
    """What the order's client was told, and how that went."""
    found = messages_in(world.table.read(order.order_id, MESSAGE).rows)
    return [message for message in found if message.kind is not MessageKind.HEARD]
