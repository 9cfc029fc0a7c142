"""Write `chalicelib/openapi.json` from the models: `python -m cli.openapi [--check]`.

OpenAPI 3.1.1. Every route of the app has a line below; a route without one, or a line without a route, is an
error, so the document cannot drift from the app, nor the app from it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from chalicelib.domain import channel_answers, client_answers, pass_answers
from chalicelib.domain.appointments import Count
from chalicelib.domain.associates import AssociateList, AssociateView, NewAssociate
from chalicelib.domain.campaigns import (
    Calling,
    CampaignPage,
    CampaignReport,
    CampaignView,
    NewCampaign,
    OutcomePage,
    Reporting,
)
from chalicelib.domain.clients import ClientView, NewClient
from chalicelib.domain.contacts import ContactQuestion
from chalicelib.domain.digital import NewDigitalGift
from chalicelib.domain.erasure import ErasureView
from chalicelib.domain.errors import Refused, Uncarriable
from chalicelib.domain.fleet import Courier, Crew, Permit, Slot
from chalicelib.domain.impact import ImpactQuestion, ImpactView
from chalicelib.domain.lists import FaultList, ListParts, ListStart, Roster, RosterPage
from chalicelib.domain.looks import LookList, Shown, WhyLook
from chalicelib.domain.messages import MessageView
from chalicelib.domain.notices import CloudEvent
from chalicelib.domain.order_views import OrderView
from chalicelib.domain.places import HandOverPoint, Market
from chalicelib.domain.programme import NewProgramme, Programme
from chalicelib.domain.purchases import NewPurchases
from chalicelib.domain.report import PlanView
from chalicelib.domain.rulebooks import Book, BookList
from chalicelib.domain.shapes import Shape
from chalicelib.domain.snapshots import Have, Pointer
from chalicelib.domain.standing import Grant
from chalicelib.domain.substitutes import NewSubstitutes, Substitutes
from chalicelib.domain.uploads import PARTS, Finish, Upload, UploadStart
from chalicelib.domain.wishes import NewAppointment, OrderWish
from chalicelib.flows import acts, draw, look, prove, rank, replay, subscribe
from chalicelib.flows.grant import NewGrant
from chalicelib.routes import (
    brands,
    cursors,
    digital,
    disclosure,
    entrance,
    key_shapes,
    lists,
    market_shapes,
    order_shapes,
    recipients,
    visits,
    webhook_shapes,
)
from chalicelib.routes.answers import Answer, ProposalList
from chalicelib.routes.deed_shapes import BoardView, NewDeed

DOCUMENT = Path(__file__).resolve().parent.parent / "chalicelib" / "openapi.json"

DESCRIPTION = """Gifts through the cordon: hand in gift orders, learn who may still deliver them and why, and be
told what becomes of them. Times need an offset; money is minor units and a currency; a coordinate names its
datum. Errors are RFC 9457 problem+json and name the field. Whom a gift is for is in no answer but
to a look at it, which is kept."""


class FieldFault(Shape):
    """One field that is wrong."""

    pointer: str = Field(description="RFC 6901 pointer into the body.")
    detail: str
    value: str | None = Field(default=None, description="What stood there; absent where it is personal.")


class Problem(Shape):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    errors: tuple[FieldFault, ...] = ()


@dataclass(frozen=True)
class Operation:
    """One method of one path, as documented."""

    summary: str
    tag: str
    roles: tuple[str, ...] = ()
    body: type[BaseModel] | None = None
    raw_body: tuple[str, ...] = ()
    answer: type[BaseModel] | None = None
    operators_answer: type[BaseModel] | None = None
    pages: tuple[str, ...] = ()
    """Other media types that Accept may ask for: the same for people."""
    status: int = 200
    headers: tuple[str, ...] = ()
    may_send: tuple[str, ...] = ()
    """Headers that are needed in some cases."""
    query: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[int, ...] = ()
    tells_people: tuple[int, ...] = ()
    """Problems that are told on a page."""


HEADERS = {
    "Idempotency-Key": "Names this gift, or this question: 1 to 255 visible ASCII characters. The same key and body "
    "again get the same answer; the same key with another body is refused.",
    "X-Acting-Staff": "Who of your staff does this: a name of yours, 1 to 64 letters, digits, dots, dashes and "
    "underscores. You answer for it; it is written down.",
    "If-Match": 'The ETag you read, such as "v7".',
}
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
SHAPES: dict[str, dict[str, Any]] = {
    "Idempotency-Key": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    "If-Match": {"type": "string", "pattern": '^"v[0-9]{1,9}"$'},
    "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
    "cursor": {"type": "string", "maxLength": cursors.LENGTH},
    "lng": {"type": "number", "minimum": -180, "maximum": 180},
    "lat": {"type": "number", "minimum": -90, "maximum": 90},
    "at": {"type": "string", "format": "date-time"},
    "rows": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
    "number": {"type": "integer", "minimum": 1, "maximum": PARTS},
    "key_hash": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
}
"""What a parameter looks like; whatever else stands in a path or names a brand is a `NAME`."""

BOTH = ("operator", "source")
PAGE = {"limit": "1 to 100, 20 when absent", "cursor": "`next_cursor` of the page before"}
ANYWHERE = {
    415: "A body of another kind than JSON",
    429: "Too many requests: slow down",
    500: "Our fault; the same request again is safe",
    503: "Not now: the store or a courier is busy; the same request again is safe",
    504: "No answer in time; the same request again is safe",
}
"""What any operation can answer."""


def _members(kind: str, name: str, model: type[BaseModel], words: str) -> dict[tuple[str, str], Operation]:
    path = f"/v1/markets/{{market_id}}/{kind}/{{{name}}}"
    return {
        ("PUT", path): Operation(
            f"Add or change {words}", "Fleet", BOTH, body=model, answer=model, problems=(400, 404, 409, 422)
        ),
        ("GET", path): Operation(f"Read {words}", "Fleet", BOTH, answer=model, problems=(404,)),
        ("DELETE", path): Operation(f"Take out {words}", "Fleet", BOTH, status=204, problems=(404, 409)),
    }


OPERATIONS: dict[tuple[str, str], Operation] = {
    ("POST", "/v1/orders"): Operation(
        "Place a gift order",
        "Orders",
        ("brand", "associate"),
        body=OrderWish,
        answer=disclosure.BrandOrder,
        status=202,
        headers=("Idempotency-Key",),
        may_send=("X-Acting-Staff",),
        problems=(400, 409, 410, 413, 422),
    ),
    ("GET", "/v1/orders"): Operation(
        "List your orders, the last placed first",
        "Orders",
        ("brand", "operator"),
        answer=order_shapes.OrderList,
        query=PAGE | {"brand": "operators name the brand"},
        problems=(400, 422),
    ),
    ("GET", "/v1/orders/{order_id}"): Operation(
        "Read an order",
        "Orders",
        ("brand", "operator", "associate"),
        answer=disclosure.BrandOrder,
        operators_answer=OrderView,
        problems=(404,),
    ),
    ("POST", "/v1/orders/{order_id}/cancel"): Operation(
        "Cancel an order; a booked one is over when the courier confirms",
        "Orders",
        ("brand", "associate"),
        answer=disclosure.BrandOrder,
        status=202,
        headers=("If-Match",),
        may_send=("X-Acting-Staff",),
        problems=(404, 409, 412, 428),
    ),
    ("POST", "/v1/orders/{order_id}/attempts"): Operation(
        "Send a gift out again that was returned or stranded, in a new window: a further leg of the same order",
        "Orders",
        ("brand", "operator"),
        body=order_shapes.AnotherAttempt,
        answer=disclosure.BrandOrder,
        operators_answer=OrderView,
        status=202,
        headers=("If-Match",),
        problems=(404, 409, 412, 422, 428),
    ),
    ("POST", "/v1/appointments"): Operation(
        "Make an appointment: a team comes to the client's door, stays, and brings back what was not sold",
        "Appointments",
        ("brand", "associate"),
        body=NewAppointment,
        answer=disclosure.BrandOrder,
        status=202,
        headers=("Idempotency-Key",),
        problems=(400, 413, 422),
    ),
    ("POST", "/v1/orders/{order_id}/manifest"): Operation(
        "Count the pieces of a visit out and back in: out, sold or back, each by its serial number",
        "Appointments",
        ("brand", "associate", "operator"),
        body=Count,
        answer=disclosure.BrandOrder,
        operators_answer=OrderView,
        problems=(404, 409, 422),
    ),
    ("POST", "/v1/orders/{order_id}/reschedule"): Operation(
        "Give an order that nobody has set out with another window",
        "Appointments",
        ("brand", "associate", "operator"),
        body=order_shapes.AnotherWindow,
        answer=disclosure.BrandOrder,
        operators_answer=OrderView,
        status=202,
        headers=("If-Match",),
        problems=(404, 409, 412, 422, 428),
    ),
    ("GET", "/v1/orders/{order_id}/calendar"): Operation(
        "The order as a calendar file (RFC 5545): its hours, and its cancellation once it is cancelled",
        "Appointments",
        ("brand", "associate"),
        pages=(visits.CALENDAR,),
        problems=(404,),
    ),
    ("PUT", "/v1/orders/{order_id}/relay"): Operation(
        "Name a hand-over point for an order that waits: one courier to there, another from there to the client",
        "Orders",
        ("operator",),
        body=HandOverPoint,
        answer=OrderView,
        status=202,
        headers=("If-Match",),
        problems=(404, 409, 412, 422, 428),
    ),
    ("POST", "/v1/orders/{order_id}/returns"): Operation(
        "Record that a gift whose courier failed is back in the shop",
        "Orders",
        ("operator",),
        answer=OrderView,
        problems=(404, 409),
    ),
    ("GET", "/v1/orders/{order_id}/evidence"): Operation(
        "Every decision about an order and what it rests on",
        "Orders",
        ("brand", "operator"),
        answer=order_shapes.BrandEvidenceList,
        operators_answer=order_shapes.EvidenceList,
        pages=brands.KINDS[1:],
        problems=(404,),
    ),
    ("GET", "/v1/orders/{order_id}/evidence/{evidence_id}/replay"): Operation(
        "Decide once more what was decided then, under the rules of then as known then, and say what differs",
        "Orders",
        ("operator",),
        answer=replay.Replay,
        problems=(404,),
    ),
    ("GET", "/v1/orders/{order_id}/codes"): Operation(
        "Read the codes the courier asks for: at pick-up of the shop, at the door of the client",
        "Orders",
        ("brand",),
        answer=order_shapes.Codes,
        problems=(404,),
    ),
    ("POST", "/v1/orders/{order_id}/codes"): Operation(
        "Have another hand-over code made for a safeguarded gift: the former one is worth nothing then",
        "Valuables",
        ("brand",),
        answer=order_shapes.NewCode,
        status=201,
        problems=(404, 409),
    ),
    ("POST", "/v1/orders/{order_id}/proofs"): Operation(
        "Prove the hand-over of a safeguarded gift: its seal at both ends, the client's code, who it was",
        "Valuables",
        ("operator",),
        body=prove.NewProof,
        answer=OrderView,
        problems=(400, 404, 409, 422),
    ),
    ("GET", "/v1/substitutes"): Operation(
        "What may go in the place of your gifts",
        "Substitutes",
        ("brand",),
        answer=Substitutes,
        problems=(404,),
    ),
    ("PUT", "/v1/substitutes"): Operation(
        "Say what may go in the place of a gift whose shop is closed: the same from elsewhere, or something else",
        "Substitutes",
        ("brand",),
        body=NewSubstitutes,
        answer=Substitutes,
        problems=(400, 412, 422, 428),
    ),
    ("GET", "/v1/orders/{order_id}/proposals"): Operation(
        "What was proposed in the place of a gift, and the answers",
        "Substitutes",
        ("brand", "operator", "associate"),
        answer=ProposalList,
        problems=(404,),
    ),
    ("POST", "/v1/orders/{order_id}/proposals/{proposal}/accept"): Operation(
        "Let what was proposed go in its place; of a proposal that needs the client's consent, name what proves it",
        "Substitutes",
        ("brand", "associate"),
        body=Answer,
        answer=disclosure.BrandOrder,
        status=202,
        problems=(400, 404, 409, 422),
    ),
    ("POST", "/v1/orders/{order_id}/proposals/{proposal}/decline"): Operation(
        "Refuse what was proposed in its place; the next best is looked for",
        "Substitutes",
        ("brand", "associate"),
        body=Answer,
        answer=disclosure.BrandOrder,
        status=202,
        problems=(400, 404, 409, 422),
    ),
    ("POST", "/v1/orders/{order_id}/looks"): Operation(
        "Read whom an order is for and where, and say why: who looked is kept",
        "Valuables",
        ("brand", "operator", "associate"),
        body=WhyLook,
        answer=Shown,
        status=201,
        problems=(400, 404, 409, 422),
    ),
    ("GET", "/v1/orders/{order_id}/looks"): Operation(
        "Who has looked at the address of an order, when and why",
        "Valuables",
        ("brand", "operator", "associate"),
        answer=LookList,
        problems=(404,),
    ),
    ("POST", "/v1/orders/{order_id}/receipts"): Operation(
        "Record that the client has what was left at the gate",
        "Orders",
        ("operator",),
        answer=OrderView,
        problems=(404, 409),
    ),
    ("POST", "/v1/clearances"): Operation(
        "Who could deliver this, when, and why not the others; nothing is kept",
        "Clearance",
        ("brand", "operator"),
        body=look.ClearanceQuestion,
        answer=disclosure.BrandClearance,
        operators_answer=look.ClearanceAnswer,
        problems=(404, 422),
    ),
    ("PUT", "/v1/clients/{reference}"): Operation(
        "Enrol a client under your own name for it, or change it: whole, but for consents, which are added; a change "
        "names in If-Match what it replaces",
        "Clients",
        ("brand",),
        body=NewClient,
        answer=ClientView,
        may_send=("If-Match",),
        problems=(400, 409, 410, 412, 413, 422, 428),
    ),
    ("GET", "/v1/clients/{reference}"): Operation(
        "Read a client: who it is, and what it has agreed to",
        "Clients",
        ("brand", "associate"),
        answer=ClientView,
        problems=(404, 410),
    ),
    ("GET", "/v1/clients"): Operation(
        "List your clients, the last enrolled first; nothing in it says who they are",
        "Clients",
        ("brand", "associate"),
        answer=client_answers.ClientList,
        query=PAGE,
        problems=(400, 422),
    ),
    ("POST", "/v1/clients/search"): Operation(
        "Whose number, address or name in a channel is it? A household may share one",
        "Clients",
        ("brand", "associate"),
        body=ContactQuestion,
        answer=client_answers.ClientsFound,
        problems=(400, 413, 422),
    ),
    ("POST", "/v1/clients/{reference}/consents"): Operation(
        "Record what a client has agreed to, or agrees to no more; the same again is harmless",
        "Clients",
        ("brand", "associate"),
        body=client_answers.ConsentChange,
        answer=ClientView,
        problems=(400, 404, 410, 413, 422),
    ),
    ("DELETE", "/v1/clients/{reference}"): Operation(
        "Have a client forgotten: at once, but for what couriers on their way need; the name is not enrolled again",
        "Clients",
        ("brand",),
        answer=ErasureView,
        status=202,
        problems=(404,),
    ),
    ("GET", "/v1/jurisdictions"): Operation(
        "What each country asks before a client is written to, or anybody abroad is told of it; with sources",
        "Clients",
        ("brand", "associate", "operator"),
        answer=client_answers.Jurisdictions,
    ),
    ("GET", "/v1/clients/{reference}/erasure"): Operation(
        "How far an erasure is, what it waits for, and when nobody can restore it any more",
        "Clients",
        ("brand",),
        answer=ErasureView,
        problems=(404,),
    ),
    ("PUT", "/v1/digital-gifts/{gift}"): Operation(
        "Say what a gift that needs no courier is, and how many there are: a pass, a lesson, a seat; a change names in "
        "If-Match what it replaces",
        "Digital gifts",
        ("brand",),
        body=NewDigitalGift,
        answer=pass_answers.GiftView,
        may_send=("If-Match",),
        problems=(400, 409, 412, 413, 422, 428),
    ),
    ("GET", "/v1/digital-gifts/{gift}"): Operation(
        "Read a digital gift, and how many are left",
        "Digital gifts",
        ("brand",),
        answer=pass_answers.GiftView,
        problems=(404,),
    ),
    ("GET", "/v1/digital-gifts"): Operation(
        "List your digital gifts, by name",
        "Digital gifts",
        ("brand",),
        answer=pass_answers.GiftList,
        query=PAGE,
        problems=(400, 422),
    ),
    ("PUT", "/v1/digital-gifts/{gift}/codes/{number}"): Operation(
        "Load a part of a partner's own codes; the same part again has the same answer",
        "Digital gifts",
        ("brand",),
        body=pass_answers.CodesPart,
        answer=pass_answers.CodesAnswer,
        problems=(400, 404, 409, 413, 422),
    ),
    ("POST", "/v1/digital-orders"): Operation(
        "Place an order that never has a parcel: a digital gift, given at once",
        "Digital gifts",
        ("brand", "associate"),
        body=pass_answers.NewDigitalOrder,
        answer=disclosure.BrandOrder,
        status=202,
        headers=("Idempotency-Key",),
        problems=(400, 409, 410, 413, 422),
    ),
    ("POST", "/v1/orders/{order_id}/digital"): Operation(
        "A gift that needs no courier in the place of a parcel: send it, offer it, or say what the client answered",
        "Orders",
        ("brand", "operator"),
        body=pass_answers.DigitalAction,
        answer=disclosure.BrandOrder,
        operators_answer=OrderView,
        status=202,
        headers=("If-Match",),
        problems=(404, 409, 412, 422, 428),
    ),
    ("POST", "/v1/redemptions"): Operation(
        "Redeem a code, once: from then on a pass runs",
        "Digital gifts",
        ("partner",),
        body=pass_answers.Redemption,
        answer=pass_answers.PassView,
        headers=("Idempotency-Key",),
        problems=(400, 404, 409, 413, 422, 429),
    ),
    ("GET", "/v1/passes/{pass_id}"): Operation(
        "How a pass stands",
        "Digital gifts",
        ("brand", "partner", "operator"),
        answer=pass_answers.PassView,
        problems=(404,),
    ),
    ("GET", "/v1/passes/{pass_id}/code"): Operation(
        "Read a pass's code, for its client alone; that it was read is on record",
        "Digital gifts",
        ("brand",),
        answer=pass_answers.CodeView,
        problems=(404, 409, 410),
    ),
    ("GET", "/v1/passes/{pass_id}/invitation"): Operation(
        "What its client is invited to: the sessions, and what they recommend",
        "Digital gifts",
        ("brand",),
        answer=pass_answers.Invitation,
        pages=digital.KINDS[1:],
        problems=(404,),
    ),
    ("POST", "/v1/passes/{pass_id}/withdraw"): Operation(
        "Take back a pass that was not used: its order is over, and a seat is free again",
        "Digital gifts",
        ("brand",),
        answer=pass_answers.PassView,
        problems=(404, 409),
    ),
    ("PUT", "/v1/channels/{kind}"): Operation(
        "State one of your channels, `whatsapp` or `email`, as far as it is no secret; a change names in If-Match what "
        "it replaces",
        "Channels",
        ("brand",),
        body=channel_answers.ChannelStatement,
        answer=channel_answers.ChannelView,
        may_send=("If-Match",),
        problems=(400, 404, 409, 412, 413, 422, 428),
    ),
    ("GET", "/v1/channels/{kind}"): Operation(
        "Read one of your channels",
        "Channels",
        ("brand",),
        answer=channel_answers.ChannelView,
        problems=(404,),
    ),
    ("POST", "/v1/channels/{kind}/{brand_id}"): Operation(
        "What WhatsApp sends: answers and statuses; the proof is in the request",
        "Channels",
        raw_body=("*/*",),
        problems=(400, 401, 404, 413),
    ),
    ("GET", "/v1/channels/{kind}/{brand_id}"): Operation(
        "WhatsApp checks the address", "Channels", problems=(400, 403, 404)
    ),
    ("GET", "/v1/orders/{order_id}/messages"): Operation(
        "What the client of an order was told, by which channel, and what it answered",
        "Channels",
        ("brand", "associate"),
        answer=channel_answers.MessageList,
        problems=(404,),
    ),
    ("POST", "/v1/clients/{reference}/messages"): Operation(
        "Write to a client: freely within a day after the client wrote, else an invitation to talk",
        "Channels",
        ("brand", "associate"),
        body=channel_answers.NewTalk,
        answer=MessageView,
        status=202,
        headers=("Idempotency-Key",),
        problems=(400, 404, 409, 410, 413, 422),
    ),
    ("GET", "/v1/clients/{reference}/messages"): Operation(
        "Read what was said between you and a client",
        "Channels",
        ("brand", "associate"),
        answer=channel_answers.Conversation,
        problems=(404, 410),
    ),
    ("POST", "/v1/callbacks/{market_id}/{courier_id}"): Operation(
        "A courier's callback, in its own dialect; the proof is in the request",
        "Couriers",
        raw_body=("*/*",),
        problems=(400, 401, 404, 413),
    ),
    ("GET", "/v1/callbacks/{market_id}/{courier_id}"): Operation(
        "A courier checks the callback address", "Couriers", problems=(401, 404)
    ),
    ("POST", "/v1/orders/{order_id}/link"): Operation(
        "The link to an order's page for its recipient: signed, and the same until it is revoked",
        "Recipients",
        ("brand", "associate"),
        body=recipients.LinkWish,
        answer=recipients.Link,
        problems=(404, 409),
    ),
    ("DELETE", "/v1/orders/{order_id}/link"): Operation(
        "Revoke every link to an order's page",
        "Recipients",
        ("brand",),
        status=204,
        headers=("If-Match",),
        problems=(404, 412, 428),
    ),
    ("GET", "/t/{token}"): Operation(
        "The page of one order for its recipient, in six languages; looking changes nothing",
        "Recipients",
        pages=("text/html",),
        query={
            "lang": "one of en, fr, it, de, zh-CN, ar; else as the browser says",
            "said": "what came of a form",
        },
        tells_people=(404, 500, 503),
    ),
    ("POST", "/t/{token}"): Operation(
        "Ask for another time, by the form of that page; it leads back there",
        "Recipients",
        raw_body=(recipients.FORM,),
        status=303,
        tells_people=(404, 500, 503),
    ),
    ("GET", "/t/{token}/calendar"): Operation(
        "The order as a calendar file, for its recipient",
        "Recipients",
        pages=(visits.CALENDAR,),
        query={"lang": "one of en, fr, it, de, zh-CN, ar; else as the browser says"},
        tells_people=(404, 500, 503),
    ),
    ("GET", "/openapi.json"): Operation("This document", "About"),
    ("POST", "/v1/webhooks"): Operation(
        "Be told: a new endpoint, its secret shown this once",
        "Webhooks",
        ("brand",),
        body=webhook_shapes.NewEndpoint,
        answer=subscribe.EndpointWithSecret,
        status=201,
        problems=(400, 409, 422),
    ),
    ("GET", "/v1/webhooks"): Operation(
        "Your endpoints", "Webhooks", ("brand",), answer=webhook_shapes.EndpointList
    ),
    ("GET", "/v1/webhooks/{endpoint_id}"): Operation(
        "One endpoint", "Webhooks", ("brand",), answer=subscribe.EndpointView, problems=(404,)
    ),
    ("POST", "/v1/webhooks/{endpoint_id}/rotate"): Operation(
        "A new secret, shown this once; the old one also signs for a day",
        "Webhooks",
        ("brand",),
        answer=subscribe.EndpointWithSecret,
        problems=(404, 409),
    ),
    ("POST", "/v1/webhooks/{endpoint_id}/disable"): Operation(
        "Send nothing more there", "Webhooks", ("brand",), answer=subscribe.EndpointView, problems=(404,)
    ),
    ("POST", "/v1/webhooks/{endpoint_id}/enable"): Operation(
        "Send there again", "Webhooks", ("brand",), answer=subscribe.EndpointView, problems=(404,)
    ),
    ("POST", "/v1/webhooks/{endpoint_id}/replay"): Operation(
        "Tell it again, with the same ids",
        "Webhooks",
        ("brand",),
        body=webhook_shapes.ReplayQuestion,
        answer=webhook_shapes.ReplayAnswer,
        status=202,
        problems=(400, 404, 409, 422),
    ),
    ("GET", "/v1/webhooks/{endpoint_id}/attempts"): Operation(
        "What was sent there, and how each try ended",
        "Webhooks",
        ("brand",),
        answer=webhook_shapes.NoticeList,
        query=PAGE,
        problems=(400, 404, 422),
    ),
    ("POST", "/v1/lists"): Operation(
        "Begin a list of clients: whom to enrol, or whom a campaign is for",
        "Clients",
        ("brand",),
        body=ListStart,
        answer=Roster,
        status=201,
        problems=(400, 409, 422),
    ),
    ("GET", "/v1/lists"): Operation(
        "Your lists, the last begun first",
        "Clients",
        ("brand",),
        answer=RosterPage,
        query=PAGE,
        problems=(400, 422),
    ),
    ("GET", "/v1/lists/{list_id}"): Operation(
        "How a list stands: how many were enrolled, or how many faults there are",
        "Clients",
        ("brand",),
        answer=Roster,
        problems=(404,),
    ),
    ("PUT", "/v1/lists/{list_id}/parts/{number}"): Operation(
        "One part of the file, cut anywhere, at most 1,000,000 bytes",
        "Clients",
        ("brand",),
        raw_body=tuple(lists.PART_KINDS),
        answer=Have,
        problems=(400, 404, 409, 413, 422),
    ),
    ("POST", "/v1/lists/{list_id}/finish"): Operation(
        "No more parts: read the whole, and enrol everybody or nobody",
        "Clients",
        ("brand",),
        body=ListParts,
        answer=Roster,
        status=202,
        problems=(400, 404, 409, 413, 422),
    ),
    ("GET", "/v1/lists/{list_id}/faults"): Operation(
        "What is wrong with a list, by row and column; personal data is never repeated",
        "Clients",
        ("brand",),
        answer=FaultList,
        query={"rows": "1 to 1000, 100 when absent", "cursor": PAGE["cursor"]},
        pages=lists.KINDS[1:],
        problems=(400, 404, 422),
    ),
    ("GET", "/v1/markets/{market_id}/board"): Operation(
        "The queue as the board shows it: counters, and every open gift, the most at risk first",
        "Board",
        ("operator",),
        answer=BoardView,
        problems=(404,),
    ),
    ("GET", "/v1/markets/{market_id}/zones"): Operation(
        "Which drawn zones there are at a point, at any moment",
        "Rules",
        BOTH,
        answer=draw.ZonesHere,
        query={"lng": "longitude", "lat": "latitude", "at": "when; absent: now"},
        problems=(404, 422),
    ),
    ("POST", "/v1/orders/{order_id}/deeds"): Operation(
        "Act on an order by hand: give it to somebody else, hold it, let it go, cancel it or call it back",
        "Orders",
        ("operator",),
        body=NewDeed,
        answer=OrderView,
        status=202,
        headers=("If-Match",),
        problems=(404, 409, 412, 422, 428),
    ),
    ("POST", "/v1/board/links"): Operation(
        "A way to the board for one dispatcher: good once, for a quarter of an hour",
        "Board",
        ("operator",),
        body=entrance.NewLink,
        answer=entrance.MadeLink,
        status=201,
        problems=(400, 422),
    ),
    ("DELETE", "/v1/board/dispatchers/{who}"): Operation(
        "End every session that this dispatcher has open; a new link lets in again",
        "Board",
        ("operator",),
        status=204,
        problems=(404, 503),
    ),
    ("POST", "/v1/campaigns"): Operation(
        "One gift for many clients: gather them, and foresee who could get it; nothing is sent before it is placed",
        "Campaigns",
        ("brand",),
        body=NewCampaign,
        answer=CampaignView,
        status=202,
        headers=("Idempotency-Key",),
        problems=(400, 409, 413, 422),
    ),
    ("GET", "/v1/campaigns"): Operation(
        "Your campaigns, the last begun first",
        "Campaigns",
        ("brand",),
        answer=CampaignPage,
        query=PAGE,
        problems=(400, 422),
    ),
    ("GET", "/v1/campaigns/{campaign_id}"): Operation(
        "How far a campaign is, and its dry run by reason, district and tier",
        "Campaigns",
        ("brand",),
        answer=CampaignView,
        problems=(404,),
    ),
    **{
        ("POST", f"/v1/campaigns/{{campaign_id}}/{verb}"): Operation(
            words,
            "Campaigns",
            ("brand",),
            answer=CampaignView,
            status=202,
            headers=("If-Match",),
            problems=(400, 404, 409, 412, 428),
        )
        for verb, words in {
            "plan": "Foresee it once more, under the rules and with the places of now",
            "place": "Place it, or go on after a pause: an order for each client, and for nobody two",
            "pause": "Place no more until told so",
        }.items()
    },
    ("POST", "/v1/campaigns/{campaign_id}/cancel"): Operation(
        "Call it off: place no more, and cancel what no courier has yet if that is wished",
        "Campaigns",
        ("brand",),
        body=Calling,
        answer=CampaignView,
        status=202,
        headers=("If-Match",),
        problems=(400, 404, 409, 412, 413, 422, 428),
    ),
    ("GET", "/v1/campaigns/{campaign_id}/clients"): Operation(
        "Client by client: what was foreseen, the order, and why there is none",
        "Campaigns",
        ("brand",),
        answer=OutcomePage,
        query={"rows": "1 to 1000, 100 when absent", "cursor": PAGE["cursor"]},
        pages=lists.KINDS[1:],
        problems=(400, 404, 422),
    ),
    ("POST", "/v1/campaigns/{campaign_id}/report"): Operation(
        "Have a report made of how its orders stand",
        "Campaigns",
        ("brand",),
        answer=Reporting,
        status=202,
        problems=(404,),
    ),
    ("GET", "/v1/campaigns/{campaign_id}/report"): Operation(
        "The last report: orders by state, tier, district and reason",
        "Campaigns",
        ("brand",),
        answer=CampaignReport,
        pages=lists.KINDS[1:],
        problems=(404,),
    ),
    ("GET", "/v1/markets"): Operation("Every market", "Markets", BOTH, answer=market_shapes.MarketList),
    ("GET", "/v1/markets/{market_id}"): Operation(
        "One market", "Markets", BOTH, answer=Market, problems=(404,)
    ),
    ("PUT", "/v1/markets/{market_id}"): Operation(
        "Open or change a market",
        "Markets",
        ("operator",),
        body=Market,
        answer=Market,
        problems=(400, 409, 422),
    ),
    ("GET", "/v1/markets/{market_id}/fleet"): Operation(
        "The whole fleet, and what each slot has left",
        "Fleet",
        BOTH,
        answer=market_shapes.FleetView,
        problems=(404,),
    ),
    ("GET", "/v1/markets/{market_id}/plan"): Operation(
        "How the last round of planning shared what there was: who was served and left by rank, brand and district, "
        "what one more place in each full slot would be worth, and the proof",
        "Markets",
        ("operator",),
        answer=PlanView,
        problems=(404,),
    ),
    ("GET", "/v1/markets/{market_id}/suspicions"): Operation(
        "Compounds that couriers could not get into within a day: closures that nobody has announced",
        "Markets",
        ("operator",),
        answer=market_shapes.SuspicionList,
        problems=(404,),
    ),
    ("DELETE", "/v1/markets/{market_id}/suspicions/{suspicion_id}"): Operation(
        "Take a suspicion back: somebody has looked, and gifts go there again",
        "Markets",
        ("operator",),
        status=204,
        problems=(404, 503),
    ),
    **_members("couriers", "courier_id", Courier, "a courier company"),
    **_members("crews", "crew_id", Crew, "a crew with its credentials"),
    **_members("permits", "permit_id", Permit, "a permit"),
    **_members("slots", "slot_id", Slot, "a slot of capacity"),
    ("GET", "/v1/rulebooks"): Operation(
        "The rule books that ship, and the policies that an upload can name from them",
        "Rules",
        BOTH,
        answer=BookList,
    ),
    ("GET", "/v1/rulebooks/{book_id}"): Operation(
        "One rule book: every policy with its days, its source, and what no source confirms",
        "Rules",
        BOTH,
        answer=Book,
        problems=(404,),
    ),
    ("GET", "/v1/markets/{market_id}/rules"): Operation(
        "The rules in force", "Rules", BOTH, answer=Pointer, problems=(404,)
    ),
    ("POST", "/v1/markets/{market_id}/rules/uploads"): Operation(
        "Begin an upload of rules",
        "Rules",
        BOTH,
        body=UploadStart,
        answer=Upload,
        status=201,
        problems=(400, 404, 409, 422),
    ),
    ("GET", "/v1/markets/{market_id}/rules/uploads/{upload_id}"): Operation(
        "How an upload stands, its difference or its faults", "Rules", BOTH, answer=Upload, problems=(404,)
    ),
    ("PUT", "/v1/markets/{market_id}/rules/uploads/{upload_id}/parts/{number}"): Operation(
        "One part: policies, GeoJSON features, releases; or a piece of an official file; at most 1,000,000 bytes",
        "Rules",
        BOTH,
        raw_body=("application/json", "application/octet-stream"),
        answer=Have,
        problems=(400, 404, 409, 413, 422),
    ),
    ("POST", "/v1/markets/{market_id}/rules/uploads/{upload_id}/finish"): Operation(
        "No more parts: validate the whole, and publish it or refuse it",
        "Rules",
        BOTH,
        body=Finish,
        answer=Upload,
        status=202,
        problems=(400, 404, 409, 422),
    ),
    ("POST", "/v1/markets/{market_id}/impact"): Operation(
        "Ask what a change of the rules would do to open orders, before it is made; nothing is changed",
        "Rules",
        BOTH,
        body=ImpactQuestion,
        answer=ImpactView,
        status=202,
        headers=("Idempotency-Key",),
        problems=(400, 404, 409, 413, 422),
    ),
    ("GET", "/v1/markets/{market_id}/impact/{impact_id}"): Operation(
        "How far the answer is; and which orders it touches, the most urgent first",
        "Rules",
        BOTH,
        answer=ImpactView,
        query=PAGE,
        problems=(400, 404, 422),
    ),
    ("GET", "/v1/programme"): Operation(
        "Your programme", "Programme", ("brand",), answer=Programme, problems=(404,)
    ),
    ("PUT", "/v1/programme"): Operation(
        "Set up your programme, whole: tiers by what was spent, and how often a client is given to. If-Match on change",
        "Programme",
        ("brand",),
        body=NewProgramme,
        answer=Programme,
        may_send=(
            "If-Match",
            "X-Acting-Staff",
        ),
        problems=(400, 412, 422, 428),
    ),
    ("GET", "/v1/clients/{reference}/standing"): Operation(
        "Which tier a client has, what it rests on, until when, and every change of it",
        "Programme",
        ("brand", "associate"),
        answer=rank.StandingView,
        problems=(403, 404, 410),
    ),
    ("POST", "/v1/clients/{reference}/purchases"): Operation(
        "Count in what a client has bought or given back: each once, by your own name for it",
        "Programme",
        ("brand",),
        body=NewPurchases,
        answer=rank.StandingView,
        may_send=("X-Acting-Staff",),
        problems=(400, 404, 409, 410, 422),
    ),
    ("POST", "/v1/clients/{reference}/grants"): Operation(
        "Grant a client a tier; X-Acting-Staff names who does",
        "Programme",
        ("brand",),
        body=NewGrant,
        answer=Grant,
        status=201,
        headers=("X-Acting-Staff",),
        problems=(400, 404, 409, 410, 422),
    ),
    ("DELETE", "/v1/clients/{reference}/grants/{grant}"): Operation(
        "Take a grant back; X-Acting-Staff names who does",
        "Programme",
        ("brand",),
        answer=Grant,
        headers=("X-Acting-Staff",),
        problems=(400, 404, 410),
    ),
    ("GET", "/v1/clients/{reference}/acts"): Operation(
        "Who did what for a client, the last first",
        "Programme",
        ("brand", "associate"),
        answer=acts.ActList,
        query=PAGE,
        problems=(400, 404, 410, 422),
    ),
    ("GET", "/v1/associates"): Operation("Your associates", "Programme", ("brand",), answer=AssociateList),
    ("PUT", "/v1/associates/{associate_id}"): Operation(
        "Name an associate, who acts for clients of his own with a key of his own. If-Match on change",
        "Programme",
        ("brand",),
        body=NewAssociate,
        answer=AssociateView,
        may_send=("If-Match",),
        problems=(400, 412, 422, 428),
    ),
    ("GET", "/v1/associates/{associate_id}"): Operation(
        "One associate", "Programme", ("brand",), answer=AssociateView, problems=(404,)
    ),
    ("POST", "/v1/keys"): Operation(
        "A new key, its secret shown this once",
        "Keys",
        ("operator",),
        body=key_shapes.NewKey,
        answer=key_shapes.CreatedKey,
        status=201,
        problems=(400, 422),
    ),
    ("DELETE", "/v1/keys/{key_hash}"): Operation(
        "Disable a key", "Keys", ("operator",), answer=key_shapes.DisabledKey, problems=(404,)
    ),
}


PEOPLE: dict[tuple[str, str], int] = {
    ("GET", "/enter"): 200,
    ("POST", "/enter"): 401,
    ("GET", "/enter/oidc"): 401,
    ("GET", "/enter/oidc/back"): 401,
    ("POST", "/leave"): 401,
    ("GET", "/static/{digest}/{name}"): 404,
    ("GET", "/board"): 401,
    ("GET", "/board/{market_id}"): 401,
    ("GET", "/board/{market_id}/queue"): 401,
    ("GET", "/board/{market_id}/gifts"): 401,
    ("GET", "/board/{market_id}/orders/{order_id}"): 401,
    ("GET", "/board/{market_id}/orders/{order_id}/evidence"): 401,
    ("POST", "/board/{market_id}/orders/{order_id}/{deed}"): 401,
    ("GET", "/board/{market_id}/map"): 401,
    ("GET", "/board/{market_id}/zones/{digest}/{number}"): 401,
    ("GET", "/board/{market_id}/campaigns"): 401,
    ("GET", "/board/{market_id}/progress"): 401,
    ("GET", "/board/{market_id}/campaigns/{campaign_id}"): 401,
    ("POST", "/board/{market_id}/campaigns/{campaign_id}/{deed}"): 401,
    ("GET", "/board/{market_id}/couriers"): 401,
    ("POST", "/board/{market_id}/couriers/{courier_id}/{deed}"): 401,
    ("GET", "/board/{market_id}/suspicions"): 401,
    ("POST", "/board/{market_id}/suspicions/{suspicion_id}/dismiss"): 401,
    ("GET", "/board/{market_id}/log"): 401,
    ("GET", "/board/{market_id}/whatif"): 401,
    ("POST", "/board/{market_id}/whatif"): 401,
    ("GET", "/board/{market_id}/whatif/{impact_id}"): 401,
}
"""Pages for people, which no program is invited to read and the document leaves out: what each says to whoever proves
nothing, or names no file of this release."""


def document(operations: Mapping[tuple[str, str], Operation] = OPERATIONS) -> dict[str, Any]:
    """The whole document."""
    used = {
        m for op in operations.values() for m in (op.body, op.answer, op.operators_answer) if m is not None
    }
    models = sorted(used | {Problem, CloudEvent}, key=lambda m: m.__name__)
    modes = [(model, "validation") for model in models]
    _, schemas = models_json_schema(modes, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    refused = {
        status
        for (_, path), operation in operations.items()
        for status in _refusals(operation, names_of(path))
    }
    whole: dict[str, Any] = {
        "openapi": "3.1.1",
        "info": {"title": "Cordon", "version": "1.0.0", "description": DESCRIPTION},
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "paths": dict(_paths(operations)),
        "webhooks": {"order": {"post": _webhook()}},
        "components": {
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key of ours: brand, associate, operator, source, partner.",
                }
            },
            "responses": {_named(status): _problem(status) for status in sorted(refused)},
        },
    }
    # pydantic lists shapes that nothing refers to, some or none by what was built before
    whole["components"]["schemas"] = referred_to(whole, schemas["$defs"])
    return whole


def referred_to(inside: object, schemas: Mapping[str, Any]) -> dict[str, Any]:
    """Of the schemas, those that are named in there, and those that these name."""
    found: dict[str, Any] = {}
    waiting = [inside]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            name = str(part.get("$ref", "")).removeprefix("#/components/schemas/")
            if name in schemas and name not in found:
                found[name] = schemas[name]
                waiting.append(schemas[name])
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    return found


def names_of(path: str) -> list[str]:
    """The names in a path, in their order."""
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


def _paths(operations: Mapping[tuple[str, str], Operation]) -> Iterator[tuple[str, dict[str, Any]]]:
    paths: dict[str, dict[str, Any]] = {}
    for (method, path), operation in operations.items():
        paths.setdefault(path, {})[method.lower()] = _operation(method, path, operation)
    yield from sorted(paths.items())


def _operation(method: str, path: str, operation: Operation) -> dict[str, Any]:
    names = names_of(path)
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": _shape(name)} for name in names
    ]
    parameters += [
        {
            "name": name,
            "in": "header",
            "required": name in operation.headers,
            "description": HEADERS[name],
            "schema": _shape(name),
        }
        for name in (*operation.headers, *operation.may_send)
    ]
    parameters += [
        {"name": name, "in": "query", "description": text, "schema": _shape(name)}
        for name, text in operation.query.items()
    ]
    answer: dict[str, Any] = {"description": operation.summary}
    if operation.answer is not None:
        schema: dict[str, Any] = _ref(operation.answer)
        if operation.operators_answer is not None:
            answer["description"] += ". Operators get more than brands do."
            schema = {"anyOf": [schema, _ref(operation.operators_answer)]}
        answer["content"] = {"application/json": {"schema": schema}}
    if operation.pages:
        if "content" in answer:
            answer["description"] += " As JSON, or as one page of plain words if Accept asks for that."
        answer.setdefault("content", {}).update(
            {kind: {"schema": {"type": "string"}} for kind in operation.pages}
        )
    responses: dict[str, Any] = {str(operation.status): answer}
    for status in sorted(_refusals(operation, names)):
        responses[str(status)] = {"$ref": f"#/components/responses/{_named(status)}"}
    for status in operation.tells_people:
        told = {"description": "Told on a page", "content": {"text/html": {"schema": {"type": "string"}}}}
        responses[str(status)] = told
    words = [part.strip("{}") for part in path.split("/") if part and part != "v1"]
    document: dict[str, Any] = {
        "operationId": "_".join([method.lower(), *words]).replace(".", "_"),
        "summary": operation.summary,
        "tags": [operation.tag],
        "responses": responses,
    }
    if operation.roles:
        document["description"] = f"For keys with the role {' or '.join(operation.roles)}."
    else:
        document["security"] = []
    if parameters:
        document["parameters"] = parameters
    if operation.body is not None:
        document["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _ref(operation.body)}},
        }
    elif operation.raw_body:
        document["requestBody"] = {
            "required": True,
            "content": {kind: {"schema": {}} for kind in operation.raw_body},
        }
    return document


def _refusals(operation: Operation, names: list[str]) -> set[int]:
    """What it can answer in place of what was asked for: its own problems, and those of its kind."""
    takes_body = operation.body is not None or bool(operation.raw_body)
    return {
        *operation.problems,
        *ANYWHERE,
        *((401, 403) if operation.roles else ()),
        *((404,) if names else ()),
        *((400, 413) if takes_body else ()),
        *((422,) if operation.body is not None else ()),
        *((400,) if operation.headers or operation.may_send or operation.query else ()),
        *((422,) if operation.query else ()),
    }


def _shape(name: str) -> dict[str, Any]:
    return SHAPES.get(name, {"type": "string", "pattern": NAME})


def _named(status: int) -> str:
    return f"Problem{status}"


def _problem(status: int) -> dict[str, Any]:
    # of the tree's own: which of the flows' refusals are there depends on what was imported before
    kinds = [kind for kind in Refused.__subclasses__() if kind.__module__ == Refused.__module__]
    words = {kind.status: kind.title for kind in kinds if kind is not Uncarriable}
    return {
        "description": ANYWHERE.get(status, words.get(status, "")),
        "content": {"application/problem+json": {"schema": _ref(Problem)}},
    }


def _webhook() -> dict[str, Any]:
    return {
        "summary": "An order entered a state",
        "description": "Sent to your webhook endpoints, signed by Standard Webhooks; at least once, in any order.",
        "requestBody": {"content": {"application/cloudevents+json": {"schema": _ref(CloudEvent)}}},
        "responses": {"2XX": {"description": "Taken"}, "410": {"description": "Send no more here"}},
    }


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def undocumented() -> list[str]:
    """Routes without a line here, and lines without a route."""
    from app import app

    routes = {(method, path) for path, methods in app.routes.items() for method in methods}
    return sorted(f"{method} {path}" for method, path in routes ^ (OPERATIONS.keys() | PEOPLE.keys()))


def main(arguments: list[str]) -> int:
    missing = undocumented()
    if missing:
        print("routes and document differ in:", *missing, sep="\n  ", file=sys.stderr)
        return 1
    text = json.dumps(document(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    if "--check" in arguments:
        if not DOCUMENT.exists() or DOCUMENT.read_text(encoding="utf-8") != text:
            print("chalicelib/openapi.json has drifted from the models: run `make openapi`", file=sys.stderr)
            return 1
        return 0
    DOCUMENT.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
