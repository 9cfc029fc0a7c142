"""The audit says what it looked at, finds what is planted, and takes no silence for an answer."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from cli import audit
from tests.conftest import ROOT

ADVISORY = """
id: PYSEC-0000-1
modified: 2026-01-02T00:00:00Z
aliases: [CVE-0000-1]
affected:
- package: {{ecosystem: PyPI, name: Parcel_Post}}
  ranges: [{{type: ECOSYSTEM, events: {events}}}]
  versions: {versions}
"""


def checkout(folder: Path, *, events: str = "[]", versions: str = "[]", more: str = "") -> Path:
    (folder / "vulns" / "parcel-post").mkdir(parents=True)
    text = ADVISORY.format(events=events, versions=versions) + more
    (folder / "vulns" / "parcel-post" / "PYSEC-0000-1.yaml").write_text(text)
    return folder


@pytest.mark.parametrize(
    ("events", "versions", "holds"),
    [
        ('[{introduced: "0"}, {fixed: "2.0"}]', "[]", True),
        ('[{introduced: "0"}]', "[]", True),
        ('[{introduced: "1.5"}, {last_affected: "1.9"}]', "[]", True),
        ('[{introduced: "1.5"}, {last_affected: "1.10"}]', "[]", True),
        ('[{introduced: "0"}, {fixed: "1.9"}]', "[]", False),
        ('[{introduced: "2.0"}]', "[]", False),
        ('[{introduced: "0"}, {fixed: "1.0"}, {introduced: "1.8"}, {fixed: "1.9.1"}]', "[]", True),
        ("[]", '["1.8", "1.9"]', True),
        ("[]", '["1.9.0.dev1"]', False),
    ],
)
def test_an_advisory_holds_for_the_versions_it_names(
    tmp_path: Path, events: str, versions: str, holds: bool
) -> None:
    where = checkout(tmp_path, events=events, versions=versions)
    newest, found = audit.by_checkout({"parcel-post": "1.9", "other": "1.9"}, where)
    assert newest.startswith("2026-01-02")
    assert found == (["parcel-post 1.9: PYSEC-0000-1 (CVE-0000-1)"] if holds else [])


def test_an_advisory_that_was_withdrawn_and_one_for_another_package_do_not_hold(tmp_path: Path) -> None:
    where = checkout(tmp_path, events='[{introduced: "0"}]', more="withdrawn: 2026-01-03T00:00:00Z\n")
    assert audit.by_checkout({"parcel-post": "1.9"}, where)[1] == []
    with pytest.raises(SystemExit, match="no folder vulns"):
        audit.by_checkout({}, tmp_path / "nothing")


def test_everything_that_is_installed_for_us_is_pinned_and_asked_about() -> None:
    pins = audit.pinned()
    assert {"pydantic", "cryptography", "urllib3", "boto3", "pip-audit"} <= pins.keys()
    lines = (ROOT / "requirements-dev.lock").read_text().splitlines()
    assert len(pins) >= sum("==" in line for line in lines)


def test_a_package_that_no_source_knew_counts_as_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {
        "pypi": {
            "dependencies": [
                {"name": "Known_One", "version": "1", "vulns": []},
                {"name": "unknown", "skip_reason": "Dependency not found on PyPI"},
                {"name": "bad", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]},
            ]
        },
        "osv": None,
    }

    def answer(*words: str) -> str:
        told = said[words[words.index("--vulnerability-service") + 1]]
        return "" if told is None else json.dumps(told)

    monkeypatch.setattr(audit, "_run", answer)
    pins = {"known-one": "1", "unknown": "1", "bad": "1"}
    looked_at, found = audit.by_pip_audit(pins)
    assert looked_at == {"known-one", "bad"}
    assert found == ["bad 1: PYSEC-1, mended in 2"]


def test_a_failing_source_is_said_and_with_strict_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(audit, "findings", list)
    monkeypatch.setattr(audit, "_run", lambda *words: "")
    assert audit.main([]) == 0
    said = capsys.readouterr().out
    assert f"NOT LOOKED AT, no source of advisories was reached for {len(audit.pinned())} packages" in said
    assert audit.main(["--strict"]) == 1


def test_what_is_planted_in_the_code_is_found_and_a_tool_that_did_not_run_is_no_clean_bill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text("import yaml\nimport subprocess\nsubprocess.call(x, shell=True)\nyaml.load(x)\n")
    found = audit.findings(str(planted))
    assert {line.split(": ")[1].split()[0] for line in found} >= {"B602", "B506"}
    planted.write_text("this is no Python (")
    with pytest.raises(RuntimeError, match="did not read everything"):
        audit.findings(str(planted))
    monkeypatch.setattr(audit, "_run", lambda *words: "")
    with pytest.raises(RuntimeError):
        audit.findings()


def test_every_finding_that_was_accepted_has_its_reason_beside_it() -> None:
    for folder in audit.CODE:
        paths = [ROOT / folder] if folder.endswith(".py") else sorted((ROOT / folder).rglob("*.py"))
        for path in paths:
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
                if "# nosec" in line and "(`# nosec`)" not in line:
                    assert re.search(r"# nosec B\d{3} - \w+", line), f"{path}:{number}"


def test_an_assert_of_ours_says_no_more_than_that_something_is_there() -> None:
    """They are gone where Python runs optimised: whatever guards against the outside is an error of ours."""
    for path in sorted((ROOT / "chalicelib").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assert):
                assert ast.unparse(node.test).endswith(" is not None"), f"{path}:{node.lineno}"
