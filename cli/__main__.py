"""`python -m cli`: the command line `cordon`."""

from __future__ import annotations

from cli.cordon.app import main

if __name__ == "__main__":
    main()
