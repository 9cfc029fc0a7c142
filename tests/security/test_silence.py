"""What somebody wrote where a person's name might stand is in no refusal, no header and no line of the log.

A distinctive name is put at every place of every right body, as a value and as a field's name, and what comes back
is searched for it. What is repeated on purpose (`edge.SHOWN`): a single word of letters where an id or a word from a
list was expected, or as a field's name. A name in two words, with an accent, a number or an address never is.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib import journal
from cli.openapi import DOCUMENT, OPERATIONS
from tests.security.gateway import Gateway
from tests.security.test_matrix import BODIES, ask, kind_of

NAME = "Wang Secretive"
FORMS: dict[str, Any] = {
    "a name": NAME,
    "a name among others": f"for {NAME} (王师傅)\r\nX-Evil: 1\u2028\x1b[31m",
    "a telephone number": "+8613800138001",
    "a number that is one": 13800138001,
    "an address for letters": "wang.secretive@example.com",
    "a list": [NAME],
    "an object": {NAME: NAME},
}
TRACES = re.compile(r"wang|secretive|13800138001|王师傅|x-evil", re.IGNORECASE)
WRITES = sorted(route for route in OPERATIONS if route in BODIES and not kind_of(route))
MAY_SHOW = {
    # of the path itself, which whoever calls has typed, and which is a slug
    "market_id", "courier_id", "crew_id", "permit_id", "slot_id",
}  # fmt: skip


def places(inside: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of a body, the whole of it first."""
    yield at
    names = (
        inside.items() if isinstance(inside, dict) else enumerate(inside) if isinstance(inside, list) else ()
    )
    for name, value in names:
        yield from places(value, (*at, name))


def put(whole: Any, at: tuple[Any, ...], value: Any) -> Any:
    if not at:
        return value
    changed = copy.deepcopy(whole)
    holder = changed
    for name in at[:-1]:
        holder = holder[name]
    holder[at[-1]] = value
    return changed


def spoiled(whole: Any) -> Iterator[tuple[str, Any]]:
    """The body with each form at each place, and with each as one more field of each object."""
    if isinstance(whole, bytes):
        whole = json.loads(whole)
    for at in places(whole):
        where = "/".join(map(str, at))
        for form, value in FORMS.items():
            yield f"{form} at /{where}", put(whole, at, value)
        inside = whole
        for name in at:
            inside = inside[name]
        if isinstance(inside, dict):
            for form, value in FORMS.items():
                if isinstance(value, str):
                    yield f"{form} as a name in /{where}", put(whole, at, {**inside, value: 1})


def asked(gate: Gateway, route: tuple[str, str], sent: Any) -> tuple[Any, str]:
    """The answer, and everything that was written to the log."""
    lines: list[str] = []
    journal.write_to(lines.append)
    kept = BODIES[route]
    BODIES[route] = lambda _: json.dumps(sent).encode()
    gate.restore()
    caller = {"brand": "brand maison", "operator": "operator control-room"}.get(
        (*OPERATIONS[route].roles, "nobody")[0], "nobody"
    )
    try:
        answer = ask(gate, route, caller)
    finally:
        BODIES[route] = kept
        journal.write_to(None)
    assert all(len(line.splitlines()) == 1 and line.endswith("\n") for line in lines), "nobody forges a line"
    return answer, "".join(lines)


@pytest.mark.parametrize("route", WRITES, ids=lambda route: " ".join(route))
def test_no_refusal_and_no_line_of_the_log_repeats_a_person(gate: Gateway, route: tuple[str, str]) -> None:
    found, refused = [], 0
    for what, sent in spoiled(BODIES[route](gate)):
        answer, log = asked(gate, route, sent)
        refused += answer.status >= 400
        if TRACES.search(log):
            found.append(f"{what}: in the log, {log}")
        if answer.status >= 400 and TRACES.search(answer.body.decode() + json.dumps(answer.headers)):
            found.append(f"{what}: {answer.status} {answer.body.decode()}")
    assert found == [], f"{len(found)}, the first: {found[0]}"
    assert refused > 5


@pytest.mark.parametrize(
    "route", [("POST", "/v1/orders"), ("POST", "/v1/clearances")], ids="{0[0]} {0[1]}".format
)
def test_what_is_taken_about_a_person_does_not_come_back_either(
    gate: Gateway, route: tuple[str, str]
) -> None:
    taken = 0
    whole = BODIES[route](gate)
    for at in places(whole):
        if not {"recipient", "contact"} & set(at):
            continue
        for value in (NAME, "+8613800138001"):
            answer, log = asked(gate, route, put(whole, at, value))
            taken += answer.status < 400
            assert not TRACES.search(answer.body.decode() + json.dumps(answer.headers) + log), at
    assert taken >= 8


def test_names_in_paths_queries_and_headers_are_not_repeated_where_they_can_be_a_person_s(
    gate: Gateway,
) -> None:
    caller = "operator control-room"
    tried = [
        gate.ask("GET", f"/v1/orders/{NAME.replace(' ', '%20')}", caller),
        gate.ask("GET", "/v1/orders?brand=Wang%20Secretive", caller),
        gate.ask("GET", "/v1/orders?brand=maison&limit=Wang%20Secretive", caller),
        gate.ask("GET", "/v1/orders?brand=maison&cursor=Wang%20Secretive", caller),
        gate.ask("POST", "/v1/orders", "brand maison", {}, {"Idempotency-Key": NAME}),
        gate.ask(
            "POST", f"/v1/orders/{gate.names['order_id']}/cancel", "brand maison", {}, {"If-Match": NAME}
        ),
        gate.ask("GET", "/v1/markets", "nobody", None, {"Authorization": f"Bearer {NAME}"}),
        gate.ask("GET", "/v1/nowhere/Wang%20Secretive", caller),
        gate.ask("POST", "/v1/callbacks/SHA/Wang%20Secretive", "nobody", b"{}"),
    ]
    assert [
        answer.body for answer in tried if answer.status < 400 or TRACES.search(answer.body.decode())
    ] == []


def test_a_webhook_s_body_has_no_place_for_a_person(gate: Gateway) -> None:
    """Closed shapes of ids, states and times: there is no field a name could stand in."""
    schemas = json.loads(DOCUMENT.read_text(encoding="utf-8"))["components"]["schemas"]
    said = schemas["CloudEvent"]["properties"].keys() | schemas["NoticeData"]["properties"].keys()
    assert said == {
        *("specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"),
        *("order_id", "market", "state", "sequence"),
    }
    assert not schemas["CloudEvent"]["additionalProperties"]
    assert not schemas["NoticeData"]["additionalProperties"]
