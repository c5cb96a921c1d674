"""What the agent makes of the uplink's note."""

import json

import pytest

from edge.agent.link import NO_LINK, Link, read_link


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
