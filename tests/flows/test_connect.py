"""What a brand states of its channels: no secret, nobody else's address, and no change over another's."""

from __future__ import annotations

import pytest

from chalicelib.domain.channel_answers import ChannelStatement
from chalicelib.domain.errors import Clashing, Invalid, Missing, Stale, Unconditional
from chalicelib.flows.connect import connect, own
from tests import fakes

WHATSAPP = ChannelStatement(sender="Maison", phone_number_id="106540352242922")
EMAIL = ChannelStatement(sender="Maison", from_address="gifts@maison.example")


@pytest.fixture
def world() -> fakes.World:
    made = fakes.world()
    secrets: fakes.FakeSecrets = made.secrets  # type: ignore[assignment]
    secrets.by_account["whatsapp", "maison"] = [{"access_token": "t"}]
    secrets.by_account["email", "maison"] = [{"domain": "Maison.example"}]
    return made


def test_a_channel_is_stated_once_and_the_same_again_changes_nothing(world: fakes.World) -> None:
    first = connect(world, "maison", "whatsapp", WHATSAPP, None)
    assert connect(world, "maison", "whatsapp", WHATSAPP, None) == first == own(world, "maison", "whatsapp")
    assert connect(world, "maison", "whatsapp", WHATSAPP, 1) == first


def test_a_change_names_what_it_replaces(world: fakes.World) -> None:
    connect(world, "maison", "whatsapp", WHATSAPP, None)
    other = WHATSAPP.model_copy(update={"is_paused": True})
    with pytest.raises(Unconditional):
        connect(world, "maison", "whatsapp", other, None)
    with pytest.raises(Stale):
        connect(world, "maison", "whatsapp", other, 7)
    assert connect(world, "maison", "whatsapp", other, 1).version == 2
    with pytest.raises(Stale):
        connect(world, "maison", "email", EMAIL, 3)


def test_without_secrets_there_is_no_channel(world: fakes.World) -> None:
    with pytest.raises(Clashing, match="no secrets"):
        connect(world, "autre", "whatsapp", WHATSAPP, None)


@pytest.mark.parametrize(
    "address",
    [
        "gifts@autre.example",
        "gifts@maison.example.evil.example",
        "gifts@evilmaison.example",
        "gi..fts@maison.example",
        "cadeaux-étoilés@maison.example",
    ],
)
def test_nobody_writes_from_a_domain_that_is_not_entered_for_him_nor_from_what_is_no_address(
    world: fakes.World, address: str
) -> None:
    with pytest.raises(Invalid) as raised:
        connect(world, "maison", "email", EMAIL.model_copy(update={"from_address": address}), None)
    assert raised.value.faults[0].pointer == "/from_address"


def test_each_channel_says_what_it_needs_and_nothing_of_another(world: fakes.World) -> None:
    for kind, stated in (("email", WHATSAPP), ("whatsapp", EMAIL)):
        with pytest.raises(Invalid):
            connect(world, "maison", kind, stated, None)
    for kind in ("webhook", "pigeon"):
        with pytest.raises(Missing):
            connect(world, "maison", kind, WHATSAPP, None)
    with pytest.raises(Missing):
        own(world, "maison", "email")
