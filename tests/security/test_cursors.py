"""A cursor is good for the list, the owner and the deployment that gave it out, byte for byte, and for nothing else."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.errors import Malformed
from chalicelib.domain.ports import World
from chalicelib.routes import cursors
from tests import fakes
from tests.security.gateway import Gateway

ALPHABET = string.ascii_letters + string.digits + "-_.=+/ %\x00é"
AFTER = st.text(st.characters(codec="utf-8"), max_size=200)
bounded = settings(max_examples=100, deadline=None, database=None, derandomize=True)


class Keys(fakes.FakeSecrets):
    """The signing keys of a deployment: the former one first, as Secrets Manager's two stages are read."""

    def __init__(self, *keys: str) -> None:
        super().__init__()
        self.keys = keys

    def signing_keys(self) -> Any:
        return list(self.keys)


def deployment(*keys: str) -> World:
    return fakes.world(secrets=Keys(*keys))


WORLD = deployment("the key before", "the key of today")
SCOPE = "orders|maison"


def opens(world: World, scope: str, cursor: str) -> bool:
    try:
        cursors.read(world, scope, cursor)
    except Malformed:
        return False
    return True


@given(AFTER)
@bounded
def test_a_cursor_opens_where_it_was_given_out(after: str) -> None:
    assert cursors.read(WORLD, SCOPE, cursors.sign(WORLD, SCOPE, after)) == after


def test_no_other_byte_in_any_place_opens() -> None:
    for after in ("a", "2022-04-11T04:00:00.000000Z#ord_1", "z" * 60):
        cursor = cursors.sign(WORLD, SCOPE, after)
        for at, char in enumerate(cursor):
            for other in ALPHABET:
                if other != char:
                    assert not opens(WORLD, SCOPE, cursor[:at] + other + cursor[at + 1 :]), (at, other)


@given(AFTER, st.integers(0, 400), st.text(st.sampled_from(ALPHABET), min_size=1, max_size=8), st.data())
@bounded
def test_cut_stretched_and_spliced_cursors_do_not_open(
    after: str, at: int, more: str, data: st.DataObject
) -> None:
    cursor = cursors.sign(WORLD, SCOPE, after)
    at = at % len(cursor)
    other = cursors.sign(WORLD, SCOPE, after + "x")
    body, _, proof = cursor.rpartition(".")
    wrong = {
        cursor[:at],
        cursor[at + 1 :],
        cursor[:at] + more + cursor[at:],
        cursor + more,
        more + cursor,
        cursor + "=",
        cursor.swapcase(),
        cursor * 2,
        f"{body}.{other.rpartition('.')[2]}",
        f"{other.rpartition('.')[0]}.{proof}",
        f".{cursor}",
        data.draw(st.text(max_size=60)),
    } - {cursor}
    assert [each for each in wrong if opens(WORLD, SCOPE, each)] == []


@pytest.mark.parametrize(
    "scope",
    ["orders|autre-maison", "orders|maiso", "orders|maison|", "orders|", "", "attempts|maison|hook-1",
     "replay|maison|hook-1", "Orders|maison", "orders|maison\x00"],
)  # fmt: skip
def test_another_owner_s_or_another_list_s_does_not_open(scope: str) -> None:
    assert not opens(WORLD, scope, cursors.sign(WORLD, SCOPE, "here"))
    assert not opens(WORLD, SCOPE, cursors.sign(WORLD, scope, "here"))


def test_a_key_is_good_for_one_rotation_and_another_deployments_never() -> None:
    first, second, third = deployment("a"), deployment("a", "b"), deployment("b", "c")
    old, new = cursors.sign(first, SCOPE, "x"), cursors.sign(second, SCOPE, "x")
    assert opens(second, SCOPE, old) and opens(second, SCOPE, new) and opens(third, SCOPE, new)
    assert not opens(third, SCOPE, old), "signed by the key before the key before"
    assert not opens(first, SCOPE, new), "rotating back makes nothing valid that was not"
    assert not opens(deployment("A"), SCOPE, old)


def test_what_is_signed_with_a_weaker_hand_does_not_open() -> None:
    """The same library with its defaults, another salt, no signature: nothing of it is ours."""
    from itsdangerous import URLSafeSerializer, URLSafeTimedSerializer
    from itsdangerous.encoding import base64_encode

    key = "the key of today"
    forged = [
        URLSafeSerializer(key).dumps("here"),
        URLSafeSerializer(key, salt=f"cursor|{SCOPE}").dumps("here"),
        URLSafeTimedSerializer(key, salt=f"cursor|{SCOPE}").dumps("here"),
        URLSafeSerializer("", salt=f"cursor|{SCOPE}").dumps("here"),
        URLSafeSerializer(key, salt=f"cursor|{SCOPE}", signer=None).dumps("here"),
        base64_encode(b'"here"').decode(),
        base64_encode(b'"here"').decode() + ".",
    ]
    assert [each for each in forged if opens(WORLD, SCOPE, each)] == []


def test_something_signed_that_is_no_place_in_a_list_does_not_open() -> None:
    serializer = cursors._serializer("the key of today", SCOPE)
    for value in (1, None, ["here"], {"after": "here"}, True):
        assert not opens(WORLD, SCOPE, str(serializer.dumps(value)))


def test_a_cursor_that_blows_up_when_unpacked_is_turned_away_by_its_length_or_its_signature() -> None:
    import zlib

    from itsdangerous.encoding import base64_encode

    bomb = "." + base64_encode(zlib.compress(b'"' + b"x" * 50_000_000 + b'"')).decode()
    assert not opens(WORLD, SCOPE, bomb)
    assert not opens(WORLD, SCOPE, bomb[: cursors.LENGTH - 50] + "." + "A" * 43)


def test_over_the_api_a_cursor_of_another_brand_or_list_is_refused_alike(gate: Gateway) -> None:
    page = gate.ask("GET", "/v1/orders?limit=1", "brand maison").json()
    cursor = page["next_cursor"]
    assert gate.ask("GET", f"/v1/orders?cursor={cursor}", "brand maison").status == 200
    told = {
        gate.ask(method, path, caller, body).body
        for method, path, caller, body in (
            ("GET", f"/v1/orders?cursor={cursor}", "brand autre-maison", None),
            ("GET", f"/v1/orders?cursor={cursor}x", "brand maison", None),
            ("GET", "/v1/orders?cursor=", "brand maison", None),
            ("GET", f"/v1/orders?brand=autre-maison&cursor={cursor}", "operator control-room", None),
            ("GET", f"/v1/webhooks/hook-1/attempts?cursor={cursor}", "brand maison", None),
            (
                "POST",
                "/v1/webhooks/hook-1/replay",
                "brand maison",
                {"since": "2022-04-11T00:00:00Z", "cursor": cursor},
            ),
        )
    }
    assert len(told) == 1, "one answer for every wrong cursor"
    assert b"the cursor is not one that this list gave out" in told.pop()
