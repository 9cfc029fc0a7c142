"""The composition root: the only place where the real table, queues, line, sealer and solver are built.

Everything is built on first use, so that importing the app costs nothing that a request does not need.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from chalicelib import journal
from chalicelib.domain.ports import World

if TYPE_CHECKING:
    from chalicelib.domain.assignment import Problem
    from chalicelib.domain.weights import Weights
    from chalicelib.settings import Settings

_world: World | None = None


def world() -> World:
    """The world of this process."""
    global _world
    if _world is None:
        _world = real()
    return _world


def use(other: World | None) -> None:
    """Put another world in the place of the real one: the sandbox and tests. None: build the real one anew."""
    global _world
    _world = other


@cache
def _random() -> secrets.SystemRandom:
    return secrets.SystemRandom()


class _Engine:
    """`ports.Solver`: only a function that plans loads it."""

    def assign(self, problem: Problem, weights: Weights) -> Sequence[int]:
        from chalicelib.solver import FlowSolver

        return FlowSolver().assign(problem, weights)


def real(told: Settings | None = None) -> World:
    """The world on AWS, as told or from the environment."""
    from chalicelib import channels, feeds, locales, settings
    from chalicelib.aws.line import UrllibLine
    from chalicelib.aws.mail import SesMailer
    from chalicelib.aws.queues import SqsQueues
    from chalicelib.aws.sealer import KmsSealer
    from chalicelib.aws.secrets import SecretsManagerSecrets
    from chalicelib.aws.table import DynamoTable
    from chalicelib.couriers import Folder
    from chalicelib.rulebooks import Shelf

    told = told or settings.read()
    journal.measure_in(told.metrics)
    table = DynamoTable(told.table)
    return World(
        table=table,
        queues=SqsQueues(told.queue_urls(), told.letter_urls(), traceparent=journal.traceparent),
        line=UrllibLine(),
        sealer=KmsSealer(told.seal_key, table),
        solver=_Engine(),
        secrets=SecretsManagerSecrets(told.secret, told.signing_key),
        dialects=Folder(),
        channels=channels.to_brands(),
        client_channels=channels.to_clients(),
        mailer=SesMailer(),
        words=locales.Shelf("messages"),
        feeds=feeds.Folder(),
        books=Shelf(),
        clock=lambda: datetime.now(UTC),
        dice=_random().random,
        token=lambda: secrets.token_urlsafe(32),
        log=journal.log,
        stopwatch=time.monotonic,
        public_url=told.public_url.rstrip("/"),
    )


def rotate(event: dict[str, Any]) -> None:
    """One step of the signing key's rotation: no flow, and nothing of the world but the secret."""
    from chalicelib import settings
    from chalicelib.aws import rotation

    rotation.rotate(event, settings.read().signing_key)
