"""What the names of spool files say of the streams in them."""

from collections.abc import Iterable
from typing import Final

from edge.agent.states import Span
from edge.records.fields import Stream
from edge.spool import SpoolName

STREAMS: Final = {stream.word: stream for stream in Stream}


def of_stream(stream: Stream, names: Iterable[SpoolName]) -> list[SpoolName]:
    """The files of one stream."""
    return [name for name in names if STREAMS.get(name.word) is stream]


def span_of(name: SpoolName) -> Span:
    """First and last entry of a file."""
    return name.first, last_of(name)


def last_of(name: SpoolName) -> int:
    """Its last entry."""
    return name.first + name.n - 1
