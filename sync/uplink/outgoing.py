"""The uplink's view of ``spool/out``: what lies there, what goes next, what is on its way.

Only reads. The directory is looked at through its modification time, a few times a second, and listed
when that has changed.
"""

import contextlib
import dataclasses
import logging
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from edge.spool.names import RING_NAME, SpoolName, parse
from sync.uplink import sentences
from sync.uplink.coverage import Contents, Coverage, read_contents
from sync.uplink.order import Waiting, is_urgent
from sync.wire.cose import MAX_MESSAGE_BYTES
from sync.wire.errors import EnvelopeRefused

_LOG: Final = logging.getLogger("qafila.uplink")


@dataclasses.dataclass(frozen=True, slots=True)
class Ready:
    """A file that may go now."""

    name: SpoolName
    content: bytes
    contents: Contents

    @property
    def urgent(self) -> bool:
        """Whether it may exceed a full window."""
        return is_urgent(self.name)


class Outgoing:
    """What waits, in order of sending.

    Args:
        directory: ``spool/out``.
        unit: files of another unit are not sent.
    """

    def __init__(self, directory: Path, unit: str, coverage: Coverage) -> None:
        self._directory = directory
        self._unit = unit
        self._coverage = coverage
        self._stamp: tuple[int, int] | None = None
        self._settled = False
        self._present: dict[str, SpoolName] = {}
        self._sizes: dict[str, int] = {}
        self._waiting = Waiting()
        self._left: set[str] = set()
        self._contents: dict[str, Contents] = {}
        self._ring = self._look_at_ring()
        self._at_hand: Ready | None = None

    def rung(self) -> bool:
        """Whether somebody has asked since the last look not to wait any longer."""
        before, self._ring = self._ring, self._look_at_ring()
        return self._ring not in {None, before}

    def _look_at_ring(self) -> tuple[int, int] | None:
        try:
            found = os.lstat(self._directory / RING_NAME)
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino

    def refresh(self) -> bool:
        """Look whether the directory has changed, and list it if so; cheap when it has not."""
        try:
            seen = self._directory.stat()
        except OSError:
            return False  # not there yet, or for a moment: what cannot be seen cannot be sent
        stamp = (seen.st_ino, seen.st_mtime_ns)
        if stamp == self._stamp and self._settled:
            return False
        # Two changes within one tick of the kernel's clock bear one time: list once more after each.
        self._settled = stamp == self._stamp
        self._stamp = stamp
        self._list()
        return True

    def _list(self) -> None:
        names = os.listdir(self._directory)  # noqa: PTH208  plain names are wanted, ten thousand of them
        known, self._present = self._present, {}
        fresh: list[SpoolName] = []
        for text in names:
            name = known.get(text)
            if name is None:
                name = parse(text)
                if name is None:
                    continue
                fresh.append(name)
            self._present[text] = name
        gone = known.keys() - self._present.keys()
        self._left -= gone
        for text in gone:
            self._contents.pop(text, None)
            self._sizes.pop(text, None)
        for name in fresh:
            with contextlib.suppress(OSError):  # gone again
                self._sizes[str(name)] = os.lstat(self._directory / str(name)).st_size
        if gone or fresh:
            self._waiting.set([*(name for name in self._waiting if str(name) not in gone), *fresh])

    def has(self, name: SpoolName) -> bool:
        return str(name) in self._present

    def unreceipted(self) -> Iterator[tuple[SpoolName, int]]:
        """The files that no receipt covers, as far as it was looked, and their sizes."""
        for text, name in self._present.items():
            if text not in self._left:
                yield name, self._sizes.get(text, 0)

    def next(self, may: Callable[[SpoolName], bool] = lambda _: True) -> Ready | None:
        """The file that should go now, of those that may; `take` says that it went. None when none does."""
        while (name := self._waiting.choose(may)) is not None:
            ready = self._read(name)
            if ready is not None:
                return ready
            self._waiting.remove(name)
        return None

    def take(self, ready: Ready) -> None:
        """This file is being sent and no longer waits."""
        self._waiting.remove(ready.name)
        self._at_hand = None
        self._waiting.went(ready.name, len(ready.content))

    def leave(self, name: SpoolName) -> None:
        """This file need not or cannot be sent, as long as the process lives."""
        self._left.add(str(name))
        self._waiting.remove(name)

    def reconsider(self) -> None:
        """What the centre asks for again waits again, though something had landed there already."""
        for text in sorted(self._left):
            contents = self._contents.get(text)
            if contents is not None and self._coverage.asked_again(contents):
                self._left.discard(text)
                self._waiting.add(self._present[text])

    def rewind(self) -> None:
        """Everything that no receipt covers waits again."""
        self._at_hand = None
        self._waiting.set(name for text, name in self._present.items() if text not in self._left)

    def _read(self, name: SpoolName) -> Ready | None:
        """The file, if it is there and has to be sent."""
        text = str(name)
        if self._covered(text):
            return None
        if self._at_hand is not None and self._at_hand.name == name:
            return self._at_hand
        content = read_regular(self._directory / text)
        if content is None:
            return None
        try:
            contents = read_contents(content, self._unit)
        except EnvelopeRefused as refused:
            # It stays where it is: it is the agent's file, and the agent seals the range again.
            self._left.add(text)
            why = sentences.said(sentences.FILES, "file-unsendable", file=text, reason=refused.stable_code)
            _LOG.warning("spool file cannot be sent", extra=why)
            return None
        self._contents[text] = contents
        if self._covered(text):
            return None
        self._at_hand = Ready(name, content, contents)
        return self._at_hand

    def _covered(self, text: str) -> bool:
        contents = self._contents.get(text)
        if contents is None or not self._coverage.covers(contents):
            return False
        self._left.add(text)
        return True


def read_regular(path: Path) -> bytes | None:
    """A regular file's content; None when it has gone, or is nothing the agent writes."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(MAX_MESSAGE_BYTES + 1)
    finally:
        os.close(descriptor)
