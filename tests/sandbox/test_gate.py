"""Nobody but us reaches the embedded AWS: no web page, no guessed key, no reset."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.emulator import REGION, Emulator
from sandbox.gate import passes
from tests.sandbox.aws import clients

OURS = "AKOURS"
PROOF = (b"authorization", b"AWS4-HMAC-SHA256 Credential=AKOURS/20220411/eu-west-1/sqs/aws4_request, x")


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        clients(emulator)("sqs").create_queue(QueueName="ours")
        yield emulator


def status(emulator: Emulator, method: str, path: str, **headers: str) -> int:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(emulator.endpoint + path, method=method, headers=told)  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            code: int = answer.status
            return code
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


@pytest.mark.parametrize("key", ["test", "000000000000", "AKIAIOSFODNN7EXAMPLE"])
def test_a_key_that_is_not_ours_is_refused_though_ministack_would_take_it(
    emulator: Emulator, key: str
) -> None:
    import botocore.session

    stranger: Any = botocore.session.get_session().create_client(
        "sqs",
        region_name=REGION,
        endpoint_url=emulator.endpoint,
        aws_access_key_id=key,
        aws_secret_access_key="guessed",
    )
    with pytest.raises(ClientError) as refused:
        stranger.list_queues()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_a_web_page_is_told_nothing(emulator: Emulator) -> None:
    assert (
        status(emulator, "OPTIONS", "/", Origin="http://page.example", Access_Control_Request_Method="POST")
        == 403
    )
    assert status(emulator, "POST", "/", Origin="http://page.example") == 403


def test_nobody_wipes_it_and_nobody_reads_its_queues_by_the_back_door(emulator: Emulator) -> None:
    assert status(emulator, "POST", "/_ministack/reset") == 403
    assert status(emulator, "GET", "/_ministack/sqs/messages") == 403
    assert len(clients(emulator)("sqs").list_queues()["QueueUrls"]) == 1


@pytest.mark.parametrize(
    ("method", "path", "headers", "expected"),
    [
        ("POST", "/", [PROOF], True),
        ("GET", "/_ministack/health", [], True),
        ("POST", "/", [], False),
        ("POST", "/", [PROOF, (b"origin", b"null")], False),
        ("POST", "/", [PROOF, PROOF], False),
        ("POST", "/", [(b"authorization", PROOF[1].replace(b"AKOURS/", b"AKOURSX/"))], False),
        ("POST", "/_ministack/reset", [PROOF], False),
        ("POST", "/_ministack/health", [PROOF], False),
        ("GET", "/_localstack/health", [PROOF], False),
    ],
)
def test_what_passes_the_gate(
    method: str, path: str, headers: list[tuple[bytes, bytes]], expected: bool
) -> None:
    assert passes(OURS, method, path, headers) is expected
