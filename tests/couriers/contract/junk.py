"""Junk."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.domain.dialect import Callback, Reply, Unsure
from chalicelib.domain.errors import CordonError, Malformed, Unanswered, Unauthorised
from tests.couriers.contract.clause import Broken, NotAsked, clause, crash, expect
from tests.couriers.contract.subject import COURIER_ID, Sent, Subject, told_of
from tests.couriers.jobs import NOON, REFERENCE

NASTY = (
    b"",
    b"null",
    b"[]",
    b"0",
    b'""',
    b"\xff\xfe\x00",
    b"\xef\xbb\xbf{}",
    b'{"a":"\\ud800"}',
    b'{"a":NaN,"b":1e999}',
    b'{"a":' + b"9" * 5000 + b"}",
    b"[" * 50_000,
    b'{"a":' * 20_000,
    "{}".encode("utf-16"),
)
"""What breaks a reader that is sure of its JSON."""
FEW = 3
"""Callbacks among which one that the samples tell, and two that were recorded: more of them show no more."""
ODD = (
    "\u00b2",
    "\u0661\u0662",
    "\ud800",
    "\x00",
    "\u00e9",
    " ",
    "-1",
    "1e9",
    "nan",
    "0" * 5000,
    "=",
    "v1,",
    ",",
)
"""What breaks a reader that is sure of its digits, its ASCII or its Base64."""
_text = st.dictionaries(st.text(max_size=12), st.text(max_size=12), max_size=4)
_body = st.lists(st.integers(0, 255), max_size=100).map(bytes) | st.sampled_from(NASTY)
"""Not `binary`: it draws from the texts of the project's own files, and what a courier answers stands there."""


def patiently(test: Callable[..., None]) -> Callable[..., None]:
    """Enough examples, however slow the machine; for the rest as the profile of the moment says."""
    asked = settings(
        deadline=None, max_examples=150, suppress_health_check=list(HealthCheck), report_multiple_bugs=False
    )
    return asked(test)


def shown(body: bytes) -> str:
    return repr(body) if len(body) <= 80 else f"{body[:40]!r}... of {len(body)} bytes"


@clause
def junk_from_anybody_is_an_error_and_never_a_crash(subject: Subject) -> None:
    @patiently
    @given(method=st.sampled_from(["POST", "GET", ""]), query=_text, headers=_text, body=_body)
    def asked(method: str, query: dict[str, str], headers: dict[str, str], body: bytes) -> None:
        what = f"junk ({method!r}, query {query!r}, headers {headers!r}, body {shown(body)})"
        subject.refuses(what, Callback(method, query, headers, body), subject.account)

    subject.account  # noqa: B018  (nothing to ask without one)
    asked()
    for sent in subject.sent_and_heard[:FEW]:  # under a proof that was copied from another message
        for body in NASTY:
            stolen = replace(sent.callback, body=body)
            what = f"the body {shown(body)} with all else as in {sent.label}"
            subject.refuses(what, stolen, sent.account, at=sent.came_at, covered=True)


@clause
def junk_is_not_greeted(subject: Subject) -> None:
    @patiently
    @given(query=_text, headers=_text, body=_body)
    def asked(query: dict[str, str], headers: dict[str, str], body: bytes) -> None:
        callback = Callback("GET", query, headers, body)
        what = f"a GET with query {query!r} and headers {headers!r}"
        try:
            answer = subject.dialect.greet((subject.account,), callback, NOON)
        except Unauthorised:
            return
        except Exception as error:
            raise Broken(f"Unauthorised for {what}", crash(error, subject.file)) from error
        raise Broken(f"Unauthorised for {what}", f"answered {answer!r}")

    subject.account  # noqa: B018
    asked()


@clause
def junk_in_the_place_of_the_proof_is_never_a_crash(subject: Subject) -> None:
    for sent in subject.sent_and_heard[:FEW]:
        proof = subject.proof_of(sent)
        if proof:
            _junk_as_proof(subject, sent, proof)


def _junk_as_proof(subject: Subject, sent: Sent, proof: Sequence[tuple[str, str]]) -> None:
    odd = st.sampled_from(ODD) | st.text(alphabet=st.characters(), max_size=40)

    @patiently
    @given(data=st.data())
    def asked(data: st.DataObject) -> None:
        where, name = data.draw(st.sampled_from(proof))
        known = getattr(sent.callback, where)[name]
        value = data.draw(odd.filter(lambda text: text != known))
        changed = sent.part(where, name, value)
        what = f"{sent.label} with {value!r} for {name!r} in its {where}"
        subject.refuses(what, changed, sent.account, at=sent.came_at)
        body = data.draw(_body)
        what = f"{what} and the body {shown(body)}"
        subject.refuses(what, replace(changed, body=body), sent.account, at=sent.came_at)

    asked()


@clause
def what_is_not_proven_is_not_read(subject: Subject) -> None:
    """A message with a fault is malformed only once it is proven: before, its faults are nobody's business."""
    if subject.dialect.trust == "hint":
        raise NotAsked("a hint proves nothing and is believed only after a look-up")
    subject.wants("ROTATED")
    for inside in (b"{}", b"", *NASTY):
        forged = subject.enveloped(inside, subject.wants("ROTATED"))
        subject.refuses(f"the message {shown(inside)} under another key", forged, subject.account)


@clause
def junk_that_is_proven_is_an_error_and_never_a_crash(subject: Subject) -> None:
    def tried(inside: bytes) -> None:
        callback = subject.enveloped(inside)
        try:
            subject.dialect.hear((subject.account,), callback, COURIER_ID, NOON)
        except (Malformed, Unauthorised):
            pass
        except CordonError as error:
            raise Broken(f"Malformed for the proven {shown(inside)}", f"raised {told_of(error)}") from None
        except Exception as error:
            raise Broken(f"Malformed for the proven {shown(inside)}", crash(error, subject.file)) from error

    @patiently
    @given(inside=_body)
    def asked(inside: bytes) -> None:
        tried(inside)

    asked()
    if subject.has("said"):
        for inside in damaged(subject):
            tried(inside)


def damaged(subject: Subject) -> list[bytes]:
    """A message of the courier with each of its fields, however deep, missing or of another kind."""
    odd = (None, [], {}, "", "\x00", -1, 10**20, True, 1.5, "x" * 300, ...)
    return _with_each_field(subject.said(), odd)


def _with_each_field(said: bytes, values: Sequence[object]) -> list[bytes]:
    """That JSON with each of its fields replaced by each of the values, or without it for `...`."""
    try:
        message = json.loads(said)
    except ValueError:
        return []
    made = []
    for path in _paths(message):
        for value in values:
            copy = json.loads(said)
            at = copy
            for key in path[:-1]:
                at = at[key]
            if value is ...:
                del at[path[-1]]
            else:
                at[path[-1]] = value
            made.append(json.dumps(copy).encode())
    return made


def _paths(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    inner: list[tuple[object, object]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [one for key, child in inner for one in [(*path, key), *_paths(child, (*path, key))]]


@clause
def junk_for_an_answer_books_and_cancels_nothing(subject: Subject) -> None:
    @patiently
    @given(
        status=st.sampled_from([200, 200, 200, 204, 400, 404, 429, 500, 503]),
        body=_body,
    )
    def asked(status: int, body: bytes) -> None:
        says_nothing(subject, Reply(status, {}, body))

    asked()


@clause
def no_answer_is_never_taken_for_a_booking(subject: Subject) -> None:
    for body in (*NASTY, b"{}", b"ok", b"OK", b'{"status":"ok"}', b"true"):
        says_nothing(subject, Reply(200, {}, body))


NO_AMOUNTS = (float("nan"), float("inf"), 10**4000, -1, "NaN", "1e999999", "9" * 5000, [], None)
"""What stands where an amount was expected, as JSON can carry it."""


@clause
def an_answer_with_an_odd_field_is_never_a_crash(subject: Subject) -> None:
    """What is said of a job has been done by then: whoever stumbles over the fee loses the rest of it as well."""
    subject.wants("BOOKED")
    quoted = subject.may_say("QUOTED", None)
    for reply in (*every_answer(subject), *([quoted] if quoted else [])):
        for body in _with_each_field(reply.body, NO_AMOUNTS):
            odd = replace(reply, body=body)
            for name, read in _readings(subject, odd):
                try:
                    read()
                except Exception as error:
                    what = f"a reading by {name} of the answer {odd.status} {shown(body)}"
                    raise Broken(what, crash(error, subject.file)) from error


@clause
def a_courier_in_trouble_has_said_nothing(subject: Subject) -> None:
    for status in (500, 502, 503, 504):
        body = b'{"resultcode":0,"errcode":0,"code":0,"waybill_id":"1","id":"1","status":"ok"}'
        says_nothing(subject, Reply(status, {}, body))
        for reply in every_answer(subject):
            says_nothing(subject, replace(reply, status=status))


@clause
def a_courier_that_is_asked_too_often_has_said_nothing(subject: Subject) -> None:
    for status in (408, 425, 429):
        for headers in ({}, {"retry-after": "7"}, {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}):
            says_nothing(subject, Reply(status, headers, b'{"code":"rate_limited","message":"slow down"}'))
        for reply in every_answer(subject):
            says_nothing(subject, replace(reply, status=status))


def every_answer(subject: Subject) -> Iterator[Reply]:
    """Every answer of the samples that means something as it stands there."""
    for samples in ("BOOKED", "REFUSED", "CANCELLED", "FOUND", "NOT_FOUND"):
        yield from subject.may_say(samples, ())


def says_nothing(subject: Subject, reply: Reply) -> None:
    """Every reading of that reply is `Unsure`, and there is no token in it."""
    dialect = subject.dialect
    what = f"the answer {reply.status} {shown(reply.body)}"
    for name, read in _readings(subject, reply):
        # some say yes by the status alone, and no by an empty list
        known = [one for samples in _MEANT.get(name, ()) for one in subject.may_say(samples, ())]
        if reply.status < 500 and any((reply.status, reply.body) == (one.status, one.body) for one in known):
            continue
        try:
            answer = read()
        except Exception as error:
            raise Broken(f"Unsure from {name} for {what}", crash(error, subject.file)) from error
        expect(isinstance(answer, Unsure), f"Unsure from {name} for {what}", f"it says {answer!r}")
    try:
        token = dialect.logged_in(reply, NOON)
    except Unanswered:
        return
    except Exception as error:
        raise Broken(f"Unanswered from logged_in for {what}", crash(error, subject.file)) from error
    raise Broken(f"Unanswered from logged_in for {what}", f"it says {token!r}")


_MEANT: Mapping[str, Sequence[str]] = {"cancelled": ("CANCELLED", "BARE_YES"), "looked_up": ("NOT_FOUND",)}


def _readings(subject: Subject, reply: Reply) -> Sequence[tuple[str, Callable[[], object]]]:
    """Every way to read that reply, by its name."""
    dialect, job = subject.dialect, subject.job()
    return (
        ("quoted", lambda: dialect.quoted(reply, job, NOON)),
        ("booked", lambda: dialect.booked(reply, job)),
        ("cancelled", lambda: dialect.cancelled(reply)),
        ("looked_up", lambda: dialect.looked_up(reply, REFERENCE, COURIER_ID, NOON)),
    )
