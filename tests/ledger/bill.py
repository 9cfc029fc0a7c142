"""What the ledger of one gift comes to in dollars, line by line, and what a deployment costs while nothing happens."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

from chalicelib.metrics import MEASURED
from tests.conftest import ROOT
from tests.ledger import prices
from tests.ledger.life import Town
from tests.ledger.meter import Entry

MILLION = prices.MILLION
MARKETS_OWN = ("the schedules", "rules")
"""Steps that a market pays for by the minute, whether or not a gift is on its way."""

AWS_CALL_S = 0.006
"""Assumed: one call of DynamoDB or SQS from a Lambda in the same region."""
COURIER_S = 0.300
"""Assumed: a courier's answer."""
BRAND_S = 0.200
"""Assumed: a webhook receiver's answer."""
OWN_S = 0.005
"""Assumed: what a function computes at its share of a processor (0.3 ms to 1 ms measured on a whole one)."""
ACCESS_LINE = 350
"""Bytes of API Gateway's line in the access log."""
HEADERS = 700
"""Bytes of headers and TLS records that go out with a request or an answer."""


@dataclass(frozen=True)
class Item:
    """One line of the bill, for a million gifts."""

    what: str
    count: float
    unit: str
    dollars: float


def own(here: Town) -> list[Entry]:
    """What was called for the gift: all but the schedules, the rules, and the key check that API Gateway remembers."""
    return [
        entry
        for entry in here.ledger.entries
        if not entry.step.endswith(MARKETS_OWN) and (entry.what, entry.step) != ("key", "place")
    ]


def of_the_gift(here: Town) -> list[Item]:
    """The bill of the gift that the ledger has followed, times a million."""
    entries = own(here)
    runs = [(step, function) for step, function in here.invocations if not step.endswith(MARKETS_OWN)]
    api_calls = sum(function == "api_handler" for _, function in runs)
    writes = sum(entry.writes for entry in entries)
    reads = sum(entry.reads for entry in entries)
    requests = sum(entry.requests for entry in entries if entry.service == "sqs")
    seconds = defaultdict[str, float](float)
    for step, function in runs:
        seconds[function] += OWN_S
        for entry in entries:
            if entry.step == step:
                seconds[function] += _takes_s(entry) / sum(1 for other in runs if other == (step, function))
    memory = _memory_gb()
    gb_s = sum(memory[function] * took for function, took in seconds.items())
    lines = sum(len(line) for step, line in here.lines if not step.endswith(MARKETS_OWN))
    logged = lines + api_calls * ACCESS_LINE  # Lambda itself logs only runs that fail: SystemLogLevel
    out = sum(entry.size + HEADERS for entry in entries if entry.service == "http") + api_calls * HEADERS
    # to the hundred, so that the page does not change with every word of a field
    stored, logged, out = (round(size, -2) for size in (_stored(here), logged, out))
    gb = MILLION / 1e9
    return [
        Item("DynamoDB, write units", writes, "units", writes * prices.WRITE_UNITS * MILLION),
        Item("DynamoDB, read units", reads, "units", reads * prices.READ_UNITS * MILLION),
        Item("DynamoDB, kept for a month with its backup", stored, "bytes",
             stored * gb * (prices.STORED_GB_MONTH + prices.BACKUP_GB_MONTH)),
        Item("SQS, sending, receiving, deleting", requests, "requests", requests * prices.SQS_REQUESTS * MILLION),
        Item("API Gateway", api_calls, "calls", api_calls * prices.API_CALLS * MILLION),
        Item("Lambda, invocations", len(runs), "runs", len(runs) * prices.INVOCATIONS * MILLION),
        Item("Lambda, duration *", round(gb_s, 3), "GB-s", gb_s * prices.GB_SECONDS * MILLION),
        Item("CloudWatch Logs, taken in and kept for a month", logged, "bytes",
             logged * gb * (prices.LOG_GB + prices.LOG_GB_MONTH)),
        Item("to couriers and brands over the internet", out, "bytes", out * gb * prices.SENT_GB),
    ]  # fmt: skip


def _takes_s(entry: Entry) -> float:
    if entry.service == "http":
        return COURIER_S if entry.what == "the courier" else BRAND_S
    if entry.operation in ("ReceiveMessage", "DeleteMessage"):
        return 0.0  # Lambda's own poller does that
    return AWS_CALL_S


def _memory_gb() -> dict[str, float]:
    told = json.loads((ROOT / ".chalice" / "config.json").read_text())["stages"]["prod"]["lambda_functions"]
    return {name: settings["lambda_memory_size"] / 1024 for name, settings in told.items()}


def _stored(here: Town) -> int:
    """Bytes of the gift's rows, with the 100 that DynamoDB counts for each item and each index entry."""
    from chalicelib.aws import clients
    from tests.ledger.meter import INDEXES, size_of

    (order_id,) = {
        notice["data"]["order_id"]
        for notice in here.heard
        if notice["data"]["order_id"] not in here.strangers
    }
    with here.ledger.closed():
        found: list[dict[str, Any]] = clients.client("dynamodb").query(
            TableName="facts",
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": order_id}},
        )["Items"]
    entries = sum(all(name in item for name in names) for item in found for names in INDEXES)
    return sum(size_of(item) + 100 for item in found) + entries * 250


# --- while nothing happens ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Standing:
    """What a month costs without a gift: what there is once, and what each market adds (with one courier)."""

    once: list[Item]
    each_market: list[Item]


def standing(here: Town, minutes: int) -> Standing:
    """Schedules, pollers, keys, alarms and metrics."""
    month = 30 * 24 * 60
    runs = [entry for entry in here.ledger.entries if entry.step.endswith(MARKETS_OWN)]
    dynamodb = [entry for entry in runs if entry.service == "dynamodb"]
    reads = sum(entry.reads for entry in dynamodb) / minutes * month
    writes = sum(entry.writes for entry in dynamodb) / minutes * month
    logged = sum(len(line) for step, line in here.lines if step.endswith(MARKETS_OWN)) / minutes * month
    seconds = (len(dynamodb) / minutes * AWS_CALL_S + 2 * OWN_S) * month
    polls = 5 * 5 * 3 * month
    alarms = _in_template("AWS::CloudWatch::Alarm")
    once, by_market = _metrics()
    return Standing(
        [
            Item("Lambda, schedules *", 2 * month, "runs",
                 2 * month * prices.INVOCATIONS + seconds * 0.5 * prices.GB_SECONDS),
            Item("CloudWatch Logs", round(logged / 1e6), "MB", logged / 1e9 * (prices.LOG_GB + prices.LOG_GB_MONTH)),
            Item("SQS, 5 queues waited at by 5 pollers each, 20 s a wait *", polls, "requests",
                 polls * prices.SQS_REQUESTS),
            Item("alarms", alarms, "alarms", alarms * prices.ALARM_MONTH),
            Item("custom metrics, were every one of them seen", once, "metrics", once * prices.METRIC_MONTH),
            Item("KMS key, two secrets, a dashboard", 4, "pieces",
                 prices.KMS_KEY_MONTH + 2 * prices.SECRET_MONTH + prices.DASHBOARD_MONTH),
        ],
        [
            Item("DynamoDB, schedules and deciding again", reads + writes, "units",
                 reads * prices.READ_UNITS + writes * prices.WRITE_UNITS),
            Item("custom metrics, were every one of them seen", by_market, "metrics",
                 by_market * prices.METRIC_MONTH),
        ],
    )  # fmt: skip


def _metrics() -> tuple[int, int]:
    """Metrics that there are once, and those of each market and its courier."""
    names = {(m.name, by) for measures in MEASURED.values() for m in measures for by in m.by}
    once = sum(by == () for _, by in names)
    return once, len(names) - once


def sweep_calls(here: Town) -> float:
    """Calls of one sweep that another market adds."""
    from chalicelib.domain.places import Market
    from chalicelib.flows import enlist, sweep
    from tests import stage

    def count() -> int:
        ledger, here.ledger.entries = here.ledger.entries, []
        sweep.sweep(here.world)
        found, here.ledger.entries = len(here.ledger.entries), ledger
        return found

    before = count()
    with here.ledger.closed():
        for name in ("BJS", "CAN"):
            enlist.put_market(here.world, Market.model_validate({**stage.MARKET, "market_id": name}))
    return (count() - before) / 2


def _in_template(kind: str) -> int:
    return len(re.findall(rf"Type: {kind}\b", (ROOT / ".chalice" / "resources.yaml").read_text()))


# --- what binds first -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Limit:
    """One limit of AWS or of ours, and how many gifts a second it lets through."""

    what: str
    why: str
    gifts_a_second: float


KEY_WRITES_S = 1000
"""DynamoDB: write units a second that one key of a table or of an index takes."""
SLOT_TRANSACTIONS_S = 50
"""Assumed: transactions of 20 ms each that follow one another on one item; beside one another they conflict."""


def limits(here: Town) -> list[Limit]:
    """The limits in the way of one market, the nearest first."""
    entries = own(here)
    on_wait, on_brand, on_hook = _index_writes(entries)
    took = {topic: took_s(here, topic) for topic in ("book", "hear", "tell")}
    workers = _workers()
    found = [
        Limit(f"Lambda `on_{topic}`, {workers[topic]} at a time",
              f"{seconds:.2f} s of each gift at one of them *", workers[topic] / seconds)
        for topic, seconds in took.items()
    ] + [
        Limit("index `work`, one bucket of a market's shard",
              f"{on_wait} write units a gift of {KEY_WRITES_S} a second", KEY_WRITES_S / on_wait),
        Limit("index `shelf`, the orders of one brand",
              f"{on_brand} write unit a gift of {KEY_WRITES_S} a second", KEY_WRITES_S / on_brand),
        Limit("index `shelf`, the notices of one endpoint",
              f"{on_hook} write units a gift of {KEY_WRITES_S} a second", KEY_WRITES_S / on_hook),
        Limit("one slot's counter", f"{SLOT_TRANSACTIONS_S} transactions a second *, at most 20 gifts each",
              SLOT_TRANSACTIONS_S * 20),
        Limit("the record of one courier", f"{SLOT_TRANSACTIONS_S} transactions a second *, one for each hand-over",
              SLOT_TRANSACTIONS_S),
    ]  # fmt: skip
    return sorted(found, key=lambda limit: limit.gifts_a_second)


def took_s(here: Town, topic: str) -> float:
    """Seconds of one gift at the listener of that queue."""
    runs = sum(1 for step, _ in here.invocations if step.endswith(topic))
    return runs * OWN_S + sum(_takes_s(entry) for entry in own(here) if entry.step.endswith(topic))


def _index_writes(entries: list[Entry]) -> tuple[int, int, int]:
    spread = Counter[str]()
    for entry in entries:
        spread.update(entry.spread)
    return spread["wait"], spread["brand"], spread["hook"]


def _workers() -> dict[str, int]:
    text = (ROOT / ".chalice" / "resources.yaml").read_text()
    return {
        topic: int(re.search(rf"On{topic.title()}SqsEventSource.*?MaximumConcurrency: (\d+)", text, re.S)[1])  # type: ignore[index]
        for topic in ("book", "hear", "tell")
    }
