"""`cordon doctor`: what is wrong with a deployment, as far as can be seen from here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import typer

from cli.cordon import console, talk
from cli.cordon.console import Exit, counted
from cli.cordon.profiles import profile

OLD = timedelta(hours=24)


def doctor() -> None:
    """Look at everything; ends with 3 where something is wrong."""
    found: list[dict[str, Any]] = []

    def saw(what: str, is_well: bool, words: str, of: str = "") -> None:
        found.append({"well": "yes" if is_well else "NO", "what": what, "of": of, "words": words})

    here = profile(console.said.profile)
    document = talk.get("/openapi.json", "operator")
    saw("address", True, f"{here.url} answers, API {document['info']['version']}", here.name)
    if not here.url.startswith("https://") and "127.0.0.1" not in here.url and "localhost" not in here.url:
        saw("address", False, "keys travel in clear: https was expected", here.name)
    markets = talk.get("/v1/markets", "operator")["data"]
    saw("markets", bool(markets), counted(len(markets), "market"))
    now = datetime.now(UTC)
    for market in markets:
        _market(market["market_id"], now, saw)
    console.rows(found, ("well", "what", "of", "words"))
    wrong = sum(one["well"] == "NO" for one in found)
    if wrong:
        console.note(f"{wrong} of {len(found)} want looking at")
        raise typer.Exit(int(Exit.WRONG))


def _market(name: str, now: datetime, saw: Any) -> None:
    fleet = talk.get(f"/v1/markets/{name}/fleet", "operator")
    saw(
        "fleet",
        bool(fleet["slots"]),
        ", ".join(counted(len(fleet[f"{noun}s"]), noun) for noun in ("courier", "crew", "slot")),
        name,
    )
    ahead = [slot for slot in fleet["slots"] if datetime.fromisoformat(slot["window"]["end"]) > now]
    left = sum(fleet["left"].get(slot["slot_id"], 0) for slot in ahead)
    saw("places", left > 0, f"{counted(left, 'place')} left from now on", name)
    for breaker in fleet.get("breakers", ()):
        if breaker.get("until") and datetime.fromisoformat(breaker["until"]) > now:
            saw(
                "courier",
                False,
                f"{breaker['courier_id']} does not answer, left in peace until {breaker['until']}",
                name,
            )
    for courier in fleet["couriers"]:
        if courier.get("suspended"):
            saw("courier", False, f"{courier['courier_id']} is suspended", name)
    try:
        rules = talk.get(f"/v1/markets/{name}/rules", "operator")
    except typer.Exit:
        saw("rules", False, "none were ever published, and where nobody has ruled nothing is sent", name)
        return
    age = now - datetime.fromisoformat(rules["published_at"])
    is_fresh = age < timedelta(hours=rules["stale_after_hours"])
    saw(
        "rules",
        is_fresh,
        f"version {rules['version']}, {counted(rules['zones'], 'zone')}, "
        f"published {age.total_seconds() / 3600:.1f} h ago",
        name,
    )
    board = talk.get(f"/v1/markets/{name}/board", "operator")
    saw("late", board["late"] == 0, f"{board['late']} late of {board['open']} open", name)
    saw("stranded", board["stranded"] == 0, f"{board['stranded']} stranded", name)
    letters = board["dead_letters"]
    saw(
        "dead letters",
        not letters,
        ", ".join(f"{topic} {n}" for topic, n in sorted(letters.items())) or "none",
        name,
    )
    suspicions = talk.get(f"/v1/markets/{name}/suspicions", "operator")["data"]
    saw(
        "suspicions",
        not suspicions,
        f"{counted(len(suspicions), 'place')} that couriers could not get into",
        name,
    )
