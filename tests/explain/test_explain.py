"""`explain=true`: every message of the log is accounted for, and the figures add up."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import fastpaca
from fastpaca.cli import main
from fastpaca.errors import BudgetTooSmallError
from tests.support.cases import seeds
from tests.support.explained import check_explained
from tests.support.walk import CONTEXT, POLICIES, Walk

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from tests.support.server import Server


def user(text: str, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": text, **more}


def explained(walk: Walk, **options: Any) -> dict[str, Any]:
    raw = walk.engine.read(CONTEXT, lambda c, f: c.window(f, explain=True, **options))
    found: dict[str, Any] = json.loads(raw)
    return found


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: json.dumps(policy["config"]))
@pytest.mark.parametrize("seed", seeds(1, of=4))
def test_everything_is_accounted_for(seed: int, policy: dict[str, Any]) -> None:
    walk = Walk(seed, policy=policy)
    then: dict[int, dict[str, Any]] = {}
    fitted = 0
    for _ in range(50):
        walk.step()
        window = explained(walk, budget_tokens=10_000)
        check_explained(window, walk.described["last_seq"])
        then[walk.versions[-1]] = window
        with contextlib.suppress(BudgetTooSmallError):
            small = explained(walk, budget_tokens=120)
            check_explained(small, walk.described["last_seq"])
            fitted += 1
    assert fitted > 10
    for version, expected in then.items():
        assert explained(walk, budget_tokens=10_000, at_version=version) == expected
    walk.close()


def states(window: fastpaca.Window) -> list[tuple[Any, ...]]:
    assert window.explanation is not None
    return [
        (run["from_seq"], run["to_seq"], run["state"], run["why"], run["version"]) for run in window.explanation["runs"]
    ]


def test_each_state_says_why_and_when(tmp_path: Path) -> None:
    with fastpaca.open(tmp_path / "data") as store:
        chat = store.context("chat", budget=1000)
        call = {"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f"}}]}
        orphan = {"role": "tool", "tool_call_id": "b", "content": "done"}
        chat.append([{"role": "system", "content": "Be brief."}, user("one"), user("two", metadata={"pinned": True})])
        chat.append([call, user("three"), orphan, user("four"), user("five")])
        assert chat.window().explanation is None
        chat.rewind(7)
        chat.compact(user("A summary."), from_seq=2, to_seq=2)
        chat.append([user("six")])
        chat.compact([{"from_seq": 9, "to_seq": 9}], from_seq=7, to_seq=9)
        window = chat.window(explain=True)
        assert states(window) == [
            (1, 1, "kept", "head", None),
            (2, 2, "summary", "caller", 10),
            (3, 3, "pinned", "pinned", None),
            (4, 4, "kept", "as_it_came", None),
            (4, 4, "repair", "no_result", 4),
            (5, 5, "kept", "as_it_came", None),
            (6, 6, "orphan", "no_call", None),
            (7, 7, "dropped", "caller", 12),
            (8, 8, "rewound", "rewind", 9),
            (9, 9, "kept", "as_it_came", None),
        ]
        assert chat.window(explain=True, at_version=8).explanation is not None


def test_a_policy_and_a_budget(tmp_path: Path) -> None:
    with fastpaca.open(tmp_path / "data") as store:
        chat = store.context("chat", budget=1000, policy={"strategy": "last_n", "config": {"limit": 4, "chunk": 2}})
        for n in range(9):
            chat.append(user(f"message {n}", token_count=20))
            chat.append({"role": "assistant", "content": "yes", "token_count": 20})
        window = chat.window(budget=50, explain=True)
        assert window.explanation is not None
        runs = window.explanation["runs"]
        assert [run["state"] for run in runs][-2:] == ["cut", "kept"]
        assert {run["why"] for run in runs if run["state"] == "dropped"} == {"policy"}
        assert {run["strategy"] for run in runs if run["state"] == "dropped"} == {"last_n"}
        versions = [run["version"] for run in runs if run["state"] == "dropped"]
        assert versions == sorted(versions)


def make(data_dir: Path) -> None:
    with fastpaca.open(data_dir) as store:
        chat = store.context("chat", budget=1000)
        chat.append([user("one"), {"role": "assistant", "content": "two"}])
        chat.compact(user("A summary."), from_seq=1, to_seq=1)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(tmp_path / "data")
    where = ["--data-dir", str(tmp_path / "data")]
    assert main(["explain", "chat", *where]) == 0
    shown = capsys.readouterr().out
    assert "a caller's compaction" in shown
    assert "\x1b" not in shown
    assert main(["explain", "chat", *where, "--json", "--budget", "500"]) == 0
    assert [run["state"] for run in json.loads(capsys.readouterr().out)["runs"]] == ["summary", "kept"]
    assert main(["explain", "chat", *where, "--at-version", "2", "--json"]) == 0
    assert [run["state"] for run in json.loads(capsys.readouterr().out)["runs"]] == ["kept"]
    assert main(["explain", "none", *where]) == 1
    assert capsys.readouterr().err == "fastpaca: there is no such context\n"
    assert main(["explain", "chat", "--data-dir", str(tmp_path / "nothing")]) == 1
    assert "nothing" in capsys.readouterr().err
    assert not (tmp_path / "nothing").exists()


def test_the_command_asks_a_server(http: httpx.Client, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    http.put("/v1/contexts/to explain").raise_for_status()
    http.post("/v1/contexts/to explain/messages", json={"message": user("hi")}).raise_for_status()
    assert main(["explain", "to explain", "--url", server.url]) == 0
    assert "to go" in capsys.readouterr().out
    assert main(["explain", "none", "--url", server.url]) == 1
    assert capsys.readouterr().err == "fastpaca: there is no such context\n"
    assert main(["explain", "none", "--url", "ftp://here"]) == 2
    assert "expected http://host:port or https://host, got 'ftp://here'" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal, which Windows does not have")
@pytest.mark.parametrize("no_color", ["", "1"])
def test_colours_in_a_terminal_alone(tmp_path: Path, no_color: str) -> None:
    make(tmp_path / "data")
    terminal, other_end = os.openpty()
    command = [sys.executable, "-m", "fastpaca", "explain", "chat", "--data-dir", str(tmp_path / "data")]
    environment = os.environ | {"NO_COLOR": no_color, "TERM": "xterm"}
    subprocess.run(command, stdout=other_end, check=True, timeout=60, env=environment)
    os.close(other_end)
    shown = os.read(terminal, 65536).decode()
    os.close(terminal)
    assert "summary" in shown
    assert ("\x1b[" in shown) == (not no_color)
