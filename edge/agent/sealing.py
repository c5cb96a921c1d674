"""From committed entries to sealed files in the spool. Runs in the store's thread.

The spool is a cache of the store: whatever range is missing there, for whatever reason, is sealed again.
So nothing here has to be remembered across a restart, and a spool that takes no file never keeps a
reading from being saved.
"""

import contextlib
import logging
from collections.abc import Iterable, Sequence
from typing import Final

from edge.agent.filling import Filling
from edge.agent.parts import MakeSealer
from edge.agent.portions import Sizes
from edge.agent.refusals import NothingSeals
from edge.agent.spooled import last_of, of_stream
from edge.agent.states import Span
from edge.audit.chain import Entry
from edge.errors import QafilaError
from edge.ports.sealing import BatchTooLarge, Receipt, SealedFile
from edge.records.fields import Stream
from edge.spool import Outbox, Prepared, SpoolName
from edge.spool.files import SpoolFailed
from edge.store.store import Store

KEY_WORD: Final = "key"
AUDIT_BATCH: Final = 200
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
        self._filling = Filling(store, outbox, batch, sizes)
        self._session_s = session_s
        self._audit_s = audit_s
        self._make: MakeSealer | None = None
        self._session_began_s = 0.0
        self._audit_sealed_s: float | None = None
        self._audit_through = 0
        self._key_file: SealedFile | None = None
        self._current_key: SpoolName | None = None
        self._older_keys: dict[SpoolName, tuple[int, ...]] = {}
        self._resealed: set[tuple[Stream, Span, bytes]] = set()
        self._needed: set[bytes] = set()
        self._incomplete = True
        self.problem: str | None = None

    @property
    def session(self) -> bytes | None:
        """The id of the session that seals now."""
        return None if self._filling.sealer is None else self._filling.sealer.session

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
        return self._filling.leftovers.look(names, recognise)

    def leave_epoch(self, make: MakeSealer | None) -> None:
        """The store has begun another epoch: what lies in the spool is of an earlier one."""
        self.start(make)
        self._make = make
        self._filling.sealer = self._key_file = self._current_key = None
        self._older_keys.clear()
        self._filling.forget()
        self._resealed.clear()
        self._needed.clear()
        self._incomplete = True

    def seal_gaps(self, make: MakeSealer, now_s: float) -> None:
        """Seal what the spool lacks of this epoch, before it is left.

        Files that are ahead of the store are opened only after all that comes before them.
        """
        try:
            if any(self._filling.missing(stream) for stream in Stream):
                self._make = make
                self._begin_session(now_s)
                while self._filling.fill(Stream):
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
        return bool(self._filling.leftovers.without([name]))

    def clean_earlier(self, receipt: Receipt) -> None:
        """Remove what an opened receipt of an earlier epoch covers."""
        try:
            self._filling.leftovers.clean(receipt)
        except OSError as error:
            self._later(error)

    def enrol(self, make: MakeSealer, now_s: float) -> None:
        """Start sealing, under a fresh session, to what is pinned now.

        A piece of what is missing is sealed at once, the first entries of every stream before all else: a
        commit is in the spool before upkeep comes by, and whoever copies the spool in between would carry
        away what nobody can open without them. Audit waits, for whoever signs in is to be in it.
        """
        self._make = make
        self._filling.sealer = None  # nothing more goes to keys that are pinned no longer
        try:
            self._begin_session(now_s)
            self._filling.fill(stream for stream in Stream if stream is not Stream.AUDIT)
        except (QafilaError, OSError) as error:
            self._later(error)

    # ── at each commit ───────────────────────────────────────────────────────────────────────────

    def prepare(self, entries: Sequence[Entry]) -> list[Prepared]:
        """Seal what a transaction is about to commit into files that do not have their names yet.

        A spool that takes no file does not stop the commit: the range is sealed later. Audit entries
        wait for their hour.
        """
        if self._filling.sealer is None or self._key_file is not None:
            self._incomplete = True  # not enrolled, or its key message goes first: sealed by upkeep
            return []
        prepared: list[Prepared] = []
        try:
            for stream in (s for s in Stream if s is not Stream.AUDIT):
                mine = [entry for entry in entries if entry.stream is stream]
                if not mine or self._store.watermark(stream).stopped is not None:
                    continue
                if not self._filling.portions.has_room(stream):
                    self._incomplete = True
                    continue
                for count, portion in enumerate(self._filling.portions.cut(mine)):
                    if count >= _PORTIONS_A_COMMIT:
                        self._incomplete = True  # a whole file would keep the commit waiting
                        break
                    prepared.append(self._outbox.prepare(self._filling.seal(portion)))
                    self._filling.portions.spooled(stream, prepared[-1])
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
            self._filling.published += len(prepared)
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
            if self._filling.sealer is None or now_s - self._session_began_s >= self._session_s:
                self._begin_session(now_s)
            self._publish_key()
            more = self._fill_due(now_s, all_audit=all_audit)
            more = more or self._filling.fill_again() or self._filling.merge()
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
            self._filling.clean()
            self._incomplete = True  # a restored centre may have taken a mark back: look again
        except OSError as error:
            self._later(error)

    def seal_again(self, ranges: Iterable[tuple[Stream, Span]]) -> None:
        """Seal ranges that the centre could not open, once for each session and range."""
        if self._filling.sealer is None:
            return
        for stream, span in ranges:
            asked = (stream, span, self._filling.sealer.session)
            if asked in self._resealed or self._store.watermark(stream).stopped is not None:
                continue
            try:
                self._filling.seal_again(stream, span)
                self._resealed.add(asked)
            except _SPOOL_ERRORS as error:
                self._later(error)

    def seal_anew(self) -> None:
        """Take back what has not landed, so that all of it is sealed to the keys that are pinned now."""
        try:
            self._outbox.remove(*[name for name in self._filling.own() if name.word != KEY_WORD])
        except OSError as error:
            self._later(error)
        self._filling.forget_files()
        self._resealed.clear()
        self._incomplete = True
        self._audit_sealed_s = None

    def try_again(self, ranges: Sequence[tuple[Stream, Span]]) -> None:
        """Seal ranges that the centre could not open once more, because somebody asks for it.

        Raises:
            NothingSeals: the unit is not enrolled, or its centre names no key to seal to.
        """
        if self._filling.sealer is None:
            raise NothingSeals
        self._resealed.difference_update([each for each in self._resealed if each[:2] in set(ranges)])
        self.seal_again(ranges)

    def session_needed(self, sessions: Iterable[bytes]) -> None:
        """The centre lacks key messages: ours is sent again, older ones cannot be, so their batches are."""
        if self._filling.sealer is None:
            return
        for session in sessions:
            if session == self._filling.sealer.session:
                if self._current_key is None:
                    self._key_file = self._filling.sealer.key_message(self._store.tips())
            elif session not in self._needed:
                self._needed.add(session)
                self.seal_again(
                    (stream, (mark.opened + 1, mark.tip))
                    for stream, mark in self._store.watermarks().items()
                    if mark.opened < mark.tip
                )

    # ── inside ───────────────────────────────────────────────────────────────────────────────────

    def _begin_session(self, now_s: float) -> None:
        assert self._make is not None  # noqa: S101  callers have looked
        tips = self._store.tips()
        for name in self._filling.own():
            if name.word == KEY_WORD:
                self._older_keys.setdefault(name, tips.seqs)
        sealer = self._make(self._store.epoch, self._store.identity().sign_private)
        self._key_file = sealer.key_message(tips)
        self._filling.sealer = sealer
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
        if (
            self._filling.sealer is not None
            and self._current_key is not None
            and self._filling.sealer.session in set(holds)
        ):
            self._outbox.remove(self._current_key)
            self._current_key = None

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
        if self._filling.fill([s for s in Stream if audit_due or s is not Stream.AUDIT]):
            return True
        self._incomplete = False
        if audit_due:
            self._audit_sealed_s, self._audit_through = now_s, audit_tip
        return False

    def _later(self, error: Exception) -> None:
        """Note that something is not in the spool; the next upkeep tries again."""
        self._incomplete = True
        code = error.stable_code if isinstance(error, QafilaError) else "spool-failed"
        if self.problem is None:
            _LOG.warning("not sealed for now", extra={"code": code})
        self.problem = code
