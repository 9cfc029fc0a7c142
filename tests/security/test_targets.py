"""A webhook cannot be aimed inward: not by an address however it is spelled, not by a name server, not by a redirect.

Two lines: the URL is judged when a brand hands it in, and every time something is sent the address that is dialled
is one that was judged. The second holds alone; here each is tried without the other. Real sockets, real TLS.
"""

from __future__ import annotations

import dataclasses
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from urllib3.util import parse_url

from chalicelib import wiring
from chalicelib.aws.line import UrllibLine
from chalicelib.domain.addresses import is_public
from chalicelib.domain.dialect import Request
from chalicelib.domain.errors import Forbidden, Invalid, Refused, Unanswered
from chalicelib.domain.orders import OrderState
from chalicelib.flows import subscribe
from tests.aws.test_line import NAME, Server, only, raw, says, stranger
from tests.security.gateway import Gateway

IANA = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "100:0:0:1::/64",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "2620:4f:8000::/48",
    "3fff::/20",
    "4000::/2",
    "8000::/1",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
]
"""IANA's registries of special-purpose addresses and what is not handed out for unicast, written down once more:
the judgement does not hang on what a version of the standard library believes."""

INWARD = [
    "127.0.0.1", "127.1", "127.0.1", "0.0.0.0", "0", "10.0.0.1", "10.1", "100.64.0.1", "100.127.255.254",
    "169.254.169.254", "169.254.170.2", "169.254.169.253", "172.16.0.1", "172.31.255.255", "192.168.0.1",
    "192.0.0.170", "198.18.0.1", "224.0.0.251", "255.255.255.255", "2130706433", "3232235521", "2852039166",
    "0x7f000001", "0x7f.0.0.1", "0x7f.1", "0177.0.0.1", "017700000001", "00000177.0.0.1", "0xa9fea9fe",
    "127.0.0.1.", "169.254.169.254.", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::127.0.0.1]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:a9fe:a9fe]", "[0:0:0:0:0:ffff:10.0.0.1]",
    "[64:ff9b::127.0.0.1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::1]", "[2002:7f00:1::]", "[2002:a9fe:a9fe::1]",
    "[2001:0:7f00:1::]", "[fd00:ec2::254]", "[fc00::1]", "[fe80::1]", "[fe80::1%25eth0]", "[fec0::1]", "[ff02::1]",
    "localhost", "LOCALHOST", "localhost.", "app.localhost", "metadata.google.internal", "printer.local", "intranet",
    "ip6-localhost", "host.docker.internal", "\uff11\uff12\uff17.0.0.1", "127\u30020\u30020\u30021",
    "\u2460\u2461\u2466.0.0.1", "127.0.0.1\u3002", "\uff4cocalhost", "loc\u00adalhost", "%31%32%37.0.0.1",
    "127%2E0%2E0%2E1", "127.0.0.1%00.example.com", "127.0.0.1%2f.example.com",
]  # fmt: skip
"""Hosts that lead inward where somebody reads them so."""


@pytest.fixture
def shut(gate: Gateway) -> Iterator[Gateway]:
    """The gateway as on AWS, where no webhook may be private; fixtures elsewhere allow it for the laptop."""
    world = gate.stage.world
    wiring.use(dataclasses.replace(world, webhooks_may_be_private=False))
    yield gate
    wiring.use(world)


def subscribed(gate: Gateway, url: str) -> Any:
    return gate.ask("POST", "/v1/webhooks", "brand maison", {"url": url})


# --- when the URL is handed in --------------------------------------------------------------------------------


@pytest.mark.parametrize("host", INWARD)
def test_an_endpoint_whose_host_leads_inward_is_refused_and_not_kept(shut: Gateway, host: str) -> None:
    for url in (f"https://{host}/", f"https://{host}:443/x", f"https://{host}"):
        answer = subscribed(shut, url)
        assert answer.status == 422, answer.body
        assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/url"]
        assert host not in answer.body.decode() or host == "0", "what stood there is not repeated"
        assert not shut.has_done_something()


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/", "ftp://hooks.example.com/", "file:///etc/passwd", "gopher://hooks.example.com/",
        "javascript:alert(1)", "//hooks.example.com/", "hooks.example.com", "https:hooks.example.com", "https:///x",
        "https://user@hooks.example.com/", "https://user:word@hooks.example.com/", "https://@hooks.example.com/",
        "https://hooks.example.com@127.0.0.1/", "https://127.0.0.1@hooks.example.com/",
        "https://hooks.example.com\\@127.0.0.1/", "https://hooks.example.com#@127.0.0.1/",
        "https://hooks.example.com:0/", "https://hooks.example.com:65536/", "https://hooks.example.com:x/",
        "https://hooks.example.com:-1/", "https://hooks.example.com/a b", "https://hooks.example.com/\r\nHost: x",
        "https://hooks.example.com/\n", "\thttps://hooks.example.com/", "https://hooks.exam\tple.com/",
        "https://hooks.example.com/\x00", "https://hooks.example.com/\u202e", "https://h\u00f6oks.example.com/",
        "https://" + "a" * 490 + ".com/", "https://hooks..example.com/", "https://.example.com/", "https://example.1/",
    ],
)  # fmt: skip
def test_a_url_that_can_be_read_in_two_ways_is_refused(shut: Gateway, url: str) -> None:
    answer = subscribed(shut, url)
    assert answer.status == 422, answer.body
    assert not shut.has_done_something()


@given(
    st.lists(
        st.sampled_from(
            ["https://", "http://", "hooks.example.com", "127.0.0.1", "[::1]", "@", "#", "?", "/", "\\", ":", "443",
             "%", "2f", "%2e", "%00", "0x7f", ".", "..", "localhost", "\t", "\n", " ", ";", "&", "[", "]", "::", "a"]
        ),
        max_size=8,
    ).map("".join)
)  # fmt: skip
@settings(max_examples=500, deadline=None, database=None, derandomize=True)
def test_what_is_accepted_is_read_alike_by_whoever_dials_it(rest: str) -> None:
    """Two parsers that differ on the host would be two different judgements."""
    for url in (rest, f"https://{rest}", f"https://hooks.example.com{rest}"):
        if subscribe._fault_in(url, may_be_private=False) is None:
            read, dialled = urlsplit(url), parse_url(url)
            assert read.hostname == str(dialled.host).lower().strip("[]")
            assert (read.port or 443) == (dialled.port or 443)
            assert dialled.auth is None and dialled.scheme == "https"


def test_on_aws_no_webhook_may_be_private(monkeypatch: pytest.MonkeyPatch) -> None:
    from chalicelib.settings import Settings

    for setting in Settings.model_fields.values():
        monkeypatch.setenv(str(setting.validation_alias), "x")
    assert not wiring.real().webhooks_may_be_private


# --- when something is sent -----------------------------------------------------------------------------------


@pytest.mark.parametrize("block", IANA)
def test_nothing_in_a_block_that_is_nobody_s_is_public(block: str) -> None:
    network = ip_network(block)
    step = max(network.num_addresses // 257, 1)
    within = [network[n] for n in {*range(0, network.num_addresses, step), network.num_addresses - 1}]
    assert [address for address in within if is_public(address)] == []


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=400, deadline=None, database=None, derandomize=True)
def test_an_address_is_judged_by_what_is_inside(number: int) -> None:
    address = IPv4Address(number)
    special = any(address in IPv4Network(block) for block in IANA if ":" not in block)
    assert is_public(address) is not special
    for prefix, tells in (("::ffff:0:0", True), ("64:ff9b::", True), ("::", False), ("2002::", False)):
        shift = 80 if prefix == "2002::" else 0
        wrapped = IPv6Address(int(IPv6Address(prefix)) | number << shift)
        assert is_public(wrapped) is (tells and not special)


@given(st.integers(0, 2**128 - 1))
@settings(max_examples=400, deadline=None, database=None, derandomize=True)
def test_of_the_newer_addresses_only_unicast_that_was_handed_out_is_public(number: int) -> None:
    address = IPv6Address(number)
    wraps = any(address in IPv6Network(block) for block in ("::ffff:0:0/96", "64:ff9b::/96"))
    special = address not in IPv6Network("2000::/3") or any(
        address in IPv6Network(block) for block in IANA if ":" in block
    )
    assert wraps or is_public(address) is not special


@pytest.mark.parametrize("host", INWARD)
def test_the_line_alone_lets_no_such_host_through_whatever_its_name_server_says(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The URL was never judged, and the resolver reads every odd spelling as loopback."""
    dialled: list[Any] = []
    monkeypatch.setattr(socket, "create_connection", lambda *a, **k: dialled.append(a))
    monkeypatch.setattr(socket.socket, "connect", lambda *a: dialled.append(a))
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *a, **k: [(socket.AF_INET, 1, 6, "", ("127.0.0.1", 443))]
    )
    with pytest.raises((Forbidden, Invalid, Unanswered)):
        UrllibLine().send(Request("POST", f"https://{host}/x", {}, b"{}"), public_only=True)
    assert dialled == []


class NameServer:
    """The system's resolver, patched: each answer in its turn, the last one for ever."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> None:
        self.asked: list[str] = []
        self._answers = list(answers)
        self._plain = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self._look)

    def _look(self, host: Any, port: Any, *rest: Any, **named: Any) -> Any:
        try:
            IPv4Address(host)
        except ValueError:
            self.asked.append(host)
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in answer]
        return self._plain(host, port, *rest, **named)


def test_a_name_that_is_rebound_after_it_was_judged_is_not_dialled_anew(
    serve: Callable[..., Server],
    tls: ssl.SSLContext,
    authority: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A time to live of nothing: public for whoever judges, inward for whoever asks a second time."""
    outside = serve(says(), tls=tls)
    inside = serve(says(), address="127.0.0.2", tls=tls)
    names = NameServer(monkeypatch, ["127.0.0.1"], ["127.0.0.2"])
    line = UrllibLine(allows=only("127.0.0.1"), trusted_ca=str(authority[0]))
    assert line.send(stranger(outside.port), public_only=True).status == 200
    assert names.asked == [NAME], "asked once: what was judged is what is dialled"
    with pytest.raises(Forbidden):
        line.send(stranger(outside.port), public_only=True)
    assert (outside.dialled, inside.dialled) == (1, 0), "nor is the open connection used for it"


@pytest.mark.parametrize("answer", [["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "127.0.0.1"]])
def test_one_address_of_several_that_leads_inward_spoils_the_name(
    serve: Callable[..., Server],
    tls: ssl.SSLContext,
    authority: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    answer: list[str],
) -> None:
    outside, inside = serve(says(), tls=tls), serve(says(), address="127.0.0.2", tls=tls)
    NameServer(monkeypatch, answer)
    with pytest.raises(Forbidden) as caught:
        UrllibLine(allows=only("127.0.0.1"), trusted_ca=str(authority[0])).send(
            stranger(outside.port), public_only=True
        )
    assert "127.0.0" not in str(caught.value), "whoever asks is not told what our name server sees"
    assert (outside.dialled, inside.dialled) == (0, 0)


@pytest.mark.parametrize(
    "status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"]
)
def test_a_redirect_inward_is_an_answer_and_nobody_goes_there(
    serve: Callable[..., Server], tls: ssl.SSLContext, authority: tuple[Path, Path], status: str
) -> None:
    inside = serve(says(), address="127.0.0.2")
    places = (f"http://127.0.0.2:{inside.port}/latest/meta-data", "//169.254.169.254/", "file:///etc/passwd")
    line = UrllibLine(
        resolve=lambda host, port: ["127.0.0.1"], allows=only("127.0.0.1"), trusted_ca=str(authority[0])
    )
    for place in places:
        outside = serve(says(status, b"", f"Location: {place}", f"Refresh: 0; url={place}"), tls=tls)
        assert line.send(stranger(outside.port), public_only=True).status == int(status[:3])
        assert len(outside.heard) == 1
    assert inside.dialled == 0


def test_proxies_of_the_environment_are_not_asked(
    serve: Callable[..., Server],
    tls: ssl.SSLContext,
    authority: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proxy, outside = serve(says()), serve(says(), tls=tls)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    line = UrllibLine(
        resolve=lambda host, port: ["127.0.0.1"], allows=only("127.0.0.1"), trusted_ca=str(authority[0])
    )
    assert line.send(stranger(outside.port), public_only=True).status == 200
    plain = serve(says())
    assert line.send(Request("GET", f"http://127.0.0.1:{plain.port}/")).status == 200
    assert proxy.dialled == 0


def test_an_address_in_the_place_of_a_name_needs_a_certificate_of_its_own(
    serve: Callable[..., Server], tls: ssl.SSLContext, authority: tuple[Path, Path]
) -> None:
    server = serve(says(), tls=tls)
    line = UrllibLine(allows=only("127.0.0.1"), trusted_ca=str(authority[0]))
    with pytest.raises(Unanswered, match="TLS"):
        line.send(stranger(server.port, "127.0.0.1"), public_only=True)
    assert server.heard == []


def test_a_handshake_that_drips_is_cut_in_time(authority: tuple[Path, Path]) -> None:
    """One byte of a long record at a time: a timeout that starts anew with every byte would never come."""

    def drip(line: socket.socket) -> None:
        try:
            line.sendall(b"\x16\x03\x03\x40\x00")
            while True:
                line.sendall(b"\x02")
                time.sleep(0.02)
        except OSError:
            pass

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: drip(server.accept()[0]), daemon=True).start()
        line = UrllibLine(resolve=lambda host, port: ["127.0.0.1"], allows=only("127.0.0.1"))
        began = time.monotonic()
        with pytest.raises(Unanswered):
            line.send(stranger(server.getsockname()[1]), public_only=True)
        assert time.monotonic() - began < 1.6, "connect and read timeout together are 1 s"


def test_a_reply_splits_no_header_and_reaches_nobody(
    serve: Callable[..., Server], tls: ssl.SSLContext, authority: tuple[Path, Path]
) -> None:
    """What a receiver says is a status for us: no header, body or reason of it is kept, logged or told."""
    server = serve(
        raw(
            b"HTTP/1.1 500 Wang Secretive\r\nX-Evil: Wang Secretive\r\nContent-Length: 14\r\n\r\nWang Secretive"
        ),
        tls=tls,
    )
    line = UrllibLine(
        resolve=lambda host, port: ["127.0.0.1"], allows=only("127.0.0.1"), trusted_ca=str(authority[0])
    )
    from chalicelib.channels import webhook
    from tests.fakes import NOON

    outcome = webhook.read(line.send(stranger(server.port), public_only=True), NOON)
    assert outcome.status == 500 and "Wang" not in outcome.problem


def test_what_a_line_refuses_is_told_to_the_brand_as_a_failed_try_and_no_more(shut: Gateway) -> None:
    """From the endpoint to the list of tries, with a name that turns inward once it was accepted."""
    world: Any = wiring.world()
    line = UrllibLine(resolve=lambda host, port: ["169.254.169.254"])
    plain = world.line

    class Split:
        requests = plain.requests

        def send(self, request: Request, *, public_only: bool = False) -> Any:
            turned = "turned.example.com" in request.url
            return (line if turned else plain).send(request, public_only=public_only)

    on = dataclasses.replace(world, line=Split())
    wiring.use(on)
    made = subscribed(shut, "https://turned.example.com/hook").json()
    from chalicelib.flows.tell import tell
    from tests import drive

    order_id = shut.names["order_id"]
    drive.settle(on)
    tell(on, order_id)
    told = shut.ask("GET", f"/v1/webhooks/{made['endpoint_id']}/attempts", "brand maison").json()["data"]
    tries = [each for notice in told for each in notice["attempts"]]
    assert tries and told[0]["order_state"] in set(OrderState)
    assert all("status" not in each and "169.254" not in json.dumps(each) for each in tries)
    assert all("not on the public internet" in each["problem"] for each in tries)


def test_the_two_ways_of_refusing_are_the_caller_s_fault_and_not_ours() -> None:
    assert issubclass(Forbidden, Refused) and issubclass(Invalid, Refused)
