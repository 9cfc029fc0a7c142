"""Mail out through SES, emulated; and what it means that it says no, later, or nothing."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.aws import clients
from chalicelib.aws.calls import Patience
from chalicelib.aws.mail import SesMailer
from chalicelib.domain.errors import Unanswered
from chalicelib.domain.saying import Mail

RAW = b"From: gifts@maison.example\r\nTo: wang@secret.example\r\nSubject: A gift\r\n\r\nBonjour\r\n"
MAIL = Mail(sender="gifts@maison.example", to="wang@secret.example", raw=RAW)


@pytest.fixture(autouse=True)
def cloud(moto: None) -> None:
    clients.client("sesv2").create_email_identity(EmailIdentity="maison.example")


class Answering:
    """An SES that raises this; how often it was asked."""

    def __init__(self, error: Exception) -> None:
        self.error, self.asked = error, 0

    def send_email(self, **_: Any) -> Any:
        self.asked += 1
        raise self.error


def refusing(code: str, status: int = 400) -> Exception:
    from botocore.exceptions import ClientError

    said = {
        "Error": {"Code": code, "Message": "wang@secret.example"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(said, "SendEmail")  # type: ignore[arg-type]


def asked(monkeypatch: pytest.MonkeyPatch, error: Exception) -> Answering:
    ses = Answering(error)
    monkeypatch.setattr("chalicelib.aws.mail.client", lambda _: ses)
    monkeypatch.setattr("chalicelib.aws.calls.PATIENCE", Patience(sleep=lambda _: None))
    return ses


def test_a_mail_goes_out_as_it_was_composed() -> None:
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.ses.models import ses_backends

    assert SesMailer().send(MAIL).status == 200
    (sent,) = ses_backends[DEFAULT_ACCOUNT_ID]["eu-west-1"].sent_messages
    assert set(sent.destinations) == {"wang@secret.example"}
    assert "Bonjour" in sent.raw_data


def test_a_sender_that_is_not_verified_is_refused_for_good() -> None:
    other = Mail(sender="gifts@another.example", to=MAIL.to, raw=MAIL.raw)
    reply = SesMailer().send(other)
    assert (reply.status, reply.body) == (400, b"MessageRejected")


@pytest.mark.parametrize(
    ("code", "status", "times"),
    [
        ("MessageRejected", 400, 1),
        ("MailFromDomainNotVerifiedException", 400, 1),
        ("LimitExceededException", 429, 1),
        ("SendingPausedException", 429, 1),
        ("TooManyRequestsException", 429, 3),
    ],
)
def test_what_ses_says_no_to_is_told_by_its_code_and_by_nothing_personal(
    monkeypatch: pytest.MonkeyPatch, code: str, status: int, times: int
) -> None:
    ses = asked(monkeypatch, refusing(code))
    reply = SesMailer().send(MAIL)
    assert (reply.status, reply.body, ses.asked) == (status, code.encode(), times)


def test_what_may_have_been_taken_is_not_sent_again_here(monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.exceptions import ReadTimeoutError

    for error in (ReadTimeoutError(endpoint_url="https://ses"), refusing("InternalFailure", 500)):
        ses = asked(monkeypatch, error)
        with pytest.raises(Unanswered) as raised:
            SesMailer().send(MAIL)
        assert ses.asked == 1 and "secret" not in str(raised.value)
