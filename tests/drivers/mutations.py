"""Inputs for any codec: random ones, and good ones from its vectors with something done to them.

What a vector holds is taken apart as little as possible: its bytes, the characteristic they came from, and
which of the usual checksums, if any, its last bytes are. After a mutation that checksum is put right again
half of the time, so that what is behind the check is met as often as the check itself.
"""

import json
import random
import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from drivers.codec import uuids
from drivers.decoding import Chunk

VECTORS: Final = Path(__file__).resolve().parents[1] / "vectors"
GIVEN: Final = ("hex", "given", "chunks")
"""What vector files call the bytes."""
LONGEST: Final = 600
"""Bytes of a mutated input; more than any device puts into one frame."""
RANDOM_SHARE: Final = 0.3
RANDOM_BYTES: Final = 40
TELLING: Final = (0x00, 0x01, 0x7F, 0x80, 0x81, 0xFE, 0xFF)
"""Bytes at which meanings begin and end."""
TELLING_PAIRS: Final = tuple(
    number.to_bytes(2, "little") for number in (0x07FE, 0x07FF, 0x0800, 0x0801, 0x0802, 0x8000, 0xFFFF)
)
"""Special values of SFLOAT, and the ends of two bytes."""
_HEX: Final = re.compile(r"(?:(?P<uuid>[0-9A-Fa-f-]{4,36})[=:])?(?P<bytes>(?:\s*[0-9A-Fa-f]{2})*\s*)")

Repair = Callable[[bytearray], None]


class Seed(NamedTuple):
    """One good input."""

    raw: bytes
    characteristic: str | None
    repairs: tuple[Repair, ...]


# ── Vectors ──────────────────────────────────────────────────────────────────────────────────────


def seeds_of(kind: str) -> list[Seed]:
    """Every input of the vectors of a kind, whatever they say becomes of it."""
    folder = VECTORS / kind.replace("-", "_")
    found: dict[tuple[bytes, str | None], None] = {}
    for file in sorted(folder.iterdir()):
        if file.suffix == ".json":
            found |= dict.fromkeys(_inputs(json.loads(file.read_text())))
        elif file.suffix == ".toml":
            found |= dict.fromkeys(_inputs(tomllib.loads(file.read_text())))
    return [Seed(raw, characteristic, _repairs_of(raw)) for raw, characteristic in found]


def _inputs(node: Any) -> Iterator[tuple[bytes, str | None]]:  # noqa: ANN401  whatever a file holds
    if isinstance(node, list):
        for each in node:
            yield from _inputs(each)
    elif isinstance(node, dict):
        own = node.get("characteristic")
        for name in GIVEN:
            said = node.get(name, [])
            for text in [said] if isinstance(said, str) else said:
                match = _HEX.fullmatch(text)
                assert match is not None, text
                uuid = match["uuid"] or own
                yield bytes.fromhex(match["bytes"]), uuids.full(uuid) if uuid else None
        for name, each in node.items():
            if name not in GIVEN:
                yield from _inputs(each)


# ── Checksums ────────────────────────────────────────────────────────────────────────────────────


def _last_byte(sum_of: Callable[[bytes], int]) -> Repair:
    def repair(raw: bytearray) -> None:
        if len(raw) > 1:
            raw[-1] = sum_of(bytes(raw[:-1])) & 0xFF

    return repair


def _xor(raw: bytes) -> int:
    result = 0
    for byte in raw:
        result ^= byte
    return result


def _crc8(polynomial: int, *, reflected: bool) -> Callable[[bytes], int]:
    table = [_crc8_of(byte, polynomial, reflected=reflected) for byte in range(256)]

    def crc(raw: bytes) -> int:
        result = 0
        for byte in raw:
            result = table[result ^ byte]
        return result

    return crc


def _crc8_of(byte: int, polynomial: int, *, reflected: bool) -> int:
    for _ in range(8):
        if reflected:
            byte = byte >> 1 ^ (polynomial if byte & 1 else 0)
        else:
            byte = (byte << 1 ^ (polynomial if byte & 0x80 else 0)) & 0xFF
    return byte


def _sentence(raw: bytearray) -> None:
    """NMEA-0183: what stands between ``$`` and ``*``, by exclusive or, as two hexadecimal digits."""
    star = raw.rfind(b"*")
    if star > 0:
        raw[star + 1 : star + 3] = f"{_xor(bytes(raw[1:star])):02X}".encode()


REPAIRS: Final[tuple[Repair, ...]] = (
    *(_last_byte(lambda raw, skip=skip: sum(raw[skip:])) for skip in range(4)),  # type: ignore[misc]  # a default keeps it
    _last_byte(lambda raw: -sum(raw)),
    _last_byte(lambda raw: ~sum(raw)),
    _last_byte(_xor),
    *(
        _last_byte(_crc8(polynomial, reflected=reflected))
        for polynomial, reflected in ((0x07, False), (0x31, False), (0x8C, True), (0xE0, True))
    ),
    _sentence,
)


def _repairs_of(raw: bytes) -> tuple[Repair, ...]:
    """The checksums that this input bears: those whose repair of another last byte brings it back."""
    found: list[Repair] = []
    for repair in REPAIRS:
        broken = bytearray(raw)
        if repair is _sentence:
            star = broken.rfind(b"*")
            broken[star + 1 : star + 3] = b"??"
        elif broken:
            broken[-1] ^= 0x55
        repair(broken)
        if len(raw) > 2 and broken == raw:
            found.append(repair)
    return tuple(found)


# ── Mutations ────────────────────────────────────────────────────────────────────────────────────


def mutated(chance: random.Random, seeds: Sequence[Seed]) -> Chunk:
    """One input."""
    seed = seeds[int(chance.random() * len(seeds))]
    if chance.random() < RANDOM_SHARE:
        return Chunk(chance.randbytes(int(chance.random() * RANDOM_BYTES)), seed.characteristic)
    raw = bytearray(seed.raw)
    for _ in range(int(chance.random() * 4)):
        OPERATIONS[int(chance.random() * len(OPERATIONS))](chance, raw, seeds)
    if seed.repairs and chance.random() < 0.5:
        seed.repairs[int(chance.random() * len(seed.repairs))](raw)
    return Chunk(bytes(raw[:LONGEST]), seed.characteristic)


Operation = Callable[[random.Random, bytearray, Sequence[Seed]], None]


def _place(chance: random.Random, raw: bytearray) -> int:
    return int(chance.random() * len(raw))


def _flip(chance: random.Random, raw: bytearray, _seeds: Sequence[Seed]) -> None:
    if raw:
        raw[_place(chance, raw)] ^= 1 << int(chance.random() * 8)


def _tell(chance: random.Random, raw: bytearray, _seeds: Sequence[Seed]) -> None:
    if raw:
        raw[_place(chance, raw)] = TELLING[int(chance.random() * len(TELLING))]


def _tell_pair(chance: random.Random, raw: bytearray, _seeds: Sequence[Seed]) -> None:
    place = _place(chance, raw)
    raw[place : place + 2] = TELLING_PAIRS[int(chance.random() * len(TELLING_PAIRS))]


def _count(chance: random.Random, raw: bytearray, _seeds: Sequence[Seed]) -> None:
    """Lengths and counters are often off by one."""
    if raw:
        place = _place(chance, raw)
        raw[place] = (raw[place] + (1 if chance.random() < 0.5 else -1)) & 0xFF


def _insert(chance: random.Random, raw: bytearray, _seeds: Sequence[Seed]) -> None:
    place = _place(chance, raw)
    raw[place:place] = chance.randbytes(1 + int(chance.random() * 9))


def _delete(chance: random.Random, raw: bytearray, _seeds: Sequence[Seed]) -> None:
    place = _place(chance, raw)
    del raw[place : place + 1 + int(chance.random() * 9)]


def _cut(chance: random.Random, raw: bytearray, _seeds: Sequence[Seed]) -> None:
    del raw[_place(chance, raw) :]


def _repeat(chance: random.Random, raw: bytearray, _seeds: Sequence[Seed]) -> None:
    place = _place(chance, raw)
    raw += raw[place : place + 64]


def _splice(chance: random.Random, raw: bytearray, seeds: Sequence[Seed]) -> None:
    other = seeds[int(chance.random() * len(seeds))].raw
    raw[_place(chance, raw) :] = other[int(chance.random() * len(other)) :]


def _append(chance: random.Random, raw: bytearray, seeds: Sequence[Seed]) -> None:
    raw += seeds[int(chance.random() * len(seeds))].raw


OPERATIONS: Final[tuple[Operation, ...]] = (
    _flip, _tell, _tell_pair, _count, _insert, _delete, _cut, _repeat, _splice, _append,
)  # fmt: skip


def inputs(kind: str, seed: int, count: int) -> Iterator[list[Chunk]]:
    """So many inputs, one to four to a call of the codec."""
    chance = random.Random(f"{kind} {seed}")  # noqa: S311  a seed makes a failure repeatable
    seeds = seeds_of(kind)
    while count:
        size = min(count, 1 + int(chance.random() * 4))
        count -= size
        yield [mutated(chance, seeds) for _ in range(size)]
