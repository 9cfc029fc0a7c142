"""The catalogues of every room: six languages, every sentence, every placeholder, every plural form, compiled as
edited; and that none is left that nobody says."""

from __future__ import annotations

import string
from datetime import date

import pytest

from chalicelib.domain.words import FALLBACK, LANGUAGES, META_CODES, day_of, language_of
from chalicelib.locales import FOLDER, Shelf
from cli import locales
from tests.conftest import ROOT

DOMAINS = sorted({path.stem for path in locales.sources()})
EVERY = [(domain, tag) for domain in DOMAINS for tag in LANGUAGES]


def fields(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


def test_there_is_a_folder_for_each_language_and_for_no_other() -> None:
    assert {path.name for path in FOLDER.iterdir() if path.is_dir() and path.name != "__pycache__"} == set(
        LANGUAGES
    )
    assert set(META_CODES) == set(LANGUAGES)
    assert "messages" in DOMAINS


@pytest.mark.parametrize(("domain", "tag"), EVERY)
def test_a_language_has_every_sentence_with_its_placeholders_and_plural_forms(domain: str, tag: str) -> None:
    def path(of: str) -> object:
        return FOLDER / of / "LC_MESSAGES" / f"{domain}.po"

    english = {m.id: m for m in locales.read(path(FALLBACK)) if m.id}  # type: ignore[arg-type]
    here = locales.read(path(tag))  # type: ignore[arg-type]
    said = {m.id: m for m in here if m.id}
    assert said.keys() == english.keys()
    for key, message in said.items():
        assert not message.fuzzy, f"{key!r} is marked fuzzy"
        ids = (key,) if isinstance(key, str) else tuple(key)
        forms = (message.string,) if isinstance(key, str) else tuple(message.string)
        assert len(forms) == (1 if isinstance(key, str) else here.num_plurals), f"forms of {key!r}"
        for form in forms:
            assert form, f"{key!r} is not said in {tag}"
            assert fields(str(form)) == fields(ids[-1]), f"placeholders of {key!r} in {tag}"
            if tag == FALLBACK:
                assert form in ids, f"English says {key!r} otherwise"


@pytest.mark.parametrize(("domain", "tag"), EVERY)
def test_what_is_read_is_what_was_edited(domain: str, tag: str) -> None:
    path = FOLDER / tag / "LC_MESSAGES" / f"{domain}.po"
    assert path.with_suffix(".mo").read_bytes() == locales.compiled(path), "run python -m cli.locales"


@pytest.mark.parametrize("domain", DOMAINS)
def test_no_sentence_stands_there_that_nobody_says(domain: str) -> None:
    # placeholders of templates are filled far from where the sentence stands, so the text itself is looked for
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("chalicelib", "cli")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".html", ".jinja", ".j2", ".txt")
    )
    for message in locales.read(FOLDER / FALLBACK / "LC_MESSAGES" / f"{domain}.po"):
        for text in [message.id] if isinstance(message.id, str) else message.id:
            assert text.replace('"', '\\"') in code or text in code, f"nobody says {text!r}"


@pytest.mark.parametrize(
    ("tag", "number", "begins"),
    [("ar", 1, "يمكننا الحضور في موعد آخر"), ("ar", 2, "يمكننا الحضور في موعدين"), ("ar", 3, "يمكننا الحضور في 3 مواعيد"),
     ("ar", 11, "يمكننا الحضور في 11 موعداً"), ("fr", 0, "Nous pouvons venir à 0 autre moment."), ("zh-CN", 4, "我们有4个")],
)  # fmt: skip
def test_a_number_takes_the_form_that_its_language_has_for_it(tag: str, number: int, begins: str) -> None:
    said = Shelf("messages")[tag].count(
        "We can come at {count} other time. Please choose it if it suits you.",
        "We can come at {count} other times. Please choose one that suits you.",
        number,
    )
    assert said.startswith(begins), said


@pytest.mark.parametrize(
    ("tag", "said"),
    [("en", "Monday, 11 April"), ("fr", "lundi 11 avril"), ("it", "lunedì 11 aprile"), ("de", "Montag, 11. April"),
     ("zh-CN", "4月11日（星期一）"), ("ar", "الاثنين 11 أبريل")],
)  # fmt: skip
def test_a_day_is_said_as_people_say_it(tag: str, said: str) -> None:
    assert day_of(Shelf("messages")[tag], date(2022, 4, 11)) == said


@pytest.mark.parametrize(
    ("locale", "tag"),
    [
        ("zh-Hant-HK", "zh-CN"),
        ("zh_CN", "zh-CN"),
        ("de-CH", "de"),
        ("AR-ae", "ar"),
        ("ja", "en"),
        ("fr", "fr"),
    ],
)
def test_the_nearest_language_of_ours_is_spoken(locale: str, tag: str) -> None:
    assert language_of(locale) == tag


def test_no_other_language_is_on_the_shelf() -> None:
    with pytest.raises(KeyError):
        Shelf("messages")["ja"]
    assert list(Shelf("messages")) == list(LANGUAGES)
