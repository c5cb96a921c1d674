"""The files of the spool: what is missing there is sealed, what is small is joined, what has landed goes.

Runs in the store's thread, for `edge.agent.sealing`, which knows sessions, keys and when something is due.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from edge.agent.hurry import hurried, hurry
from edge.agent.leftovers import Leftovers
from edge.agent.portions import WITH_BYTES, Portions, Sizes
from edge.agent.spooled import STREAMS, last_of, of_stream, span_of
from edge.agent.states import Span, cut, runs, uncovered
from edge.audit.chain import Entry
from edge.ports.sealing import BatchTooLarge, SealedFile, Sealer
from edge.records.fields import Stream
from edge.spool import Outbox, SpoolName
from edge.store.store import Store

MERGE_FROM_FILES: Final = 64
"""So many small files of one stream are merged: each costs an envelope on the link."""
_BATCHES_A_STEP: Final = 8
"""How much is sealed before somebody else gets the store's thread: about a tenth of a second."""


class Filling:
    """Keeps the spool filled with what has not landed, as far as there is a session to seal with.

    Args:
        batch: how many entries a merged batch aims at.
        sizes: how much of what has bytes beside it.

    Attributes:
        sealer: of the present session; None while nothing can be sealed.
        published: how many files got their names since small ones were joined last.
        portions: how entries are cut into messages, and for how much there is room.
        leftovers: what lies there of earlier epochs.
    """

    def __init__(self, store: Store, outbox: Outbox, batch: int, sizes: Sizes | None) -> None:
        self.sealer: Sealer | None = None
        self.published = MERGE_FROM_FILES
        self.portions = Portions(outbox, sizes or Sizes())
        self.leftovers = Leftovers(store, outbox)
        self._store = store
        self._outbox = outbox
        self._batch = batch
        self._wanted: dict[SpoolName, int] = {}
        self._again: deque[tuple[Stream, Span]] = deque()

    def forget(self) -> None:
        """Nothing that was asked for again is asked for any more: another epoch has begun."""
        self._wanted.clear()
        self._again.clear()

    def forget_files(self) -> None:
        """What was sealed again is not there any more."""
        self._wanted.clear()

    def own(self) -> list[SpoolName]:
        """The files of the present epoch; what is of another, or not ours, is not counted on."""
        return self.leftovers.without(self._outbox.list())

    def missing(self, stream: Stream, names: Sequence[SpoolName] | None = None) -> list[Span]:
        """Ranges of a stream that have not landed and lie in none of its files, or in none of these."""
        mark = self._store.watermark(stream)
        if mark.stopped is not None:
            return []
        files = of_stream(stream, self.own() if names is None else names)
        return uncovered(mark.landed, mark.tip, map(span_of, files))

    def fill(self, streams: Iterable[Stream]) -> bool:
        """Seal ranges that are missing in the spool, some at a time; whether some are left.

        Of what has bytes beside it only so much lies ready; the rest follows as receipts come.
        """
        for former, name in hurry(self._outbox, self._store, self.own()).items():
            if former in self._wanted:
                self._wanted[name] = self._wanted.pop(former)
        names = self.own()
        self.portions.count(names)
        pieces = [
            (stream, piece)
            for stream in streams
            for span in self.missing(stream, names)
            for piece in cut(span, self.portions.entries if stream in WITH_BYTES else self._batch)
        ]
        sealed = 0
        for stream, piece in pieces:
            if not self.portions.has_room(stream):
                continue
            if sealed >= _BATCHES_A_STEP:
                return True
            sealed += bool(self._seal_span(stream, piece))
        return False

    def seal_again(self, stream: Stream, span: Span) -> None:
        """Seal a range that has landed already; its files stay until it is opened.

        Raises:
            SpoolFailed, OSError: not all of it is in the spool.
        """
        if stream in WITH_BYTES:  # may be much: by and by, as there is room for it
            self._again.extend((stream, piece) for piece in cut(span, self.portions.entries))
            return
        for piece in cut(span, self._batch):
            for name in self._seal_span(stream, piece):
                self._wanted[name] = last_of(name)

    def fill_again(self) -> bool:
        """Seal some of what was asked for again and has bytes beside it; whether more of it can be now."""
        for _ in range(_BATCHES_A_STEP):
            if not self._again or not self.portions.has_room(self._again[0][0]):
                return False
            stream, piece = self._again[0]
            for name in self._seal_span(stream, piece):
                self._wanted[name] = last_of(name)
            self._again.popleft()
        return bool(self._again)

    def merge(self) -> bool:
        """Join the small files of every stream that has many; whether anything was joined."""
        if self.published < MERGE_FROM_FILES:
            return False
        self.published = 0
        names = self.own()
        joined = False
        for stream in Stream:
            small = [
                name
                for name in of_stream(stream, names)
                if name.n < self._batch and name not in self._wanted and self.portions.is_small(stream, name)
            ]
            if len(small) < MERGE_FROM_FILES or self._store.watermark(stream).stopped is not None:
                continue
            for span in runs([span_of(name) for name in small]):
                for piece in cut(span, self._batch):
                    self._seal_span(stream, piece)
            self._outbox.remove(*small)
            joined = True
        return joined

    def _seal_span(self, stream: Stream, span: Span) -> list[SpoolName]:
        """Seal one range from the store; halved until it fits into a message.

        What was purged or erased is left out: only a centre that has lost what it had opened asks for it.
        """
        assert self.sealer is not None  # noqa: S101  callers have looked
        entries = self._store.entries(stream, *span)
        if any(entry.payload is None for entry in entries):
            kept = [(entry.seq, entry.seq) for entry in entries if entry.payload is not None]
            return [name for run in runs(kept) for name in self._seal_span(stream, run)]
        portions = self.portions.cut(entries)
        if len(portions) > 1:
            return [
                name for each in portions for name in self._seal_span(stream, (each[0].seq, each[-1].seq))
            ]
        try:
            file = self.seal(entries)
        except BatchTooLarge:
            if len(entries) < 2:
                raise
            middle = (span[0] + span[1]) // 2
            return [
                *self._seal_span(stream, (span[0], middle)),
                *self._seal_span(stream, (middle + 1, span[1])),
            ]
        prepared = self._outbox.prepare(file)
        self._outbox.publish(prepared)
        self.portions.spooled(stream, prepared)
        return [prepared.name]

    def seal(self, entries: Sequence[Entry]) -> SealedFile:
        """Entries of one stream as a file, with what is beside them.

        Raises:
            BatchTooLarge: they are more than one message holds.
        """
        assert self.sealer is not None  # noqa: S101  callers have looked
        file = self.sealer.seal(entries, self._store.tips(), self._store.beside(entries))
        return hurried(file, self._store)

    def clean(self) -> None:
        """Remove what receipts cover.

        Raises:
            OSError: something of it stays for now.
        """
        marks = self._store.watermarks()
        for name in self.own():
            stream = STREAMS.get(name.word)
            if stream is None or marks[stream].stopped is not None:
                continue
            mark = marks[stream]
            if last_of(name) <= (mark.opened if name in self._wanted else mark.landed):
                self._outbox.remove(name)
                self._wanted.pop(name, None)
