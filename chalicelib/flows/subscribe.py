"""Subscribe a brand's endpoints to what happens to its orders: create, rotate, disable, enable, look."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from chalicelib.domain import facts
from chalicelib.domain.errors import Clashing, Delayed, Fault, Invalid, Lost, Missing
from chalicelib.domain.notices import Endpoint, Notice
from chalicelib.domain.ports import Change, Keep, Key, Row, World
from chalicelib.domain.shapes import Instant, Shape

ENABLED_LIMIT = 5
"""Endpoints of one brand that are told at the same time."""
KEPT_LIMIT = 25
"""Endpoints of one brand, disabled ones included."""
URL_LIMIT = 500
ROTATION = timedelta(hours=24)
"""So long the former secret signs beside the new one."""
FRESH = timedelta(seconds=30)
"""How long a process believes the list of a brand's endpoints."""
MISSED_KEPT = timedelta(days=30)
"""So long after it was disabled what an endpoint misses is written down for a replay."""
TRIES = 5

_PREFIX: Final = "hook#"


class EndpointView(Shape):
    """An endpoint as its brand reads it: everything but the secret."""

    endpoint_id: str
    url: str
    created_at: Instant
    disabled: bool
    disabled_reason: str = ""
    paused_until: Instant | None = None
    failures: int = 0
    old_secret_until: Instant | None = None


class EndpointWithSecret(EndpointView):
    """The answer to creating and rotating: the only one that shows the secret."""

    secret: str


def view(endpoint: Endpoint) -> EndpointView:
    """The endpoint without its secrets."""
    return EndpointView(
        endpoint_id=endpoint.endpoint_id,
        url=endpoint.url,
        created_at=endpoint.created_at,
        disabled=endpoint.disabled,
        disabled_reason=endpoint.disabled_reason,
        paused_until=endpoint.paused_until,
        failures=endpoint.failures,
        old_secret_until=endpoint.old_secret_until,
    )


def with_secret(endpoint: Endpoint, secret: str) -> EndpointWithSecret:
    """The endpoint with the secret that was just made."""
    return EndpointWithSecret(**view(endpoint).model_dump(), secret=secret)


# --- what a brand does --------------------------------------------------------------------------------------


def create(world: World, brand_id: str, url: str) -> tuple[Endpoint, str]:
    """A new endpoint and its secret. Raises `Invalid` for the URL, `Clashing` for one too many."""
    _check(url, may_be_private=world.webhooks_may_be_private)
    endpoint_id = "whe_" + hashlib.sha256(world.token().encode()).hexdigest()[:24]
    secret = _new_secret(world)
    endpoint = Endpoint(
        endpoint_id=endpoint_id,
        brand_id=brand_id,
        url=url,
        created_at=world.clock(),
        secrets_sealed=(_sealed(world, secret, brand_id, endpoint_id),),
    )

    def add(others: Mapping[str, Endpoint]) -> Endpoint:
        if len(others) >= KEPT_LIMIT:
            raise Clashing(f"at most {KEPT_LIMIT} endpoints are kept, disabled ones too; enable one of them")
        _check_room(others, url)
        return endpoint

    return _save_counted(world, brand_id, add), secret


def find(world: World, brand_id: str, endpoint_id: str) -> Endpoint:
    """The brand's own endpoint. Another brand's looks exactly like none at all: raises `Missing`."""
    row = world.table.get(facts.endpoint_key(brand_id, endpoint_id))
    if row is None:
        raise Missing(f"no endpoint {endpoint_id!r}")
    return facts.endpoint_of_row(row)


def of_brand(world: World, brand_id: str) -> list[Endpoint]:
    """All endpoints of a brand, the oldest first."""
    return sorted(known(world, brand_id, fresh=True).values(), key=lambda e: (e.created_at, e.endpoint_id))


def rotate(world: World, brand_id: str, endpoint_id: str) -> tuple[Endpoint, str]:
    """A new secret; the one before it signs too, for a day, so that the receiver can change over.

    Whoever rotates twice within the day keeps the last two.
    """
    secret = _new_secret(world)
    sealed = _sealed(world, secret, brand_id, endpoint_id)
    until = world.clock() + ROTATION

    def turn(endpoint: Endpoint) -> Endpoint:
        return endpoint.model_copy(
            update={"secrets_sealed": (sealed, endpoint.secrets_sealed[0]), "old_secret_until": until}
        )

    return amend(world, find(world, brand_id, endpoint_id), turn), secret


def disable(world: World, brand_id: str, endpoint_id: str) -> Endpoint:
    """Nothing is sent there any more. What is still owed to it, and what comes, is given up."""
    now = world.clock()

    def stop(endpoint: Endpoint) -> Endpoint:
        return endpoint if endpoint.disabled else stopped(endpoint, "by the brand", now)

    return amend(world, find(world, brand_id, endpoint_id), stop)


def enable(world: World, brand_id: str, endpoint_id: str) -> Endpoint:
    """Send there again, at once. What was given up meanwhile comes with a replay, if it was not disabled for
    longer than `MISSED_KEPT`; a replay of one order brings that one's states however long it was.
    """
    endpoint = find(world, brand_id, endpoint_id)
    well = resumed(world.clock())
    if not endpoint.disabled:
        return amend(world, endpoint, well)

    def start(others: Mapping[str, Endpoint]) -> Endpoint:
        now = others.get(endpoint_id, endpoint)
        if now.disabled:
            _check_room(others, now.url)
        enabled = {"disabled": False, "disabled_reason": "", "disabled_at": None}
        return well(now).model_copy(update=enabled)

    return _save_counted(world, brand_id, start)


def deliveries(
    world: World, brand_id: str, endpoint_id: str, limit: int, after: str | None
) -> tuple[list[Notice], str | None]:
    """What was told to the endpoint, the last state first, with every try; and where the next page starts."""
    find(world, brand_id, endpoint_id)
    page = world.table.find_shelved(f"hook#{endpoint_id}", limit, after)
    rows = {row.key: row for row in world.table.get_many(page.keys)}
    return [facts.notice_of_row(rows[key]) for key in page.keys if key in rows], page.after


# --- what flows share ---------------------------------------------------------------------------------------


def known(world: World, brand_id: str, *, fresh: bool = False) -> dict[str, Endpoint]:
    """The brand's endpoints by id, read from the table at most every half minute unless asked for `fresh`."""

    def read() -> dict[str, Endpoint]:
        rows = world.table.read(f"brand#{brand_id}", _PREFIX).rows
        return {e.endpoint_id: e for e in map(facts.endpoint_of_row, rows)}

    return dict(world.remembered(f"hooks#{brand_id}", timedelta() if fresh else FRESH, read))


def amend(world: World, endpoint: Endpoint, change: Callable[[Endpoint], Endpoint]) -> Endpoint:
    """Save what `change` makes of the endpoint, on top of whatever stands there. No change, no write."""
    for _ in range(TRIES):
        after = change(endpoint)
        if after == endpoint:
            _remember(world, endpoint)
            return endpoint
        after = after.model_copy(update={"version": endpoint.version + 1})
        try:
            world.table.write(Keep(facts.endpoint_row(after), was=endpoint.version))
        except Lost as lost:
            if lost.found is None:
                raise
            endpoint = facts.endpoint_of_row(lost.found)
            continue
        _remember(world, after)
        return after
    raise Delayed(f"endpoint {endpoint.endpoint_id!r} is being changed by others")


def stopped(endpoint: Endpoint, reason: str, now: datetime) -> Endpoint:
    """The endpoint, disabled. The sweep looks once more and has given up what waits."""
    return endpoint.model_copy(
        update={
            "disabled": True,
            "disabled_reason": reason,
            "disabled_at": now,
            "paused_until": None,
            "next_look": now,
        }
    )


def resumed(now: datetime, *, owing: bool = False) -> Callable[[Endpoint], Endpoint]:
    """What forgets an endpoint's failures, its slowness and its pause, and has the sweep look for what waited.

    An endpoint without any is left as it is, unless it is `owing` something all the same.
    """

    def change(endpoint: Endpoint) -> Endpoint:
        if not (owing or endpoint.paused_until or endpoint.failures or endpoint.slow):
            return endpoint
        return endpoint.model_copy(
            update={"paused_until": None, "failures": 0, "slow": False, "next_look": now}
        )

    return change


def keeps_missed(endpoint: Endpoint, now: datetime) -> bool:
    """True for a disabled endpoint whose missed states are still written down."""
    return endpoint.disabled_at is not None and now < endpoint.disabled_at + MISSED_KEPT


def secrets_of(world: World, endpoint: Endpoint, now: datetime) -> list[str]:
    """The secrets that sign at this moment: the present one, and during a rotation the one before it."""
    sealed = endpoint.secrets_sealed
    if endpoint.old_secret_until is None or endpoint.old_secret_until <= now:
        sealed = sealed[:1]
    name = f"hook-secrets#{endpoint.endpoint_id}"
    opened: dict[str, str] = world.memory.get(name, {})
    context = f"hook#{endpoint.endpoint_id}"
    opened = {
        text: opened.get(text) or world.sealer.unseal(base64.b64decode(text), context).decode()
        for text in sealed
    }
    world.memory[name] = opened
    return [opened[text] for text in sealed]


# --- inside -------------------------------------------------------------------------------------------------


def _save_counted(
    world: World, brand_id: str, change: Callable[[Mapping[str, Endpoint]], Endpoint]
) -> Endpoint:
    # one row a brand is written with every new or enabled endpoint, so that two at the same time cannot both
    # find the last place free
    guard = Key(f"brand#{brand_id}", "hooks")
    for _ in range(TRIES):
        held = world.table.get(guard)
        others = known(world, brand_id, fresh=True)
        endpoint = change(others)
        before = others.get(endpoint.endpoint_id)
        was = None if before is None else before.version
        after = endpoint.model_copy(update={"version": 1 if was is None else was + 1})
        count = 1 if held is None else held.version + 1
        changes: list[Change] = [
            Keep(facts.endpoint_row(after), was=was),
            Keep(Row(guard, count, "{}"), was=None if held is None else held.version),
        ]
        try:
            world.table.write(*changes)
        except Lost:
            continue
        _remember(world, after)
        return after
    raise Delayed(f"the endpoints of {brand_id!r} are being changed by others")


def _check_room(others: Mapping[str, Endpoint], url: str) -> None:
    enabled = [endpoint for endpoint in others.values() if not endpoint.disabled]
    for endpoint in enabled:
        if endpoint.url == url:
            raise Clashing(f"endpoint {endpoint.endpoint_id!r} has this URL; rotate it for a new secret")
    if len(enabled) >= ENABLED_LIMIT:
        raise Clashing(f"at most {ENABLED_LIMIT} endpoints can be enabled; disable one first")


def _remember(world: World, endpoint: Endpoint) -> None:
    memory = world.memory.get(f"hooks#{endpoint.brand_id}")
    if memory is not None:
        memory[1][endpoint.endpoint_id] = endpoint


def _new_secret(world: World) -> str:
    """`whsec_` and 32 bytes of chance in base64."""
    return "whsec_" + base64.b64encode(hashlib.sha256(world.token().encode()).digest()).decode()


def _sealed(world: World, secret: str, brand_id: str, endpoint_id: str) -> str:
    """Under a key of the brand's, for an hour's lapses and this one is for as long as the endpoint."""
    from chalicelib.domain.client_rows import owner_of_brand  # here: importing the app stays small

    owner = owner_of_brand(brand_id)
    return base64.b64encode(world.sealer.seal(secret.encode(), f"hook#{endpoint_id}", owner=owner)).decode()


def _check(url: str, *, may_be_private: bool) -> None:
    detail = _fault_in(url, may_be_private)
    if detail is not None:
        raise Invalid(f"/url: {detail}", [Fault("/url", detail)])


def _fault_in(url: str, may_be_private: bool) -> str | None:
    if len(url) > URL_LIMIT:
        return f"at most {URL_LIMIT} characters were expected"
    if not all("!" <= char <= "~" for char in url) or any(char in url for char in '"<>\\^`{|}'):
        return "a URL in visible ASCII was expected, everything else percent-encoded"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "a URL such as https://hooks.example.com/cordon was expected"
    if parts.scheme != "https" and not (may_be_private and parts.scheme == "http"):
        return "a URL with https was expected"
    if "@" in parts.netloc:
        return "a URL without a user and a password was expected"
    if "#" in url:
        return "a URL without a fragment was expected"
    if not host or port == 0:
        return "a URL with a host was expected"
    from chalicelib.domain.addresses import fault_of  # here: importing the app stays small

    return None if may_be_private else fault_of(host)
