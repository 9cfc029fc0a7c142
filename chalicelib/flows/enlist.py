"""Enlist what a market works with: itself, its couriers, crews, permits and slots, and access keys.

Everything is put under its own name: the first time it is new, after that it is replaced, and the same again
changes nothing and nudges again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from chalicelib.domain import facts
from chalicelib.domain.errors import Clashing, Delayed, Fault, Invalid, Lost, Missing
from chalicelib.domain.keys import Key as AccessKey
from chalicelib.domain.keys import Role, hash_of, key_place, key_row
from chalicelib.domain.places import Market
from chalicelib.domain.ports import Change, Count, Drop, Keep, Key, Row, Take, Topic, World
from chalicelib.domain.shapes import Shape

if TYPE_CHECKING:  # most who come here ask for the market alone
    from chalicelib.domain.fleet import Courier, Crew, Fleet, Permit, Slot

TRIES = 5
LONGEST_SLOT = timedelta(days=7)
KEPT = timedelta(days=7)
"""How long a slot is kept after its end; what is given back to it later is given to nobody."""
REMEMBERED = timedelta(seconds=60)
"""How long a process trusts the market or the courier it has read."""

_Noun = TypeVar("_Noun", "Courier", "Crew", "Permit", "Slot")


# --- markets ------------------------------------------------------------------------------------------------


def put_market(world: World, market: Market) -> Market:
    """Create or replace a market. Raises `Clashing` for what open orders and published rules rest on."""
    key = facts.market_key(market.market_id)
    for _ in range(TRIES):
        row = world.table.get(key)
        before = Market.model_validate_json(row.body) if row else None
        if before is not None:
            _keeps_faith(world, before, market)
        world.memory.pop(_memory(market.market_id), None)
        version = row.version if row else 0
        if before == market:
            return market
        try:
            world.table.write(Keep(facts.market_row(market, version + 1), was=row.version if row else None))
        except Lost:
            continue
        return market
    raise Delayed(f"the market {market.market_id!r} is being changed by somebody else")


def _keeps_faith(world: World, before: Market, after: Market) -> None:
    if after.shards < before.shards:
        raise Clashing(
            f"shards can grow only, there are {before.shards}, got {after.shards!r}: orders stand in them"
        )
    if world.table.get(facts.pointer_key(after.market_id)) is None:
        return
    for name in ("datum", "time_zone", "currency"):
        was, wanted = str(getattr(before, name)), str(getattr(after, name))
        if was != wanted:
            raise Clashing(f"the {name} stays {was!r} once rules are published, got {wanted!r}")


def market(world: World, market_id: str) -> Market:
    """The market, as it was at most a minute ago. Raises `Missing`."""

    def read() -> Market:
        row = world.table.get(facts.market_key(market_id))
        if row is None:
            raise Missing(f"no market {market_id!r}")
        return Market.model_validate_json(row.body)

    return world.remembered(_memory(market_id), REMEMBERED, read)


def markets(world: World) -> list[Market]:
    """Every market, by name."""
    return [Market.model_validate_json(row.body) for row in world.table.read(facts.MARKETS).rows]


def _memory(market_id: str) -> str:
    return f"market#{market_id}"


# --- the fleet ----------------------------------------------------------------------------------------------


def put_courier(world: World, courier: Courier) -> Courier:
    """Create or replace a courier. Raises `Invalid` for a dialect that nobody here speaks, and for proofs that it
    has no words for: clearance would let it carry what it can prove nothing of."""
    if courier.dialect not in world.dialects:
        spoken = ", ".join(sorted(world.dialects))
        detail = f"a dialect that is spoken here was expected: {spoken}"
        raise Invalid(f"/dialect: {detail}", [Fault("/dialect", detail, courier.dialect)])
    able = world.dialects[courier.dialect].proofs
    if not courier.proofs <= able:
        detail = f"proofs that {courier.dialect!r} can bring back were expected: {', '.join(sorted(able)) or 'none'}"
        raise Invalid(
            f"/proofs: {detail}", [Fault("/proofs", detail, ", ".join(sorted(courier.proofs - able)))]
        )
    return _put(world, courier.market_id, "courier", courier.courier_id, courier)


def courier(world: World, market_id: str, courier_id: str) -> Courier:
    """The courier, as it was at most a minute ago: to speak to it, never to clear it. Raises `Missing`."""

    def read() -> Courier:
        row = world.table.get(facts.courier_key(market_id, courier_id))
        if row is None:
            raise Missing(f"no courier {courier_id!r} in market {market_id!r}")
        from chalicelib.domain.fleet import Courier

        return Courier.model_validate_json(row.body)

    return world.remembered(f"courier#{market_id}#{courier_id}", REMEMBERED, read)


def put_crew(world: World, crew: Crew) -> Crew:
    """Create or replace a crew. Raises `Invalid` without its courier, and for credentials from the future."""
    from chalicelib.domain.credentials import faults_of

    faults = faults_of(crew.credentials, world.clock())
    if faults:
        more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
        raise Invalid(f"{faults[0].pointer}: {faults[0].detail}{more}", faults)
    _needs(world, crew.market_id, "courier", crew.courier_id)
    return _put(world, crew.market_id, "crew", crew.crew_id, crew)


def put_permit(world: World, permit: Permit) -> Permit:
    """Create or replace a permit."""
    return _put(world, permit.market_id, "permit", permit.permit_id, permit)


def put_slot(world: World, slot: Slot) -> Slot:
    """Create or replace a slot. What is left moves with the capacity.

    Raises `Invalid` without its crew and courier, `Clashing` when more is taken than the new capacity holds, and where
    a gift that rides alone would come to share its vehicle.
    """
    from chalicelib.domain.dialect import takes_visits
    from chalicelib.domain.fleet import Courier, Crew, Slot

    if slot.window.end - slot.window.start > LONGEST_SLOT:
        detail = f"a window of at most {LONGEST_SLOT.days} days was expected"
        raise Invalid(f"/window/end: {detail}", [Fault("/window/end", detail, slot.window.end.isoformat())])
    courier = Courier.model_validate_json(_needs(world, slot.market_id, "courier", slot.courier_id).body)
    if slot.visits and not takes_visits(world.dialects[courier.dialect]):
        detail = f"a courier was expected whose dialect takes visits, {courier.dialect!r} does not"
        raise Invalid(f"/visits: {detail}", [Fault("/visits", detail)])
    crew = Crew.model_validate_json(_needs(world, slot.market_id, "crew", slot.crew_id).body)
    if crew.courier_id != slot.courier_id:
        detail = f"the courier of the crew {crew.crew_id!r} was expected, {crew.courier_id!r}"
        raise Invalid(f"/courier_id: {detail}", [Fault("/courier_id", detail, slot.courier_id)])
    key = facts.slot_key(slot.market_id, slot.slot_id)
    for _ in range(TRIES):
        row = world.table.get(key)
        before = Slot.model_validate_json(row.body) if row else None
        moves = before is None or (before.crew_id, before.window) != (slot.crew_id, slot.window)
        if moves:
            _check_alone(world, slot, crew)
        try:
            if row is None or before is None:
                new = Row(key, 1, _json(slot), counters={facts.LEFT: slot.capacity}, expires_at=_expiry(slot))
                world.table.write(Keep(new, was=None), _room(slot, world.table.get(_room_key(slot))))
            else:
                _make_room(world, slot, before)
                if before != slot:
                    after = Row(key, row.version + 1, _json(slot), expires_at=_expiry(slot))
                    world.table.write(Keep(after, was=row.version), *([_unmarked(slot)] if moves else []))
        except Lost:
            continue
        if before is not None and before != slot:
            _tell_of_change(world, slot.market_id)
        else:
            world.queues.nudge(Topic.DISPATCH, [f"{slot.market_id}:all"])
        return slot
    raise Delayed(f"the slot {slot.slot_id!r} is being changed by somebody else")


class Room(Shape):
    """The capacity that a slot's counter was last set to.

    A row of its own, because a transaction names a row once: the counter and this change together, the slot's
    own row after them. Stopped in between, the next put finds here what has been counted.
    """

    capacity: int


def _expiry(slot: Slot) -> int:
    return facts.epoch(slot.window.end + KEPT)


def _room_key(slot: Slot) -> Key:
    return Key(f"market#{slot.market_id}", f"room#{slot.slot_id}")


def _room(slot: Slot, before: Row | None) -> Keep:
    version = before.version if before else 0
    body = Room(capacity=slot.capacity).model_dump_json()
    kept = Row(_room_key(slot), version + 1, body, expires_at=_expiry(slot))
    return Keep(kept, was=before.version if before else None)


def _make_room(world: World, slot: Slot, before: Slot) -> None:
    """Move what is left by as much as the capacity moves. Raises `Clashing` when that much is not free, or when
    somebody rides alone there."""
    row = world.table.get(_room_key(slot))
    counted = Room.model_validate_json(row.body).capacity if row else before.capacity
    by = slot.capacity - counted
    if by == 0:
        return
    key = facts.slot_key(slot.market_id, slot.slot_id)
    try:
        # of the mark nothing is taken: who has the slot for himself lets nobody in by a place more
        mark = [_unmarked(slot)] if by > 0 else []
        world.table.write(Count(key, facts.LEFT, by), _room(slot, row), *mark)
    except Lost as lost:
        if 2 in lost.at:
            raise Clashing(f"a gift that rides alone has all of the slot {slot.slot_id!r}") from None
        if 0 in lost.at and by < 0 and world.table.get(key) is not None:
            raise Clashing(
                f"a capacity of at least what is taken of the slot {slot.slot_id!r} was expected, "
                f"{slot.capacity} is less"
            ) from None
        raise


def _unmarked(slot: Slot) -> Take:
    """A change that is lost where somebody has that slot for himself, and takes nothing."""
    return Take(facts.alone_key(slot), facts.TAKEN, 0, 0, _expiry(slot))


def _check_alone(world: World, slot: Slot, crew: Crew) -> None:
    """Raises `Clashing` where a gift that rides alone has this slot, or its vehicle at these hours. What is assigned
    while this is written is found when it is booked."""
    from chalicelib.domain.alone import is_beside, vehicle_of
    from chalicelib.domain.fleet import Crew, Slot

    rows = world.table.read(facts.fleet_collection(slot.market_id), f"{facts.ALONE}#").rows
    names = [row.key.sk.partition("#")[2] for row in rows if row.counters.get(facts.TAKEN, 0)]
    if slot.slot_id in names:
        raise Clashing(f"a gift that rides alone has the slot {slot.slot_id!r}: its crew and its hours stay")
    taken = [
        Slot.model_validate_json(row.body)
        for row in world.table.get_many([facts.slot_key(slot.market_id, name) for name in names])
    ]
    beside = [other for other in taken if is_beside(slot, other)]
    keys = {_member_key(slot.market_id, "crew", other.crew_id) for other in beside}
    crews = {
        found.crew_id: found
        for found in (Crew.model_validate_json(row.body) for row in world.table.get_many(sorted(keys)))
    }
    for other in beside:
        if vehicle_of(other, crews.get(other.crew_id)) == vehicle_of(slot, crew):
            raise Clashing(
                f"a gift rides alone in the vehicle of the crew {slot.crew_id!r} at these hours, in the slot "
                f"{other.slot_id!r}"
            )


def fleet(world: World, market_id: str) -> Fleet:
    """The whole fleet of a market and what each slot has left. Raises `Missing` without such a market."""
    market(world, market_id)
    return facts.load_fleet(world.table, market_id)


def member(world: World, market_id: str, kind: str, name: str) -> Courier | Crew | Permit | Slot:
    """One of the fleet; `kind` is couriers, crews, permits or slots. Raises `Missing`."""
    noun, short = facts.fleet_kinds()[kind]
    row = world.table.get(_member_key(market_id, short, name))
    if row is None:
        raise Missing(f"no {short} {name!r} in the market {market_id!r}")
    return noun.model_validate_json(row.body)


def remove(world: World, market_id: str, kind: str, name: str) -> None:
    """Take one out of the fleet. Raises `Missing`, and `Clashing` for a slot that somebody has taken from and for a
    courier or a crew that has a job: nobody could hear of it or call it off any more."""
    from chalicelib.domain.fleet import Courier, Crew, Slot

    found = member(world, market_id, kind, name)
    if isinstance(found, (Courier, Crew)):
        _check_idle(world, market_id, found)
    key = _member_key(market_id, facts.fleet_kinds()[kind][1], name)
    for _ in range(TRIES):
        row = world.table.get(key)
        if row is None:
            break
        changes: list[Change] = [Drop(key, row.version)]
        try:
            if isinstance(found, Slot):
                # nobody can take from a slot without room
                _make_room(world, found.model_copy(update={"capacity": 0}), found)
                room = world.table.get(_room_key(found))
                changes += [Drop(room.key, room.version)] if room else []
            world.table.write(*changes)
        except Lost:
            continue
        break
    else:
        raise Delayed(f"{name!r} is being changed by somebody else")
    _tell_of_change(world, market_id)


def _check_idle(world: World, market_id: str, found: Courier | Crew) -> None:
    from chalicelib.domain.fleet import Courier

    way = "suspend it" if isinstance(found, Courier) else "withdraw it"
    for shard in range(market(world, market_id).shards):
        after: str | None = None
        while True:
            page = world.table.find_due(
                facts.wait_bucket(market_id, shard), world.clock() + facts.FAR, 500, after
            )
            for order in facts.readable(world.table.get_many(page.keys), world.log):
                for booking in order.live_bookings:
                    if found.courier_id == booking.courier_id and (
                        isinstance(found, Courier) or found.crew_id == booking.crew_id
                    ):
                        raise Clashing(
                            f"it has a job still, {booking.reference!r}: {way} instead, and remove it when all are over"
                        )
            after = page.after
            if after is None:
                break


def _put(world: World, market_id: str, kind: str, name: str, noun: _Noun) -> _Noun:
    market(world, market_id)
    key = _member_key(market_id, kind, name)
    for _ in range(TRIES):
        row = world.table.get(key)
        if row is None or type(noun).model_validate_json(row.body) != noun:
            version = row.version if row else 0
            try:
                world.table.write(Keep(Row(key, version + 1, _json(noun)), was=row.version if row else None))
            except Lost:
                continue
        _tell_of_change(world, market_id)
        return noun
    raise Delayed(f"the {kind} {name!r} is being changed by somebody else")


def _needs(world: World, market_id: str, kind: str, name: str) -> Row:
    market(world, market_id)
    row = world.table.get(_member_key(market_id, kind, name))
    if row is None:
        detail = f"a {kind} of the market {market_id!r} was expected"
        raise Invalid(f"/{kind}_id: {detail}", [Fault(f"/{kind}_id", detail, name)])
    return row


def _tell_of_change(world: World, market_id: str) -> None:
    """Who may go has changed: what is under way is decided again, and after it what waits."""
    world.queues.nudge(Topic.RULES, [f"rezone:{market_id}:"])


def _member_key(market_id: str, kind: str, name: str) -> Key:
    return Key(facts.fleet_collection(market_id), f"{kind}#{name}")


def _json(noun: Any) -> str:
    text: str = noun.model_dump_json(exclude_defaults=True)
    return text


# --- access keys --------------------------------------------------------------------------------------------


def create_key(
    world: World,
    role: Role,
    owner: str,
    markets: tuple[str, ...] | None = None,
    associate_id: str | None = None,
) -> str:
    """A new key's secret. It is shown this once; the table keeps its hash. `markets`: of a source, all it may see;
    `associate_id`: of an associate, which of the brand's it is."""
    secret = f"cordon_{role.value}_{world.token()}"
    key = AccessKey(
        key_hash=hash_of(secret),
        role=role,
        owner=owner,
        markets=markets,
        associate_id=associate_id,
        created_at=world.clock(),
    )
    world.table.write(Keep(key_row(key), was=None))
    return secret


def disable_key(world: World, key_hash: str) -> AccessKey:
    """No more answers to this key, once the authorizer has forgotten it (5 minutes). Raises `Missing`."""
    for _ in range(TRIES):
        row = world.table.get(key_place(key_hash))
        if row is None:
            raise Missing(f"no key with the hash {key_hash!r}")
        key = AccessKey.model_validate_json(row.body)
        if key.disabled:
            return key
        key = key.model_copy(update={"disabled": True, "version": row.version + 1})
        try:
            world.table.write(Keep(key_row(key), was=row.version))
        except Lost:
            continue
        return key
    raise Delayed(f"the key {key_hash!r} is being changed by somebody else")
