"""`cordon`: the commands, put together."""

from __future__ import annotations

import sys
import tomllib
from typing import Annotated

import typer

from cli.cordon import campaigns, console, couriers, dlq, doctor, keys, orders, sim, zones
from cli.cordon.console import Exit, Output
from cli.cordon.profiles import ROOT

app = typer.Typer(
    name="cordon",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="Gifts through the cordon, from a terminal. Data on standard output, progress on standard error.",
)
app.add_typer(zones.app, name="zones", help="Rules: validate, import, compare, ask.")
app.add_typer(orders.app, name="orders", help="Gifts: list, watch, see why, act.")
app.add_typer(couriers.app, name="couriers", help="Courier companies.")
app.add_typer(campaigns.app, name="campaign", help="One gift for many clients.")
app.add_typer(dlq.app, name="dlq", help="Dead letters.")
app.add_typer(sim.app, name="sim", help="Play a day in virtual time.")
app.add_typer(keys.app, name="keys", help="Keys, and links to the board.")
app.command(name="doctor", help="What is wrong with a deployment, as far as can be seen from here.")(
    doctor.doctor
)


def _told_version(wanted: bool) -> None:
    if wanted:
        about = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        print(f"cordon {about['project']['version']}")
        raise typer.Exit


@app.callback()
def before(
    output: Annotated[
        Output | None, typer.Option("--output", "-o", help="Absent: a table, or JSON lines in a pipe.")
    ] = None,
    profile: Annotated[
        str, typer.Option("--profile", "-p", envvar="CORDON_PROFILE", help="Which deployment.")
    ] = "sandbox",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing; say what would be done.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_told_version, is_eager=True, help="Which one this is, and end."),
    ] = False,
) -> None:
    """Flags that every command knows, before its name."""
    console.said.output = console.chosen(output)
    console.said.profile, console.said.dry_run, console.said.yes = profile, dry_run, yes


FLAGS = {
    "--dry-run": False,
    "--yes": False,
    "-y": False,
    "--output": True,
    "-o": True,
    "--profile": True,
    "-p": True,
}
"""Flags that may stand anywhere, and whether a value follows."""


def forward(arguments: list[str]) -> list[str]:
    """The same, with the flags that every command knows before the command: people put them last."""
    first, rest = [], []
    waiting = iter(arguments)
    for word in waiting:
        if word == "--":
            rest += [word, *waiting]
            break
        name, is_joined, _ = word.partition("=")
        if name not in FLAGS:
            rest.append(word)
        elif FLAGS[name] and not is_joined:
            first += [word, *([value] if (value := next(waiting, None)) is not None else [])]
        else:
            first.append(word)
    return [*first, *rest]


def main(arguments: list[str] | None = None) -> None:
    """Run, and leave with the code that says how it went."""
    try:
        app(forward(sys.argv[1:] if arguments is None else arguments), standalone_mode=True)
    except KeyboardInterrupt:
        sys.exit(int(Exit.INTERRUPTED))
