"""What the sandbox's machinery does when things go wrong: restarts, Ctrl-C, odd verdicts, broken requests."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox import template as templates
from sandbox.clock import VirtualClock
from sandbox.emulator import Emulator
from sandbox.front import Front
from sandbox.pumps import given_back
from tests.sandbox import test_pumps as pumping
from tests.sandbox.aws import clients
from tests.sandbox.test_front import TEMPLATE, Served, stand_in

ROOT = Path(__file__).resolve().parent.parent.parent
ONE_AND_TWO = {"one", "two"}


def test_messages_outlive_a_clean_stop(tmp_path: Path) -> None:
    told = pumping.template()
    with Emulator(tmp_path / "home") as emulator:
        client = clients(emulator)
        url = templates.deploy(told, client, {}).queues["OrderQueue"]
        client("sqs").send_message(QueueUrl=url, MessageBody="still here")
    with Emulator(tmp_path / "home") as emulator:
        client = clients(emulator)
        url = templates.deploy(told, client, {}).queues["OrderQueue"]
        messages = client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", [])
    assert [message["Body"] for message in messages] == ["still here"]


def test_a_port_in_use_is_said_and_not_mistaken_for_the_emulator(tmp_path: Path) -> None:
    emulator = Emulator(tmp_path / "home")
    with (
        socket.create_server(("127.0.0.1", emulator.port)),
        pytest.raises(RuntimeError, match=str(emulator.port)),
    ):
        emulator.start()


def test_ctrl_c_reaches_us_and_not_the_emulator() -> None:
    with Emulator() as emulator:
        process = emulator._process
        assert process is not None
        assert os.getpgid(process.pid) != os.getpgid(0)


def test_an_emulator_whose_parent_is_killed_saves_its_state_and_goes(tmp_path: Path) -> None:
    script = (
        "import os, sys, signal\n"
        "from pathlib import Path\n"
        "from sandbox.emulator import Emulator\n"
        "from tests.sandbox.aws import clients\n"
        "one = Emulator(Path(sys.argv[1])).start()\n"
        "clients(one)('sqs').create_queue(QueueName='kept')\n"
        "print(one._process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "home")]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=60, check=False)
    orphan, deadline = int(done.stdout), time.monotonic() + 20
    while Path(f"/proc/{orphan}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    with Emulator(tmp_path / "home") as emulator:
        assert len(clients(emulator)("sqs").list_queues()["QueueUrls"]) == 1


def test_an_emulator_that_cannot_live_is_not_started_for_ever(tmp_path: Path) -> None:
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "import sandbox.emulator as e\n"
        "one = e.Emulator(Path(sys.argv[1])).start()\n"
        "e.GATE = Path(sys.argv[1]) / 'no-such-gate.py'\n"
        "one._process.kill(); time.sleep(2); one.stop(); print(one.restarts)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "home")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "1"), done.stderr
    assert "did not come up" in done.stderr


@pytest.mark.parametrize("answer", [None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}])
def test_these_answers_are_success_to_lambda(answer: Any) -> None:
    assert given_back(answer, ONE_AND_TWO) == set()


def test_a_message_that_is_named_is_given_back_alone_however_often_it_is_named() -> None:
    one = {"itemIdentifier": "one"}
    assert given_back({"batchItemFailures": [one]}, ONE_AND_TWO) == {"one"}
    assert given_back({"batchItemFailures": [one, one]}, ONE_AND_TWO) == {"one"}


@pytest.mark.parametrize(
    "answer",
    [
        {"batchItemFailures": [{"itemIdentifier": "somebody else"}]},
        {"batchItemFailures": [{"itemIdentifier": "one"}, {"itemIdentifier": ""}]},
        {"batchItemFailures": [{"itemIdentifier": None}]},
        {"batchItemFailures": [{"itemId": "one"}]},
        {"batchItemFailures": ["one"]},
        {"batchItemFailures": {"itemIdentifier": "one"}},
        {"batchItemfailures": []},
        "ok",
    ],
)
def test_these_answers_give_the_whole_batch_back(answer: Any) -> None:
    assert given_back(answer, ONE_AND_TWO) == ONE_AND_TWO


def test_a_failed_run_does_not_end_its_schedule() -> None:
    def fail() -> None:
        raise RuntimeError("a bad minute")

    pumping.hand.__init__()  # type: ignore[misc]
    pumping.hand.tick = fail
    with Emulator() as emulator:
        scene = pumping.Scene(emulator, VirtualClock(pumping.START))
        scene.pumps.start_schedules()
        scene.pumps.run_until(pumping.START + timedelta(minutes=3))
    assert len(pumping.hand.ticks) == 3
    assert (scene.pumps.failed["Tick"], scene.pumps.handled["Tick"]) == (3, 0)


@pytest.fixture
def served() -> Any:
    with Front(stand_in(Counter()), TEMPLATE) as front:
        yield Served(front.server.server_address[1])


def raw(served: Served, request: bytes) -> bytes:
    """All that comes back until the server closes; an open line after two seconds is an error."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=2) as line:
        line.sendall(request)
        pieces = []
        while piece := line.recv(65536):
            pieces.append(piece)
    return b"".join(pieces)


def test_an_authorizer_that_breaks_is_a_500_and_not_a_dropped_line(
    served: Served, capfd: pytest.CaptureFixture[str]
) -> None:
    assert served.ask("GET", "/who/li?n=1", Authorization="Bearer broken")[0] == 500
    assert "the table is gone" in capfd.readouterr().err


def test_a_method_without_a_view_is_refused_as_the_deployed_gateway_does(served: Served) -> None:
    status, headers, _ = served.ask("DELETE", "/who/li", Authorization="Bearer good")
    assert (status, headers["Content-Type"]) == (404, "application/problem+json")


def test_a_key_that_is_not_ascii_is_refused_and_not_a_dropped_line(served: Served) -> None:
    assert served.ask("GET", "/nowhere", Authorization="Bearer é")[0] == 404


@pytest.mark.parametrize("length", [b"abc", b"-1", b"+3", b"1_0"])
def test_a_length_that_is_none_is_refused_and_ends_the_line(served: Served, length: bytes) -> None:
    request = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: " + length + b"\r\n\r\n"
    assert raw(served, request).startswith(b"HTTP/1.1 400")


def test_a_chunked_body_is_never_read_as_the_next_request(served: Served) -> None:
    smuggled = b"GET /who/li?n=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\n\r\n"
    request = b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + smuggled
    answer = raw(served, request)
    assert answer.startswith(b"HTTP/1.1 411")
    assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"POST /echo HTTP/1.1\r\nContent-Length: abc", 400),
        (b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked", 411),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1", 414),
        (b"GET / HTTP/1.1\r\nX-Long: " + b"a" * 70_000, 431),
        (b"GET / HTTP/1.1" + b"\r\nX-Many: a" * 200, 431),
        (b"BREW /pot HTTP/1.1", 501),
        (b"nonsense", 400),
        (b"GET / HTTP/9.9", 505),
    ],
)
def test_what_is_no_request_at_all_is_refused_as_a_problem_and_quotes_nothing(
    served: Served, request_line: bytes, status: int
) -> None:
    answer = raw(served, request_line + b"\r\n\r\n")
    head, _, content = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"Content-Type: application/problem+json" in head
    assert json.loads(content)["status"] == status
    assert b"BREW" not in content and b"nonsense" not in content and b"<" not in content


def test_a_method_that_no_view_has_is_not_deployed_and_a_preflight_is_none(served: Served) -> None:
    assert served.ask("OPTIONS", "/who/li", Authorization="Bearer good")[0] == 404
