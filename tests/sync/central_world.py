"""A centre on real files and units that seal real batches, for the tests of the centre."""

import dataclasses
import hashlib
import os
import uuid
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from edge import cbor
from edge.audit import chain
from edge.audit.chain import Entry
from edge.clock import ClockQuality, Moment
from edge.ports.sealing import Receipt, Tips
from edge.records.fields import Field, Kind, Payload, Source, Stream
from edge.signals import wavecodec
from sync.boxend.sealer import BoxSealer
from sync.central import database, setup
from sync.central.exploder import Exploder
from sync.central.home import CentreHome, read_file
from sync.central.landing import Lander, Upward
from sync.central.receipts import ReceiptWriter, SignedReceipt
from sync.wire import batches, cose, enrolment, keys, receipts, topics
from sync.wire.batches import Author
from sync.wire.enrolment import Broker
from sync.wire.keyset import Keyset
from sync.wire.sessions import SessionKey

REALM = "training"
BOOT = bytes(8)


class SetClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.wall_ms = 1_800_000_000_000

    def now(self) -> Moment:
        return Moment(self.wall_ms, BOOT, 0, ClockQuality.NTP)

    def monotonic_s(self) -> float:
        return 0.0


class Unit:
    """A box's journal in memory, written by the rules of the chain, sealed by the box's own sealer."""

    def __init__(self, name: str, keyset: Keyset, realm: str = REALM, epoch: bytes | None = None) -> None:
        self.name = name
        self.realm = realm
        self.epoch = epoch or os.urandom(8)
        self.sign_private = keys.make_signing()
        self.recv_private = keys.make_sealing()
        self.recv_public = keys.sealing_public(self.recv_private)
        self.keyset = keyset
        self.journal: dict[Stream, list[Entry]] = {stream: [] for stream in Stream}
        self.secrets: dict[bytes, bytes] = {b"": os.urandom(32)}
        self.carried: set[bytes] = set()
        self.beside: dict[tuple[Stream, int], bytes | None] = {}
        self.wall_ms = 1_800_000_000_000
        for stream in Stream:
            self.append(stream, Kind.GENESIS, {Field.SALT: self.secrets[b""]})
        self.new_session()

    @property
    def epoch_hex(self) -> str:
        return self.epoch.hex()

    def request(self) -> bytes:
        return enrolment.make_request(self.name, self.realm, self.sign_private, self.recv_public, 1)

    def tips(self) -> Tips:
        alert, vitals, doc, wave, audit = (len(self.journal[stream]) for stream in Stream)
        head = self.journal[Stream.AUDIT][-1].head[:16] if self.journal[Stream.AUDIT] else bytes(16)
        return Tips((alert, vitals, doc, wave, audit), head)

    def new_session(self) -> None:
        self.sealer = BoxSealer(self.name, self.realm, self.epoch, self.sign_private, self.keyset)
        self.key_file = self.sealer.key_message(self.tips())

    def append(self, stream: Stream, kind: Kind, payload: Payload, patient: bytes = b"") -> Entry:
        payload = dict(payload)
        secret = self.secrets.setdefault(patient, os.urandom(32))
        if patient:
            payload[Field.PATIENT] = patient
            if stream is Stream.ALERT or (stream is Stream.VITALS and patient not in self.carried):
                payload[Field.SALT] = secret
            if stream is Stream.VITALS:
                self.carried.add(patient)
        self.wall_ms += 1000
        payload |= {Field.WALL_MS: self.wall_ms, Field.BOOT: BOOT, Field.MONOTONIC_MS: self.wall_ms % 10**9}
        raw = cbor.encode(payload)
        journal = self.journal[stream]
        seq = len(journal) + 1
        head = journal[-1].head if journal else chain.first_head(self.realm, self.name, self.epoch, stream)
        leaf = chain.leaf(secret, self.epoch, stream, seq, raw)
        entry = Entry(stream, seq, kind, raw, leaf, chain.next_head(head, stream, seq, kind, leaf))
        journal.append(entry)
        return entry

    def visit(self, family: str = "Alaoui", observations: int = 6) -> bytes:
        """A patient registered, seen, measured; returns the patient's id."""
        patient, encounter = uuid.uuid4().bytes, uuid.uuid4().bytes
        self.append(
            Stream.VITALS,
            Kind.PATIENT,
            {
                Field.REVISION: 1,
                Field.FAMILY: family,
                Field.GIVEN: "Amina",
                Field.SEX: "female",
                Field.BIRTH: "1980-02-03",
                Field.IDENTIFIERS: [["cin", f"AB{patient.hex()[:6]}"]],
            },
            patient,
        )
        self.append(Stream.VITALS, Kind.ENCOUNTER_OPENED, {Field.ENCOUNTER: encounter}, patient)
        for number in range(observations):
            self.observe(patient, encounter, "spo2", 90 + number % 10)
        self.append(
            Stream.VITALS,
            Kind.ENCOUNTER_CLOSED,
            {Field.ENCOUNTER: encounter, Field.COUNT: observations},
            patient,
        )
        return patient

    def observe(self, patient: bytes, encounter: bytes, code: str, value: int) -> Entry:
        return self.append(
            Stream.VITALS,
            Kind.OBSERVATION,
            {
                Field.ENCOUNTER: encounter,
                Field.CODE: code,
                Field.VALUE: [value, 0],
                Field.DEVICE: "oximeter-1",
                Field.SOURCE: int(Source.SIMULATED),
                Field.OPERATOR: "fatima",
                Field.REQUEST: os.urandom(8),
            },
            patient,
        )

    def alert(self, patient: bytes) -> Entry:
        return self.append(Stream.ALERT, Kind.ALERT, {Field.ALERT_CODE: "spo2-low"}, patient)

    def recording(self, patient: bytes, *chunks: Sequence[int], end: str | None = "whole") -> bytes:
        """A wave of one lead, a chunk for each stretch of samples; its samples lie ready to be sealed."""
        waveform = uuid.uuid4().bytes
        begun: Payload = {
            Field.WAVEFORM: waveform,
            Field.ENCOUNTER: uuid.uuid4().bytes,
            Field.CODE: "ecg",
            Field.DEVICE: "strap-1",
            Field.SOURCE: int(Source.SIMULATED),
            Field.LEADS: ["II"],
            Field.WAVE_UNIT: "uV",
            Field.STEP: [25, -1],
            Field.RATE: [130, 0],
        }
        self.append(Stream.WAVE, Kind.WAVEFORM, begun, patient)
        for number, samples in enumerate(chunks, 1):
            data = wavecodec.encode([list(samples)])
            said: Payload = {
                Field.WAVEFORM: waveform,
                Field.CHUNK: number,
                Field.SAMPLES: len(samples),
                Field.HASH: hashlib.sha256(data).digest(),
                Field.SIZE: len(data),
                Field.FIRST_MS: 1000 * number,
                Field.GAPS: [[0, 40]],
                Field.FLAWS: [[0, "lead-off", 0, 1]],
                Field.RATE_FOUND: [[130012, -3], [2, -3]],
            }
            entry = self.append(Stream.WAVE, Kind.WAVE_CHUNK, said, patient)
            self.beside[Stream.WAVE, entry.seq] = data
        if end is not None:
            ended: Payload = {Field.WAVEFORM: waveform, Field.COUNT: len(chunks), Field.ENDED: end}
            self.append(Stream.WAVE, Kind.WAVEFORM_ENDED, ended, patient)
        return waveform

    def preview(self, patient: bytes, waveform: bytes, samples: Sequence[int]) -> None:
        """What travels of a wave with the vitals."""
        said: Payload = {
            Field.WAVEFORM: waveform,
            Field.CODE: "ecg",
            Field.LEADS: ["II"],
            Field.WAVE_UNIT: "uV",
            Field.STEP: [25, -1],
            Field.RATE: [125, 0],
            Field.CHUNK: 1,
            Field.SAMPLES: len(samples),
            Field.PREVIEW: wavecodec.encode([list(samples)]),
        }
        self.append(Stream.VITALS, Kind.WAVE_PREVIEW, said, patient)

    def key_message(self) -> Upward:
        return Upward(topics.up(self.name, "key"), self.key_file.content)

    def batch(self, stream: Stream, first: int, last: int) -> Upward:
        """Entries ``first`` to ``last`` under the present session."""
        data = {
            seq: self.beside[stream, seq] for seq in range(first, last + 1) if (stream, seq) in self.beside
        }
        sealed = self.sealer.seal(self.journal[stream][first - 1 : last], self.tips(), data)
        return Upward(topics.up(self.name, stream.word), sealed.content)

    def batches(self, stream: Stream, *ends: int) -> list[Upward]:
        """The stream cut after each of ``ends``."""
        starts = [1, *(end + 1 for end in ends)]
        return [self.batch(stream, first, last) for first, last in zip(starts, ends, strict=False)]

    def fork(self, stream: Stream, keep: int) -> "Unit":
        """The same box restored from an old copy: same keys and epoch, entries after ``keep`` gone."""
        other = Unit(self.name, self.keyset, self.realm, self.epoch)
        other.sign_private, other.recv_public = self.sign_private, self.recv_public
        other.recv_private = self.recv_private
        other.secrets, other.carried = dict(self.secrets), set(self.carried)
        other.beside = dict(self.beside)
        other.journal = {each: list(entries) for each, entries in self.journal.items()}
        del other.journal[stream][keep:]
        other.wall_ms = self.wall_ms + 500
        other.new_session()
        return other


@dataclasses.dataclass
class Centre:
    """A centre without a broker: what `collect` and `explode` do, called by hand."""

    home: CentreHome
    clock: SetClock

    def __post_init__(self) -> None:
        self.settings = self.home.read_settings()
        self.keyset = self.home.read_keyset(REALM)
        self.restart()

    def restart(self, *, key_grace_ms: int = 5000) -> None:
        """As if both processes had been killed and started again."""
        self.connection = database.connect(self.home.database)
        landed, opened = (
            ReceiptWriter(level, REALM, self.settings.generation, read_file(path))
            for level, path in (("landed", self.home.landed_key), ("opened", self.home.opened_key))
        )
        self.lander = Lander(self.connection, REALM, self.clock, landed)
        self.exploder = Exploder(
            database.connect(self.home.database),
            REALM,
            self.clock,
            read_file(self.home.seal_to_key),
            opened,
            key_grace_ms=key_grace_ms,
        )

    def unit(self, name: str = "van-07", *, enrolled: bool = True) -> Unit:
        unit = Unit(name, self.keyset)
        if enrolled:
            setup.enrol(self.home, unit.request(), self.clock)
        return unit

    def land(self, *messages: Upward) -> list[Receipt]:
        return self._read(self.lander.land(messages))

    def explode(self) -> list[Receipt]:
        """Rounds until there is nothing more to do; the receipts that would have been published."""
        found = self.exploder.round()
        while self.exploder.pending:
            found += self.exploder.round()
        return self._read(found)

    def take(self, *messages: Upward) -> Receipt:
        """Land and explode; the last *opened* receipt."""
        self.land(*messages)
        self.explode()
        return self.last("opened")

    def last(self, level: str, unit: str = "van-07") -> Receipt:
        (raw,) = self.connection.execute(
            "SELECT raw FROM receipts WHERE level = ? AND unit = ? ORDER BY made_ms DESC", (level, unit)
        ).fetchone()
        return receipts.verify(raw, self.keyset, unit)

    def rows(self, query: str, *parameters: object) -> list[Any]:
        return list(self.connection.execute(query, parameters).fetchall())

    def value(self, query: str, *parameters: object) -> Any:  # noqa: ANN401  one cell of any table
        return self.rows(query, *parameters)[0][0]

    def counters(self) -> dict[tuple[str, str], int]:
        return {(unit, code): n for unit, code, n in self.rows("SELECT unit, code, n FROM counters")}

    def _read(self, signed: Iterable[SignedReceipt]) -> list[Receipt]:
        return [receipts.verify(receipt.raw, self.keyset, receipt.unit) for receipt in signed]


def _own_file() -> str | None:
    return None


new_place: Callable[[], str | None] = _own_file
"""Where the next centre has its database: at an address of PostgreSQL, or in its own file."""


def make_centre(directory: Path) -> Centre:
    home = CentreHome(directory / "central")
    setup.init(home, "training", (Broker("127.0.0.1", 1883, tls=False),), place=new_place())
    return Centre(home, SetClock())


def through(centre: Centre, stream: Stream = Stream.VITALS) -> int:
    return centre.last("opened").streams[stream].through


def seal_as(unit: Unit, stream: Stream, entries: list[Entry]) -> Upward:
    """Other contents under the unit's own head and session: what a wrong unit might send."""
    author = Author(unit.name, unit.realm, unit.epoch, unit.sign_private)
    raw = batches.seal_batch(author, entries, unit.tips(), session_of(unit))
    return Upward(topics.up(unit.name, stream.word), raw)


def session_of(unit: Unit) -> SessionKey:
    return SessionKey(unit.sealer._key, unit.sealer.session)


def seal_bytes(unit: Unit, stream: Stream, first: int, last: int, packed: bytes) -> Upward:
    honest = unit.batch(stream, first, last).payload
    signed = cose.read(honest)
    session = session_of(unit)
    inner = cose.encrypt(packed, session.key, session.id, os.urandom(12), signed.protected)
    raw = cose.sign(signed.protected, inner, unit.sign_private, cose.Purpose.UP, unit.realm)
    return Upward(topics.up(unit.name, stream.word), raw)
