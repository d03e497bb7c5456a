"""The scenarios of a chat load over HTTP: our server, a constant handler, and minimal applications over Redis and
Postgres, each on the same stack with one worker. `python benches/chat_load.py [--quick] [--only NAME]`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import corpus
import targets
from client import LoadError
from http_load import post
from report import Figures, columns, machine, number, sync_ms
from users import Load, drive, drive_at

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from targets import Target
    from users import User

CHARACTERS = 1_000
"""Of each message, beside its role and id."""
REPLAYED = 5_000
PAGE = 1_000
BATCH = 500
PERCENTILES = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}


@dataclass(frozen=True, slots=True)
class Size:
    """How much a run does."""

    rounds: int
    seconds: float
    cycles: int
    cadence: int


FULL = Size(rounds=5, seconds=4.0, cycles=20, cadence=100)
QUICK = Size(rounds=1, seconds=0.5, cycles=5, cadence=20)


class Messages:
    """Messages of a kilobyte of real text, each with an id that no other has."""

    def __init__(self) -> None:
        pieces = corpus.mixed()
        joined = "\n".join(pieces[:2_500])
        whole = len(joined) - CHARACTERS
        self._texts = [joined[at : at + CHARACTERS] for at in range(0, whole, CHARACTERS)]
        self._number = itertools.count()

    def next(self) -> tuple[str, dict[str, Any]]:
        """An id, and the message that has it."""
        n = next(self._number)
        return f"m-{n}", {
            "role": "assistant" if n % 2 else "user",
            "content": self._texts[n % len(self._texts)],
            "id": f"m-{n}",
        }

    def append(self, context_id: str) -> tuple[str, bytes]:
        """An id, and the request that appends the message."""
        name, message = self.next()
        return name, post(context_id, _encoded({"message": message}))

    def sample(self) -> str:
        """What the constant handler answers with."""
        return _encoded({"seq": 1, **self.next()[1]}).decode()


def _encoded(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _found(answer: bytes) -> list[str]:
    """The ids of the messages in a reply."""
    return [message["id"] for message in json.loads(answer)["messages"]]


class Run:
    """All scenarios on all targets."""

    def __init__(self, size: Size, found: list[Target]) -> None:
        self.size = size
        self.targets = found
        self.messages = Messages()
        self.figures: dict[tuple[str, str, str], Figures] = {}
        self.accounts: list[dict[str, Any]] = []

    def note(self, scenario: str, target: Target, load: Load, operations: Sequence[str]) -> None:
        """Keeps what a round came to."""
        for operation in operations:
            percentiles = {name: load.percentile_ms(operation, share) for name, share in PERCENTILES.items()}
            self.of(scenario, operation, target).add(per_s=load.rate(operation), **percentiles)

    def of(self, scenario: str, operation: str, target: Target) -> Figures:
        """Where the figures of one line are kept."""
        key = scenario, operation, target.name
        return self.figures.setdefault(key, Figures(*key))

    def hot_append(self, target: Target, turn: int, writers: int) -> None:
        """Each writer appends to a context of its own, as fast as it is answered; then all of them half as fast."""
        ids = [f"hot-{writers}-{turn}-{n}" for n in range(writers)]
        target.create(ids)
        users = [self._writer(context_id) for context_id in ids]
        load = drive(target.port, users, self.size.seconds)
        self.note(f"hot append, {writers} writers", target, load, ["append"])
        half = f"half of that, {writers} writers"
        self.note(
            half,
            target,
            drive_at(target.port, map(self._writer, ids), self.size.seconds, load.rate("append") / 2),
            ["append"],
        )

    def _writer(self, context_id: str) -> User:
        while True:
            yield "append", self.messages.append(context_id)[1]

    def mix(self, target: Target, turn: int) -> None:
        """50 users: append, window, append, replay of the last 50. Conversations start empty."""
        ids = [f"mix-{turn}-{n}" for n in range(50)]
        target.create(ids)

        def user(context_id: str) -> User:
            for cycle in range(self.size.cycles):
                yield "append", self.messages.append(context_id)[1]
                yield "window", target.window(context_id, 2 * cycle + 1)
                yield "append", self.messages.append(context_id)[1]
                count = min(50, 2 * cycle + 2)
                yield "last 50", target.tail(context_id, 50 if target.keeps else count)

        load = drive(target.port, map(user, ids))
        self.note("mix, 50 users", target, load, ["append", "window", "last 50"])

    def cold_start(self, target: Target, turn: int) -> None:
        """A restart; then one reader replays 5 000 messages again and again while 20 users write."""
        if not target.keeps:
            return
        context_id = f"long-{turn}"
        first, expected = self._fill(target, context_id)
        writers = [f"beside-{turn}-{n}" for n in range(20)]
        target.create(writers)
        target.stop()
        started_s = target.start()
        replays: list[float] = []
        answers: list[bytes] = []

        def reader() -> User:
            while True:
                began = time.perf_counter()
                for page in range(REPLAYED // PAGE):
                    answer = yield "page of 1 000", target.page(context_id, first + page * PAGE, PAGE)
                    if not replays:
                        answers.append(answer)
                replays.append(time.perf_counter() - began)

        users = [reader(), *(self._writer(name) for name in writers)]
        load = drive(target.port, users, self.size.seconds)
        scenario = f"replay of {REPLAYED:,} beside 20 writers"
        self.note(scenario, target, load, ["page of 1 000", "append"])
        figures = self.of(scenario, "page of 1 000", target)
        figures.add(ready_after_restart_s=started_s)
        if replays:
            figures.add(first_replay_s=replays[0], replay_s=statistics.median(replays))
            shown = [name for answer in answers for name in _found(answer)]
            if shown != expected:
                sys.exit(f"{target.name}: the replay of {context_id} is not what was written")

    def _fill(self, target: Target, context_id: str) -> tuple[int, list[str]]:
        target.create([context_id])
        assert target.server is not None
        expected = []
        first = 0
        for _ in range(REPLAYED // BATCH):
            batch = [self.messages.next() for _ in range(BATCH)]
            body = {"messages": [message for _, message in batch]}
            seq = json.loads(target.server.must("POST", f"/v1/contexts/{context_id}/messages", body))["seq"]
            first = first or seq - BATCH + 1
            expected += [name for name, _ in batch]
        return first, expected

    def cadence(self, target: Target, turn: int) -> None:
        """20 users append, with a window each tenth message; then everything is killed, and each message looked for."""
        if not target.keeps:
            return
        acknowledged: dict[str, list[str]] = {f"cadence-{turn}-{n}": [] for n in range(20)}
        target.create(list(acknowledged))

        def user(context_id: str, kept: list[str]) -> User:
            for n in range(1, self.size.cadence + 1):
                name, request = self.messages.append(context_id)
                yield "append", request
                kept.append(name)
                if n % 10 == 0:
                    yield "window", target.window(context_id, n)

        load = drive(target.port, (user(*each) for each in acknowledged.items()))
        scenario = "durability cadence, 20 users"
        self.note(scenario, target, load, ["append", "window"])
        target.kill()
        target.start()
        account = self._account(target, acknowledged)
        self.accounts.append({"target": target.name, **account})
        if isinstance(target, targets.Fastpaca) and (account["lost"] or account["contexts_that_differ"]):
            sys.exit(f"acknowledged messages are not there after kill -9: {account}")

    def _account(self, target: Target, acknowledged: dict[str, list[str]]) -> dict[str, int]:
        found: dict[str, list[str]] = {}

        def reader(context_id: str) -> User:
            answer = yield "page", target.page(context_id, 1, PAGE)
            found[context_id] = _found(answer)

        drive(target.port, map(reader, acknowledged))
        lost = sum(len(set(kept) - set(found[name])) for name, kept in acknowledged.items())
        wrong = sum(found[name] != kept for name, kept in acknowledged.items())
        return {"acknowledged": sum(map(len, acknowledged.values())), "lost": lost, "contexts_that_differ": wrong}

    def scenarios(self) -> dict[str, Callable[[Target, int], None]]:
        """By name."""
        return {
            "append-20": lambda target, turn: self.hot_append(target, turn, 20),
            "append-300": lambda target, turn: self.hot_append(target, turn, 300),
            "mix": self.mix,
            "cold-start": self.cold_start,
            "cadence": self.cadence,
        }


@dataclass(slots=True)
class Found:
    """What a run came to, and which targets were not there."""

    figures: list[Figures]
    accounts: list[dict[str, Any]]
    conditions: dict[str, str]
    skipped: list[str]

    def text(self) -> str:
        """For people."""
        head = ("scenario", "operation", "server", "rate", "rounds", "p50 ms", "p95 ms", "p99 ms")
        tables = [columns([head, *map(_cells, self.figures)]), self._starts(), self._accounted()]
        conditions = "\n".join(f"{name}: {about}" for name, about in self.conditions.items())
        return "\n\n".join(filter(None, [*tables, conditions]))

    def _starts(self) -> str:
        lines = []
        for each in self.figures:
            if "first_replay_s" in each.values:
                names = ("ready_after_restart_s", "first_replay_s", "replay_s")
                shown = [f"{statistics.median(each.values[name]):.2f} s" for name in names]
                lines.append(
                    f"{each.subject}: ready {shown[0]} after a restart, first replay {shown[1]}, then {shown[2]}"
                )
        return "\n".join(lines)

    def _accounted(self) -> str:
        lines = []
        for name in dict.fromkeys(each["target"] for each in self.accounts):
            mine = [each for each in self.accounts if each["target"] == name]
            total, lost, wrong = (
                sum(each[key] for each in mine) for key in ("acknowledged", "lost", "contexts_that_differ")
            )
            lines.append(f"{name}: {total:,} messages acknowledged, {lost} lost by kill -9, {wrong} contexts differ")
        return "\n".join(lines)


def measure(size: Size, only: str = "") -> Found:
    """Every scenario whose name holds `only`, on every target that is here, in rounds that take turns."""
    skipped = []
    with tempfile.TemporaryDirectory(prefix="fastpaca-chat-") as name:
        # Postgres runs as a user of its own where this runs as root.
        Path(name).chmod(0o711)
        sample = Messages().sample()
        here: list[Target] = []
        try:
            for kind in targets.ALL:
                folder = Path(name, kind.name)
                folder.mkdir(mode=0o711)
                try:
                    target = kind(folder, sample)
                    target.start()
                except targets.NotHereError as reason:
                    skipped.append(f"{kind.name}: skipped, {reason}")
                else:
                    here.append(target)
            run = Run(size, here)
            _rounds(run, only)
        finally:
            for target in here:
                target.stop()
    conditions = {target.name: target.about for target in here}
    return Found(sorted(run.figures.values(), key=_order(run)), run.accounts, conditions, skipped)


def _cells(each: Figures) -> tuple[str, ...]:
    """Medians, and how far the rounds lie apart."""
    rates = each.values["per_s"]
    spread = f"{number(min(rates))} to {number(max(rates))}" if len(rates) > 1 else ""
    shown = [f"{statistics.median(each.values[name]):.2f}" for name in PERCENTILES]
    return each.group, each.operation, each.subject, f"{number(statistics.median(rates))}/s", spread, *shown


def _order(run: Run) -> Callable[[Figures], tuple[int, ...]]:
    lists = [list(dict.fromkeys(key[n] for key in run.figures)) for n in range(2)]
    names = [target.name for target in run.targets]
    return lambda each: (lists[0].index(each.group), lists[1].index(each.operation), names.index(each.subject))


def _rounds(run: Run, only: str) -> None:
    for turn in range(run.size.rounds):
        for name, scenario in run.scenarios().items():
            if re.search(only, name):
                for target in run.targets if turn % 2 == 0 else reversed(run.targets):
                    try:
                        scenario(target, turn)
                    except LoadError as error:
                        sys.exit(f"{name} on {target.name}: {error}\n{target.logged()}")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round: to see that it works")
    parser.add_argument("--only", default="", help="a pattern of: append-20, append-300, mix, cold-start, cadence")
    given = parser.parse_args()
    print(f"{machine()}\ntext: {corpus.describe()}; sync of 4 KB {sync_ms():.2f} ms\n")
    found = measure(QUICK if given.quick else FULL, given.only)
    print(found.text(), *found.skipped, f"afterwards: {machine()}", sep="\n\n")


if __name__ == "__main__":
    main()
