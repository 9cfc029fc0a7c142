"""The short wire to the embedded AWS carries what botocore's own carries."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError

from sandbox.emulator import REGION, Emulator
from sandbox.wire import Wire

TABLE: dict[str, Any] = {
    "TableName": "facts",
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "BillingMode": "PAY_PER_REQUEST",
}


@pytest.fixture(scope="module")
def clients() -> Iterator[tuple[Any, Any]]:
    """One client on the short wire and one on botocore's own."""
    with Emulator() as emulator:
        made = []
        for wire in (Wire(emulator.endpoint), None):
            session: Any = botocore.session.get_session()
            if wire is not None:
                session.register("before-send", wire)
            keys = emulator.environment
            made.append(
                session.create_client(
                    "dynamodb",
                    region_name=REGION,
                    endpoint_url=emulator.endpoint,
                    aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
                    aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
                )
            )
        made[0].create_table(**TABLE)
        yield made[0], made[1]


@pytest.mark.parametrize("text", ["a", "封控区" * 50_000], ids=["short", "three hundred kilobytes"])
def test_what_is_written_on_one_wire_is_read_on_the_other(clients: tuple[Any, Any], text: str) -> None:
    short, own = clients
    short.put_item(TableName="facts", Item={"pk": {"S": "short"}, "body": {"S": text[:100_000]}})
    own.put_item(TableName="facts", Item={"pk": {"S": "own"}, "body": {"S": text[:100_000]}})
    read = [c.get_item(TableName="facts", Key={"pk": {"S": n}}) for c, n in ((own, "short"), (short, "own"))]
    assert [found["Item"]["body"]["S"] for found in read] == [text[:100_000]] * 2


def test_a_refusal_reads_the_same_on_both(clients: tuple[Any, Any]) -> None:
    said = []
    for client in clients:
        client.put_item(TableName="facts", Item={"pk": {"S": "there"}})
        with pytest.raises(ClientError) as error:
            client.put_item(
                TableName="facts", Item={"pk": {"S": "there"}}, ConditionExpression="attribute_not_exists(pk)"
            )
        response = error.value.response
        said.append((response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]))
    assert said[0] == said[1] == ("ConditionalCheckFailedException", 400)


def test_every_thread_has_a_line_of_its_own(clients: tuple[Any, Any]) -> None:
    short, _ = clients
    wrong: list[str] = []

    def work(name: str) -> None:
        for n in range(20):
            short.put_item(TableName="facts", Item={"pk": {"S": name}, "n": {"N": str(n)}})
            found = short.get_item(TableName="facts", Key={"pk": {"S": name}}, ConsistentRead=True)["Item"]
            if found != {"pk": {"S": name}, "n": {"N": str(n)}}:
                wrong.append(f"{name} {n}: {found}")

    threads = [threading.Thread(target=work, args=(f"thread-{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_line_that_the_other_end_has_closed_is_opened_again(clients: tuple[Any, Any]) -> None:
    with Emulator() as emulator:
        wire = Wire(emulator.endpoint)
        session: Any = botocore.session.get_session()
        session.register("before-send", wire)
        keys = emulator.environment
        client = session.create_client(
            "dynamodb",
            region_name=REGION,
            endpoint_url=emulator.endpoint,
            aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
        )
        assert client.list_tables()["TableNames"] == []
        wire._lines.open.close()
        wire._lines.open = socket.socket()  # connected to nobody any more
        assert client.list_tables()["TableNames"] == []
