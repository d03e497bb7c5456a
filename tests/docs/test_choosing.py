"""The examples of the page on choosing settings run as printed."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulate.conftest import agent
from tests.support.examples import ROOT, blocks, run_python

PAGE = ROOT / "docs" / "choosing.md"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines = [{"id": f"session-{n}", "messages": agent(4, 8)} for n in range(2)]
    (tmp_path / "sessions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path


def run(folder: Path, *arguments: str) -> str:
    ran = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.slow
def test_commands(folder: Path) -> None:
    table, results = (
        run(folder, "-m", *shlex.split(line.partition(" >")[0])) for line in blocks(PAGE, "sh")[0].splitlines()
    )
    assert "last_n:limit=20" in table
    assert "without a rejected request" in table
    assert [total["budget"] for total in json.loads(results)["totals"]] == [2000] * 3 + [4000] * 3
    assert (folder / "windows.svg").read_text().count("<g id=") > 10


@pytest.mark.slow
def test_python(tmp_path: Path) -> None:
    (example,) = blocks(PAGE, "python")
    lines = run_python(example, tmp_path).splitlines()
    assert [line.split()[0] for line in lines] == ["budget", "last_n:limit=20", "sliding", "trim_messages"]
