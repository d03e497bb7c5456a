"""The benchmarks run: few and short rounds of those that need nothing but what the tests need. No figure is judged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_the_results_name_no_path_of_a_machine() -> None:
    results = json.loads((ROOT / "benches/results.json").read_text())
    assert "/" not in results["text"] + results["machine"]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_suite_writes_results_and_plots(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    command = [sys.executable, "benches/run.py", "--quick", "--only", "chat|memories", "--results", str(results)]
    done = subprocess.run(
        [*command, "--plots", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=280
    )
    assert done.returncode == 0, done.stdout + done.stderr
    sections = json.loads(results.read_text())["sections"]
    ours = [each for each in sections["chat"]["accounts"] if each["target"] == "fastpaca"]
    assert ours == [{"target": "fastpaca", "acknowledged": 400, "lost": 0, "contexts_that_differ": 0}]
    operations = {each["operation"] for each in sections["memories"]["figures"]}
    assert {"durable append", "get 400", "newest under a budget, of 10,000"} <= operations
    assert (tmp_path / "benchmarks.png").stat().st_size > 10_000
    assert "<svg" in (tmp_path / "benchmarks.svg").read_text()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_bench_of_streams_runs() -> None:
    command = [sys.executable, "benches/streams.py", "--quick"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    for measured in ("KiB a connection", "10 subscribers of the same context", "WebSocket, 10 others: reply p50"):
        assert measured in done.stdout
