"""A campaign: one gift for many clients on one day; whom it is for, how far it is, and what became of each.

Who gets nothing gets nothing for a reason that can be read: before anything is sent (a dry run of each client, as
`POST /v1/clearances` answers), while it is placed, and in the report after it. A client is the brand's reference here;
nothing says who that is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Final

from pydantic import Field, model_validator

from chalicelib.domain.clients import Country, Purpose
from chalicelib.domain.gifts import Gift
from chalicelib.domain.lists import Member
from chalicelib.domain.orders import Fallback, OrderState, PickUp, Tier, TierName
from chalicelib.domain.places import Market, Place, district_key
from chalicelib.domain.shapes import Instant, LocalTime, Shape, Slug, Text, Window, id_of, zone_info
from chalicelib.domain.tallies import Tally
from chalicelib.domain.verdicts import Decision, Reason

NAMED: Final = 1000
"""Clients that a request may name; more come by a list."""
HOURS: Final = 100
"""Entries of hours: one for all, and one a district."""


class Hours(Shape):
    """When on the day the gifts are to arrive, on the market's clock."""

    start: LocalTime
    end: LocalTime
    districts: tuple[Text, ...] = Field(
        default=(),
        max_length=50,
        description="Codes or names as the addresses have them. Absent: everywhere that has none of its own.",
    )

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Hours:
        if self.start.tzinfo is not None or self.end.tzinfo is not None:
            raise ValueError("times on the market's clock were expected, without an offset")
        if self.end <= self.start:
            raise ValueError("hours end after they begin, on the same day")
        return self


class Rule(Shape):
    """Which of the brand's clients: those of whom all of this is true."""

    tier_at_least: TierName = Field(default=Tier.STANDARD, json_schema_extra={"default": "standard"})
    country: Country | None = Field(default=None, description="In which the client is, as it was enrolled.")
    associate_id: Slug | None = Field(default=None, description="Whose client it is.")
    consent: Purpose | None = Field(default=None, description="Which consent stands.")
    open_occasion: Slug | None = Field(
        default=None, description="For which no gift was given in the calendar year of the campaign's day."
    )
    in_market: bool = Field(
        default=True,
        strict=True,
        description="One of whose places lies in the campaign's market. False: whoever has none there is told.",
    )


class Audience(Shape):
    """Whom it is for: those on a list that is ready, those of a rule, or those that are named."""

    list_id: Slug | None = None
    rule: Rule | None = None
    clients: tuple[Member, ...] | None = Field(default=None, min_length=1, max_length=NAMED)

    @model_validator(mode="after")
    def _one_of_them(self) -> Audience:
        if sum(each is not None for each in (self.list_id, self.rule, self.clients)) != 1:
            raise ValueError("one of list_id, rule and clients was expected")
        names = [member.client for member in self.clients or ()]
        if len(set(names)) < len(names):
            raise ValueError("each client once was expected")
        return self


class NewCampaign(Shape):
    """A campaign as a brand hands it in."""

    market: Slug = Field(examples=["SHA"])
    reference: Slug = Field(
        description="The brand's own name for it, and of each of its orders; not personal.",
        examples=["EASTER-BOXES"],
    )
    gift: Gift
    pick_up: PickUp
    audience: Audience
    occasion: Slug | None = Field(
        default=None, description="What caps may count by, where a client's row states none."
    )
    day: date = Field(description="On the market's calendar.")
    hours: tuple[Hours, ...] = Field(min_length=1, max_length=HOURS)
    fallback: Fallback = Fallback.HOLD
    at_once: bool = Field(
        default=False,
        strict=True,
        description="Place it as soon as it is planned. False: it waits to be told so.",
    )

    @model_validator(mode="after")
    def _hours_are_clear(self) -> NewCampaign:
        names = [district_key(name) for hours in self.hours for name in hours.districts]
        if len(set(names)) < len(names):
            raise ValueError("each district has one entry of hours")
        if sum(not hours.districts for hours in self.hours) > 1:
            raise ValueError("one entry of hours at most has no districts")
        return self


class CampaignState(StrEnum):
    """How far it is."""

    GATHERING = "gathering"
    PLANNING = "planning"
    PLANNED = "planned"
    PLACING = "placing"
    PAUSED = "paused"
    PLACED = "placed"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


class Kept(StrEnum):
    """What of a campaign that is called off becomes of the gifts that are placed already."""

    KEPT = "kept"
    CANCELLED = "cancelled"
    """As far as no courier has them yet."""


class Calling(Shape):
    """How a campaign is called off."""

    orders: Kept


class Why(StrEnum):
    """Why a client gets no order at all. Why an order does not go: `verdicts.Reason`."""

    UNKNOWN_CLIENT = "unknown_client"
    ERASED = "erased"
    NO_PLACE = "no_place"
    NO_SUCH_PLACE = "no_such_place"
    NO_PHONE = "no_phone"
    NO_HOURS = "no_hours"
    """Its district has no hours, and there are none for the others."""
    OUTSIDE_MARKET = "outside_market"
    WINDOW_CLOSED = "window_closed"
    TIER_ABOVE_STANDING = "tier_above_standing"
    CAP_REACHED = "cap_reached"
    INVALID = "invalid"


class Foreseen(Shape):
    """What the dry run says of one client."""

    client: Slug
    decision: Decision
    reasons: tuple[str, ...] = ()
    tier: TierName | None = None


class Placed(Shape):
    """What placing came to for one client."""

    client: Slug
    order_id: str | None = None
    reasons: tuple[str, ...] = Field(default=(), description="Why there is no order.")


class ForeseenPage(Shape):
    """Of one page of clients, in their order."""

    data: tuple[Foreseen, ...]


class PlacedPage(Shape):
    """Of one page of clients, in their order."""

    data: tuple[Placed, ...]


class CampaignPlan(Shape):
    """The dry run as a whole: nothing was sent, and nothing was taken."""

    planned_at: Instant
    rules_version: int | None = Field(default=None, description="Absent: there are no rules.")
    tally: Tally = Field(
        description="Outcomes are yes, hold and no. A reason may also be a cap, a consent or the client's own."
    )
    places: int = Field(description="That slots of those hours have left, for whomever.")
    short_by: int = Field(description="So many more may go than there are places, at least.")
    no_message: int = Field(
        default=0,
        description="Clients who may not be written to: they do not agree to it as their country asks.",
    )


class CampaignReport(Shape):
    """What became of it, as far as that is known by then."""

    as_of: Instant
    tally: Tally = Field(
        description="Outcomes are the orders' states, `refused` where placing gave none, and `not_placed` where it has "
        "not come to that client. A reason is why an order is held or stranded, or why it was refused."
    )


class Reporting(Shape):
    """The report that was asked for last, and the one that is there."""

    number: int = 0
    asked_at: Instant
    report: CampaignReport | None = None


class Campaign(Shape):
    """A campaign as kept; `sealed` holds the shop's contact."""

    campaign_id: str
    brand_id: str
    market_id: Slug
    reference: Slug
    gift: Gift
    pick_up_name: str
    pick_up_place: Place
    audience: Audience
    occasion: Slug | None = None
    day: date
    hours: tuple[Hours, ...]
    fallback: Fallback
    at_once: bool = False
    fingerprint: str
    state: CampaignState
    begun_at: Instant
    clients: int = Field(default=0, description="Whom it is for; known when they have been gathered.")
    pages: int = 0
    round: int = Field(default=1, description="The dry run's number.")
    gathered: Tally | None = None
    plan: CampaignPlan | None = None
    placed: Tally | None = None
    called_off: Tally | None = None
    called_off_at: Instant | None = None
    orders: Kept | None = Field(default=None, description="Of one that was called off.")
    state_since: Instant
    version: int = Field(default=1, exclude=True)
    sealed: bytes = Field(default=b"", exclude=True, repr=False)


class CampaignView(Shape):
    """A campaign as its brand reads it."""

    campaign_id: str
    market: Slug
    reference: Slug
    state: CampaignState
    version: int
    gift: Gift
    audience: Audience
    occasion: Slug | None = None
    day: date
    hours: tuple[Hours, ...]
    fallback: Fallback
    at_once: bool
    begun_at: Instant
    state_since: Instant
    clients: int
    progress: Tally = Field(description="Of the step that is under way, or was the last.")
    gathered: Tally | None = Field(default=None, description="Of a rule: who was passed by, and why.")
    plan: CampaignPlan | None = Field(default=None, description="The last dry run.")
    orders: Kept | None = Field(default=None, description="Of one that was called off.")


class ClientOutcome(Shape):
    """One client of a campaign: what was foreseen, and what has become of it."""

    client: Slug
    foreseen: Decision | None = Field(default=None, description="By the last dry run.")
    order_id: str | None = None
    state: OrderState | None = None
    tier: TierName | None = None
    reasons: tuple[str, ...] = Field(
        default=(),
        description="Of an order that waits or is stranded; why there is none; before that, of the dry run.",
    )


class OutcomePage(Shape):
    """A page of clients, in the order in which they were gathered."""

    campaign_id: str
    data: tuple[ClientOutcome, ...]
    has_more: bool
    next_cursor: str | None = None


class CampaignPage(Shape):
    """A page of campaigns, the last begun first."""

    data: tuple[CampaignView, ...]
    has_more: bool
    next_cursor: str | None = None


def campaign_id_of(brand_id: str, idempotency_key: str) -> str:
    """The id that follows from brand and key: the same request is the same campaign."""
    return id_of("cmp_", "campaign", brand_id, idempotency_key)


def order_name(campaign_id: str, client: str) -> str:
    """The idempotency key of a client's order: by it nobody gets two, however often a page is done."""
    return f"{campaign_id}:{client}"


def window_for(hours: Iterable[Hours], day: date, district: str, time_zone: str) -> Window | None:
    """When the gift is to arrive in that district; None: no hours were stated for it."""
    wanted, shared = district_key(district), None
    for each in hours:
        if any(district_key(name) == wanted for name in each.districts):
            return _window(each, day, time_zone)
        shared = shared if each.districts else each
    return None if shared is None else _window(shared, day, time_zone)


def _window(hours: Hours, day: date, time_zone: str) -> Window:
    zone = zone_info(time_zone)
    start, end = (datetime.combine(day, each, zone) for each in (hours.start, hours.end))
    return Window(start=start, end=end, time_zone=time_zone)


def skipped(hours: Sequence[Hours], day: date, time_zone: str) -> list[int]:
    """Which of these there are none of on that day: the clock is put forward in them."""
    zone = zone_info(time_zone)

    def moment(each: time) -> float:
        return datetime.combine(day, each, zone).timestamp()

    return [at for at, each in enumerate(hours) if moment(each.end) <= moment(each.start)]


def span_of(hours: Iterable[Hours], day: date, time_zone: str) -> Window:
    """From the first of these hours to the last."""
    windows = [_window(each, day, time_zone) for each in hours]
    return Window(
        start=min(each.start for each in windows), end=max(each.end for each in windows), time_zone=time_zone
    )


def place_in(places: dict[str, Place], wanted: str | None, market: Market) -> str | None:
    """The name of the place the gift goes to: the one that is wished for, else the first in the market, else the first.
    None: there is no such place."""
    if wanted is not None:
        return wanted if wanted in places else None
    inside = (name for name, place in places.items() if market.holds(place.coordinate))
    return next(inside, next(iter(places), None))


_PEOPLE = ("crew_", "credential_", "person_")


def told(reason: Reason) -> str:
    """A reason as a brand reads it: who of a crew lacks what is nobody's business."""
    return "crew_not_cleared" if reason.value.startswith(_PEOPLE) else reason.value


LATEST: Final = timedelta(days=60)
"""How far ahead the day may lie."""
