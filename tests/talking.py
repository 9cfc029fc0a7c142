"""A stage with a client to talk to: Meta at one end of the line, a mail server at another, and the client's own thumb."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from chalicelib.domain import facts
from chalicelib.domain.channel_answers import ChannelStatement
from chalicelib.domain.clients import Client, NewClient
from chalicelib.domain.dialect import Callback, Reply, Request
from chalicelib.domain.message_rows import MESSAGE, message_of_row
from chalicelib.domain.messages import Message
from chalicelib.domain.orders import Order
from chalicelib.domain.ports import Keep, World
from chalicelib.domain.templates import MessageKind
from chalicelib.flows import connect, enrol, listen
from chalicelib.flows.place import place
from tests import stage
from tests.stage import NOON, Stage

ACCOUNT = {
    "access_token": "EAAG-a-token",
    "app_secret": "an app secret",
    "verify_token": "a word that was agreed on",
    "base_url": "https://graph.example/v25.0",
}
NUMBER_ID = "106540352242922"
PHONE = "+8613800138077"
BSUID = "CN.13491208655302741918"
CONSENTS = ("service", "marketing", "cross_border")


def client_body(*purposes: str, **changes: Any) -> dict[str, Any]:
    return {
        "country": "CN",
        "locale": "en",
        "time_zone": "Asia/Shanghai",
        "channels": ["whatsapp", "email"],
        "consents": [
            {"purpose": purpose, "granted_at": (NOON - timedelta(days=9)).isoformat(), "evidence": "form-7"}
            for purpose in (purposes or CONSENTS)
        ],
        "person": {"name": "Wang Secretive", "phone": PHONE, "email": "wang@secret.example"},
        **changes,
    }


def accepted(request: Request) -> Reply:
    return Reply(
        200, {}, json.dumps({"messages": [{"id": "wamid.x", "message_status": "accepted"}]}).encode()
    )


def failing(status: int, code: int | None = None) -> Callable[[Request], Reply]:
    said = {} if code is None else {"error": {"code": code, "message": "Wang Secretive"}}
    return lambda request: Reply(status, {}, json.dumps(said).encode())


@dataclass
class Meta:
    """The other end of WhatsApp."""

    answer: Callable[[Request], Reply] = accepted
    sent: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request: Request) -> Reply:
        assert request.headers["authorization"] == f"Bearer {ACCOUNT['access_token']}"
        assert request.url == f"{ACCOUNT['base_url']}/{NUMBER_ID}/messages"
        self.sent.append(json.loads(request.body))
        return self.answer(request)

    def kinds(self) -> list[str]:
        return [name_of(body).rsplit(".", 1)[1] for body in self.sent]


def name_of(body: dict[str, Any]) -> str:
    name: str = body["biz_opaque_callback_data"]
    return name


@dataclass
class Talking:
    """Everybody who talks."""

    on: Stage
    meta: Meta
    client: Client

    @property
    def world(self) -> World:
        return self.on.world

    @property
    def mails(self) -> list[Any]:
        sent: list[Any] = self.on.plain.mailer.sent  # type: ignore[attr-defined]
        return sent

    def place(self, key: str = "key-1", **changes: Any) -> str:
        """An order for the client, before anybody has looked at it."""
        order, _ = place(self.world, "maison", key, stage.new_order(**changes))
        after = order.model_copy(update={"client_id": self.client.client_id, "version": order.version + 1})
        self.world.table.write(facts.keep_order(after))
        return order.order_id

    def order(self, order_id: str) -> Order:
        return self.on.order(order_id)

    def messages(self, home: str) -> list[Message]:
        return [message_of_row(row) for row in self.on.plain.table.read(home, MESSAGE).rows]

    def last(self, home: str) -> Message:
        said = [m for m in self.messages(home) if m.kind is not MessageKind.HEARD]
        return max(said, key=lambda m: (m.owed_at, m.number))

    def talks(self) -> int:
        return len(self.on.plain.table.read(self.client.client_id, "talk#").rows)

    def hear(self, body: Any, *, settled: bool = True) -> None:
        listen.take(self.world, "maison", signed(body))
        if settled:
            self.on.settle()

    def press(self, message: Message, answer: str, at: datetime | None = None, **more: Any) -> None:
        self.hear(pressed(f"{message.message_id}:{answer}", at or self.on.clock.now, **more))


def talking(**changes: Any) -> Talking:
    """Noon in Shanghai, with a client who has agreed to everything."""
    on = stage.stage(**changes)
    return Talking(on, connected(on), enrolled(on.plain))


def connected(on: Stage) -> Meta:
    """Meta at the end of the line, and the brand's accounts and channels as they are entered and stated."""
    meta = Meta()
    line: Any = on.plain.line
    before = line.answer
    line.answer = lambda request: meta(request) if "graph.example" in request.url else before(request)
    secrets: Any = on.plain.secrets
    secrets.by_account["whatsapp", "maison"] = [ACCOUNT]
    secrets.by_account["email", "maison"] = [{"domain": "maison.example"}]
    whatsapp = {"sender": "Maison Céladon", "phone_number_id": NUMBER_ID, "data_region": "CN"}
    email = {"sender": "Maison Céladon", "from_address": "gifts@maison.example", "data_region": "CN"}
    connect.connect(on.world, "maison", "whatsapp", ChannelStatement.model_validate(whatsapp), None)
    connect.connect(on.world, "maison", "email", ChannelStatement.model_validate(email), None)
    return meta


def enrolled(world: World, reference: str = "vic-1", **changes: Any) -> Client:
    purposes = changes.pop("purposes", CONSENTS)
    new = NewClient.model_validate_json(json.dumps(client_body(*purposes, **changes)))
    return enrol.enrol(world, "maison", reference, new, replaces=True)


# --- what Meta sends --------------------------------------------------------------------------------------------


def signed(body: Any, secret: str = ACCOUNT["app_secret"]) -> Callback:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    proof = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    return Callback("POST", {}, {"x-hub-signature-256": f"sha256={proof}"}, raw)


def payload(field_: str = "messages", **value: Any) -> dict[str, Any]:
    value = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": NUMBER_ID}, **value}
    return {
        "object": "whatsapp_business_account",
        "entry": [{"id": "1", "changes": [{"field": field_, "value": value}]}],
    }


def _who(number: str | None, user_id: str | None) -> list[dict[str, Any]]:
    who = {"wa_id": number, "user_id": user_id}
    return [{"profile": {"name": "W"}, **{name: said for name, said in who.items() if said}}]


def pressed(
    answer: str, at: datetime, *, number: str | None = PHONE[1:], user_id: str | None = BSUID, wamid: str = ""
) -> dict[str, Any]:
    message: dict[str, Any] = {
        "id": wamid or f"wamid.{hashlib.sha256(f'{answer}{at}'.encode()).hexdigest()}",
        "timestamp": str(int(at.timestamp())),
        "type": "button",
        "button": {"payload": answer, "text": "the title"},
    }
    if number:
        message["from"] = number
    return payload(contacts=_who(number, user_id), messages=[message])


def wrote(
    text: str, at: datetime, *, number: str | None = PHONE[1:], user_id: str | None = BSUID, wamid: str = ""
) -> dict[str, Any]:
    message: dict[str, Any] = {
        "id": wamid or f"wamid.{hashlib.sha256(f'{text}{at}'.encode()).hexdigest()}",
        "timestamp": str(int(at.timestamp())),
        "type": "text",
        "text": {"body": text},
    }
    if number:
        message["from"] = number
    return payload(contacts=_who(number, user_id), messages=[message])


def status(
    name: str, word: str, at: datetime, code: int | None = None, *, user_id: str | None = BSUID
) -> dict[str, Any]:
    said: dict[str, Any] = {
        "id": "wamid.y",
        "status": word,
        "timestamp": str(int(at.timestamp())),
        "biz_opaque_callback_data": name,
    }
    if user_id is not None:
        said["recipient_user_id"] = user_id
    if code is not None:
        said["errors"] = [{"code": code, "title": "t"}]
    return payload(statuses=[said])


def keep(world: World, order: Order) -> None:
    world.table.write(Keep(facts.order_row(order), was=order.version - 1))
