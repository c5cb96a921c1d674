"""What becomes of what devices say: shown, judged, bound to a patient, kept.

*Spot* devices give finished measurements: each is kept. *Continuous* ones are shown all the time and kept
once for each placing of the sensor, when it is steady (`edge.agent.settle`), or when the nurse takes what
they show. A reading goes to the visit that is open, or to the tray where it belongs to nobody until a
person assigns it: when no visit is open, when the sensor was put on under another visit, and when it
comes from a device's memory and may be anyone's. What is kept of waves is decided in `edge.agent.recorder`,
whose they are here.
"""

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from edge.agent import payloads, view
from edge.agent.audience import Audience
from edge.agent.commit import Committed
from edge.agent.devicetalk import clock_off_s, flags_of, is_live, news_of, record_of
from edge.agent.ledger import Ledger
from edge.agent.parts import Device
from edge.agent.recorder import Recorder
from edge.agent.refusals import NothingToTake, SimulatedRefused, StoreLocked, Unknown
from edge.agent.settle import Placing
from edge.agent.visit import Visit
from edge.agent.whereabouts import BetterClock
from edge.clock import Clock, ClockQuality
from edge.ports.caller import Answer, Call, Json
from edge.ports.driver import DeviceEvent
from edge.records.fields import Field, Kind, Payload, Source, Stream
from edge.records.identity import device_record
from edge.store.errors import StoreError
from edge.store.store import Store
from edge.store.transaction import Transaction
from edge.vitals.codes import Code
from edge.vitals.limits import only_numbers_that_can_be
from edge.vitals.place import Place
from edge.vitals.quantity import Quantity
from edge.vitals.reading import Mode, Reading, Wave

FRESH_FOR_S: Final = 3.0
"""How old what a display shows may be when somebody takes it."""
SAME_PATIENT_WITHIN_S: Final = 120.0
"""A device that comes back sooner with its sensor on never left the one who wears it."""
PASSING: Final = frozenset({Code.CUFF_PRESSURE})
"""Codes that are shown while they change and never kept, not even when somebody asks for it."""
_WHEN: Final = (Field.WALL_MS, Field.BOOT, Field.MONOTONIC_MS, Field.CLOCK_QUALITY)
_LOG: Final = logging.getLogger(__name__)


@dataclasses.dataclass(slots=True)
class _Display:
    """What is known of one device while it is there."""

    kind: str
    simulated: bool
    placing: Placing = dataclasses.field(default_factory=Placing)
    placed_under: bytes | None = None
    heard: bool = False
    """Whether it has shown anything since the agent runs; nobody knows what was before that."""
    away_since_s: float | None = None
    """When it went away with its sensor on, as long as it has not come back."""
    taken_for: bytes | None = None
    """The visit for which somebody took what it shows, whoever it was put on under."""
    waves_under: bytes | None = None
    waves: bool = False
    """Whether waves have come since it is there, and under which visit the first did."""
    kept: bool = False
    failing: bool = False
    last: Reading | None = None
    last_s: float = 0.0
    last_monotonic_ms: int = 0
    owed: bool = False
    """Whether a record of its memory came and could not be kept: it has to be asked for it again."""


class Capture:
    """Takes what devices say.

    Attributes:
        visit: the open visit, or None; set by the commands that open and close visits.
        unlocked: whether readings can be stored now.
        recorder: what waves are given to.
        ask_again: has a device opened anew, so that it sends what it keeps; set by whoever listens to it.
    """

    def __init__(
        self, ledger: Ledger, audience: Audience, clock: Clock, devices: Sequence[Device], *, production: bool
    ) -> None:
        self._ledger = ledger
        self._audience = audience
        self._clock = clock
        self._production = production
        self._displays: dict[str, _Display] = {}
        for each in devices:
            self.add(each)
        self._better_clock = BetterClock()
        self.visit: Visit | None = None
        self.unlocked = False
        self._left_open: bytes | None = None
        self._resumed: bytes | None = None
        self._began = False
        self.recorder: Final = Recorder(ledger, audience, clock, production=production)
        self.ask_again: Callable[[str], None] = lambda _: None

    def add(self, device: Device) -> None:
        """Take what this device says too."""
        self._displays[device.driver.key] = _Display(device.driver.kind, device.simulated)

    def remove(self, device: str) -> None:
        """Forget a device that says nothing more."""
        self.recorder.gone(device)
        del self._displays[device]

    def begin(self, visit: Visit | None) -> None:
        """The store is open: what devices show from now on can be kept.

        A sensor that is on stays whose it was; that nobody could look does not make it the open visit's.
        """
        if not self._began and visit is not None:
            self._resumed = visit.encounter
        self._began = True
        self.visit = visit
        self.unlocked = True
        for display in self._displays.values():
            display.placing.settle_anew()
            display.kept = False
        self._ask_again()

    def end(self) -> None:
        """The store is locked: nothing is kept."""
        self._left_open = self._open_encounter
        self.unlocked = False
        self.visit = None

    def gone(self, device: str) -> None:
        """A device went away. With its sensor on it may soon be back, and then on the same patient."""
        display = self._displays[device]
        if display.placing.on:
            display.away_since_s = self._clock.monotonic_s()
        else:
            display.waves = False
        display.placing.settle_anew()
        display.kept = False
        display.last = None
        self.recorder.gone(device)

    async def hear(self, device: str, event: DeviceEvent) -> Sequence[bytes]:
        """Take one event of a device. A store that takes nothing is told, and the device goes on.

        Returns:
            Which records of the device's memory are durably stored now; it may forget these.
        """
        if isinstance(event, Place):
            await self._hear_place(device, event)
        elif isinstance(event, Wave):
            self._show_wave(device, event)
            self._hear_wave(device, event)
        elif event.mode is Mode.SPOT:
            return await self._hear_spot(device, _possible(event))
        elif all(code in PASSING for code, _ in event.values):
            self._show(device, event, settled=False)
        elif event.passing:
            self._show(device, _possible(event), settled=False)
        else:
            await self._hear_display(device, _possible(event))
        return ()

    async def _hear_place(self, device: str, place: Place) -> None:
        """Take where the unit is, and what time: both belong to all that is written from here on."""
        if self._displays[device].simulated and self._production:
            return
        self._ledger.whereabouts.hear(place, self._clock.monotonic_s())
        now = self._ledger.now()
        offset_ms = self._better_clock.offset_ms(place.steady_utc, now)
        if offset_ms is None or not self.unlocked:
            return
        entry = payloads.stamp(now, None) | payloads.clock(ClockQuality.GNSS, offset_ms)
        with contextlib.suppress(StoreLocked, StoreError):  # it is said again every second
            await self._ledger.commit(lambda tx, _: tx.append(Stream.VITALS, Kind.CLOCK, entry), what="clock")
            self._better_clock.noted(offset_ms, now)

    async def _hear_spot(self, device: str, reading: Reading) -> Sequence[bytes]:
        """A finished measurement is kept as it is."""
        self._show(device, reading, settled=True)
        encounter = self._open_encounter
        kept = self.unlocked and await self._keep_or_tell(device, reading, encounter)
        if reading.record is None:
            return ()
        if not kept:
            self._displays[device].owed = True
            return ()
        return (reading.record,)

    async def _hear_display(self, device: str, reading: Reading) -> None:
        """Of a running display one reading is kept for each placing of the sensor."""
        display = self._displays[device]
        display.last, display.last_s = reading, self._clock.monotonic_s()
        self._back(display)
        seen = display.placing.see(reading, display.last_s)
        if seen.began:
            display.placed_under = self._put_on_under(display)
            display.kept = False
        display.heard = True
        self._show(device, reading, settled=seen.steady and self.unlocked)
        if seen.steady and self.unlocked and not display.kept:
            display.kept = await self._keep_or_tell(device, reading, display.placed_under)

    def _back(self, display: _Display) -> None:
        """One that was away for long may have come to somebody else."""
        away_since_s, display.away_since_s = display.away_since_s, None
        if away_since_s is not None and display.last_s - away_since_s > SAME_PATIENT_WITHIN_S:
            display.placing.restart()
            display.waves = False

    def _put_on_under(self, display: _Display) -> bytes | None:
        """The visit that is open now; none where the sensor may have been put on before it began.

        That is so at the first look at a device when the agent found the visit open: what was before
        the agent was started nobody has seen.
        """
        now = self._visit_in_the_van
        return now if display.heard or now != self._resumed else None

    def _hear_wave(self, device: str, wave: Wave) -> None:
        """Give a wave to the visit under which the sensor was put on, while it is open and the sensor on.

        A device that gives no numbers does not say when it was put on: it counts from its first wave.
        """
        display, visit = self._displays[device], self.visit
        if not display.waves:
            display.waves, display.waves_under = True, self._visit_in_the_van
        if visit is not None and display.last is None:
            mine = display.waves_under == visit.encounter
        else:
            under = (display.placed_under, display.taken_for)
            mine = visit is not None and display.placing.on and visit.encounter in under
        self.recorder.hear(device, wave, visit if mine else None, simulated=display.simulated)

    @property
    def _visit_in_the_van(self) -> bytes | None:
        """The visit that is open now, though the store may be locked."""
        return self._open_encounter if self.unlocked else self._left_open

    @property
    def _open_encounter(self) -> bytes | None:
        return None if self.visit is None else self.visit.encounter

    async def take(self, call: Call, device: str) -> Answer:
        """Store what a continuous device shows now, because a person asks for it.

        Raises:
            Unknown: there is no such device.
            NothingToTake: it shows no number now.
        """
        display = self._displays.get(device)
        if display is None:
            raise Unknown(
                "There is no such device.", next_step="`qafila status` lists them.", code="no-device"
            )
        reading = display.last
        fresh = self._clock.monotonic_s() - display.last_s <= FRESH_FOR_S
        if reading is None or not fresh or not any(isinstance(v, Quantity) for _, v in reading.values):
            raise NothingToTake(
                "The device shows no number now.", next_step="Put the sensor on and wait for a number."
            )
        visit = self.visit
        stamp = self._ledger.stamp(call)

        def work(tx: Transaction, store: Store) -> Answer:
            self._append(tx, store, device, reading, stamp, None if visit is None else visit.encounter)
            return {"saved": view.identities(map(tx.identity, tx.appended))}

        patient = None if visit is None else visit.patient
        answer = await self._ledger.commit_once(call, work, what="reading", patient=patient)
        if visit is not None and display.last is not None:
            display.taken_for = visit.encounter
        return answer

    async def _keep_or_tell(self, device: str, reading: Reading, encounter: bytes | None) -> bool:
        """Keep a reading; whether it was stored. When it was not, screens are told so."""
        try:
            await self._keep(device, reading, encounter)
        except StoreLocked:
            return False
        except (StoreError, SimulatedRefused) as error:
            if not self._displays[device].failing:
                _LOG.warning("readings not saved", extra={"driver": device, "code": error.stable_code})
            self._displays[device].failing = True
            news: Mapping[str, Json] = {
                "device": device,
                "code": error.stable_code,
                "sentence": error.sentence,
                "next": error.next_step,
            }
            self._audience.tell("not-saved", news)
            return False
        if self._displays[device].failing:
            _LOG.info("readings saved again", extra={"driver": device})
            self._displays[device].failing = False
            self._ask_again()
        return True

    def _ask_again(self) -> None:
        """Have the devices opened anew whose memory could not be kept when it came."""
        for device, display in self._displays.items():
            if display.owed:
                display.owed = False
                self.ask_again(device)

    async def _keep(self, device: str, reading: Reading, encounter: bytes | None) -> Committed[None]:
        visit = self.visit
        bound = visit if visit is not None and visit.encounter == encounter else None
        stamp = self._ledger.stamp_of(None if bound is None else bound.operator)

        def work(tx: Transaction, store: Store) -> None:
            self._append(tx, store, device, reading, stamp, encounter)

        patient = None if bound is None else bound.patient
        return await self._ledger.commit(work, what="reading", patient=patient)

    def _append(
        self,
        tx: Transaction,
        store: Store,
        device: str,
        reading: Reading,
        stamp: Payload,
        encounter: bytes | None,
    ) -> None:
        """Append one reading's observations; to the tray unless that visit is open at this very moment."""
        display = self._displays[device]
        if display.simulated and self._production:
            raise SimulatedRefused(
                "A simulated reading is not stored in production.",
                next_step="Remove the simulator from the configuration.",
            )
        named = record_of(reading)
        record = None if named is None else device_record(device, named)
        open_now = store.open_encounter()
        bound = open_now is not None and open_now.encounter == encounter and is_live(reading)
        patient = open_now.patient if bound and open_now is not None else None
        values = [  # without those that the device has sent before
            (code, value)
            for code, value in reading.values
            if record is None or not store.has_device_record(record, code)
        ]
        if not values:
            return
        stamp = self._distinct(display, stamp)
        number = tx.next_reading()
        self._append_identity(tx, store, device, reading, stamp)
        converted = {code: (value, unit) for code, value, unit in reading.converted}
        flags = flags_of(reading)
        for code, value in values:
            entry = payloads.observation(
                code,
                value,
                Source.SIMULATED if display.simulated else Source.DEVICE,
                number,
                encounter=encounter if bound else None,
                as_given=converted.get(code),
                device=device,
                device_record=record,
                device_time=reading.at,
                clock_off_s=clock_off_s(reading),
                flags=flags,
            )
            tx.append(Stream.VITALS, Kind.OBSERVATION, stamp | entry, patient=patient)
        if reading.raw:
            tx.keep_raw(number, reading.raw, int(str(stamp[Field.WALL_MS])))

    def _append_identity(
        self, tx: Transaction, store: Store, device: str, reading: Reading, stamp: Payload
    ) -> None:
        """Note what the device says of itself, when it is something else than is noted already."""
        noted = store.device_said(device)
        kind = self._displays[device].kind
        before = None if noted is None or noted.kind != kind else noted.identity
        news = news_of(before, reading.identity)
        if news is not None:
            when: Payload = {field: stamp[field] for field in _WHEN if field in stamp}
            tx.append(Stream.VITALS, Kind.DEVICE, when | payloads.device(device, kind, news))

    @staticmethod
    def _distinct(display: _Display, stamp: Payload) -> Payload:
        """The stamp with a monotonic time that no other reading of the device has.

        Device, boot and monotonic time tell live readings apart for ever, so no two share a millisecond.
        """
        monotonic_ms = max(int(str(stamp[Field.MONOTONIC_MS])), display.last_monotonic_ms + 1)
        display.last_monotonic_ms = monotonic_ms
        return stamp | {Field.MONOTONIC_MS: monotonic_ms}

    def _show(self, device: str, reading: Reading, *, settled: bool) -> None:
        if self._audience.has("readings"):
            news: Mapping[str, Json] = {
                "device": device,
                "values": [view.measured(code, value) for code, value in reading.values],
                "flags": list(flags_of(reading)),
                "settled": settled,
                "finished": reading.mode is Mode.SPOT,
                **view.device_clock(reading.at, clock_off_s(reading), old=not is_live(reading)),
            }
            self._audience.tell("reading", news, of_patient=self.visit is not None or not is_live(reading))

    def _show_wave(self, device: str, wave: Wave) -> None:
        if self._audience.has("waves"):
            news: Mapping[str, Json] = {
                "device": device,
                "code": wave.code.value,
                "lead": wave.lead,
                "rate": format(wave.rate, "f"),
                "samples": _in_whole_units(wave),
                "gap": wave.gap,
            }
            self._audience.tell("wave", news)


def _in_whole_units(wave: Wave) -> list[int]:
    """Samples for a screen, which draws no finer."""
    if wave.step == 1:
        return list(wave.samples)
    step = float(wave.step)
    return [round(sample * step) for sample in wave.samples]


def _possible(reading: Reading) -> Reading:
    """The reading without numbers that cannot be true."""
    values = only_numbers_that_can_be(dict(reading.values))
    return dataclasses.replace(reading, values=tuple(values.items()))
