"""Who could go: couriers, their crews with credentials, permits, and slots of capacity.

Nothing here says that somebody *may* go. That is derived at a moment, by `clearance`, and never stored as
true.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from chalicelib.domain.breaker import Breaker
from chalicelib.domain.gifts import ItemClass, TemperatureRange
from chalicelib.domain.handover import Proof as Proof  # whoever reads of a courier finds it here
from chalicelib.domain.places import Address, district_key
from chalicelib.domain.policies import CredentialKind
from chalicelib.domain.shapes import Instant, LocalTime, Money, Shape, Slug, Text, Window, is_absent
from chalicelib.domain.suspicion import Suspicion, suspicion_id_of


class Listing(Shape):
    """Stands on an official list (a whitelist of companies, of people) for a time."""

    list_id: Slug
    since: Instant
    until: Instant | None = Field(
        default=None, description="From then on no more. Absent: for the time being."
    )

    def model_post_init(self, _context: object) -> None:
        if self.until is not None and self.until <= self.since:
            raise ValueError(f"until lies after since, on the list {self.list_id!r} it does not")


class InsuredWay(Shape):
    """From one district to one other, and how much is insured on that way: in the place of the general limit."""

    origin: Text
    destination: Text
    limit: Money


class Courier(Shape):
    """A courier company as this market uses it. `dialect` names the file in `couriers/` that speaks to it."""

    courier_id: Slug
    market_id: Slug
    dialect: Slug
    account: Slug = Field(description="Which of our accounts at the courier: a key into the secret store.")
    proofs: frozenset[Proof] = frozenset()
    offer_minutes: int | None = Field(
        default=None,
        strict=True,
        ge=5,
        le=240,
        description="So long it may look for one of its people, from when a gift can be fetched; then it is called off "
        "and given to another. Only for a courier that tells when somebody has taken a job. Absent: without end.",
    )
    insured_limit: Money | None = Field(default=None, description="Absent: nothing of value.")
    insured_ways: tuple[InsuredWay, ...] = Field(
        default=(), max_length=500, description="By district, where the insurer has said more, or less."
    )
    shared_up_to: Money | None = Field(
        default=None,
        description="A safeguarded gift worth up to so much may share a vehicle. Absent: each rides alone.",
    )
    suspended: bool = False
    asks_price: bool = Field(
        default=False,
        description="It is asked for its price before a gift is planned for it. False: its slots state it.",
    )
    listed: tuple[Listing, ...] = Field(default=(), max_length=50, description="Official lists of companies.")
    data_region: str | None = Field(
        default=None,
        exclude_if=is_absent,
        pattern=r"^[A-Z]{2}$",
        description="The country in which it keeps what it is told of a client. Absent: that of the client's address.",
    )

    def insured(self, origin: str, destination: str) -> Money | None:
        """How much is insured between these districts, written as `district_key` writes them."""
        for way in self.insured_ways:
            if (district_key(way.origin), district_key(way.destination)) == (origin, destination):
                return way.limit
        return self.insured_limit


class TestResult(StrEnum):
    """What a test said."""

    NEGATIVE = "negative"
    POSITIVE = "positive"
    PENDING = "pending"


class Credential(Shape):
    """One test or code of a crew. Its passing is derived; a pending one passes nothing."""

    kind: CredentialKind
    result: TestResult
    sampled_at: Instant
    reported_at: Instant | None = None

    def model_post_init(self, _context: object) -> None:
        if self.reported_at is not None and self.reported_at < self.sampled_at:
            raise ValueError("a test is reported after it was sampled")
        if self.result is not TestResult.PENDING and self.reported_at is None:
            raise ValueError("a result has the time it was reported")


class Vehicle(Shape):
    """What the crew drives."""

    plate: Text = Field(description="As on the plate, compared folded.", examples=["沪A·D12345"])
    compartments: tuple[TemperatureRange, ...] = Field(
        default=(), max_length=20, description="The temperatures it can keep; none: ambient only."
    )


class Crew(Shape):
    """One or more people and a vehicle, known by a name that is not theirs."""

    crew_id: Slug
    market_id: Slug
    courier_id: Slug
    vehicle: Vehicle
    home: Address | None = Field(
        default=None, description="Where the crew must be able to leave from and return to."
    )
    credentials: tuple[Credential, ...] = Field(default=(), max_length=50)
    withdrawn: bool = Field(default=False, description="Off duty, or shut in.")
    listed: tuple[Listing, ...] = Field(default=(), max_length=50, description="Official lists of people.")


class Route(Shape):
    """From one district to one other, and back: a pass for exactly this way."""

    origin: Text
    destination: Text


class DailyHours(Shape):
    """Hours of every day on the market's own clock, across midnight too."""

    start_local: LocalTime
    end_local: LocalTime = Field(description="The same as the start: the whole day.")

    def model_post_init(self, _context: object) -> None:
        if self.start_local.tzinfo is not None or self.end_local.tzinfo is not None:
            raise ValueError("daily hours are read off the market's own clock, its times have no offset")


class Permit(Shape):
    """A pass: a vehicle, a crew or both; where to; an interval. Whatever it states has to hold."""

    permit_id: Slug
    market_id: Slug
    plate: Text | None = Field(
        default=None, description="The vehicle it is bound to; of an articulated truck the tractor's plate."
    )
    crew_id: Slug | None = Field(default=None, description="The people it is bound to.")
    districts: Annotated[frozenset[Text], Field(max_length=500)] | Literal["all"] | None = Field(
        default=None, description="District codes it is good for, or 'all'. Absent: it names none."
    )
    zones: frozenset[Slug] = Field(
        default=frozenset(),
        max_length=500,
        description="Zones it is good for: every one that asks for a permit has to be among them.",
    )
    route: Route | None = Field(default=None, description="Good for exactly this way; no other drop on it.")
    crossings: frozenset[Text] = Field(
        default=frozenset(), max_length=50, description="Crossings it lets pass, as the rules name them."
    )
    item_classes: frozenset[ItemClass] | None = Field(
        default=None, min_length=1, description="What may be carried under it. Absent: everything."
    )
    valid: Window
    daily_hours: DailyHours | None = None
    single_use: bool = Field(default=False, description="For one delivery, there and back.")
    revoked_at: Instant | None = Field(
        default=None, description="From then on it is worth nothing; a stay that reaches it is not covered."
    )

    def model_post_init(self, _context: object) -> None:
        if self.plate is None and self.crew_id is None:
            raise ValueError("a permit is bound to a plate, to a crew, or to both")
        if self.districts is None and self.route is None and not (self.zones or self.crossings):
            raise ValueError("a permit names districts, zones, a route or crossings that it is good for")


class Slot(Shape):
    """A crew's capacity over a window: so many deliveries."""

    slot_id: Slug
    market_id: Slug
    courier_id: Slug
    crew_id: Slug
    window: Window
    capacity: int = Field(strict=True, ge=0, le=1000)
    price: Money
    on_time_permille: int = Field(
        default=950,
        strict=True,
        ge=0,
        le=1000,
        description="Of a thousand gifts, so many are expected within the hours asked for, before the courier "
        "has a record of its own; that counts for more with each gift.",
    )
    trip_minutes: int = Field(
        default=60, strict=True, ge=1, le=1440, description="From pick-up to the destination."
    )
    return_minutes: int = Field(
        default=30, strict=True, ge=0, le=1440, description="From the destination to out of the zones."
    )
    item_classes: frozenset[ItemClass] | None = Field(default=None, description="Absent: carries everything.")
    room_litres: int | None = Field(
        default=None,
        strict=True,
        ge=0,
        le=100_000,
        description="Room for gifts that state their volume. Absent: whatever has a place has room.",
    )
    load_kilograms: int | None = Field(
        default=None,
        strict=True,
        ge=0,
        le=100_000,
        description="The same by weight.",
    )
    visits: bool | None = Field(
        default=None,
        exclude_if=is_absent,
        description="A team with its vehicle that stays with the client: it takes appointments and nothing else, one a "
        "slot. Only of a courier whose dialect takes visits.",
    )

    def model_post_init(self, _context: object) -> None:
        if self.visits and self.capacity > 1:
            raise ValueError(
                f"a team is with one client at a time: capacity 1 was expected, got {self.capacity!r}"
            )


class Record(Shape):
    """Gifts of a courier that came within the hours asked for, and those that did not."""

    on_time: int = 0
    late: int = 0


class Fleet(Shape):
    """A market's fleet at one reading. `left` is what each slot still holds."""

    couriers: dict[str, Courier]
    crews: dict[str, Crew]
    permits: dict[str, Permit]
    slots: dict[str, Slot]
    left: dict[str, int]
    uses_left: dict[str, int] = Field(
        default_factory=dict,
        description="Of permits for a single use; one that is not named has its one left.",
    )
    taken: dict[str, int] = Field(
        default_factory=dict,
        description="Of a slot's room: millilitres by `volume#<slot>`, grams by `weight#<slot>`.",
    )
    breakers: dict[str, Breaker] = Field(default_factory=dict, description="Of couriers that fail.")
    suspicions: dict[str, Suspicion] = Field(
        default_factory=dict, description="Of compounds that couriers could not get into."
    )
    records: dict[str, dict[int, Record]] = Field(
        default_factory=dict, description="Of couriers, by the number of the period (`records`)."
    )

    def is_suspected(self, address: Address, now: datetime) -> bool:
        """True for a place that is taken to be closed though nobody has said so."""
        if not self.suspicions:
            return False
        suspicion = self.suspicions.get(suspicion_id_of(address) or "")
        return suspicion is not None and suspicion.holds(now)

    def down(self, now: datetime) -> frozenset[str]:
        """Couriers that are left in peace at that moment."""
        return frozenset(name for name, breaker in self.breakers.items() if breaker.is_open(now))
