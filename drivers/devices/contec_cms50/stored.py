"""What a CMS50 keeps in its memory: one pair of numbers a second. Pure.

Five-byte generation, asked by ``F5 F5``: three times ``F2 80 00``, then the length less one in bytes
(``80|a 80|b c``, seven bits each, highest first), then records of three bytes::

    0   F0 | bit 7 of the pulse rate
    1   80 | its low seven bits
    2   SpO2

It has no clock, so nothing says when that was. Nine-byte generation, asked for each user and segment: length
in bytes (08), date (07) and time (12) of its beginning, then packets 0F of three pairs (SpO2, pulse rate), or
packets 09 of one pair with the perfusion index in hundredths of a percent. A pair of zeros is a second
without a reading.

`Download` asks for all of it and deletes nothing. Sources: as in `drivers.devices.contec_cms50.codec`, and
OSCAR ``cms50f37_loader.cpp`` (two bytes a second, four with perfusion index).
"""

import dataclasses
import datetime
import hashlib
from collections.abc import Generator, Iterable
from decimal import Decimal
from typing import Final, TypeAlias

from drivers.codec.framing import Frame
from drivers.devices.contec_cms50.codec import (
    MARKS,
    OLD_MARK,
    OLD_SEND_STORED,
    OLD_STOP_STORED,
    PULSE,
    RECORD_STARTS,
    SATURATION,
    STORED_RECORD,
    Command,
    Generation,
    Packet,
    command,
    generation_of,
    unstuff,
)
from edge.vitals.codes import Code
from edge.vitals.quantity import Measured, Missing, MissingReason, Quantity, Unit
from edge.vitals.reading import Mode, Reading

ANSWER_WITHIN_S: Final = 1.0
"""The vendor's own limit."""
PAUSE_S: Final = 1.5
"""A transfer that says nothing for so long is over."""
TRIES: Final = 2
"""How often a segment is asked for when bytes of it were lost."""
MOST_BYTES: Final = 1_000_000
"""Of one download; a unit keeps a day, which is 345,600 with perfusion index."""
MOST_USERS: Final = 3
FIRST_YEAR: Final = 2020
"""A clock that says less was never set, or lost its battery."""
STORED: Final = "stored"
TIME_UNKNOWN: Final = "time-unknown"

_NOT_MEASURED: Final = Missing(MissingReason.NOT_MEASURED)


# ── Seconds ──────────────────────────────────────────────────────────────────────────────────────


@dataclasses.dataclass(frozen=True, slots=True)
class Stored:
    """One second of what a unit keeps.

    Attributes:
        raw: the numbers as they were kept: saturation, pulse rate, and two bytes of perfusion index where
            the unit keeps one.
        perfusion: percent; None where the unit keeps none.
    """

    saturation: Measured
    pulse: Measured
    perfusion: Measured | None
    raw: bytes

    @property
    def empty(self) -> bool:
        """Whether the unit had no reading in this second."""
        return isinstance(self.saturation, Missing) and isinstance(self.pulse, Missing)


def decode_stored(frame: Frame) -> tuple[Stored, ...]:
    """The seconds in a frame of stored data, oldest first; none in any other frame."""
    raw = frame.raw
    if generation_of(raw[0]) is Generation.FIVE_BYTE:
        if len(raw) != STORED_RECORD or raw[0] not in RECORD_STARTS:
            return ()
        return (_stored(bytes([raw[2], (raw[0] & 1) << 7 | raw[1] & 0x7F])),)
    if raw[0] == Packet.STORED_WITH_PI:
        return (_stored(unstuff(raw)),)
    if raw[0] == Packet.STORED:
        payload = unstuff(raw)
        return tuple(_stored(payload[at : at + 2]) for at in (0, 2, 4))
    return ()


def _stored(kept: bytes) -> Stored:
    saturation, pulse = kept[0], kept[1]
    hundredths = int.from_bytes(kept[2:], "little")
    nothing = saturation == pulse == 0
    perfusion: Measured | None = None
    if len(kept) > 2:
        none = nothing or hundredths in {0, 0xFFFF}
        perfusion = _NOT_MEASURED if none else Quantity(Decimal(hundredths).scaleb(-2), Unit.PERCENT)
    if nothing:
        return Stored(_NOT_MEASURED, _NOT_MEASURED, perfusion, kept)
    return Stored(SATURATION[saturation], PULSE[pulse], perfusion, kept)


# ── Segments ─────────────────────────────────────────────────────────────────────────────────────


@dataclasses.dataclass(frozen=True, slots=True)
class Segment:
    """One stretch of seconds.

    Attributes:
        key: the same whenever the unit tells of it; what a record is known by begins with it.
        start: the unit's own clock in its first second, or None when it has none or cannot be believed.
        doubtful: whether the unit told a time that cannot be.
    """

    key: bytes
    start: datetime.datetime | None
    doubtful: bool
    seconds: tuple[Stored, ...]

    def readings(self) -> Iterable[Reading]:
        """A reading for each second that has one, oldest first.

        A record is known again by segment, place and numbers. Where the unit has no clock, its place counts
        with all that was kept before it: that stays as it is while the unit goes on to record.
        """
        chain = hashlib.sha256()
        for second, stored in enumerate(self.seconds):
            chain.update(stored.raw)
            if stored.empty:
                continue
            if self.start is None:
                record = b"\x00" + chain.digest()[:16]
            else:
                record = self.key + second.to_bytes(4, "big") + stored.raw
            yield reading_of(stored, self._at(second), record, doubtful=self.doubtful)

    def _at(self, second: int) -> datetime.datetime | None:
        return None if self.start is None else self.start + datetime.timedelta(seconds=second)


def reading_of(
    stored: Stored, at: datetime.datetime | None, record: bytes | None = None, *, doubtful: bool = False
) -> Reading:
    """One second of the memory, as the rest of the program takes it."""
    values = [(Code.OXYGEN_SATURATION, stored.saturation), (Code.PULSE_OXIMETER, stored.pulse)]
    if stored.perfusion is not None:
        values.append((Code.PERFUSION_INDEX, stored.perfusion))
    flags = (
        STORED,
        *((TIME_UNKNOWN,) if at is None else ()),
        *(("device-time-implausible",) if doubtful else ()),
    )
    return Reading(
        tuple(values),
        flags,
        at=at,
        mode=Mode.SPOT,
        raw=stored.raw,
        record=record,
        just_taken=False,
        stored=True,
    )


def start_of(date: bytes, time: bytes) -> datetime.datetime | None:
    """When a segment began: payloads of packets 07 (user, segment, century, year, month, day) and 12."""
    try:
        return datetime.datetime(  # noqa: DTZ001  the unit's wall clock, which has no zone
            date[2] * 100 + date[3], date[4], date[5], time[2], time[3], time[4]
        )
    except ValueError:
        return None


# ── Fetching ─────────────────────────────────────────────────────────────────────────────────────


@dataclasses.dataclass(frozen=True, slots=True)
class _Ask:
    """Write, and wait for a packet of this type. Without data: wait for the next one."""

    data: bytes
    answer: Packet


@dataclasses.dataclass(frozen=True, slots=True)
class _Collect:
    """Write, and take seconds until so many bytes of them have come; None: as many as the unit announces."""

    data: bytes
    size: int | None


@dataclasses.dataclass(slots=True)
class _Taken:
    """What a transfer gave.

    Attributes:
        whole: nothing was lost, and all that was promised has come.
    """

    seconds: list[Stored]
    whole: bool = True


_Wish: TypeAlias = _Ask | _Collect
_Script: TypeAlias = Generator[_Wish | bytes, bytes | _Taken | None]


class Download:
    """Asks a unit for all that it keeps, one question at a time.

    Args:
        had: keys of segments that are here already.

    Attributes:
        segments: what came, oldest first once it is `done`.
        whole: keys of those that came whole.
        done: there is nothing more to ask.
    """

    def __init__(self, generation: Generation, had: frozenset[bytes], now_s: float) -> None:
        self.segments: list[Segment] = []
        self.whole: set[bytes] = set()
        self.done = False
        self._had = had
        self._bytes = 0
        self._outbox: list[bytes] = []
        self._wish: _Wish | None = None
        self._taken = _Taken([])
        self._marks = 0
        self._announced: int | None = None
        self._until_s = 0.0
        self._script = self._nine_byte() if generation is Generation.NINE_BYTE else self._five_byte()
        self._go_on(None, now_s)

    def due(self, now_s: float) -> list[bytes]:
        """What to write now; call it after everything else, and by the clock."""
        if self._wish is not None and now_s >= self._until_s:
            if isinstance(self._wish, _Collect):
                if self._wish.size is not None:
                    # Seconds are missing, and nothing says where: none of them has a time to be believed.
                    self._taken.seconds.clear()
                self._finish(now_s, whole=False)
            else:
                self._go_on(None, now_s)
        out, self._outbox = self._outbox, []
        return out

    def hear(self, frame: Frame, now_s: float) -> None:
        """Take a frame that is no real-time data."""
        wish = self._wish
        if isinstance(wish, _Collect):
            self._collect(wish, frame, now_s)
        elif wish is not None:
            raw = frame.raw
            if raw[0] == wish.answer:
                self._go_on(unstuff(raw), now_s)
            elif raw[0] == Packet.ANSWER:
                self._go_on(None, now_s)  # it does not know the question, or cannot answer now

    def lose(self, now_s: float) -> None:
        """Bytes were refused: seconds may have been among them, and those behind have no known time."""
        wish = self._wish
        if isinstance(wish, _Collect) and (wish.size is not None or self._announced is not None):
            self._finish(now_s, whole=False)

    # ── What to ask ──────────────────────────────────────────────────────────────────────────────

    def _nine_byte(self) -> _Script:
        stopped = yield _Ask(command(Command.STOP), Packet.STOPPED)
        if isinstance(stopped, bytes):
            yield from self._all_users()
        yield command(Command.START)

    def _all_users(self) -> _Script:
        users = yield _Ask(command(Command.USERS), Packet.USERS)
        for user in range(min(users[0], MOST_USERS) if isinstance(users, bytes) and users else 1):
            counted = yield _Ask(command(Command.SEGMENTS, user), Packet.SEGMENTS)
            for number in range(counted[1] if isinstance(counted, bytes) else 0):
                yield from self._segment(user, number)

    def _segment(self, user: int, number: int) -> _Script:
        length = yield _Ask(command(Command.SEGMENT_LENGTH, user, number), Packet.SEGMENT_LENGTH)
        date = yield _Ask(command(Command.SEGMENT_START, user, number), Packet.SEGMENT_DATE)
        time = yield _Ask(b"", Packet.SEGMENT_TIME)
        if not (isinstance(length, bytes) and isinstance(date, bytes) and isinstance(time, bytes)):
            return
        size = int.from_bytes(length[2:6], "little")
        key = bytes([user]) + date[2:6] + time[2:5] + length[2:6]
        if not size or key in self._had or self._bytes + size > MOST_BYTES:
            return
        self._bytes += size
        start = start_of(date, time)
        doubtful = start is None or start.year < FIRST_YEAR
        best = _Taken([], whole=False)
        for _ in range(TRIES):
            taken = yield _Collect(command(Command.SEND_STORED, user, number), size)
            yield _Ask(command(Command.STOP_STORED), Packet.STOPPED)
            if isinstance(taken, _Taken) and len(taken.seconds) > len(best.seconds):
                best = taken
            if best.whole:
                break
        if best.seconds:
            self._keep(Segment(key, None if doubtful else start, doubtful, tuple(best.seconds)), best)

    def _five_byte(self) -> _Script:
        taken = yield _Collect(OLD_SEND_STORED, None)
        yield OLD_STOP_STORED
        if isinstance(taken, _Taken) and taken.seconds:
            key = hashlib.sha256(b"".join(stored.raw for stored in taken.seconds)).digest()[:16]
            if key not in self._had:
                self._keep(Segment(key, None, doubtful=False, seconds=tuple(taken.seconds)), taken)

    def _keep(self, segment: Segment, taken: _Taken) -> None:
        self.segments.append(segment)
        if taken.whole:
            self.whole.add(segment.key)

    # ── How it goes on ───────────────────────────────────────────────────────────────────────────

    def _go_on(self, answer: bytes | _Taken | None, now_s: float) -> None:
        """Give the script its answer, and write what it wishes next."""
        self._wish = None
        while True:
            try:
                wish = self._script.send(answer)
            except StopIteration:
                self.done = True
                self.segments.sort(key=lambda segment: (segment.start is not None, segment.start or _NEVER))
                return
            answer = None
            if isinstance(wish, bytes):
                self._outbox.append(wish)
                continue
            self._wish = wish
            if wish.data:
                self._outbox.append(wish.data)
            self._until_s = now_s + (PAUSE_S if isinstance(wish, _Collect) else ANSWER_WITHIN_S)
            self._taken, self._marks, self._announced = _Taken([]), 0, None
            return

    def _collect(self, wish: _Collect, frame: Frame, now_s: float) -> None:
        if wish.size is None and not self._announces(frame):
            return
        self._until_s = now_s + PAUSE_S
        size = self._announced if wish.size is None else wish.size
        for stored in decode_stored(frame):
            if size is not None and self._size() < size:
                self._taken.seconds.append(stored)
        if size is not None and self._size() >= size:
            self._finish(now_s, whole=True)

    def _announces(self, frame: Frame) -> bool:
        """Whether this belongs to what a five-byte unit keeps, and not to its real-time data."""
        if self._announced is not None:
            return True
        if frame.raw == OLD_MARK and self._marks < MARKS:
            self._marks += 1
        elif self._marks == MARKS and len(frame.raw) == STORED_RECORD:
            high, middle, low = frame.raw
            length = ((high & 0x7F) << 14 | (middle & 0x7F) << 7 | low) + 1
            self._announced = length if length % STORED_RECORD == 0 else 0
        return False

    def _size(self) -> int:
        """Bytes that have come, as the unit counts them."""
        kept = self._taken.seconds
        if not kept:
            return 0
        return len(kept) * (len(kept[0].raw) if self._announced is None else STORED_RECORD)

    def _finish(self, now_s: float, *, whole: bool) -> None:
        taken = self._taken
        taken.whole = whole
        self._go_on(taken, now_s)


_NEVER: Final = datetime.datetime(1, 1, 1)  # noqa: DTZ001  what has no time comes first
