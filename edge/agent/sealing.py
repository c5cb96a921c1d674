"""From committed entries to sealed files in the spool. Runs in the store's thread.

The spool is a cache of the store: whatever range is missing there, for whatever reason, is sealed again.
So nothing here has to be remembered across a restart, and a spool that takes no file never keeps a
reading from being saved.
"""

import contextlib
import logging
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from edge.agent.hurry import hurried, hurry
from edge.agent.leftovers import Leftovers
from edge.agent.parts import MakeSealer
from edge.agent.portions import WITH_BYTES, Portions, Sizes
from edge.agent.refusals import NothingSeals
from edge.agent.spooled import STREAMS, last_of, of_stream, span_of
from edge.agent.states import Span, cut, runs, uncovered
from edge.audit.chain import Entry
from edge.errors import QafilaError
from edge.ports.sealing import BatchTooLarge, Receipt, SealedFile, Sealer
from edge.records.fields import Stream
from edge.spool import Outbox, Prepared, SpoolName
from edge.spool.files import SpoolFailed
from edge.store.store import Store

KEY_WORD: Final = "key"
MERGE_FROM_FILES: Final = 64
"""So many small files of one stream are merged: each costs an envelope on the link."""
AUDIT_BATCH: Final = 200
_BATCHES_A_STEP: Final = 8
"""How much is sealed before somebody else gets the store's thread: about a tenth of a second."""
_PORTIONS_A_COMMIT: Final = 2
"""So many messages of a stream are sealed while a commit waits; what is more follows at the next upkeep."""
_SPOOL_ERRORS: Final = (SpoolFailed, OSError)
_LOG: Final = logging.getLogger(__name__)


class Sealing:
    """Keeps the spool holding what has not landed, sealed.

    Args:
        batch: how many entries a merged batch aims at.
        sizes: how much of what has bytes beside it.
    """

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        *,
        batch: int,
        session_s: float,
        audit_s: float,
        sizes: Sizes | None = None,
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._batch = batch
        self._session_s = session_s
        self._audit_s = audit_s
        self._make: MakeSealer | None = None
        self._sealer: Sealer | None = None
        self._session_began_s = 0.0
        self._audit_sealed_s: float | None = None
        self._audit_through = 0
        self._key_file: SealedFile | None = None
        self._current_key: SpoolName | None = None
        self._older_keys: dict[SpoolName, tuple[int, ...]] = {}
        self._wanted: dict[SpoolName, int] = {}
        self._resealed: set[tuple[Stream, Span, bytes]] = set()
        self._needed: set[bytes] = set()
        self._again: deque[tuple[Stream, Span]] = deque()
        self._incomplete = True
        self._published = MERGE_FROM_FILES
        self._leftovers = Leftovers(store, outbox)
        self._portions = Portions(outbox, sizes or Sizes())
        self.problem: str | None = None

    @property
    def session(self) -> bytes | None:
        """The id of the session that seals now."""
        return None if self._sealer is None else self._sealer.session

    def start(self, make: MakeSealer | None) -> bool:
        """Sweep what an interrupted commit has left, and look at what is there.

        Whether the spool holds what this store never had: a file gets its name after its entries are
        committed, so such a store is an old copy. ``make`` recognises what this unit has sealed.
        """
        try:
            self._outbox.sweep_temporaries()
            names = self._outbox.list()
        except OSError as error:
            self._later(error)
            return False
        if make is None:
            tips = self._store.tips().seqs
            return any(last_of(n) > tips[stream] for stream in Stream for n in of_stream(stream, names))
        recognise = make(self._store.epoch, self._store.identity().sign_private).recognise
        return self._leftovers.look(names, recognise)

    def leave_epoch(self, make: MakeSealer | None) -> None:
        """The store has begun another epoch: what lies in the spool is of an earlier one."""
        self.start(make)
        self._make = make
        self._sealer = self._key_file = self._current_key = None
        self._older_keys.clear()
        self._wanted.clear()
        self._resealed.clear()
        self._needed.clear()
        self._again.clear()
        self._incomplete = True

    def seal_gaps(self, make: MakeSealer, now_s: float) -> None:
        """Seal what the spool lacks of this epoch, before it is left.

        Files that are ahead of the store are opened only after all that comes before them.
        """
        try:
            if any(self._missing(stream) for stream in Stream):
                self._make = make
                self._begin_session(now_s)
                while self._fill(Stream):
                    pass
        except (QafilaError, OSError) as error:
            self._later(error)

    def look_again(self) -> None:
        """Something was appended that is not sealed."""
        self._incomplete = True

    def seal_audit_soon(self) -> None:
        """Something in the audit stream is news to the centre; it does not wait for its hour."""
        self._audit_sealed_s = None

    def is_of_this_epoch(self, name: SpoolName) -> bool:
        """Whether a file of the spool holds entries of the present epoch."""
        return bool(self._leftovers.without([name]))

    def clean_earlier(self, receipt: Receipt) -> None:
        """Remove what an opened receipt of an earlier epoch covers."""
        try:
            self._leftovers.clean(receipt)
        except OSError as error:
            self._later(error)

    def enrol(self, make: MakeSealer, now_s: float) -> None:
        """Start sealing, under a fresh session, to what is pinned now.

        A piece of what is missing is sealed at once, the first entries of every stream before all else: a
        commit is in the spool before upkeep comes by, and whoever copies the spool in between would carry
        away what nobody can open without them. Audit waits, for whoever signs in is to be in it.
        """
        self._make = make
        self._sealer = None  # nothing more goes to keys that are pinned no longer
        try:
            self._begin_session(now_s)
            self._fill(stream for stream in Stream if stream is not Stream.AUDIT)
        except (QafilaError, OSError) as error:
            self._later(error)

    # ── at each commit ───────────────────────────────────────────────────────────────────────────

    def prepare(self, entries: Sequence[Entry]) -> list[Prepared]:
        """Seal what a transaction is about to commit into files that do not have their names yet.

        A spool that takes no file does not stop the commit: the range is sealed later. Audit entries
        wait for their hour.
        """
        if self._sealer is None or self._key_file is not None:
            self._incomplete = True  # not enrolled, or its key message goes first: sealed by upkeep
            return []
        prepared: list[Prepared] = []
        try:
            for stream in (s for s in Stream if s is not Stream.AUDIT):
                mine = [entry for entry in entries if entry.stream is stream]
                if not mine or self._store.watermark(stream).stopped is not None:
                    continue
                if not self._portions.has_room(stream):
                    self._incomplete = True
                    continue
                for count, portion in enumerate(self._portions.cut(mine)):
                    if count >= _PORTIONS_A_COMMIT:
                        self._incomplete = True  # a whole file would keep the commit waiting
                        break
                    prepared.append(self._outbox.prepare(self._seal(portion)))
                    self._portions.spooled(stream, prepared[-1])
                self._incomplete |= stream is Stream.DOC  # what lies there already may have become urgent
        except (*_SPOOL_ERRORS, BatchTooLarge) as error:
            self.discard(prepared)
            self._later(error)
            return []
        except BaseException:
            self.discard(prepared)
            raise
        return prepared

    def publish(self, prepared: Sequence[Prepared]) -> None:
        """Give files their names, once their entries are committed."""
        try:
            self._outbox.publish(*prepared)
            self._published += len(prepared)
        except _SPOOL_ERRORS as error:
            self._later(error)

    def discard(self, prepared: Sequence[Prepared]) -> None:
        """Take files back whose entries were not committed; what stays is swept at the next unlock."""
        with contextlib.suppress(OSError):
            self._outbox.discard(*prepared)

    # ── in between ───────────────────────────────────────────────────────────────────────────────

    def upkeep(self, now_s: float, *, all_audit: bool = False) -> bool:
        """Seal what is missing in the spool, merge what is small; whether there is more to do.

        Does a bounded piece of work, so that commits are not kept waiting.
        """
        if self._make is None:
            return False
        try:
            if self._sealer is None or now_s - self._session_began_s >= self._session_s:
                self._begin_session(now_s)
            self._publish_key()
            more = self._fill_due(now_s, all_audit=all_audit) or self._fill_again() or self._merge()
        except (QafilaError, OSError) as error:
            self._later(error)
            return False
        if self.problem is not None and not more:
            _LOG.info("sealing again", extra={"code": self.problem})
            self.problem = None
        return more

    # ── what receipts say ────────────────────────────────────────────────────────────────────────

    def clean(self, holds: Iterable[bytes] = ()) -> None:
        """Remove what receipts cover. A landed watermark was moved only where the heads are equal."""
        try:
            self._clean_keys(holds)
            self._clean_batches()
        except OSError as error:
            self._later(error)

    def seal_again(self, ranges: Iterable[tuple[Stream, Span]]) -> None:
        """Seal ranges that the centre could not open, once for each session and range."""
        if self._sealer is None:
            return
        for stream, span in ranges:
            asked = (stream, span, self._sealer.session)
            if asked in self._resealed or self._store.watermark(stream).stopped is not None:
                continue
            if stream in WITH_BYTES:  # may be much: by and by, as there is room for it
                self._again.extend((stream, piece) for piece in cut(span, self._portions.entries))
                self._resealed.add(asked)
                continue
            try:
                for piece in cut(span, self._batch):
                    for name in self._seal_span(stream, piece):
                        self._wanted[name] = last_of(name)
                self._resealed.add(asked)
            except _SPOOL_ERRORS as error:
                self._later(error)

    def seal_anew(self) -> None:
        """Take back what has not landed, so that all of it is sealed to the keys that are pinned now."""
        try:
            self._outbox.remove(*[name for name in self._own() if name.word != KEY_WORD])
        except OSError as error:
            self._later(error)
        self._wanted.clear()
        self._resealed.clear()
        self._incomplete = True
        self._audit_sealed_s = None

    def try_again(self, ranges: Sequence[tuple[Stream, Span]]) -> None:
        """Seal ranges that the centre could not open once more, because somebody asks for it.

        Raises:
            NothingSeals: the unit is not enrolled, or its centre names no key to seal to.
        """
        if self._sealer is None:
            raise NothingSeals
        self._resealed.difference_update([each for each in self._resealed if each[:2] in set(ranges)])
        self.seal_again(ranges)

    def session_needed(self, sessions: Iterable[bytes]) -> None:
        """The centre lacks key messages: ours is sent again, older ones cannot be, so their batches are."""
        if self._sealer is None:
            return
        for session in sessions:
            if session == self._sealer.session:
                if self._current_key is None:
                    self._key_file = self._sealer.key_message(self._store.tips())
            elif session not in self._needed:
                self._needed.add(session)
                self.seal_again(
                    (stream, (mark.opened + 1, mark.tip))
                    for stream, mark in self._store.watermarks().items()
                    if mark.opened < mark.tip
                )

    # ── inside ───────────────────────────────────────────────────────────────────────────────────

    def _own(self) -> list[SpoolName]:
        """The files of the present epoch; what is of another, or not ours, is not counted on."""
        return self._leftovers.without(self._outbox.list())

    def _begin_session(self, now_s: float) -> None:
        assert self._make is not None  # noqa: S101  callers have looked
        tips = self._store.tips()
        for name in self._own():
            if name.word == KEY_WORD:
                self._older_keys.setdefault(name, tips.seqs)
        sealer = self._make(self._store.epoch, self._store.identity().sign_private)
        self._key_file = sealer.key_message(tips)
        self._sealer = sealer
        self._current_key = None
        self._session_began_s = now_s
        self._incomplete = True
        self._publish_key()

    def _publish_key(self) -> None:
        """Spool the key message, unless it is there or has landed."""
        if self._key_file is None:
            return
        prepared = self._outbox.prepare(self._key_file)
        self._outbox.publish(prepared)
        self._current_key = prepared.name
        self._key_file = None

    def _clean_keys(self, holds: Iterable[bytes]) -> None:
        """Ours goes once the centre holds it, an older one once what was sealed before ours has landed."""
        marks = self._store.watermarks()
        for key, tips in list(self._older_keys.items()):
            if all(marks[stream].landed >= tips[stream] for stream in Stream):
                self._outbox.remove(key)
                del self._older_keys[key]
        if self._sealer is not None and self._current_key is not None and self._sealer.session in set(holds):
            self._outbox.remove(self._current_key)
            self._current_key = None

    def _clean_batches(self) -> None:
        marks = self._store.watermarks()
        for name in self._own():
            stream = STREAMS.get(name.word)
            if stream is None or marks[stream].stopped is not None:
                continue
            mark = marks[stream]
            if last_of(name) <= (mark.opened if name in self._wanted else mark.landed):
                self._outbox.remove(name)
                self._wanted.pop(name, None)
        self._incomplete = True  # a restored centre may have taken a mark back: look again

    def _fill_due(self, now_s: float, *, all_audit: bool) -> bool:
        """Seal what is missing and due; whether some of it is left."""
        audit_tip = self._store.tips().seqs[Stream.AUDIT]
        audit_due = (
            all_audit
            or self._audit_sealed_s is None
            or now_s - self._audit_sealed_s >= self._audit_s
            or audit_tip - self._audit_through >= AUDIT_BATCH
        )
        if not self._incomplete and not audit_due:
            return False
        if self._fill([s for s in Stream if audit_due or s is not Stream.AUDIT]):
            return True
        self._incomplete = False
        if audit_due:
            self._audit_sealed_s, self._audit_through = now_s, audit_tip
        return False

    def _missing(self, stream: Stream, names: Sequence[SpoolName] | None = None) -> list[Span]:
        mark = self._store.watermark(stream)
        if mark.stopped is not None:
            return []
        files = of_stream(stream, self._own() if names is None else names)
        return uncovered(mark.landed, mark.tip, map(span_of, files))

    def _fill(self, streams: Iterable[Stream]) -> bool:
        """Seal ranges that are missing in the spool, some at a time; whether some are left.

        Of what has bytes beside it only so much lies ready; the rest follows as receipts come.
        """
        for former, name in hurry(self._outbox, self._store, self._own()).items():
            if former in self._wanted:
                self._wanted[name] = self._wanted.pop(former)
        names = self._own()
        self._portions.count(names)
        pieces = [
            (stream, piece)
            for stream in streams
            for span in self._missing(stream, names)
            for piece in cut(span, self._portions.entries if stream in WITH_BYTES else self._batch)
        ]
        sealed = 0
        for stream, piece in pieces:
            if not self._portions.has_room(stream):
                continue
            if sealed >= _BATCHES_A_STEP:
                return True
            sealed += bool(self._seal_span(stream, piece))
        return False

    def _fill_again(self) -> bool:
        """Seal some of what was asked for again and has bytes beside it; whether more of it can be now."""
        for _ in range(_BATCHES_A_STEP):
            if not self._again or not self._portions.has_room(self._again[0][0]):
                return False
            stream, piece = self._again[0]
            for name in self._seal_span(stream, piece):
                self._wanted[name] = last_of(name)
            self._again.popleft()
        return bool(self._again)

    def _merge(self) -> bool:
        """Join small files of a stream that has many; whether anything was joined."""
        if self._published < MERGE_FROM_FILES:
            return False
        self._published = 0
        names = self._own()
        for stream in Stream:
            small = [
                name
                for name in of_stream(stream, names)
                if name.n < self._batch and name not in self._wanted and self._portions.is_small(stream, name)
            ]
            if len(small) < MERGE_FROM_FILES or self._store.watermark(stream).stopped is not None:
                continue
            for span in runs([span_of(name) for name in small]):
                for piece in cut(span, self._batch):
                    self._seal_span(stream, piece)
            self._outbox.remove(*small)
            return True
        return False

    def _seal_span(self, stream: Stream, span: Span) -> list[SpoolName]:
        """Seal one range from the store; halved until it fits into a message.

        What was purged or erased is left out: only a centre that has lost what it had opened asks for it.
        """
        assert self._sealer is not None  # noqa: S101  callers have looked
        entries = self._store.entries(stream, *span)
        if any(entry.payload is None for entry in entries):
            kept = [(entry.seq, entry.seq) for entry in entries if entry.payload is not None]
            return [name for run in runs(kept) for name in self._seal_span(stream, run)]
        portions = self._portions.cut(entries)
        if len(portions) > 1:
            return [
                name for each in portions for name in self._seal_span(stream, (each[0].seq, each[-1].seq))
            ]
        try:
            file = self._seal(entries)
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
        self._portions.spooled(stream, prepared)
        return [prepared.name]

    def _seal(self, entries: Sequence[Entry]) -> SealedFile:
        assert self._sealer is not None  # noqa: S101  callers have looked
        file = self._sealer.seal(entries, self._store.tips(), self._store.beside(entries))
        return hurried(file, self._store)

    def _later(self, error: Exception) -> None:
        """Note that something is not in the spool; the next upkeep tries again."""
        self._incomplete = True
        code = error.stable_code if isinstance(error, QafilaError) else "spool-failed"
        if self.problem is None:
            _LOG.warning("not sealed for now", extra={"code": code})
        self.problem = code
