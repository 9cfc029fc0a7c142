"""Look for what is known to be unsafe: `python -m cli.audit [--strict] [--advisories DIRECTORY]`.

Two questions. bandit reads our own code; every finding is mended, or accepted with a reason beside it (`# nosec`).
pip-audit asks whether a version that is pinned here has a published advisory. It needs a source of advisories, and
where it reaches none it says "no known vulnerabilities" of packages it has not looked at; so here a package counts
as looked at only when a source knew it, and what was not looked at is said. `--strict` makes that a failure: for a
machine with a network, and before every deployment. `--advisories`: a checkout of github.com/pypa/advisory-database,
for a machine without one.
"""

from __future__ import annotations

import argparse
import json
import subprocess  # nosec B404 - runs the two tools of this environment, nothing that is handed in
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
CODE = ("app.py", "chalicelib", "cli", "sandbox", "bench")
PINNED = ("requirements.txt", ".chalice/requirements-solver.txt", "requirements-dev.lock")
SOURCES = ("pypi", "osv")
"""pip-audit's, in the order they are asked."""

Pins = dict[str, str]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m cli.audit", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--strict", action="store_true", help="fail when a package could not be looked at")
    parser.add_argument("--advisories", type=Path, help="a checkout of github.com/pypa/advisory-database")
    asked = parser.parse_args(arguments)
    wrong = findings()
    print(f"bandit: {len(wrong)} findings in {', '.join(CODE)}")
    pins = pinned()
    looked_at, advisories = by_pip_audit(pins)
    if asked.advisories is not None:
        newest, found = by_checkout(pins, asked.advisories)
        advisories += found
        looked_at = set(pins)
        print(f"advisories: {asked.advisories}, the newest of them of {newest}")
    unseen = sorted(pins.keys() - looked_at)
    print(f"pins: {len(advisories)} advisories for {len(looked_at)} of {len(pins)} pinned packages")
    if unseen:
        print(
            f"pins: NOT LOOKED AT, no source of advisories was reached for {len(unseen)} packages: nothing"
            " is known of them. Run it again with --strict where there is a network, or with --advisories."
        )
    for line in (*wrong, *advisories):
        print(line, file=sys.stderr)
    return 1 if wrong or advisories or (asked.strict and unseen) else 0


# --- our own code -------------------------------------------------------------------------------------------


def findings(*paths: str) -> list[str]:
    """What bandit finds and nobody has accepted. Raises RuntimeError when it did not run."""
    done = _run("bandit", "--quiet", "--format", "json", "-c", "pyproject.toml", "-r", *(paths or CODE))
    said = json.loads(done) if done.startswith("{") else None
    if said is None or said["errors"]:
        raise RuntimeError(f"bandit did not read everything: {done[:2000]}")
    return [f"{f['filename']}:{f['line_number']}: {f['test_id']} {f['issue_text']}" for f in said["results"]]


def _run(tool: str, *arguments: str) -> str:
    command = [str(Path(sys.executable).parent / tool), *arguments]
    done = subprocess.run(  # nosec B603 - a list of our own words, no shell
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout


# --- what is pinned -----------------------------------------------------------------------------------------


def pinned() -> Pins:
    """Every package that is pinned, and at which version."""
    pins: Pins = {}
    for name in PINNED:
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
            if line.strip() and not line.startswith(("#", "-r")):
                wanted = Requirement(line)
                (only,) = wanted.specifier
                pins[canonicalize_name(wanted.name)] = only.version
    return pins


def by_pip_audit(pins: Pins) -> tuple[set[str], list[str]]:
    """Which packages a source knew, and the advisories for them."""
    looked_at: set[str] = set()
    found: dict[str, None] = {}
    for source in SOURCES:
        if looked_at >= pins.keys():
            break
        options = ("--disable-pip", "--no-deps", "--format", "json", "--progress-spinner", "off")
        files = [word for name in PINNED for word in ("-r", name)]
        said = _run("pip-audit", *options, "--vulnerability-service", source, *files)
        for package in _packages(said):
            if "skip_reason" in package:
                continue
            name = canonicalize_name(package["name"])
            looked_at.add(name)
            for each in package["vulns"]:
                fixed = ", ".join(each["fix_versions"]) or "no version yet"
                found[f"{name} {package['version']}: {each['id']}, mended in {fixed}"] = None
    return looked_at & pins.keys(), list(found)


def _packages(said: str) -> list[dict[str, Any]]:
    try:
        packages: list[dict[str, Any]] = json.loads(said)["dependencies"]
    except ValueError:  # it died of the network, and has said so elsewhere
        return []
    return packages


def by_checkout(pins: Pins, directory: Path) -> tuple[str, list[str]]:
    """When the newest advisory there was written, and those that hold for what is pinned."""
    folder = directory / "vulns"
    if not folder.is_dir():
        raise SystemExit(f"{directory} is no checkout of the advisory database: it has no folder vulns")
    newest, found = "", []
    for path in sorted(folder.glob("*/*.yaml")):
        advisory = yaml.safe_load(path.read_text(encoding="utf-8"))
        newest = max(newest, str(advisory["modified"]))
        name = canonicalize_name(path.parent.name)
        if name in pins and "withdrawn" not in advisory and _holds(advisory, name, pins[name]):
            found.append(f"{name} {pins[name]}: {advisory['id']} ({', '.join(advisory.get('aliases', ()))})")
    return newest, found


def _holds(advisory: dict[str, Any], name: str, version: str) -> bool:
    for affected in advisory["affected"]:
        if canonicalize_name(affected["package"]["name"]) != name:
            continue
        if version in affected.get("versions", ()):
            return True
        ranges = [r["events"] for r in affected.get("ranges", ()) if r["type"] == "ECOSYSTEM"]
        if any(first <= Version(version) < end for events in ranges for first, end in _spans(events)):
            return True
    return False


def _spans(events: list[dict[str, str]]) -> Iterator[tuple[Version, Version]]:
    """From where it was introduced to where it was mended; what is not mended goes on."""
    first: Version | None = None
    for event in events:
        if "introduced" in event:
            first = Version(event["introduced"])
        elif first is not None and "fixed" in event:
            yield first, Version(event["fixed"])
            first = None
        elif first is not None and "last_affected" in event:
            yield first, Version(event["last_affected"] + ".post99999")
            first = None
    if first is not None:
        yield first, Version("99999!0")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
