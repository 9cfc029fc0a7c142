"""Rotates the signing key, in the four steps in which Secrets Manager asks a function to.

Each step may come twice and after the rotation is over; doing it again changes nothing. What one step leaves is in
the secret itself: the new text under AWSPENDING, and at the end AWSCURRENT on it and AWSPREVIOUS on the former one.
Source of the protocol: AWS, "Rotation by Lambda function".
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from chalicelib.aws.calls import call, code_of
from chalicelib.aws.clients import client

LEAST = 32
"""Characters below which a text is no signing key."""


def rotate(event: Mapping[str, Any], secret_id: str) -> None:
    """Do the step that the event asks for, on that secret and no other. Raises ValueError for anything else."""
    step, version = str(event["Step"]), str(event["ClientRequestToken"])
    if event["SecretId"] != secret_id:
        raise ValueError(f"{event['SecretId']!r} is not the signing key of this deployment, {secret_id!r} is")
    stages = _stages(secret_id)
    if "AWSCURRENT" in stages.get(version, ()):
        return  # it is over
    if "AWSPENDING" not in stages.get(version, ()):
        raise ValueError(f"version {version!r} was not begun: it carries {stages.get(version, [])!r}")
    if step == "createSecret":
        _create(secret_id, version)
    elif step == "testSecret":
        _test(secret_id, version)
    elif step == "finishSecret":
        _finish(secret_id, version, stages)
    elif step != "setSecret":  # nobody outside has to be told of it
        raise ValueError(f"no step {step!r}")


def _stages(secret_id: str) -> dict[str, list[str]]:
    """The labels of each version."""
    told = call(client("secretsmanager"), "describe_secret", SecretId=secret_id)
    stages: dict[str, list[str]] = told.get("VersionIdsToStages", {})
    return stages


def _create(secret_id: str, version: str) -> None:
    from botocore.exceptions import ClientError

    try:
        _pending(secret_id, version)
        return  # by an earlier try
    except ClientError as error:
        if code_of(error) != "ResourceNotFoundException":
            raise
    try:
        call(
            client("secretsmanager"),
            "put_secret_value",
            SecretId=secret_id,
            ClientRequestToken=version,
            SecretString=secrets.token_hex(32),
            VersionStages=["AWSPENDING"],
        )
    except ClientError as error:
        if code_of(error) != "ResourceExistsException":  # another try was faster: its text stands
            raise


def _test(secret_id: str, version: str) -> None:
    text = _pending(secret_id, version)
    if len(text) < LEAST or not text.isascii():
        raise ValueError(f"the new signing key has {len(text)} characters, {LEAST} of ASCII were expected")


def _finish(secret_id: str, version: str, stages: Mapping[str, list[str]]) -> None:
    former = next(name for name, labels in stages.items() if "AWSCURRENT" in labels)
    call(
        client("secretsmanager"),
        "update_secret_version_stage",
        SecretId=secret_id,
        VersionStage="AWSCURRENT",
        MoveToVersionId=version,
        RemoveFromVersionId=former,
    )


def _pending(secret_id: str, version: str) -> str:
    reply = call(
        client("secretsmanager"),
        "get_secret_value",
        SecretId=secret_id,
        VersionId=version,
        VersionStage="AWSPENDING",
    )
    text: str = reply["SecretString"]
    return text
