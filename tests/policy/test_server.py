"""Policies of a server: found by their entry points, listed, counted when they fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from fastpaca import _core
from tests.support.chat import user
from tests.support.server import Server

MODULE = '''
from fastpaca.policies import ConfigError, Decision


class Newest:
    """Keeps the newest.

    Nothing else.
    """

    keys = ("color",)

    def validate(self, config):
        if config.get("color") == "blue":
            raise ConfigError("color", "must not be blue")

    def decide(self, kept):
        return Decision(drop=kept.seq)


def broken(kept):
    raise RuntimeError("as always")
'''
ENTRIES = """[fastpaca.policies]
newest = some_policies:Newest
broken = some_policies:broken
missing = no_such_module:thing
last_n = some_policies:Newest
"""


@pytest.fixture
def installed(tmp_path: Path) -> str:
    """A package with policies; gives the PYTHONPATH that has it."""
    folder = tmp_path / "site"
    info = folder / "some_policies-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "some_policies.py").write_text(MODULE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-policies\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRIES)
    return os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))


def command(*arguments: str, path: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "fastpaca", "policies", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_the_command_lists_them(installed: str) -> None:
    found = {each["name"]: each for each in json.loads(command("--json", path=installed))}
    assert list(found) == [*_core.STRATEGIES, "broken", "missing", "newest"]
    assert found["newest"] == {
        "name": "newest",
        "source": "entry point some_policies:Newest",
        "keys": ["color"],
        "about": "Keeps the newest.",
    }
    assert found["last_n"]["source"] == "native"
    assert "no_such_module" in found["missing"]["about"]
    lines = command(path=installed).splitlines()
    assert lines[0].split() == ["NAME", "FROM", "KEYS"]
    assert any(line.split()[:3] == ["last_n", "native", "limit,"] for line in lines)
    assert lines[-1].startswith("All take trigger_ratio, ")


@pytest.mark.slow
def test_a_server_runs_them(installed: str, tmp_path: Path) -> None:
    with Server(tmp_path / "data", PYTHONPATH=installed) as server, httpx.Client(base_url=server.url) as http:

        def put(strategy: str, **config: object) -> httpx.Response:
            policy = {"strategy": strategy, "config": config}
            return http.put(f"/v1/contexts/{strategy}", json={"token_budget": 1000, "policy": policy})

        def add(context: str, tokens: int) -> httpx.Response:
            return http.post(f"/v1/contexts/{context}/messages", json={"message": user(tokens=tokens)})

        assert put("newest", color="red").status_code == 201
        refused = put("newest", color="blue")
        assert (refused.status_code, refused.json()["field"]) == (400, "policy.config.color")
        assert put("newest", colour="red").json()["error"] == "unknown_policy_key"
        unknown = put("nowhere")
        assert (unknown.status_code, unknown.json()["error"]) == (400, "unknown_strategy")
        assert unknown.json()["message"].endswith("broken, missing, newest")
        assert put("missing").json()["error"] == "unknown_strategy"
        assert put("broken").status_code == 201
        for context in ("newest", "broken"):
            add(context, 600).raise_for_status()
            http.post(f"/v1/contexts/{context}/messages", json={"message": {"role": "assistant", "content": "So."}})
            assert add(context, 200).status_code == 201
        shown = {c: http.get(f"/v1/contexts/{c}/window").json()["messages"] for c in ("newest", "broken")}
        assert [m["seq"] for m in shown["newest"]] == [3]
        assert [m["seq"] for m in shown["broken"]] == [1, 2, 3]
        assert 'fastpaca_policy_errors_total{strategy="broken"} 1.0' in http.get("/metrics").text
