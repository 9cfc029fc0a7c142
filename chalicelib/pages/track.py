"""The recipient's page: one order in the recipient's language, on one small page that needs no script: the one that it
has asks again while somebody looks, and swaps what has changed (`static/track.js`).

What stands here says which of our states is told in which words; nothing of it is personal, and no state tells why.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from chalicelib.domain.gifts import IDENTITY_FOR, ItemClass
from chalicelib.domain.orders import AHEAD, Order, OrderState
from chalicelib.domain.policies import FETCHED, Handover, LastLeg
from chalicelib.domain.shapes import Window, zone_info
from chalicelib.domain.words import LANGUAGES, RIGHT_TO_LEFT, Words, day_of, language_of
from chalicelib.pages.sheet import seen

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup

FOLDER: Final = Path(__file__).resolve().parent / "templates"
NAMES: Final = {
    "en": "English",
    "fr": "Français",
    "it": "Italiano",
    "de": "Deutsch",
    "zh-CN": "简体中文",
    "ar": "العربية",
}
"""Each language by its own name."""
HOURS: Final = tuple(f"{hour:02d}:00" for hour in range(7, 22))
"""At which a recipient can have a window begin."""
DEAD: Final = (
    "This link does not work any more",
    "It may have expired, or a newer one has taken its place. Please ask whoever sent it to you.",
)
BUSY: Final = ("Not at this moment", "Something went wrong on our side. Please try again in a minute.")
"""What stands in the place of an order: a title, and what to do."""
WAIT, GOOD, BAD = "wait", "good", "bad"
NOW: Final[Mapping[OrderState, tuple[str, str]]] = {
    OrderState.PLACED: ("We have it, and are looking for the best way to you.", WAIT),
    OrderState.HELD: ("For now nobody may come to you with it. We look again all the time.", WAIT),
    OrderState.STRANDED: ("We are sorry: it could not be brought to you within these hours.", BAD),
    OrderState.ASSIGNED: ("It is arranged, and is being confirmed.", GOOD),
    OrderState.BOOKED: ("It is arranged and confirmed.", GOOD),
    OrderState.PICKED_UP: ("It is on its way to you.", GOOD),
    OrderState.RELAYED: ("It is on its way, and is being handed from one courier to the next.", GOOD),
    OrderState.AT_GATE: ("It has been handed over where your compound takes in deliveries.", GOOD),
    OrderState.DELIVERED: ("It has been handed over to you.", GOOD),
    OrderState.FAILED: ("We are sorry: it could not be handed over. {name} will be in touch.", BAD),
    OrderState.RETURNING: (
        "It could not be handed over, and is on its way back. {name} will be in touch.",
        BAD,
    ),
    OrderState.RETURNED: ("It could not be handed over, and is back. Please choose another time.", BAD),
    OrderState.CANCELLED: ("It has been cancelled. {name} will be glad to tell you more.", BAD),
    OrderState.FULFILLED_DIGITALLY: ("You get a gift that needs no courier instead.", GOOD),
}
SAID: Final = {
    "moved": "Thank you. The other time has been noted.",
    "stale": "Something has changed meanwhile. Please look once more, and choose again.",
    "past": "This time cannot be chosen. Please choose one that lies ahead.",
    "late": "It can no longer be changed here. {name} will be glad to help.",
    "digital": "Thank you. You get a gift that needs no courier.",
    "waits": "Thank you. We keep trying to bring it.",
    "stopped": "You will get no more messages.",
    "form": "This page has been open for too long. Please choose once more.",
}
"""What came of what was asked, by the word for it in the address."""
WAYS: Final = {
    Handover.DOOR: "It is brought to your door and handed to you.",
    Handover.LOBBY: "It is handed in at the reception of your building.",
    Handover.GATE: "It is brought to the gate of your compound, the one where deliveries are taken in now.",
    Handover.SHELF: "It is put on the shelf at the gate of your compound, where deliveries are taken in now.",
    Handover.COLLECTION_POINT: "It is brought to the collection point of your neighbourhood.",
}
ONWARD: Final = {
    LastLeg.VOLUNTEER: "Volunteers bring it from there to your door.",
    LastLeg.PROPERTY_STAFF: "The staff of your compound bring it from there to your door.",
    LastLeg.RECIPIENT: "Please fetch it there, or have it fetched.",
}
"""Who brings it the last hundred metres."""


@dataclass(frozen=True)
class Step:
    """One step of the way."""

    name: str
    at: datetime | None
    is_current: bool = False


@dataclass(frozen=True)
class Sentence:
    """One sentence, and what fills it."""

    text: str
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Given:
    """A gift that needs no courier, as its client has it."""

    title: str
    has_sessions: bool
    code: str = ""
    """Empty until it is asked for: whoever previews links does not ask."""
    link: str | None = None


@dataclass(frozen=True)
class Page:
    """All that is shown, in no language yet."""

    name: str
    """Of the boutique, the kitchen, the hotel: where it comes from."""
    heading: str
    now: str
    tone: str
    said: str
    window: Window
    minutes: int
    wish: Window | None
    wish_refused: bool
    is_parcel: bool
    is_written_to: bool
    in_calendar: bool
    steps: tuple[Step, ...]
    handing: tuple[Sentence, ...]
    can_move: bool
    is_booked: bool
    digital: bool
    given: Given | None
    next_day: Window
    first_day: date
    last_day: date
    proposed_day: date
    proposed_hour: str
    length: int
    again: bool
    """It may change by itself, so it is worth looking again."""
    hours_of_day: tuple[str, ...] = HOURS


def page_of(
    order: Order,
    now: datetime,
    next_day: Window,
    way: Handover | None,
    onward: frozenset[LastLeg],
    rest_minutes: int,
    *,
    can_move: bool,
    given: Given | None = None,
    said: str = "",
    gate: str = "",
) -> Page:
    """What is shown of that order at that moment."""
    window = order.client_window
    zone = zone_info(window.time_zone)
    wished = order.rescheduling
    text, tone = NOW[order.state]
    proposed = next_day.start.astimezone(zone)
    is_ahead = order.state in AHEAD
    length = min(window.end - window.start, timedelta(hours=12))
    heading = "Your gift from {name}" if order.appointment is None else "Your visit from {name}"
    if order.appointment is not None:
        text = VISITS.get(order.state, text)
    is_parcel = order.pick_up_place is not None
    if not is_parcel:  # it comes from no shop: it is called by what it is
        heading, text = "Your gift: {name}", "Cancelled" if given is None else "It is ready for you."
    return Page(
        name=seen(order.pick_up_name or order.gift.items[0].name),
        heading=heading,
        now=text,
        tone=tone,
        said=SAID.get(said, ""),
        window=window,
        minutes=0 if order.appointment is None else order.appointment.minutes,
        wish=order.wish,
        wish_refused=wished is not None and bool(wished.refused) and is_ahead,
        is_parcel=is_parcel,
        is_written_to=order.client_id is not None,
        in_calendar=is_parcel and (is_ahead or order.state in (OrderState.PICKED_UP, OrderState.CANCELLED)),
        steps=_steps(order, way),
        handing=_handing(order, way, onward, rest_minutes, gate),
        can_move=can_move,
        is_booked=order.leg.live_booking is not None,
        digital=order.digital is not None and order.digital.is_open(now),
        given=given,
        next_day=next_day,
        first_day=now.astimezone(zone).date(),
        last_day=now.astimezone(zone).date() + timedelta(days=59),
        proposed_day=proposed.date(),
        proposed_hour=f"{proposed.hour:02d}:00",
        length=max(1, round(length / timedelta(hours=1))),
        again=order.state not in _LAST,
    )


_LAST = frozenset({OrderState.DELIVERED, OrderState.CANCELLED, OrderState.FULFILLED_DIGITALLY})
VISITS: Final = {
    OrderState.PLACED: "We have your appointment, and are looking for a team that may come to you.",
    OrderState.HELD: "For now no team may come to you. We look again all the time.",
    OrderState.PICKED_UP: "The team is on its way to you, or with you.",
    OrderState.DELIVERED: "The visit is over. Thank you for your time.",
    OrderState.STRANDED: "We are sorry: no team could come to you within these hours.",
}


def tag_of(order: Order, lang: str, now: datetime) -> str:
    """Names what is shown of that order: the same again is not sent again. Of what can be told without reading more
    than the order: its version, the day (other days can be chosen), and an offer that ends by itself."""
    from chalicelib.pages.jinja import digest

    day = now.astimezone(zone_info(order.client_window.time_zone)).date()
    is_open = order.digital is not None and order.digital.is_open(now)
    told = f"{order.order_id}|{order.version}|{lang}|{day}|{is_open}|{digest()}|{_style()}"
    return hashlib.sha256(told.encode()).hexdigest()[:24]


def _steps(order: Order, way: Handover | None) -> tuple[Step, ...]:
    reached = {
        step.state: step.at for step in order.history if step.at >= (order.leg.begun_at or order.placed_at)
    }
    if order.state in (
        OrderState.PLACED,
        OrderState.HELD,
        OrderState.STRANDED,
    ):  # what was arranged before is off
        reached = {OrderState.PLACED: order.placed_at}
    arrived = reached.get(OrderState.DELIVERED)
    at_gate = reached.get(OrderState.AT_GATE)
    rows: list[tuple[str, datetime | None]] = [
        ("Planned", order.placed_at),
        ("Confirmed", reached.get(OrderState.BOOKED)),
        ("On its way", reached.get(OrderState.PICKED_UP)),
    ]
    if order.appointment is not None:
        rows.append(("Visit over", arrived))
    else:
        if way in FETCHED or at_gate is not None:
            rows.append(("At your compound", at_gate))
        rows.append(("With you", arrived))
    if order.is_digital:
        rows = [("Planned", order.placed_at), ("Sent without a courier", order.history[-1].at)]
    if order.state is OrderState.CANCELLED:
        rows = [row for row in rows if row[1] is not None] + [("Cancelled", order.history[-1].at)]
    last = max(number for number, (_, at) in enumerate(rows) if at is not None)
    # what is known of a later step is known of those before it
    known = [at or (rows[last][1] if number < last else None) for number, (_, at) in enumerate(rows)]
    return tuple(
        Step(name, at, number == last) for number, ((name, _), at) in enumerate(zip(rows, known, strict=True))
    )


def _handing(
    order: Order, way: Handover | None, onward: frozenset[LastLeg], rest_minutes: int, gate: str
) -> tuple[Sentence, ...]:
    if order.state not in AHEAD | {OrderState.PICKED_UP, OrderState.AT_GATE}:
        return ()
    if way is None:
        return (Sentence("How it changes hands depends on the rules at your place. You will see it here."),)
    if order.appointment is not None:
        return (Sentence("The team comes to your door, and shows you first who has sent it."),)
    said = [Sentence(WAYS[way])]
    if way in FETCHED:
        if gate:
            said.append(Sentence("Where exactly, as we were told: {gate}", {"gate": gate}))
        if rest_minutes:
            text = "There it rests for {minutes} minutes after disinfection before it may be taken in."
            said.append(Sentence(text, {"minutes": rest_minutes}))
        said += [Sentence(ONWARD[who]) for who in LastLeg if who in onward]
        if not onward:
            said.append(Sentence("Your compound knows who brings it from there to your door."))
    if order.gift.item_classes & IDENTITY_FOR:
        said.append(Sentence("Please have an identity document at hand."))
    if ItemClass.HIGH_VALUE in order.gift.item_classes:
        said.append(
            Sentence(
                "Say the code that you were sent only to the courier at your door, with the gift before you."
            )
        )
    return tuple(said)


# --- in a language ----------------------------------------------------------------------------------------------


def language_asked(accepted: str | None) -> str:
    """The first language of an Accept-Language header, by its weights, that is one of ours; else English."""
    wished = []
    for number, part in enumerate((accepted or "").split(",")[:20]):
        tag, _, weight = part.partition(";")
        told = weight.strip().removeprefix("q=")
        share = float(told) if told[:1] in ("0", "1") and told.replace(".", "", 1).isdigit() else 1.0
        wished.append((-share, number, tag.strip()))
    for _, _, tag in sorted(wished):
        found = language_of(tag) if tag else ""
        if found and found.split("-")[0] == tag.lower().split("-")[0]:
            return found
    return "en"


def rendered(
    page: Page | None,
    lang: str,
    words: Words,
    days: Words,
    token: str = "",  # nosec B107 - none, and no secret
    form: str = "",
    instead: tuple[str, str] = DEAD,
    tag: str = "",
) -> str:
    """The page in that language, `words` and `days` (weekdays and months) being of it; None: there is no order to show,
    and `instead` says why."""
    from markupsafe import Markup, escape

    from chalicelib.pages.jinja import digest

    def tell(text: str, **values: object) -> Markup:
        # names stand apart from the direction of the sentence around them, and as text whatever is in them
        apart = {name: Markup("<bdi>{}</bdi>").format(seen(str(value))) for name, value in values.items()}
        return Markup(escape(words.say(text))).format(**apart)  # nosec B704 - escaped, and so is each value

    def hours(window: Window) -> Markup:
        zone = zone_info(window.time_zone)
        start, end = window.start.astimezone(zone), window.end.astimezone(zone)
        first, last = day_of(days, start.date()), day_of(days, end.date())
        span = "{day}, {start} to {end}" if start.date() == end.date() else "{day}, {start} to {last}, {end}"
        told = {"start": f"{start:%H:%M}", "end": f"{end:%H:%M}"}
        return tell(span, day=first, **told, **({} if first == last else {"last": last}))

    def moment(at: datetime) -> Markup:
        assert page is not None
        local = at.astimezone(zone_info(page.window.time_zone))
        said = tell("{day}, {time}", day=day_of(days, local.date()), time=f"{local:%H:%M}")
        return Markup('<time datetime="{}">{}</time>').format(at.isoformat().replace("+00:00", "Z"), said)

    title = words.say(instead[0]) if page is None else words.say(page.heading).format(name=page.name)
    return _template().render(
        page=page,
        lang=lang,
        dir="rtl" if lang in RIGHT_TO_LEFT else "ltr",
        title=title,
        instead=instead[1],
        style=Markup(_style()),  # nosec B704 - a file of ours
        tongues=[{"tag": tag, "name": NAMES[tag]} for tag in LANGUAGES],
        token=token,
        form=form,
        tag=tag,
        digest=digest(),
        tell=tell,
        hours=hours,
        moment=moment,
    )


@cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return made.get_template("track.html")


@cache
def _style() -> str:
    return (FOLDER / "track.css").read_text(encoding="utf-8")


@cache
def headers() -> Mapping[str, str]:
    """What goes with it: nothing is loaded but its one script, and that from here; nothing is kept, nothing is told to
    where a link leads."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return {
        "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "script-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "X-Robots-Tag": "noindex, nofollow, noarchive",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Vary": "Accept-Language",
    }
