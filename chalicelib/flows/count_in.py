"""Count in what a client has bought and given back: each purchase once, in the sums of its local day."""

from __future__ import annotations

from datetime import date, datetime

from chalicelib.domain.acts import Act, Deed, act_row
from chalicelib.domain.client_rows import data_key_of_client
from chalicelib.domain.clients import Client
from chalicelib.domain.errors import Clashing, Delayed, Fault, Invalid, Lost
from chalicelib.domain.ports import Change, Keep, Require, Row, World
from chalicelib.domain.purchases import AHEAD, COUNTS, NewPurchase, Purchase, purchase_key, purchase_row
from chalicelib.domain.shapes import zone_info
from chalicelib.domain.standing import Because, Standing, standing_key, standing_row
from chalicelib.flows import enrol, rank

TRIES = 8


def count_in(world: World, client: Client, purchases: tuple[NewPurchase, ...], by: str) -> int:
    """How many of these had not been counted before: all of them are counted then, or none.

    Raises `Invalid` for one that cannot be, and `Clashing` where another was counted under its name.
    """
    for _ in range(TRIES):
        now = world.clock()
        book = _Book(world, client, by, now, _rows(world, client.client_id, purchases))
        new = [at for at, each in enumerate(purchases) if not book.knows(each)]
        if not new:
            return 0
        for at in new:
            book.enter(at, purchases[at])
        try:
            world.table.write(*book.changes())
        except Lost:
            client = enrol.client_of(world, client.brand_id, client.reference)
            continue
        world.log("purchases_counted", client=client.client_id, brand=client.brand_id, count=len(new))
        return len(new)
    raise Delayed(f"the standing of the client {client.reference!r} is being changed by others")


def _rows(world: World, client_id: str, purchases: tuple[NewPurchase, ...]) -> dict[str, Row]:
    """The purchases that are named, by name, and the standing."""
    names = {name for each in purchases for name in (each.purchase, each.refunds) if name}
    keys = {purchase_key(client_id, name): name for name in names}
    keys[standing_key(client_id)] = ""
    return {keys[row.key]: row for row in world.table.get_many(sorted(keys))}


class _Book:
    """One client's purchases while some are entered."""

    def __init__(self, world: World, client: Client, by: str, now: datetime, rows: dict[str, Row]) -> None:
        self._client, self._by, self._now = client, by, now
        self._token = world.token
        self._on = rank.measured(world, client, rows.pop("", None))
        self._versions = {name: row.version for name, row in rows.items()}
        self._known = {name: Purchase.model_validate_json(row.body) for name, row in rows.items()}
        self._changed: dict[str, Purchase] = {}
        self._acts: list[Row] = []
        self._after = self._on.settled(now)

    def knows(self, purchase: NewPurchase) -> bool:
        known = self._known.get(purchase.purchase)
        if known is None:
            return False
        if known.told != purchase:
            raise Clashing(f"the purchase {purchase.purchase!r} was counted, and said something else")
        return True

    def enter(self, at: int, new: NewPurchase) -> None:
        pointer = f"/purchases/{at}"
        if new.at > self._now + AHEAD:
            raise _fault(f"{pointer}/at", "a moment that is not in the future was expected")
        if new.at < self._now - COUNTS:
            raise _fault(f"{pointer}/at", f"what is more than {COUNTS.days} days old counts nowhere")
        if new.refunds is None:
            zone = zone_info(self._client.time_zone)
            day, sign = new.at.astimezone(zone).date(), 1
        else:
            day, sign = self._given_back(pointer, new, new.refunds), -1
        deed = Deed.PURCHASE_COUNTED if sign > 0 else Deed.REFUND_COUNTED
        because: Because = "purchase" if sign > 0 else "refund"
        before = self._after
        after = _added(before, new.amount.currency, day, sign * new.amount.amount)
        self._after = self._on.moved(before, after, self._now, because, new.purchase, self._by)
        entered = Purchase(**dict(new), day=day, by=self._by, recorded_at=self._now)
        self._known[new.purchase] = self._changed[new.purchase] = entered
        act = Act(at=self._now, by=self._by, did=deed, of=new.purchase)
        self._acts.append(act_row(self._client.client_id, act, self._token()))

    def _given_back(self, pointer: str, new: NewPurchase, name: str) -> date:
        """The day of the purchase that it refunds, which remembers so."""
        original = self._known.get(name)
        if original is None or original.refunds is not None:
            raise _fault(f"{pointer}/refunds", "a purchase of this client that was counted was expected")
        if original.amount.currency != new.amount.currency:
            raise _fault(
                f"{pointer}/amount/currency", f"{original.amount.currency}, as of the purchase, was expected"
            )
        refunded = original.refunded + new.amount.amount
        if refunded > original.amount.amount:
            left = original.amount.amount - original.refunded
            raise _fault(
                f"{pointer}/amount/amount", f"at most {left} was expected, which is left of the purchase"
            )
        changed = original.model_copy(update={"refunded": refunded})
        self._known[name] = self._changed[name] = changed
        return original.day

    def changes(self) -> list[Change]:
        client_id, was = self._client.client_id, self._on.was
        after = self._after.model_copy(update={"version": 1 if was is None else was + 1})
        kept: list[Change] = [Keep(standing_row(after), was=was), Require(data_key_of_client(client_id), 1)]
        for name, purchase in self._changed.items():
            version = self._versions.get(name)
            row = purchase_row(client_id, purchase, 1 if version is None else version + 1)
            kept.append(Keep(row, was=version))
        return [*kept, *(Keep(row, was=None) for row in self._acts)]


def _added(standing: Standing, currency: str, day: date, amount: int) -> Standing:
    days = dict(standing.spent.get(currency, {}))
    days[day] = days.get(day, 0) + amount
    return standing.model_copy(update={"spent": {**standing.spent, currency: days}})


def _fault(pointer: str, detail: str) -> Invalid:
    return Invalid(f"{pointer}: {detail}", [Fault(pointer, detail)])
