"""Claude Code session logs: JSON lines of a session and, among them, of the agents that it started (sidechains).

The provider's response comes in fragments, one line for each block, with the results of tools between them; fragments
of one message id become one message again. Lines that the model never saw (progress, hooks, snapshots, errors of the
interface) are left out, and so are lines that a resumed session repeats. Branches that the user went back from stay,
in the order of the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from fastpaca.transcripts import fields
from fastpaca.transcripts.conversation import Conversation, OnProblem, Problem, Recorded, Usage
from fastpaca.transcripts.source import Value

_NOT_THE_MODEL: Final = "<synthetic>"


@dataclass(slots=True)
class _Message:
    """A message while its fragments come in."""

    message: dict[str, Any]
    number: int
    """Of its first line."""
    usage: Usage | None = None
    call: str | None = None
    is_summary: bool = False

    def recorded(self) -> Recorded:
        return Recorded(self.message, self.usage, self.call, self.is_summary, self.number)


@dataclass(slots=True)
class _Chain:
    """The session itself, or one of its agents."""

    id: str
    line: int
    messages: list[_Message] = field(default_factory=list)
    last: _Message | None = None
    """The response whose fragments may still come."""

    def add_user(self, number: int, line: dict[str, Any], content: object) -> None:
        is_summary = line.get("isCompactSummary") is True
        message = _message(line, "user", content, line.get("uuid"))
        self.messages.append(_Message(message, number, is_summary=is_summary))

    def add_assistant(self, number: int, line: dict[str, Any], message: dict[str, Any], content: object) -> None:
        call = message.get("id")
        call = call if isinstance(call, str) else None
        if self.last is None or call is None or self.last.call != call:
            self.last = _Message(_message(line, "assistant", content, call), number, call=call)
            self.messages.append(self.last)
        else:
            held = self.last.message
            held["content"] = _blocks(held["content"]) + _blocks(content)
        counted = message.get("usage")
        if isinstance(counted, dict):
            self.last.usage = fields.usage_of(counted) or self.last.usage


@dataclass(slots=True)
class _Session:
    """A log while it is read."""

    path: Path
    on_problem: OnProblem
    chains: dict[str | None, _Chain] = field(default_factory=dict)
    roots: dict[str, str] = field(default_factory=dict)
    """First line of the sidechain that a line belongs to, by uuid, for logs that name no agents."""
    seen: set[str] = field(default_factory=set)

    def push(self, found: Value) -> None:
        line = found.value
        if not isinstance(line, dict):
            self.on_problem(Problem(self.path, found.line, f"expected an object, got {line!r:.60}"))
            return
        if line.get("type") not in ("user", "assistant") or self._is_repeated(line):
            return
        message = line.get("message")
        content = message.get("content") if isinstance(message, dict) else None
        if not isinstance(message, dict) or not isinstance(content, str | list):
            self.on_problem(Problem(self.path, found.line, f"a line of type {line['type']} without content"))
            return
        if line.get("isApiErrorMessage") is True or message.get("model") == _NOT_THE_MODEL:
            return
        chain = self._chain(found.line, line)
        if line["type"] == "assistant":
            chain.add_assistant(found.line, line, message, content)
        else:
            chain.add_user(found.line, line, content)

    def _is_repeated(self, line: dict[str, Any]) -> bool:
        uuid = line.get("uuid")
        if not isinstance(uuid, str):
            return False
        if uuid in self.seen:
            return True
        self.seen.add(uuid)
        return False

    def _chain(self, number: int, line: dict[str, Any]) -> _Chain:
        key = self._agent(line) if line.get("isSidechain") is True else None
        chain = self.chains.get(key)
        if chain is None:
            session = line.get("sessionId")
            name = session if isinstance(session, str) and session else self.path.name.split(".")[0]
            chain = self.chains[key] = _Chain(name if key is None else f"{name}:{key}", number)
        return chain

    def _agent(self, line: dict[str, Any]) -> str:
        """What tells an agent's lines from others': its id, or the first line of its chain."""
        agent = line.get("agentId")
        if isinstance(agent, str) and agent:
            return agent
        uuid, parent = str(line.get("uuid")), line.get("parentUuid")
        root = self.roots.get(parent, uuid) if isinstance(parent, str) else uuid
        self.roots[uuid] = root
        return root


def conversations(values: Iterable[Value], path: Path, on_problem: OnProblem) -> Iterator[Conversation]:
    """The session, then its agents. A log is one conversation, so its messages are held until its end."""
    session = _Session(path, on_problem)
    for found in values:
        session.push(found)
    for key in sorted(session.chains, key=lambda key: key is not None):
        chain = session.chains[key]
        recorded = tuple(each.recorded() for each in chain.messages)
        yield Conversation(chain.id, "claude-code", path, chain.line, recorded)


def _message(line: dict[str, Any], role: str, content: object, id: object) -> dict[str, Any]:
    message: dict[str, Any] = {"role": role, "content": content}
    if isinstance(id, str) and id:
        message["id"] = id
    time = line.get("timestamp")
    if isinstance(time, str):
        message["created_at"] = time
    return message


def _blocks(content: object) -> list[Any]:
    return content if isinstance(content, list) else [{"type": "text", "text": content}]
