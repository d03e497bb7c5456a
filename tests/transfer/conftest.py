"""Stores to import into: a directory, and a server; and files to import."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import fastpaca
from fastpaca import Store, cli

Json = dict[str, Any]


@dataclass
class Target:
    """A store: how the commands are told of it, and how it is opened."""

    arguments: list[str]
    open: Callable[[], Store]
    prefix: str
    """Before the ids of this test: servers are shared."""

    def load(self, path: Path | str, *arguments: str) -> int:
        """Imports a file; gives the exit code."""
        return cli.main(["import", str(path), *self.arguments, "--prefix", self.prefix, *arguments])

    def messages(self, context: str, **options: Any) -> list[Json]:
        with self.open() as store:
            return list(store.context(self.prefix + context).messages(**options))


@pytest.fixture(params=["directory", "server"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    if request.param == "directory":
        path = tmp_path / "data"
        return Target(["--data-dir", str(path)], lambda: fastpaca.open(path), "")
    url = request.getfixturevalue("server").url
    return Target(["--url", url], lambda: fastpaca.connect(url), uuid.uuid4().hex[:8] + "-")


@pytest.fixture
def directory(tmp_path: Path) -> Target:
    path = tmp_path / "data"
    return Target(["--data-dir", str(path)], lambda: fastpaca.open(path), "")


def write(path: Path, *values: Any) -> Path:
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    return path


def turn(number: int, **fields: Any) -> list[Json]:
    """A question, a call with its result, and an answer."""
    time = {"created_at": f"2026-01-{1 + number % 28:02}T10:00:00Z"}
    function = {"name": "look", "arguments": "{}"}
    call = {"id": f"c{number}", "type": "function", "function": function}
    messages: list[Json] = [
        {"role": "user", "content": f"Question {number}", "id": f"q{number}", "metadata": {"n": number}},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": f"c{number}", "content": "found"},
        {"role": "assistant", "content": "The same answer each time."},
    ]
    return [{**message, **time, **fields} for message in messages]


def lines(turns: int, **fields: Any) -> list[Json]:
    return [message for number in range(turns) for message in turn(number, **fields)]


def told(message: Json) -> Json:
    """A message as it was told, without what the store adds; a text as a part."""
    fields = {name: value for name, value in message.items() if name not in {"seq", "token_count", "inserted_at"}}
    if isinstance(fields.get("content"), str):
        fields["parts"] = [{"type": "text", "text": fields.pop("content")}]
    return fields
