"""A package of plug-ins, one a file, as a mapping: each is imported when it is asked for, and only that one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

Noun = TypeVar("Noun")


class Folder(Mapping[str, Noun]):
    """What the files of `package` hold under the name `member`, or None: the files themselves; by their names."""

    def __init__(self, package: str, member: str | None, names: Callable[[], Sequence[str]]) -> None:
        self._package, self._member, self._names = package, member, names

    def __getitem__(self, name: str) -> Noun:
        if name not in self:
            raise KeyError(name)
        from importlib import import_module

        file: Any = import_module(f"{self._package}.{name}")
        found: Noun = file if self._member is None else getattr(file, self._member)
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._names()

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())
