"""Connect a brand's channels: what is no secret is stated by the brand; the secrets are entered by the operator."""

from __future__ import annotations

from chalicelib.domain.channel_answers import ChannelStatement
from chalicelib.domain.clients import ChannelKind, is_mailable
from chalicelib.domain.errors import Clashing, Fault, Invalid, Lost, Missing, Stale, Unconditional
from chalicelib.domain.message_rows import ChannelAccount, channel_key, channel_of_row, channel_row
from chalicelib.domain.ports import Keep, World

NEEDED = {ChannelKind.WHATSAPP: "phone_number_id", ChannelKind.EMAIL: "from_address"}
"""What each channel cannot do without."""


def connect(
    world: World, brand_id: str, name: str, stated: ChannelStatement, version: int | None
) -> ChannelAccount:
    """The channel as it stands now. The same again changes nothing. Raises `Missing` for a channel that nobody states,
    `Invalid`, `Clashing` while no secrets are entered, `Unconditional` and `Stale` as other changes do."""
    kind = _kind(name)
    _check(world, brand_id, kind, stated)
    before = find(world, brand_id, kind)
    after = ChannelAccount(brand_id=brand_id, kind=kind, **stated.model_dump())
    if before is not None:
        if after.model_copy(update={"version": before.version}) == before:
            return before
        if version is None:
            raise Unconditional(f'the channel is at "v{before.version}": If-Match names it')
        after = after.model_copy(update={"version": before.version + 1})
    if version is not None and (before is None or before.version != version):
        at = "nowhere" if before is None else f'"v{before.version}"'
        raise Stale(f'the channel is at {at}, If-Match named "v{version}"')
    try:
        world.table.write(Keep(channel_row(after), was=None if before is None else before.version))
    except Lost:
        raise Stale("the channel was changed meanwhile; read it again") from None
    world.memory.pop(f"channels#{brand_id}", None)
    world.log("channel_stated", brand=brand_id, queue=kind.value, version=after.version)
    return after


def own(world: World, brand_id: str, name: str) -> ChannelAccount:
    """The brand's channel of that name. Raises `Missing`."""
    found = find(world, brand_id, _kind(name))
    if found is None:
        raise Missing(f"nothing is stated of the channel {name!r}")
    return found


def find(world: World, brand_id: str, kind: ChannelKind) -> ChannelAccount | None:
    row = world.table.get(channel_key(brand_id, kind))
    return None if row is None else channel_of_row(row)


def _kind(name: str) -> ChannelKind:
    if name not in {kind.value for kind in NEEDED}:
        raise Missing(f"no channel {name!r}: one of {', '.join(sorted(NEEDED))} was expected")
    return ChannelKind(name)


def _check(world: World, brand_id: str, kind: ChannelKind, stated: ChannelStatement) -> None:
    for other, field in NEEDED.items():
        is_given = getattr(stated, field) is not None
        if is_given != (other is kind):
            detail = f"{field} was expected" if other is kind else f"{field} belongs to {other.value}"
            raise Invalid(f"/{field}: {detail}", [Fault(f"/{field}", detail)])
    accounts = world.secrets.accounts(kind.value, brand_id)
    if not accounts:
        raise Clashing(f"no secrets are entered for {kind.value} of this brand: ask the operator")
    if stated.from_address is not None:
        domain = accounts[0].get("domain", "")
        is_theirs = stated.from_address.rpartition("@")[2].casefold() == domain.casefold()
        if not (is_theirs and is_mailable(stated.from_address)):
            detail = f"an address that mail can come from, in the domain {domain!r}, was expected"
            raise Invalid(f"/from_address: {detail}", [Fault("/from_address", detail)])
