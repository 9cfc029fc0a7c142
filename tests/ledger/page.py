"""docs/cost.md, written from the ledger of one gift's life."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil

import pytest

from tests.conftest import behind_its_lock
from tests.ledger import bill
from tests.ledger.bill import Item
from tests.ledger.life import CALLBACKS, MINUTES, STATES, Town, live, of_two_kilobytes, town
from tests.ledger.meter import Entry

HEAD = """# What a gift costs

Written by `python -m tests.ledger` from the ledger of one gift's whole life, which the app lives through as it is
deployed, on an emulated AWS; `tests/ledger` holds it to it. One gift, placed to told: five callbacks of the courier,
five notices to the brand, {minutes} minutes. Units are computed as DynamoDB bills them, from the items before and
after. Prices are AWS's list prices in us-east-1 without the free tier (`tests/ledger/prices.py`).

The processes are warm: what they may remember (a market, a courier, a brand's endpoints, for half a minute or a
whole one) another gift of the same brand has just had them read. What a cold one reads besides is at the end.

\\* rests on an assumption, named in `tests/ledger/bill.py`: durations can be measured on AWS only."""


@dataclass(frozen=True)
class Lived:
    """One gift's life, and what was written of it."""

    order_id: str
    told: list[str]
    entries: list[Entry]
    items: list[Item]
    long_writes: float
    """Write units of a gift whose order is 2 KB of JSON."""
    page: str


def lived() -> Lived:
    """Live through one gift, and through one of many words, each in a town of its own; write the page."""
    with _town() as here:
        live(here, "the-long-gift", of_two_kilobytes())
        long_writes = sum(entry.writes for entry in bill.own(here))
    with _town() as here:
        order_id = live(here, "the-gift")
        entries, items = bill.own(here), bill.of_the_gift(here)
        told = [notice["data"]["state"] for notice in here.heard if notice["data"]["order_id"] == order_id]
        page = written(here, MINUTES, long_writes)
    return Lived(order_id, told, entries, items, long_writes, page)


@contextmanager
def _town() -> Iterator[Town]:
    """A town on moto."""
    with pytest.MonkeyPatch.context() as patch, behind_its_lock(), town(patch) as here:
        here.ledger.is_open = True
        yield here


def written(here: Town, minutes: int, long_writes: float) -> str:
    """The page."""
    items = bill.of_the_gift(here)
    total = sum(item.dollars for item in items)
    standing = bill.standing(here, minutes)
    once = sum(item.dollars for item in standing.once)
    each = sum(item.dollars for item in standing.each_market)
    entries = bill.own(here)
    calls = [entry for entry in entries if entry.service == "dynamodb"]
    writes = sum(entry.writes for entry in calls)
    budget_calls = 6 + 3 * len(CALLBACKS) + 2 * len(STATES)
    budget_writes = 20 + 4 * len(CALLBACKS) + 2 * len(STATES)
    return "\n".join(
        [
            HEAD.format(minutes=minutes),
            "",
            f"## A million gifts: {total:.2f} dollars (promised: at most 110)",
            "",
            *_bill(items, "of one gift", "a million gifts"),
            "",
            "## Its calls",
            "",
            f"DynamoDB: **{len(calls)} calls** (promised: at most 6 + 3 a callback + 2 a notice, {budget_calls}), "
            f"**{writes:.0f} write units** (at most 20 + 4 + 2, {budget_writes}). The order of this gift is one unit "
            f"each time it is written; one of 2 KB of JSON, three items with long names in two scripts, is "
            f"{long_writes:.0f} units in its life.",
            "",
            *_calls(entries),
            "",
            f"## While nothing happens: {once:.2f} dollars a month, and {each:.2f} for each market",
            "",
            *_bill(standing.once, "a month", "dollars"),
            "",
            "For each market, with one courier:",
            "",
            *_bill(standing.each_market, "a month", "dollars"),
            "",
            *_markets(here, total, once, each),
            "",
            *_limits(here),
            "",
            "## What a cold process reads besides",
            "",
            "An access key (1 read unit; API Gateway remembers the answer for five minutes), the market, the courier, "
            "the brand's endpoints (1 unit each), the hour's data key (1 unit and a KMS request; once an hour somebody "
            "makes it, 1 write unit), the courier's account (a Secrets Manager request every five minutes), and the "
            "rules: 1 unit for each 4 KB of their chunks. A look at a courier that has been silent for a quarter of an "
            "hour: one request to it, some 4 calls and 4 write units.",
            "",
        ]
    )


def _bill(items: Iterable[Item], count: str, dollars: str) -> list[str]:
    rows = [f"| | {count} | | {dollars} |", "|---|---:|---|---:|"]
    rows += [
        f"| {item.what} | {item.count:,.{_digits(item)}f} | {item.unit} | {item.dollars:.2f} |"
        for item in items
    ]
    return rows


def _digits(item: Item) -> int:
    return 0 if float(item.count).is_integer() or item.count > 1000 else 1 if item.count > 2 else 3


def _calls(entries: Iterable[Entry]) -> list[str]:
    rows = ["| step | call | on | write units | read units | bytes, some |", "|---|---|---|---:|---:|---:|"]
    for entry in entries:
        if entry.service == "sqs":
            continue
        name = entry.operation if entry.service == "dynamodb" else f"{entry.service} {entry.operation}"
        units = (f"{entry.writes:.0f}" if entry.writes else "", f"{entry.reads:g}" if entry.reads else "")
        rows.append(
            f"| {entry.step} | {name} | {entry.what} | {units[0]} | {units[1]} | {ceil(entry.size / 50) * 50} |"
        )
    sent = sum(entry.operation == "SendMessage" for entry in entries)
    return [*rows, "", f"SQS: {sent} messages, each sent, received and deleted."]


def _markets(here: Town, million: float, once: float, each: float) -> list[str]:
    """One, a hundred and a thousand markets, at a thousand gifts a day each."""
    rows = [
        "## Markets",
        "",
        "A thousand gifts a day in each, a quarter of a day's gifts within one hour at the worst.",
        "",
        "| markets | gifts a month | dollars a month | of it standing | gifts a second, worst hour "
        "| workers of `on_tell` * | one sweep, calls * |",
        "|---:|---:|---:|---:|---:|---:|---:|",
    ]
    added = bill.sweep_calls(here)
    telling = bill.took_s(here, "tell")
    for count in (1, 100, 1000):
        gifts = count * 1000 * 30
        stands = once + each * count
        rows.append(
            f"| {count:,} | {gifts:,} | {stands + gifts * million / 1e6:,.0f} | {stands:,.0f} "
            f"| {count * 250 / 3600:.1f} | {ceil(count * 250 / 3600 * telling)} "
            f"| {count * added * bill.AWS_CALL_S:.1f} s |"
        )
    return [
        *rows,
        "",
        "A sweep has 55 s for its calls, which follow one another, and nudges when it has seen every market: one that "
        "does not come that far nudges nobody (the tick is another function), and the alarm `SweepMissing` rings. Beyond "
        f"some {55 / added / bill.AWS_CALL_S:,.0f} markets the schedules have to be split. Workers are for all markets "
        "together: more than are configured (below) make notices late, and lose none.",
    ]


def _limits(here: Town) -> list[str]:
    rows = [
        "## What binds first",
        "",
        "In one market with one shard, one brand and one endpoint, as configured; the nearest limit first.",
        "",
        "| limit | why | gifts a second | gifts a day |",
        "|---|---|---:|---:|",
    ]
    rows += [
        f"| {limit.what} | {limit.why} | {limit.gifts_a_second:,.0f} | {limit.gifts_a_second * 86400:,.0f} |"
        for limit in bill.limits(here)
    ]
    return [
        *rows,
        "",
        "The Lambdas' numbers are `MaximumConcurrency` in `.chalice/resources.yaml`: raise them with the account's "
        "limit (1,000 at a time at first, for all functions). A market has up to 64 shards, each a bucket of its own. "
        "SQS holds at most 120,000 messages in flight in a queue; with 10 messages at a time in each of 10 workers "
        "there are 100.",
    ]
