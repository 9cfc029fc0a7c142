"""Every message in every language, as a channel gets it."""

from __future__ import annotations

from datetime import timedelta

from chalicelib.domain.clients import ChannelKind, Person
from chalicelib.domain.message_rows import ChannelAccount
from chalicelib.domain.saying import Button, Saying
from chalicelib.domain.templates import (
    FOOTER,
    LIST_TITLE,
    SEE_YOUR_GIFT,
    TEMPLATES,
    TIMES,
    TITLES,
    Choice,
    MessageKind,
)
from chalicelib.domain.words import day_of
from chalicelib.locales import Shelf
from tests.stage import NOON

WORDS = Shelf("messages")
NAME = "Wáng <b>Secretive</b> 王女士"
PERSON = Person(
    name=NAME, phone="+8613800138077", email="wang@secret.example", whatsapp=("CN.13491208655302741918",)
)
ACCOUNTS = {
    "whatsapp": {
        "access_token": "EAAG-token",
        "app_secret": "s",
        "verify_token": "v",
        "base_url": "https://graph.example/v25.0",
    },
    "email": {"domain": "maison.example"},
}
STATED = {
    "whatsapp": ChannelAccount(
        brand_id="maison",
        kind=ChannelKind.WHATSAPP,
        sender="Maison Céladon",
        phone_number_id="106540352242922",
    ),
    "email": ChannelAccount(
        brand_id="maison",
        kind=ChannelKind.EMAIL,
        sender="Maison Céladon",
        from_address="gifts@maison.example",
    ),
}
EVERY = [(kind, language) for kind in MessageKind for language in WORDS]


def saying(kind: MessageKind, language: str, *, in_session: bool = False) -> Saying:
    words, template = WORDS[language], TEMPLATES[kind]
    values = {
        "name": NAME,
        "brand": "Maison Céladon",
        "day": day_of(words, NOON.date()),
        "start": "13:00",
        "end": "16:00",
        "code": "471108",
        "gift": "Bouquet",
        "count": "6",
        "words": "Bonjour,\nthe ring is here.",
    }
    buttons = [
        Button(choice.value, words.say(TITLES[choice]))
        for choice in template.choices
        if choice is not Choice.AT
    ]
    if Choice.AT in template.choices:
        buttons = [
            Button(f"at={(NOON + timedelta(days=n)).isoformat()}", "13:00–16:00", day_of(words, (NOON + timedelta(days=n)).date()))
            for n in range(6)
        ]  # fmt: skip
    wanted = {name: values[name] for name in template.parameters}
    return Saying(
        message_id=f"ord_{'a' * 26}.0003.{kind.value}",
        kind=kind,
        template=template,
        language=language,
        sender="Maison Céladon",
        subject=words.say(template.subject, brand="Maison Céladon"),
        text=words.count(*TIMES, 6) if kind is MessageKind.TIMES else words.say(template.text, **wanted),
        values=wanted,
        buttons=tuple(buttons),
        in_session=in_session or template.category is None,
        link="https://gifts.example/t/abc?lang=fr&x=1",
        link_title=words.say(SEE_YOUR_GIFT),
        footer=words.say(FOOTER, brand="Maison Céladon"),
        list_title=words.say(LIST_TITLE),
    )
