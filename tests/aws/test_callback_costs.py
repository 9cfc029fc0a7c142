"""What a courier's callback costs on AWS, of each courier: counts, which are promises. And what it loads."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from chalice.test import Client, HTTPResponse

from bench.hearing import REFERENCE, STATUSES, event_of
from chalicelib import wiring
from chalicelib.aws import clients
from chalicelib.couriers import Folder
from chalicelib.domain.dialect import Callback
from chalicelib.domain.fleet import Courier
from chalicelib.domain.places import Market
from chalicelib.domain.ports import Topic
from chalicelib.flows import enlist
from tests import drive
from tests.aws.cloud import counted, make_cloud
from tests.conftest import ROOT
from tests.stage import MARKET

TAKEN = [("dynamodb", "PutItem"), ("sqs", "SendMessage")]
EVERY = pytest.mark.parametrize("name", STATUSES)
GHOST = REFERENCE.split("-")[0]


def samples(name: str) -> Any:
    return import_module(f"tests.couriers.samples_{name}")


def told(name: str, reference: str = REFERENCE, status: str = "") -> Callback:
    of, now = samples(name), datetime.now(UTC)
    said = of.told(of.ACCOUNT, reference, "SF1", status or STATUSES[name], now - timedelta(minutes=1), now)
    assert isinstance(said, Callback)
    return said


@dataclass
class Door:
    """The address that couriers call, on moto; each call is counted."""

    client: Client

    def call(self, name: str, said: Callback) -> tuple[HTTPResponse, list[tuple[str, str]]]:
        query = "&".join(f"{key}={value}" for key, value in said.query.items())
        path = f"/v1/callbacks/SHA/{name}" + (f"?{query}" if query else "")
        with counted() as calls:
            answer = self.client.http.request("POST", path, headers=dict(said.headers), body=said.body)
        return answer, [(service, operation) for service, operation, _ in calls]


@pytest.fixture(scope="module")
def door() -> Iterator[Door]:
    from app import app
    from tests.conftest import behind_its_lock

    with behind_its_lock(), pytest.MonkeyPatch.context() as patch:
        make_cloud(patch)
        accounts = {name: {"main": [samples(name).ACCOUNT]} for name in STATUSES}
        clients.client("secretsmanager").put_secret_value(
            SecretId="cordon", SecretString=json.dumps({"couriers": accounts})
        )
        wiring.use(None)
        world = wiring.world()
        enlist.put_market(world, Market.model_validate(MARKET))
        for name in STATUSES:
            courier = {"courier_id": name, "market_id": "SHA", "dialect": name, "account": "main"}
            enlist.put_courier(world, Courier.model_validate(courier))
        with Client(app) as client:
            warm = Door(client)
            for name in STATUSES:  # a process reads the courier and the secrets once
                assert warm.call(name, told(name, "somebody-elses"))[0].status_code == 200
            yield warm
        wiring.use(None)


def test_these_are_all_the_couriers_there_are() -> None:
    assert set(STATUSES) == set(Folder())


@EVERY
def test_to_acknowledge_a_callback_is_one_write_and_one_nudge(door: Door, name: str) -> None:
    answer, calls = door.call(name, told(name))
    assert answer.status_code == 200, answer.body
    assert calls == TAKEN


@EVERY
def test_a_double_is_one_write_that_is_refused_and_a_nudge(door: Door, name: str) -> None:
    said = told(name)
    first, _ = door.call(name, said)
    second, calls = door.call(name, said)
    assert (second.status_code, second.body) == (200, first.body)
    assert calls == TAKEN


@EVERY
def test_a_status_that_nobody_knows_is_acknowledged_like_any_other(door: Door, name: str) -> None:
    answer, calls = door.call(name, told(name, status=samples(name).UNKNOWN_STATUS))
    assert answer.status_code == 200
    assert calls == TAKEN


@EVERY
def test_a_job_that_is_not_ours_is_acknowledged_and_costs_nothing(door: Door, name: str) -> None:
    answer, calls = door.call(name, told(name, "somebody-elses"))
    assert answer.status_code == 200
    assert calls == []


@EVERY
def test_a_callback_of_an_order_that_is_not_here_is_acknowledged_and_poisons_no_queue(
    door: Door, name: str
) -> None:
    answer, calls = door.call(name, told(name))
    assert (answer.status_code, calls) == (200, TAKEN)
    world = wiring.world()
    for _ in range(2):  # a queue may bring it twice
        drive.run(world, Topic.HEAR, GHOST)
    rows = world.table.read(GHOST).rows
    assert rows and all(row.expires_at is not None for row in rows), "it goes by itself"


def unproven(name: str) -> list[Callback]:
    """Forged, spoiled, and nothing like a callback."""
    of, right = samples(name), told(name)
    now = datetime.now(UTC)
    bare = replace(right, query={}, headers={"content-type": "application/json"})
    other = of.told(of.ROTATED, REFERENCE, "SF1", STATUSES[name], now, now)
    return [bare, other, *(replace(bare, body=junk) for junk in (b"{}", b"[[[[", b"\xff\xfe\x00", b"null"))]


@EVERY
def test_what_is_not_proven_is_refused_and_costs_nothing(door: Door, name: str) -> None:
    for said in unproven(name):
        answer, calls = door.call(name, said)
        assert answer.status_code == 401, answer.body
        assert calls == []


@EVERY
def test_junk_that_is_proven_is_refused_and_costs_nothing(door: Door, name: str) -> None:
    of, now = samples(name), datetime.now(UTC)
    enveloped: Callable[..., Callback] = of.enveloped
    for junk in (b"[1, 2]", b"null", b'"text"', b"{" * 2000):
        answer, calls = door.call(name, enveloped(of.ACCOUNT, junk, now))
        assert answer.status_code == 400, (junk, answer.body)
        assert calls == []


PROBE = """
import io, json, sys
from contextlib import redirect_stdout
import app
from chalicelib import wiring
from bench.hearing import Nowhere
from bench.placing import ENVIRONMENT
import dataclasses, os
event, account = json.loads(sys.stdin.read())
os.environ.update(ENVIRONMENT)
class Accounts:
    def accounts(self, dialect, name): return (account,)
nowhere = Nowhere()
wiring.use(dataclasses.replace(wiring.real(), table=nowhere, queues=nowhere, secrets=Accounts()))
with redirect_stdout(io.StringIO()):
    answer = app.app(event, None)
print(json.dumps([answer["statusCode"], nowhere.written, sorted(sys.modules)]))
"""


@EVERY
def test_nothing_is_loaded_for_a_callback_but_the_adapter_of_its_courier(name: str) -> None:
    asked = json.dumps([event_of(name, told(name)), samples(name).ACCOUNT])
    done = subprocess.run(
        [sys.executable, "-c", PROBE], input=asked, capture_output=True, text=True, check=True, cwd=ROOT
    )
    status, written, modules = json.loads(done.stdout.splitlines()[-1])
    assert (status, written) == (200, 1)
    ours = {module for module in modules if module.startswith("chalicelib.couriers.")}
    assert ours == {f"chalicelib.couriers.{name}"}
    assert [module for module in modules if module.startswith(("ortools", "numpy", "itsdangerous"))] == []
    for unasked in ("dispatch", "book", "hear", "tell", "publish"):
        assert f"chalicelib.flows.{unasked}" not in modules
