"""Enter a gift in the books of its client and its household, unless one of the brand's caps says no.

What is written goes into the transaction that places the order, on the versions that were read: of two orders at the
same time one is placed on top of the other, or not at all. A year that lies beside the gift's own, and may still grow,
has to stand as it was read as well.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from chalicelib.domain import facts
from chalicelib.domain.client_rows import client_key, client_of_row
from chalicelib.domain.clients import Client
from chalicelib.domain.contacts import Contact
from chalicelib.domain.due import is_over, owes_digital
from chalicelib.domain.errors import Clashing, Fault, Forgotten
from chalicelib.domain.given import (
    PREFIX,
    Full,
    Given,
    client_ledger_key,
    counting,
    entered,
    full,
    home_ledger_key,
    ledger_of_row,
    ledger_row,
    may_grow,
    pruned,
    without,
    years_of,
)
from chalicelib.domain.instead import DigitalOutcome
from chalicelib.domain.orders import Order, OrderState
from chalicelib.domain.places import Address
from chalicelib.domain.ports import Change, Keep, Key, Require, Row, World
from chalicelib.domain.programme import Cap, programme_key, programme_of_row
from chalicelib.domain.quotas import household_of
from chalicelib.domain.retention import HOUSEHOLD, kept_until
from chalicelib.domain.shapes import Window, zone_info
from chalicelib.flows import contacts
from chalicelib.flows.place import HORIZON, LONGEST

CAME_TO_NOTHING = frozenset({OrderState.CANCELLED, OrderState.STRANDED, OrderState.RETURNED})
"""Ends in which the client has got nothing, and gets nothing in its place; who sends one out again, or something in its
place after all, enters it again."""
SHOWN = 5
DAY = timedelta(days=1)


@dataclass
class _Book:
    """One ledger over the years that caps may count, as it was read."""

    pk: str
    caps: Sequence[Cap]
    rows: dict[int, Row | None]

    @property
    def gifts(self) -> list[Given]:
        return [gift for row in self.rows.values() for gift in ledger_of_row(row).gifts]


def day_of(client: Client, start: datetime) -> date:
    """The day of a gift whose window begins then, on the recipient's calendar."""
    return start.astimezone(zone_info(client.time_zone)).date()


def books(
    world: World,
    client: Client,
    caps: Sequence[Cap],
    given: Given,
    address: Address | None,
    was: Given | None = None,
) -> list[Change]:
    """The changes that enter that gift. `address` None: it goes to no household. `was`: as it is entered already, on
    another day or struck.

    Raises `Clashing` for a cap that is reached, `Forgotten` for a client who is being forgotten.
    """
    now = world.clock()
    years = set() if was is None else {was.day.year}
    read = _read(world, client, caps, given, address, years)
    for row in read[0].rows.values():
        if ledger_of_row(row).closed_at is not None:
            raise Forgotten(f"the client {client.reference!r} is being erased")
    struck = _struck(world, read, given)
    earliest, latest = day_of(client, now - LONGEST) - DAY, day_of(client, now + HORIZON) + DAY
    changes: list[Change] = []
    for book in read:
        is_home = book is not read[0]
        new = given.model_copy(update={"by": None, "at": None}) if is_home else given
        for year, row in book.rows.items():
            key, ledger = Key(book.pk, client_ledger_key("", year).sk), ledger_of_row(row)
            version = None if row is None else row.version
            if year == given.day.year:
                after = entered(ledger, new, struck)
                if is_home:
                    after = pruned(after, [cap for cap in caps if cap.per == "household"], earliest)
            elif any(gift.order_id == given.order_id for gift in ledger.gifts):
                after = without(ledger, given.order_id)
            else:
                if may_grow(year, earliest, latest):
                    changes.append(Require(key, version))
                continue
            over = datetime(year + 1, 1, 1, tzinfo=now.tzinfo)
            expires_at = kept_until(HOUSEHOLD, over) if is_home else None
            changes.append(Keep(ledger_row(key, after, (version or 0) + 1, expires_at), was=version))
    return changes


def moved_to(world: World, order: Order, window: Window) -> list[Change]:
    """The changes that enter a gift anew which is sent out again, has something in its place, or goes in another
    window; none where it is for nobody who is known. Raises as `books` does."""
    if order.client_id is None:
        return []
    keys = [client_key(order.client_id), programme_key(order.brand_id)]
    rows = {row.key: row for row in world.table.get_many(keys)}
    if keys[0] not in rows:
        return []
    client = client_of_row(rows[keys[0]])
    caps = programme_of_row(rows[keys[1]]).caps if keys[1] in rows else ()
    books_of_all_years = world.table.read(client.client_id, PREFIX).rows
    known = (gift for row in books_of_all_years for gift in ledger_of_row(row).gifts)
    was = next((gift for gift in known if gift.order_id == order.order_id), None)
    day = day_of(client, window.start)
    may_be_struck = order.state in CAME_TO_NOTHING  # at this moment, by whoever gives to the same client
    if was is not None and was.day == day and not was.struck and not may_be_struck:
        return []
    plain = was or Given(order_id=order.order_id, day=day, occasion=order.occasion)
    given = plain.model_copy(update={"day": day, "struck": False})
    address = facts.unseal_private(world.sealer, order).recipient.place.address
    return books(world, client, caps, given, address, was)


def _read(
    world: World,
    client: Client,
    caps: Sequence[Cap],
    given: Given,
    address: Address | None,
    years: Collection[int],
) -> list[_Book]:
    """The client's book, and the household's where one of its caps counts this gift; over these years as well."""
    of_client, of_home = (counting(caps, per, given.occasion) for per in ("client", "household"))
    found = [_Book(client.client_id, of_client, {})]
    if of_home and address is not None:
        said = Contact("household", household_of(address), "address")
        unreadable = contacts.name_of(world, client.brand_id, said)
        found.append(_Book(home_ledger_key(unreadable, 0).pk, of_home, {}))
    keys = {
        Key(book.pk, client_ledger_key("", year).sk): (book, year)
        for book in found
        for year in sorted({*years_of(book.caps, given.day), *years})
    }
    rows = {row.key: row for row in world.table.get_many(sorted(keys))}
    for key, (book, year) in keys.items():
        book.rows[year] = rows.get(key)
    return found


def _struck(world: World, read: Sequence[_Book], given: Given) -> list[str]:
    """The orders that count no more. Only where a cap is reached is anybody looked at."""
    reached = [found for book in read for cap in book.caps if (found := full(cap, book.gifts, given))]
    if not reached:
        return []
    struck = came_to_nothing(world, {gift.order_id for found in reached for gift in found.gifts})
    for book in read:
        left = [gift for gift in book.gifts if gift.order_id not in struck]
        for cap in book.caps:
            if (found := full(cap, left, given)) is not None:
                raise _refused(found)
    return struck


def came_to_nothing(world: World, ids: Collection[str]) -> list[str]:
    """Those of these orders of which their clients have nothing, and will have nothing."""
    rows = world.table.get_many([facts.order_key(order_id) for order_id in sorted(ids)])
    now = world.clock()
    return [order.order_id for order in map(facts.order_of_row, rows) if _came_to_nothing(order, now)]


def _came_to_nothing(order: Order, now: datetime) -> bool:
    if order.state not in CAME_TO_NOTHING or not is_over(order):
        return False
    if order.state is not OrderState.STRANDED:
        return True
    # a gift that needs no courier is a gift as well: while one is offered, or owed, it is not over
    is_offered = order.digital is not None and order.digital.outcome is DigitalOutcome.OFFERED
    return not (is_offered or order.wants_digital or owes_digital(order, now))


def _refused(found: Full) -> Clashing:
    cap = found.cap
    span = "in a calendar year" if cap.days is None else f"within {cap.days} days"
    what = "gifts" if cap.occasion is None else f"gifts for the occasion {cap.occasion!r}"
    told = f"at most {cap.at_most} {what} {span} go to a {cap.per}, by your programme"
    counted = [f"{gift.order_id} on {gift.day.isoformat()}" for gift in found.gifts[:SHOWN]]
    more = f" and {len(found.gifts) - SHOWN} more" if len(found.gifts) > SHOWN else ""
    return Clashing(f"{told}; there are {', '.join(counted)}{more}", [Fault("/client", told)])
