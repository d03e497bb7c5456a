"""`fastpaca verify`: reads a whole data directory and says whether it is what was written.

Each context's records are folded again from the first one on: checksums, digests, chain, versions and seqs, then the
stored snapshot and index chunks against that replay. Beside them the feed, which must name each record exactly once.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from fastpaca import _core
from fastpaca.errors import StoreError
from fastpaca.log.base import Family, Log
from fastpaca.log.feed import decode_entry, decode_position
from fastpaca.log.rocks import RocksLog

if TYPE_CHECKING:
    from pathlib import Path

Progress = Callable[[str], None]

_PAGE: Final = 512
_PROGRESS_S: Final = 1.0
_PROBLEMS_MAX: Final = 100
_NUMBER_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it was written."""

    context_id: str | None
    error: str
    message: str


@dataclass(slots=True)
class Report:
    """What was read, and what is wrong with it."""

    data_dir: str
    contexts: int = 0
    messages: int = 0
    records: int = 0
    feed_entries: int = 0
    snapshots: int = 0
    index_chunks: int = 0
    duration_s: float = 0.0
    problem_count: int = 0
    problems: list[Problem] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Nothing is wrong."""
        return self.problem_count == 0

    def add(self, context_id: str | None, error: str, message: str) -> None:
        """Notes a problem; only the first ones are kept."""
        self.problem_count += 1
        if len(self.problems) < _PROBLEMS_MAX:
            self.problems.append(Problem(context_id, error, message))

    def json(self) -> str:
        """As one JSON object."""
        return json.dumps({"ok": self.ok, **asdict(self)}, ensure_ascii=False)

    def text(self) -> str:
        """For people."""
        lines = [f"{each.context_id or 'store'}: {each.error}: {each.message}" for each in self.problems]
        if self.problem_count > len(self.problems):
            lines.append(f"... and {self.problem_count - len(self.problems)} more")
        verdict = "no damage found" if self.ok else f"{self.problem_count} problems found"
        counts = f"{self.contexts} contexts, {self.messages} messages, {self.records} records"
        lines.append(
            f"{verdict} in {self.data_dir}: {counts}, "
            f"{self.snapshots} snapshots, {self.index_chunks} index chunks ({self.duration_s:.1f} s)"
        )
        return "\n".join(lines)


def verify(data_dir: Path, *, progress: Progress = lambda _: None) -> Report:
    """Checks a data directory that nobody uses. Raises a `StoreError` when it can't be opened or read."""
    if not (data_dir / "CURRENT").is_file():
        raise StoreError(f"{data_dir} holds no store")
    log = RocksLog(data_dir, purpose="fastpaca verify")
    try:
        return verify_log(log, str(data_dir), progress=progress)
    finally:
        log.close()


def verify_log(log: Log, name: str, *, progress: Progress = lambda _: None) -> Report:
    """Checks an open log that nobody writes to."""
    began = time.monotonic()
    run = _Run(log, Report(name), progress)
    try:
        run.records()
        run.orphans()
        run.feed()
    except StoreError as error:
        run.report.add(None, error.code, str(error))
    run.report.duration_s = round(time.monotonic() - began, 3)
    return run.report


class _Run:
    """One check of everything."""

    def __init__(self, log: Log, report: Report, progress: Progress) -> None:
        self._log = log
        self.report = report
        self._progress = progress
        self._next_line = time.monotonic() + _PROGRESS_S
        # The sum of a digest for each (context, version). Equal sums: the feed names the records and nothing else.
        self._sum = 0
        self._damaged = False

    def records(self) -> None:
        """Every context, in the order of ids."""
        current: _Context | None = None
        for key, value in _pairs(self._log, Family.RECORDS):
            self.report.records += 1
            self._tell(f"{self.report.records} records of {self._log.position}, {self.report.contexts} contexts")
            if len(key) <= _NUMBER_BYTES + 1 or key[-_NUMBER_BYTES - 1]:
                self.report.add(None, "corrupt", f"the record key {key!r} is not one")
                continue
            raw_id, first_version = key[: -_NUMBER_BYTES - 1], int.from_bytes(key[-_NUMBER_BYTES:], "big")
            if current is None or current.raw_id != raw_id:
                self._end(current)
                current = _Context(self._log, raw_id, self.report)
            current.push(first_version, value)
        self._end(current)

    def _end(self, context: _Context | None) -> None:
        if context is not None:
            context.end()
            self._sum += context.sum
            self._damaged |= context.damaged

    def orphans(self) -> None:
        """Snapshots and chunks of contexts that have no record."""
        for key, _ in _pairs(self._log, Family.STATE, b"c", b"d"):
            self.report.snapshots += 1
            if not _has_records(self._log, key[1:]):
                self.report.add(_shown(key[1:]), "corrupt", "a snapshot without a record")
        for key, _ in _pairs(self._log, Family.INDEX):
            self.report.index_chunks += 1
            number = int.from_bytes(key[-_NUMBER_BYTES:], "big")
            if number == 0 and not _has_records(self._log, key[: -_NUMBER_BYTES - 1]):
                self.report.add(_shown(key[: -_NUMBER_BYTES - 1]), "corrupt", "an index chunk without a record")

    def feed(self) -> None:
        """Positions without a gap, and each record once."""
        total, last = 0, 0
        for key, value in _pairs(self._log, Family.FEED):
            self.report.feed_entries += 1
            self._tell(f"{self.report.feed_entries} feed entries of {self._log.position}")
            position = decode_position(key)
            version, context_id = decode_entry(value)
            if position != last + 1:
                self.report.add(None, "corrupt", f"the feed goes from position {last} to {position}")
            last = position
            total += _digest(context_id.encode(), version)
        if self.report.feed_entries != self.report.records:
            message = f"the feed has {self.report.feed_entries} entries for {self.report.records} records"
            self.report.add(None, "corrupt", message)
        # Of a damaged context the last version is not known.
        if total != self._sum and not self._damaged:
            self._name_differences()

    def _name_differences(self) -> None:
        """Rare and slow: which records the feed lacks or names twice."""
        differences: Counter[tuple[str, int]] = Counter()
        for _, value in _pairs(self._log, Family.FEED):
            version, context_id = decode_entry(value)
            differences[context_id, version] += 1
        for raw_id, version in _last_versions(self._log):
            differences[raw_id.decode(errors="replace"), version] -= 1
        for (context_id, version), difference in differences.items():
            if difference < 0:
                self.report.add(context_id, "corrupt", f"the feed lacks the record that ends at version {version}")
            elif difference > 0:
                self.report.add(context_id, "corrupt", f"the feed names version {version}, where no record ends")

    def _tell(self, line: str) -> None:
        now = time.monotonic()
        if now >= self._next_line:
            self._next_line = now + _PROGRESS_S
            self._progress(line)


class _Context:
    """The check of one context. After the first damage the rest of it is only counted."""

    def __init__(self, log: Log, raw_id: bytes, report: Report) -> None:
        self.raw_id = raw_id
        self.sum = 0
        self._log = log
        self._report = report
        self._records = 0
        self._verifier: _core.Verifier | None = None
        report.contexts += 1
        try:
            self._verifier = _core.Verifier(raw_id.decode(), log.get(Family.STATE, b"c" + raw_id))
        except (_core.CoreError, UnicodeDecodeError) as error:
            self._fail(error)

    def push(self, first_version: int, value: bytes) -> None:
        """The next record."""
        if self._records:
            # The record before ends where this one begins.
            self.sum += _digest(self.raw_id, first_version - 1)
        self._records += 1
        if self._verifier is None:
            return
        try:
            self._verifier.push(value)
        except _core.CoreError as error:
            self._fail(error)

    def end(self) -> None:
        """After the last record: the index chunks, and the context's figures."""
        if self._verifier is None:
            return
        start, stop = self.raw_id + b"\x00", self.raw_id + b"\x01"
        chunks = [
            (int.from_bytes(key[-_NUMBER_BYTES:], "big"), value)
            for key, value in _pairs(self._log, Family.INDEX, start, stop)
        ]
        try:
            version, messages = self._verifier.finish(chunks)
        except _core.CoreError as error:
            self._fail(error)
            return
        self.sum += _digest(self.raw_id, version)
        self._report.messages += messages

    @property
    def damaged(self) -> bool:
        """Something was found."""
        return self._verifier is None

    def _fail(self, error: Exception) -> None:
        self._verifier = None
        code, message = (
            (error.args[0], error.args[1]) if isinstance(error, _core.CoreError) else ("corrupt", str(error))
        )
        self._report.add(_shown(self.raw_id), code, message)


def _pairs(log: Log, family: Family, start: bytes = b"", stop: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
    while True:
        page = log.scan(family, start, stop, limit=_PAGE)
        yield from page
        if len(page) < _PAGE:
            return
        start = page[-1][0] + b"\x00"


def _last_versions(log: Log) -> Iterator[tuple[bytes, int]]:
    """Context and last version of each record, in the order of keys."""
    before: bytes | None = None
    for key, _ in _pairs(log, Family.RECORDS):
        raw_id = key[: -_NUMBER_BYTES - 1]
        if before == raw_id:
            yield raw_id, int.from_bytes(key[-_NUMBER_BYTES:], "big") - 1
        elif before is not None:
            yield before, _final_version(log, before)
        before = raw_id
    if before is not None:
        yield before, _final_version(log, before)


def _final_version(log: Log, raw_id: bytes) -> int:
    verifier = _core.Verifier(raw_id.decode())
    for _, value in _pairs(log, Family.RECORDS, raw_id + b"\x00", raw_id + b"\x00" + b"\xff" * (_NUMBER_BYTES + 1)):
        verifier.push(value)
    return verifier.finish([])[0]


def _has_records(log: Log, raw_id: bytes) -> bool:
    return log.get(Family.RECORDS, raw_id + bytes(_NUMBER_BYTES + 1)) is not None


def _digest(raw_id: bytes, version: int) -> int:
    return int.from_bytes(blake2b(b"%b\0%d" % (raw_id, version), digest_size=16).digest(), "big")


def _shown(raw_id: bytes) -> str:
    return raw_id.decode(errors="replace")
