"""An order as an entry in a calendar: when the team, or the gift, is expected."""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.domain.orders import Order, OrderState
from chalicelib.pages.calendar import Entry
from chalicelib.pages.sheet import seen

VISIT = "Visit: {name}"
DELIVERY = "Delivery: {name}"


def entry_of(
    order: Order,
    say: Callable[[str], str] = lambda text: text,
    link: str | None = None,
) -> Entry:
    """The hours that hold, or that are wished for; `say`: the same sentence in the reader's language."""
    arrival = order.hoped_window
    visit = order.appointment
    changed = [order.placed_at, order.cancel_asked_at, order.leg.begun_at]
    changed.append(None if order.rescheduling is None else order.rescheduling.asked_at)
    is_replaced = order.state is OrderState.FULFILLED_DIGITALLY  # nobody comes
    changed.append(order.digital.at if is_replaced and order.digital is not None else None)
    return Entry(
        uid=f"{order.order_id}@cordon",
        sequence=order.calendar_sequence,
        hours=arrival if visit is None else visit.lasting(arrival),
        summary=say(DELIVERY if visit is None else VISIT).format(name=seen(order.pick_up_name)),
        changed_at=max(at for at in changed if at is not None),
        is_cancelled=order.cancel_asked_at is not None or is_replaced,
        link=link,
    )
