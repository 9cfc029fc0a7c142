"""Make an access key: `python -m cli.keys create --role operator --owner NAME [--table TABLE]`.

The first key of a deployment is made here, because whoever makes one over HTTP has one already. It takes the table's
name from `--table` or from CORDON_TABLE, region and credentials as every AWS tool does, and prints the secret once.
"""

from __future__ import annotations

import argparse
import os
import sys

from pydantic import TypeAdapter, ValidationError

from chalicelib import wiring
from chalicelib.domain.errors import Delayed
from chalicelib.domain.keys import Markets, Role
from chalicelib.domain.shapes import Slug
from chalicelib.flows import enlist
from chalicelib.settings import Settings, read


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m cli.keys", description=(__doc__ or "").splitlines()[0])
    create = parser.add_subparsers(required=True).add_parser(
        "create", help="a new key, its secret shown this once"
    )
    create.add_argument("--role", required=True, choices=[role.value for role in Role])
    create.add_argument(
        "--owner", required=True, help="whom it is for; a brand's key has the brand as its owner"
    )
    create.add_argument(
        "--market",
        action="append",
        help="of a source, all it may see and change: once for each; absent: every",
    )
    create.add_argument(
        "--associate", help="of an associate: which of those that the brand, its owner, has named"
    )
    create.add_argument("--table", default=os.environ.get("CORDON_TABLE"), help="by default CORDON_TABLE")
    asked = parser.parse_args(arguments)
    if not asked.table:
        parser.error("no table: give --table, or set CORDON_TABLE to the name of the stack's FactsTable")
    if asked.market and asked.role != Role.SOURCE:
        parser.error("--market goes with --role source; others have no markets of their own")
    if bool(asked.associate) != (asked.role == Role.ASSOCIATE):
        parser.error("--associate goes with --role associate, and with no other")
    try:
        markets = TypeAdapter(Markets | None).validate_python(asked.market)
    except ValidationError:
        parser.error(f"--market: the name of a market was expected, got {asked.market!r}")
    try:
        owner = TypeAdapter(Slug).validate_python(asked.owner)
        associate = TypeAdapter(Slug | None).validate_python(asked.associate)
    except ValidationError:
        got = f"{asked.owner!r} and {asked.associate!r}"
        parser.error(
            f"--owner, --associate: letters, digits, dot, dash and underscore were expected, got {got}"
        )
    nowhere = {str(field.validation_alias): "" for field in Settings.model_fields.values()}
    world = wiring.real(read({**nowhere, "CORDON_TABLE": asked.table}))
    try:
        secret = enlist.create_key(world, Role(asked.role), owner, markets, associate)
    except Delayed as error:
        print(
            f"nothing is certain ({error}); make another, a key that nobody knows opens nothing",
            file=sys.stderr,
        )
        return 1
    print(secret)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
