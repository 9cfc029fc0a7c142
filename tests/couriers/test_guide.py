"""What `docs/add-a-courier.md` shows is so: its files, written out, get the verdicts that it prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.couriers.__main__ import main
from tests.couriers.guide import PAGE, ROOT, files, shown, write

UNPROVEN_WITHOUT_A_SECRET = (
    "        return False  # an empty secret proves nothing",
    "        return True  # and so",
)
"""The slip that section 3 speaks of."""


def printed(file: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = main(["--file", str(file)])
    return code, capsys.readouterr().out.replace(str(file.parent), "chalicelib/couriers")


def holds(printed: str, excerpt: str) -> bool:
    """The excerpt's lines stand in what is printed, one after the other; '...' leaves some out."""
    at = 0
    for piece in re.split(r"^\.\.\.\n", excerpt, flags=re.MULTILINE):
        found = printed.find(piece.strip("\n"), at)
        if found < 0:
            return False
        at = found + len(piece.strip("\n"))
    return True


def test_the_page_has_its_reader_write_an_adapter_its_samples_and_two_recorded_callbacks() -> None:
    assert sorted(files()) == [
        "heron.py",
        "recorded/heron/1_collected.http",
        "recorded/heron/2_delivered.http",
        "recorded/heron/account.json",
        "samples_heron.py",
    ]
    assert len(shown()) == 3


def test_with_two_recorded_callbacks_alone_the_first_verdict_is_the_one_on_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = printed(write(tmp_path, without="samples_heron.py"), capsys)
    assert code == 2
    assert holds(said, shown()[0]), said


def test_the_slip_on_the_page_is_told_as_the_page_tells_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = files()["heron.py"]
    assert text.count(UNPROVEN_WITHOUT_A_SECRET[0]) == 1
    slip = text.replace(*UNPROVEN_WITHOUT_A_SECRET)
    code, said = printed(write(tmp_path, without="samples_heron.py", adapter=slip), capsys)
    assert code == 1
    assert holds(said, shown()[1]), said


def test_an_adapter_written_from_the_page_keeps_the_contract(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = printed(write(tmp_path), capsys)
    assert code == 0, said
    assert holds(said, shown()[2]), said


def test_every_file_that_the_page_names_is_there_or_is_written_by_its_reader() -> None:
    for name in re.findall(r"`((?:chalicelib|tests|docs|flows)/[\w./-]+)`", PAGE.read_text(encoding="utf-8")):
        path = f"chalicelib/{name}" if name.startswith("flows/") else name
        assert "heron" in name or (ROOT / path).exists(), name


def test_another_adapter_that_was_written_from_the_page_alone_keeps_the_contract(
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = ROOT / "tests" / "couriers" / "newcomer" / "doordash_drive.py"
    assert main(["--file", str(file)]) == 0, capsys.readouterr().out
    assert "doordash_drive keeps the contract: 52 kept, 0 broken, 3 not asked." in capsys.readouterr().out


def test_a_courier_of_one_currency_is_asked_with_it_once_its_samples_name_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    written = ROOT / "tests" / "couriers" / "newcomer"
    file = tmp_path / "doordash_drive.py"
    file.write_text((written / file.name).read_text())
    recorded = str(written / "recorded" / "doordash_drive")
    assert main(["--file", str(file), "--recorded", recorded]) == 2
    assert "samples name its CURRENCY" in capsys.readouterr().out


def test_the_commands_of_the_page_are_those_of_the_makefile() -> None:
    asked = set(re.findall(r"make courier ([A-Z]+)=", PAGE.read_text(encoding="utf-8")))
    recipe = (ROOT / "Makefile").read_text().partition("\ncourier: setup\n")[2].partition("\n\n")[0]
    assert asked == {"NAME", "FILE"}
    assert "-m tests.couriers" in recipe
    assert all(f"$({variable})" in recipe for variable in (*asked, "SAMPLES", "RECORDED"))
