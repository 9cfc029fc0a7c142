"""The assignment problem: which gift goes with which slot. Problem in, plan out; no clock, no AWS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

FEN_PER_PERMILLE = 3
"""The published exchange rate: one permille of on-time probability is worth 3 minor units of price."""


@dataclass(frozen=True)
class Problem:
    """Orders with their tier, slots with what is left, and a cost in minor units for each feasible pair."""

    orders: Mapping[str, int]
    """Order id to priority tier; a higher tier is served strictly first."""
    slots: Mapping[str, int]
    """Slot id to deliveries left."""
    costs: Mapping[tuple[str, str], int]
    """(order id, slot id) to cost; a pair that is absent is not cleared."""


@dataclass(frozen=True)
class Plan:
    """Order id to slot id. Who is absent stays."""

    chosen: Mapping[str, str]


def cost_of(price: int, on_time_permille: int) -> int:
    """What giving an order to a slot costs: its price and its expected lateness, in one currency's minor units."""
    return price + FEN_PER_PERMILLE * (1000 - on_time_permille)
