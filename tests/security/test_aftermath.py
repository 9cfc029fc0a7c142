"""What was taken at the door breaks nothing behind it: one brand's odd order must not stop a whole market's planner.

Right requests with one place spoiled, as in `test_fuzz`; those that are accepted go on through queues and planner,
and then the gifts of others have to be where they would have been.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from chalicelib.domain.orders import OrderState
from chalicelib.domain.ports import Topic
from chalicelib.flows import sweep
from cli.openapi import OPERATIONS
from tests import drive
from tests.security.fuzz import CALLERS, SPOILS, Fuzz, Spoil
from tests.security.gateway import Gateway
from tests.security.test_matrix import BODIES

KEPT_NOWHERE = {
    ("POST", "/v1/clearances"),
    ("POST", "/v1/keys"),
    ("POST", "/v1/webhooks/{endpoint_id}/replay"),
}
TAKEN = sorted(route for route in BODIES if OPERATIONS[route].roles and route not in KEPT_NOWHERE)
"""Everything that is kept and read again by a flow."""


@pytest.fixture(scope="module")
def fuzz(opened: Gateway) -> Fuzz:
    return Fuzz(opened)


def settled(gate: Gateway) -> None:
    """The queues empty, and both schedules once."""
    world = gate.stage.world
    drive.settle(world)
    sweep.tick(world)
    sweep.sweep(world)
    drive.settle(world)


def aftermath(fuzz: Fuzz, route: tuple[str, str], examples: int) -> int:
    """Spoil so many times; how many of them were taken."""
    gate, taken = fuzz.gate, 0
    first = CALLERS[OPERATIONS[route].roles[0]]

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(SPOILS)
    def one_place(spoil: Spoil) -> None:
        nonlocal taken
        gate.restore()
        fuzz.statuses.clear()
        assert fuzz.try_spoiled(route, first, spoil) == []
        if OPERATIONS[route].status not in fuzz.statuses:
            return
        taken += 1
        gate.stage.world.queues.nudge(Topic.DISPATCH, ["SHA:all"])
        settled(gate)
        if route == ("POST", "/v1/orders"):
            assert gate.stage.order(gate.names["order_id"]).state is OrderState.BOOKED

    one_place()
    return taken


@pytest.mark.parametrize("route", TAKEN, ids=lambda route: " ".join(route))
def test_what_is_taken_is_carried_through_and_harms_nobody_else(fuzz: Fuzz, route: tuple[str, str]) -> None:
    assert aftermath(fuzz, route, 50) > 0


@pytest.mark.long
@pytest.mark.parametrize("route", TAKEN, ids=lambda route: " ".join(route))
def test_the_same_for_longer(fuzz: Fuzz, route: tuple[str, str]) -> None:
    assert aftermath(fuzz, route, 600) > 0


def test_an_order_that_would_stop_the_planner_is_found(fuzz: Fuzz, monkeypatch: pytest.MonkeyPatch) -> None:
    from chalicelib.domain.clearance import Clearer

    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(Clearer, "clear", broken)
    with pytest.raises(ZeroDivisionError):
        aftermath(fuzz, ("POST", "/v1/orders"), 30)
