"""A second reader of columns, written from docs/reference/wire.md with nothing of `sync.wire` in it.

It reads well-formed columns only and keeps bits as text: short before fast.
"""

import datetime
from typing import Any

import cbor2

TICKING, MEASURED = {1, 3, 9, 58}, {34, 51, 80}
PAIRS, BY_CODE = {9, 51}, {51, 52, 53, 55, 56, 59, 60}
FORGOTTEN = (1, 3, 58)


class SecondReader:
    """Reads rows one after another and remembers what the page says a reader remembers."""

    def __init__(self) -> None:
        self.known: dict[Any, list[bytes]] = {}
        self.numbers: dict[Any, list[int]] = {}
        self.lengths: dict[Any, int] = {}
        self.sizes: dict[Any, list[int]] = {}
        self.shape, self.code = b"", b""

    def read(self, plain: bytes, bits: bytes, n: int) -> list[tuple[int, bytes]]:
        self.plain = [cbor2.dumps(item, canonical=True) for item in cbor2.loads(plain)]
        self.bits = "".join(f"{byte:08b}" for byte in bits)
        rows = [self.row() for _ in range(n)]
        assert self.plain == []
        assert len(self.bits) < 8
        assert "1" not in self.bits
        return rows

    def forget(self) -> None:
        for field in FORGOTTEN:
            self.numbers.pop((field, b""), None)

    def row(self) -> tuple[int, bytes]:
        raw = self.ranked((-1, self.shape), "shape")
        kind, *rest = cbor2.loads(raw)
        if not rest:
            return kind, self.octets((-2, b""))
        modes, *fields = rest
        values: dict[int, bytes] = {}
        code = b""
        wall = 0
        for mode, field in zip(modes, fields, strict=True):
            context = (field, self.code if field == 50 else code if field in BY_CODE else b"")
            value = self.value(mode, field, context, wall)
            values[field] = value
            if field == 1 and isinstance(cbor2.loads(value), int):
                wall = int(cbor2.loads(value))
            if field == 50:
                code = value
        meaning = {field: cbor2.loads(value) for field, value in values.items()}
        return kind, cbor2.dumps(meaning, canonical=True)

    def value(self, mode: int, field: int, context: Any, wall: int) -> bytes:  # noqa: ANN401  a field and more
        if mode == 0:
            return self.values_of(context)[0]
        if mode == 1:
            return self.ranked(context, "code" if field == 50 else None)
        if mode == 2:
            return self.near(field, context, wall)
        if mode == 3:
            content = self.octets(context)
        else:
            assert mode == 4
            apart = self.signed(2)
            random = self.take(74)
            content = (
                (wall + apart).to_bytes(6, "big")
                + (7 << 12 | random >> 62).to_bytes(2, "big")
                + (2 << 62 | random % 2**62).to_bytes(8, "big")
            )
        return self.learn(context, cbor2.dumps(content), "code" if field == 50 else None)

    def near(self, field: int, context: Any, wall: int) -> bytes:  # noqa: ANN401  as above
        before = self.numbers.get(context)
        found = []
        for place in range(2 if field in PAIRS else 1):
            size = self.sizes.setdefault((context, place), [64, 1])
            number = self.golomb(max(0, (size[0] // size[1]).bit_length() - 1))
            if before:
                self.learn_size(size, number)
            found.append(
                (number >> 1 if number % 2 == 0 else -(number >> 1) - 1) + (before[place] if before else 0)
            )
        self.numbers[context] = found
        meaning: Any = found if field in PAIRS else found[0]
        if field == 3:
            meaning = wall - found[0]
        if field == 34:
            meaning = (datetime.date(1980, 1, 1) + datetime.timedelta(days=found[0])).isoformat()
        value = cbor2.dumps(meaning, canonical=True)
        self.known[context] = [value]
        return value

    def values_of(self, context: Any) -> list[bytes]:  # noqa: ANN401  as above
        own = self.known.get(context, [])
        return own + self.known.get((context[0], b""), []) if context[1] else own

    def ranked(self, context: Any, what: str | None) -> bytes:  # noqa: ANN401  as above
        known = self.values_of(context)
        size = self.sizes.setdefault((context, "rank"), [0, 1])
        rank = self.golomb(max(0, (size[0] // size[1]).bit_length() - 1))
        self.learn_size(size, rank)
        return self.learn(context, known[rank] if rank < len(known) else self.plain.pop(0), what)

    def learn(self, context: Any, value: bytes, what: str | None) -> bytes:  # noqa: ANN401  as above
        if what == "shape":
            self.shape = value
        if what == "code":
            self.code = value
        for place in {context, (context[0], b"")}:
            others = [other for other in self.known.get(place, []) if other != value]
            self.known[place] = [value, *others][:128]
        return value

    def learn_size(self, size: list[int], number: int) -> None:
        size[0] += number
        size[1] += 1
        if size[1] >= 32:
            size[0], size[1] = size[0] // 2, size[1] // 2

    def octets(self, context: Any) -> bytes:  # noqa: ANN401  as above
        length = self.lengths[context] = self.lengths.get(context, 8) + self.signed(0)
        return self.take(8 * length).to_bytes(length, "big")

    def signed(self, k: int) -> int:
        number = self.golomb(k)
        return number >> 1 if number % 2 == 0 else -(number >> 1) - 1

    def golomb(self, k: int) -> int:
        zeros = self.bits.index("1")
        self.take(zeros)
        return (self.take(zeros + 1) - 1 << k) + self.take(k)

    def take(self, width: int) -> int:
        taken, self.bits = self.bits[:width], self.bits[width:]
        assert len(taken) == width
        return int(taken or "0", 2)
