"""A secret is shown once to whom it belongs, and is nowhere else: not in the table, the log, an error or a queue."""

from __future__ import annotations

import ast
import base64
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib import journal
from chalicelib.domain.keys import Key, Role, hash_of
from chalicelib.flows import enlist
from tests.conftest import ROOT
from tests.security.gateway import Gateway

OPERATOR, MAISON = "operator control-room", "brand maison"


@pytest.fixture
def lines() -> Iterator[list[str]]:
    written: list[str] = []
    journal.write_to(written.append)
    yield written
    journal.write_to(None)


def everything_kept(gate: Gateway) -> str:
    """The table, with what is sealed as it stands there, and the queues."""
    world: Any = gate.stage.world
    rows = [f"{row!r}" for row in world.table.rows.values()]
    return "\n".join(rows) + repr(world.queues.sent)


def test_a_key_is_kept_as_its_hash_and_shown_once(gate: Gateway, lines: list[str]) -> None:
    made = gate.ask("POST", "/v1/keys", OPERATOR, {"role": "brand", "owner": "maison"}).json()
    secret = made["secret"]
    assert made["key_hash"] == hash_of(secret)
    kept = everything_kept(gate)
    assert made["key_hash"] in kept and secret not in kept and secret.rpartition("_")[2] not in kept
    gone = gate.ask("DELETE", f"/v1/keys/{made['key_hash']}", OPERATOR)
    assert secret not in gone.body.decode() + "".join(lines)


def test_a_key_has_256_bits_of_chance_and_no_two_are_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    from chalicelib import wiring
    from chalicelib.settings import Settings

    for setting in Settings.model_fields.values():
        monkeypatch.setenv(str(setting.validation_alias), "x")
    tokens = {wiring.real().token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert {len(base64.urlsafe_b64decode(token + "=")) for token in tokens} == {32}


def test_a_disabled_key_opens_nothing_once_the_gateway_has_forgotten_it(gate: Gateway) -> None:
    """It keeps an answer for 300 seconds, which is why `docs/security.md` says so; the authorizer itself says no at
    once."""
    secret = enlist.create_key(gate.stage.world, Role.OPERATOR, "passing-by")
    gate.keys["passing by"] = f"Bearer {secret}"
    try:
        assert gate.ask("GET", "/v1/markets", "passing by").status == 200
        assert gate.ask("DELETE", f"/v1/keys/{hash_of(secret)}", OPERATOR).status == 200
        assert gate.ask("GET", "/v1/markets", "passing by").status == 403
    finally:
        del gate.keys["passing by"]
    from app import app

    (config,) = app.builtin_auth_handlers
    assert config.ttl_seconds == 300
    said = " ".join((ROOT / "docs" / "security.md").read_text(encoding="utf-8").split())
    assert "300 seconds" in said


def test_the_authorizer_looks_a_key_up_by_its_hash_and_compares_nothing_itself(gate: Gateway) -> None:
    """No comparison, no time that tells how much of a key was right: what is looked up is the hash of all of it."""
    looked_up: list[Any] = []
    table: Any = gate.stage.world.table
    plain = type(table).get

    def watched(self: Any, key: Any) -> Any:
        looked_up.append(key)
        return plain(self, key)

    type(table).get = watched
    try:
        assert gate.ask("GET", "/v1/markets", "a key nobody has").status == 403
    finally:
        type(table).get = plain
    assert [key.pk for key in looked_up] == [f"key#{hash_of('cordon_operator_made-up')}"]


def test_a_webhook_s_secret_is_shown_when_it_is_made_and_sealed_where_it_is_kept(
    gate: Gateway, lines: list[str]
) -> None:
    made = gate.ask("POST", "/v1/webhooks", MAISON, {"url": "https://hooks.example.com/new"}).json()
    place = f"/v1/webhooks/{made['endpoint_id']}"
    turned = gate.ask("POST", f"{place}/rotate", MAISON).json()
    secrets = [made["secret"], turned["secret"]]
    assert len(set(secrets)) == 2
    raw = [each.removeprefix("whsec_") for each in secrets]
    bare = [base64.b64decode(each) for each in raw]
    assert all(len(each) == 32 for each in bare)
    shown = [
        gate.ask(method, path, MAISON).body.decode()
        for method, path in (
            ("GET", place),
            ("GET", "/v1/webhooks"),
            ("GET", f"{place}/attempts"),
            ("POST", f"{place}/disable"),
            ("POST", f"{place}/enable"),
        )
    ]
    kept = everything_kept(gate) + "".join(lines) + "".join(shown)
    assert not [each for each in (*secrets, *raw, *(one.hex() for one in bare)) if each in kept]
    assert "secret" not in json.loads(shown[0])


def test_a_courier_s_secret_is_in_no_row_no_line_and_no_answer(gate: Gateway, lines: list[str]) -> None:
    for method, path in (
        ("GET", "/v1/markets/SHA/fleet"),
        ("GET", "/v1/markets/SHA/couriers/paper-co"),
        ("GET", f"/v1/orders/{gate.names['order_id']}/evidence"),
    ):
        assert "paper-secret" not in gate.ask(method, path, OPERATOR).body.decode()
    gate.ask("POST", "/v1/callbacks/SHA/paper-co", "nobody", b"{}", {"X-Paper-Signature": "paper-secret"})
    assert "paper-secret" not in everything_kept(gate) + "".join(lines)


def test_a_key_is_not_printed_with_its_shape() -> None:
    key = Key(key_hash=hash_of("x"), role=Role.BRAND, owner="maison", created_at="2022-04-11T00:00:00Z")  # type: ignore[arg-type]
    assert "secret" not in Key.model_fields and key.key_hash != "x"


PROOFS = re.compile(r"signature|hmac|\bmac\b|secret|proof|expected|given|token|password", re.IGNORECASE)


KINDS = re.compile(r"(fleet\.)?Proof\.[A-Z_]+$")
"""Kinds of proof of a hand-over: which can be brought back, and no secret."""


def test_what_proves_somebody_is_compared_in_constant_time() -> None:
    """In the rooms where proofs are checked no `==` stands between two of them."""
    found = []
    for folder in ("couriers", "routes", "channels"):
        for path in sorted((ROOT / "chalicelib" / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Compare):
                    continue
                sides = [node.left, *node.comparators]
                equal = any(isinstance(op, ast.Eq | ast.NotEq | ast.In) for op in node.ops)
                texts = [ast.unparse(side) for side in sides if not isinstance(side, ast.Constant)]
                named = [text for text in texts if not KINDS.match(text)]
                if equal and len(named) > 1 and all(PROOFS.search(name) for name in named):
                    found.append(f"{path.name}:{node.lineno}: {ast.unparse(node)}")
    assert found == []
