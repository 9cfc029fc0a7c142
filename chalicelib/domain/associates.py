"""An associate: one of a brand's shop assistants, who acts for clients of his own. The name is personal, and sealed."""

from __future__ import annotations

import base64

from pydantic import Field

from chalicelib.domain.client_rows import owner_of_brand
from chalicelib.domain.clients import Client, Country, Locale
from chalicelib.domain.ports import Key, Row, Sealer
from chalicelib.domain.shapes import Instant, Shape, Slug, Text

PREFIX = "associate#"
SEALED_NAME = "associate"


class NewAssociate(Shape):
    """An associate as a brand names one."""

    name: Text = Field(description="Personal: sealed.")
    countries: tuple[Country, ...] = Field(
        min_length=1, max_length=30, description="Where the clients live for whom he or she may act."
    )
    locale: Locale = Field(description="In which language he or she is spoken to.")
    disabled: bool = Field(default=False, description="Acts for nobody any more, with any key.")


class Associate(Shape):
    """An associate as kept."""

    associate_id: Slug
    brand_id: Slug
    name_sealed: str = Field(repr=False, description="Base64.")
    countries: tuple[Country, ...]
    locale: Locale
    disabled: bool = False
    changed_at: Instant
    version: int = 1

    def acts_for(self, client: Client) -> bool:
        """True of his own clients, where he may act."""
        return client.associate_id == self.associate_id and client.country in self.countries


class AssociateView(NewAssociate):
    """An associate as the brand reads it."""

    associate_id: str
    changed_at: Instant
    version: int


class AssociateList(Shape):
    """Every associate of the brand, by name."""

    data: tuple[AssociateView, ...]
    has_more: bool = False


def associate_key(brand_id: str, associate_id: str) -> Key:
    return Key(f"brand#{brand_id}", f"{PREFIX}{associate_id}")


def associate_row(associate: Associate) -> Row:
    key = associate_key(associate.brand_id, associate.associate_id)
    return Row(key, associate.version, associate.model_dump_json(exclude_defaults=True))


def associate_of_row(row: Row) -> Associate:
    return Associate.model_validate_json(row.body).model_copy(update={"version": row.version})


def sealed_name(sealer: Sealer, brand_id: str, associate_id: str, name: str) -> str:
    """Under the brand's own data key: it stays as long as the associate does, and an hour's key does not."""
    context = f"{SEALED_NAME}#{associate_id}"
    sealed = sealer.seal(name.encode(), context, owner=owner_of_brand(brand_id))
    return base64.b64encode(sealed).decode()


def view(sealer: Sealer, associate: Associate) -> AssociateView:
    context = f"{SEALED_NAME}#{associate.associate_id}"
    name = sealer.unseal(base64.b64decode(associate.name_sealed), context).decode()
    told = {field: getattr(associate, field) for field in AssociateView.model_fields if field != "name"}
    return AssociateView.model_construct(name=name, **told)
