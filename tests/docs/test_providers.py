"""The page about what providers reject: its example runs as printed, its tables are those of the rules."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.examples import ROOT, blocks, run_python

PAGE = ROOT / "docs" / "providers.md"


def test_the_tables_are_fresh() -> None:
    ran = subprocess.run([sys.executable, "tools/make_providers_page.py", "--check"], cwd=ROOT, check=False)
    assert ran.returncode == 0, "run: python tools/make_providers_page.py"


def test_the_example(tmp_path: Path) -> None:
    (example,) = blocks(PAGE, "python")
    assert f"prints `{run_python(example, tmp_path).strip()}`" in PAGE.read_text()
