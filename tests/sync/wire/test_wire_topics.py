import pytest

from edge.records.fields import Stream
from sync.wire import topics
from sync.wire.topics import Plane, Topic


@pytest.mark.parametrize("word", ["key", "void", *(stream.word for stream in Stream)])
def test_what_goes_up_is_parsed_back(word: str) -> None:
    assert topics.parse(topics.up("van-07", word)) == Topic("van-07", Plane.UP, word)


def test_the_other_planes_are_parsed_back() -> None:
    for level in ("landed", "opened"):
        assert topics.parse(topics.receipt("van-07", level)) == Topic("van-07", Plane.RECEIPT, level)
    assert topics.parse(topics.down("van-07")) == Topic("van-07", Plane.DOWN, None)
    assert topics.parse(topics.state("van-07")) == Topic("van-07", Plane.STATE, None)
    assert topics.up("van-07", "vitals") == "qafila/v1/van-07/up/vitals"
    assert topics.UP_ALL == "qafila/v1/+/up/#"


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "qafila/v1",
        "qafila/v1/van-07",
        "qafila/v1/van-07/up",
        "qafila/v1/van-07/up/",
        "qafila/v1/van-07/up/other",
        "qafila/v1/van-07/up/vitals/more",
        "qafila/v2/van-07/up/vitals",
        "other/v1/van-07/up/vitals",
        "/qafila/v1/van-07/up/vitals",
        "qafila/v1/Van-07/up/vitals",
        "qafila/v1/-van/up/vitals",
        "qafila/v1/v/up/vitals",
        "qafila/v1/van-07\n/up/vitals",
        "qafila/v1/vån/up/vitals",
        f"qafila/v1/{'v' * 32}/up/vitals",
        "qafila/v1/+/up/vitals",
        "qafila/v1/van-07/receipt",
        "qafila/v1/van-07/receipt/sent",
        "qafila/v1/van-07/down/advice",
        "qafila/v1/van-07/state/on",
    ],
)
def test_others_are_none_of_ours(topic: str) -> None:
    assert topics.parse(topic) is None
