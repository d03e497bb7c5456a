"""The chat example, as its own process: over HTTP, and in a real browser where one is installed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.server import Server, free_port

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
WAIT_S = 20


class App:
    """`python examples/chat/app.py` on a free port."""

    def __init__(self, data: Path, **env: str) -> None:
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self._log = data / "app.log"
        env = {**os.environ, "OPENAI_API_KEY": "", "PORT": str(port), "FASTPACA_DATA_DIR": str(data / "store"), **env}
        command = [sys.executable, str(ROOT / "examples" / "chat" / "app.py")]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        until(self._is_up)

    def _is_up(self) -> bool:
        assert self.process.poll() is None, self._log.read_text()
        try:
            return httpx.get(self.url, timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> str:
        """Gives what it logged."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(WAIT_S)
        finally:
            self.process.kill()
        return self._log.read_text()

    def read(self, chat: str) -> dict[str, Any]:
        state: dict[str, Any] = httpx.get(f"{self.url}/chats/{chat}").json()
        return state

    def said(self, chat: str) -> list[str]:
        return [
            message["parts"][0]["text"] for message in self.read(chat)["messages"] if message["role"] == "assistant"
        ]

    def send(self, chat: str, id: str, content: object) -> httpx.Response:
        return httpx.post(f"{self.url}/chats/{chat}/messages", json={"id": id, "content": content}, timeout=WAIT_S)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """One for all: each test has a chat of its own."""
    app = App(tmp_path_factory.mktemp("chat"), CHAT_PAUSE_S="0.03", CHAT_BUDGET="300")
    try:
        yield app
    finally:
        log = app.stop()
        assert "Traceback" not in log, log


@pytest.mark.slow
def test_an_answer_streams_and_is_kept(app: App) -> None:
    assert app.read("one")["messages"] == []
    with httpx.stream("GET", f"{app.url}/chats/one/events?cursor=0", timeout=WAIT_S) as events:
        assert app.send("one", "m1", "Hello!").status_code == 202
        frames: list[dict[str, Any]] = []
        for line in events.iter_lines():
            if line.startswith("data: "):
                frames.append(json.loads(line.removeprefix("data: ")))
                if frames[-1].get("role") == "assistant":
                    break
    drafts = "".join(frame["delta"] for frame in frames if frame["type"] == "draft")
    assert len([frame for frame in frames if frame["type"] == "draft"]) > 3
    [said] = app.said("one")
    assert said == "You said: Hello!\n\nThe window that I was given holds 2 messages."
    assert said.startswith(drafts)  # the last words may come with the message alone
    assert app.read("one")["used_tokens"] > 0


@pytest.mark.slow
def test_sending_again_doubles_nothing_and_a_second_answer_waits(app: App) -> None:
    assert app.send("two", "m1", "Hello!").status_code == 202
    refused = app.send("two", "m2", "Are you there?")
    assert (refused.status_code, refused.json()["message"]) == (409, "the last answer is not finished yet")
    until(lambda: len(app.said("two")) == 1)
    until(lambda: app.send("two", "m1", "Hello!").status_code == 202)
    until(lambda: app.send("two", "m2", "Are you there?").status_code == 202)
    until(lambda: len(app.said("two")) == 2)
    assert [message["role"] for message in app.read("two")["messages"]] == ["system"] + ["user", "assistant"] * 2


def _turn(app: App, chat: str, id: str, content: str) -> None:
    """Says something, and waits for the answer."""
    before = len(app.said(chat))
    until(lambda: app.send(chat, id, content).status_code == 202)
    until(lambda: len(app.said(chat)) > before)


@pytest.mark.slow
def test_what_is_old_is_summarised_and_still_shown(app: App) -> None:
    for n in range(1, 6):
        _turn(app, "three", f"m{n}", f"Tell me about llama number {n}. " * 2)
        assert len(app.said("three")) == n
    state = app.read("three")
    assert len(state["messages"]) == 11
    until(lambda: app.read("three")["used_tokens"] < sum(message["token_count"] for message in state["messages"]))


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/chats/four/messages", b"{", 400),
        ("POST", "/chats/four/messages", b'["m1"]', 400),
        ("POST", "/chats/four/messages", b'{"id": 1, "content": "x"}', 400),
        ("POST", "/chats/four/messages", b'{"id": "m", "content": "\\ud800"}', 400),
        ("POST", f"/chats/{'x' * 300}/messages", b'{"id": "m", "content": "x"}', 400),
        ("GET", "/chats/four/events?cursor=x", b"", 400),
        ("GET", f"/chats/{'x' * 300}", b"", 400),
    ],
)
def test_bad_requests_are_told_so(app: App, method: str, path: str, body: bytes, status: int) -> None:
    reply = httpx.request(method, app.url + path, content=body, timeout=WAIT_S)
    assert (reply.status_code, bool(reply.json()["message"])) == (status, True)


@pytest.mark.slow
def test_it_runs_against_a_server(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", FASTPACA_FSYNC="off")
    try:
        app = App(tmp_path, FASTPACA_URL=server.url, CHAT_PAUSE_S="0")
        try:
            assert app.send("one", "m1", "Hello!").status_code == 202
            until(lambda: len(app.said("one")) == 1)
        finally:
            app.stop()
    finally:
        server.stop()


@pytest.mark.slow
def test_an_answer_that_the_end_of_the_app_interrupts_is_kept(tmp_path: Path) -> None:
    app = App(tmp_path, CHAT_PAUSE_S="1")
    assert app.send("one", "m1", "Hello!").status_code == 202
    log = app.stop()
    assert "Traceback" not in log, log
    app = App(tmp_path)
    try:
        [message] = [message for message in app.read("one")["messages"] if message["role"] == "assistant"]
        assert message["parts"][0]["text"].startswith("You ")
        assert message["metadata"] == {"status": "interrupted"}
    finally:
        app.stop()


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_in_a_browser_a_reload_shows_the_half_finished_answer(tmp_path: Path) -> None:
    sync_api = pytest.importorskip("playwright.sync_api")
    app = App(tmp_path, CHAT_PAUSE_S="0.2", CHAT_BUDGET="600")
    try:
        with sync_api.sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            try:
                _use(sync_api, browser.new_page(), app)
            finally:
                browser.close()
    finally:
        app.stop()


def _use(sync_api: Any, page: Any, app: App) -> None:
    """What a person does: says something, reloads while the answer comes, goes on, and opens a new chat."""
    expect = sync_api.expect
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(app.url)
    page.get_by_label("Message").fill("What is an alpaca? 🦙")
    page.keyboard.press("Enter")
    answer = page.locator("li[data-role=assistant]")
    expect(answer).to_contain_text("You said:")
    page.reload()
    expect(page.locator("li[data-role=user]")).to_have_text("What is an alpaca? 🦙")
    expect(answer).to_contain_text("You said: What is")
    expect(answer).to_have_attribute("aria-busy", "true")
    expect(answer).to_have_text(
        "You said: What is an alpaca? 🦙\n\nThe window that I was given holds 2 messages.", timeout=15_000
    )
    expect(answer).not_to_have_attribute("aria-busy", "true")
    used = page.locator("#used").inner_text()
    assert used.endswith(" of 600 tokens")
    assert int(used.split()[0]) > 20
    page.get_by_label("Message").fill("<b>And a llama?</b>")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("li[data-role=user]")).to_have_text(["What is an alpaca? 🦙", "<b>And a llama?</b>"])
    expect(answer).to_have_count(2)
    page.get_by_role("button", name="New chat").click()
    expect(page.locator("li")).to_have_count(0)
    assert errors == []
