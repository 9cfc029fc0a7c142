"""The AWS that tests can have: moto behind its lock, ministack, and dynoxide, which is DynamoDB alone and of other hands.

Each of them puts itself into the environment and forgets every client made before; it takes itself out again.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import boto3
import pytest
from botocore.config import Config

from chalicelib.aws import clients
from sandbox.emulator import REGION, Emulator
from tests.conftest import ROOT, behind_its_lock

DYNOXIDE = ROOT / "node_modules" / "@dynoxide" / "linux-x64" / "dynoxide"


@contextmanager
def moto() -> Iterator[None]:
    """In this process."""
    with behind_its_lock():
        yield


@contextmanager
def ministack() -> Iterator[None]:
    """What the sandbox runs on."""
    with Emulator() as emulator, _told(emulator.environment):
        # the first request of a service loads it, which on a busy machine takes longer than our clients wait
        patient, ours = Config(read_timeout=60), boto3.Session()
        ours.client("dynamodb", config=patient).list_tables()
        ours.client("kms", config=patient).list_keys()
        ours.client("secretsmanager", config=patient).list_secrets()
        ours.client("sqs", config=patient).list_queues()
        yield


@contextmanager
def dynoxide() -> Iterator[None]:
    """From npm, a binary for Linux on x86-64 only. Raises FileNotFoundError where it is not."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [str(DYNOXIDE), "serve", "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _answers(process, endpoint)
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION}
        with _told({"AWS_ENDPOINT_URL": endpoint, **keys}):
            yield
    finally:
        process.terminate()
        process.wait(timeout=10)


def _answers(process: subprocess.Popen[bytes], endpoint: str) -> None:
    deadline = time.monotonic() + 10
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(endpoint, timeout=1)  # noqa: S310 - loopback
        except urllib.error.HTTPError:
            return  # it answers
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"dynoxide did not come up, exit {process.poll()!r}")


@contextmanager
def _told(environment: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(environment)
    clients.reset()
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        clients.reset()


EMULATORS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "moto": moto,
    "ministack": ministack,
    "dynoxide": dynoxide,
}
ABSENT = pytest.mark.skipif(not DYNOXIDE.exists(), reason="dynoxide's binary is for Linux on x86-64 only")
STORES = (
    "fake",
    "moto",
    pytest.param("ministack", marks=pytest.mark.long),
    pytest.param("dynoxide", marks=[pytest.mark.long, ABSENT]),
)
"""Whatever can be a table; the fake is none of AWS."""
QUEUES = ("moto", pytest.param("ministack", marks=pytest.mark.long))
"""Whatever has SQS."""
