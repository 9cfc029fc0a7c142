"""The stories of clients for the crash test: enrolled, changed, found, held to what they agree to, and forgotten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from chalicelib.domain import facts
from chalicelib.domain.client_rows import contacts_of_brand, data_key_of_client
from chalicelib.domain.clients import Consent, Purpose, client_id_of
from chalicelib.domain.contacts import by_phone
from chalicelib.domain.fleet import Courier
from chalicelib.domain.orders import OrderState
from chalicelib.domain.ports import Keep, Key, Row
from chalicelib.flows import agree, contacts, enlist, enrol, forget
from chalicelib.flows.give import give as flow_give
from tests.flows.crash_play import Play, Story
from tests.flows.crash_steps import Step, courier, expects, flat, later, meanwhile, minutes, refused, same
from tests.stage import NOON, Stage, client_body, client_wish, new_client, stage

STORIES: dict[str, Story] = {}
VIC = client_id_of("maison", "vic-1")
PHONE = by_phone("+8613800138000")
DELIVERED, CANCELLED, BOOKED = OrderState.DELIVERED, OrderState.CANCELLED, OrderState.BOOKED


def _story(name: str, *steps: Any, **more: Any) -> None:
    STORIES[name] = Story(name, flat(*steps), more.pop("ends", {}), **more)


@same
def give(key: str = "key-1", *, settled: bool = True) -> Step:
    """A gift to the client."""

    def step(play: Play) -> None:
        refused(play, lambda: flow_give(play.on.world, "maison", key, client_wish()))
        if settled:
            play.settle()

    return step


@same
def enrols(reference: str = "vic-1", **changes: Any) -> Step:
    """The brand sends the client in, from a list that replaces whatever stands there."""

    def step(play: Play) -> None:
        new = new_client(**changes)
        refused(play, lambda: enrol.enrol(play.on.world, "maison", reference, new, replaces=True))

    return step


def asks(do: Callable[[Any], Any]) -> Step:
    """Somebody does that, and again if nobody answers."""
    return lambda play: refused(play, lambda: do(play.on.world))


withdraws = asks(lambda world: agree.withdraw(world, VIC, [Purpose.CROSS_BORDER], NOON, "letter-1", "client"))
forgets = asks(lambda world: forget.ask(world, "maison", "vic-1"))


def _read(play: Play) -> None:
    """Nothing changes by it."""
    world = play.on.world
    before = dict(play.table.rows)
    play.act(lambda: enrol.client_of(world, "maison", "vic-1"))
    play.act(lambda: enrol.by_id(world, VIC))
    found = play.act(lambda: contacts.clients_with(world, "maison", PHONE))
    listed, _ = play.act(lambda: contacts.clients_of(world, "maison", 5))
    assert {"vic-1"} <= {one.reference for one in found} <= {one.reference for one in listed}
    assert play.table.rows == before


def _stands_once(play: Play) -> None:
    rows = play.table.read(contacts_of_brand("maison")).rows
    keys = [row.key.sk for row in rows]
    client = enrol.by_id(play.on.plain, VIC)
    assert sorted(client.contacts) == sorted(key.partition("#")[0] for key in keys if key.endswith(VIC))
    assert enrol.person_of(play.on.plain, client).name == "王女士"
    proofs = [Consent.model_validate_json(row.body) for row in play.table.read(VIC, "consent#").rows]
    ended = [one for one in proofs if one.purpose is Purpose.CROSS_BORDER and one.withdrawn_at is not None]
    assert len(ended) == 1, "what was taken back is proven once"


_story(
    "client_is_enrolled_changed_and_found",
    enrols(), enrols(), enrols("vic-2", person={"name": "B", "phone": "+8613800138000"}),
    enrols(locale="en", person={**client_body()["person"], "email": "new@example.com"}), _read,
    asks(lambda world: enrol.learn_whatsapp(world, VIC, "CN.1")),
    asks(lambda world: enrol.learn_whatsapp(world, VIC, "CN.1")),
    asks(lambda world: agree.agree(world, VIC, [Consent(purpose=Purpose.MARKETING, granted_at=NOON, evidence="x")])),
    asks(lambda world: agree.agree(
        world, VIC, [Consent(purpose=Purpose.MARKETING, granted_at=NOON - timedelta(days=9), evidence="y")]
    )),
    withdraws, withdraws, _read,
    at_end=_stands_once,
)  # fmt: skip


def _told_elsewhere(play: Play) -> None:
    """The order moves while this process is about to narrow it."""
    key = facts.order_key(play.order_id("key-1"))
    row = play.on.plain.table.get(key)
    assert row is not None
    play.on.plain.table.write(Keep(replace(row, version=row.version + 1), was=row.version))


def _abroad(**more: Any) -> Stage:
    """The courier keeps its data in another country."""
    on = stage(**more)
    told = {"courier_id": "paper-co", "market_id": "SHA", "dialect": "paper", "account": "main"}
    enlist.put_courier(on.world, Courier.model_validate({**told, "data_region": "SG"}))
    on.settle()
    return on


def _told_nobody(play: Play) -> None:
    assert play.order("key-1").stays_in == "CN"
    assert not play.on.company.jobs, "a courier abroad was told"


_story(
    "consent_is_taken_back_while_a_gift_waits",
    enrols(), give(settled=False), meanwhile("before table.write", _told_elsewhere), withdraws, minutes(4), later(minutes=40), minutes(4),
    opening=_abroad, ends={"key-1": OrderState.HELD}, at_end=_told_nobody, waits=("agree", "narrow"), eager=False, by_itself=False,
)  # fmt: skip


def _is_forgotten(play: Play) -> None:
    client = enrol.mark_of(play.on.plain, "maison", "vic-1")
    assert client.erased_at is not None and not client.sealed and not client.contacts
    assert play.table.get(data_key_of_client(VIC)) is None
    assert all(order.is_erased for order in play.orders())
    ours = [row for row in play.table.rows.values() if row.key.pk.startswith(("cli_", "ord_"))]
    assert not [row.key for row in ours if row.sealed]
    stones = [row.key.sk for row in play.table.read(contacts_of_brand("maison")).rows]
    assert len(stones) == 2 and all(name.endswith("#erased") for name in stones)


def _message(play: Play) -> None:
    """Something of another kind hangs on the order, sealed."""
    row = Row(Key(play.order_id("key-1"), "kept#0001#of-another-kind"), 1, "{}", sealed=b"sealed:something")
    if play.on.plain.table.get(row.key) is None:
        play.on.plain.table.write(Keep(row, was=None))


_story(
    "client_is_forgotten",
    enrols(), give(), minutes(3), courier("picked_up"), _message, forgets, forgets, give("key-2"), minutes(2),
    courier("delivered"), minutes(20), enrols(), later(days=1), minutes(3),
    ends={"key-1": DELIVERED}, at_end=_is_forgotten,
)  # fmt: skip
_story(
    "client_is_forgotten_before_the_courier_comes",
    enrols(), give(), minutes(3), expects(BOOKED), give("key-2", settled=False), forgets, minutes(20),
    ends={"key-1": CANCELLED, "key-2": CANCELLED}, at_end=_is_forgotten, eager=False, by_itself=False,
)  # fmt: skip
