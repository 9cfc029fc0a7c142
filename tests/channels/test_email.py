"""E-mail as a mail program reads it."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser

import pytest

from chalicelib.channels import email
from chalicelib.domain.dialect import Reply
from chalicelib.domain.messages import TryState
from chalicelib.domain.templates import MessageKind
from chalicelib.domain.words import LANGUAGES
from tests.channels.sayings import ACCOUNTS, EVERY, NAME, STATED, saying
from tests.stage import NOON


def read(kind: MessageKind, language: str, **stated: str) -> EmailMessage:
    account = STATED["email"].model_copy(update=stated)
    mail = email.out(ACCOUNTS["email"], account, "wang@secret.example", saying(kind, language), NOON)
    found = message_from_bytes(mail.raw, policy=policy.default)
    assert isinstance(found, EmailMessage) and not found.defects
    return found


def part(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body((kind,))
    assert body is not None
    text: str = body.get_content()
    return text.replace("\r\n", "\n")


@pytest.mark.parametrize(("kind", "language"), EVERY)
def test_both_parts_say_the_same_in_every_language(kind: MessageKind, language: str) -> None:
    mail, said = read(kind, language), saying(kind, language)
    assert mail["Subject"] == said.subject
    assert mail["From"].addresses[0].display_name == "Maison Céladon"
    assert mail["From"].addresses[0].addr_spec == "gifts@maison.example"
    assert mail["To"].addresses[0].addr_spec == "wang@secret.example"
    assert mail["Content-Language"] == language
    assert part(mail, "plain").startswith(said.text)
    seen = _Seen()
    seen.feed(part(mail, "html"))
    assert " ".join(said.text.split()) in " ".join(seen.text.split())
    assert seen.html == {"lang": language, "dir": "rtl" if language == "ar" else "ltr"}
    assert seen.links == [said.link] and said.footer in seen.text


class _Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text, self.links, self.html = "", [], {}
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        told = dict(attrs)
        if tag == "a":
            self.links.append(told["href"])
        if tag == "html":
            self.html = told
        if tag == "br":
            self.text += " "

    def handle_data(self, data: str) -> None:
        self.text += data


def test_html_in_a_name_is_words_and_nothing_is_loaded_from_anywhere() -> None:
    seen = _Seen()
    seen.feed(part(read(MessageKind.BOOKED, "en"), "html"))
    assert NAME in seen.text
    assert seen.tags == {"html", "head", "meta", "title", "body", "p", "a", "small"}


def test_nobody_writes_a_header_of_his_own() -> None:
    mail = read(MessageKind.BOOKED, "en", sender="Maison\r\nBcc: all@secret.example")
    assert mail["Bcc"] is None
    assert mail["From"].addresses[0].display_name == "Maison Bcc: all@secret.example"


def test_the_same_message_has_the_same_id_so_that_a_double_is_seen_as_one() -> None:
    first, again = read(MessageKind.BOOKED, "en"), read(MessageKind.BOOKED, "en")
    assert first["Message-ID"] == again["Message-ID"]
    assert first["Message-ID"].endswith("@maison.example>")
    assert first["Message-ID"] != read(MessageKind.DELIVERED, "en")["Message-ID"]
    assert first["Auto-Submitted"] == "auto-generated"


@pytest.mark.parametrize("language", LANGUAGES)
def test_lines_are_short_enough_for_every_server(language: str) -> None:
    mail = email.out(
        ACCOUNTS["email"],
        STATED["email"],
        "wang@secret.example",
        saying(MessageKind.ANNOUNCED, language),
        NOON,
    )
    assert max(map(len, mail.raw.split(b"\r\n"))) <= 998
    assert mail.raw.isascii() and b"\n" not in mail.raw.replace(b"\r\n", b"")


@pytest.mark.parametrize(
    ("status", "code", "state"),
    [
        (200, b"", TryState.ACCEPTED),
        (429, b"LimitExceededException", TryState.BUSY),
        (400, b"MessageRejected", TryState.REFUSED),
    ],
)
def test_what_the_post_says_is_read(status: int, code: bytes, state: TryState) -> None:
    read = email.read(Reply(status, {}, code))
    assert (read.state, read.code) == (state, code.decode())
