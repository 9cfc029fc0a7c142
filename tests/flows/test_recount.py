"""The board's count: who is in trouble, made while somebody looks, and never older than the one before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain import facts
from chalicelib.domain.board import (
    ASK_AGAIN,
    FRESH,
    LINES,
    Board,
    Filter,
    Line,
    Risk,
    board_key,
    by_risk,
    counted,
    packed,
    unpacked,
)
from chalicelib.domain.errors import Missing
from chalicelib.domain.orders import OrderState
from chalicelib.domain.ports import Change, Key, Letter, Row, Topic
from chalicelib.flows import act, recount
from chalicelib.flows.place import place
from tests import fakes
from tests.flows.test_send_again import booked, came_back, says
from tests.stage import Stage, new_order, stage


def look(on: Stage) -> Board:
    """What a dispatcher sees a moment after coming in."""
    recount.watch(on.world, "SHA")
    on.settle()
    board = recount.watch(on.world, "SHA")
    assert board is not None
    return board


def queue(on: Stage, board: Board) -> list[Line]:
    found = recount.lines(on.world, board)
    assert found is not None
    return found


def town() -> tuple[Stage, dict[str, str]]:
    """One gift on its way to a courier, one on which nobody has ruled."""
    on = stage()
    ids = {}
    for name, compound in (("fine", "Yongjia"), ("held", "Nowhere")):
        order, _ = place(on.world, "maison", name, new_order(compound, reference=name))
        ids[name] = order.order_id
    on.settle()
    return on, ids


def test_the_first_look_asks_and_the_next_one_sees() -> None:
    on, ids = town()
    assert recount.watch(on.world, "SHA") is None
    on.settle()
    board = recount.watch(on.world, "SHA")
    assert board is not None
    assert (board.open, board.held, board.stranded, board.late, board.unproven) == (2, 1, 0, 0, 0)
    assert [line.order_id for line in queue(on, board)] == [ids["held"], ids["fine"]]
    held = queue(on, board)[0]
    assert (held.risk, held.reasons) == (Risk.HELD, ("zone_unknown",))
    assert (held.district, held.compound, held.hub) == ("310101", "Nowhere", "Hotel kitchen")


def test_where_a_gift_goes_is_sealed_coarse_and_without_a_name() -> None:
    on, _ = town()
    board = look(on)
    rows = on.plain.table.read("board#SHA").rows
    assert "Nowhere" not in str([row.body for row in rows]) and "Secretive" not in str(rows)
    line = queue(on, board)[0]
    assert line.spot == (121.49, 31.22) and "Secretive" not in str(line) and "138001" not in str(line)


def test_a_poll_costs_one_reading_and_asks_no_more_than_once_in_ten_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on, _ = town()
    look(on)
    calls = fakes.calls_of(on.world.table, monkeypatch)
    for _ in range(20):
        recount.watch(on.world, "SHA")
    assert calls == ["get_many"] * 20
    on.clock.now += FRESH
    calls.clear()
    for _ in range(20):
        recount.watch(on.world, "SHA")
    assert calls.count("write") == 1 and set(calls) == {"get_many", "write"}
    assert [name for _, name in on.world.queues.sent] == ["board:SHA:"]  # type: ignore[attr-defined]


def test_a_count_whose_nudge_was_lost_is_asked_for_again() -> None:
    on, _ = town()
    sent: Any = on.world.queues
    recount.watch(on.world, "SHA")
    sent.sent.clear()
    on.clock.now += ASK_AGAIN - timedelta(seconds=1)
    assert recount.watch(on.world, "SHA") is None and not sent.sent
    on.clock.now += timedelta(seconds=1)
    recount.watch(on.world, "SHA")
    on.settle()
    assert recount.watch(on.world, "SHA") is not None


def test_where_counting_takes_long_it_is_counted_less_often() -> None:
    on, _ = town()
    clock = iter([0.0, 7.0])
    on.world.stopwatch = lambda: next(clock, 7.0)
    assert look(on).took_s == 7.0
    on.world.queues.sent.clear()  # type: ignore[attr-defined]
    on.clock.now += timedelta(seconds=34)
    recount.watch(on.world, "SHA")
    assert on.world.queues.sent == []  # type: ignore[attr-defined]
    on.clock.now += timedelta(seconds=1)
    recount.watch(on.world, "SHA")
    assert len(on.world.queues.sent) == 1  # type: ignore[attr-defined]


def test_a_nudge_that_comes_twice_counts_once() -> None:
    on, _ = town()
    look(on)
    before = dict(on.plain.table.rows)  # type: ignore[attr-defined]
    recount.recount(on.world, "SHA")
    assert on.plain.table.rows == before  # type: ignore[attr-defined]


def test_of_two_counts_at_a_time_the_later_begun_is_never_overwritten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on, ids = town()
    look(on)
    on.clock.now += FRESH
    write, first = on.world.table.write, True

    def slow(*changes: Change) -> None:
        nonlocal first
        if first:  # while this one was counting, an order moved and another count was made
            first = False
            act.cancel(on.world, ids["held"], on.order(ids["held"]).version, "mei")
            on.clock.now += timedelta(seconds=1)
            recount.recount(on.world, "SHA")
        write(*changes)

    monkeypatch.setattr(on.world.table, "write", slow)
    recount.recount(on.world, "SHA")
    monkeypatch.undo()
    board = recount.watch(on.world, "SHA")
    assert board is not None and (board.open, board.held) == (1, 0)
    assert [line.order_id for line in queue(on, board)] == [ids["fine"]]


def test_the_same_again_has_the_same_digest_and_a_change_another() -> None:
    on, ids = town()
    first = look(on)
    on.clock.now += FRESH
    again = look(on)
    assert again.counted_at > first.counted_at and again.digest == first.digest
    act.cancel(on.world, ids["held"], on.order(ids["held"]).version, "mei")
    on.settle()
    on.clock.now += FRESH
    assert look(on).digest != first.digest


def test_lines_of_a_count_that_are_gone_are_missed_and_not_made_up() -> None:
    on, _ = town()
    board = look(on)
    assert queue(on, board)
    rows: dict[Key, Row] = on.plain.table.rows  # type: ignore[attr-defined]
    for key in [key for key in rows if key.pk == "board#SHA"]:
        del rows[key]
    assert queue(on, board), "whoever has read them has them"
    on.world.memory.clear()
    assert recount.lines(on.world, board) is None


def test_what_has_ended_and_needs_somebody_stays_for_days_and_what_was_delivered_does_not() -> None:
    on, order_id = came_back()
    on.minutes(10)
    row = on.plain.table.get(facts.order_key(order_id))
    assert row is not None and row.work == facts.desk_bucket("SHA", on.order(order_id).window.end.date())
    board = look(on)
    (line,) = queue(on, board)
    assert (line.state, line.risk, board.open) == ("returned", Risk.BACK, 1)
    on.clock.now += timedelta(days=4)
    assert queue(on, look(on)) == []


def test_a_delivered_gift_leaves_the_board() -> None:
    on, order_id = booked()
    says(on, f"{order_id}-1-1", "picked_up")
    says(on, f"{order_id}-1-1", "delivered")
    on.minutes(5)
    assert on.order(order_id).state is OrderState.DELIVERED
    row = on.plain.table.get(facts.order_key(order_id))
    assert row is not None and row.work is None
    assert queue(on, look(on)) == []


def test_a_gift_whose_hours_are_over_is_late_and_one_that_is_called_back_comes_first() -> None:
    on, order_id = booked()
    says(on, f"{order_id}-1-1", "picked_up")
    assert queue(on, look(on))[0].risk == Risk.FINE
    on.clock.now = on.order(order_id).window.end
    assert (look(on).late, queue(on, look(on))[0].risk) == (1, Risk.LATE)
    on.clock.now += FRESH
    act.recall(on.world, order_id, on.order(order_id).version, "mei")
    assert queue(on, look(on))[0].risk == Risk.ASTRAY


def test_a_gift_of_a_suspended_courier_is_doubtful() -> None:
    from chalicelib.flows import enlist

    on, order_id = booked()
    courier = enlist.courier(on.world, "SHA", "paper-co")
    enlist.put_courier(on.world, courier.model_copy(update={"suspended": True}))
    assert order_id and queue(on, look(on))[0].risk == Risk.DOUBTFUL


def test_dead_letters_are_on_the_board_by_queue() -> None:
    on, _ = town()
    on.world.queues.put_aside(Topic.TELL, Letter("{}", "no nudge", "on_tell", "m", 5, 0))
    assert look(on).letters == {"tell": 1}


def test_an_order_that_nobody_can_read_or_open_hides_no_other() -> None:
    on, ids = town()
    rows: dict[Key, Row] = on.plain.table.rows  # type: ignore[attr-defined]
    key = facts.order_key(ids["held"])
    rows[key] = replace(rows[key], sealed=b"torn")
    found = queue(on, look(on))
    assert {line.order_id for line in found} == set(ids.values())
    assert [line.compound for line in found if line.order_id == ids["held"]] == [None]
    rows[key] = replace(rows[key], body="{}")
    on.clock.now += FRESH
    assert [line.order_id for line in queue(on, look(on))] == [ids["fine"]]


def test_a_market_that_is_not_here_is_missed() -> None:
    on, _ = town()
    with pytest.raises(Missing):
        recount.watch(on.world, "ROM")
    with pytest.raises(Missing):
        recount.recount(on.world, "ROM")
    assert on.plain.table.get(board_key("ROM")) is None


def line(number: int, **changes: Any) -> Line:
    told = Line(
        order_id=f"ord_{number:04d}",
        version=1,
        reference=f"EASTER-{number}",
        brand="maison",
        tier=3,
        state="held",
        risk=Risk.HELD,
        reasons=("curfew",),
        start=0,
        end=100,
        courier=None,
        district="310101",
        compound=None,
        spot=None,
        hub="Kitchen",
        hub_spot=(121.0, 31.0),
        is_stopped=False,
    )
    return told._replace(**changes)


def test_lines_come_back_as_they_were_packed() -> None:
    lines = [line(n, spot=(121.5, 31.2) if n % 2 else None) for n in range(LINES + 1)]
    chunks = packed(lines)
    assert len(chunks) == 2 and [one for raw in chunks for one in unpacked(raw)] == lines


def test_the_most_at_risk_come_first_then_the_higher_tier_then_whose_hours_end_first() -> None:
    lines = [
        line(1, risk=Risk.FINE, tier=5),
        line(2, risk=Risk.LATE, tier=1),
        line(3, risk=Risk.LATE, tier=4, end=300),
        line(4, risk=Risk.LATE, tier=4, end=200),
    ]
    assert [one.order_id[-1] for one in by_risk(lines)] == ["4", "3", "2", "1"]
    assert counted(lines)["late"] == 3


@pytest.mark.parametrize(
    ("asked", "seen"),
    [
        ({}, [1, 2, 3]),
        ({"risk": "late"}, [2]),
        ({"brand": "other"}, [3]),
        ({"tier": "gold", "state": "held"}, [1, 2, 3]),
        ({"courier": "sf"}, [2]),
        ({"district": "310104"}, [1]),
        ({"find": "easter-3"}, [3]),
        ({"find": "ORD_0001"}, [1]),
        ({"risk": "nonsense"}, []),
    ],
)
def test_filters_let_through_what_they_name(asked: dict[str, str], seen: Sequence[int]) -> None:
    lines = [
        line(1, district="310104"),
        line(2, risk=Risk.LATE, courier="sf"),
        line(3, brand="other"),
    ]
    wanted = Filter(**asked)
    assert [int(one.order_id[-4:]) for one in lines if wanted.lets(one)] == seen
