"""Where the outside meets the flows: bodies in, answers out, errors as problem+json, verdicts for batches.
The only place that knows how an error looks from outside.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from chalice.app import Response
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from chalicelib import journal, trace
from chalicelib.domain.canonical import name_standing_twice
from chalicelib.domain.errors import (
    Delayed,
    Fault,
    Invalid,
    Malformed,
    Missing,
    NotANudge,
    Refused,
    TooLarge,
    Unconditional,
)
from chalicelib.domain.ports import Letter, Queues, Topic
from chalicelib.journal import log, log_failure

PROBLEM = "application/problem+json"
BODY_LIMIT = 256 * 1024
"""Bytes of an ordinary request body."""

PERSONAL = frozenset(
    {"recipient", "contact", "address", "name", "phone", "home", "line", "reference"}
    | {"person", "email", "whatsapp"}
)
"""A pointer that passes one of these is personal: the value is never echoed."""
SHOWN = frozenset(
    {"market", "tier", "fallback", "currency", "item_class", "country", "time_zone", "datum", "mode", "role"}
    | {"match_quality", "level", "policy", "kind", "result", "limit", "cursor"}
)
"""Fields whose text is a word from a list or an id of ours: a short one that is wrong is shown."""

_TIMES = ("datetime_", "date_", "time_", "timezone_")
_NUMBERS = ("int_", "float_", "finite_", "greater_than", "less_than", "multiple_of", "bool_")
_WORDS = ("enum", "literal_error")
_A_TIME = re.compile(r"\d{4}-\d{2}-\d{2}([T ][\d:.,]{0,18}( ?[Zz]|[+-][\d:]{1,6})?)?", re.ASCII)
_A_NUMBER = re.compile(r"[-+]?\d{1,6}(\.\d{0,6})?", re.ASCII)
_A_WORD = re.compile(r"(?!.*\d{6})[A-Za-z][A-Za-z0-9_./-]{0,39}", re.ASCII)
_A_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
"""What a name in a path can be: whatever else comes reaches no key of ours."""
_A_FIELD = re.compile(r"(?!.*\d{6})[A-Za-z_][A-Za-z0-9_.-]{0,63}|\d{1,6}", re.ASCII)

_A_QUALITY = re.compile(r"[01](\.\d{0,3})?", re.ASCII)
_A_TAG = re.compile(r"v\d{1,11}", re.ASCII)

_P = ParamSpec("_P")
_Model = TypeVar("_Model", bound=BaseModel)


# --- in -------------------------------------------------------------------------------------------------------


def body_of(request: Any, model: type[_Model], limit: int = BODY_LIMIT) -> _Model:
    """The request's body as that model. Raises `TooLarge`, `Malformed`, `Invalid` with every field that is wrong."""
    raw: bytes = request.raw_body
    if len(raw) > limit:
        raise TooLarge(f"the body has {len(raw)} bytes, at most {limit} are taken here")
    if not raw.strip():
        raise Malformed("the body is empty, a JSON object was expected")
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f"the body is not UTF-8: byte {error.start} cannot be read") from None
    try:
        found = model.model_validate_json(raw)
    except ValidationError as error:
        raise invalid(error) from None
    doubled = name_standing_twice(raw)
    if doubled is not None:
        shown = repr(doubled) if _A_FIELD.fullmatch(doubled) else "of one field"
        raise Malformed(f"the name {shown} stands twice in one object; nobody knows which is meant")
    return found


def query_of(request: Any, model: type[_Model]) -> _Model:
    """Those query parameters that the model knows. Raises `Invalid`."""
    given = request.query_params or {}
    try:
        return model.model_validate({name: given[name] for name in model.model_fields if name in given})
    except ValidationError as error:
        raise invalid(error) from None


def invalid(error: ValidationError, prefix: str = "") -> Refused:
    """A validation error as ours: each fault with its pointer, what stood there and what was expected."""
    details = error.errors(include_url=False, include_context=False)
    if len(details) == 1 and details[0]["type"] == "json_invalid":
        return Malformed(f"the body is not JSON: {details[0]['msg']}")
    # a list whose only entry is wrong counts as too short as well: the deeper fault says it all
    deeper = [
        detail
        for detail in details
        if detail["type"] != "too_short"
        or not any(d["loc"][: len(detail["loc"])] == detail["loc"] != d["loc"] for d in details)
    ]
    faults = [_fault(detail, prefix) for detail in deeper[:50]]
    first = faults[0]
    more = f", and {len(deeper) - 1} more" if len(deeper) > 1 else ""
    return Invalid(f"{first.pointer or '/'}: {first.detail}{more}", faults)


def _fault(detail: ErrorDetails, prefix: str) -> Fault:
    path = [str(part) for part in detail["loc"]]
    # a name that nobody here gave may say anything, so it is repeated only when it looks like one
    named = [part if _A_FIELD.fullmatch(part) else "(a name not shown)" for part in path]
    pointer = prefix + "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in named)
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        message = "this field is not known here"
    elif detail["type"] == "timezone_aware":
        message = "a time needs its offset, such as 2022-04-11T09:00:00+08:00"
    value = detail.get("input")
    shown = _is_shown(detail["type"], path, value)
    if not shown:
        message = _without(message, value)
        if not PERSONAL.isdisjoint(path):
            message = message.split(", got", 1)[0]
    return Fault(pointer, message, repr(value) if shown else None)


def _is_shown(kind: str, path: list[str], value: object) -> bool:
    """Whether what stood there may be repeated: an allow-list, because a brand's engineer may have put a client's
    name anywhere. Numbers where numbers were expected, times, words from a list, short ids of ours."""
    if kind in ("extra_forbidden", "missing") or not PERSONAL.isdisjoint(path):
        return False
    field = next((part for part in reversed(path) if not part.isdigit()), "")
    if kind.startswith(_NUMBERS):
        return _fits(_A_NUMBER, value) or (isinstance(value, (bool, int, float)) and abs(value) < 10**6)
    if isinstance(value, bool) or value is None:
        return True
    if kind.startswith(_TIMES) or field in ("start", "end") or field.endswith("_at"):
        return _fits(_A_TIME, value)
    return (kind in _WORDS or field in SHOWN or field.endswith("_id")) and _fits(_A_WORD, value)


def _fits(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _without(message: str, value: object) -> str:
    """The message without the value, which a validator may have quoted."""
    if not isinstance(value, str) or not value.strip():
        return message
    message = message.replace(repr(value), "what stood there")
    return message.replace(value, "what stood there") if len(value) > 3 else message


def shown(name: str, value: object) -> str | None:
    """What stood in a field of that name, if it may be repeated."""
    return repr(value) if _is_shown("value_error", [name], value) else None


def header(request: Any, name: str) -> str | None:
    """A request header, whatever its case; of one that was sent twice the last."""
    value = request.headers.get(name)
    return value if isinstance(value, str) else None


def decisive(request: Any, name: str) -> str | None:
    """A header that decides something. Raises `Malformed` when it was sent twice: we would go by the last one, and
    whoever is in between may have gone by the first."""
    every: Mapping[str, list[str]] = request._event_dict.get("multiValueHeaders") or {}
    if sum(len(values) for sent, values in every.items() if sent.lower() == name) > 1:
        raise Malformed(f"the header {name} was sent twice; nobody knows which is meant")
    return header(request, name)


def is_name(text: str) -> bool:
    """True of what can stand in a path as a name."""
    return _A_NAME.fullmatch(text) is not None


def idempotency_key(request: Any) -> str:
    """The Idempotency-Key header, 1 to 255 visible ASCII characters. Raises `Malformed`."""
    key = decisive(request, "idempotency-key")
    if not key:
        raise Malformed(
            "the header Idempotency-Key is missing; send one that names this gift, such as a UUID"
        )
    if len(key) > 255 or not all("!" <= char <= "~" for char in key):
        raise Malformed("Idempotency-Key has 1 to 255 visible ASCII characters")
    return key


def preferred(request: Any, kinds: Sequence[str]) -> str:
    """Which of these media types the caller would rather have: the first, where Accept says nothing that helps.

    RFC 9110, 12.5.1: by quality, the more specific range first. Whoever accepts none of them gets the first as well,
    which says more than a refusal would.
    """
    asked = [_range(part) for part in (header(request, "accept") or "").split(",")]
    best, chosen = (0.0, 0), kinds[0]
    for kind in kinds:
        names = {"*/*": 1, f"{kind.partition('/')[0]}/*": 2, kind: 3}
        said = [(names[name], quality) for name, quality in asked if name in names]
        exact, quality = max(said, default=(0, 0.0))
        if (quality, exact) > best and quality > 0:
            best, chosen = (quality, exact), kind
    return chosen


def _range(part: str) -> tuple[str, float]:
    """One range of Accept and its quality; one that cannot be read is not wanted."""
    name, *parameters = (word.strip().lower() for word in part.split(";"))
    quality = 1.0
    for parameter in parameters:
        if parameter.startswith("q="):
            quality = float(parameter[2:]) if _A_QUALITY.fullmatch(parameter[2:]) else 0.0
    return name, quality


def if_match(request: Any) -> int:
    """The version that If-Match names, written \"v7\". Raises `Unconditional` without, `Malformed` for junk."""
    value = decisive(request, "if-match")
    if value is None:
        raise Unconditional('send If-Match with the ETag you read, such as "v7"')
    return version_of(value)


def if_match_given(request: Any) -> int | None:
    """As `if_match`; None where the header is absent."""
    return if_match(request) if header(request, "if-match") is not None else None


def version_of(value: str) -> int:
    """The version that an ETag names, written \"v7\". Raises `Malformed`."""
    tag = value.strip().strip('"')
    if not _A_TAG.fullmatch(tag):
        got = f", got {value!r}" if _fits(_A_WORD, tag) else ""
        raise Malformed(f'If-Match is the ETag you read, such as "v7"{got}')
    return int(tag[1:])


# --- out ------------------------------------------------------------------------------------------------------


def answer(
    model: BaseModel | Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A JSON answer; nothing of ours is cached on the way."""
    body = (
        model.model_dump_json(exclude_none=True)
        if isinstance(model, BaseModel)
        else json.dumps(model, ensure_ascii=False, separators=(",", ":"), default=_as_json)
    )
    return Response(
        body=body,
        status_code=status,
        headers={"Content-Type": "application/json", "Cache-Control": "no-store", **(headers or {})},
    )


def page(body: str, kind: str, headers: Mapping[str, str]) -> Response:
    """An answer for people, which is not cached either: it says what stands now."""
    return Response(
        body=body,
        status_code=200,
        headers={"Content-Type": f"{kind}; charset=utf-8", "Cache-Control": "no-store", **headers},
    )


def _as_json(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, (frozenset, set, tuple)):
        return sorted(value) if isinstance(value, (frozenset, set)) else list(value)
    raise TypeError(f"{type(value)!r} does not go into an answer")


def problem(
    status: int,
    title: str,
    detail: str,
    faults: Iterable[Fault] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """RFC 9457. `errors` is the extension its own example uses."""
    body: dict[str, Any] = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    errors = [
        {"pointer": fault.pointer, "detail": fault.detail}
        | ({} if fault.value is None else {"value": fault.value})
        for fault in faults
    ]
    if errors:
        body["errors"] = errors
    return Response(
        body=json.dumps(body, ensure_ascii=False),
        status_code=status,
        headers={"Content-Type": PROBLEM, "Cache-Control": "no-store", **(headers or {})},
    )


def spoken(view: Callable[_P, Response]) -> Callable[_P, Response]:
    """A view whose errors answer as problem+json. Chalice turns them into a bare 500 before any middleware."""

    @wraps(view)
    def speak(*args: _P.args, **kwargs: _P.kwargs) -> Response:
        try:
            if not all(_A_NAME.fullmatch(str(name)) for name in (*args, *kwargs.values())):
                raise Missing(
                    "no such name: 1 to 64 letters, digits, dots, dashes and underscores were expected"
                )
            return view(*args, **kwargs)
        except Refused as error:
            return problem(error.status, error.title, error.detail, error.faults)
        except Delayed:
            return problem(
                503,
                "Not now",
                "the store or a courier is busy; the same request again is safe",
                headers={"Retry-After": "1"},
            )
        except Exception as error:
            log_failure(view.__name__, error)
            return problem(500, "Our fault", "it is on record; the same request again is safe")

    return speak


def rewritten(response: Response) -> Response:
    """Chalice's own `{Code, Message}` bodies (405, 415, 500 ...) as problem+json."""
    body = response.body
    if isinstance(body, dict) and set(body) == {"Code", "Message"}:
        text = str(body["Message"]).removeprefix(f"{body['Code']}: ")
        return problem(response.status_code, str(body["Code"]), text)
    return response


# --- batches --------------------------------------------------------------------------------------------------


ENOUGH_S = 30.0
"""For one message: a courier that has a new login asked for, hangs at a cancellation and then at a look-up."""


def verdicts(
    records: Iterable[Mapping[str, Any]],
    handle: Callable[[str], None],
    topic: Topic,
    queues: Queues,
    left_s: Callable[[], float] = lambda: math.inf,
) -> dict[str, Any]:
    """Every message of a batch gets its own verdict: done, given back, or put aside with the reason.

    `handle` gets the id that the nudge carries. What is refused will be refused again and is put aside at once;
    what is delayed or failed is given back, named in `batchItemFailures`, and put aside after the last try.

    `left_s`: seconds this run has left. What cannot be begun with enough of them is given back, unless it is the
    first or on its last try: killed in the middle, a run behind a courier or brands that hang would give back what is
    done as well.
    """
    from chalicelib.domain import nudges  # the API, which starts cold while a client waits, needs none

    name = f"on_{topic.value}"
    failures: list[dict[str, str]] = []
    done: dict[str, str | None] = {}
    is_begun = False
    with journal.invocation(name):
        for record in records:
            message_id = str(record.get("messageId", ""))
            with journal.message(message_id, _traceparent(record)):
                if is_begun and _receives(record) < nudges.TRIES and left_s() < ENOUGH_S:
                    log("message_given_back", why="no_time", receives=_receives(record))
                    failures.append({"itemIdentifier": message_id})
                    continue
                is_begun = True
                try:
                    nudged = nudges.read(record["body"])
                    if nudged in done:  # the same nudge twice in one batch is one nudge
                        log("nudge_joined", joined=done[nudged])
                    else:
                        handle(nudged)
                        done[nudged] = journal.trace_id()
                    continue
                except Refused as error:
                    # what a refusal says may quote the id, and only an id of ours may be repeated
                    kind, hopeless = type(error).__name__, True
                    why = error.detail if isinstance(error, NotANudge) else f"{kind}: {error.title}"
                except Delayed as error:
                    kind, hopeless = type(error).__name__, False
                    why = f"{kind}: {error.title}"
                except Exception as error:
                    log_failure(name, error)
                    kind, hopeless = type(error).__name__, False
                    why = f"{kind} at {journal.raised_at(error)[-1]}"
                is_last = hopeless or _receives(record) >= nudges.TRIES
                if not (is_last and _is_aside(record, kind, why, topic, queues)):
                    log("message_given_back", why=kind, receives=_receives(record))
                    failures.append({"itemIdentifier": message_id})
    return {"batchItemFailures": failures}


def _is_aside(record: Mapping[str, Any], kind: str, why: str, topic: Topic, queues: Queues) -> bool:
    """Put a message among the dead letters. False when that failed: then it is given back, and SQS moves it there
    after its last try, without the reason. Never lost, perhaps there twice."""
    name = f"on_{topic.value}"
    letter = Letter(
        body=str(record.get("body", "")),
        reason=why,
        function=name,
        message_id=str(record.get("messageId", "")),
        receives=_receives(record),
        sent_at=int(record.get("attributes", {}).get("SentTimestamp", 0)),
        attributes=record.get("messageAttributes", {}),
    )
    try:
        queues.put_aside(topic, letter)
    except Exception as error:
        log_failure(name, error)
        return False
    log("message_put_aside", queue=topic.value, why=kind, receives=letter.receives)
    return True


def _receives(record: Mapping[str, Any]) -> int:
    return int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))


def _traceparent(record: Mapping[str, Any]) -> str | None:
    """The trace that came along with a message, beside its body. Whatever is odd about it begins another."""
    attributes = record.get("messageAttributes")
    attribute = attributes.get(trace.HEADER) if isinstance(attributes, Mapping) else None
    value = attribute.get("stringValue") if isinstance(attribute, Mapping) else None
    return value if isinstance(value, str) else None


# --- other runs -----------------------------------------------------------------------------------------------


class Unfinished(Exception):
    """A function failed. What it says goes into Lambda's own log, so it says no more than which one and how."""


@contextmanager
def run(function: str, *, comes_again: bool = False) -> Iterator[None]:
    """A run of a schedule or of the authorizer. A bug is on record and fails the run, both without its text.

    `comes_again`: the schedule runs again in a minute, so what is only delayed is left to that.
    """
    with journal.invocation(function):
        try:
            yield
        except Delayed as error:
            log("run_given_back", why=type(error).__name__)
            if not comes_again:
                raise Unfinished(f"{function}: {type(error).__name__}") from None
        except Exception as error:
            log_failure(function, error)
            raise Unfinished(f"{function}: {type(error).__name__}") from None
