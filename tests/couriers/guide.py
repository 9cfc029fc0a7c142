"""The made-up courier of `docs/add-a-courier.md`, taken from the page itself: what it shows is what is tried."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "add-a-courier.md"
_BLOCK = re.compile(r"(?:^`([\w./-]+)`\n\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks() -> list[tuple[str, str, str]]:
    """(path before it or "", language or "", text) of each block of the page."""
    return _BLOCK.findall(PAGE.read_text(encoding="utf-8"))


def files() -> dict[str, str]:
    """Each file that the page has its reader write, by its name within the courier's folder."""
    found = {}
    for path, _, text in blocks():
        if path:
            name = Path(path)
            found[f"recorded/heron/{name.name}" if "recorded" in name.parts else name.name] = text
    return found


def shown() -> list[str]:
    """What the page says is printed, in its order."""
    return [text for path, language, text in blocks() if not path and not language]


def write(folder: Path, *, without: str = "", adapter: str | None = None) -> Path:
    """The courier in that folder, as its reader would have written it; the path of its file."""
    for name, text in files().items():
        if name == without:
            continue
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    if adapter is not None:
        (folder / "heron.py").write_text(adapter, encoding="utf-8")
    return folder / "heron.py"
