"""What importing the app costs: every cold start pays it while somebody waits."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.conftest import ROOT

MODULES = 250
"""A family of routes more is one module more: its shapes and flows are imported by the view that needs them."""


def test_importing_the_app_stays_small() -> None:
    probe = "import sys, json, app; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = json.loads(done.stdout)
    assert len(loaded) <= MODULES, len(loaded)
    heavy = ("boto3", "botocore", "cryptography", "numpy", "aws_lambda_powertools", "urllib3")
    assert [name for name in loaded if name.startswith(heavy)] == []
