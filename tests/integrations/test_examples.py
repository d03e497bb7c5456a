"""Examples run as they stand, in a process of their own and an empty directory; test_clients.py runs the others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.examples import ROOT

EXAMPLES = ROOT / "examples"


def ran(example: str, folder: Path, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / example],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, **env},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("example", "says"),
    [
        ("langchain_agent.py", "Take an umbrella.\nYou are welcome.\n4 messages, 34 tokens\n"),
        ("openai_agents.py", "Take an umbrella.\nYou are welcome.\n6 messages, 95 tokens\n"),
        ("pydantic_ai_agent.py", "Rain in Lima. I was given 3 messages.\nI was given 5 messages.\n"),
    ],
)
def test_it_runs(example: str, says: str, tmp_path: Path) -> None:
    assert ran(example, tmp_path) == says
