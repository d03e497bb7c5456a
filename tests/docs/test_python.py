"""The examples of the page on Python that need a server run as printed, against one. The others run with all pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.examples import ROOT, blocks, run_python
from tests.support.server import Server


def test_the_examples_against_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = blocks(ROOT / "docs" / "python.md", "python server")
    assert len(examples) == 2
    with Server(tmp_path / "data") as server:
        monkeypatch.setenv("FASTPACA_URL", server.url)
        for example in examples:
            run_python(example, tmp_path)
