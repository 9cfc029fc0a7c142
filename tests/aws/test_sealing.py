"""Personal data at rest, secrets and nudges on emulated AWS."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chalicelib.aws import clients
from chalicelib.aws.queues import SqsQueues
from chalicelib.aws.sealer import KmsSealer
from chalicelib.aws.secrets import SecretsManagerSecrets
from chalicelib.aws.table import DynamoTable
from chalicelib.domain import facts
from chalicelib.domain.client_rows import data_key_of_client
from chalicelib.domain.errors import Forgotten
from chalicelib.domain.ports import Drop, Keep, Topic
from chalicelib.domain.retention import ORDER_KEYS, kept_until
from tests import fakes
from tests.aws.cloud import by_service, counted, make_cloud


@pytest.fixture(autouse=True)
def cloud(moto: None, monkeypatch: pytest.MonkeyPatch) -> None:
    make_cloud(monkeypatch)


def sealer(clock: Callable[[], datetime] = lambda: fakes.NOON) -> KmsSealer:
    return KmsSealer(os.environ["CORDON_SEAL_KEY"], DynamoTable("facts"), clock=clock)


def test_what_was_sealed_opens_again_in_another_process() -> None:
    sealed = sealer().seal("王女士, Yongjia Road".encode(), "ord_1")
    assert b"Yongjia" not in sealed
    assert sealer().unseal(sealed, "ord_1").decode() == "王女士, Yongjia Road"


def test_a_seal_copied_onto_another_order_does_not_open() -> None:
    sealed = sealer().seal(b"secret", "ord_1")
    with pytest.raises(Exception, match=r"\A"):
        sealer().unseal(sealed, "ord_2")


@pytest.mark.parametrize("at", [0, 5, -1])
def test_one_flipped_byte_does_not_open(at: int) -> None:
    sealed = bytearray(sealer().seal(b"secret", "ord_1"))
    sealed[at] ^= 1
    with pytest.raises(Exception, match=r"\A"):
        sealer().unseal(bytes(sealed), "ord_1")


def test_a_client_is_forgotten_when_its_own_data_key_is_dropped() -> None:
    table = DynamoTable("facts")
    clock = fakes.FakeClock()
    one, other = sealer(clock), sealer(clock)
    sealed = one.seal("王女士".encode(), "cli_1", owner="cli_1")
    assert other.unseal(sealed, "cli_1").decode() == "王女士"
    assert one.unseal(other.seal(b"again", "cli_1", owner="cli_1"), "cli_1") == b"again"
    neighbour = one.seal(b"a neighbour", "cli_2", owner="cli_2")
    table.write(Drop(data_key_of_client("cli_1"), was=1))
    clock.forward(minutes=1)
    for process in (one, other, sealer(clock)):
        with pytest.raises(Forgotten):
            process.unseal(sealed, "cli_1")
        assert process.unseal(neighbour, "cli_2") == b"a neighbour"


def test_a_clients_seal_does_not_open_under_another_clients_key() -> None:
    sealed = sealer().seal(b"secret", "cli_1", owner="cli_1")
    sealer().seal(b"x", "cli_2", owner="cli_2")
    with pytest.raises(Exception, match=r"\A"):
        sealer().unseal(sealed.replace(b"cli_1", b"cli_2"), "cli_1")


def sealed_by_the_former_version(plain: bytes, context: str) -> bytes:
    """Each value carried its own wrapped key."""
    made = clients.client("kms").generate_data_key(
        KeyId=os.environ["CORDON_SEAL_KEY"],
        KeySpec="AES_256",
        EncryptionContext={"purpose": "cordon-personal-data"},
    )
    nonce, wrapped = os.urandom(12), made["CiphertextBlob"]
    box = AESGCM(made["Plaintext"]).encrypt(nonce, plain, context.encode())
    return b"\x01" + len(wrapped).to_bytes(2, "big") + wrapped + nonce + box


def test_what_the_former_version_sealed_still_opens_and_asks_kms_once_for_a_key() -> None:
    old, one = sealed_by_the_former_version("王女士".encode(), "ord_1"), sealer()
    with counted() as calls:
        assert [one.unseal(old, "ord_1").decode() for _ in range(3)] == ["王女士"] * 3
    assert by_service(calls) == {"kms": 1}
    with pytest.raises(Exception, match=r"\A"):
        one.unseal(old, "ord_2")


def test_a_process_asks_kms_once_for_many_seals() -> None:
    one = sealer()
    with counted() as calls:
        sealed = [one.seal(b"x", f"ord_{n}") for n in range(50)]
        assert [one.unseal(s, f"ord_{n}") for n, s in enumerate(sealed)] == [b"x"] * 50
    assert by_service(calls)["kms"] == 1
    assert len(set(sealed)) == 50, "the same plain text never looks the same"


def test_all_processes_seal_with_the_hours_one_key() -> None:
    with counted() as calls:
        sealed = [sealer().seal(b"x", "ord_1") for _ in range(5)]
        assert [sealer().unseal(s, "ord_1") for s in sealed] == [b"x"] * 5
    asked = [name for service, name, _ in calls if service == "kms"]
    assert asked.count("GenerateDataKey") == 1
    assert len({s[1:5] for s in sealed}) == 1


def test_processes_that_begin_an_hour_at_once_agree_on_its_key() -> None:
    processes = [sealer() for _ in range(8)]
    sealed: list[bytes] = []
    threads = [threading.Thread(target=lambda p=p: sealed.append(p.seal(b"x", "ord_1"))) for p in processes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [sealer().unseal(s, "ord_1") for s in sealed] == [b"x"] * 8


def test_the_next_hour_has_a_key_of_its_own_and_the_former_one_still_opens() -> None:
    clock = fakes.FakeClock(fakes.NOON)
    one = sealer(clock)
    before = one.seal(b"x", "ord_1")
    clock.forward(minutes=60)
    with counted() as calls:
        after = one.seal(b"x", "ord_1")
    assert "GenerateDataKey" in [name for _, name, _ in calls]
    assert before[1:5] != after[1:5]
    assert sealer(lambda: fakes.NOON + timedelta(days=1)).unseal(before, "ord_1") == b"x"


def test_a_sealed_client_takes_little_more_than_its_packed_text() -> None:
    sealed = sealer().seal(b'{"recipient":{"name":"Wang","phone":"+8613800138001"}}', "ord_1")
    assert len(sealed) < 80


def secrets() -> SecretsManagerSecrets:
    return SecretsManagerSecrets(os.environ["CORDON_SECRET"], os.environ["CORDON_SIGNING_KEY"])


def test_accounts_come_from_the_secret_and_are_read_once() -> None:
    known = secrets()
    with counted() as calls:
        for _ in range(3):
            assert known.accounts("wechat", "main") == [{"token": "t"}]
            assert known.accounts("wechat", "nobody") == []
    assert by_service(calls)["secretsmanager"] == 1


def test_the_signing_key_is_a_secret_of_its_own_and_the_former_one_still_opens_what_it_signed() -> None:
    first = secrets()
    with counted() as calls:
        assert [list(first.signing_keys()) for _ in range(3)] == [["test"]] * 3
    assert by_service(calls)["secretsmanager"] == 2
    clients.client("secretsmanager").put_secret_value(
        SecretId=os.environ["CORDON_SIGNING_KEY"], SecretString="another"
    )
    assert first.signing_keys() == ["test"], "a process reads it again after a while"
    assert secrets().signing_keys() == ["another", "test"], "the former one signs until all know the new one"


def test_nudges_are_sent_ten_a_call_each_id_once() -> None:
    url = os.environ["CORDON_HEAR_QUEUE"]
    queues = SqsQueues({Topic.HEAR: url}, {})
    with counted() as calls:
        queues.nudge(Topic.HEAR, [f"ord_{n % 23}" for n in range(46)])
        queues.nudge(Topic.HEAR, [])
    assert by_service(calls)["sqs"] == 3
    got: list[str] = []
    while (
        messages := clients.client("sqs")
        .receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        .get("Messages")
    ):
        got += [json.loads(message["Body"])["id"] for message in messages]
        for message in messages:
            clients.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert sorted(got) == sorted(f"ord_{n}" for n in range(23))


def test_an_hours_key_lapses_when_no_order_of_that_hour_needs_it_any_more() -> None:
    """Said by the row's own time, which the table may be days late to act upon, and by a process that remembers."""
    clock = fakes.FakeClock()
    one = sealer(clock)
    sealed = one.seal("王女士".encode(), "ord_1")
    row = DynamoTable("facts").get(facts.data_key_key(int(fakes.NOON.timestamp()) // 3600))
    assert row is not None
    hour_ends = fakes.NOON + timedelta(hours=1)
    assert row.expires_at == kept_until(ORDER_KEYS, hour_ends)
    clock.now = hour_ends + ORDER_KEYS.keeps - timedelta(seconds=1)
    assert sealer(clock).unseal(sealed, "ord_1").decode() == one.unseal(sealed, "ord_1").decode() == "王女士"
    clock.forward(seconds=1)
    for process in (one, sealer(clock)):
        with pytest.raises(Forgotten):
            process.unseal(sealed, "ord_1")
    DynamoTable("facts").write(Drop(row.key, was=1))
    with pytest.raises(Forgotten):
        sealer(clock).unseal(sealed, "ord_1")


def test_an_hours_key_that_a_former_version_made_never_lapses() -> None:
    """Secrets that last were sealed under it."""
    clock, table = fakes.FakeClock(), DynamoTable("facts")
    sealed = sealer(clock).seal(b"a salt", "salt#SHA")
    key = facts.data_key_key(int(fakes.NOON.timestamp()) // 3600)
    row = table.get(key)
    assert row is not None
    table.write(Keep(replace(row, version=2, expires_at=None), was=1))
    clock.forward(days=3650)
    assert sealer(clock).unseal(sealed, "salt#SHA") == b"a salt"


def test_what_lasts_is_sealed_for_as_long_as_who_has_it() -> None:
    clock = fakes.FakeClock()
    sealed = sealer(clock).seal(b"a salt", "salt#SHA", owner="market#SHA")
    clock.forward(days=3650)
    assert sealer(clock).unseal(sealed, "salt#SHA") == b"a salt"
