"""Whoever is forgotten is found nowhere any more: every row, every sealed text that a key still opens, every queue, dead
letter, line, webhook, answer, page and file is read and searched. And the search finds what was left out.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.orders import ERASED, Order, OrderState
from chalicelib.domain.ports import Drop, Keep, Key, Letter, Row, Topic
from tests.erasing import NAME, NEIGHBOUR, PHONE, SAID, SECRETS, Scene, everything, traces
from tests.watch import watching


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with watching(capacity=30) as watch:
        made = Scene(watch)
        made.set_up()
        yield made


def test_before_there_is_something_of_the_client_everywhere(scene: Scene) -> None:
    states = {scene.on.order(order_id).state for order_id in scene.orders.values()}
    assert states == set(OrderState)
    found = traces(scene, asks=False)
    assert {secret for secret in SECRETS if any(repr(secret) in one for one in found)} == set(SECRETS)


def test_afterwards_there_is_nothing_left_anywhere(scene: Scene) -> None:
    scene.erase()
    assert traces(scene) == []
    assert traces(scene, (NEIGHBOUR,), asks=False), (
        "whoever was not forgotten can be read: the keys that are left do open"
    )
    for order_id in scene.orders.values():
        assert scene.on.order(order_id).is_erased


# --- the search bites -----------------------------------------------------------------------------------------------


def _row(scene: Scene, pk: str, sk: str, body: str = "{}", sealed: bytes = b"") -> Callable[[], None]:
    key = Key(pk, sk)
    table = scene.on.plain.table
    table.write(Keep(Row(key, 1, body, sealed=sealed), was=None))
    return lambda: table.write(Drop(key, was=1))


def _in_a_body(scene: Scene) -> Callable[[], None]:
    return _row(scene, "board#SHA", "left-over", json.dumps({"for": f"{NAME}, at home"}))


def _escaped(scene: Scene) -> Callable[[], None]:
    return _row(scene, "board#SHA", "left-over", json.dumps({"for": NAME}).replace("O", "\\u004f"))


def _in_a_key(scene: Scene) -> Callable[[], None]:
    return _row(scene, f"contact#{PHONE}", "left-over")


def _sealed_for_an_hour(scene: Scene) -> Callable[[], None]:
    sealed = scene.on.plain.sealer.seal(NAME.encode(), "list_1/part/2")
    return _row(scene, "list#1", "part#001", sealed=sealed)


def _sealed_for_whoever_is_still_here(scene: Scene) -> Callable[[], None]:
    sealed = scene.on.plain.sealer.seal(SAID.encode(), "inbox", owner="brand#maison")
    return _row(scene, "brand#maison", "inbox#1", sealed=sealed)


def _packed_and_sealed(scene: Scene) -> Callable[[], None]:
    sealed = scene.on.plain.sealer.seal(zlib.compress(f"so wrote {NAME}".encode()), "board")
    return _row(scene, "board#SHA", "lines#1", sealed=sealed)


def _in_hexadecimal(scene: Scene) -> Callable[[], None]:
    sealed = scene.on.plain.sealer.seal(f"receipt_code={PHONE}".encode(), "ord_1-1-1")
    return _row(scene, "ord_1", "order", json.dumps({"codes": sealed.hex()}))


def _in_base64(scene: Scene) -> Callable[[], None]:
    told = base64.b64encode(f"{NAME} and {NAME}, {NAME}".encode()).decode()
    return _row(scene, "ord_1", "order", json.dumps({"secrets_sealed": [told]}))


def _in_a_queue(scene: Scene) -> Callable[[], None]:
    messages = scene.watch.queues.messages
    messages.append((Topic.TELL, NAME, None))
    return messages.clear


def _in_a_dead_letter(scene: Scene) -> Callable[[], None]:
    letter = Letter(json.dumps({"said": NAME}), "not a nudge", "on_tell", "m-1", 1, 0)
    scene.watch.queues.letters.append((Topic.TELL, letter))
    return lambda: scene.watch.queues.letters.clear()


def _in_a_line(scene: Scene) -> Callable[[], None]:
    lines = scene.watch._lines
    lines.append(json.dumps({"event": "look", "for": NAME}))
    return lambda: lines.remove(lines[-1])


def _told_to_the_brand(scene: Scene) -> Callable[[], None]:
    scene.on.brand.heard.append({"data": {"recipient": NAME}})
    return lambda: scene.on.brand.heard.remove({"data": {"recipient": NAME}})


def _in_evidence(scene: Scene) -> Callable[[], None]:
    key = Key(scene.orders["delivered"], "evidence#0001")
    table: Any = scene.on.plain.table
    before = table.rows[key]
    told = json.loads(before.body)
    table.rows[key] = replace(before, body=json.dumps({**told, "slot": NAME.replace(" ", "-")}))
    return lambda: table.rows.__setitem__(key, before)


PLANTS = [
    _in_a_body, _escaped, _in_a_key, _sealed_for_an_hour, _sealed_for_whoever_is_still_here, _packed_and_sealed,
    _in_hexadecimal, _in_base64, _in_a_queue, _in_a_dead_letter, _in_a_line, _told_to_the_brand, _in_evidence,
]  # fmt: skip


@pytest.mark.parametrize("plant", PLANTS)
def test_what_is_left_in_any_one_place_is_found_there(scene: Scene, plant: Callable[..., Any]) -> None:
    take_out = plant(scene)
    assert traces(scene, asks=False) != []
    take_out()
    assert traces(scene, asks=False) == []


def test_every_kind_of_place_is_looked_at(scene: Scene) -> None:
    looked = [where for where, text in everything(scene) if text]
    for kind in (
        "the row",
        "a line of the log",
        "a webhook",
        "brand: GET",
        "operator: GET",
        "the board: GET",
    ):
        assert any(where.startswith(kind) for where in looked), kind
    for part in (
        "/evidence as text/html",
        "/evidence as text/plain",
        "/report",
        "/passes/",
        "/t/",
        "/acts",
        "/lists/",
    ):
        assert any(part in where for where in looked), part


def _is_left(order: Order, **kept: Any) -> Order:
    return order.model_copy(
        update={"version": order.version + 1, "fingerprint": ERASED, "sealed": b"", **kept}
    )


def _nothing(world: Any, client: Any) -> Any:
    return client


OMISSIONS: dict[str, tuple[dict[str, Any], bool]] = {
    "an order's own sealed part": (
        {"left_of_order": lambda order: _is_left(order, sealed=order.sealed)},
        True,
    ),
    "what the brand wrote on the gift": ({"left_of_order": _is_left}, True),
    "every order": ({"look.orders_of_client": lambda world, client_id: []}, True),
    # each of the two is enough: without its key nobody reads the rest, and the key stands among the rest
    "the person, its key and its contacts": ({"_bury": _nothing}, False),
    "whatever else stands in the client's collection": ({"_clear": _nothing}, False),
    "both": ({"_bury": _nothing, "_clear": _nothing}, True),
}


@pytest.mark.long
@pytest.mark.parametrize("left_out", OMISSIONS)
def test_an_erasure_that_leaves_one_thing_out_is_found(
    left_out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    omitted, is_found = OMISSIONS[left_out]
    for name, instead in omitted.items():
        monkeypatch.setattr(f"chalicelib.flows.forget.{name}", instead)
    with watching(capacity=30) as watch:
        scene = Scene(watch)
        scene.set_up()
        scene.erase()
        assert bool(traces(scene)) is is_found
