"""`cordon orders`: the queue as the board shows it, one order whole, why it was decided so, and what can be done."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from cli.cordon import console, talk
from cli.cordon.console import Exit, Output, fail

app = typer.Typer(no_args_is_help=True)
COLUMNS = (
    "risk",
    "order_id",
    "state",
    "hours",
    "reference",
    "tier",
    "reasons",
    "courier",
    "brand",
    "district",
)
"""The last have no room in a narrow terminal."""
Market = Annotated[str | None, typer.Option("--market", "-m", help="Absent: the only one.")]
Why = Annotated[str, typer.Option("--reason", "-r", help="For the audit; names nobody.")]


@app.command("list")
def list_(
    market: Market = None,
    risk: Annotated[str | None, typer.Option(help="late, stranded, held, short, astray, back, ...")] = None,
    state: str | None = None,
    tier: str | None = None,
    brand: str | None = None,
    courier: str | None = None,
    district: str | None = None,
    limit: int = 100,
) -> None:
    """Open gifts, the most at risk first."""
    console.rows(
        _queue(
            talk.the_market(market),
            limit,
            risk=risk,
            state=state,
            tier=tier,
            brand=brand,
            courier=courier,
            district=district,
        ),
        COLUMNS,
        none="no open gift is like that",
    )


def _queue(market: str, limit: int, **wanted: str | None) -> list[dict[str, Any]]:
    board = talk.get(f"/v1/markets/{market}/board", "operator")
    clock = ZoneInfo(talk.get(f"/v1/markets/{market}", "operator")["time_zone"])
    asked = {name: value for name, value in wanted.items() if value is not None}
    found = [
        one for one in board["data"] if all(str(one.get(name)) == value for name, value in asked.items())
    ]
    for one in found:
        start, end = (datetime.fromtimestamp(one[name], clock) for name in ("start", "end"))
        until = f"{end:%H:%M}" if end.date() == start.date() else f"{end:%d %b %H:%M}"
        one["hours"] = f"{start:%d %b %H:%M}-{until}"
        one["time_zone"] = clock.key
    if console.said.output is Output.TABLE and found:
        console.note(f"hours are those of {clock.key}")
    return found[:limit]


@app.command()
def show(order_id: str) -> None:
    """One order: where it is, who has had it, and what its courier said."""
    order = talk.get(f"/v1/orders/{order_id}", "operator", "brand")
    if console.said.output is not Output.TABLE:
        console.one(order)
        return
    names = (
        "reference",
        "state",
        "tier",
        "market",
        "courier",
        "handover",
        "reasons",
        "next_look",
        "version",
        "placed_at",
    )
    console.one({"order_id": order_id, **order}, ("order_id", *names))
    console.rows(order["history"], ("at", "state"), "\nIts way")
    console.rows(order["custody"]["stretches"], ("since", "until", "holder", "courier"), "\nCustody")


@app.command()
def watch(
    market: Market = None,
    every: float = 5.0,
    limit: int = 25,
    rounds: Annotated[int, typer.Option(hidden=True)] = 0,
) -> None:
    """The queue, again and again; in a pipe a line for each gift that has changed."""
    from rich.console import Console
    from rich.live import Live

    name = talk.the_market(market)
    if console.said.output is not Output.TABLE:
        seen: dict[str, Any] = {}
        for turn in _turns(rounds):
            now = {one["order_id"]: one for one in _queue(name, 20_000)}
            console.said.output = Output.NDJSON
            console.rows(one for key, one in now.items() if seen.get(key) != one)
            seen = now
            time.sleep(every if turn else 0)
        return
    with Live(console=Console(), screen=False, auto_refresh=False) as live:
        for _ in _turns(rounds):
            title = f"{name}, {datetime.now().astimezone():%H:%M:%S}"
            table, _ = console.fitted(_queue(name, limit), COLUMNS, live.console.width, title)
            live.update(table, refresh=True)
            time.sleep(every)


def _turns(rounds: int) -> Any:
    turn = 0
    while not rounds or turn < rounds:
        turn += 1
        yield 0 if turn == rounds else turn


@app.command()
def evidence(order_id: str, page: Annotated[bool, typer.Option(help="As text for people.")] = False) -> None:
    """Every decision about it, and what each rests on."""
    if page or console.said.output is Output.TABLE:
        text, _ = talk.ask(
            "GET", f"/v1/orders/{order_id}/evidence", "operator", "brand", headers={"Accept": "text/plain"}
        )
        print(text)
        return
    console.rows(talk.get(f"/v1/orders/{order_id}/evidence", "operator", "brand")["data"])


@app.command()
def act(
    order_id: str,
    deed: Annotated[str, typer.Argument(help="redispatch, hold, release, cancel or recall")],
    reason: Why = "",
    hours: Annotated[float, typer.Option(help="Of a hold: for so long from now.")] = 2,
    until: Annotated[str | None, typer.Option(help="Of a hold, instead: until then, with an offset.")] = None,
    not_this_courier: Annotated[bool, typer.Option(help="Of a redispatch.")] = False,
    version: Annotated[
        int | None, typer.Option(help="Of the order as you read it; absent: as it is now.")
    ] = None,
) -> None:
    """Act on an order by hand, with a line in its audit."""
    order, tag = _read(order_id, version)
    if not console.confirm(f"{deed} {order['reference']}, which is {order['state']}"):
        return
    body: dict[str, Any] = {"what": deed, "why": reason}
    if deed == "hold":
        body["until"] = until or (datetime.now(UTC) + timedelta(hours=hours)).isoformat()
    if not_this_courier:
        body["not_this_courier"] = True
    after, _ = talk.ask(
        "POST", f"/v1/orders/{order_id}/deeds", "operator", body=body, headers={"If-Match": tag}
    )
    console.one(after, ("order_id", "state", "version", "reasons"))


@app.command()
def reroute(
    order_id: str,
    to: Annotated[str, typer.Option(help="digital, another (courier), or again (a new attempt)")],
    reason: Why = "",
    start: Annotated[str | None, typer.Option(help="Of `again`: its hours begin, with an offset.")] = None,
    end: str | None = None,
    version: int | None = None,
) -> None:
    """Send it another way: something digital, another courier, or once more in other hours."""
    if to not in ("digital", "another", "again"):
        fail(f"--to: digital, another or again was expected, got {to!r}", Exit.USAGE)
    if to == "again" and (start is None or end is None):
        fail("a new attempt has hours: --start and --end, such as 2022-04-12T09:00:00+08:00", Exit.USAGE)
    order, tag = _read(order_id, version)
    headers = {"If-Match": tag}
    if not console.confirm(f"reroute {order['reference']}, which is {order['state']}, to {to}"):
        return
    if to == "digital":
        after, _ = talk.ask(
            "POST", f"/v1/orders/{order_id}/digital", "operator", body={"action": "send"}, headers=headers
        )
    elif to == "another":
        body = {"what": "redispatch", "why": reason, "not_this_courier": True}
        if order["state"] in ("placed", "held", "relayed"):
            body.pop("not_this_courier")
        after, _ = talk.ask("POST", f"/v1/orders/{order_id}/deeds", "operator", body=body, headers=headers)
    else:
        window = {"start": start, "end": end, "time_zone": order["window"]["time_zone"]}
        after, _ = talk.ask(
            "POST", f"/v1/orders/{order_id}/attempts", "operator", body={"window": window}, headers=headers
        )
    console.one(after, ("order_id", "state", "version", "reasons"))


def _read(order_id: str, version: int | None) -> tuple[dict[str, Any], str]:
    order, headers = talk.ask("GET", f"/v1/orders/{order_id}", "operator")
    tag = next((value for name, value in headers.items() if name.lower() == "etag"), f'"v{order["version"]}"')
    return order, tag if version is None else f'"v{version}"'
