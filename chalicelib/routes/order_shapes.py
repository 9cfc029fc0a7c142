"""What the routes of an order say and are told, beside the order itself. Imported by the views that need it."""

from __future__ import annotations

from chalicelib.domain.evidence import Evidence
from chalicelib.domain.order_views import OrderView
from chalicelib.domain.shapes import Shape, Slug, Window
from chalicelib.routes import cursors, disclosure


class OrderList(Shape):
    """A page of orders, the last placed first."""

    data: tuple[disclosure.BrandOrder, ...] | tuple[OrderView, ...]
    has_more: bool
    next_cursor: str | None = None


class BrandEvidenceList(Shape):
    """Every decision about one order as its brand reads it, the first first."""

    order_id: str
    data: tuple[disclosure.BrandEvidence, ...]


class EvidenceList(Shape):
    """Every decision about one order and all it rests on, for operators; the first first."""

    order_id: str
    data: tuple[Evidence, ...]


class Codes(Shape):
    """What the courier asks for, by name; empty when nobody holds the gift or this courier asks for none."""

    order_id: str
    codes: dict[str, str]


class AnotherAttempt(Shape):
    """When a gift that came back, or that nobody could take, is to be sent out again."""

    window: Window


class Which(cursors.PageOf):
    """Whose orders, and how long a page is."""

    brand: Slug | None = None


class AnotherWindow(Shape):
    """When the client would have it instead."""

    window: Window


class NewCode(Shape):
    """The code of a gift of great value, for its client alone."""

    order_id: str
    hand_over_code: str
