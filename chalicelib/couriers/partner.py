"""Cordon's own booking API, for a boutique's drivers or any local fleet: the fleet serves it, Cordon asks.

JSON over HTTPS under a bearer key; a job is put under our reference, as often as need be; what becomes of it is told
by callbacks under Standard Webhooks. Published as `docs/partner-api.json`, made from the shapes below by
`cli/partner_api.py`, and explained in `docs/partner-api.md`.

An account holds:

    base_url        where the fleet's API begins, https:// (http:// on loopback alone)
    api_key         sent as the bearer
    webhook_secret  signs callbacks: whsec_ and 24 bytes or more in base64
    datum           optional, WGS84: the frame in which the fleet wants coordinates (GCJ02, BD09)

Sources: the scheme of callbacks is Standard Webhooks (github.com/standard-webhooks/standard-webhooks, spec, and its
published vector in `../shared/data/couriers/signature_vectors.json`); problem details are RFC 9457. The rest is ours.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)

from chalicelib.domain.dialect import (
    Account,
    BookAnswer,
    Booked,
    Callback,
    CancelAnswer,
    CancelConfirmed,
    CancelRefused,
    CancelUnknown,
    Found,
    Heard,
    Job,
    LookUpAnswer,
    NotFound,
    NotTaken,
    QuoteAnswer,
    Quoted,
    Reply,
    Request,
    Token,
    Trust,
    Unsure,
)
from chalicelib.domain.errors import Malformed, Unanswered, Unauthorised, Uncarriable
from chalicelib.domain.fleet import Proof
from chalicelib.domain.gifts import IDENTITY_FOR, ItemClass, TemperatureRange
from chalicelib.domain.legs import ENDS, Event, EventKind, Proven, order_of
from chalicelib.domain.places import Coordinate, Datum, Place
from chalicelib.domain.policies import TO_THE_CLIENT, Handover
from chalicelib.domain.shapes import Foreign, Instant, Money, Shape, Slug, TimeZone, zone_info

WINDOW = timedelta(seconds=300)
"""How far a callback's `webhook-timestamp` may lie from now: what Standard Webhooks' own libraries take."""
SECRET_BYTES = range(24, 65)
"""What the specification asks of a secret. A shorter one proves little, an empty one nothing."""

STATUSES: Mapping[str, EventKind] = {
    kind.value: kind for kind in EventKind if kind is not EventKind.UNREADABLE
}
"""What follows `job.` in an event's type: the words are ours."""

REFUSALS: Mapping[str, bool] = {
    "no_rider": False,
    "outside_hours": False,
    "start_too_soon": False,
    "quote_expired": False,
    "closed_area": True,
    "out_of_area": True,
    "address_not_found": True,
    "cannot_access_location": True,
    "goods_refused": True,
    "hand_over_refused": True,
    "proof_refused": True,
    "currency_unknown": True,
    "account_unpaid": True,
    "account_refused": True,
    "bad_arguments": True,
}
"""Why a fleet does not take a job, and whether that holds for all of it where it does not say so itself."""

FAILURES = (
    "client_unavailable",
    "client_refused",
    "address_not_found",
    "cannot_access_location",
    "closed_area",
    "not_cleared",
    "shop_closed",
    "gift_not_ready",
    "gift_damaged",
    "gift_lost",
    "no_rider",
    "vehicle_broke_down",
    "cancelled_by_sender",
)
"""Why a job came to another end, or turned back."""

PROOFS = 10
"""So many of an event are kept."""


# --- shapes: what is published ------------------------------------------------------------------------------
# Their own, down to what is said of an address and of a person: what is added to ours leaves the house on purpose only.


def _or_nothing(value: object, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read(value)
    except ValidationError:
        return None


_Odd = WrapValidator(_or_nothing)
"""What may be missing or odd without harm: an unreadable fee undoes no booking."""

Reason = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
"""A reason as a word; a pattern so narrow that no sentence about a person passes for one."""
Code = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z-]{3,12}$")]


class Address(Shape):
    """Where, in parts, and as one line for a person to read."""

    country: str = Field(examples=["CN"])
    city: str
    district: str
    street: str | None = None
    compound: str | None = None
    building: str | None = None
    unit: str | None = None
    line: str


class Contact(Shape):
    """A person to take the gift from, or to hand it to. For the crew of this job and nobody else."""

    name: str
    phone: str = Field(description="E.164.", examples=["+8613800138000"])


class PickUp(Shape):
    """Where the gift is fetched."""

    name: str = Field(description="Of the shop.")
    address: Address
    coordinate: Coordinate
    contact: Contact
    not_before: AwareDatetime = Field(description="Nobody is cleared to come earlier.")


class DropOff(Shape):
    """Where it goes, and to whom."""

    address: Address
    coordinate: Coordinate
    contact: Contact


class Piece(Shape):
    """So many of one kind of thing."""

    item_class: ItemClass
    quantity: int
    value: Money = Field(description="Of one piece.")
    temperature: TemperatureRange | None = Field(
        default=None, description="What it has to be kept at; absent: any temperature does."
    )
    grams: int | None = Field(default=None, description="What one piece weighs, packed, where that is known.")
    millilitres: int | None = Field(
        default=None, description="The room that one piece takes, packed, where that is known."
    )


class Item(Piece):
    """The same by its name."""

    name: str


class JobRequest(Shape):
    """One gift to be carried."""

    reference: str = Field(max_length=64, description="Our name for the job, as in the path.")
    quote_id: str | None = Field(default=None, description="Of your quote that this follows.")
    pick_up: PickUp
    drop_off: DropOff
    deliver_from: AwareDatetime = Field(description="Not handed over before this.")
    deliver_by: AwareDatetime = Field(description="Nor after this: nobody is cleared for it then.")
    time_zone: TimeZone = Field(description="Whose clock the people at the door read.")
    handover: Handover = Field(
        description="How it changes hands. At gate, shelf and collection_point the crew does not go in."
    )
    gate: str | None = Field(
        default=None,
        max_length=80,
        description="Which gate, in the client's words, where it is handed over at one. Absent: nobody has said.",
    )
    proofs: tuple[Proof, ...] = Field(description="What you are to bring back; see the guide.")
    items: tuple[Item, ...] = Field(description="What is in the parcel.")
    dwell_limit_minutes: int | None = Field(
        default=None, description="From pick-up to hand-over at the most."
    )
    visit_minutes: int | None = Field(
        default=None,
        description="A visit: the team arrives between deliver_from and deliver_by, stays so long, says job.delivered "
        "when it leaves the client, and brings back to the shop what was not sold. Absent: a parcel.",
    )
    safeguarded: bool | None = Field(
        default=None,
        description="A gift of great value: nobody else's rides with it, the crew reads its seal at both ends, and is "
        "told a code by the client. Absent: it is not.",
    )


class Area(Shape):
    """Where, to some hundred metres: a price needs no door."""

    country: str
    city: str
    district: str
    compound: str | None = None
    coordinate: Coordinate


class QuoteRequest(Shape):
    """What would it cost? Nobody's name, number or door: only who gets the job learns for whom it is."""

    pick_up: Area
    drop_off: Area
    pick_up_not_before: AwareDatetime
    deliver_from: AwareDatetime
    deliver_by: AwareDatetime
    time_zone: TimeZone
    handover: Handover
    proofs: tuple[Proof, ...]
    items: tuple[Piece, ...]
    dwell_limit_minutes: int | None = None


class Quote(Foreign):
    """A price. It binds you, if you wish, for a booking that names it; it binds us to nothing."""

    fee: Money
    quote_id: Annotated[Slug | None, _Odd] = None
    expires_at: Annotated[Instant | None, _Odd] = None


class ProofNote(Foreign):
    """Something brought back, by your own name for it. What it shows, a face or a signature, stays with you."""

    kind: Proof
    reference: Slug = Field(description="No address and no name of a person.")


HandOverCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]


class EventData(Foreign):
    """What happened to which job."""

    reference: str = Field(min_length=1, max_length=128)
    job_id: Slug
    reason: Annotated[
        Reason | None,
        _Odd,
        Field(
            description="Why it failed or turns back. One of these, or a word of your own.",
            examples=[*FAILURES],
        ),
    ] = None
    correction: bool | None = Field(default=None, description="An end that you told earlier was wrong.")
    proofs: tuple[Annotated[ProofNote | None, _Odd], ...] | None = None
    seal: Annotated[
        Slug | None,
        _Odd,
        Field(
            description="Of a safeguarded job: the number on its seal, read at the pick-up and at the hand-over."
        ),
    ] = None
    code: Annotated[
        HandOverCode | None,
        _Odd,
        Field(description="Of a safeguarded job: the six digits that the client said to the crew."),
    ] = None


class JobEvent(Foreign):
    """One thing that happened. A callback's body, and word for word the `last_event` of the job."""

    id: Slug = Field(description="Yours; the same in each try and each double. Send it as `webhook-id`, too.")
    type: Annotated[
        str,
        StringConstraints(min_length=1, max_length=64),
        WithJsonSchema({"type": "string", "enum": [f"job.{status}" for status in STATUSES]}),
    ]
    timestamp: Instant = Field(description="When it happened, not when it is told: the order of truth.")
    data: EventData


class Codes(Foreign):
    """The codes that the proofs need: said by the shop, and by the client. The same at every repeat."""

    pickup_code: Annotated[Code | None, _Odd] = None
    receipt_code: Annotated[Code | None, _Odd] = None


class TakenJob(Foreign):
    """A job as you hold it: the answer to a booking and to a look-up."""

    model_config = ConfigDict(json_schema_extra={"required": ["reference", "job_id", "last_event"]})

    reference: str
    job_id: Slug = Field(description="Your name for it.")
    fee: Annotated[Money | None, _Odd] = None
    codes: Annotated[Codes | None, _Odd] = None
    last_event: Annotated[JobEvent | None, _Odd, Field(description="At first a `job.accepted`.")] = None


class CancelRequest(Shape):
    """Stop."""

    reason: Reason


class Gone(StrEnum):
    """Where the gift of a cancelled job is."""

    NOT_PICKED_UP = "not_picked_up"
    RETURNING = "returning"
    RETURNED = "returned"


class Cancellation(Foreign):
    """It is cancelled. The same answer at every repeat."""

    reference: str
    job_id: Slug
    gift: Annotated[
        str,
        StringConstraints(min_length=1, max_length=64),
        WithJsonSchema({"type": "string", "enum": [*Gone]}),
    ] = Field(description="Never with a crew that goes on: a gift that was picked up comes back.")
    fee: Annotated[Money | None, _Odd, Field(description="What it costs all the same.")] = None


class Refusal(Foreign):
    """RFC 9457 problem details with the two members that are read; the others are for people."""

    model_config = ConfigDict(json_schema_extra={"required": ["title", "status", "reason"]})

    type: Annotated[str | None, _Odd] = None
    title: Annotated[str | None, _Odd] = None
    status: Annotated[int | None, _Odd] = None
    detail: Annotated[str | None, _Odd, Field(description="Not read, not kept, not logged.")] = None
    reason: Reason = Field(description="One of these, or a word of your own.", examples=[*REFUSALS])
    whole_fleet: Annotated[
        bool | None, _Odd, Field(description="Nobody else of yours would take it, at no other time.")
    ] = None


# --- the dialect --------------------------------------------------------------------------------------------


class Partner:
    """The language of Cordon's own booking API."""

    name = "partner"
    trust: Trust = "signed"
    proofs = frozenset(Proof)
    settle = timedelta(minutes=2)
    cancels_by_id = False
    takes_visits = True

    # --- asking ---

    def login(self, account: Account) -> Request | None:
        """The key is in each request."""
        return None

    def logged_in(self, reply: Reply, at: datetime) -> Token:
        raise Unanswered("a fleet that speaks Cordon's API has no login")

    def quote(self, account: Account, token: str, job: Job, at: datetime) -> Request:
        asked = QuoteRequest(
            pick_up=_area(account, job.pick_up),
            drop_off=_area(account, job.recipient.place),
            pick_up_not_before=_local(job.starts_at, job),
            deliver_from=_local(job.deliver_from, job),
            deliver_by=_local(job.deliver_by, job),
            time_zone=job.time_zone,
            handover=job.handover,
            proofs=_asked_for(job),
            items=tuple(Piece.model_validate(item, from_attributes=True) for item in job.gift.items),
            dwell_limit_minutes=job.gift.dwell_limit_minutes,
        )
        return _request(account, "POST", "quotes", asked)

    def quoted(self, reply: Reply, job: Job, at: datetime) -> QuoteAnswer:
        if reply.status != 200:
            return _no(reply)
        price = _read(Quote, reply.body)
        if price is None:
            return Unsure("no_fee")
        if price.expires_at is not None and price.expires_at <= at:
            return Unsure("quote_expired")
        return Quoted(price.fee, price.quote_id, price.expires_at)

    def book(self, account: Account, token: str, job: Job, at: datetime) -> Request:
        """PUT under our reference: the same words at every repeat, whenever it is made."""
        asked = JobRequest(
            reference=job.reference,
            quote_id=job.quote_id,
            pick_up=PickUp(
                name=job.pick_up_name,
                address=Address.model_validate(job.pick_up.address, from_attributes=True),
                coordinate=_point(account, job.pick_up.coordinate),
                contact=Contact.model_validate(job.pick_up_contact, from_attributes=True),
                not_before=_local(job.starts_at, job),
            ),
            drop_off=DropOff(
                address=Address.model_validate(job.recipient.place.address, from_attributes=True),
                coordinate=_point(account, job.recipient.place.coordinate),
                contact=Contact(name=job.recipient.name, phone=job.recipient.phone),
            ),
            deliver_from=_local(job.deliver_from, job),
            deliver_by=_local(job.deliver_by, job),
            time_zone=job.time_zone,
            handover=job.handover,
            gate=job.gate or None,
            proofs=_asked_for(job),
            items=tuple(Item.model_validate(item, from_attributes=True) for item in job.gift.items),
            dwell_limit_minutes=job.gift.dwell_limit_minutes,
            visit_minutes=job.visit_minutes,
            safeguarded=job.is_safeguarded or None,
        )
        return _request(account, "PUT", _job(job.reference), asked, {"idempotency-key": job.reference})

    def booked(self, reply: Reply, job: Job) -> BookAnswer:
        """201, or 200 for a repeat, with the job; one that has come to its end meanwhile is looked up."""
        if reply.status not in (200, 201):
            return _no(reply)
        taken = _read(TakenJob, reply.body)
        if taken is None:
            return Unsure("unreadable")
        if taken.reference != job.reference:
            return Unsure("another_job")
        if taken.last_event is not None and _kind(taken.last_event) in ENDS:
            return Unsure("ended_already")
        return Booked(taken.job_id, taken.fee, _codes(taken))

    def cancel(
        self, account: Account, token: str, reference: str, delivery_id: str | None, reason: str, at: datetime
    ) -> Request:
        word = re.sub("[^a-z0-9_]", "_", reason.lower())[:40]
        asked = CancelRequest(reason=word if word[:1].isalpha() else "other")
        return _request(account, "POST", f"{_job(reference)}/cancel", asked)

    def cancelled(self, reply: Reply) -> CancelAnswer:
        """200 is the end of it and says where the gift is; of one that has come back the look-up tells.

        409 is a no, and of a job that had ended it says nothing new: the look-up does.
        """
        if reply.status == 200:
            gone = _read(Cancellation, reply.body)
            if gone is None:
                return Unsure("unreadable")
            return CancelConfirmed(gone.fee, _COMES_BACK.get(gone.gift))
        refusal = _read(Refusal, reply.body)
        if refusal is not None and (reply.status, refusal.reason) == (404, "unknown_job"):
            return CancelUnknown()
        if refusal is not None and reply.status == 409 and refusal.reason != "ended_already":
            return CancelRefused(refusal.reason)
        return _nothing(reply, refusal)

    def look_up(
        self, account: Account, token: str, reference: str, delivery_id: str | None, at: datetime
    ) -> Request:
        return _request(account, "GET", _job(reference))

    def looked_up(self, reply: Reply, reference: str, courier_id: str, at: datetime) -> LookUpAnswer:
        """The job's last event, named as its callback is: told twice it is one. And its codes: the answer to the
        booking may have been lost."""
        if reply.status == 200:
            taken = _read(TakenJob, reply.body)
            if taken is None:
                return Unsure("unreadable")
            last = taken.last_event
            if taken.reference != reference or (last is not None and last.data.reference != reference):
                return Unsure("another_job")
            event = None if last is None else _event(last, courier_id, at, "look_up")
            return Found(taken.job_id, event, _codes(taken))
        refusal = _read(Refusal, reply.body)
        if refusal is not None and (reply.status, refusal.reason) == (404, "unknown_job"):
            return NotFound()
        return _nothing(reply, refusal)

    # --- hearing ---

    def hear(self, accounts: Sequence[Account], callback: Callback, courier_id: str, at: datetime) -> Heard:
        """One event, signed by Standard Webhooks. Types that are not `job.` are acknowledged: a fleet's test ping."""
        if callback.method != "POST":
            raise Unauthorised(f"a callback is sent by 'POST', got {callback.method!r}")
        _prove(accounts, callback, at)
        body = callback.body.removeprefix(b"\xef\xbb\xbf")
        told = _read(_Told, body)
        if told is None:
            raise Malformed("the body is no JSON object with a 'type'")
        if not told.type.startswith("job."):
            return Heard(())
        try:
            said = JobEvent.model_validate_json(body)
        except ValidationError as error:
            faults = error.errors(include_input=False, include_url=False)
            fields = sorted(
                {".".join(str(part) for part in fault["loc"] if part in _FIELDS) for fault in faults}
            )
            raise Malformed(f"an event of a job without proper {fields!r}") from None
        if order_of(said.data.reference) is None:
            return Heard((), foreign=(said.data.reference,))
        return Heard((_event(said, courier_id, at, "callback"),))

    def greet(self, accounts: Sequence[Account], callback: Callback, at: datetime) -> bytes:
        raise Unauthorised("a fleet that speaks Cordon's API does not check the address by 'GET'")


# --- requests -----------------------------------------------------------------------------------------------


def _job(reference: str) -> str:
    return f"jobs/{quote(reference, safe='')}"


def _request(
    account: Account,
    method: str,
    path: str,
    asked: BaseModel | None = None,
    more: Mapping[str, str] | None = None,
) -> Request:
    """Raises `Uncarriable` for an account with which nobody can be asked: nothing goes out in the clear or unsigned."""
    base, key = account.get("base_url", ""), account.get("api_key", "")
    if not (_BASE.fullmatch(base) and _KEY.fullmatch(key)):
        detail = "an account of a partner has a 'base_url' that begins with https:// and an 'api_key'"
        raise Uncarriable(detail, "account_incomplete", whole_courier=True)
    headers = {"authorization": f"Bearer {key}", "accept": "application/json, application/problem+json"}
    body = b""
    if asked is not None:
        headers["content-type"] = "application/json"
        body = asked.model_dump_json(exclude_none=True).encode()
    return Request(method, f"{base.rstrip('/')}/{path}", {**headers, **(more or {})}, body)


_BASE = re.compile(
    r"(https://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])|http://(127\.0\.0\.1|localhost|\[::1\]))"
    r"(:[0-9]{1,5})?(/[A-Za-z0-9._~%/-]*)?"
)
_KEY = re.compile(r"[\x21-\x7e]{16,512}")
"""What a header can carry, and long enough not to be guessed."""


def _local(moment: datetime, job: Job) -> datetime:
    return moment.astimezone(zone_info(job.time_zone))


def _point(account: Account, coordinate: Coordinate, digits: int = 6) -> Coordinate:
    try:
        datum = Datum(account.get("datum") or Datum.WGS84)
    except ValueError:
        detail = f"the 'datum' of a partner's account is one of {[str(one) for one in Datum]!r}"
        raise Uncarriable(detail, "account_incomplete", whole_courier=True) from None
    lng, lat = coordinate.within(datum)
    precision = coordinate.precision_m if digits > 3 else max(coordinate.precision_m, 100.0)
    return Coordinate(lng=round(lng, digits), lat=round(lat, digits), datum=datum, precision_m=precision)


def _area(account: Account, place: Place) -> Area:
    address = place.address
    return Area(
        country=address.country,
        city=address.city,
        district=address.district,
        compound=address.compound,
        coordinate=_point(account, place.coordinate, digits=3),
    )


def _asked_for(job: Job) -> tuple[Proof, ...]:
    """What this fleet can bring back, without what needs a client where none is met."""
    asked = job.proofs
    if job.handover not in TO_THE_CLIENT:
        asked = asked & {Proof.PICKUP_CODE, Proof.PHOTO}
    elif job.gift.item_classes.isdisjoint(IDENTITY_FOR):
        asked = asked - {Proof.IDENTITY}
    return tuple(sorted(asked))


# --- answers and events -------------------------------------------------------------------------------------


class _Told(Foreign):
    """What every message has."""

    type: str = Field(min_length=1, max_length=128)


_Answer = TypeVar("_Answer", bound=BaseModel)


def _read(model: type[_Answer], body: bytes) -> _Answer | None:
    try:
        return model.model_validate_json(body.removeprefix(b"\xef\xbb\xbf"))
    except ValidationError:
        return None


def _no(reply: Reply) -> NotTaken | Unsure:
    """What an answer without a job or a price comes to.

    A no is certain where the fleet's own words give the reason; and a 401, which nobody answers who did something.
    What a proxy on the way says of itself is none.
    """
    refusal = _read(Refusal, reply.body)
    if reply.status == 401:
        return NotTaken("account_refused", whole_courier=True)
    if refusal is None or not 400 <= reply.status < 500 or reply.status in _UNDECIDED:
        return _nothing(reply, refusal)
    whole = REFUSALS.get(refusal.reason, False) if refusal.whole_fleet is None else refusal.whole_fleet
    return NotTaken(refusal.reason, whole)


_UNDECIDED = frozenset({408, 409, 425, 429})
_COMES_BACK: Mapping[str, bool] = {Gone.NOT_PICKED_UP: False, Gone.RETURNING: True}


def _nothing(reply: Reply, refusal: Refusal | None) -> Unsure:
    if reply.status == 401:
        return Unsure("account_refused")
    return Unsure(refusal.reason if refusal is not None and reply.status < 500 else f"http_{reply.status}")


def _codes(taken: TakenJob) -> dict[str, str]:
    codes: dict[str, str] = taken.codes.model_dump(exclude_none=True) if taken.codes else {}
    return codes


def _kind(said: JobEvent) -> EventKind:
    return STATUSES.get(said.type.removeprefix("job."), EventKind.UNREADABLE)


def _event(said: JobEvent, courier_id: str, received_at: datetime, source: str) -> Event:
    """Named by its id, status and time: a fleet that gives two events one id loses neither."""
    status = re.sub(r"[^\x21-\x7e]", "?", said.type.removeprefix("job."))[:32] or "none"
    milliseconds = (said.timestamp - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    proofs = [Proven(kind=note.kind, reference=note.reference) for note in said.data.proofs or () if note]
    return Event(
        reference=said.data.reference,
        courier_id=courier_id,
        kind=_kind(said),
        raw_status=status,
        occurred_at=said.timestamp,
        received_at=received_at,
        event_id=f"{said.id}-{status}-{milliseconds}",
        reason=said.data.reason or "",
        correction=bool(said.data.correction),
        proofs=tuple(proofs[:PROOFS]),
        seal=said.data.seal,
        said=said.data.code,
        source=source,
    )


_FIELDS = frozenset({*JobEvent.model_fields, *EventData.model_fields, *ProofNote.model_fields})
"""Names that a fault may repeat: what stands in a fleet's body beside them may be anything."""


# --- proof --------------------------------------------------------------------------------------------------


def _prove(accounts: Sequence[Account], callback: Callback, at: datetime) -> None:
    """Raises `Unauthorised` unless a secret of ours signed exactly these bytes, just now.

    While a secret is turned a fleet signs with both and we know both: one that fits is enough.
    """
    told = [callback.headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature")]
    message_id, stamp, signatures = told
    if not (_ID.fullmatch(message_id) and signatures):
        raise Unauthorised("'webhook-id' and 'webhook-signature' were expected in the headers")
    if not _STAMP.fullmatch(stamp) or abs(at.timestamp() - int(stamp)) > WINDOW.total_seconds():
        raise Unauthorised(f"'webhook-timestamp' is not within {WINDOW.total_seconds():g} seconds of now")
    signed = f"{message_id}.{stamp}.".encode() + callback.body
    given = [one.encode("utf-8", "surrogatepass") for one in signatures.split(" ")]
    proven = False
    for account in accounts:
        key = _key_of(account.get("webhook_secret", ""))
        if key is None:
            continue
        expected = b"v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256))
        for one in given:
            proven |= hmac.compare_digest(expected, one)
    if not proven:
        raise Unauthorised("no account's secret gives this signature")


_ID = re.compile(r"[\x21-\x7e]{1,256}")
_STAMP = re.compile(r"[1-9][0-9]{0,11}")


def _key_of(secret: str) -> bytes | None:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) in SECRET_BYTES else None


dialect = Partner()
