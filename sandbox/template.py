"""What would be deployed, brought up on the emulator: tables, queues, key and secret made from the packaged
template, and its functions with the environment and the event sources they would have on AWS.
"""

from __future__ import annotations

import importlib
import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sandbox.emulator import REGION


@dataclass(frozen=True)
class QueueSource:
    """A queue that feeds a function."""

    queue: str
    url: str
    batch_size: int
    reports_failures: bool
    max_receives: int


@dataclass(frozen=True)
class Function:
    """One Lambda function of the template."""

    name: str
    handler: str
    timeout_s: int
    rate: timedelta | None
    source: QueueSource | None

    def load(self) -> Callable[[dict[str, Any], Any], Any]:
        """The handler, imported as Lambda would."""
        module, name = self.handler.rsplit(".", 1)
        loaded: Callable[[dict[str, Any], Any], Any] = getattr(importlib.import_module(module), name)
        return loaded


@dataclass(frozen=True)
class Deployment:
    """The template's resources as they stand on the emulator."""

    functions: tuple[Function, ...]
    environment: dict[str, str]
    queues: dict[str, str]
    """Logical id to URL."""


def deploy(template: dict[str, Any], client: Callable[[str], Any], secret: dict[str, Any]) -> Deployment:
    """Make what is missing on the emulator; what is there from an earlier run is taken up again.

    `secret` goes where the template has one for people to fill in; those it has generated are, once.
    """
    resources = template["Resources"]
    asked = template.get("Parameters", {})
    names = {name: {"Ref": str(told.get("Default", ""))} for name, told in asked.items()}
    for name, resource in resources.items():
        if resource["Type"] == "AWS::DynamoDB::Table":
            _table(client("dynamodb"), f"cordon-{name}", resource["Properties"])
            names[name] = {"Ref": f"cordon-{name}"}
    dead = [
        n
        for n, r in resources.items()
        if r["Type"] == "AWS::SQS::Queue" and "RedrivePolicy" not in r["Properties"]
    ]
    live = [
        n
        for n, r in resources.items()
        if r["Type"] == "AWS::SQS::Queue" and "RedrivePolicy" in r["Properties"]
    ]
    for name in (*dead, *live):
        names[name] = _queue(client("sqs"), f"cordon-{name}", resources[name]["Properties"], names)
    for name, resource in resources.items():
        if resource["Type"] == "AWS::KMS::Key":
            names[name] = _key(client("kms"), f"alias/cordon-{name}")
        elif resource["Type"] == "AWS::SecretsManager::Secret":
            generated = "GenerateSecretString" in resource["Properties"]
            names[name] = _secret(client("secretsmanager"), f"cordon-{name}", None if generated else secret)
    variables = template["Globals"]["Function"]["Environment"]["Variables"]
    return Deployment(
        functions=tuple(
            _function(name, resource["Properties"], names, resources)
            for name, resource in resources.items()
            if resource["Type"] == "AWS::Serverless::Function"
        ),
        environment={name: str(_resolved(value, names)) for name, value in variables.items()},
        queues={name: names[name]["Ref"] for name in live},
    )


def _table(client: Any, name: str, properties: dict[str, Any]) -> None:
    if name in client.list_tables()["TableNames"]:
        return
    asked = {
        key: properties[key]
        for key in ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
        if key in properties
    }
    client.create_table(TableName=name, **asked)


def _queue(
    client: Any, name: str, properties: dict[str, Any], names: dict[str, dict[str, str]]
) -> dict[str, str]:
    attributes = {"VisibilityTimeout": str(properties.get("VisibilityTimeout", 30))}
    if "RedrivePolicy" in properties:
        redrive = properties["RedrivePolicy"]
        target = _resolved(redrive["deadLetterTargetArn"], names)
        attributes["RedrivePolicy"] = json.dumps(
            {"deadLetterTargetArn": target, "maxReceiveCount": redrive["maxReceiveCount"]}
        )
    url = client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    arn = client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return {"Ref": url, "Arn": arn}


def _key(client: Any, alias: str) -> dict[str, str]:
    for known in client.list_aliases()["Aliases"]:
        if known["AliasName"] == alias:
            key_id = known["TargetKeyId"]
            return {"Ref": key_id, "Arn": client.describe_key(KeyId=key_id)["KeyMetadata"]["Arn"]}
    made = client.create_key(Description="sandbox")["KeyMetadata"]
    client.create_alias(AliasName=alias, TargetKeyId=made["KeyId"])
    return {"Ref": made["KeyId"], "Arn": made["Arn"]}


def _secret(client: Any, name: str, value: dict[str, Any] | None) -> dict[str, str]:
    """With that value; None: with one that is generated when the secret is made."""
    text = None if value is None else json.dumps(value)
    for known in client.list_secrets()["SecretList"]:
        if known["Name"] == name:
            if text is not None:
                client.put_secret_value(SecretId=known["ARN"], SecretString=text)
            return {"Ref": known["ARN"], "Arn": known["ARN"]}
    arn = client.create_secret(Name=name, SecretString=text or secrets.token_hex(32))["ARN"]
    return {"Ref": arn, "Arn": arn}


def _function(
    name: str, properties: dict[str, Any], names: dict[str, dict[str, str]], resources: dict[str, Any]
) -> Function:
    rate, source = None, None
    for event in properties.get("Events", {}).values():
        if event["Type"] == "Schedule":
            rate = _rate(event["Properties"]["Schedule"])
        elif event["Type"] == "SQS":
            arn = _resolved(event["Properties"]["Queue"], names)
            queue = next(n for n, known in names.items() if known.get("Arn") == arn)
            source = QueueSource(
                queue=queue,
                url=names[queue]["Ref"],
                batch_size=event["Properties"].get("BatchSize", 10),
                reports_failures="ReportBatchItemFailures"
                in event["Properties"].get("FunctionResponseTypes", ()),
                max_receives=resources[queue]["Properties"]["RedrivePolicy"]["maxReceiveCount"],
            )
    return Function(name, properties["Handler"], properties.get("Timeout", 60), rate, source)


def _rate(schedule: str) -> timedelta:
    found = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", schedule)
    if found is None:
        raise ValueError(f"the sandbox fires rates, not {schedule!r}")
    return timedelta(**{f"{found[2]}s": int(found[1])})


def _resolved(value: Any, names: dict[str, dict[str, str]]) -> Any:
    if not isinstance(value, dict):
        return value
    ((verb, operand),) = value.items()
    if verb == "Ref":
        return names[operand]["Ref"]
    if verb == "Fn::GetAtt":
        logical, attribute = operand if isinstance(operand, list) else operand.split(".", 1)
        return names[logical][attribute]
    if verb == "Fn::Sub":
        text = operand.replace("${AWS::Region}", REGION).replace("${AWS::AccountId}", "000000000000")
        text = text.replace("${AWS::StackName}", "sandbox")
        return re.sub(r"\$\{(\w+)\.(\w+)\}", lambda m: names[m[1]][m[2]], text)
    raise ValueError(f"the sandbox does not resolve {verb}")
