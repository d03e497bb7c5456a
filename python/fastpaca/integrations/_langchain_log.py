"""Keeps a log equal to the messages of a graph's state, whatever became of the graph's nodes meanwhile.

A node may run again: after a crash, from a checkpoint of the past, by a retry. So what the state holds is compared with
what the log holds, by ids and content. What is missing is appended; what the state never had, or has no longer, leaves
the window by a rewind and stays in the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NotRequired, TypedDict

from langchain_core.messages import BaseMessage

from fastpaca.integrations._awaited import Awaited, digest
from fastpaca.integrations._langchain_messages import mark_of, stored

_BATCH = 100


class Answer(TypedDict):
    """A message that the model gave to a window, and to nothing else."""

    id: str
    window_version: int


class Synced(TypedDict):
    """How far the state's messages are in the log. Checkpointed with the state, so an old state has an old one."""

    thread: str
    """Id of the first message that the state ever had: its messages in the log carry it."""
    count: int
    """So many messages of the state are in the log."""
    digest: str
    """What those are."""
    seq: int
    """The last of them in the log."""
    answer: NotRequired[Answer]
    """The newest answer, until it is in the log."""


async def sync(calls: Awaited, messages: Sequence[BaseMessage], synced: Synced | None) -> Synced | None:
    """Brings the log to the state's messages. Again: changes nothing."""
    if synced is None and not messages:
        return None
    thread = synced["thread"] if synced else str(messages[0].id)
    answer = synced.get("answer") if synced else None
    versions = {answer["id"]: answer["window_version"]} if answer else {}
    bodies = [stored(message, thread=thread, window_version=versions.get(str(message.id))) for message in messages]
    seq, there, rest = await _compared(calls, bodies, synced)
    before = seq
    for message in there:
        # Somebody else's are seen by the model and are not in the state.
        if mark_of(message).get("thread") == thread:
            if not rest or not _is_same(message, rest[0]):
                await calls.rewind(before)
                break
            seq, rest = message["seq"], rest[1:]
        before = message["seq"]
    for start in range(0, len(rest), _BATCH):
        seq = (await calls.append_once(rest[start : start + _BATCH])).seq
    return {"thread": thread, "count": len(bodies), "digest": _name(bodies), "seq": seq}


async def _compared(
    calls: Awaited, bodies: list[dict[str, Any]], synced: Synced | None
) -> tuple[int, list[dict[str, Any]], list[dict[str, Any]]]:
    """The last message known to be in the log, what the log holds behind it, and what the state holds behind it."""
    if synced is None:
        first = await calls.append_once(bodies[:1])
        there = await calls.messages(first.seq + 1) if first.replayed else []
        return first.seq, there, bodies[1:]
    count = synced["count"]
    if count and _name(bodies[:count]) == synced["digest"]:
        there = await calls.messages(synced["seq"])
        if there and there[0]["seq"] == synced["seq"]:
            return synced["seq"], there[1:], bodies[count:]
    return 0, await calls.messages(), bodies


def _is_same(message: dict[str, Any], body: dict[str, Any]) -> bool:
    return message.get("id") == body.get("id") and mark_of(message).get("digest") == mark_of(body)["digest"]


def _name(bodies: list[dict[str, Any]]) -> str:
    return digest([mark_of(body)["digest"] for body in bodies])
