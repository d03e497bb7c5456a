"""Imports that are killed, cut off and called wrongly: run again they go on, and nothing is lost or doubled."""

from __future__ import annotations

import json
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import fastpaca
from fastpaca import cli
from tests.support.server import Server
from tests.transfer.conftest import Target, lines, told, write

COMMAND = [sys.executable, "-m", "fastpaca", "import"]
TURNS = 900


def complete(target: Target, turns: int = TURNS) -> bool:
    return [told(message) for message in target.messages("chat")] == [told(message) for message in lines(turns)]


@pytest.mark.slow
def test_killed_in_the_middle(target: Target, tmp_path: Path) -> None:
    path = write(tmp_path / "chat.jsonl", *lines(TURNS))
    text = path.read_bytes()
    arguments = [*target.arguments, "--prefix", target.prefix, "--context", "chat", "--policy", "last_n:limit=30"]
    # Its input never ends: it has written some batches, holds one, and waits for more.
    running = subprocess.Popen([*COMMAND, "/dev/stdin", *arguments], stdin=subprocess.PIPE)
    assert running.stdin is not None
    running.stdin.write(text[: len(text) * 2 // 3])
    running.stdin.flush()
    time.sleep(0.5)
    running.kill()
    assert running.wait(timeout=30) == -signal.SIGKILL
    running.stdin.close()
    assert 400 < len(target.messages("chat")) < 4 * TURNS
    assert cli.main(["import", str(path), *arguments]) == 0
    assert complete(target)
    with target.open() as store:
        assert store.context(f"{target.prefix}chat").info().policy["strategy"] == "last_n"


@pytest.mark.slow
def test_killed_again_and_again(target: Target, tmp_path: Path) -> None:
    path = write(tmp_path / "chat.jsonl", *lines(TURNS))
    command = [*COMMAND, str(path), *target.arguments, "--prefix", target.prefix, "--policy", "last_n:limit=30"]
    # From before it has begun on, and often enough while it is at work, however fast the machine is.
    killed, wait_s = 0, 0.2
    while True:
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            code = running.wait(timeout=wait_s)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait(timeout=30)
            killed += 1
            wait_s *= 1.15
            continue
        assert code == 0
        break
    assert killed > 1
    assert complete(target)


@pytest.mark.slow
def test_two_at_once(server: Server, tmp_path: Path) -> None:
    path = write(tmp_path / "twice.jsonl", *lines(TURNS))
    running = [
        subprocess.Popen([*COMMAND, str(path), "--url", server.url], stdout=subprocess.DEVNULL) for _ in range(2)
    ]
    assert {each.wait(timeout=60) for each in running} <= {0, 1}
    assert cli.main(["import", str(path), "--url", server.url]) == 0
    with fastpaca.connect(server.url) as store:
        assert [told(m) for m in store.context("twice").messages()] == [told(m) for m in lines(TURNS)]


def kill_when_it_has_messages(server: Server) -> None:
    with fastpaca.connect(server.url) as store:
        while not any(info.last_seq for info in store.contexts()):
            time.sleep(0.01)
    server.kill()


@pytest.mark.slow
def test_the_server_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("fastpaca.connect.__kwdefaults__", {"timeout": 2.0, "retries": 2, "deadline": 1.0})
    path = write(tmp_path / "chat.jsonl", *lines(5000))
    first = Server(tmp_path / "data")
    killer = threading.Thread(target=kill_when_it_has_messages, args=(first,))
    killer.start()
    assert cli.main(["import", str(path), "--url", first.url]) == 3
    killer.join()
    assert "run the same command again" in capsys.readouterr().err
    with Server(tmp_path / "data") as second:
        again = Target(["--url", second.url], lambda: fastpaca.connect(second.url), "")
        assert 0 < len(again.messages("chat")) < 20_000
        assert again.load(path) == 0
        assert complete(again, 5000)


def test_no_server(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastpaca.connect.__kwdefaults__", {"timeout": 1.0, "retries": 0, "deadline": 1.0})
    path = write(tmp_path / "chat.jsonl", *lines(1))
    assert cli.main(["import", str(path), "--url", "http://127.0.0.1:9"]) == 3
    assert "stopped: " in capsys.readouterr().err
    assert cli.main(["export", "--url", "http://127.0.0.1:9"]) == 1
    assert cli.main(["import", str(path), "--url", "ftp://x"]) == 2
    assert "expected http://host:port" in capsys.readouterr().err


def test_a_server_that_never_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("fastpaca.connect.__kwdefaults__", {"timeout": 0.2, "retries": 0, "deadline": 1.0})
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert cli.main(["export", "--url", url, "-o", str(tmp_path / "all.jsonl")]) == 1
        assert "no answer within 0.2 s" in capsys.readouterr().err
        assert cli.main(["import", str(write(tmp_path / "chat.jsonl", *lines(1))), "--url", url]) == 3
        assert "no answer within 0.2 s" in capsys.readouterr().err
    assert not (tmp_path / "all.jsonl").exists()


@pytest.mark.slow
def test_a_full_disk(directory: Target, tmp_path: Path) -> None:
    path = write(tmp_path / "chat.jsonl", *lines(5000))
    ran = subprocess.run(
        [*COMMAND, str(path), *directory.arguments],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (700_000, 700_000)),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 3, ran.stderr
    assert "fastpaca: stopped: " in ran.stderr
    assert "run the same command again" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert 0 < len(directory.messages("chat")) < 20_000
    assert directory.load(path) == 0
    assert complete(directory, 5000)


@pytest.mark.slow
def test_interrupted(directory: Target, tmp_path: Path) -> None:
    running = subprocess.Popen(
        [*COMMAND, "/dev/stdin", *directory.arguments],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Where the tests run in the background of a shell, it is ignored, and that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    assert running.stdin is not None
    running.stdin.write("".join(json.dumps(line) + "\n" for line in lines(500)))
    running.stdin.flush()
    time.sleep(1.0)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=30)
    assert running.returncode == 130
    assert errors.startswith("fastpaca: interrupted; ")
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        (None, [], "chat.jsonl: can't be opened: No such file"),
        ("", [], "chat.jsonl: holds no conversation"),
        ("hello\nworld\n", [], "chat.jsonl:1: no valid JSON"),
        ('{"type":"user","uuid":"u","sessionId":"s"}', ["--format", "openai"], "looks like claude-code, not openai"),
        ('{"role":"user","content":"x"}', ["--format", "claude-code"], "chat.jsonl:1: does not look like claude-code"),
        ('{"role":"tool","tool_call_id":"c","content":"x"}', ["--format", "anthropic"], "looks like openai, not anth"),
        ('{"role":"u","content":[{"type":"tool_use","id":"t"}]}', ["--format", "ai-sdk"], "looks like anthropic, not"),
    ],
)
def test_bad_files(
    directory: Target,
    tmp_path: Path,
    content: str | None,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "chat.jsonl"
    if content is not None:
        path.write_text(content)
    assert directory.load(path, *arguments) == 1
    assert message in capsys.readouterr().out
    assert directory.load(tmp_path) == 1
    assert "can't be" in capsys.readouterr().out


def test_one_bad_file_holds_no_other_up(directory: Target, tmp_path: Path) -> None:
    good = write(tmp_path / "good.jsonl", *lines(1))
    assert cli.main(["import", str(tmp_path / "none.jsonl"), str(good), *directory.arguments]) == 1
    assert len(directory.messages("good")) == 4


@pytest.mark.parametrize(
    "arguments",
    [
        ["--url", "http://x", "--data-dir", "y"],
        ["--budget", "0"],
        ["--budget", "many"],
        ["--format", "word"],
    ],
)
def test_a_wrong_call_is_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["import", "a.jsonl", *arguments])
    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("fly", "fly"),
        ("last_n:limit=none", "limit"),
        ("last_n", "limit"),
        ("last_n:limit=5,speed=1", "speed"),
        ("", "NAME"),
    ],
)
def test_a_wrong_policy_is_2(
    directory: Target, tmp_path: Path, policy: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert directory.load(write(tmp_path / "chat.jsonl", *lines(1)), "--policy", policy) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


def test_a_store_in_use(directory: Target, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "chat.jsonl", *lines(1))
    with directory.open():
        for command in (["import", str(path)], ["export"]):
            assert cli.main([*command, *directory.arguments]) == 1
            assert "already open" in capsys.readouterr().err


def test_progress_on_a_terminal_only(
    directory: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr("fastpaca.commands.common._TERMINAL_S", 0.0)
    path = write(tmp_path / "chat.jsonl", *lines(200))
    assert directory.load(path, "--dry-run") == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert directory.load(path) == 0
    shown = capsys.readouterr().err.split("\r\x1b[K")
    assert "100%  500 messages, 1 contexts" in shown[-2]
    assert shown[-1] == ""
