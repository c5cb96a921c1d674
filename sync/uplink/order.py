"""What waits in ``spool/out``, in order of sending."""

from bisect import insort
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from edge.records.fields import Stream
from edge.spool.names import SpoolName

URGENT_PRIORITY: Final = 1
"""Keys and alerts, and what a request that is an alert has attached."""
URGENT_WORDS: Final = frozenset({"key", "alert"})
"""What is small and may exceed a full window; an attachment is neither."""
WAVE_SHARE: Final = 20
"""Waves get one byte in so many while anything less urgent than an alert waits beside them."""
_RANKS: Final = {word: rank for rank, word in enumerate(("key", *(stream.word for stream in Stream)))}


def is_urgent(name: SpoolName) -> bool:
    """Whether a file may exceed a full window."""
    return name.priority <= URGENT_PRIORITY and name.word in URGENT_WORDS


def is_wave(name: SpoolName) -> bool:
    """Whether a file lives on the share of the waves."""
    return name.word == Stream.WAVE.word and name.priority > URGENT_PRIORITY


def turn(name: SpoolName) -> tuple[int, int, SpoolName]:
    """The order of sending: what is more urgent, then as the streams follow one another, then by number.

    A file's priority may be higher than its stream's: what a request has attached goes with the request.
    It never goes before the alerts and values that have this priority of their own.
    """
    return name.priority, _RANKS.get(name.word, len(_RANKS)), name


class Waiting:
    """Files that wait.

    Waves never starve: a twentieth of the bytes is theirs while others wait beside them, counted over all
    connections, so that a link that breaks often gives them neither more nor less.
    """

    def __init__(self) -> None:
        self._others: list[SpoolName] = []
        self._waves: list[SpoolName] = []
        self._bytes = 0
        self._wave_bytes = 0

    def __len__(self) -> int:
        return len(self._others) + len(self._waves)

    def __iter__(self) -> Iterator[SpoolName]:
        yield from self._others
        yield from self._waves

    def set(self, names: Iterable[SpoolName]) -> None:
        """Exactly these wait."""
        self._others, self._waves = [], []
        for name in sorted(names, key=turn):
            self._line(name).append(name)

    def add(self, name: SpoolName) -> None:
        """This one waits, too, if it does not yet."""
        line = self._line(name)
        if name not in line:
            insort(line, name, key=turn)

    def remove(self, name: SpoolName) -> None:
        """This one waits no longer; nothing happens when it did not."""
        line = self._line(name)
        if line and line[0] == name:
            del line[0]
        elif name in line:
            line.remove(name)

    def choose(self, may: Callable[[SpoolName], bool]) -> SpoolName | None:
        """The file that should go now, of those that may."""
        other = next((name for name in self._others if may(name)), None)
        wave = next((name for name in self._waves if may(name)), None)
        if other is None or wave is None:
            return other or wave
        due = self._wave_bytes * WAVE_SHARE < self._bytes
        if other.priority > URGENT_PRIORITY and (due or turn(wave) < turn(other)):
            return wave
        return other

    def went(self, name: SpoolName, size: int) -> None:
        """A file that has been removed was sent."""
        if is_wave(name):
            self._wave_bytes += size
        elif not is_urgent(name):
            self._bytes += size
        if not self._waves or not self._others:
            self._bytes = self._wave_bytes = 0  # nobody waited beside it: that gives no claim

    def _line(self, name: SpoolName) -> list[SpoolName]:
        return self._waves if is_wave(name) else self._others
