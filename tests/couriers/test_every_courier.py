"""What every courier file has to keep, asked of each file in the folder: `contract/`, sentence by sentence.

The files are found by looking into the folder. A new courier brings `samples_<name>.py` beside this file, and
recorded callbacks; nothing here is touched for it, and `make courier NAME=<name>` asks the same of it alone. What
was recorded from real couriers lies in `../shared`, or where `CORDON_SHARED` says; without it their tests are
skipped and say so.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from urllib.parse import unquote_plus

import pytest

from chalicelib.couriers import Folder
from chalicelib.domain.policies import FETCHED, Handover
from tests.couriers.contract import CLAUSES
from tests.couriers.contract.clause import Clause, NotAsked
from tests.couriers.contract.loading import ROOT, of_the_folder
from tests.couriers.contract.subject import Subject
from tests.couriers.jobs import NOON

NAMES = tuple(Folder())
EVERY = pytest.mark.parametrize("name", NAMES)


@cache
def subject(name: str) -> Subject:
    return of_the_folder(name)


@EVERY
@pytest.mark.parametrize("clause", CLAUSES, ids=str)
def test_every_courier_keeps(clause: Clause, name: str) -> None:
    try:
        clause.ask(subject(name))
    except NotAsked as reason:
        if reason.wanting:
            pytest.fail(str(reason))
        pytest.skip(str(reason))


@EVERY
def test_the_folder_loads_the_one_that_is_asked_for(name: str) -> None:
    script = (
        "import sys; from chalicelib.couriers import Folder\n"
        "own = 'chalicelib.couriers.'\n"
        "def loaded(): return {m.split('.')[2] for m in sys.modules if m.startswith(own)}\n"
        "assert list(Folder()) and loaded() == set(), loaded()\n"
        f"Folder()[{name!r}]; assert loaded() == {{{name!r}}}, loaded()\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)  # noqa: S603


@EVERY
def test_every_courier_has_its_samples_and_its_files_name(name: str) -> None:
    assert find_spec(f"tests.couriers.samples_{name}") is not None
    assert Folder()[name].name == name


def test_every_file_in_the_folder_is_found_and_no_other_name_is_known() -> None:
    files = {path.stem for path in (ROOT / "chalicelib" / "couriers").glob("*.py")}
    assert set(NAMES) == files - {"__init__"}
    assert "nobody" not in Folder()
    assert len(Folder()) == len(NAMES)
    with pytest.raises(KeyError):
        Folder()["nobody"]


@EVERY
def test_which_gate_the_client_has_named_is_told_where_it_is_left_at_one_and_nowhere_else(name: str) -> None:
    of = subject(name)
    job = of.job()
    place = job.recipient.place
    address = place.address.model_copy(update={"gate": "North-gate\nofYanqingRoad"})
    recipient = job.recipient.model_copy(update={"place": place.model_copy(update={"address": address})})

    def asked(handover: Handover) -> str:
        wanted = replace(job, handover=handover, recipient=recipient)
        request = of.dialect.book(of.account, "token", wanted, NOON)
        return unquote_plus(request.url) + unquote_plus(request.body.decode())

    for handover in Handover:
        assert ("North-gate ofYanqingRoad" in asked(handover)) is (handover in FETCHED), handover
