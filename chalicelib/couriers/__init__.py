"""One file per courier: its whole language, pure.

A file here holds one class that satisfies `domain.dialect.Dialect`, and `dialect = ThatClass()`. Its name is
what `Courier.dialect` says. Dropping a file in is all it takes: `Folder` finds it, and the shared contract
test in `tests/couriers/` asks the same of it as of the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from chalicelib.domain.dialect import Dialect


class Folder(Mapping[str, Dialect]):
    """Every courier file here, by name. One is imported when it is asked for, and only that one.

    A function that books with one company must not pay for loading the others, nor fail with them.
    """

    def __getitem__(self, name: str) -> Dialect:
        if name not in self:
            raise KeyError(name)
        from importlib import import_module

        found: Dialect = import_module(f"{__name__}.{name}").dialect
        return found

    def __contains__(self, name: object) -> bool:
        return name in _names()

    def __iter__(self) -> Iterator[str]:
        return iter(_names())

    def __len__(self) -> int:
        return len(_names())


def _names() -> tuple[str, ...]:
    """The names of the files, without importing them."""
    from pkgutil import iter_modules

    return tuple(sorted(found.name for found in iter_modules(__path__) if not found.name.startswith("_")))
