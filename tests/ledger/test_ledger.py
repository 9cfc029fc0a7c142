"""One gift's whole life on AWS: every call and its units are promises, and docs/cost.md is what they come to."""

from __future__ import annotations

import re
import sys
from collections import Counter

import pytest

from tests.ledger.__main__ import PAGE
from tests.ledger.life import CALLBACKS, STATES
from tests.ledger.page import Lived, lived

A_SIZE = re.compile(r"\| (\d*[05]0) \|$", re.MULTILINE)
"""Sizes are rounded up to 50 bytes, and packed they differ by a byte from run to run: one step apart is the same."""


@pytest.fixture(scope="module")
def life() -> Lived:
    return lived()


def test_a_gifts_whole_life_takes_no_more_calls_and_units_than_promised(life: Lived) -> None:
    assert life.told == list(STATES), "it is a whole life, and nothing is told twice"
    for entry in life.entries:
        units = f"{entry.writes:g} written {entry.reads:g} read" if entry.service == "dynamodb" else ""
        sys.stdout.write(
            f"{entry.step:28} {entry.service:9} {entry.operation:20} {entry.what:44} {units:24} {entry.size} B\n"
        )
    calls = [entry for entry in life.entries if entry.service == "dynamodb"]
    assert len(calls) <= 6 + 3 * len(CALLBACKS) + 2 * len(STATES)
    assert sum(entry.writes for entry in calls) <= 20 + 4 * len(CALLBACKS) + 2 * len(STATES)
    assert {entry.service for entry in life.entries} == {"dynamodb", "sqs", "http"}, "keys are remembered"


def test_a_million_gifts_cost_at_most_110_dollars(life: Lived) -> None:
    assert all(item.dollars > 0 for item in life.items), "every part of the bill is counted"
    assert sum(item.dollars for item in life.items) <= 110


def test_every_message_that_is_sent_is_received_and_deleted_once(life: Lived) -> None:
    counted = Counter(entry.operation for entry in life.entries if entry.service == "sqs")
    assert set(counted) == {"SendMessage", "ReceiveMessage", "DeleteMessage"}
    assert len(set(counted.values())) == 1


def test_the_cost_page_says_what_the_ledger_says(life: Lived) -> None:
    written = PAGE.read_text()
    assert A_SIZE.sub("|", written) == A_SIZE.sub("|", life.page), "python -m tests.ledger writes it"
    sizes = zip(A_SIZE.findall(written), A_SIZE.findall(life.page), strict=True)
    assert all(abs(int(one) - int(other)) <= 50 for one, other in sizes), "python -m tests.ledger writes it"
