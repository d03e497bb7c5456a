"""The examples of the README run as printed."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.support.examples import ROOT, blocks, run_python
from tests.support.server import Server

README = ROOT / "README.md"


def test_python(tmp_path: Path) -> None:
    (example,) = blocks(README, "python")
    assert run_python(example, tmp_path) == "['system', 'user', 'assistant']\n"


def test_curl(tmp_path: Path) -> None:
    (example,) = blocks(README, "sh")
    with Server(tmp_path / "data") as server:
        script = example.replace("localhost:4000", f"127.0.0.1:{server.port}").replace(
            "curl ", "curl -sS --fail-with-body -w '\\n' "
        )
        ran = subprocess.run(
            ["bash", "-ec", script],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={"PATH": os.environ["PATH"]},
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
    created, appended, window, tail = (json.loads(line) for line in ran.stdout.splitlines())
    assert created["token_budget"] == 100_000
    assert appended["seq"] == 1
    assert [m["role"] for m in window["messages"]] == ["user"]
    assert len(tail["messages"]) == 1
