"""Writes the rules of `fastpaca.providers` into `docs/providers.md`; with `--check`, says whether they stand there."""

from __future__ import annotations

import sys
from pathlib import Path

from fastpaca.providers import FORMATS, rules

PAGE = Path(__file__).parent.parent / "docs" / "providers.md"
MARK = "This part is generated: `python tools/make_providers_page.py`.\n"


def tables() -> str:
    """A table for each format."""
    lines: list[str] = []
    for name in FORMATS:
        lines += ["", f"### `{name}`", "", "| rule | what has to hold | source |", "|---|---|---|"]
        for rule in rules(name):
            strict = " *(strict)*" if rule.strict else ""
            summary = rule.summary.replace("|", "\\|")
            lines.append(f"| `{rule.code}`{strict} | {summary} | [{_title(rule.source)}]({rule.source}) |")
    return "\n".join(lines) + "\n"


def _title(source: str) -> str:
    return source.split("://")[1].removeprefix("www.").replace("github.com/", "").split("/docs/")[-1]


def main() -> int:
    """Writes, or checks."""
    text, mark, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    fresh = text + mark + tables()
    if "--check" in sys.argv:
        return int(PAGE.read_text(encoding="utf-8") != fresh)
    PAGE.write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
