"""Build what would be deployed: `python -m cli.package [OUT]`.

Chalice packages from a clean export of the tree (stray byte code would go into the zip), the result is linted with
cfn-lint, and the traps of research/chalice.md are looked for: each of them bites in silence.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ("app.py", "chalicelib", ".chalice", "requirements.txt")
REGION = "eu-west-1"


class PackageFault(Exception):
    """The package would not work on AWS."""


def export(to: Path, *, dependencies: bool = True) -> Path:
    """The files that ship, without byte code, into a fresh directory."""
    to.mkdir(parents=True)
    for name in SHIPPED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(
                source,
                to / name,
                ignore=shutil.ignore_patterns("__pycache__", "*.pyc", "deployments", "deployed"),
            )
        else:
            shutil.copy2(source, to / name)
    if not dependencies:
        (to / "requirements.txt").write_text("")
    return to


def package(out: Path, *, dependencies: bool = True) -> dict[str, Any]:
    """Package into `out`; the template. Without dependencies it takes a second and is good for everything but
    deployment: the sandbox reads functions, queues and schedules from it."""
    with tempfile.TemporaryDirectory(prefix="cordon-package-") as scratch:
        tree = export(Path(scratch) / "tree", dependencies=dependencies)
        if out.exists():
            shutil.rmtree(out)
        environment = {
            **os.environ,
            "AWS_DEFAULT_REGION": REGION,
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": "",
        }
        command = [
            *(str(Path(sys.executable).parent / "chalice"), "package", "--stage", "prod"),
            *("--merge-template", ".chalice/resources.yaml", str(out.resolve())),
        ]
        done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    if done.returncode != 0:
        raise PackageFault(f"chalice package failed:\n{said}")
    if "Could not install dependencies" in said:
        raise PackageFault(f"the zip lacks a dependency that has no fitting wheel:\n{said}")
    return read(out / "sam.yaml")


def read(template: Path) -> dict[str, Any]:
    """A template with the short forms of its intrinsics (`!Ref`) written out."""

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        pass

    def intrinsic(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> dict[str, Any]:
        value: Any
        if isinstance(node, yaml.ScalarNode):
            value = loader.construct_scalar(node)
        elif isinstance(node, yaml.SequenceNode):
            value = loader.construct_sequence(node, deep=True)
        else:
            value = loader.construct_mapping(node, deep=True)
        if tag == "GetAtt" and isinstance(value, str):
            value = value.split(".", 1)
        return {tag if tag in ("Ref", "Condition") else f"Fn::{tag}": value}

    Loader.add_multi_constructor("!", intrinsic)
    loaded: dict[str, Any] = yaml.load(template.read_text(), Loader)  # noqa: S506 - a SafeLoader
    return loaded


def faults(template: dict[str, Any]) -> list[str]:
    """What would bite on AWS: partial batches lost, queues without a dead-letter queue, shared policies."""
    found = []
    resources = template["Resources"]
    functions = {n: r for n, r in resources.items() if r["Type"] == "AWS::Serverless::Function"}
    queues = {n: r for n, r in resources.items() if r["Type"] == "AWS::SQS::Queue"}
    targets = {
        json.dumps(q["Properties"]["RedrivePolicy"]["deadLetterTargetArn"])
        for q in queues.values()
        if "RedrivePolicy" in q["Properties"]
    }
    for name, queue in queues.items():
        is_target = json.dumps({"Fn::GetAtt": [name, "Arn"]}) in targets
        if not is_target and "RedrivePolicy" not in queue["Properties"]:
            found.append(f"queue {name} has no dead-letter queue")
    for name, function in functions.items():
        properties = function["Properties"]
        if not str(properties["Handler"]).startswith("app."):
            found.append(f"{name} is handled by {properties['Handler']}: Lambda would not import app")
        for source, event in properties.get("Events", {}).items():
            if event["Type"] != "SQS":
                continue
            if event["Properties"].get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
                found.append(f"{source} would lose what {name} gives back")
            queue = event["Properties"]["Queue"]
            if not (isinstance(queue, dict) and list(queue) == ["Fn::GetAtt"]):
                found.append(f"{source} listens to {queue!r}, not to a queue of this template")
    roles = [json.dumps(f["Properties"].get("Role")) for f in functions.values()]
    if len(set(roles)) != len(roles):
        found.append("two functions share a role")
    log_group = resources.get("ApiHandlerLogGroup", {}).get("Properties", {}).get("LogGroupName")
    if log_group is not None and "${APIHandler}" not in json.dumps(log_group):
        found.append("ApiHandlerLogGroup names a function that is not there")
    return found


def imports(archive: Path, template: dict[str, Any]) -> list[str]:
    """Import every handler from the zip alone, with only what the Lambda runtime has beside it."""
    handlers = sorted(
        r["Properties"]["Handler"]
        for r in template["Resources"].values()
        if r["Type"] == "AWS::Serverless::Function"
    )
    with tempfile.TemporaryDirectory(prefix="cordon-zip-") as scratch:
        with zipfile.ZipFile(archive) as zipped:
            zipped.extractall(scratch)
            code = [
                name for name in zipped.namelist() if name.endswith(".pyc") and name.startswith("chalicelib")
            ]
        probe = (
            "import importlib, sys\n"
            f"sys.path.insert(0, {scratch!r})\n"
            f"for handler in {handlers!r}:\n"
            "    module, name = handler.rsplit('.', 1)\n"
            "    getattr(importlib.import_module(module), name)\n"
            "import cryptography, pydantic, tzdata, itsdangerous, standardwebhooks, urllib3\n"
            f"assert pydantic.__file__.startswith({scratch!r}), pydantic.__file__\n"
        )
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", probe],
            capture_output=True,
            text=True,
            check=False,
            cwd=scratch,
        )
    found = [f"byte code in the zip: {code[0]}"] if code else []
    if done.returncode != 0:
        found.append(f"a handler does not import from the zip:\n{done.stderr}")
    return found


def lint(template: Path) -> str:
    """What cfn-lint says; empty when it has nothing to say."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / "cfn-lint"), "--regions", REGION, "--", str(template)],
        capture_output=True,
        text=True,
        check=False,
    )
    return (done.stdout + done.stderr).strip() if done.returncode else ""


def main(arguments: list[str]) -> int:
    out = Path(arguments[0]) if arguments else ROOT / "build" / "package"
    try:
        template = package(out)
    except PackageFault as error:
        print(error, file=sys.stderr)
        return 1
    archive = out / "deployment.zip"
    found = [*faults(template), *imports(archive, template)]
    linted = lint(out / "sam.yaml")
    if linted:
        found.append(f"cfn-lint:\n{linted}")
    for fault in found:
        print(fault, file=sys.stderr)
    with zipfile.ZipFile(archive) as zipped:
        whole = sum(item.file_size for item in zipped.infolist())
    functions = sum(r["Type"] == "AWS::Serverless::Function" for r in template["Resources"].values())
    runtime = next(
        r["Properties"]["Runtime"]
        for r in template["Resources"].values()
        if r["Type"] == "AWS::Serverless::Function"
    )
    print(
        f"{out}/sam.yaml: {functions} functions on {runtime}, {len(template['Resources'])} resources\n"
        f"{archive}: {archive.stat().st_size / 1e6:.1f} MB zipped, {whole / 1e6:.1f} MB unzipped\n"
        + (f"{len(found)} faults" if found else "cfn-lint and our guards find nothing")
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
