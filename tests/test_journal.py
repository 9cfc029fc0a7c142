"""The log: which lines there are, that each can be followed, and that none says who a client is."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import app as front
from chalicelib import edge, journal, wiring
from chalicelib.domain import nudges
from chalicelib.domain.errors import Throttled
from chalicelib.domain.ports import Topic
from tests import stage
from tests.conftest import ROOT
from tests.watch import Watch, a_hard_day, metrics_in, watching

KNOWN = journal.IDS | journal.WORDS | journal.COUNTS
FILES = sorted([ROOT / "app.py", *(ROOT / "chalicelib").rglob("*.py")])
PERSONAL = ("Wang Secretive", "Secretive", "Li Baoxian", "Baoxian", "13800138001", "13800138000", "Huangpu", "121.49", "31.22", "Hotel kitchen", "EASTER-1", "4711", "Cake")  # fmt: skip
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def watch() -> Iterator[Watch]:
    with watching(capacity=9) as watch:
        yield watch


@pytest.fixture
def lines() -> Iterator[list[str]]:
    found: list[str] = []
    journal.write_to(found.append)
    yield found
    journal.write_to(None)


# --- who may be named ---------------------------------------------------------------------------------------------


def said_by(file: Path) -> Iterator[tuple[int, ast.Call]]:
    """Every call of a log in a file."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            owner = node.func.value if isinstance(node.func, ast.Attribute) else None
            if name == "log" and not (isinstance(owner, ast.Name) and owner.id == "math"):
                yield node.lineno, node


CALLS = [
    pytest.param(call, id=f"{file.relative_to(ROOT)}:{line}")
    for file in FILES
    for line, call in said_by(file)
]


def test_the_calls_are_found() -> None:
    assert len(CALLS) > 25
    rooms = {str(param.id).split(":")[0] for param in CALLS}
    assert {"app.py", "chalicelib/edge.py", "chalicelib/flows/book.py", "chalicelib/domain/facts.py"} <= rooms


@pytest.mark.parametrize("call", CALLS)
def test_a_line_has_a_fixed_name_and_only_facts_from_the_list(call: ast.Call) -> None:
    (event,) = call.args
    assert isinstance(event, ast.Constant) and isinstance(event.value, str)
    names = {keyword.arg for keyword in call.keywords}
    assert None not in names, "facts are named where they are logged"
    assert names <= KNOWN


def test_on_a_hard_day_nothing_personal_reaches_the_log_nor_even_its_door(watch: Watch) -> None:
    a_hard_day(watch)
    assert len(watch.lines) > 100
    door = json.dumps(watch.raw, default=str)
    # 4711 may stand in the middle of a trace's hexadecimal digits
    seen = [w for w in PERSONAL if re.search(rf"(?<![0-9a-f]){re.escape(w)}(?![0-9a-f])", watch.text + door)]
    assert seen == []
    assert journal.HIDDEN not in watch.text, "what is passed is what may be shown"


def test_the_hard_day_writes_every_line_there_is(watch: Watch) -> None:
    a_hard_day(watch)
    there_are = {param.values[0].args[0].value for param in CALLS}  # type: ignore[attr-defined]
    assert there_are - {line["event"] for line in watch.lines} == set()


def test_every_step_of_every_order_is_a_line(watch: Watch) -> None:
    a_hard_day(watch)
    said: dict[str, list[str]] = {}
    for line in watch.lines:
        if line["event"] == "stepped":
            said.setdefault(line["order"], []).append(line["state"])
    assert len(said) > 12
    assert {
        name: [
            after.state.value
            for before, after in pairwise((None, *watch.on.order(name).history))
            if before is None or after.about is None or after.state is not before.state
        ]
        for name in said
    } == said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("why", "Wang Secretive is not at home"),
        ("why", "王秘密"),
        ("why", "+8613800138001"),
        ("status", "13800138001"),
        ("status", 13800138001),
        ("order", "Wang Secretive"),
        ("order", 13800138001),
        ("count", "13800138001"),
        ("reasons", ["crew_not_cleared", "Wang Secretive"]),
        ("recipient", "wang"),
        ("state", {"name": "wang"}),
        ("step", b"wang"),
        ("courier", 'sf"}\n{"event":"delivered'),
    ],
)
def test_what_is_not_shaped_like_an_id_or_a_word_is_not_shown(
    lines: list[str], name: str, value: object
) -> None:
    journal.log("tested", **{name: value})
    (line,) = lines
    assert line.count("\n") == 1
    said = json.loads(line)[name]
    assert said == (["crew_not_cleared", journal.HIDDEN] if name == "reasons" else journal.HIDDEN)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("order", "ord_" + "2" * 26),
        ("courier", "paper-co"),
        ("status", 503),
        ("status", "courier_arrived"),
        ("lag_s", 12.5),
        ("unchanged", False),
        ("status", None),
        ("at", "2022-04-11T12:00:00+08:00"),
    ],
)
def test_ids_words_counts_and_times_are_shown(lines: list[str], name: str, value: object) -> None:
    journal.log("tested", **{name: value})
    assert json.loads(lines[0])[name] == value


# --- one order's way ----------------------------------------------------------------------------------------------


def test_one_orders_way_is_one_question_to_the_log(watch: Watch) -> None:
    order = watch.place("k-1")
    other = watch.place("k-2")
    watch.settle()
    for kind in ("picked_up", "delivered"):
        watch.on.clock.forward(minutes=5)
        watch.say(order, kind)
        watch.settle()
    way = [line for line in watch.lines if line.get("order") == order]
    steps = [line["state"] for line in way if line["event"] == "stepped"]
    assert steps == ["placed", "assigned", "booked", "picked_up", "delivered"]
    functions = list(dict.fromkeys(line["function"] for line in way))
    assert functions == ["api_handler", "on_dispatch", "on_book", "on_tell", "on_hear"]
    assert [line["result"] for line in way if line["event"] == "told"] == ["delivered"] * 5
    assert all(len(line["trace"]) == 32 for line in way)
    assert all(line.get("message") for line in way if line["function"] != "api_handler")
    assert other not in json.dumps(way)


def test_a_trace_goes_from_the_request_through_every_function_that_it_set_going(watch: Watch) -> None:
    order = watch.place("k-1", traceparent=f"00-{TRACE}-00f067aa0ba902b7-01")
    watch.settle()
    traced = [line for line in watch.lines if line["trace"] == TRACE]
    functions = {line["function"] for line in traced}
    assert functions == {"api_handler", "on_dispatch", "on_book", "on_tell"}
    assert {line["order"] for line in traced if "order" in line} == {order}
    assert [line["state"] for line in traced if line["event"] == "stepped"] == [
        "placed",
        "assigned",
        "booked",
    ]
    watch.say(order, "picked_up")
    watch.settle()
    later = {line["trace"] for line in watch.lines if line["function"] == "on_hear"}
    assert len(later) == 1 and TRACE not in later, "a courier's callback begins a trace of its own"


def test_a_nudge_that_found_its_work_done_says_in_its_own_trace_where_it_was_done(watch: Watch) -> None:
    watch.place("k-1", traceparent=f"00-{TRACE}-00f067aa0ba902b7-01")
    second = "0af7651916cd43dd8448eb211c80319c"
    watch.place("k-2", traceparent=f"00-{second}-b7ad6b7169203331-01")
    watch.settle()
    (joined,) = [
        line for line in watch.lines if line["trace"] == second and line["function"] == "on_dispatch"
    ]
    assert (joined["event"], joined["joined"]) == ("nudge_joined", TRACE)


def test_the_real_queues_send_the_trace_and_the_real_world_logs_here() -> None:
    from chalicelib.settings import Settings

    told = {str(f.validation_alias): f"http://{name}" for name, f in Settings.model_fields.items()}
    try:
        world = wiring.real(Settings.model_validate(told))
    finally:
        journal.measure_in("Cordon")
    queues: Any = world.queues
    assert world.log is journal.log
    with journal.invocation("on_book", f"00-{TRACE}-00f067aa0ba902b7-01"):
        assert TRACE in queues._traceparent()


def test_a_sweep_begins_a_trace_for_all_that_it_nudges(watch: Watch) -> None:
    watch.place("k-1")
    watch.queues.messages.clear()  # the nudge is lost
    watch.minutes(1)
    (tick,) = {line["trace"] for line in watch.lines if line["function"] == "tick"}
    assert tick in {line["trace"] for line in watch.lines if line["function"] == "on_book"}


@pytest.mark.parametrize(
    "junk", ["", "junk", f"00-{'0' * 32}-00f067aa0ba902b7-01", f"ff-{TRACE}-00f067aa0ba902b7-01"]
)
def test_junk_in_the_header_begins_a_trace_of_ours(watch: Watch, junk: str) -> None:
    watch.place("k-1", traceparent=junk)
    assert {len(line["trace"]) for line in watch.lines} == {32}
    assert TRACE not in watch.text


def test_nobody_outside_is_told_a_trace(watch: Watch) -> None:
    watch.place("k-1", traceparent=f"00-{TRACE}-00f067aa0ba902b7-01")
    watch.settle()
    line: Any = watch.on.world.line
    assert len(line.requests) > 2
    assert TRACE not in repr(line.requests)


def test_a_delivered_gift_takes_a_handful_of_short_lines(watch: Watch) -> None:
    order = watch.place("k-1")
    watch.settle()
    for kind in ("picked_up", "delivered"):
        watch.on.clock.forward(minutes=5)
        watch.say(order, kind)
        watch.settle()
    steps, notices, callbacks = 5, 5, 2
    others = 3  # a question to a courier, a round of the planner, a nudge that came twice
    assert len(watch.lines) <= steps + notices + callbacks + others
    assert max(len(line) for line in watch.text.splitlines()) < 400
    assert len(watch.text) / (len(watch.lines) + len(watch.measured)) < 300


# --- runs that fail -----------------------------------------------------------------------------------------------


def fail(watch: Watch, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise error

    for verb in ("read", "get"):
        monkeypatch.setattr(watch.on.world.table, verb, broken)


@pytest.mark.parametrize("name", ["tick", "sweep"])
def test_a_schedule_that_is_only_delayed_leaves_it_to_the_next_run_and_no_heartbeat(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    fail(watch, monkeypatch, Throttled("busy"))
    with edge.run(name, comes_again=True):
        wiring.world().table.get(None)  # type: ignore[arg-type]
    assert [line["event"] for line in watch.lines] == ["run_given_back"]
    assert watch.measured == {}


@pytest.mark.parametrize("name", ["tick", "sweep", "authorize"])
def test_a_bug_fails_the_run_and_its_text_is_in_no_log(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    fail(watch, monkeypatch, RuntimeError("Wang Secretive lives at +8613800138001"))
    key = {
        "type": "TOKEN",
        "authorizationToken": "Bearer x",
        "methodArn": "arn:aws:execute-api:e:0:a/api/GET/x",
    }
    event = {
        "version": "0", "id": "e", "detail-type": "", "source": "", "account": "", "time": "", "region": "",
        "resources": [], "detail": {},
    }  # fmt: skip
    with pytest.raises(edge.Unfinished) as raised:
        getattr(front, name)(key if name == "authorize" else event, None)
    # what Lambda prints of it: the error, and what it was raised from
    assert "Secretive" not in str(raised.value)
    assert raised.value.__suppress_context__ and raised.value.__cause__ is None
    (line,) = watch.lines
    assert (line["event"], line["function"], line["error"]) == ("failure", name, "RuntimeError")
    assert "Secretive" not in watch.text
    assert watch.measured[("Failures", ())] == [1]


def test_an_authorizer_that_is_only_delayed_lets_nobody_in(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(watch, monkeypatch, Throttled("busy"))
    key = {
        "type": "TOKEN",
        "authorizationToken": "Bearer x",
        "methodArn": "arn:aws:execute-api:e:0:a/api/GET/x",
    }
    with pytest.raises(edge.Unfinished):
        front.authorize(key, None)
    assert watch.measured == {}, "the table being busy is no bug"


# --- what is measured ---------------------------------------------------------------------------------------------


def test_counts_are_summed_over_one_run_and_kept_apart_by_market(watch: Watch) -> None:
    for n in range(3):
        watch.place(f"k-{n}", stage.body("Nowhere"))
    watch.settle()
    assert watch.measured[("OrdersHeld", ())] == watch.measured[("OrdersHeld", (("market", "SHA"),))] == [3]
    assert watch.measured[("OrdersPlaced", ())] == [1, 1, 1]


def test_how_long_the_pool_has_waited_is_measured_without_another_call(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch.place("k-1")
    watch.queues.messages.clear()
    watch.on.clock.forward(minutes=7)
    calls: list[str] = []
    table: Any = watch.on.world.table

    def counted(verb: str) -> Any:
        plain = getattr(table, verb)
        return lambda *args, **more: calls.append(verb) or plain(*args, **more)

    for verb in ("get", "get_many", "read", "find_due"):
        monkeypatch.setattr(table, verb, counted(verb))
    event = {
        "version": "0", "id": "e", "detail-type": "", "source": "", "account": "", "time": "", "region": "",
        "resources": [], "detail": {},
    }  # fmt: skip
    front.tick(event, None)
    assert watch.measured[("PlannerLag", ())] == [7 * 60]
    assert calls == ["read", "find_due"]
    watch.settle()
    assert watch.measured[("PlannerLag", (("market", "SHA"),))] == [7 * 60]


def test_more_values_than_one_line_takes_go_on_in_another(lines: list[str]) -> None:
    from chalicelib.metrics import VALUES

    with journal.invocation("on_tell"):
        for took_ms in range(VALUES + 50):
            journal.log("told", result="delivered", took_ms=took_ms)
    documents = [json.loads(line) for line in lines if "_aws" in line]
    assert [len(d["NoticeMs"]) for d in documents] == [VALUES, 50]
    found = metrics_in(lines)
    assert found[("NoticeMs", ())] == list(range(VALUES + 50))
    assert found[("NoticesDelivered", ())] == [VALUES + 50]


def test_a_metrics_line_is_what_cloudwatch_reads(lines: list[str]) -> None:
    journal.measure_in("Cordon/stack")
    with journal.invocation("on_book"):
        journal.log("courier_asked", order="ord_x", courier="sf", answer="Booked", took_ms=120)
    journal.measure_in("Cordon")
    by_names = {
        tuple(d["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0]): d
        for d in map(json.loads, lines)
        if "_aws" in d
    }
    whole, by_courier = by_names[()], by_names[("courier",)]
    assert whole["CourierMs"] == 120
    assert whole["_aws"]["CloudWatchMetrics"] == [
        {
            "Namespace": "Cordon/stack",
            "Dimensions": [[]],
            "Metrics": [{"Name": "CourierMs", "Unit": "Milliseconds"}],
        }
    ]
    assert (by_courier["courier"], by_courier["CourierBooked"]) == ("sf", 1)
    assert 1.6e12 < whole["_aws"]["Timestamp"] < 4e12
    assert "order" not in whole | by_courier


def test_dimensions_are_markets_and_couriers_and_nothing_that_grows_with_orders() -> None:
    from chalicelib.metrics import MEASURED

    dimensions = {name for some in MEASURED.values() for m in some for names in m.by for name in names}
    assert dimensions == {"market", "courier"}
    per_market = [m.name for some in MEASURED.values() for m in some if ("market",) in m.by]
    assert len(set(per_market)) <= 10


def test_callbacks_that_nobody_can_verify_count_as_a_courier_that_fails(watch: Watch) -> None:
    order = watch.place("k-1")
    watch.settle()
    secrets: Any = watch.on.world.secrets
    secrets.by_account.clear()
    assert watch.say(order, "picked_up").status_code == 401
    assert watch.measured[("CourierUnanswered", (("courier", "paper-co"),))] == [1]


def test_what_is_given_up_and_given_back_is_counted(watch: Watch) -> None:
    watch.deliver("{", Topic.TELL)
    watch.deliver(nudges.write("ord_nobody"), Topic.TELL)
    assert watch.measured[("Letters", ())] == [1, 1]
