"""What `time_aware` leaves, exactly."""

from __future__ import annotations

from tests.support.chat import Chat, at, call, result, says, user


def test_old_sessions_leave() -> None:
    chat = Chat().configure("time_aware", max_age="2h")
    chat.add(at(user(), 0), at(says(), 1), at(user(), 20), at(says(), 21))
    chat.add(at(user(), 60), at(says(), 61))
    assert chat.kept() == [1, 2, 3, 4, 5, 6]
    # 141 minutes are exactly two hours after the first session's last message.
    chat.add(at(user(), 141))
    assert chat.kept() == [1, 2, 3, 4, 5, 6, 7]
    chat.add(at(says(), 141.5), at(user(), 142))
    assert chat.kept() == [5, 6, 7, 8, 9]


def test_a_clock_that_goes_back_makes_nothing_younger() -> None:
    chat = Chat().configure("time_aware", max_age="2h")
    chat.add(at(user(), 0), at(says(), 0))
    chat.add(at(user(), 300), at(says(), 300), at(user(), 1))
    assert chat.kept() == [3, 4, 5]


def test_a_session_goes_whole() -> None:
    chat = Chat().configure("time_aware", max_age=3600, session_gap="1h")
    chat.each(*(at(user() if n % 2 else says(), 20 * n) for n in range(1, 11)))
    assert chat.kept() == list(range(1, 11))
    chat.each(at(user(), 400))
    assert chat.kept() == [11]


def test_two_messages_of_the_user_may_lie_in_two_sessions() -> None:
    chat = Chat().configure("time_aware", max_age="1h")
    chat.each(at(user(), 0), at(user(), 1), at(user(), 120), at(says(), 121), at(user(), 122))
    assert chat.kept() == [3, 4, 5]


def test_a_pause_inside_a_turn_is_no_end() -> None:
    chat = Chat().configure("time_aware", max_age="1h")
    chat.each(at(user(), 0), at(call("a"), 1), at(result("a"), 300), at(says(), 301), at(user(), 302))
    assert chat.kept() == [1, 2, 3, 4, 5]
    chat.each(at(says(), 303), at(user(), 400))
    assert chat.kept() == [7]


def test_instructions_before_a_turn_hide_no_pause() -> None:
    chat = Chat().configure("time_aware", max_age="1h")
    note = {"role": "system", "content": "It is evening."}
    chat.each(at(user(), 0), at(says(), 1), at(note, 119.9), at(user(), 120))
    assert chat.kept() == [4]


def test_min_messages_stay() -> None:
    chat = Chat().configure("time_aware", max_age="1h", min_messages=4)
    chat.each(at(user(), 0), at(says(), 1), at(user(), 200), at(says(), 201), at(user(), 400))
    assert chat.kept() == [1, 2, 3, 4, 5]
    chat.each(at(says(), 401), at(user(), 402))
    assert chat.kept() == [3, 4, 5, 6, 7]


def test_pins_and_head_outlive_their_session() -> None:
    chat = Chat().configure("time_aware", max_age="1h")
    pinned = user(metadata={"pinned": True})
    chat.add(
        at({"role": "system", "content": "Be brief."}, 0), at(user(), 0), at(says(), 1), at(pinned, 2), at(says(), 3)
    )
    chat.each(at(user(), 120))
    assert chat.kept() == [1, 4, 6]


def test_over_the_trigger_the_oldest_sessions_leave_first() -> None:
    chat = Chat().configure("time_aware")
    for start in (0, 100, 200, 300):
        chat.add(at(user(tokens=50), start), at(says(tokens=100), start + 1))
    chat.add(at(user(tokens=200), 301))
    # 800 tokens: two sessions leave 500, three leave 350, which is the target.
    assert chat.kept() == [7, 8, 9]


def test_min_messages_bound_the_overflow() -> None:
    chat = Chat().configure("time_aware", min_messages=5)
    for start in (0, 1, 2, 3):
        chat.add(at(user(tokens=50), start), at(says(tokens=100), start))
    chat.add(at(user(tokens=200), 4))
    assert chat.kept() == [5, 6, 7, 8, 9]
