"""A sheet as plain text: for a terminal, an e-mail, a file that outlives every browser."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from chalicelib.pages.sheet import Block, Bullets, Line, Paragraph, Sheet, seen

WIDTH = 96
TERM = 18
"""Columns for what a fact is about."""


def rendered(sheet: Sheet) -> str:
    """The page."""
    lines = [*textwrap.wrap(sheet.title, WIDTH), "=" * min(len(sheet.title), WIDTH)]
    for block in sheet.lead:
        lines += ["", *_block(block, "")]
    for section in sheet.sections:
        heading = _plain(section.heading)
        is_top = section.level == 2
        lines += ["", *textwrap.wrap(heading, WIDTH)]
        lines += ["-" * min(len(heading), WIDTH)] if is_top else []
        for block in section.blocks:
            lines += _block(block, "" if is_top else "  ")
    return "\n".join(seen(line).rstrip() for line in lines) + "\n"


def _block(block: Block, indent: str) -> Iterator[str]:
    if isinstance(block, Paragraph):
        yield from _wrapped(_plain(block.line), indent, indent)
    elif isinstance(block, Bullets):
        for line in block.lines:
            yield from _wrapped(_plain(line), f"{indent}- ", f"{indent}  ")
    else:
        for term, lines in block.rows:
            told = f"{indent}{term:<{TERM}}"
            if len(term) >= TERM:
                yield from _wrapped(term, indent, indent)
                told = indent + " " * TERM
            for line in lines:
                yield from _wrapped(_plain(line), told, indent + " " * TERM)
                told = indent + " " * TERM


def _wrapped(text: str, first: str, rest: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [first]


def _plain(line: Line) -> str:
    return "".join(map(str, line))
