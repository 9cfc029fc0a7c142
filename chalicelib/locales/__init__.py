"""The words of every room in six languages: gettext catalogues, one domain a room.

`<tag>/LC_MESSAGES/<domain>.po` is what people edit, `.mo` beside it what is read; `python -m cli.locales` compiles. The
English sentence is the key. A sentence that a language lacks is said in English, and a test finds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from chalicelib.domain.words import FALLBACK, LANGUAGES

if TYPE_CHECKING:
    from gettext import NullTranslations

FOLDER = Path(__file__).resolve().parent


class Catalogue:
    """`domain.words.Words` on a compiled catalogue."""

    def __init__(self, found: NullTranslations) -> None:
        self._found = found

    def say(self, text: str, /, **values: object) -> str:
        said = self._found.gettext(text)
        return said.format(**values) if values else said

    def count(self, one: str, many: str, number: int, /, **values: object) -> str:
        return self._found.ngettext(one, many, number).format(count=number, **values)


class Shelf(Mapping[str, Catalogue]):
    """The six languages of one room, by tag."""

    def __init__(self, domain: str) -> None:
        self._domain = domain

    def __getitem__(self, tag: str) -> Catalogue:
        if tag not in LANGUAGES:
            raise KeyError(tag)
        return catalogue(tag, self._domain)

    def __iter__(self) -> Iterator[str]:
        return iter(LANGUAGES)

    def __len__(self) -> int:
        return len(LANGUAGES)


@cache
def catalogue(tag: str, domain: str) -> Catalogue:
    """The words of that room in that language; each is read once a process."""
    from gettext import translation

    languages = [tag] if tag == FALLBACK else [tag, FALLBACK]
    return Catalogue(translation(domain, FOLDER, languages=languages))
