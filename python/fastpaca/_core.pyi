"""The Rust core: request bytes in, record bytes and response bytes out. No I/O, no clock.

Every operation that lacks stored bytes raises `Need`; fetch what it names into a `Fetched` and call again.
"""

from collections.abc import Sequence
from typing import final

__all__ = [
    "BATCH_MESSAGES_MAX",
    "CODES",
    "CONTEXT_ID_BYTES_MAX",
    "ENCODINGS",
    "FAMILIES",
    "FORMATS",
    "FRAMES",
    "INVALID_CODES",
    "KEY_BYTES_MAX",
    "PAGE_MESSAGES_DEFAULT",
    "PAGE_MESSAGES_MAX",
    "POLICIES",
    "POLICY_KEYS",
    "STRATEGIES",
    "TOKEN_BUDGET_MAX",
    "Commit",
    "Consult",
    "Context",
    "CoreError",
    "Counting",
    "Done",
    "Fetched",
    "KeptColumns",
    "Need",
    "Request",
    "Unpaired",
    "Verifier",
    "__version__",
    "chunk_key",
    "convert",
    "encode",
    "feed_entry",
    "frames",
    "idempotency_key",
    "parse",
    "record_key",
    "snapshot_key",
]

__version__: str
CODES: tuple[str, ...]
"""Codes of refusals and of damaged data, but for malformed requests."""
FAMILIES: tuple[str, ...]
"""Names of the key families, by number."""
FORMATS: tuple[str, ...]
"""Names of the formats in which messages are given."""
INVALID_CODES: tuple[str, ...]
"""Codes that a malformed request can have."""
FRAMES: tuple[str, ...]
"""Kinds of frames."""
STRATEGIES: tuple[str, ...]
"""Names of the policies of the core."""
POLICIES: tuple[tuple[str, list[str], str], ...]
"""The policies of the core: name, keys beside `POLICY_KEYS`, and what it does."""
POLICY_KEYS: tuple[str, ...]
"""Keys that every policy takes."""
ENCODINGS: tuple[str, ...]
"""Names of the encodings that are counted with."""
TOKEN_BUDGET_MAX: int
PAGE_MESSAGES_MAX: int
PAGE_MESSAGES_DEFAULT: int
BATCH_MESSAGES_MAX: int
CONTEXT_ID_BYTES_MAX: int
KEY_BYTES_MAX: int

class CoreError(Exception):
    """A refused request or damaged data. `args` are the stable code, the text, and the data by name."""

    args: tuple[str, str, dict[str, int | str | None]]

class Need(Exception):
    """Bytes are lacking. `args` are the keys, as (family, key), a scan of records or None, and records by version.

    A scan is (start key, stop key, after, up to): the records with keys in [start, stop) belong into
    `Fetched.insert_range(after, up to, records)`. Of each (start key, stop key, version) the record with the last key
    in [start, stop) belongs into `Fetched.insert_holding(version, record)`.
    """

    args: tuple[list[tuple[int, bytes]], tuple[bytes, bytes, int, int] | None, list[tuple[bytes, bytes, int]]]

class Consult(Exception):
    """A custom policy has to decide: plan again with its decision. Nothing is planned meanwhile."""

    args: tuple[KeptColumns]

@final
class KeptColumns:
    """What a custom policy sees of a kept list."""

    @property
    def strategy(self) -> str: ...
    @property
    def config(self) -> str:
        """Its configuration, a JSON object."""

    @property
    def shares(self) -> tuple[int, int, int]:
        """Tokens of its budget, its trigger and its target."""

    def columns(self) -> dict[str, tuple[str, bytes]]:
        """By name: the code of the `struct` module for one value, and the values, one for each item of the list."""

@final
class Counting:
    """How tokens are counted: an encoder, and a factor for models without a public tokenizer."""

    def __new__(cls, *, model: str | None = None, tokenizer: str | None = None) -> Counting:
        """The counting of a model, which a tokenizer overrides. Raises `CoreError` for an unknown tokenizer."""

    @property
    def encoding(self) -> str:
        """Name of the encoder."""

    @property
    def factor_permille(self) -> int:
        """What the model counts for each thousand tokens of the encoder."""

    def count(self, text: str) -> int:
        """Tokens of a text. Releases the interpreter for long texts."""

@final
class Request:
    """A write request that is valid by itself, with its messages classified and counted."""

    @property
    def key(self) -> str | None:
        """The idempotency key, from the body or beside it."""

def parse(route: str, body: bytes, *, key: str | None = None, counting: Counting | None = None) -> Request:
    """Parses the body of a write.

    `route` is one of configure, append, compact, rewind, metadata, tombstone. `key` is the idempotency key given beside
    the body. Messages are counted by `counting`, the context's own. Releases the interpreter for large bodies. Raises
    `CoreError` that names the field at fault.
    """

def convert(replies: Sequence[bytes], format: str, *, model: str | None = None, cache: str | None = None) -> bytes:
    """The messages of replies, a window or pages of a replay, as one request.

    `{"request": ..., "omitted_reasoning": ...}`, of a window the same bytes as `Context.window` for that format where
    `model` is the context's and `cache` the same. Raises `CoreError` for `parts`, for an unknown format, for what holds
    no messages, and for a `cache` that is unknown or that the format can't have.
    """

def encode(value: object) -> bytes | None:
    """The bytes of `json.dumps` without white space and without escapes that UTF-8 needs none for.

    Of dicts, lists, strings, integers of 64 bits, finite floats, booleans and None alone, not of their subclasses, and
    no deeper than 64. None for any other value, whether JSON holds it or not.
    """

def frames(
    record: bytes, *, after: int | None = None, context_id: str | None = None, include_messages: bool = True
) -> list[tuple[int, str, str | None, bytes]]:
    """What subscribers are told of a stored record: version, kind, id of the message, and the frame's JSON.

    One frame for each entry behind version `after`, and one of kind `window` for what is kept then. With `context_id`
    each frame names the context; without `include_messages` a message is named, not shown. Raises `CoreError` for a
    record that is damaged or of a newer release.
    """

def feed_entry(version: int, id: str) -> bytes:
    """The feed's value for the record of context `id` whose last entry has `version`."""

def idempotency_key(id: str, key: str) -> tuple[int, bytes]:
    """Family and key under which an idempotency key is stored."""

def snapshot_key(id: str) -> tuple[int, bytes]:
    """Family and key of a context's snapshot."""

def record_key(id: str, first_version: int) -> tuple[int, bytes]:
    """Family and key of the record that begins at a version."""

def chunk_key(id: str, number: int) -> tuple[int, bytes]:
    """Family and key of an index chunk."""

@final
class Fetched:
    """Stored bytes that an operation asked for."""

    def __new__(cls) -> Fetched: ...
    def insert(self, family_number: int, key: bytes, value: bytes | None) -> None:
        """Adds a value; None says that there is none."""

    def insert_range(self, after: int, up_to: int, records: list[bytes]) -> None:
        """Adds the records of a scan."""

    def insert_holding(self, version: int, record: bytes | None) -> None:
        """Adds the record that holds a version; None says that there is none."""

@final
class Commit:
    """A planned record: make `puts` durable, all or nothing, in the order of planning; then call `Context.apply`."""

    @property
    def first_version(self) -> int: ...
    @property
    def version(self) -> int: ...
    @property
    def puts(self) -> list[tuple[int, bytes, bytes | None]]: ...
    @property
    def puts_bytes(self) -> int:
        """Bytes of their keys and values."""

    @property
    def feed_entry(self) -> bytes:
        """What the feed is to hold."""

    @property
    def reply(self) -> bytes: ...
    @property
    def created(self) -> bool: ...

@final
class Done:
    """Nothing to commit: `reply` holds once `version` is visible."""

    @property
    def version(self) -> int: ...
    @property
    def reply(self) -> bytes: ...
    @property
    def replayed(self) -> bool:
        """The request was made before, under the same idempotency key."""

@final
class Context:
    """A loaded context: its visible state, and the planned one while records are in flight. Thread-safe.

    Whoever calls `plan` must hand the commits to the log in the order of planning.
    """

    @staticmethod
    def load(id: str, fetched: Fetched) -> Context:
        """Loads a context, or one that does not exist yet. Raises `Need`, or `CoreError` for damaged data."""

    @property
    def version(self) -> int | None:
        """The visible version; None for a context that does not exist."""

    @property
    def in_flight(self) -> int:
        """Records that are planned and not yet visible."""

    @property
    def resident_bytes(self) -> int:
        """Bytes held in memory, roughly."""

    def model(self, fetched: Fetched, *, at_version: int | None = None) -> str | None:
        """The model that its windows go to, where it is told; now, or as it was. Raises `Need` for an earlier one."""

    @property
    def tombstoned(self) -> bool: ...
    def parse(self, route: str, body: bytes, *, key: str | None = None, custom: Sequence[str] | None = None) -> Request:
        """As the function `parse`, by the context's own counting. `custom` are the names of registered policies."""

    def plan(
        self,
        request: Request,
        now_ms: int,
        incarnation: bytes,
        fetched: Fetched,
        decision: tuple[set[int], set[int]] | None = None,
    ) -> Commit | Done:
        """Plans a write on top of the records in flight.

        `incarnation` are 16 random bytes, used where the write creates the context; `decision` is a custom policy's:
        the numbers of messages that leave, and of those whose results are stripped. Raises `CoreError` for a refusal
        (code `stale`: parse again), `Need`, and `Consult`.
        """

    def apply(self, first_version: int) -> bool:
        """Makes the oldest record in flight visible: it is durable. Gives True when a snapshot is due."""

    def fail(self) -> None:
        """Discards everything planned: a commit failed."""

    def snapshot(self) -> list[tuple[int, bytes, bytes | None]]:
        """Puts of a snapshot and of index chunks that are not stored yet. They may get lost."""

    def forget_keys(self, fetched: Fetched) -> list[tuple[int, bytes, bytes | None]]:
        """Puts that delete idempotency keys which are forgotten. They may get lost."""

    def describe(self) -> bytes:
        """The context as JSON."""

    def window(
        self,
        fetched: Fetched,
        *,
        budget_tokens: int | None = None,
        fit: str = "steps",
        close: bool = False,
        format: str = "parts",
        cache: str | None = None,
        at_version: int | None = None,
        explain: bool = False,
    ) -> bytes:
        """The window as JSON, now or as it was at a version. `fit` is "steps" or "largest", `format` of `FORMATS`,
        `cache` "auto" where the format has breakpoints. `explain` adds an explanation.
        """

    def tagged_window(
        self,
        fetched: Fetched,
        *,
        budget_tokens: int | None = None,
        fit: str = "steps",
        close: bool = False,
        format: str = "parts",
        cache: str | None = None,
        at_version: int | None = None,
        explain: bool = False,
        if_version: int | None = None,
        min_version: int | None = None,
        known_tags: Sequence[str] | None = None,
    ) -> tuple[str, bytes | None, str | None]:
        """An entity tag (equal tags, equal bytes), the window, and the model that it goes to.

        There is no window where the caller has it: that of `if_version`, or of one of `known_tags` (`*`: of any).
        Raises `CoreError` for a `min_version` that is not reached, and as `window`.
        """

    def selected_tokens(self, *, budget_tokens: int | None = None, fit: str = "steps") -> int:
        """The tokens of a window, which is selected and not rendered. Raises `CoreError` as `window`."""

    def compactions(self, fetched: Fetched, *, cursor: int | None = None, limit: int) -> bytes:
        """A page of compactions and reverts of versions before `cursor`, newest first, as JSON."""

    def replay(
        self,
        fetched: Fetched,
        *,
        from_seq: int | None = None,
        to_seq: int | None = None,
        cursor: int | None = None,
        limit: int,
        all: bool = False,
        format: str = "parts",
    ) -> bytes:
        """A page of the log as JSON. Negative numbers count from the end; `all` includes what left by a rewind."""

    def tail(self, fetched: Fetched, *, offset: int = 0, limit: int, format: str = "parts") -> bytes:
        """A page from the newest message backwards, in log order, as JSON."""

@final
class Unpaired:
    """Results of a conversation without a call and calls without a result, as the context of its messages finds them.

    A call or result is given by its id and its tool's name, either of which it may lack.
    """

    def __new__(cls) -> Unpaired: ...
    def push(self, request: Request, place: str) -> list[tuple[str | None, str | None]]:
        """Takes the next append, which stands at `place`. Gives those of its results that no call asked for. Raises
        `ValueError` for another write.
        """

    def waiting(self) -> list[tuple[str, str | None, str | None]]:
        """The calls without a result, oldest first, each behind the place of its message."""

@final
class Verifier:
    """Checks a context from its first record on."""

    def __new__(cls, id: str, snapshot: bytes | None = None) -> Verifier: ...
    def push(self, record: bytes) -> None:
        """Checks and folds the next record. Raises `CoreError`."""

    def finish(self, chunks: list[tuple[int, bytes]]) -> tuple[int, int]:
        """Checks stored index chunks; gives version and number of messages."""
