"""Clients that speak to one emulator, whatever the environment says."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import botocore.session

from sandbox.emulator import REGION, Emulator


def clients(emulator: Emulator) -> Callable[[str], Any]:
    """A client for each service, made once."""
    told = emulator.environment

    @cache
    def client(service: str) -> Any:
        return botocore.session.get_session().create_client(
            service,
            region_name=REGION,
            endpoint_url=emulator.endpoint,
            aws_access_key_id=told["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=told["AWS_SECRET_ACCESS_KEY"],
        )

    return client
