"""Fixtures every suite shares: emulated AWS for the rooms that know AWS."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"

for name, value in {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "eu-west-1",
}.items():
    os.environ.setdefault(name, value)


# how long an example takes says more of what else the machine does than of the code
settings.register_profile("cordon", deadline=None)
settings.load_profile("cordon")


@pytest.fixture
def shared() -> Path:
    """The research data beside the project; without it the test says so and is skipped."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"the data of {SHARED} is not here")
    return SHARED


@contextmanager
def behind_its_lock() -> Iterator[None]:
    """moto behind one lock: it has none of its own, and sells 110 of 100 units without it, and gives one message to
    two who take at once. Who waits for a message takes it without the lock: nobody could send one."""
    from moto import mock_aws
    from moto.dynamodb import responses
    from moto.sqs.models import SQSBackend

    from chalicelib.aws import clients

    lock = threading.RLock()
    plain = responses.DynamoHandler.call_action

    def locked(handler: Any) -> Any:
        with lock:
            return plain(handler)

    receive = SQSBackend.receive_message

    def taken(backend: Any, queue: str, count: int, wait_s: int, *more: Any) -> Any:
        with nullcontext() if wait_s else lock:
            return receive(backend, queue, count, wait_s, *more)

    clients.reset()
    responses.DynamoHandler.call_action = locked  # type: ignore[method-assign]
    SQSBackend.receive_message = taken  # type: ignore[method-assign, assignment]
    try:
        with mock_aws():
            yield
    finally:
        responses.DynamoHandler.call_action = plain  # type: ignore[method-assign]
        SQSBackend.receive_message = receive  # type: ignore[method-assign]
        clients.reset()


@pytest.fixture
def moto() -> Iterator[None]:
    """AWS in this process, empty."""
    with behind_its_lock():
        yield
