"""Copy what the pages load from node_modules into `chalicelib/pages/static/`: `python -m cli.static [--check]`.

The versions are those of package-lock.json, the licences come along, and the copies are committed: a deployment needs
no npm. `--check` says what differs, and fails.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODULES = ROOT / "node_modules"
STATIC = ROOT / "chalicelib" / "pages" / "static"
COPIED = {
    "htmx.js": "htmx.org/dist/htmx.min.js",
    "htmx.LICENSE.txt": "htmx.org/LICENSE",
    "maplibre-gl.mjs": "maplibre-gl/dist/maplibre-gl.mjs",
    "maplibre-gl-worker.mjs": "maplibre-gl/dist/maplibre-gl-worker.mjs",
    "maplibre-gl.css": "maplibre-gl/dist/maplibre-gl.css",
    "maplibre-gl.LICENSE.txt": "maplibre-gl/LICENSE.txt",
}
"""What it is called here, and where it is there."""


def copied(source: Path) -> bytes:
    """The file without the line that names its source map: nobody has that here."""
    lines = source.read_bytes().split(b"\n")
    return b"\n".join(line for line in lines if not line.startswith((b"//# sourceMappingURL", b"/*# source")))


def main(arguments: list[str]) -> int:
    differing = []
    for name, there in COPIED.items():
        content, place = copied(MODULES / there), STATIC / name
        if not place.exists() or place.read_bytes() != content:
            differing.append(name)
            if "--check" not in arguments:
                STATIC.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content)
    for name in differing:
        print(f"{name} {'differs from' if '--check' in arguments else 'copied from'} {COPIED[name]}")
    return 1 if differing and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
