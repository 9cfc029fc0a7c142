"""A caller with a key, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import urllib3


class Refused(Exception):
    """The app said no to something the scenario expected to work."""

    def __init__(self, told: str, status: int, said: bytes) -> None:
        super().__init__(told)
        self.status, self.said = status, said

    @property
    def problem(self) -> dict[str, Any]:
        """What it said, where that was JSON."""
        try:
            loaded = json.loads(self.said)
        except ValueError:
            return {}
        return loaded if isinstance(loaded, dict) else {}


@dataclass
class Client:
    """Speaks to the app as somebody with a key would."""

    url: str
    key: str
    pool: urllib3.PoolManager

    def __call__(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """The answer's JSON. Raises `Refused` for anything but a 2xx."""
        said = self._ask(method, path, body, headers)
        loaded: dict[str, Any] = json.loads(said) if said else {}
        return loaded

    def page(self, path: str, kind: str) -> bytes:
        """The same told as a page of that media type."""
        return self._ask("GET", path, None, {"Accept": kind})

    def _ask(self, method: str, path: str, body: Any, headers: dict[str, str] | None) -> bytes:
        raw = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        said = self.pool.request(
            method,
            self.url + path,
            body=raw,
            headers={
                "Authorization": f"Bearer {self.key}",
                "Content-Type": "application/json",
                **(headers or {}),
            },
            timeout=urllib3.Timeout(connect=2, read=60),
            retries=False,
        )
        if not 200 <= said.status < 300:
            told = f"{method} {path}: {said.status} {said.data.decode(errors='replace')[:500]}"
            raise Refused(told, said.status, bytes(said.data))
        return bytes(said.data)

    def pages(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        """Every entry of a list, page by page."""
        asked = "&".join(f"{name}={value}" for name, value in {"limit": "100", **query}.items())
        at = f"{path}?{asked}"
        while True:
            page = self("GET", at)
            yield from page["data"]
            if not page["has_more"]:
                return
            at = f"{path}?{asked}&cursor={page['next_cursor']}"
