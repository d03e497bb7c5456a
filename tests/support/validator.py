"""W3 and its neighbours, checked on the JSON of a window alone: whether a provider would take it, and whether it says
what it shows. Nothing of the core is used here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.support.shapes import Json, Ref, Shape, shape_of


class InvalidWindowError(AssertionError):
    """A window that breaks a rule."""


@dataclass
class Waiting:
    """Calls of the current group that have no result yet."""

    calls: list[tuple[Ref, str]] = field(default_factory=list)
    answered: bool = False

    def open(self, calls: list[Ref], seq: int | None) -> None:
        """Calls of a message; `call_{seq}_{n}` names those without an id."""
        self.calls += [(call, call.id or f"call_{seq}_{n}") for n, call in enumerate(calls)]

    def answer(self, result: Ref) -> bool:
        """Whether the result has a call here."""
        matches = [n for n, (call, shown) in enumerate(self.calls) if _matches(result, call, shown)]
        if not matches:
            return False
        by_id = [n for n in matches if result.id and self.calls[n][1] == result.id]
        unnamed = [n for n in matches if self.calls[n][0].id is None]
        del self.calls[by_id[-1] if by_id else (unnamed or matches)[0]]
        self.answered = True
        return True


def _matches(result: Ref, call: Ref, shown: str) -> bool:
    if result.id is not None and result.id == shown:
        return True
    if result.id is not None and call.id is not None:
        return False
    return result.name is None or call.name is None or result.name == call.name


@dataclass(frozen=True)
class Asked:
    """What the window was asked for, and what is known of its context."""

    budget: int
    last_seq: int
    reserve: int = 0
    overhead: int = 0
    close: bool = False


def check_window(window: Json, asked: Asked) -> None:
    """Raises `InvalidWindowError` that names the rule and the place."""
    items: list[Json] = window["messages"]
    shapes = [shape_of(item) for item in items]
    _check_budget(window, items, asked)
    _check_order(items, shapes)
    _check_pairs(window, items, shapes, closed=asked.close)
    _check_segments(window, items, asked.last_seq)
    if window["truncated"]:
        _check_start(items, shapes)
    expected = shapes[-1].role if shapes else None
    if window["ends_with"] != expected:
        raise InvalidWindowError(f"ends_with says {window['ends_with']}, the last message is of {expected}")


def _check_budget(window: Json, items: list[Json], asked: Asked) -> None:
    tokens = max(0, sum(item["token_count"] for item in items) + asked.overhead)
    if tokens != window["used_tokens"]:
        raise InvalidWindowError(f"W1: the items come to {tokens} tokens, used_tokens says {window['used_tokens']}")
    if tokens > max(0, asked.budget - asked.reserve):
        raise InvalidWindowError(f"W1: {tokens} tokens in a budget of {asked.budget} - {asked.reserve}")


def _check_order(items: list[Json], shapes: list[Shape]) -> None:
    last = 0
    for item, shape in zip(items, shapes, strict=True):
        if item.get("repair"):
            continue
        if "from_seq" in item:
            # What stands for no message has `from_seq` one behind `to_seq`.
            if item["from_seq"] <= last and item["to_seq"] < last:
                raise InvalidWindowError(f"W2: the summary of {item['from_seq']} follows message {last}")
            last = max(last, item["to_seq"])
            continue
        if item["seq"] > last and not shape.results:
            last = item["seq"]
        elif not shape.results:
            raise InvalidWindowError(f"W2: message {item['seq']} follows message {last}")


def _check_pairs(window: Json, items: list[Json], shapes: list[Shape], *, closed: bool) -> None:
    waiting = Waiting()
    for place, (item, shape) in enumerate(zip(items, shapes, strict=True)):
        if shape.results:
            for result in shape.results:
                if not waiting.answer(result):
                    raise InvalidWindowError(f"W3: item {place} {_name(item)}: result {result} has no call before it")
        elif waiting.calls and not _goes_on(waiting, shape):
            raise InvalidWindowError(f"W3: item {place} {_name(item)} follows calls without results: {waiting.calls}")
        elif not waiting.calls or waiting.answered:
            waiting = Waiting()
        waiting.open(shape.calls, item.get("seq"))
    left = [shown for _, shown in waiting.calls]
    if closed and left:
        raise InvalidWindowError(f"W3: closed, but calls wait: {left}")
    if not closed and sorted(window["open_calls"]) != sorted(left):
        raise InvalidWindowError(f"open_calls says {window['open_calls']}, these wait: {left}")


def _goes_on(waiting: Waiting, shape: Shape) -> bool:
    """Parallel calls, or the thinking that leads to them; and the client's word that a call may run."""
    if "approval" in shape.says:
        return True
    more = shape.role == "assistant" and (bool(shape.calls) or shape.is_reasoning)
    return more and not waiting.answered


def _check_start(items: list[Json], shapes: list[Shape]) -> None:
    for item, shape in zip(items, shapes, strict=True):
        if shape.role in {"system", "developer"} and "from_seq" not in item:
            continue
        if not shape.is_user and "from_seq" not in item:
            raise InvalidWindowError(f"W3: a cut view starts with {_name(item)} of {shape.role}")
        return


def _check_segments(window: Json, items: list[Json], last_seq: int) -> None:
    segments: list[dict[str, Any]] = window["segments"]
    following = 1
    covered: dict[str, set[int]] = {"live": set(), "summary": set(), "dropped": set()}
    for segment in segments:
        if segment["from_seq"] != following or segment["to_seq"] < segment["from_seq"]:
            raise InvalidWindowError(f"segments leave a gap before {segment}")
        following = segment["to_seq"] + 1
        covered[segment["type"]] |= set(range(segment["from_seq"], following))
    if following != last_seq + 1:
        raise InvalidWindowError(f"segments reach to {following - 1} of {last_seq}")
    shown = {item["seq"] for item in items if "seq" in item}
    # A late result stands with its call, even where a summary covers its own place in the log.
    if not covered["live"] <= shown <= covered["live"] | covered["summary"]:
        raise InvalidWindowError(f"segments say live {sorted(covered['live'] ^ shown)[:9]} other than shown")


def _name(item: Json) -> str:
    if item.get("repair"):
        return "repair"
    return f"summary {item['from_seq']}-{item['to_seq']}" if "from_seq" in item else f"message {item['seq']}"


ADDED = {"seq", "token_count", "inserted_at", "from_seq", "to_seq", "edited", "repair"}
"""Names that replies add to a message."""


def stored(message: Json) -> dict[str, Any]:
    """How a message comes back: a string `content` as one text part, everything else as it was."""
    kept = {name: value for name, value in message.items() if name not in ADDED}
    is_item = "role" not in message or (kept.get("content") is None and kept.get("parts") is None)
    if isinstance(kept.get("content"), str) and not is_item:
        kept["parts"] = [{"type": "text", "text": kept.pop("content")}]
    return kept


def check_truth(window: Json, messages: list[dict[str, Any]]) -> int:
    """W2: an item that is not declared edited is the stored message. Gives how many are."""
    plain = [item for item in window["messages"] if "seq" in item and not item.get("edited")]
    for item in plain:
        if stored(item) != stored(messages[item["seq"] - 1]):
            raise InvalidWindowError(f"W2: message {item['seq']} is not what was appended, and not said to be edited")
    return len(plain)


def messages_of(raw: bytes) -> bytes:
    """The messages of a window as they stand in the reply, separated by commas."""
    return raw[raw.index(b'"messages":[') + len(b'"messages":[') : -2]


def is_prefix(shorter: bytes, longer: bytes) -> bool:
    """Whether one list of messages starts the other, byte for byte."""
    if not shorter or not longer.startswith(shorter):
        return not shorter
    return len(longer) == len(shorter) or longer[len(shorter) : len(shorter) + 1] == b","


def units(items: list[Json], shapes: list[Shape]) -> list[tuple[int, int]]:
    """Groups (calls with the thinking that leads to them, and their results), and every other message by itself."""
    starts: list[int] = []
    in_group, answered, thinking = False, False, False
    for place, shape in enumerate(shapes):
        joins = in_group and ((not answered and _leads(shape)) or "approval" in shape.says)
        starts_group = bool(shape.calls)
        if shape.results:
            answered = True
        elif joins or (thinking and (starts_group or shape.is_reasoning)):
            in_group, answered = in_group or starts_group, answered and joins
        else:
            starts.append(place)
            in_group, answered = starts_group, False
        thinking = shape.is_reasoning and not in_group
    return list(zip(starts, [*starts[1:], len(items)], strict=True))


def _leads(shape: Shape) -> bool:
    return shape.role == "assistant" and (bool(shape.calls) or shape.is_reasoning)


def required_tokens(whole: Json) -> int:
    """Tokens that every view of this list has: head, the newest group or message, the message that opens its turn."""
    items: list[Json] = whole["messages"]
    shapes = [shape_of(item) for item in items]
    tokens = [int(item["token_count"]) for item in items]
    head = next((n for n, s in enumerate(shapes) if s.role not in {"system", "developer"}), len(items))
    if head == len(items):
        return sum(tokens)
    start, end = units(items, shapes)[-1]
    start = max(start, head)
    opener = next((n for n in range(start, head - 1, -1) if _opens(items, shapes, n)), None)
    if opener is None:
        return sum(tokens)
    return sum(tokens[:head]) + sum(tokens[start:end]) + (tokens[opener] if opener < start else 0)


def _opens(items: list[Json], shapes: list[Shape], place: int) -> bool:
    """A turn begins here: a user message behind something else, or what a compaction made."""
    if "from_seq" in items[place]:
        return not shapes[place].results
    after_user = place > 0 and shapes[place - 1].is_user and "seq" in items[place - 1]
    return shapes[place].is_user and "seq" in items[place] and not after_user
