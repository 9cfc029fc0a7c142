"""E-mail as a mail program reads it."""

from __future__ import annotations

import re
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser

import pytest

from chalicelib.channels import email
from chalicelib.domain.clients import Person
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


@pytest.mark.parametrize(
    "to", ["a..b@docomo.example", ".a@x.example", "a.@x.example", "zoë@x.example", "王@x.example", "a@x..example",
           "a@.x.example", "a\x7fb@x.example", "=?utf-8?q?x?=@x.example", "a\u200bb@x.example"],
)  # fmt: skip
def test_who_has_an_address_that_no_mail_can_be_made_out_to_is_not_reached_by_mail(to: str) -> None:
    assert email.address(Person(name="W", email=to)) is None


@pytest.mark.parametrize("to", ["wang@x.example", "w.a+b'c=d@mail.x-y.example", f"{'a' * 64}@x.example"])
def test_whoever_is_reached_by_mail_gets_one_that_is_whole(to: str) -> None:
    found = email.address(Person(name="W", email=to))
    assert found == to
    mail = email.out(ACCOUNTS["email"], STATED["email"], found, saying(MessageKind.BOOKED, "en"), NOON)
    told = message_from_bytes(mail.raw, policy=policy.default)
    assert told["To"].addresses[0].addr_spec == to and not told.defects


@pytest.mark.parametrize("sign", ["\r\nBcc: x@evil.example\r\n", "\x00", "\x1b[2J", "\x85", "\u2028", "\x7f"])
def test_no_sign_in_a_name_begins_a_header_or_steers_whoever_reads_it(sign: str) -> None:
    account = STATED["email"].model_copy(update={"sender": f"A{sign}B"})
    said = replace(saying(MessageKind.BOOKED, "en"), subject=f"From A{sign}B")
    mail = email.out(ACCOUNTS["email"], account, "wang@x.example", said, NOON)
    head = mail.raw.partition(b"\r\n\r\n")[0]
    assert not re.search(rb"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f]", head)
    told = message_from_bytes(mail.raw, policy=policy.default)
    assert told["Bcc"] is None and len(told["From"].addresses) == 1


def test_a_mail_programs_own_button_leads_to_the_page_of_the_order_in_one_piece() -> None:
    """RFC 8058. In encoded words no program finds an address."""
    link = f"https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/prod/t/{'Im9yZF96c3Iz' * 8}.x-y_z?lang=ar"
    said = replace(saying(MessageKind.BOOKED, "ar"), link=link)
    raw = email.out(ACCOUNTS["email"], STATED["email"], "wang@secret.example", said, NOON).raw
    assert f"\r\nList-Unsubscribe: <{link}>\r\n".encode() in raw
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in raw
    said = replace(said, link="")
    mail = email.out(ACCOUNTS["email"], STATED["email"], "wang@secret.example", said, NOON)
    assert b"List-Unsubscribe" not in mail.raw
