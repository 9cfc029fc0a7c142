"""How each noun is kept: its key, its version, the indexes it stands in. The storage schema on one page.

    collection (pk)        place (sk)                     noun                indexes
    ord_...                order                          Order               work: pool#, wait#, desk#; shelf: brand#
    ord_...                deed#<version>                 what a dispatcher did to it  (domain.deeds)
    ord_...                event#<ref>#<time>#<id>#<by>   Event
    ord_...                evidence#<nnnn>                Evidence
    ord_...                look#<time>#<chance>           Look, at its address  (domain.looks)
    ord_...                notice#<endpoint>#<nnnn>       Notice              work: notice#, while pending; shelf: hook#
    brand#<brand>          hook#<endpoint>                Endpoint            work: hooks, while something is owed
    key#<hash>             key                            Key  (domain.keys)
    seal                   <hour>                         a wrapped data key              (aws.sealer)
    markets                market#<market>                Market
    market#<market>        lease                          Lease
    market#<market>        rules                          Pointer             (flows.publish)
    market#<market>        former#<version>               Pointer, as it stood last  (flows.publish)
    market#<market>        policy#<policy>@<n>            its hash, for ever  (flows.publish)
    market#<market>        rezoned                        Rezoned             (flows.rezone)
    market#<market>        rezoning#<shard>               ShardPassed         (flows.rezone)
    impact#<impact>        impact, part#, seen#, told#    a question about a change, and its answer (domain.impact)
    market#<market>        plan                           PlanReport, of the last round that is kept  (flows.explain)
    market#<market>        room#<slot>                    Room                (flows.enlist)
    market#<market>        salt                           the secret that names households, sealed  (flows.ration)
    fleet#<market>         courier# crew# permit# slot#   Courier, Crew, Permit, Slot (counter: left)
    fleet#<market>         used#<permit>                  of a permit for a single use (counter: taken)
    fleet#<market>         breaker#<courier>              Breaker, of a courier that fails  (flows.spare)
    fleet#<market>         suspicion#<unreadable>         Suspicion, of a compound  (flows.suspect)
    fleet#<market>         volume#<slot> weight#<slot>    of a slot's room, millilitres and grams (counter: taken)
    fleet#<market>         alone#<slot>                   somebody has that slot for himself (counter: taken)
    fleet#<market>         record#<courier>#<period>      its gifts of four weeks (counters: on_time, late)  (records)
    market#<market>        board, watched                 what the board shows, and who looks  (domain.board)
    link#, session#, dispatcher#                          who sits at the board  (domain.sessions)
    quota#<market>#<day>   zone#<zone>                    (counter: taken)
    quota#<market>#<day>   household#<unreadable>         (counter: taken)
    quota#<market>#<day>   courier#<zone>/<courier>       (counter: taken)
    cli_...                                               clients have a page of their own  (domain.client_rows)

Older schema versions are upcast here, on read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from chalicelib.domain.due import due_at, in_pool, needs_somebody
from chalicelib.domain.errors import Delayed, Forgotten, Missing, Newer
from chalicelib.domain.legs import HINT, MEASURES, Assignment, Event, QuotaTaken
from chalicelib.domain.orders import SCHEMA, Order, OrderState, Private
from chalicelib.domain.places import Market
from chalicelib.domain.ports import Count, Keep, Key, Log, Row, Sealer, Table, Take
from chalicelib.domain.shapes import stamp

if TYPE_CHECKING:  # imported where one is read: whoever places an order waits for the order alone
    from chalicelib.domain.breaker import Breaker
    from chalicelib.domain.evidence import Evidence
    from chalicelib.domain.fleet import Courier, Crew, Fleet, Permit, Slot
    from chalicelib.domain.notices import Endpoint, Notice
    from chalicelib.domain.suspicion import Suspicion

ORDER: Final = "order"
LEFT: Final = "left"
TAKEN: Final = "taken"
ALONE: Final = "alone"
FAR: Final = timedelta(days=3650)
"""Ahead of now, to find in a work bucket what is not due yet as well."""
HOOKS: Final = "hooks"
"""Where endpoints wait that something may be owed to."""
SAID: Final = 5
"""Reasons in one line of the log; the evidence has them all."""


# --- orders ---------------------------------------------------------------------------------------------------


def order_key(order_id: str) -> Key:
    return Key(order_id, ORDER)


def pool_bucket(market_id: str, shard: int) -> str:
    """Where orders wait for an assignment."""
    return f"pool#{market_id}#{shard}"


def wait_bucket(market_id: str, shard: int) -> str:
    """Where orders wait for anything else."""
    return f"wait#{market_id}#{shard}"


def desk_bucket(market_id: str, day: date) -> str:
    """Where orders lie that have ended and may need a person, by the day (UTC) that their window ended: whoever shows
    the last days to a dispatcher reads no others, and nothing has to be cleared away."""
    return f"desk#{market_id}#{day.isoformat()}"


def order_row(order: Order) -> Row:
    due = due_at(order)
    bucket = (pool_bucket if in_pool(order) else wait_bucket)(order.market_id, order.shard)
    if due is None and needs_somebody(order):
        due, bucket = order.window.end, desk_bucket(order.market_id, order.window.end.astimezone(UTC).date())
    return Row(
        key=order_key(order.order_id),
        version=order.version,
        body=order.model_dump_json(exclude_defaults=True),
        sealed=order.sealed,
        work=None if due is None else bucket,
        due=None if due is None else stamp(due),
        shelf=f"brand#{order.brand_id}",
        place_on_shelf=f"{stamp(order.placed_at)}#{order.order_id}",
    )


def order_of_row(row: Row) -> Order:
    """Raises `Newer` for one that newer code has written, ValueError for one that nobody can read."""
    found: Order | None = None
    try:
        found = Order.model_validate_json(row.body)
    except ValidationError:
        if _schema_of(row.body) == SCHEMA:
            raise
    if found is None or found.schema_version != SCHEMA:
        found = Order.model_validate_json(_upcast(row.body, row.key.pk))
    return found.model_copy(update={"sealed": row.sealed, "version": row.version})


UPCASTS: Final[dict[int, Callable[[dict[str, Any]], dict[str, Any]]]] = {}
"""From a schema version of the order to the next one. Empty while the first is the present one; whoever raises
`SCHEMA` adds how its former shape is read."""


def _upcast(body: str, order_id: str) -> str:
    schema = _schema_of(body)
    if schema is not None and schema > SCHEMA:
        raise Newer(f"order {order_id!r} has schema {schema!r}, this reads up to {SCHEMA!r}")
    if schema is None or any(step not in UPCASTS for step in range(schema, SCHEMA)):
        raise ValueError(f"order {order_id!r} has schema {schema!r}, which no code of ours has written")
    told = json.loads(body)
    for step in range(schema, SCHEMA):
        told = UPCASTS[step](told) | {"schema_version": step + 1}
    return json.dumps(told)


def _schema_of(body: str) -> int | None:
    told = json.loads(body)
    schema = told.get("schema_version") if isinstance(told, dict) else None
    return schema if isinstance(schema, int) else None


def readable(rows: Iterable[Row], log: Log) -> list[Order]:
    """The orders that this code can read; of the others a line in the log, and they stay where they are.

    One order written by newer code, or broken, must not stop the others of its market.
    """
    orders = []
    for row in rows:
        try:
            orders.append(order_of_row(row))
        except (ValueError, Newer) as error:
            pass_by(log, row.key.pk, error)
    return orders


def pass_by(log: Log, order_id: str, error: Exception) -> None:
    """A line in the log for an order that cannot be read or opened: it stops no other of its market.

    Raises the error again where it only says that somebody is busy: then the whole run is given back. What newer
    code wrote is no such case, and waits for that code.
    """
    if isinstance(error, Delayed) and not isinstance(error, Newer):
        raise error
    log("order_unreadable", order=order_id, why=type(error).__name__)


def note_step(log: Log, order: Order) -> None:
    """A line for the state that the order has entered in the version that was just written, if it has."""
    if not order.stepped:
        return
    state = order.state.value
    if order.outlook is not None and order.state in (OrderState.HELD, OrderState.STRANDED):
        reasons = [str(reason) for reason in order.outlook.reasons[:SAID]]
        log("stepped", order=order.order_id, market=order.market_id, state=state, reasons=reasons)
    else:
        log("stepped", order=order.order_id, market=order.market_id, state=state)


def load_order(table: Table, order_id: str) -> Order:
    """The order as it is now. Raises `Missing`."""
    row = table.get(order_key(order_id))
    if row is None:
        raise Missing(f"no order {order_id!r}")
    return order_of_row(row)


def keep_order(order: Order) -> Keep:
    """Write the next version of an order over the one before it."""
    return Keep(order_row(order), was=order.version - 1)


def seal_private(sealer: Sealer, private: Private, order_id: str) -> bytes:
    return sealer.seal(private.model_dump_json().encode(), order_id)


def sealed_anew(sealer: Sealer, order: Order) -> bytes:
    """The same under the key of this hour: an order that goes on is read for as long again. Raises `Forgotten`."""
    return seal_private(sealer, unseal_private(sealer, order), order.order_id)


def unseal_private(sealer: Sealer, order: Order) -> Private:
    """Raises `Forgotten` for an order whose client has been erased."""
    if not order.sealed:
        raise Forgotten(f"nothing personal is left of the order {order.order_id!r}")
    return Private.model_validate_json(sealer.unseal(order.sealed, order.order_id))


# --- what hangs on an order -----------------------------------------------------------------------------------


def event_prefix(reference: str = "") -> str:
    return f"event#{reference}"


def event_row(order_id: str, event: Event) -> Row:
    # who said it is part of the name: else another courier's word could stand in the place of the true one
    what = f"{stamp(event.occurred_at)}#{event.event_id}"
    if event.source == HINT:
        # whoever can make hints can date and name them as he likes: one of each kind in a minute is all that is kept,
        # for every run reads all that stands here
        minute = event.received_at.replace(second=0, microsecond=0)
        what = f"{stamp(minute)}#{HINT}-{event.kind}"
    said = f"{what}#{event.market_id}/{event.courier_id}"
    return Row(
        key=Key(order_id, f"event#{event.reference}#{said}"),
        version=1,
        body=event.model_dump_json(exclude_defaults=True),
    )


def evidence_row(evidence: Evidence) -> Row:
    return Row(
        key=Key(evidence.order_id, f"evidence#{evidence.evidence_id}"),
        version=1,
        body=evidence.model_dump_json(exclude_defaults=True),
    )


def keep_evidence(evidence: Evidence) -> Keep:
    """A piece of evidence is written once."""
    return Keep(evidence_row(evidence), was=None)


def notice_key(order_id: str, endpoint_id: str, sequence: int) -> Key:
    return Key(order_id, f"notice#{endpoint_id}#{sequence:04d}")


def notice_bucket(endpoint_id: str) -> str:
    """Where the notices of one endpoint wait: a bucket of its own, so that none waits behind another's."""
    return f"notice#{endpoint_id}"


def notice_row(notice: Notice) -> Row:
    from chalicelib.domain.notices import NoticeState

    pending = notice.state is NoticeState.PENDING and notice.next_attempt_at is not None
    return Row(
        key=notice_key(notice.order_id, notice.endpoint_id, notice.sequence),
        version=notice.version,
        body=notice.model_dump_json(exclude_defaults=True),
        work=notice_bucket(notice.endpoint_id) if pending else None,
        due=stamp(notice.next_attempt_at) if pending and notice.next_attempt_at else None,
        shelf=f"hook#{notice.endpoint_id}",
        place_on_shelf=f"{stamp(notice.happened_at)}#{notice.notice_id}",
    )


def notice_of_row(row: Row) -> Notice:
    from chalicelib.domain.notices import Notice

    notice = Notice.model_validate_json(row.body)
    return notice if notice.version == row.version else notice.model_copy(update={"version": row.version})


# --- brands and keys ------------------------------------------------------------------------------------------


def endpoint_key(brand_id: str, endpoint_id: str) -> Key:
    return Key(f"brand#{brand_id}", f"hook#{endpoint_id}")


def endpoint_row(endpoint: Endpoint) -> Row:
    return Row(
        key=endpoint_key(endpoint.brand_id, endpoint.endpoint_id),
        version=endpoint.version,
        body=endpoint.model_dump_json(exclude_defaults=True),
        work=None if endpoint.next_look is None else HOOKS,
        due=None if endpoint.next_look is None else stamp(endpoint.next_look),
    )


def endpoint_of_row(row: Row) -> Endpoint:
    from chalicelib.domain.notices import Endpoint

    endpoint = Endpoint.model_validate_json(row.body)
    return (
        endpoint if endpoint.version == row.version else endpoint.model_copy(update={"version": row.version})
    )


def data_key_key(hour: int) -> Key:
    """Where the data key of that hour since 1970 is kept, wrapped."""
    return Key("seal", f"{hour:08d}")


# --- markets and fleet ----------------------------------------------------------------------------------------

MARKETS: Final = "markets"


def market_key(market_id: str) -> Key:
    return Key(MARKETS, f"market#{market_id}")


def market_row(market: Market, version: int) -> Row:
    return Row(market_key(market.market_id), version, market.model_dump_json(exclude_defaults=True))


def lease_key(market_id: str) -> Key:
    return Key(f"market#{market_id}", "lease")


def pointer_key(market_id: str) -> Key:
    return Key(f"market#{market_id}", "rules")


def standing_by_key(market_id: str) -> Key:
    return Key(f"market#{market_id}", "standing_by")


def rezoned_key(market_id: str) -> Key:
    return Key(f"market#{market_id}", "rezoned")


def fleet_collection(market_id: str) -> str:
    return f"fleet#{market_id}"


@cache
def fleet_kinds() -> dict[str, tuple[type[Courier] | type[Crew] | type[Permit] | type[Slot], str]]:
    """What a fleet is made of, by what a list of it is called: the noun, and its name in a key."""
    from chalicelib.domain.fleet import Courier, Crew, Permit, Slot

    return {
        "couriers": (Courier, "courier"),
        "crews": (Crew, "crew"),
        "permits": (Permit, "permit"),
        "slots": (Slot, "slot"),
    }


def courier_key(market_id: str, courier_id: str) -> Key:
    return Key(fleet_collection(market_id), f"courier#{courier_id}")


def breaker_key(market_id: str, courier_id: str) -> Key:
    return Key(fleet_collection(market_id), f"breaker#{courier_id}")


def breaker_row(breaker: Breaker, version: int) -> Row:
    """It vanishes a day after its time of peace: who does well is not on record for ever."""
    key = breaker_key(breaker.market_id, breaker.courier_id)
    gone = (breaker.until or breaker.since) + timedelta(days=1)
    return Row(key, version, breaker.model_dump_json(exclude_defaults=True), expires_at=epoch(gone))


def breaker_of_row(row: Row) -> Breaker:
    from chalicelib.domain.breaker import Breaker

    return Breaker.model_validate_json(row.body)


def suspicion_key(market_id: str, suspicion_id: str) -> Key:
    return Key(fleet_collection(market_id), f"suspicion#{suspicion_id}")


def suspicion_row(suspicion: Suspicion, version: int) -> Row:
    """It vanishes when nothing in it counts any more."""
    from chalicelib.domain.suspicion import WITHIN

    key = suspicion_key(suspicion.market_id, suspicion.suspicion_id)
    body = suspicion.model_dump_json(exclude_defaults=True)
    return Row(key, version, body, expires_at=epoch(suspicion.last_at + WITHIN))


def suspicion_of_row(row: Row) -> Suspicion:
    from chalicelib.domain.suspicion import Suspicion

    return Suspicion.model_validate_json(row.body)


def slot_key(market_id: str, slot_id: str) -> Key:
    return Key(fleet_collection(market_id), f"slot#{slot_id}")


def alone_key(slot: Slot) -> Key:
    """Where it is marked that somebody has that slot for himself."""
    return Key(fleet_collection(slot.market_id), f"{ALONE}#{slot.slot_id}")


def take_from_slot(market_id: str, slot_id: str, count: int) -> Count:
    """Take capacity; lost when there is not so much left."""
    return Count(slot_key(market_id, slot_id), LEFT, -count)


def give_back_to_slot(market_id: str, slot_id: str, count: int = 1) -> Count:
    return Count(slot_key(market_id, slot_id), LEFT, count, floor=None)


def quota_key(market_id: str, taken: QuotaTaken) -> Key:
    """Where it is counted: by the local day, or beside permits and slots, which are read with the fleet."""
    if taken.day is None:
        kind = "used" if taken.per == "permit" else taken.per
        return Key(fleet_collection(market_id), f"{kind}#{taken.name}")
    return Key(f"quota#{market_id}#{taken.day.isoformat()}", f"{taken.per}#{taken.name}")


def take_quota(market_id: str, taken: QuotaTaken, count: int, limit: int, until: datetime) -> Take:
    """Take so many; lost when the limit would be passed. `until`: when nobody needs to know of it any more."""
    return Take(quota_key(market_id, taken), TAKEN, count, limit, epoch(until))


def give_back_quota(market_id: str, taken: QuotaTaken, count: int = 1) -> Count:
    return Count(quota_key(market_id, taken), TAKEN, -count, floor=None)


def salt_key(market_id: str) -> Key:
    return Key(f"market#{market_id}", "salt")


def assigned_keys(market_id: str, assignment: Assignment) -> list[Key]:
    """What of the fleet an assignment names."""
    return fleet_keys(
        market_id, assignment.courier_id, assignment.crew_id, assignment.slot_id, assignment.permit_ids
    )


def fleet_keys(
    market_id: str, courier_id: str, crew_id: str, slot_id: str, permit_ids: Iterable[str]
) -> list[Key]:
    """One courier, crew and slot, and some permits."""
    names = [
        f"courier#{courier_id}",
        f"crew#{crew_id}",
        f"slot#{slot_id}",
        *(f"permit#{permit_id}" for permit_id in permit_ids),
    ]
    return [Key(fleet_collection(market_id), name) for name in names]


def load_fleet(table: Table, market_id: str, memory: dict[str, Any] | None = None) -> Fleet:
    """The whole fleet of a market, with what each slot has left, in one strongly consistent reading.

    `memory` keeps what was parsed, so that only what has changed is parsed again.
    """
    parsed: dict[Key, tuple[str, Any]] = {}
    if memory is not None:
        parsed = memory.setdefault(f"fleet#{market_id}", parsed)
    rows = table.read(fleet_collection(market_id)).rows
    fleet = fleet_of_rows(rows, parsed)
    if len(parsed) > len(rows):
        present = {row.key for row in rows}
        for key in tuple(parsed):
            if key not in present:
                parsed.pop(key, None)
    return fleet


def fleet_of_rows(rows: Iterable[Row], parsed: dict[Key, tuple[str, Any]] | None = None) -> Fleet:
    """The fleet that these rows are; `parsed` keeps nouns by row and text."""
    from chalicelib.domain.fleet import Fleet, Record

    parsed = {} if parsed is None else parsed
    nouns: dict[str, dict[str, Any]] = {"courier": {}, "crew": {}, "permit": {}, "slot": {}}
    types = {name: noun for noun, name in fleet_kinds().values()}
    left: dict[str, int] = {}
    uses_left: dict[str, int] = {}
    breakers: dict[str, Breaker] = {}
    suspicions: dict[str, Suspicion] = {}
    taken: dict[str, int] = {}
    records: dict[str, dict[int, Record]] = {}
    alone: set[str] = set()
    for row in rows:
        kind, name = row.key.sk.split("#", 1)
        if kind == "used":
            uses_left[name] = 1 - row.counters.get(TAKEN, 0)
            continue
        if kind == "breaker":
            breakers[name] = breaker_of_row(row)
            continue
        if kind == "suspicion":
            suspicions[name] = suspicion_of_row(row)
            continue
        if kind == "record":
            courier, period = name.rsplit("#", 1)
            on_time, late = (row.counters.get(counter, 0) for counter in ("on_time", "late"))
            records.setdefault(courier, {})[int(period)] = Record(on_time=on_time, late=late)
            continue
        if kind == ALONE:
            alone.update([name] if row.counters.get(TAKEN, 0) else [])
            continue
        if kind in MEASURES:
            taken[row.key.sk] = row.counters.get(TAKEN, 0)
            continue
        if kind not in types:
            continue  # of a newer version, while this one is being replaced
        known = parsed.get(row.key)
        # by its text: who is taken out and put in again starts at version 1 again
        noun = known[1] if known and known[0] == row.body else types[kind].model_validate_json(row.body)
        nouns[kind][name] = noun
        parsed[row.key] = (row.body, noun)
        if kind == "slot":
            left[name] = row.counters.get(LEFT, 0)
    left.update(dict.fromkeys(alone & left.keys(), 0))  # whatever its capacity has been raised to
    return Fleet.model_construct(
        couriers=nouns["courier"],
        crews=nouns["crew"],
        permits=nouns["permit"],
        slots=nouns["slot"],
        left=left,
        uses_left=uses_left,
        breakers=breakers,
        suspicions=suspicions,
        taken=taken,
        records=records,
    )


def epoch(moment: datetime) -> int:
    """Seconds, as the table's own clean-up reads them."""
    return int(moment.timestamp())
