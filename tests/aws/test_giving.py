"""What a gift to a client costs to place, and that sixteen at once give no more than the brand's caps allow."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.aws import calls, clients
from chalicelib.domain.client_rows import client_key
from chalicelib.domain.clients import client_id_of
from chalicelib.domain.errors import Clashing, Throttled
from chalicelib.domain.given import client_ledger_key, ledger_of_row
from chalicelib.domain.places import Market
from chalicelib.domain.ports import World
from chalicelib.domain.programme import NewProgramme
from chalicelib.domain.wishes import OrderWish
from chalicelib.flows import cap, enlist, enrol
from chalicelib.flows.give import give
from chalicelib.flows.set_up import set_up
from tests import stage
from tests.aws import weather
from tests.aws.cloud import make_cloud
from tests.aws.emulators import EMULATORS
from tests.aws.tables import make_table
from tests.aws.test_placing_costs import of_two_kilobytes
from tests.ledger.meter import Ledger, metered

CAPS = [
    {"per": "client", "at_most": 40, "days": 30},
    {"per": "client", "at_most": 60, "occasion": "birthday"},
    {"per": "household", "at_most": 40, "days": 60},
]
UNITS = 13
"""Write units an order may take at placing, caps checked."""
CONDITIONS = 2
"""Years beside the gift's own that have to stand as they were read, at the most: one for each book."""


@pytest.fixture(scope="module", params=["moto", "ministack"])
def emulator(request: pytest.FixtureRequest) -> Iterator[None]:
    with EMULATORS[request.param](), pytest.MonkeyPatch.context() as patch:
        make_cloud(patch)
        yield


@pytest.fixture
def world(emulator: None) -> Iterator[World]:
    """All of it, with an empty table, a market, and a brand with caps of every kind."""
    clients.client("dynamodb").delete_table(TableName="facts")
    make_table(clients.client("dynamodb"))
    wiring.use(None)
    world = wiring.world()
    enlist.put_market(world, Market.model_validate(stage.MARKET))
    yield world
    wiring.use(None)


def window(days: float = 0, now: datetime | None = None) -> dict[str, str]:
    start = (now or datetime.now(UTC)) + timedelta(days=days, hours=1)
    return {
        "start": start.isoformat(),
        "end": (start + timedelta(hours=3)).isoformat(),
        "time_zone": "Asia/Shanghai",
    }


def wish(**changes: Any) -> OrderWish:
    """A gift of three lines, which is stored in about 2 KB."""
    gift = of_two_kilobytes()["gift"]
    sent = stage.client_order(**{"gift": gift, "window": window(), **changes})
    return OrderWish.model_validate_json(json.dumps(sent))


def with_caps(world: World, *caps: dict[str, Any]) -> None:
    set_up(world, "maison", NewProgramme.model_validate({"caps": caps}), "brand", None)


def enrolled(world: World, *names: str) -> None:
    for name in names:
        enrol.enrol(world, "maison", name, stage.new_client())


def spent_on(world: World, key: str, what: OrderWish) -> tuple[float, list[str]]:
    """Write units of placing that, and the calls to the table."""
    ledger = Ledger()
    with metered(ledger):
        give(world, "maison", key, what, "associate:anna.li")
    entries = ledger.of("dynamodb")
    return sum(entry.writes for entry in entries), [entry.operation for entry in entries]


def test_a_gift_with_caps_checked_is_one_transaction_of_at_most_thirteen_units(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.clock = lambda: stage.NOON
    with_caps(world, *CAPS)
    enrolled(world, "vic-1")
    what = wish(occasion=None, window=window(0, stage.NOON))
    give(world, "maison", "warm", what)
    told = []
    for number in range(1, 31):
        units, calls = spent_on(world, f"key-{number}", what)
        assert calls.count("TransactWriteItems") == 1
        assert not {"PutItem", "UpdateItem"} & set(calls)
        assert calls.count("Query") == 0
        if number in (1, 15, 30):
            told.append(f"the {number}. gift of a year: {units:g} write units, {', '.join(calls)}")
        assert units <= UNITS, f"the {number}. gift took {units}"
    with capsys.disabled():
        sys.stdout.write("\n".join(["", *told, ""]))


def test_around_new_year_both_years_are_asked_for_and_it_is_still_thirteen_units(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    now = datetime(2022, 12, 20, 4, tzinfo=UTC)
    world.clock = lambda: now
    with_caps(world, *CAPS)
    enrolled(world, "vic-1")
    give(world, "maison", "warm", wish(window=window(20, now)))
    transactions: list[list[str]] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        transactions.append([verb for item in params["TransactItems"] for verb in item])

    events = clients.client("dynamodb").meta.events
    events.register("provide-client-params.dynamodb.TransactWriteItems", note, unique_id="giving")
    try:
        units, _ = spent_on(world, "key-1", wish(window=window(2, now), occasion="new-year"))
    finally:
        events.unregister("provide-client-params.dynamodb.TransactWriteItems", unique_id="giving")
    (verbs,) = transactions
    assert verbs.count("ConditionCheck") == CONDITIONS
    assert units <= UNITS, units
    with capsys.disabled():
        sys.stdout.write(f"\naround New Year: {units:g} write units, two conditions among them\n")


def test_without_a_cap_of_households_no_household_is_written_down(world: World) -> None:
    with_caps(world, *CAPS[:2])
    enrolled(world, "vic-1")
    give(world, "maison", "warm", wish())
    units, _ = spent_on(world, "key-1", wish())
    assert units <= 8


def test_sixteen_at_once_give_a_client_no_more_than_the_cap_allows(world: World, at_once: Any) -> None:
    with_caps(
        world, {"per": "client", "at_most": 3, "days": 7}, {"per": "household", "at_most": 5, "days": 7}
    )
    names = [f"vic-{number}" for number in range(3)]
    enrolled(world, *names)

    def one(number: int) -> Any:
        for _ in range(12):
            try:
                return give(world, "maison", f"key-{number}", wish(client=names[number % 3]))
            except Clashing:
                raise
            except Exception as error:  # busy: whoever asks, asks again
                busy = error
        raise busy

    answers = at_once(one, 24)
    placed = [answer for answer in answers if isinstance(answer, tuple)]
    assert len(placed) == 5, "one household, five gifts"
    assert {type(answer) for answer in answers} == {tuple, Clashing}, answers
    stored = len(world.table.find_shelved("brand#maison", 100).keys)
    assert stored == 5, "nothing was placed that nobody was told of"
    listed = []
    for name in names:
        key = client_ledger_key(client_id_of("maison", name), datetime.now(UTC).year)
        gifts = ledger_of_row(world.table.get(key)).gifts
        assert len(gifts) <= 3
        listed += [gift.order_id for gift in gifts]
    assert sorted(listed) == sorted(order.order_id for order, _ in placed)


def test_sixteen_repeats_of_one_request_place_one_gift_and_enter_it_once(world: World, at_once: Any) -> None:
    with_caps(world, {"per": "client", "at_most": 1, "days": 7})
    enrolled(world, "vic-1")
    what = wish()

    def one(number: int) -> Any:
        for _ in range(12):
            try:
                return give(world, "maison", "one-key", what)
            except Exception as error:
                busy = error
        raise busy

    answers = at_once(one, 16)
    assert all(isinstance(answer, tuple) for answer in answers), answers
    assert len({order.order_id for order, _ in answers}) == 1
    assert sum(not repeated for _, repeated in answers) == 1
    client = world.table.get(client_key(client_id_of("maison", "vic-1")))
    assert client is not None
    day = cap.day_of(enrol.client_of(world, "maison", "vic-1"), what.window.start)
    ledger = ledger_of_row(world.table.get(client_ledger_key(client.key.pk, day.year)))
    assert len(ledger.gifts) == 1


def test_a_placing_that_only_meets_others_is_given_back_undone_and_placed_when_asked_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Conflicts, which no emulator produces, are answered in its place."""
    monkeypatch.setattr(calls.Patience, "wait", lambda *_: None)
    with_caps(world, *CAPS)
    enrolled(world, "vic-1")
    met = [weather.cancelled("None", "TransactionConflict", "None")] * 5
    with weather.answering("dynamodb", "TransactWriteItems", *met), pytest.raises(Throttled):
        give(world, "maison", "key-1", wish())
    assert world.table.find_shelved("brand#maison", 100).keys == ()
    lost = [weather.cancelled("None", "ConditionalCheckFailed", "None")] * 2
    with weather.answering("dynamodb", "TransactWriteItems", *lost) as asked:
        order, repeated = give(world, "maison", "key-1", wish())
    assert (len(asked), repeated) == (3, False), "read again, and written on what stands there now"
    day = order.window.start.year
    assert order.client_id is not None
    ledger = ledger_of_row(world.table.get(client_ledger_key(order.client_id, day)))
    assert [gift.order_id for gift in ledger.gifts] == [order.order_id]
