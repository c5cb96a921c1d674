"""What the commands say of what waits."""

from typing import Any

from cli.link_texts import link_waits
from edge.i18n.catalogue import load

WAITING = {
    "urgent_bytes": 610, "urgent_s": 1, "backlog_bytes": 140_000, "backlog_s": 58, "held_bytes": 0,
    "rate": 2400, "profile": "2g", "spent_bytes": 83_000, "day_bytes": 50_000_000,
}  # fmt: skip


def said(**more: object) -> list[str]:
    link: dict[str, Any] = {"connected": True, "since_ms": 1, "broker": "mqtt5", "waiting": WAITING, **more}
    return link_waits(load("en"), link)


def test_what_waits_is_a_line_of_the_status() -> None:
    assert said() == ["to send   urgent 0.6 kB, about 1 s; backlog 140 kB, about 1 min"]
    assert said(connected=False)[0].endswith("once there is a link")


def test_an_uplink_that_is_not_there_says_nothing() -> None:
    assert said(waiting=None) == []
