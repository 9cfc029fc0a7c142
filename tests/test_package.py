"""What would be deployed, and the traps of packaging with Chalice; each of them bites in silence."""

from __future__ import annotations

import copy
import hashlib
import importlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.settings import Settings
from cli import layer, package

ROOT = Path(__file__).resolve().parent.parent
LISTENERS = {
    "OnDispatch": "DispatchQueue",
    "OnBook": "BookQueue",
    "OnHear": "HearQueue",
    "OnTell": "TellQueue",
    "OnRules": "RulesQueue",
    "OnCampaign": "CampaignQueue",
}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package without its dependencies: the same template, in a second."""
    to: Path = tmp_path_factory.mktemp("package") / "out"
    package.package(to, dependencies=False)
    return to


@pytest.fixture(scope="module")
def template(out: Path) -> dict[str, Any]:
    return package.read(out / "sam.yaml")


def of_type(template: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {n: r["Properties"] for n, r in template["Resources"].items() if r["Type"] == kind}


def functions(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return of_type(template, "AWS::Serverless::Function")


def test_the_guards_find_nothing(template: dict[str, Any]) -> None:
    assert package.faults(template) == []


def test_every_function_is_there_and_its_handler_is_in_app(template: dict[str, Any]) -> None:
    app = importlib.import_module("app")
    handlers = {function["Handler"] for function in functions(template).values()}
    names = {
        "app",
        "authorize",
        "tick",
        "sweep",
        "on_dispatch",
        "on_book",
        "on_hear",
        "on_tell",
        "on_rules",
    } | {"on_campaign"}
    names.add("rotate")
    assert handlers == {f"app.{name}" for name in names}
    assert all(callable(getattr(app, name)) for name in names)


def test_every_listener_listens_to_its_queue_and_reports_what_it_gives_back(template: dict[str, Any]) -> None:
    found = {}
    for name, function in functions(template).items():
        for event in function.get("Events", {}).values():
            if event["Type"] == "SQS":
                assert event["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
                found[name] = event["Properties"]["Queue"]["Fn::GetAtt"][0]
    assert found == LISTENERS


def test_every_queue_has_a_dead_letter_queue_of_its_own_that_keeps_for_fourteen_days(
    template: dict[str, Any],
) -> None:
    queues = of_type(template, "AWS::SQS::Queue")
    targets = []
    for name in LISTENERS.values():
        assert queues[name]["RedrivePolicy"]["maxReceiveCount"] == 5
        targets.append(queues[name]["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0])
    assert len(set(targets)) == len(LISTENERS)
    assert {queues[name]["MessageRetentionPeriod"] for name in targets} == {14 * 86400}
    assert set(queues) == {*targets, *LISTENERS.values()}
    assert all(queue["SqsManagedSseEnabled"] for queue in queues.values())


def test_a_message_stays_hidden_for_six_times_as_long_as_its_function_may_run(
    template: dict[str, Any],
) -> None:
    queues = of_type(template, "AWS::SQS::Queue")
    for name, queue in LISTENERS.items():
        assert queues[queue]["VisibilityTimeout"] >= 6 * functions(template)[name]["Timeout"], name


def test_no_value_has_two_intrinsics_merged_into_one(template: dict[str, Any]) -> None:
    def walk(value: Any, path: str) -> Iterator[str]:
        if isinstance(value, dict):
            intrinsic = [key for key in value if key == "Ref" or key.startswith("Fn::")]
            if intrinsic and len(value) > 1:
                yield path
            for key, inner in value.items():
                yield from walk(inner, f"{path}/{key}")
        elif isinstance(value, list):
            for at, inner in enumerate(value):
                yield from walk(inner, f"{path}/{at}")

    assert list(walk(template, "")) == []
    assert "placeholder" not in json.dumps(template)


def test_the_template_tells_every_function_each_setting_there_is(template: dict[str, Any]) -> None:
    variables = template["Globals"]["Function"]["Environment"]["Variables"]
    assert set(variables) == {str(f.validation_alias) for f in Settings.model_fields.values()}


def test_the_table_cannot_be_lost_and_its_keys_are_what_the_code_asks_for(template: dict[str, Any]) -> None:
    ((name, table),) = of_type(template, "AWS::DynamoDB::Table").items()
    assert template["Resources"][name]["DeletionPolicy"] == "Retain"
    assert table["DeletionProtectionEnabled"]
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    indexes = {index["IndexName"]: index for index in table["GlobalSecondaryIndexes"]}
    keys = {name: [key["AttributeName"] for key in index["KeySchema"]] for name, index in indexes.items()}
    assert keys == {"work": ["work", "due"], "shelf": ["shelf", "place_on_shelf"]}


def test_a_fresh_deployment_has_a_signing_key_that_nobody_had_to_fill_in(template: dict[str, Any]) -> None:
    secrets = of_type(template, "AWS::SecretsManager::Secret")
    assert secrets["CordonSigningKey"]["GenerateSecretString"]["PasswordLength"] >= 32
    assert json.loads(secrets["CordonSecret"]["SecretString"]) == {"couriers": {}}
    variables = template["Globals"]["Function"]["Environment"]["Variables"]
    assert variables["CORDON_SIGNING_KEY"] == {"Ref": "CordonSigningKey"}


def test_every_function_has_a_policy_of_its_own_that_names_every_resource(template: dict[str, Any]) -> None:
    roles = of_type(template, "AWS::IAM::Role")
    used = [function["Role"]["Fn::GetAtt"][0] for function in functions(template).values()]
    assert len(set(used)) == len(used)
    for role in used:
        for policy in roles[role]["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                assert statement["Resource"] not in ("*", ["*"]), (role, statement)
                assert not any("*" in action for action in statement["Action"]), (role, statement)


def test_a_listener_may_receive_from_its_own_queue_and_from_no_other(template: dict[str, Any]) -> None:
    roles = of_type(template, "AWS::IAM::Role")
    for name, function in functions(template).items():
        statements = [
            statement
            for policy in roles[function["Role"]["Fn::GetAtt"][0]]["Policies"]
            for statement in policy["PolicyDocument"]["Statement"]
            if "sqs:ReceiveMessage" in statement["Action"]
        ]
        sources = [
            resource["Fn::GetAtt"][0] for statement in statements for resource in statement["Resource"]
        ]
        assert sources == ([LISTENERS[name]] if name in LISTENERS else []), name
        for statement in statements:
            assert {"sqs:DeleteMessage", "sqs:GetQueueAttributes"} <= set(statement["Action"])


KINDS = {
    *("ACCESS_DENIED", "API_CONFIGURATION_ERROR", "AUTHORIZER_CONFIGURATION_ERROR", "AUTHORIZER_FAILURE"),
    *("BAD_REQUEST_BODY", "BAD_REQUEST_PARAMETERS", "DEFAULT_4XX", "DEFAULT_5XX", "EXPIRED_TOKEN"),
    *("INTEGRATION_FAILURE", "INTEGRATION_TIMEOUT", "INVALID_API_KEY", "INVALID_SIGNATURE"),
    *(
        "MISSING_AUTHENTICATION_TOKEN",
        "QUOTA_EXCEEDED",
        "REQUEST_TOO_LARGE",
        "RESOURCE_NOT_FOUND",
        "THROTTLED",
    ),
    *("UNAUTHORIZED", "UNSUPPORTED_MEDIA_TYPE", "WAF_FILTERED"),
}
"""Every kind of answer that API Gateway gives by itself (AWS, "API Gateway gateway response types")."""


def test_every_answer_that_the_gateway_gives_by_itself_is_a_problem(template: dict[str, Any]) -> None:
    told = of_type(template, "AWS::Serverless::Api")["RestAPI"]["GatewayResponses"]
    assert set(told) == KINDS
    for kind, response in told.items():
        body = json.loads(response["ResponseTemplates"]["application/json"])
        assert body["title"] and body["detail"], kind
        assert response["ResponseParameters"]["Headers"]["Content-Type"] == "'application/problem+json'"
        if kind.startswith(
            "DEFAULT_"
        ):  # a status here would be given to every kind that has no line of its own
            assert "StatusCode" not in response and "status" not in body
        else:
            assert body["status"] == int(response["StatusCode"])


def test_who_is_told_to_slow_down_is_told_for_how_long_and_who_has_no_key_which_one_is_meant(
    template: dict[str, Any],
) -> None:
    told = of_type(template, "AWS::Serverless::Api")["RestAPI"]["GatewayResponses"]
    for kind, response in told.items():
        headers = response["ResponseParameters"]["Headers"]
        assert ("Retry-After" in headers) == (response.get("StatusCode") == 429), kind
        assert ("WWW-Authenticate" in headers) == (response.get("StatusCode") == 401), kind


def test_every_throttle_is_of_a_route_that_there_is(template: dict[str, Any]) -> None:
    app = importlib.import_module("app").app
    settings = of_type(template, "AWS::Serverless::Api")["RestAPI"]["MethodSettings"]
    whole, *others = settings
    assert (whole["ResourcePath"], whole["HttpMethod"]) == ("/*", "*")
    for setting in others:
        path = setting["ResourcePath"].removeprefix("/").replace("~1", "/")
        assert setting["HttpMethod"] in ("*", *app.routes[path])
        assert setting["ThrottlingRateLimit"] < whole["ThrottlingRateLimit"]
    named = [(setting["ResourcePath"], setting["HttpMethod"]) for setting in others]
    assert len(named) == len(set(named)), "a route has one throttle"
    by_strangers = {
        path for path, methods in app.routes.items() for r in methods.values() if not r.authorizer
    }
    throttled = {setting["ResourcePath"].removeprefix("/").replace("~1", "/") for setting in others}
    assert by_strangers <= throttled


def test_the_signing_key_is_rotated_by_a_function_that_nobody_else_may_call(template: dict[str, Any]) -> None:
    ((_, schedule),) = of_type(template, "AWS::SecretsManager::RotationSchedule").items()
    assert schedule["SecretId"] == {"Ref": "CordonSigningKey"}
    assert schedule["RotationLambdaARN"] == {"Fn::GetAtt": ["Rotate", "Arn"]}
    assert 0 < schedule["RotationRules"]["AutomaticallyAfterDays"] <= 90
    allowed = [
        permission
        for permission in of_type(template, "AWS::Lambda::Permission").values()
        if permission["FunctionName"] == {"Ref": "Rotate"}
    ]
    assert [(p["Principal"], p["SourceAccount"]) for p in allowed] == [
        ("secretsmanager.amazonaws.com", {"Ref": "AWS::AccountId"})
    ]


def test_a_function_writes_to_its_own_log_and_to_no_other(template: dict[str, Any]) -> None:
    roles = of_type(template, "AWS::IAM::Role")
    for name, function in functions(template).items():
        (policy,) = roles[function["Role"]["Fn::GetAtt"][0]]["Policies"]
        (statement,) = [s for s in policy["PolicyDocument"]["Statement"] if s["Sid"] == "Logs"]
        assert statement["Resource"]["Fn::Sub"].endswith(f"/aws/lambda/${{AWS::StackName}}-{name}-*")
        assert set(statement["Action"]) == {"logs:CreateLogStream", "logs:PutLogEvents"}


def test_every_function_is_for_arm_and_any_other_processor_is_asked_for_by_name(
    template: dict[str, Any], tmp_path: Path
) -> None:
    assert package.architecture_of(template) == "arm64"
    other = package.package(tmp_path / "other", dependencies=False, architecture="x86_64")
    assert package.architecture_of(other) == "x86_64"


def test_the_solver_is_a_layer_of_the_dispatch_function_alone_which_has_a_whole_processor(
    template: dict[str, Any],
) -> None:
    ((name, properties),) = of_type(template, "AWS::Serverless::LayerVersion").items()
    found = functions(template)
    assert {n: f["Layers"] for n, f in found.items() if "Layers" in f} == {"OnDispatch": [{"Ref": name}]}
    assert properties["CompatibleArchitectures"] == [package.architecture_of(template)]
    assert properties["CompatibleRuntimes"] == [package.runtime_of(template)]
    assert found["OnDispatch"]["MemorySize"] >= 1769, "Lambda gives a whole processor from there on"


def test_a_package_without_dependencies_has_no_layer_and_asks_nobody_for_one(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not (out / "solver-layer.zip").exists()
    built: list[Path] = []
    monkeypatch.setattr(layer, "build", lambda archive, requirements, **_: built.append(requirements))
    package.package(tmp_path / "without", dependencies=False)
    assert built == []
    tree = package.export(tmp_path / "tree", dependencies=False)
    package.package(tmp_path / "with", root=tree)
    assert built == [tree / layer.REQUIREMENTS] and built[0].exists(), "the tree's own pin"


def test_the_log_group_of_the_api_names_a_function_that_exists(template: dict[str, Any]) -> None:
    name = template["Resources"]["ApiHandlerLogGroup"]["Properties"]["LogGroupName"]
    assert name == {"Fn::Sub": "/aws/lambda/${APIHandler}"}
    assert "APIHandler" in template["Resources"]


def test_cfn_lint_has_nothing_to_say(out: Path) -> None:
    assert package.lint(out / "sam.yaml") == ""


def test_neither_chalice_nor_boto_is_shipped() -> None:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    names = {line.partition("==")[0].strip().lower() for line in lines if line and not line.startswith("#")}
    assert names.isdisjoint({"chalice", "boto3", "botocore", "pip", "setuptools"})
    assert all("==" in line for line in lines if line and not line.startswith("#")), "exact pins"


def test_no_byte_code_is_packed_and_two_packages_are_the_same_byte_for_byte(
    out: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(out / "deployment.zip") as zipped:
        names = zipped.namelist()
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]
    assert {"app.py", "chalicelib/__init__.py"} <= set(names)
    assert not [name for name in names if name.startswith(("sandbox", "cli", "tests", "bench"))]
    package.package(tmp_path / "again", dependencies=False)
    one, two = (
        hashlib.sha256((to / "deployment.zip").read_bytes()).hexdigest() for to in (out, tmp_path / "again")
    )
    assert one == two


def test_a_dependency_without_a_wheel_is_an_error_though_chalice_says_all_is_well(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said = "Could not install dependencies:\nnumpy==2.4.6\nthe deployment will continue"
    done = subprocess.CompletedProcess[str]([], 0, stdout=said, stderr="")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    with pytest.raises(package.PackageFault, match="numpy"):
        package.package(tmp_path / "out")


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda r: r["OnBook"]["Properties"].update(Handler="chalicelib.x.on_book"), "would not import app"),
        (lambda r: r["BookQueue"]["Properties"].pop("RedrivePolicy"), "no dead-letter queue"),
        (
            lambda r: r["OnBook"]["Properties"].update(Layers=[{"Ref": "SolverLayer"}]),
            "OnBook carries the layers",
        ),
        (lambda r: r["OnDispatch"]["Properties"].pop("Layers"), "OnDispatch carries the layers []"),
        (lambda r: r["OnBook"]["Properties"].update(Role=r["OnHear"]["Properties"]["Role"]), "share a role"),
        (
            lambda r: r["OnBook"]["Properties"]["Events"]["OnBookSqsEventSource"]["Properties"].pop(
                "FunctionResponseTypes"
            ),
            "would lose",
        ),
        (
            lambda r: r["OnBook"]["Properties"]["Events"]["OnBookSqsEventSource"]["Properties"].update(
                Queue="arn:x"
            ),
            "not to a queue of this template",
        ),
        (
            lambda r: r["ApiHandlerLogGroup"]["Properties"].update(
                LogGroupName={"Fn::Sub": "/${ApiHandler}"}
            ),
            "names a function that is not there",
        ),
    ],
)
def test_each_guard_bites(template: dict[str, Any], spoil: Any, expected: str) -> None:
    spoilt = copy.deepcopy(template)
    spoil(spoilt["Resources"])
    assert any(expected in fault for fault in package.faults(spoilt)), package.faults(spoilt)


def test_a_layer_for_every_function_is_found(template: dict[str, Any]) -> None:
    spoilt = copy.deepcopy(template)
    spoilt["Globals"]["Function"]["Layers"] = [{"Ref": "SolverLayer"}]
    assert package.faults(spoilt) == ["a layer hangs on every function"]


def test_a_solver_in_the_functions_own_zip_and_too_much_in_all_are_found(
    out: Path, template: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elf = b"\x7fELF\2\1" + bytes(12) + package.MACHINES["arm64"].to_bytes(2, "little") + bytes(44)
    with zipfile.ZipFile(tmp_path / "deployment.zip", "w") as zipped:
        zipped.writestr("ortools/__init__.py", "")
    with zipfile.ZipFile(tmp_path / "solver-layer.zip", "w") as zipped:
        zipped.writestr("python/ortools/a.so", elf)
    assert package.layer_misfits(tmp_path, template) == ["every function would carry ortools/__init__.py"]
    monkeypatch.setattr(package, "MOST_UNZIPPED", 50)
    assert any("Lambda takes 50" in fault for fault in package.layer_misfits(tmp_path, template))


def test_a_zip_for_another_processor_with_byte_code_or_too_large_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "deployment.zip"
    elf = b"\x7fELF" + bytes(14) + package.MACHINES["x86_64"].to_bytes(2, "little")
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("cryptography/_rust.abi3.so", elf)
    assert package.misfits(archive, "x86_64") == []
    assert any("not built for arm64" in fault for fault in package.misfits(archive, "arm64"))
    monkeypatch.setattr(package, "MOST_BYTES", 10)
    assert any("at most 10 were expected" in fault for fault in package.misfits(archive, "x86_64"))
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("chalicelib/edge.pyc", b"")
    found = package.misfits(archive, "x86_64")
    assert any("byte code" in fault for fault in found) and any(
        "no native module" in fault for fault in found
    )


PLANS = """
import sys
sys.path[:0] = {path!r}
from chalicelib.domain.assignment import Problem
from chalicelib.domain.planning import planned
from chalicelib.solver import FlowSolver
problem = Problem.of({{"gold": 4, "plain": 1}}, {{"slot": 1}}, {{("gold", "slot"): 900, ("plain", "slot"): 5}})
plan, _ = planned(problem, FlowSolver().assign, "seed")
assert plan.chosen == {{"gold": "slot"}}, plan
"""


def planning(*path: Path) -> str:
    """What a function with only these folders beside Python's own library says when it has to plan."""
    probe = PLANS.format(path=[str(folder) for folder in path])
    asked = [sys.executable, "-I", "-S", "-c", probe]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stderr


@pytest.mark.long
def test_the_packaged_dispatch_function_plans_and_no_other_could(tmp_path: Path) -> None:
    package.package(tmp_path / "out", architecture=package.of_this_machine())
    for name in ("deployment", "solver-layer"):
        with zipfile.ZipFile(tmp_path / "out" / f"{name}.zip") as zipped:
            zipped.extractall(tmp_path / name)
    task, opt = tmp_path / "deployment", tmp_path / "solver-layer" / "python"
    assert planning(task, opt) == ""
    assert "No module named 'ortools'" in planning(task)


@pytest.mark.long
@pytest.mark.parametrize("architecture", sorted(package.MACHINES))
def test_the_real_package_is_small_linted_importable_and_the_same_twice(
    tmp_path: Path, architecture: str
) -> None:
    template, found = package.checked(tmp_path / "out", architecture)
    assert found == []
    assert package.architecture_of(template) == architecture
    archive = tmp_path / "out" / "deployment.zip"
    assert archive.stat().st_size <= 15_000_000
    with zipfile.ZipFile(archive) as zipped:
        assert not [name for name in zipped.namelist() if name.startswith(("ortools", "numpy"))]
    package.package(tmp_path / "again", architecture=architecture)
    for name in ("deployment.zip", "solver-layer.zip", "sam.yaml"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()
