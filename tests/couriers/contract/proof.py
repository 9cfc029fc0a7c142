"""Proof."""

from __future__ import annotations

import hmac
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from tests.couriers.contract.clause import NotAsked, clause, expect
from tests.couriers.contract.subject import (
    COURIER_ID,
    Sent,
    Subject,
    another,
    described,
)
from tests.couriers.jobs import NOON, REFERENCE

HINT = "a hint proves nothing and is believed only after a look-up"
SECOND = timedelta(seconds=1)


def with_secrets(subject: Subject) -> Iterator[tuple[Sent, Sequence[str]]]:
    """Each authentic callback and the secrets it rests on; of a hint that rests on none there is nothing to ask."""
    found = [(sent, subject.secrets_of(sent)) for sent in subject.sent_and_heard]
    if subject.dialect.trust == "hint" and not any(secrets for _, secrets in found):
        raise NotAsked(HINT)
    yield from found


@clause
def an_authentic_callback_is_heard(subject: Subject) -> None:
    for sent in subject.sent:
        heard = subject.heard(sent.label, sent.callback, sent.account, at=sent.came_at)
        if sent not in subject.recorded:
            expect(
                [event.reference for event in heard.events] == [REFERENCE],
                f"one event of {REFERENCE}",
                described(heard),
            )
        for event in heard.events:
            expect(
                event.courier_id == COURIER_ID, f"courier_id {COURIER_ID!r}", f"it is {event.courier_id!r}"
            )


@clause
def an_authentic_callback_rests_on_a_secret_of_the_account(subject: Subject) -> None:
    if subject.dialect.trust == "hint":
        raise NotAsked(HINT)
    for sent in subject.sent_and_heard:
        expect(
            subject.secrets_of(sent),
            f"{sent.label} to be refused under an account with other secrets",
            "it is heard whatever the account holds",
        )


@clause
def one_flipped_byte_anywhere_in_the_body_is_refused(subject: Subject) -> None:
    for sent in subject.sent_and_heard:
        body = sent.callback.body
        for position in range(0, len(body), 7 if sent in subject.recorded else 1):
            for mask in (0x01, 0x20, 0x80):
                flipped = body[:position] + bytes([body[position] ^ mask]) + body[position + 1 :]
                subject.refuses(
                    f"{sent.label} with byte {position} of its body 0x{flipped[position]:02x} and not "
                    f"0x{body[position]:02x}",
                    replace(sent.callback, body=flipped),
                    sent.account,
                    at=sent.came_at,
                    covered=True,
                )


@clause
def the_bytes_are_proven_as_they_came(subject: Subject) -> None:
    """Whoever parses a body and writes it anew before comparing refuses what is spaced or escaped otherwise."""
    if subject.dialect.trust != "signed":
        raise NotAsked("nothing is signed")
    subject.wants("enveloped")
    for what, inside in respaced(subject):
        heard = subject.heard(f"the same message {what}", subject.enveloped(inside))
        expect(heard.events, f"an event in the same message {what}", described(heard))


def respaced(subject: Subject) -> Iterator[tuple[str, bytes]]:
    """The same message in other bytes, where it is JSON."""
    said = subject.said()
    try:
        message: Any = json.loads(said)
    except ValueError:
        raise NotAsked("its messages are not JSON") from None
    yield "with a line break behind it", said + b"\n"
    yield "with spaces in it", json.dumps(message, indent=2, ensure_ascii=False).encode()
    yield "without any spaces", json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()
    yield "in escapes", json.dumps(message).replace("-", "\\u002d").encode()


@clause
def one_flipped_character_anywhere_in_the_proof_is_refused(subject: Subject) -> None:
    for sent in subject.sent_and_heard:
        for where, name in subject.proof_of(sent):
            value = getattr(sent.callback, where)[name]
            for position in range(len(value)):
                for mask in (0x01, 0x20):
                    flipped = value[:position] + chr(ord(value[position]) ^ mask) + value[position + 1 :]
                    subject.refuses(
                        f"{sent.label} with {name!r} in its {where} {flipped!r} and not {value!r}",
                        sent.part(where, name, flipped),
                        sent.account,
                        at=sent.came_at,
                        covered=subject.dialect.trust == "hint",
                    )


@clause
def a_missing_or_empty_part_of_the_proof_is_refused(subject: Subject) -> None:
    for sent in subject.sent_and_heard:
        for where, name in subject.proof_of(sent):
            for value in (None, ""):
                how = "without" if value is None else "with an empty"
                subject.refuses(
                    f"{sent.label} {how} {name!r} in its {where}",
                    sent.part(where, name, value),
                    sent.account,
                    at=sent.came_at,
                )
        if subject.proof_of(sent):
            bare = replace(sent.callback, query={}, headers={})
            subject.refuses(
                f"{sent.label} without its query and headers", bare, sent.account, at=sent.came_at
            )


@clause
def a_callback_under_another_key_is_refused(subject: Subject) -> None:
    for sent, secrets in with_secrets(subject):
        for key in secrets:
            other = {**sent.account, key: another(sent.account.get(key, ""))}
            subject.refuses(f"{sent.label} under another {key!r}", sent.callback, other, at=sent.came_at)
    if subject.has("ROTATED", "STATUSES"):
        told = subject.told(account=subject.wants("ROTATED"))
        subject.refuses("a callback under the key of after the rotation", told, subject.account)


@clause
def without_a_secret_nothing_is_proven(subject: Subject) -> None:
    for sent, secrets in with_secrets(subject):
        subject.refuses(f"{sent.label} where we have no account", sent.callback, at=sent.came_at)
        for key in secrets:
            rest = {name: value for name, value in sent.account.items() if name != key}
            for account, how in ((rest, "without"), ({**rest, key: ""}, "with an empty")):
                subject.refuses(
                    f"{sent.label} under an account {how} {key!r}", sent.callback, account, at=sent.came_at
                )
    if subject.has("STATUSES", "HEARING_SECRETS") or subject.has("STATUSES", "enveloped"):
        _nothing_signs_with_nothing(subject)


def _nothing_signs_with_nothing(subject: Subject) -> None:
    """Anybody can sign with an empty secret: where we have none, that must not fit."""
    told = Sent("a callback", subject.account, subject.told(), NOON)
    for key in subject.secrets_of(told):
        empty = {**subject.account, key: ""}
        try:
            forged = subject.told(account=empty)
        except Exception:  # noqa: S112  (no key can be made of it: nobody can sign with it either)
            continue
        subject.refuses(f"a callback signed with an empty {key!r} where ours is empty", forged, empty)


@clause
def while_secrets_rotate_the_old_and_the_new_are_both_heard(subject: Subject) -> None:
    for sent, _ in with_secrets(subject):
        other = subject.other_account(sent)
        for accounts in ((sent.account, other), (other, sent.account)):
            subject.heard(f"{sent.label} with two accounts known", sent.callback, *accounts, at=sent.came_at)
    if subject.has("ROTATED", "STATUSES"):
        old, new = subject.account, subject.wants("ROTATED")
        for account in (old, new):
            for accounts in ((old, new), (new, old)):
                subject.heard("a callback during a rotation", subject.told(account=account), *accounts)


@clause
def proofs_are_compared_in_constant_time(subject: Subject) -> None:
    for sent, _ in with_secrets(subject):
        with compared(subject.dialect) as calls:
            subject.heard(sent.label, sent.callback, sent.account, at=sent.came_at)
        expect(
            calls,
            f"hmac.compare_digest to decide whether {sent.label} is proven",
            "it was not called: '==' tells by its time how much of a proof is right",
        )


@contextmanager
def compared(dialect: object) -> Iterator[list[None]]:
    """The calls of `hmac.compare_digest` meanwhile, under whatever name the file knows it."""
    calls: list[None] = []
    plain = hmac.compare_digest

    def watched(one: Any, other: Any) -> bool:
        calls.append(None)
        return plain(one, other)

    module = sys.modules[type(dialect).__module__]
    with ExitStack() as stack:
        stack.enter_context(patch.object(hmac, "compare_digest", watched))
        for name in [name for name, value in vars(module).items() if value is plain]:
            stack.enter_context(patch.object(module, name, watched))
        yield calls


@clause
def a_refusal_tells_neither_a_secret_nor_what_would_have_been_right(subject: Subject) -> None:
    """Its text is the answer to whoever asked."""
    forged, right = subject.told(account=subject.wants("ROTATED")), subject.told()
    sent = Sent("a callback", subject.account, right, NOON)
    untold = {subject.account.get(key, "") for key in subject.secrets_of(sent)}
    untold |= {getattr(right, where)[name] for where, name in subject.proof_of(sent)}
    known = {*forged.query.values(), *forged.headers.values(), forged.body.decode(errors="replace"), ""}
    if not untold - known:
        raise NotAsked(HINT)
    for what, tried in (
        ("under another key", forged),
        ("without any proof", replace(right, query={}, headers={})),
    ):
        try:
            subject.hear(tried)
        except Exception as error:
            for secret in untold - known:
                expect(
                    secret not in str(error),
                    f"a callback {what} to be refused without {secret!r} in the text",
                    f"it says {str(error)!r}",
                )


@clause
def a_replay_is_refused_once_its_time_is_over(subject: Subject) -> None:
    if subject.dialect.trust == "hint":
        raise NotAsked(HINT)
    window: timedelta | None = subject.wants("REPLAY_WINDOW")
    if window is None:
        raise NotAsked("its scheme signs no time: a replay is a double, and known by its event id")
    told = subject.told()
    for late in (-window + SECOND, timedelta(), window - SECOND):
        subject.heard(f"a callback that {_when(late)}", told, at=NOON + late)
    for late in (-window - SECOND, window + SECOND, timedelta(days=365)):
        subject.refuses(f"a callback that {_when(late)}", told, subject.account, at=NOON + late)


def _when(late: timedelta) -> str:
    return f"comes {late} after it was sent" if late >= timedelta() else f"is dated {-late} from now"
