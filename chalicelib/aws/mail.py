"""E-mail out through SES v2: the message as it was composed, and nothing is repeated that may have been taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib.aws.calls import BUSY, call, code_of
from chalicelib.aws.clients import client
from chalicelib.domain.dialect import Reply
from chalicelib.domain.errors import Throttled, Unanswered

if TYPE_CHECKING:
    from chalicelib.domain.saying import Mail

LATER: Final = frozenset({"LimitExceededException", "SendingPausedException"})
"""Refused for now: more than the account may send, or somebody has paused it."""


class SesMailer:
    """`ports.Mailer` with SES. A sender that is not verified there is refused by it."""

    def send(self, mail: Mail) -> Reply:
        from botocore.exceptions import ClientError

        try:
            call(
                client("sesv2"), "send_email", repeatable=False,
                FromEmailAddress=mail.sender, Destination={"ToAddresses": [mail.to]},
                Content={"Raw": {"Data": mail.raw}},
            )  # fmt: skip
        except ClientError as error:
            code = code_of(error)
            return Reply(429 if code in LATER else 400, {}, code.encode())
        except Throttled as error:
            problem = str(error).rpartition(": ")[2]
            if problem in BUSY:
                return Reply(429, {}, problem.encode())
            raise Unanswered(f"SES: {problem}") from None
        return Reply(200, {}, b"")
