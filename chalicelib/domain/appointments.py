"""The appointment: the boutique that comes to the client's door, and what it takes along on loan.

A visit is an order like any other: cleared, planned, booked and told the same way. What is different stands here. The
team stays, so everything that lets it in has to hold until it is out again; and it brings most of what it has taken
along back, piece by piece, each with its serial number.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

from chalicelib.domain.gifts import Gift, Item, ItemClass
from chalicelib.domain.shapes import Instant, Money, Shape, Text, Window, is_absent

NAGS = (timedelta(hours=2), timedelta(hours=10), timedelta(hours=12))
"""So long after the end of a visit, and after each reminder, its brand is reminded of what is still out ..."""
DAILY = timedelta(days=1)
"""... and then this often, ..."""
MOST_NAGS = 30
"""... but no more often: by then somebody has to have asked a person."""


class PieceState(StrEnum):
    """Where one piece is, as whoever handles it has said."""

    OUT = "out"
    SOLD = "sold"
    """It stays with the client."""
    BACK = "back"
    """In the boutique, whether it had left or not."""


class NewPiece(Shape):
    """One piece that the team takes along."""

    serial: Text = Field(
        max_length=64, description="As engraved or on its certificate.", examples=["VCARO4F800"]
    )
    name: Text = Field(examples=["Alhambra ring"])
    item_class: ItemClass
    value: Money


class Piece(NewPiece):
    """The same on the manifest, and what has become of it."""

    state: PieceState | None = Field(
        default=None,
        exclude_if=is_absent,
        description="Absent: it has not left the boutique, as far as is known.",
    )
    since: Instant | None = Field(default=None, exclude_if=is_absent)


class Word(Shape):
    """What has become of one piece."""

    serial: Text = Field(max_length=64)
    state: PieceState


class Count(Shape):
    """What was counted: some of the pieces, or all."""

    pieces: tuple[Word, ...] = Field(min_length=1, max_length=40)


class Appointment(Shape):
    """How long the team stays, and what it takes along."""

    minutes: int = Field(
        strict=True,
        ge=10,
        le=480,
        description="From when the team arrives, within the window, to when it leaves the client.",
    )
    pieces: tuple[Piece, ...] = Field(min_length=1, max_length=40)
    nags: int = Field(default=0, description="Reminders of what is missing that have been given.")

    @property
    def duration(self) -> timedelta:
        return timedelta(minutes=self.minutes)

    def lasting(self, arrival: Window) -> Window:
        """From the earliest arrival to when the last hand has been shaken."""
        return arrival.model_copy(update={"end": arrival.end + self.duration})

    def known(self, *, has_left: bool) -> tuple[Piece, ...]:
        """The pieces as they are taken to be. `has_left`: the team has set out, on the leg under way; what nobody has
        counted is then out, for a piece is not known to be in the boutique because nobody wrote down that it left."""
        return tuple(
            piece.model_copy(update={"state": PieceState.OUT}) if has_left and piece.state is None else piece
            for piece in self.pieces
        )

    def on_loan(self, *, has_left: bool) -> tuple[Piece, ...]:
        """What is neither sold nor back."""
        return tuple(piece for piece in self.known(has_left=has_left) if piece.state is PieceState.OUT)

    def settled_at(self, *, has_left: bool) -> datetime | None:
        """When the last piece was accounted for; None while one is out."""
        if self.on_loan(has_left=has_left):
            return None
        return max((piece.since for piece in self.pieces if piece.since is not None), default=None)

    def sent_again(self, at: datetime, *, has_left: bool) -> Appointment:
        """The same for another attempt. What was counted back may go out again, and is taken to be out once the team
        sets out; what nobody has seen since the last time is out as it was."""
        pieces = []
        for piece, known in zip(self.pieces, self.known(has_left=has_left), strict=True):
            if known.state is PieceState.BACK:
                piece = piece.model_copy(update={"state": None, "since": None})
            elif known.state is not piece.state:
                piece = known.model_copy(update={"since": at})
            pieces.append(piece)
        return self.model_copy(update={"pieces": tuple(pieces), "nags": 0})

    def next_nag(self, told_at: datetime) -> datetime | None:
        """When to remind, the last word having been told at that moment; None: it was done often enough."""
        if self.nags >= MOST_NAGS:
            return None
        return told_at + (NAGS[self.nags] if self.nags < len(NAGS) else DAILY)

    def recorded(self, said: Iterable[tuple[str, PieceState]], at: datetime) -> Appointment:
        """With those words on the manifest; the same word again changes nothing."""
        words = dict(said)
        pieces = tuple(
            piece.model_copy(update={"state": words[piece.serial], "since": at})
            if words.get(piece.serial, piece.state) is not piece.state
            else piece
            for piece in self.pieces
        )
        return self.model_copy(update={"pieces": pieces})


def planned(minutes: int, pieces: Iterable[NewPiece]) -> Appointment:
    """The appointment as it is made. Raises ValueError for a serial number that stands there twice."""
    on_manifest = tuple(Piece(**dict(piece)) for piece in pieces)
    serials = [piece.serial for piece in on_manifest]
    doubles = sorted({serial for serial in serials if serials.count(serial) > 1})
    if doubles:
        raise ValueError(f"each piece has a serial number of its own, got {doubles!r} more than once")
    return Appointment(minutes=minutes, pieces=on_manifest)


def parcel(pieces: Iterable[NewPiece]) -> Gift:
    """What is in the vehicle, as clearance and insurance look at it: a line for each kind of thing."""
    by_class: dict[ItemClass, list[NewPiece]] = {}
    for piece in pieces:
        by_class.setdefault(piece.item_class, []).append(piece)
    lines = []
    for item_class, alike in by_class.items():
        currencies = {piece.value.currency for piece in alike}
        if len(currencies) > 1:
            raise ValueError(f"the pieces of one visit share one currency, got {sorted(currencies)!r}")
        worth = Money(amount=sum(piece.value.amount for piece in alike), currency=currencies.pop())
        lines.append(Item(name=f"{len(alike)} on loan", item_class=item_class, value=worth))
    return Gift(items=tuple(lines))
