"""What is kept of waves, and how it becomes saved.

The policy, decided here and nowhere else:

* **Kept** is every wave of a device, ECG and pleth alike, while a visit is open and its sensor is on and
  was put on under this very visit, or its numbers were taken for it by hand. That is the rule of numbers
  (`edge.agent.capture`): a strap that stays on while the visit changes is still the former patient's.
* **Not kept**, only shown, are waves without such a visit, and while the store is locked. There is no tray
  for waves: minutes of a heart that may be anyone's are of no use to anybody.
* **Not kept** either is a chunk in which every lead is off from end to end; a gap stands for it.
* A recording ends when the visit is closed, the device goes away, the store is locked, or leads, scale or
  rate change; what comes then is another one. A sensor taken off and put on again leaves a gap.

A wave is *being recorded* until its chunk is committed and *saved* from then on; nobody is told *saved*
before. A crash takes at most the open chunk of each recording and those that wait for the store: ten
seconds, unless the store takes nothing. Then chunks wait, six at most, the oldest falls out, screens are
told, and a gap stands for it. Recordings that a crash interrupted are ended as such at the next unlock.

A saved chunk is sealed with its samples (`edge.agent.sealing`): its entry is *received* when they are.
"""

import asyncio
import contextlib
import dataclasses
import logging
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from typing import Final

from edge.agent import wave_entries
from edge.agent.audience import Audience
from edge.agent.ledger import Ledger
from edge.agent.refusals import SimulatedRefused, StoreLocked
from edge.agent.visit import Visit
from edge.clock import Clock
from edge.ports.caller import Json
from edge.records.fields import Kind, Payload, Source, Stream
from edge.signals import wavecodec
from edge.signals.preview import Preview
from edge.signals.recording import Chunk, Gap, Recording, fits
from edge.store.errors import StoreError, StoreRefused
from edge.store.store import Store
from edge.store.transaction import Transaction
from edge.store.waveforms import INTERRUPTED, WHOLE
from edge.vitals.codes import Code
from edge.vitals.reading import Wave

WAITING_AT_MOST: Final = 6
"""Chunks of one recording that wait for the store: a minute."""
OVER_AT_MOST: Final = 16
"""Recordings that are over and wait for the store; a device that comes and goes makes no more of them."""
LOOK_EVERY_S: Final = 1.0
"""How often chunks are looked for that are old and hardly fill, and how long after a failure to try again."""
_LOG: Final = logging.getLogger(__name__)


@dataclasses.dataclass(slots=True)
class _Waiting:
    """A chunk on its way into the store; ``saved`` is set by the store's thread."""

    chunk: Chunk
    first_ms: int
    data: bytes = b""
    saved: bool = False
    told: bool = False


@dataclasses.dataclass(slots=True)
class _Take:
    """One recording and whose it is; ``chunks`` and ``ended`` are set by the store's thread."""

    waveform: bytes
    device: str
    source: Source
    visit: Visit
    recording: Recording
    waiting: deque[_Waiting] = dataclasses.field(default_factory=deque[_Waiting])
    over: bool = False
    chunks: int = 0
    ended: bool = False
    refused: bool = False
    preview: Preview | None = None


class Recorder:
    """Takes the waves that are to be kept, and commits them chunk by chunk."""

    def __init__(self, ledger: Ledger, audience: Audience, clock: Clock, *, production: bool) -> None:
        self._ledger = ledger
        self._audience = audience
        self._clock = clock
        self._production = production
        self._open: dict[tuple[str, Code], _Take] = {}
        self._over: deque[_Take] = deque()
        self._ending: bytes | None = None
        self._news = asyncio.Event()
        self._writing = asyncio.Lock()
        self._failing = False
        self._too_wide: set[str] = set()

    @property
    def recording(self) -> tuple[str, ...]:
        """The devices of which waves are being recorded now."""
        return tuple(sorted({device for device, _ in self._open}))

    # ── what comes ──────────────────────────────────────────────────────────────────────────────

    def hear(self, device: str, wave: Wave, visit: Visit | None, *, simulated: bool) -> None:
        """Take a stretch of wave that belongs to ``visit``, or to nobody."""
        key, at_s = (device, wave.code), self._clock.monotonic_s()
        take = self._open.get(key)
        if visit is None or visit.encounter == self._ending:
            if take is not None:
                take.recording.pause()
            return
        if not fits(wave.samples):
            self._leave_out(take, device)
            return
        if take is not None and (take.visit != visit or not take.recording.takes(wave)):
            self._end(key)
            take = None
        if take is None:
            source = Source.SIMULATED if simulated else Source.DEVICE
            take = _Take(self._ledger.new_id().bytes, device, source, visit, Recording(wave))
            self._open[key] = take
        take.recording.add(wave, at_s)
        self._cut(take, at_s)

    def gone(self, device: str) -> None:
        """A device went away: its recordings are over."""
        self._too_wide.discard(device)
        for key in [key for key in self._open if key[0] == device]:
            self._end(key)

    @contextlib.asynccontextmanager
    async def ending(self, encounter: bytes) -> AsyncGenerator[None]:
        """Save what there is of a visit; what comes of it inside the ``with`` is kept no more."""
        self._ending = encounter
        try:
            await self.finish(encounter)
            yield
        finally:
            self._ending = None

    async def finish(self, encounter: bytes | None = None) -> None:
        """End the recordings of a visit, or all, and save what can be saved now."""
        for key, take in list(self._open.items()):
            if encounter in {None, take.visit.encounter}:
                self._end(key)
        await self._write()

    def forget(self) -> None:
        """The store is closed: what could not be saved is lost, and was never called saved."""
        self._open.clear()
        self._over.clear()

    # ── on its way ──────────────────────────────────────────────────────────────────────────────

    async def run(self) -> None:
        """Save chunks as they get full, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._news.wait()
            self._news.clear()
            now_s = self._clock.monotonic_s()
            for take in self._open.values():
                self._cut(take, now_s)
            await self._write()

    def _cut(self, take: _Take, now_s: float) -> None:
        while take.recording.full(now_s) and (chunk := take.recording.cut()) is not None:
            self._queue(take, chunk, now_s)

    def _end(self, key: tuple[str, Code]) -> None:
        take = self._open.pop(key)
        now_s = self._clock.monotonic_s()
        while (chunk := take.recording.cut()) is not None:
            self._queue(take, chunk, now_s)
        take.over = True
        self._over.append(take)
        if len(self._over) > OVER_AT_MOST:
            self._over.popleft()
        self._news.set()

    def _queue(self, take: _Take, chunk: Chunk, now_s: float) -> None:
        if chunk.says_nothing:
            take.recording.lost(chunk)
            return
        # Entries count from the boot, as the clock that stamps them does; waits are measured by another.
        first_ms = self._ledger.now().monotonic_ms - round((now_s - chunk.first_s) * 1000)
        take.waiting.append(_Waiting(chunk, first_ms))
        if len(take.waiting) > WAITING_AT_MOST:
            dropped, after = take.waiting[1], take.waiting[2]  # the first may be half in the store
            del take.waiting[1]
            after.chunk = _after_loss(after.chunk, dropped.chunk, take.recording)
        self._news.set()

    async def _write(self) -> None:
        """Save what waits, oldest recording first, up to the first that the store does not take."""
        async with self._writing:
            for take in [*self._over, *self._open.values()]:
                if not await self._write_take(take):
                    return
            for take in [take for take in self._over if not take.waiting]:
                self._over.remove(take)
            for key in [key for key, take in self._open.items() if take.refused]:
                del self._open[key]

    async def _write_take(self, take: _Take) -> bool:
        """Save what waits of one recording; whether the store goes on taking."""
        try:
            while not take.refused and (take.waiting or (take.over and take.chunks and not take.ended)):
                await self._commit(take, take.waiting[0] if take.waiting else None)
                while take.waiting and take.waiting[0].saved:
                    take.waiting.popleft()
        except StoreLocked:
            return False
        except (StoreRefused, SimulatedRefused) as error:
            take.refused = True
            take.waiting.clear()
            self._tell(take, error)
        except StoreError as error:
            if any(not each.told for each in take.waiting):
                self._tell(take, error)
            for each in take.waiting:
                each.told = True
            return False
        else:
            if self._failing:
                _LOG.info("waves saved again", extra={"driver": take.device})
            self._failing = False
        return True

    async def _commit(self, take: _Take, item: _Waiting | None) -> None:
        """Commit one chunk, with the beginning before the first and the end behind the last.

        Everything that is remembered of it is set in the store's thread, when it is durable: whoever
        waits for it may be cancelled, and must not save it again.
        """
        if item is not None and not item.data:
            item.data = await asyncio.to_thread(wavecodec.encode, item.chunk.leads)
        stamp = self._ledger.stamp_of(take.visit.operator)
        ends = made = False
        preview = _preview_with(take, item)

        def work(tx: Transaction, _store: Store) -> None:
            nonlocal ends, made
            if take.source is Source.SIMULATED and self._production:
                raise SimulatedRefused(
                    "A simulated wave is not stored in production.",
                    next_step="Remove the simulator from the configuration.",
                )
            patient, number = take.visit.patient, take.chunks + 1
            if item is not None and not item.saved:
                if number == 1:
                    begun = wave_entries.waveform(
                        take.waveform, take.visit.encounter, take.device, take.source, take.recording
                    )
                    tx.append(Stream.WAVE, Kind.WAVEFORM, stamp | begun, patient=patient)
                said = wave_entries.chunk(take.waveform, number, item.chunk, item.data, item.first_ms)
                entry = tx.append(Stream.WAVE, Kind.WAVE_CHUNK, stamp | said, patient=patient)
                tx.keep_samples(entry, item.data)
            ends = take.over and not take.ended and len(take.waiting) <= (item is not None)
            if ends:
                count = take.chunks + (item is not None and not item.saved)
                entry_ = wave_entries.ended(take.waveform, count, WHOLE)
                tx.append(Stream.WAVE, Kind.WAVEFORM_ENDED, stamp | entry_, patient=patient)
            made = _append_preview(tx, take, preview, stamp, ends=ends)

        def durable() -> None:
            if item is not None and not item.saved:
                item.saved = True
                take.chunks += 1
            take.ended |= ends
            take.preview = dataclasses.replace(preview, made=preview.made or made)

        await self._ledger.commit(work, what="wave", patient=take.visit.patient, durable=durable, begins=True)

    def _leave_out(self, take: _Take | None, device: str) -> None:
        """Samples that do not fit into a chunk are not kept; a gap stands for them."""
        if device not in self._too_wide:
            self._too_wide.add(device)
            _LOG.warning("samples not kept", extra={"driver": device, "code": "wave-too-wide"})
        if take is not None:
            take.recording.pause()

    def _tell(self, take: _Take, error: StoreError | SimulatedRefused) -> None:
        if not self._failing:
            _LOG.warning("waves not saved", extra={"driver": take.device, "code": error.stable_code})
        self._failing = True
        news: Mapping[str, Json] = {
            "device": take.device,
            "code": error.stable_code,
            "sentence": error.sentence,
            "next": error.next_step,
        }
        self._audience.tell("not-saved", news)


def _preview_with(take: _Take, item: _Waiting | None) -> Preview:
    preview = take.preview or Preview.of(take.recording.leads, take.recording.nominal)
    return preview if item is None or item.saved else preview.after(item.chunk, take.chunks + 1)


def _append_preview(tx: Transaction, take: _Take, preview: Preview, stamp: Payload, *, ends: bool) -> bool:
    """Append the preview when it has all its seconds, or can have no more; whether it was appended."""
    if preview.made or not preview.samples or not (preview.whole or ends):
        return False
    shown = wave_entries.preview(take.waveform, take.visit.encounter, take.recording, preview)
    tx.append(Stream.VITALS, Kind.WAVE_PREVIEW, stamp | shown, patient=take.visit.patient)
    return True


def end_interrupted(store: Store, stamp: Payload) -> None:
    """End the recordings that a crash has left open; before anything is recorded, in the store's thread.

    A store that takes nothing now is asked again at the next unlock: nobody is kept out for this.
    """
    left = store.waveforms_not_ended()
    if not left:
        return
    try:
        with store.write() as tx:
            for each in left:
                entry = wave_entries.ended(each.waveform, each.chunks, INTERRUPTED)
                tx.append(Stream.WAVE, Kind.WAVEFORM_ENDED, stamp | entry, patient=each.patient)
    except StoreError as error:
        _LOG.warning("interrupted recordings not ended", extra={"code": error.stable_code})
    else:
        _LOG.warning("recordings were interrupted", extra={"count": len(left)})


def _after_loss(chunk: Chunk, lost: Chunk, recording: Recording) -> Chunk:
    """A chunk with a gap at its beginning where the one before it was lost."""
    lost_ms = round(1000 * lost.samples / recording.nominal) + sum(gap.lost_ms for gap in lost.gaps)
    own_ms = sum(gap.lost_ms for gap in chunk.gaps if not gap.index)
    gaps = (Gap(0, lost_ms + own_ms), *(gap for gap in chunk.gaps if gap.index))
    return dataclasses.replace(chunk, gaps=gaps)
