"""Bytes and seconds in words of a few letters, and what waits on the link in one line.

"About" is meant: the seconds are what the bytes take at a rate that was measured a moment ago.
"""

from collections.abc import Callable
from typing import Final, Protocol

Say = Callable[..., str]

_SECONDS: Final = ((86_400, "days"), (3_600, "hours"), (60, "minutes"), (1, "seconds"))
_SIZES: Final = ((1_000_000_000, "gigabytes"), (1_000_000, "megabytes"), (1_000, "kilobytes"))


class Waiting(Protocol):
    """What has no receipt yet; see `edge.localapi.shapes.WaitingShown`."""

    @property
    def urgent_bytes(self) -> int: ...
    @property
    def urgent_s(self) -> int: ...
    @property
    def backlog_bytes(self) -> int: ...
    @property
    def backlog_s(self) -> int: ...
    @property
    def held_bytes(self) -> int: ...
    @property
    def day_bytes(self) -> int: ...


def size(say: Say, number: int) -> str:
    """A number of bytes with two significant digits at most, or whole."""
    for step, word in _SIZES:
        if number >= 0.0995 * step * (10 if word != "kilobytes" else 1):
            amount = number / step
            text = f"{amount:.1f}" if amount < 9.95 else f"{amount:.0f}"
            return say(f"amount.{word}", n=text.removesuffix(".0").replace(".", say("number.point")))
    return say("amount.bytes", n=number)


def duration(say: Say, seconds: int) -> str:
    """A number of seconds in its largest unit, rounded; nothing is less than a second."""
    for step, word in _SECONDS:
        if seconds >= step * (1 if step == 1 else 0.95) or step == 1:
            return say(f"amount.{word}", n=max(1, round(seconds / step)))
    raise AssertionError("a second is the last unit")


def waits(say: Say, waiting: Waiting, *, connected: bool) -> str:
    """What waits, in one line: what is urgent, what goes behind it, what another day will carry."""
    parts: list[str] = []
    for word, amount, seconds in (
        ("urgent", waiting.urgent_bytes, waiting.urgent_s),
        ("backlog", waiting.backlog_bytes, waiting.backlog_s),
    ):
        if amount:
            parts.append(say(f"waits.{word}", size=size(say, amount), time=duration(say, seconds)))
    if parts and not connected:
        parts.append(say("waits.away"))
    if waiting.held_bytes:
        allowed = size(say, waiting.day_bytes)
        parts.append(say("waits.held", size=size(say, waiting.held_bytes), allowed=allowed))
    return "; ".join(parts) or say("waits.nothing")
