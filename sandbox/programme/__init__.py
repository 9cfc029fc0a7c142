"""The gift programme, practice by practice: each file here that does not begin with `_` is one row, played over HTTP
against the running embedded system and ending in a report that can fail.

A row has

    PRACTICE    what brands did, in one line
    play(scene) what happens, told with `scene.tell`, and what must hold, said with `scene.promise`

and, where it needs them, CONDUCT (how courier companies behave), COURIERS (instead of the one that `run.furnish` puts
up), SECRETS (more for the secret store) and beside(clock), a context of whoever else has to be there, which says what
of them goes into the secret store.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).parent


def names() -> list[str]:
    """Every row."""
    return sorted(file.stem for file in HERE.glob("*.py") if not file.stem.startswith("_"))


def row(name: str) -> ModuleType:
    """The row of that name."""
    return importlib.import_module(f"sandbox.programme.{name}")


def main(asked: Sequence[str]) -> int:
    """Play those rows, or all; print each report, and keep it in `.sandbox/programme`. 1 where a promise is broken."""
    from sandbox.programme import _scene

    unknown = sorted(set(asked) - set(names()))
    if unknown:
        print(f"no such row: {', '.join(unknown)}; there are {', '.join(names())}")
        return 2
    broken = []
    for name in asked or names():
        report = _scene.played(name)
        print(report.text(), flush=True)
        if not report.is_kept:
            broken.append(name)
    if broken:
        print(f"\nBROKEN: {', '.join(broken)}")
    return 1 if broken else 0
