"""The embedded AWS: ministack as a child process behind a gate, on loopback only, with private random keys.

It saves its state on a clean stop (SIGTERM) and loses it in a crash; it is watched, and started again with a word
when it dies. Its port is kept beside the keys: ministack files a queue's messages under the queue's URL, and on
another port every queue would come back empty. Only the services Cordon uses are switched on: its MQTT listener,
for one, would open a port.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess  # nosec B404 - runs programs of this checkout, nothing that is handed in
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

REGION = "eu-west-1"
SERVICES = "dynamodb,sqs,kms,secretsmanager,ses,sts"
GATE = Path(__file__).with_name("gate.py")
QUICK_DEATHS = 3
"""So many deaths within a second of a start, and it is left dead: a loop of restarts would hide the cause."""


class Emulator:
    """One ministack. `home` keeps keys and state between runs; without one everything is gone at the end."""

    def __init__(
        self,
        home: Path | None = None,
        *,
        python: Path | None = None,
        services: str = SERVICES,
        also: Mapping[str, str] | None = None,
    ) -> None:
        """`python`: another interpreter that has ministack; `services` instead of those that Cordon calls; `also`:
        more for its environment, which the functions it runs inherit."""
        self._python = python or Path(sys.executable)
        self._services = services
        self._also = dict(also or {})
        self._temporary = None if home else Path(tempfile.mkdtemp(prefix="cordon-emulator-"))
        self.home = home or self._temporary or Path()
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.had_state = (self.home / "state" / "dynamodb.json").exists()
        self._keys = self._private_keys()
        self.port = self._kept_port()
        self.restarts = 0
        self._stopping = False
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What botocore needs in the environment to speak to this emulator and to nothing else."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self._keys["access_key"],
            "AWS_SECRET_ACCESS_KEY": self._keys["secret_key"],
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def start(self) -> Emulator:
        """Start and wait until it answers. Raises RuntimeError with its log when it does not."""
        self._spawn()
        threading.Thread(target=self._watch, name="emulator-watch", daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop cleanly: the state is saved."""
        with self._turn:  # not while the watch starts another one: that one would outlive us
            self._stopping = True
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def __enter__(self) -> Emulator:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _private_keys(self) -> dict[str, str]:
        file = self.home / "keys.json"
        if not file.exists():
            keys = {
                "access_key": "AK" + secrets.token_hex(9).upper(),
                "secret_key": secrets.token_urlsafe(30),
            }
            file.touch(mode=0o600)
            file.write_text(json.dumps(keys))
        loaded: dict[str, str] = json.loads(file.read_text())
        return loaded

    def _kept_port(self) -> int:
        file = self.home / "port"
        if not file.exists():
            file.write_text(str(_free_port()))
        return int(file.read_text())

    def _spawn(self) -> None:
        if not _is_free(self.port):
            raise RuntimeError(
                f"the embedded AWS of {self.home} lives on port {self.port}, where something listens already: "
                "another sandbox on the same state, perhaps"
            )
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_HOST": "127.0.0.1",
            "MINISTACK_REGION": REGION,
            "SERVICES": self._services,
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "PERSIST_STATE": "1",
            "STATE_DIR": str(self.home / "state"),
            "S3_DATA_DIR": str(self.home / "s3"),
            "AUTH": "true",
            "AWS_ACCESS_KEY_ID": self._keys["access_key"],
            "AWS_SECRET_ACCESS_KEY": self._keys["secret_key"],
            "LOG_LEVEL": "WARNING",
            "CORDON_SANDBOX_PARENT": str(os.getpid()),
            **self._also,
        }
        log = (self.home / "emulator.log").open("ab")
        self._process = subprocess.Popen(  # nosec B603 - our own words, no shell
            [str(self._python), "-P", str(GATE)],
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for us; we stop it when everything else has stopped
        )
        log.close()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                urllib.request.urlopen(f"{self.endpoint}/_ministack/health", timeout=1)  # noqa: S310  # nosec B310 - loopback
                return
            except urllib.error.HTTPError:
                return  # it answers
            except OSError:
                time.sleep(0.03)
        tail = (self.home / "emulator.log").read_text(errors="replace")[-2000:]
        raise RuntimeError(f"the embedded AWS did not come up:\n{tail}")

    def _watch(self) -> None:
        deaths = 0
        while self._process is not None:
            process, since = self._process, time.monotonic()
            process.wait()
            deaths = deaths + 1 if time.monotonic() - since < 1 else 1
            with self._turn:
                if self._stopping:
                    return
                if deaths >= QUICK_DEATHS:
                    print(
                        f"the embedded AWS died {deaths} times in a row; see {self.home}/emulator.log",
                        file=sys.stderr,
                    )
                    return
                self.restarts += 1
                print(
                    f"the embedded AWS died (exit {process.returncode}) and is started again; "
                    "it holds what it had at its last clean stop",
                    file=sys.stderr,
                )
                try:
                    self._spawn()
                except RuntimeError as error:
                    print(error, file=sys.stderr)
                    return


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # its own closed connections do not count
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
