"""What the README says is there, is there; and its command is the one that `make run` prints."""

from __future__ import annotations

import re
import tomllib

import pytest

from app import app
from chalicelib.domain.keys import Role
from sandbox import run
from sandbox.stand import HOME
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
WRITTEN = {str((HOME / run.ORDER).relative_to(ROOT)), "build/package/sam.yaml", ".sandbox/sealed/"}
"""By `make run`, `make package` and `make sealed`."""


def named(text: str) -> set[str]:
    """Every path in backticks, and every file that a command reads."""
    quoted = {
        name for name in re.findall(r"`([^`\s]+)`", text) if "/" in name or re.search(r"\.\w{2,4}$", name)
    }
    return quoted | set(re.findall(r"-d @(\S+)", text))


@pytest.mark.parametrize("file", ["README.md", "docs/operate.md"])
def test_every_file_that_is_named_exists_or_is_written(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    for name in named(text):
        if set(name) & set("<>*{}$") or name.startswith("build/"):
            continue  # one of many, or made here
        if name.startswith("/"):
            assert name in app.routes, f"{file} names the route {name}"
        else:
            assert name in WRITTEN or (ROOT / name).exists(), f"{file} names {name}"
    assert file != "README.md" or len(named(text)) > 5


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for file in ("README.md", "docs/operate.md"):
        asked = set(
            re.findall(r"(?:^ *|[`&$] ?)make ([a-z]+(?:-[a-z]+)*)", (ROOT / file).read_text(), re.MULTILINE)
        )
        assert asked <= targets, file


def test_the_command_is_the_one_that_make_run_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    keys = dict.fromkeys(Role, "k")
    said = run.welcome(run.Up("http://127.0.0.1:8080", keys, HOME / run.ORDER, "easter-1"))
    command = run.CURL.format(order=".sandbox/order.json")
    assert command in README
    assert "\n".join(f"  {line}" for line in command.splitlines()) in said
    assert "export CORDON=http://127.0.0.1:8080 BRAND_KEY=k GIFT=easter-1" in said


def test_the_pythons_that_are_named_are_those_that_setting_up_looks_for() -> None:
    looks = re.search(r"for version in ([\d. ]+);", (ROOT / ".ci" / "python").read_text())
    assert looks is not None
    newest, *_, oldest = looks[1].split()
    assert f"Both need Python {oldest} to {newest}," in README
    major, minor = newest.split(".")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == f">={oldest},<{major}.{int(minor) + 1}"
