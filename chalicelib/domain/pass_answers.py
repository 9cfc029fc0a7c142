"""What is asked and answered about gifts that need no courier over HTTP, beside the nouns themselves."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from chalicelib.domain.digital import DigitalGift, DigitalKind, Session
from chalicelib.domain.orders import TierName
from chalicelib.domain.passes import Pass, PassState
from chalicelib.domain.shapes import Instant, Shape, Slug, Text, TimeZone

SHORTEST = 6
"""Letters of a partner's code, without what stands between them."""


class GiftView(DigitalGift):
    """A digital gift as its brand reads it."""

    left: int = Field(description="So many can still be given.")


class GiftList(Shape):
    """A page of digital gifts, by name."""

    data: tuple[GiftView, ...]
    has_more: bool
    next_cursor: str | None = None


class CodesPart(Shape):
    """One part of a partner's list. Codes are compared without spaces and dashes, and in capitals."""

    codes: tuple[
        Annotated[str, StringConstraints(min_length=SHORTEST, max_length=80, pattern=r"^[!-~]( ?[!-~])*$")],
        ...,
    ] = Field(min_length=1, max_length=1000)


class CodesAnswer(Shape):
    """What became of a part: the same part again has the same answer."""

    number: int
    loaded: int = Field(description="So many were new.")
    known: int = Field(description="So many were there already, or somebody has them.")


class NewDigitalOrder(Shape):
    """A gift that needs no courier, as a brand hands it in. Who the client is need not be said; of a client who is
    enrolled it counts as a gift, and the code is forgotten with the person."""

    market: Slug = Field(examples=["SHA"], description="By whose calendar it is counted.")
    reference: Slug = Field(description="The brand's own name for it; not personal.", examples=["CLUB-0001"])
    gift: Slug = Field(description="Which digital gift.", examples=["YOGA-7"])
    time_zone: TimeZone | None = Field(
        default=None, description="The recipient's; absent: the client's, or the market's."
    )
    tier: TierName | None = Field(
        default=None, description="Absent: of a client the tier that the standing says, else standard."
    )
    client: Slug | None = Field(
        default=None, description="The brand's own name for a client who is enrolled.", examples=["vic-1"]
    )
    occasion: Slug | None = Field(
        default=None, description="What caps may count by. Goes with `client`.", examples=["birthday"]
    )

    def model_post_init(self, _context: object) -> None:
        if self.occasion is not None and self.client is None:
            raise ValueError("an occasion goes with a client")


class DigitalStep(StrEnum):
    """What is wished of an order's gift that needs no courier."""

    SEND = "send"
    OFFER = "offer"
    ACCEPT = "accept"
    DECLINE = "decline"


class DigitalAction(Shape):
    """What is to become of an order's gift that needs no courier."""

    action: DigitalStep
    gift: Slug | None = Field(
        default=None, description="Of `send` and `offer`; absent: the one that the programme names."
    )

    def model_post_init(self, _context: object) -> None:
        if self.gift is not None and self.action not in (DigitalStep.SEND, DigitalStep.OFFER):
            raise ValueError("a gift is named where one is sent or offered")


class Redemption(Shape):
    """A code, as the client showed it."""

    code: Annotated[str, StringConstraints(min_length=4, max_length=100)]


class PassView(Shape):
    """A pass as its brand and its partner read it: nothing of whose it is."""

    pass_id: str
    gift: Slug
    kind: DigitalKind
    partner: Slug
    state: PassState
    expired: bool = Field(description="Its time is over: not used in time, or used up.")
    time_zone: TimeZone
    days: int | None = None
    offered_until: Instant | None = None
    redeem_by: Instant
    redeemed_at: Instant | None = None
    valid_until: Instant | None = None


class CodeView(Shape):
    """What the client shows, and where."""

    pass_id: str
    code: str
    link: str | None = None


class Invitation(Shape):
    """What the client is invited to; as a calendar file if Accept asks for `text/calendar`."""

    pass_id: str
    gift: Slug
    kind: DigitalKind
    title: Text
    time_zone: TimeZone
    link: str | None = None
    withdrawn: bool = False
    sessions: tuple[Session, ...]
    sequence: int
    changed_at: Instant = Field(description="When any of it was last otherwise.")


def seen(passed: Pass, now: datetime) -> PassView:
    """The pass as it stands now."""
    told = {name: getattr(passed, name) for name in PassView.model_fields if name != "expired"}
    return PassView(**told, expired=is_over(passed, now))


def is_over(passed: Pass, now: datetime) -> bool:
    """True when its time has passed."""
    end = passed.valid_until if passed.state is PassState.REDEEMED else passed.redeem_by
    return end is not None and end <= now
