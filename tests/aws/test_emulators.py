"""The page of what emulators do and AWS does not: every line of it is asked again."""

from __future__ import annotations

import pytest

from tests.aws.emulators import ABSENT
from tests.aws.probes import EMULATORS, PAGE, PROBES, SERVICES, answers_of, page, row


def columns(emulator: str) -> dict[str, str]:
    """What the page says that this emulator answers, by question."""
    found = {}
    for service, part in zip(SERVICES, PAGE.read_text(encoding="utf-8").split("\n## ")[1:], strict=True):
        if emulator in SERVICES[service]:
            at = 2 + SERVICES[service].index(emulator)
            lines = [line.split(" | ") for line in part.splitlines() if line.startswith("| ")][2:]
            found |= {cells[0].removeprefix("| "): cells[at].strip("*") for cells in lines}
    return found


@pytest.mark.long
def test_moto_still_answers_as_the_page_says() -> None:
    assert answers_of("moto") == columns("moto")


@pytest.mark.long
@ABSENT
def test_the_page_is_what_the_emulators_answer() -> None:
    answers = {name: answers_of(name) for name in EMULATORS}
    fresh = page(answers)
    assert fresh == PAGE.read_text(encoding="utf-8"), "python -m tests.aws.probes writes it anew"
    for one in PROBES:
        told = {answers[name][one.asked] for name in SERVICES[one.service]}
        assert told != {one.documented}, f"nothing disagrees any more: {one.asked}"


def test_a_question_is_asked_once_and_fits_its_row() -> None:
    asked = [one.asked for one in PROBES]
    assert len(set(asked)) == len(asked)
    assert all(
        one.asked and "|" not in row([one.asked, one.documented, one.cordon])[2:-2].replace(" | ", "")
        for one in PROBES
    )
