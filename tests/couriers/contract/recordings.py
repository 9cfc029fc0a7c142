"""Recorded callbacks: a folder of HTTP requests as they came, and the account they were for.

`recorded/<name>/account.json` holds the account, with secrets that are used nowhere else. Each `*.http` file is one
request (RFC 9112): request line, headers, an empty line, and the body byte for byte. One header is ours: `Received-At`,
when it came. With a `Content-Length` the body is that many bytes, whatever an editor has put behind them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from http.client import HTTPException, parse_headers
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from chalicelib.domain.dialect import Account, Callback
from tests.couriers.contract.subject import Sent

CAME_AT = "received-at"


class Unusable(Exception):
    """What was handed to the kit cannot be read; the text says where and what was expected."""


def account_in(folder: Path) -> Account:
    """The account beside the recordings; empty where there is none."""
    file = folder / "account.json"
    if not file.is_file():
        return {}
    try:
        account = json.loads(file.read_bytes())
    except ValueError as error:
        raise Unusable(f"{file}: JSON was expected: {error}") from None
    if not isinstance(account, dict) or not all(isinstance(value, str) for value in account.values()):
        raise Unusable(f"{file}: an object of names and texts was expected")
    return account


def recorded_in(folder: Path, account: Account) -> Sequence[Sent]:
    """Every recorded callback of that folder, by file name."""
    files = sorted(folder.glob("*.http"))
    if files and not account:
        raise Unusable(f"{folder / 'account.json'}: the account that these callbacks were for was expected")
    return [_read(file, account) for file in files]


def _read(file: Path, account: Account) -> Sent:
    raw = BytesIO(file.read_bytes())
    words = raw.readline().decode("latin-1").split()
    if len(words) != 3 or not words[2].startswith("HTTP/"):
        raise Unusable(f"{file}: a first line such as 'POST /callbacks HTTP/1.1' was expected, got {words!r}")
    try:
        headers = {name.lower(): value for name, value in parse_headers(raw).items()}
    except HTTPException as error:
        raise Unusable(f"{file}: headers, and an empty line after them, were expected: {error}") from None
    body = raw.read()
    length = headers.get("content-length")
    if length is not None:
        if not length.isdigit() or int(length) > len(body):
            raise Unusable(f"{file}: a body of {length!r} bytes was expected, there are {len(body)}")
        body = body[: int(length)]
    try:
        came_at = datetime.fromisoformat(headers.pop(CAME_AT))
    except (KeyError, ValueError):
        raise Unusable(f"{file}: a header such as 'Received-At: 2026-03-02T09:15:02Z' was expected") from None
    if came_at.tzinfo is None:
        raise Unusable(f"{file}: 'Received-At' with a time zone was expected, such as a Z at its end")
    query = dict(parse_qsl(urlsplit(words[1]).query, keep_blank_values=True))
    return Sent(file.name, account, Callback(words[0], query, headers, body), came_at)
