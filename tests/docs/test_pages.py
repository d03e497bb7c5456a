"""Every Python example of the pages in docs/ runs as printed, each in an empty directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.examples import ROOT, blocks, run_python

SLOW = {"integrations"}
"""Pages whose examples load whole frameworks."""
EXAMPLES = [
    pytest.param(example, id=f"{page.stem}-{number}", marks=[pytest.mark.slow] if page.stem in SLOW else [])
    for page in sorted((ROOT / "docs").glob("*.md"))
    for number, example in enumerate(blocks(page, "python"))
]


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES)
def test_the_example_runs(example: str, tmp_path: Path) -> None:
    run_python(example, tmp_path)
