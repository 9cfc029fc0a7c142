"""A client's standing: what was spent, day by day, what was granted, and the tier that follows, with its history.

Kept in one row beside the client's, so that placing an order reads it and asks nothing else. What was spent is a sum a
local day and currency; a tier that lapses because a day has passed is found by counting, whenever somebody looks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Final, Literal, NamedTuple

from pydantic import Field

from chalicelib.domain.acts import Actor
from chalicelib.domain.orders import Tier, TierName
from chalicelib.domain.ports import Key, Row
from chalicelib.domain.programme import LONGEST_DAYS, NewProgramme
from chalicelib.domain.shapes import Currency, Instant, Shape, Slug, zone_info

STANDING: Final = "standing"
MOST_GRANTS: Final = 50
MOST_CHANGES: Final = 400
"""Changes of a tier that are kept with it, the latest ones."""
DAY: Final = timedelta(days=1)

RestsOn = Literal["spend", "grant", "nothing"]
Because = Literal["purchase", "refund", "grant", "revoked", "expired", "lapsed", "programme", "consent"]


class Grant(Shape):
    """A tier that one of the brand's staff has given, for a reason, until a moment."""

    grant: Slug = Field(description="The brand's own name for it.")
    tier: TierName
    reason: Slug = Field(
        description="A word of the brand's own; not personal.", examples=["expected-to-spend"]
    )
    expires_at: Instant
    granted_at: Instant
    by: Actor
    revoked_at: Instant | None = None
    revoked_by: Actor | None = None

    @property
    def ends_at(self) -> datetime:
        return self.expires_at if self.revoked_at is None else min(self.revoked_at, self.expires_at)

    def stands(self, now: datetime) -> bool:
        return self.granted_at <= now < self.ends_at


class Change(Shape):
    """The client came to a tier."""

    at: Instant
    tier: TierName
    rests_on: RestsOn
    because: Because
    of: str | None = Field(default=None, description="A purchase, a grant, a version of the programme.")
    by: Actor | None = Field(default=None, description="Absent: nobody did anything, time passed.")


class Standing(Shape):
    """As kept."""

    client_id: str
    spent: dict[Currency, dict[date, int]] = Field(
        default_factory=dict, description="By local day, in minor units, refunds taken off."
    )
    grants: tuple[Grant, ...] = ()
    history: tuple[Change, ...] = ()
    told_until: Instant | None = Field(default=None, description="So far the history is written down.")
    version: int = 1


class Held(NamedTuple):
    """The tier of a moment, and what it rests on."""

    tier: Tier
    rests_on: RestsOn
    grant: str | None = None


class Rules(NamedTuple):
    """What a standing is measured by, from a moment on."""

    since: datetime
    version: int
    programme: NewProgramme


def spent_within(standing: Standing, programme: NewProgramme, today: date) -> dict[str, int]:
    """In each currency, over the programme's days up to and with today."""
    first = today - timedelta(days=programme.days - 1)
    return {
        currency: sum(amount for day, amount in days.items() if first <= day <= today)
        for currency, days in standing.spent.items()
    }


def tier_by_spend(spent: dict[str, int], programme: NewProgramme) -> Tier:
    reached = (
        each.tier for each in programme.tiers if spent.get(each.spend.currency, 0) >= each.spend.amount
    )
    return max(reached, default=Tier.STANDARD)


def held(
    standing: Standing, programme: NewProgramme, now: datetime, time_zone: str, *, is_ranked: bool = True
) -> Held:
    """The tier at that moment. `is_ranked`: False where the client does not agree to be ranked by what was spent."""
    today = now.astimezone(zone_info(time_zone)).date()
    earned = (
        tier_by_spend(spent_within(standing, programme, today), programme) if is_ranked else Tier.STANDARD
    )
    granted = max(
        (grant for grant in standing.grants if grant.stands(now)),
        key=lambda one: (one.tier, one.ends_at),
        default=None,
    )
    if granted is not None and granted.tier > earned:
        return Held(granted.tier, "grant", granted.grant)
    return Held(earned, "spend" if earned > Tier.STANDARD else "nothing")


def holds_until(
    standing: Standing, programme: NewProgramme, now: datetime, time_zone: str, *, is_ranked: bool = True
) -> datetime | None:
    """When the tier of now is lost if nothing more is bought or granted; None: never, it is the lowest."""
    tier = held(standing, programme, now, time_zone, is_ranked=is_ranked).tier
    if tier is Tier.STANDARD:
        return None
    ends = [grant.ends_at for grant in standing.grants if grant.ends_at > now]
    last = max([now + timedelta(days=programme.days), *ends]) + DAY
    for moment in sorted({*_midnights(now, last, time_zone), *ends}):
        if held(standing, programme, moment, time_zone, is_ranked=is_ranked).tier < tier:
            return moment
    raise AssertionError("whatever was spent is forgotten in the end")


def passed(
    standing: Standing, rules: Sequence[Rules], now: datetime, time_zone: str, *, is_ranked: bool = True
) -> Iterator[Change]:
    """What has changed by itself since the history was last written down: sums that left the days that count, grants
    that ran out, and a programme that was changed."""
    since = standing.told_until
    if since is None or not rules:
        return
    had = standing.history[-1].tier if standing.history else Tier.STANDARD
    moments: dict[datetime, tuple[Because, str | None]] = dict.fromkeys(
        _midnights(since, now, time_zone), ("lapsed", None)
    )
    for grant in standing.grants:
        if since < grant.ends_at <= now:
            moments[grant.ends_at] = ("expired" if grant.revoked_at is None else "revoked", grant.grant)
    for rule in rules:
        if since < rule.since <= now:
            moments[rule.since] = ("programme", str(rule.version))
    for moment in sorted(moments):
        of_then = next((rule for rule in reversed(rules) if rule.since <= moment), None)
        programme = NewProgramme() if of_then is None else of_then.programme
        found = held(standing, programme, moment, time_zone, is_ranked=is_ranked)
        if found.tier != had:
            because, of = moments[moment]
            yield Change(at=moment, tier=found.tier, rests_on=found.rests_on, because=because, of=of)
            had = found.tier


def written_down(standing: Standing, changes: Sequence[Change], now: datetime) -> Standing:
    """With these at the end of its history, and without what was spent so long ago that it counts nowhere."""
    oldest = (now - timedelta(days=LONGEST_DAYS + 2)).date()
    kept = {
        currency: left
        for currency, days in standing.spent.items()
        if (left := {day: amount for day, amount in sorted(days.items()) if day >= oldest and amount})
    }
    history = (*standing.history, *changes)[-MOST_CHANGES:]
    return standing.model_copy(update={"history": history, "told_until": now, "spent": kept})


def _midnights(since: datetime, until: datetime, time_zone: str) -> Iterator[datetime]:
    """The beginnings of the local days in `(since, until]`."""
    zone = zone_info(time_zone)
    day = since.astimezone(zone).date() + DAY
    while (moment := datetime.combine(day, time(), zone).astimezone(since.tzinfo)) <= until:
        yield moment
        day += DAY


def standing_key(client_id: str) -> Key:
    return Key(client_id, STANDING)


def standing_row(standing: Standing) -> Row:
    return Row(
        standing_key(standing.client_id), standing.version, standing.model_dump_json(exclude_defaults=True)
    )


def standing_of_row(row: Row) -> Standing:
    return Standing.model_validate_json(row.body).model_copy(update={"version": row.version})
