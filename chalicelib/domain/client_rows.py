"""How a client is kept.

collection (pk)        place (sk)          noun                             indexes
cli_...                client              Client                           shelf: clients#<brand>
cli_...                key                 the client's wrapped data key    (aws.sealer)
contact#<brand>        <unreadable>        the client of a number, an address, a name in a channel  (flows.enrol)
"""

from __future__ import annotations

from typing import Final

from chalicelib.domain.clients import Client, Person
from chalicelib.domain.ports import Key, Row, Sealer

CLIENT: Final = "client"
DATA_KEY: Final = "key"


def client_key(client_id: str) -> Key:
    return Key(client_id, CLIENT)


def data_key_of_client(client_id: str) -> Key:
    """Where the client's own data key stands, wrapped: to drop it is to forget the person."""
    return Key(client_id, DATA_KEY)


def contact_key(brand_id: str, unreadable: str) -> Key:
    return Key(f"contact#{brand_id}", unreadable)


def client_row(client: Client) -> Row:
    return Row(
        key=client_key(client.client_id),
        version=client.version,
        body=client.model_dump_json(exclude_defaults=True),
        sealed=client.sealed,
        shelf=f"clients#{client.brand_id}",
        place_on_shelf=client.client_id,
    )


def client_of_row(row: Row) -> Client:
    found = Client.model_validate_json(row.body)
    return found.model_copy(update={"sealed": row.sealed, "version": row.version})


def seal_person(sealer: Sealer, person: Person, client_id: str) -> bytes:
    return sealer.seal(person.model_dump_json().encode(), client_id, owner=client_id)


def unseal_person(sealer: Sealer, client: Client) -> Person:
    """Raises `Forgotten` when the client's data key is gone."""
    return Person.model_validate_json(sealer.unseal(client.sealed, client.client_id))
