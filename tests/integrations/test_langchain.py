"""LangChain's agents with the middleware, over the library's own fake models."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware, SummarizationMiddleware
from langchain.agents.structured_output import ToolStrategy
from langchain_core.messages import (
    AIMessage,
    HumanMessage,
    RemoveMessage,
    ToolMessage,
)
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command
from pydantic import BaseModel

import fastpaca
from fastpaca import errors
from fastpaca.integrations.langchain import FastpacaMiddleware, stored, window_messages
from tests.integrations.agents import (
    Adds,
    Breaks,
    add,
    calling,
    counted,
    final,
    logged,
    model,
    text,
    texts,
    thread,
    valid,
)
from tests.integrations.conftest import Run, settled
from tests.support.server import Server

SCRIPT = [calling(1, 2), calling(3), "1, 2 and 3.", calling(4), "4.", "Bye."]
TURNS = ["Add 1, 2, 3.", "Add 4.", "Bye."]


def test_the_model_sees_what_it_sees_without(run_all: Run, name: str) -> None:
    """Where all fits, the very same messages; and the state is the same."""

    async def test(store: Any) -> None:
        ours, theirs = model(*SCRIPT), model(*SCRIPT)
        middleware = FastpacaMiddleware(store, budget=100_000)
        agents = [
            (
                ours,
                create_agent(
                    ours, [add], system_prompt="Be brief.", middleware=[middleware], checkpointer=InMemorySaver()
                ),
            ),
            (theirs, create_agent(theirs, [add], system_prompt="Be brief.", checkpointer=InMemorySaver())),
        ]
        for turn in TURNS:
            question = HumanMessage(turn, id=turn)
            for _, agent in agents:
                await agent.ainvoke({"messages": [question]}, thread(name))
        states = [(await agent.aget_state(thread(name))).values["messages"] for _, agent in agents]
        assert texts(states[0]) == texts(states[1])
        assert [texts(messages) for messages in ours.seen] == [texts(messages) for messages in theirs.seen]
        valid(ours)
        context = await settled(store.context(name))
        assert window_messages(await settled(context.window())) == states[0]

    run_all(test)


@pytest.mark.parametrize("over_http", [False, True])
def test_invoke_and_ainvoke(over_http: bool, tmp_path: Path, server: Server, name: str) -> None:
    with fastpaca.connect(server.url) if over_http else fastpaca.open(tmp_path / "data") as store:
        blocking_and_not(store, name)


def blocking_and_not(store: fastpaca.Store, name: str) -> None:
    agent = create_agent(
        model(*SCRIPT), [add], middleware=[FastpacaMiddleware(store, budget=9000)], checkpointer=InMemorySaver()
    )
    agent.invoke(text(TURNS[0]), thread(name))
    asyncio.run(agent.ainvoke(text(TURNS[1]), thread(name)))
    state = agent.invoke(text(TURNS[2]), thread(name))
    assert list(state) == ["messages"]
    assert logged(store.context(name)) == texts(state["messages"])


def test_a_window_that_cuts(store: Any) -> None:
    script = [step for n in range(12) for step in (calling(n, 100 + n), f"{n}. " * 15)]
    fake = model(*script)
    middleware = FastpacaMiddleware(store, budget=400)
    agent = create_agent(fake, [add], system_prompt="Be brief.", middleware=[middleware], checkpointer=InMemorySaver())
    for n in range(12):
        state = agent.invoke(text(f"Add {n}."), thread("t"))
    valid(fake)
    assert len(fake.seen[-1]) < 30
    assert fake.seen[-1][0].text == "Be brief."
    assert len(state["messages"]) == len(list(store.context("t").messages())) == 12 * 5
    assert store.context("t").window().used_tokens <= 400


def test_summaries(store: Any) -> None:
    fake = model("One.", "Two.")
    agent = create_agent(fake, middleware=[FastpacaMiddleware(store, budget=9000)], checkpointer=InMemorySaver())
    agent.invoke(text("1?"), thread("t"))
    store.context("t").compact({"role": "assistant", "content": "They count."}, from_seq=1, to_seq=2)
    state = agent.invoke(text("2?"), thread("t"))
    assert texts(fake.seen[-1]) == ["They count.", "2?"]
    assert texts(state["messages"]) == ["1?", "One.", "2?", "Two."]


@pytest.mark.parametrize("hook", ["wrap_model_call", "after_model"])
@pytest.mark.parametrize("saver", [True, False])
def test_a_node_that_runs_again(store: Any, hook: str, saver: bool) -> None:
    middleware = Breaks(store, budget=9000, context_id="t")
    # Where the model is called again, it says something else.
    fake = model(*([calling(7)] if hook == "wrap_model_call" or not saver else []), calling(1, 2), "1 and 2.")
    agent = create_agent(fake, [add], middleware=[middleware], checkpointer=InMemorySaver() if saver else None)
    middleware.hook = hook
    question: Any = {"messages": [HumanMessage("Add.", id="question")]}
    with pytest.raises(RuntimeError, match="died"):
        agent.invoke(question, thread("t"))
    state = agent.invoke(None if saver else question, thread("t"))
    chat = store.context("t")
    assert logged(chat) == texts(state["messages"]) == ["Add.", "2 calls", "1", "2", "1 and 2."]
    # Only what had come into the log is there once more.
    assert logged(chat, all=True).count("1 calls") == (1 if hook == "after_model" and not saver else 0)
    assert logged(chat, all=True).count("Add.") == 1
    valid(fake)


def test_a_model_that_fails_in_the_middle(store: Any) -> None:
    fake = model(calling(1, 2), RuntimeError("lost"), "1 and 2.")
    agent = create_agent(fake, [add], middleware=[FastpacaMiddleware(store, budget=9000)], checkpointer=InMemorySaver())
    with pytest.raises(RuntimeError, match="lost"):
        agent.invoke(text("Add."), thread("t"))
    assert logged(store.context("t")) == ["Add.", "2 calls", "1", "2"]
    agent.invoke(None, thread("t"))
    assert logged(store.context("t"), all=True) == ["Add.", "2 calls", "1", "2", "1 and 2."]


def test_back_to_a_checkpoint(store: Any) -> None:
    fake = model("One.", "Two.", "Two again.", "Three.", "One again.")
    agent = create_agent(fake, middleware=[FastpacaMiddleware(store, budget=9000)], checkpointer=InMemorySaver())
    for turn in ("1?", "2?"):
        agent.invoke(text(turn), thread("t"))
    chat = store.context("t")
    past = list(agent.get_state_history(thread("t")))
    second = next(s for s in past if s.next == ("model",) and len(s.values["messages"]) == 3)
    agent.invoke(None, second.config)  # the model is asked again
    assert texts(fake.seen[-1]) == ["1?", "One.", "2?"]
    assert logged(chat) == ["1?", "One.", "2?", "Two again."]
    between = next(s for s in past if not s.next and len(s.values["messages"]) == 2)
    agent.invoke(text("3?"), between.config)  # another question
    assert texts(fake.seen[-1]) == ["1?", "One.", "3?"]
    assert logged(chat) == ["1?", "One.", "3?", "Three."]
    first = next(s for s in past if s.next == ("model",) and len(s.values["messages"]) == 1)
    agent.invoke(None, first.config)
    assert texts(fake.seen[-1]) == ["1?"]
    assert logged(chat) == ["1?", "One again."]
    assert logged(chat, all=True) == ["1?", "One.", "2?", "Two.", "Two again.", "3?", "Three.", "One again."]


def test_messages_that_are_removed(store: Any) -> None:
    fake = model("One.", "Two.", "Three.")
    agent = create_agent(fake, middleware=[FastpacaMiddleware(store, budget=9000)], checkpointer=InMemorySaver())
    for turn in ("1?", "2?"):
        state = agent.invoke(text(turn), thread("t"))
    agent.update_state(thread("t"), {"messages": [RemoveMessage(id=m.id) for m in state["messages"][:2]]})
    agent.invoke(text("3?"), thread("t"))
    assert texts(fake.seen[-1]) == ["2?", "Two.", "3?"]
    chat = store.context("t")
    assert logged(chat) == ["2?", "Two.", "3?", "Three."]
    assert logged(chat, all=True)[:4] == ["1?", "One.", "2?", "Two."]


def test_beside_a_middleware_that_summarises(store: Any) -> None:
    fake, summariser = model("One.", "Two.", "Three."), model("They count.")
    others = SummarizationMiddleware(summariser, trigger=("messages", 5), keep=("messages", 1))
    agent = create_agent(
        fake, middleware=[FastpacaMiddleware(store, budget=9000), others], checkpointer=InMemorySaver()
    )
    for turn in ("1?", "2?", "3?"):
        state = agent.invoke(text(turn), thread("t"))
    assert "They count." in fake.seen[-1][0].text
    assert texts(fake.seen[-1])[1:] == ["3?"]
    chat = store.context("t")
    assert logged(chat) == texts(state["messages"])
    assert logged(chat, all=True)[:4] == ["1?", "One.", "2?", "Two."]


def test_calls_that_a_person_changes(store: Any) -> None:
    fake = model(calling(1), "7.")
    asks = HumanInTheLoopMiddleware(interrupt_on={"add": True})
    agent = create_agent(
        fake, [add], middleware=[FastpacaMiddleware(store, budget=9000), asks], checkpointer=InMemorySaver()
    )
    asked = agent.invoke(text("Add 1."), thread("t"))
    assert "__interrupt__" in asked
    edited = {"name": "add", "args": {"a": 7, "b": 0}}
    state = agent.invoke(Command(resume={"decisions": [{"type": "edit", "edited_action": edited}]}), thread("t"))
    assert fake.seen[-1] == state["messages"][:-1]
    assert logged(store.context("t")) == texts(state["messages"])
    assert logged(store.context("t"), all=True).count("Add 1.") == 1
    valid(fake)


def test_without_a_checkpointer_the_context_remembers(store: Any) -> None:
    fake = model(*SCRIPT)
    agent = create_agent(fake, [add], middleware=[FastpacaMiddleware(store, budget=9000)])
    for turn in TURNS:
        state = agent.invoke(text(turn), thread("t"))
    assert texts(state["messages"]) == ["Bye.", "Bye."]
    assert texts(fake.seen[-1])[:2] == [TURNS[0], "2 calls"]
    assert len(fake.seen[-1]) == 12
    valid(fake)


def test_concurrent_runs_without_a_checkpointer(run: Run, name: str) -> None:
    async def test(store: Any) -> None:
        middleware = FastpacaMiddleware(store, budget=100_000)
        await asyncio.gather(
            *(
                create_agent(model(calling(n), f"{n}."), [add], middleware=[middleware]).ainvoke(
                    text(f"{n}?"), thread(name)
                )
                for n in range(6)
            )
        )
        context = await settled(store.context(name))
        found = texts(window_messages(await settled(context.window())))
        assert sorted(found) == sorted(said for n in range(6) for said in (f"{n}?", "1 calls", str(n), f"{n}."))

    run(test)


def test_the_result_of_a_tool_that_ends_the_run(store: Any) -> None:
    agent = create_agent(model(calling(7, name="final")), [final], middleware=[FastpacaMiddleware(store, budget=9000)])
    agent.invoke(text("End."), thread("t"))
    assert logged(store.context("t")) == ["End.", "1 calls", "7"]


class Sum(BaseModel):
    """A sum."""

    value: int


def test_structured_answers(store: Any) -> None:
    call = {"type": "tool_call", "id": "c1", "name": "Sum", "args": {"value": 7}}
    fake = model(AIMessage("", tool_calls=[call]))
    agent: Any = create_agent(
        fake, response_format=ToolStrategy(Sum), middleware=[FastpacaMiddleware(store, budget=9000)]
    )
    state = agent.invoke(text("Add."), thread("t"))
    assert state["structured_response"] == Sum(value=7)
    assert logged(store.context("t")) == texts(state["messages"])


def test_streamed(store: Any) -> None:
    agent = create_agent(model(calling(1), "1."), [add], middleware=[FastpacaMiddleware(store, budget=9000)])
    assert list(agent.stream(text("Add."), thread("t"), stream_mode="messages"))
    assert logged(store.context("t")) == ["Add.", "1 calls", "1", "1."]


def test_others_change_the_window(store: Any) -> None:
    fake = model("One.")
    agent = create_agent(fake, middleware=[FastpacaMiddleware(store, budget=9000), Adds()])
    agent.invoke(text("1?"), thread("t"))
    assert texts(fake.seen[-1]) == ["1?", "Hurry."]
    assert logged(store.context("t")) == ["1?", "One."]


class Kept(MessagesState):
    window_version: int


def test_a_graph_of_ones_own(store: Any) -> None:
    """One node asks, the next one stores, which may run again."""
    chat, fake = store.context("t", budget=9000), model(counted(AIMessage("One."), 70))
    chat.append({"role": "user", "content": "1?"})
    deaths = [True]

    def ask(_state: Kept) -> Any:
        window = chat.window()
        return {"messages": [fake.invoke(window_messages(window))], "window_version": window.version}

    def keep(state: Kept) -> None:
        answer = state["messages"][-1]
        chat.append(stored(answer, window_version=state["window_version"]), idempotency_key=answer.id)
        if deaths:
            deaths.pop()
            raise RuntimeError("died")

    graph: Any = StateGraph(Kept)
    graph.add_sequence([ask, keep])
    graph.add_edge(START, "ask")
    compiled = graph.compile(checkpointer=InMemorySaver())
    with pytest.raises(RuntimeError, match="died"):
        compiled.invoke({"messages": []}, thread("t"))
    state = compiled.invoke(None, thread("t"))
    assert texts(fake.seen[0]) == ["1?"]
    assert logged(chat, all=True) == ["1?", "One."]
    assert window_messages(chat.window())[1:] == state["messages"]
    assert chat.info().used_tokens == 70 + chat.tail(1)[0]["token_count"]


def test_which_context(store: Any) -> None:
    for context_id in ("fixed", lambda runtime: f"user:{runtime.context}"):
        agent: Any = create_agent(
            model("One."), middleware=[FastpacaMiddleware(store, budget=9000, context_id=context_id)]
        )
        agent.invoke(text("1?"), context="ann")
    assert [info.id for info in store.contexts()] == ["fixed", "user:ann"]


def test_errors_are_typed(store: Any) -> None:
    def invoked(middleware: Any, config: Any = None) -> None:
        create_agent(model("One."), middleware=[middleware]).invoke(text("word " * 50), config or thread("t"))

    with pytest.raises(errors.InvalidError, match="context_id: give one, or run the agent with a thread_id"):
        invoked(FastpacaMiddleware(store, budget=9000), {"configurable": {}})
    with pytest.raises(errors.NotFoundError):
        invoked(FastpacaMiddleware(store))
    with pytest.raises(errors.BudgetTooSmallError):
        invoked(FastpacaMiddleware(store, budget=20))
    with pytest.raises(errors.InvalidError, match="token_budget"):
        invoked(FastpacaMiddleware(store, budget=-1))
    no_store: Any = store.context("t")
    with pytest.raises(errors.InvalidError, match=r"store: expected a store, .* not Context"):
        FastpacaMiddleware(no_store)


def test_an_async_store_needs_an_event_loop(tmp_path: Path) -> None:
    async def main() -> None:
        async with fastpaca.open_async(tmp_path / "data") as store:
            agent = create_agent(model("One."), middleware=[FastpacaMiddleware(store, budget=9000)])
            with pytest.raises(errors.InvalidError, match=r"store: an async one needs agent\.ainvoke"):
                agent.invoke(text("1?"), thread("t"))
            state = await agent.ainvoke(text("1?"), thread("t"))
            assert isinstance(state["messages"][-1], AIMessage)
            assert not any(isinstance(message, ToolMessage) for message in state["messages"])

    asyncio.run(main())
