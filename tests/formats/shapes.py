"""What a request of OpenAI chat has to look like, and what of it a longer window may change."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def faults(request: Json) -> list[str]:
    """What the API would refuse, in words; empty for a request that it takes."""
    found: list[str] = []
    waiting: list[str] = []
    seen: set[str] = set()
    for n, message in enumerate(request["messages"]):
        role = message["role"]
        if role == "tool":
            if message["tool_call_id"] not in waiting:
                found.append(f"{n}: no call {message['tool_call_id']} waits")
            else:
                waiting.remove(message["tool_call_id"])
            found += _content(n, message["content"], {"text"})
            continue
        if waiting:
            found.append(f"{n}: {waiting} have no result")
        waiting = []
        if role == "assistant":
            found += _assistant(n, message)
            waiting = [call["id"] for call in message.get("tool_calls", [])]
            found += [f"{n}: {call} stands twice" for call in waiting if call in seen]
            seen |= set(waiting)
        elif role in {"system", "developer"}:
            found += _content(n, message["content"], {"text"})
        elif role == "user":
            found += _content(n, message["content"], {"text", "image_url", "input_audio", "file"})
        else:
            found.append(f"{n}: role {role}")
    return found


def responses_faults(request: Json) -> list[str]:
    """What the responses API would refuse, in words."""
    found: list[str] = []
    calls: dict[str, str] = {}
    answered: set[str] = set()
    items = [*request["input"], {"role": "user"}]
    for n, item in enumerate(items[:-1]):
        kind = item.get("type", "message")
        if kind == "reasoning" and not (items[n + 1].get("role") == "assistant" or "type" in items[n + 1]):
            found.append(f"{n}: reasoning without its item")
        elif kind.endswith("_call") and item.get("call_id") is not None:
            if item["call_id"] in calls or not 0 < len(item["call_id"]) <= 64:
                found.append(f"{n}: id {item['call_id']}")
            calls[item["call_id"]] = kind
        elif kind.endswith("_output") and item["call_id"] is not None:
            call_id = item["call_id"]
            # A search's output is named without `_call`, and the API takes a function's for it.
            asked = calls.get(call_id, "").removesuffix("_call")
            if asked not in {kind.removesuffix("_output").removesuffix("_call"), "tool_search"} or call_id in answered:
                found.append(f"{n}: {kind} {call_id} has no call")
            answered.add(call_id)
        elif kind == "message" and item["role"] != "assistant":
            found += _content(n, item["content"], {"input_text", "input_image", "input_file"})
    found += [f"{call} has no output" for call in calls if call not in answered]
    if set(request) != {"instructions", "input"}:
        found.append(f"{list(request)}")
    return found


def _assistant(n: int, message: Json) -> list[str]:
    found: list[str] = []
    content = message["content"]
    calls = message.get("tool_calls", [])
    if not content and not calls and not message.get("refusal") and not message.get("audio"):
        found.append(f"{n}: an assistant message without content")
    if content is not None:
        found += _content(n, content, {"text", "refusal"})
    for call in calls:
        inner = call[call["type"]]
        if not isinstance(inner["arguments" if call["type"] == "function" else "input"], str):
            found.append(f"{n}: arguments are no string")
        if not 0 < len(call["id"]) <= 40 or not 0 < len(inner["name"]) <= 64:
            found.append(f"{n}: id or name of {call}")
    if message.keys() - {"role", "content", "name", "refusal", "audio", "tool_calls"}:
        found.append(f"{n}: unknown fields {list(message)}")
    return found


def _content(n: int, content: object, kinds: set[str]) -> list[str]:
    if isinstance(content, str):
        return []
    if not isinstance(content, list) or not content:
        return [f"{n}: content is {content!r}"]
    return [f"{n}: a part of type {part['type']}" for part in content if part["type"] not in kinds]


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
