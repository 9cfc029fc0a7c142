"""What the routes of webhooks say and are told. Imported by the views that need it."""

from __future__ import annotations

from pydantic import Field, model_validator

from chalicelib.domain.notices import Attempt, Notice, NoticeState
from chalicelib.domain.orders import OrderState
from chalicelib.domain.shapes import Instant, Shape, Slug
from chalicelib.flows.subscribe import URL_LIMIT, EndpointView
from chalicelib.routes import cursors


class NewEndpoint(Shape):
    """Where to tell the brand."""

    url: str = Field(
        min_length=1,
        max_length=URL_LIMIT,
        description="https, on the public internet, without user and fragment.",
        examples=["https://hooks.example.com/cordon"],
    )


class EndpointList(Shape):
    """The brand's endpoints, the oldest first."""

    data: tuple[EndpointView, ...]


class ReplayQuestion(Shape):
    """What to tell again: one order, or every state entered since a moment."""

    order_id: Slug | None = None
    since: Instant | None = None
    cursor: str | None = Field(
        default=None, max_length=cursors.LENGTH, description="Of the answer before, with the same `since`."
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> ReplayQuestion:
        if (self.order_id is None) == (self.since is None):
            raise ValueError("either order_id or since was expected")
        if self.cursor is not None and self.since is None:
            raise ValueError("a cursor goes with since")
        return self


class ReplayAnswer(Shape):
    """How many notices are on their way again; a cursor when there are more."""

    replayed: int
    has_more: bool = False
    next_cursor: str | None = None


class NoticeView(Shape):
    """One state of one order as told to this endpoint, with every try that is kept (the last 40)."""

    notice_id: str = Field(description="The webhook-id: the same at every try.")
    order_id: str
    order_state: OrderState
    sequence: int
    happened_at: Instant
    state: NoticeState
    next_attempt_at: Instant | None = None
    attempts: tuple[Attempt, ...]


class NoticeList(Shape):
    """A page of notices, the last state first."""

    data: tuple[NoticeView, ...]
    has_more: bool
    next_cursor: str | None = None


def view(notice: Notice) -> NoticeView:
    """The notice as its brand reads it."""
    return NoticeView.model_construct(**{name: getattr(notice, name) for name in NoticeView.model_fields})
