"""The wire across every way out: counts the calls that pass, says where in the flows each was made, and kills
the process at one of them.

What counts as outside is read off `chalicelib.wiring`: whatever the composition root builds from `chalicelib.aws`.
Today that is the table, the queues, the line, and also the secrets and the sealer: reading a secret and opening
a seal are calls to Secrets Manager and KMS, a function can be killed in them like in any other, and what was done
before them must not be lost either. The solver, the clock, chance and the log stay in the process.

Killed means killed: no `except`, no `finally` of the stopped handler reaches the outside any more, and what the
process remembered is gone.
"""

from __future__ import annotations

import ast
import dataclasses
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

from chalicelib import flows, wiring
from chalicelib.domain.ports import World
from tests.drive import Stopped

FLOWS = Path(flows.__file__).parent


class Site(NamedTuple):
    """One place in the flows that calls the outside: where its call ends in the file names it."""

    module: str
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"chalicelib/flows/{self.module}.py:{self.end_line}"


NOWHERE = Site("", 0, 0)


@cache
def ways() -> tuple[str, ...]:
    """The world's ways out, as the composition root builds them."""
    tree = ast.parse(Path(wiring.__file__).read_text())
    outside = {
        name.asname or name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("chalicelib.aws.")
        for name in node.names
    }
    values = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }

    def is_outside(value: ast.expr) -> bool:
        if isinstance(value, ast.Name):
            return value.id in values and is_outside(values[value.id])
        return isinstance(value, ast.Call) and getattr(value.func, "id", "") in outside

    built = [
        keyword.arg
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == World.__name__
        for keyword in node.keywords
        if is_outside(keyword.value)
    ]
    assert len(built) == len(outside), f"{outside} are built, and {built} of them reach the world"
    return tuple(name for name in built if name is not None)


@cache
def sites() -> dict[Site, str]:
    """Every place in the flows that names a way out, with its text: the innermost call that has it as its object
    or hands it on. What is not in a call at all (`table = world.table`) is a site, too, that no story can pass."""
    found: dict[Site, str] = {}
    for path in sorted(FLOWS.glob("*.py")):
        for node, calls in _with_calls(ast.parse(path.read_text()), ()):
            if isinstance(node, ast.Attribute) and node.attr in ways():
                at = next((call for call in reversed(calls) if _is_of(node, call)), node)
                found[Site(path.stem, at.end_lineno or 0, at.end_col_offset or 0)] = ast.unparse(at)[:70]
    return found


def _with_calls(node: ast.AST, calls: tuple[ast.Call, ...]) -> Iterator[tuple[ast.AST, tuple[ast.Call, ...]]]:
    yield node, calls
    inside = (*calls, node) if isinstance(node, ast.Call) else calls
    for child in ast.iter_child_nodes(node):
        yield from _with_calls(child, inside)


def _is_of(way: ast.Attribute, call: ast.Call) -> bool:
    chain: ast.AST = call.func
    while isinstance(chain, ast.Attribute):
        if chain is way:
            return True
        chain = chain.value
    return any(way is given for given in (*call.args, *(keyword.value for keyword in call.keywords)))


@cache
def _spans(code: CodeType) -> tuple[tuple[int | None, int | None, int | None, int | None], ...]:
    return tuple(code.co_positions())


@cache
def _is_flow(file: str) -> str:
    path = Path(file)
    return path.stem if path.parent == FLOWS else ""


def site_of(frame: FrameType | None) -> Site:
    """The innermost place in the flows that this call came from."""
    while frame is not None:
        module = _is_flow(frame.f_code.co_filename)
        if module:
            _, end_line, _, end_column = _spans(frame.f_code)[frame.f_lasti // 2]
            return Site(module, end_line or 0, end_column or 0)
        frame = frame.f_back
    return NOWHERE


class Call(NamedTuple):
    """One call that passed."""

    name: str
    """`table.write`, `line.send`, ..."""
    site: Site


class Tripwire:
    """Counts the calls that pass, and kills the process at one of them, or at two."""

    def __init__(self) -> None:
        self.count = 0
        self.stops: list[tuple[int, bool]] = []
        """Calls to be killed at, by their number; True: after the call."""
        self.dead = False
        self.watch: Callable[[Call], None] | None = None
        self.meanwhile: Callable[[str], None] = lambda when: None
        """Told `before table.write` and so on: what others do between two calls of a handler."""

    def around(self, world: World) -> World:
        """The same world, with the wire across every way out."""
        return dataclasses.replace(world, **{way: _Wired(getattr(world, way), way, self) for way in ways()})

    def passing(self, name: str, call: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        if self.dead:
            raise Stopped
        self.meanwhile(f"before {name}")
        number = self.count
        self.count += 1
        if self.watch is not None:
            self.watch(Call(name, site_of(sys._getframe(2))))
        if self.stops and self.stops[0] == (number, False):
            self.kill()
        try:
            return call(*args, **kwargs)
        finally:
            if self.stops and self.stops[0] == (number, True):
                self.kill()
            self.meanwhile(f"after {name}")

    def kill(self) -> None:
        """Nothing of this process reaches the outside any more."""
        self.dead = True
        self.stops.pop(0)
        raise Stopped

    def revive(self) -> None:
        """Another process takes over."""
        self.dead = False


class _Wired:
    def __init__(self, inner: Any, name: str, wire: Tripwire) -> None:
        self._inner, self._name, self._wire = inner, name, wire

    def __getattr__(self, verb: str) -> Any:
        found = getattr(self._inner, verb)
        if not callable(found):
            return found
        name, wire = f"{self._name}.{verb}", self._wire

        def call(*args: Any, **kwargs: Any) -> Any:
            return wire.passing(name, found, args, kwargs)

        self.__dict__[verb] = call
        return call
