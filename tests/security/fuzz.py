"""The published description turned against the running app: requests made from it, answers held against it.

What is made up comes from schemathesis (values at the bounds of every schema, and chance inside and outside of it)
and from right requests in which one place is spoiled, which get past the first check. Either way an answer has a
documented status, media type and shape, and is never our fault.
"""

from __future__ import annotations

import copy
import io
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import requests
import schemathesis
from hypothesis import strategies as st
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi import checks
from urllib3 import HTTPResponse

from cli.openapi import DOCUMENT, OPERATIONS, names_of
from tests.security.gateway import Gateway
from tests.security.test_matrix import BODIES, HEADERS, OTHER_NAMES, kind_of


@schemathesis.serializer("text/csv", "application/x-ndjson")
def as_it_is(_: Any, value: Any) -> bytes:
    """Of what is no JSON: bytes, whatever they are."""
    return value if isinstance(value, bytes) else json.dumps(value).encode()


CHECKS: Any = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
    checks.negative_data_rejection,
]
BASE = "http://cordon.test"
CALLERS = {
    "brand": "brand maison",
    "operator": "operator control-room",
    "source": "source health-office",
    "partner": "partner yoga-studio",
    "associate": "associate anna",
    "nobody": "nobody",
}


class InProcess(BaseAdapter):
    """`requests` without a socket: the bytes it would send go to the gateway."""

    def __init__(self, gate: Gateway) -> None:
        super().__init__()
        self._gate = gate

    def send(self, request: Any, *_: Any, **__: Any) -> requests.Response:
        headers = {n: v.decode("latin-1") if isinstance(v, bytes) else v for n, v in request.headers.items()}
        sent = request.body.encode() if isinstance(request.body, str) else request.body
        status, told, body = self._gate.front.answer(request.method, request.path_url, headers, sent)
        response = requests.Response()
        response.status_code, response.headers = status, CaseInsensitiveDict(told)
        response.raw = HTTPResponse(
            body=io.BytesIO(body), headers=told, status=status, version=11, preload_content=False
        )
        response._content = body
        response.request, response.url, response.elapsed = request, request.url, timedelta(milliseconds=1)
        return response

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class Fuzz:
    """The description, a session with the app, and what it has answered so far."""

    gate: Gateway
    document: dict[str, Any] = field(default_factory=lambda: json.loads(DOCUMENT.read_text(encoding="utf-8")))
    statuses: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.schema = schemathesis.openapi.from_dict(self.document)
        self.schema.config.generation.with_security_parameters = False
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.mount(BASE, InProcess(self.gate))

    def operation(self, route: tuple[str, str]) -> Any:
        return self.schema[route[1]][route[0]]

    def callers(self, route: tuple[str, str]) -> list[str]:
        """One of each role that may, and one that may not."""
        may = OPERATIONS[route].roles
        others = [role for role in ("source", "brand", "operator") if role not in may][:1]
        return [CALLERS[role] for role in (*may, *others, "nobody")] if may else [CALLERS["nobody"]]

    def at_the_bounds(self, route: tuple[str, str]) -> Iterator[Any]:
        """Requests with every value at a bound of its schema, inside and outside; no chance in it."""
        yield from self.schema.iter_coverage_cases(
            self.operation(route),
            generation_modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE],
            generation_config=self.schema.config.generation,
        )

    def try_case(self, case: Any, caller: str, *, known_names: bool) -> list[str]:
        """What is wrong with the answer to a made-up request."""
        if known_names:
            for name, value in (case.path_parameters or {}).items():
                if name in self.gate.names and isinstance(value, str):
                    case.path_parameters[name] = self.gate.names[name]
        self.gate.restore()
        response = case.call(base_url=BASE, session=self.session, headers=self._key(caller))
        return self._faults(case, response, caller)

    def try_spoiled(self, route: tuple[str, str], caller: str, spoil: Spoil) -> list[str]:
        """What is wrong with the answer to a right request that was spoiled in one place."""
        method, path = route
        self.gate.restore()
        whole: dict[str, Any] = {
            "path": {
                name: self.gate.names[OTHER_NAMES.get(route, {}).get(name, name)] for name in names_of(path)
            },
            "headers": {name: HEADERS[name] for name in OPERATIONS[route].headers},
            "query": {name: _right_query(name) for name in OPERATIONS[route].query if name != "cursor"},
            "body": BODIES[route](self.gate) if route in BODIES else None,
        }
        spoil(whole)
        for name in names_of(path):
            text = _text(whole["path"].get(name)).encode("utf-8", "replace").decode()
            if text in ("", ".", ".."):
                return []  # another path
            path = path.replace(f"{{{name}}}", requests.utils.quote(text, safe=""))
        headers = {
            "Content-Type": "application/json",
            **kind_of(route),
            **{name: _text(value).encode("utf-8", "replace") for name, value in whole["headers"].items()},
            **self._key(caller),
        }
        sent = whole["body"]
        raw = sent if isinstance(sent, bytes | None) else json.dumps(sent).encode("utf-8", "replace")
        try:
            response = self.session.request(
                method, BASE + path, params=whole["query"], data=raw, headers=headers
            )
        except (requests.exceptions.InvalidHeader, requests.exceptions.InvalidURL, UnicodeEncodeError):
            return []  # no client sends such a thing, and no gateway takes it
        if response.status_code == 404 and response.headers["Content-Type"] == "application/problem+json":
            return []  # a name that is empty or holds a slash is another path, or none
        case = self.operation(route).Case(path_parameters={n: self.gate.names[n] for n in names_of(route[1])})
        return self._faults(case, response, caller)

    def _key(self, caller: str) -> dict[str, str]:
        key = self.gate.keys[caller]
        return {} if key is None else {"Authorization": key}

    def _faults(self, case: Any, response: Any, caller: str) -> list[str]:
        self.statuses[response.status_code] += 1
        try:
            # pieces of a file may be any bytes, and of its path a known name takes the place of what is wrong there
            takes_bytes = kind_of((case.operation.method.upper(), case.operation.path))
            held = [
                check for check in CHECKS if not takes_bytes or check is not checks.negative_data_rejection
            ]
            case.validate_response(response, checks=held, headers=self._key(caller))
        except (Failure, FailureGroup) as error:
            found = error.exceptions if isinstance(error, FailureGroup) else [error]
            asked = f"{response.request.method} {response.request.path_url} {response.request.body!r:.1500}"
            told = f"{response.status_code} {response.content[:300]!r}"
            return [f"{caller}: {each.title}: {each.message}\n  {asked}\n  {told}" for each in found]
        return []


def _right_query(name: str) -> str:
    known = {"limit": "2", "rows": "2", "brand": "maison", "lng": "121.49", "lat": "31.22"}
    return known.get(name, "2022-04-11T12:00:00Z")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


# --- one place spoiled ----------------------------------------------------------------------------------------

AWKWARD: list[Any] = [
    *(None, True, 0, -1, 1, 1.5, 10**400, -(2**63), 1e308, float("nan"), float("inf"), "", " ", "\x00"),
    *(
        "a" * 70,
        "a" * 5000,
        "王" * 700,
        "\ud800",
        "\u202e",
        "\u0663",
        "٣",
        "../..",
        "a/b",
        "a#b",
        "a|b",
        "%00",
    ),
    *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "2022-04-11T24:00:00Z", "2022-02-30", "now"),
    *(
        "1e999",
        "-0",
        "0x10",
        "null",
        "{}",
        "${jndi:ldap://x}",
        "'; DROP TABLE",
        "Asia/../Shanghai",
        "/etc/passwd",
    ),
    *([], {}, [[]], {"": ""}, [None] * 30, {"a": {"b": {"c": [1, 2, 3]}}}, [{}] * 300),
]
"""What has broken readers before."""

VALUES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(AWKWARD),
    st.text(max_size=30),
    st.integers(),
    st.floats(),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
        max_leaves=10,
    ),
)


@dataclass(frozen=True)
class Spoil:
    """One change to a request: which place (the n-th of all), and what becomes of it."""

    place: int
    deed: str
    value: Any

    def __call__(self, whole: dict[str, Any]) -> None:
        places = list(_places(whole))
        holder, name = places[self.place % len(places)]
        if self.deed == "drop" and holder is not whole:
            del holder[name]
        elif self.deed == "add" and isinstance(holder, dict) and holder is not whole:
            holder[_text(self.value)[:80]] = self.value
        elif self.deed == "double" and isinstance(holder[name], list):
            holder[name] = copy.deepcopy(holder[name]) * 40
        elif not (holder is whole and name != "body"):
            holder[name] = copy.deepcopy(self.value)


def _places(inside: Any) -> Iterator[tuple[Any, Any]]:
    names = (
        inside.items() if isinstance(inside, dict) else enumerate(inside) if isinstance(inside, list) else ()
    )
    for name, value in names:
        yield inside, name
        yield from _places(value)


SPOILS = st.builds(
    Spoil,
    place=st.integers(0, 400),
    deed=st.sampled_from(["set", "set", "set", "drop", "add", "double"]),
    value=VALUES,
)
