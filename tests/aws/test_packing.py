"""Packed texts: small, and readable for ever."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from chalicelib.aws import packing
from chalicelib.aws.packing import pack, unpack
from chalicelib.aws.table import _row
from chalicelib.domain import facts
from chalicelib.domain.errors import Newer
from chalicelib.flows.place import place
from tests.stage import new_order, stage


@given(some.binary(max_size=20_000))
def test_whatever_was_packed_comes_out_again(plain: bytes) -> None:
    assert unpack(pack(plain)) == plain


def test_the_first_dictionary_is_what_it_was_when_the_first_order_was_packed_with_it() -> None:
    digest = hashlib.sha256(packing._DICTIONARIES[1]).hexdigest()
    assert digest == "24616fb56e1ea281a1f0ff2f0727d597541b89c5eecaa428ef4bec9d7da55c8f"


def test_a_placed_order_is_packed_to_a_third() -> None:
    on = stage()
    order, _ = place(on.world, "maison", "key-1", new_order())
    row = on.plain.table.get(facts.order_key(order.order_id))
    assert row is not None
    assert len(pack(row.body.encode())) < len(row.body) / 3


@pytest.mark.parametrize(
    "junk", [b"", b"\x00", b"\x63abc", b"\x01", b"\x01not deflate", pack(b"x" * 99)[:-1]]
)
def test_junk_is_an_error_and_no_crash(junk: bytes) -> None:
    with pytest.raises(ValueError):
        unpack(junk)


def test_a_small_text_that_unpacks_to_a_huge_one_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        unpack(pack(b"a" * 100_000), limit=1000)


def test_a_body_that_was_kept_as_plain_text_is_still_read() -> None:
    item = {"pk": {"S": "a"}, "sk": {"S": "b"}, "version": {"N": "1"}, "body": {"S": json.dumps({"a": 1})}}
    assert _row(item).body == json.dumps({"a": 1})


def test_what_later_code_packed_waits_for_that_code() -> None:
    later = bytes([pack(b"x")[0] + 1]) + pack(b"x")[1:]
    with pytest.raises(Newer):
        unpack(later)
