"""`cordon campaign`: one gift for many clients, with a dry run before anything is sent. Speaks with the brand's key."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.cordon import console, talk
from cli.cordon.console import Exit, fail

app = typer.Typer(no_args_is_help=True)
WORKING = ("gathering", "planning", "placing", "cancelling")


def _wait(campaign_id: str, what: str) -> dict[str, Any]:
    with console.progress(what) as so_far:
        found: dict[str, Any] = talk.until(
            lambda: talk.get(f"/v1/campaigns/{campaign_id}", "brand"),
            lambda seen: seen["state"] not in WORKING,
            lambda seen: so_far(seen.get("placed", 0) or seen.get("gathered", 0), text=seen["state"]),
        )
    return found


@app.command()
def plan(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The campaign as JSON.")],
) -> None:
    """Gather its clients and foresee who could get it. Nothing is sent; the same file again is the same campaign."""
    raw = file.read_bytes()
    try:
        body = json.loads(raw)
    except ValueError as error:
        fail(f"{file} is not JSON: {error}", Exit.WRONG)
    if not isinstance(body, dict):
        fail(f"{file}: an object was expected", Exit.WRONG)
    if console.said.dry_run:
        console.confirm(f"plan the campaign {body.get('reference')}")
        return
    body["at_once"] = False
    key = f"cordon-{hashlib.sha256(raw).hexdigest()[:32]}"
    begun, _ = talk.ask("POST", "/v1/campaigns", "brand", body=body, headers={"Idempotency-Key": key})
    console.one(_wait(begun["campaign_id"], "planning"))


@app.command()
def place(
    campaign_id: str, wait: Annotated[bool, typer.Option(help="Stay until it is placed.")] = True
) -> None:
    """Place it, or go on after a pause: an order for each client, and for nobody two."""
    seen = talk.get(f"/v1/campaigns/{campaign_id}", "brand")
    if not console.confirm(
        f"place the campaign {seen.get('reference', campaign_id)}, which is {seen['state']}"
    ):
        return
    talk.ask("POST", f"/v1/campaigns/{campaign_id}/place", "brand")
    console.one(_wait(campaign_id, "placing") if wait else talk.get(f"/v1/campaigns/{campaign_id}", "brand"))


@app.command()
def report(
    campaign_id: str, fresh: Annotated[bool, typer.Option(help="Have a new one made.")] = True
) -> None:
    """How its orders stand: by state, tier, district and reason."""
    if fresh and not console.said.dry_run:
        talk.ask("POST", f"/v1/campaigns/{campaign_id}/report", "brand")
    console.one(talk.get(f"/v1/campaigns/{campaign_id}/report", "brand"))


@app.command("list")
def list_() -> None:
    """Your campaigns, the last begun first."""
    console.rows(
        talk.pages("/v1/campaigns", "brand"),
        ("campaign_id", "reference", "state", "day", "begun_at"),
        none="no campaigns",
    )
