"""The gift programme's rows: each is played against the running system, and a report fails where a promise is broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sandbox import programme
from sandbox.programme import _scene
from sandbox.programme._report import Report
from sandbox.shanghai import local


def test_every_row_says_which_practice_it_plays_and_plays_it() -> None:
    assert "household" in programme.names()
    for name in programme.names():
        row = programme.row(name)
        assert isinstance(row.PRACTICE, str) and callable(row.play), name
        assert row.__doc__, name


def test_a_report_tells_what_happened_and_names_what_was_found_in_the_place_of_a_promise() -> None:
    report = Report("cake", "a cake for each")
    report.tell(local(9), "two cakes are sent")
    report.table(("brand", "cakes"), [("maison", 1), ("atelier", None)])
    report.promise("one cake each", True)
    assert report.is_kept
    report.promise("no cake twice", False, ["cake-1", "cake-1"])
    assert not report.is_kept
    text = report.text()
    assert "11 Apr 09:00  two cakes are sent" in text
    assert "maison   1" in text
    assert "kept    one cake each" in text
    assert "BROKEN  no cake twice" in text and "found: ['cake-1', 'cake-1']" in text


def test_a_row_that_promises_nothing_has_shown_nothing() -> None:
    report = Report("cake", "a cake for each")
    assert not report.is_kept
    assert "BROKEN" in report.text()


def test_a_row_that_nobody_has_written_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert programme.main(["household", "no-such-row"]) == 2
    said = capsys.readouterr().out
    assert "no-such-row" in said and "household" in said


def test_a_broken_promise_fails_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def played(name: str) -> Report:
        report = Report(name, "a cake for each")
        report.promise("one cake each", name == "kept")
        return report

    monkeypatch.setattr(programme, "names", lambda: ["kept", "broken"])
    monkeypatch.setattr(_scene, "played", played)
    assert programme.main(["kept"]) == 0
    assert programme.main([]) == 1
    assert "BROKEN: broken" in capsys.readouterr().out


@pytest.mark.long
@pytest.mark.parametrize("name", programme.names())
def test_every_promise_of_a_row_is_kept(own_environment: None, tmp_path: Path, name: str) -> None:
    report = _scene.played(name, tmp_path)
    assert report.is_kept, report.text()
    assert (tmp_path / f"{name}.txt").read_text(encoding="utf-8") == report.text()


@pytest.mark.long
def test_a_household_row_without_the_quota_breaks_its_promise(
    own_environment: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row: Any = programme.row("household")
    free = row.ONE_A_DAY.model_copy(update={"quotas": ()})
    monkeypatch.setattr(row, "ONE_A_DAY", free)
    assert not _scene.played("household", tmp_path).is_kept
