"""The page on commands and the README know every command; the example of an export is one."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

import fastpaca
from fastpaca import cli
from fastpaca.commands import common
from tests.support.examples import ROOT, blocks

PAGE = ROOT / "docs" / "cli.md"


def commands() -> list[str]:
    (found,) = (each for each in cli._parser()._actions if isinstance(each, argparse._SubParsersAction))
    return list(found.choices)


@pytest.mark.parametrize("name", commands())
def test_every_command_is_told_of(name: str) -> None:
    assert f"| `{name}" in PAGE.read_text()
    assert f"| `fastpaca {name}` |" in (ROOT / "README.md").read_text()


def test_every_exit_code_is_told_of() -> None:
    codes = [value for name, value in vars(common).items() if name.startswith("EXIT_")]
    assert len(codes) == 5
    for code in codes:
        assert f"\n| {code} |" in PAGE.read_text()


def test_the_lines_of_an_export(tmp_path: Path) -> None:
    (example,) = blocks(PAGE, "json")
    path = tmp_path / "lines.jsonl"
    path.write_text(example)
    assert cli.main(["import", str(path), "--data-dir", str(tmp_path / "data")]) == 0
    with fastpaca.open(tmp_path / "data") as store:
        (message,) = store.context("chat-1").messages()
    assert (message["created_at"], message["token_count"]) == ("2026-01-31T09:30:00.000Z", 5)
