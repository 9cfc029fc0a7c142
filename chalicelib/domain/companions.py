"""Companions: gifts that a brand wishes to arrive together, as one round of dispatch meets them.

They are told by brand, group and household: two that bear one name and go to different doors have nothing to do with
one another. Whoever has been given to a courier once is bound to nobody's coming any more: a courier that took some and
refused others has parted them, and what the rules have called back goes again with whoever is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from chalicelib.domain.orders import Order
from chalicelib.domain.quotas import household_of
from chalicelib.domain.verdicts import Delivery


def parties(
    orders: Iterable[Order], deliveries: Mapping[str, Delivery]
) -> tuple[list[frozenset[str]], frozenset[str]]:
    """Those that go together, by id, and those that wait for others to be placed."""
    met: dict[tuple[str, str, str], list[Order]] = {}
    for order in orders:
        delivery = deliveries.get(order.order_id)
        if order.together is not None and delivery is not None:
            home = household_of(delivery.drop_off.address)
            met.setdefault((order.brand_id, order.together.group, home), []).append(order)
    found: list[frozenset[str]] = []
    waiting: set[str] = set()
    for companions in met.values():
        names = frozenset(order.order_id for order in companions)
        wanted = max(order.together.gifts for order in companions if order.together is not None)
        if len(names) < wanted and not any(order.was_given for order in companions):
            waiting |= names
        elif len(names) > 1:
            found.append(names)
    return found, frozenset(waiting)
