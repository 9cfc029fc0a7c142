"""Write `docs/partner-api.json`, what a fleet serves for Cordon: `python -m cli.partner_api [--check]`.

OpenAPI 3.1.1, from the shapes with which `couriers/partner.py` asks and reads. The examples of requests are requests
of that file's own, so that none can say what is never sent.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from chalicelib.couriers import partner
from chalicelib.domain.dialect import Job
from chalicelib.domain.fleet import Proof
from chalicelib.domain.gifts import Gift, Item, ItemClass, TemperatureRange
from chalicelib.domain.orders import Contact, Recipient
from chalicelib.domain.places import Address, Coordinate, Datum, MatchQuality, Place
from chalicelib.domain.policies import Handover
from chalicelib.domain.shapes import Money
from cli.openapi import referred_to

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "partner-api.json"

DESCRIPTION = """What a fleet serves so that Cordon can book with it, and the callbacks that it sends. Read
`partner-api.md` first. Times have an offset; money is minor units and a currency; a coordinate names its datum; what
there is not is left out, never null. New members may come: ignore what you do not know. Send nothing about people
that is not asked for here: it is not read."""

WORDS = {
    "ItemClass": "What kind of thing it is.",
}
"""Shapes of ours whose own description speaks of us."""

_NOON = datetime(2022, 4, 11, 4, 0, tzinfo=UTC)
REFERENCE = "ord_k7w3n2x6m7a5r4t3z2c6d7q5u4-1-1"


def _place(compound: str | None, unit: str | None, line: str, lng: float, lat: float) -> Place:
    return Place(
        address=Address(
            country="CN", city="上海市", district="徐汇区", compound=compound, unit=unit, line=line
        ),
        coordinate=Coordinate(lng=lng, lat=lat, datum=Datum.WGS84),
        match_quality=MatchQuality.EXACT,
    )


EXAMPLE = Job(
    reference=REFERENCE,
    gift=Gift(
        items=(
            Item(
                name="Birthday cake",
                item_class=ItemClass.CHILLED,
                value=Money(amount=88000, currency="CNY"),
                temperature=TemperatureRange(min_c=2.0, max_c=8.0),
                grams=1200,
                dwell_limit_minutes=90,
            ),
        )
    ),
    pick_up_name="Maison, Huaihai Road",
    pick_up=_place(None, None, "淮海中路999号", 121.4569, 31.2159),
    pick_up_contact=Contact(name="Shop desk", phone="+862155550123"),
    recipient=Recipient(
        name="A. Client",
        phone="+8613055550123",
        place=_place("衡山小区", "602", "衡山路100号2号楼602室", 121.4464, 31.2069),
    ),
    deliver_from=_NOON + timedelta(hours=3),
    deliver_by=_NOON + timedelta(hours=5),
    handover=Handover.DOOR,
    time_zone="Asia/Shanghai",
    proofs=frozenset({Proof.PICKUP_CODE, Proof.RECEIPT_CODE, Proof.PHOTO}),
    pick_up_from=_NOON + timedelta(hours=2, minutes=30),
)
ACCOUNT = {"base_url": "https://drivers.example/cordon/v1", "api_key": "key_3f1c9a7be2d84056"}
EVENT = {
    "id": "ev-1044",
    "type": "job.delivered",
    "timestamp": "2022-04-11T16:12:09+08:00",
    "data": {
        "reference": REFERENCE,
        "job_id": "J-207",
        "proofs": [
            {"kind": "photo", "reference": "ph-5512"},
            {"kind": "receipt_code", "reference": "rc-5513"},
        ],
    },
}
ACCEPTED = {
    "id": "ev-1001",
    "type": "job.accepted",
    "timestamp": "2022-04-11T12:00:01+08:00",
    "data": {"reference": REFERENCE, "job_id": "J-207"},
}
JOB = {
    "reference": REFERENCE,
    "job_id": "J-207",
    "fee": {"amount": 2800, "currency": "CNY"},
    "codes": {"pickup_code": "2048", "receipt_code": "1024"},
}
ANSWERS: Mapping[str, Mapping[str, Any]] = {
    "Quote": {
        "fee": {"amount": 2800, "currency": "CNY"},
        "quote_id": "q-81",
        "expires_at": "2022-04-11T12:15:00+08:00",
    },
    "TakenJob": {**JOB, "last_event": ACCEPTED},
    "Cancellation": {
        "reference": REFERENCE,
        "job_id": "J-207",
        "gift": "not_picked_up",
        "fee": {"amount": 500, "currency": "CNY"},
    },
}


@dataclass(frozen=True)
class Operation:
    """One method of one path that a fleet serves."""

    name: str
    summary: str
    answers: Mapping[int, tuple[str, type[BaseModel]]]
    refusals: Mapping[int, str]
    asked: type[BaseModel] | None = None
    example: bytes = b""
    headers: tuple[str, ...] = ()


_UNREAD = "It cannot be read, or a value is none you can work with: `bad_arguments`"
_NO = "You do not take it; `reason` says why"
_ANYWHERE = {
    401: "The key is not the one that you gave us: `account_refused`",
    429: "Not so fast. With Retry-After; nothing was done",
    503: "Not now. Nothing is known; we look the job up",
}
_quote, _book = (
    partner.dialect.quote(ACCOUNT, "", EXAMPLE, _NOON),
    partner.dialect.book(ACCOUNT, "", EXAMPLE, _NOON),
)
_cancel = partner.dialect.cancel(ACCOUNT, "", REFERENCE, None, "brand", _NOON)

OPERATIONS: Mapping[tuple[str, str], Operation] = {
    ("POST", "/quotes"): Operation(
        "quote",
        "What would you carry this for? Nothing is made of it",
        {200: ("Your price", partner.Quote)},
        {400: _UNREAD, 422: _NO},
        partner.QuoteRequest,
        _quote.body,
    ),
    ("PUT", "/jobs/{reference}"): Operation(
        "book",
        "Take this job. The same reference is the same job, as often as it is put",
        {
            201: ("It is yours", partner.TakenJob),
            200: ("It was yours already: the job as it stands", partner.TakenJob),
        },
        {
            400: _UNREAD,
            409: "You have another job under this reference: `another_body`",
            422: _NO,
        },
        partner.JobRequest,
        _book.body,
        ("Idempotency-Key",),
    ),
    ("GET", "/jobs/{reference}"): Operation(
        "look_up",
        "What do you know of this job?",
        {200: ("The job as it stands", partner.TakenJob)},
        {404: "You never took a job under this reference: `unknown_job`"},
    ),
    ("POST", "/jobs/{reference}/cancel"): Operation(
        "cancel",
        "Stop. Repeated until you answer for certain",
        {200: ("It is cancelled, now or before, and here is the gift", partner.Cancellation)},
        {
            400: _UNREAD,
            404: "You never took a job under this reference: `unknown_job`",
            409: "You bring it to its end: `too_late`; or it has come to one: `ended_already`",
        },
        partner.CancelRequest,
        _cancel.body,
    ),
}

HEADERS = {
    "Idempotency-Key": "The reference once more, for frameworks that look here.",
    "webhook-id": "The event's `id`. The same in each try.",
    "webhook-timestamp": "When this try is sent: whole seconds since 1970. At most 300 from now.",
    "webhook-signature": "`v1,` and the base64 of HMAC-SHA256 over `{webhook-id}.{webhook-timestamp}.{body}`, its key "
    "the base64-decoded rest of the secret after `whsec_`. While a secret is turned two of them, with a space between.",
}


def document() -> dict[str, Any]:
    """The whole document."""
    models = {partner.Refusal, partner.JobEvent}
    for operation in OPERATIONS.values():
        models |= {model for _, model in operation.answers.values()}
        models |= {operation.asked} if operation.asked else set()
    modes = [(model, "validation") for model in sorted(models, key=lambda model: model.__name__)]
    _, schemas = models_json_schema(modes, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    whole: dict[str, Any] = {
        "openapi": "3.1.1",
        "info": {"title": "A fleet for Cordon", "version": "1.0.0", "description": DESCRIPTION},
        "servers": [{"url": ACCOUNT["base_url"], "description": "Yours, as you tell us."}],
        "security": [{"key": []}],
        "paths": dict(_paths()),
        "webhooks": {"event": {"post": _webhook()}},
        "components": {
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "A key that you gave us."}
            },
        },
    }
    named = referred_to(whole, schemas["$defs"])
    whole["components"]["schemas"] = {
        name: {**schema, "description": WORDS.get(name, schema["description"])}
        for name, schema in named.items()
    }
    told: dict[str, Any] = _open(whole)
    return told


def _open(part: Any) -> Any:
    """Without what is true only of our own reading: closed shapes, and null in the place of nothing."""
    if isinstance(part, list):
        return [_open(one) for one in part]
    if not isinstance(part, dict):
        return part
    kept = {name: _open(value) for name, value in part.items()}
    if kept.get("additionalProperties") is False:
        del kept["additionalProperties"]
    if isinstance(kept.get("anyOf"), list):
        some = [one for one in kept.pop("anyOf") if one != {"type": "null"}]
        kept = {**kept, **(some[0] if len(some) == 1 else {"anyOf": some})}
    if "default" in kept and kept["default"] is None:
        del kept["default"]
    return kept


def _paths() -> Iterator[tuple[str, dict[str, Any]]]:
    paths: dict[str, dict[str, Any]] = {}
    for (method, path), operation in OPERATIONS.items():
        paths.setdefault(path, {})[method.lower()] = _operation(path, operation)
    yield from sorted(paths.items())


def _operation(path: str, operation: Operation) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, (words, model) in operation.answers.items():
        content = {"schema": _ref(model), "example": ANSWERS[model.__name__]}
        responses[str(status)] = {"description": words, "content": {"application/json": content}}
    for status, words in sorted({**operation.refusals, **_ANYWHERE}.items()):
        content = {"schema": _ref(partner.Refusal)}
        responses[str(status)] = {"description": words, "content": {"application/problem+json": content}}
    told: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "responses": responses,
    }
    parameters = [_header(name) for name in operation.headers]
    if "{reference}" in path:
        schema = {"type": "string", "maxLength": 64, "pattern": "^[A-Za-z0-9_-]+$"}
        parameters.append({"name": "reference", "in": "path", "required": True, "schema": schema})
    if parameters:
        told["parameters"] = parameters
    if operation.asked is not None:
        content = {"schema": _ref(operation.asked), "example": json.loads(operation.example)}
        told["requestBody"] = {"required": True, "content": {"application/json": content}}
    return told


def _webhook() -> dict[str, Any]:
    return {
        "summary": "Something happened to a job",
        "description": "Sent by you to the address that we give you, signed by Standard Webhooks; again and again "
        "until it is taken, with the same `id`.",
        "security": [],
        "parameters": [_header(name) for name in HEADERS if name.startswith("webhook-")],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _ref(partner.JobEvent), "example": EVENT}},
        },
        "responses": {
            "200": {"description": "Taken. Send it no more"},
            "400": {"description": "Signed, and no event. Sending it again does not help"},
            "401": {"description": "Not signed by a secret that we share, or not now. Look at your clock"},
            "404": {"description": "The address is not the one that we gave you"},
            "413": {"description": "More than 65,536 bytes"},
            "429": {"description": "Slow down; send it again"},
            "5XX": {"description": "Not now; send it again"},
        },
    }


def _header(name: str) -> dict[str, Any]:
    schema = {"type": "string", "pattern": "^[!-~ ]{1,2048}$"}
    return {"name": name, "in": "header", "required": True, "description": HEADERS[name], "schema": schema}


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def main(arguments: list[str]) -> int:
    text = json.dumps(document(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    if "--check" in arguments:
        if not DOCUMENT.exists() or DOCUMENT.read_text(encoding="utf-8") != text:
            print("docs/partner-api.json has drifted from the models: run `make openapi`", file=sys.stderr)
            return 1
        return 0
    DOCUMENT.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
