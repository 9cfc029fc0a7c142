"""What a client's country asks before it is written to, and before somebody abroad is told of it: data, with sources.

This is what a brand's own counsel has to read and may have made stricter; it is no legal advice. Of a country that is
not here the strictest of all is assumed.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Final, Literal

from pydantic import Field

from chalicelib.domain.clients import Client, Country, Locale, Purpose
from chalicelib.domain.shapes import Currency, LocalTime, Shape, Text, zone_info

SATURDAY, SUNDAY = 5, 6


class Source(Shape):
    """Where it is said."""

    says: Text
    where: Text
    url: str = Field(pattern=r"^https://", max_length=300)


class Hours(Shape):
    """When a message may be sent, on the client's own clock; half-open, within one day."""

    since: LocalTime
    until: LocalTime
    saturday_since: LocalTime | None = None
    saturday_until: LocalTime | None = None
    on_sundays: bool = True

    def of(self, day: date) -> tuple[time, time] | None:
        """Those of that day; None: it has none."""
        if day.weekday() == SUNDAY and not self.on_sundays:
            return None
        if day.weekday() == SATURDAY and self.saturday_since and self.saturday_until:
            return self.saturday_since, self.saturday_until
        return self.since, self.until


class Messages(Shape):
    """What one kind of message needs."""

    consent: Purpose = Field(description="Without it there is none.")
    hours: Hours


class Border(Shape):
    """Who abroad may be told of a client that has not agreed to it."""

    free_to: frozenset[Country] = Field(description="The country itself is always among them.")
    basis: Text


class Jurisdiction(Shape):
    """One country, as far as a gift to a client in it is concerned."""

    country: Country
    title: Text
    currency: Currency
    locales: tuple[Locale, ...] = Field(min_length=1, description="The usual one first.")
    service: Messages = Field(description="About a gift that is under way.")
    marketing: Messages = Field(description="What nobody has asked for.")
    border: Border
    erasure: Text = Field(description="What gives a client the right to be forgotten.")
    sources: tuple[Source, ...]
    not_verified: tuple[Text, ...] = Field(
        default=(), description="What no source confirms, and is the house's own rule."
    )


Kind = Literal["service", "marketing"]

EEA: Final = frozenset({
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS",
    "IT", "LI", "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
})  # fmt: skip
ADEQUATE: Final = frozenset({
    "AD", "AR", "CA", "CH", "FO", "GB", "GG", "IL", "IM", "JE", "JP", "KR", "NZ", "UY",
})  # fmt: skip
"""By decision of the European Commission (GDPR Art. 45). The United States, for certified companies only, is not."""
SWISS_LIST: Final = EEA | {
    "AD", "AR", "CA", "FO", "GB", "GG", "GI", "IL", "IM", "JE", "MC", "NZ", "UY",
}  # fmt: skip
"""Annex 1 of the Data Protection Ordinance (SR 235.11)."""

_DAY = Hours(since=time(8), until=time(21))
_GDPR_17 = "GDPR Art. 17"
_GDPR: Final = Source(
    says="Who relies on consent shows it (7); erasure (17); transfers by adequacy (45) or explicit consent (49)",
    where="Regulation (EU) 2016/679",
    url="https://eur-lex.europa.eu/eli/reg/2016/679/oj",
)
_DECISIONS: Final = Source(
    says="Which countries protect data adequately",
    where="European Commission, adequacy decisions",
    url="https://commission.europa.eu/law/law-topic/data-protection/international-dimension-data-protection/adequacy-decisions_en",
)
_NO_HOURS = "No hours for messages about a gift under way were found: 8 to 21 is the house's own rule."
_ASKED_ANYWAY = "Messages about a gift could rest on its contract; the house asks, as WhatsApp does."


def _service(hours: Hours = _DAY) -> Messages:
    return Messages(consent=Purpose.SERVICE, hours=hours)


def _marketing(hours: Hours) -> Messages:
    return Messages(consent=Purpose.MARKETING, hours=hours)


_UNION = Border(
    free_to=EEA | ADEQUATE, basis="GDPR Art. 44 to 49: the EEA, adequate countries; else explicit consent"
)

TABLE: Final = (
    Jurisdiction(
        country="CN",
        title="China (mainland)",
        currency="CNY",
        locales=("zh-CN", "en"),
        service=_service(),
        marketing=_marketing(_DAY),
        border=Border(
            free_to=frozenset({"CN"}),
            basis="PIPL Art. 38 and 39: a separate consent, the recipient abroad named; Hong Kong and Macao are abroad",
        ),
        erasure="PIPL Art. 47",
        sources=(
            Source(
                says="Consent is informed and can be taken back (14, 15); separate consent abroad (39); deletion (47)",
                where="Personal Information Protection Law of 20 August 2021",
                url="https://personalinformationprotectionlaw.com/",
            ),
            Source(
                says="No commercial message without consent, and none after a refusal",
                where="Provisions on short message services, MIIT order 31 of 2015",
                url="https://www.gov.cn/gongbao/content/2015/content_2937321.htm",
            ),
        ),
        not_verified=(
            _NO_HOURS,
            "No hours for commercial messages were found: the same.",
            "The exemptions of the CAC's provisions of 22 March 2024 are not relied on.",
        ),
    ),
    Jurisdiction(
        country="IT",
        title="Italy",
        currency="EUR",
        locales=("it", "en"),
        service=_service(),
        marketing=_marketing(
            Hours(
                since=time(9),
                until=time(20),
                saturday_since=time(10),
                saturday_until=time(19),
                on_sundays=False,
            )
        ),
        border=_UNION,
        erasure=_GDPR_17,
        sources=(
            _GDPR,
            _DECISIONS,
            Source(
                says="Automated messages need consent",
                where="Codice privacy (d.lgs. 196/2003), art. 130",
                url="https://www.garanteprivacy.it/web/guest/home/docweb/-/docweb-display/docweb/9577042",
            ),
            Source(
                says="Calls 9 to 20, Saturdays 10 to 19, never on Sundays",
                where="Codice di condotta telemarketing, Garante 148/2024",
                url="https://www.pmi.it/impresa/pubblicita-e-marketing/453002/telemarketing-le-nuove-regole-e-le-fasce-orarie-permesse.html",
            ),
        ),
        not_verified=(
            _NO_HOURS,
            _ASKED_ANYWAY,
            "The hours of calls are taken for messages; holidays are not known.",
        ),
    ),
    Jurisdiction(
        country="FR",
        title="France",
        currency="EUR",
        locales=("fr", "en"),
        service=_service(),
        marketing=_marketing(Hours(since=time(8), until=time(20), on_sundays=False)),
        border=_UNION,
        erasure=_GDPR_17,
        sources=(
            _GDPR,
            _DECISIONS,
            Source(
                says="Direct marketing by electronic message needs consent",
                where="Code des postes et des communications électroniques, L34-5",
                url="https://www.np6.com/fr/sms-marketing-legislation/",
            ),
            Source(
                says="Marketing messages from Monday to Saturday, 8 to 20 (operators: until 20:30 or 22)",
                where="Practice of the operators (AF2M), as sendtargetsms.com and esendex.fr report it",
                url="https://sendtargetsms.com/fr/horaires-legaux-sms/",
            ),
        ),
        not_verified=(
            _NO_HOURS,
            _ASKED_ANYWAY,
            "Of the evening the earliest end is taken; holidays are not known.",
        ),
    ),
    Jurisdiction(
        country="DE",
        title="Germany",
        currency="EUR",
        locales=("de", "en"),
        service=_service(),
        marketing=_marketing(Hours(since=time(8), until=time(20), on_sundays=False)),
        border=_UNION,
        erasure=_GDPR_17,
        sources=(
            _GDPR,
            _DECISIONS,
            Source(
                says="Electronic advertising needs express consent beforehand",
                where="UWG § 7",
                url="https://www.gesetze-im-internet.de/uwg_2004/__7.html",
            ),
        ),
        not_verified=(
            _NO_HOURS,
            _ASKED_ANYWAY,
            "For advertising 8 to 20 and no Sunday is the house's own rule.",
        ),
    ),
    Jurisdiction(
        country="CH",
        title="Switzerland",
        currency="CHF",
        locales=("de-CH", "fr-CH", "it-CH", "en"),
        service=_service(),
        marketing=_marketing(Hours(since=time(8), until=time(20), on_sundays=False)),
        border=Border(
            free_to=SWISS_LIST | {"CH"},
            basis="FADP Art. 16 and 17: countries of the Federal Council's list; else express consent",
        ),
        erasure="FADP Art. 32",
        sources=(
            Source(
                says="Disclosure abroad (16, 17); destruction of data (32)",
                where="Federal Act on Data Protection (SR 235.1)",
                url="https://www.fedlex.admin.ch/eli/cc/2022/491/en",
            ),
            Source(
                says="Countries with adequate protection, annex 1",
                where="Data Protection Ordinance (SR 235.11)",
                url="https://www.fedlex.admin.ch/eli/cc/2022/568/en",
            ),
            Source(
                says="Automated mass advertising needs consent",
                where="Unfair Competition Act (SR 241), Art. 3(1)(o)",
                url="https://www.dlapiperdataprotection.com/index.html?c=CH&t=electronic-marketing",
            ),
        ),
        not_verified=(_NO_HOURS, _ASKED_ANYWAY, "No hours for advertising were found: Germany's are taken."),
    ),
    Jurisdiction(
        country="AE",
        title="United Arab Emirates",
        currency="AED",
        locales=("ar", "en"),
        service=_service(),
        marketing=_marketing(Hours(since=time(9), until=time(18))),
        border=Border(
            free_to=frozenset({"AE"}),
            basis="Federal Decree-Law 45 of 2021, Art. 22 and 23: no list was found; else express consent",
        ),
        erasure="Federal Decree-Law 45 of 2021, Art. 15",
        sources=(
            Source(
                says="Consent can be withdrawn (6); erasure (15); transfers abroad (22, 23)",
                where="Federal Decree-Law 45 of 2021 on the protection of personal data",
                url="https://u.ae/en/about-the-uae/digital-uae/data/data-protection-laws",
            ),
            Source(
                says="Marketing calls and messages, those by social media too, 9 to 18 only",
                where="Cabinet Resolution 56 of 2024",
                url="https://morganlewis.com/ru/blogs/sourcingatmorganlewis/2024/07/telemarketing-in-an-evolving-legal-landscape-uae-adopts-regulations-on-telemarketing-activities",
            ),
        ),
        not_verified=(
            _NO_HOURS,
            "Free zones (DIFC, ADGM) have laws of their own.",
            "That marketing waits for consent is ours.",
        ),
    ),
)


@cache
def _by_country() -> dict[str, Jurisdiction]:
    return {one.country: one for one in TABLE}


@cache
def jurisdiction_of(country: str) -> Jurisdiction:
    """That country's; of one that is not in the table the strictest of all."""
    known = _by_country().get(country)
    if known is not None:
        return known
    return Jurisdiction(
        country=country,
        title="A country that nobody has looked up",
        currency="XXX",
        locales=("en",),
        service=_service(Hours(since=time(9), until=time(18), on_sundays=False)),
        marketing=_marketing(Hours(since=time(10), until=time(18), on_sundays=False)),
        border=Border(
            free_to=frozenset({country}), basis="Nothing is known: nobody abroad is told without consent"
        ),
        erasure="The house's own rule",
        sources=(),
        not_verified=("Everything.",),
    )


def may_be_told(stays_in: str, region: str) -> bool:
    """May somebody in that country be told of a client of this one, who has not agreed to it?"""
    return region == stays_in or region in jurisdiction_of(stays_in).border.free_to


def stays_in(client: Client, now: datetime) -> str | None:
    """The country whose border the client's data must not pass; None: it has agreed to that."""
    return None if client.agrees_to(Purpose.CROSS_BORDER, now) else client.country


def may_be_written_to(client: Client, kind: Kind, now: datetime) -> bool:
    """Has it agreed to messages of that kind? Nobody is written to whose erasure has been asked for."""
    return not client.is_leaving and client.agrees_to(_rules(client, kind).consent, now)


def next_open(client: Client, kind: Kind, now: datetime) -> datetime:
    """That moment, or the end of the quiet hours it falls into, on the client's own clock."""
    hours, zone = _rules(client, kind).hours, zone_info(client.time_zone)
    day = now.astimezone(zone).date()
    for ahead in range(8):
        span = hours.of(day + timedelta(days=ahead))
        if span is None:
            continue
        since, until = (
            datetime.combine(day + timedelta(days=ahead), at, zone).astimezone(now.tzinfo) for at in span
        )
        if now < until:
            return max(now, since)
    raise ValueError(f"the hours of {client.country!r} leave no day of a week open")


def _rules(client: Client, kind: Kind) -> Messages:
    found = jurisdiction_of(client.country)
    return found.service if kind == "service" else found.marketing
