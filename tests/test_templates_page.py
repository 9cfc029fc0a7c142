"""What has to be registered with Meta stands in docs/channels.md as the system says it."""

from __future__ import annotations

from chalicelib.domain.templates import TEMPLATES
from chalicelib.domain.words import META_CODES
from cli import templates


def test_the_page_is_what_the_templates_say() -> None:
    text = templates.PAGE.read_text(encoding="utf-8")
    assert templates.page(text) == text, "run python -m cli.templates"


def test_every_template_that_meta_approves_is_listed_in_six_languages_and_no_other() -> None:
    text = templates.listed()
    for template in TEMPLATES.values():
        assert (f"### `{template.name}`" in text) is (template.category is not None)
    assert all(text.count(f"| `{code}` |") == text.count("### ") for code in META_CODES.values())


def test_a_page_of_yesterday_is_found_out() -> None:
    text = templates.PAGE.read_text(encoding="utf-8")
    assert templates.page(text.replace("Maison", "x").replace("{{brand}}", "{{marque}}", 1)) == text
