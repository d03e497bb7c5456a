"""The session of the OpenAI Agents SDK, called as the SDK calls it, on every face."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from agents.memory import Session, SessionSettings

import fastpaca
from fastpaca import errors
from fastpaca.integrations.openai_agents import FastpacaSession
from tests.integrations.conftest import Run, log, settled

USER: Any = {"role": "user", "content": "What is an alpaca?"}
ANSWER: Any = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "A camelid.", "annotations": [], "logprobs": []}],
}
CALL: Any = {"id": "fc_1", "type": "function_call", "call_id": "c1", "name": "look", "arguments": '{"at": "it"}'}
OUTPUT: Any = {"type": "function_call_output", "call_id": "c1", "output": "brown"}
# One of each kind of item that a run may store, each behind the one that it needs.
ITEMS: list[Any] = [
    USER,
    {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "Zm9v"},
    CALL,
    OUTPUT,
    ANSWER,
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "And now?"}]},
    {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "alpaca"}},
    {"id": "ctc_1", "type": "custom_tool_call", "call_id": "c2", "name": "run", "input": "1 + 1"},
    {"type": "custom_tool_call_output", "call_id": "c2", "output": "2"},
    {"id": "sh_1", "type": "shell_call", "call_id": "c3", "action": {"commands": ["ls"]}, "status": "completed"},
    {
        "type": "shell_call_output",
        "call_id": "c3",
        "output": [{"stdout": "a", "stderr": "", "outcome": {"type": "exit"}}],
    },
    {"id": "mcpr_1", "type": "mcp_approval_request", "server_label": "s", "name": "f", "arguments": "{}"},
    {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True},
    {"id": "cmp_1", "type": "compaction", "encrypted_content": "Zm9v"},
    {"role": "developer", "content": "Be brief."},
    {"role": "assistant", "content": "Very brief."},
    {"role": "user", "content": "ü 🦙 \u2028", "id": "u7"},
]


async def session(store: Any, name: str, **options: Any) -> FastpacaSession:
    return FastpacaSession(await settled(store.context(name, budget=100_000)), **options)


def test_the_protocol(run_all: Run, name: str) -> None:
    async def test(store: Any) -> None:
        chat = await session(store, name)
        assert isinstance(chat, Session)
        assert (chat.session_id, chat.session_settings) == (name, SessionSettings())
        assert await chat.get_items() == []
        assert await chat.pop_item() is None
        await chat.add_items([])
        await chat.add_items([USER, {"role": "assistant", "content": "A camelid."}])
        await chat.add_items([{"role": "user", "content": "Thanks."}])
        thanks = {"role": "user", "content": "Thanks."}
        assert await chat.get_items() == [USER, {"role": "assistant", "content": "A camelid."}, thanks]
        assert await chat.get_items(limit=2) == [{"role": "assistant", "content": "A camelid."}, thanks]
        assert await chat.get_items(limit=0) == []
        assert await chat.pop_item() == {"role": "user", "content": "Thanks."}
        assert len(await chat.get_items()) == 2
        await chat.clear_session()
        assert await chat.get_items() == []
        assert await chat.pop_item() is None
        context = await settled(store.context(name))
        assert [m["parts"][0]["text"] for m in await log(context, all=True)] == [
            USER["content"],
            "A camelid.",
            "Thanks.",
        ]

    run_all(test)


def test_the_log_gives_items_exactly_as_they_were_added(run: Run, name: str) -> None:
    async def test(store: Any) -> None:
        chat = await session(store, name, log=True)
        await chat.add_items(ITEMS)
        assert await chat.get_items() == ITEMS
        for limit in range(1, len(ITEMS) + 2):
            assert await chat.get_items(limit) == ITEMS[-limit:]
        assert [await chat.pop_item() for _ in ITEMS] == ITEMS[::-1]
        assert await chat.get_items() == []

    run(test)


def test_items_with_ids_are_there_once(run: Run, name: str) -> None:
    async def test(store: Any) -> None:
        chat = await session(store, name, log=True)
        for _ in range(3):
            await chat.add_items([CALL, OUTPUT])
        await chat.add_items([ANSWER])
        await chat.add_items([CALL, OUTPUT])
        assert await chat.get_items() == [CALL, OUTPUT, ANSWER]
        # What has no id of its own may be said twice; neither does the placeholder of other APIs name a message.
        nameless: Any = {**ANSWER, "id": "__fake_id__"}
        for _ in range(2):
            await chat.add_items([USER])
            await chat.add_items([nameless])
        assert await chat.get_items() == [CALL, OUTPUT, ANSWER, USER, nameless, USER, nameless]

    run(test)


def test_what_was_taken_back_can_be_added_again(run: Run, name: str) -> None:
    async def test(store: Any) -> None:
        chat = await session(store, name, log=True)
        await chat.add_items([CALL, OUTPUT, ANSWER])
        for _ in range(3):  # as the SDK restores items that it popped
            popped = [await chat.pop_item(), await chat.pop_item()]
            assert popped == [ANSWER, OUTPUT]
            await chat.add_items([OUTPUT, ANSWER])
            await chat.add_items([OUTPUT, ANSWER])
            assert await chat.get_items() == [CALL, OUTPUT, ANSWER]
            assert await chat.get_items(2) == [OUTPUT, ANSWER]
            assert await chat.get_items(5000) == [CALL, OUTPUT, ANSWER]
        await chat.clear_session()
        await chat.add_items([CALL, OUTPUT, ANSWER])
        assert await chat.get_items() == [CALL, OUTPUT, ANSWER]

    run(test)


def test_other_content_under_an_id_is_another_item(run: Run, name: str) -> None:
    async def test(store: Any) -> None:
        chat = await session(store, name, log=True)
        changed: Any = {**ANSWER, "status": "incomplete"}
        await chat.add_items([ANSWER])
        await chat.add_items([changed])
        assert await chat.get_items() == [ANSWER, changed]

    run(test)


def test_concurrent_calls(run: Run, name: str) -> None:
    async def test(store: Any) -> None:
        context = await settled(store.context(name, budget=100_000))
        sessions = [FastpacaSession(context, log=True) for _ in range(4)]
        batches: list[Any] = [
            [{**CALL, "id": f"fc_{n}", "call_id": f"c{n}"}, {**OUTPUT, "call_id": f"c{n}"}] for n in range(12)
        ]
        again = [*batches, *batches]
        await asyncio.gather(*(sessions[n % 4].add_items(batch) for n, batch in enumerate(again)))
        items = await sessions[0].get_items()
        pairs = [items[at : at + 2] for at in range(0, len(items), 2)]
        assert sorted(pairs, key=str) == sorted(batches, key=str)
        popped = await asyncio.gather(*(chat.pop_item() for chat in sessions for _ in range(3)))
        assert sorted(popped, key=str) == sorted(items[-12:], key=str)
        assert await sessions[0].get_items() == items[:-12]

    run(test)


def test_the_window_is_what_a_run_gets(run: Run, name: str) -> None:
    async def test(store: Any) -> None:
        context = await settled(store.context(name, budget=300))
        chat = FastpacaSession(context)
        await chat.add_items([{"role": "system", "content": "Be brief."}])
        for turn in range(40):
            await chat.add_items(
                [{"role": "user", "content": f"word {turn} " * 10}, {"role": "assistant", "content": "ok"}]
            )
        items = await chat.get_items()
        window = await settled(context.window())
        assert window.truncated
        assert items == [{"role": "system", "content": "Be brief."}, *window.to("openai-responses")["input"]]
        assert await chat.get_items(limit=3) == items[-3:]
        assert len(await FastpacaSession(context, log=True).get_items()) == 81
        few = FastpacaSession(context, session_settings=SessionSettings(limit=2))
        assert await few.get_items() == items[-2:]
        assert await few.get_items(4) == items[-4:]

    run(test)


def test_an_item_can_be_taken_back_from_behind_a_summary(run: Run, name: str) -> None:
    async def test(store: Any) -> None:
        context = await settled(store.context(name, budget=10_000))
        chat = FastpacaSession(context)
        await chat.add_items(
            [USER, {"role": "assistant", "content": "A camelid."}, {"role": "user", "content": "Thanks."}]
        )
        await settled(context.compact({"role": "assistant", "content": "They met."}, from_seq=1, to_seq=2))
        assert await chat.get_items() == [
            {"role": "assistant", "content": "They met."},
            {"role": "user", "content": "Thanks."},
        ]
        assert await chat.pop_item() == {"role": "user", "content": "Thanks."}
        assert await chat.get_items() == [{"role": "assistant", "content": "They met."}]
        assert await chat.pop_item() == {"role": "assistant", "content": "A camelid."}
        assert await chat.get_items() == [USER]

    run(test)


def test_ids_without_their_reasoning_are_left_out(run: Run, name: str) -> None:
    """Cut off behind its reasoning, an item keeps no id: the API would ask for the reasoning."""

    async def test(store: Any) -> None:
        chat = await session(store, name)
        await chat.add_items(ITEMS[:4])
        assert await chat.get_items() == ITEMS[:4]
        nameless = {field: value for field, value in CALL.items() if field != "id"}
        assert await chat.get_items(2) == [nameless, OUTPUT]
        assert await chat.get_items(3) == [ITEMS[1], nameless, OUTPUT]

    run(test)


def test_messages_of_other_origin_are_items_as_well(run: Run, name: str) -> None:
    async def test(store: Any) -> None:
        context = await settled(store.context(name, budget=10_000))
        call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at": "it"}'}}
        blocks = [{"type": "text", "text": "Look."}, {"type": "tool_use", "id": "c2", "name": "look", "input": {}}]
        messages = [
            USER,
            {"role": "assistant", "content": "I look.", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "brown"},
            {"role": "assistant", "content": blocks},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c2", "content": "white"}]},
        ]
        await settled(context.append(messages))
        kinds = ["user", "assistant", "function_call", "function_call_output"]
        kinds += ["assistant", "function_call", "function_call_output"]
        chat, whole = FastpacaSession(context), FastpacaSession(context, log=True)
        items: list[Any] = list(await chat.get_items())
        assert [item.get("type") or item["role"] for item in items] == kinds
        assert await whole.get_items() == items
        assert await whole.pop_item() == {"type": "function_call_output", "call_id": "c2", "output": "white"}

    run(test)


def test_what_only_the_log_knows_is_no_part_of_an_item(run: Run, name: str) -> None:
    """As of answers that `chat.stream` appended: the API refuses what it does not know."""

    async def test(store: Any) -> None:
        context = await settled(store.context(name, budget=10_000))
        usage = {"usage": {"input_tokens": 7, "window_version": 1}}
        known = {"metadata": {"n": 1}, "created_at": "2026-01-01T00:00:00Z"}
        await settled(context.append([{**item, **known} for item in ITEMS[:3]]))
        await settled(context.append([ITEMS[3], {**ITEMS[4], **usage}]))
        whole = FastpacaSession(context, log=True)
        assert await whole.get_items() == ITEMS[:5]
        assert not any({*known, *usage} & item.keys() for item in await FastpacaSession(context).get_items())
        assert await whole.pop_item() == ITEMS[4]

    run(test)


def test_errors_are_typed(run: Run, name: str) -> None:
    async def test(store: Any) -> None:
        unknown = FastpacaSession(await settled(store.context(name)))
        for call in (unknown.get_items(), unknown.add_items([USER]), unknown.pop_item(), unknown.clear_session()):
            with pytest.raises(errors.NotFoundError):
                await call
        chat = await session(store, name)
        wrong: Any = {"type": "message", "content": 7}
        unfit: Any = {**USER, "content": object()}
        nothing: Any = 7
        with pytest.raises(errors.InvalidError, match="limit: expected an integer of at least 0"):
            await chat.get_items(-1)
        with pytest.raises(errors.InvalidError) as raised:
            await chat.add_items([USER, wrong])
        assert str(raised.value.field).startswith("messages")
        with pytest.raises(errors.InvalidError, match="Object of type object"):
            await chat.add_items([unfit])
        with pytest.raises(errors.InvalidError):
            await chat.add_items([nothing])
        assert await chat.get_items() == []
        await chat.add_items([{"role": "user", "content": "word " * 500}])
        await settled((await settled(store.context(name))).configure(token_budget=100))
        with pytest.raises(errors.BudgetTooSmallError):
            await chat.get_items()
        await settled((await settled(store.context(name))).delete())
        with pytest.raises(errors.TombstonedError):
            await chat.add_items([USER])

    run(test)


def test_a_store_is_no_context(tmp_path: Path) -> None:
    no_context: Any = fastpaca.open(tmp_path / "data")
    with no_context, pytest.raises(errors.InvalidError, match=r"context: .* not Store"):
        FastpacaSession(no_context)


@pytest.mark.parametrize(
    ("module", "library", "extra"),
    [("openai_agents", "agents", "openai-agents"), ("langchain", "langchain", "langchain")],
)
def test_a_missing_library_names_its_extra(module: str, library: str, extra: str) -> None:
    code = f"import sys; sys.modules[{library!r}] = None; import fastpaca.integrations.{module}"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1].startswith("ImportError: fastpaca.integrations.")
    assert ran.stderr.splitlines()[-1].endswith(f"pip install 'fastpaca[{extra}]'")
