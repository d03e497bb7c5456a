"""`anthropic`: what each kind of message becomes in the arguments of Anthropic's messages."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

import fastpaca
from fastpaca import _core
from fastpaca.engine import Engine
from fastpaca.errors import BudgetTooSmallError, FastpacaError, InvalidError
from fastpaca.log import MemoryDisk
from tests.formats.shapes import grows
from tests.formats.valid import violations
from tests.support.data import DATA, lines, native_conversations, needs_data
from tests.support.memory import append, memory_engine, write

Json = dict[str, Any]


@pytest.fixture
def chat(tmp_path: Path) -> Iterator[fastpaca.Context]:
    with fastpaca.open(tmp_path / "data") as store:
        yield store.context("chat", budget=100_000)


def fetched(engine: Engine, context_id: str = "c", **options: Any) -> bytes:
    return engine.read(context_id, lambda context, fetched: context.window(fetched, **options))


def converted(chat: fastpaca.Context, model: str | None = None) -> Json:
    found = chat.window(close=True).to("anthropic", model=model)
    assert violations("anthropic", found, model) == []
    return found


def request(chat: fastpaca.Context, *messages: Json, model: str | None = None) -> list[Json]:
    chat.append(messages)
    found: list[Json] = converted(chat, model)["messages"]
    return found


def text(words: str) -> Json:
    return {"type": "text", "text": words}


def use(call_id: str, name: str = "f", **arguments: Any) -> Json:
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}


def result(call_id: str, content: Any, **more: Any) -> Json:
    return {"type": "tool_result", "tool_use_id": call_id, "content": content, **more}


def said(role: str, *blocks: Json) -> Json:
    return {"role": role, "content": list(blocks)}


THINKING: Json = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
IMAGE: Json = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBOR"}}
USER: Json = {"role": "user", "content": "What is the weather in Paris and Rome?"}


def test_native_messages_come_back(chat: fastpaca.Context) -> None:
    native = [
        said(
            "user",
            text("Look."),
            IMAGE,
            {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "A page."},
                "title": "Page",
                "citations": {"enabled": True},
            },
            {"type": "search_result", "source": "s", "title": "t", "content": [text("found")]},
        ),
        said(
            "assistant",
            THINKING,
            {"type": "redacted_thinking", "data": "abc"},
            text("I search."),
            {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}},
            {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
            use("toolu_1", "screenshot", x=[1, 2.50]),
            use("toolu_2", "a.name"),
        ),
        said(
            "user",
            result("toolu_2", "failed", is_error=True),
            result("toolu_1", [text("done"), IMAGE], is_error=False),
            text("And now?"),
        ),
        said("assistant", {"type": "text", "text": "Done.", "citations": None}),
    ]
    assert request(chat, *native) == native
    assert chat.window().omitted_reasoning("anthropic") == []


def test_system_and_breakpoints(chat: fastpaca.Context) -> None:
    stored = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    chat.append(
        [
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": [text("Be kind.") | stored, text("  ")]},
            said("user", text("Hello") | stored, IMAGE | stored),
            said("assistant", THINKING, text("Hi.")),
            said("user", result("none", "orphan"), text("?")),
        ]
    )
    window = chat.window()
    plain = window.to("anthropic")
    assert plain["system"] == [text("Be brief."), text("Be kind.")]
    assert plain["messages"][0] == said("user", text("Hello"), IMAGE)
    assert "cache_control" not in json.dumps(plain)
    cached = window.to("anthropic", cache="auto")
    assert violations("anthropic", cached, None) == []
    mark = {"cache_control": {"type": "ephemeral"}}
    assert cached["system"][-1] == text("Be kind.") | mark
    assert cached["messages"][-1]["content"][-1] == text("?") | mark
    assert json.loads(json.dumps(cached).replace(', "cache_control": {"type": "ephemeral"}', "")) == plain
    asked: list[tuple[Any, Any]] = [("openai", "auto"), ("anthropic", "always")]
    for name, cache in asked:
        with pytest.raises(InvalidError, match="cache"):
            window.to(name, cache=cache)


def test_an_empty_window(chat: fastpaca.Context) -> None:
    assert chat.window().to("anthropic") == {"messages": []}
    assert chat.window().to("anthropic", cache="auto") == {"messages": []}


def test_neighbours_of_a_role_are_one_message(chat: fastpaca.Context) -> None:
    found = request(
        chat,
        {"role": "user", "content": "One."},
        {"role": "user", "name": "ann", "content": [text(""), text("Two.")]},
        {"role": "assistant", "content": ""},
        {"role": "user", "content": "Three."},
        {"role": "assistant", "content": "Four."},
        {"role": "assistant", "content": "Five."},
    )
    assert found == [
        said("user", text("One."), text("Two."), text("Three.")),
        said("assistant", text("Four."), text("Five.")),
    ]


def test_a_conversation_that_the_assistant_begins(chat: fastpaca.Context) -> None:
    found = request(chat, {"role": "assistant", "content": "Welcome."}, USER)
    assert [message["role"] for message in found] == ["user", "assistant", "user"]
    assert found[0] == said("user", text("[The conversation begins here.]"))


def function(call_id: str | None, name: str, arguments: str) -> Json:
    call: Json = {"type": "function", "function": {"name": name, "arguments": arguments}}
    return call if call_id is None else {"id": call_id} | call


def test_openai_chat(chat: fastpaca.Context) -> None:
    found = request(
        chat,
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
                {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/9j/AA"}},
                {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"}},
                {"type": "file", "file": {"file_id": "file-abc"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "Hm.",
            "tool_calls": [
                function("call.a", "weather", '{ "city" : "Paris", "n": 1.0 }'),
                function(None, "weather", ""),
                function("c", "weather", "[1]"),
                function("d", "weather", '{"city"'),
                {"id": "e", "type": "custom", "custom": {"name": "shell", "input": "ls -l"}},
            ],
        },
        {"role": "tool", "tool_call_id": "c", "content": "sunny"},
        {"role": "tool", "tool_call_id": "call.a", "content": [text("mild"), text("dry")]},
        {"role": "tool", "tool_call_id": "d", "content": ""},
        {"role": "user", "content": "So?"},
    )
    assert found[0]["content"] == [
        {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "/9j/AA"}},
        text("[audio]"),
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
            "title": "a.pdf",
        },
        text("[file]"),
    ]
    assert found[1]["content"] == [
        use("call_2_0", "weather", city="Paris", n=1.0),
        use("call_2_1", "weather"),
        use("c", "weather", _value=[1]),
        use("d", "weather", _unparsed='{"city"'),
        use("e", "shell", input="ls -l"),
    ]
    answers = found[2]["content"]
    assert [block.get("tool_use_id") for block in answers] == ["c", "call_2_0", "d", "call_2_1", "e", None]
    assert answers[0] == result("c", "sunny")
    assert answers[1] == result("call_2_0", [text("mild"), text("dry")])
    assert answers[3]["is_error"] is True
    assert answers[-1] == text("So?")
    assert chat.window().omitted_reasoning("anthropic") == [2]


def test_text_beside_results_waits_for_all_results(chat: fastpaca.Context) -> None:
    chat.append([USER, said("assistant", use("a"), use("b")), said("user", result("b", "2"), text("Well?"))])
    first = chat.window().to("anthropic")["messages"]
    assert first[2] == said("user", result("b", "2"))
    found = request(chat, said("user", result("a", "1")))
    assert found[2] == said("user", result("b", "2"), result("a", "1"), text("Well?"))


def test_results_of_every_shape(chat: fastpaca.Context) -> None:
    found = request(
        chat,
        USER,
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "name": "f", "call_id": i, "payload": {}} for i in "abc"],
        },
        {"role": "tool", "parts": [{"type": "tool_result", "call_id": "a", "content": {"degrees": 30.0}}]},
        {"role": "tool", "parts": [{"type": "tool_result", "call_id": "b", "content": [text("x"), IMAGE]}]},
        {
            "role": "tool",
            "parts": [{"type": "tool_result", "call_id": "c", "content": [text(" "), IMAGE], "is_error": True}],
        },
        {"type": "function_call", "call_id": "d", "name": "g", "arguments": '{"x":1}'},
        {"type": "function_call_output", "call_id": "d", "output": "4"},
    )
    assert found[2]["content"] == [
        result("a", '{"degrees":30.0}'),
        result("b", [text("x"), IMAGE]),
        result("c", [text("[image]")], is_error=True),
    ]
    assert found[3:] == [said("assistant", use("d", "g", x=1)), said("user", result("d", "4"))]


def test_ui_messages_of_the_ai_sdk(chat: fastpaca.Context) -> None:
    signed = {"anthropic": {"signature": "c2ln"}}
    found = request(
        chat,
        {"role": "user", "parts": [text("Go."), {"type": "data-theme", "data": {"dark": True}}]},
        {
            "role": "assistant",
            "parts": [
                {"type": "step-start"},
                {"type": "reasoning", "text": "Hm.", "providerMetadata": signed},
                {"type": "tool-f", "toolCallId": "a", "state": "output-available", "input": {"x": 1}, "output": "one"},
                {"type": "tool-f", "toolCallId": "b", "state": "output-error", "input": {}, "errorText": "no"},
                {"type": "step-start"},
                {"type": "reasoning", "text": "Not signed."},
                text("Two."),
            ],
        },
    )
    assert found == [
        said("user", text("Go.")),
        said("assistant", THINKING, use("a", x=1), use("b")),
        said("user", result("a", "one"), result("b", "no", is_error=True)),
        said("assistant", text("Two.")),
    ]
    assert chat.window().omitted_reasoning("anthropic") == [2]


def test_text_behind_a_call_that_waits_stands_before_the_results(chat: fastpaca.Context) -> None:
    part: Json = {"type": "tool-f", "toolCallId": "a", "input": {}}
    parts = [
        part | {"state": "output-available", "output": 1},
        part | {"toolCallId": "b", "state": "input-available"},
        text("One moment."),
    ]
    found = request(chat, USER, {"role": "assistant", "parts": parts}, {"role": "user", "content": "Go on."})
    assert found[1] == said("assistant", use("a"), use("b"), text("One moment."))
    assert [block.get("tool_use_id") for block in found[2]["content"]] == ["a", "b", None]


def test_later_system_messages(chat: fastpaca.Context) -> None:
    later = {"role": "system", "content": 'Say "ok".'}
    chat.append([{"role": "system", "content": "Head."}, USER, later])
    as_user = text('<system>\nSay "ok".\n</system>')
    assert converted(chat, "claude-sonnet-4-5")["messages"] == [said("user", text(USER["content"]), as_user)]
    as_system = converted(chat, "claude-opus-4-8")["messages"]
    assert as_system == [said("user", text(USER["content"])), said("system", text('Say "ok".'))]
    assert request(chat, said("assistant", text("ok")), model="claude-opus-4-8")[:2] == as_system
    after = request(chat, later, USER, model="claude-opus-4-8")
    assert after[-1] == said("user", as_user, text(USER["content"]))


def test_a_system_message_between_users_is_the_users_and_changes_the_prefix(tmp_path: Path) -> None:
    with fastpaca.open(tmp_path / "data") as store:
        chat = store.context("chat", budget=100_000, model="claude-opus-4-8")
        chat.append([USER, {"role": "system", "content": "Note."}])
        engine = chat._transport.engine  # type: ignore[attr-defined]

        def reply() -> Json:
            found: Json = json.loads(engine.read("chat", lambda c, fetched: c.window(fetched, format="anthropic")))
            return found

        before = reply()
        assert before["request"]["messages"][-1]["role"] == "system"
        chat.append(USER)
        after = reply()
        assert [message["role"] for message in after["request"]["messages"]] == ["user"]
        assert after["prefix"] != before["prefix"]


def test_thinking_of_others_and_at_the_end(chat: fastpaca.Context) -> None:
    chat.append([USER, said("assistant", text("Yes."), THINKING), USER])
    assert converted(chat)["messages"][1] == said("assistant", text("Yes."))
    chat.append(said("assistant", {"type": "thinking", "thinking": "no signature"}, text("No.")))
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
    chat.append([USER, item, {"type": "message", "role": "assistant", "content": "So."}])
    assert converted(chat)["messages"][-1] == said("assistant", text("So."))
    assert chat.window().omitted_reasoning("anthropic") == [2, 4, 6]
    # Thinking comes before what belongs to it has come.
    chat.append([USER, said("assistant", THINKING)])
    assert chat.window().omitted_reasoning("anthropic")[-1] == 9
    chat.append(said("assistant", text("Now.")))
    assert converted(chat)["messages"][-1] == said("assistant", THINKING, text("Now."))


def test_a_paused_turn_goes_back_as_it_came(chat: fastpaca.Context) -> None:
    search = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
    found = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
    chat.append([USER, said("assistant", THINKING, text("I look."), search)])
    assert converted(chat)["messages"][1] == said("assistant", THINKING, text("I look."), search)
    assert request(chat, said("assistant", found, text("It rains.")))[1]["content"][2:] == [
        search,
        found,
        text("It rains."),
    ]
    assert request(chat, USER, said("assistant", search), USER)[-1] == said(
        "user", text(USER["content"]), text(USER["content"])
    )


def thoughts(chat: fastpaca.Context, model: str | None = None) -> list[str]:
    request = converted(chat, model)
    blocks = [block for message in request["messages"] for block in message["content"]]
    return [block["thinking"] for block in blocks if block["type"] == "thinking"]


def thinking(words: str) -> Json:
    return {"type": "thinking", "thinking": words, "signature": "c2ln"}


def test_thinking_from_before_a_rewrite(chat: fastpaca.Context) -> None:
    for n in range(3):
        chat.append([USER, said("assistant", thinking(f"t{n}"), text("ok"))])
    assert thoughts(chat) == ["t0", "t1", "t2"]
    chat.compact({"role": "user", "content": "A summary."}, from_seq=1, to_seq=2)
    assert thoughts(chat) == ["t2"]
    assert chat.window().omitted_reasoning("anthropic") == [4]
    chat.append([USER, said("assistant", thinking("t3"), text("ok"))])
    # What a request showed stays in those that follow.
    assert thoughts(chat) == ["t2", "t3"]
    chat.rewind(to_seq=6)
    assert thoughts(chat) == ["t2"]


def test_thinking_of_a_tool_loop_that_was_open(chat: fastpaca.Context) -> None:
    chat.append([USER, said("assistant", thinking("old"), text("ok")), USER])
    for n in range(3):
        chat.append([said("assistant", thinking(f"t{n}"), use(f"a{n}")), said("user", result(f"a{n}", "1"))])
    chat.compact({"role": "user", "content": "A summary."}, from_seq=1, to_seq=1)
    assert thoughts(chat, "claude-sonnet-4-5") == ["t0", "t1", "t2"]
    assert thoughts(chat, "claude-opus-5") == ["t2"]
    chat.append([said("assistant", thinking("t3"), text("done")), USER])
    assert thoughts(chat, "claude-sonnet-4-5") == ["t0", "t1", "t2", "t3"]
    chat.compact({"role": "user", "content": "Another."}, from_seq=2, to_seq=2)
    assert thoughts(chat, "claude-sonnet-4-5") == ["t3"]


def test_a_replay_keeps_all_signed_thinking(chat: fastpaca.Context) -> None:
    chat.append([USER, said("assistant", thinking("t0"), text("ok")), USER])
    chat.compact({"role": "user", "content": "A summary."}, from_seq=1, to_seq=1)
    assert chat.replay("anthropic")["messages"][1] == said("assistant", thinking("t0"), text("ok"))


MODELS = [None, "claude-sonnet-4-5", "claude-opus-4-8"]


def step(rng: random.Random, engine: Engine, n: int) -> None:
    """The next messages, or a change of those before."""
    last = json.loads(engine.read("c", lambda context, _: context.describe()))["last_seq"]
    chance = rng.random()
    if last and chance < 0.12:
        window = json.loads(fetched(engine))
        seqs = [message["seq"] for message in window["messages"] if "seq" in message]
        first = rng.choice(seqs or [1])
        summary = {"role": rng.choice(["user", "assistant", "system"]), "content": f"summary {n}"}
        with contextlib.suppress(FastpacaError):
            write(engine, "c", "compact", from_seq=first, to_seq=rng.randint(first, last), replacement=[summary])
    elif last and chance < 0.2:
        with contextlib.suppress(FastpacaError):
            write(engine, "c", "rewind", to_seq=rng.randint(1, last))
    elif chance < 0.35:
        append(
            engine,
            "c",
            [{"role": rng.choice(["user", "system", "developer"]), "content": rng.choice(["", f"say {n}"])}],
        )
    else:
        loop = []
        for k in range(rng.randint(1, 3)):
            ids = [f"c{n}_{k}_{j}" for j in range(rng.randint(1, 2))]
            blocks = [thinking(f"t{n}_{k}"), *[use(call_id) for call_id in ids]]
            loop.append(said("assistant", *blocks[rng.randint(0, 1) :]))
            loop += [said("user", result(call_id, "x")) for call_id in rng.sample(ids, rng.randint(0, len(ids)))]
        loop.append(said("assistant", thinking(f"t{n}"), *[text("done")][: rng.randint(0, 1)]))
        for message in loop[: rng.randint(1, len(loop))]:
            append(engine, "c", [message])


@pytest.mark.parametrize("seed", range(12))
def test_rewrites_keep_windows_valid_and_growing(seed: int) -> None:
    rng = random.Random(seed)
    disk = MemoryDisk()
    engine = memory_engine(disk)
    model = rng.choice(MODELS)
    policy = {"strategy": "last_n", "config": {"limit": 12}} if rng.random() < 0.5 else {"strategy": "budget"}
    write(engine, "c", "configure", token_budget=100_000, policy=policy, **({"model": model} if model else {}))
    before: dict[str, Json] = {}
    for n in range(60):
        step(rng, engine, n)
        for budget in (None, 300):
            asked: dict[str, Any] = {"format": "anthropic", "budget_tokens": budget}
            with contextlib.suppress(BudgetTooSmallError):
                reply = fetched(engine, **asked)
                parts = fetched(engine, budget_tokens=budget)
                assert reply.endswith(b"," + _core.convert([parts], "anthropic", model=model)[1:])
                now = json.loads(reply)
                if now["prefix"] in before:
                    assert grows(before[now["prefix"]], now["request"])
                before[now["prefix"]] = now["request"]
                closed = fetched(engine, close=True, **asked)
                assert violations("anthropic", json.loads(closed)["request"], model) == []
                if n % 10 == 9:
                    engine.close()
                    engine = memory_engine(disk)
                    assert fetched(engine, **asked) == reply
    engine.close()


def comparable(message: Json) -> tuple[str, list[Json]]:
    content = message["content"]
    blocks = [text(content)] if isinstance(content, str) else content
    kept = [plain(block) for block in blocks if not (block["type"] == "text" and not block["text"].strip())]
    return message["role"], kept


def plain(block: Json) -> Json:
    found = {name: value for name, value in block.items() if name != "cache_control"}
    if isinstance(found.get("content"), list):
        inner = [plain(each) for each in found["content"]]
        found["content"] = [each for each in inner if each["type"] != "text" or each["text"].strip()] or ""
    return found


def joined(messages: list[Json]) -> list[tuple[str, list[Json]]]:
    """Runs of one role as single messages, results first, none that ends in thinking."""
    found: list[tuple[str, list[Json]]] = []
    for role, run in groupby(map(comparable, messages), key=lambda pair: pair[0]):
        blocks = [block for _, blocks in run for block in blocks]
        blocks.sort(key=lambda block: role == "user" and block["type"] != "tool_result")
        while blocks and blocks[-1]["type"] in {"thinking", "redacted_thinking"}:
            blocks.pop()
        if found and found[-1][0] == role:
            found[-1][1].extend(blocks)
        elif blocks:
            found.append((role, blocks))
    return found


@needs_data
def test_real_native_conversations_come_back() -> None:
    native = [each for each in native_conversations() if each.source == "anthropic"]
    same = 0
    for conversation in native:
        if violations("anthropic", {"messages": conversation.messages}, None):
            continue
        engine = memory_engine()
        write(engine, "c", "configure", token_budget=_core.TOKEN_BUDGET_MAX)
        append(engine, "c", conversation.messages)
        reply = json.loads(fetched(engine, format="anthropic"))
        engine.close()
        before = joined(conversation.messages)
        after = joined(reply["request"]["messages"])
        assert (before if before[0][0] == "user" else [*after[:1], *before]) == after, conversation.id
        same += 1
    assert same >= len(native) // 2


@needs_data
def test_recorded_calls() -> None:
    """Requests that providers took, appended and asked for again, are what the client library and the rules take."""
    fields = {"openai.responses": "input", "openai.chat": "messages", "anthropic.messages": "messages"}
    seen = 0
    engine = memory_engine()
    for number, call in enumerate(lines(DATA / "provider_calls.jsonl.gz")):
        messages = call["request"].get(fields.get(call["api"], ""))
        native = call["api"] == "anthropic.messages"
        if not isinstance(messages, list) or number % (2 if native else 9):
            continue
        write(engine, call["id"], "configure", token_budget=_core.TOKEN_BUDGET_MAX)
        append(engine, call["id"], messages)
        reply = fetched(engine, call["id"], format="anthropic", close=True, cache="auto")
        found = json.loads(reply)["request"]
        faults = violations("anthropic", found, None)
        # The client library has no request types for betas.
        if native and violations("anthropic", {"messages": messages}, None):
            faults = [fault for fault in faults if not fault.startswith("anthropic: ")]
        assert faults == [], call["id"]
        seen += 1
    engine.close()
    assert seen > 50
