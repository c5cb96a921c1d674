"""Capture and visits on a real store, without socket and agent; time goes when a test says so."""

import asyncio
import contextlib
import dataclasses
import os
import uuid
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from edge.agent.audience import Audience
from edge.agent.capture import Capture
from edge.agent.commands.patients import PatientCommands
from edge.agent.commands.visits import VisitCommands
from edge.agent.commit import OpenStore, StoreRoom
from edge.agent.ledger import Ledger
from edge.agent.parts import Device
from edge.agent.sealing import Sealing
from edge.agent.visit import Visit
from edge.clock import Moment, SystemClock
from edge.localapi.client import new_request_id
from edge.ports.caller import Call, Json, Person
from edge.spool import Outbox
from edge.store.rows import Waveform
from edge.store.store import Store
from edge.vitals.codes import Code
from edge.vitals.quantity import Missing, MissingReason, Quantity, Unit
from edge.vitals.reading import Mode, Reading, Wave
from tests.edge.agent.agent_world import KEY, UNIT, ScriptedDriver

T = TypeVar("T")
RATE = Decimal(100)
STRAP = "strap-1"


class HandClock:
    """A clock that a test moves; monotonic and wall time go together."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self._begin = SystemClock().now()

    def now(self) -> Moment:
        gone_ms = round((self.now_s - 1000.0) * 1000)
        return Moment(
            self._begin.wall_ms + gone_ms,
            self._begin.boot,
            self._begin.monotonic_ms + gone_ms,
            self._begin.quality,
        )

    def monotonic_s(self) -> float:
        return self.now_s


class Listener:
    """A caller that keeps what it is told."""

    person: Person | None = Person("amina", "Amina", "nurse")
    uid = 0
    closed = False

    def __init__(self) -> None:
        self.heard: list[tuple[str, Json]] = []

    def post(self, event: str, data: Json) -> None:
        self.heard.append((event, data))

    def count(self, event: str, what: str = "") -> int:
        return sum(
            name == event and (not what or (isinstance(data, dict) and data.get("what") == what))
            for name, data in self.heard
        )


class Bench:
    """One unit's capture with one strap and one oximeter."""

    def __init__(self, directory: Path, *, realm: str = "training", simulated: bool = False) -> None:
        self.directory = directory
        self.realm = realm
        self.clock = HandClock()
        self.room = StoreRoom()
        self.listener = Listener()
        audience = Audience()
        audience.follow(self.listener, ["saved", "readings"])
        self.ledger = Ledger(self.room, self.clock, audience, os.urandom)
        devices = [Device(ScriptedDriver(key), simulated) for key in (STRAP, "oximeter-1")]
        self.capture = Capture(self.ledger, audience, self.clock, devices, production=realm == "production")
        self.recorder = self.capture.recorder
        self.visits = VisitCommands(self.ledger, self.capture)
        self.patients = PatientCommands(self.ledger)

    @contextlib.asynccontextmanager
    async def running(self, resumed: Visit | None = None) -> AsyncIterator["Bench"]:
        """With an open store, in which a visit may be open already.

        The recorder saves when a test says so (`save`), or by its own task.
        """
        path = self.directory / "qafila.db"
        if not path.exists():
            Store.create(path, KEY, unit=UNIT, realm=self.realm, moment=self.clock.now()).close()

        def make() -> OpenStore:
            sealing = Sealing(
                Store.open(path, KEY), Outbox(self.directory), batch=200, session_s=1e9, audit_s=1e9
            )
            return OpenStore(sealing._store, sealing, KEY)

        await self.room.open(make)
        self.capture.begin(resumed)
        try:
            yield self
        finally:
            self.room.end()

    def call(self, method: str) -> Call:
        return Call(new_request_id(), method, self.listener)

    async def open_visit(self, family: str = "Benali") -> uuid.UUID:
        registered = await self.patients.register(
            self.call("patient.register"),
            family=family,
            given="Zahra",
            sex="female",
            birth=None,
            identifiers=(),
            phone=None,
            village=None,
            family_arabic=None,
            given_arabic=None,
            birth_estimated=False,
            consents=(),
            expected=None,
        )
        patient = uuid.UUID(str(registered["patient"]))
        opened = await self.visits.open(self.call("encounter.open"), patient=patient)
        return uuid.UUID(str(opened["encounter"]))

    async def close_visit(self, encounter: uuid.UUID) -> None:
        await self.visits.close(self.call("encounter.close"), encounter=encounter)

    async def number(self, *, on: bool = True, device: str = STRAP) -> None:
        """What the device shows: it is on, or off."""
        value = Quantity(Decimal(70), Unit.PER_MINUTE) if on else Missing(MissingReason.SENSOR_OFF)
        await self.capture.hear(device, Reading(((Code.HEART_RATE, value),), mode=Mode.CONTINUOUS))

    async def wave(
        self, *samples: int, device: str = STRAP, seconds: float | None = None, **more: object
    ) -> None:
        """A stretch of wave that arrives when it is over."""
        self.clock.now_s += len(samples) / float(RATE) if seconds is None else seconds
        wave = Wave(Code.ECG, "II", Unit.MICROVOLT, RATE, samples)
        await self.capture.hear(device, _with(wave, **more))

    async def seconds(self, value: int, seconds: int, **more: object) -> None:
        """Whole seconds of one value."""
        for _ in range(seconds):
            await self.wave(*[value] * int(RATE), **more)  # type: ignore[arg-type]  # fields of a Wave

    async def save(self) -> None:
        """What the recorder's own task does."""
        async with asyncio.timeout(30):
            await self.recorder._write()

    async def look(self, ask: Callable[[Store], T]) -> T:
        return await self.room.do(lambda opened: ask(opened.store))

    async def waveforms(self) -> list[Waveform]:
        def ask(store: Store) -> list[Waveform]:
            visits = [v for patient in store.patients() for v in store.encounters_of(patient.patient)]
            found = [each for visit in visits for each in store.waveforms_of(visit.encounter)]
            return sorted(found, key=lambda each: each.waveform)

        return await self.look(ask)

    async def samples(self, waveform: Waveform, lead: int = 0) -> list[int]:
        def ask(store: Store) -> list[int]:
            chunks = store.waveform_chunks(waveform.waveform, 1, 1000)
            assert [each.number for each in chunks] == list(range(1, waveform.chunks + 1))
            return [sample for each in chunks for sample in each.decoded()[lead]]

        return await self.look(ask)


def _with(wave: Wave, **more: object) -> Wave:
    return dataclasses.replace(wave, **more)  # type: ignore[arg-type]  # fields of a Wave
