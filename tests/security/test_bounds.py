"""Nothing that comes in is without an end: sizes, lengths, depths, counts, and the time a pattern takes to match."""

from __future__ import annotations

import json
import re
import re._constants as regex  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
import string
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.canonical import name_standing_twice
from chalicelib.domain.reading import Part
from chalicelib.domain.uploads import PART_BYTES
from chalicelib.edge import BODY_LIMIT
from chalicelib.routes.channels import LIMIT as CHANNEL_LIMIT
from chalicelib.routes.couriers import LIMIT as CALLBACK_LIMIT
from chalicelib.routes.recipients import LIMIT as FORM_LIMIT
from cli.openapi import DOCUMENT, OPERATIONS
from tests.security.fuzz import CALLERS
from tests.security.gateway import Gateway
from tests.security.test_matrix import BODIES, ask, kind_of

WRITES = sorted(route for route in OPERATIONS if route in BODIES)
MODELS = sorted(
    {op.body for op in OPERATIONS.values() if op.body is not None} | {Part}, key=lambda model: model.__name__
)

# --- the shapes -----------------------------------------------------------------------------------------------


def unbounded(
    schema: Any, defs: dict[str, Any], at: str = "", seen: frozenset[str] = frozenset()
) -> Iterator[str]:
    """Every place of a JSON schema where a value can be as long, as many or as large as it likes."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        if name not in seen:
            yield from unbounded(defs[name], defs, at, seen | {name})
        return
    for each in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        if each.keys() == {"required"}:  # says which of the fields there are, and nothing of what is in them
            continue
        yield from unbounded(each, defs, at, seen)
    if "enum" in schema or "const" in schema:
        return
    kind = schema.get("type")
    if kind == "string" and not (
        "maxLength" in schema
        or schema.get("format") in ("date-time", "date", "time")
        or _is_short(schema.get("pattern"))
    ):
        yield f"{at}: a text without an end"
    elif kind in ("integer", "number") and not (
        {"minimum", "exclusiveMinimum"} & schema.keys() and {"maximum", "exclusiveMaximum"} & schema.keys()
    ):
        yield f"{at}: a number without bounds"
    elif kind == "array":
        items = schema.get("items", {})
        chosen = schema.get("uniqueItems") and "enum" in defs.get(
            items.get("$ref", "/").rsplit("/", 1)[1], items
        )
        if "maxItems" not in schema and not chosen:
            yield f"{at}: a list without an end"
        first = schema.get("prefixItems", ())
        if "items" in schema or schema.get("maxItems") != len(first):  # there are others
            yield from unbounded(items, defs, f"{at}/-", seen)
        for each in first:
            yield from unbounded(each, defs, f"{at}/-", seen)
    elif kind == "object":
        if schema.get("additionalProperties", True) is not False and "maxProperties" not in schema:
            yield f"{at}: an object with any names"
        for name, each in schema.get("properties", {}).items():
            yield from unbounded(each, defs, f"{at}/{name}", seen)
    elif kind is None and not schema.keys() & {"anyOf", "oneOf", "allOf"}:
        yield f"{at}: anything"


def _is_short(pattern: str | None) -> bool:
    """Anchored at both ends, and every repetition has an end."""
    if pattern is None or not (pattern.startswith("^") and pattern.endswith("$")):
        return False
    return all(high is not regex.MAXREPEAT for high in _repeats(parser.parse(pattern)))


def _repeats(tree: Any) -> Iterator[Any]:
    for op, argument in tree:
        if op in (regex.MAX_REPEAT, regex.MIN_REPEAT, regex.POSSESSIVE_REPEAT):
            yield argument[1]
            yield from _repeats(argument[2])
        elif op is regex.SUBPATTERN:
            yield from _repeats(argument[-1])
        elif op is regex.BRANCH:
            for branch in argument[1]:
                yield from _repeats(branch)


ELSEWHERE = {
    "Part": {
        # as many as fit into the bytes of a part, each of them read on its own; `rings` bounds a geometry's points
        "/features: a list without an end",
        "/policies: a list without an end",
        "/released: a list without an end",
        "/exemptions: a list without an end",
        "/features/-/geometry: anything",
        "/features/-/id: anything",
        "/features/-/bbox: anything",
    }
}
LISTS = ("policies", "features", "released", "exemptions")
ELSEWHERE["ImpactQuestion"] = {
    f"/amendment/{name}{what}" for name in LISTS for what in (": a list without an end", "/-: anything")
}

"""What is bounded by something that a schema has no word for."""


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_field_that_comes_in_has_an_end(model: Any) -> None:
    schema = model.model_json_schema()
    found = set(unbounded(schema, schema.get("$defs", {})))
    assert found - ELSEWHERE.get(model.__name__, set()) == set()


def test_every_parameter_has_an_end() -> None:
    document = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for parameter in operation.get("parameters", ()):
                assert list(unbounded(parameter["schema"], {})) == [], (method, path, parameter["name"])


def test_a_field_without_an_end_is_found() -> None:
    endless = {"type": "object", "additionalProperties": False, "properties": {
        "a": {"type": "string"}, "b": {"type": "string", "pattern": "^a+$"}, "c": {"type": "array", "items": {"enum": [1]}},
        "d": {"type": "integer", "minimum": 1}, "e": {}, "f": {"type": "object"}, "g": {"type": "string", "pattern": "a{2}"},
    }}  # fmt: skip
    assert [each[:2] for each in unbounded(endless, {})] == ["/a", "/b", "/c", "/d", "/e", "/f", "/g"]


# --- the bytes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", WRITES, ids=lambda route: " ".join(route))
def test_a_body_over_its_limit_is_refused_before_it_is_read(gate: Gateway, route: tuple[str, str]) -> None:
    limit = CALLBACK_LIMIT if "callbacks" in route[1] else PART_BYTES if "parts" in route[1] else BODY_LIMIT
    limit = FORM_LIMIT if route[1] == "/t/{token}" else limit
    limit = CHANNEL_LIMIT if route[1].startswith("/v1/channels/{kind}/") else limit
    caller = CALLERS[(*OPERATIONS[route].roles, "nobody")[0]]
    gate.restore()
    began = time.process_time()
    answer = _sent(gate, route, caller, b'{"a": "' + b"x" * limit + b'"}')
    assert (answer.status, answer.kind) == (413, "application/problem+json")
    assert str(limit) in answer.json()["detail"] and len(answer.body) < 1000
    assert time.process_time() - began < 0.5
    assert not gate.has_done_something()


DEEP = 100_000
JUNK = {
    "lists in lists": b"[" * DEEP + b"]" * DEEP,
    "objects in objects": b'{"a":' * 40_000 + b"1" + b"}" * 40_000,
    "an unfinished list": b"[" * 250_000,
    "a number with many digits": b'{"a": ' + b"9" * 200_000 + b"}",
    "a number with a large exponent": b'{"a": 1e999999999}',
    "very many names": b"{" + b",".join(b'"%d":1' % n for n in range(20_000)) + b"}",
    "one name very often": b"{" + b",".join(b'"a":1' for n in range(30_000)) + b"}",
    "a long text": b'"' + b"a" * 250_000 + b'"',
    "zipped": b"\x1f\x8b\x08\x00" + bytes(1000),
    "a mark and then nothing": b"\xef\xbb\xbf",
    "sixteen bits": '{"a": 1}'.encode("utf-16"),
    "half a character": b'{"a": "\xe7\x8e"}',
    "half a pair": b'{"a": "\\ud800"}',
    "a nothing in a text": b'{"a": "\\u0000"}',
}


@pytest.mark.parametrize("junk", JUNK)
def test_junk_of_a_size_that_is_taken_is_refused_at_once_and_leaves_nothing(gate: Gateway, junk: str) -> None:
    for route in WRITES:
        if kind_of(route):
            continue  # it takes pieces of a file, cut anywhere: what is wrong with them is seen when all are there
        caller = {"brand": "brand maison", "operator": "operator control-room"}.get(
            (*OPERATIONS[route].roles, "nobody")[0], "nobody"
        )
        gate.restore()
        began = time.process_time()
        answer = _sent(gate, route, caller, JUNK[junk])
        spent = time.process_time() - began
        assert 400 <= answer.status < 500, (route, answer.status, answer.body[:300])
        assert len(answer.body) < 20_000, "an answer is not as long as what it answers"
        assert spent < 4.0, (route, spent)  # 0.3 s on a machine of 2026, most of it to say what is wrong
        assert not gate.has_done_something()


def _sent(gate: Gateway, route: tuple[str, str], caller: str, raw: bytes) -> Any:
    kept = BODIES[route]
    BODIES[route] = lambda _: raw
    try:
        return ask(gate, route, caller)
    finally:
        BODIES[route] = kept


# --- the patterns ---------------------------------------------------------------------------------------------


def patterns() -> dict[str, re.Pattern[str]]:
    """Every pattern that stands in a module of ours, found and not listed, and those of the schemas."""
    import app  # noqa: F401 - imports them all

    found = {}
    for module in [name for name in sys.modules if name.startswith("chalicelib")]:
        for name, value in vars(sys.modules[module]).items():
            if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
                found[f"{module}.{name}"] = value
    for model in MODELS:
        for text in re.findall(r'"pattern": "((?:[^"\\]|\\.)*)"', json.dumps(model.model_json_schema())):
            found[f"{model.__name__}: {text}"] = re.compile(json.loads(f'"{text}"'))
    return found


PATTERNS = patterns()
CALLS = ("fullmatch", "match", "search", "sub", "findall", "split", "finditer")


def used(name: str) -> set[str]:
    """The ways in which our code asks that pattern; a schema's is matched."""
    module, _, variable = name.rpartition(".")
    if module not in sys.modules:
        return {"fullmatch"}
    text = Path(str(sys.modules[module].__file__)).read_text(encoding="utf-8")
    # handed to something else, it may be asked in any way but these two, which walk along the text
    return set(re.findall(rf"\b{variable}\.({'|'.join(CALLS)})\b", text)) or {"fullmatch", "match"}


def test_a_name_standing_twice_among_many_is_found_as_fast_as_they_are_read() -> None:
    names = ",".join(f'"{number:x}":0' for number in range(25_000))
    raw = f'{{{names},"last":0,"last":0}}'.encode()
    assert len(raw) < BODY_LIMIT
    began = time.process_time()
    assert name_standing_twice(raw) == "last"
    assert time.process_time() - began < 2


def _pumped(pattern: re.Pattern[str], length: int = 2000) -> Iterator[str]:
    """Long texts that nearly match: each letter, pair and word the pattern speaks of, very often, and a spoiler."""
    letters = [*dict.fromkeys(c for c in pattern.pattern if c.isalnum() or c in string.punctuation)][:40]
    words = [
        "a",
        "1",
        " ",
        "十",
        "1-",
        "a1",
        "1号",
        "单元",
        "no",
        "楼1室",
        "1-1室",
        "--",
        "..",
        "A.b-",
        "0x",
        "room1",
    ]
    for piece in dict.fromkeys([*letters, *words, *(f"1{letter}" for letter in letters)]):
        text = (piece * length)[:length]
        yield text + "\x00"
        yield f"1{text}!"


def _ask(pattern: re.Pattern[str], way: str, text: str) -> object:
    if way == "sub":
        return pattern.sub("", text)
    if way in ("findall", "finditer", "split"):
        return list(getattr(pattern, way)(text) or ())
    return getattr(pattern, way)(text)


def _is_slow(pattern: re.Pattern[str], way: str, text: str) -> bool:
    """Slow every time it is asked: a machine that paused once was seen to take 0.3 s over a linear pattern."""
    for _ in range(4):
        began = time.process_time()
        _ask(pattern, way, text)
        if time.process_time() - began < 0.1:
            return False
    return True


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_no_pattern_takes_much_longer_than_its_text_is_long(name: str) -> None:
    """A text of 2,000 characters is ten times what a field may hold; a pattern that backtracks takes hours for it."""
    pattern, ways = PATTERNS[name], used(name)
    slow = [
        (way, text[:20]) for text in _pumped(pattern) for way in sorted(ways) if _is_slow(pattern, way, text)
    ]
    assert not slow


def test_the_patterns_are_really_found_and_a_slow_one_would_be() -> None:
    assert len(PATTERNS) > 15
    assert _is_slow(re.compile(r"(a|a)*b"), "fullmatch", "a" * 24)
