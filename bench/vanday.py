"""A van's morning as journal payloads: made up, seeded, shaped like what the agent commits.

A visit registers a patient who was never seen (the dearest case: names, identifiers and 32 bytes of salt)
unless some are said to be known, opens an encounter, has an oximeter on the finger, writes a pressure and
then six values by hand, and closes: thirteen entries a visit, five requests.
"""

import dataclasses
import datetime
import hashlib
import random
import uuid
from collections.abc import Iterator
from typing import Final

from edge import cbor
from edge.audit import chain
from edge.audit.chain import Entry
from edge.records.fields import Field, Kind, Payload, Source, Stream
from edge.records.identity import request_digest

UNIT: Final = "van-07"
REALM: Final = "training"
_YEAR_MS: Final = 365 * 24 * 3_600_000

_FAMILIES: Final = """
    Benali El-Fassi Amrani Ouazzani Chraibi Tazi Bennani Alaoui Idrissi Berrada Lahlou Sefrioui Naciri Zniber
    Kettani Hajji Filali Ziani Mernissi Skalli Guessous Lamrani Bouhaddou Aït-Ali Belhaj Rachidi Tahiri Sabri
    """.split()  # noqa: SIM905  a list of thirty names is no easier to read
_GIVENS: Final = """
    Fatima Mohamed Khadija Ahmed Aïcha Youssef Zineb Hassan Naïma Omar Latifa Rachid Hélène Mustapha Samira
    Abdelkader Noureddine Malika Driss Ghizlane Saïd Touria Brahim Hafida
    """.split()  # noqa: SIM905  the same
_ARABIC: Final = """
    فاطمة محمد خديجة أحمد عائشة يوسف زينب حسن نعيمة عمر بنعلي الفاسي العمراني الوزاني الشرايبي التازي
    بناني العلوي الإدريسي برادة لحلو الناصري
    """.split()  # noqa: SIM905  the same
_VILLAGES: Final = ("Tamegroute", "Aït Ben Haddou", "Imilchil", "تنغير", "Zaouiat Ahansal", "Agdz")


@dataclasses.dataclass(slots=True)
class _Clock:
    wall_ms: int
    offset_ms: int
    boot: bytes

    def stamp(self, chance: random.Random) -> Payload:
        # wall and monotonic time are read one after the other and both rounded down
        monotonic_ms = self.wall_ms - self.offset_ms - (chance.random() < 0.3)
        return {
            Field.WALL_MS: self.wall_ms,
            Field.BOOT: self.boot,
            Field.MONOTONIC_MS: monotonic_ms,
            Field.CLOCK_QUALITY: 0,
            Field.OPERATOR: "s.amrani",
        }


def payloads(visits: int, seed: int = 7, *, known: float = 0.0) -> Iterator[tuple[Kind, Payload]]:
    """The vitals stream of a morning after its genesis, entry by entry.

    Args:
        visits: how many patients come.
        seed: another seed, another morning.
        known: which part of them was registered on an earlier day.
    """
    chance = random.Random(seed)  # noqa: S311  a made-up morning, the same every time
    clock = _Clock(1_795_334_400_000 + chance.randrange(10**6), 1_795_320_000_123, chance.randbytes(8))
    reading = 0
    for number in range(visits):
        if chance.random() < known:
            patient = _uuid7(clock.wall_ms - chance.randrange(_YEAR_MS), chance)
        else:
            patient = _uuid7(clock.wall_ms, chance)
            yield Kind.PATIENT, _request(clock, chance) | {Field.PATIENT: patient} | _person(chance, number)
        clock.wall_ms += chance.randrange(4_000, 15_000)
        encounter = _uuid7(clock.wall_ms, chance)
        who: Payload = {Field.PATIENT: patient, Field.ENCOUNTER: encounter}
        yield Kind.ENCOUNTER_OPENED, _request(clock, chance) | who
        for source, values in _measurements(chance):
            clock.wall_ms += chance.randrange(8_000, 60_000)
            by_hand = source is Source.MANUAL
            stamp = _request(clock, chance) if by_hand else clock.stamp(chance)
            reading += 1
            for code, mantissa, exponent in values:
                fields: Payload = {
                    Field.CODE: code,
                    Field.VALUE: [mantissa, exponent],
                    Field.SOURCE: int(source),
                    Field.READING: reading,
                }
                if not by_hand:
                    fields[Field.DEVICE] = "oximeter-1"
                yield Kind.OBSERVATION, stamp | who | fields
        clock.wall_ms += chance.randrange(10_000, 60_000)
        yield Kind.ENCOUNTER_CLOSED, _request(clock, chance) | who | {Field.COUNT: 10}
        clock.wall_ms += chance.randrange(6 * 60_000, 15 * 60_000)


def entries(visits: int, seed: int = 7, *, known: float = 0.0) -> list[Entry]:
    """The same as entries of a journal, with leaves and heads."""
    epoch = hashlib.sha256(b"epoch %d" % seed).digest()[: chain.EPOCH_BYTES]
    head = chain.first_head(REALM, UNIT, epoch, Stream.VITALS)
    journal: list[Entry] = []
    for seq, (kind, fields) in enumerate(payloads(visits, seed, known=known), 2):
        payload = cbor.encode(fields)
        leaf = chain.leaf(b"s" * chain.SALT_BYTES, epoch, Stream.VITALS, seq, payload)
        head = chain.next_head(head, Stream.VITALS, seq, kind, leaf)
        journal.append(Entry(Stream.VITALS, seq, kind, payload, leaf, head))
    return journal


def _request(clock: _Clock, chance: random.Random) -> Payload:
    request = request_digest(str(uuid.UUID(bytes=_uuid7(clock.wall_ms, chance))))
    return clock.stamp(chance) | {Field.REQUEST: request}


def _uuid7(wall_ms: int, chance: random.Random) -> bytes:
    tail = bytearray(chance.randbytes(10))
    tail[0] = 0x70 | tail[0] & 0x0F
    tail[2] = 0x80 | tail[2] & 0x3F
    return wall_ms.to_bytes(6) + bytes(tail)


def _person(chance: random.Random, number: int) -> Payload:
    names = (_FAMILIES, _GIVENS) if chance.random() < 0.7 else (_ARABIC, _ARABIC)
    person: Payload = {
        Field.SALT: chance.randbytes(chain.SALT_BYTES),
        Field.REVISION: 1,
        Field.FAMILY: chance.choice(names[0]),
        Field.GIVEN: chance.choice(names[1]),
        Field.SEX: chance.choice(("female", "male")),
        Field.BIRTH: str(datetime.date(1940, 1, 1) + datetime.timedelta(days=chance.randrange(30_000))),
        Field.VILLAGE: chance.choice(_VILLAGES),
    }
    if chance.random() < 0.8:
        cin = (
            chance.choice("PQTJ") + chance.choice("ABCDE") + str(100_000 + number * 7919 % 900_000)
        )  # 7919 is prime to it: no two alike
        person[Field.IDENTIFIERS] = [["cnie", cin]]
    if chance.random() < 0.6:
        person[Field.PHONE] = f"+2126{chance.randrange(10**7, 10**8)}"
    return person


def _measurements(chance: random.Random) -> Iterator[tuple[Source, list[tuple[str, int, int]]]]:
    def around(middle: float, spread: float) -> int:
        return round(chance.gauss(middle, spread))

    pulse = around(78, 12)
    yield Source.DEVICE, [("spo2", min(100, around(96, 2)), 0), ("pulse.spo2", pulse, 0)]
    yield Source.MANUAL, [("bp.sys", around(128, 18), 0), ("bp.dia", around(79, 10), 0)]
    yield (
        Source.MANUAL,
        [
            ("temp", around(369, 6), -1),
            ("rr", around(17, 3), 0),
            ("weight", around(690, 140), -1),
            ("height", around(165, 9), 0),
            ("glucose", around(108, 30), 0),
            ("pain", max(0, around(2, 2)), 0),
        ],
    )
