"""Signing in with a provider, over HTTP: what a browser is sent, keeps and brings back, and what it may then see."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.provider import ACCOUNT, Provider
from tests.routes.test_board import HTML, Seat, header
from tests.security.gateway import Gateway, gateway


@pytest.fixture(scope="module")
def town() -> Iterator[tuple[Gateway, Provider]]:
    with gateway() as gate:
        on: Any = gate.stage
        provider = Provider(on.clock)
        on.world.secrets.by_account["oidc", "board"] = [ACCOUNT]
        on.world.line.answer = provider
        yield gate, provider


def away(gate: Gateway, provider: Provider) -> tuple[str, str, str]:
    """Off to the provider: what our cookie keeps, and what comes back."""
    sent = gate.ask("GET", "/enter/oidc", headers=HTML)
    assert sent.status == 303
    cookie = header(sent, "set-cookie")
    assert cookie.startswith("__Host-cordon-away=") and "HttpOnly" in cookie and "SameSite=Lax" in cookie
    state, code = provider.sign_in(header(sent, "location"))
    return cookie.partition(";")[0], state, code


def back(gate: Gateway, cookie: str, state: str, code: str) -> Any:
    return gate.ask("GET", f"/enter/oidc/back?state={state}&code={code}", headers={**HTML, "Cookie": cookie})


def cookies(answer: Any) -> list[str]:
    told = {key.lower(): value for key, value in answer.headers.items()}["set-cookie"]
    return told if isinstance(told, list) else [told]


def test_the_entrance_names_the_provider_and_a_browser_comes_back_signed_in(town: Any) -> None:
    gate, provider = town
    assert b"Sign in with login.example" in gate.ask("GET", "/enter", headers=HTML).body
    entered = back(gate, *away(gate, provider))
    assert entered.status == 200 and b"mei.lin" in entered.body and b"url=" in entered.body
    ours, gone = cookies(entered)
    assert "SameSite=Strict" in ours and "Max-Age=0" in gone
    token = ours.partition(";")[0].partition("=")[2]
    assert Seat(gate, token).get("/board/SHA").status == 200


def test_an_answer_without_our_cookie_or_with_an_error_is_a_page_and_no_session(town: Any) -> None:
    gate, provider = town
    cookie, state, code = away(gate, provider)
    for stolen in ("other=1", "__Host-cordon-away=guessed"):
        refused = back(gate, stolen, state, code)
        assert refused.status == 401 and b"not asked for from here" in refused.body
        assert "set-cookie" not in {key.lower() for key in refused.headers}
    said_no = gate.ask(
        "GET", f"/enter/oidc/back?state={state}&error=access_denied", headers={**HTML, "Cookie": cookie}
    )
    assert said_no.status == 401 and b"has not let you in" in said_no.body


def seat_of(gate: Gateway, provider: Provider, *groups: str) -> Seat:
    provider.claims["groups"] = list(groups)
    token = cookies(back(gate, *away(gate, provider)))[0].partition(";")[0].partition("=")[2]
    return Seat(gate, token)


def test_who_is_let_in_to_another_market_sees_this_one_as_if_it_were_not_there(town: Any) -> None:
    gate, provider = town
    seat = seat_of(gate, provider, "cordon-milan")
    for path in ("", "/map", "/whatif", "/couriers", "/suspicions", "/log", "/queue", "/gifts"):
        assert seat.get(f"/board/SHA{path}").status == 404, path
    assert seat.get(seat.order).status == 404
    assert b"SHA" not in seat.get("/board").body


def test_who_looks_on_sees_everything_and_does_nothing(town: Any) -> None:
    gate, provider = town
    seat = seat_of(gate, provider, "cordon-watch")
    assert seat.get("/board/SHA").status == 200 and seat.get(seat.order).status == 200
    before = gate.stage.order(gate.names["order_id"])
    refused = seat.post(f"{seat.order}/hold", version=seat.version, hours="1", why="")
    assert refused.status == 403 and b"do nothing there" in refused.body
    assert gate.stage.order(gate.names["order_id"]) == before
    assert seat.post("/board/SHA/couriers/paper-co/suspend", why="x").status == 403
    assert seat.post("/board/SHA/whatif", once="q", zone_id="zone-Yongjia").status == 303
    assert seat.post("/leave").status == 303


def test_where_none_is_set_up_the_entrance_is_as_it_was(town: Any) -> None:
    gate, _ = town
    accounts = gate.stage.world.secrets.by_account
    kept = accounts.pop(("oidc", "board"))
    try:
        assert b"Sign in with" not in gate.ask("GET", "/enter", headers=HTML).body
        assert gate.ask("GET", "/enter/oidc", headers=HTML).status == 401
        assert gate.ask("GET", "/enter/oidc/back?state=a&code=b", headers=HTML).status == 401
    finally:
        accounts["oidc", "board"] = kept
