"""Say what tier a client is of now and why, and write down what has changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from pydantic import Field

from chalicelib.domain.clients import Client, Purpose
from chalicelib.domain.orders import TierName
from chalicelib.domain.ports import Row, World
from chalicelib.domain.programme import FORMER, NOTHING, NewProgramme, programme_of_row
from chalicelib.domain.shapes import Instant, Money, Shape, zone_info
from chalicelib.domain.standing import (
    Because,
    Change,
    Grant,
    Held,
    RestsOn,
    Rules,
    Standing,
    held,
    holds_until,
    passed,
    spent_within,
    standing_key,
    standing_of_row,
    written_down,
)


class StandingView(Shape):
    """A client's standing as its brand reads it."""

    reference: str
    tier: TierName
    rests_on: RestsOn
    grant: str | None = Field(default=None, description="The grant that it rests on.")
    until: Instant | None = Field(
        default=None,
        description="When it is lost if nothing more is bought or granted; absent: it is the lowest.",
    )
    ranked: bool = Field(description="False: the client does not agree to be ranked by what was spent.")
    days: int
    spent: tuple[Money, ...] = Field(description="In so many days, refunds taken off; by currency.")
    grants: tuple[Grant, ...]
    history: tuple[Change, ...] = Field(description="The first first.")


class Measured(NamedTuple):
    """A client's standing, by what it is measured, and which version of it stands in the table."""

    client: Client
    standing: Standing
    was: int | None
    rules: Sequence[Rules]
    is_ranked: bool

    @property
    def programme(self) -> NewProgramme:
        return self.rules[-1].programme if self.rules else NOTHING

    def held(self, standing: Standing, now: datetime) -> Held:
        return held(standing, self.programme, now, self.client.time_zone, is_ranked=self.is_ranked)

    def settled(self, now: datetime) -> Standing:
        """With everything in its history that has come about by itself."""
        changes = list(
            passed(self.standing, self.rules, now, self.client.time_zone, is_ranked=self.is_ranked)
        )
        last = (*self.standing.history, *changes)[-1:]
        found = self.held(self.standing, now)
        if last and last[0].tier != found.tier:  # of a consent the day is known, and stands with it
            changes.append(Change(at=now, tier=found.tier, rests_on=found.rests_on, because="consent"))
        return written_down(self.standing, changes, now)

    def moved(
        self, before: Standing, after: Standing, now: datetime, because: Because, of: str, by: str
    ) -> Standing:
        """`after`, and in its history the change of tier that it means, if it means one."""
        had, found = self.held(before, now), self.held(after, now)
        if had.tier == found.tier:
            return after
        change = Change(at=now, tier=found.tier, rests_on=found.rests_on, because=because, of=of, by=by)
        return written_down(after, [change], now)


def measured(world: World, client: Client, row: Row | None = None) -> Measured:
    """The client's standing; `row`: as it was just read."""
    row = row or world.table.get(standing_key(client.client_id))
    standing = Standing(client_id=client.client_id) if row is None else standing_of_row(row)
    was = None if row is None else row.version
    return Measured(client, standing, was, rules_of(world, client.brand_id), ranks(client, world.clock()))


def rules_of(world: World, brand_id: str) -> list[Rules]:
    """Every version of the brand's programme, the first first."""
    rows = world.table.read(f"brand#{brand_id}", FORMER).rows
    programmes = map(programme_of_row, rows)
    return [Rules(each.since, each.version, each) for each in programmes]


def ranks(client: Client, now: datetime) -> bool:
    """Whether what the client has spent may be added up: not of one who has said no to it."""
    last = [consent for consent in client.consents if consent.purpose is Purpose.PROFILING]
    return not last or last[-1].stands(now)


def view(world: World, client: Client) -> StandingView:
    """As it is now, with everything that has passed."""
    now = world.clock()
    on = measured(world, client)
    standing, programme, zone = on.settled(now), on.programme, client.time_zone
    found = on.held(standing, now)
    spent = spent_within(standing, programme, now.astimezone(zone_info(zone)).date())
    return StandingView(
        reference=client.reference,
        tier=found.tier,
        rests_on=found.rests_on,
        grant=found.grant,
        until=holds_until(standing, programme, now, zone, is_ranked=on.is_ranked),
        ranked=on.is_ranked,
        days=programme.days,
        spent=tuple(Money(amount=amount, currency=name) for name, amount in sorted(spent.items()) if amount),
        grants=standing.grants,
        history=standing.history,
    )
