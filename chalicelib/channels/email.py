"""E-mail: one MIME message with a plain part and an HTML part, right to left where the language is.

The account in the secret store: `domain`, from which the brand may write. What goes out is a value (`Mail`);
`aws/mail.py` hands it to SES. Bounces and complaints are not heard: whether a mail arrived stays unknown, and SES keeps
its own list of addresses that it writes to no more. The buttons of other channels are a link here.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime
from html import escape
from typing import Final
from unicodedata import category

from chalicelib.domain.clients import ChannelKind, Person, is_mailable
from chalicelib.domain.dialect import Account, Reply
from chalicelib.domain.message_rows import ChannelAccount
from chalicelib.domain.messages import TryState
from chalicelib.domain.saying import Mail, Saying, Sent

kind: Final = ChannelKind.EMAIL
STYLE: Final = (
    "font-family:system-ui,sans-serif;font-size:1rem;line-height:1.5;max-width:36rem;margin:2rem auto"
)


LEAVE: Final = "List-Unsubscribe"


class _Policy(EmailPolicy):
    """The library's for SMTP; of an address longer than a line it would make encoded words, which no mail program takes
    for an address."""

    def fold_binary(self, name: str, value: str) -> bytes:
        return f"{name}: {value}\r\n".encode() if name == LEAVE else super().fold_binary(name, value)


def address(person: Person) -> str | None:
    return person.email if person.email is not None and is_mailable(person.email) else None


def out(account: Account, stated: ChannelAccount, to: str, saying: Saying, at: datetime) -> Mail:
    """The mail, byte for byte the same for the same message: who gets it twice sees the same Message-ID."""
    sender = stated.from_address or ""
    mail = EmailMessage(policy=_Policy(linesep="\r\n", max_line_length=78))
    mail["From"] = Address(display_name=_line(stated.sender), addr_spec=sender)
    mail["To"] = Address(addr_spec=to)
    mail["Subject"] = _line(saying.subject)
    mail["Date"] = format_datetime(at)
    name = hashlib.sha256(saying.message_id.encode()).hexdigest()[:32]
    mail["Message-ID"] = f"<{name}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    if saying.link:  # a button of the mail program's own; the same address shows a person the order's page
        mail[LEAVE] = f"<{saying.link}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(_plain(saying), charset="utf-8", cte="base64")
    mail.add_alternative(_html(saying), subtype="html", charset="utf-8", cte="base64")
    mail.set_boundary(f"=_{name}")
    mail["Content-Language"] = (
        saying.language
    )  # of the whole: before it was one, the plain part would have got it
    return Mail(sender=sender, to=to, raw=mail.as_bytes())


def read(reply: Reply) -> Sent:
    """Of the answer that `aws/mail.py` gives for SES: 200 it was taken, 429 later, 4xx never; the body is the code."""
    code = reply.body.decode("ascii", "replace")[:40]
    if reply.status == 200:
        return Sent(TryState.ACCEPTED)
    return Sent(TryState.BUSY if reply.status == 429 else TryState.REFUSED, code)


def _line(text: str) -> str:
    """One line without signs that steer a terminal or end a text: nobody writes a header of his own."""
    return " ".join("".join(" " if category(sign) == "Cc" else sign for sign in text).split())


def _plain(saying: Saying) -> str:
    parts = [saying.text]
    if saying.link:
        parts.append(f"{saying.link_title}: {saying.link}")
    if saying.footer:
        parts.append(f"-- \n{saying.footer}")
    return "\n\n".join(parts) + "\n"


def _html(saying: Saying) -> str:
    way = "rtl" if saying.is_right_to_left else "ltr"
    paragraphs = "".join(f"<p>{escape(part)}</p>".replace("\n", "<br>") for part in saying.text.split("\n\n"))
    link = f'<p><a href="{escape(saying.link)}">{escape(saying.link_title)}</a></p>' if saying.link else ""
    footer = f"<p><small>{escape(saying.footer)}</small></p>" if saying.footer else ""
    return (
        f'<!doctype html><html lang="{saying.language}" dir="{way}"><head><meta charset="utf-8">'
        f"<title>{escape(_line(saying.subject))}</title></head>"
        f'<body style="{STYLE}">{paragraphs}{link}{footer}</body></html>\n'
    )
