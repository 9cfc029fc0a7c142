"""Fixtures of whoever puts up a stand."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from chalicelib.aws import clients


@pytest.fixture
def own_environment() -> Iterator[None]:
    """A stand tells this process where its AWS is; nobody after it is to believe that."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
    clients.reset()
