"""By what a client is found: a number, an address, a name in a channel; kept under a name that nobody reads."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from typing import NamedTuple

from pydantic import Field, model_validator

from chalicelib.domain.clients import Email, Person
from chalicelib.domain.orders import Phone
from chalicelib.domain.shapes import Shape


class Contact(NamedTuple):
    """One of them, as it is compared, and the field of the person that it stands in."""

    kind: str
    said: str
    field: str


class ContactQuestion(Shape):
    """Whose is it? One of the three. In the body: a URL is logged on its way."""

    phone: Phone | None = None
    email: Email | None = None
    whatsapp: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9.]{1,131}$",
        description="A number without `+`, or a business-scoped user id.",
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> ContactQuestion:
        if sum(one is not None for one in (self.phone, self.email, self.whatsapp)) != 1:
            raise ValueError("one of phone, email and whatsapp was expected")
        return self

    @property
    def contact(self) -> Contact:
        if self.phone is not None:
            return by_phone(self.phone)
        if self.email is not None:
            return by_email(self.email)
        return by_whatsapp(self.whatsapp or "")


def by_phone(phone: str) -> Contact:
    return Contact("phone", phone.removeprefix("+"), "phone")


def by_email(email: str) -> Contact:
    """By the whole address in small letters: no two people are told apart by a capital."""
    return Contact("email", email.casefold(), "email")


def by_whatsapp(name: str) -> Contact:
    """A number there is the number that it is anywhere; a business-scoped user id is a name of its own."""
    return (
        by_phone(name)._replace(field="whatsapp") if name.isdigit() else Contact("whatsapp", name, "whatsapp")
    )


def contacts_of(person: Person) -> Iterator[Contact]:
    """All that the person is found by; one may stand there twice."""
    if person.phone is not None:
        yield by_phone(person.phone)
    if person.email is not None:
        yield by_email(person.email)
    yield from map(by_whatsapp, person.whatsapp)


def unreadable(salt: bytes, brand_id: str, contact: Contact) -> str:
    """Its name in keys: without the brand's salt nobody finds a number by it, nor whether two brands have the same."""
    said = f"{brand_id}\x00{contact.kind}\x00{contact.said}"
    return hmac.new(salt, said.encode(), hashlib.sha256).hexdigest()[:40]
