"""botocore clients, made on first use: importing botocore costs more than everything else together."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def session() -> Any:
    """botocore's session of this process: what is registered with it holds for every client made after."""
    import botocore.session

    return botocore.session.get_session()


@cache
def client(service: str) -> Any:
    """The client of that service for this process: short timeouts, no double checking of shapes.

    It tries once: what is repeated, and when, is decided in `calls.py`.
    """
    from botocore.config import Config

    return session().create_client(
        service,
        config=Config(
            connect_timeout=2,
            read_timeout=5,
            retries={"mode": "standard", "total_max_attempts": 1},
            parameter_validation=False,
            user_agent="cordon",  # botocore's own is composed anew for every call
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            max_pool_connections=32,
        ),
    )


def reset() -> None:
    """Forget session and clients: the environment names another place now."""
    client.cache_clear()
    session.cache_clear()
