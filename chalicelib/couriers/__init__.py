"""One file per courier: its whole language, pure.

A file here holds one class that satisfies `domain.dialect.Dialect`, and `dialect = ThatClass()`. Its name is
what `Courier.dialect` says. Dropping a file in is all it takes: `Folder` finds it, and the shared contract
test in `tests/couriers/` asks the same of it as of the others. `docs/add-a-courier.md` goes through it.
"""

from __future__ import annotations

from chalicelib.domain import folders
from chalicelib.domain.dialect import Dialect


class Folder(folders.Folder[Dialect]):
    """Every courier file here, by name.

    A function that books with one company must not pay for loading the others, nor fail with them.
    """

    def __init__(self) -> None:
        super().__init__(__name__, "dialect", _names)


def _names() -> tuple[str, ...]:
    """The names of the files, without importing them."""
    from pkgutil import iter_modules

    return tuple(sorted(found.name for found in iter_modules(__path__) if not found.name.startswith("_")))
