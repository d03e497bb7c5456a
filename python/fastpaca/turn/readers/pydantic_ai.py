"""Events of pydantic-ai: of one request to a model, or of the whole run of an agent, tools and all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from fastpaca.turn.readers.base import Json, Text, get, tokens, unknown

_RESULTS: Final = frozenset({"function_tool_result", "output_tool_result"})


class PydanticAiReader:
    """Responses of the model and results of the tools, in their order. An agent says at the end what its run came to,
    which then stands in place of all that was put together.
    """

    def __init__(self, message_id: str) -> None:
        self.input_tokens: int | None = None
        self.output_tokens: int | None = None
        self.is_complete = False
        self.has_end = False
        self.failure: str | None = None
        self._message_id = message_id
        self._steps: list[Any] = []
        """Responses, each a dictionary of parts by index, and parts that are results."""
        self._ended: set[int] = set()
        self._responses = 0
        self._run: Sequence[Any] | None = None

    def feed(self, chunk: Any) -> Iterable[Text]:
        """Takes an event. Kinds that add nothing to the messages are passed over."""
        kind = get(chunk, "event_kind")
        if not isinstance(kind, str):
            raise unknown(chunk, "an event of pydantic-ai, as before")
        if kind == "part_start":
            return self._start(chunk.index, chunk.part)
        if kind == "part_delta":
            return self._delta(chunk.index, chunk.delta)
        if kind == "part_end":
            self._steps[-1][chunk.index] = chunk.part
            self._ended.add(chunk.index)
        elif kind in _RESULTS:
            self._steps.append(chunk.part)
        elif kind == "agent_run_result":
            self._run = chunk.result.new_messages()
            self._count(self._run)
            self.is_complete = True
        return ()

    def _start(self, index: int, part: Any) -> Iterable[Text]:
        # Another part 0 replaces the first one, unless that has ended: then the model was asked again.
        if not self._steps or not isinstance(self._steps[-1], dict) or (index == 0 and 0 in self._ended):
            self._steps.append({})
            self._ended = set()
            self._responses += 1
        self._steps[-1][index] = part
        return self._text(part.content) if part.part_kind == "text" else ()

    def _delta(self, index: int, delta: Any) -> Iterable[Text]:
        parts = self._steps[-1]
        parts[index] = delta.apply(parts[index])
        return self._text(delta.content_delta) if delta.part_delta_kind == "text" else ()

    def _text(self, delta: str) -> Iterable[Text]:
        return (Text(self._id(self._responses), delta),) if delta else ()

    def _id(self, number: int) -> str:
        return self._message_id if number == 1 else f"{self._message_id}-{number}"

    def _count(self, run: Sequence[Any]) -> None:
        """The first request is that of the window; the others had what tools gave as well."""
        usages = [message.usage for message in run if message.kind == "response"]
        if usages:
            self.input_tokens = tokens(usages[0].input_tokens)
            self.output_tokens = tokens(sum(usage.output_tokens for usage in usages))

    def messages(self) -> list[Json]:
        """A message for each response, and one for the results of its tools."""
        messages = list(self._of_steps() if self._run is None else self._of_run(self._run))
        if not self.is_complete:
            while messages and not _speaks(messages[-1]):
                messages.pop()
        return messages

    def _of_run(self, run: Sequence[Any]) -> Iterator[Json]:
        number = 0
        for message in run:
            if message.kind == "response":
                number += 1
                yield self._response(message.parts, number, message.provider_name)
            else:
                yield from _results(message.parts)

    def _of_steps(self) -> Iterator[Json]:
        number = 0
        for place, step in enumerate(self._steps):
            if not isinstance(step, dict):
                yield from _results([step])
                continue
            number += 1
            is_last = place == len(self._steps) - 1 and not self.is_complete
            parts = [part for at, part in sorted(step.items()) if not is_last or at in self._ended or _is_text(part)]
            yield self._response(parts, number, None)

    def _response(self, parts: Iterable[Any], number: int, provider: str | None) -> Json:
        return {"role": "assistant", "id": self._id(number), "parts": list(_parts(parts, provider))}


def _is_text(part: Any) -> bool:
    return bool(part.part_kind == "text" and part.content)


def _speaks(message: Json) -> bool:
    """Whether it says anything: thinking alone does not."""
    return message["role"] == "tool" or any(part["type"] in {"text", "tool_call"} for part in message["parts"])


def _parts(parts: Iterable[Any], provider: str | None) -> Iterator[Json]:
    thought: Json | None = None
    for part in parts:
        kind = part.part_kind
        if kind == "thinking":
            if thought is not None and part.id and part.id == thought.get("id"):
                # OpenAI's summaries, of which each is a part here, belong to one item.
                thought["summary"].append(_summary(part))
                continue
            thought = _thought(part, part.provider_name or provider or "")
            yield thought
        elif kind == "text" and part.content:
            yield {"type": "text", "text": part.content}
        elif kind == "tool-call":
            yield {"type": "tool_call", "call_id": part.tool_call_id, "name": part.tool_name, **_arguments(part.args)}


def _thought(part: Any, provider: str) -> Json:
    """Thinking in the form of the provider that signed it, which alone can read it again."""
    signature = part.signature
    if signature and provider in {"anthropic", "bedrock"}:
        if part.id == "redacted_thinking":
            return {"type": "redacted_thinking", "data": signature}
        return {"type": "thinking", "thinking": part.content, "signature": signature}
    if signature and provider in {"openai", "azure"}:
        summary = [_summary(part)] if part.content else []
        return {"type": "reasoning", "id": part.id, "summary": summary, "encrypted_content": signature}
    if signature and provider.startswith("google"):
        options = {"google": {"thoughtSignature": signature}}
        return {"type": "reasoning", "text": part.content, "providerOptions": options}
    return {"type": "reasoning", "text": part.content}


def _summary(part: Any) -> Json:
    return {"type": "summary_text", "text": part.content}


def _arguments(args: Any) -> Json:
    return {"arguments": args} if isinstance(args, str) else {"payload": args or {}}


def _results(parts: Iterable[Any]) -> Iterator[Json]:
    """What tools gave. Prompts are the caller's, who has appended them."""
    for part in parts:
        is_retry = part.part_kind == "retry-prompt"
        if part.part_kind != "tool-return" and not (is_retry and part.tool_name):
            continue
        content = part.model_response() if is_retry else part.model_response_str()
        result = {"type": "tool_result", "call_id": part.tool_call_id, "name": part.tool_name, "content": content}
        yield {"role": "tool", "parts": [{**result, "is_error": True} if is_retry else result]}
