"""Clients are enrolled whole, once, and found by what they are reached by."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.client_rows import client_key, contacts_of_brand, tombstone_key
from chalicelib.domain.clients import Consent, NewClient, Purpose, client_id_of
from chalicelib.domain.contacts import by_email, by_phone, by_whatsapp
from chalicelib.domain.errors import Clashing, Forgotten, Invalid, Missing, Stale, Unconditional
from chalicelib.domain.ports import Keep, Row, World
from chalicelib.domain.retention import CONSENT_PROOF
from chalicelib.flows import contacts
from chalicelib.flows.agree import agree, withdraw
from chalicelib.flows.enrol import by_id, client_of, enrol, learn_whatsapp, person_of
from tests import fakes
from tests.fakes import NOON

DAY = timedelta(days=1)
VIC = client_id_of("maison", "vic-1")
WORDS = ("王女士", "8613800138000", "wang@example.com", "Wang@example.com")


def new(**changes: Any) -> NewClient:
    person = {
        "name": "王女士",
        "phone": "+8613800138000",
        "email": "Wang@example.com",
        **changes.pop("person", {}),
    }
    told = {"country": "CN", "locale": "zh-CN", "time_zone": "Asia/Shanghai", "person": person}
    return NewClient.model_validate({**told, **changes})


def consent(purpose: str = "service", at: Any = NOON - DAY, **changes: Any) -> dict[str, Any]:
    return {"purpose": purpose, "granted_at": at.isoformat(), "evidence": "form-7", **changes}


@pytest.fixture
def world() -> World:
    return fakes.world()


def rows(world: World) -> dict[Any, Row]:
    return dict(world.table.rows)  # type: ignore[attr-defined]


def test_a_client_is_enrolled_and_read_back_and_stands_nowhere_in_the_clear(world: World) -> None:
    client = enrol(world, "maison", "vic-1", new(channels=["whatsapp", "email"], consents=[consent()]))
    assert client_of(world, "maison", "vic-1") == client
    assert person_of(world, client).name == "王女士"
    assert client.agrees_to(Purpose.SERVICE, NOON)
    seen = repr(rows(world)) + repr(world.log.lines)  # type: ignore[attr-defined]
    assert not [word for word in WORDS if word in seen]


def test_the_same_again_writes_nothing(world: World) -> None:
    told = new(consents=[consent(at=NOON - 9 * DAY), consent()])
    first = enrol(world, "maison", "vic-1", told)
    before = rows(world)
    assert enrol(world, "maison", "vic-1", told) == first
    assert rows(world) == before


def test_a_change_names_the_version_it_replaces(world: World) -> None:
    enrol(world, "maison", "vic-1", new())
    moved = new(locale="en")
    with pytest.raises(Unconditional):
        enrol(world, "maison", "vic-1", moved)
    with pytest.raises(Stale):
        enrol(world, "maison", "vic-1", moved, version=7)
    with pytest.raises(Stale):
        enrol(world, "maison", "vic-2", moved, version=1)
    assert enrol(world, "maison", "vic-1", moved, version=1).version == 2
    assert enrol(world, "maison", "vic-1", new(), replaces=True).version == 3


def test_a_household_shares_a_number_and_each_is_found_by_it(world: World) -> None:
    for reference in ("vic-1", "vic-2"):
        enrol(world, "maison", reference, new(person={"name": reference, "email": None}))
    enrol(world, "atelier", "other", new())
    found = contacts.clients_with(world, "maison", by_phone("+8613800138000"))
    assert [client.reference for client in found] == ["vic-1", "vic-2"]


def test_a_number_is_found_in_whatever_channel_it_speaks(world: World) -> None:
    enrol(world, "maison", "vic-1", new(person={"whatsapp": ["CN.8819"]}))
    asked = [by_whatsapp("8613800138000"), by_whatsapp("CN.8819"), by_email("WANG@EXAMPLE.COM")]
    assert [len(contacts.clients_with(world, "maison", each)) for each in asked] == [1, 1, 1]
    assert contacts.clients_with(world, "maison", by_whatsapp("8819")) == []


def test_who_changes_the_number_is_found_by_the_new_one_alone(world: World) -> None:
    enrol(world, "maison", "vic-1", new())
    enrol(world, "maison", "vic-1", new(person={"phone": "+8613900139000"}), version=1)
    asked = [by_phone("+8613800138000"), by_phone("+8613900139000")]
    assert [len(contacts.clients_with(world, "maison", each)) for each in asked] == [0, 1]
    assert len(world.table.read(contacts_of_brand("maison")).rows) == 2


def test_two_brands_know_one_number_by_names_that_have_nothing_in_common(world: World) -> None:
    one, other = (
        contacts.name_of(world, brand, by_phone("+8613800138000")) for brand in ("maison", "atelier")
    )
    assert one != other


def test_what_was_withdrawn_is_not_given_again_by_an_old_list(world: World) -> None:
    enrol(world, "maison", "vic-1", new(consents=[consent()]))
    withdraw(world, VIC, [Purpose.SERVICE], NOON, "message-9")
    client = enrol(world, "maison", "vic-1", new(consents=[consent()]), replaces=True)
    assert not client.agrees_to(Purpose.SERVICE, NOON)
    again = agree(
        world,
        VIC,
        [Consent(purpose=Purpose.SERVICE, granted_at=NOON + timedelta(minutes=1), evidence="x")],
    )
    assert again.agrees_to(Purpose.SERVICE, NOON + DAY)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_consent_that_was_given_before_a_withdrawal_is_taken_back_by_it_whichever_is_told_first(
    world: World, order: tuple[int, int]
) -> None:
    told = [
        {**consent(), "withdrawn_at": (NOON - timedelta(hours=2)).isoformat(), "withdrawal": "message-9"},
        consent(at=NOON - timedelta(hours=4), evidence="form-8"),  # a list of the day says so
    ]
    for at in (*order, *order):
        client = enrol(world, "maison", "vic-1", new(consents=[told[at]]), replaces=True)
    assert not client.agrees_to(Purpose.SERVICE, NOON)
    assert client.version == 2, "told again it changes nothing"
    proofs = world.table.read(client.client_id, "consent#").rows
    kept = [Consent.model_validate_json(row.body) for row in proofs]
    assert [(one.evidence, one.withdrawal) for one in kept] == [
        ("form-7", "message-9"),
        ("form-8", "message-9"),
    ]
    later = Consent.model_validate(consent(at=NOON - timedelta(hours=1), evidence="form-9"))
    assert agree(world, VIC, [later]).agrees_to(Purpose.SERVICE, NOON)


def test_every_consent_leaves_proof_that_outlives_it_for_its_term(world: World) -> None:
    enrol(world, "maison", "vic-1", new(consents=[consent()]))
    client = withdraw(world, VIC, [Purpose.SERVICE], NOON, "message-9")
    withdraw(world, VIC, [Purpose.SERVICE], NOON, "message-9")
    withdraw(world, VIC, [Purpose.MARKETING], NOON, "message-9")
    proofs = world.table.read(client.client_id, "consent#").rows
    told = [Consent.model_validate_json(row.body) for row in proofs]
    assert [(one.purpose, one.evidence, one.withdrawal) for one in told] == [
        ("service", "form-7", "message-9"),
        ("marketing", "message-9", "message-9"),
    ]
    assert {row.expires_at for row in proofs} == {int((NOON + CONSENT_PROOF.keeps).timestamp())}


def test_an_older_proof_that_comes_late_changes_nothing_that_stands(world: World) -> None:
    enrol(world, "maison", "vic-1", new(consents=[consent(at=NOON - DAY)]))
    older = Consent.model_validate(consent(at=NOON - 9 * DAY, evidence="paper-1"))
    client = agree(world, VIC, [older])
    assert client.agrees_to(Purpose.SERVICE, NOON)
    assert agree(world, VIC, [older]).version == client.version
    assert len(world.table.read(client.client_id, "consent#").rows) == 2


@pytest.mark.parametrize("given", [consent(at=NOON + DAY), consent(evidence="form-8")])
def test_a_consent_of_tomorrow_or_with_two_proofs_is_refused(world: World, given: dict[str, Any]) -> None:
    enrol(world, "maison", "vic-1", new(consents=[consent()]))
    with pytest.raises(Invalid, match="/consents/0"):
        enrol(world, "maison", "vic-1", new(consents=[given]), replaces=True)


def test_a_buried_contact_is_refused_by_its_field_and_never_by_its_value(world: World) -> None:
    name = contacts.name_of(world, "maison", by_phone("+8613800138000"))
    world.table.write(Keep(Row(tombstone_key("maison", name), 1, "{}"), was=None))
    with pytest.raises(Clashing) as caught:
        enrol(world, "maison", "vic-9", new())
    assert [fault.pointer for fault in caught.value.faults] == ["/person/phone"]
    assert "8613800138000" not in repr(caught.value.faults) + caught.value.detail
    assert enrol(world, "maison", "vic-9", new(returns="letter-4")).returns == "letter-4"
    assert enrol(world, "atelier", "vic-9", new()).version == 1, "another brand's own affair"


def test_who_is_leaving_is_neither_found_nor_enrolled_again(world: World) -> None:
    client = enrol(world, "maison", "vic-1", new())
    from chalicelib.domain.client_rows import client_row

    leaving = client.model_copy(update={"erasure_asked_at": NOON, "version": 2})
    world.table.write(Keep(client_row(leaving), was=1))
    assert contacts.clients_with(world, "maison", by_phone("+8613800138000")) == []
    with pytest.raises(Clashing):
        enrol(world, "maison", "vic-1", new())
    with pytest.raises(Forgotten):
        client_of(world, "maison", "vic-1")
    with pytest.raises(Missing):
        client_of(world, "maison", "vic-2")
    assert world.table.get(client_key(client.client_id)) is not None


def test_two_who_enrol_at_once_make_one_client(world: World) -> None:
    """Between the reading and the writing of one, the other is done: the slower says what it now needs."""
    table, told = world.table, new()

    class Slower:
        def __getattr__(self, verb: str) -> Any:
            return getattr(table, verb)

        def write(self, *changes: Any) -> None:
            if world.table is not table:
                world.table = table
                enrol(world, "maison", "vic-1", told)
            table.write(*changes)

    world.table = Slower()  # type: ignore[assignment]
    client = enrol(world, "maison", "vic-1", told)
    assert client.version == 1
    assert len(table.read(contacts_of_brand("maison")).rows) == 2


def test_a_list_that_does_not_know_a_clients_name_in_a_channel_leaves_it_while_the_number_stays(
    world: World,
) -> None:
    enrol(world, "maison", "vic-1", new())
    learn_whatsapp(world, VIC, "CN.1")
    known = enrol(world, "maison", "vic-1", new(), replaces=True)
    assert known.version == 2, "it says nothing new"
    changed = new(person={"email": "other@example.com", "whatsapp": ["CN.2"]})
    enrol(world, "maison", "vic-1", changed, replaces=True)
    assert [len(contacts.clients_with(world, "maison", by_whatsapp(f"CN.{n}"))) for n in (1, 2)] == [1, 1]
    enrol(world, "maison", "vic-1", new(person={"phone": "+8613900139000"}), replaces=True)
    assert not contacts.clients_with(world, "maison", by_whatsapp("CN.1"))


def test_a_name_in_a_channel_is_learnt_once_and_the_oldest_of_too_many_forgotten(world: World) -> None:
    enrol(world, "maison", "vic-1", new())
    assert learn_whatsapp(world, VIC, "8613800138000").version == 1, "its own number"
    for number in range(6):
        learn_whatsapp(world, VIC, f"CN.{number}")
    assert learn_whatsapp(world, VIC, "CN.5").version == 7
    assert person_of(world, by_id(world, VIC)).whatsapp == ("CN.1", "CN.2", "CN.3", "CN.4", "CN.5")
    found = [len(contacts.clients_with(world, "maison", by_whatsapp(f"CN.{n}"))) for n in range(6)]
    assert found == [0, 1, 1, 1, 1, 1]
