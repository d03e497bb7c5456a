"""The page about what providers reject: its example runs as printed, its tables are those of the rules."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "providers.md").read_text()


def test_the_tables_are_fresh() -> None:
    ran = subprocess.run([sys.executable, "tools/make_providers_page.py", "--check"], cwd=ROOT, check=False)
    assert ran.returncode == 0, "run: python tools/make_providers_page.py"


def test_the_example() -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    ran = subprocess.run([sys.executable, "-W", "error", "-c", example], capture_output=True, text=True, check=True)
    assert f"prints `{ran.stdout.strip()}`" in PAGE
