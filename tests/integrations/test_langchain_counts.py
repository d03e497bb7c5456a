"""LangChain's agents: what the provider counted for a window calibrates its context."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver

from fastpaca.integrations.langchain import FastpacaMiddleware, window_messages
from tests.integrations.agents import Adds, Breaks, add, calling, counted, model, text, thread
from tests.integrations.conftest import Run, log, settled


class Cuts(AgentMiddleware[Any, Any, Any]):
    """Shows the model less of the first message."""

    def wrap_model_call(self, request: Any, handler: Any) -> Any:
        first, *rest = request.messages
        return handler(request.override(messages=[first.model_copy(update={"content": "..."}), *rest]))


class Asks(AgentMiddleware[Any, Any, Any]):
    """Asks another model first."""

    def wrap_model_call(self, request: Any, handler: Any) -> Any:
        model("Which tools?").invoke("Which?")
        return handler(request)


def test_what_the_provider_counted_calibrates(run: Run, name: str) -> None:
    async def test(store: Any) -> None:
        fake = model(counted(calling(1), 500), counted(AIMessage("1."), 600))
        middleware = FastpacaMiddleware(store, budget=9000)
        agent = create_agent(
            fake, [add], system_prompt="Be brief.", middleware=[middleware], checkpointer=InMemorySaver()
        )
        state = await agent.ainvoke(text("Add 1."), thread(name))
        context = await settled(store.context(name))
        assert [message.get("usage") for message in await log(context)] == [
            None,
            {"input_tokens": 500, "output_tokens": 3, "window_version": 1},
            None,
            {"input_tokens": 600, "output_tokens": 3, "window_version": 3},
        ]
        (last,) = await settled(context.tail(1))
        assert (await settled(context.info())).used_tokens == 600 + last["token_count"]
        assert window_messages(await settled(context.window())) == state["messages"]

    run(test)


@pytest.mark.parametrize(("other", "calibrates"), [(None, True), (Asks(), True), (Adds(), False), (Cuts(), False)])
def test_only_an_answer_to_the_window_itself_calibrates(store: Any, other: Any, calibrates: bool) -> None:
    image: Any = [{"type": "image", "base64": "iVBORw0KGgo=", "mime_type": "image/png"}]
    middleware = [FastpacaMiddleware(store, budget=9000), *([other] if other else [])]
    agent = create_agent(model(counted(AIMessage("One."), 2000)), middleware=middleware)
    agent.invoke({"messages": [HumanMessage("1?"), HumanMessage(image)]}, thread("t"))
    assert ("usage" in store.context("t").tail(1)[0]) is calibrates
    assert (store.context("t").info().used_tokens > 2000) is calibrates


def test_an_answer_that_is_stored_again_calibrates_once(store: Any) -> None:
    middleware = Breaks(store, budget=9000)
    agent = create_agent(model(counted(AIMessage("One."), 700)), middleware=[middleware], checkpointer=InMemorySaver())
    middleware.hook = "after_model"
    with pytest.raises(RuntimeError, match="died"):
        agent.invoke(text("1?"), thread("t"))
    before = store.context("t").info()
    agent.invoke(None, thread("t"))
    assert store.context("t").info() == before
    assert before.used_tokens == 700 + store.context("t").tail(1)[0]["token_count"]
