"""The shapes of the board for programs; apart, so that importing the app stays small."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from types import ModuleType

from pydantic import Field

from chalicelib.domain.board import Board, Line, Risk
from chalicelib.domain.orders import Order, OrderState, Tier, TierName
from chalicelib.domain.ports import World
from chalicelib.domain.shapes import Instant, Shape, Slug


class ZoneQuestion(Shape):
    """Which place, and when."""

    lng: float = Field(ge=-180, le=180, description="In the market's own datum.")
    lat: float = Field(ge=-90, le=90)
    at: Instant | None = Field(default=None, description="Absent: now.")


class BoardLine(Shape):
    """One gift, without whom it is for and where exactly."""

    order_id: str
    version: int
    reference: str
    brand: str
    tier: TierName
    state: OrderState
    risk: str
    reasons: tuple[str, ...] = ()
    start: int = Field(description="Of its hours, in epoch seconds, as is the end.")
    end: int
    courier: str | None = None
    district: str | None = None
    is_stopped: bool = False


class BoardView(Shape):
    """What the board shows of a market: counted while somebody looks, at most some seconds ago."""

    market: Slug
    counted_at: Instant
    open: int
    held: int
    stranded: int
    late: int
    awaiting_proof: int
    dead_letters: dict[str, int]
    risks: dict[str, int]
    is_cut: bool = Field(description="There are more than were counted.")
    data: tuple[BoardLine, ...] = Field(description="The most at risk first.")


def board_view(board: Board, lines: Iterable[Line]) -> BoardView:
    """The count and its lines."""
    return BoardView.model_construct(
        market=board.market_id,
        counted_at=board.counted_at,
        open=board.open,
        held=board.held,
        stranded=board.stranded,
        late=board.late,
        awaiting_proof=board.unproven,
        dead_letters=board.letters,
        risks=board.risks,
        is_cut=board.is_cut,
        data=tuple(_line(line) for line in lines),
    )


def _line(line: Line) -> BoardLine:
    kept = {name: getattr(line, name) for name in BoardLine.model_fields}
    return BoardLine.model_construct(
        **{
            **kept,
            "tier": Tier(line.tier),
            "state": OrderState(line.state),
            "risk": Risk(line.risk).name.lower(),
        }
    )


class Wish(StrEnum):
    """What can be done to an order by hand."""

    REDISPATCH = "redispatch"
    HOLD = "hold"
    RELEASE = "release"
    CANCEL = "cancel"
    RECALL = "recall"


class NewDeed(Shape):
    """What is to be done, and why: the why stands in the order's audit, and names nobody."""

    what: Wish
    why: str = Field(default="", max_length=300)
    until: Instant | None = Field(default=None, description="Of a hold, and only of one.")
    not_this_courier: bool = Field(
        default=False, description="Of a redispatch: nor with any other slot of that courier."
    )

    def model_post_init(self, _context: object) -> None:
        if (self.until is not None) != (self.what is Wish.HOLD):
            raise ValueError("until goes with hold, and hold with until")
        if self.not_this_courier and self.what is not Wish.REDISPATCH:
            raise ValueError("not_this_courier goes with redispatch")


def done(act: ModuleType, world: World, order_id: str, version: int, deed: NewDeed, who: str) -> Order:
    """The order after that deed."""
    if deed.what is Wish.HOLD:
        order: Order = act.hold(world, order_id, version, deed.until, who, deed.why)
    elif deed.what is Wish.REDISPATCH:
        order = act.redispatch(
            world, order_id, version, who, deed.why, not_this_courier=deed.not_this_courier
        )
    else:
        order = getattr(act, deed.what.value)(world, order_id, version, who, deed.why)
    return order
