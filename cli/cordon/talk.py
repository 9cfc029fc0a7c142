"""Speak to a deployment over its API, and turn its refusals into ends that a script can read."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any
from urllib.parse import urlencode

import urllib3

from cli.cordon.console import Exit, fail, said
from cli.cordon.profiles import profile

ENDS = {404: Exit.MISSING, 410: Exit.MISSING, 409: Exit.CONFLICT, 412: Exit.CONFLICT, 428: Exit.CONFLICT}
ENDS |= {400: Exit.WRONG, 413: Exit.WRONG, 422: Exit.WRONG}
TRIES = 4
"""Of what is put off (429, 503): each of our requests is safe to repeat."""


@cache
def _pool() -> urllib3.PoolManager:
    return urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=5, read=40))


def ask(
    method: str,
    path: str,
    *roles: str,
    body: Any = None,
    headers: dict[str, str] | None = None,
    query: dict[str, Any] | None = None,
) -> tuple[Any, dict[str, str]]:
    """The answer's JSON (or text) and its headers. Ends the command where the answer is no."""
    here = profile(said.profile)
    asked = {name: value for name, value in (query or {}).items() if value is not None}
    url = f"{here.url}{path}" + (f"?{urlencode(asked)}" if asked else "")
    raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    sent = {
        "Authorization": f"Bearer {here.key(*(roles or ('operator',)))}",
        "Content-Type": "application/json",
        **(headers or {}),
    }
    for tries in range(1, TRIES + 1):
        try:
            answer = _pool().request(method, url, body=raw, headers=sent)
        except urllib3.exceptions.HTTPError as error:
            fail(f"{here.url} does not answer ({type(error).__name__}); is the deployment up?")
        if answer.status not in (429, 502, 503, 504) or tries == TRIES:
            break
        wait = answer.headers.get("Retry-After", "")
        time.sleep(min(10.0, float(wait) if wait.isdecimal() else 2.0**tries / 2))
    text = answer.data.decode("utf-8", "replace")
    is_json = "json" in answer.headers.get("Content-Type", "")
    told = json.loads(text) if is_json and text else text
    if answer.status >= 400:
        _refused(method, path, answer.status, told)
    return told, dict(answer.headers)


def _refused(method: str, path: str, status: int, told: Any) -> None:
    lines = [f"{method} {path}: {status}"]
    if isinstance(told, dict):
        lines[0] = f"{told.get('title', status)}: {told.get('detail', '')}"
        lines += [
            f"  {fault.get('pointer') or '/'}: {fault.get('detail')}"
            + (f", got {fault['value']}" if fault.get("value") is not None else "")
            for fault in told.get("errors", ())
            if str(fault.get("detail")) not in lines[0] or fault.get("value") is not None
        ]
    fail("\n".join(lines), ENDS.get(status, Exit.FAILURE))


def get(path: str, *roles: str, **query: Any) -> Any:
    return ask("GET", path, *roles, query=query)[0]


def pages(path: str, *roles: str, most: int = 1000, **query: Any) -> Iterator[dict[str, Any]]:
    """Every entry of a list, page by page."""
    cursor, left = None, most
    while left > 0:
        page = get(path, *roles, **query, limit=min(100, left), cursor=cursor)
        yield from page["data"][:left]
        left -= len(page["data"])
        cursor = page.get("next_cursor")
        if not page.get("has_more") or cursor is None:
            return


def until(
    look: Callable[[], Any], is_done: Callable[[Any], bool], told: Callable[[Any], None], wait: float = 1
) -> Any:
    """Ask again until it is done."""
    while True:
        found = look()
        told(found)
        if is_done(found):
            return found
        time.sleep(wait)


def the_market(named: str | None) -> str:
    """The market that was named, or the only one."""
    if named:
        return named
    found = [one["market_id"] for one in get("/v1/markets", "operator", "source")["data"]]
    if len(found) == 1:
        return str(found[0])
    fail(f"say --market: there are {', '.join(found) or 'none'}", Exit.USAGE)
