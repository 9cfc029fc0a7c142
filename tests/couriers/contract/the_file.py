"""The file."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import get_args

from chalicelib.domain.dialect import Dialect, Trust
from chalicelib.domain.fleet import Proof
from tests.couriers.contract.clause import clause, expect
from tests.couriers.contract.subject import Subject

ROOT = Path(__file__).parents[3]
LIBRARIES = frozenset({"pydantic", "cryptography"})
IMPURE = frozenset({"os", "random", "time", "secrets", "uuid", "socket", "http", "subprocess"})
CLOCKS = frozenset({"now", "utcnow", "today"})
BUILTINS = frozenset({"open", "input", "print", "hash", "id", "eval", "exec", "__import__"})
"""Beside the outside: what differs from one process to the next."""
LONGEST_SETTLE = timedelta(hours=1)


@clause
def it_says_everything_that_a_courier_file_says(subject: Subject) -> None:
    dialect = subject.dialect
    for name in inspect.get_annotations(Dialect):
        expect(hasattr(dialect, name), f"an attribute {name!r}", "there is none")
    expect(
        dialect.name == subject.name, f"the name {subject.name!r}, as the file's", f"it is {dialect.name!r}"
    )
    words = get_args(Trust)
    expect(dialect.trust in words, f"trust to be one of {words!r}", f"it is {dialect.trust!r}")
    expect(
        isinstance(dialect.proofs, frozenset) and all(isinstance(proof, Proof) for proof in dialect.proofs),
        "proofs to be a frozenset of Proof",
        f"they are {dialect.proofs!r}",
    )
    expect(
        isinstance(dialect.settle, timedelta) and timedelta() < dialect.settle <= LONGEST_SETTLE,
        f"settle to be a time of at most {LONGEST_SETTLE}",
        f"it is {dialect.settle!r}",
    )
    expect(
        isinstance(dialect.cancels_by_id, bool),
        "cancels_by_id to be True or False",
        f"it is {dialect.cancels_by_id!r}",
    )
    for name, asked in inspect.getmembers(Dialect, inspect.isfunction):
        if name.startswith("_"):
            continue
        method = getattr(dialect, name, None)
        expect(callable(method), f"a method {name!r}", "there is none")
        theirs = list(inspect.signature(method).parameters)
        ours = list(inspect.signature(asked).parameters)[1:]
        expect(theirs == ours, f"{name}({', '.join(ours)})", f"it is {name}({', '.join(theirs)})")


@clause
def asking_for_one_courier_loads_that_one_only(subject: Subject) -> None:
    script = (
        "import sys; from importlib.util import module_from_spec, spec_from_file_location\n"
        f"spec = spec_from_file_location('tried', {str(subject.file)!r}); tried = module_from_spec(spec)\n"
        "sys.modules['tried'] = tried; spec.loader.exec_module(tried)\n"
        "heavy = {'boto3', 'botocore', 'chalice', 'cryptography', 'urllib3', 'requests'}\n"
        "print(*sorted(n for n in sys.modules if n in heavy or n.startswith('chalicelib.couriers.')))\n"
    )
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    expect(
        done.returncode == 0, "to be imported alone", (done.stderr.strip().splitlines() or ["it died"])[-1]
    )
    loaded = done.stdout.split()
    expect(not loaded, "to be imported with none of the others and nothing heavy", f"it loads {loaded!r}")


@clause
def a_courier_file_is_pure(subject: Subject) -> None:
    tree = ast.parse(subject.file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        line = f"line {getattr(node, 'lineno', 0)}"
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or "."]
        for module in modules:
            top = module.partition(".")[0]
            pure = top in LIBRARIES or module.startswith("chalicelib.domain.")
            pure = pure or (top in sys.stdlib_module_names and top not in IMPURE)
            expect(
                pure, "imports of the domain, pydantic, cryptography and pure modules", f"{line}: {module!r}"
            )
        if isinstance(node, ast.Attribute):
            expect(
                node.attr not in CLOCKS, "the time to be handed in", f"{line}: {node.attr!r} reads a clock"
            )
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            expect(
                node.func.id not in BUILTINS,
                "nothing that reaches outside or differs from run to run",
                f"{line}: {node.func.id}(...)",
            )
