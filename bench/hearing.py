"""What taking a courier's callback costs in CPU, for each courier, without AWS: from API Gateway's event to its answer.

Beside it, in the same run, what it costs to prove and parse a webhook of the same make with the library of Standard
Webhooks: no courier has a library in Python that does what its dialect does here.
"""

from __future__ import annotations

import dataclasses
import io
import os
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from bench.placing import ENVIRONMENT

ROUNDS, CALLBACKS = 5, 400
REFERENCE = "ord_" + "a2b3c4d5e6f7" * 2 + "gh-1-1"
STATUSES = {
    "wechat": "302",
    "dada": "4",
    "onfleet": "taskCompleted",
    "uber_direct": "delivered",
    "partner": "delivered",
}


class Nowhere:
    """A table and queues that say yes and do nothing: what is left is ours."""

    def __init__(self) -> None:
        self.written = 0

    def get(self, key: Any) -> Any:
        import json

        from chalicelib.domain.ports import Row

        courier = key.sk.partition("#")[2]
        named = {"courier_id": courier, "market_id": "SHA", "dialect": courier, "account": "main"}
        return Row(key, 1, json.dumps(named))

    def write(self, *changes: Any) -> None:
        self.written += len(changes)

    def nudge(self, topic: Any, ids: Any) -> None:
        """Sent."""


class Accounts:
    """The secrets of the samples."""

    def accounts(self, dialect: str, account: str) -> Sequence[Any]:
        return (_samples(dialect).ACCOUNT,)


@dataclasses.dataclass(frozen=True)
class Cost:
    """Milliseconds of CPU for one callback of that courier."""

    courier: str
    body_bytes: int
    whole_ms: float
    dialect_ms: float


def _samples(courier: str) -> Any:
    return import_module(f"tests.couriers.samples_{courier}")


def _told(courier: str) -> Any:
    """A callback of a gift that was handed over, signed just now."""
    of, now = _samples(courier), datetime.now(UTC)
    return of.told(of.ACCOUNT, REFERENCE, "SF1", STATUSES[courier], now, now)


def measured() -> Sequence[Cost]:
    """Every courier's, one after the other."""
    from app import app
    from chalicelib import wiring
    from chalicelib.couriers import Folder

    os.environ.update(ENVIRONMENT)
    nowhere: Any = Nowhere()
    secrets: Any = Accounts()
    wiring.use(dataclasses.replace(wiring.real(), table=nowhere, queues=nowhere, secrets=secrets))
    try:
        return [_cost(app, nowhere, courier, Folder()[courier]) for courier in STATUSES]
    finally:
        wiring.use(None)


def _cost(app: Any, nowhere: Nowhere, courier: str, dialect: Any) -> Cost:
    told, account, now = _told(courier), _samples(courier).ACCOUNT, datetime.now(UTC)
    event = event_of(courier, told)

    def whole() -> None:
        assert app(event, None)["statusCode"] == 200

    def alone() -> None:
        assert dialect.hear((account,), told, courier, now).events

    before = nowhere.written
    whole_ms = _median(whole)
    assert nowhere.written - before == 100 + ROUNDS * CALLBACKS, "one write each"
    return Cost(courier, len(told.body), whole_ms, _median(alone))


def library_ms() -> float:
    """The partners' callback, proven and parsed by the library of the scheme."""
    from standardwebhooks.webhooks import Webhook

    told = _told("partner")
    body, headers = told.body.decode(), dict(told.headers)
    hook = Webhook(_samples("partner").ACCOUNT["webhook_secret"])
    return _median(lambda: hook.verify(body, headers))


def _median(one: Callable[[], object]) -> float:
    taken = []
    with redirect_stdout(io.StringIO()):  # the log is written as always, and the table stays readable
        for _ in range(100):
            one()
        for _ in range(ROUNDS):
            began = time.process_time()
            for _ in range(CALLBACKS):
                one()
            taken.append((time.process_time() - began) / CALLBACKS * 1000)
    return statistics.median(taken)


def event_of(courier: str, told: Any) -> dict[str, Any]:
    """API Gateway's proxy event for it."""
    path = {"market_id": "SHA", "courier_id": courier}
    return {
        "resource": "/v1/callbacks/{market_id}/{courier_id}",
        "path": f"/v1/callbacks/SHA/{courier}",
        "httpMethod": told.method,
        "headers": dict(told.headers),
        "multiValueHeaders": {name: [value] for name, value in told.headers.items()},
        "queryStringParameters": dict(told.query) or None,
        "multiValueQueryStringParameters": {name: [value] for name, value in told.query.items()} or None,
        "pathParameters": path,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": "/v1/callbacks/{market_id}/{courier_id}",
            "httpMethod": told.method,
            "identity": {"sourceIp": "127.0.0.1"},
        },
        "body": told.body.decode(),
        "isBase64Encoded": False,
    }
