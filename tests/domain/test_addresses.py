"""Which addresses a brand may name."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.addresses import fault_of, is_public, literal

INWARD = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "100::1",
    "2001:db8::1",
    "2001::1",
    "2002:7f00:1::1",
    "2002:a00:1::",
    "2002:808:808::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]
OUTWARD = ["8.8.8.8", "1.1.1.1", "93.184.215.14", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("text", INWARD)
def test_what_leads_inward_is_not_public(text: str) -> None:
    assert not is_public(ip_address(text))
    assert fault_of(f"[{text}]" if ":" in text else text) is not None


@pytest.mark.parametrize("text", OUTWARD)
def test_what_leads_outward_is_public(text: str) -> None:
    assert is_public(ip_address(text))
    assert fault_of(text) is None


@given(st.ip_addresses(v=4))
def test_wrapping_an_address_does_not_change_the_judgement(address: IPv4Address) -> None:
    mapped = IPv6Address(f"::ffff:{address}")
    translated = IPv6Address(int(IPv6Address("64:ff9b::")) | int(address))
    assert is_public(mapped) == is_public(translated) == is_public(address)
    assert not is_public(IPv6Address((0x2002 << 112) | (int(address) << 80)))


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST.",
        "api.localhost",
        "printer.local",
        "metadata.google.internal",
        "intranet",
        "127.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "017700000001",
        "10.0.0.1.",
        "127%2e0.0.1",
        "a..example.com",
        "-a.example.com",
        "ex ample.com",
        "example.com\n",
        "хост.example.com",
        "a" * 64 + ".example.com",
        "",
    ],
)
def test_a_host_that_cannot_be_public_is_found_out_by_its_spelling(host: str) -> None:
    assert fault_of(host) is not None


@pytest.mark.parametrize(
    "host", ["hooks.example.com", "HOOKS.Example.com.", "xn--fiqs8s.example", "a_b.example.com"]
)
def test_an_ordinary_name_is_fine(host: str) -> None:
    assert fault_of(host) is None


@given(st.text(max_size=80))
def test_no_spelling_breaks_the_judgement(host: str) -> None:
    fault_of(host)
    literal(host)
