"""What every command shares: data on standard output and everything else on standard error, one shape of it a flag, and
an end that a script can read.

0 ok · 1 failure · 2 usage · 3 something was validated and is wrong · 4 not found · 5 conflict or precondition ·
6 done in part · 130 interrupted
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table


class Exit(IntEnum):
    """How a command ends."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    WRONG = 3
    MISSING = 4
    CONFLICT = 5
    PARTLY = 6
    INTERRUPTED = 130


class Output(StrEnum):
    """How data is written."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"


@dataclass
class Said:
    """What the flags before the command said."""

    output: Output
    profile: str
    dry_run: bool = False
    yes: bool = False


said = Said(Output.TABLE, "sandbox")


def chosen(output: Output | None) -> Output:
    """The shape asked for; unasked, a table for people and JSON lines for whatever reads a pipe."""
    if output is not None:
        return output
    return Output.TABLE if sys.stdout.isatty() else Output.NDJSON


def progress_console() -> Console:
    return Console(stderr=True, no_color="NO_COLOR" in os.environ)


def note(text: str) -> None:
    """A word for people, beside the data."""
    progress_console().print(text, highlight=False, markup=False, soft_wrap=True)


def fail(text: str, code: Exit = Exit.FAILURE) -> NoReturn:
    """End with a word that says what is wrong."""
    note(f"cordon: {text}")
    raise typer.Exit(int(code))


def rows(found: Iterable[Mapping[str, Any]], columns: Sequence[str] = (), title: str = "") -> int:
    """Several things, and how many they were. `columns`: those of a table; JSON has all there is."""
    found = list(found)
    if said.output is Output.JSON:
        print(json.dumps(found, ensure_ascii=False, indent=2))
    elif said.output is Output.NDJSON:
        for one in found:
            print(json.dumps(one, ensure_ascii=False, separators=(",", ":")))
    else:
        names = list(columns) or list(dict.fromkeys(name for one in found for name in one))
        table = Table(
            title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False
        )
        for name in names:
            table.add_column(name.replace("_", " "), overflow="fold")
        for one in found:
            table.add_row(*(_cell(one.get(name)) for name in names))
        Console(no_color="NO_COLOR" in os.environ).print(table)
    return len(found)


def one(found: Mapping[str, Any], columns: Sequence[str] = ()) -> None:
    """One thing."""
    if said.output is Output.TABLE:
        table = Table(box=None, show_header=False, pad_edge=False)
        for name in columns or found:
            table.add_row(name.replace("_", " "), _cell(found.get(name)))
        Console(no_color="NO_COLOR" in os.environ).print(table)
    else:
        print(json.dumps(found, ensure_ascii=False, indent=2 if said.output is Output.JSON else None))


def _cell(value: Any) -> str:
    from rich.markup import escape

    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        text = (
            ", ".join(map(str, value))
            if isinstance(value, list) and all(isinstance(part, (str, int, float)) for part in value)
            else json.dumps(value, ensure_ascii=False)
        )
    else:
        text = str(value)
    return escape("".join(char if char.isprintable() else " " for char in text))


def confirm(what: str) -> bool:
    """True when it may be done: nobody is asked in a dry run, nor where nobody could answer."""
    if said.dry_run:
        note(f"would {what} (--dry-run: nothing was written)")
        return False
    if said.yes:
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        fail(f"to {what} from a script, say --yes", Exit.USAGE)
    if not typer.confirm(f"{what[:1].upper()}{what[1:]}, in the profile {said.profile!r}?", err=True):
        raise typer.Exit(int(Exit.FAILURE))
    return True


@contextmanager
def progress(what: str, total: float | None = None) -> Iterator[Any]:
    """A bar on standard error; nothing where that is no terminal. Yields a function: how far it is."""
    console = progress_console()
    if not console.is_terminal:
        note(what)
        yield lambda done, total=None, text=None: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=total)

        def told(done: float, total: float | None = None, text: str | None = None) -> None:
            changes: dict[str, Any] = {"completed": done}
            if total is not None:
                changes["total"] = total
            if text is not None:
                changes["description"] = text
            bar.update(task, **changes)

        yield told
