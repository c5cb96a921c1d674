"""What becomes of what devices say: shown, judged, bound to a patient, kept.

*Spot* devices give finished measurements: each is kept. *Continuous* ones are shown all the time and kept
once for each placing of the sensor, when it is steady (`edge.agent.settle`), or when the nurse takes what
they show. A reading goes to the visit that is open, or to the tray where it belongs to nobody until a
person assigns it: when no visit is open, when the sensor was put on under another visit, and when it
comes from a device's memory and may be anyone's. What is kept of waves is decided in `edge.agent.recorder`,
whose they are here.
"""

import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from edge.agent import payloads, view
from edge.agent.audience import Audience
from edge.agent.devicetalk import clock_off_s, flags_of, is_live
from edge.agent.display import Display, Van
from edge.agent.filing import Filing
from edge.agent.ledger import Ledger
from edge.agent.parts import Device
from edge.agent.recorder import Recorder
from edge.agent.refusals import NothingToTake, StoreLocked, Unknown
from edge.agent.visit import Visit
from edge.agent.whereabouts import told
from edge.clock import Clock, ClockQuality
from edge.ports.caller import Answer, Call, Json
from edge.ports.driver import DeviceEvent
from edge.records.fields import Kind, Stream
from edge.store.errors import StoreError
from edge.vitals.limits import PASSING_OUTSIDE
from edge.vitals.place import Place
from edge.vitals.possible import possible
from edge.vitals.quantity import Quantity
from edge.vitals.reading import Flaw, Mode, Reading, Wave

FRESH_FOR_S: Final = 3.0
"""How old what a display shows may be when somebody takes it."""
PASSING: Final = frozenset(PASSING_OUTSIDE)
"""Codes that are shown while they change and never kept, not even when somebody asks for it."""
_LOG: Final = logging.getLogger(__name__)


class Capture:
    """Takes what devices say.

    Attributes:
        visit: the open visit, or None; set by the commands that open and close visits.
        unlocked: whether readings can be stored now.
        recorder: what waves are given to.
        clock_off: takes by how many milliseconds the box is behind a receiver; set by whoever can use it.
        ask_again: has a device opened anew, so that it sends what it keeps; set by whoever listens to it.
    """

    def __init__(
        self, ledger: Ledger, audience: Audience, clock: Clock, devices: Sequence[Device], *, production: bool
    ) -> None:
        self._ledger = ledger
        self._audience = audience
        self._clock = clock
        self._production = production
        self._displays: dict[str, Display] = {}
        for each in devices:
            self.add(each)
        self.visit: Visit | None = None
        self.unlocked = False
        self._left_open: bytes | None = None
        self._resumed: bytes | None = None
        self._began = False
        self._filing = Filing(ledger, audience, production=production)
        self.recorder: Final = Recorder(ledger, audience, clock, production=production)
        self.ask_again: Callable[[str], None] = lambda _: None
        self.clock_off: Callable[[int], None] = lambda _: None

    def add(self, device: Device) -> None:
        """Take what this device says too."""
        self._displays[device.driver.key] = Display(device.driver.kind, device.simulated)

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
            display.settle_anew()
        self._ask_again()

    def end(self) -> None:
        """The store is locked: nothing is kept."""
        self._left_open = self._open_encounter
        self.unlocked = False
        self.visit = None

    def gone(self, device: str) -> None:
        """A device went away. With its sensor on it may soon be back, and then on the same patient."""
        self._displays[device].goes(self._clock.monotonic_s())
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
        else:
            return await self._hear_reading(device, possible(event))
        return ()

    async def _hear_reading(self, device: str, reading: Reading) -> Sequence[bytes]:
        if reading.mode is Mode.SPOT:
            return await self._hear_spot(device, reading)
        if reading.passing or all(code in PASSING for code, _ in reading.values):
            self._show(device, reading, settled=False)
        else:
            await self._hear_display(device, reading)
        return ()

    async def _hear_place(self, device: str, place: Place) -> None:
        """Take where the unit is, and what time: both belong to all that is written from here on."""
        if self._audience.has("places"):
            self._audience.tell("place", told(device, place), of_patient=False)
        if self._displays[device].simulated and self._production:
            return
        self._ledger.whereabouts.hear(place, self._clock.monotonic_s())
        now, better = self._clock.now(), self._ledger.better_clock
        better.hear(place.steady_utc, now)
        off_ms = better.off_ms(now.boot)
        if off_ms is not None:
            self.clock_off(off_ms)
        offset_ms = better.offset_ms(place.steady_utc, now)
        if offset_ms is None or not self.unlocked:
            return
        entry = payloads.stamp(now, None) | payloads.clock(ClockQuality.GNSS, offset_ms)
        with contextlib.suppress(StoreLocked, StoreError):  # it is said again every second
            await self._ledger.commit(lambda tx, _: tx.append(Stream.VITALS, Kind.CLOCK, entry), what="clock")
            better.noted(offset_ms, now)

    async def _hear_spot(self, device: str, reading: Reading) -> Sequence[bytes]:
        """A finished measurement is kept as it is."""
        self._show(device, reading, settled=True)
        encounter = self._open_encounter
        kept = self.unlocked and await self._keep(device, reading, encounter)
        if reading.record is None:
            return ()
        if not kept:
            self._displays[device].owed = True
            return ()
        return (reading.record,)

    async def _hear_display(self, device: str, reading: Reading) -> None:
        """Of a running display one reading is kept for each placing of the sensor."""
        display = self._displays[device]
        seen = display.shows(reading, self._clock.monotonic_s(), self._van)
        self._show(device, reading, settled=seen.steady and self.unlocked)
        if seen.steady and self.unlocked and not display.kept:
            display.kept = await self._keep(device, reading, display.placed_under)

    def _hear_wave(self, device: str, wave: Wave) -> None:
        """Give a wave to the visit under which the sensor was put on, while it is open and the sensor on."""
        display, visit = self._displays[device], self.visit
        display.sends_wave(self._clock.monotonic_s(), self._van)
        mine = visit is not None and display.waves_are_of(visit.encounter)
        self.recorder.hear(device, wave, visit if mine else None, simulated=display.simulated)

    @property
    def _van(self) -> Van:
        return Van(self._open_encounter if self.unlocked else self._left_open, self._resumed)

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
        answer = await self._filing.take(call, device, display, reading, visit)
        if visit is not None and display.last is not None:
            display.taken_for = visit.encounter
        return answer

    async def _keep(self, device: str, reading: Reading, encounter: bytes | None) -> bool:
        """Keep a reading; whether it was stored."""
        display = self._displays[device]
        if not await self._filing.keep(device, display, reading, encounter, self.visit):
            return False
        if display.failing:
            _LOG.info("readings saved again", extra={"driver": device})
            display.failing = False
            self._ask_again()
        return True

    def _ask_again(self) -> None:
        """Have the devices opened anew whose memory could not be kept when it came."""
        for device, display in self._displays.items():
            if display.owed:
                display.owed = False
                self.ask_again(device)

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
                # Of a stretch so short that is off in part nothing is worth drawing.
                "off": any(flawed.flaw is Flaw.LEAD_OFF for flawed in wave.flaws),
            }
            self._audience.tell("wave", news)


def _in_whole_units(wave: Wave) -> list[int]:
    """Samples for a screen, which draws no finer."""
    if wave.step == 1:
        return list(wave.samples)
    step = float(wave.step)
    return [round(sample * step) for sample in wave.samples]
