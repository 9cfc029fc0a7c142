"""Where `cordon` speaks to, and as whom. Keys are never flags: they would stand in the shell's history.

`sandbox`      what `make run` has written to .sandbox/cordon.json: its address, a key of each role, its queues
`environment`  CORDON_URL and CORDON_KEY (or CORDON_OPERATOR_KEY, CORDON_BRAND_KEY, ...)
any other      a table of $CORDON_CONFIG, by default ~/.config/cordon/config.toml:

    [prod]
    url = "https://abc.execute-api.eu-west-1.amazonaws.com/api"
    operator_key_command = "aws secretsmanager get-secret-value ..."   # or operator_key = "..."
    stack = "cordon"
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess  # nosec B404 - runs what the user's own configuration names, no shell
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from cli.cordon.console import Exit, fail

ROOT = Path(__file__).resolve().parent.parent.parent
SANDBOX = ROOT / ".sandbox" / "cordon.json"
ROLES = ("operator", "brand", "source", "associate", "partner")


@dataclass(frozen=True)
class Profile:
    """One deployment."""

    name: str
    url: str
    keys: dict[str, str] = field(default_factory=dict)
    commands: dict[str, str] = field(default_factory=dict)
    stack: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    """For what speaks to AWS itself: dead letters."""

    def key(self, *roles: str) -> str:
        """A key of one of these roles, the first that there is."""
        for role in roles:
            if role in self.keys:
                return self.keys[role]
            if role in self.commands:
                return _said(self.commands[role])
        if "any" in self.keys:
            return self.keys["any"]
        fail(f"the profile {self.name!r} has no key of the role {' or '.join(roles)}", Exit.USAGE)


def _said(command: str) -> str:
    done = subprocess.run(  # nosec B603 - see above
        shlex.split(command), capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode != 0 or not done.stdout.strip():
        fail(f"the command for a key failed: {done.stderr.strip()[:200] or 'it said nothing'}")
    return done.stdout.strip()


def profile(name: str) -> Profile:
    """The profile of that name. Ends with a word where there is none."""
    if name == "environment":
        return _of_environment()
    if name == "sandbox":
        if not SANDBOX.exists():
            fail("no sandbox has written .sandbox/cordon.json: start one with `make run`", Exit.USAGE)
        told = json.loads(SANDBOX.read_text(encoding="utf-8"))
        return Profile("sandbox", told["url"], told["keys"], environment=told.get("environment", {}))
    config = Path(os.environ.get("CORDON_CONFIG") or Path.home() / ".config" / "cordon" / "config.toml")
    try:
        tables = tomllib.loads(config.read_text(encoding="utf-8"))
    except FileNotFoundError:
        fail(f"no profile {name!r}: {config} is not there", Exit.USAGE)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        fail(f"{config} cannot be read: {error}", Exit.USAGE)
    table = tables.get(name)
    if not isinstance(table, dict) or not isinstance(table.get("url"), str):
        fail(f"{config} has no table [{name}] with a url; it has {', '.join(tables) or 'none'}", Exit.USAGE)
    return Profile(
        name,
        table["url"].rstrip("/"),
        {role: str(table[f"{role}_key"]) for role in ROLES if f"{role}_key" in table},
        {role: str(table[f"{role}_key_command"]) for role in ROLES if f"{role}_key_command" in table},
        str(table.get("stack", "")),
    )


def _of_environment() -> Profile:
    url = os.environ.get("CORDON_URL", "").rstrip("/")
    if not url:
        fail("the profile 'environment' needs CORDON_URL", Exit.USAGE)
    keys = {role: key for role in ROLES if (key := os.environ.get(f"CORDON_{role.upper()}_KEY"))}
    if key := os.environ.get("CORDON_KEY"):
        keys["any"] = key
    return Profile("environment", url, keys, stack=os.environ.get("CORDON_STACK", ""))
