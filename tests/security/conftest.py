from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.aws.test_line import authority, serve, tls  # noqa: F401 - fixtures, shared
from tests.security.gateway import Gateway, gateway


@pytest.fixture(scope="module")
def opened() -> Iterator[Gateway]:
    with gateway() as found:
        yield found


@pytest.fixture
def gate(opened: Gateway) -> Gateway:
    """The gateway with everything in its place."""
    opened.restore()
    return opened
