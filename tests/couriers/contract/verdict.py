"""What the contract says of one courier, for a person to read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from textwrap import wrap
from typing import Protocol

from hypothesis import settings

from tests.couriers.contract import CLAUSES
from tests.couriers.contract.clause import Broken, Clause, NotAsked, crash
from tests.couriers.contract.subject import Subject, described

WIDTH = 110
LONGEST = 400
"""Of one half of a sentence, in characters."""
INDENT = " " * 12


class Ruling(StrEnum):
    """How asking a clause ended."""

    KEPT = "kept"
    BROKEN = "BROKEN"
    NOT_ASKED = "not asked"


@dataclass(frozen=True)
class Answer:
    """One clause and what came of it."""

    clause: Clause
    ruling: Ruling
    expected: str = ""
    did: str = ""
    """Of one that was not asked: why."""
    wanting: bool = False
    """Not asked because the samples do not say enough."""


class Says(Protocol):
    """Where the verdict goes, a line at a time."""

    def __call__(self, line: str) -> object: ...


def answers(subject: Subject, clauses: Sequence[Clause] = CLAUSES) -> Iterator[Answer]:
    """Every clause, asked of the same examples each time."""
    before = settings.get_current_profile_name()
    settings.register_profile("verdict", derandomize=True, database=None, deadline=None, print_blob=False)
    settings.load_profile("verdict")
    try:
        for clause in clauses:
            yield answer(subject, clause)
    finally:
        settings.load_profile(before)


def answer(subject: Subject, clause: Clause) -> Answer:
    try:
        clause.ask(subject)
    except NotAsked as reason:
        return Answer(clause, Ruling.NOT_ASKED, did=str(reason), wanting=reason.wanting)
    except Broken as broken:
        return Answer(clause, Ruling.BROKEN, broken.expected, broken.did)
    except Exception as error:
        return Answer(clause, Ruling.BROKEN, "an answer", crash(error, subject.file))
    return Answer(clause, Ruling.KEPT)


def verdict(subject: Subject, say: Says) -> int:
    """The whole verdict, and what to exit with: 0 all is kept; 1 something is broken; 2 nothing is, but the samples
    do not say enough to ask everything."""
    say(f"{subject.name}: {subject.dialect.trust}, {_path(subject.file)}")
    if subject.recorded:
        say("")
        say("What it reads in the recorded callbacks")
        for sent in subject.recorded:
            say(f"  {sent.label}: {_read(subject, sent)}")
    counted: Counter[Ruling] = Counter()
    wanting, chapter = 0, ""
    for one in answers(subject):
        if one.clause.chapter != chapter:
            chapter = one.clause.chapter
            say("")
            say(chapter)
        for line in lines_of(one):
            say(line)
        counted[one.ruling] += 1
        wanting += one.wanting
    say("")
    count = ", ".join(f"{counted[ruling]} {ruling.lower()}" for ruling in Ruling)
    if counted[Ruling.BROKEN]:
        say(f"{subject.name} breaks the contract: {count}.")
        return 1
    if wanting:
        say(f"{subject.name} breaks nothing that could be asked, but {wanting} could not: {count}.")
        return 2
    say(f"{subject.name} keeps the contract: {count}.")
    return 0


def lines_of(one: Answer) -> Iterator[str]:
    yield f"  {one.ruling:<9} {one.clause.sentence}"
    if one.ruling is Ruling.BROKEN:
        yield from _folded("expected", one.expected)
        yield from _folded("but", one.did)
    elif one.ruling is Ruling.NOT_ASKED:
        yield from _folded("because", one.did)


def _folded(word: str, text: str) -> list[str]:
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]} ..."
    clean = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
    return wrap(
        clean, WIDTH, initial_indent=f"{INDENT}{word:<8} ", subsequent_indent=f"{INDENT}{'':<8} "
    ) or [f"{INDENT}{word}"]


def _path(file: Path) -> Path:
    return file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file


def _read(subject: Subject, sent: object) -> str:
    try:
        heard = subject.hear(sent.callback, sent.account, at=sent.came_at)  # type: ignore[attr-defined]
    except Exception as error:
        return crash(error, subject.file).replace("crashed with ", "refused with ")
    return described(heard).removeprefix("heard ")
