"""`cordon keys`: keys for programs, links for people at the board. The first key of a deployment is made by
`python -m cli.keys`, for whoever makes one over HTTP has one already."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.cordon import console, talk

app = typer.Typer(no_args_is_help=True)


@app.command()
def create(
    role: Annotated[str, typer.Option(help="brand, associate, operator, source or partner")],
    owner: Annotated[str, typer.Option(help="A brand's key has the brand as its owner.")],
    market: Annotated[list[str] | None, typer.Option(help="Of a source: all it may see and change.")] = None,
) -> None:
    """A new key; its secret is shown this once."""
    if not console.confirm(f"make a key with the role {role} for {owner}"):
        return
    body = {"role": role, "owner": owner} | ({"markets": market} if market else {})
    console.one(talk.ask("POST", "/v1/keys", "operator", body=body)[0])


@app.command()
def disable(key_hash: str) -> None:
    """A key opens nothing more, within five minutes."""
    if console.confirm(f"disable the key {key_hash[:12]}…"):
        console.one(talk.ask("DELETE", f"/v1/keys/{key_hash}", "operator")[0])


@app.command()
def link(who: Annotated[str, typer.Argument(help="The name that will stand in the log.")]) -> None:
    """A way to the board: open it in a browser within a quarter of an hour; it is good once."""
    if not console.confirm(f"make a link to the board for {who}") and console.said.dry_run:
        return
    made = talk.ask("POST", "/v1/board/links", "operator", body={"who": who})[0]
    if console.said.output is console.Output.TABLE:
        print(made["url"])
        console.note(f"for {made['who']}, until {made['expires_at']}")
    else:
        console.one(made)


@app.command("turn-away")
def turn_away(who: str) -> None:
    """End every session that this dispatcher has open."""
    if console.confirm(f"end the sessions of {who}"):
        talk.ask("DELETE", f"/v1/board/dispatchers/{who}", "operator")
        console.note(f"{who} needs another link now")
