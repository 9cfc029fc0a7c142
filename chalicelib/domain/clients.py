"""The client: whom a brand sends gifts to, apart from the orders. What is personal is sealed under a data key of the
client's own, so that to forget the key is to forget the person.
"""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints, field_validator, model_validator

from chalicelib.domain.orders import Phone
from chalicelib.domain.places import Place
from chalicelib.domain.shapes import Instant, Shape, Slug, Text, TimeZone, id_of

SCHEMA = 1
"""The version of the stored shape."""

Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$"), Field(examples=["CN"])]
"""ISO 3166-1 alpha-2."""
Locale = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35),
    Field(examples=["zh-CN"]),
]
"""A BCP 47 tag, kept as it was given."""
Email = Annotated[
    str,
    StringConstraints(pattern=r"^[^@\s\x00-\x1f<>\"(),:;\\\[\]]{1,64}@[A-Za-z0-9.-]{1,189}\.[A-Za-z]{2,63}$"),
]

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_DOT_ATOM = re.compile(rf"(?!.*=\?){_ATOM}(\.{_ATOM})*@([A-Za-z0-9-]+\.)+[A-Za-z]{{2,63}}", re.ASCII)
"""RFC 5322, without what quotes, comments and encoded words allow beside it."""


def is_mailable(address: str) -> bool:
    """True where mail can be made out to it. `Email` lets more through, for contacts are what they are: some telephone
    company gave out `a..b@`, and of letters beyond ASCII before the @ SES takes none."""
    return _DOT_ATOM.fullmatch(address) is not None


class ChannelKind(StrEnum):
    """How a client is spoken to."""

    WHATSAPP = "whatsapp"
    EMAIL = "email"
    WEBHOOK = "webhook"
    """The brand is asked to say it itself."""


class Purpose(StrEnum):
    """What a client has agreed to."""

    SERVICE = "service"
    """Messages about a gift that is under way."""
    MARKETING = "marketing"
    """Offers and invitations that nobody has asked for."""
    CROSS_BORDER = "cross_border"
    """Handing personal data to somebody in another country."""
    PROFILING = "profiling"
    """Being ranked by what was spent."""


class Consent(Shape):
    """That a client agreed to one purpose, how that is known, and until when it stood."""

    purpose: Purpose
    granted_at: Instant
    evidence: Slug = Field(description="What proves it: the name of a form, a call, a message; not personal.")
    locale: Locale | None = Field(default=None, description="In which language it was asked for.")
    withdrawn_at: Instant | None = Field(
        default=None, description="From when it stands no more; of one that was never given, the same moment."
    )
    withdrawal: Slug | None = Field(
        default=None, description="What proves that it was withdrawn; not personal."
    )

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Consent:
        if self.withdrawn_at is not None and self.withdrawn_at < self.granted_at:
            raise ValueError("a consent is not withdrawn before it was given")
        if self.withdrawal is not None and self.withdrawn_at is None:
            raise ValueError("what proves a withdrawal goes with withdrawn_at")
        return self

    def stands(self, now: datetime) -> bool:
        return self.granted_at <= now and (self.withdrawn_at is None or now < self.withdrawn_at)


class Person(Shape):
    """Everything that says who and where the client is. Personal: sealed, never echoed to another brand."""

    name: Text
    phone: Phone | None = None
    email: Email | None = None
    whatsapp: tuple[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.]{1,131}$")], ...] = Field(
        default=(),
        max_length=5,
        description="Numbers without `+`, or business-scoped user ids; an id that the client has shown there stays "
        "while the phone is the same.",
    )
    places: dict[Slug, Place] = Field(
        default_factory=dict, max_length=10, description="By the brand's name for it: home, office."
    )
    allergens: tuple[Slug, ...] = Field(
        default=(), max_length=30, description="What the client must not eat."
    )


class Told(Shape):
    """What a brand says of a client that names nobody."""

    country: Country
    locale: Locale
    time_zone: TimeZone
    channels: tuple[ChannelKind, ...] = Field(
        default=(), max_length=len(ChannelKind), description="In which order they are tried."
    )
    consents: tuple[Consent, ...] = Field(
        default=(),
        max_length=20,
        description="Added to what is on record; one that is left out is not taken back.",
    )
    associate_id: Slug | None = Field(default=None, description="Whose client it is.")

    @field_validator("channels")
    @classmethod
    def _each_once(cls, channels: tuple[ChannelKind, ...]) -> tuple[ChannelKind, ...]:
        if len(set(channels)) < len(channels):
            raise ValueError("each channel stands once, in the order in which they are tried")
        return channels


class NewClient(Told):
    """A client as a brand hands it in, whole: what is left out is taken out, consents apart."""

    person: Person
    returns: Slug | None = Field(
        default=None,
        description="Somebody with one of these contacts was erased; what proves that it is another person, or that "
        "this one has asked to come back. Not personal.",
    )


class Client(Shape):
    """A client as kept; `sealed` holds the `Person`."""

    schema_version: int = SCHEMA
    client_id: str
    brand_id: str
    reference: Slug = Field(description="The brand's own name for the client; not personal.")
    country: Country
    locale: Locale
    time_zone: TimeZone
    channels: tuple[ChannelKind, ...] = Field(default=(), description="In which order they are tried.")
    consents: tuple[Consent, ...] = ()
    associate_id: Slug | None = Field(default=None, description="Whose client it is.")
    contacts: tuple[str, ...] = Field(
        default=(), description="Under which unreadable names it is found (domain.contacts)."
    )
    returns: Slug | None = Field(
        default=None, description="What proved that it may have a contact of somebody who was erased."
    )
    created_at: Instant
    erasure_asked_at: Instant | None = None
    erased_at: Instant | None = Field(
        default=None, description="Nothing personal is left; this stays as a mark."
    )
    next_look: Instant | None = Field(default=None, description="When its erasure is gone on with.")
    version: int = 1
    sealed: bytes = Field(default=b"", exclude=True, repr=False)

    @property
    def is_leaving(self) -> bool:
        """Its erasure has been asked for, or is done: nothing new is begun for it."""
        return self.erasure_asked_at is not None

    def agrees_to(self, purpose: Purpose, now: datetime) -> bool:
        """True while a consent to it stands."""
        return any(consent.purpose is purpose and consent.stands(now) for consent in self.consents)


class ClientView(Told):
    """A client as its own brand reads it."""

    client_id: str
    reference: Slug
    person: Person | None = Field(default=None, description="Gone once the erasure has begun.")
    created_at: Instant
    version: int
    erasure_asked_at: Instant | None = None
    erased_at: Instant | None = None


class ClientLine(Shape):
    """A client in a list: nothing of it says who that is."""

    client_id: str
    reference: Slug
    country: Country
    locale: Locale
    associate_id: Slug | None = None
    created_at: Instant
    version: int
    erasure_asked_at: Instant | None = None
    erased_at: Instant | None = None


def line(client: Client) -> ClientLine:
    """The client as a list has it."""
    return ClientLine.model_construct(**{name: getattr(client, name) for name in ClientLine.model_fields})


def view(client: Client, person: Person | None) -> ClientView:
    """The client with what is personal, if that can be read."""
    told = {name: getattr(client, name) for name in ClientView.model_fields if name != "person"}
    return ClientView.model_construct(person=person, **told)


def client_id_of(brand_id: str, reference: str) -> str:
    """The id that follows from the brand and its name for the client: the same client, however often it is sent in."""
    return id_of("cli_", brand_id, reference)
