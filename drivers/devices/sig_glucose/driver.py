"""A glucose meter on Bluetooth: it wakes up after a test, tells what it keeps, and hangs up."""

import datetime
from collections.abc import Iterable, Sequence
from typing import Final

from drivers.codec import uuids
from drivers.codec.gatt_time import DateTime, encode_date_time
from drivers.codec.racp import ABORT
from drivers.codec.record_times import Now
from drivers.devices.sig_glucose.codec import Glucose, decode_measurement
from drivers.devices.sig_glucose.memory import Memory, Progress
from drivers.devices.sig_glucose.readings import Joiner, record
from drivers.kinds import DriverContext
from drivers.setup.current_time import SET_CURRENT_TIME
from drivers.setup.ear import Done, Ear, Heard, Manner, Said, Send, Words
from drivers.setup.known import Known
from drivers.setup.line import BleOpening
from drivers.setup.records import Fetch
from drivers.setup.session import ClearingDriver, Family
from drivers.setup.steps import (
    AskForRecords,
    Bond,
    LookAtClock,
    ReadBattery,
    ReadIdentity,
    Require,
    SetClock,
    Subscribe,
)
from edge.vitals.reading import Reading

QUIET_FOR_S: Final = 5.0
"""After its last word a meter that does not hang up is left."""
CONTEXT_WITHIN_S: Final = 1.0
"""A record that comes by itself is handed on after so long, whether its context has come or not."""
PATIENCE_S: Final = 60.0
"""Longer than any procedure may be silent, which `Fetch` sees to."""
TICK_S: Final = 0.5
CONTOUR_TIME: Final = "00001026-0002-11e2-9e96-0800200c9a66"
"""Contour meters take their clock in a characteristic of their own."""


class MeterEar(Ear):
    """Hears one meeting with a meter.

    Args:
        memory: how far its records were stored at earlier meetings; added to.
    """

    def __init__(self, known: Known, memory: Memory) -> None:
        self._known = known
        self._memory = memory
        self._meter = known.address
        self._progress = Progress(memory, self._meter)
        self._joiner = Joiner(self._make)
        self._fetch = Fetch(memory.request(self._meter), known.now_s(), lambda: self._progress.goes_on)
        self._heard_s = known.now_s()

    def hear(self, heard: Heard) -> Iterable[Said]:
        self._heard_s = heard.at_s
        match heard.channel:
            case uuids.GLUCOSE_MEASUREMENT:
                self._fetch.record(heard.at_s)
                yield from self._measurement(heard.raw)
            case uuids.GLUCOSE_CONTEXT:
                self._fetch.record(heard.at_s)
                yield from self._joiner.context(heard.raw)
            case uuids.RECORD_ACCESS_CONTROL_POINT:
                yield from self._answer(heard)
            case _:
                pass

    def tick(self, now_s: float) -> Iterable[Said]:
        if self._fetch.runs:
            for said in self._fetch.tick(now_s):
                yield from self._joiner.finish()  # what came is kept, whatever becomes of the rest
                yield said
        elif now_s - self._heard_s >= QUIET_FOR_S:
            yield Done()
        elif now_s - self._heard_s >= CONTEXT_WITHIN_S:
            yield from self._joiner.finish()

    def end(self) -> Iterable[Said]:
        yield from self._joiner.finish()

    def committed(self, records: Sequence[bytes]) -> Iterable[Send]:
        """Ask for the later ones only, next time; nothing is ever cleared from a meter."""
        self._progress.stored(records)
        return ()

    def _measurement(self, raw: bytes) -> Iterable[Reading]:
        said = decode_measurement(raw)
        if self._progress.came(said.sequence, raw):
            yield from self._joiner.measurement(raw)

    def _answer(self, heard: Heard) -> Iterable[Said]:
        asked_all = self._fetch.asked_all
        said = list(self._fetch.hear(heard.raw, heard.at_s))
        if self._fetch.runs and not said:
            return  # of something else
        yield from self._joiner.finish()
        if self._fetch.part_refused:
            self._memory.ask_whole(self._meter)
        if self._fetch.runs:
            self._progress.asked_again(for_all=self._fetch.asked_all > asked_all)
        elif self._fetch.complete:
            self._progress.completed()
        yield from said

    def _make(self, said: Glucose, raw: bytes, context: bytes | None) -> Reading:
        return record(said, raw, context, Now(self._known.wall(), self._known.device_now()))


def contour_time(wall: datetime.datetime) -> bytes:
    """The time as Contour meters take it: ``01``, seven bytes, and minutes to add to them.

    They want universal time and the zone's offset. We know local time alone; with an offset of none it shows
    the same.
    """
    return b"\x01" + encode_date_time(DateTime.of(wall)) + bytes(2)


def family(memory: Memory) -> Family:
    """How meters are met, with what is kept from meeting to meeting."""
    return Family(
        kind="sig-glucose",
        words=Words(
            "glucose meter",
            silent="switch it on again near the box.",
            wrong="see that the address in unit.toml is the meter's.",
        ),
        opening=BleOpening(service=uuids.GLUCOSE_SERVICE),
        steps=(
            Bond(),
            Require(uuids.GLUCOSE_MEASUREMENT, "measures no glucose"),
            Require(uuids.RECORD_ACCESS_CONTROL_POINT, "keeps no records that could be asked for"),
            ReadIdentity(),
            ReadBattery(),
            LookAtClock(),
            SET_CURRENT_TIME,
            SetClock(CONTOUR_TIME, contour_time),
            Subscribe(uuids.GLUCOSE_MEASUREMENT),
            Subscribe(uuids.GLUCOSE_CONTEXT, optional=True),
            Subscribe(uuids.RECORD_ACCESS_CONTROL_POINT),
            AskForRecords(
                uuids.RECORD_ACCESS_CONTROL_POINT,
                lambda known: memory.request(known.address),
                abort=ABORT,
            ),
        ),
        ear=lambda known: MeterEar(known, memory),
        manner=Manner(patience_s=PATIENCE_S, quiet_ends=True, tick_s=TICK_S),
    )


def make_driver(context: DriverContext) -> ClearingDriver:
    """The driver of one configured meter."""
    return ClearingDriver(context, family(Memory()))
