"""On every other day a planner's measures are small, so that twenty orders are to it what thousands are to a market:
it takes the lease, its round does not fit into one transaction, and the next goes on from a place in the index.

Otherwise every round of a day would be small enough to be planned without the lease (`dispatch.UNLEASED`), and no
planner could meet or outlive one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from chalicelib.domain import breaker
from chalicelib.flows import assign, dispatch, lease, rezone

SMALL = {"UNLEASED": 0, "POOL": 6, "PAIRS": 0}
SHORT = {"LEGS": 2}
FEW = {"PAGE": 4, "BLOCK": 1, "URGENT": 2, "SPARE": 1, "MORE": 2}
"""So that new rules touch more than one run decides."""
IMPATIENT = {"FAILURES": 2}
"""So that a courier which is asked ten things a day can fail often enough to be left in peace."""


@contextmanager
def scaled(seed: int, counted: Counter[str]) -> Iterator[None]:
    """The measures of that day; what came of its leases is counted."""

    def counting(do: Callable[..., Any], well: str, ill: str) -> Callable[..., Any]:
        def done(*asked: Any) -> Any:
            came = do(*asked)
            counted[well if came else ill] += 1
            return came

        return done

    def next_pool(*asked: Any) -> Any:
        keys, following = pool(*asked)
        counted["round goes on"] += bool(asked[-1])
        return keys, following

    pool = dispatch._pool
    with (
        mock.patch.multiple(dispatch, _pool=next_pool, **({} if seed % 2 else SMALL)),
        mock.patch.multiple(assign, **({"LEGS": assign.LEGS} if seed % 2 else SHORT)),
        mock.patch.multiple(rezone, **({"PAGE": rezone.PAGE} if seed % 2 else FEW)),
        mock.patch.multiple(breaker, **({"FAILURES": breaker.FAILURES} if seed % 2 else IMPATIENT)),
        mock.patch.multiple(
            lease,
            take=counting(lease.take, "lease taken", "lease met"),
            renew=counting(lease.renew, "lease renewed", "lease outlived"),
            release=counting(lease.release, "lease given back", "lease outlived"),
        ),
    ):
        yield
