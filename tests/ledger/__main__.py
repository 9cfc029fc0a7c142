"""`python -m tests.ledger` lives through one gift and writes docs/cost.md."""

from __future__ import annotations

import sys

from tests.conftest import ROOT
from tests.ledger.page import lived

PAGE = ROOT / "docs" / "cost.md"


if __name__ == "__main__":
    PAGE.write_text(lived().page)
    sys.stdout.write(f"{PAGE}\n")
