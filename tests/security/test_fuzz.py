"""The app under requests nobody means: no answer is our fault, and each is as the description says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from cli.openapi import OPERATIONS
from tests.security.fuzz import SPOILS, Fuzz, Spoil
from tests.security.gateway import Gateway
from tests.security.test_matrix import BODIES

ROUTES = sorted(OPERATIONS)
SEED = 20220411


def bounded(examples: int) -> Any:
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )


@pytest.fixture(scope="module")
def fuzz(opened: Gateway) -> Fuzz:
    return Fuzz(opened)


def named(route: Any) -> str:
    return " ".join(route)


@pytest.mark.parametrize("route", ROUTES, ids=named)
def test_every_value_at_its_bounds_is_answered_as_described(fuzz: Fuzz, route: tuple[str, str]) -> None:
    found = []
    first, *others = fuzz.callers(route)
    for n, case in enumerate(fuzz.at_the_bounds(route)):
        caller = others[n // 7 % len(others)] if n % 7 == 6 and others else first
        found += fuzz.try_case(case, caller, known_names=n % 2 == 0)
    assert found == [], f"{len(found)} in all, the first: {found[0]}"


def spoiled(fuzz: Fuzz, route: tuple[str, str], examples: int) -> None:
    callers = fuzz.callers(route)

    @seed(SEED)
    @bounded(examples)
    @given(st.sampled_from([*callers[:2], *callers]), SPOILS)
    def one_place(caller: str, spoil: Spoil) -> None:
        assert fuzz.try_spoiled(route, caller, spoil) == []

    one_place()


@pytest.mark.parametrize("route", ROUTES, ids=named)
def test_a_right_request_with_one_place_spoiled_is_answered_as_described(
    fuzz: Fuzz, route: tuple[str, str]
) -> None:
    spoiled(fuzz, route, 60 if route in BODIES else 12)


@pytest.mark.long
@pytest.mark.parametrize("route", ROUTES, ids=named)
def test_the_same_for_longer(fuzz: Fuzz, route: tuple[str, str]) -> None:
    spoiled(fuzz, route, 600)


@pytest.mark.long
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.name.lower())
@pytest.mark.parametrize("route", ROUTES, ids=named)
def test_whatever_the_schemas_allow_and_forbid_is_answered_as_described(
    fuzz: Fuzz, route: tuple[str, str], mode: GenerationMode
) -> None:
    operation, callers = fuzz.operation(route), fuzz.callers(route)
    forbids = mode is GenerationMode.NEGATIVE
    if forbids and not operation.body and not list(operation.iter_parameters()):
        return  # it takes nothing that could be wrong
    cases = operation.as_strategy(generation_mode=mode)

    @seed(SEED)
    @bounded(120)
    @given(cases, st.sampled_from([*callers[:2], *callers]), st.booleans())
    def made_up(case: Any, caller: str, known_names: bool) -> None:
        # a name that was made wrong is not put right again
        assert fuzz.try_case(case, caller, known_names=known_names and not forbids) == []

    made_up()


def test_the_right_request_itself_succeeds_so_that_what_is_spoiled_gets_somewhere(fuzz: Fuzz) -> None:
    for route in ROUTES:
        fuzz.statuses.clear()
        assert fuzz.try_spoiled(route, fuzz.callers(route)[0], lambda whole: None) == []  # type: ignore[arg-type]
        got = set(fuzz.statuses)
        open_to_all = not OPERATIONS[route].roles
        assert open_to_all or got == {OPERATIONS[route].status}, (route, got)


def test_an_answer_that_is_not_as_described_is_found(fuzz: Fuzz, monkeypatch: pytest.MonkeyPatch) -> None:
    from chalicelib.flows import enlist

    route = ("GET", "/v1/markets")
    nothing = Spoil(0, "drop", None)

    def broken(world: Any) -> Any:
        raise RuntimeError("a bug")

    monkeypatch.setattr(enlist, "markets", broken)
    assert "500" in str(fuzz.try_spoiled(route, "operator control-room", nothing))
    monkeypatch.setattr(enlist, "markets", lambda world: [])
    monkeypatch.setattr("chalicelib.routes.market_shapes.MarketList", lambda **told: {"colour": 1})
    assert "colour" in str(fuzz.try_spoiled(route, "operator control-room", nothing))
