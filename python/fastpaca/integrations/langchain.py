"""A middleware for LangChain's agents: the model gets the window of a context, and all that is said goes to its log.

    agent = create_agent(model, tools, middleware=[FastpacaMiddleware(store, budget=100_000)])

Needs `pip install 'fastpaca[langchain]'`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, NamedTuple, cast

from fastpaca.aio import AsyncStore
from fastpaca.errors import InvalidError
from fastpaca.integrations._awaited import AnyContext, Awaited, finished
from fastpaca.sync import Store

try:
    from langchain.agents.middleware import AgentMiddleware, AgentState
    from langchain.agents.middleware.types import (
        ContextT,
        ExtendedModelResponse,
        ModelRequest,
        ModelResponse,
        PrivateStateAttr,
    )
    from langchain_core.messages import AIMessage, AnyMessage, BaseMessage
    from langgraph.runtime import Runtime
    from langgraph.types import Command

    from fastpaca.integrations._langchain_asked import Asked, asked
    from fastpaca.integrations._langchain_log import Synced, sync
    from fastpaca.integrations._langchain_messages import stored, window_messages
except ModuleNotFoundError as error:
    raise ImportError("fastpaca.integrations.langchain needs LangChain: pip install 'fastpaca[langchain]'") from error

__all__ = ["FastpacaMiddleware", "FastpacaState", "stored", "window_messages"]

_CONTEXTS_MAX = 10_000


class FastpacaState(AgentState[Any]):
    """The agent's state, and how far it is in the log."""

    fastpaca: Annotated[Synced | None, PrivateStateAttr]


class FastpacaMiddleware(AgentMiddleware[AgentState[Any], ContextT, Any]):
    """Sends the window to the model and stores what comes back. The state keeps every message.

    `store` is blocking, for `invoke` and `ainvoke`, or async, for `ainvoke`. Each thread has a context, whose id is its
    `thread_id`; `context_id` is another, or a function of the runtime. `options` are those of `store.context`: with
    them contexts are made as they are needed. Put it first among the middlewares, so that the others see the window.

    Messages are known by their ids, so a node that runs again doubles nothing. What a state no longer has (it went back
    to a checkpoint, or messages were removed) leaves the window and stays in the log. Raises a `FastpacaError`.
    """

    state_schema = FastpacaState
    tools = ()

    def __init__(
        self,
        store: Store | AsyncStore,
        *,
        context_id: str | Callable[[Runtime[ContextT]], str] | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self._store = _checked(store)
        self._context_id = context_id
        self._options = options
        self._contexts: dict[str, AnyContext] = {}

    def _id(self, runtime: Runtime[ContextT]) -> str:
        if callable(self._context_id):
            return self._context_id(runtime)
        info = runtime.execution_info
        found = self._context_id or (info.thread_id if info is not None else None)
        if found is None:
            message = "context_id: give one, or run the agent with a thread_id in its config"
            raise InvalidError(message, details={"field": "context_id"})
        return str(found)

    def _keep(self, context: AnyContext) -> AnyContext:
        """Contexts are configured once. They hold no messages, so many are kept."""
        if len(self._contexts) >= _CONTEXTS_MAX:
            self._contexts.clear()
        self._contexts[context.id] = context
        return context

    def _inline(self, runtime: Runtime[ContextT]) -> Awaited:
        if isinstance(self._store, AsyncStore):
            message = "store: an async one needs agent.ainvoke or agent.astream"
            raise InvalidError(message, details={"field": "store"})
        name = self._id(runtime)
        context = self._contexts.get(name) or self._keep(self._store.context(name, **self._options))
        return Awaited(context, inline=True)

    async def _awaited(self, runtime: Runtime[ContextT]) -> Awaited:
        name, store = self._id(runtime), self._store
        context = self._contexts.get(name)
        if context is None:
            made = (
                await store.context(name, **self._options)
                if isinstance(store, AsyncStore)
                else await asyncio.to_thread(store.context, name, **self._options)
            )
            context = self._keep(made)
        return Awaited(context)

    def wrap_model_call(
        self, request: ModelRequest[ContextT], handler: Callable[[ModelRequest[ContextT]], ModelResponse[Any]]
    ) -> ExtendedModelResponse[Any]:
        """Stores what is new in the state, and calls the model with the window."""
        shown = finished(_shown(self._inline(request.runtime), request.state))
        with asked() as given:
            response = handler(request.override(messages=shown.messages))
        return shown.answered(response, given)

    async def awrap_model_call(
        self,
        request: ModelRequest[ContextT],
        handler: Callable[[ModelRequest[ContextT]], Awaitable[ModelResponse[Any]]],
    ) -> ExtendedModelResponse[Any]:
        """As `wrap_model_call`."""
        shown = await _shown(await self._awaited(request.runtime), request.state)
        with asked() as given:
            response = await handler(request.override(messages=shown.messages))
        return shown.answered(response, given)

    def after_model(self, state: AgentState[Any], runtime: Runtime[ContextT]) -> dict[str, Any]:
        """Stores what the model said, before a tool runs. It is in the state by now, so it is there once."""
        return {"fastpaca": finished(_store(self._inline(runtime), state))}

    async def aafter_model(self, state: AgentState[Any], runtime: Runtime[ContextT]) -> dict[str, Any]:
        """As `after_model`."""
        return {"fastpaca": await _store(await self._awaited(runtime), state)}

    def after_agent(self, state: AgentState[Any], runtime: Runtime[ContextT]) -> dict[str, Any]:
        """Stores what came behind the last call of the model, such as the result of a tool that ends the run."""
        return self.after_model(state, runtime)

    async def aafter_agent(self, state: AgentState[Any], runtime: Runtime[ContextT]) -> dict[str, Any]:
        """As `after_agent`."""
        return await self.aafter_model(state, runtime)


def _checked(store: object) -> Store | AsyncStore:
    if isinstance(store, (Store, AsyncStore)):
        return store
    found = f"store: expected a store, as fastpaca.open(...) gives it, not {type(store).__name__}"
    raise InvalidError(found, details={"field": "store"})


async def _store(calls: Awaited, state: Mapping[str, Any]) -> Synced | None:
    messages: Sequence[BaseMessage] = state["messages"]
    return await sync(calls, messages, state.get("fastpaca"))


class _Shown(NamedTuple):
    """The window that a model gets."""

    synced: Synced | None
    version: int
    messages: list[AnyMessage]

    def answered(self, response: ModelResponse[Any], given: Asked) -> ExtendedModelResponse[Any]:
        """What the model said. Of an answer to this very window, what the provider counted is that of the window."""
        synced = self.synced
        said = [message.id for message in response.result if isinstance(message, AIMessage)]
        if synced is not None and len(said) == 1 and said[0] is not None and given.with_just(self.messages):
            synced = {**synced, "answer": {"id": said[0], "window_version": self.version}}
        return ExtendedModelResponse(response, Command(update={"fastpaca": synced}))


async def _shown(calls: Awaited, state: Mapping[str, Any]) -> _Shown:
    synced = await _store(calls, state)
    window = await calls.window()
    return _Shown(synced, window.version, cast("list[AnyMessage]", window_messages(window)))
