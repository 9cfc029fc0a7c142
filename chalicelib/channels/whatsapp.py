"""WhatsApp: the Business Cloud API, Graph v25.0 (developers.facebook.com, "WhatsApp Business Platform").

The account in the secret store: `access_token`, `app_secret`, `verify_token`; `base_url` where it is not Meta's own.

Out: a template that Meta has approved; within a day after the client wrote, free text with buttons. `to` takes a
number, `recipient` a business-scoped user id (BSUID). Our message id goes along as `biz_opaque_callback_data`, and is
in every status; each button's payload begins with it. So neither the number nor the wamid, which holds the number, is
needed to know what a word is about, and a client of whom the payload names no number is found all the same.

In: the signature is over the raw bytes with the app secret. Batches of entries and changes, in any order, more than
once. `delivered` may never come: `read` says as much. Two of Meta's own examples are wrong and are not copied: a sample
of `read` whose status is `sent`, and a handler that looks for `field` at the top.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from chalicelib.domain.clients import ChannelKind, Person
from chalicelib.domain.dialect import Account, Callback, Reply, Request
from chalicelib.domain.errors import Forbidden, Malformed, Unauthorised
from chalicelib.domain.message_rows import ChannelAccount
from chalicelib.domain.messages import TryState
from chalicelib.domain.saying import Button, Saying, Sent, Word, payload_of
from chalicelib.domain.words import META_CODES

kind: Final = ChannelKind.WHATSAPP
META: Final = "https://graph.facebook.com/v25.0"

BUSY: Final = frozenset({4, 80007, 130429, 131048, 131056, 133016})
"""Rate limits: of the app, the account, the number, the pair of numbers. Nothing was sent."""
UNSURE: Final = frozenset({1, 2, 131000, 131016})
"""Meta does not know either."""
BUTTONS: Final = 3
"""Reply buttons in one message; more become a list."""
LONGEST: Final = 600
"""Characters of what is filled into a template; with its sentence it may have 1,024."""
ROWS: Final = 10
_STATES: Final = {
    "sent": TryState.ACCEPTED,
    "delivered": TryState.DELIVERED,
    "read": TryState.READ,
    "played": TryState.READ,
    "failed": TryState.REFUSED,
}
_WISHES: Final = {"stop": "stop", "resume": "resume", "signup": "resume"}


# --- out ------------------------------------------------------------------------------------------------------------


def address(person: Person) -> str | None:
    """A number if there is one: some templates go to nothing else. Else a business-scoped user id."""
    numbers = [name for name in person.whatsapp if name.isdigit()]
    if numbers:
        return numbers[0]
    if person.phone is not None:
        return person.phone.removeprefix("+")
    return person.whatsapp[0] if person.whatsapp else None


def out(account: Account, stated: ChannelAccount, to: str, saying: Saying, at: datetime) -> Request:
    """The message as Meta takes it."""
    whom = {"to": to} if to.isdigit() else {"recipient": to}
    body = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        **whom,
        **(_free(saying) if saying.in_session else _template(saying)),
        "biz_opaque_callback_data": saying.message_id,
    }
    base = account.get("base_url", META).rstrip("/")
    return Request(
        method="POST",
        url=f"{base}/{stated.phone_number_id}/messages",
        headers={
            "content-type": "application/json",
            "authorization": f"Bearer {account['access_token']}",
        },
        body=json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(),
    )


def _template(saying: Saying) -> dict[str, Any]:
    components: list[dict[str, Any]] = []
    if saying.values:
        said = [
            {"type": "text", "parameter_name": name, "text": " ".join(saying.values[name].split())[:LONGEST]}
            for name in saying.template.parameters
        ]
        components.append({"type": "body", "parameters": said})
    for index, button in enumerate(saying.buttons):
        components.append(
            {
                "type": "button",
                "sub_type": "quick_reply",
                "index": str(index),
                "parameters": [{"type": "payload", "payload": payload_of(saying.message_id, button.answer)}],
            }
        )
    template = {
        "name": saying.template.name,
        "language": {"code": META_CODES[saying.language]},
        "components": components,
    }
    return {"type": "template", "template": template}


def _free(saying: Saying) -> dict[str, Any]:
    if not saying.buttons:
        text = f"{saying.text}\n{saying.link}" if saying.link else saying.text
        return {"type": "text", "text": {"body": text[:4096], "preview_url": False}}
    is_list = len(saying.buttons) > BUTTONS or any(button.description for button in saying.buttons)
    action = _list(saying) if is_list else {"buttons": [_reply(saying, b) for b in saying.buttons]}
    interactive = {
        "type": "list" if is_list else "button",
        "body": {"text": saying.text[:1024]},
        "action": action,
    }
    return {"type": "interactive", "interactive": interactive}


def _reply(saying: Saying, button: Button) -> dict[str, Any]:
    return {
        "type": "reply",
        "reply": {"id": payload_of(saying.message_id, button.answer), "title": button.title[:20]},
    }


def _list(saying: Saying) -> dict[str, Any]:
    rows = []
    for button in saying.buttons[:ROWS]:
        row = {"id": payload_of(saying.message_id, button.answer), "title": button.title[:24]}
        rows.append(row | ({"description": button.description[:72]} if button.description else {}))
    return {"button": (saying.list_title or "…")[:20], "sections": [{"rows": rows}]}


def read(reply: Reply) -> Sent:
    """What Meta's answer means. Its texts are not repeated: they may quote the number."""
    said = _json(reply.body)
    if 200 <= reply.status < 300:
        messages = said.get("messages")
        named = (
            messages[0].get("id")
            if isinstance(messages, list) and messages and isinstance(messages[0], dict)
            else None
        )
        return Sent(TryState.ACCEPTED) if isinstance(named, str) else Sent(TryState.UNKNOWN, "unreadable")
    error = said.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    code = code if isinstance(code, int) and not isinstance(code, bool) else None
    word = str(reply.status) if code is None else str(code)
    if code in BUSY or (reply.status == 429 and code is None):
        return Sent(TryState.BUSY, word, _retry_after(reply.headers))
    if code in UNSURE or reply.status >= 500:
        return Sent(TryState.UNKNOWN, word)
    return Sent(TryState.REFUSED, word)


def _retry_after(headers: Mapping[str, str]) -> timedelta | None:
    text = headers.get("retry-after", "")
    return timedelta(seconds=int(text)) if text.isascii() and text.isdigit() and len(text) < 6 else None


# --- in -------------------------------------------------------------------------------------------------------------


def greet(accounts: Sequence[Account], callback: Callback) -> bytes:
    """The challenge, to whoever knows the word that was agreed on. This request is not signed."""
    token = callback.query.get("hub.verify_token", "")
    known = [account.get("verify_token", "") for account in accounts]
    if callback.query.get("hub.mode") != "subscribe" or not _is_one_of(token, known):
        raise Forbidden("hub.mode subscribe and the brand's hub.verify_token were expected")
    challenge = callback.query.get("hub.challenge", "")
    if not (challenge.isascii() and challenge.isalnum() and len(challenge) <= 128):
        raise Malformed("hub.challenge: 1 to 128 letters and digits were expected")
    return challenge.encode()


def verify(accounts: Sequence[Account], callback: Callback) -> None:
    """`X-Hub-Signature-256: sha256=<hex>` over the bytes as they came. Raises `Unauthorised`."""
    scheme, _, said = callback.headers.get("x-hub-signature-256", "").partition("=")
    secrets = [account.get("app_secret", "") for account in accounts]
    proofs = [hmac.new(s.encode(), callback.body, hashlib.sha256).hexdigest() for s in secrets if s]
    if scheme != "sha256" or not _is_one_of(said, proofs):
        raise Unauthorised("X-Hub-Signature-256 over the raw body was expected")


def _is_one_of(said: str, known: Sequence[str]) -> bool:
    return bool(said) and any(hmac.compare_digest(said.encode(), one.encode()) for one in known if one)


def words(body: bytes, at: datetime) -> list[Word]:
    """Every word in a payload, in the order in which they stand there; what cannot be read is one, too.

    Raises `Malformed` for what is no payload at all.
    """
    said = _json(body)
    if said.get("object") != "whatsapp_business_account" or not isinstance(said.get("entry"), list):
        raise Malformed("a WhatsApp payload with `object` and `entry` was expected")
    return [
        word
        for entry in _dicts(said.get("entry"))
        for change in _dicts(entry.get("changes"))
        for word in _of_change(change, at)
    ]


def _of_change(change: Mapping[str, Any], at: datetime) -> Iterator[Word]:
    value = change.get("value")
    if not isinstance(value, dict):
        return
    number_id = _text(_dict(value.get("metadata")).get("phone_number_id"))
    people = [
        _names(contact.get("wa_id"), contact.get("user_id")) for contact in _dicts(value.get("contacts"))
    ]
    for message in _dicts(value.get("messages")):
        names = _with(people, _names(message.get("from"), message.get("from_user_id")))
        yield _said(message, names, number_id, at)
    for status in _dicts(value.get("statuses")):
        yield _status(status, people, number_id, at)
    for wish in _dicts(value.get("user_preferences")):
        # the sample's contacts name somebody else than its preference does: its own name goes first
        names = _names(wish.get("wa_id"), wish.get("user_id")) or (people[0] if len(people) == 1 else ())
        form = _WISHES.get(_text(wish.get("value")), "")
        is_ours = bool(form) and wish.get("category") == "marketing_messages"
        when = _moment(wish.get("timestamp"), at)
        yield Word(
            kind="wish" if is_ours else "other", event_id=_event("wish", *names, form, when.isoformat()),
            at=when, number_id=number_id, names=names, form=form,
        )  # fmt: skip


def _said(message: Mapping[str, Any], names: tuple[str, ...], number_id: str, at: datetime) -> Word:
    form = _text(message.get("type"))[:30] or "unreadable"
    payload = text = ""
    inner = _dict(message.get(form))
    if form == "text":
        text = _text(inner.get("body"))
    elif form == "button":
        payload, text = _text(inner.get("payload")), _text(inner.get("text"))
    elif form == "interactive":
        reply = _dict(inner.get("button_reply")) or _dict(inner.get("list_reply"))
        payload, text = _text(reply.get("id")), _text(reply.get("title"))
    elif inner:
        text = _text(inner.get("caption") or inner.get("emoji"))
    is_word = form.isascii() and form.replace("_", "").isalnum()
    return Word(
        kind="said", event_id=_event("said", _text(message.get("id")), form),
        at=_moment(message.get("timestamp"), at), number_id=number_id, names=names,
        payload=payload[:256], text=text[:4096], form=form if is_word else "other",
    )  # fmt: skip


def _status(
    status: Mapping[str, Any], people: Sequence[tuple[str, ...]], number_id: str, at: datetime
) -> Word:
    if status.get("recipient_type") == "group":
        names: tuple[str, ...] = ()  # we write to nobody but one person
    else:
        names = _with(people, _names(status.get("recipient_id"), status.get("recipient_user_id")))
    state = _STATES.get(_text(status.get("status")))
    errors = _dicts(status.get("errors"))
    code = errors[0].get("code") if errors else None
    return Word(
        kind="other" if state is None else "status",
        event_id=_event("status", _text(status.get("id")), _text(status.get("status"))),
        at=_moment(status.get("timestamp"), at), number_id=number_id, names=names,
        message_id=_text(status.get("biz_opaque_callback_data"))[:128],
        state=state, code=str(code) if isinstance(code, int) else "",
    )  # fmt: skip


def _with(people: Sequence[tuple[str, ...]], names: tuple[str, ...]) -> tuple[str, ...]:
    """These names, and all that the contact beside them is called."""
    for person in people:
        if (not names and len(people) == 1) or not set(names).isdisjoint(person):
            return tuple(dict.fromkeys((*names, *person)))
    return names


def _names(*said: object) -> tuple[str, ...]:
    shaped = (_text(name) for name in said)
    return tuple(
        dict.fromkeys(
            name
            for name in shaped
            if 0 < len(name) <= 131 and name.isascii() and name.replace(".", "").isalnum()
        )
    )


def _event(*said: str) -> str:
    """A wamid holds the number: only what cannot be turned back is kept of it."""
    return hashlib.sha256("\x00".join(said).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _moment(said: object, at: datetime) -> datetime:
    """Seconds since 1970, as text or number; what is no such time, or tomorrow, is now."""
    text = str(said) if isinstance(said, int | str) and not isinstance(said, bool) else ""
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        return at
    return min(datetime.fromtimestamp(int(text), UTC), at)


def _json(body: bytes) -> dict[str, Any]:
    try:
        return _dict(json.loads(body))
    except (ValueError, RecursionError):
        return {}


def _dict(said: object) -> dict[str, Any]:
    return said if isinstance(said, dict) else {}


def _dicts(said: object) -> list[dict[str, Any]]:
    return [one for one in said if isinstance(one, dict)] if isinstance(said, list) else []


def _text(said: object) -> str:
    """A text without halves of letters, which UTF-8 has no bytes for."""
    return said.encode("utf-8", "replace").decode() if isinstance(said, str) else ""
