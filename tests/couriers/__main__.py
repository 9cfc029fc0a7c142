"""`make courier NAME=...`: the contract of a courier file, asked of one, with a verdict that can be read."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.couriers.contract.loading import of_a_file, of_the_folder
from tests.couriers.contract.recordings import Unusable
from tests.couriers.contract.verdict import verdict


def main(arguments: list[str]) -> int:
    """Prints the verdict. 0: kept; 1: broken; 2: not everything could be asked; 3: nothing could be."""
    parser = argparse.ArgumentParser(prog="python -m tests.couriers", description=__doc__)
    parser.add_argument("name", nargs="?", help="of a file in chalicelib/couriers/")
    parser.add_argument("--file", type=Path, help="a courier file anywhere, instead")
    parser.add_argument("--samples", type=Path, help="its samples; else samples_<name>.py beside it")
    parser.add_argument(
        "--recorded", type=Path, help="its recorded callbacks; else recorded/<name>/ beside it"
    )
    asked = parser.parse_args(arguments)
    if (asked.name is None) == (asked.file is None):
        sys.stderr.write(
            "one of NAME and FILE was expected: make courier NAME=wechat, make courier FILE=my/heron.py\n"
        )
        return 3
    try:
        subject = (
            of_a_file(asked.file, asked.samples, asked.recorded) if asked.file else of_the_folder(asked.name)
        )
    except Unusable as problem:
        sys.stderr.write(f"{problem}\n")
        return 3
    return verdict(subject, lambda line: sys.stdout.write(f"{line}\n"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
