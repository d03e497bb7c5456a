"""The command from end to end."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from fastpaca import cli
from fastpaca.commands import common
from fastpaca.transcripts import FORMATS
from tests.simulate.conftest import agent

Write = Callable[..., Path]
POLICIES = ("--policy", "budget", "--policy", "last_n:limit=12", "--budget", "900")


def test_a_table(transcript: Write, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["simulate", str(transcript(agent())), *POLICIES]) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0] == "1 conversation, 61 messages"
    assert lines[2] == "budget 900 tokens"
    table = lines[3:8]
    assert table[0].split()[:4] == ["strategy", "calls", "rejected", "bare"]
    assert [line.split("  ")[0] for line in table[1:]] == [
        "budget",
        "last_n:limit=12",
        "sliding window",
        "trim_messages",
    ]
    assert len({len(line) for line in table}) == 1
    assert "without a rejected request" in out
    assert re.search(r"sliding window: chat-0, call \d+: .*is no call of the message before", out)
    assert "price of a million tokens: 3 new input, 0.3 cached, 15 output" in out
    assert "\x1b" not in out


def test_json(transcript: Write, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["simulate", str(transcript(agent(), agent())), *POLICIES, "--budget", "2_000", "--json"]
    assert cli.main([*arguments, "--price", "1,0,0", "--limit-conversations", "1", "--no-peers"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["conversations"] == 1
    assert found["price_per_million_tokens"] == {"input": 1.0, "cached": 0.0, "output": 0.0}
    assert [(total["budget"], total["strategy"]) for total in found["totals"]] == [
        *((900, "budget"), (900, "last_n:limit=12"), (2000, "budget"), (2000, "last_n:limit=12"))
    ]


@pytest.mark.slow
def test_an_svg_has_a_line_for_each_strategy(transcript: Write, tmp_path: Path) -> None:
    path = tmp_path / "windows.svg"
    assert cli.main(["simulate", str(transcript(agent())), *POLICIES, "--plot", str(path)]) == 0
    root = ET.parse(path).getroot()
    drawn = {group.get("id"): group for group in root.iter("{http://www.w3.org/2000/svg}g")}
    for name in ("budget", "last_n:limit=12", "sliding window", "trim_messages"):
        (line,) = drawn[name].iter("{http://www.w3.org/2000/svg}path")
        points = re.findall(r"[ML] ([\d.]+) ([\d.]+)", line.get("d") or "")
        assert len(points) > 15
        assert len({y for _, y in points}) >= 4


def test_a_png_is_drawn(transcript: Write, tmp_path: Path) -> None:
    path = tmp_path / "windows.PNG"
    assert cli.main(["simulate", str(transcript(agent())), *POLICIES, "--plot", str(path)]) == 0
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG\r\n")
    assert len(content) > 20_000


def test_without_matplotlib_it_says_what_to_install(
    transcript: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("fastpaca.simulate.plot.find_spec", lambda _: None)
    assert cli.main(["simulate", str(transcript(agent())), "--plot", str(tmp_path / "a.svg")]) == 2
    assert "pip install 'fastpaca[plot]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--policy", "fly"], "fly"),
        (["--policy", "last_n:limit=none"], "limit"),
        (["--price", "1,2"], "three numbers"),
        (["--plot", "a.gif"], ".png or .svg"),
        (["--plot", "none/a.svg"], "no directory"),
    ],
)
def test_a_wrong_call_is_2(
    transcript: Write, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert cli.main(["simulate", str(transcript(agent())), *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--budget", "0"], ["--budget", "x"], ["--trigger", "2"], ["--format", "word"], ["--target", "0"]]
)
def test_a_wrong_option_is_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["simulate", "a.jsonl", *arguments])
    assert ended.value.code == 2


def test_a_file_that_can_not_be_read_is_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["simulate", str(tmp_path / "none.jsonl"), *POLICIES]) == 1
    assert "none.jsonl: can't be opened" in capsys.readouterr().err


def test_no_call_is_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"role": "user", "content": "Anyone?"}\n')
    assert cli.main(["simulate", str(path), *POLICIES]) == 1
    assert "no model call was found" in capsys.readouterr().err


def test_damage_is_reported(transcript: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = transcript(agent())
    path.write_text(path.read_text() + "{\n" * 7)
    assert cli.main(["simulate", str(path), *POLICIES]) == 0
    out = capsys.readouterr().out
    assert "left out: 7 lines or messages that can't be read" in out
    assert f"{path}:2: no valid JSON" in out
    assert "and 2 more" in out


def test_the_formats_offered_are_those_that_are_read() -> None:
    assert common.FORMATS == FORMATS


def test_help_explains_itself() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "fastpaca", "simulate", "--help"], capture_output=True, text=True, check=True, timeout=60
    )
    for word in ("Claude Code session logs", "--policy NAME[:KEY=VALUE,...]", "examples:", "No model is"):
        assert word in ran.stdout
