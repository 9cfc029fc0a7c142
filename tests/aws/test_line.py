"""The line against real servers on loopback: whole replies or `Unanswered`, and no way inward for strangers' URLs."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from chalicelib.aws.line import REPLY_LIMIT, UrllibLine
from chalicelib.domain.addresses import Address
from chalicelib.domain.dialect import Request
from chalicelib.domain.errors import Forbidden, Invalid, Refused, Unanswered, Unreached

NAME = "hooks.example.com"
QUERY = "/secret-path?name=Wang+Secretive&key=4711"

Behaviour = Callable[[socket.socket, bytes], None]


class Server:
    """One behaviour on one port of loopback. Keeps what it was sent and how often it was dialled."""

    def __init__(
        self, behave: Behaviour, *, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None
    ) -> None:
        self.behave, self.tls = behave, tls
        self.dialled = 0
        self.heard: list[bytes] = []
        self.names: list[str | None] = []
        self._listener = socket.create_server((address, 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            self.dialled += 1
            threading.Thread(target=self._talk, args=(line,), daemon=True).start()

    def _talk(self, line: socket.socket) -> None:
        try:
            if self.tls is not None:
                line = self.tls.wrap_socket(line, server_side=True)
            while request := _request(line):
                self.heard.append(request)
                self.behave(line, request)
        except OSError:
            pass
        finally:
            line.close()

    def close(self) -> None:
        self._listener.close()


def _request(line: socket.socket) -> bytes:
    heard = b""
    while b"\r\n\r\n" not in heard:
        piece = line.recv(65536)
        if not piece:
            return b""
        heard += piece
    head, _, body = heard.partition(b"\r\n\r\n")
    length = next(
        (int(h.split(b":")[1]) for h in head.lower().split(b"\r\n") if h.startswith(b"content-length")), 0
    )
    while len(body) < length:
        body += line.recv(65536)
    return head + b"\r\n\r\n" + body


def says(status: str = "200 OK", body: bytes = b"ok", *headers: str) -> Behaviour:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return lambda line, request: line.sendall("\r\n".join(head).encode() + body)


def raw(text: bytes, *, hang_up: bool = True) -> Behaviour:
    def behave(line: socket.socket, request: bytes) -> None:
        line.sendall(text)
        if hang_up:
            line.shutdown(socket.SHUT_RDWR)

    return behave


def silent(line: socket.socket, request: bytes) -> None:
    time.sleep(5)


def drips(start: bytes, forever: bytes, every: float = 0.05) -> Behaviour:
    def behave(line: socket.socket, request: bytes) -> None:
        line.sendall(start)
        while True:
            line.sendall(forever)
            time.sleep(every)

    return behave


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(behave: Behaviour, *, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Server:
        servers.append(Server(behave, address=address, tls=tls))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def ask(server: Server, path: str = QUERY, *, read: float = 0.5, body: bytes = b"{}") -> Request:
    url = f"http://127.0.0.1:{server.port}{path}"
    return Request("POST", url, {"x-ours": "1"}, body, connect_timeout_s=0.5, read_timeout_s=read)


# --- whole replies --------------------------------------------------------------------------------------------


def test_a_reply_comes_back_whole_and_the_connection_is_kept(serve: Callable[..., Server]) -> None:
    server = serve(says("201 Created", b"body", "X-Thing: a", "X-Thing: b"))
    line = UrllibLine()
    for _ in range(3):
        reply = line.send(ask(server))
        assert (reply.status, reply.body) == (201, b"body")
        assert reply.headers["x-thing"] == "a, b"
    assert server.dialled == 1
    head = server.heard[0].decode()
    assert head.startswith(f"POST {QUERY} HTTP/1.1\r\n")
    assert "x-ours: 1" in head and "User-Agent: Cordon" in head and head.endswith("{}")


@pytest.mark.parametrize("status", ["204 No Content", "404 Not Found", "500 Oops", "503 Busy"])
def test_every_status_is_a_reply(serve: Callable[..., Server], status: str) -> None:
    assert UrllibLine().send(ask(serve(says(status, b"")))).status == int(status[:3])


def test_a_get_and_a_chunked_reply_work(serve: Callable[..., Server]) -> None:
    server = serve(
        lambda line, request: line.sendall(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        )
    )
    request = Request("GET", f"http://127.0.0.1:{server.port}/")
    assert UrllibLine().send(request).body == b"abcde"
    assert server.heard[0].startswith(b"GET / HTTP/1.1")


def test_a_redirect_is_a_reply_and_is_not_followed(serve: Callable[..., Server]) -> None:
    target = serve(says())
    server = serve(says("302 Found", b"", f"Location: http://127.0.0.1:{target.port}/"))
    reply = UrllibLine().send(ask(server))
    assert reply.status == 302
    assert target.dialled == 0 and len(server.heard) == 1


def test_many_threads_share_a_line(serve: Callable[..., Server]) -> None:
    server = serve(lambda line, request: says("200 OK", request.rpartition(b"\r\n\r\n")[2])(line, request))
    line = UrllibLine()

    def one(n: int) -> bool:
        return line.send(ask(server, read=5, body=str(n).encode())).body == str(n).encode()

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(one, range(200)))


def test_a_connection_that_the_other_side_closed_is_not_used_again(serve: Callable[..., Server]) -> None:
    def once(line: socket.socket, request: bytes) -> None:
        says()(line, request)
        line.shutdown(socket.SHUT_RDWR)

    server, line = serve(once), UrllibLine()
    for _ in range(3):
        assert line.send(ask(server)).status == 200
        time.sleep(0.05)
    assert server.dialled == 3


def test_a_connection_that_was_idle_for_long_is_not_used_again(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    from chalicelib.aws import leash

    server, line = serve(says()), UrllibLine()
    line.send(ask(server))
    monkeypatch.setattr(leash, "IDLE_S", 0.0)
    line.send(ask(server))
    assert server.dialled == 2


# --- no reply -------------------------------------------------------------------------------------------------

BROKEN = {
    "silence": silent,
    "hung up": raw(b""),
    "garbage": raw(b"\x00\xff\x16garbage\r\n\r\n"),
    "not HTTP": raw(b"SSH-2.0-OpenSSH_9.9\r\n"),
    "half a head": raw(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "half a body": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
    "half a chunk": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\nhalf"),
    "a bad chunk": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc"),
    "endless head": drips(b"HTTP/1.1 200 OK\r\n", b"X-Pad: " + b"y" * 60000 + b"\r\n", 0.0),
    "a dripping head": drips(b"HTTP/1.1 200 OK\r\n", b"X-Drip: 1\r\n", 0.02),
    "a dripping body": drips(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"."),
    "a dripping body without end": drips(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"."),
    "dripping chunks": drips(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n.\r\n"),
    "a dripping chunk length": drips(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
    "a second informational head for ever": drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_line_is_unanswered_in_time_and_tells_nothing_personal(
    serve: Callable[..., Server], caplog: pytest.LogCaptureFixture, name: str
) -> None:
    server = serve(BROKEN[name])
    began = time.monotonic()
    with pytest.raises(Unanswered) as caught:
        UrllibLine().send(ask(server))
    assert not isinstance(caught.value, Unreached), "the request went out"
    assert time.monotonic() - began < 5, (
        "connect and read timeout together are 1 s, and the line says nothing for ever"
    )
    text = f"{caught.value} {caught.value.__cause__} {caplog.text}"
    assert "secret" not in text and "Wang" not in text and "4711" not in text
    assert len(server.heard) == 1, "nothing is repeated"


def test_a_sloppy_head_with_a_length_is_a_reply_and_its_url_is_not_logged(
    serve: Callable[..., Server], caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nno colon here\r\n\r\nok"))
    assert UrllibLine().send(ask(server)).status == 200
    assert "Wang" not in caplog.text and "secret" not in caplog.text


def test_a_port_where_nobody_listens_and_a_name_that_nobody_has_were_never_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(Unreached, match="no connection"):
        UrllibLine().send(Request("GET", f"http://127.0.0.1:{port}/x?y=1"))
    with pytest.raises(Unreached) as caught:
        UrllibLine().send(Request("GET", "http://no-such-name.invalid/x?y=1"))
    assert "y=1" not in str(caught.value)


def test_a_host_that_lets_every_knock_pass_unheard_was_never_reached() -> None:
    """What most hosts that are down do: no connection is refused, and none is taken."""
    with contextlib.ExitStack() as held:
        full = held.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # whoever knocks now finds the queue full, and is not heard
            knocking = held.enter_context(socket.socket())
            knocking.setblocking(False)
            knocking.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}/x?y=1"
        with pytest.raises(Unreached, match="timed out") as caught:
            UrllibLine().send(Request("POST", url, {}, b"{}", connect_timeout_s=0.3, read_timeout_s=0.3))
    assert "y=1" not in str(caught.value)


def test_a_reply_of_the_limit_is_taken_and_a_longer_one_is_not(serve: Callable[..., Server]) -> None:
    assert len(UrllibLine().send(ask(serve(says("200 OK", b"x" * REPLY_LIMIT)), read=5)).body) == REPLY_LIMIT
    with pytest.raises(Unanswered, match="longer"):
        UrllibLine().send(ask(serve(says("200 OK", b"x" * (REPLY_LIMIT + 1))), read=5))
    endless = serve(drips(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"x" * 65536, 0.0))
    with pytest.raises(Unanswered, match="longer"):
        UrllibLine().send(ask(endless, read=5))


def test_a_zipped_reply_is_not_blown_up(serve: Callable[..., Server]) -> None:
    import gzip

    zipped = gzip.compress(b"\0" * 50_000_000)
    reply = UrllibLine().send(ask(serve(says("200 OK", zipped, "Content-Encoding: gzip")), read=5))
    assert reply.body == zipped


@pytest.mark.parametrize(
    "url", ["ftp://a.example/", "/nothing", "http://", "http://u:p@a.example/", "http://a:99999/"]
)
def test_what_is_no_url_of_ours_is_invalid(url: str) -> None:
    with pytest.raises(Invalid):
        UrllibLine().send(Request("GET", url))


# --- only the public internet ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-made certificate for the name, and for nothing else: certificate, and certificate with key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    public, both = folder / "ca.pem", folder / "both.pem"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    both.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + public.read_bytes()
    )
    return public, both


@pytest.fixture
def tls(authority: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority[1])
    return context


def only(text: str) -> Callable[[Address], bool]:
    """A judge to whom one address of loopback is the public internet."""
    return lambda address: address == ipaddress.ip_address(text)


def stranger(port: int, host: str = NAME, scheme: str = "https") -> Request:
    url = f"{scheme}://{host}:{port}{QUERY}"
    return Request("POST", url, {"Host": "forged"}, b"{}", connect_timeout_s=0.5, read_timeout_s=0.5)


def test_the_judged_address_is_dialled_and_the_name_stays_in_host_sni_and_certificate(
    serve: Callable[..., Server], tls: ssl.SSLContext, authority: tuple[Path, Path]
) -> None:
    asked: list[str] = []
    tls.sni_callback = lambda line, name, context: asked.append(name)
    server = serve(says(), tls=tls)
    line = UrllibLine(
        resolve=lambda host, port: ["127.0.0.1"], allows=only("127.0.0.1"), trusted_ca=str(authority[0])
    )
    for _ in range(2):
        assert line.send(stranger(server.port), public_only=True).status == 200
    assert asked == [NAME], "one handshake, the connection is kept"
    head = server.heard[0].decode()
    assert f"Host: {NAME}:{server.port}\r\n" in head and "forged" not in head


def test_a_certificate_for_another_name_is_not_accepted(
    serve: Callable[..., Server], tls: ssl.SSLContext, authority: tuple[Path, Path]
) -> None:
    server = serve(says(), tls=tls)
    line = UrllibLine(
        resolve=lambda host, port: ["127.0.0.1"], allows=only("127.0.0.1"), trusted_ca=str(authority[0])
    )
    line.send(stranger(server.port), public_only=True)
    with pytest.raises(Unanswered, match="TLS"):
        line.send(stranger(server.port, "other.example.com"), public_only=True)
    with pytest.raises(Unanswered, match="TLS"):
        UrllibLine(resolve=lambda host, port: ["127.0.0.1"], allows=only("127.0.0.1")).send(
            stranger(server.port), public_only=True
        )
    assert len(server.heard) == 1


def test_a_name_that_resolves_inward_the_second_time_is_refused_and_never_dialled(
    serve: Callable[..., Server], tls: ssl.SSLContext, authority: tuple[Path, Path]
) -> None:
    server = serve(says(), tls=tls)
    inside = serve(says(), address="127.0.0.2", tls=tls)
    answers = iter([["127.0.0.1"], ["127.0.0.2"], ["127.0.0.1", "127.0.0.2"], ["127.0.0.1"]])
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return next(answers)

    line = UrllibLine(resolve=resolve, allows=only("127.0.0.1"), trusted_ca=str(authority[0]))
    assert line.send(stranger(server.port), public_only=True).status == 200
    assert asked == [NAME], "resolved once a request: what was judged is what is dialled"
    for _ in range(2):
        with pytest.raises(Forbidden):
            line.send(stranger(server.port), public_only=True)
    assert line.send(stranger(server.port), public_only=True).status == 200
    assert inside.dialled == 0


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "169.254.169.254", "0.0.0.0", "10.1.2.3", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1",
     "2002:7f00:1::", "224.0.0.1", "fe80::1", "nonsense"],
)  # fmt: skip
def test_a_name_that_resolves_inward_is_refused(address: str) -> None:
    line = UrllibLine(resolve=lambda host, port: ["8.8.8.8", address])
    with pytest.raises(Refused) as caught:
        line.send(stranger(443), public_only=True)
    assert "Wang" not in str(caught.value) and "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0x7f.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "169.254.169.254",
    ],
)
def test_the_system_resolver_is_judged_too(serve: Callable[..., Server], host: str) -> None:
    server = serve(says())
    with pytest.raises((Refused, Unanswered)):
        UrllibLine().send(stranger(server.port, host), public_only=True)
    assert server.dialled == 0


def test_plain_http_is_refused_for_strangers(serve: Callable[..., Server]) -> None:
    server = serve(says())
    line = UrllibLine(resolve=lambda host, port: ["127.0.0.1"], allows=only("127.0.0.1"))
    with pytest.raises(Forbidden, match="https"):
        line.send(stranger(server.port, scheme="http"), public_only=True)
    assert server.dialled == 0


def test_a_name_server_that_stalls_or_fails_is_unanswered_in_time() -> None:
    def stalls(host: str, port: int) -> list[str]:
        time.sleep(3)
        return ["8.8.8.8"]

    def fails(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "Wang Secretive")

    def finds_nothing(host: str, port: int) -> list[str]:
        return []

    began = time.monotonic()
    for resolve in (stalls, fails, finds_nothing):
        with pytest.raises(Unanswered) as caught:
            UrllibLine(resolve=resolve).send(stranger(443), public_only=True)
        assert "Wang" not in str(caught.value)
    assert time.monotonic() - began < 2.9, "the stalling one takes 3 s"


def test_a_tls_handshake_that_never_ends_is_unanswered_in_time(authority: tuple[Path, Path]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        line = UrllibLine(resolve=lambda host, port: ["127.0.0.1"], allows=only("127.0.0.1"))
        began = time.monotonic()
        with pytest.raises(Unanswered, match="timed out"):
            line.send(stranger(mute.getsockname()[1]), public_only=True)
        assert time.monotonic() - began < 5


def test_another_address_of_the_name_is_tried_while_nothing_was_sent(
    serve: Callable[..., Server], tls: ssl.SSLContext, authority: tuple[Path, Path]
) -> None:
    server = serve(says(), address="127.0.0.3", tls=tls)
    line = UrllibLine(
        resolve=lambda host, port: ["127.0.0.2", "127.0.0.3"],
        allows=lambda address: address.is_loopback,
        trusted_ca=str(authority[0]),
    )
    assert line.send(stranger(server.port), public_only=True).status == 200


def test_importing_the_line_does_not_import_urllib3() -> None:
    import subprocess
    import sys

    code = "import sys, chalicelib.aws.line; sys.exit('urllib3' in sys.modules)"
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
