"""Tables of others are read without guessing, and ours do no harm where they are opened."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.spreadsheets import (
    FORMULA,
    Unreadable,
    decoded,
    harmless,
    is_formula,
    lines,
    table,
    written,
)

CELL = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\x00"), max_size=20)


@given(st.lists(st.lists(CELL, min_size=2, max_size=2), max_size=8))
def test_what_is_written_is_read_back_and_no_cell_of_it_can_be_run(rows: list[list[str]]) -> None:
    text = written(("one", "two"), rows)
    found = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    assert found[0] == ["one", "two"]
    for row, read in zip(rows, found[1:], strict=True):
        for cell, seen in zip(row, read, strict=True):
            assert not seen.startswith(FORMULA)
            assert seen.removeprefix("'") == cell.removeprefix("'") or seen == cell


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@A1", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠A1", "  =1", "\u3000=1"])  # fmt: skip
def test_whatever_a_spreadsheet_may_run_is_seen(cell: str) -> None:
    assert is_formula(cell)
    assert harmless(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "王女士", "a=1", "1-2", "O'Neil", None, 7])
def test_what_it_would_not_run_stays_as_it_is(cell: object) -> None:
    assert harmless(cell) == ("" if cell is None else str(cell))


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_the_separator_is_the_one_by_which_the_first_row_has_known_names(mark: str) -> None:
    names, rows = table(f"b{mark} a {mark}c,d\r\n1{mark}2{mark}3\n", ("a", "b"))
    assert names[:2] == ["b", "a"]
    assert [row[:2] for row in rows if row is not None] == [["1", "2"]]


def test_a_quote_that_is_never_closed_ends_the_table() -> None:
    _, rows = table('a,b\n1,2\n"3,4\n5,6\n', ("a", "b"))
    assert list(rows) == [["1", "2"], None]


def test_a_cell_may_hold_a_line_break_between_quotes() -> None:
    _, rows = table('a,b\n"1\n2",3\n', ("a", "b"))
    assert list(rows) == [["1\n2", "3"]]


def test_a_row_that_is_too_long_to_be_one_names_no_columns() -> None:
    with pytest.raises(Unreadable, match="names the columns"):
        table("x" * 10**6, ("a", "b"))


@pytest.mark.parametrize("charset", ["utf-8", "utf-16", "gb18030", "windows-1252"])
@given(raw=st.binary(max_size=40))
def test_bytes_are_text_or_are_told_and_never_a_crash(charset: str, raw: bytes) -> None:
    at, text = None, ""
    try:
        text = decoded(raw, charset)
    except Unreadable as error:
        at = error.at
    assert at is None or 0 <= at < len(raw)
    assert "\x00" not in text


@given(st.text(max_size=60))
def test_lines_are_objects_or_none_whatever_stands_there(text: str) -> None:
    for said in lines(text):
        assert said is None or isinstance(said, dict)


def test_a_line_too_deep_to_be_read_is_none() -> None:
    assert list(lines("[" * 100_000)) == [None]
