"""A link lets one dispatcher in once, a session lasts a shift, and both can be ended."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib.domain.errors import Forbidden, Missing, Unauthorised
from chalicelib.domain.ports import Change
from chalicelib.domain.sessions import LINK_LASTS, SESSION_LASTS
from chalicelib.flows import sign_in
from tests import fakes


def test_a_link_becomes_a_session_and_is_spent() -> None:
    world = fakes.world()
    secret, link = sign_in.invite(world, "mei", "control-room")
    token, session = sign_in.enter(world, secret)
    assert (session.who, session.let_in_by) == ("mei", "control-room") == (link.who, link.made_by)
    assert sign_in.session_of(world, token) == session
    with pytest.raises(Unauthorised, match="used before"):
        sign_in.enter(world, secret)


def test_neither_secret_is_in_the_table() -> None:
    world = fakes.world()
    secret, _ = sign_in.invite(world, "mei", "control-room")
    kept = str(world.table.rows)  # type: ignore[attr-defined]
    token, _ = sign_in.enter(world, secret)
    assert secret not in kept and token not in str(world.table.rows)  # type: ignore[attr-defined]


def test_of_two_who_follow_one_link_one_gets_in(monkeypatch: pytest.MonkeyPatch) -> None:
    world = fakes.world()
    secret, _ = sign_in.invite(world, "mei", "control-room")
    write = world.table.write

    def late(*changes: Change) -> None:
        monkeypatch.undo()
        sign_in.enter(world, secret)
        write(*changes)

    monkeypatch.setattr(world.table, "write", late)
    with pytest.raises(Unauthorised):
        sign_in.enter(world, secret)


def test_links_and_sessions_end_by_themselves() -> None:
    clock = fakes.FakeClock()
    world = fakes.world(clock=clock)
    secret, _ = sign_in.invite(world, "mei", "control-room")
    other, _ = sign_in.invite(world, "anna", "control-room")
    token, _ = sign_in.enter(world, other)
    clock.now += LINK_LASTS
    with pytest.raises(Unauthorised):
        sign_in.enter(world, secret)
    clock.now += SESSION_LASTS - LINK_LASTS - timedelta(seconds=1)
    assert sign_in.session_of(world, token).who == "anna"
    clock.now += timedelta(seconds=1)
    with pytest.raises(Unauthorised):
        sign_in.session_of(world, token)


def test_who_was_never_invited_is_not_turned_away() -> None:
    with pytest.raises(Missing):
        sign_in.turn_away(fakes.world(), "mei")


def test_whoever_leaves_or_is_turned_away_needs_another_link() -> None:
    clock = fakes.FakeClock()
    world = fakes.world(clock=clock)
    tokens = [sign_in.enter(world, sign_in.invite(world, who, "x")[0])[0] for who in ("mei", "mei", "anna")]
    sign_in.leave(world, tokens[0])
    sign_in.leave(world, tokens[0])
    clock.forward(seconds=1)
    sign_in.turn_away(world, "mei")
    sign_in.turn_away(world, "mei")
    for gone in tokens[:2]:
        with pytest.raises(Unauthorised):
            sign_in.session_of(world, gone)
    assert sign_in.session_of(world, tokens[2]).who == "anna"
    clock.forward(seconds=1)
    back, _ = sign_in.enter(world, sign_in.invite(world, "mei", "x")[0])
    assert sign_in.session_of(world, back).who == "mei"


@pytest.mark.parametrize("junk", ["", "x", "é" * 40, "\x00", "a" * 5000])
def test_junk_opens_nothing(junk: str) -> None:
    world = fakes.world()
    with pytest.raises(Unauthorised):
        sign_in.session_of(world, junk)
    with pytest.raises(Unauthorised):
        sign_in.enter(world, junk)


def test_a_form_is_good_in_its_own_session_only() -> None:
    world = fakes.world()
    mine, others = (sign_in.enter(world, sign_in.invite(world, who, "x")[0])[0] for who in ("mei", "anna"))
    proof = sign_in.proof_of(world, mine)
    sign_in.prove(world, mine, proof)
    for token, said in ((others, proof), (mine, ""), (mine, proof[:-1] + "é")):
        with pytest.raises(Forbidden):
            sign_in.prove(world, token, said)
