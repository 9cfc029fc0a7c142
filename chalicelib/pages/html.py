"""A sheet as one HTML page that needs nothing else: no script, no font, no image, one style under its hash."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from html import escape as escaped
from typing import Final

from chalicelib.pages.sheet import Block, Bullets, Line, Moment, Paragraph, Section, Sheet, seen

STYLE: Final = """
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--line:#d8dee4;--paper:#fff;--yes:#1a6b3c;--hold:#8a5a00;
--no:#a4262c}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9aa4af;--line:#343b44;--paper:#12161b;--yes:#5cc98a;
--hold:#e0ac4d;--no:#ff8a85}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,
"Noto Sans","Noto Sans CJK SC","PingFang SC",sans-serif;overflow-wrap:anywhere}
main{max-width:46rem;margin:0 auto;padding:1.5rem 1rem 3rem}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .75rem}
h2{font-size:1.15rem;margin:2.25rem 0 .5rem;padding-bottom:.25rem;border-bottom:1px solid var(--line)}
h3{font-size:1rem;margin:0 0 .5rem}
p{margin:.5rem 0}
section.step{margin:1.25rem 0;padding:.1rem 0 .1rem 1rem;border-left:4px solid var(--line)}
section.yes{border-color:var(--yes)}section.hold{border-color:var(--hold)}section.no{border-color:var(--no)}
p.yes,p.hold,p.no{font-weight:600}p.yes{color:var(--yes)}p.hold{color:var(--hold)}p.no{color:var(--no)}
dl{display:grid;grid-template-columns:9.5rem 1fr;gap:.35rem 1rem;margin:.5rem 0}
dt{color:var(--soft)}dd{margin:0}dd+dd{grid-column:2}
ul{margin:.5rem 0;padding-left:1.2rem}li{margin:.25rem 0}
time{white-space:normal}.utc{color:var(--soft)}
@media (max-width:34rem){dl{grid-template-columns:1fr;gap:0}dt{margin-top:.5rem;font-size:.875rem}
dd+dd{grid-column:1;margin-top:.25rem}main{padding-top:1rem}}
@media print{:root{--ink:#000;--soft:#444;--line:#bbb;--paper:#fff;--yes:#000;--hold:#000;--no:#000}
body{font-size:10.5pt}main{max-width:none;padding:0}section.step{break-inside:avoid}h2,h3{break-after:avoid}}
"""

POLICY: Final = (
    "default-src 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""This style, and nothing else whatever the text says."""
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
"""What goes with it."""


def rendered(sheet: Sheet) -> str:
    """The page."""
    title = escape(sheet.title)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="robots" content="noindex">'
        f"<title>{title}</title><style>{STYLE}</style></head>\n<body><main>\n<h1>{title}</h1>\n"
        + "".join(map(_block, sheet.lead))
        + "".join(_sections(sheet))
        + "</main></body></html>\n"
    )


def _sections(sheet: Sheet) -> Iterator[str]:
    for section in sheet.sections:
        yield _section(section)


def _section(section: Section) -> str:
    blocks = "".join(map(_block, section.blocks))
    if section.level == 2:
        return f"<h2>{_line(section.heading)}</h2>\n{blocks}"
    tone = f" {section.tone}" if section.tone else ""
    return f'<section class="step{tone}"><h3>{_line(section.heading)}</h3>\n{blocks}</section>\n'


def _block(block: Block) -> str:
    if isinstance(block, Paragraph):
        tone = f' class="{block.tone}"' if block.tone else ""
        return f"<p{tone}>{_line(block.line)}</p>\n"
    if isinstance(block, Bullets):
        return f"<ul>{''.join(f'<li>{_line(line)}</li>' for line in block.lines)}</ul>\n"
    return f"<dl>{''.join(_row(term, lines) for term, lines in block.rows)}</dl>\n"


def _row(term: str, lines: tuple[Line, ...]) -> str:
    return f"<dt>{escape(term)}</dt>" + "".join(f"<dd>{_line(line)}</dd>" for line in lines)


def _line(line: Line) -> str:
    return "".join(_moment(part) if isinstance(part, Moment) else escape(part) for part in line)


def _moment(moment: Moment) -> str:
    machine = moment.at.isoformat().replace("+00:00", "Z")
    utc = f' <span class="utc">({escape(moment.utc)})</span>' if moment.utc else ""
    return f'<time datetime="{escape(machine)}">{escape(moment.local)}{utc}</time>'


def escape(text: str) -> str:
    return escaped(seen(text))
