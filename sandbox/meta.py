"""Meta's end of WhatsApp: takes what a business sends as the Cloud API would, and lets the people there read,
press and write.

It knows the templates that were registered with it (`domain.templates`, each in six languages), refuses free words to
whoever has not written within a day, and signs what it sends with the app's secret.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import urllib3

from chalicelib.domain.templates import TEMPLATES
from chalicelib.domain.words import META_CODES

ACCOUNT = {
    "access_token": "EAAG-sandbox",  # nosec B105 - of the sandbox
    "app_secret": "the sandbox's app secret",  # nosec B105 - of the sandbox
    "verify_token": "a word that was agreed on",  # nosec B105 - of the sandbox
}
NUMBER_ID = "106540352242922"
VERSION = "v25.0"
REGISTERED = {
    (template.name, code): template
    for template in TEMPLATES.values()
    if template.category is not None
    for code in META_CODES.values()
}
WINDOW = timedelta(hours=24)
UNKNOWN_TEMPLATE, NO_WINDOW, NOT_ON_WHATSAPP, BAD_PARAMETER = 132001, 131047, 131026, 100


@dataclass
class Arrived:
    """One message on somebody's telephone."""

    to: str
    at: datetime
    name: str
    """What the business calls it (`biz_opaque_callback_data`)."""
    form: str
    template: str
    texts: dict[str, str]
    body: str
    buttons: list[tuple[str, str]]
    """What stands on each, and what it says when it is pressed."""
    wamid: str


@dataclass
class Phone:
    """One person: the number, the business-scoped id, and what has arrived."""

    number: str
    user_id: str
    shows_number: bool = True
    """False: whoever has a user name hides it, and no payload names it."""
    inbox: list[Arrived] = field(default_factory=list)
    wrote_at: datetime | None = None


class Meta:
    """WhatsApp on a loopback port, for one business."""

    def __init__(self, now: Callable[[], datetime], *, everybody: bool = False) -> None:
        """`everybody`: whoever is written to is on WhatsApp."""
        self.now = now
        self.everybody = everybody
        self.phones: dict[str, Phone] = {}
        self.refused: list[int] = []
        self.callback_url = ""
        self._pool = urllib3.PoolManager()
        self._lock = threading.Lock()
        self._count = 0
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/{VERSION}"
        threading.Thread(target=self.server.serve_forever, name="meta", daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def account(self) -> dict[str, str]:
        return {**ACCOUNT, "base_url": self.url}

    def phone(self, number: str, user_id: str, *, shows_number: bool = True) -> Phone:
        """Somebody who is on WhatsApp."""
        made = self.phones[number] = Phone(number, user_id, shows_number)
        return made

    # --- what the business sends --------------------------------------------------------------------------------

    def take(self, path: str, token: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        with self._lock:
            code = self._fault(path, token, body)
            if code:
                self.refused.append(code)
                status = 401 if code == 190 else 400
                return status, {"error": {"message": "refused", "code": code, "type": "OAuthException"}}
            phone = self._whose(body)
            assert phone is not None
            self._count += 1
            wamid = f"wamid.{hashlib.sha256(f'{phone.number}{self._count}'.encode()).hexdigest()[:32]}"
            phone.inbox.append(_arrived(body, phone.number, self.now(), wamid))
            return 200, {
                "messaging_product": "whatsapp",
                "contacts": [{"input": body.get("to", body.get("recipient")), "wa_id": phone.number}],
                "messages": [{"id": wamid, "message_status": "accepted"}],
            }

    def _fault(self, path: str, token: str, body: dict[str, Any]) -> int:
        if token != f"Bearer {ACCOUNT['access_token']}":
            return 190
        if path != f"/{VERSION}/{NUMBER_ID}/messages" or body.get("messaging_product") != "whatsapp":
            return BAD_PARAMETER
        phone = self._whose(body)
        if phone is None:
            return NOT_ON_WHATSAPP
        if body["type"] != "template":
            is_open = phone.wrote_at is not None and self.now() < phone.wrote_at + WINDOW
            return 0 if is_open else NO_WINDOW
        told = body["template"]
        template = REGISTERED.get((told["name"], told["language"]["code"]))
        if template is None:
            return UNKNOWN_TEMPLATE
        parts = {part["type"]: part for part in told["components"]}
        given = [one["parameter_name"] for one in parts.get("body", {}).get("parameters", ())]
        buttons = [part for part in told["components"] if part["type"] == "button"]
        is_right = given == list(template.parameters) and len(buttons) == len(template.choices)
        return 0 if is_right else BAD_PARAMETER

    def _whose(self, body: dict[str, Any]) -> Phone | None:
        if "to" in body:
            number = body["to"]
            if self.everybody and number not in self.phones:
                self.phone(number, f"XX.{number[::-1]}")
            return self.phones.get(number)
        return next((p for p in self.phones.values() if p.user_id == body.get("recipient")), None)

    # --- what people do -----------------------------------------------------------------------------------------

    def read(self, phone: Phone, status: str = "read", code: int | None = None) -> None:
        """The last message was read (delivered, failed): Meta says so."""
        last = phone.inbox[-1]
        said: dict[str, Any] = {
            "id": last.wamid,
            "status": status,
            "timestamp": self._stamp(),
            "biz_opaque_callback_data": last.name,
            "recipient_user_id": phone.user_id,
        }
        if phone.shows_number:
            said["recipient_id"] = phone.number
        if code is not None:
            said["errors"] = [{"code": code, "title": "not delivered"}]
        self.send({"contacts": [self._who(phone)], "statuses": [said]})

    def press(self, phone: Phone, title: str) -> None:
        """The button of that title, of the last message that has one."""
        last = next(m for m in reversed(phone.inbox) if title in [shown for shown, _ in m.buttons])
        payload = dict(last.buttons)[title]
        if last.form == "template":
            said: dict[str, Any] = {"type": "button", "button": {"payload": payload, "text": title}}
        else:
            kind = "list_reply" if last.form == "list" else "button_reply"
            said = {
                "type": "interactive",
                "interactive": {"type": kind, kind: {"id": payload, "title": title}},
            }
        self._says(phone, {**said, "context": {"id": last.wamid}})

    def write(self, phone: Phone, text: str) -> None:
        """Words of one's own."""
        self._says(phone, {"type": "text", "text": {"body": text}})

    def _says(self, phone: Phone, said: dict[str, Any]) -> None:
        phone.wrote_at = self.now()
        self._count += 1
        message = {
            "id": f"wamid.{hashlib.sha256(f'in{self._count}'.encode()).hexdigest()[:32]}",
            "timestamp": self._stamp(),
            "from_user_id": phone.user_id,
            **said,
        }
        if phone.shows_number:
            message["from"] = phone.number
        self.send({"contacts": [self._who(phone)], "messages": [message]})

    def _who(self, phone: Phone) -> dict[str, Any]:
        named = {"profile": {"name": "W."}, "user_id": phone.user_id}
        return {**named, "wa_id": phone.number} if phone.shows_number else named

    def _stamp(self) -> str:
        return str(int(self.now().timestamp()))

    def send(self, value: dict[str, Any], *, secret: str = ACCOUNT["app_secret"]) -> tuple[int, bytes]:
        """Post it to the business, signed; the answer's status, and the bytes that were sent."""
        value = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": NUMBER_ID}, **value}
        entry = {"id": "1", "changes": [{"field": "messages", "value": value}]}
        raw = json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
        return self.post(raw, secret), raw

    def post(self, raw: bytes, secret: str = ACCOUNT["app_secret"]) -> int:
        """These very bytes, again or for the first time."""
        proof = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={proof}"}
        answer = self._pool.request("POST", self.callback_url, body=raw, headers=headers, retries=False)
        return int(answer.status)

    def check(self, token: str) -> tuple[int, bytes]:
        """Meta asks whether the address is the business's own."""
        asked = {"hub.mode": "subscribe", "hub.verify_token": token, "hub.challenge": "1158201444"}
        answer = self._pool.request("GET", self.callback_url, fields=asked, retries=False)
        return int(answer.status), answer.data


@contextmanager
def everybody(now: Callable[[], datetime]) -> Iterator[Meta]:
    """A WhatsApp that everybody is on."""
    meta = Meta(now, everybody=True)
    try:
        yield meta
    finally:
        meta.close()


def _arrived(body: dict[str, Any], to: str, at: datetime, wamid: str) -> Arrived:
    form, template, shown = body["type"], "", ""
    texts: dict[str, str] = {}
    buttons: list[tuple[str, str]] = []
    if form == "template":
        told = body["template"]
        template = told["name"]
        known = REGISTERED[template, told["language"]["code"]]
        for part in told["components"]:
            if part["type"] == "body":
                texts = {one["parameter_name"]: one["text"] for one in part["parameters"]}
            else:
                choice = known.choices[int(part["index"])]
                buttons.append((choice.value, part["parameters"][0]["payload"]))
        shown = known.text.format(**texts)
    elif form == "interactive":
        told = body["interactive"]
        form, shown = told["type"], told["body"]["text"]
        action = told["action"]
        rows = [one["reply"] for one in action.get("buttons", ())]
        rows += [row for section in action.get("sections", ()) for row in section["rows"]]
        buttons = [(f"{row['title']} {row.get('description', '')}".strip(), row["id"]) for row in rows]
    else:
        shown = body["text"]["body"]
    return Arrived(to, at, body["biz_opaque_callback_data"], form, template, texts, shown, buttons, wamid)


def _handler(meta: Meta) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)))
            status, said = meta.take(self.path, self.headers.get("authorization", ""), body)
            raw = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    return Handler
