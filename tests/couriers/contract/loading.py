"""Find a courier to test: one of the folder by its name, or any file, with its samples and recordings beside it."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from chalicelib.couriers import Folder
from tests.couriers.contract.recordings import Unusable, account_in, recorded_in
from tests.couriers.contract.subject import Sent, Subject

ROOT = Path(__file__).parents[3]
HERE = ROOT / "tests" / "couriers"
SHARED = Path(os.environ.get("CORDON_SHARED", ROOT.parent / "shared")) / "data" / "couriers"


def of_the_folder(name: str) -> Subject:
    """One of `chalicelib/couriers/`. Raises `Unusable`."""
    if name not in Folder():
        known = ", ".join(Folder())
        raise Unusable(f"no file chalicelib/couriers/{name}.py; there are {known}")
    try:
        dialect = Folder()[name]
    except Exception as error:
        raise Unusable(f"chalicelib/couriers/{name}.py: {_why(error)}") from error
    module = f"tests.couriers.samples_{name}"
    try:
        samples = import_module(module) if find_spec(module) else None
    except Exception as error:
        raise Unusable(f"tests/couriers/samples_{name}.py: {_why(error)}") from error
    file = ROOT / "chalicelib" / "couriers" / f"{name}.py"
    return _with_recordings(Subject(name, file, dialect, samples), HERE / "recorded" / name)


def of_a_file(file: Path, samples: Path | None = None, recorded: Path | None = None) -> Subject:
    """Any file. Its samples are `samples_<name>.py` and `recorded/<name>/` beside it, or where it is said."""
    file = file.resolve()
    name = file.stem
    dialect = getattr(_module(file, f"courier_{name}"), "dialect", None)
    if dialect is None:
        raise Unusable(f"{file}: a line such as 'dialect = {name.title()}()' at its end was expected")
    if isinstance(dialect, type):
        raise Unusable(f"{file}: 'dialect = {dialect.__name__}()' was expected, with the brackets")
    beside = samples or file.parent / f"samples_{name}.py"
    told = _module(beside.resolve(), f"samples_{name}") if samples or beside.is_file() else None
    return _with_recordings(Subject(name, file, dialect, told), recorded or file.parent / "recorded" / name)


def _module(file: Path, name: str) -> ModuleType:
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None or not file.is_file():
        raise Unusable(f"{file}: a Python file was expected")
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pydantic look their own module up
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise Unusable(f"{file}: {_why(error)}") from error
    return module


def _why(error: Exception) -> str:
    return f"it cannot be loaded: {type(error).__name__}: {error}"


def _with_recordings(subject: Subject, folder: Path) -> Subject:
    beside = account_in(folder)
    recorded = list(recorded_in(folder, beside))
    if subject.has("recorded") and SHARED.is_dir():
        further = subject.wants("recorded")(SHARED)
        recorded += [Sent(name, account, callback, at) for name, (account, callback, at) in further.items()]
    return Subject(subject.name, subject.file, subject.dialect, subject.samples, recorded, beside)
