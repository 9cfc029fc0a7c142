"""What is deployed works: CloudFormation puts the package on an emulated AWS, and gifts go through it to the door,
also while it is upgraded and while it is taken back. Its output is in docs/operate.md."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.mark.long
def test_the_deployed_package_takes_gifts_to_the_door_through_an_upgrade_and_back() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.rehearsal"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith("the rehearsal ends well")
