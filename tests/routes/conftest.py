"""The app over a world in memory, called as API Gateway would call it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from chalice.test import Client, HTTPResponse

from chalicelib import wiring
from chalicelib.domain.keys import Role
from chalicelib.flows import enlist
from tests.stage import Stage, stage


@dataclass
class Caller:
    """Somebody with a key."""

    client: Client
    key: str

    def __call__(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> HTTPResponse:
        sent = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json", **(headers or {})}
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return self.client.http.request(method, path, headers=sent, body=raw)


@dataclass
class Desk:
    """The stage, and callers with keys of every kind."""

    stage: Stage
    client: Client
    maison: Caller
    other_brand: Caller
    operator: Caller
    source: Caller


@pytest.fixture
def desk() -> Iterator[Desk]:
    from app import app

    on = stage()
    wiring.use(on.world)
    with Client(app) as client:

        def caller(role: Role, owner: str) -> Caller:
            return Caller(client, enlist.create_key(on.world, role, owner))

        yield Desk(
            on,
            client,
            caller(Role.BRAND, "maison"),
            caller(Role.BRAND, "autre-maison"),
            caller(Role.OPERATOR, "control-room"),
            caller(Role.SOURCE, "health-office"),
        )
    wiring.use(None)
