"""Deployment: what is refused and with which words, what is shown, how long anything waits, and the way back. The
whole of it, on an emulated AWS, is played in tests/rehearsal/."""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.aws import clients
from chalicelib.aws import table as tables
from cli import deploy
from cli.deploy import Aws, Refusal, Release

FUNCTION = {
    "Type": "AWS::Serverless::Function",
    "Properties": {
        "CodeUri": "./deployment.zip",
        "Architectures": ["arm64"],
        "ReservedConcurrentExecutions": 1,
    },
}
TEMPLATE: dict[str, Any] = {
    "Resources": {"Tick": FUNCTION, "FactsTable": {"Type": "AWS::DynamoDB::Table", "Properties": {}}},
    "Outputs": {"RestAPIId": {"Value": {"Ref": "RestAPI"}}},
}


class Formation:
    """CloudFormation as far as a deployment sees it: it does what the test says."""

    def __init__(self, **said: Any) -> None:
        self.said = {"change_set": {"Status": "CREATE_COMPLETE"}, "changes": [], "stack": None, **said}
        self.done: list[str] = []
        self.stack: Any = self.said["stack"]
        self.meta = argparse.Namespace(endpoint_url="https://s3.example")

    def __getattr__(self, verb: str) -> Any:
        def do(**asked: Any) -> dict[str, Any]:
            self.done.append(verb)
            if verb == "describe_stacks":
                if self.stack is None:
                    refused = {
                        "Error": {"Code": "ValidationError", "Message": "Stack with id cordon does not exist"}
                    }
                    raise ClientError(refused, "DescribeStacks")  # type: ignore[arg-type]
                return {"Stacks": [self.stack]}
            if verb == "describe_change_set":
                changes = [{"ResourceChange": change} for change in self.said["changes"]]
                return {**self.said["change_set"], "Changes": changes}
            if verb == "execute_change_set":
                self.stack = self.said["becomes"]
            if verb == "get_object":
                name = asked["Key"].split("/")[1]
                if name not in self.said.get("kept", {}):
                    raise ClientError({"Error": {"Code": "NoSuchKey", "Message": "none"}}, "GetObject")
                return {"Body": io.BytesIO(json.dumps(self.said["kept"][name]).encode())}
            if verb == "get_account_settings":
                return {"AccountLimit": {"ConcurrentExecutions": self.said.get("limit", 1000)}}
            return {"StackEvents": self.said.get("events", [])}

        return do


class Scene:
    """A deployment on such a CloudFormation, with a clock of its own."""

    def __init__(self, **said: Any) -> None:
        self.formation = Formation(**said)
        self.said: list[str] = []
        self.time = 0.0
        self.aws = Aws(lambda _: self.formation, self.said.append, self._sleep, lambda: self.time)

    def _sleep(self, seconds: float) -> None:
        self.time += seconds


def up(status: str = "UPDATE_COMPLETE", **told: str) -> dict[str, Any]:
    named = {"EndpointURL": "https://api.example/api/", "RestAPIId": "abc", "PreviousRelease": "none", **told}
    return {
        "StackStatus": status,
        "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in named.items()],
    }


def asked(*arguments: str) -> argparse.Namespace:
    return deploy.parsed(["new", "--bucket", "releases", *arguments])


def change(action: str, name: str, kind: str, replacement: str = "False") -> dict[str, Any]:
    return {"Action": action, "LogicalResourceId": name, "ResourceType": kind, "Replacement": replacement}


LAYER = {"Type": "AWS::Serverless::LayerVersion", "Properties": {"ContentUri": "./solver-layer.zip"}}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "deployment.zip").write_bytes(b"code")
    (tmp_path / "sam.yaml").write_text(json.dumps(TEMPLATE))
    return tmp_path


def answering(*statuses: int) -> Callable[..., tuple[int, bytes]]:
    left = list(statuses)
    return lambda url, headers: (left.pop(0) if left else 500, b"")


# --- what has to be there ---------------------------------------------------------------------------------------


def test_without_region_or_credentials_it_says_which_to_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in (
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_PROFILE",
    ):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(Refusal, match="AWS_DEFAULT_REGION"):
        deploy.connect()
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with pytest.raises(Refusal, match="AWS_PROFILE"):
        deploy.connect()


def test_without_a_bucket_it_says_how_to_make_one(moto: None) -> None:
    aws = Aws(clients.client)
    with pytest.raises(Refusal, match="aws s3 mb"):
        deploy.check_bucket(aws, None)
    with pytest.raises(Refusal, match="'nowhere' is not there"):
        deploy.check_bucket(aws, "nowhere")


@pytest.mark.parametrize("name", ["", "1st", "with space", "a" * 31])
def test_a_name_under_which_logs_would_go_astray_is_refused(name: str) -> None:
    with pytest.raises(Refusal, match="letters, digits and dashes"):
        deploy.check_name(name)


def test_an_account_that_is_too_small_is_told_what_to_ask_for() -> None:
    deploy.check_room(Scene(limit=101).aws, TEMPLATE)
    with pytest.raises(Refusal, match="L-B99A9384"):
        deploy.check_room(Scene(limit=10).aws, TEMPLATE)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("ROLLBACK_COMPLETE", "was never up"),
        ("UPDATE_IN_PROGRESS", "busy"),
        ("UPDATE_ROLLBACK_FAILED", "stuck"),
    ],
)
def test_a_stack_that_cannot_be_changed_now_is_left_alone(status: str, words: str) -> None:
    scene = Scene(stack=up(status))
    with pytest.raises(Refusal, match=words):
        deploy.deploy(scene.aws, asked("--yes"), Release("r1", TEMPLATE))
    assert "create_change_set" not in scene.formation.done


def test_no_package_is_said_before_anything_is_done(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="make package"):
        deploy.keep(Scene().aws, "releases", tmp_path)


# --- releases ---------------------------------------------------------------------------------------------------


def test_a_release_is_kept_once_under_the_hash_of_what_is_in_it(moto: None, out: Path) -> None:
    clients.client("s3").create_bucket(
        Bucket="releases", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    said: list[str] = []
    aws = Aws(clients.client, said.append)
    first, again = deploy.keep(aws, "releases", out), deploy.keep(aws, "releases", out)
    assert first.name == again.name and len(said) == 1
    loaded = deploy.load(aws, "releases", first.name)
    assert loaded.template == first.template
    assert loaded.about["architecture"] == "arm64" and loaded.about["zip_bytes"] == 4
    assert (
        loaded.template["Resources"]["Tick"]["Properties"]["CodeUri"]
        == f"s3://releases/cordon/{first.name}/deployment.zip"
    )
    with pytest.raises(Refusal, match="no release 'other'"):
        deploy.load(aws, "releases", "other")
    clients.client("s3").put_object(Bucket="releases", Key="cordon/cut-off/deployment.zip", Body=b"code")
    scene = Scene(stack=up(Release=first.name))
    here = Aws(lambda name: clients.client(name) if name == "s3" else scene.formation, scene.said.append)
    deploy.show(here, asked())
    assert len(scene.said) == 1 and scene.said[0].startswith(first.name) and scene.said[0].endswith("runs")


def test_a_layer_is_kept_under_its_own_hash_and_another_release_of_the_same_one_finds_it_there(
    moto: None, out: Path
) -> None:
    clients.client("s3").create_bucket(
        Bucket="releases", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    clients.client("s3").put_bucket_versioning(
        Bucket="releases", VersioningConfiguration={"Status": "Enabled"}
    )
    aws = Aws(clients.client, lambda _: None)
    without = deploy.keep(aws, "releases", out)
    layered = {**TEMPLATE, "Resources": {**TEMPLATE["Resources"], "SolverLayer": LAYER}}
    (out / "sam.yaml").write_text(json.dumps(layered))
    with pytest.raises(Refusal, match=r"no solver-layer\.zip .*make package"):
        deploy.keep(aws, "releases", out)
    (out / "solver-layer.zip").write_bytes(b"layer")

    def kept() -> tuple[str, str]:
        release = deploy.keep(aws, "releases", out)
        stored = deploy.load(aws, "releases", release.name).template["Resources"]
        return release.name, stored["SolverLayer"]["Properties"]["ContentUri"]

    def written(address: str) -> Any:
        key = address.removeprefix("s3://releases/")
        return clients.client("s3").head_object(Bucket="releases", Key=key)["VersionId"]

    first, address = kept()
    version = written(address)
    (out / "deployment.zip").write_bytes(b"other code")
    second, same = kept()
    assert same == address and written(same) == version
    (out / "solver-layer.zip").write_bytes(b"other layer")
    third, other = kept()
    assert other != address and len({without.name, first, second, third}) == 4
    key = other.removeprefix("s3://releases/")
    assert clients.client("s3").get_object(Bucket="releases", Key=key)["Body"].read() == b"other layer"


def test_other_code_or_another_template_is_another_release() -> None:
    one = deploy.name_of(b"code", TEMPLATE)
    assert one == deploy.name_of(b"code", json.loads(json.dumps(TEMPLATE)))
    assert len({one, deploy.name_of(b"edoc", TEMPLATE), deploy.name_of(b"code", {"Resources": {}})}) == 3


def test_the_stack_itself_says_which_release_it_runs_and_which_it_ran_before() -> None:
    told = deploy.announcing(Release("r2", TEMPLATE), "r1")["Outputs"]
    assert told["Release"] == {"Value": "r2"} and told["PreviousRelease"] == {"Value": "r1"}
    assert "RestAPIId" in told and "Release" not in TEMPLATE["Outputs"]


def test_the_release_before_stays_the_one_before_when_only_a_parameter_is_changed() -> None:
    runs = {"Release": "r2", "PreviousRelease": "r1"}
    assert deploy.former(Release("r2", TEMPLATE), runs) == "r1", "or nothing would lead back"
    assert deploy.former(Release("r3", TEMPLATE), runs) == "r2"
    assert deploy.former(Release("r1", TEMPLATE), runs) == "r2"
    assert deploy.former(Release("r1", TEMPLATE), {}) == deploy.NONE


# --- the change -------------------------------------------------------------------------------------------------


def test_a_change_is_shown_done_and_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploy, "ask", answering())
    scene = Scene(
        stack=up(Release="r1"),
        becomes=up(Release="r2", PreviousRelease="r1"),
        changes=[change("Modify", "Tick", "AWS::Lambda::Function")],
    )
    looked: list[str] = []
    monkeypatch.setattr(deploy, "smoke", lambda aws, address: looked.append(address))
    deploy.deploy(scene.aws, asked("--yes"), Release("r2", TEMPLATE))
    assert looked == ["https://api.example/api/"]
    assert "  Modify  Tick (AWS::Lambda::Function)" in scene.said
    assert scene.said[-1] == "cordon runs r2, before it r1"


def test_a_parameter_is_as_said_or_as_it_was_and_an_update_forgets_none() -> None:
    template = {
        **TEMPLATE,
        "Parameters": {"AlarmEmail": {"Default": ""}, "SetsApiLogRole": {"Default": "yes"}},
    }
    said = ["AlarmEmail=night@example.com"]
    told = {"ParameterKey": "AlarmEmail", "ParameterValue": "night@example.com"}
    assert deploy.parameters(template, None, []) == []
    assert deploy.parameters(template, None, said) == [told]
    stack = {"Parameters": [{"ParameterKey": "AlarmEmail", "ParameterValue": "day@example.com"}]}
    assert deploy.parameters(template, stack, said) == [told]
    assert deploy.parameters(template, stack, []) == [
        {"ParameterKey": "AlarmEmail", "UsePreviousValue": True}
    ]
    assert deploy.parameters(TEMPLATE, stack, []) == [], "an older template does not ask for it"
    with pytest.raises(Refusal, match="the template asks for AlarmEmail, SetsApiLogRole"):
        deploy.parameters(template, stack, ["AlarmMail=x"])


def test_what_runs_already_is_not_deployed_again() -> None:
    scene = Scene(stack=up(Release="r1"))
    deploy.deploy(scene.aws, asked("--yes"), Release("r1", TEMPLATE))
    assert "create_change_set" not in scene.formation.done


def test_nobody_to_agree_and_no_yes_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", argparse.Namespace(isatty=lambda: False))
    scene = Scene(stack=up(Release="r1"))
    with pytest.raises(Refusal, match="--yes"):
        deploy.deploy(scene.aws, asked(), Release("r2", TEMPLATE))
    assert "create_change_set" not in scene.formation.done, "nobody would take it away"
    monkeypatch.setattr("sys.stdin", argparse.Namespace(isatty=lambda: True))
    monkeypatch.setattr("builtins.input", lambda _: "n")
    with pytest.raises(Refusal, match="nothing was changed"):
        deploy.deploy(scene.aws, asked(), Release("r2", TEMPLATE))
    assert "execute_change_set" not in scene.formation.done


@pytest.mark.parametrize(
    "harm",
    [
        change("Remove", "FactsTable", "AWS::DynamoDB::Table"),
        change("Modify", "FactsTable", "AWS::DynamoDB::Table", "True"),
        change("Modify", "SealKey", "AWS::KMS::Key", "Conditional"),
        change("Modify", "CordonSecret", "AWS::SecretsManager::Secret"),
    ],
)
def test_what_holds_state_is_neither_replaced_nor_removed_unless_it_is_named(harm: dict[str, Any]) -> None:
    scene = Scene(stack=up(Release="r1"), changes=[harm])
    with pytest.raises(Refusal, match=f"{harm['LogicalResourceId']} holds could be lost"):
        deploy.deploy(scene.aws, asked("--yes"), Release("r2", TEMPLATE))
    assert "execute_change_set" not in scene.formation.done
    assert "delete_change_set" in scene.formation.done
    assert deploy.losses([harm], [harm["LogicalResourceId"]]) == []
    assert deploy.losses([change("Remove", "OnBookRole", "AWS::IAM::Role")]) == []


def test_a_change_set_without_changes_is_no_failure_and_any_other_failure_is_told() -> None:
    nothing = {"Status": "FAILED", "StatusReason": "The submitted information didn't contain changes."}
    scene = Scene(stack=up(Release="r1"), change_set=nothing)
    deploy.deploy(scene.aws, asked("--yes"), Release("r2", TEMPLATE))
    assert scene.said[-1] == "nothing to change"
    broken = {"Status": "FAILED", "StatusReason": "Transform failed"}
    with pytest.raises(Refusal, match="Transform failed"):
        deploy.deploy(Scene(change_set=broken).aws, asked("--yes"), Release("r2", TEMPLATE))


def test_no_wait_is_for_ever() -> None:
    slow = Scene(change_set={"Status": "CREATE_IN_PROGRESS"})
    with pytest.raises(Refusal, match="not ready after 300 s"):
        deploy.deploy(slow.aws, asked("--yes"), Release("r2", TEMPLATE))
    stuck = Scene(stack=up(Release="r1"), becomes=up("UPDATE_IN_PROGRESS"))
    with pytest.raises(Refusal, match="goes on without us"):
        deploy.deploy(stuck.aws, asked("--yes"), Release("r2", TEMPLATE))
    assert slow.time < 310 and stuck.time < 1810


def test_how_the_change_before_ended_is_not_taken_for_the_end_of_this_one() -> None:
    scene = Scene(stack=up(Release="r1"), becomes=up(Release="r1"))
    after = {**up("UPDATE_ROLLBACK_COMPLETE", Release="r1"), "LastUpdatedTime": "now"}

    def sleep(seconds: float) -> None:
        scene.time += seconds
        if scene.time > 5:
            scene.formation.stack = after

    scene.aws = dataclasses.replace(scene.aws, sleep=sleep)
    with pytest.raises(Refusal, match="took it back"):
        deploy.deploy(scene.aws, asked("--yes"), Release("r2", TEMPLATE))


def test_a_failed_change_is_taken_back_by_itself_and_says_why_and_what_runs() -> None:
    event = {
        "EventId": "e1",
        "LogicalResourceId": "Rotate",
        "ResourceStatus": "UPDATE_FAILED",
        "ResourceStatusReason": "no such role",
    }
    scene = Scene(stack=up(Release="r1"), becomes=up("UPDATE_ROLLBACK_COMPLETE", Release="r1"))
    plain = scene.formation.said

    class Late(dict[str, Any]):
        def get(self, name: str, default: Any = None) -> Any:
            begun = "execute_change_set" in scene.formation.done
            return [event] if name == "events" and begun else plain.get(name, default)

    scene.formation.said = Late(plain)
    with pytest.raises(Refusal, match="r1 is what runs"):
        deploy.deploy(scene.aws, asked("--yes"), Release("r2", TEMPLATE))
    assert "  Rotate: UPDATE_FAILED: no such role" in scene.said


# --- the look and the way back ----------------------------------------------------------------------------------


def test_the_look_waits_a_little_and_names_the_way_back_when_it_does_not_work() -> None:
    scene = Scene()
    deploy.smoke(scene.aws, "https://api.example/api/", answering(0, 403, 200, 401, 403))
    assert [line.split(":")[0].strip() for line in scene.said] == [what for *_, what in deploy.SMOKE]
    with pytest.raises(Refusal, match="make rollback"):
        deploy.smoke(scene.aws, "https://api.example/api/", answering(200, 200, 200))
    assert scene.time < 2 * deploy.SMOKE_S


def test_back_is_to_the_release_before_or_to_the_one_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploy, "load", lambda aws, bucket, name: Release(name, {}))
    here = Scene(stack=up(Release="r2", PreviousRelease="r1")).aws
    assert deploy.back(here, asked()).name == "r1"
    assert deploy.back(here, asked("--to", "r0")).name == "r0"
    with pytest.raises(Refusal, match="no other release"):
        deploy.back(Scene(stack=up(Release="r1")).aws, asked())
    with pytest.raises(Refusal, match="no other release"):
        deploy.back(Scene().aws, asked())


def test_nothing_that_cannot_read_what_stands_there_is_deployed_back_or_as_new() -> None:
    kept = {"r1": {"rows": 1}, "r2": {"rows": 2}, "r0": {}}
    for name in ("r1", "r0"):
        scene = Scene(stack=up(Release="r2", PreviousRelease="r1"), kept=kept)
        with pytest.raises(Refusal, match="Go forward"):
            deploy.deploy(scene.aws, asked("--yes"), Release(name, TEMPLATE, kept[name]))
        assert "create_change_set" not in scene.formation.done
    for runs, name in (("r1", "r2"), ("r2", "r2"), ("r0", "r1")):
        told = {"Release": runs}
        deploy.check_rows(Scene(kept=kept).aws, "releases", Release(name, TEMPLATE, kept[name]), told)
    deploy.check_rows(Scene().aws, "releases", Release("r1", TEMPLATE), {})
    elsewhere = Scene()
    deploy.check_rows(elsewhere.aws, "releases", Release("r1", TEMPLATE), {"Release": "r2"})
    assert "not in this bucket" in elsewhere.said[0]


def test_a_package_says_in_which_way_it_writes_its_rows(tmp_path: Path) -> None:
    archive = tmp_path / "deployment.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.write(deploy.ROOT / "chalicelib" / "aws" / "table.py", "chalicelib/aws/table.py")
    assert deploy.rows_of(archive.read_bytes()) == tables.ROWS
    assert deploy.rows_of(b"no zip") == 1


def test_the_look_asks_with_another_key_each_time_because_the_gateway_remembers_them() -> None:
    given: list[str] = []

    def answer(url: str, headers: Any) -> tuple[int, bytes]:
        given.extend(headers.values())
        return (200 if url.endswith("json") else 401 if not headers else 403 if len(given) == 3 else 500), b""

    deploy.smoke(Scene().aws, "https://api.example/api/", answer)
    assert len(set(given)) == 3
