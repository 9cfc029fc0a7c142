"""What every channel to clients is asked: a new one is one file, and this test finds it by what the world carries."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.channels import email, whatsapp
from chalicelib.domain.clients import ChannelKind, Person
from chalicelib.domain.dialect import Reply, Request
from chalicelib.domain.messages import TryState
from chalicelib.domain.saying import Mail, Sent
from chalicelib.domain.templates import MessageKind
from tests import fakes
from tests.channels.sayings import ACCOUNTS, EVERY, NAME, PERSON, STATED, saying
from tests.stage import NOON

CHANNELS: dict[str, Any] = {"whatsapp": whatsapp, "email": email}
each = pytest.mark.parametrize("name", CHANNELS)


def made(name: str, kind: MessageKind, language: str, **how: Any) -> Request | Mail:
    channel = CHANNELS[name]
    to = channel.address(PERSON)
    sent: Request | Mail = channel.out(ACCOUNTS[name], STATED[name], to, saying(kind, language, **how), NOON)
    return sent


def test_these_are_the_channels_that_there_are() -> None:
    assert fakes.world().client_channels == CHANNELS
    assert {kind.value for kind in ChannelKind} == {*CHANNELS, "webhook"}


@each
def test_it_is_the_channel_that_it_is_called(name: str) -> None:
    assert CHANNELS[name].kind == ChannelKind(name)


@each
def test_somebody_whom_it_does_not_reach_has_no_address_there(name: str) -> None:
    assert CHANNELS[name].address(Person(name=NAME)) is None


@each
@pytest.mark.parametrize(("kind", "language"), EVERY)
@pytest.mark.parametrize("in_session", [False, True])
def test_every_message_goes_out_in_every_language_the_same_each_time(
    name: str, kind: MessageKind, language: str, in_session: bool
) -> None:
    first, again = (made(name, kind, language, in_session=in_session) for _ in range(2))
    assert first == again
    raw = first.raw if isinstance(first, Mail) else first.body
    assert 0 < len(raw) < 30_000


@each
def test_what_is_personal_stands_in_the_body_and_nowhere_else(name: str) -> None:
    sent = made(name, MessageKind.HAND_OVER_CODE, "en")
    told = repr(sent) if isinstance(sent, Mail) else f"{sent.url} {sent.headers}"
    for word in (NAME, "13800138077", "wang@secret", "471108", "13491208655302741918"):
        assert word not in told


@each
def test_a_secret_stands_in_no_body(name: str) -> None:
    sent = made(name, MessageKind.BOOKED, "en")
    raw = sent.raw if isinstance(sent, Mail) else sent.body
    assert all(secret.encode() not in raw for secret in ("EAAG-token",))


@each
@given(
    st.integers(100, 599), st.binary(max_size=300), st.dictionaries(st.text(max_size=9), st.text(max_size=9))
)
def test_no_answer_breaks_the_reader_and_none_is_quoted(
    name: str, status: int, body: bytes, headers: dict[str, str]
) -> None:
    sent = CHANNELS[name].read(Reply(status, headers, body))
    assert isinstance(sent, Sent) and len(sent.code) <= 40
    assert sent.state in (TryState.ACCEPTED, TryState.BUSY, TryState.REFUSED, TryState.UNKNOWN)
    assert sent.retry_after is None or sent.retry_after < timedelta(days=2)


@pytest.mark.parametrize(
    "junk", [None, 7, "x", [], {"error": 1}, {"error": {"code": True}}, {"messages": [3]}]
)
def test_metas_answer_may_be_anything(junk: object) -> None:
    sent = whatsapp.read(Reply(200, {}, json.dumps(junk).encode()))
    assert sent.state is TryState.UNKNOWN
    assert whatsapp.read(Reply(400, {}, json.dumps(junk).encode())).state is TryState.REFUSED
