"""Somebody is let in on a provider's word, and on nothing that only looks like it."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.errors import Forbidden, Unanswered, Unauthorised
from chalicelib.domain.ports import World
from chalicelib.flows import let_in, sign_in
from chalicelib.flows.vouch import UnknownKey, claims_of
from tests import fakes
from tests.provider import ACCOUNT, ISSUER, Provider, ec_key, jwk, rsa_key, signed, text

BACK = "https://cordon.example/prod/enter/oidc/back"


def scene(**account: Any) -> tuple[World, Provider, fakes.FakeClock]:
    clock = fakes.FakeClock()
    provider = Provider(clock)
    secrets = fakes.FakeSecrets()
    secrets.by_account["oidc", "board"] = [{**ACCOUNT, **account}]
    return fakes.world(clock=clock, line=fakes.FakeLine(provider), secrets=secrets), provider, clock


def come_in(world: World, provider: Provider) -> tuple[str, Any]:
    address, secret = let_in.begin(world, BACK)
    state, code = provider.sign_in(address)
    return let_in.finish(world, secret, state, code, BACK)


def test_a_provider_s_word_opens_a_session_with_their_name_and_ends_like_any_other() -> None:
    world, provider, clock = scene()
    token, session = come_in(world, provider)
    assert (session.who, session.let_in_by, session.markets, session.looks_on) == (
        "mei.lin", ISSUER, None, False,
    )  # fmt: skip
    assert sign_in.session_of(world, token) == session
    assert token not in str(world.table.rows)  # type: ignore[attr-defined]
    clock.forward(seconds=1)
    sign_in.turn_away(world, "mei.lin")
    with pytest.raises(Unauthorised):
        sign_in.session_of(world, token)


def test_claims_say_which_markets_and_whether_somebody_only_looks_on() -> None:
    world, provider, _ = scene()
    provider.claims["groups"] = ["cordon-shanghai", "cordon-milan", "cordon-watch"]
    _, session = come_in(world, provider)
    assert (session.markets, session.looks_on) == (("SHA", "MIL"), False)
    assert session.sees("SHA") and not session.sees("PAR")
    provider.claims["groups"] = "cordon-watch"
    _, session = come_in(world, provider)
    assert (session.markets, session.looks_on) == (None, True)
    provider.claims["groups"] = ["cordon"]
    with pytest.raises(Forbidden, match="not let in"):
        come_in(world, provider)
    provider.claims["groups"] = None
    with pytest.raises(Forbidden):
        come_in(world, provider)


def test_an_answer_that_another_browser_has_begun_opens_nothing() -> None:
    world, provider, _ = scene()
    mine, secret = let_in.begin(world, BACK)
    theirs, _ = let_in.begin(world, BACK)
    state, code = provider.sign_in(theirs)
    for told in (state, "", "x"):
        with pytest.raises(Unauthorised, match="not asked for"):
            let_in.finish(world, secret, told, code, BACK)
    with pytest.raises(Unauthorised, match="not asked for"):
        let_in.finish(world, "", state, code, BACK)
    my_state, _ = provider.sign_in(mine)
    with pytest.raises(Unauthorised, match="not take"):  # a code that was stolen: its verifier is another
        let_in.finish(world, secret, my_state, code, BACK)
    with pytest.raises(Unauthorised, match="not let you in"):
        let_in.finish(world, secret, my_state, "", BACK)


def test_a_code_is_good_once() -> None:
    world, provider, _ = scene()
    address, secret = let_in.begin(world, BACK)
    state, code = provider.sign_in(address)
    let_in.finish(world, secret, state, code, BACK)
    with pytest.raises(Unauthorised, match="sign in again"):
        let_in.finish(world, secret, state, code, BACK)


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"iss": "https://evil.example"}, "not from the provider"),
        ({"aud": "another"}, "not for us"),
        ({"aud": ["cordon", "another"]}, "somebody else"),
        ({"azp": "another"}, "somebody else"),
        ({"sub": None}, "names nobody"),
        ({"nonce": "another"}, "another question"),
        ({"nonce": None}, "another question"),
        ({"exp": 0}, "it is over"),
        ({"exp": None}, "moment as 'exp'"),
        ({"exp": True}, "moment as 'exp'"),
        ({"iat": 10**12}, "future"),
        ({"iat": 1}, "too old"),
        ({"preferred_username": None}, "no name"),
        ({"preferred_username": "@"}, "no name"),
    ],
)
def test_what_is_not_for_us_now_and_here_is_not_taken(claims: dict[str, Any], why: str) -> None:
    world, provider, _ = scene()
    provider.claims |= claims
    with pytest.raises(Unauthorised, match=why):
        come_in(world, provider)
    assert not [key for key in world.table.rows if key.pk.startswith("session#")]  # type: ignore[attr-defined]


def unsigned(claims: dict[str, Any]) -> str:
    header = text(json.dumps({"alg": "none", "kid": "one"}).encode())
    return f"{header}.{text(json.dumps(claims).encode())}."


def another_s(claims: dict[str, Any]) -> str:
    return signed(rsa_key(1), claims)


def flipped(claims: dict[str, Any]) -> str:
    head, body, tail = signed(rsa_key(), claims).split(".")
    raw = bytearray(base64.urlsafe_b64decode(body + "=="))
    raw[-2] ^= 1
    return f"{head}.{text(bytes(raw))}.{tail}"


FORGED = [
    unsigned,
    another_s,
    flipped,
    lambda claims: signed(rsa_key(), claims, alg="HS256"),
    lambda claims: signed(rsa_key(), claims, alg="ES256"),
    lambda claims: signed(rsa_key(), claims, alg=["RS256"]),
    lambda claims: signed(rsa_key(), claims, crit=["exp"]),
    lambda claims: signed(rsa_key(), claims, kid="two"),
    lambda claims: signed(rsa_key(), claims) + "=",
    lambda claims: "a.b.c",
    lambda claims: "",
    lambda claims: "." * 9,
    lambda claims: "x" * 20_000,
]


@pytest.mark.parametrize("forge", FORGED)
def test_a_token_without_the_provider_s_signature_is_not_taken(forge: Any) -> None:
    world, provider, _ = scene()
    provider.token = forge
    with pytest.raises(Unauthorised, match="is not taken"):
        come_in(world, provider)


def test_a_key_that_is_too_short_or_for_something_else_verifies_nothing() -> None:
    short = rsa_key(2, 1024)
    with pytest.raises(Unauthorised, match="too short"):
        claims_of(signed(short, {}), [jwk(short, "one")])
    for more in ({"use": "enc"}, {"alg": "RS512"}, {"kid": "other"}, {"n": 7}, {"kty": "oct"}):
        with pytest.raises(Unauthorised):
            claims_of(signed(rsa_key(), {}), [{**jwk(rsa_key(), "one"), **more}])
    with pytest.raises(UnknownKey):
        claims_of(signed(rsa_key(), {}), [])


def test_a_curve_s_signature_is_taken_as_well() -> None:
    assert claims_of(signed(ec_key(), {"sub": "x"}), [jwk(ec_key(), "one")]) == {"sub": "x"}
    with pytest.raises(Unauthorised):
        claims_of(signed(ec_key(), {"sub": "x"}), [jwk(ec_key(), "one", crv="P-384")])


def test_a_provider_that_has_changed_its_keys_is_asked_again_and_not_at_every_turn() -> None:
    world, provider, clock = scene()
    come_in(world, provider)
    asked = len([url for url in provider.heard if url.endswith("/keys")])
    come_in(world, provider)
    assert len([url for url in provider.heard if url.endswith("/keys")]) == asked == 1
    provider.key, provider.kid = rsa_key(1), "two"
    with pytest.raises(UnknownKey):  # within a minute nobody is asked again
        come_in(world, provider)
    clock.forward(minutes=2)
    come_in(world, provider)
    assert len([url for url in provider.heard if url.endswith("/keys")]) == 2


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://other.example"},
        {"jwks_uri": "http://login.example/keys"},
        {"token_endpoint": None},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
)
def test_a_discovery_document_of_somebody_else_or_without_https_is_not_followed(document: Any) -> None:
    world, provider, _ = scene()
    provider.document = document
    with pytest.raises(Unanswered):
        let_in.begin(world, BACK)


def test_a_provider_that_takes_its_secret_in_the_form_gets_it_there() -> None:
    world, provider, _ = scene()
    provider.document = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    assert come_in(world, provider)[1].who == "mei.lin"


def test_only_public_addresses_are_asked_and_each_within_a_time() -> None:
    world, provider, _ = scene()
    told: list[bool] = []

    class Line(fakes.FakeLine):
        def send(self, request: Any, *, public_only: bool = False) -> Any:
            told.append(public_only)
            assert request.read_timeout_s <= 5
            return super().send(request, public_only=public_only)

    come_in(replace(world, line=Line(provider), webhooks_may_be_private=False), provider)
    assert told and all(told)


def test_where_no_provider_is_set_up_or_it_is_set_up_wrongly_nobody_is_sent_to_one() -> None:
    world = fakes.world()
    assert let_in.provider(world) is None
    for act in (lambda: let_in.begin(world, BACK), lambda: let_in.finish(world, "a", "b", "c", BACK)):
        with pytest.raises(Unauthorised, match="no provider"):
            act()
    wrong, _, _ = scene(issuer="http://login.example")
    assert let_in.provider(wrong) is None
    assert "secret" not in str(wrong.log.lines) and "issuer" in str(wrong.log.lines)  # type: ignore[attr-defined]


def test_a_session_from_before_there_were_markets_sees_them_all() -> None:
    world, _, clock = scene()
    token, session = sign_in.enter(world, sign_in.invite(world, "mei", "control-room")[0])
    assert session.sees("SHA") and not session.looks_on
    kept = next(row.body for key, row in world.table.rows.items() if key.sk == "session")  # type: ignore[attr-defined]
    assert "markets" not in kept and "looks_on" not in kept, "the version before would not read it"
    clock.now += timedelta(hours=1)
    assert sign_in.session_of(world, token).markets is None
