"""The signing key is rotated in four steps, each of which may come twice; and no cursor is refused on the way."""

from __future__ import annotations

import time
from typing import Any

import pytest

from chalicelib.aws import clients, rotation, secrets
from chalicelib.aws.secrets import SETTLED_S, SecretsManagerSecrets
from chalicelib.domain.errors import Malformed
from chalicelib.routes import cursors
from tests import fakes

FIRST = "f" * 64
TOKEN = "11111111-2222-3333-4444-555555555555"
STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")


@pytest.fixture
def key(moto: None, monkeypatch: pytest.MonkeyPatch) -> str:
    """The secret's ARN, with a rotation begun: Secrets Manager has labelled a version that has no text yet, which
    no emulator does."""
    arn: str = clients.client("secretsmanager").create_secret(Name="signing", SecretString=FIRST)["ARN"]
    plain = rotation._stages

    def begun(secret_id: str) -> dict[str, list[str]]:
        known = plain(secret_id)
        return known if TOKEN in known else {**known, TOKEN: ["AWSPENDING"]}

    monkeypatch.setattr(rotation, "_stages", begun)
    return arn


def ask(key: str, step: str, token: str = TOKEN) -> None:
    rotation.rotate({"Step": step, "SecretId": key, "ClientRequestToken": token}, key)


def text(key: str, stage: str) -> str:
    reply: dict[str, Any] = clients.client("secretsmanager").get_secret_value(
        SecretId=key, VersionStage=stage
    )
    return str(reply["SecretString"])


def test_four_steps_put_a_new_key_in_the_place_of_the_first_which_is_kept(key: str) -> None:
    for step in STEPS:
        ask(key, step)
    assert text(key, "AWSPREVIOUS") == FIRST
    assert len(text(key, "AWSCURRENT")) == 64 != FIRST


def test_every_step_may_come_twice_and_late_ones_change_nothing(key: str) -> None:
    for step in STEPS[:3]:
        ask(key, step)
    pending = text(key, "AWSPENDING")
    for step in (*STEPS[:3], *STEPS, *STEPS):
        ask(key, step)
    assert text(key, "AWSCURRENT") == pending
    assert text(key, "AWSPREVIOUS") == FIRST


def test_a_stop_after_any_step_leaves_the_first_key_in_use_until_the_last(key: str) -> None:
    for step in STEPS[:3]:
        ask(key, step)
        assert text(key, "AWSCURRENT") == FIRST


def test_another_secret_an_unknown_version_and_an_unknown_step_are_refused(key: str) -> None:
    with pytest.raises(ValueError, match="not the signing key"):
        rotation.rotate({"Step": "createSecret", "SecretId": "arn:other", "ClientRequestToken": TOKEN}, key)
    with pytest.raises(ValueError, match="was not begun"):
        ask(key, "createSecret", "99999999-2222-3333-4444-555555555555")
    with pytest.raises(ValueError, match="no step"):
        ask(key, "burnSecret")


def test_a_new_key_that_is_too_short_does_not_pass_the_test(key: str) -> None:
    clients.client("secretsmanager").put_secret_value(
        SecretId=key, ClientRequestToken=TOKEN, SecretString="short", VersionStages=["AWSPENDING"]
    )
    with pytest.raises(ValueError, match="5 characters"):
        ask(key, "testSecret")


def test_a_cursor_opens_everywhere_while_processes_learn_of_the_new_key_one_after_another(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def process() -> Any:
        return fakes.world(secrets=SecretsManagerSecrets("none", key))  # type: ignore[arg-type]

    knows_the_old_only = process()
    before = cursors.sign(knows_the_old_only, "orders", "a")
    for step in STEPS:
        ask(key, step)
    knows_both = process()
    during = cursors.sign(knows_both, "orders", "b")
    assert cursors.read(knows_the_old_only, "orders", during) == "b"
    assert cursors.read(knows_both, "orders", before) == "a"
    later = time.time() + SETTLED_S + 1
    monkeypatch.setattr(secrets.time, "time", lambda: later)
    much_later = process()
    after = cursors.sign(much_later, "orders", "c")
    assert cursors.read(much_later, "orders", before) == "a"
    assert cursors.read(knows_both, "orders", after) == "c"
    with pytest.raises(Malformed):  # by now it has read its keys again twice
        cursors.read(knows_the_old_only, "orders", after)
