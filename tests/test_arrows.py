"""What import-linter cannot hold: the pure rooms import nothing of the standard library that gives time, chance or
the environment, and never read a clock. Time, ids and randomness come in as arguments."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PURE = ("domain", "flows", "couriers", "channels", "pages")
FORBIDDEN = {
    "boto3",
    "botocore",
    "chalice",
    "urllib3",
    "os",
    "random",
    "time",
    "secrets",
    "socket",
    "subprocess",
}
CLOCKS = {
    *((owner, name) for owner in ("datetime", "date") for name in ("now", "utcnow", "today")),
    *(("time", name) for name in ("time", "time_ns", "monotonic", "perf_counter")),
    *(("uuid", name) for name in ("uuid1", "uuid4")),
}
FILES = sorted(file for room in PURE for file in (ROOT / "chalicelib" / room).rglob("*.py"))


def breaches(source: str) -> Iterator[str]:
    """Every forbidden import and clock of a file, each with its line."""
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        for name in names:
            if name.partition(".")[0] in FORBIDDEN:
                yield f"line {node.lineno} imports {name}"
        if isinstance(node, ast.Attribute):
            owner = (
                node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            )
            if (owner, node.attr) in CLOCKS:
                yield f"line {node.lineno} reads {owner}.{node.attr}"


def test_the_pure_rooms_are_found() -> None:
    assert {file.relative_to(ROOT / "chalicelib").parts[0] for file in FILES} == set(PURE)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT / "chalicelib")))
def test_a_pure_file_reads_no_clock_no_chance_and_no_environment(file: Path) -> None:
    assert list(breaches(file.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "source",
    [
        "import os",
        "import os.path",
        "from random import choice",
        "def f():\n    from time import time",
        "import datetime\nx = datetime.datetime.now()",
        "from datetime import datetime\nf = datetime.utcnow",
        "from datetime import date\nx = date.today()",
        "import uuid\nx = uuid.uuid4()",
    ],
)
def test_the_check_itself_bites(source: str) -> None:
    assert len(list(breaches(source))) == 1


def test_a_clock_that_was_handed_in_may_be_asked() -> None:
    assert list(breaches("def f(world):\n    return world.clock()")) == []
