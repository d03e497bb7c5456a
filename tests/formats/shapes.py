"""What of a request a longer window may change."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def grows(before: Json, after: Json) -> bool:
    """Whether `after` only adds to the messages of `before`; the last one may grow at its end."""
    if "input" in before:
        if before["instructions"] is None and after["instructions"] is not None:
            # Of a head alone: its texts were the input.
            return bool(after["instructions"].startswith(before["input"][0]["content"]) and len(before["input"]) == 1)
        return bool(before["input"] == after["input"][: len(before["input"])])
    old, new = before["messages"], after["messages"]
    if len(old) > len(new):
        return False
    if old == new[: len(old)]:
        return True
    last, now = old[-1], new[len(old) - 1]
    if old[:-1] == new[: len(old) - 1] and last["role"] == now["role"] and isinstance(last["content"], list):
        return bool(now["content"][: len(last["content"])] == last["content"])
    calls = last.get("tool_calls", [])
    return bool(
        old[:-1] == new[: len(old) - 1]
        and last["role"] == now["role"] == "assistant"
        and now.get("tool_calls", [])[: len(calls)] == calls
    )
