"""Custom policies are asked off the commit path: the append that made one due waits on a thread of its own.

From then on until the decision is planned it is that context's *turn*: other writes to it queue behind the append, in
their order, and are planned when it is. Other contexts, and reads, go on. Writes that wait are raised out of the usual
path as `Deferred`, so that a write to a context without a custom policy pays nothing for this.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from fastpaca import _core, policies
from fastpaca.errors import ClosedError, InvalidError
from fastpaca.handles import raised

if TYPE_CHECKING:
    from fastpaca.engine import Engine
    from fastpaca.handles import Handle
    from fastpaca.ticket import Reply, Ticket

SECONDS_MAX: Final = 60
"""What a policy may take. A thread can't be ended from outside: one that takes longer is left to itself."""

Decided = tuple[set[int], set[int]]

_THREADS_MAX: Final = 32
_NOTHING: Final[Decided] = (set(), set())
_logger = logging.getLogger("fastpaca.policies")


class Deferred(Exception):
    """No error: the write goes on elsewhere, and its reply comes by the future."""

    def __init__(self, future: Future[Reply]) -> None:
        super().__init__()
        self.future = future


@dataclass(eq=False)
class Write:
    """A write that waits. `request` is parsed again where the context counts by other rules meanwhile."""

    route: str
    body: bytes
    key: str | None
    request: _core.Request | None = None
    custom: tuple[str, ...] = ()
    future: Future[Reply] = field(default_factory=Future)

    def settle(self, ticket: Ticket) -> None:
        """Tells who waits."""
        if ticket.error is not None:
            self.future.set_exception(ticket.error)
        else:
            self.future.set_result(ticket.result())

    def parsed(self, context: _core.Context) -> _core.Request:
        """The request, by the context's present rules."""
        if self.request is None:
            try:
                self.request = context.parse(self.route, self.body, key=self.key, custom=self.custom)
            except _core.CoreError as error:
                raise raised(error) from None
        return self.request


class Consults:
    """Asks custom policies for the contexts of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(_THREADS_MAX, thread_name_prefix="fastpaca-policy")
        self._lock = threading.Lock()
        self._errors: dict[str, int] = {}

    @property
    def errors(self) -> dict[str, int]:
        """How often each policy failed: it raised, decided nonsense, or was not registered."""
        with self._lock:
            return dict(self._errors)

    def begin(self, handle: Handle, write: Write, consult: _core.Consult) -> Deferred:
        """The context's policy is due on a write: it is this context's turn from now on. The caller holds its lock."""
        handle.turn = deque()
        try:
            self._threads.submit(self._take_turn, handle, write, consult.args[0])
        except RuntimeError:
            handle.turn = None
            raise ClosedError("the store is closed") from None
        return Deferred(write.future)

    @staticmethod
    def join(turn: deque[Write], write: Write) -> Deferred:
        """Queues a write behind the one that waits for the policy. The caller holds the context's lock."""
        turn.append(write)
        return Deferred(write.future)

    def configure(self, context_id: str, write: Write, refused: _core.CoreError) -> Deferred:
        """A configuration whose strategy the core does not know: checked by the policy itself, on a thread."""
        known = policies.names()
        code, message, details = refused.args
        policy = json.loads(write.body)["policy"]
        if policy["strategy"] not in known:
            raise InvalidError(", ".join([message, *known]), code=code, details=dict(details))
        write.custom = (policy["strategy"],)
        try:
            self._threads.submit(self._configure, context_id, write, policy.get("config") or {})
        except RuntimeError:
            raise ClosedError("the store is closed") from None
        return Deferred(write.future)

    def close(self) -> None:
        """Waits for the policies that are asked, and for the writes behind them."""
        self._threads.shutdown()

    # On a thread

    def _configure(self, context_id: str, write: Write, config: dict[str, Any]) -> None:
        try:
            self._check(write.custom[0], config)
            while True:
                handle = self._engine.loaded(context_id)
                with handle.lock:
                    if handle.evicted:
                        continue
                    if handle.turn is not None:
                        handle.turn.append(write)
                    else:
                        self._advance(handle, write, None)
                    return
        except BaseException as error:  # noqa: BLE001 - whoever waits must be told, whatever it is
            write.future.set_exception(error)

    @staticmethod
    def _check(name: str, config: dict[str, Any]) -> None:
        try:
            policy = policies.required(name)
        except Exception as error:
            message = f"policy.strategy: the strategy {name!r} can't be loaded: {error}"
            raise InvalidError(message, code="unknown_strategy", details={"field": "policy.strategy"}) from error
        policies.check(name, policy, config)

    def _take_turn(self, handle: Handle, write: Write, columns: _core.KeptColumns) -> None:
        """Asks the policy, plans the write, and then those behind it, until the next one that needs the policy."""
        waiting: tuple[Write, _core.KeptColumns] | None = (write, columns)
        while waiting is not None:
            write, columns = waiting
            decision = self._decide(handle.id, columns)
            with handle.lock:
                self._advance(handle, write, decision)
                waiting = self._drain(handle)
        self._engine.account(handle)

    def _drain(self, handle: Handle) -> tuple[Write, _core.KeptColumns] | None:
        turn = handle.turn
        while turn:
            write = turn.popleft()
            columns = self._advance(handle, write, None)
            if columns is not None:
                return write, columns
        handle.turn = None
        return None

    def _advance(self, handle: Handle, write: Write, decision: Decided | None) -> _core.KeptColumns | None:
        """Plans a write and hands it over. Gives the columns where a policy has to decide first."""
        try:
            ticket = self._engine.plan_and_commit(handle, write, decision)
        except _core.Consult as consult:
            return consult.args[0]
        except BaseException as error:  # noqa: BLE001 - whoever waits must be told, whatever it is
            write.future.set_exception(error)
            return None
        if ticket.settled:
            write.settle(ticket)
        return None

    def _decide(self, context_id: str, columns: _core.KeptColumns) -> Decided:
        """What the policy decides; nothing where it fails."""
        name = columns.strategy
        try:
            return _asked(name, columns)
        except BaseException:
            with self._lock:
                self._errors[name] = self._errors.get(name, 0) + 1
            facts = {"context_id": context_id, "strategy": name}
            _logger.exception("the policy %r failed, the kept list stays", name, extra=facts)
            return _NOTHING


def _asked(name: str, columns: _core.KeptColumns) -> Decided:
    """What the policy decides. Raises what it raises, and `TimeoutError` where it takes too long."""
    decided: Future[Decided] = Future()

    def ask() -> None:
        try:
            decided.set_result(policies.decide(policies.required(name), policies.KeptList(columns)))
        except BaseException as error:  # noqa: BLE001 - it is logged with what the context was
            decided.set_exception(error)

    # A daemon, so that one that never answers does not keep the process from ending either.
    threading.Thread(target=ask, name=f"fastpaca-policy-{name}", daemon=True).start()
    try:
        return decided.result(SECONDS_MAX)
    except TimeoutError:
        if decided.done():
            raise
        raise TimeoutError(f"no decision within {SECONDS_MAX} s") from None
