"""The only way out over HTTP. One request, one reply, whole or not at all; nothing is repeated or followed.

For receivers that strangers name (`public_only`) the name is resolved once, every address is judged, and the
connection goes to a judged address while Host, SNI and the certificate stay those of the name: a name server
that answers differently a moment later changes nothing.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from chalicelib.domain.addresses import Address, is_public, literal
from chalicelib.domain.dialect import Reply, Request
from chalicelib.domain.errors import Forbidden, Invalid, Unanswered, Unreached

if TYPE_CHECKING:
    from urllib3 import PoolManager
    from urllib3.util import Url

Resolve = Callable[[str, int], Sequence[str]]

REPLY_LIMIT = 1024 * 1024
"""Bytes of a reply's body. A longer one counts as no answer: half an answer proves nothing."""
ADDRESSES = 3
"""How many addresses of one name are tried, while nothing has been sent."""
AGENT = "Cordon/1"

_PIECE = 64 * 1024


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, as the system's resolver has them. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [str(entry[4][0]) for entry in found]


class UrllibLine:
    """`ports.Line` with urllib3. Safe to share between threads."""

    def __init__(
        self,
        *,
        resolve: Resolve = resolve,
        allows: Callable[[Address], bool] = is_public,
        trusted_ca: str | None = None,
    ) -> None:
        self._resolve = resolve
        self._allows = allows
        self._trusted_ca = trusted_ca
        self._lock = threading.Lock()
        self._kept: PoolManager | None = None

    def send(self, request: Request, *, public_only: bool = False) -> Reply:
        """The reply, with lower-case header names and the body as it came.

        The whole exchange takes at most the connect timeout and the read timeout together. Raises
        `Unanswered` with the host and a plain cause, never with the path or a query, and `Unreached` of these where
        nobody took the connection; before anything is sent
        `Forbidden` and `Invalid`.
        """
        began = time.monotonic()
        url = _url(request.url)
        host = str(url.host)
        port = url.port or (443 if url.scheme == "https" else 80)
        headers = {"User-Agent": AGENT, **request.headers}
        addresses, server = [host], {}
        if public_only:
            if url.scheme != "https":
                raise Forbidden(f"{host}: https was expected")
            addresses = self._judged(host, port, request.connect_timeout_s)
            headers = {key: value for key, value in headers.items() if key.lower() != "host"}
            headers["Host"] = str(url.netloc)
            if literal(host) is None:
                server = {"server_hostname": host.rstrip(".")}
        problem = ""
        for address in addresses:
            try:
                return self._try(request, url, headers, address, port, server, began)
            except _NotConnected as error:
                problem = str(error)
        raise Unreached(problem)

    def _judged(self, host: str, port: int, seconds: float) -> list[str]:
        spelled = literal(host)
        found = [str(spelled)] if spelled else _within(seconds, host, lambda: self._resolve(host, port))
        addresses = [literal(text) for text in dict.fromkeys(found)]
        if not addresses:
            raise Unanswered(f"{host}: the name does not resolve")
        judged = [address for address in addresses if address is not None and self._allows(address)]
        if len(judged) < len(addresses):
            raise Forbidden(f"{host}: it resolves to an address that is not on the public internet")
        return [str(address) for address in sorted(judged, key=lambda a: a.version)][:ADDRESSES]

    def _try(
        self,
        request: Request,
        url: Url,
        headers: dict[str, str],
        address: str,
        port: int,
        server: dict[str, Any],
        began: float,
    ) -> Reply:
        from urllib3 import Timeout, exceptions

        from chalicelib.aws.leash import Leash

        host = str(url.host)
        left = request.connect_timeout_s + request.read_timeout_s - (time.monotonic() - began)
        if left <= 0:
            raise Unanswered(f"{host}: timed out")
        pool = self._pools().connection_from_host(address, port, str(url.scheme), pool_kwargs=server)
        with Leash(left) as leash:
            try:
                response = pool.urlopen(
                    request.method,
                    url.request_uri,
                    body=request.body or None,
                    headers=headers,
                    retries=False,
                    redirect=False,
                    timeout=Timeout(
                        connect=min(request.connect_timeout_s, left), read=min(request.read_timeout_s, left)
                    ),
                    preload_content=False,
                    decode_content=False,
                )
                try:
                    body = _body(response)
                except BaseException:
                    response.close()
                    raise
                if body is None:
                    response.close()
                    raise Unanswered(f"{host}: the answer is longer than {REPLY_LIMIT} bytes")
                response.release_conn()
            except (exceptions.HTTPError, OSError) as error:
                kind = _NotConnected if isinstance(error, exceptions.ConnectTimeoutError) else Unanswered
                cause = "timed out" if leash.is_cut else _cause(error)
                raise kind(f"{host}: {cause}") from None
            if leash.is_cut:  # a cut body without a length looks like a finished one
                raise Unanswered(f"{host}: timed out")
        return Reply(response.status, _folded(response.headers), body)

    def _pools(self) -> PoolManager:
        if self._kept is None:
            from chalicelib.aws.leash import pools

            with self._lock:
                if self._kept is None:
                    self._kept = pools(self._trusted_ca)
        return self._kept


class _NotConnected(Exception):
    """Nothing has been sent yet: another address of the same name may be tried."""


def _url(text: str) -> Url:
    from urllib3.exceptions import LocationParseError
    from urllib3.util import parse_url

    try:
        url = parse_url(text)
    except LocationParseError:
        raise Invalid("a URL was expected") from None
    if url.scheme not in ("http", "https") or not url.host or url.auth is not None:
        raise Invalid("a URL with http or https and a host, and without a user, was expected")
    return url


def _within(seconds: float, host: str, call: Callable[[], Sequence[str]]) -> Sequence[str]:
    # the system's resolver takes no timeout; a name server that stalls holds a thread of its own, and not us
    found: list[Sequence[str]] = []

    def look() -> None:
        try:
            found.append(call())
        except (OSError, UnicodeError):
            found.append(())

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(seconds)
    if not found:
        raise Unanswered(f"{host}: the name was not resolved in time")
    return found[0]


def _body(response: Any) -> bytes | None:
    """The whole body, or None when it is too long."""
    pieces, size = [], 0
    while piece := response.read(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > REPLY_LIMIT:
            return None
    return b"".join(pieces)


def _folded(headers: Any) -> dict[str, str]:
    folded: dict[str, str] = {}
    for name, value in headers.items():
        name = name.lower()
        folded[name] = f"{folded[name]}, {value}" if name in folded else value
    return folded


def _cause(error: Exception) -> str:
    from urllib3 import exceptions

    if isinstance(error, exceptions.NameResolutionError):
        return "the name does not resolve"
    if isinstance(error, exceptions.NewConnectionError):
        return "no connection"
    if isinstance(error, (exceptions.TimeoutError, TimeoutError)):
        return "timed out"
    if isinstance(error, exceptions.SSLError):
        return "TLS failed"
    return "the line broke"
