"""What passed between a device and its driver, line by line: a field's trace, and a regression test's. Pure.

A trace is text, one JSON object a line. The first says what it is::

    {"trace": 1, "kind": "sig-bp"}

with ``"options": {"model": "…"}`` where the device has some. Every other one is an event: ``s`` is when, in
monotonic seconds since the trace began, ``t`` what happened, ``c`` the channel (empty for a stream), ``d``
bytes in hex. Each session begins with ``open``::

    {"s": 0.0, "t": "open", "bond": true, "address": "C0:FF:EE:00:00:01", "mtu": 247}
    {"s": 0.1, "t": "has", "c": "00002a35-…", "yes": true}
    {"s": 0.2, "t": "read", "c": "00002a29-…", "d": "51616669"}
    {"s": 0.2, "t": "wrote", "c": "00002a08-…", "d": "ea070b16101e00", "response": true}
    {"s": 0.3, "t": "subscribed", "c": "00002a35-…"}
    {"s": 0.4, "t": "heard", "c": "00002a35-…", "d": "1e7800…"}
    {"s": 0.4, "t": "refused", "of": "read", "c": "00002a19-…", "code": "ble-refused", "gone": false}
    {"s": 0.5, "t": "tuned", "baud": 19200, "parity": "O"}
    {"s": 0.6, "t": "ended"}

``ended`` is the device's hanging up; a session without it was ended from here, or the recording was.
"""

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, Self

VERSION: Final = 1
MOST_LINES: Final = 2_000_000
"""Some hours of the fastest device."""


class What(StrEnum):
    """What happened."""

    OPEN = "open"
    HAS = "has"
    READ = "read"
    WROTE = "wrote"
    SUBSCRIBED = "subscribed"
    HEARD = "heard"
    REFUSED = "refused"
    TUNED = "tuned"
    ENDED = "ended"


class NoTrace(ValueError):
    """The text is no trace that is understood here; ``str`` of it says at which line, never what it holds."""


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Attributes:
        at_s: seconds since the trace began.
        channel: as in `drivers.setup.line`.
        data: what was read, written or heard.
        more: what else belongs to it, as in the module's text.
    """

    at_s: float
    what: What
    channel: str = ""
    data: bytes = b""
    more: tuple[tuple[str, str | int | bool], ...] = ()

    def get(self, name: str) -> str | int | bool | None:
        """One of ``more``, or None."""
        return dict(self.more).get(name)

    def as_line(self) -> bytes:
        """As it stands in a trace."""
        said: dict[str, Any] = {"s": round(self.at_s, 6), "t": self.what.value}
        if self.channel or self.what in _ON_A_CHANNEL:
            said["c"] = self.channel
        if self.what in _WITH_DATA:
            said["d"] = self.data.hex()
        return json.dumps(said | dict(self.more), separators=(",", ":")).encode() + b"\n"

    @classmethod
    def of_line(cls, line: bytes) -> Self:
        """Read one line.

        Raises:
            ValueError, TypeError, KeyError, AttributeError: it is none.
        """
        said = dict(json.loads(line))
        at_s, what = said.pop("s"), What(said.pop("t"))
        if isinstance(at_s, bool) or not isinstance(at_s, int | float):
            raise TypeError("s")
        channel, data = said.pop("c", ""), bytes.fromhex(said.pop("d", ""))
        if not isinstance(channel, str) or not all(
            isinstance(value, str | int | bool) for value in said.values()
        ):
            raise TypeError("c")
        return cls(float(at_s), what, channel, data, tuple(said.items()))


_WITH_DATA: Final = frozenset({What.READ, What.WROTE, What.HEARD})
_ON_A_CHANNEL: Final = _WITH_DATA | {What.HAS, What.SUBSCRIBED, What.REFUSED}


@dataclasses.dataclass(frozen=True, slots=True)
class Trace:
    """A whole trace: the device's kind, and its sessions in order, each beginning with `What.OPEN`.

    Attributes:
        options: what its driver was told of it beside.
    """

    kind: str
    sessions: tuple[tuple[Event, ...], ...]
    options: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def lasts_s(self) -> float:
        """From the first event to the last."""
        last = next((session[-1].at_s for session in reversed(self.sessions)), 0.0)
        return last - (self.sessions[0][0].at_s if self.sessions else 0.0)


def head(kind: str, options: Mapping[str, str] = MappingProxyType({})) -> bytes:
    """The first line."""
    said: dict[str, Any] = {"trace": VERSION, "kind": kind}
    if options:
        said["options"] = dict(options)
    return json.dumps(said, separators=(",", ":")).encode() + b"\n"


def write(trace: Trace) -> bytes:
    """A trace as text."""
    return head(trace.kind, trace.options) + b"".join(
        event.as_line() for each in trace.sessions for event in each
    )


def read(text: bytes) -> Trace:
    """Read a trace; what stands before the first `What.OPEN` belongs to no session and is left out.

    Raises:
        NoTrace: it is none, or of another version.
    """
    first, *rest = text.splitlines() or [b""]
    kind, options = _kind_of(first)
    if len(rest) > MOST_LINES:
        raise NoTrace(f"it has more than {MOST_LINES} lines")
    sessions: list[list[Event]] = []
    for event in _events(rest):
        if event.what is What.OPEN:
            sessions.append([])
        if sessions:
            sessions[-1].append(event)
    return Trace(kind, tuple(tuple(session) for session in sessions), options)


def _kind_of(line: bytes) -> tuple[str, dict[str, str]]:
    try:
        said = dict(json.loads(line))
        version, kind = said["trace"], said["kind"]
        options = {str(name): str(value) for name, value in dict(said.get("options", {})).items()}
    except (ValueError, TypeError, KeyError, RecursionError):
        raise NoTrace("its first line is not that of a trace") from None
    if version != VERSION or not isinstance(kind, str):
        raise NoTrace(f"it is of version {version!r:.20}, and here is {VERSION}")
    return kind, options


def _events(lines: Sequence[bytes]) -> Iterable[Event]:
    for number, line in enumerate(lines, 2):
        if not line.strip():
            continue
        try:
            yield Event.of_line(line)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise NoTrace(f"line {number} is no event") from None
