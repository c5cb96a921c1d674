"""One simulated unit of a fleet: a journal in memory, real envelopes, its own connection to the broker.

It does what agent and uplink do between them, without their store: seals by the box's own sealer, sends, and
sends again whatever no receipt covers. Its patients are made up, and what they are is said in every entry.
"""

import asyncio
import os
import random
import time
import uuid
from collections.abc import Mapping
from typing import Any, Final

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge import cbor
from edge.audit import chain
from edge.audit.chain import Entry
from edge.ports.sealing import Tips
from edge.records.fields import Field, Kind, Payload, Source, Stream
from sync.boxend.sealer import BoxSealer
from sync.wire import enrolment, keys, receipts, topics
from sync.wire.errors import EnvelopeRefused
from sync.wire.keyset import Keyset

REALM: Final = "training"
_AGAIN_S: Final = 5.0
"""What no receipt covers is sent again after this."""
_MORE_AT_ONCE: Final = 200
_VITALS: Final = (
    *(("spo2", 97, 0), ("pulse-rate", 72, 0), ("systolic", 124, 0), ("diastolic", 78, 0)),
    *(("mean-pressure", 93, 0), ("temperature", 368, -1), ("respiratory-rate", 16, 0), ("weight", 712, -1)),
)
"""Code, mantissa and exponent of what is measured in one visit."""


class FleetUnit:
    """A unit that has one visit after the other.

    Args:
        name: as it is enrolled.
        chance: of its own, so that the fleet is the same with the same seed.

    Attributes:
        waits: by level, seconds between the first sending of a visit and the receipt that covers it.
        resent: how many batches were sent again.
    """

    def __init__(self, name: str, chance: random.Random) -> None:
        self.name = name
        self.waits: dict[str, list[float]] = {level: [] for level in topics.LEVELS}
        self.resent = 0
        self.through: dict[str, int] = dict.fromkeys(topics.LEVELS, 0)
        self._chance = chance
        self._sign_private = keys.make_signing()
        self._recv_public = keys.sealing_public(keys.make_sealing())
        self._epoch = os.urandom(chain.EPOCH_BYTES)
        self._boot = os.urandom(8)
        self._secrets: dict[bytes, bytes] = {}
        self._journal: list[Entry] = []
        self._sent: dict[int, float] = {}
        self._covered: Mapping[str, set[int]] = {level: set() for level in topics.LEVELS}
        self._news = asyncio.Event()
        self._append(Kind.GENESIS, {}, b"")

    @property
    def tip(self) -> int:
        return len(self._journal)

    def request(self) -> bytes:
        return enrolment.make_request(self.name, REALM, self._sign_private, self._recv_public, 1)

    async def work(self, port: int, keyset: Keyset, visits: int, every_s: float) -> None:
        """Have the visits, and stay until everything is received."""
        self._keyset = keyset
        sealer = BoxSealer(self.name, REALM, self._epoch, self._sign_private, keyset)
        key_message = sealer.key_message(self._tips()).content
        client = self._connect(port)
        try:
            while not client.is_connected():
                client.loop_misc()
                await self._wait(0.2)
            client.publish(topics.up(self.name, "key"), key_message, qos=1)
            for _ in range(visits):
                await asyncio.sleep(self._chance.uniform(0.2, 1.8) * every_s)
                first = self.tip + 1 if self._sent else 1
                self._visit()
                self._sent[self.tip] = time.monotonic()
                self._send(client, sealer, first, self.tip)
                client.loop_misc()
            while self.through["opened"] < self.tip:
                if await self._wait(_AGAIN_S) or self.through["opened"] >= self.tip:
                    continue
                client.loop_misc()
                client.publish(topics.up(self.name, "key"), key_message, qos=1)
                after = min(self.through.values())
                while after < self.tip:
                    last = min(self.tip, after + _MORE_AT_ONCE)
                    self._send(client, sealer, after + 1, last)
                    self.resent += 1
                    after = last
        finally:
            client.disconnect()

    def _send(self, client: mqtt.Client, sealer: BoxSealer, first: int, last: int) -> None:
        sealed = sealer.seal(self._journal[first - 1 : last], self._tips())
        client.publish(topics.up(self.name, sealed.word), sealed.content, qos=1)

    async def _wait(self, seconds: float) -> bool:
        """Until a receipt has come; False when none did in time."""
        self._news.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    def _connect(self, port: int) -> mqtt.Client:
        loop = asyncio.get_running_loop()
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=self.name, protocol=MQTTProtocolVersion.MQTTv5
        )
        client.on_connect = self._on_connect
        client.on_message = self._on_message

        def forget(_client: mqtt.Client, _data: object, sock: Any) -> None:  # noqa: ANN401  any that paho has
            loop.remove_reader(sock)

        def write_no_more(_client: mqtt.Client, _data: object, sock: Any) -> None:  # noqa: ANN401  the same
            loop.remove_writer(sock)

        client.on_socket_open = lambda _c, _u, sock: loop.add_reader(sock, client.loop_read)
        client.on_socket_close = forget
        client.on_socket_register_write = lambda _c, _u, sock: loop.add_writer(sock, client.loop_write)
        client.on_socket_unregister_write = write_no_more
        client.connect("127.0.0.1", port, keepalive=300)
        return client

    def _on_connect(self, client: mqtt.Client, *_: object) -> None:
        client.subscribe([(topics.receipt(self.name, level), 1) for level in topics.LEVELS])
        self._news.set()

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        try:
            receipt = receipts.verify(bytes(message.payload), self._keyset, self.name)
        except EnvelopeRefused:
            return
        stated = receipt.streams.get(Stream.VITALS)
        if stated is None or stated.through > self.tip or receipt.epoch != self._epoch:
            return
        if stated.head != self._journal[stated.through - 1].head[: len(stated.head)]:
            return
        level, now = receipt.level, time.monotonic()
        self.through[level] = max(self.through[level], stated.through)
        for last, sent in self._sent.items():
            if last <= stated.through and last not in self._covered[level]:
                self._covered[level].add(last)
                self.waits[level].append(now - sent)
        self._news.set()

    def _tips(self) -> Tips:
        return Tips((0, self.tip, 0, 0, 0), bytes(16))

    def _visit(self) -> None:
        patient, encounter = uuid.uuid4().bytes, uuid.uuid4().bytes
        number = patient.hex()[:8]
        self._append(
            Kind.PATIENT,
            {Field.REVISION: 1, Field.FAMILY: f"Essai {number}", Field.IDENTIFIERS: [["local", number]]},
            patient,
        )
        self._append(Kind.ENCOUNTER_OPENED, {Field.ENCOUNTER: encounter}, patient)
        for code, mantissa, exponent in _VITALS:
            measured: Payload = {
                Field.ENCOUNTER: encounter,
                Field.CODE: code,
                Field.VALUE: [mantissa + self._chance.randint(-4, 4), exponent],
                Field.DEVICE: "fleet",
                Field.SOURCE: int(Source.SIMULATED),
                Field.OPERATOR: "rehearsal",
                Field.REQUEST: os.urandom(8),
            }
            self._append(Kind.OBSERVATION, measured, patient)
        closed: Payload = {Field.ENCOUNTER: encounter, Field.COUNT: len(_VITALS)}
        self._append(Kind.ENCOUNTER_CLOSED, closed, patient)

    def _append(self, kind: Kind, fields: Payload, patient: bytes) -> None:
        payload: dict[Any, Any] = dict(fields)
        if patient not in self._secrets:
            payload[Field.SALT] = self._secrets[patient] = os.urandom(chain.SALT_BYTES)
        if patient:
            payload[Field.PATIENT] = patient
        payload |= {
            Field.WALL_MS: time.time_ns() // 1_000_000,
            Field.BOOT: self._boot,
            Field.MONOTONIC_MS: time.monotonic_ns() // 1_000_000,
        }
        raw, seq = cbor.encode(payload), self.tip + 1
        head = (
            self._journal[-1].head
            if self._journal
            else chain.first_head(REALM, self.name, self._epoch, Stream.VITALS)
        )
        leaf = chain.leaf(self._secrets[patient], self._epoch, Stream.VITALS, seq, raw)
        after = chain.next_head(head, Stream.VITALS, seq, kind, leaf)
        self._journal.append(Entry(Stream.VITALS, seq, kind, raw, leaf, after))
