"""Days on which brands wish for other windows, whatever goes wrong meanwhile: no place is lost, none is given back twice,
no courier has two jobs, and whoever is told hours is told those that hold.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from chalicelib.domain.orders import Order, OrderState
from chalicelib.domain.ports import World
from chalicelib.flows import look
from chalicelib.flows.reschedule import reschedule
from tests.simulation import plan as plans
from tests.simulation import shrink
from tests.simulation.day import Day, order_id_of

ENDED = frozenset({OrderState.RETURNED, OrderState.STRANDED})
"""What goes out again as a leg of its own: other days are about that."""


def other_window(world: World, brand_id: str, order_id: str) -> Order | None:
    """The order with hours that begin a little later, or the wish for them."""
    order = look.own_order(world, brand_id, order_id)
    if order.state in ENDED:
        return None
    later = {
        "start": order.window.start + timedelta(minutes=25),
        "end": order.window.end + timedelta(minutes=55),
    }
    return reschedule(world, brand_id, order_id, order.window.model_copy(update=later), order.version)


@pytest.mark.long
def test_every_invariant_holds_on_days_on_which_windows_are_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    wishes: Counter[str] = Counter()
    was = Day._do_to_an_order

    def wish(day: Day, deed: plans.Deed, of: plans.Wish) -> None:
        """In the place of each cancellation, and beside each repeat of a placing."""

        def ask(world: World) -> None:
            after = other_window(world, of.brand_id, order_id_of(of))
            if after is not None:
                wishes["pending" if after.wish is not None else "granted"] += 1

        if deed.what in ("cancel", "place again", "place another under its key"):
            day.ask(f"another window for {of.name}", ask)
        if deed.what != "cancel":
            was(day, deed, of)

    monkeypatch.setattr(Day, "_do_to_an_order", wish)
    failures = [found for seed in range(1, 31) if (found := shrink.failure_of(seed)) is not None]
    assert failures == [], shrink.story(failures[0])
    assert wishes["pending"] > 20 and wishes["granted"] > 60, wishes
