"""Which context a worker takes next, and when, by a clock of the test's."""

from __future__ import annotations

from fastpaca.compaction.due import Due
from fastpaca.compaction.summary import Outcome
from fastpaca.types import Compacted

FAILED = Outcome(error=OSError("the model is gone"))
NOTHING = Outcome()


def done(*, needs_compaction: bool = False) -> Outcome:
    return Outcome(Compacted(1, 900, 100, 100, needs_compaction))


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_one_at_a_time_and_again_where_it_was_flagged_meanwhile() -> None:
    due = Due(Clock())
    assert (due.take(), due.wait_s(), due.busy) == (None, None, 0)
    due.flag("a")
    assert (due.take(), due.busy) == ("a", 1)
    due.flag("a")
    assert due.take() is None
    due.done("a", done())
    assert due.take() == "a"
    due.done("a", done(needs_compaction=True))
    assert due.take() == "a"
    due.done("a", NOTHING)
    assert (due.take(), due.wait_s(), due.busy) == (None, None, 0)


def test_who_waited_longest_is_next() -> None:
    clock = Clock()
    due = Due(clock)
    for name in ("b", "a"):
        due.flag(name)
        clock.now += 1
    due.flag("b")
    assert [due.take(), due.take(), due.take()] == ["b", "a", None]


def test_a_failure_is_left_alone_twice_as_long_each_time() -> None:
    clock = Clock()
    due = Due(clock)
    due.flag("a")
    for pause_s in (5, 10, 20, 40, 80, 160, 320, 600, 600):
        assert due.take() == "a"
        due.done("a", FAILED)
        due.flag("a")
        assert (due.take(), due.wait_s()) == (None, pause_s)
        clock.now += pause_s
    assert due.take() == "a"
    due.done("a", done(needs_compaction=True))
    assert due.take() == "a"
    due.done("a", FAILED)
    assert due.wait_s() == 5


def test_what_another_worker_holds_is_tried_when_its_lease_ends() -> None:
    clock = Clock()
    due = Due(clock)
    due.flag("a")
    assert due.take() == "a"
    due.done("a", Outcome(held_s=7.5))
    assert (due.take(), due.wait_s()) == (None, 7.5)
    clock.now += 7.5
    assert (due.wait_s(), due.take()) == (0.0, "a")
