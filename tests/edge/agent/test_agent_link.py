"""What the agent makes of the uplink's note."""

import json

import pytest

from edge.agent.link import NO_LINK, Link, Waiting, read_link


def test_a_link_that_is_gone_says_since_when_and_carries_nothing() -> None:
    note = {
        "connected": False,
        "since_ms": 1234,
        "sent": ["2-vitals-1-5-0123456789abcdef"],
        "broker": "mqtt5",
    }
    assert read_link(json.dumps(note).encode()) == Link(since_ms=1234)


@pytest.mark.parametrize(
    "raw", [None, b"", b"[]", b"{", b"[" * 100_000, b'{"since_ms": "1"}', b'{"since_ms": true}']
)
def test_what_is_odd_is_no_link(raw: bytes | None) -> None:
    assert read_link(raw) == NO_LINK


NOTE = {
    "connected": True, "since_ms": 1234, "sent": [], "broker": "mqtt5", "urgent": [610, 1],
    "backlog": [140_000, 58], "held": 0, "rate": 2400, "profile": "2g", "day": [83_000, 50_000_000],
}  # fmt: skip
WAITING = Waiting(610, 1, 140_000, 58, 0, 2400, "2g", 83_000, 50_000_000)


@pytest.mark.parametrize("connected", [True, False])
def test_what_waits_is_known_with_a_link_and_without(*, connected: bool) -> None:
    assert read_link(json.dumps({**NOTE, "connected": connected}).encode()).waiting == WAITING


@pytest.mark.parametrize(
    "odd",
    [
        {"urgent": None}, {"urgent": [1]}, {"urgent": [1, 2, 3]}, {"backlog": [1.5, 1]}, {"day": [-1, 0]},
        {"held": True}, {"rate": "1"}, {"profile": "\x1b[31m"}, {"profile": None}, {"day": [0, 2**60]},
    ],
)  # fmt: skip
def test_odd_numbers_say_nothing_and_take_nothing_else_away(odd: dict[str, object]) -> None:
    link = read_link(json.dumps({**NOTE, **odd}).encode())
    assert link.waiting is None
    assert link.connected


@pytest.mark.parametrize("connected", [True, False])
@pytest.mark.parametrize(
    ("code", "read"),
    [("certificate-ended", "certificate-ended"), ("", None), ("\x1b[31m", None), (3, None), ("x" * 99, None)],
)
def test_what_is_wrong_is_known_by_a_code_and_nothing_else(
    *, connected: bool, code: object, read: str | None
) -> None:
    assert read_link(json.dumps({**NOTE, "connected": connected, "code": code}).encode()).code == read
