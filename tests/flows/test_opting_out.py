"""Who wants no more messages gets none, on every telephone that is shared; and an old word ends no later consent."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.clients import Client, Consent, Purpose
from chalicelib.domain.templates import MessageKind
from chalicelib.flows import agree, enrol
from tests.talking import Talking, enrolled, payload, pressed, status, talking, wrote

BOTH = (Purpose.SERVICE, Purpose.MARKETING)


@pytest.fixture
def said() -> Talking:
    return talking()


def client(said: Talking, reference: str = "vic-1") -> Client:
    return enrol.client_of(said.world, "maison", reference)


def agreed(said: Talking, reference: str = "vic-1") -> set[Purpose]:
    return {each for each in BOTH if client(said, reference).agrees_to(each, said.on.clock.now)}


def agrees_again(said: Talking, ahead: timedelta = timedelta()) -> None:
    moment = said.on.clock.now + ahead
    again = [Consent(purpose=each, granted_at=moment, evidence="form-8") for each in BOTH]
    agree.agree(said.world, said.client.client_id, again)


def in_other_bytes(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "entry": [*body["entry"], {"id": "9", "changes": []}]}


@pytest.mark.parametrize("later", [timedelta(minutes=2), timedelta(days=2), timedelta(days=30)])
def test_a_stop_that_is_sent_again_ends_nothing_that_was_agreed_to_since(
    said: Talking, later: timedelta
) -> None:
    body = wrote("STOP", said.on.clock.now)
    said.hear(body)
    assert not agreed(said)
    said.on.clock.forward(seconds=later.total_seconds())
    agrees_again(said)
    said.on.clock.forward(hours=1)
    for again in (body, in_other_bytes(body)):
        said.hear(again)
        assert agreed(said) == set(BOTH)
    assert said.meta.kinds() == ["stopped"], "and is not confirmed once more"


def test_a_stop_that_comes_late_ends_nothing_that_was_agreed_to_since(said: Talking) -> None:
    body = wrote("STOP", said.on.clock.now)
    said.on.clock.forward(days=2)
    agrees_again(said)
    said.hear(body)
    assert agreed(said) == set(BOTH)
    assert said.meta.sent == [], "nobody is told that no more will come"


def test_a_stop_counts_where_the_brands_clock_runs_ahead(said: Talking) -> None:
    agrees_again(said, ahead=timedelta(minutes=4))
    said.hear(wrote("STOP", said.on.clock.now))
    said.on.clock.forward(minutes=5)
    assert not agreed(said)


def test_metas_own_switch_and_code_end_nothing_that_was_agreed_to_since(said: Talking) -> None:
    order_id = said.place()
    said.on.settle()
    told = said.messages(order_id)[0].message_id
    wish = {"wa_id": "8613800138077", "category": "marketing_messages", "value": "stop"}
    bodies = [
        payload("user_preferences", user_preferences=[{**wish, "timestamp": said.on.clock.now.timestamp()}]),
        status(told, "failed", said.on.clock.now, 131050),
    ]
    said.on.clock.forward(days=1)
    agrees_again(said)
    bodies[0]["entry"][0]["changes"][0]["value"]["user_preferences"][0]["timestamp"] = "1649649600"
    for body in bodies:
        said.hear(body)
    assert agreed(said) == set(BOTH)


@pytest.mark.parametrize("user_id", [None, "CN.13491208655302741918"])
def test_whoever_shares_the_number_is_written_to_no_more_either(said: Talking, user_id: str | None) -> None:
    enrolled(said.on.plain, "vic-2")
    said.hear(wrote("STOP", said.on.clock.now, user_id=user_id))
    assert not agreed(said, "vic-1") and not agreed(said, "vic-2")
    assert said.meta.kinds() == ["stopped"], "one telephone is told once"


def test_whoever_is_called_so_by_another_of_the_names_is_written_to_no_more_either(said: Talking) -> None:
    """One was entered with the number, the other with the id that Meta has for the same telephone."""
    enrolled(said.on.plain, "vic-2", person={"name": "L", "whatsapp": ["CN.13491208655302741918"]})
    said.hear(wrote("STOP", said.on.clock.now))
    assert not agreed(said, "vic-1") and not agreed(said, "vic-2")


def test_the_button_ends_it_for_whoever_shares_the_number_too(said: Talking) -> None:
    from chalicelib.domain.channel_answers import NewTalk
    from chalicelib.flows import talk

    enrolled(said.on.plain, "vic-2")
    invitation = talk.write(
        said.world, client(said, "vic-2"), "associate:anna", "t-0", NewTalk(kind=MessageKind.INVITATION)
    )
    said.on.settle()
    said.hear(pressed(f"{invitation.message_id}:stop", said.on.clock.now))
    assert not agreed(said, "vic-1") and not agreed(said, "vic-2")
