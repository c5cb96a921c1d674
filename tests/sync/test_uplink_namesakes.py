import json

import pytest

from sync.uplink.namesakes import LATELY_S, MOST_BYTES, Namesakes


def state(name: object) -> bytes:
    return json.dumps({"online": True, "connection": name}).encode()


def told(caplog: pytest.LogCaptureFixture) -> int:
    return sum(getattr(record, "code", "") == "broker-taken-over" for record in caplog.records)


def test_another_connection_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    known = Namesakes()
    known.ours("first")
    known.meet(state("of an earlier run"), 0.0)
    known.ours("second")
    known.meet(state("first"), 1.0)
    known.meet(state("second"), 2.0)
    assert told(caplog) == 0
    assert not known.lately(2.0)
    known.meet(state("a copy's"), 3.0)
    known.meet(state("a copy's next"), 4.0)
    assert told(caplog) == 1
    assert known.lately(4.0 + LATELY_S - 1)
    assert not known.lately(4.0 + LATELY_S), "what was is not what is"


def test_an_earlier_run_is_nobody_else_however_often_no_broker_answered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    known = Namesakes()
    for name in ("never", "never either", "first"):
        known.ours(name)
    known.meet(state("of an earlier run"), 0.0)
    known.meet(state("first"), 1.0)
    assert not known.lately(1.0)
    known.meet(state("a copy's"), 2.0)
    assert told(caplog) == 1


@pytest.mark.parametrize(
    "junk", [b"", b"\xff", b"[]", b"null", b"[" * MOST_BYTES, b'{"connection": "' + b"x" * MOST_BYTES + b'"}']
)
def test_junk_says_nothing(caplog: pytest.LogCaptureFixture, junk: bytes) -> None:
    known = Namesakes()
    known.ours("first")
    known.ours("second")
    known.meet(junk, 0.0)
    assert told(caplog) == 0
