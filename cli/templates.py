"""Write what has to be registered with Meta into docs/channels.md: `python -m cli.templates [--check]`.

For each template its name, category, buttons and parameters, and its sentence in six languages, as the catalogues say
it and Meta wants it: `{{name}}` for what is filled in. Page and system cannot drift apart, for a test compares them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from chalicelib.domain.templates import TEMPLATES, TITLES, Template
from chalicelib.domain.words import LANGUAGES, META_CODES
from chalicelib.locales import Shelf

PAGE = Path(__file__).resolve().parent.parent / "docs" / "channels.md"
BEGIN, END = "<!-- templates -->\n", "<!-- end of templates -->\n"


def listed() -> str:
    """All templates, for people who register them."""
    return "\n".join(_of(template) for template in TEMPLATES.values() if template.category is not None)


def _of(template: Template) -> str:
    words = Shelf("messages")
    lines = [f"### `{template.name}` ({template.category})\n"]
    lines.append(f"Parameters: {', '.join(f'`{name}`' for name in template.parameters)}.\n")
    lines.append("| language | text | quick replies |")
    lines.append("|---|---|---|")
    for tag in LANGUAGES:
        text = words[tag].say(template.text).replace("{", "{{").replace("}", "}}").replace("|", "\\|")
        buttons = " / ".join(
            words[tag].say(TITLES[choice]) for choice in template.choices if choice in TITLES
        )
        lines.append(f"| `{META_CODES[tag]}` | {text} | {buttons or '-'} |")
    return "\n".join(lines) + "\n"


def page(text: str) -> str:
    """The page with that list in its place."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{listed()}\n{END}{after}"


def main(arguments: list[str]) -> int:
    text = PAGE.read_text(encoding="utf-8")
    if page(text) == text:
        return 0
    if "--check" in arguments:
        sys.stdout.write(f"{PAGE} is not what the templates say: run python -m cli.templates\n")
        return 1
    PAGE.write_text(page(text), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
