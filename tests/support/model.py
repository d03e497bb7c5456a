"""A context, as simply as the contract can be read: lists that are walked from end to end, nothing cached.

It decides what is kept: compaction, replace, rewind. Pairing, repairs and late results are in `model_list`, views in
`model_view`.
Token counts of what the engine makes up (repairs, edits) are not modelled: a test tells them through `Item.tokens`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.model_list import Call, Group, Item, Listing, Message, repair

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Refused(Exception):
    """The operation is not allowed; nothing changed."""


@dataclass(frozen=True)
class Live:
    """Messages that stay."""

    first: int
    last: int


@dataclass(frozen=True)
class New:
    """A new item of a replacement."""

    role: str
    tokens: int


class Model:
    """One context."""

    def __init__(self) -> None:
        self.log: list[Message] = []
        self.list = Listing()
        self.version = 0
        self.rewritten = 0
        self.by_caller = 0
        self.overhead = 0

    # The log

    @property
    def last_seq(self) -> int:
        return len(self.log)

    @property
    def visible(self) -> list[Message]:
        """The default replay."""
        return [message for message in self.log if not message.hidden]

    @property
    def kept_tokens(self) -> int:
        return sum(item.tokens or 0 for item in self.list.items)

    @property
    def waiting(self) -> list[str]:
        """Ids of calls that wait for results at the end."""
        return [call.shown for call in self.list.open if not call.repaired]

    @property
    def open_calls(self) -> list[Call]:
        return self.list.open

    def append(self, messages: Sequence[Message], *, replace: bool = False) -> None:
        """One record. The messages come without `seq` and `version`."""
        first_version = self.version + 1
        if replace:
            newest = self.visible[-1] if self.visible else None
            if newest is None or newest.id is None or newest.id != messages[0].id:
                raise Refused("not_newest")
            self.go_back(self.visible[-2].seq if len(self.visible) > 1 else 0)
        for message in messages:
            message.seq, message.version = self.last_seq + 1, first_version
            self.log.append(message)
            self.version += 1
            if self.list.place(message, first_version):
                self.version += 1
                self.rewritten = self.version

    # Going back

    def rewind(self, to: int) -> None:
        """Later messages leave; nothing happens where there are none."""
        if to > self.last_seq or (to and self.log[to - 1].hidden):
            raise Refused("unknown_seq")
        if to != (self.visible[-1].seq if self.visible else 0):
            self.go_back(to)

    def go_back(self, to: int) -> None:
        self.version += 1
        old = self.list
        self.list = self.listing_at(to)
        older = [call for call in old.open if call.repaired and self.list.repair_of(call) is not None]
        known = {(call.seq, call.number) for call in self.list.open}
        self.list.open = [call for call in older if (call.seq, call.number) not in known] + self.list.open
        for message in self.log[to:]:
            message.hidden = True
        self.rewritten = self.version

    def listing_at(self, to: int) -> Listing:
        """What was kept up to message `to`; what stood for messages on both sides of it is taken apart."""
        if to == 0:
            return Listing()
        start = self.first_to_rebuild(to)
        before = [item for item in self.list.items if item.end < start]
        listing = Listing(list(before), turn=self.log[to - 1].turn, last=to, after_user=self.log[to - 1].is_user)
        if start <= to:
            self.take_back(listing, start, to, self.version)
        return listing

    def take_back(self, listing: Listing, first: int, last: int, version: int) -> None:
        """Places a stretch of the log as if it had just come in. What the log says of its messages stays."""
        stretch = [message for message in self.log[first - 1 : last] if not message.hidden]
        standing = next((message for message in stretch if not message.out), stretch[0])
        listing.turn = stretch[0].turn
        listing.after_user = standing.is_user and standing.turn != standing.seq
        for message in stretch:
            columns = message.turn, message.group, message.out, message.is_user
            listing.place(message, version)
            message.turn, message.group, message.out, message.is_user = columns

    def first_to_rebuild(self, to: int) -> int:
        summaries = [i for i in self.list.items if i.kind == "summary" and i.seq <= to <= i.to]
        if any(i.to == to for i in summaries):
            return to + 1
        shown = any(i.seq == to and i.kind in {"message", "edit", "late"} for i in self.list.items)
        if shown or summaries:
            start = self.log[to - 1].group
        else:
            before = [i.to for i in self.list.items if i.to <= to]
            start = max(before, default=0) + 1
        standing = [item for item in self.list.items if item.end <= to]
        if standing and standing[-1].kind != "summary":
            # Its results, or what repaired it, may come later.
            start = min(start, self.group_start(standing[-1]))
        for item in self.list.items:
            if item.kind == "summary" and item.seq <= to < item.to:
                start = min(start, item.seq)
            if item.message is not None and item.seq > to >= self.group_start(item):
                start = min(start, self.group_start(item))
        return self.before_late(start, to)

    def before_late(self, start: int, to: int) -> int:
        """A late result from behind the start would come back by itself: its call's group is rebuilt as well."""
        late = [i for i in self.list.items if i.kind == "late" and i.seq >= start and i.at <= to]
        parted = min((self.group_start(item) for item in late), default=start)
        return start if parted >= start else self.before_late(parted, to)

    def group_start(self, item: Item) -> int:
        return min(i.seq for i in self.list.items if i.group is item.group)

    # Compaction

    def compact_range(self, first: int, last: int, pieces: Sequence[Live | New]) -> None:
        """Messages `first` to `last` give way."""
        if not 1 <= first <= last <= self.last_seq:
            raise Refused("unknown_seq")
        for item in self.list.items:
            inside = item.kind == "summary" and item.seq <= item.to
            if inside and (item.seq < first <= item.to or item.seq <= last < item.to):
                raise Refused("invalid_range")
        start, stop = self.position(first), self.position(last + 1)
        items = self.list.items
        if any(0 < p < len(items) and items[p].group is items[p - 1].group for p in (start, stop)):
            raise Refused("invalid_range")
        self.rewrite(first, last, start, stop, pieces)

    def compact_whole(self, pieces: Sequence[Live | New], up_to: int | None = None) -> None:
        """All messages give way, or those of a version, less groups that were open then."""
        if up_to is None:
            self.rewrite(1, self.last_seq, 0, len(self.list.items), pieces)
            return
        if self.by_caller > up_to:
            raise Refused("compaction_conflict")
        last = max((m.seq for m in self.log if m.version <= up_to), default=0)
        stop = self.position(last + 1)
        while stop > 0:
            group = [i for i in self.list.items if i.group is self.list.items[stop - 1].group]
            start = self.list.items.index(group[0])
            waits = any(call.group is group[0].group and not call.repaired for call in self.list.open)
            if not waits and start + len(group) <= stop and not any(i.version > up_to for i in group):
                break
            last, stop = min(group[0].seq, last) - 1, start
        self.rewrite(1, last, 0, stop, pieces)

    def position(self, seq: int) -> int:
        """The first position that stands at `seq` or later."""
        return next((p for p, item in enumerate(self.list.items) if item.end >= seq), len(self.list.items))

    def rewrite(self, first: int, last: int, start: int, stop: int, pieces: Sequence[Live | New]) -> None:
        items = self.list.items
        built = list(items[:start])
        following, made = first, list[New]()
        taken_back: list[Listing] = []
        newest: Listing | None = None
        for piece in self.joined(pieces):
            if isinstance(piece, New):
                made.append(piece)
                continue
            if piece.first < following or piece.last > last:
                raise Refused("unknown_seq")
            built += self.summaries(made, following, piece.first - 1)
            made = []
            newest = self.live(piece.first, piece.last)
            taken_back += [newest] if newest.fresh else []
            built += newest.items
            following = piece.last + 1
        built += self.summaries(made, following, last)
        self.list.items = built + items[stop:]
        for listing in taken_back:
            messages = {item.message.seq for item in listing.items if item.message is not None}
            self.list.open = [call for call in self.list.open if call.seq not in messages] + listing.open
        self.list.open.sort(key=lambda call: (call.seq, call.number))
        if newest is not None and newest.fresh and not made and stop == len(items):
            self.list.end_with(newest)
        self.close_inside()
        self.version += 1
        self.rewritten = self.by_caller = self.version
        self.list.retain()

    def close_inside(self) -> None:
        """Calls that wait, and which something follows now, get repairs."""
        items = self.list.items
        for call in self.list.open:
            unit = [p for p, item in enumerate(items) if item.group is call.group]
            if call.repaired or not unit or unit[-1] + 1 == len(items):
                continue
            call.repaired = True
            items.insert(unit[-1] + 1, repair(call, items[unit[-1]].end, self.version + 1))
            # By number: a group that was taken back is another object than the one that is still open.
            if self.log[call.seq - 1].group == self.list.group_seq:
                self.list.group, self.list.answered = None, False

    def joined(self, pieces: Sequence[Live | New]) -> list[Live | New]:
        """References that touch are one; a late result comes with its call."""
        joined: list[Live | New] = []
        for piece in pieces:
            before = joined[-1] if joined else None
            if isinstance(piece, Live) and piece.first == piece.last and self.is_late(piece.first):
                continue
            if isinstance(piece, Live) and isinstance(before, Live) and before.last + 1 == piece.first:
                joined[-1] = Live(before.first, piece.last)
            else:
                joined.append(piece)
        return joined

    def is_late(self, seq: int) -> bool:
        kinds = [i.kind for i in self.list.items if i.seq == seq and i.kind in {"message", "edit", "late"}]
        return "late" in kinds[:1]

    def summaries(self, made: Sequence[New], first: int, last: int) -> list[Item]:
        turn = self.log[first - 1].turn if first <= last else 0
        at = max(last, first - 1)
        return [
            Item(
                "summary", first, last, at, new.role, Group(), self.version + 1,
                tokens=new.tokens, opens_turn=turn == 0 or turn >= first,
            )
            for new in made
        ]  # fmt: skip

    def live(self, first: int, last: int) -> Listing:
        """Messages that stay, as they are shown, or, where they are not all shown, taken back from the log."""
        start, stop = self.position(first), self.position(last + 1)
        items = self.list.items
        shown = {i.seq for i in items if i.kind in {"message", "edit", "late"}}
        if start < stop and all(m.seq in shown or m.out for m in self.log[first - 1 : last]):
            cuts = [0 < p < len(items) and items[p].group is items[p - 1].group for p in (start, stop)]
            if any(cuts):
                raise Refused("invalid_range")
            return Listing(items[start:stop], fresh=False)
        stretch = self.log[first - 1 : last]
        if any(message.hidden for message in stretch):
            raise Refused("unknown_seq")
        after = self.log[last].group if last < self.last_seq else None
        if stretch[0].group != first or after == stretch[-1].group:
            raise Refused("invalid_range")
        listing = Listing(last=first - 1)
        self.take_back(listing, first, last, self.version + 1)
        return listing

    # Policies

    def dropped(self, shown: Callable[[Item], bool]) -> list[Item]:
        """A policy ran: what is no longer shown left. Gives what did."""
        gone = [item for item in self.list.items if not shown(item)]
        self.list.items = [item for item in self.list.items if shown(item)]
        self.version += 1
        self.rewritten = self.version
        self.list.retain()
        return gone
