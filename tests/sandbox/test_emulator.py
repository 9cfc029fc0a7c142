"""The embedded AWS: on loopback only, private, and its state outlives a clean stop."""

from __future__ import annotations

import os
import signal
import stat
import time
from pathlib import Path

import pytest

from sandbox import template as templates
from sandbox.emulator import Emulator
from tests.sandbox.aws import clients
from tests.sandbox.test_pumps import template

STATE = {
    "FactsTable": {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        },
    },
    "SealKey": {"Type": "AWS::KMS::Key", "Properties": {}},
    "CordonSecret": {"Type": "AWS::SecretsManager::Secret", "Properties": {}},
    "CordonSigningKey": {
        "Type": "AWS::SecretsManager::Secret",
        "Properties": {"GenerateSecretString": {"PasswordLength": 64}},
    },
}


def listens_on(pid: int) -> set[str]:
    """`address:port` of every socket that process listens on, in hexadecimal as the kernel says it."""
    links = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()]
    sockets = {link[8:-1] for link in links if link.startswith("socket:[")}
    rows = [
        row.split()
        for table in ("tcp", "tcp6")
        for row in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
    ]
    return {row[1] for row in rows if row[3] == "0A" and row[9] in sockets}


def test_facts_key_and_secret_outlive_a_clean_stop(tmp_path: Path) -> None:
    told = template()
    told["Resources"].update(STATE)
    with Emulator(tmp_path / "home") as emulator:
        client = clients(emulator)
        templates.deploy(told, client, {"couriers": {"one": {}}})
        generated = client("secretsmanager").get_secret_value(SecretId="cordon-CordonSigningKey")
        assert len(generated["SecretString"]) == 64
        client("dynamodb").put_item(TableName="cordon-FactsTable", Item={"pk": {"S": "order"}})
        key = client("kms").list_aliases()["Aliases"][0]["TargetKeyId"]
        box = client("kms").encrypt(KeyId=key, Plaintext=b"Wang")["CiphertextBlob"]
    with Emulator(tmp_path / "home") as emulator:
        client = clients(emulator)
        templates.deploy(told, client, {"couriers": {"two": {}}})
        assert client("dynamodb").scan(TableName="cordon-FactsTable")["Count"] == 1
        assert client("kms").decrypt(CiphertextBlob=box)["Plaintext"] == b"Wang"
        accounts = client("secretsmanager").get_secret_value(SecretId="cordon-CordonSecret")
        assert "two" in accounts["SecretString"]
        kept = client("secretsmanager").get_secret_value(SecretId="cordon-CordonSigningKey")
        assert kept["SecretString"] == generated["SecretString"]


def test_it_opens_one_port_and_that_on_loopback() -> None:
    if not Path("/proc/net/tcp").exists():
        pytest.skip("reads /proc")
    with Emulator() as emulator:
        process = emulator._process
        assert process is not None
        assert listens_on(process.pid) == {f"0100007F:{emulator.port:04X}"}


def test_its_keys_are_its_owners_alone(tmp_path: Path) -> None:
    emulator = Emulator(tmp_path / "home")
    assert stat.S_IMODE((tmp_path / "home" / "keys.json").stat().st_mode) == 0o600
    assert (
        Emulator(tmp_path / "home").environment["AWS_ACCESS_KEY_ID"]
        == emulator.environment["AWS_ACCESS_KEY_ID"]
    )


def test_one_that_dies_is_started_again_and_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    with Emulator() as emulator:
        process = emulator._process
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and emulator._process is process:
            time.sleep(0.05)
        while time.monotonic() < deadline:
            try:
                clients(emulator)("sqs").list_queues()
                break
            except Exception:
                time.sleep(0.1)
        assert clients(emulator)("sqs").list_queues().get("QueueUrls", []) == []
        assert emulator.restarts == 1
    assert "started again" in capfd.readouterr().err


def test_without_a_home_nothing_is_left() -> None:
    with Emulator() as emulator:
        home = emulator.home
    assert not home.exists()
