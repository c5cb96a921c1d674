"""What the methods ``sync.…`` of the local API answer."""

from typing import Literal

from edge.localapi.shapes import Message


class QuarantinedRange(Message):
    """Entries that the centre holds and could not open; why, as its receipt says."""

    stream: str
    first: int
    last: int
    reason: Literal["key", "decode", "head", "schema"]


class Quarantine(Message):
    """All of them, by the centre's last word."""

    ranges: tuple[QuarantinedRange, ...]


class TriedAgain(Message):
    """How many ranges were sealed once more, and how many wait for an update of the centre."""

    again: int
    waiting: int
