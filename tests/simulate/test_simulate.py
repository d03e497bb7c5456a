"""Simulations of conversations written by hand, with results that can be worked out."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import trim_messages

from fastpaca import simulate
from fastpaca.providers import check
from fastpaca.simulate import Policy, Price, SettingError, Total, report
from fastpaca.simulate.conversation import exchanges
from fastpaca.simulate.count import Counter
from fastpaca.simulate.peers import TrimMessages
from fastpaca.simulate.recording import Native, record
from fastpaca.simulate.rules import Checker
from fastpaca.transcripts import Recorded, TranscriptError, read
from tests.simulate.conftest import agent
from tests.support import memory

Write = Callable[..., Path]

CHAT: list[dict[str, Any]] = [
    {"role": "user", "content": "one", "token_count": 100},
    {"role": "assistant", "content": "1", "token_count": 10},
    {"role": "user", "content": "two", "token_count": 100},
    {"role": "assistant", "content": "2", "token_count": 10},
    {"role": "user", "content": "three", "token_count": 100},
]


def by_name(totals: tuple[Total, ...]) -> dict[str, Total]:
    return {total.strategy: total for total in totals}


def test_figures_that_can_be_worked_out(transcript: Write) -> None:
    price = Price(input=10, cached=1, output=100)
    results = simulate.run([transcript(CHAT)], policies=["budget"], budgets=[1000], price=price)
    total = by_name(results.totals)["budget"]
    assert (results.conversations, results.messages) == (1, 5)
    assert (total.calls, total.rejected, total.refused, total.breaks, total.compactions) == (2, 0, 0, 0, 0)
    (run,) = [run for run in results.runs if run.strategy == "budget"]
    assert [call.window_tokens for call in run.calls] == [100, 210]
    assert [call.output_tokens for call in run.calls] == [10, 10]
    # The second request has the first and the answer to it as its prefix, less the last message: a bit under a half.
    cached = run.calls[1].prefix_tokens
    assert run.calls[0].prefix_tokens == 0
    assert total.prefix_share == cached / 210
    expected = (310 - cached) * 10 + cached * 1 + 20 * 100
    assert total.cost_per_1000_calls == pytest.approx(expected / 1e6 / 2 * 1000)
    assert (total.log_messages, total.log_tokens, total.dropped_messages, total.dropped_tokens) == (3, 210, 0, 0)


def test_policies_are_never_rejected_where_peers_are(transcript: Write) -> None:
    results = simulate.run([transcript(agent(), agent(2, 9))], policies=["budget", "last_n:limit=12"], budgets=[900])
    totals = by_name(results.totals)
    assert set(totals) == {"budget", "last_n:limit=12", "sliding window", "trim_messages"}
    for name in ("budget", "last_n:limit=12"):
        assert (totals[name].rejected, totals[name].refused) == (0, 0)
        assert totals[name].example is None
        assert totals[name].window_tokens_max <= 900
        assert totals[name].dropped_messages > 0
    assert totals["last_n:limit=12"].compactions
    window = totals["sliding window"]
    assert window.rejected > 5
    assert window.violations["tool_message_orphan"] > 5
    assert window.example is not None
    assert window.example.conversation in {"chat-0", "chat-1"}
    assert window.example.call > 1
    assert "is no call of the message before" in window.example.violation
    assert window.compactions is None
    best = totals["budget"].prefix_share
    assert best is not None
    assert window.prefix_share is not None
    assert best > window.prefix_share
    assert {total.calls for total in results.totals} == {3 * 7 + 2 * 10}


def test_a_request_of_instructions_alone_is_bare(transcript: Write) -> None:
    # In one long turn nothing that fits begins with the user: trim_messages keeps the system prompt alone.
    results = simulate.run([transcript(agent(1, 20))], policies=["budget"], budgets=[900])
    totals = by_name(results.totals)
    assert totals["trim_messages"].bare > 10
    assert totals["budget"].bare == 0
    assert "hold nothing but instructions" in report.verdict(results.totals)


def test_the_verdict_names_the_cheapest_valid_policy(transcript: Write) -> None:
    totals = simulate.run([transcript(agent())], policies=["budget", "last_n:limit=6"], budgets=[900]).totals
    best = min(totals[:2], key=lambda total: total.cost_per_1000_calls).strategy
    assert report.verdict(totals).startswith(f"{best} is the cheapest policy without a rejected request; ")
    assert "would be rejected" in report.verdict(totals)
    refused = simulate.run([transcript(CHAT)], policies=["budget"], budgets=[50], with_peers=False).totals
    assert "(2 calls of 2 would need a larger budget)" in report.verdict(refused)


def test_each_budget_has_its_totals(transcript: Write) -> None:
    results = simulate.run([transcript(agent())], policies=["budget"], budgets=[900, 2000], with_peers=False)
    assert results.budgets == (900, 2000)
    assert [total.budget for total in results.totals] == [900, 2000]
    assert results.totals[0].window_tokens_max < results.totals[1].window_tokens_max


def test_a_budget_that_nothing_fits_is_refused(transcript: Write) -> None:
    results = simulate.run([transcript(CHAT)], policies=["budget"], budgets=[50], with_peers=False)
    (total,) = results.totals
    assert (total.calls, total.refused, total.rejected, total.cost_per_1000_calls) == (2, 2, 0, 0)


def anthropic(turns: int) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    for n in range(turns):
        thinking = {"type": "thinking", "thinking": "Let me see.", "signature": f"c2ln{n}"}
        use = {"type": "tool_use", "id": f"toolu_{n}", "name": "read", "input": {"n": n}}
        result = {"type": "tool_result", "tool_use_id": f"toolu_{n}", "content": "line " * 50}
        messages += [{"role": "user", "content": f"Read {n}"}, {"role": "assistant", "content": [thinking, use]}]
        messages += [{"role": "user", "content": [result]}, {"role": "assistant", "content": "Done."}]
    return messages


def test_anthropic_conversations_get_anthropic_requests(transcript: Write) -> None:
    path = transcript(anthropic(12))
    results = simulate.run([path], policies=["budget"], budgets=[500])
    assert {run.strategy: run.format for run in results.runs} == {
        "budget": "anthropic",
        "sliding window": "openai",
        "trim_messages": "openai",
    }
    assert by_name(results.totals)["budget"].rejected == 0
    again = simulate.run([path], policies=["budget"], budgets=[500], provider="openai")
    assert {run.format for run in again.runs} == {"openai"}


def continues(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether a request is the one before with something behind it, be it in its last message."""
    *whole, last = before["messages"]
    if before.get("system") != after.get("system") or after["messages"][: len(whole)] != whole:
        return False
    there = after["messages"][len(whole)]
    return bool(last["role"] == there["role"] and there["content"][: len(last["content"])] == last["content"])


def test_requests_in_anthropic_s_format_are_those_of_windows(transcript: Write) -> None:
    policy = {"strategy": "strip_tool_results", "config": {"keep_last": 1, "keep_tokens": 100, "clear_at_least": 50}}
    messages = anthropic(40)
    (total,) = simulate.run(
        [transcript(messages)],
        policies=["strip_tool_results:keep_last=1,keep_tokens=100,clear_at_least=50"],
        budgets=[2000],
        with_peers=False,
    ).totals
    engine = memory.memory_engine()
    memory.write(engine, "chat", "configure", token_budget=2000, policy=policy)
    requests: list[dict[str, Any]] = []
    tokens = 0
    for message in messages:
        if message["role"] == "assistant":
            raw = engine.read("chat", lambda context, fetched: context.window(fetched, format="anthropic", close=True))
            window = json.loads(raw)
            requests.append(window["request"])
            tokens += window["used_tokens"]
        memory.append(engine, "chat", [message])
    engine.close()
    breaks = sum(not continues(one, other) for one, other in pairwise(requests))
    assert (total.calls, total.breaks, total.rejected) == (len(requests), breaks, 0)
    assert total.window_tokens_mean == tokens / len(requests)
    assert 3 < breaks < 40
    assert total.prefix_share is not None
    assert 0.5 < total.prefix_share < 1


def test_settings_are_refused_before_anything_is_read() -> None:
    for policies, message in [(["fly"], "fly"), (["last_n:limit=-1"], "limit"), (["budget", "budget"], "twice")]:
        with pytest.raises(SettingError, match=message):
            simulate.run(["/nonexistent"], policies=policies)
    with pytest.raises(SettingError, match="provider 'word': expected one of openai"):
        simulate.run(["/nonexistent"], provider="word")
    with pytest.raises(SettingError, match="token_budget"):
        simulate.run(["/nonexistent"], policies=["budget"], budgets=[10**9])
    with pytest.raises(TranscriptError, match="can't be opened"):
        simulate.run(["/nonexistent"], policies=["budget"])


def test_problems_are_listed(transcript: Write) -> None:
    bad = [*CHAT[:2], {"role": "user", "content": [{"type": "text", "text": 7}]}, *CHAT[2:]]
    path = transcript(bad)
    path.write_text(path.read_text() + "no json\n")
    results = simulate.run([path], policies=["budget"], with_peers=False)
    assert len(results.problems) == 2
    assert results.problems[0].startswith(f"{path}:1: a message is left out: ")
    assert "text" in results.problems[0]
    assert results.problems[1].startswith(f"{path}:2: no valid JSON")
    assert results.totals[0].calls == 2


def test_conversations_may_be_given(transcript: Write) -> None:
    found = list(read(transcript(CHAT, CHAT)))
    results = simulate.run(found, policies=[Policy("budget")], with_peers=False, limit=1)
    assert results.conversations == 1


def test_results_are_json(transcript: Write) -> None:
    results = simulate.run([transcript(agent())], policies=["budget"], budgets=[900])
    as_dict = json.loads(json.dumps(results.as_dict()))
    assert set(as_dict) == {
        *("conversations", "messages", "price_per_million_tokens", "totals", "runs", "problems", "skipped")
    }
    for run in as_dict["runs"]:
        assert len(run["window_tokens"]) == run["calls"]
        assert set(run) - {"conversation", "format", "window_tokens"} == set(as_dict["totals"][0])


def test_what_the_model_says_in_a_row_is_one_answer() -> None:
    roles = "auaaua"
    names = {"a": "assistant", "u": "user"}
    found = exchanges(Recorded({"role": names[role], "content": str(n)}) for n, role in enumerate(roles))
    assert [(len(each.input), len(each.output)) for each in found] == [(2, 2), (1, 1)]


def test_without_langchain_it_says_so(transcript: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "fastpaca.simulate.peers.find_spec", lambda name: None if name == "langchain_core" else found(name)
    )
    results = simulate.run([transcript(CHAT)], policies=["budget"])
    assert {total.strategy for total in results.totals} == {"budget", "sliding window"}
    assert results.skipped == ("LangChain trim_messages: install langchain-core to compare with it",)


@pytest.mark.parametrize("budget", [200, 400, 900, 2_000, 50_000])
def test_trim_messages_is_not_helped_or_hurt_by_what_it_is_shown(budget: int) -> None:
    natives = [Native(message, 10 + 7 * (n % 30), n) for n, message in enumerate(agent(4, 5))]
    peer = TrimMessages()
    for count in range(1, len(natives) + 1):
        peer.change(count - 1, natives[count - 1 : count])
        chosen = peer.choose(natives[:count], budget)
        trimmed = trim_messages(
            peer._messages,
            max_tokens=budget,
            strategy="last",
            token_counter=lambda messages: sum(natives[int(message.id)].tokens for message in messages),
            start_on="human",
            end_on=("human", "tool"),
            include_system=True,
        )
        assert chosen == [int(message.id or "") for message in trimmed]


@pytest.mark.parametrize("size", [3, 7, 12, 40, 1000])
def test_checking_what_is_new_finds_what_checking_all_finds(size: int) -> None:
    messages = agent(3, 8, words=2)
    del messages[20]  # a result
    checker = Checker("openai", None)
    before: list[Any] = []
    broken = 0
    for count in range(1, len(messages) + 1):
        shown = messages[max(0, count - size) : count]
        kept = next((n for n, pair in enumerate(zip(before, shown, strict=False)) if pair[0] is not pair[1]), None)
        is_break = kept is not None or len(before) > len(shown)
        kept = min(len(before), len(shown)) if kept is None else kept
        found = checker({"messages": shown}, kept, is_whole=is_break)
        whole = check("openai", {"messages": shown})
        assert found == tuple(f"{each.rule}: {each.path}: {each.message}" for each in whole)
        broken += bool(found)
        before = shown
    assert broken


def test_messages_the_engine_refuses_are_left_out_alone(transcript: Write) -> None:
    problems: list[str] = []
    bad = {"role": "user", "content": 7}
    (conversation,) = read(transcript([bad, *CHAT, bad]))
    recording = record(conversation, Counter(), model=None, problem=problems.append)
    assert len(problems) == 2
    assert recording.messages == 4
    assert [moment.log_messages for moment in recording.moments] == [1, 3]
