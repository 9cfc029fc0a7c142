"""The client as a noun: whose id, what has been agreed to, and what is written."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from chalicelib.domain.client_rows import (
    client_of_row,
    client_row,
    data_key_of_client,
    seal_person,
    unseal_person,
)
from chalicelib.domain.clients import Client, Consent, Person, Purpose, client_id_of
from chalicelib.domain.errors import Forgotten
from chalicelib.domain.ports import Drop
from tests import fakes
from tests.fakes import NOON

DAY = timedelta(days=1)
WANG = Person(name="王女士", phone="+8613800138000", email="wang@example.com")


def client(**changes: object) -> Client:
    told = {
        "client_id": client_id_of("maison", "vic-1"),
        "brand_id": "maison",
        "reference": "vic-1",
        "country": "CN",
        "locale": "zh-CN",
        "time_zone": "Asia/Shanghai",
        "created_at": NOON,
    }
    return Client.model_validate({**told, **changes})


def test_a_consent_stands_from_when_it_was_given_until_it_is_withdrawn() -> None:
    given = Consent(purpose=Purpose.SERVICE, granted_at=NOON, evidence="form-7", withdrawn_at=NOON + DAY)
    one = client(consents=(given,))
    moments = [NOON - DAY, NOON, NOON + DAY]
    assert [one.agrees_to(Purpose.SERVICE, at) for at in moments] == [False, True, False]
    assert not one.agrees_to(Purpose.MARKETING, NOON)


def test_one_reference_at_two_brands_is_two_clients() -> None:
    assert client_id_of("maison", "vic-1") != client_id_of("atelier", "vic-1")


def test_a_row_says_nothing_of_who_the_client_is_and_is_read_back_whole() -> None:
    world = fakes.world()
    one = client()
    one = one.model_copy(update={"sealed": seal_person(world.sealer, WANG, one.client_id)})
    row = client_row(one)
    assert not any(word in repr(row) for word in ("王女士", "138001", "wang@"))
    assert client_of_row(row) == one
    assert unseal_person(world.sealer, client_of_row(row)) == WANG


def test_without_its_data_key_nobody_is_read_any_more() -> None:
    world = fakes.world()
    one = client()
    one = one.model_copy(update={"sealed": seal_person(world.sealer, WANG, one.client_id)})
    world.table.write(Drop(data_key_of_client(one.client_id), was=1))
    with pytest.raises(Forgotten):
        unseal_person(world.sealer, one)


@pytest.mark.parametrize(
    "address", ["wang", "wang@", "@example.com", "wang@example", "a b@example.com", "a@b.c\n"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValidationError):
        Person(name="W", email=address)
