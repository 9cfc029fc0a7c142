"""Build what would be deployed: `python -m cli.package [OUT] [--architecture arm64|x86_64]`.

Chalice packages from a clean export of the tree (stray byte code would go into the zip), the solver's layer is cut
beside it (cli/layer.py), the result is linted with cfn-lint, and the traps of research/chalice.md are looked for: each
of them bites in silence. The same tree gives the same zips, byte for byte.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess  # nosec B404 - runs programs of this checkout, nothing that is handed in
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import yaml

from cli import layer
from cli.layer import PackageFault

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ("app.py", "chalicelib", ".chalice", "requirements.txt")
REGION = "eu-west-1"
MACHINES = {"arm64": 183, "x86_64": 62}
"""What an ELF file says of whom it is for (e_machine), by Lambda's word for it."""
MOST_BYTES = 15_000_000
"""Of the zip. Every cold start loads it."""
MOST_UNZIPPED = 262_144_000
"""Bytes that a function and its layers may unpack to (AWS, "Lambda quotas": 250 MB)."""
LAYERS: dict[str, list[Any]] = {"OnDispatch": [{"Ref": "SolverLayer"}]}
"""Which function carries which; every other one carries none."""


def of_this_machine() -> str:
    """Lambda's word for the processor we run on."""
    return "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"


def export(
    to: Path, *, dependencies: bool = True, root: Path = ROOT, architecture: str | None = None
) -> Path:
    """The files of that tree that ship, without byte code, into a fresh directory."""
    to.mkdir(parents=True)
    for name in SHIPPED:
        source = root / name
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
    if architecture is not None:
        file = to / ".chalice" / "config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "lambda_architecture": architecture}))
    return to


def package(
    out: Path, *, dependencies: bool = True, root: Path = ROOT, architecture: str | None = None
) -> dict[str, Any]:
    """Package the tree at `root` into `out`; the template. The processor is the one in config.json, unless another
    is named. Without dependencies, layers included, it takes a second and is good for everything but deployment: the
    sandbox reads functions, queues and schedules from it. Raises `PackageFault`."""
    with tempfile.TemporaryDirectory(prefix="cordon-package-") as scratch:
        tree = export(Path(scratch) / "tree", dependencies=dependencies, root=root, architecture=architecture)
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
        done = subprocess.run(  # nosec B603 - our own words, no shell
            command, cwd=tree, env=environment, capture_output=True, text=True, check=False
        )
    said = done.stdout + done.stderr
    if done.returncode != 0:
        raise PackageFault(f"chalice package failed:\n{said}")
    if "Could not install dependencies" in said:
        raise PackageFault(f"the zip lacks a dependency that has no fitting wheel:\n{said}")
    template = read(out / "sam.yaml")
    runtime, target = runtime_of(template), architecture_of(template)
    for archive, properties in layers_of(out, template):
        properties.update(CompatibleRuntimes=[runtime], CompatibleArchitectures=[target])
        if dependencies:
            layer.build(archive, root / layer.REQUIREMENTS, runtime=runtime, architecture=target)
    (out / "sam.yaml").write_text(yaml.dump(template, Dumper=_Plain, width=1000))
    return template


class _Plain(yaml.SafeDumper):  # type: ignore[misc]
    """Writes what two places share twice: CloudFormation reads no YAML aliases, and Chalice writes them."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


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
    loaded: dict[str, Any] = yaml.load(template.read_text(), Loader)  # noqa: S506  # nosec B506 - a SafeLoader
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
    if "Layers" in template.get("Globals", {}).get("Function", {}):
        found.append("a layer hangs on every function")
    for name, function in functions.items():
        properties = function["Properties"]
        if properties.get("Layers", []) != LAYERS.get(name, []):
            found.append(
                f"{name} carries the layers {properties.get('Layers', [])!r}, not {LAYERS.get(name, [])!r}"
            )
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


def architecture_of(template: dict[str, Any]) -> str:
    """The one processor that all functions are for."""
    ((only,),) = {
        tuple(r["Properties"]["Architectures"])
        for r in template["Resources"].values()
        if r["Type"] == "AWS::Serverless::Function"
    }
    return str(only)


def runtime_of(template: dict[str, Any]) -> str:
    """The one runtime that all functions are for, such as `python3.13`."""
    (only,) = {
        str(r["Properties"]["Runtime"])
        for r in template["Resources"].values()
        if r["Type"] == "AWS::Serverless::Function"
    }
    return only


def layers_of(out: Path, template: dict[str, Any]) -> list[tuple[Path, dict[str, Any]]]:
    """Each layer of the package in `out`: its zip, and what the template says of it."""
    return [
        (out / r["Properties"]["ContentUri"], r["Properties"])
        for r in template["Resources"].values()
        if r["Type"] == "AWS::Serverless::LayerVersion"
    ]


def misfits(archive: Path, architecture: str, most_bytes: int | None = None) -> list[str]:
    """What is in the zip, or too much of it, so that Lambda would not run it on that processor."""
    found, native, most = [], 0, MOST_BYTES if most_bytes is None else most_bytes
    with zipfile.ZipFile(archive) as zipped:
        for item in zipped.infolist():
            if item.filename.endswith(".pyc"):
                found.append(f"byte code in the zip: {item.filename}")
            with zipped.open(item) as file:
                head = file.read(20)
            if head[:4] == b"\x7fELF":
                native += 1
                if int.from_bytes(head[18:20], "little") != MACHINES[architecture]:
                    found.append(f"{item.filename} is not built for {architecture}")
    if not native:
        found.append(f"no native module in {archive.name}: some were expected")
    size = archive.stat().st_size
    if size > most:
        found.append(f"{archive.name} has {size} bytes, at most {most} were expected")
    return found


def layer_misfits(out: Path, template: dict[str, Any]) -> list[str]:
    """What is wrong with the layers of the package in `out`, and with the functions' own zip beside them."""
    found, whole = [], layer.unzipped(out / "deployment.zip")
    for archive, _ in layers_of(out, template):
        found += misfits(archive, architecture_of(template), layer.MOST_ZIPPED)
        found += layer.misfits(archive, runtime_of(template))
        whole += layer.unzipped(archive)
    if whole > MOST_UNZIPPED:
        found.append(f"function and layers have {whole} bytes unzipped, Lambda takes {MOST_UNZIPPED}")
    with zipfile.ZipFile(out / "deployment.zip") as zipped:
        for name in zipped.namelist():
            if name.startswith("ortools"):
                found.append(f"every function would carry {name}")
    return found


def works(out: Path, template: dict[str, Any]) -> list[str]:
    """Handlers and layers of the package in `out`, tried on this machine, whose processor it has to be for."""
    code = out / "deployment.zip"
    tried = [line for archive, _ in layers_of(out, template) for line in layer.solves(archive, code)]
    return imports(code, template) + tried


def imports(archive: Path, template: dict[str, Any]) -> list[str]:
    """Import every handler from the zip alone, with only what the Lambda runtime has beside it. The zip has to be
    for the processor we run on."""
    handlers = sorted(
        r["Properties"]["Handler"]
        for r in template["Resources"].values()
        if r["Type"] == "AWS::Serverless::Function"
    )
    with tempfile.TemporaryDirectory(prefix="cordon-zip-") as scratch:
        with zipfile.ZipFile(archive) as zipped:
            zipped.extractall(scratch)
        probe = (
            "import importlib, sys\n"
            f"sys.path.insert(0, {scratch!r})\n"
            f"for handler in {handlers!r}:\n"
            "    module, name = handler.rsplit('.', 1)\n"
            "    getattr(importlib.import_module(module), name)\n"
            "import cryptography, pydantic, tzdata, itsdangerous, standardwebhooks, urllib3\n"
            f"assert pydantic.__file__.startswith({scratch!r}), pydantic.__file__\n"
        )
        failure = layer.alone(probe, Path(scratch))
    return [f"a handler does not import from the zip:\n{failure}"] if failure is not None else []


def lint(template: Path) -> str:
    """What cfn-lint says; empty when it has nothing to say."""
    done = subprocess.run(  # nosec B603 - our own words, no shell
        [str(Path(sys.executable).parent / "cfn-lint"), "--regions", REGION, "--", str(template)],
        capture_output=True,
        text=True,
        check=False,
    )
    return (done.stdout + done.stderr).strip() if done.returncode else ""


def checked(out: Path, architecture: str | None = None) -> tuple[dict[str, Any], list[str]]:
    """Package into `out` and look for everything that would bite; the template and what was found."""
    template = package(out, architecture=architecture)
    archive, target = out / "deployment.zip", architecture_of(template)
    found = [*faults(template), *misfits(archive, target), *layer_misfits(out, template)]
    if target == of_this_machine():
        found += works(out, template)
    else:  # its native modules do not load here: the same tree for this machine stands in
        with tempfile.TemporaryDirectory(prefix="cordon-twin-") as scratch:
            twin = package(Path(scratch) / "out", architecture=of_this_machine())
            found += works(Path(scratch) / "out", twin)
    linted = lint(out / "sam.yaml")
    return template, [*found, f"cfn-lint:\n{linted}"] if linted else found


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m cli.package", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("out", nargs="?", type=Path, default=ROOT / "build" / "package")
    parser.add_argument("--architecture", choices=sorted(MACHINES), help="by default what config.json says")
    asked = parser.parse_args(arguments)
    try:
        template, found = checked(asked.out, asked.architecture)
    except PackageFault as error:
        print(error, file=sys.stderr)
        return 1
    for fault in found:
        print(fault, file=sys.stderr)
    functions = [r for r in template["Resources"].values() if r["Type"] == "AWS::Serverless::Function"]
    print(
        f"{asked.out}/sam.yaml: {len(functions)} functions on {runtime_of(template)}, "
        f"{architecture_of(template)}, {len(template['Resources'])} resources"
    )
    for archive in (asked.out / "deployment.zip", *(one for one, _ in layers_of(asked.out, template))):
        zipped, whole = archive.stat().st_size / 1e6, layer.unzipped(archive) / 1e6
        print(f"{archive}: {zipped:.1f} MB zipped, {whole:.1f} MB unzipped")
    print(f"{len(found)} faults" if found else "cfn-lint and our guards find nothing")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
