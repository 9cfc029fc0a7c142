"""One gift's whole life on AWS: every call, and its units, are promises."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ledger.life import CALLBACKS, STATES, Town, live, town
from tests.ledger.meter import Entry


@pytest.fixture
def here(moto: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    with town(monkeypatch) as found:
        yield found


def test_x(here: Town) -> None:
    here.ledger.is_open = True
    order_id = live(here, "the-gift")
    own = [e for e in here.ledger.entries if e.step != "the schedules" and not e.step.endswith("rules")]
    for e in own:
        print(f"{e.step:34} {e.service:9} {e.operation:20} {e.what:50} W{e.writes:<4} R{e.reads:<4} {e.size}")
    ddb = [e for e in own if e.service == "dynamodb"]
    print(len(ddb), sum(e.writes for e in ddb), sum(e.reads for e in ddb), len([e for e in own if e.service=="sqs"]))
    print([n["type"] for n in here.heard])
    assert 0
