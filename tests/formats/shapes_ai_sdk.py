"""What requests of the AI SDK have to look like, and what of them a longer window may change."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

ANSWERED = {"output-available", "output-error", "output-denied"}
WAITING = {"input-streaming", "input-available", "approval-requested", "approval-responded"}


def model_faults(request: Json) -> list[str]:
    """What is wrong with `{system, messages: ModelMessage[]}`, in words."""
    found: list[str] = []
    waiting: dict[str, str] = {}
    seen: set[str] = set()
    for n, message in enumerate(request["messages"]):
        content = message["content"]
        parts = content if isinstance(content, list) else []
        if message["role"] == "tool":
            results = [part for part in parts if part["type"] == "tool-result"]
            found += [
                f"{n}: no call for {part}"
                for part in results
                if waiting.pop(part["toolCallId"], None) != part["toolName"] or "type" not in part["output"]
            ]
            continue
        if waiting:
            found.append(f"{n}: {waiting} have no result")
        calls = {part["toolCallId"]: part["toolName"] for part in parts if part["type"] == "tool-call"}
        own = [part for part in parts if part["type"] == "tool-call" and not part.get("providerExecuted")]
        waiting = {part["toolCallId"]: part["toolName"] for part in own}
        found += [f"{n}: id {call!r}" for call in waiting if call in seen or not 0 < len(call) <= 40]
        found += [f"{n}: no input of {part}" for part in own if "input" not in part]
        seen |= set(calls)
        if message["role"] == "assistant" and (not content or (parts and parts[-1]["type"] == "reasoning")):
            found.append(f"{n}: an assistant message that says nothing")
        if message["role"] == "system" and not (n and isinstance(content, str)):
            found.append(f"{n}: a system message that belongs into `system`")
    if waiting:
        found.append(f"{waiting} have no result")
    if request.keys() - {"system", "messages"} or not isinstance(request.get("system", ""), str):
        found.append(f"{list(request)}")
    return found


def ui_faults(request: Json) -> list[str]:
    """What is wrong with `{messages: UIMessage[]}` where no call may wait, in words."""
    found: list[str] = []
    seen: set[str] = set()
    for n, message in enumerate(request["messages"]):
        if message.keys() - {"id", "role", "metadata", "parts"} or not isinstance(message["id"], str):
            found.append(f"{n}: {list(message)}")
        if message["role"] not in {"system", "user", "assistant"}:
            found.append(f"{n}: role {message['role']}")
        if not message["parts"] and message["role"] != "assistant":
            found.append(f"{n}: no parts")
        for part in message["parts"]:
            if not _is_tool(part):
                continue
            if part["toolCallId"] in seen:
                found.append(f"{n}: {part['toolCallId']} stands twice")
            seen.add(part["toolCallId"])
            if part["state"] not in ANSWERED and not part.get("providerExecuted"):
                found.append(f"{n}: {part} waits")
    return found


def _is_tool(part: Json) -> bool:
    return bool(part["type"].startswith("tool-") or part["type"] == "dynamic-tool")


def model_grows(before: Json, after: Json) -> bool:
    """Whether `after` only adds at the end of `before`; the last message of the model may get more parts."""
    old, new = before["messages"], after["messages"]
    if not old:
        return True
    last = len(old) - 1
    if before.get("system") != after.get("system") or old[:last] != new[:last] or len(new) < len(old):
        return False
    if old[last] == new[last]:
        return True
    longer, shorter = new[last]["content"], old[last]["content"]
    return isinstance(shorter, list) and longer[: len(shorter)] == shorter and new[last]["role"] == "assistant"


def ui_grows(before: Json, after: Json) -> bool:
    """The same of UI messages; the last one's calls may get their results."""
    old, new = before["messages"], after["messages"]
    if not old:
        return True
    last = len(old) - 1
    if old[:last] != new[:last] or len(new) < len(old):
        return False
    shorter, longer = old[last]["parts"], new[last]["parts"]
    kept = [
        now == was or (was.get("state") in WAITING and now["toolCallId"] == was["toolCallId"])
        for was, now in zip(shorter, longer, strict=False)
    ]
    return len(longer) >= len(shorter) and all(kept) and old[last] | {"parts": 0} == new[last] | {"parts": 0}
