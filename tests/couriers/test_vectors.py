"""Every vector that a vendor of ours has published or that was recorded with its proof: proven as it is, and refused
with any byte of it changed, a part of the proof missing, under another key and under none."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from chalicelib.couriers import Folder
from chalicelib.domain.dialect import Account, Callback
from chalicelib.domain.errors import Malformed, Unauthorised
from tests.conftest import SHARED
from tests.couriers.contract.subject import another

FOLDER = Path(os.environ.get("CORDON_SHARED", SHARED)) / "data" / "couriers"
needs_shared = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"the vectors are not at {FOLDER} (set CORDON_SHARED)"
)
MASKS = (0x01, 0x20, 0x80)
OUTGOING, NOT_OURS = {"wechat_immediate_delivery"}, {"ifood", "shopify (inbound brand orders)"}
"""Vectors of what is asked, which is no callback; and of systems that we do not speak."""


@dataclass(frozen=True)
class Proven:
    """One callback with its proof, and what it was proven by."""

    courier: str
    account: Account
    secrets: Sequence[str]
    callback: Callback
    at: datetime
    covered: Sequence[str] = ()
    """Fields of the body that the proof covers, where it does not cover the bytes."""

    @property
    def parts(self) -> Iterator[tuple[str, str]]:
        """Of the proof, beside the body."""
        of = import_module(f"tests.couriers.samples_{self.courier}")
        for where, names in (("query", of.PROOF_QUERY), ("headers", of.PROOF_HEADERS)):
            yield from ((where, name) for name in names)

    def without(self, where: str, name: str, value: str | None) -> Callback:
        parts = {key: said for key, said in getattr(self.callback, where).items() if key != name}
        if value is not None:
            parts[name] = value
        return replace(self.callback, **{where: parts})

    def bodies(self) -> Iterator[bytes]:
        """The body with one bit of one byte changed, each in turn."""
        body = self.callback.body
        places: set[int] = set(range(len(body)))
        if self.covered:
            told = json.loads(body)
            places = set()
            for name in self.covered:
                written = str(told[name]).encode()
                if written:
                    begins = body.index(written, body.index(f'"{name}"'.encode()))
                    places |= set(range(begins, begins + len(written)))
        for place in sorted(places):
            for mask in MASKS:
                yield body[:place] + bytes([body[place] ^ mask]) + body[place + 1 :]


def known() -> dict[str, Any]:
    return {
        one["courier"]: one for one in json.loads((FOLDER / "signature_vectors.json").read_text())["vectors"]
    }


def proven() -> dict[str, Proven]:
    """By the name that the vector has."""
    every = known()
    onfleet, push, dada = (
        every["onfleet"],
        every["wechat_push (carrier of update_waybill_status)"],
        every["dada"],
    )
    hooks = every["nash (Svix / Standard Webhooks scheme)"]
    told = (FOLDER.parent / dada["body_file"]).read_bytes()
    return {
        "onfleet": Proven(
            "onfleet",
            {"webhook_secret": onfleet["secret"]},
            ["webhook_secret"],
            Callback("POST", {}, {"x-onfleet-signature": onfleet["expected"]}, onfleet["body"].encode()),
            datetime(2021, 2, 11, tzinfo=UTC),
        ),
        "wechat_push (carrier of update_waybill_status)": Proven(
            "wechat",
            {
                "token": push["token"],
                "encoding_aes_key": push["encoding_aes_key"],
                "appid": push["decrypts_to_appid"],
                "shopid": "-",
            },
            ["token", "encoding_aes_key", "appid"],
            Callback(
                "POST",
                {
                    "msg_signature": push["expected"],
                    "timestamp": push["timestamp"],
                    "nonce": push["nonce"],
                },
                {},
                b'{"ToUserName":"toUser","Encrypt":"' + push["encrypt"].encode() + b'"}',
            ),
            datetime.fromtimestamp(int(push["timestamp"]), UTC),
            covered=("Encrypt",),  # the name outside has to be that inside, of which there is none here
        ),
        "dada": Proven(
            "dada",
            {"callback_token": "a-word-of-ours"},
            ["callback_token"],
            Callback("POST", {"token": "a-word-of-ours"}, {}, told),
            datetime.fromtimestamp(json.loads(told)["update_time"], UTC),
            covered=("client_id", "order_id", "update_time", "signature"),
        ),
        "nash (Svix / Standard Webhooks scheme)": Proven(
            "partner",
            {"webhook_secret": hooks["secret"]},
            ["webhook_secret"],
            Callback(
                "POST",
                {},
                {
                    "webhook-id": hooks["id"],
                    "webhook-timestamp": hooks["timestamp"],
                    "webhook-signature": hooks["expected"],
                },
                hooks["body"].encode(),
            ),
            datetime.fromtimestamp(int(hooks["timestamp"]), UTC),
        ),
        "uber's page on webhooks": Proven(
            "uber_direct",
            {"signing_key": "c5c26d5a-70d6-46c7-a652-d7c09825ad29"},
            ["signing_key"],
            Callback(
                "POST",
                {},
                {"x-uber-signature": "cdff8133fb065f8d37a2c1c94c3331b6a82766d14e7ea4faacc4886558cedd65"},
                b'{"kind": "event.courier_update", "location": {"lat": 37.7974109, "lng": -122.424145}}',
            ),
            datetime(2022, 4, 11, tzinfo=UTC),
        ),
    }


NAMES = ("onfleet", "wechat_push (carrier of update_waybill_status)", "dada",
         "nash (Svix / Standard Webhooks scheme)", "uber's page on webhooks")  # fmt: skip
EVERY = pytest.mark.parametrize("name", NAMES)


def is_proven(one: Proven, callback: Callback, *accounts: Account) -> bool:
    """Whether that callback, or part of it, is taken for the courier's own. Most vectors have no message of ours in
    them, so that what is proven is found malformed next."""
    try:
        Folder()[one.courier].hear(accounts, callback, "courier", one.at)
    except Unauthorised:
        return False
    except Malformed:
        return Folder()[one.courier].trust != "hint"  # of a hint nothing is proven before it can be read
    return True


@needs_shared
def test_every_vector_of_a_courier_that_we_hear_is_here_and_every_courier_has_one() -> None:
    assert set(proven()) == set(NAMES)
    assert set(known()) - OUTGOING - NOT_OURS <= set(NAMES)
    assert {one.courier for one in proven().values()} == set(Folder())


@needs_shared
@EVERY
def test_the_vector_is_proven(name: str) -> None:
    one = proven()[name]
    assert is_proven(one, one.callback, one.account)
    assert is_proven(one, one.callback, {**one.account, **_other(one)}, one.account), (
        "while its key is rotated"
    )


@needs_shared
@EVERY
def test_no_byte_of_it_can_be_another(name: str) -> None:
    one = proven()[name]
    spoiled = [replace(one.callback, body=body) for body in one.bodies()]
    assert len(spoiled) >= 3 * 9
    for where, part in one.parts:
        value = getattr(one.callback, where)[part]
        for place in range(len(value)):
            for mask in (0x01, 0x20):
                other = value[:place] + chr(ord(value[place]) ^ mask) + value[place + 1 :]
                spoiled.append(one.without(where, part, other))
    taken = [callback for callback in spoiled if is_proven(one, callback, one.account)]
    assert not taken, taken[0]


@needs_shared
@EVERY
def test_no_part_of_its_proof_can_be_left_out_or_empty(name: str) -> None:
    one = proven()[name]
    for where, part in one.parts:
        for value in (None, ""):
            assert not is_proven(one, one.without(where, part, value), one.account), (where, part, value)


@needs_shared
@EVERY
def test_another_key_an_empty_one_and_none_prove_nothing(name: str) -> None:
    one = proven()[name]
    assert not is_proven(one, one.callback)
    for key in one.secrets:
        rest = {part: value for part, value in one.account.items() if part != key}
        for account in ({**one.account, key: another(one.account[key])}, {**one.account, key: ""}, rest):
            assert not is_proven(one, one.callback, account), (key, account.get(key))


def _other(one: Proven) -> Account:
    return {key: another(one.account[key]) for key in one.secrets}


READ_ELSEWHERE = {
    "onfleet": {"workerDuty.json"},
    "wechat_immediate_delivery": {"addLocalOrder.request.docs.json", "addLocalOrder.response.docs.json"},
}
"""What is no callback about a gift: a driver's shift, and a question with its answer; their couriers' tests read them."""


@needs_shared
@pytest.mark.parametrize(
    ("folder", "courier"),
    [(name, name.removesuffix("_immediate_delivery")) for name in
     ("dada", "onfleet", "uber_direct", "wechat_immediate_delivery")],
)  # fmt: skip
def test_every_recorded_callback_of_ours_is_asked_for_the_whole_contract(folder: str, courier: str) -> None:
    files = {path.name for path in (FOLDER / folder).rglob("*.json")}
    of = import_module(f"tests.couriers.samples_{courier}")
    assert set(of.recorded(FOLDER)) == files - READ_ELSEWHERE.get(folder, set())
    for account, callback, came_at in of.recorded(FOLDER).values():
        heard = Folder()[courier].hear((account,), callback, "courier", came_at)
        assert heard.events or heard.foreign
