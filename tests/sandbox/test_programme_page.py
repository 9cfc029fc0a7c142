"""The manual of the gift programme, tried as a new user would: its commands as they stand, one after the other."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from chalicelib.domain.keys import Role
from sandbox import run
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "programme.md"
PRELUDE = 'set -euo pipefail\ncurl() { command curl --fail-with-body "$@"; echo; }\n'
"""A command that is refused fails, and its answer is shown."""


def commands(text: str) -> list[str]:
    """What stands between the fences of a shell."""
    return re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_page_has_commands_and_names_what_there_is() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert len(commands(text)) >= 7
    for route in re.findall(r"\$CORDON(/[a-z0-9/-]+)", "".join(commands(text))):
        assert route.startswith("/v1/")
    for name in re.findall(r"`((?:sandbox|tests|docs)/[^`\s]+)`", text):
        assert (ROOT / name).exists(), name


@pytest.mark.long
@pytest.mark.skipif(shutil.which("curl") is None, reason="the page's commands are curl")
def test_every_command_of_the_page_works_as_it_stands(own_environment: None, tmp_path: Path) -> None:
    with run.up(tmp_path / ".sandbox") as up:
        told = {
            **os.environ,
            "CORDON": up.url,
            "BRAND_KEY": up.keys[Role.BRAND],
            "OPERATOR_KEY": up.keys[Role.OPERATOR],
        }
        script = PRELUDE + "\n".join(commands(PAGE.read_text(encoding="utf-8")))
        done = subprocess.run(
            ["/bin/bash", "-c", script], env=told, cwd=tmp_path, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, f"{done.stdout[-1500:]}\n{done.stderr[-500:]}"
    said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    (order,) = [one for one in said if one.get("reference") == "CAKE-0001"]
    assert (order["state"], order["tier"]) == ("placed", "gold"), "what was spent, and no grant any more"
    standings = [one for one in said if "rests_on" in one]
    assert [one["tier"] for one in standings] == ["gold", "diamond", "gold"]
