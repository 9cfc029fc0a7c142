"""The first key of a fresh deployment."""

from __future__ import annotations

import pytest

from app import app, authorize
from chalicelib import wiring
from chalicelib.aws.clients import client
from cli import keys
from tests.aws.cloud import make_cloud
from tests.aws.tables import make_table


def test_the_first_operator_key_opens_the_door(
    moto: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_cloud(monkeypatch)
    assert keys.main(["create", "--role", "operator", "--owner", "control-room"]) == 0
    secret = capsys.readouterr().out.strip()
    assert secret.startswith("cordon_operator_")
    wiring.use(None)
    arn = "arn:aws:execute-api:eu-west-1:000000000000:abc/api/GET/v1/orders"
    said = authorize({"type": "TOKEN", "authorizationToken": f"Bearer {secret}", "methodArn": arn}, None)
    assert said["context"] == {"role": "operator", "owner": "control-room"}
    assert app.routes["/v1/keys"]["POST"], "with it every other key is made over HTTP"
    wiring.use(None)


def test_only_the_table_has_to_be_known(
    moto: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CORDON_TABLE", raising=False)
    make_table(client("dynamodb"), "of-the-stack")
    assert keys.main(["create", "--role", "source", "--owner", "city", "--table", "of-the-stack"]) == 0
    assert client("dynamodb").scan(TableName="of-the-stack")["Count"] == 1
    assert capsys.readouterr().out.strip() not in str(client("dynamodb").scan(TableName="of-the-stack"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create", "--role", "operator", "--owner", "x"], "CORDON_TABLE"),
        (["create", "--role", "king", "--owner", "x", "--table", "t"], "king"),
        (["create", "--role", "brand", "--owner", "x", "--market", "SHA", "--table", "t"], "--market"),
        (["create", "--role", "source", "--owner", "x", "--market", "S H", "--table", "t"], "--market"),
        (["create", "--role", "brand", "--owner", "Maison Céladon", "--table", "t"], "--owner"),
        ([], "usage"),
    ],
)
def test_what_is_missing_or_wrong_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    monkeypatch.delenv("CORDON_TABLE", raising=False)
    with pytest.raises(SystemExit) as ended:
        keys.main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
