"""`python -m tests.rehearsal`: the rehearsal, said line by line."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from tests.rehearsal.cloud import ROOT, cloud
from tests.rehearsal.play import play


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    home = ROOT / "build" / "rehearsal"
    shutil.rmtree(home, ignore_errors=True)
    try:
        with tempfile.TemporaryDirectory(prefix="cordon-rehearsal-") as scratch, cloud(home) as around:
            play(around, Path(scratch), _say)
    except AssertionError as error:
        sys.stderr.write(f"it does not end well: {error}\nthe emulator's log is {home}/emulator.log\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
