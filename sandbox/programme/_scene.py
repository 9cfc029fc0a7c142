"""Where a row of the programme is played: the whole system on loopback, in virtual time, furnished with a small
lockdown (`run.furnish`), brands that listen, and courier companies that carry.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import urllib3

from chalicelib.domain.keys import Role
from sandbox import programme, run, shanghai, voices
from sandbox.brand import Listener
from sandbox.client import Client, Refused
from sandbox.clock import VirtualClock
from sandbox.conduct import Conduct
from sandbox.fleet import CourierCompany
from sandbox.programme._report import Report
from sandbox.stand import HOME, Stand

BEGINS: Final = shanghai.local(8)
MARKET: Final = f"/v1/markets/{shanghai.MARKET_ID}"


class Scene:
    """One row's stage. Everything is done over HTTP; `stand` is there to look behind the curtain."""

    def __init__(
        self, stand: Stand, clock: VirtualClock, companies: dict[str, CourierCompany], report: Report
    ) -> None:
        self.stand, self.clock, self.companies, self.report = stand, clock, companies, report
        self.pool = urllib3.PoolManager(maxsize=16)
        self.url = stand.front.url
        self.operator = self.caller(Role.OPERATOR, "control-room")
        self._brands: dict[str, Client] = {}

    @property
    def now(self) -> datetime:
        return self.clock.now()

    # --- who is there -----------------------------------------------------------------------------------------

    def caller(self, role: Role, owner: str, **more: Any) -> Client:
        """Somebody with a fresh key of that role, made by the operator as a stranger would ask for one."""
        if role is Role.OPERATOR:
            return Client(self.url, self.stand.key(role, owner), self.pool)
        made = self.operator("POST", "/v1/keys", {"role": role.value, "owner": owner, **more})
        return Client(self.url, made["secret"], self.pool)

    def brand(self, name: str) -> Client:
        """That brand, which listens to what becomes of its gifts (`heard`)."""
        if name not in self._brands:
            client = self._brands[name] = self.caller(Role.BRAND, name)
            listener = self.stand.brands.listen(name)
            listener.secret = client("POST", "/v1/webhooks", {"url": f"{self.stand.brands.url}/{name}"})[
                "secret"
            ]
        return self._brands[name]

    def listener(self, name: str) -> Listener:
        return self.stand.brands.listeners[name]

    def publish(self, features: Iterable[dict[str, Any]], policies: Iterable[Any] = ()) -> None:
        """More rules on top of those that are in force, and what the system does about them."""
        from sandbox import documents

        start = {"mode": "amend", "time_zone": shanghai.ZONE_NAME, "datum": shanghai.MARKET.datum}
        upload = self.operator("POST", f"{MARKET}/rules/uploads", start)["upload_id"]
        part = {"policies": [documents.body(policy) for policy in policies], "features": list(features)}
        self.operator("PUT", f"{MARKET}/rules/uploads/{upload}/parts/1", json.dumps(part).encode())
        self.operator("POST", f"{MARKET}/rules/uploads/{upload}/finish", {"parts": 1})
        self.settle()

    # --- time -------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Until every queue is empty; time stands still."""
        self.stand.pumps.settle()

    def pass_time(self, **span: float) -> None:
        """`scene.pass_time(hours=2)`: schedules fire, couriers ride."""
        self.until(self.now + timedelta(**span))

    def until(self, when: datetime) -> None:
        self.stand.pumps.run_until(when)

    # --- what is told -----------------------------------------------------------------------------------------

    def tell(self, text: str) -> None:
        self.report.tell(self.now, text)

    def table(self, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        self.report.table(head, rows)

    def promise(self, words: str, is_kept: bool, found: object = "") -> None:
        """Say that it must hold; where it does not, the row fails and `found` is told."""
        self.report.promise(words, is_kept, found)

    def refused(self, ask: Callable[[], Any]) -> tuple[int, dict[str, Any]]:
        """The status and the problem of a request that is to be refused; (200, {}) where it was not."""
        try:
            ask()
        except Refused as refused:
            return refused.status, refused.problem
        return 200, {}


@contextmanager
def scene(row: ModuleType, report: Report, log: Path) -> Iterator[Scene]:
    """The stage of that row, put up and taken down."""
    clock = VirtualClock(BEGINS, grain=timedelta(minutes=1))
    fleet = getattr(row, "COURIERS", shanghai.Shanghai.couriers()[:1])
    accounts = {courier.courier_id: voices.account(courier.dialect, courier.account) for courier in fleet}
    companies = {
        courier.courier_id: CourierCompany(
            voices.speaking(courier.dialect, accounts[courier.courier_id]),
            clock,
            conduct=getattr(row, "CONDUCT", None) or Conduct(at_gate=lambda job: "door"),
        )
        for courier in fleet
    }
    secrets: dict[str, Any] = {}
    beside = ExitStack()
    if hasattr(row, "beside"):
        secrets |= beside.enter_context(row.beside(clock))
    for courier in fleet:
        url = companies[courier.courier_id].url
        ours = secrets.setdefault(courier.dialect, {})
        ours[courier.account] = [{**accounts[courier.courier_id], "base_url": url}]
    try:
        with Stand(clock, {**secrets, **getattr(row, "SECRETS", {})}, log=log) as stand:
            for name, company in companies.items():
                company.callback_url = f"{stand.front.url}/v1/callbacks/{shanghai.MARKET_ID}/{name}"
            on = Scene(stand, clock, companies, report)
            run.furnish(on.operator, clock.now())
            for courier in fleet:
                told = json.loads(courier.model_dump_json(exclude_defaults=True))
                on.operator("PUT", f"{MARKET}/couriers/{courier.courier_id}", told)
            on.settle()
            stand.pumps.start_schedules()
            yield on
            on.pool.clear()
    finally:
        beside.close()
        for company in companies.values():
            company.close()


def played(name: str, home: Path = HOME / "programme") -> Report:
    """That row's report, which is kept in `home` as well."""
    row = programme.row(name)
    report = Report(name, row.PRACTICE)
    with scene(row, report, home / f"{name}.log") as on:
        try:
            row.play(on)
        except Refused as refused:
            report.promise("every request is answered as the row expects", False, refused)
    (home / f"{name}.txt").write_text(report.text(), encoding="utf-8")
    return report
