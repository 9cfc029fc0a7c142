"""How a campaign is kept. No row here names anybody: a client is the brand's reference, an order its id.

collection (pk)        place (sk)        noun                             indexes
campaign#<campaign>    campaign          Campaign                         shelf: campaigns#<brand>
campaign#<campaign>    deed#<version>    CampaignDeed                     (domain.deeds)
days#<market>          <day>#<campaign>  that there is one on that day
campaign#<campaign>    page#<nnnnn>      Members, a hundred a row         (domain.lists)
campaign#<campaign>    told#<nnnnn>      ForeseenPage, of the last dry run
campaign#<campaign>    out#<nnnnn>       PlacedPage
campaign#<campaign>    report            Reporting
campaign#<campaign>    lane#...          (domain.lanes)
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from chalicelib.domain.campaigns import Campaign, ForeseenPage, PlacedPage, Reporting
from chalicelib.domain.client_rows import owner_of_brand
from chalicelib.domain.deeds import CampaignDeed, deed_place
from chalicelib.domain.orders import Contact
from chalicelib.domain.ports import Key, Row, Sealer
from chalicelib.domain.shapes import stamp

KEPT: Final = timedelta(days=180)
"""How long after its day a campaign can be looked at; its orders stay as long as orders do."""


def collection(campaign_id: str) -> str:
    return f"campaign#{campaign_id}"


def campaign_key(campaign_id: str) -> Key:
    return Key(collection(campaign_id), "campaign")


def shelf(brand_id: str) -> str:
    """Where a brand's campaigns stand, the last begun first."""
    return f"campaigns#{brand_id}"


def days_collection(market_id: str) -> str:
    """Where a market's campaigns stand by their days: whoever looks at the market asks for a stretch of days."""
    return f"days#{market_id}"


def day_row(campaign: Campaign) -> Row:
    """That there is one; written with it, and never again."""
    place = f"{campaign.day.isoformat()}#{campaign.campaign_id}"
    return Row(Key(days_collection(campaign.market_id), place), 1, "{}", expires_at=lapses(campaign))


def lapses(campaign: Campaign) -> int:
    """Epoch seconds after which its rows may vanish."""
    return int(max(campaign.begun_at, _day(campaign)).timestamp() + KEPT.total_seconds())


def _day(campaign: Campaign) -> datetime:
    day = campaign.day
    return datetime(day.year, day.month, day.day, tzinfo=campaign.begun_at.tzinfo)


def campaign_row(campaign: Campaign) -> Row:
    return Row(
        key=campaign_key(campaign.campaign_id),
        version=campaign.version,
        body=campaign.model_dump_json(exclude_defaults=True),
        sealed=campaign.sealed,
        shelf=shelf(campaign.brand_id),
        place_on_shelf=f"{stamp(campaign.begun_at)}#{campaign.campaign_id}",
        expires_at=lapses(campaign),
    )


def campaign_of_row(row: Row) -> Campaign:
    found = Campaign.model_validate_json(row.body)
    return found.model_copy(update={"sealed": row.sealed, "version": row.version})


def deed_key(campaign_id: str, version: int) -> Key:
    return Key(collection(campaign_id), deed_place(version))


def deed_row(deed: CampaignDeed, campaign: Campaign) -> Row:
    """It stays as long as the campaign."""
    key, body = deed_key(deed.campaign_id, deed.version), deed.model_dump_json(exclude_defaults=True)
    return Row(key, 1, body, expires_at=lapses(campaign))


def deed_of_row(row: Row) -> CampaignDeed:
    return CampaignDeed.model_validate_json(row.body)


def seal_contact(sealer: Sealer, contact: Contact, brand_id: str, campaign_id: str) -> bytes:
    """Under a key of the brand's: an hour's may lapse before a campaign that was drawn up early is placed."""
    return sealer.seal(contact.model_dump_json().encode(), campaign_id, owner=owner_of_brand(brand_id))


def unseal_contact(sealer: Sealer, campaign: Campaign) -> Contact:
    return Contact.model_validate_json(sealer.unseal(campaign.sealed, campaign.campaign_id))


def page_key(campaign_id: str, page: int) -> Key:
    return Key(collection(campaign_id), f"page#{page:05d}")


def told_key(campaign_id: str, page: int) -> Key:
    return Key(collection(campaign_id), f"told#{page:05d}")


def told_of_row(row: Row) -> ForeseenPage:
    return ForeseenPage.model_validate_json(row.body)


def out_key(campaign_id: str, page: int) -> Key:
    return Key(collection(campaign_id), f"out#{page:05d}")


def out_of_row(row: Row) -> PlacedPage:
    return PlacedPage.model_validate_json(row.body)


def report_key(campaign_id: str) -> Key:
    return Key(collection(campaign_id), "report")


def report_of_row(row: Row) -> Reporting:
    return Reporting.model_validate_json(row.body)
