"""One call to AWS. What is busy, slow or out of reach becomes `Throttled`, the domain's word for *not now*; what is
left is our bug. The only place that repeats a call: botocore's own retries are off (`clients.py`).

Why ours: botocore repeats a conditional write whose answer was lost, and meets its own first success as a failed
condition. Here such a write (`repeatable=False`) is repeated only when it certainly did nothing (throttled, or
nobody was reached); otherwise its outcome is unknown, and whoever called repeats from what stands in the table.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.errors import Throttled

TRIES = 3
"""How often one call is made, before it is given back."""

BUSY = frozenset(
    {
        "BandwidthLimitExceeded",
        "KMS.ThrottlingException",
        "KmsThrottled",
        "OverLimit",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionConflictException",
    }
)
"""Certainly not done."""
UNSURE = frozenset(
    {
        "DependencyTimeoutException",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "InternalServiceError",
        "KMSInternalException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "TransactionInProgressException",
    }
)
"""Done or not: nobody knows."""


@dataclass(frozen=True)
class Patience:
    """Waits a little before another try, a different little for each of many that were turned away together."""

    sleep: Callable[[float], None] = time.sleep
    dice: Callable[[], float] = secrets.SystemRandom().random
    shortest_s: float = 0.05
    longest_s: float = 0.8

    def wait(self, tries: int) -> None:
        """Before the next of so many tries that failed."""
        most = min(self.shortest_s * 2 ** (tries - 1), self.longest_s)
        self.sleep(most * (0.5 + self.dice() / 2))


PATIENCE = Patience()


def call(
    client: Any, operation: str, *, repeatable: bool = True, patience: Patience | None = None, **request: Any
) -> dict[str, Any]:
    """The answer. Raises `Throttled` when there is none after `TRIES`, botocore's `ClientError` for a refusal."""
    from botocore.exceptions import (
        ClientError,
        ConnectTimeoutError,
        EndpointConnectionError,
        HTTPClientError,
        ProxyConnectionError,
        SSLError,
    )
    from botocore.parsers import ResponseParserError

    for tries in range(1, TRIES + 1):
        try:
            reply: dict[str, Any] = getattr(client, operation)(**request)
            return reply
        except ClientError as error:
            problem = code_of(error)
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if problem not in BUSY and problem not in UNSURE and status < 500:
                raise
            did_nothing = problem in BUSY
        except (EndpointConnectionError, ConnectTimeoutError, ProxyConnectionError) as error:
            problem, did_nothing = type(error).__name__, True
        except (HTTPClientError, SSLError, ResponseParserError) as error:  # it may have arrived
            problem, did_nothing = type(error).__name__, False
        if tries == TRIES or not (repeatable or did_nothing):
            break
        (patience or PATIENCE).wait(tries)
    raise Throttled(f"{operation}: {problem}") from None


def code_of(error: Any) -> str:
    """The code of a `ClientError`."""
    return str(error.response.get("Error", {}).get("Code", ""))
