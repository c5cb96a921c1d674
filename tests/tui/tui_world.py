"""A made-up agent, patients who do not exist, and signals that look alive."""

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any
from uuid import UUID

from edge.errors import QafilaError
from edge.localapi.answers import (
    Encounter,
    EncounterClosed,
    EncounterOpened,
    GlassBroken,
    Patients,
    Registered,
    SignedIn,
    Snapshot,
    Status,
    Tray,
)
from edge.localapi.client import AgentUnreachable
from edge.localapi.events import Heartbeat, ReadingEvent, StreamsEvent, WaveEvent
from edge.localapi.shapes import (
    ClockShown,
    DeviceShown,
    Identifier,
    IdentityShown,
    LinkShown,
    Message,
    ObservationShown,
    PatientShown,
    PlaceShown,
    RecordingShown,
    Role,
    Saved,
    ScoreShown,
    ShownValue,
    SittingShown,
    StreamShown,
    Word,
)
from edge.ports.caller import CallRefused
from tui.agent import Event, M

PIN = "482913"
USER = "fatima"
NOW_MS = 1_793_111_520_000  # 2026-10-27 15:32 in Morocco
ENCOUNTER = UUID("019a2500-0000-7000-8000-00000000e001")


class Ticker:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        return self.s


def patient(number: int, family: str, given: str, birth: str | None = "1978-05-12") -> PatientShown:
    """Somebody entered today, some minutes before now."""
    entered_ms = NOW_MS - number * 600_000
    return PatientShown(
        patient=UUID(int=entered_ms << 80 | 0x7000_8000_0000_0000_0000 | number),
        family=family,
        given=given,
        sex="female" if number % 2 else "male",
        birth=birth,
        identifiers=(Identifier(system="cnie", value=f"JB4829{number:02}"),),
        state=("received", "arrived", "sent", "saved")[number % 4],
    )


PATIENTS = (
    patient(1, "Aït Lahcen", "Fatima"),
    patient(2, "Benkirane", "Omar", "1990"),
    patient(3, "El M'hamdi", "Zoé-Maëlle", "2004-02"),
    patient(4, "Œuvrard-Zaïdi", "François-Xavier", None),
)


def observation(seq: int, code: str, value: str, unit: str, reading: int, **more: object) -> ObservationShown:
    """Something stored a minute ago; a simulated device's unless said otherwise."""
    fields = {
        "device": "oximeter-1",
        "source": "simulated",
        "flags": (),
        "wall_ms": NOW_MS - 60_000,
        "state": "saved",
    } | more
    shown = {"seq": seq, "code": code, "value": value, "unit": unit, "reading": reading}
    return ObservationShown.model_validate(shown | fields)


OBSERVATIONS = (
    observation(10, "bp.sys", "142", "mm[Hg]", 1, device="cuff-1"),
    observation(11, "bp.dia", "91", "mm[Hg]", 1, device="cuff-1"),
    observation(12, "spo2", "97", "%", 2),
    observation(13, "pulse.spo2", "74", "/min", 2),
    observation(14, "temp", "37.2", "Cel", 3, device=None, source="manual"),
    observation(15, "hr", "73", "/min", 4, device="strap-1"),
)


def reading(
    device: str,
    values: Mapping[str, str | None],
    *,
    settled: bool = True,
    finished: bool = False,
    **why: str,
) -> ReadingEvent:
    shown = tuple(
        ShownValue(code=code, value=value, unit="", missing=why.get("missing") if value is None else None)
        for code, value in values.items()
    )
    return ReadingEvent(device=device, values=shown, flags=(), settled=settled, finished=finished)


def ecg(count: int, start: int = 0, *, rate: float = 130.0, per_minute: float = 73.0) -> list[int]:
    """Microvolts of a made-up lead: P, QRS and T as bells on a line."""
    bells = (
        (0.18, 0.025, 120),
        (0.34, 0.012, -90),
        (0.37, 0.012, 1150),
        (0.40, 0.014, -230),
        (0.62, 0.05, 280),
    )
    samples: list[int] = []
    for n in range(start, start + count):
        at = (n / rate * per_minute / 60) % 1
        samples.append(round(sum(h * math.exp(-((at - c) ** 2) / (2 * w * w)) for c, w, h in bells)))
    return samples


def pleth(count: int, start: int = 0, *, rate: float = 60.0, per_minute: float = 73.0) -> list[int]:
    """A finger's pulse with its dicrotic notch."""
    bells = ((0.25, 0.08, 80), (0.5, 0.09, 35))
    samples: list[int] = []
    for n in range(start, start + count):
        at = (n / rate * per_minute / 60) % 1
        samples.append(20 + round(sum(h * math.exp(-((at - c) ** 2) / (2 * w * w)) for c, w, h in bells)))
    return samples


def wave(code: str, samples: Sequence[int], rate: str) -> WaveEvent:
    lead = "I" if code == "ecg" else None
    return WaveEvent(device=f"{code}-1", code=code, lead=lead, rate=rate, samples=tuple(samples))


def stream(tip: int, sent: int, landed: int, opened: int, stopped: str | None = None) -> StreamShown:
    return StreamShown(tip=tip, sent=sent, landed=landed, opened=opened, stopped=stopped)


def device(key: str, kind: str, *, battery: int | None = None, on_command: bool = False) -> DeviceShown:
    """A device that is there."""
    said = None
    if battery is not None:
        said = IdentityShown(manufacturer="", model="", serial="", firmware="", battery_percent=battery)
    return DeviceShown(key=key, kind=kind, state="present", code=None, identity=said, on_command=on_command)


UNSCRIPTED: dict[str, dict[str, Any]] = {
    "inbox.list": {"messages": (), "unread": 0},
    "request.list": {"requests": ()},
    "expected.list": {"expected": ()},
    "sync.quarantine": {"ranges": ()},
    "sync.now": {},
    "visit.list": {"visits": ()},
    "lock": {},
}
"""What an agent answers to which nobody has said anything."""


class FakeAgent:
    """An agent a test scripts.

    Attributes:
        answers: refusals to give, by method; each once.
        calls: what was asked, in order.
        scripted: what `call` answers, by method: fields, or what makes them of the fields asked with.
    """

    def __init__(self, *, realm: str = "training", open_visit: bool = True) -> None:
        self.realm = realm
        self.people = list(PATIENTS)
        self.alike: list[PatientShown] = []
        self.observations = list(OBSERVATIONS)
        self.in_tray: list[ObservationShown] = []
        self.scores: tuple[ScoreShown, ...] = ()
        self.asks_pregnancy = False
        self.sitting: SittingShown | None = None
        self.entered: list[tuple[dict[str, str], dict[str, str], str | None]] = []
        self.devices: tuple[DeviceShown, ...] = (device("oximeter-1", "contec-cms50"),)
        self.place: PlaceShown | None = None
        self.off_ms: int | None = None
        self.role: Role = "nurse"
        self.open_visit = open_visit
        self.recordings: list[RecordingShown] = []
        self.locked = False
        self.there = True
        self.refuse: dict[str, list[QafilaError]] = {}
        self.calls: list[tuple[str, Any]] = []
        self.scripted: dict[str, Any] = {}
        self.streams: dict[Word, StreamShown] = {
            "vitals": stream(15, 13, 12, 11),
            "alert": stream(1, 0, 0, 0),
        }
        self.link = LinkShown(connected=True, since_ms=NOW_MS - 300_000, broker="mqtt5")
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()

    def say(self, *messages: Message) -> None:
        """Send events."""
        for message in messages:
            self._events.put_nowait((type(message).__name__.removesuffix("Event").lower(), message))

    def beat(self) -> None:
        self.say(Heartbeat(wall_ms=NOW_MS))

    def lock(self, event: str = "locked") -> None:
        """An event that says nothing but its name."""
        self._events.put_nowait((event, Heartbeat(wall_ms=NOW_MS)))

    def die(self) -> None:
        """Go away, as after kill -9."""
        self.there = False
        self._events.put_nowait(None)

    @asynccontextmanager
    async def connected(self) -> AsyncGenerator[AsyncIterator[Event]]:
        if not self.there:
            raise AgentUnreachable("No agent.", next_step="")
        self._events = asyncio.Queue()
        yield self._listen()

    async def _listen(self) -> AsyncIterator[Event]:
        while (event := await self._events.get()) is not None:
            yield event
        raise AgentUnreachable("The agent closed the connection.", next_step="")

    def _asked(self, method: str, what: object = None) -> None:
        self.calls.append((method, what))
        if not self.there:
            raise AgentUnreachable("No agent.", next_step="")
        if self.refuse.get(method):
            raise self.refuse[method].pop(0)

    async def call(self, method: str, answer: type[M], request: str | None = None, /, **fields: object) -> M:
        self._asked(method, (request, fields))
        said = self.scripted.get(method, UNSCRIPTED.get(method))
        if said is None:
            raise CallRefused("Not scripted.", next_step="", code="method-unknown")
        return answer.model_validate(said(fields) if callable(said) else said)

    def asked(self, method: str) -> list[Any]:
        """Under which id and with what fields a method was called, in order."""
        return [what for name, what in self.calls if name == method]

    async def status(self) -> Status:
        self._asked("status")
        return Status(
            unit="van-07",
            realm=self.realm,
            locked=self.locked,
            version="0",
            clock=ClockShown(wall_ms=NOW_MS, quality="ntp", off_ms=self.off_ms),
            devices=self.devices,
            place=self.place,
            streams=self.streams,
            enrolled=True,
            link=self.link,
            visit_open=self.open_visit,
            refusals={},
            problem=None,
        )

    async def sign_in(self, user: str, pin: str) -> SignedIn:
        self._asked("sign-in", user)
        if pin != PIN:
            raise CallRefused("User or PIN is wrong.", next_step="", code="wrong-pin")
        return SignedIn(user=user, name="Fatima", role=self.role)

    async def sign_out(self) -> None:
        self._asked("sign-out")

    async def present(self) -> None:
        self._asked("present")

    async def subscribe(self, topics: Sequence[str]) -> None:
        self._asked("subscribe", tuple(topics))

    async def patients(self) -> Patients:
        self._asked("patients")
        return Patients(patients=tuple(self.people), more=False)

    async def tray(self) -> Tray:
        self._asked("tray")
        return Tray(observations=tuple(self.in_tray))

    async def assign(self, request: str, encounter: UUID, observations: Sequence[int], reason: str) -> Saved:
        assert encounter == ENCOUNTER
        self._asked("assign", (request, tuple(observations), reason))
        given = [each for each in self.in_tray if each.seq in observations]
        self.in_tray = [each for each in self.in_tray if each not in given]
        self.observations += given
        return Saved(saved=())

    async def snapshot(self) -> Snapshot:
        self._asked("snapshot")
        encounter = ENCOUNTER if self.open_visit else None
        return Snapshot(unit="van-07", epoch="00", encounter=encounter, saved=(), states={}, more=False)

    async def register(self, request: str, fields: Mapping[str, Any]) -> Registered:
        self._asked("register", (request, dict(fields)))
        return Registered(patient=PATIENTS[1].patient, saved=())

    async def likely(self, fields: Mapping[str, Any]) -> Patients:
        self._asked("likely", dict(fields))
        return Patients(patients=tuple(self.alike), more=False)

    async def open_encounter(self, request: str, patient: UUID) -> EncounterOpened:
        self._asked("open", (request, patient))
        return EncounterOpened(encounter=ENCOUNTER, saved=())

    async def close_encounter(self, request: str, encounter: UUID) -> EncounterClosed:
        self._asked("close", (request, encounter))
        self.open_visit = False
        return EncounterClosed(count=len(self.observations), saved=())

    async def encounter(self, encounter: UUID) -> Encounter:
        self._asked("encounter", encounter)
        return Encounter(
            encounter=encounter,
            patient=PATIENTS[0].patient,
            open=self.open_visit or encounter != ENCOUNTER,
            observations=tuple(self.observations),
            recordings=tuple(self.recordings),
            scores=self.scores,
            asks_pregnancy=self.asks_pregnancy,
            sitting=self.sitting,
        )

    async def observe(
        self,
        request: str,
        encounter: UUID,
        values: Mapping[str, str],
        confirmed: Sequence[str],
        *,
        missing: Mapping[str, str] = MappingProxyType({}),
        at: str | None = None,
    ) -> Saved:
        assert encounter == ENCOUNTER
        self._asked("observe", (request, dict(values), tuple(confirmed)))
        self.entered.append((dict(values), dict(missing), at))
        return Saved(saved=())

    async def correct(
        self,
        request: str,
        encounter: UUID,
        observation: int,
        value: str | None,
        reason: str,
        confirmed: Sequence[str],
    ) -> Saved:
        assert encounter == ENCOUNTER
        self._asked("correct", (request, observation, value, reason, tuple(confirmed)))
        return Saved(saved=())

    async def measure(self, device: str, mode: str) -> None:
        self._asked("measure", (device, mode))

    async def stop(self, device: str) -> None:
        self._asked("stop", device)

    async def break_glass(self, request: str, reason: str, minutes: int) -> GlassBroken:
        self._asked("break-glass", (request, reason, minutes))
        return GlassBroken(minutes=minutes)

    def moved(self, *, vitals: StreamShown, alert: StreamShown) -> None:
        """Tell that receipts moved the streams."""
        self.say(StreamsEvent(streams={"vitals": vitals, "alert": alert}))
