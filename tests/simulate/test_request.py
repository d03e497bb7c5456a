"""Requests are decoded where they changed, and come to the same as decoding them whole."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fastpaca.simulate.request import Requests

message = st.builds(
    lambda text, extra: {"role": "user", "content": text, **extra},
    st.text(max_size=6),
    st.sampled_from([{}, {"messages": [1]}, {"x": {"messages": []}}]),
)
histories = st.lists(st.lists(message, max_size=6), min_size=1, max_size=6)


def reply(messages: list[Any], system: str = "s") -> bytes:
    request = {"system": system, "messages": messages}
    fields = {"version": 3, "request": request, "used_tokens": len(messages), "ends_with": "user"}
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def common(one: list[Any], other: list[Any]) -> int:
    count = 0
    while count < min(len(one), len(other)) and one[count] == other[count]:
        count += 1
    return count


@given(histories)
def test_as_decoded_whole(history: list[list[Any]]) -> None:
    requests = Requests(len)
    before: list[Any] = []
    for messages in history:
        raw = reply(messages)
        step = requests.take(raw)
        assert requests.messages == messages
        assert requests.fields == json.loads(raw) | {"request": {"system": "s", "messages": []}}
        assert len(requests.texts) == len(requests.weights) == len(messages)
        if step.is_break or step.prefix_share:
            assert step.kept == common(before, messages)
        before = messages


def test_the_share_is_of_tokens_from_the_start_on() -> None:
    requests = Requests(lambda _: 10)
    one, two, three = ({"role": "user", "content": name} for name in "abc")
    assert requests.take(reply([one, two])).prefix_share == 0
    step = requests.take(reply([one, two, three]))
    assert (step.kept, step.prefix_share, step.is_break) == (2, 30 / 40, False)
    step = requests.take(reply([one, three]))
    assert (step.kept, step.is_break) == (1, True)
    assert 20 / 30 <= step.prefix_share < 1
    step = requests.take(reply([one, three], system="another"))
    assert (step.kept, step.prefix_share, step.is_break) == (0, 0, True)


def test_a_message_that_gets_more_parts_is_no_break() -> None:
    requests = Requests(len)
    parts = [{"type": "text", "text": "a" * 50}, {"type": "text", "text": "b" * 50}]
    requests.take(reply([{"role": "user", "content": parts[:1]}]))
    step = requests.take(reply([{"role": "user", "content": parts}, {"role": "assistant", "content": []}]))
    assert (step.kept, step.is_break) == (0, False)
    assert 0.3 < step.prefix_share < 0.7
    step = requests.take(reply([{"role": "user", "content": parts[1:]}]))
    assert step.is_break
