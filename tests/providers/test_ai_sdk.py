"""The Vercel AI SDK takes what it should, and refuses what it should."""

from __future__ import annotations

from typing import Any

import pytest

from tests.providers.ai_sdk import AiSdk, AiSdkError
from tests.support.data import DATA, lines, needs_data

CALL = {"type": "tool-call", "toolCallId": "1", "toolName": "f", "input": {"a": 1}}
RESULT = {"type": "tool-result", "toolCallId": "1", "toolName": "f", "output": {"type": "text", "value": "done"}}


def test_stream_text_makes_a_prompt(ai_sdk: AiSdk) -> None:
    messages = [
        {"role": "user", "content": "Hello \u2028 \U0001f999"},
        {"role": "assistant", "content": [{"type": "reasoning", "text": "Hm"}, CALL]},
        {"role": "tool", "content": [RESULT]},
    ]
    prompt = ai_sdk.prompt({"system": "Be brief", "messages": messages})
    assert [message["role"] for message in prompt] == ["system", "user", "assistant", "tool"]
    assert prompt[0]["content"] == "Be brief"
    assert prompt[1]["content"] == [{"type": "text", "text": "Hello \u2028 \U0001f999"}]
    assert prompt[2]["content"][1]["input"] == {"a": 1}
    assert prompt[3]["content"][0]["output"] == {"type": "text", "value": "done"}


@pytest.mark.parametrize(
    ("messages", "error"),
    [
        ([], "InvalidPrompt"),
        ([{"role": "user", "content": [{"type": "text"}]}], "InvalidPrompt"),
        ([{"role": "tool", "content": "done"}], "InvalidPrompt"),
        (
            [
                {"role": "user", "content": "Hi"},
                {"role": "assistant", "content": [CALL]},
                {"role": "user", "content": "Hi"},
            ],
            "MissingToolResults",
        ),
    ],
)
def test_stream_text_refuses_a_broken_prompt(ai_sdk: AiSdk, messages: list[Any], error: str) -> None:
    with pytest.raises(AiSdkError, match=error):
        ai_sdk.prompt({"messages": messages})


def test_ui_messages_are_validated_and_converted(ai_sdk: AiSdk) -> None:
    tool = {"type": "tool-f", "toolCallId": "1", "state": "output-available", "input": {"a": 1}, "output": "done"}
    step = {"type": "step-start"}
    messages = [
        {"id": "1", "role": "user", "parts": [{"type": "text", "text": "Hello"}]},
        {"id": "2", "role": "assistant", "parts": [step, tool, step, {"type": "text", "text": "Hi"}]},
        {"id": "3", "role": "user", "parts": [{"type": "text", "text": "Go on"}]},
    ]
    prompt = ai_sdk.ui_prompt({"messages": messages})
    assert [message["role"] for message in prompt] == ["user", "assistant", "tool", "assistant", "user"]
    for broken in ({**tool, "state": "done"}, {"type": "text"}):
        with pytest.raises(AiSdkError, match="TypeValidation"):
            ai_sdk.ui_prompt({"messages": [{"id": "1", "role": "assistant", "parts": [broken]}]})


@needs_data
def test_recorded_ui_messages_are_taken(ai_sdk: AiSdk) -> None:
    path = DATA / "raw" / "ai_sdk_uimessages" / "uimessages.jsonl.gz"
    asked = {"id": "0", "role": "user", "parts": [{"type": "text", "text": "Hello"}]}
    recorded = [m for line in lines(path) for m in line["messages"] if all(_is_whole(part) for part in m["parts"])]
    assert len(recorded) >= 15
    for message in recorded:
        assert ai_sdk.ui_prompt({"messages": [asked, {**message, "id": message.get("id") or "1"}, asked]})


def _is_whole(part: dict[str, Any]) -> bool:
    """Whether a call has its result; the SDK refuses one without input, even where it made it itself."""
    return "toolCallId" not in part or ("input" in part and part["state"].startswith("output"))
