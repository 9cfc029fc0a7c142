"""AWS on a bad day: out of reach, slow, throttled, half done. All of it is `Delayed`; nothing is done twice by us."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)

from chalicelib.aws import calls
from chalicelib.aws.calls import Patience
from chalicelib.aws.clients import client
from chalicelib.aws.queues import SqsQueues
from chalicelib.aws.sealer import KmsSealer
from chalicelib.aws.secrets import SecretsManagerSecrets
from chalicelib.aws.table import DynamoTable
from chalicelib.domain.errors import Delayed, Lost, Throttled
from chalicelib.domain.ports import Count, Keep, Key, Row, Topic
from tests.aws.cloud import make_cloud
from tests.aws.tables import make_table
from tests.conftest import behind_its_lock
from tests.fakes import FakeTable

UNREACHED = (
    lambda: EndpointConnectionError(endpoint_url="https://aws.example"),
    lambda: ConnectTimeoutError(endpoint_url="https://aws.example"),
)
UNKNOWN = (
    lambda: ReadTimeoutError(endpoint_url="https://aws.example"),
    lambda: ConnectionClosedError(endpoint_url="https://aws.example"),
)
ROW = Row(Key("a", "x"), 1, "{}", counters={"left": 5})


class Waits(list[float]):
    """A sleep that only notes how long."""

    @property
    def patience(self) -> Patience:
        return Patience(sleep=self.append, dice=lambda: 0.5)


@pytest.fixture(scope="module", autouse=True)
def aws() -> Iterator[None]:
    with behind_its_lock(), pytest.MonkeyPatch.context() as patch:
        make_cloud(patch)
        yield


@pytest.fixture(autouse=True)
def cloud(monkeypatch: pytest.MonkeyPatch) -> Waits:
    client("dynamodb").delete_table(TableName="facts")
    make_table(client("dynamodb"))
    waits = Waits()
    monkeypatch.setattr(calls, "PATIENCE", waits.patience)
    return waits


@pytest.fixture
def table(cloud: Waits) -> DynamoTable:
    return DynamoTable("facts", cloud.patience)


@pytest.fixture
def queues(cloud: Waits) -> SqsQueues:
    return SqsQueues(
        {Topic.HEAR: os.environ["CORDON_HEAR_QUEUE"]},
        {Topic.HEAR: os.environ["CORDON_HEAR_LETTERS"]},
        cloud.patience,
    )


@contextmanager
def failing(
    service: str, make: Callable[[], Exception], *, after: bool = False, times: int = 99
) -> Iterator[list[str]]:
    """Calls fail before anything happens, or (`after`) once it has happened: the answer is lost."""
    tried: list[str] = []
    meta = client(service).meta

    def fail(request: Any, event_name: str, **_: Any) -> None:
        tried.append(event_name)
        if len(tried) <= times:
            raise make()

    # moto answers on the wide event, which comes after the narrow one
    event = "before-send" if after else f"before-send.{meta.service_model.service_id.hyphenize()}"
    meta.events.register_last(event, fail, unique_id="failing")
    try:
        yield tried
    finally:
        meta.events.unregister(event, unique_id="failing")


def refused(code: str, status: int = 400) -> Callable[[], Exception]:
    answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return lambda: ClientError(answer, "Anything")


def secrets() -> SecretsManagerSecrets:
    return SecretsManagerSecrets(os.environ["CORDON_SECRET"], os.environ["CORDON_SIGNING_KEY"])


def every_call(cloud: Waits) -> dict[str, tuple[str, Callable[[], Any]]]:
    table = DynamoTable("facts", cloud.patience)
    queues = SqsQueues(
        {Topic.HEAR: os.environ["CORDON_HEAR_QUEUE"]},
        {Topic.HEAR: os.environ["CORDON_HEAR_LETTERS"]},
        cloud.patience,
    )
    key = os.environ["CORDON_SEAL_KEY"]
    return {
        "get": ("dynamodb", lambda: table.get(ROW.key)),
        "get_many": ("dynamodb", lambda: table.get_many([ROW.key])),
        "read": ("dynamodb", lambda: table.read("a")),
        "find": ("dynamodb", lambda: table.find_shelved("a", 1)),
        "write": ("dynamodb", lambda: table.write(Keep(ROW, was=None))),
        "transaction": (
            "dynamodb",
            lambda: table.write(Keep(ROW, was=None), Keep(Row(Key("b", "x"), 1, "{}"), was=None)),
        ),
        "nudge": ("sqs", lambda: queues.nudge(Topic.HEAR, ["o1"])),
        "nudges": ("sqs", lambda: queues.nudge(Topic.HEAR, ["o1", "o2"])),
        "seal": ("kms", lambda: KmsSealer(key, FakeTable()).seal(b"x", "o")),
        "secret": ("secretsmanager", lambda: secrets().accounts("a", "b")),
        "key": ("secretsmanager", lambda: secrets().signing_keys()),
    }


@pytest.mark.parametrize("name", [
    "get", "get_many", "read", "find", "write", "transaction", "nudge", "nudges", "seal", "secret", "key",
])  # fmt: skip
def test_whatever_aws_is_too_busy_for_is_delayed(cloud: Waits, name: str) -> None:
    service, act = every_call(cloud)[name]
    for make in (
        *UNREACHED,
        *UNKNOWN,
        refused("ThrottlingException"),
        refused("RequestThrottled"),
        refused("KMSInternalException", 500),
        refused("SomethingNew", 503),
    ):
        cloud.clear()
        with failing(service, make), pytest.raises(Delayed):
            act()
        assert sum(cloud) < 2, "a caller waits a bounded time"


def test_a_refusal_is_our_bug_and_is_not_repeated(cloud: Waits, table: DynamoTable) -> None:
    with failing("dynamodb", refused("AccessDeniedException")) as tried, pytest.raises(ClientError):
        table.get(ROW.key)
    assert len(tried) == 1
    assert cloud == []


def test_a_call_that_fails_once_is_repeated_after_a_short_wait(cloud: Waits, table: DynamoTable) -> None:
    table.write(Keep(ROW, was=None))
    with failing("dynamodb", UNKNOWN[0], times=1) as tried:
        assert table.get(ROW.key) == ROW
    assert len(tried) == 2
    assert len(cloud) == 1
    assert 0 < cloud[0] <= 0.05


def test_waits_grow_differ_and_are_bounded() -> None:
    slept: list[float] = []
    low, high = Patience(slept.append, lambda: 0.0), Patience(slept.append, lambda: 0.999)
    for patience in (low, high):
        for tries in range(1, 9):
            patience.wait(tries)
    assert slept[:8] == sorted(slept[:8])
    assert all(0 < s <= high.longest_s for s in slept)
    assert slept[0] < slept[8]


@pytest.mark.parametrize("make", UNKNOWN)
def test_a_single_write_whose_answer_was_lost_is_delayed_and_not_lost(
    table: DynamoTable, make: Callable[[], Exception]
) -> None:
    with failing("dynamodb", make, after=True) as tried, pytest.raises(Throttled):
        table.write(Keep(ROW, was=None))
    assert len(tried) == 1, "its own first success would read as somebody else's"
    assert table.get(ROW.key) == ROW, "it had happened: whoever repeats it finds it"
    with pytest.raises(Lost) as lost:
        table.write(Keep(ROW, was=None))
    assert lost.value.found == ROW


@pytest.mark.parametrize("make", [*UNREACHED, refused("ProvisionedThroughputExceededException")])
def test_a_single_write_that_certainly_did_nothing_is_repeated(
    table: DynamoTable, make: Callable[[], Exception]
) -> None:
    with failing("dynamodb", make, times=2) as tried:
        table.write(Keep(ROW, was=None))
    assert len(tried) == 3


def test_a_count_whose_answer_was_lost_is_not_counted_twice(table: DynamoTable) -> None:
    table.write(Keep(ROW, was=None))
    with failing("dynamodb", UNKNOWN[0], after=True, times=1), pytest.raises(Throttled):
        table.write(Count(ROW.key, "left", -1))
    row = table.get(ROW.key)
    assert row is not None
    assert row.counters["left"] == 4


def test_a_transaction_whose_answer_was_lost_is_repeated_under_the_same_token(table: DynamoTable) -> None:
    seen: list[Any] = []
    note: Callable[..., None] = lambda params, **_: seen.append(params)  # noqa: E731
    other = Row(Key("b", "x"), 1, "{}")
    emitter = client("dynamodb").meta.events
    emitter.register("provide-client-params.dynamodb.TransactWriteItems", note, unique_id="note")
    try:
        with failing("dynamodb", UNKNOWN[0], times=1):
            table.write(Keep(ROW, was=None), Keep(other, was=None))
    finally:
        emitter.unregister("provide-client-params.dynamodb.TransactWriteItems", unique_id="note")
    assert len(seen) == 2
    assert seen[0]["ClientRequestToken"] == seen[1]["ClientRequestToken"]


def test_a_transaction_that_meets_others_waits_longer_each_time_and_gives_up(
    cloud: Waits, table: DynamoTable
) -> None:
    answer: Any = {
        "Error": {"Code": "TransactionCanceledException"},
        "CancellationReasons": [{"Code": "None"}, {"Code": "TransactionConflict"}],
    }
    with failing("dynamodb", lambda: ClientError(answer, "T")) as tried, pytest.raises(Throttled):
        table.write(Keep(ROW, was=None), Keep(Row(Key("b", "x"), 1, "{}"), was=None))
    assert len(tried) == 5
    assert len(cloud) == 4
    assert cloud == sorted(cloud)


def canned(service: str, monkeypatch: pytest.MonkeyPatch, operation: str, answers: list[Any]) -> list[Any]:
    asked: list[Any] = []

    def answer(**request: Any) -> Any:
        asked.append(request)
        return answers[min(len(asked), len(answers)) - 1]

    monkeypatch.setattr(client(service), operation, answer)
    return asked


def test_rows_left_unread_are_asked_for_after_a_wait_and_after_all_tries_it_is_delayed(
    cloud: Waits, table: DynamoTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = {"pk": {"S": "a"}, "sk": {"S": "x"}}
    nothing = {"Responses": {}, "UnprocessedKeys": {"facts": {"Keys": [key]}}}
    asked = canned("dynamodb", monkeypatch, "batch_get_item", [nothing])
    with pytest.raises(Throttled):
        table.get_many([ROW.key])
    assert len(asked) == 5
    assert len(cloud) == 4


def test_of_batches_that_are_read_side_by_side_one_that_is_not_read_is_enough_to_give_all_back(
    table: DynamoTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = client("dynamodb").batch_get_item

    def busy(**request: Any) -> Any:
        if {"pk": {"S": "order-650"}, "sk": {"S": "x"}} in request["RequestItems"]["facts"]["Keys"]:
            raise UNREACHED[0]()
        return read(**request)

    monkeypatch.setattr(client("dynamodb"), "batch_get_item", busy)
    assert table.get_many([Key(f"order-{n}", "x") for n in range(600)]) == []
    with pytest.raises(Throttled):
        table.get_many([Key(f"order-{n}", "x") for n in range(700)])


def test_of_a_batch_of_nudges_only_those_not_taken_are_sent_again(
    cloud: Waits, queues: SqsQueues, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_failed = {"Failed": [{"Id": "1", "Code": "InternalError"}]}
    asked = canned("sqs", monkeypatch, "send_message_batch", [one_failed, {}])
    queues.nudge(Topic.HEAR, ["o0", "o1", "o2"])
    sent = [[json.loads(entry["MessageBody"])["id"] for entry in request["Entries"]] for request in asked]
    assert sent == [["o0", "o1", "o2"], ["o1"]]
    assert len(cloud) == 1


def test_nudges_that_are_never_taken_are_delayed(
    cloud: Waits, queues: SqsQueues, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = canned("sqs", monkeypatch, "send_message_batch", [{"Failed": [{"Id": "0"}]}])
    with pytest.raises(Throttled):
        queues.nudge(Topic.HEAR, ["o0", "o1"])
    assert len(asked) == 3
    assert len(cloud) == 2
