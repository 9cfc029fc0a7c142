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
from rich.cells import cell_len
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


def counted(count: int, one: str, many: str = "") -> str:
    """`1 order`, `2 orders`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def rows(
    found: Iterable[Mapping[str, Any]],
    columns: Sequence[str] = (),
    title: str = "",
    *,
    none: str = "",
) -> int:
    """Several things, and how many they were. `columns`: those of a table; JSON has all there is. `none`: what is said
    beside the data when there is nothing."""
    found = list(found)
    if not found and none:
        note(none)
        if said.output is Output.TABLE:
            return 0
    if said.output is Output.JSON:
        print(json.dumps(found, ensure_ascii=False, indent=2))
    elif said.output is Output.NDJSON:
        for one in found:
            print(json.dumps(one, ensure_ascii=False, separators=(",", ":")))
    else:
        names = list(columns) or list(dict.fromkeys(name for one in found for name in one))
        console = Console(no_color="NO_COLOR" in os.environ)
        table, left_out = fitted(found, names, console.width, title)
        console.print(table)
        if left_out:
            note(
                f"no room for {', '.join(map(_title, left_out))}: a wider terminal, or --output json, has all"
            )
    return len(found)


def fitted(
    found: Sequence[Mapping[str, Any]], names: Sequence[str], width: int, title: str = ""
) -> tuple[Table, list[str]]:
    """A table that is no wider, and the columns that had no room in it.

    An id is never broken: whoever reads it copies it. Of the others, those that say nothing are left out first, then
    the last; the first stays, and what has words in it is folded.
    """
    cells = {name: [_plain(one.get(name)) for one in found] for name in names}
    whole = {name for name in names if name.endswith(WHOLE)}
    need = {
        name: max(
            [cell_len(_title(name))]
            + [cell_len(text) if name in whole else min(FOLDED, cell_len(text)) for text in cells[name]]
        )
        for name in names
    }
    shown, left_out = list(names), []

    def is_too_wide() -> bool:
        return sum(need[name] for name in shown) + 2 * (len(shown) - 1) > width

    spare = [name for name in shown[1:] if name not in whole]
    for name in [name for name in spare if not any(cells[name])] + spare[::-1]:
        if not is_too_wide():
            break
        if name in shown:
            shown.remove(name)
            left_out.append(name)
    table = Table(title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for name in shown:
        table.add_column(_title(name), overflow="fold", no_wrap=name in whole, min_width=need[name])
    for one in found:
        table.add_row(*(_cell(one.get(name)) for name in shown))
    return table, [name for name in names if name in left_out]


WHOLE = ("_id", "key_hash", "url", "hours")
"""How the names of columns end whose cells are not broken."""
FOLDED = 16
"""Characters of any other cell that stand in a line at least, if there are so many."""


def _title(name: str) -> str:
    return name.replace("_", " ")


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
    """As it stands in a table: nothing in it is a colour or a command to the terminal."""
    from rich.markup import escape

    return escape(_plain(value))


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (dict, list)):
        text = (
            ", ".join(map(str, value))
            if isinstance(value, list) and all(isinstance(part, (str, int, float)) for part in value)
            else json.dumps(value, ensure_ascii=False)
        )
    else:
        text = str(value)
    return "".join(char if char.isprintable() else " " for char in text)


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
