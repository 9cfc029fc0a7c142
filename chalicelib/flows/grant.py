"""Grant a client a tier, by name, for a reason and until a moment; and take it back."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from chalicelib.domain.acts import Act, Deed, act_row
from chalicelib.domain.client_rows import data_key_of_client
from chalicelib.domain.clients import Client
from chalicelib.domain.errors import Clashing, Delayed, Fault, Invalid, Lost, Missing
from chalicelib.domain.orders import Tier, TierName
from chalicelib.domain.ports import Keep, Require, World
from chalicelib.domain.shapes import Instant, Shape, Slug
from chalicelib.domain.standing import MOST_GRANTS, Because, Grant, Standing, standing_row
from chalicelib.flows import enrol, rank

TRIES = 8


class NewGrant(Shape):
    """A tier for a client who is expected to spend, or for whatever reason the brand has a word for."""

    grant: Slug = Field(description="The brand's own name for it; the same again changes nothing.")
    tier: TierName
    reason: Slug = Field(
        description="A word of the brand's own; not personal.", examples=["expected-to-spend"]
    )
    expires_at: Instant


def grant(world: World, client: Client, new: NewGrant, by: str) -> Grant:
    """The grant as it stands. Raises `Invalid` for one that is over or says nothing, `Clashing` where another stands
    under its name, or there are too many."""
    for _ in range(TRIES):
        now = world.clock()
        on = rank.measured(world, client)
        known = next((each for each in on.standing.grants if each.grant == new.grant), None)
        if known is not None:
            if (known.tier, known.reason, known.expires_at) != (new.tier, new.reason, new.expires_at):
                raise Clashing(f"the grant {new.grant!r} was given, and says something else; give another")
            return known
        _check(new, now)
        before = on.settled(now)
        standing = [each for each in before.grants if each.ends_at > now]
        if len(standing) >= MOST_GRANTS:
            raise Clashing(f"at most {MOST_GRANTS} grants stand at the same time")
        given = Grant(**dict(new), granted_at=now, by=by)
        # of those that are over the latest stay; one that stands may be older than all of them
        over = [each for each in before.grants if each.ends_at <= now][-(MOST_GRANTS - len(standing)) :]
        kept = tuple(each for each in before.grants if each in (*standing, *over))
        after = before.model_copy(update={"grants": (*kept, given)})
        if _is_saved(world, on, before, after, "grant", given.grant, by):
            return given
        client = enrol.client_of(world, client.brand_id, client.reference)
    raise Delayed(f"the standing of the client {client.reference!r} is being changed by others")


def revoke(world: World, client: Client, name: str, by: str) -> Grant:
    """Take that grant back, from now on. Doing it twice is harmless. Raises `Missing`."""
    for _ in range(TRIES):
        now = world.clock()
        on = rank.measured(world, client)
        known = next((each for each in on.standing.grants if each.grant == name), None)
        if known is None:
            raise Missing(f"no grant {name!r}")
        if known.revoked_at is not None:
            return known
        before = on.settled(now)
        gone = known.model_copy(update={"revoked_at": now, "revoked_by": by})
        grants = tuple(gone if each.grant == name else each for each in before.grants)
        after = before.model_copy(update={"grants": grants})
        if _is_saved(world, on, before, after, "revoked", name, by):
            return gone
        client = enrol.client_of(world, client.brand_id, client.reference)
    raise Delayed(f"the standing of the client {client.reference!r} is being changed by others")


def _check(new: NewGrant, now: datetime) -> None:
    if new.tier is Tier.STANDARD:
        raise _fault("/tier", "a tier above standard was expected")
    if new.expires_at <= now:
        raise _fault("/expires_at", "a moment that is still to come was expected")


def _is_saved(
    world: World, on: rank.Measured, before: Standing, after: Standing, because: Because, name: str, by: str
) -> bool:
    now, client_id = world.clock(), on.client.client_id
    after = on.moved(before, after, now, because, name, by)
    after = after.model_copy(update={"version": 1 if on.was is None else on.was + 1})
    deed = Deed.TIER_GRANTED if because == "grant" else Deed.GRANT_REVOKED
    act = act_row(client_id, Act(at=now, by=by, did=deed, of=name), world.token())
    try:
        world.table.write(
            Keep(standing_row(after), was=on.was),
            Keep(act, was=None),
            Require(data_key_of_client(client_id), 1),
        )
    except Lost:
        return False
    world.log("tier_changed_by_hand", client=client_id, brand=on.client.brand_id, step=deed.value, by=by)
    return True


def _fault(pointer: str, detail: str) -> Invalid:
    return Invalid(f"{pointer}: {detail}", [Fault(pointer, detail)])
