"""Files of conversations into a store."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fastpaca import transcripts
from fastpaca.errors import DataError, InvalidError
from fastpaca.handles import check_id
from fastpaca.transcripts import Passage, Problem, TranscriptError
from fastpaca.transfer.incoming import Incoming
from fastpaca.transfer.options import Options
from fastpaca.transfer.report import Report

if TYPE_CHECKING:
    from fastpaca.sync import Store

OnProgress = Callable[[Report, int], None]

OPEN_BYTES: Final = 16 << 20
"""Messages that are held for all contexts together: files may mix them."""
OPEN_CONTEXTS: Final = 1024


def load(
    store: Store | None,
    files: Iterable[str | os.PathLike[str]],
    options: Options | None = None,
    *,
    report: Report | None = None,
    progress: OnProgress = lambda _report, _bytes: None,
) -> Report:
    """Imports the conversations of files, those messages that the store does not hold yet.

    A context's configuration and messages come first, its policy runs once, after the last of them. What can't be read
    or is refused goes into the report and is left out; a context that holds other messages than the file is left as it
    is from there on. `store` is None for a dry run into nothing. `report` is filled as it goes; `progress` gets it with
    the bytes of each line read. Raises `UnavailableError` where the store takes no more: the same import again goes on
    from there.
    """
    options = options or Options()
    report = report if report is not None else Report()
    report.dry_run = options.dry_run
    started = time.monotonic()
    try:
        for path in files:
            _Loader(store, Path(path), options, report, progress).run()
    finally:
        report.duration_s = time.monotonic() - started
    return report


class _Loader:
    """Imports one file."""

    def __init__(self, store: Store | None, path: Path, options: Options, report: Report, progress: OnProgress) -> None:
        self._store = store
        self._path = path
        self._options = options
        self._report = report
        self._progress = progress
        self._open: OrderedDict[str, Incoming] = OrderedDict()
        self._held_bytes = 0
        self._reached: dict[str, int] = {}
        """Of contexts that are open no more, how far the file has come: it may go on with them."""

    def run(self) -> None:
        """Imports all of it. A file that breaks off is imported as far as it goes."""
        try:
            for passage in transcripts.stream(
                self._path,
                format=self._options.format,
                on_problem=self._on_problem,
                on_read=lambda size: self._progress(self._report, size),
            ):
                self._take(passage)
        except TranscriptError as error:
            self._report.problems.add(str(error))
        while self._open:
            self._finish(next(iter(self._open)))

    def _on_problem(self, problem: Problem) -> None:
        self._report.problems.add(str(problem))

    def _take(self, passage: Passage) -> None:
        name = self._options.id_of(passage.id)
        try:
            incoming = self._incoming(name, passage)
        except (InvalidError, DataError) as error:
            self._report.problems.add(f"{passage.path}:{passage.line}: {name!r}: {error}")
            self._report.left_out += sum(1 for _ in passage.messages)
            return
        for recorded in passage.messages:
            before = incoming.held_bytes
            incoming.push(recorded)
            self._held_bytes += incoming.held_bytes - before
        if passage.is_whole:
            self._finish(name)
        while len(self._open) > OPEN_CONTEXTS or self._held_bytes > OPEN_BYTES:
            oldest = next(iter(self._open))
            self._reached[oldest] = self._finish(oldest).seq

    def _incoming(self, id: str, passage: Passage) -> Incoming:
        """The context of a passage. Raises `InvalidError` for an id that no context can have."""
        found = self._open.get(id)
        if found is not None and not passage.is_whole:
            self._open.move_to_end(id)
            return found
        if found is not None:
            self._finish(id)
        check_id(id)
        context = None if self._store is None else self._store.context(id)
        reached = None if passage.is_whole else self._reached.get(id)
        found = Incoming(context, self._path, self._options, self._report, exported=passage.settings, reached=reached)
        self._report.contexts += reached is None
        self._open[id] = found
        return found

    def _finish(self, id: str) -> Incoming:
        incoming = self._open.pop(id)
        self._held_bytes -= incoming.held_bytes
        incoming.finish()
        return incoming
