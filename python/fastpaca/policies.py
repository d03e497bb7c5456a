"""Compaction policies of your own, for contexts in process and on the server.

    from fastpaca import policies

    @policies.register("questions_only")
    def questions_only(kept: policies.KeptList) -> policies.Decision:
        "Drops the answers when there is no room for them."
        return policies.Decision(drop=[item.seq for item in kept if item.role == "assistant"])

A server finds policies by the entry point group `fastpaca.policies`: each entry names a function, an object with a
method `decide`, or a class of such objects. What they decide is logged, so they need not be deterministic. They must
not write to the context that they are asked about: that write would wait for them.
"""

from __future__ import annotations

import inspect
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeVar, cast, overload

from fastpaca import _core
from fastpaca.errors import FastpacaError, InvalidError

if TYPE_CHECKING:
    from fastpaca._core import KeptColumns

__all__ = ["ConfigError", "Decision", "Item", "KeptList", "Listed", "Policy", "listed", "register", "unregister"]

GROUP: Final = "fastpaca.policies"
COMMON_KEYS: Final = _core.POLICY_KEYS
"""Keys that every policy takes."""
_NAME_CHARACTERS_MAX: Final = 100
_ITEMS: Final = ("message", "edit", "late", "repair", "summary")
_ROLES: Final = ("system", "developer", "user", "assistant", "tool")
_CLASSES: Final = ("text", "reasoning", "tool_call", "tool_result", "media", "data", "other")


class Item(NamedTuple):
    """An item of the kept list.

    `type` is message, edit (a message shown edited), late (a result that came after its repair), repair or summary.
    `kinds` are classes of its parts: text, reasoning, tool_call, tool_result, media, data, other. Items of one `group`
    leave together; `turn` is the user message that opens its turn. Nothing can be done to what is `protected`: head,
    pins, and the newest group.
    """

    seq: int
    to_seq: int
    type: str
    role: str
    kinds: frozenset[str]
    tokens: int
    time_ms: int
    turn: int
    group: int
    pinned: bool
    protected: bool


class KeptList(Sequence[Item]):
    """What a policy sees: the kept list, and the tokens of its budget, its trigger and its target. Read-only."""

    def __init__(self, columns: KeptColumns) -> None:
        self.config: Mapping[str, Any] = json.loads(columns.config)
        self.budget, self.trigger, self.target = columns.shares
        column = {name: memoryview(data).cast(cast("Any", code)) for name, (code, data) in columns.columns().items()}
        self.seq: Sequence[int] = column["seq"]
        self.to_seq: Sequence[int] = column["to_seq"]
        self.type: Sequence[str] = [_ITEMS[number] for number in column["item"]]
        self.role: Sequence[str] = [_ROLES[number] for number in column["role"]]
        self.kinds: Sequence[frozenset[str]] = [_classes(bits) for bits in column["kinds"]]
        self.tokens: Sequence[int] = column["tokens"]
        self.time_ms: Sequence[int] = column["time_ms"]
        self.turn: Sequence[int] = column["turn"]
        self.group: Sequence[int] = column["group"]
        self.pinned: Sequence[bool] = cast("Sequence[bool]", column["pinned"])
        self.protected: Sequence[bool] = cast("Sequence[bool]", column["protected"])

    def __len__(self) -> int:
        return len(self.seq)

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return [self[n] for n in range(*at.indices(len(self)))]
        return Item(*(getattr(self, name)[at] for name in Item._fields))

    def __iter__(self) -> Iterator[Item]:
        return map(Item, *(getattr(self, name) for name in Item._fields))

    @property
    def used_tokens(self) -> int:
        """Tokens of all items."""
        return sum(self.tokens)


@lru_cache
def _classes(bits: int) -> frozenset[str]:
    return frozenset(name for n, name in enumerate(_CLASSES) if bits >> n & 1)


@dataclass(frozen=True, slots=True)
class Decision:
    """What leaves and what is stripped, by `seq` (for a summary, that of the first message that it stands for).

    A group leaves when all its messages are named; the message that opens a turn leaves with the last of its answers.
    `strip` puts a placeholder for the tool results of a message. What is protected or unknown is passed over.
    """

    drop: Iterable[int] = ()
    strip: Iterable[int] = ()


class Policy(Protocol):
    """A policy: a method, and what it may have beside it.

    `keys`, a sequence of names: any other key of a configuration is refused, but for those that every policy takes.
    `validate(config)` raises `ConfigError` for a configuration that it does not take.
    """

    def decide(self, kept: KeptList, /) -> Decision:
        """Called on a thread when kept tokens are over the trigger. Only this context's writes wait for it."""
        ...


class ConfigError(ValueError):
    """A configuration that a policy does not take: the key at fault, and what it must be."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


class Listed(NamedTuple):
    """A policy that a context may have."""

    name: str
    source: str
    keys: Sequence[str]
    about: str


P = TypeVar("P")
_registered: dict[str, Any] = {}
_loaded: dict[str, Any] = {}
_lock = threading.Lock()


@overload
def register(name: str, policy: P) -> P: ...
@overload
def register(name: str) -> Callable[[P], P]: ...
def register(name: str, policy: Any = None) -> Any:
    """Registers a policy in this process: an object with `decide`, a function, or a class of such objects.

    Without `policy` it decorates one. The name of a policy of the core can't be taken; that of another one is.
    """
    if policy is None:
        return lambda decorated: (register(name, decorated), decorated)[1]
    if not name or len(name) > _NAME_CHARACTERS_MAX or not name.isprintable():
        raise ValueError(f"a policy needs a name of 1 to {_NAME_CHARACTERS_MAX} printable characters, not {name!r}")
    if name in _core.STRATEGIES:
        raise ValueError(f"{name!r} is a policy of the core")
    made = _made(policy)
    with _lock:
        _registered[name] = made
    return policy


def unregister(name: str) -> None:
    """Takes a registered policy away. Contexts that have it keep everything from now on, and say so in the log."""
    with _lock:
        _registered.pop(name, None)


def _made(policy: Any) -> Any:
    made = policy() if inspect.isclass(policy) else policy
    if not callable(getattr(made, "decide", made)):
        raise TypeError(f"a policy is a function or has a method `decide`: {policy!r}")
    return made


@lru_cache(maxsize=1)
def _entry_points() -> Mapping[str, EntryPoint]:
    return {each.name: each for each in entry_points(group=GROUP) if each.name not in _core.STRATEGIES}


def names() -> list[str]:
    """Names of the policies beside those of the core."""
    with _lock:
        return sorted({*_registered, *_entry_points()})


def find(name: str) -> Any:
    """The policy of that name; None where there is none. Loading an entry point raises whatever is wrong with it."""
    with _lock:
        found = _registered.get(name, _loaded.get(name))
    if found is None and name in _entry_points():
        found = _made(_entry_points()[name].load())
        with _lock:
            _loaded[name] = found
    return found


def required(name: str) -> Any:
    """The policy of that name. Raises `LookupError` where there is none, and whatever is wrong with an entry point."""
    found = find(name)
    if found is None:
        raise LookupError("it is not registered on this node")
    return found


def decide(policy: Any, kept: KeptList) -> tuple[set[int], set[int]]:
    """Asks a policy; gives the numbers of what leaves and of what is stripped.

    Raises what it raises, and `TypeError` for what is no decision.
    """
    decided = getattr(policy, "decide", policy)(kept)
    if not isinstance(decided, Decision):
        raise TypeError(f"a policy decides with a Decision, not {type(decided).__name__}")
    return _seqs(decided.drop), _seqs(decided.strip)


def _seqs(given: Iterable[int]) -> set[int]:
    found = {int(seq) if isinstance(seq, int) else -1 for seq in given}
    if any(not 0 <= seq < 1 << 64 for seq in found):
        raise TypeError("a Decision holds numbers of messages")
    return found


def check(name: str, policy: Any, config: Mapping[str, Any]) -> None:
    """Raises `InvalidError` that names the key for a configuration that a policy does not take."""
    keys = getattr(policy, "keys", None)
    own = {key: value for key, value in config.items() if key not in COMMON_KEYS}
    unknown = [] if keys is None else [key for key in own if key not in keys]
    if unknown:
        message = f"policy.config.{unknown[0]}: the strategy {name!r} has no such key"
        raise _invalid(f"policy.config.{unknown[0]}", message, code="unknown_policy_key")
    validate: Callable[[Mapping[str, Any]], object] | None = getattr(policy, "validate", None)
    if validate is None:
        return
    try:
        validate(own)
    except ConfigError as error:
        field = f"policy.config.{error.key}"
        raise _invalid(field, f"{field}: {error}") from error
    except FastpacaError:
        raise
    except Exception as error:
        raise _invalid("policy.config", f"policy.config: the strategy {name!r} refuses it: {error}") from error


def _invalid(field: str, message: str, *, code: str = "invalid_field") -> InvalidError:
    return InvalidError(message, code=code, details={"field": field})


def listed() -> list[Listed]:
    """All policies that a context may have; one that can't be loaded says why."""
    found = [Listed(name, "native", keys, about) for name, keys, about in _core.POLICIES]
    for name in names():
        with _lock:
            source = "registered" if name in _registered else f"entry point {_entry_points()[name].value}"
        try:
            policy = find(name)
        except Exception as error:  # noqa: BLE001 - a listing names what is broken
            found.append(Listed(name, source, (), f"can't be loaded: {error}"))
            continue
        described = policy if inspect.isroutine(policy) else type(policy)
        about = (inspect.getdoc(described) or "").partition("\n")[0]
        found.append(Listed(name, source, tuple(getattr(policy, "keys", ())), about))
    return found
