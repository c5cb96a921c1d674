"""A long run says how far it is: seldom, and not between the results."""

from torture.progress import Progress


def test_it_says_how_many_are_done_and_how_long_the_others_take() -> None:
    said: list[str] = []
    now_s = 0.0
    told = Progress("kills", 1000, every_s=60.0, now_s=lambda: now_s, say=said.append)
    for _ in range(100):
        now_s += 2.0
        told()
    assert said == [
        "kills: 30 of 1000 after 1.0 min, at this pace 32 min to go",
        "kills: 60 of 1000 after 2.0 min, at this pace 31 min to go",
        "kills: 90 of 1000 after 3.0 min, at this pace 30 min to go",
    ]
