"""How much of what has bytes beside it goes into one message, and how much lies ready. In the store's thread.

A message on its way holds up whatever is more urgent, so samples go in messages that take a slow link a
few seconds. And what is sealed takes room beside the store: with weeks of waves and no link the spool must
not fill the disk that readings are to be saved on.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, cast

from edge import cbor
from edge.agent.spooled import STREAMS
from edge.audit.chain import Entry
from edge.records.fields import Field, Payload, Stream
from edge.spool import Outbox, Prepared, SpoolName

MESSAGE_BYTES: Final = 16 * 1024
"""So much of samples in one message: three seconds at 40 kbit/s. Headers and signature add 2 % to it."""
SECONDS_A_MESSAGE: Final = 2.0
LEAST_BYTES: Final = 8 * 1024
"""Smaller messages would be headers and signatures by a tenth."""
MOST_BYTES: Final = 64 * 1024
"""What is lost when a link breaks in the midst of a message; a faster link is filled by several at once."""
READY_BYTES: Final = 64 * 1024 * 1024
"""So much of each stream with bytes lies sealed in the spool: what a night on a good link carries."""
WITH_BYTES: Final = frozenset({Stream.DOC, Stream.WAVE})


@dataclasses.dataclass(frozen=True, slots=True)
class Sizes:
    """How much of what has bytes beside it.

    Attributes:
        message: bytes beside the entries of one message, unless one entry alone has more.
        entries: so many are sealed before somebody else gets the store's thread.
        ready: bytes of each stream that may lie in the spool.
    """

    message: int = MESSAGE_BYTES
    entries: int = 16
    ready: int = READY_BYTES

    @staticmethod
    def for_rate(bytes_a_second: float) -> "Sizes":
        """Messages that take the link two seconds, within bounds: an alert waits no longer behind one."""
        wanted = int(SECONDS_A_MESSAGE * bytes_a_second)
        return Sizes(message=min(MOST_BYTES, max(LEAST_BYTES, wanted)))


class Portions:
    """Cuts entries into messages, and watches how much lies ready."""

    def __init__(self, outbox: Outbox, sizes: Sizes) -> None:
        self._outbox = outbox
        self._sizes = sizes
        self._bytes: defaultdict[Stream, int] = defaultdict(int)

    @property
    def entries(self) -> int:
        """How many entries are sealed at once."""
        return self._sizes.entries

    def count(self, names: Iterable[SpoolName]) -> None:
        """Look how much lies there."""
        self._bytes.clear()
        for name in names:
            stream = STREAMS.get(name.word)
            if stream is not None and stream in WITH_BYTES:
                self._bytes[stream] += self._size(name)

    def spooled(self, stream: Stream, prepared: Prepared) -> None:
        """A file has been added."""
        if stream in WITH_BYTES:
            self._bytes[stream] += prepared.size

    def has_room(self, stream: Stream) -> bool:
        """Whether more of a stream may be sealed."""
        return self._bytes[stream] < self._sizes.ready

    def is_small(self, stream: Stream, name: SpoolName) -> bool:
        """Whether a file may be joined with others."""
        return stream not in WITH_BYTES or self._size(name) < self._sizes.message // 2

    def cut(self, entries: Sequence[Entry]) -> list[list[Entry]]:
        """Entries of one stream in portions for a message each."""
        if not entries or entries[0].stream not in WITH_BYTES:
            return [list(entries)]
        portions: list[list[Entry]] = [[]]
        filled = 0
        for entry in entries:
            size = _size_beside(entry)
            if portions[-1] and size and filled + size > self._sizes.message:
                portions.append([])
                filled = 0
            portions[-1].append(entry)
            filled += size
        return portions

    def _size(self, name: SpoolName) -> int:
        try:
            return self._outbox.size(name)
        except OSError:
            return 0  # gone meanwhile


def _size_beside(entry: Entry) -> int:
    if entry.payload is None:
        return 0
    size = cast("Payload", cbor.decode(entry.payload)).get(Field.SIZE, 0)
    return size if isinstance(size, int) else 0
