"""How a client is kept.

collection (pk)        place (sk)          noun                             indexes
cli_...                client              Client                           shelf: clients#<brand>; work: erasures
cli_...                key                 the client's wrapped data key    (aws.sealer)
cli_...                consent#<time>#<purpose>   Consent, as proof         (domain.consents)
cli_...                standing            Standing: spent by day, grants, tiers  (domain.standing)
cli_...                purchase#<purchase>  Purchase                        (domain.purchases)
cli_...                gifts#<yyyy>        Ledger, of what it was given     (domain.given)
cli_...                act#<time>#<name>   Act, of whoever did something for it  (domain.acts)
home#<unreadable>      gifts#<yyyy>        Ledger, of a household at one brand  (domain.given)
brand#<brand>          programme           Programme; and each version of it under programme#<n>  (domain.programme)
brand#<brand>          associate#<name>    Associate                        (domain.associates)
contact#<brand>        <unreadable>#<client>   that this client has this number, address or name in a channel
contact#<brand>        <unreadable>#erased     that somebody who had it is forgotten
brand#<brand>          salt                the secret that names contacts, sealed  (flows.contacts)
brand#<brand>          key                 the data key of such secrets, wrapped   (aws.sealer)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.domain.errors import Forgotten
from chalicelib.domain.ports import Key, Row, Sealer
from chalicelib.domain.retention import MARK, kept_until
from chalicelib.domain.shapes import stamp

if TYPE_CHECKING:  # the sealer needs the name of a row, and no client
    from chalicelib.domain.clients import Client, Consent, Person

CLIENT: Final = "client"
DATA_KEY: Final = "key"
ERASED: Final = "erased"
PROOF: Final = "consent#"
ERASURES: Final = "erasures"
"""The work bucket of clients whose erasure is under way."""


def client_key(client_id: str) -> Key:
    return Key(client_id, CLIENT)


def data_key_of_client(client_id: str) -> Key:
    """Where the client's own data key stands, wrapped: to drop it is to forget the person."""
    return Key(client_id, DATA_KEY)


def contacts_of_brand(brand_id: str) -> str:
    return f"contact#{brand_id}"


def contact_key(brand_id: str, unreadable: str, client_id: str) -> Key:
    """Several people share a number: each has a row of its own under it."""
    return Key(contacts_of_brand(brand_id), f"{unreadable}#{client_id}")


def tombstone_key(brand_id: str, unreadable: str) -> Key:
    return Key(contacts_of_brand(brand_id), f"{unreadable}#{ERASED}")


def contact_salt_key(brand_id: str) -> Key:
    return Key(owner_of_brand(brand_id), "salt")


def owner_of_brand(brand_id: str) -> str:
    """Under whose data key a brand's lasting secrets are sealed: an hour's key does not live long enough."""
    return f"brand#{brand_id}"


def proof_row(client_id: str, consent: Consent, version: int, expires_at: int | None) -> Row:
    key = proof_key(client_id, consent)
    return Row(key, version, consent.model_dump_json(exclude_defaults=True), expires_at=expires_at)


def proof_key(client_id: str, consent: Consent) -> Key:
    return Key(client_id, f"{PROOF}{stamp(consent.granted_at)}#{consent.purpose.value}")


def clients_shelf(brand_id: str) -> str:
    """Where a brand's clients stand, the last enrolled first."""
    return f"clients#{brand_id}"


def client_row(client: Client) -> Row:
    """In the work index while its erasure is under way, and gone some years after that."""
    asked, look = client.erasure_asked_at, client.next_look
    return Row(
        key=client_key(client.client_id),
        version=client.version,
        body=client.model_dump_json(exclude_defaults=True),
        sealed=client.sealed,
        work=None if look is None else ERASURES,
        due=None if look is None else stamp(look),
        expires_at=None if asked is None or client.erased_at is None else kept_until(MARK, asked),
        shelf=clients_shelf(client.brand_id),
        place_on_shelf=f"{stamp(client.created_at)}#{client.client_id}",
    )


def client_of_row(row: Row) -> Client:
    from chalicelib.domain.clients import Client

    found = Client.model_validate_json(row.body)
    return found.model_copy(update={"sealed": row.sealed, "version": row.version})


def seal_person(sealer: Sealer, person: Person, client_id: str) -> bytes:
    return sealer.seal(person.model_dump_json().encode(), client_id, owner=client_id)


def unseal_person(sealer: Sealer, client: Client) -> Person:
    """Raises `Forgotten` when the client's data key is gone, or the sealed part is."""
    if not client.sealed:
        raise Forgotten(f"nothing personal is left of the client {client.client_id!r}")
    from chalicelib.domain.clients import Person

    return Person.model_validate_json(sealer.unseal(client.sealed, client.client_id))
