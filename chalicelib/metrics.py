"""What is counted and measured: read off the facts that are logged, so that nothing is said twice in a flow.

Written in CloudWatch's embedded metric format: a line on standard output that CloudWatch Logs turns into metrics,
without a call. Counts are summed and durations collected over one invocation. A metric costs money for each
combination of its dimensions: they are markets and couriers, never an order, a brand or an endpoint.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

VALUES = 100
"""Values of one metric in one line, at most: the format's own limit."""


@dataclass(frozen=True)
class Measure:
    """One metric that a fact feeds. `value`: the fact that is the value; none: it counts one.

    `when`: only where that fact is one of these. `by`: the dimensions, once as a whole and once for each of these.
    """

    name: str
    value: str | None = None
    when: tuple[str, frozenset[str]] | None = None
    by: tuple[tuple[str, ...], ...] = ((),)
    unit: str = "Count"
    highest: bool = False
    """The highest value of the invocation says it all."""


def _in(fact: str, *words: str) -> tuple[str, frozenset[str]]:
    return fact, frozenset(words)


_MARKET = ((), ("market",))
_COURIER = (("courier",),)
_LAG = Measure("PlannerLag", "lag_s", unit="Seconds", highest=True)

MEASURED: Mapping[str, tuple[Measure, ...]] = {
    "ticked": (Measure("TickRan"), _LAG),
    "swept": (Measure("SweepRan"),),
    "planned": (Measure("PlannerLag", "lag_s", by=_MARKET, unit="Seconds", highest=True),),
    "stepped": (
        Measure("OrdersPlaced", when=_in("state", "placed")),
        Measure("OrdersHeld", when=_in("state", "held"), by=_MARKET),
        Measure("OrdersStranded", when=_in("state", "stranded"), by=_MARKET),
        Measure("OrdersDelivered", when=_in("state", "delivered")),
        Measure("OrdersFailed", when=_in("state", "failed", "returned")),
    ),
    "courier_asked": (
        Measure("CourierBooked", when=_in("answer", "Booked"), by=_COURIER),
        Measure("CourierRefused", when=_in("answer", "NotTaken"), by=_COURIER),
        Measure("CourierUnknown", when=_in("answer", "Unsure", "TokenRefused", "CancelUnknown"), by=_COURIER),
        Measure("CourierUnanswered", when=_in("answer", "Unanswered"), by=_COURIER),
        Measure("CourierMs", "took_ms", unit="Milliseconds"),
    ),
    "breaker_opened": (Measure("BreakersOpened", by=((), ("courier",))),),
    "courier_account_missing": (Measure("CourierUnanswered", by=_COURIER),),
    "booking_vanished": (Measure("BookingsVanished"),),
    "moved_uncleared": (Measure("MovedUncleared"),),
    "proof_awaited": (Measure("ValuablesInDoubt"),),
    "seal_misfits": (Measure("ValuablesInDoubt"),),
    "closure_suspected": (Measure("ClosuresSuspected", when=_in("result", "held")),),
    "crew_may_be_shut_in": (Measure("CrewsShutIn"),),
    "callback_forged": (Measure("CallbacksRefused"),),
    "callback_unreadable": (Measure("CallbacksUnreadable"),),
    "told": (
        Measure("NoticesDelivered", when=_in("result", "delivered")),
        Measure("NoticesFailed", when=_in("result", "failed", "gone", "slow_down")),
        Measure("NoticeMs", "took_ms", unit="Milliseconds"),
    ),
    "notice_given_up": (Measure("NoticesGivenUp"),),
    "message_given_up": (Measure("NoticesGivenUp"),),
    "message_forged": (Measure("CallbacksRefused"),),
    "order_unreadable": (Measure("OrdersUnreadable"),),
    "message_given_back": (Measure("MessagesGivenBack"),),
    "message_put_aside": (Measure("Letters"),),
    "failure": (Measure("Failures"),),
}

_At = tuple[tuple[str, str], ...]
"""Names and values of the dimensions."""


class Tally:
    """What one invocation has measured so far. Couriers are asked side by side, and the last may still be waited for
    when the lines are written."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._values: dict[_At, dict[str, list[float]]] = {}
        self._units: dict[str, str] = {}

    def note(self, event: str, facts: Mapping[str, Any]) -> None:
        """A fact that was logged: whatever it measures."""
        for measure in MEASURED.get(event, ()):
            if measure.when is not None and str(facts.get(measure.when[0])) not in measure.when[1]:
                continue
            value = 1 if measure.value is None else facts.get(measure.value)
            if not isinstance(value, (int, float)):
                continue  # the fact was not known
            with self._lock:
                self._units[measure.name] = measure.unit
                for names in measure.by:
                    if all(name in facts for name in names):
                        self._add(tuple((name, str(facts[name])) for name in names), measure, value)

    def _add(self, at: _At, measure: Measure, value: float) -> None:
        values = self._values.setdefault(at, {}).setdefault(measure.name, [])
        if measure.value is None:
            values[:] = [sum(values) + 1]
        elif measure.highest:
            values[:] = [max([*values, value])]
        else:
            values.append(value)

    def lines(self, namespace: str, at_ms: int) -> Iterator[str]:
        """A line for each combination of dimensions; more where a metric has more values than one line takes."""
        with self._lock:
            measured = {at: {n: [*v] for n, v in metrics.items()} for at, metrics in self._values.items()}
        for at, metrics in measured.items():
            start = 0
            while some := {name: v[start : start + VALUES] for name, v in metrics.items() if v[start:]}:
                yield self._line(namespace, at_ms, at, some)
                start += VALUES

    def _line(self, namespace: str, at_ms: int, at: _At, metrics: Mapping[str, list[float]]) -> str:
        directive = {
            "Namespace": namespace,
            "Dimensions": [[name for name, _ in at]],
            "Metrics": [self._named(name) for name in metrics],
        }
        return json.dumps(
            {
                "_aws": {"Timestamp": at_ms, "CloudWatchMetrics": [directive]},
                **dict(at),
                **{name: values[0] if len(values) == 1 else values for name, values in metrics.items()},
            },
            separators=(",", ":"),
        )

    def _named(self, name: str) -> dict[str, str]:
        unit = self._units[name]
        return {"Name": name} if unit == "Count" else {"Name": name, "Unit": unit}
