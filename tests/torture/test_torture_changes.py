"""The kills within a change of the store meet each of its steps, in whatever order."""

from torture.changes import _spread
from torture.crash_within import Steps


def test_as_many_rounds_as_steps_meet_each_of_them_once() -> None:
    met = [_spread(number) for number in range(128)]
    assert sorted(met) == list(range(128))
    assert len({each // 16 for each in met[:8]}) == 8, "the first few are far apart"


def test_steps_count_within_the_change_only_and_it_dies_at_the_one_asked_for() -> None:
    ended: list[str] = []

    class Watched(Steps):
        def _end(self) -> None:
            ended.append("end")

    steps = Watched(2)
    for _ in range(10):
        steps()
    assert ended == [], "before the change nothing counts"

    def change() -> None:
        steps()
        steps()
        assert ended == []
        steps()
        assert ended == ["end"]

    steps.of(change)()
    assert ended == ["end", "end"], "nobody outlives the change"
