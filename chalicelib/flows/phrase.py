"""Phrase a message: its sentence in the client's language, with the name, the day and whatever else it says."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from chalicelib.domain.clients import Client, Person
from chalicelib.domain.errors import Forgotten
from chalicelib.domain.message_rows import ChannelAccount
from chalicelib.domain.messages import Message, clock_of
from chalicelib.domain.orders import Order
from chalicelib.domain.ports import World
from chalicelib.domain.saying import Button, Saying
from chalicelib.domain.shapes import zone_info
from chalicelib.domain.substitutes import proposal_key, proposal_of_row
from chalicelib.domain.templates import (
    FOOTER,
    LIST_TITLE,
    SEE_YOUR_GIFT,
    TEMPLATES,
    TIMES,
    TITLES,
    Choice,
    MessageKind,
    Template,
)
from chalicelib.domain.words import Words, day_of, language_of


def phrase(
    world: World,
    client: Client,
    person: Person,
    order: Order | None,
    message: Message,
    stated: ChannelAccount,
    in_session: bool,
) -> Saying | None:
    """The message as it is said now; None where what it would say is not there (any more)."""
    template, language = TEMPLATES[message.kind], language_of(client.locale)
    words = world.words[language]
    values = _values(world, words, client, person, order, message, stated.sender)
    if values is None:
        return None
    if message.kind is MessageKind.TIMES:
        text = words.count(*TIMES, int(values["count"]))
    else:
        text = words.say(template.text, **values)
    return Saying(
        message_id=message.message_id,
        kind=message.kind,
        template=template,
        language=language,
        sender=stated.sender,
        subject=words.say(template.subject, brand=stated.sender),
        text=text,
        values=values,
        buttons=_buttons(words, client, order, message, template),
        in_session=in_session,
        link=_link(world, order, language),
        link_title=words.say(SEE_YOUR_GIFT),
        footer=words.say(FOOTER, brand=stated.sender),
        list_title=words.say(LIST_TITLE),
    )


def _link(world: World, order: Order | None, language: str) -> str:
    """Where the order's own page is, if it has one."""
    if order is None or not world.public_url:
        return ""
    from chalicelib.flows.links import link_of

    return link_of(world, order, language) or ""


def _code(world: World, order: Order) -> str | None:
    from chalicelib.flows.codes import hand_over_code

    try:
        return hand_over_code(world, order)
    except Forgotten:
        return None


def _proposed(world: World, order: Order, number: int) -> str:
    """What would go in the gift's place, by name."""
    row = world.table.get(proposal_key(order.order_id, number))
    return "" if row is None else ", ".join(item.name for item in proposal_of_row(row).gift.items)


def windows_of(about: str) -> list[tuple[datetime, datetime]]:
    """The windows that a message names, as it keeps them."""
    pairs = (one.partition("/") for one in about.split("|") if "/" in one)
    return [(datetime.fromisoformat(start), datetime.fromisoformat(end)) for start, _, end in pairs]


def _values(
    world: World,
    words: Words,
    client: Client,
    person: Person,
    order: Order | None,
    message: Message,
    sender: str,
) -> Mapping[str, str] | None:
    said = {"name": person.name, "brand": sender}
    if order is not None:
        window = order.client_window
        zone = clock_of(client, window)
        said |= {
            "day": day_of(words, window.start.astimezone(zone).date()),
            "start": window.start.astimezone(zone).strftime("%H:%M"),
            "end": window.end.astimezone(zone).strftime("%H:%M"),
        }
        if message.kind is MessageKind.HAND_OVER_CODE:
            said["code"] = _code(world, order) or ""
        if message.kind is MessageKind.SUBSTITUTE_PROPOSED:
            said["gift"] = _proposed(world, order, message.number)
    said["count"] = str(len(windows_of(message.about)))
    if message.sealed:
        try:
            said["words"] = world.sealer.unseal(message.sealed, message.message_id).decode()
        except Forgotten:
            return None
    wanted = TEMPLATES[message.kind].parameters
    return {name: said[name] for name in wanted} if all(said.get(name) for name in wanted) else None


def _buttons(
    words: Words, client: Client, order: Order | None, message: Message, template: Template
) -> tuple[Button, ...]:
    zone, found = zone_info(client.time_zone), []
    if order is not None:
        zone = clock_of(client, order.client_window)
    for choice in template.choices:
        if choice is not Choice.AT:
            found.append(Button(choice.value, words.say(TITLES[choice])))
            continue
        for start, end in windows_of(message.about):
            first, last = start.astimezone(zone), end.astimezone(zone)
            found.append(
                Button(
                    f"{Choice.AT.value}={start.isoformat()}",
                    f"{first:%H:%M}–{last:%H:%M}",
                    day_of(words, first.date()),
                )
            )
    return tuple(found)
