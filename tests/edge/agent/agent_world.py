"""A whole unit in a directory: real store, slots, spool, sealer, receipts and socket; scripted devices."""

import asyncio
import dataclasses
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from edge import cbor, recovery
from edge.agent.parts import Device, Enrolled, Pace, Parts
from edge.agent.portions import Sizes
from edge.agent.service import run
from edge.audit.chain import VISIBLE_HEAD_BYTES, Entry
from edge.clock import ClockQuality, SystemClock
from edge.errors import QafilaError
from edge.localapi.client import AgentUnreachable, Api, connect
from edge.localapi.messages import EVENTS, METHODS
from edge.localapi.server import serve
from edge.ports.caller import Handler
from edge.ports.configuration import ConfigurationKeeper
from edge.ports.driver import DeviceError, DeviceEvent
from edge.ports.keysets import KeysetKeeper
from edge.ports.sealing import Nack, Receipt, StreamReceipt
from edge.ports.workshop import Workshop
from edge.records.fields import Stream
from edge.security import slots
from edge.security.lockout import Lockout
from edge.security.slots import Slots
from edge.spool import Inbox, Outbox, SpoolName
from edge.store.ballast import Ballast
from edge.store.rekey import open_settled
from edge.store.store import Store
from edge.vitals.codes import Code
from edge.vitals.quantity import Measured, Missing, MissingReason, Quantity, Unit
from edge.vitals.reading import Mode, Reading
from sync.boxend.down import BoxDownReader
from sync.boxend.orders import BoxOrderReader
from sync.boxend.receipts import BoxReceiptReader
from sync.boxend.sealer import BoxSealer
from sync.wire import batches, down, keys, receipts
from sync.wire.batches import WireEntry
from sync.wire.cose import Purpose
from sync.wire.keyset import Key, Keyset, Use

UNIT = "van-07"
PIN = "482913"
KEY = bytes(range(32))
SECRET = bytes(32)
QUICK = Pace(device_retry_s=0.02, mail_s=0.02, heartbeat_s=0.05)


class ScriptedDriver:
    """A device that says what a test tells it to say."""

    def __init__(self, key: str = "oximeter-1") -> None:
        self._key = key
        self._events: asyncio.Queue[DeviceEvent | Exception] = asyncio.Queue()
        self.sessions = 0

    @property
    def key(self) -> str:
        return self._key

    @property
    def kind(self) -> str:
        return "contec-cms50"

    def say(self, *events: DeviceEvent | Exception) -> None:
        for event in events:
            self._events.put_nowait(event)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncIterator[DeviceEvent]]:
        self.sessions += 1
        yield self._listen()

    async def _listen(self) -> AsyncIterator[DeviceEvent]:
        while True:
            event = await self._events.get()
            if isinstance(event, Exception):
                raise event
            yield event


def shown(spo2: int | None, pulse: int, at_s: float, *flags: str) -> Reading:
    """What a finger oximeter shows; no saturation stands for no finger."""
    values: tuple[tuple[Code, Measured], ...] = (
        (Code.OXYGEN_SATURATION, _percent(spo2)),
        (Code.PULSE_OXIMETER, Quantity(Decimal(pulse), Unit.PER_MINUTE)),
    )
    return Reading(values, flags, mode=Mode.CONTINUOUS, device_s=at_s, raw=b"\x01")


def steady(spo2: int, pulse: int, start_s: float = 0.0, seconds: int = 7) -> list[Reading]:
    return [shown(spo2, pulse, start_s + second) for second in range(seconds)]


def finger_off(at_s: float) -> Reading:
    return shown(None, 60, at_s)


def pressure(systolic: int, diastolic: int, record: bytes | None = None) -> Reading:
    """A cuff's finished measurement."""
    values = tuple(
        (code, Quantity(Decimal(value), Unit.MILLIMETRE_OF_MERCURY))
        for code, value in ((Code.SYSTOLIC, systolic), (Code.DIASTOLIC, diastolic))
    )
    return Reading(values, record=record)


def _percent(spo2: int | None) -> Measured:
    if spo2 is None:
        return Missing(MissingReason.SENSOR_OFF)
    return Quantity(Decimal(spo2), Unit.PERCENT)


class Card:
    """The disk under the store: a test fills it, and makes room again.

    The limit is real (SQLITE_FULL), and set in the thread that writes: a connection is one thread's.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        genuine = Store.write

        def write(store: Store, before_commit: Callable[[list[Entry]], None] | None = None) -> Any:  # noqa: ANN401  as it came
            store._connection.execute(f"PRAGMA max_page_count = {1 if self.full else 1_000_000}")
            return genuine(store, before_commit)

        monkeypatch.setattr(Store, "write", write)


class Centre:
    """The centre's keys, and the receipts it signs."""

    def __init__(self, realm: str = "training", generations: tuple[int, ...] = (1, 2)) -> None:
        self.realm = realm
        self.landed = keys.make_signing()
        self.opened = keys.make_signing()
        self.sealing = keys.make_sealing()
        self.records = keys.make_signing(), keys.make_signing()
        self.down = {use: keys.make_signing() for use in down.USES}
        self.keyset = Keyset(
            1,
            realm,
            generations,
            (
                Key(keys.signing_public(self.landed), Use.LANDED),
                Key(keys.signing_public(self.opened), Use.OPENED),
                Key(keys.sealing_public(self.sealing), Use.SEAL_TO),
                *(Key(keys.signing_public(each), Use.RECORDS) for each in self.records),
                *(Key(keys.signing_public(key), use) for use, key in self.down.items()),
            ),
        )
        self.rseq = {"landed": 0, "opened": 0}

    def receipt(
        self,
        level: str,
        epoch: bytes,
        streams: Mapping[Stream, StreamReceipt],
        *,
        unit: str = UNIT,
        generation: int = 1,
        rseq: int | None = None,
        holds: Iterable[bytes] = (),
        needed: Iterable[bytes] = (),
        nacks: Iterable[Nack] = (),
        private: bytes | None = None,
        realm: str | None = None,
        centre_ms: int = 0,
    ) -> bytes:
        self.rseq[level] = self.rseq[level] + 1 if rseq is None else rseq
        receipt = Receipt(
            *(level, unit, epoch, generation, self.rseq[level], streams),
            *(tuple(holds), tuple(needed), tuple(nacks), 0, 0, centre_ms),
        )
        own = self.landed if level == "landed" else self.opened
        return receipts.sign(receipt, private or own, realm or self.realm)

    def says(
        self,
        store: Store,
        use: Use,
        kind: str,
        body: list[cbor.Value],
        *,
        dseq: int = 1,
        message: bytes | None = None,
        epoch: bytes | None = None,
    ) -> bytes:
        """A message down to this unit."""
        content = down.DownContent(
            message or os.urandom(16), 1_800_000_000_000, kind, down.payload_of(kind, body)
        )
        header = down.DownHeader(UNIT, epoch or store.epoch, use, dseq, self.keyset.version)
        recv_public = keys.sealing_public(store.identity().recv_private)
        return down.seal(header, content, recv_public=recv_public, private=self.down[use], realm=self.realm)

    def open_spool(self, outbox: Outbox, sign_public: bytes) -> dict[Stream, dict[int, WireEntry]]:
        """Everything the spool's files hold, opened as the centre would."""
        sessions: dict[bytes, bytes] = {}
        entries: dict[Stream, dict[int, WireEntry]] = {stream: {} for stream in Stream}
        files: dict[SpoolName, bytes] = {}
        for name in outbox.list():
            with suppress(FileNotFoundError):  # merged or covered meanwhile
                files[name] = outbox.read(name)
        for name, raw in files.items():
            if name.word == "key":
                signed = batches.verify(raw, sign_public, self.realm, Purpose.KEY)
                sessions[signed.session_id] = batches.open_key_message(signed, self.sealing)
        for name, raw in files.items():
            if name.word == "key":
                continue
            signed = batches.verify(raw, sign_public, self.realm)
            stream = signed.header.stream
            assert stream is not None
            for entry in batches.open_batch(signed, sessions[signed.session_id]):
                entries[stream][entry.seq] = entry
        return entries


@dataclasses.dataclass
class World:
    """One unit and what a test may do to it."""

    home: Path
    centre: Centre
    devices: list[Device]
    realm: str = "training"
    enrolled: bool = True
    open_store: Callable[[bytes], Store] | None = None
    pace: Pace = QUICK
    batch: int = 200
    sizes: Sizes = dataclasses.field(default_factory=Sizes)
    reserve: Ballast | None = None
    clock_quality: ClockQuality = ClockQuality.NONE
    clock: SystemClock | None = None
    recovery_key: bytes | None = None
    """Private; with it the keyset names a recovery key and the store may be given another key."""
    bundle: int = 1
    preconditions: Callable[[], QafilaError | None] = lambda: None
    workshop: Workshop | None = None
    card: Callable[[], str | None] = lambda: None
    keysets: KeysetKeeper | None = None
    configuration: ConfigurationKeeper | None = None

    @property
    def socket(self) -> Path:
        return self.home / "run" / "agent.sock"

    @property
    def outbox(self) -> Outbox:
        return Outbox(self.home / "out")

    def make(self) -> None:
        for name in ("out", "in", "store"):
            (self.home / name).mkdir(parents=True)
        store = Store.create(
            self.home / "store" / "qafila.db", KEY, unit=UNIT, realm=self.realm, moment=SystemClock().now()
        )
        store.close()
        made = slots.create(
            self.home / "store" / "slots",
            unit=UNIT,
            user="amina",
            name="Amina",
            role="supervisor",
            pin=PIN,
            key=KEY,
            device_secret=SECRET,
        )
        made.add("sami", "Sami", "nurse", "739154", KEY)
        made.add("tariq", "Tariq", "technician", "615243", KEY)

    def store(self) -> Store:
        """The store beside the running agent, for looking only."""
        return Store.open(self.home / "store" / "qafila.db", KEY)

    def look_pinned(self) -> Enrolled | None:
        if not self.enrolled:
            return None

        def make_sealer(epoch: bytes, sign_private: bytes) -> BoxSealer:
            return BoxSealer(UNIT, self.realm, epoch, sign_private, self.centre.keyset)

        reader = BoxReceiptReader(UNIT, self.realm, self.centre.keyset)
        to = None if self.recovery_key is None else recovery.public(self.recovery_key)
        orders = BoxOrderReader(UNIT, self.centre.keyset)
        generations = self.centre.keyset.generations
        return Enrolled(
            *(bytes([self.bundle]), make_sealer, reader, generations, to, orders),
            keyset_version=0 if self.keysets is None else self.centre.keyset.version,
            sealing_to=frozenset(key.kid for key in self.centre.keyset.of_use(Use.SEAL_TO)),
            down=BoxDownReader(UNIT, self.centre.keyset),
        )

    def parts(self) -> Parts:
        clock = self.clock or SystemClock(self.clock_quality)

        def serve_here(handlers: Mapping[str, Handler]) -> Awaitable[None]:
            return serve(self.socket, handlers)

        return Parts(
            unit=UNIT,
            realm=self.realm,
            version="0.1.0",
            clock=clock,
            database=None if self.recovery_key is None else self.home / "store" / "qafila.db",
            devices=self.devices,
            open_store=self.open_store or (lambda key: open_settled(self.home / "store" / "qafila.db", key)),
            load_slots=lambda: Slots.load(self.home / "store" / "slots", SECRET),
            lockout=Lockout(self.home / "store" / "lockout", clock.monotonic_s),
            papers=lambda: {"slots": (self.home / "store" / "slots").read_bytes()},
            enrolled=self.look_pinned,
            outbox=self.outbox,
            inbox=Inbox(self.home / "in"),
            serve=serve_here,
            entropy=os.urandom,
            batch=self.batch,
            sizes=self.sizes,
            reserve=self.reserve,
            pace=self.pace,
            preconditions=self.preconditions,
            workshop=self.workshop,
            card=self.card,
            keysets=self.keysets,
            configuration=self.configuration,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The agent, in a task; a bug of it fails the test."""
        async with asyncio.TaskGroup() as group:
            task = group.create_task(run(self.parts()))
            await self.until_it_listens()
            yield
            task.cancel()

    async def until_it_listens(self) -> None:
        async with asyncio.timeout(30):
            while True:
                with suppress(AgentUnreachable):
                    async with connect(self.socket):
                        return
                await asyncio.sleep(0.01)

    @asynccontextmanager
    async def nurse(self, user: str = "amina", pin: str = PIN) -> AsyncIterator["Nurse"]:
        """A running agent with somebody signed in."""
        async with self.running(), connect(self.socket) as api:
            nurse = Nurse(api)
            await nurse.ask("sign-in", user=user, pin=pin)
            yield nurse

    def deliver(self, raw: bytes, level: str, name: str = "") -> None:
        """Put a file into ``spool/in`` as the uplink would."""
        file = name or f"{level}-{'0' * 16}-1-{self.centre.rseq.get(level, 0):012d}"
        temporary = self.home / "in" / f".tmp-{file}"
        temporary.write_bytes(raw)
        temporary.rename(self.home / "in" / file)

    def receipt_for(self, level: str, **options: Any) -> bytes:  # noqa: ANN401  passed on to Centre.receipt
        """A true receipt for everything the store holds now."""
        with_store = self.store()
        try:
            streams = {
                stream: state(with_store, stream, mark.tip)
                for stream, mark in with_store.watermarks().items()
                if mark.tip
            }
            return self.centre.receipt(level, with_store.epoch, options.pop("streams", streams), **options)
        finally:
            with_store.close()

    def spooled(self, word: str) -> list[SpoolName]:
        return [name for name in self.outbox.list() if name.word == word]


def state(store: Store, stream: Stream, through: int) -> StreamReceipt:
    """What an honest centre says of a stream."""
    head = store.head_at(stream, through)
    assert head is not None
    return StreamReceipt(through, head[:VISIBLE_HEAD_BYTES], through)


class Nurse:
    """A signed-in connection that checks every answer and event against the messages."""

    def __init__(self, api: Api) -> None:
        self.api = api

    async def ask(self, method: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401  as wide as JSON
        answer = await self.api.call(method, **fields)
        METHODS[method].answers.model_validate_json(_json(answer))
        return answer

    async def event(self, name: str, within_s: float = 30) -> dict[str, Any]:
        """The next event of this name."""
        async with asyncio.timeout(within_s):
            async for found, data in self.api.events():
                EVENTS[found].model_validate_json(_json(data))
                if found == name:
                    return data
        raise AssertionError(name)

    async def patient(self, family: str = "Benali") -> str:
        answer = await self.ask("patient.register", family=family, given="Zahra", sex="female", birth="1961")
        return str(answer["patient"])

    async def visit(self, family: str = "Benali") -> str:
        """A patient and their open visit."""
        answer = await self.ask("encounter.open", patient=await self.patient(family))
        return str(answer["encounter"])

    async def observe(self, encounter: str, code: str = "temp", value: str = "36.9") -> list[list[Any]]:
        answer = await self.ask("observe", encounter=encounter, values=[{"code": code, "value": value}])
        return list(answer["saved"])


def _json(value: object) -> str:
    return json.dumps(value)


async def until(true: Callable[[], bool], within_s: float = 30) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.01)


class DeviceBroke(DeviceError):
    code = "device-unavailable"
