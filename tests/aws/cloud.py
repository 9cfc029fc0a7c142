"""Everything Cordon needs on an (emulated) AWS, made by hand; and what was called there, counted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from chalicelib.aws import clients
from tests.aws.tables import make_table

QUEUES = ("DISPATCH", "BOOK", "HEAR", "TELL", "RULES", "CAMPAIGN")


def make_cloud(patch: pytest.MonkeyPatch) -> None:
    """Table, queues, key and secrets; the environment says where they are."""
    make_table(clients.client("dynamodb"))
    patch.setenv("CORDON_TABLE", "facts")
    make_queues(patch)
    key = clients.client("kms").create_key(Description="seal")["KeyMetadata"]["KeyId"]
    patch.setenv("CORDON_SEAL_KEY", key)
    text = json.dumps({"couriers": {"wechat": {"main": [{"token": "t"}]}}})
    secret = clients.client("secretsmanager").create_secret(Name="cordon", SecretString=text)["ARN"]
    patch.setenv("CORDON_SECRET", secret)
    signing = clients.client("secretsmanager").create_secret(Name="signing", SecretString="test")["ARN"]
    patch.setenv("CORDON_SIGNING_KEY", signing)


def make_queues(patch: pytest.MonkeyPatch) -> None:
    """The queues and where their dead letters go."""
    for name in QUEUES:
        url = clients.client("sqs").create_queue(QueueName=f"cordon-{name.lower()}")["QueueUrl"]
        patch.setenv(f"CORDON_{name}_QUEUE", url)
        letters = clients.client("sqs").create_queue(QueueName=f"cordon-{name.lower()}-letters")["QueueUrl"]
        patch.setenv(f"CORDON_{name}_LETTERS", letters)


@contextmanager
def counted() -> Iterator[list[tuple[str, str, dict[str, Any]]]]:
    """Every AWS call made inside, as (service, operation, parameters)."""
    calls: list[tuple[str, str, dict[str, Any]]] = []

    def note(params: dict[str, Any], model: Any, **_: Any) -> None:
        calls.append((model.service_model.service_name, model.name, params))

    services = ("dynamodb", "sqs", "kms", "secretsmanager")
    for service in services:
        clients.client(service).meta.events.register("provide-client-params.*.*", note, unique_id="counted")
    try:
        yield calls
    finally:
        for service in services:
            clients.client(service).meta.events.unregister("provide-client-params.*.*", unique_id="counted")


def by_service(calls: list[tuple[str, str, dict[str, Any]]]) -> Counter[str]:
    return Counter(service for service, _, _ in calls)
