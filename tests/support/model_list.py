"""The kept list of the model: which result belongs to which call, and what stands where."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.shapes import Ref


@dataclass(eq=False)
class Group:
    """A run of assistant items with calls, and their results; or one message by itself."""


@dataclass(eq=False)
class Message:
    """A message of the log."""

    seq: int
    role: str
    tokens: int
    version: int
    calls: Sequence[Ref] = ()
    results: Sequence[Ref] = ()
    says_more: bool = True
    thinks: bool = False
    pinned: bool = False
    id: str | None = None
    turn: int = 0
    group: int = 0
    hidden: bool = False
    out: bool = False
    is_user: bool = False


@dataclass(eq=False)
class Item:
    """An item of the kept list. `at` is the message at or behind which it stands."""

    kind: str  # message, edit, late, repair, summary
    seq: int
    to: int
    at: int
    role: str
    group: Group
    version: int
    message: Message | None = None
    call: str = ""
    number: int = 0
    tokens: int | None = None
    has_results: bool = False
    edited: bool = False
    opens_turn: bool = False

    @property
    def is_user(self) -> bool:
        """A user message without results."""
        return self.role == "user" and self.kind in {"message", "edit"} and not self.has_results

    @property
    def is_system(self) -> bool:
        """Belongs into the head where it leads."""
        return self.role in {"system", "developer"}

    @property
    def end(self) -> int:
        """The last message that it stands at or before."""
        return max(self.to, self.at) if self.kind == "summary" else self.at


@dataclass(eq=False)
class Call:
    """A call without a result."""

    seq: int
    number: int
    ref: Ref
    group: Group
    repaired: bool = False

    @property
    def shown(self) -> str:
        """Its id, or what stands for it."""
        return self.ref.id or f"call_{self.seq}_{self.number}"


def same_name(call: Call, result: Ref) -> bool:
    return call.ref.name is None or result.name is None or call.ref.name == result.name


def repair(call: Call, at: int, version: int) -> Item:
    """What stands for a result that never came."""
    item = Item("repair", call.seq, call.seq, at, "tool", call.group, version, call=call.shown)
    item.number, item.has_results = call.number, True
    return item


@dataclass
class Listing:
    """A kept list that grows: which result belongs to which call, and what stands where."""

    items: list[Item] = field(default_factory=list)
    open: list[Call] = field(default_factory=list)
    group: Group | None = None
    group_seq: int = 0
    answered: bool = False
    thinking: tuple[Group, int] | None = None
    turn: int = 0
    last: int = 0
    after_user: bool = False
    fresh: bool = True

    def place(self, message: Message, version: int) -> bool:
        """Puts a message where it belongs; whether a late result took the place of a repair."""
        out = [(r, self.find(r)) for r in message.results]
        late: list[Call] = []
        in_time = False
        taken = 0
        for _, call in out:
            if call is None:
                taken += 1
            elif call.repaired:
                late.append(call)
                taken += 1
            else:
                in_time = True
        message.turn, message.group = self.turn, message.seq
        message.out = not (in_time or message.says_more or not taken)
        if not message.out:
            if not in_time and not self.joins(message):
                self.close(version)
            self.enter(message, in_time=in_time, edited=taken > 0)
        for call in late:
            self.replace_repair(call, message)
        return bool(late)

    def find(self, result: Ref) -> Call | None:
        """The nearest earlier open call with the id; without ids, by order. It is taken off the open ones."""
        waiting = [call for call in self.open if not call.repaired]
        usable = [call for call in self.open if not call.repaired or self.repair_of(call) is not None]
        unnamed = [call for call in usable if call.ref.id is None and same_name(call, result)]
        first = [call for call in unnamed if not call.repaired]
        if result.id is not None:
            found = [call for call in usable if call.ref.id == result.id][::-1] or first
        else:
            found = first or [call for call in waiting if same_name(call, result)] or unnamed
        if not found:
            return None
        self.open.remove(found[0])
        return found[0]

    def repair_of(self, call: Call) -> Item | None:
        mine = (call.seq, call.number)
        return next((i for i in self.items if i.kind == "repair" and (i.seq, i.number) == mine), None)

    def joins(self, message: Message) -> bool:
        """Goes on with the calls of the current group."""
        if self.group is None or self.answered:
            return False
        return message.role == "assistant" and (bool(message.calls) or message.thinks)

    def close(self, version: int) -> None:
        """Something else follows: calls still open get repairs."""
        for call in self.open:
            if not call.repaired:
                call.repaired = True
                self.items.append(repair(call, self.last, version))
        self.group, self.answered = None, False

    def enter(self, message: Message, *, in_time: bool, edited: bool) -> None:
        """The message stands at the end of the list."""
        user = message.role == "user" and not in_time
        if user and not self.after_user:
            self.turn = message.seq
        self.after_user = message.is_user = user
        message.turn = self.turn
        if in_time:
            self.answered = True
        elif message.calls and self.group is None:
            self.group, self.group_seq = self.thinking or (Group(), message.seq)
        group, group_seq = Group(), message.seq
        if self.group is not None:
            group, group_seq = self.group, self.group_seq
        elif message.thinks and self.thinking:
            group, group_seq = self.thinking
        message.group = group_seq
        thinks_on = message.thinks and message.role == "assistant" and self.group is None
        self.thinking = (group, group_seq) if thinks_on else None
        self.last = message.seq
        tokens = None if edited else message.tokens
        self.items.append(
            Item(
                "edit" if edited else "message", message.seq, message.seq, message.seq, message.role, group,
                message.version, message, tokens=tokens, has_results=in_time,
            )
        )  # fmt: skip
        self.open += [Call(message.seq, number, ref, group) for number, ref in enumerate(message.calls)]

    def replace_repair(self, call: Call, message: Message) -> None:
        repair = self.repair_of(call)
        assert repair is not None
        alone = len(message.results) == 1 and not message.says_more
        tokens = message.tokens if alone else None
        late = Item(
            "late", message.seq, message.seq, repair.at, message.role, repair.group, message.version, message,
            tokens=tokens, has_results=True, call=call.shown, edited=not alone,
        )  # fmt: skip
        self.items[self.items.index(repair)] = late

    def end_with(self, stretch: Listing) -> None:
        """A stretch that was taken back is what the list ends with now."""
        self.group, self.group_seq, self.answered = stretch.group, stretch.group_seq, stretch.answered
        self.thinking, self.last = stretch.thinking, stretch.last

    def retain(self) -> None:
        """After a rewrite: what is no longer kept is forgotten."""
        kept = {i.seq for i in self.items if i.kind in {"message", "edit", "late"}}
        self.open = [call for call in self.open if call.seq in kept]
        if self.group is not None and self.group_seq not in kept:
            self.group, self.answered = None, False
        if self.thinking and self.thinking[1] not in kept:
            self.thinking = None
