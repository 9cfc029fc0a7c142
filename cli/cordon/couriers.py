"""`cordon couriers`: who can be asked, and who is left in peace."""

from __future__ import annotations

from typing import Any

import typer

from cli.cordon import console, talk
from cli.cordon.orders import Market

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_(market: Market = None) -> None:
    """Every courier company, with its breaker, its record and the places it has left."""
    name = talk.the_market(market)
    fleet = talk.get(f"/v1/markets/{name}/fleet", "operator", "source")
    breakers = {one["courier_id"]: one for one in fleet.get("breakers", ())}
    left: dict[str, int] = {}
    for slot in fleet["slots"]:
        left[slot["courier_id"]] = left.get(slot["courier_id"], 0) + fleet["left"].get(slot["slot_id"], 0)
    found = []
    for courier in fleet["couriers"]:
        key = courier["courier_id"]
        breaker, record = breakers.get(key, {}), fleet.get("records", {}).get(key, {})
        found.append(
            {
                "courier_id": key,
                "dialect": courier["dialect"],
                "suspended": courier.get("suspended", False),
                "left_in_peace_until": breaker.get("until"),
                "failures": breaker.get("failures", 0),
                "places_left": left.get(key, 0),
                "on_time": record.get("on_time", 0),
                "late": record.get("late", 0),
            }
        )
    console.rows(found, none=f"no courier in {name}")


@app.command()
def suspend(courier_id: str, market: Market = None) -> None:
    """Plan nothing more for a courier; what it has it keeps."""
    _state(courier_id, market, suspended=True)


@app.command()
def resume(courier_id: str, market: Market = None) -> None:
    """Plan for it again."""
    _state(courier_id, market, suspended=False)


def _state(courier_id: str, market: str | None, *, suspended: bool) -> None:
    name = talk.the_market(market)
    path = f"/v1/markets/{name}/couriers/{courier_id}"
    courier: dict[str, Any] = talk.get(path, "operator", "source")
    if courier.get("suspended", False) is suspended:
        console.note(f"{courier_id} is {'suspended' if suspended else 'asked'} already")
        console.one(courier)
        return
    if not console.confirm(f"{'suspend' if suspended else 'resume'} {courier_id} in {name}"):
        return
    after, _ = talk.ask("PUT", path, "operator", "source", body={**courier, "suspended": suspended})
    console.one(after)
