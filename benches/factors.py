"""What providers counted for recorded calls, against o200k_base: the factors of `rust/src/tokens.rs`.

`python benches/factors.py` prints the tables behind docs/tokens.md. It reads `provider_calls.jsonl.gz` and
`claude_code_entire.jsonl.gz` from the folder that FASTPACA_DATA names (default: `../shared/data` beside the repository)
and says so where there is none.

Three ways to measure, since a call also holds what we don't see (tool definitions, hidden prompts):

- input: calls of plain text alone. Reported input tokens against the texts' tokens plus 4 for each message.
- output: answers of plain text alone, no thinking. Reported output tokens against the text's tokens.
- step: from one call of a session to the next. The growth of the reported input against the tokens of what was added;
  what is constant cancels out. Agent sessions; large steps alone, for each may hold hidden reminders.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
MESSAGE_TOKENS = 4
# Less than that is mostly what providers add to each call.
LEAST = {"input": 200, "output": 100, "step": 4000}
LEAST_INPUT = LEAST["input"]

NEW_CLAUDE = "claude, opus-4-7 and later, 5"
CLAUDE = "claude, 3 to 4-6"
GEMINI = "gemini"

Json = dict[str, Any]


class Pair(NamedTuple):
    """One measurement."""

    family: str
    model: str
    way: str
    counted: int
    reported: int
    of: str

    @property
    def ratio(self) -> float:
        """Reported over counted."""
        return self.reported / self.counted


def counter(name: str = "o200k_base") -> Callable[[str], int]:
    """An exact counter: Fastpaca's own, else the wheel bpe-openai."""
    try:
        from fastpaca import _core  # noqa: PLC0415

        return _core.Counting(tokenizer=name).count
    except ImportError:
        import bpe_openai  # noqa: PLC0415

        encoding = bpe_openai.get_encoding(name)
        return lambda text: len(encoding.encode_ordinary(text))


def lines(folder: Path, name: str) -> Iterator[Json]:
    """The documents of one set."""
    with gzip.open(folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


# --- what a request holds


def plain_text(content: Any) -> str | None:
    """The text of a message's content; None if it holds anything else."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    texts = [block["text"] for block in content if isinstance(block, dict) and isinstance(block.get("text"), str)]
    if len(texts) != len(content):
        return None
    if any(block.get("type", "text") not in ("text", "input_text", "output_text") for block in content):
        return None
    return "".join(texts)


def claude_texts(request: Json) -> list[str] | None:
    """System and messages of an Anthropic or Bedrock request of plain text."""
    if any(request.get(key) for key in ("tools", "toolConfig", "mcp_servers", "output_config", "output_format")):
        return None
    texts = [plain_text(message.get("content")) for message in request.get("messages", [])]
    if request.get("system"):
        texts.insert(0, plain_text(request["system"]))
    return None if None in texts or not texts else texts  # type: ignore[return-value]


def gemini_texts(request: Json) -> list[str] | None:
    """System and messages of a Gemini request of plain text."""
    if any(request.get(key) for key in ("tools", "toolConfig", "cachedContent")):
        return None
    config = request.get("generationConfig") or {}
    if any("chema" in key for key in config):
        return None
    system = request.get("systemInstruction") or request.get("system_instruction")
    contents = ([system] if system else []) + list(request.get("contents") or [])
    texts = []
    for content in contents:
        parts = content.get("parts") if isinstance(content, dict) else None
        if not parts or any(set(part) - {"text"} for part in parts):
            return None
        texts.append("".join(part["text"] for part in parts))
    return texts or None


# --- what an answer holds


def events(sse: str) -> Iterator[Json]:
    """The data of a stream of server-sent events."""
    for line in sse.splitlines():
        if line.startswith("data:") and line[5:].strip() not in ("", "[DONE]"):
            yield json.loads(line[5:])


def claude_answer(response: Any) -> str | None:
    """The text of an answer that is text alone."""
    if isinstance(response, str):
        text, kinds = "", set()
        for event in events(response):
            kinds.add((event.get("content_block") or {}).get("type", "text"))
            delta = event.get("delta") or {}
            kinds.add({"text_delta": "text"}.get(delta.get("type", "text_delta"), delta.get("type")))
            text += delta.get("text") or ""
        return text if kinds == {"text"} else None
    if not isinstance(response, dict):
        return None
    content = response.get("content")
    if content is None:
        content = ((response.get("output") or {}).get("message") or {}).get("content")
    return plain_text(content)


def gemini_answer(response: Any) -> tuple[str | None, int]:
    """The text and the provider's count of it."""
    replies = list(events(response)) if isinstance(response, str) else response
    replies = replies if isinstance(replies, list) else [replies]
    text, reported = "", 0
    for reply in replies:
        if not isinstance(reply, dict):
            return None, 0
        reported = (reply.get("usageMetadata") or {}).get("candidatesTokenCount", reported)
        for candidate in reply.get("candidates") or []:
            for part in (candidate.get("content") or {}).get("parts") or []:
                if part.get("thought"):
                    continue
                if set(part) - {"text", "thoughtSignature"}:
                    return None, 0
                text += part.get("text") or ""
    return text, reported


# --- families


def family(model: str) -> str | None:
    """Which factor a model falls under."""
    name = model.lower()
    if "claude" in name:
        if re.search(r"opus-4-[789]|(opus|sonnet|haiku|fable|mythos)-5", name):
            return NEW_CLAUDE
        return "claude-2" if "claude-2" in name else CLAUDE
    if "gemini" in name:
        return GEMINI
    return None


def input_tokens(usage: Json) -> int:
    """Cached tokens included, which the calls' own `input_tokens` leaves out for one of the interfaces."""
    keys = ["input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"]
    keys += ["inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens", "promptTokenCount"]
    if "promptTokenCount" not in usage and "inputTokens" not in usage:
        keys.append("totalTokens")
    return sum(usage.get(key) or 0 for key in keys)


def recorded_calls(folder: Path, count: Callable[[str], int]) -> Iterator[Pair]:
    """Inputs and outputs of plain text."""
    for call in lines(folder, "provider_calls"):
        api, model, request, response = call["api"], call["model"], call["request"], call["response"]
        of = family(model)
        if of is None or not isinstance(request, dict) or not api.startswith(("anthropic", "bedrock", "gemini")):
            continue
        texts = gemini_texts(request) if api.startswith("gemini") else claude_texts(request)
        edited = request.get("context_management") or not call["usage"]
        if texts and not edited and (reported := input_tokens(call["usage"])):
            counted = sum(count(text) + MESSAGE_TOKENS for text in texts)
            yield Pair(of, model, "input", counted, reported, call["id"])
        if api.startswith("gemini"):
            answer, reported = gemini_answer(response)
        else:
            answer, reported = claude_answer(response), call["output_tokens"]
        if answer and reported:
            yield Pair(of, model, "output", count(answer), reported, call["id"])


def session_steps(folder: Path, count: Callable[[str], int]) -> Iterator[Pair]:
    """Claude Code: what one call adds to the next one's input."""
    for conversation in lines(folder, "claude_code_entire"):
        before: tuple[str, str, int] | None = None
        added, known = 0, True
        for message in conversation["messages"]:
            metadata = message.get("metadata") or {}
            usage, call = metadata.get("usage"), metadata.get("message_id")
            if message["role"] == "assistant" and usage and call:
                reported = input_tokens(usage)
                if before and call != before[0]:
                    grown = reported - before[2]
                    if known and metadata.get("model") == before[1] and added > 0 and grown > 0:
                        yield Pair(
                            family(before[1]) or "", before[1], "step", added, grown, f"{conversation['id']}:{call}"
                        )
                    added, known = 0, True
                before = (call, metadata.get("model") or "", reported)
            tokens = step_tokens(message, count)
            known = known and tokens is not None
            added += tokens or 0


def step_tokens(message: Json, count: Callable[[str], int]) -> int | None:
    """A message as section 6 counts it; None if it holds what isn't shown (thinking, images)."""
    total = MESSAGE_TOKENS
    for part in message["parts"]:
        if part["type"] == "text":
            total += count(part["text"])
        elif part["type"] == "tool_call":
            total += count(part["name"] + json.dumps(part["payload"], ensure_ascii=False, separators=(",", ":")))
        elif part["type"] == "tool_result" and isinstance(part["content"], str):
            total += count(part["content"])
        else:
            return None
    return None if message["role"] == "system" else total


# --- tables

# The factors that the tables show the errors of; the core's own stand in rust/src/tokens.rs.
FACTORS = {NEW_CLAUDE: 1.40, CLAUDE: 1.15, GEMINI: 1.05}
RATIO_COLUMNS = "n | median | pooled | p5 | p95 | min | max |\n|---|---|---|---|---|---|---|---|"


def quantile(values: list[float], share: float) -> float:
    """The value that such a share of them doesn't exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def ratio_row(name: str, pairs: list[Pair]) -> str:
    """Reported over counted."""
    ratios = [pair.ratio for pair in pairs]
    pooled = sum(pair.reported for pair in pairs) / sum(pair.counted for pair in pairs)
    low, high = quantile(ratios, 0.05), quantile(ratios, 0.95)
    cells = [statistics.median(ratios), pooled, low, high, min(ratios), max(ratios)]
    return f"| {name} | {len(pairs)} | " + " | ".join(f"{cell:.3f}" for cell in cells) + " |"


def error_row(name: str, pairs: list[Pair], factor: float) -> str:
    """How far the count times the factor is from what was reported."""
    errors = [abs(pair.counted * factor / pair.reported - 1) for pair in pairs]
    cells = [statistics.median(errors), quantile(errors, 0.95), max(errors)]
    return f"| {name} | {factor} | {len(pairs)} | " + " | ".join(f"{cell:.1%}" for cell in cells) + " |"


def print_ratios(pairs: list[Pair]) -> None:
    """By family, and by model."""
    for title in ("family", "model"):
        print(f"\n## Ratios by {title}, reported / counted\n\n| {title}, way | {RATIO_COLUMNS}")
        groups = defaultdict(list)
        for pair in pairs:
            groups[pair.family, getattr(pair, title), pair.way].append(pair)
        for (_, name, way), chosen in sorted(groups.items()):
            print(ratio_row(f"{name}: {way}", chosen))


def print_errors(pairs: list[Pair]) -> None:
    """By family and way."""
    print("\n## Errors of the factors\n\n| family, way | factor | n | median | p95 | max |\n|---|---|---|---|---|---|")
    groups = defaultdict(list)
    for pair in pairs:
        groups[pair.family, pair.way].append(pair)
    for (name, way), chosen in sorted(groups.items()):
        if name in FACTORS:
            print(error_row(f"{name}: {way}", chosen, FACTORS[name]))


def print_small(pairs: list[Pair]) -> None:
    """Small calls are mostly what providers add to each."""
    print(f"\n## Calls of less than {LEAST_INPUT} tokens: reported minus counted times factor, in tokens\n")
    print("| family | n | median | p5 | p95 |\n|---|---|---|---|---|")
    for name, factor in FACTORS.items():
        small = [pair for pair in pairs if (pair.family, pair.way) == (name, "input") and pair.counted < LEAST_INPUT]
        off = [pair.reported - pair.counted * factor for pair in small]
        cells = [statistics.median(off), quantile(off, 0.05), quantile(off, 0.95)] if off else []
        print(f"| {name} | {len(small)} | " + " | ".join(f"{cell:.0f}" for cell in cells) + " |")


def chat_tokens(request: Json, count: Callable[[str], int]) -> int | None:
    """What OpenAI's own formula gives for a chat of plain text; None for other calls."""
    more = ("tools", "functions", "response_format", "web_search_options", "modalities")
    if any(request.get(key) for key in more):
        return None
    total = 3
    for message in request.get("messages", []):
        text = plain_text(message.get("content"))
        if text is None or message.get("tool_calls") or message.get("role") == "tool":
            return None
        name = message.get("name")
        total += 3 + count(message["role"]) + count(text) + (1 + count(name) if name else 0)
    return total


def print_openai(folder: Path) -> None:
    """Plain chat calls: 3, and for each message 3, role, content and name."""
    o200k, cl100k = counter(), counter("cl100k_base")
    exact: Counter[str] = Counter()
    off: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for call in lines(folder, "provider_calls"):
        model, request, reported = call["model"], call["request"], call["input_tokens"]
        if call["api"] != "openai.chat" or not isinstance(request, dict) or not reported:
            continue
        counted = chat_tokens(request, cl100k if re.match(r"gpt-(4-|3\.?5)", model) else o200k)
        if counted == reported:
            exact[model] += 1
        elif counted is not None:
            off[model].append((counted, reported))
    print("## OpenAI chat, plain text calls\n\n| model | exact | of | counted, reported where not |\n|---|---|---|---|")
    for model in sorted({*exact, *off}):
        shown = ", ".join(f"{counted} {reported}" for counted, reported in off[model][:6])
        print(f"| {model} | {exact[model]} | {exact[model] + len(off[model])} | {shown} |")
    ours = [model for model in {*exact, *off} if re.match(r"(openai/)?(gpt-(?!oss)|o\d)", model)]
    right, wrong = sum(exact[model] for model in ours), [pair for model in ours for pair in off[model]]
    by_one = sum(1 for counted, reported in wrong if abs(counted - reported) == 1)
    print(f"\nOpenAI's own models: {right} of {right + len(wrong)} exact, {by_one} more off by one token.")


def main() -> None:
    """Prints all tables."""
    folder = Path(os.environ.get("FASTPACA_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        print(f"skipped: no recorded calls in {folder}", file=sys.stderr)
        return
    count = counter()
    print_openai(folder)
    pairs = [*recorded_calls(folder, count), *session_steps(folder, count)]
    large = [pair for pair in pairs if pair.counted >= LEAST[pair.way]]
    print_ratios(large)
    print_errors(large)
    print_small(pairs)


if __name__ == "__main__":
    main()
