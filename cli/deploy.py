"""Put a package on AWS, and go back: `python -m cli.deploy new|back|list --bucket BUCKET [--stack cordon]`.

A release is a package under the hash of its content, kept in the bucket for ever:
`cordon/<release>/deployment.zip`, `template.json` and `about.json` (when, from which commit, for which processor).
Its layers lie under the hash of their own content, `cordon/layers/<hash>.zip`: a release that brings the same one
publishes no new version of it.
Which release a stack runs, and which it ran before, the stack itself says in its outputs: CloudFormation changes them
together with everything else or not at all, so that no list of ours can be wrong about it.

Every deployment is a change set: shown, then executed, then awaited; CloudFormation takes back by itself what fails.
`back` deploys the release before this one (or `--to` another). It brings back code and settings and never state:
orders stay as they are, and what newer code has written waits for newer code.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import io
import json
import os
import re
import secrets
import subprocess  # nosec B404 - git, with our own words
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cli import package

ROOT = Path(__file__).resolve().parent.parent
HOME = "cordon"
"""The folder in the bucket."""
STATE = frozenset({"AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::SecretsManager::Secret", "AWS::SQS::Queue"})
"""What holds something that is nowhere else: never replaced or removed unless it is named."""
NONE = "none"
CHANGE_SET_S, STACK_S, SMOKE_S = 300.0, 1800.0, 45.0
"""The longest that each wait takes."""
BEGUN_S = 20.0
"""So long a stack that stands as it did may not have begun to change."""
LONGEST_NAME = 30
"""Of a stack: functions are called after it and their logs, and CloudFormation cuts a name at 64 characters."""


class Refusal(Exception):
    """What stands in the way, and what to do about it."""


@dataclass
class Aws:
    """The account as this command reaches it."""

    client: Callable[[str], Any]
    say: Callable[[str], None] = print
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic

    def waits(self, seconds: float, every: float = 2.0) -> Iterator[None]:
        """Turns of a wait, until it has taken so long."""
        deadline = self.now() + seconds
        while self.now() < deadline:
            yield
            self.sleep(every)


@dataclass(frozen=True)
class Release:
    """A package in the bucket."""

    name: str
    template: dict[str, Any]
    about: Mapping[str, Any] = field(default_factory=dict)


def connect() -> Aws:
    """The account that the environment names. Raises `Refusal` without region or credentials."""
    import botocore.session
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    session = botocore.session.get_session()
    region = session.get_config_variable("region")
    if not region:
        raise Refusal("no region: set AWS_DEFAULT_REGION, such as eu-west-1")
    if session.get_credentials() is None:
        raise Refusal("no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    patient = Config(
        connect_timeout=10, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 5}
    )

    def client(service: str) -> Any:
        return session.create_client(service, region_name=region, config=patient)

    try:
        who = client("sts").get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        raise Refusal(f"AWS does not take these credentials: {error}") from None
    print(f"account {who['Account']}, region {region}")
    return Aws(client)


# --- releases ---------------------------------------------------------------------------------------------------


def keep(aws: Aws, bucket: str, out: Path) -> Release:
    """Put the package that lies in `out` into the bucket, unless it is there; the release that it is."""
    archive, file = out / "deployment.zip", out / "sam.yaml"
    if not (archive.exists() and file.exists()):
        raise Refusal(f"no package in {out}: run `make package`")
    code, template = archive.read_bytes(), package.read(file)
    layers: dict[str, bytes] = {}
    for lies, properties in package.layers_of(out, template):
        if not lies.exists():
            raise Refusal(f"no {lies.name} in {out}: run `make package`")
        layers[properties["ContentUri"]] = lies.read_bytes()
    name = name_of(code, template, *layers.values())
    keys = {uri: f"{HOME}/layers/{hashlib.sha256(data).hexdigest()[:32]}.zip" for uri, data in layers.items()}
    stored = with_code_at(
        template,
        f"s3://{bucket}/{HOME}/{name}/deployment.zip",
        {uri: f"s3://{bucket}/{key}" for uri, key in keys.items()},
    )
    about = {
        "release": name,
        "kept_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "architecture": package.architecture_of(template),
        "zip_bytes": len(code),
        "rows": rows_of(code),
    }
    s3 = aws.client("s3")
    if _fetch(s3, bucket, f"{HOME}/{name}/about.json") is None:
        for uri, key in keys.items():
            if not _is_there(s3, bucket, key):
                s3.put_object(Bucket=bucket, Key=key, Body=layers[uri])
        s3.put_object(Bucket=bucket, Key=f"{HOME}/{name}/deployment.zip", Body=code)
        _put(s3, bucket, f"{HOME}/{name}/template.json", stored)
        _put(s3, bucket, f"{HOME}/{name}/about.json", about)  # last: who has it has the others
        aws.say(f"release {name} kept in s3://{bucket}/{HOME}/{name}/")
    return Release(name, stored, about)


def load(aws: Aws, bucket: str, name: str) -> Release:
    """A release that was kept. Raises `Refusal`."""
    s3 = aws.client("s3")
    about = _fetch(s3, bucket, f"{HOME}/{name}/about.json")
    template = _fetch(s3, bucket, f"{HOME}/{name}/template.json")
    if about is None or template is None:
        raise Refusal(f"no release {name!r} in s3://{bucket}/{HOME}/: `python -m cli.deploy list` shows them")
    return Release(name, template, about)


def name_of(code: bytes, template: Mapping[str, Any], *layers: bytes) -> str:
    """The same package has the same name, wherever and whenever it was built."""
    text = json.dumps(template, sort_keys=True, default=str).encode()
    return hashlib.sha256(b"\0".join((code, text, *layers))).hexdigest()[:16]


def with_code_at(template: Mapping[str, Any], address: str, layers: Mapping[str, str]) -> dict[str, Any]:
    """The template with every function's code at that place, and every layer (by where it lies now) at its own."""
    placed = copy.deepcopy(dict(template))
    for resource in placed["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = address
        if resource["Type"] == "AWS::Serverless::LayerVersion":
            resource["Properties"]["ContentUri"] = layers[resource["Properties"]["ContentUri"]]
    return placed


def announcing(release: Release, before: str) -> dict[str, Any]:
    """The release's template; its stack says which release it is and which one was before."""
    told = {"Release": {"Value": release.name}, "PreviousRelease": {"Value": before}}
    return {**release.template, "Outputs": {**release.template.get("Outputs", {}), **told}}


def former(release: Release, told: Mapping[str, str]) -> str:
    """The release that ran before this one will: of the same one with other parameters, it is who was before."""
    return told.get("PreviousRelease" if told.get("Release") == release.name else "Release", NONE)


def rows_of(code: bytes) -> int:
    """In which way the packaged version writes its rows: `ROWS` in chalicelib/aws/table.py, 1 before there was one."""
    try:
        with zipfile.ZipFile(io.BytesIO(code)) as zipped:
            text = zipped.read("chalicelib/aws/table.py").decode()
    except (KeyError, zipfile.BadZipFile):
        return 1
    found = re.search(r"^ROWS = (\d+)$", text, re.MULTILINE)
    return int(found[1]) if found else 1


def _fetch(s3: Any, bucket: str, key: str) -> dict[str, Any] | None:
    from botocore.exceptions import ClientError

    try:
        loaded: dict[str, Any] = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return None
        raise
    return loaded


def _is_there(s3: Any, bucket: str, key: str) -> bool:
    from botocore.exceptions import ClientError

    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return False
        raise
    return True


def _put(s3: Any, bucket: str, key: str, what: Mapping[str, Any]) -> None:
    s3.put_object(
        Bucket=bucket, Key=key, Body=json.dumps(what, default=str).encode(), ContentType="application/json"
    )


def _commit() -> str:
    asked = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S607  # nosec B603 - our own words, no shell
    return done.stdout.strip() or "unknown"


# --- what has to be there before --------------------------------------------------------------------------------


def check_bucket(aws: Aws, bucket: str | None) -> str:
    """The bucket, when it is there and ours. Raises `Refusal`."""
    from botocore.exceptions import ClientError, ParamValidationError

    if not bucket:
        raise Refusal(
            "no bucket: releases are kept in one of yours. Make it once with\n"
            "  aws s3 mb s3://NAME && aws s3api put-bucket-versioning --bucket NAME "
            "--versioning-configuration Status=Enabled\nand give it as BUCKET=NAME"
        )
    try:
        aws.client("s3").head_bucket(Bucket=bucket)
    except (ClientError, ParamValidationError) as error:
        raise Refusal(
            f"the bucket {bucket!r} is not there, not in this region, or not yours: {error}"
        ) from None
    return bucket


def check_name(stack: str) -> str:
    """Raises `Refusal` for a name under which logs would go astray."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", stack) or len(stack) > LONGEST_NAME:
        raise Refusal(
            f"the stack's name {stack!r}: at most {LONGEST_NAME} letters, digits and dashes were expected"
        )
    return stack


def check_room(aws: Aws, template: Mapping[str, Any]) -> None:
    """Raises `Refusal` when the account is too small for the concurrency that is reserved: new ones are."""
    reserved = sum(
        int(r["Properties"].get("ReservedConcurrentExecutions", 0))
        for r in template["Resources"].values()
        if r["Type"] == "AWS::Serverless::Function"
    )
    limit = int(aws.client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"])
    if limit - reserved < 100:
        raise Refusal(
            f"Lambda runs {limit} functions at once in this account. {reserved} are reserved here, and AWS wants 100 "
            "left over: ask for more (Service Quotas, Lambda, Concurrent executions, L-B99A9384)"
        )


def standing(aws: Aws, stack: str) -> dict[str, Any] | None:
    """The stack as it is; None when there is none. Raises `Refusal` when it cannot be changed now."""
    from botocore.exceptions import ClientError

    try:
        found: dict[str, Any] = aws.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    status = found["StackStatus"]
    if status in ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE"):
        return None
    if status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"):
        raise Refusal(
            f"the stack {stack!r} was never up ({status}). Look at its events, delete it, and try again; table, key "
            "and secrets of the first try are kept and cost next to nothing: remove them by hand if you want to"
        )
    if not status.endswith("_COMPLETE"):
        raise Refusal(f"the stack {stack!r} is busy or stuck: {status}")
    return found


def outputs(stack: Mapping[str, Any] | None) -> dict[str, str]:
    """What a stack says of itself."""
    return {one["OutputKey"]: one["OutputValue"] for one in (stack or {}).get("Outputs", ())}


def parameters(
    template: Mapping[str, Any], found: Mapping[str, Any] | None, said: Sequence[str]
) -> list[dict[str, Any]]:
    """What the template asks for: as said (`NAME=VALUE`), else as the stack has it, else the template's default.

    CloudFormation forgets what an update does not mention. Raises `Refusal` for a name that nobody asks for.
    """
    told = dict(one.partition("=")[::2] for one in said)
    known = template.get("Parameters", {})
    for name in told:
        if name not in known:
            raise Refusal(
                f"nothing is called {name!r} here; the template asks for {', '.join(sorted(known))}"
            )
    kept = {one["ParameterKey"] for one in (found or {}).get("Parameters", ())}
    return [
        {"ParameterKey": name, "ParameterValue": told[name]}
        if name in told
        else {"ParameterKey": name, "UsePreviousValue": True}
        for name in sorted(known)
        if name in told or name in kept
    ]


# --- the change -------------------------------------------------------------------------------------------------


def propose(
    aws: Aws,
    bucket: str,
    stack: str,
    release: Release,
    found: Mapping[str, Any] | None,
    said: Sequence[str] = (),
) -> str | None:
    """Make the change set; its name, None when there is nothing to change. Raises `Refusal`."""
    asked = parameters(release.template, found, said)
    before = former(release, outputs(found))
    key = f"{HOME}/{release.name}/after-{before}.json"
    s3, formation = aws.client("s3"), aws.client("cloudformation")
    _put(s3, bucket, key, announcing(release, before))
    name = f"to-{release.name}-{datetime.now(UTC):%Y%m%d%H%M%S}"
    formation.create_change_set(
        StackName=stack,
        ChangeSetName=name,
        ChangeSetType="UPDATE" if found else "CREATE",
        TemplateURL=f"{s3.meta.endpoint_url}/{bucket}/{key}",
        Parameters=asked,
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    for _ in aws.waits(CHANGE_SET_S):
        told = formation.describe_change_set(StackName=stack, ChangeSetName=name)
        if told["Status"] == "CREATE_COMPLETE":
            return name
        if told["Status"] == "FAILED":
            formation.delete_change_set(StackName=stack, ChangeSetName=name)
            why = told.get("StatusReason", "")
            if "didn't contain changes" in why or "No updates are to be performed" in why:
                return None
            raise Refusal(f"CloudFormation does not take the change: {why}")
    raise Refusal(f"the change set {name!r} was not ready after {CHANGE_SET_S:.0f} s")


def changes_of(aws: Aws, stack: str, name: str) -> list[dict[str, Any]]:
    """What the change set would do to each resource."""
    found: list[dict[str, Any]] = []
    more: dict[str, str] = {}
    while True:
        page = aws.client("cloudformation").describe_change_set(StackName=stack, ChangeSetName=name, **more)
        found += [one["ResourceChange"] for one in page["Changes"] if "ResourceChange" in one]
        if not page.get("NextToken"):
            return found
        more = {"NextToken": page["NextToken"]}


def shown(change: Mapping[str, Any]) -> str:
    """One change as a line."""
    replaced = change.get("Replacement")
    mark = {"True": ", replaced", "Conditional": ", perhaps replaced"}.get(str(replaced), "")
    return f"  {change['Action']:<7} {change['LogicalResourceId']} ({change['ResourceType']}{mark})"


def losses(changes: Sequence[Mapping[str, Any]], named: Sequence[str] = ()) -> list[str]:
    """Resources with state that would go, or might, and were not named. A secret's text might whatever is changed of
    it: CloudFormation may write the template's over it."""
    return [
        change["LogicalResourceId"]
        for change in changes
        if change["ResourceType"] in STATE
        and change["LogicalResourceId"] not in named
        and (
            change["Action"] == "Remove"
            or str(change.get("Replacement")) in ("True", "Conditional")
            or (change["Action"], change["ResourceType"]) == ("Modify", "AWS::SecretsManager::Secret")
        )
    ]


def execute(aws: Aws, stack: str, name: str) -> dict[str, Any]:
    """Do it and wait, with every failure said as it happens; the stack. Raises `Refusal` when it was taken back."""
    formation = aws.client("cloudformation")
    known = {event["EventId"] for event in _events(formation, stack)}
    before, began = standing(aws, stack), aws.now()
    formation.execute_change_set(StackName=stack, ChangeSetName=name)
    found: dict[str, Any] = {"StackStatus": "not begun"}
    for _ in aws.waits(STACK_S):
        found = formation.describe_stacks(StackName=stack)["Stacks"][0]
        if before is not None and aws.now() - began < BEGUN_S and _stands_as(found) == _stands_as(before):
            continue  # not begun yet: what is read is how the change before it ended
        for event in reversed(_events(formation, stack)):
            if event["EventId"] not in known:
                known.add(event["EventId"])
                if event["ResourceStatus"].endswith("_FAILED"):
                    aws.say(
                        f"  {event['LogicalResourceId']}: {event['ResourceStatus']}: "
                        f"{event.get('ResourceStatusReason', '')}"
                    )
        if found["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            return found
        if found["StackStatus"].endswith(("ROLLBACK_COMPLETE", "_FAILED")):
            raise Refusal(
                f"the change failed and CloudFormation took it back: {found['StackStatus']}; "
                f"{outputs(found).get('Release', 'nothing')} is what runs"
            )
    raise Refusal(f"not finished after {STACK_S:.0f} s: {found['StackStatus']}; it goes on without us")


def _stands_as(stack: Mapping[str, Any]) -> tuple[Any, Any]:
    return stack["StackStatus"], stack.get("LastUpdatedTime")


def _events(formation: Any, stack: str) -> list[dict[str, Any]]:
    from botocore.exceptions import ClientError

    try:
        found: list[dict[str, Any]] = formation.describe_stack_events(StackName=stack)["StackEvents"]
    except ClientError:  # a stack that is under review only has none
        return []
    return found


# --- does it answer? --------------------------------------------------------------------------------------------

Ask = Callable[[str, Mapping[str, str]], tuple[int, bytes]]


def ask(url: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
    """Status and body; 0 when nobody answers."""
    import urllib3

    try:
        said = urllib3.request("GET", url, headers=headers, timeout=30.0, retries=False)
    except urllib3.exceptions.HTTPError as error:
        return 0, str(error).encode()
    return said.status, said.data


SMOKE: tuple[tuple[str, bool, int, str], ...] = (
    ("openapi.json", False, 200, "the API answers"),
    ("v1/orders", False, 401, "nobody without a key comes in"),
    ("v1/orders", True, 403, "the authorizer reads the table"),
)
"""What is asked, whether with a key that is nobody's, the status that was expected, and what that shows."""


def smoke(aws: Aws, address: str, asks: Ask = ask) -> None:
    """Three questions that touch gateway, functions, policies and table. Raises `Refusal`."""
    for path, with_a_key, expected, what in SMOKE:
        status, body = 0, b""
        for _ in aws.waits(SMOKE_S, every=3.0):
            # another key each time: the gateway remembers for five minutes what the authorizer said of one
            headers = {"Authorization": f"Bearer nobodys-{secrets.token_hex(8)}"} if with_a_key else {}
            status, body = asks(address.rstrip("/") + "/" + path, headers)
            if status == expected:
                break
        if status != expected:
            raise Refusal(
                f"it is up and does not work: GET /{path} was answered {status} {body[:200]!r}, {expected} was "
                "expected. `make rollback` puts the release before back"
            )
        aws.say(f"  {what}: GET /{path} {status}")


# --- the command ------------------------------------------------------------------------------------------------


def deploy(aws: Aws, asked: argparse.Namespace, release: Release) -> None:
    """Propose, show, ask, do, look. Raises `Refusal`."""
    stack, found = asked.stack, standing(aws, asked.stack)
    check_rows(aws, asked.bucket, release, outputs(found))
    before = outputs(found).get("Release", NONE)
    aws.say(f"{stack}: {before} -> {release.name} (commit {release.about.get('commit', 'unknown')})")
    if before == release.name and not asked.set:
        aws.say("it runs already: nothing to do")
        return
    if not asked.yes and not sys.stdin.isatty():
        raise Refusal("nobody is here to agree: give --yes")
    check_room(aws, release.template)
    name = propose(aws, asked.bucket, stack, release, found, asked.set)
    if name is None:
        aws.say("nothing to change")
        return
    changes = changes_of(aws, stack, name)
    for change in changes:
        aws.say(shown(change))
    lost = losses(changes, asked.may_replace)
    if lost or not _agreed(asked, len(changes)):
        aws.client("cloudformation").delete_change_set(StackName=stack, ChangeSetName=name)
        if lost:
            raise Refusal(
                f"what {', '.join(lost)} holds could be lost. If that is meant, name each: --may-replace {lost[0]}"
            )
        raise Refusal("not agreed: nothing was changed")
    done = execute(aws, stack, name)
    told = outputs(done)
    aws.say(f"{stack} runs {told['Release']}, before it {told['PreviousRelease']}")
    smoke(aws, (asked.address or told["EndpointURL"]).replace("{api}", told["RestAPIId"]))


def _agreed(asked: argparse.Namespace, count: int) -> bool:
    return asked.yes or input(f"{count} changes. Do it? [y/N] ").strip().lower() in ("y", "yes")


def back(aws: Aws, asked: argparse.Namespace) -> Release:
    """The release to go back to. Raises `Refusal` when there is none."""
    told = outputs(standing(aws, asked.stack))
    name = asked.to or told.get("PreviousRelease", NONE)
    if name == NONE:
        raise Refusal(f"{asked.stack} has run no other release; name one with --to")
    return load(aws, asked.bucket, name)


def check_rows(aws: Aws, bucket: str, to: Release, told: Mapping[str, str]) -> None:
    """Raises `Refusal` for a release that could not read what the one that runs has written, by whatever way it comes:
    old code that is deployed as new is a way back, too."""
    runs = (
        _fetch(aws.client("s3"), bucket, f"{HOME}/{told['Release']}/about.json") if "Release" in told else {}
    )
    if runs is None:
        aws.say(
            f"{told['Release']}, which runs, is not in this bucket: whether its rows can be read is not known"
        )
    elif to.about.get("rows", 1) < runs.get("rows", 1):
        raise Refusal(
            f"{to.name} reads rows of the kind {to.about.get('rows', 1)}, and {told['Release']} has written the kind "
            f"{runs['rows']}: every order would stand still. Go forward: deploy a version that is mended"
        )


def show(aws: Aws, asked: argparse.Namespace) -> None:
    """The releases in the bucket, the newest last, and which of them runs."""
    told = outputs(standing(aws, asked.stack))
    marks = {told.get("PreviousRelease"): "ran before", told.get("Release"): "runs"}
    pages = aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=asked.bucket, Prefix=f"{HOME}/")
    keys = [one["Key"].split("/") for page in pages for one in page.get("Contents", ())]
    names = [key[1] for key in keys if key[2:] == ["about.json"]]  # without it, it was never kept whole
    for about in sorted((load(aws, asked.bucket, n).about for n in names), key=lambda a: str(a["kept_at"])):
        mark = marks.get(about["release"], "")
        aws.say(f"{about['release']}  {about['kept_at']}  {about['architecture']}  {about['commit']}  {mark}")


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m cli.deploy", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("new", "back", "list"))
    parser.add_argument("--bucket", default=os.environ.get("BUCKET"), help="by default BUCKET")
    parser.add_argument(
        "--stack", default=os.environ.get("STACK") or "cordon", help="by default STACK, or cordon"
    )
    parser.add_argument("--package", type=Path, default=ROOT / "build" / "package")
    parser.add_argument("--to", help="the release to go back to; by default the one before")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the template; it stays so",
    )
    parser.add_argument("--yes", action="store_true", help="do it without asking")
    parser.add_argument("--may-replace", action="append", default=[], metavar="NAME", help="what may be lost")
    parser.add_argument("--address", help="where the API answers, if not at EndpointURL; {api} is its id")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    from botocore.exceptions import BotoCoreError, ClientError

    asked = parsed(arguments)
    try:
        check_name(asked.stack)
        aws = connect()
        asked.bucket = check_bucket(aws, asked.bucket)
        if asked.what == "list":
            show(aws, asked)
        else:
            release = back(aws, asked) if asked.what == "back" else keep(aws, asked.bucket, asked.package)
            deploy(aws, asked, release)
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        return 1
    except (BotoCoreError, ClientError) as error:
        print(f"AWS said: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
