"""Thinking blocks."""

from __future__ import annotations

from fastpaca.providers.anthropic.conversation import THINKING, Block, Turn, all_blocks, messages, thinks, turns
from fastpaca.providers.base import Found, Request, Rules, text_of

RULES = Rules()

KINDS = frozenset({"thinking", "redacted_thinking"})


@RULES.add("thinking_unsigned", THINKING)
def _thinking_unsigned(request: Request) -> Found:
    """A thinking block has its text and its signature, a redacted one its data."""
    for _, block in all_blocks(request):
        if block.kind == "thinking":
            if text_of(block.value, "thinking") is None:
                yield f"{block.path}.thinking", "thinking must be a string"
            if not text_of(block.value, "signature"):
                yield f"{block.path}.signature", "a thinking block needs the signature that came with it"
        elif block.kind == "redacted_thinking" and not text_of(block.value, "data"):
            yield f"{block.path}.data", "a redacted_thinking block needs the data that came with it"


@RULES.add("thinking_last", "https://github.com/tailcallhq/forgecode/issues/2107")
def _thinking_last(request: Request) -> Found:
    """A last message of the assistant's does not end in thinking."""
    for message in messages(request)[-1:]:
        if message.role == "assistant" and message.blocks and message.blocks[-1].kind in KINDS:
            yield message.blocks[-1].path, "the final block in an assistant message cannot be thinking"


@RULES.add("thinking_missing", THINKING)
def _thinking_missing(request: Request) -> Found:
    """With manual thinking on, the assistant's part of an open tool loop, or of a prefill, starts with its thinking."""
    first = _first_of_loop(turns(request)) if thinks(request) else None
    if first is not None and first.blocks and first.blocks[0].kind not in KINDS:
        yield first.blocks[0].path, f"expected thinking or redacted_thinking, but found {first.blocks[0].kind}"


def _first_of_loop(all_turns: list[Turn]) -> Turn | None:
    """The assistant's first turn since the user last said something other than results."""
    first: Turn | None = None
    for turn in reversed(all_turns):
        if turn.role == "assistant":
            first = turn
        elif turn.role == "user" and not _is_results(turn.blocks):
            return first
    return first


def _is_results(blocks: list[Block]) -> bool:
    return bool(blocks) and all(block.kind == "tool_result" for block in blocks)
