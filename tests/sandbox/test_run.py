"""`make run`, all of it but Ctrl-C: the packaged template on the embedded AWS, in real time, and the README's curl."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import urllib3

from chalicelib.domain.keys import Role
from sandbox import run
from sandbox.client import Client

README = Path(__file__).resolve().parents[2] / "README.md"
PATIENCE_S = 240.0


def curl(up: run.Up, tmp_path: Path) -> dict[str, Any]:
    """The README's first command, as somebody would paste it."""
    command = run.CURL.format(order=".sandbox/order.json")
    assert command in README.read_text(encoding="utf-8")
    told = {**os.environ, "CORDON": up.url, "BRAND_KEY": up.keys[Role.BRAND], "GIFT": up.gift}
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        env=told,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.long
@pytest.mark.skipif(shutil.which("curl") is None, reason="the README's command is curl")
def test_the_readmes_order_is_placed_booked_and_delivered_and_the_brand_is_told(
    own_environment: None, tmp_path: Path
) -> None:
    with run.up(tmp_path / ".sandbox") as up:
        first = curl(up, tmp_path)
        assert first["state"] == "placed", first
        assert curl(up, tmp_path) == first, "the same key and body again: the same answer"
        pool = urllib3.PoolManager()
        brand = Client(up.url, up.keys[Role.BRAND], pool)
        until, order = time.monotonic() + PATIENCE_S, first
        while order["state"] != "delivered" and time.monotonic() < until:
            time.sleep(2)
            order = brand("GET", f"/v1/orders/{first['order_id']}")
        states = [step["state"] for step in order["history"]]
        assert order["state"] == "delivered", states
        assert states[:4] == ["placed", "assigned", "booked", "picked_up"]
        pieces = brand("GET", f"/v1/orders/{first['order_id']}/evidence")["data"]
        assert {piece["decision"] for piece in pieces} == {"yes"}
        (hook,) = brand("GET", "/v1/webhooks")["data"]
        told: set[str] = set()
        while "delivered" not in told and time.monotonic() < until:
            notices = brand("GET", f"/v1/webhooks/{hook['endpoint_id']}/attempts")["data"]
            told = {notice["order_state"] for notice in notices if notice["state"] == "delivered"}
            time.sleep(0.5)
        assert "delivered" in told
        page = brand("GET", "/v1/orders?limit=1")
        assert page["data"][0]["order_id"] == first["order_id"]
        pool.clear()
