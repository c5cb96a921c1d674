"""The uplink's note about its connection: unsigned, a hint for the screen, never evidence."""

import dataclasses
import json
import re
from collections.abc import Callable
from typing import Any, Final

from edge.agent.states import Span, runs
from edge.records.fields import Stream
from edge.spool import SpoolName, parse

_MOST_NAMES: Final = 10_000
_MOST_NUMBER: Final = 2**53
_PROFILE: Final = re.compile(r"[a-z0-9]{1,16}", re.ASCII)
_CODE: Final = re.compile(r"[a-z][a-z-]{1,39}", re.ASCII)
_STREAMS: Final = {stream.word: stream for stream in Stream}


@dataclasses.dataclass(frozen=True, slots=True)
class Waiting:
    """What has no receipt yet, as the uplink counts it: see `edge.localapi.shapes.WaitingShown`."""

    urgent_bytes: int
    urgent_s: int
    backlog_bytes: int
    backlog_s: int
    held_bytes: int
    rate: int
    profile: str
    spent_bytes: int
    day_bytes: int


@dataclasses.dataclass(frozen=True, slots=True)
class Link:
    """What the note says, as far as it can be read.

    Attributes:
        since_ms: when the present connection began, or the last one ended.
        sent: spans of files written whole to the present connection, by stream.
        waiting: what has no receipt yet, None where the note does not say.
        code: why there is no connection, or what somebody should look after while there is one.
    """

    connected: bool = False
    since_ms: int | None = None
    broker: str | None = None
    sent: tuple[tuple[Stream, tuple[Span, ...]], ...] = ()
    waiting: Waiting | None = None
    code: str | None = None

    def sent_of(self, stream: Stream) -> tuple[Span, ...]:
        """The spans of one stream that are on their way; `NO_LINK` has none."""
        return dict(self.sent).get(stream, ())


NO_LINK: Final = Link()


def read_link(raw: bytes | None, counts: Callable[[SpoolName], bool] = lambda _: True) -> Link:
    """Read the note; anything odd in it counts as no link.

    ``counts`` says which files are of the present epoch: no name tells them from those of an earlier one.
    """
    try:
        note: Any = json.loads(raw or b"null")
        if not isinstance(note, dict):
            return NO_LINK
        since_ms = note["since_ms"] if type(note.get("since_ms")) is int else None
        if note.get("connected") is not True:
            return Link(
                since_ms=since_ms, waiting=_waiting(note), code=_code(note)
            )  # how long it has been gone
        broker, names = note.get("broker"), note.get("sent", [])
        return Link(
            connected=True,
            since_ms=since_ms,
            broker=broker if isinstance(broker, str) and len(broker) <= 16 else None,
            sent=_spans(names[:_MOST_NAMES], counts) if isinstance(names, list) else (),
            waiting=_waiting(note),
            code=_code(note),
        )
    except (ValueError, RecursionError):
        return NO_LINK


def _code(note: dict[str, Any]) -> str | None:
    code = note.get("code")
    return code if isinstance(code, str) and _CODE.fullmatch(code) else None


def _waiting(note: dict[str, Any]) -> Waiting | None:
    try:
        (urgent, urgent_s), (backlog, backlog_s), (spent, allowed) = (
            note["urgent"], note["backlog"], note["day"],
        )  # fmt: skip
        numbers = (urgent, urgent_s, backlog, backlog_s, note["held"], note["rate"], spent, allowed)
        profile = note["profile"]
    except (KeyError, TypeError, ValueError):
        return None
    if any(type(number) is not int or not 0 <= number < _MOST_NUMBER for number in numbers):
        return None
    if not isinstance(profile, str) or not _PROFILE.fullmatch(profile):
        return None
    return Waiting(*numbers[:6], profile, *numbers[6:])


def _spans(
    names: list[Any], counts: Callable[[SpoolName], bool]
) -> tuple[tuple[Stream, tuple[Span, ...]], ...]:
    found: dict[Stream, list[Span]] = {}
    for raw in names:
        name = parse(raw) if isinstance(raw, str) else None
        stream = None if name is None else _STREAMS.get(name.word)
        if name is not None and stream is not None and name.n > 0 and counts(name):
            found.setdefault(stream, []).append((name.first, name.first + name.n - 1))
    return tuple((stream, tuple(runs(spans))) for stream, spans in found.items())
