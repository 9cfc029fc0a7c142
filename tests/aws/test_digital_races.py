"""Sixteen at once want the last seats and codes; on the emulator and on moto behind its lock: never one too many, and
what is given back is free again once. On the fakes the same, many times over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.aws import clients
from chalicelib.domain.errors import Clashing, Delayed
from chalicelib.domain.facts import LEFT
from chalicelib.domain.orders import Order
from chalicelib.domain.pass_answers import CodesPart
from chalicelib.domain.pass_rows import stock_key
from chalicelib.domain.passes import pass_id_of, plain
from chalicelib.domain.places import Market
from chalicelib.domain.ports import World
from chalicelib.flows import enlist, redeem, stock
from chalicelib.flows.place_digital import place_digital
from tests import digital, fakes, stage
from tests.aws.cloud import make_cloud
from tests.aws.emulators import EMULATORS
from tests.aws.tables import make_table

SEATS = 7
TRIES = 12
"""As often as somebody comes again who was told that it is busy: that is what 503 asks for."""


@pytest.fixture(scope="module", params=["fakes", "moto", "ministack"])
def emulator(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "fakes":
        yield "fakes"
        return
    with EMULATORS[request.param](), pytest.MonkeyPatch.context() as patch:
        make_cloud(patch)
        yield request.param


@pytest.fixture
def world(emulator: str) -> Iterator[World]:
    """A market, and nothing given."""
    if emulator == "fakes":
        found = fakes.world()
    else:
        clients.client("dynamodb").delete_table(TableName="facts")
        make_table(clients.client("dynamodb"))
        wiring.use(None)
        found = wiring.world()
    enlist.put_market(found, Market.model_validate(stage.MARKET))
    yield found
    wiring.use(None)


def soon(told: dict[str, Any], now: datetime) -> dict[str, Any]:
    return told | {"redeem_by": (now + timedelta(days=60)).isoformat()}


def insistent(do: Any) -> Any:
    """Whoever is told that it is busy comes again."""
    for _ in range(TRIES):
        try:
            return do()
        except Delayed:
            continue
    raise AssertionError("busy for ever")


def given(world: World, gift: str, key: str) -> Order:
    order, _ = insistent(lambda: place_digital(world, "maison", key, digital.wanted(gift)))
    assert isinstance(order, Order)
    return order


def left(world: World, gift: str) -> int:
    row = world.table.get(stock_key("maison", gift))
    assert row is not None
    return row.counters[LEFT]


def test_of_the_last_seats_none_is_given_twice_and_no_one_too_many(world: World, at_once: Any) -> None:
    told = digital.new_gift(soon(digital.yoga(limit=SEATS), world.clock()))
    stock.put_gift(world, "maison", "YOGA", told)
    answers = at_once(lambda n: given(world, "YOGA", f"key-{n % 24}"), 48)
    orders = {answer.order_id for answer in answers if isinstance(answer, Order)}
    refused = [answer for answer in answers if not isinstance(answer, Order)]
    assert all(isinstance(answer, Clashing) for answer in refused), refused
    assert len(orders) == SEATS
    assert left(world, "YOGA") == 0


def test_each_of_a_partners_codes_goes_to_one_client(world: World, at_once: Any) -> None:
    stock.put_gift(world, "maison", "STUDIO", digital.new_gift(soon(digital.listed(), world.clock())))
    codes = tuple(f"YOGA-{n:04d}" for n in range(SEATS))
    loaded = at_once(
        lambda n: stock.add_codes(world, "maison", "STUDIO", n % 2 + 1, CodesPart(codes=codes)), 4
    )
    assert left(world, "STUDIO") == SEATS, loaded
    answers = at_once(lambda n: given(world, "STUDIO", f"key-{n}"), 24)
    orders = [answer for answer in answers if isinstance(answer, Order)]
    assert all(isinstance(answer, Order | Clashing) for answer in answers), answers
    told = [redeem.code_of(world, redeem.pass_of(world, pass_id_of(o.order_id))).code for o in orders]
    assert sorted(map(plain, told)) == sorted(map(plain, codes)), "every code, each once"
    assert left(world, "STUDIO") == 0


def test_a_seat_that_sixteen_give_back_is_free_again_once(world: World, at_once: Any) -> None:
    told = digital.new_gift(soon(digital.yoga(limit=2), world.clock()))
    stock.put_gift(world, "maison", "YOGA", told)
    pass_id = pass_id_of(given(world, "YOGA", "key-1").order_id)
    done = at_once(lambda n: insistent(lambda: redeem.withdraw(world, "maison", pass_id)), 16)
    assert not [answer for answer in done if isinstance(answer, Exception)], done
    assert left(world, "YOGA") == 2


def test_of_sixteen_who_redeem_one_code_one_was_the_first(world: World, at_once: Any) -> None:
    told = digital.new_gift(soon(digital.yoga(), world.clock()))
    stock.put_gift(world, "maison", "YOGA", told)
    passed = redeem.pass_of(world, pass_id_of(given(world, "YOGA", "key-1").order_id))
    code = redeem.code_of(world, passed).code
    answers = at_once(
        lambda n: insistent(lambda: redeem.redeem(world, digital.STUDIO, f"visit-{n % 8}", code)), 16
    )
    first = [answer for answer in answers if isinstance(answer, tuple)]
    assert len({under for passed, _ in first for under in (passed.redeemed_under,)}) == 1
    assert sum(not repeated for _, repeated in first) == 1
    assert all(isinstance(answer, Clashing | tuple) for answer in answers), answers


def test_a_limit_that_is_lowered_while_seats_are_given_holds(world: World, at_once: Any) -> None:
    now = world.clock()
    stock.put_gift(world, "maison", "YOGA", digital.new_gift(soon(digital.yoga(limit=20), now)))
    lower = digital.new_gift(soon(digital.yoga(limit=SEATS), now))

    def act(n: int) -> Any:
        if n == 3:
            return insistent(lambda: stock.put_gift(world, "maison", "YOGA", lower, 1))
        return given(world, "YOGA", f"key-{n}")

    answers = at_once(act, 32)
    count = sum(isinstance(answer, Order) for answer in answers)
    limit = stock.seen(world, "maison", "YOGA").limit
    assert limit is not None
    assert count == limit - left(world, "YOGA") <= limit
    assert count == limit, "all that want one have one until none is left"
