"""Cut the solver's layer out of OR-Tools' wheel: what `min_cost_flow` loads, and none of the 100 MB it depends on.

The layer hangs on the dispatch function alone (`.chalice/resources.yaml`) and unpacks to /opt, so that Python finds
`/opt/python/ortools`. Which shared objects are loaded is read from the objects themselves (cli/elf.py), and so is
whether Lambda's Linux has what they ask for: no part of this runs them, for they may be for another processor. The same
wheel gives the same zip, byte for byte.
"""

from __future__ import annotations

import posixpath
import re
import subprocess  # nosec B404 - pip and Python, with our own words
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Set
from pathlib import Path

from cli import elf

REQUIREMENTS = Path(".chalice") / "requirements-solver.txt"
"""The one pin, below the top of a tree. It travels with the template that speaks of the layer."""
MODULE = "ortools/graph/python/min_cost_flow"
"""What chalicelib/solver.py imports."""
MOST_UNZIPPED = 120_000_000
"""Bytes. Every cold start of the dispatch function brings them."""
MOST_ZIPPED = 45_000_000
GLIBC_TAGS = range(34, 16, -1)
"""Minor versions of glibc 2 whose wheels are looked at. A tag speaks of the whole wheel, and we ship a part of it: what
that part asks for is held against the runtime's Linux by `misfits`."""
PLATFORMS = {"arm64": "aarch64", "x86_64": "x86_64"}
LONG_AGO = (1980, 1, 1, 0, 0, 0)

_LIBC = ("libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1")
SYSTEM = frozenset(
    {*_LIBC, "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1", "libstdc++.so.6", "libgcc_s.so.1"}
)
"""What Lambda's Linux has of its own; everything else has to be in the layer."""

Versions = Mapping[str, tuple[int, ...]]
AMAZON_LINUX_2: Versions = {"GLIBC": (2, 26), "GLIBCXX": (3, 4, 24), "CXXABI": (1, 3, 11), "GCC": (7, 0, 0)}
"""glibc 2.26 and the libraries of GCC 7.3."""
AMAZON_LINUX_2023: Versions = {"GLIBC": (2, 34), "GLIBCXX": (3, 4, 29), "CXXABI": (1, 3, 13), "GCC": (11, 0)}
"""glibc 2.34 and the libraries of GCC 11."""

PROBE = """
import importlib, sys
sys.path[:0] = [{task!r}, {home!r}]
for module in {first!r}:
    importlib.import_module(module)
from ortools.graph.python import min_cost_flow
assert min_cost_flow.__file__.startswith({home!r}), min_cost_flow.__file__
flow = min_cost_flow.SimpleMinCostFlow()
for tail, head, capacity, cost in ((0, 1, 1, 7), (0, 2, 1, 1), (1, 3, 1, 1), (2, 3, 1, 1)):
    flow.add_arc_with_capacity_and_unit_cost(tail, head, capacity, cost)
flow.set_node_supply(0, 1)
flow.set_node_supply(3, -1)
assert flow.solve() == flow.OPTIMAL and flow.optimal_cost() == 2
assert "numpy" not in sys.modules
"""


class PackageFault(Exception):
    """The package would not work on AWS."""


def linux_of(runtime: str) -> Versions:
    """The newest versions of symbols that the runtime's Linux has. 3.11 is the last Python on Amazon Linux 2."""
    return AMAZON_LINUX_2 if runtime in ("python3.10", "python3.11") else AMAZON_LINUX_2023


def build(archive: Path, requirements: Path, *, runtime: str, architecture: str) -> None:
    """Write the layer for that runtime (`python3.13`) and processor. Raises `PackageFault`."""
    with tempfile.TemporaryDirectory(prefix="cordon-layer-") as scratch:
        wheel = download(requirements, Path(scratch), runtime=runtime, architecture=architecture)
        with zipfile.ZipFile(wheel) as packed:
            contents = {name: packed.read(name) for name in cut(packed)}
    archive.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, data in sorted(contents.items()):
            item = zipfile.ZipInfo(f"python/{name}", LONG_AGO)
            item.create_system = 3  # Unix, wherever it is built: the modes are Unix's
            item.external_attr = (0o100755 if data.startswith(elf.MAGIC) else 0o100644) << 16
            zipped.writestr(item, data, zipfile.ZIP_DEFLATED)


def download(requirements: Path, to: Path, *, runtime: str, architecture: str) -> Path:
    """The wheel for them, without what it depends on: `min_cost_flow` imports none of it. Raises `PackageFault`."""
    machine = PLATFORMS[architecture]
    tags = [f"manylinux_2_{minor}_{machine}" for minor in GLIBC_TAGS]
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"),
        *("--only-binary", ":all:", "--python-version", runtime.removeprefix("python")),
        *(word for tag in (*tags, f"manylinux2014_{machine}") for word in ("--platform", tag)),
        *("--dest", str(to), "--requirement", str(requirements)),
    ]
    done = subprocess.run(  # nosec B603 - our own words, no shell
        command, capture_output=True, text=True, check=False
    )
    found = sorted(to.glob("*.whl"))
    if done.returncode != 0 or len(found) != 1:
        raise PackageFault(
            f"the solver's layer: one wheel for {runtime} on {architecture} was expected of {requirements.name}, "
            f"{len(found)} came:\n{done.stdout}{done.stderr}"
        )
    return found[0]


def cut(wheel: zipfile.ZipFile) -> set[str]:
    """What is taken of it: the module, the packages it stands in, every object that is loaded with it, and what the
    wheel says of itself and its licence. Raises `PackageFault`."""
    there = set(wheel.namelist())
    modules = sorted(name for name in there if re.fullmatch(rf"{MODULE}\.[\w.-]+\.so", name))
    if len(modules) != 1:
        raise PackageFault(f"the solver's layer: one {MODULE} was expected in the wheel, not {modules!r}")
    packages = [posixpath.dirname(MODULE)]
    while packages[-1]:
        packages.append(posixpath.dirname(packages[-1]))
    taken = {f"{package}/__init__.py" for package in packages if package}
    taken |= {name for name in there if re.match(r"[^/]+\.dist-info/(METADATA$|licenses/.*[^/]$)", name)}
    left = list(modules)
    while left:
        name = left.pop()
        if name not in taken:
            taken.add(name)
            try:
                shared = elf.read(wheel.read(name))
            except elf.NoObject as error:
                raise PackageFault(f"the solver's layer: {name}: {error}") from None
            left += (found for found in (beside(name, shared, one, there) for one in shared.needed) if found)
    if missing := taken - there:
        raise PackageFault(f"the solver's layer: the wheel has no {sorted(missing)}")
    return taken


def beside(name: str, shared: elf.Shared, needed: str, there: Set[str]) -> str | None:
    """Where the loader finds what `name` needs among what is there: by the object's own search path. (Lambda's
    LD_LIBRARY_PATH comes before it, and of all that is here its Linux has only libz and libbz2, whose ABI stands.)"""
    for folder in shared.search:
        path = posixpath.normpath(posixpath.join(folder.replace("$ORIGIN", posixpath.dirname(name)), needed))
        if path in there:
            return path
    return None


def misfits(archive: Path, runtime: str) -> list[str]:
    """What an object asks for that neither the layer nor the runtime's Linux has; and whether there is too much."""
    with zipfile.ZipFile(archive) as zipped:
        there = set(zipped.namelist())
        found = [line for name in sorted(there) for line in _misfits(name, zipped.read(name), there, runtime)]
        size = unzipped(archive)
    if size > MOST_UNZIPPED:
        found.append(f"the solver's layer has {size} bytes unzipped, at most {MOST_UNZIPPED} were expected")
    return found


def _misfits(name: str, data: bytes, there: Set[str], runtime: str) -> Iterator[str]:
    if not data.startswith(elf.MAGIC):
        return
    linux = linux_of(runtime)
    try:
        shared = elf.read(data)
    except elf.NoObject as error:
        yield f"{name}: {error}"
        return
    for needed in shared.needed:
        if needed not in SYSTEM and beside(name, shared, needed, there) is None:
            yield f"{name} needs {needed}, which is neither in the layer nor of {runtime}'s Linux"
    for file, version in shared.versions:
        family, _, number = version.partition("_")
        if file in SYSTEM and not (
            re.fullmatch(r"[\d.]+", number) and _numbers(number) <= linux.get(family, ())
        ):
            newest = ".".join(map(str, linux.get(family, ()))) or "none"
            yield f"{name} needs {version} of {file}; the newest {family} of {runtime}'s Linux is {newest}"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def unzipped(archive: Path) -> int:
    """Bytes that the zip unpacks to."""
    with zipfile.ZipFile(archive) as zipped:
        return sum(item.file_size for item in zipped.infolist())


def solves(archive: Path, function: Path | None = None) -> list[str]:
    """Load it as Lambda does and solve a flow with it, with nothing beside it but Python's own library and, when one is
    named, a function's zip, whose app is imported before. They have to be for the processor we run on."""
    with tempfile.TemporaryDirectory(prefix="cordon-opt-") as scratch:
        task, opt = Path(scratch) / "task", Path(scratch) / "opt"
        for file, to in ((function, task), (archive, opt)):
            if file is not None:
                with zipfile.ZipFile(file) as zipped:
                    zipped.extractall(to)
        first = ["app"] if function is not None else []
        probe = PROBE.format(task=str(task), home=str(opt / "python"), first=first)
        failure = alone(probe, Path(scratch))
    return [f"the solver's layer does not solve:\n{failure}"] if failure is not None else []


def alone(probe: str, where: Path) -> str | None:
    """Run that in a Python that has nothing but its own library, in that folder: what it said when it failed."""
    done = subprocess.run(  # nosec B603 - our own words, no shell
        [sys.executable, "-I", "-S", "-c", probe],
        capture_output=True,
        text=True,
        check=False,
        cwd=where,
    )
    return done.stderr if done.returncode else None
