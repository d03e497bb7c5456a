"""Runs of the OpenAI Agents SDK, with its own model for tests, over a session that is a context."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from agents import Agent, ModelSettings, RunConfig, Runner, RunState, SQLiteSession, function_tool
from agents.items import TResponseInputItem
from agents.memory import SessionSettings
from agents.testing import ModelStep, ScriptedModel, assistant_message, function_call
from openai.types.responses.response_reasoning_item import ResponseReasoningItem

from fastpaca import errors, providers
from fastpaca.integrations.openai_agents import FastpacaSession
from tests.integrations.conftest import Run, settled

QUIET = RunConfig(tracing_disabled=True)


@function_tool
def add(a: int, b: int) -> int:
    """Adds."""
    return a + b


@function_tool(needs_approval=True)
def pay(amount: int) -> str:
    """Pays."""
    return f"paid {amount}"


async def session(store: Any, name: str, **options: Any) -> FastpacaSession:
    return FastpacaSession(await settled(store.context(name, budget=100_000)), **options)


def sums(*numbers: int) -> list[Any]:
    return [calling("add", {"a": n, "b": n}, f"c{n}") for n in numbers]


def calling(tool: str, arguments: dict[str, Any], call_id: str) -> Any:
    return function_call(tool, arguments, call_id=call_id, item_id=f"fc_{call_id}")


def reasoning(number: int, *, encrypted: str | None) -> ResponseReasoningItem:
    return ResponseReasoningItem(id=f"rs_{number}", type="reasoning", summary=[], encrypted_content=encrypted)


def said(items: Any) -> list[tuple[str, str]]:
    """What an input says, whichever of the API's forms its items have: kind, and text or arguments or output."""
    found = []
    for item in items:
        content = item.get("content", item.get("arguments", item.get("output", "")))
        text = content if isinstance(content, str) else "".join(part["text"] for part in content)
        found.append((item.get("role") or item["type"], text))
    return found


def valid(model: ScriptedModel) -> None:
    for call in model.calls:
        assert providers.check("openai-responses", {"input": call.input}) == []


SCRIPT: list[Any] = [
    sums(1, 2),
    sums(3),
    [assistant_message("2, 4 and 6.", item_id="msg_1")],
    [calling("transfer_to_german", {}, "h1")],
    [assistant_message("Guten Tag.", item_id="msg_2")],
    [assistant_message("Bis bald.", item_id="msg_3")],
]


async def conversation(session: Any) -> ScriptedModel:
    """Parallel calls, a handoff, three turns."""
    model = ScriptedModel(SCRIPT)
    german = Agent(name="german", model=model, instructions="Speak German.")
    agent = Agent(name="first", model=model, instructions="Be brief.", tools=[add], handoffs=[german])
    for text in ("Add.", "Greet me in German."):
        await Runner.run(agent, text, session=session, run_config=QUIET)
    await Runner.run(german, "Bye.", session=session, run_config=QUIET)
    model.assert_complete()
    return model


def test_a_run_gets_what_it_gets_of_the_sdks_own_session(run_all: Run, name: str) -> None:
    async def test(store: Any) -> None:
        ours = await conversation(await session(store, name))
        theirs = await conversation(SQLiteSession(name))
        valid(ours)
        assert len(ours.calls) == len(SCRIPT)
        for mine, other in zip(ours.calls, theirs.calls, strict=True):
            assert said(mine.input) == said(other.input)

    run_all(test)


def test_the_log_is_the_sdks_own(run: Run, name: str) -> None:
    async def test(store: Any) -> None:
        chat, theirs = await session(store, name, log=True), SQLiteSession(name)
        await conversation(chat)
        await conversation(theirs)
        assert await chat.get_items() == await theirs.get_items()

    run(test)


@pytest.mark.parametrize("encrypted", ["Zm9v", None])
def test_reasoning(run: Run, name: str, encrypted: str | None) -> None:
    """Encrypted, it comes back with what belongs to it; else only OpenAI's own storage has it, and it is left out."""

    async def test(store: Any) -> None:
        chat = await session(store, name)
        script = [
            [reasoning(1, encrypted=encrypted), *sums(1)],
            [reasoning(2, encrypted=encrypted), assistant_message("2.", item_id="msg_1")],
            [assistant_message("Bye.", item_id="msg_2")],
        ]
        model = ScriptedModel(script)
        agent = Agent(name="first", model=model, tools=[add], model_settings=ModelSettings(store=False))
        await Runner.run(agent, "Add.", session=chat, run_config=QUIET)
        await Runner.run(agent, "Bye.", session=chat, run_config=QUIET)
        valid(model)
        assert model.last_call is not None
        ids = [item.get("id") for item in model.last_call.input]
        kept = [None, "rs_1", "fc_c1", None, "rs_2", "msg_1", None] if encrypted else [None] * 5
        assert ids == kept
        whole: Any = await FastpacaSession(await settled(store.context(name)), log=True).get_items()
        assert [item["id"] for item in whole if "id" in item] == ["rs_1", "fc_c1", "rs_2", "msg_1", "msg_2"]

    run(test)


def test_a_run_that_fails_in_the_middle(run: Run, name: str) -> None:
    async def test(store: Any) -> None:
        chat = await session(store, name)
        model = ScriptedModel(
            [sums(1, 2), ModelStep.raise_error(RuntimeError("lost")), [assistant_message("2 and 4.")]]
        )
        agent = Agent(name="first", model=model, tools=[add])
        with pytest.raises(RuntimeError, match="lost"):
            await Runner.run(agent, "Add.", session=chat, run_config=QUIET)
        kept = [("user", "Add."), ("function_call", '{"a":1,"b":1}'), ("function_call", '{"a":2,"b":2}')]
        kept += [("function_call_output", "2"), ("function_call_output", "4")]
        assert said(await chat.get_items()) == kept
        await Runner.run(agent, [], session=chat, run_config=QUIET)
        valid(model)
        assert said(await chat.get_items()) == [*kept, ("assistant", "2 and 4.")]

    run(test)


def test_a_run_again_adds_input_with_an_id_once(run: Run, name: str) -> None:
    async def test(store: Any) -> None:
        chat = await session(store, name)
        model = ScriptedModel([ModelStep.raise_error(RuntimeError("lost")), [assistant_message("Hello.")]])
        agent = Agent(name="first", model=model)
        question: Any = [{"role": "user", "content": "Hello?", "id": "msg_request_7"}]
        with pytest.raises(RuntimeError, match="lost"):
            await Runner.run(agent, question, session=chat, run_config=QUIET)
        await Runner.run(agent, question, session=chat, run_config=QUIET)
        valid(model)
        assert model.last_call is not None
        assert said(model.last_call.input) == [("user", "Hello?")] * 2  # what is stored, and what is new
        assert said(await chat.get_items()) == [("user", "Hello?"), ("assistant", "Hello.")]

    run(test)


def test_a_run_that_died_between_call_and_result(run: Run, name: str) -> None:
    async def test(store: Any) -> None:
        chat = await session(store, name)
        died: Any = [{"role": "user", "content": "Add."}, *(call.model_dump(exclude_unset=True) for call in sums(1))]
        await chat.add_items(died)
        model = ScriptedModel([[assistant_message("Sorry.")]])
        await Runner.run(Agent(name="first", model=model, tools=[add]), "And?", session=chat, run_config=QUIET)
        valid(model)
        assert said(await chat.get_items())[-2:] == [("user", "And?"), ("assistant", "Sorry.")]

    run(test)


def test_streamed(run: Run, name: str) -> None:
    async def test(store: Any) -> None:
        chat = await session(store, name)
        model = ScriptedModel([sums(1, 2), [assistant_message("2 and 4.")]])
        result = Runner.run_streamed(Agent(name="a", model=model, tools=[add]), "Add.", session=chat, run_config=QUIET)
        assert [event async for event in result.stream_events()]
        assert [kind for kind, _ in said(await chat.get_items())] == [
            "user",
            "function_call",
            "function_call",
            "function_call_output",
            "function_call_output",
            "assistant",
        ]

    run(test)


class Failing(FastpacaSession):
    """Fails in the next append, before or after it is made."""

    fails: str | None = None

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        fails, self.fails = self.fails, None
        if fails == "before":
            raise errors.UnavailableError("not taken")
        await super().add_items(items)
        if fails == "after":
            raise errors.OutcomeUnknownError("perhaps taken")


@pytest.mark.parametrize("fails", [None, "before", "after"])
def test_approvals(run: Run, name: str, fails: str | None) -> None:
    """An approved tool runs once and its result is stored once, also when storing it failed."""

    async def test(store: Any) -> None:
        chat = Failing(await settled(store.context(name, budget=100_000)))
        model = ScriptedModel([[calling("pay", {"amount": 7}, "c1")], [assistant_message("Done.")]])
        agent = Agent(name="first", model=model, tools=[pay])
        result = await Runner.run(agent, "Pay 7.", session=chat, run_config=QUIET)
        (asked,) = result.interruptions
        state: RunState[Any] = await RunState.from_json(agent, result.to_state().to_json())
        state.approve(state.get_interruptions()[0])
        assert asked.name == "pay"
        chat.fails = fails
        if fails is not None:
            with pytest.raises(errors.UnavailableError):
                await Runner.run(agent, state, session=chat, run_config=QUIET)
            state = await RunState.from_json(agent, state.to_json())
        await Runner.run(agent, state, session=chat, run_config=QUIET)
        valid(model)
        assert said(await chat.get_items()) == [
            ("user", "Pay 7."),
            ("function_call", '{"amount":7}'),
            ("function_call_output", "paid 7"),
            ("assistant", "Done."),
        ]

    run(test)


def test_a_window_that_cuts_is_still_valid(run: Run, name: str) -> None:
    async def test(store: Any) -> None:
        context = await settled(store.context(name, budget=400))
        chat = FastpacaSession(context)
        script = [step for n in range(12) for step in (sums(n, 100 + n), [assistant_message(f"{n}. " * 15)])]
        model = ScriptedModel(script)
        agent = Agent(name="first", model=model, tools=[add])
        for n in range(12):
            await Runner.run(agent, f"Add {n}.", session=chat, run_config=QUIET)
        valid(model)
        assert (await settled(context.window())).truncated
        assert model.last_call is not None
        assert len(model.last_call.input) < 30
        assert len(await FastpacaSession(context, log=True).get_items()) == 12 * 6

    run(test)


def test_concurrent_runs(run: Run, name: str) -> None:
    async def test(store: Any) -> None:
        context = await settled(store.context(name, budget=100_000))

        async def one(number: int) -> None:
            model = ScriptedModel([sums(number), [assistant_message(f"{number}.", item_id=f"msg_{number}")]])
            agent = Agent(name="first", model=model, tools=[add])
            await Runner.run(agent, f"Add {number}.", session=FastpacaSession(context), run_config=QUIET)
            valid(model)

        await asyncio.gather(*(one(number) for number in range(6)))
        items = said(await FastpacaSession(context).get_items())
        assert sorted(items) == sorted(
            item
            for n in range(6)
            for item in (
                ("user", f"Add {n}."),
                ("function_call", f'{{"a":{n},"b":{n}}}'),
                ("function_call_output", str(n + n)),
                ("assistant", f"{n}."),
            )
        )

    run(test)


def test_a_limit_of_the_run(run: Run, name: str) -> None:
    async def test(store: Any) -> None:
        chat = await session(store, name)
        await conversation(chat)
        model = ScriptedModel([[assistant_message("Ja.")]])
        config = RunConfig(tracing_disabled=True, session_settings=SessionSettings(limit=3))
        await Runner.run(Agent(name="german", model=model), "Ja?", session=chat, run_config=config)
        valid(model)
        assert model.last_call is not None
        assert said(model.last_call.input) == [
            ("assistant", "Guten Tag."),
            ("user", "Bye."),
            ("assistant", "Bis bald."),
            ("user", "Ja?"),
        ]
        await chat.clear_session()
        bad = RunConfig(tracing_disabled=True, session_settings=SessionSettings(limit=-3))
        with pytest.raises(errors.InvalidError, match="limit"):
            await Runner.run(Agent(name="german", model=model), "Ja?", session=chat, run_config=bad)

    run(test)
