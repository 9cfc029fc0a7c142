"""The solver's layer: what is taken of OR-Tools, that it solves, and that Lambda's Linux has what it asks for. What is
asked of an object is read from its bytes; spoilt copies show that each guard bites."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import elf, layer, package
from tests.conftest import ROOT

RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
REQUIREMENTS = ROOT / layer.REQUIREMENTS
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="OR-Tools is not installed as ELF objects here")


def pins(file: Path) -> dict[str, str]:
    lines = [line.partition(";")[0].strip() for line in file.read_text().splitlines()]
    return dict(line.split("==") for line in lines if line and not line.startswith(("#", "-r")))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OR-Tools' wheel as it is installed beside us: for this interpreter and processor, and no network asked."""
    to: Path = tmp_path_factory.mktemp("wheel") / "ortools.whl"
    with zipfile.ZipFile(to, "w") as packed:
        for file in importlib.metadata.files("ortools") or ():
            if "__pycache__" not in file.parts and not file.parts[0].startswith(".."):
                packed.write(file.locate(), str(file))
    return to


@pytest.fixture(scope="module")
def cut(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layer, not deflated: that takes nine seconds."""
    to: Path = tmp_path_factory.mktemp("layer") / "solver-layer.zip"
    with zipfile.ZipFile(wheel) as packed, zipfile.ZipFile(to, "w") as zipped:
        for name in layer.cut(packed):
            zipped.writestr(f"python/{name}", packed.read(name))
    return to


def contents(archive: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(archive) as zipped:
        for name in zipped.namelist():
            yield name, zipped.read(name)


def spoilt(archive: Path, to: Path, *, without: str = "none", was: bytes = b"", now: bytes = b"") -> Path:
    """A copy without the objects of that name, and with other words of the same length in every object."""
    assert len(was) == len(now)
    with zipfile.ZipFile(to, "w") as zipped:
        for name, data in contents(archive):
            if Path(name).name != without:
                zipped.writestr(name, data.replace(was, now) if was else data)
    return to


def newest(archive: Path) -> dict[str, tuple[int, ...]]:
    """The newest version that any object asks for of each family of Linux's own."""
    found: dict[str, tuple[int, ...]] = {}
    for _, data in contents(archive):
        if data.startswith(elf.MAGIC):
            for file, version in elf.read(data).versions:
                if file in layer.SYSTEM:
                    family, _, number = version.partition("_")
                    numbers = tuple(map(int, number.split(".")))
                    found[family] = max(found.get(family, ()), numbers)
    return found


def read_or_none(data: bytes) -> elf.Shared | None:
    try:
        return elf.read(data)
    except elf.NoObject:
        return None


# --- what is taken, and does it work? ---------------------------------------------------------------------------


def test_what_ships_is_what_is_tested() -> None:
    (pin,) = pins(REQUIREMENTS).items()
    assert pin[0] == "ortools"
    assert pins(ROOT / "requirements-dev.lock")["ortools"] == pin[1]
    assert "ortools" not in pins(ROOT / "requirements.txt")


@on_linux
def test_the_layer_is_one_module_and_what_loads_with_it_licence_included(wheel: Path, cut: Path) -> None:
    with zipfile.ZipFile(cut) as zipped:
        names = [name.removeprefix("python/ortools") for name in zipped.namelist()]
    plain = sorted(name for name in names if ".so" not in name and "dist-info" not in name)
    assert plain == ["/__init__.py", "/graph/__init__.py", "/graph/python/__init__.py"]
    (module,) = [name for name in names if name.startswith("/graph/") and ".so" in name]
    assert module.startswith("/graph/python/min_cost_flow.")
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert layer.unzipped(cut) < layer.unzipped(wheel) - 10_000_000


@on_linux
def test_it_solves_with_nothing_beside_it_but_pythons_own_library(cut: Path, tmp_path: Path) -> None:
    assert layer.solves(cut) == []
    (fault,) = layer.solves(spoilt(cut, tmp_path / "spoilt.zip", without="libscip.so.10.0"))
    assert "does not solve" in fault and "libscip.so.10.0" in fault


@on_linux
def test_linux_has_what_it_asks_for(cut: Path) -> None:
    assert layer.misfits(cut, RUNTIME) == []
    assert layer.misfits(cut, "python3.11") == [], "Amazon Linux 2, though the wheel's tag says glibc 2.27"
    asked = newest(cut)
    assert set(asked) == {"GLIBC", "GLIBCXX", "CXXABI", "GCC"}
    assert all(asked[family] <= layer.AMAZON_LINUX_2023[family] for family in asked)


# --- the guards -------------------------------------------------------------------------------------------------


@on_linux
def test_an_object_that_is_missing_is_named_with_who_needs_it(cut: Path, tmp_path: Path) -> None:
    found = layer.misfits(spoilt(cut, tmp_path / "spoilt.zip", without="libscip.so.10.0"), RUNTIME)
    assert any("libortools.so.9 needs libscip.so.10.0, which is neither" in fault for fault in found)


@on_linux
@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        (b"GLIBC_2.25\0", b"GLIBC_2.39\0", "needs GLIBC_2.39 of libc.so.6; the newest GLIBC of python3.13's Linux is 2.34"),
        (b"GLIBCXX_3.4.22\0", b"GLIBCXX_3.4.30\0", "the newest GLIBCXX of python3.13's Linux is 3.4.29"),
        (b"GLIBCXX_3.4.22\0", b"GLIBCXX_PRIVAT\0", "needs GLIBCXX_PRIVAT"),
        (b"CXXABI_1.3.11\0", b"CXXABI_2.3.11\0", "the newest CXXABI of python3.13's Linux is 1.3.13"),
        (b"libm.so.6\0", b"libq.so.6\0", "needs libq.so.6, which is neither"),
    ],
)  # fmt: skip
def test_a_version_that_linux_lacks_is_named_with_the_newest_it_has(
    cut: Path, tmp_path: Path, was: bytes, now: bytes, said: str
) -> None:
    found = layer.misfits(spoilt(cut, tmp_path / "spoilt.zip", was=was, now=now), "python3.13")
    assert any(said in fault for fault in found), found[:3]


@on_linux
def test_too_large_a_layer_is_a_fault(cut: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer, "MOST_UNZIPPED", 1000)
    (fault,) = layer.misfits(cut, RUNTIME)
    assert "at most 1000 were expected" in fault


@on_linux
def test_an_object_that_is_cut_off_is_a_fault_and_never_a_crash(cut: Path, tmp_path: Path) -> None:
    data = max((data for name, data in contents(cut) if "/min_cost_flow." in name), key=len)
    whole = elf.read(data)
    assert "libortools.so.9" in whole.needed and whole.machine == package.MACHINES[package.of_this_machine()]
    assert any(folder.startswith("$ORIGIN") for folder in whole.search)
    for length in (*range(0, 2000, 7), *range(2000, len(data), 5003)):
        assert read_or_none(data[:length]) in (None, whole)
    with zipfile.ZipFile(tmp_path / "cut.zip", "w") as zipped:
        zipped.writestr("python/a.so", data[:400])
    (fault,) = layer.misfits(tmp_path / "cut.zip", RUNTIME)
    assert fault.startswith("python/a.so: an ELF object")


def test_what_is_no_object_for_64_bits_is_refused() -> None:
    for data in (b"", b"PK\3\4", elf.MAGIC, elf.MAGIC + b"\1\1" + bytes(64), elf.MAGIC + b"\2\2" + bytes(64)):
        with pytest.raises(elf.NoObject):
            elf.read(data)


def test_a_wheel_that_does_not_come_is_an_error_that_says_for_what(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    done = subprocess.CompletedProcess[str]([], 1, stdout="", stderr="No matching distribution found")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    with pytest.raises(layer.PackageFault, match=r"(?s)python3\.13 on arm64.*No matching distribution"):
        layer.build(tmp_path / "layer.zip", REQUIREMENTS, runtime="python3.13", architecture="arm64")
    assert not (tmp_path / "layer.zip").exists()


def test_a_wheel_without_the_module_is_an_error(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "ortools.whl", "w") as packed:
        packed.writestr("ortools/__init__.py", "")
        with pytest.raises(layer.PackageFault, match=re.escape(layer.MODULE)):
            layer.cut(packed)


# --- the real ones ----------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("runtime", sorted({RUNTIME, "python3.11", "python3.13"}))
@pytest.mark.parametrize("architecture", sorted(package.MACHINES))
def test_the_layer_for_each_processor_and_linux_is_whole_small_and_the_same_twice(
    tmp_path: Path, architecture: str, runtime: str
) -> None:
    archive, again = tmp_path / "solver-layer.zip", tmp_path / "again.zip"
    layer.build(archive, REQUIREMENTS, runtime=runtime, architecture=architecture)
    assert package.misfits(archive, architecture, layer.MOST_ZIPPED) == []
    assert layer.misfits(archive, runtime) == []
    assert all(number <= layer.linux_of(runtime)[family] for family, number in newest(archive).items())
    with zipfile.ZipFile(archive) as zipped:
        assert all(name.startswith("python/ortools") for name in zipped.namelist())
        assert all(item.date_time == layer.LONG_AGO for item in zipped.infolist())
    if (architecture, runtime) == (package.of_this_machine(), RUNTIME):
        assert layer.solves(archive) == []
    layer.build(again, REQUIREMENTS, runtime=runtime, architecture=architecture)
    assert again.read_bytes() == archive.read_bytes()
