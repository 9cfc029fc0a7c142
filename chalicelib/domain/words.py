"""In which language a client is spoken to: six of them, and what each is called elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final, Protocol

LANGUAGES: Final = ("en", "fr", "it", "de", "zh-CN", "ar")
"""The languages that every text is in, as BCP 47 tags."""
FALLBACK: Final = "en"
RIGHT_TO_LEFT: Final = frozenset({"ar"})
META_CODES: Final[Mapping[str, str]] = {
    "en": "en",
    "fr": "fr",
    "it": "it",
    "de": "de",
    "zh-CN": "zh_CN",
    "ar": "ar",
}
"""What WhatsApp calls them: exact and case-sensitive (developers.facebook.com, "Supported languages"); each language of
a template is approved by itself."""
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


class Words(Protocol):
    """One language."""

    def say(self, text: str, /, **values: object) -> str:
        """The English text in this language, with its placeholders filled."""

    def count(self, one: str, many: str, number: int, /, **values: object) -> str:
        """The form that goes with that number, `{count}` in it."""


def language_of(locale: str) -> str:
    """The language of ours that comes nearest to that tag: `zh-Hant-HK` and `zh` are read in `zh-CN`, `de-CH` in `de`,
    and what is none of ours in English."""
    asked = locale.replace("_", "-").lower()
    for tag in LANGUAGES:
        if asked == tag.lower():
            return tag
    first = asked.split("-", 1)[0]
    return next((tag for tag in LANGUAGES if tag.split("-", 1)[0].lower() == first), FALLBACK)


def day_of(words: Words, day: date) -> str:
    """That day as people say it."""
    return words.say(
        "{weekday}, {day} {month}",
        weekday=words.say(WEEKDAYS[day.weekday()]),
        day=day.day,
        month=words.say(MONTHS[day.month - 1]),
    )
