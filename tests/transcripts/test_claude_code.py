"""Claude Code session logs: fragments become messages again, agents their own conversations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fastpaca import transcripts
from fastpaca.transcripts import Conversation, Problem, Usage
from tests.support.data import DATA, needs_data


class Log:
    """Writes log lines as the tool does."""

    def __init__(self, session: str = "s-1") -> None:
        self.session = session
        self.lines: list[dict[str, Any]] = []

    def add(self, kind: str, **fields: Any) -> str:
        uuid = f"u{len(self.lines)}"
        time = f"2026-01-23T10:12:{len(self.lines):02}.000Z"
        line = {"type": kind, "uuid": uuid, "sessionId": self.session, "timestamp": time, "isSidechain": False}
        self.lines.append(line | fields)
        return uuid

    def user(self, content: Any, **fields: Any) -> str:
        return self.add("user", message={"role": "user", "content": content}, **fields)

    def result(self, call: str, **fields: Any) -> str:
        return self.user([{"type": "tool_result", "tool_use_id": call, "content": f"of {call}"}], **fields)

    def assistant(self, id: str, block: dict[str, Any], output: int = 1, **fields: Any) -> str:
        usage = {"input_tokens": 10, "cache_read_input_tokens": 200, "cache_creation_input_tokens": 30}
        message = {
            "id": id,
            "role": "assistant",
            "model": "claude",
            "content": [block],
            "usage": usage | {"output_tokens": output},
        }
        return self.add("assistant", message=message, **fields)

    def read(self, folder: Path, name: str = "log.jsonl") -> list[Conversation]:
        path = folder / name
        path.write_text("\n".join(json.dumps(line) for line in self.lines))
        return list(transcripts.read(path))


def use(call: str) -> dict[str, Any]:
    return {"type": "tool_use", "id": call, "name": "Read", "input": {}}


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def ids(conversation: Conversation) -> list[list[str]]:
    """For each message the calls and results in it, or its text."""
    found = []
    for recorded in conversation.messages:
        content = recorded.message["content"]
        blocks = [text(content)] if isinstance(content, str) else content
        found.append([block.get("id") or block.get("tool_use_id") or block["text"] for block in blocks])
    return found


def test_fragments_of_a_response_are_one_message(tmp_path: Path) -> None:
    log = Log()
    log.add("summary", summary="An earlier session", leafUuid="x")
    log.user("Read both files")
    log.assistant("msg_1", text("Reading."))
    log.assistant("msg_1", use("a"))
    log.add("progress", data={"type": "hook_progress"})
    log.result("a")
    log.assistant("msg_1", use("b"), output=57)
    log.result("b")
    log.assistant("msg_2", text("Done."))
    (found,) = log.read(tmp_path)
    assert (found.id, found.format, found.line) == ("s-1", "claude-code", 2)
    assert ids(found) == [["Read both files"], ["Reading.", "a", "b"], ["a"], ["b"], ["Done."]]
    response = found.messages[1]
    assert (response.call, response.usage) == ("msg_1", Usage(240, 200, 57))
    assert response.message["id"] == "msg_1"
    assert response.message["created_at"] == "2026-01-23T10:12:02.000Z"
    assert [recorded.usage is None for recorded in found.messages] == [True, False, True, True, False]


def test_what_the_model_never_saw_is_left_out(tmp_path: Path) -> None:
    log = Log()
    log.add("file-history-snapshot", snapshot={})
    log.add("system", subtype="turn_duration", durationMs=5)
    log.user("<local-command-caveat>", isMeta=True)
    log.user("Hello")
    log.assistant("x", text("API Error: 529"), isApiErrorMessage=True)
    log.lines[-1]["message"]["model"] = "<synthetic>"
    log.add("queue-operation", operation="enqueue")
    log.assistant("msg_1", text("Hi."))
    (found,) = log.read(tmp_path)
    assert ids(found) == [["<local-command-caveat>"], ["Hello"], ["Hi."]]


def test_agents_are_conversations_of_their_own(tmp_path: Path) -> None:
    log = Log()
    log.user("Ask an agent")
    log.assistant("msg_1", use("task"))
    first = log.user("You are an agent", isSidechain=True, parentUuid=None)
    log.user("You are another", isSidechain=True, parentUuid=None, agentId="a7")
    reply = log.assistant("msg_2", use("q"), isSidechain=True, parentUuid=first)
    log.result("q", isSidechain=True, parentUuid=reply)
    log.assistant("msg_3", text("Yes"), isSidechain=True, parentUuid="u3", agentId="a7")
    log.result("task")
    main, one, other = log.read(tmp_path)
    assert ids(main) == [["Ask an agent"], ["task"], ["task"]]
    assert (one.id, ids(one)) == ("s-1:u2", [["You are an agent"], ["q"], ["q"]])
    assert (other.id, ids(other)) == ("s-1:a7", [["You are another"], ["Yes"]])


def test_a_compaction_is_marked(tmp_path: Path) -> None:
    log = Log()
    log.user("Hello")
    log.add("system", subtype="compact_boundary", compactMetadata={"trigger": "auto", "preTokens": 155_000})
    log.user("This session is being continued", isCompactSummary=True)
    log.user("Go on")
    (found,) = log.read(tmp_path)
    assert [recorded.is_summary for recorded in found.messages] == [False, True, False]


def test_repeated_lines_count_once(tmp_path: Path) -> None:
    log = Log()
    log.user("Hello")
    log.assistant("msg_1", text("Hi."))
    log.lines += log.lines
    (found,) = log.read(tmp_path)
    assert ids(found) == [["Hello"], ["Hi."]]


def test_a_damaged_line_is_reported(tmp_path: Path) -> None:
    log = Log()
    log.user("Hello")
    log.user("lost")
    log.assistant("msg_1", text("Hi."))
    path = tmp_path / "log.jsonl"
    lines = [json.dumps(line) for line in log.lines]
    path.write_text("\n".join([lines[0], lines[1][:-9], '{"type": "user", "uuid": "y", "message": {}}', lines[2]]))
    found: list[Problem] = []
    (conversation,) = transcripts.read(path, on_problem=found.append)
    assert ids(conversation) == [["Hello"], ["Hi."]]
    assert [problem.line for problem in found] == [2, 3]
    assert found[1].text == "a line of type user without content"
    with pytest.raises(transcripts.TranscriptError, match=r"log\.jsonl:2: no valid JSON"):
        list(transcripts.read(path))


@needs_data
def test_recorded_sessions() -> None:
    paths = sorted((DATA / "raw" / "claude_code").glob("*.jsonl.gz"))[:2]
    assert paths
    for path in paths:
        (found,) = transcripts.read(path)
        open_calls: set[str] = set()
        calls = [recorded.call for recorded in found.messages if recorded.call is not None]
        assert len(calls) == len(set(calls)) > 100
        for recorded in found.messages:
            content = recorded.message["content"]
            for block in content if isinstance(content, list) else []:
                if block["type"] == "tool_use":
                    open_calls.add(block["id"])
                elif block["type"] == "tool_result":
                    open_calls.remove(block["tool_use_id"])
        assert len(open_calls) < 5
