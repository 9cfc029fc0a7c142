"""`docs/security.md` names code and tests that are there."""

from __future__ import annotations

import re

import pytest

from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`([\w./*-]+(?:\.(?:py|json|md)|/))`", PAGE)))


@pytest.mark.parametrize("name", NAMED)
def test_every_file_that_the_page_names_is_there(name: str) -> None:
    assert any(list((ROOT / folder).glob(name)) for folder in ("", "chalicelib", "tests/security"))


def test_the_page_names_every_file_of_these_tests_that_defends_something() -> None:
    there = {path.name for path in (ROOT / "tests" / "security").glob("test_*.py")} - {
        "test_page.py",
        "test_audit.py",
    }
    assert there <= set(NAMED), there - set(NAMED)
