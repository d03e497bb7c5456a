"""Server-sent events, the frames that they carry, and where a stream goes on after a break."""

from __future__ import annotations

import json
from typing import Final, NamedTuple

from fastpaca.errors import MalformedReplyError
from fastpaca.streams.frames import Frame

EVENT_BYTES_MAX: Final = 64 * 1024 * 1024
"""What may come without the end of a line. A frame is at most a body of a request, and a little more."""


class Event(NamedTuple):
    """A block of lines. One without `data` is nothing to dispatch; its `id` counts all the same."""

    type: str
    data: bytes | None
    id: str | None


class Events:
    """Takes events from bytes as they come. What is not complete at the end is no event."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._type = ""
        self._data: list[bytes] = []
        self._id: str | None = None
        self._lines = 0

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that end in this chunk. Raises `MalformedReplyError` for a line without end."""
        self._buffer += chunk
        if b"\n" not in chunk and b"\r" not in chunk:
            if len(self._buffer) > EVENT_BYTES_MAX:
                raise MalformedReplyError(f"a line of the stream has more than {EVENT_BYTES_MAX} bytes")
            return []
        lines = bytes(self._buffer).splitlines(keepends=True)
        # A carriage return at the end may be half of a line's end.
        rest = b"" if lines[-1].endswith(b"\n") else lines.pop()
        self._buffer = bytearray(rest)
        return [event for line in lines if (event := self._line(line.rstrip(b"\r\n"))) is not None]

    def _line(self, line: bytes) -> Event | None:
        if not line:
            return self._end()
        self._lines += 1
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._type = value.decode(errors="replace")
        elif name == b"id":
            self._id = value.decode(errors="replace")
        return None

    def _end(self) -> Event | None:
        if not self._lines:
            return None
        event = Event(self._type or "message", b"\n".join(self._data) if self._data else None, self._id)
        self._type, self._data, self._id, self._lines = "", [], None, 0
        return event


def frame_of(event: Event, *, of_all: bool) -> Frame:
    """The frame of an event that has data. Raises `MalformedReplyError` for what is none."""
    assert event.data is not None
    try:
        fields = json.loads(event.data)
    except (ValueError, RecursionError) as error:
        raise MalformedReplyError(f"a frame of the stream is not valid JSON: {error}") from None
    if not isinstance(fields, dict) or not isinstance(fields.get("type"), str):
        raise MalformedReplyError("a frame of the stream is no object with a type")
    version = fields.get("version")
    if version is not None and (isinstance(version, bool) or not isinstance(version, int)):
        raise MalformedReplyError("a frame of the stream has a version that is no integer")
    return Frame(fields["type"], event.data, version, cursor_of(event.id, of_all=of_all))


def cursor_of(event_id: str | None, *, of_all: bool) -> int | str | None:
    """The cursor that an event's id is. Raises `MalformedReplyError` for what is none."""
    if event_id is None or of_all:
        return event_id
    if not (event_id.isascii() and event_id.isdecimal()):
        raise MalformedReplyError(f"an id of the stream is no version: {event_id[:40]!r}")
    return int(event_id)


class Place:
    """Where a stream stands. An entry and the state behind it share a cursor, so a stream that broke between the two
    goes on behind the cursor before, and passes over what was seen.
    """

    def __init__(self, cursor: int | str | None) -> None:
        self.resume = cursor
        """Ask for what comes behind this."""
        self._at = cursor
        self._seen = 0
        self._skip = 0

    def opened(self, cursor: int | str | None) -> None:
        """The stream begins, or goes on. The server says where, for one that was to begin with what comes next."""
        if self.resume is None:
            self.resume = self._at = cursor
        self._skip = self._seen

    def is_new(self, frame: Frame) -> bool:
        """Notes a frame, and tells whether it was not seen before."""
        if frame.cursor is None:
            return True
        if frame.cursor == self._at and self.resume != self._at:
            if self._skip:
                self._skip -= 1
                return False
            self._seen += 1
            return True
        self.resume, self._at = self._at, frame.cursor
        self._seen, self._skip = 1, 0
        return True
