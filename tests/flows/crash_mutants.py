"""Bugs that nobody chose: random edits of the flows, each asked of the crash test.

    python -m tests.flows.crash_mutants --seed 1 --count 30

A nudge is left out, a step is taken before the one it follows, a condition is dropped or always met, a change is
missing from its transaction. For each it says whether the undisturbed stories found it, or a stop, or nobody.
What nobody finds is either harmless or a gap; `docs/crash-test.md` says what became of those that were looked at.
"""

from __future__ import annotations

import argparse
import ast
import copy
import dataclasses
import itertools
import random
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

from tests.flows.crash_bugs import brought_back, caught
from tests.flows.crash_play import Play, Played, reading_once, record
from tests.flows.crash_stories import STORIES
from tests.flows.crash_wire import FLOWS

MODULES = (
    "book",
    "cancel",
    "dispatch",
    "hear",
    "place",
    "publish",
    "rezone",
    "sweep",
    "tell",
    "check",
    "lease",
)
DEEP = 12
"""Stories that are stopped for one mutant; all that come by its function are played undisturbed."""


def mutants(module: str) -> Iterator[tuple[str, str, str]]:
    """The function, what was done to it, and the module's source with it."""
    tree = ast.parse((FLOWS / f"{module}.py").read_text())
    for function in [node for node in tree.body if isinstance(node, ast.FunctionDef)]:
        for path, what in _edits(function):
            other = copy.deepcopy(tree)
            target = next(n for n in other.body if isinstance(n, ast.FunctionDef) and n.name == function.name)
            _apply(target, path, what)
            yield function.name, _told(function, path, what), ast.unparse(ast.fix_missing_locations(other))


def _nodes(function: ast.FunctionDef) -> list[ast.AST]:
    return list(ast.walk(function))


def _edits(function: ast.FunctionDef) -> Iterator[tuple[int, str]]:
    for number, node in enumerate(_nodes(function)):
        if isinstance(node, ast.Expr) and ".nudge(" in ast.unparse(node):
            yield number, "left out"
        if isinstance(node, ast.If):
            yield number, "always"
            yield number, "never"
        if isinstance(node, ast.BoolOp):
            yield number, "without its first"
            yield number, "without its last"
        if (
            isinstance(node, ast.Call)
            and ast.unparse(node.func).endswith("table.write")
            and len(node.args) > 1
        ):
            yield number, "without its last change"
        for body in _bodies(node):
            for at, (one, two) in enumerate(itertools.pairwise(body)):
                if (
                    _reaches(one)
                    and _reaches(two)
                    and not isinstance(two, ast.Return)
                    and not _needs(two, one)
                ):
                    yield number, f"swapped {at}"


def _bodies(node: ast.AST) -> list[list[ast.stmt]]:
    return [body for name in ("body", "orelse") if isinstance(body := getattr(node, name, None), list)]


def _reaches(statement: ast.stmt) -> bool:
    return "world" in ast.unparse(statement) and not isinstance(statement, ast.FunctionDef)


def _needs(two: ast.stmt, one: ast.stmt) -> bool:
    """Whether it reads what the other names: swapped, it would fail at once."""
    names = {
        node.id for node in ast.walk(one) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    return any(isinstance(node, ast.Name) and node.id in names for node in ast.walk(two))


def _apply(function: ast.FunctionDef, number: int, what: str) -> None:
    node: Any = _nodes(function)[number]
    if what == "left out":
        node.value = ast.Constant(None)
    elif what in ("always", "never"):
        node.test = ast.Constant(what == "always")
    elif what == "without its first":
        node.values = node.values[1:]
    elif what == "without its last":
        node.values = node.values[:-1]
    elif what == "without its last change":
        node.args = node.args[:-1]
    else:
        at = int(what.split()[1])
        body = next(b for b in _bodies(node) if len(b) > at + 1 and _reaches(b[at]) and _reaches(b[at + 1]))
        body[at], body[at + 1] = body[at + 1], body[at]


def _told(function: ast.FunctionDef, number: int, what: str) -> str:
    node = _nodes(function)[number]
    text = ast.unparse(node.test if isinstance(node, ast.If) else node).splitlines()[0][:100]
    return f"{function.name}: `{text}` {what}"


def passers() -> dict[tuple[str, str], list[str]]:
    """By module and function: the stories that come by, the shortest first."""
    seen: dict[tuple[str, str], dict[str, int]] = {}
    for name, story in STORIES.items():
        came: set[tuple[str, str]] = set()

        def look(frame: FrameType, event: str, arg: object, came: set[tuple[str, str]] = came) -> None:
            if event == "call" and frame.f_code.co_filename.startswith(str(FLOWS)):
                came.add((Path(frame.f_code.co_filename).stem, frame.f_code.co_qualname.split(".")[0]))

        def from_here(play: Play, look: Any = look) -> None:
            sys.setprofile(look)  # what the opening comes by is not stopped

        try:
            first = record(dataclasses.replace(story, steps=(from_here, *story.steps)))
        finally:
            sys.setprofile(None)
        for place in came:
            seen.setdefault(place, {})[name] = len(first.stops)
    return {place: sorted(names, key=lambda n: names[n]) for place, names in seen.items()}


def verdict(module: str, source: str, stories: list[str]) -> str:
    """Who found it."""
    with brought_back(import_module(f"chalicelib.flows.{module}"), source):
        for name in stories:
            said = caught(STORIES[name], undisturbed=True)
            if said:
                return f"undisturbed, {name}: {said[:160]}"
        played = Played()
        for name in stories[:DEEP]:
            said = caught(STORIES[name], played=played)
            if said:
                return f"stopped, {name}: {said[:240]}"
    return ""


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    told = argparse.ArgumentParser()
    told.add_argument("--seed", type=int, default=1)
    told.add_argument("--count", type=int, default=30)
    told.add_argument(
        "--order", action="store_true", help="only what is left out, swapped or not in its transaction"
    )
    given = told.parse_args()
    chance = random.Random(given.seed)
    known = [(module, *mutant) for module in MODULES for mutant in mutants(module)]
    if given.order:
        known = [one for one in known if one[2].endswith((" left out", " change")) or " swapped " in one[2]]
    found = {"undisturbed": 0, "stopped": 0, "nobody": 0}
    with reading_once():
        by_place = passers()
        for module, function, what, source in chance.sample(known, given.count):
            said = verdict(module, source, by_place.get((module, function), []))
            who = said.split(",")[0] if said else "nobody"
            found[who] += 1
            say(f"{who:12} {module}.{what}\n             {said}")
    say(f"of {len(known)} possible edits {given.count}: {found}")


if __name__ == "__main__":
    main()
