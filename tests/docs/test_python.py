"""The examples of the pages that need a server run as printed, against one. The others run with all pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.examples import ROOT, blocks, run_python
from tests.support.server import Server


@pytest.mark.slow
@pytest.mark.parametrize(("page", "count"), [("python.md", 2), ("quickstart.md", 1)])
def test_the_examples_against_a_server(page: str, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = blocks(ROOT / "docs" / page, "python server")
    assert len(examples) == count
    with Server(tmp_path / "data") as server:
        monkeypatch.setenv("FASTPACA_URL", server.url)
        for example in examples:
            run_python(example, tmp_path)


def test_the_endpoint_of_the_quick_start_answers(tmp_path: Path) -> None:
    endpoint = next(block for block in blocks(ROOT / "docs" / "quickstart.md", "python") if "Starlette(" in block)
    run_python(f"{endpoint}\n{TRIED}", tmp_path)


TRIED = """
import asyncio, json, httpx

async def tried():
    async with app.router.lifespan_context(app):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
            said = {"id": "m1", "content": "What is an alpaca?"}
            lines = (await client.post("/chats/1", json=said)).text.splitlines()
            events = [json.loads(line.removeprefix("data:")) for line in lines if line.startswith("data:")]
            assert "".join(event.get("delta", "") for event in events) == "A camelid of the Andes."
            told = (await client.get("/chats/1")).json()
            assert [m["role"] for m in told] == ["user", "assistant"]
            assert (await client.post("/chats/1", json=said)).json() == told
            assert (await client.get("/chats/1")).json() == told

asyncio.run(tried())
"""
