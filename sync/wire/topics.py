"""The topics of the link: ``qafila/v1/UNIT/…``."""

import dataclasses
import re
from enum import StrEnum
from typing import Final

from edge.records.fields import Stream

PREFIX: Final = "qafila/v1"
UP_ALL: Final = f"{PREFIX}/+/up/#"
STATE_ALL: Final = f"{PREFIX}/+/state"
UNIT_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,30}", re.ASCII)
DOWN_NUMBER: Final = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
UP_WORDS: Final = frozenset({"key", "void", *(stream.word for stream in Stream)})
LEVELS: Final = ("landed", "opened")


class Plane(StrEnum):
    """Which way a message goes and what it is."""

    UP = "up"
    RECEIPT = "receipt"
    DOWN = "down"
    STATE = "state"
    KEYSET = "keyset"
    CERTIFICATE = "certificate"


@dataclasses.dataclass(frozen=True, slots=True)
class Topic:
    """A topic taken apart; ``word`` is the kind of upward message, the level of a receipt, or a number."""

    unit: str
    plane: Plane
    word: str | None


def up(unit: str, word: str) -> str:
    """Where sealed files go; ``word`` is ``key``, ``void`` or a stream's word."""
    return f"{PREFIX}/{unit}/up/{word}"


def receipt(unit: str, level: str) -> str:
    """Where signed receipts come from; ``level`` is ``landed`` or ``opened``."""
    return f"{PREFIX}/{unit}/receipt/{level}"


def down(unit: str, dseq: int | None = None) -> str:
    """Where the centre speaks to a unit: each message under its number, orders to erase under none."""
    return f"{PREFIX}/{unit}/down" if dseq is None else f"{PREFIX}/{unit}/down/{dseq}"


def down_all(unit: str) -> tuple[str, str]:
    """What a unit subscribes to, to hear all of it."""
    return down(unit), f"{PREFIX}/{unit}/down/+"


def state(unit: str) -> str:
    """The unit's own hint of being there; retained, never evidence."""
    return f"{PREFIX}/{unit}/state"


def keyset(unit: str) -> str:
    """Where the centre's public keys come from, signed by a root; retained."""
    return f"{PREFIX}/{unit}/keyset"


def certificate(unit: str) -> str:
    """Where a unit's renewed right to connect comes from, signed by a root; retained."""
    return f"{PREFIX}/{unit}/certificate"


def parse(topic: str) -> Topic | None:
    """Take a topic apart; None for any that is not written here."""
    parts = topic.split("/")
    if parts[:2] != PREFIX.split("/") or len(parts) < 4 or not UNIT_ID.fullmatch(parts[2]):
        return None
    match parts[3:]:
        case ["up", word] if word in UP_WORDS:
            return Topic(parts[2], Plane.UP, word)
        case ["receipt", level] if level in LEVELS:
            return Topic(parts[2], Plane.RECEIPT, level)
        case ["down", *number] if all(map(DOWN_NUMBER.fullmatch, number)) and len(number) <= 1:
            return Topic(parts[2], Plane.DOWN, number[0] if number else None)
        case ["state" | "keyset" | "certificate" as word]:
            return Topic(parts[2], Plane(word), None)
        case _:
            return None
