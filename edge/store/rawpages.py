"""The pages of an encrypted store, read one by one and without SQLite: whatever of it still reads, reads.

SQLite walks a tree from its root: one bad page near the root, and everything below it is out of reach, though
it is whole. Here every page of the file stands for itself. Its tag says whether it is what was written, and
by whom; the newest page that fits counts, be it in the log or in the file. Nothing is written.

The layout of a page of a table (SQLite, "Database File Format", section 1.6), behind the 100 bytes of the
file's header on page 1::

    0   1   kind: 13 leaf of a table, 5 above such, 10 leaf of an index, 2 above such
    3   2   cells, big endian
    8   4   right-most child, of kinds 5 and 2 only
    8 or 12     for each cell its place in the page, two bytes

A cell is, for kind 13: payload bytes (varint), rowid (varint), payload; 10: payload bytes, payload; 2: left
child (4 bytes), payload bytes, payload; 5: left child, rowid. What of a payload finds no room in the page
goes on in a chain of pages, each beginning with the number of the next. A payload is a record: bytes of its
header (varint), a type for each column (varints), the columns.

The ciphers: edge.store.pagecheck.
"""

import collections
import dataclasses
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeAlias

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from edge.store.pagecheck import (
    FRAME_HEADER_BYTES,
    PAGE_BYTES,
    PLAINTEXT_MAGIC,
    SALT_BYTES,
    TAG_BYTES,
    WAL_HEADER_BYTES,
    mac_key_of,
    tag_fits,
)

Cell: TypeAlias = tuple[object, ...]
LEAF_OF_TABLE: Final = 13
ABOVE_TABLE: Final = 5
LEAF_OF_INDEX: Final = 10
ABOVE_INDEX: Final = 2
_IV_BYTES: Final = 16
_USABLE: Final = PAGE_BYTES - TAG_BYTES - _IV_BYTES
_FILE_HEADER: Final = 100
_MOST_RECORD: Final = 64 * 1024 * 1024
_INTEGERS: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One row as it lies in a page; ``rowid`` is None in an index, and in a table that is one."""

    rowid: int | None
    values: Cell


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """One page of a tree."""

    number: int
    kind: int
    rows: tuple[Row, ...]
    children: tuple[int, ...]
    torn: int
    """Rows of which a part cannot be read, or that are none."""


class Pages:
    """All pages of a store and of its log.

    Attributes:
        count: how many there are.
        bad: those that are not what was written, or that the disk does not give back; filled by reading.
        older: those of which the newest is bad and an older one is read.
    """

    def __init__(self, database: Path, key: bytes) -> None:
        self._key = key
        self._file = os.open(database, os.O_RDONLY | os.O_CLOEXEC)
        log = database.with_name(database.name + "-wal")
        self._log = os.open(log, os.O_RDONLY | os.O_CLOEXEC) if log.exists() else None
        self._salts = self._find_salts()
        self._mac_key = mac_key_of(key, self._salts[0]) if self._salts else b""
        self._in_log = self._read_log()
        in_file = os.fstat(self._file).st_size // PAGE_BYTES
        self.count = max([in_file, *self._in_log])
        self.bad: set[int] = set()
        self.older: set[int] = set()

    def close(self) -> None:
        os.close(self._file)
        if self._log is not None:
            os.close(self._log)

    @property
    def fit(self) -> bool:
        """Whether any page was written under this key."""
        return any(self.plain(number) is not None for number in range(1, self.count + 1))

    def plain(self, number: int) -> bytes | None:
        """A page in the clear, or None where nothing of it fits."""
        versions = [(self._log, at) for at in reversed(self._in_log.get(number, ()))]
        versions.append((self._file, (number - 1) * PAGE_BYTES))
        for newest, (where, at) in zip([True] + [False] * len(versions), versions, strict=False):
            raw = _at(where, at, PAGE_BYTES)
            if raw is not None and tag_fits(self._mac_key, number, raw):
                if not newest:
                    self.older.add(number)
                return self._decrypted(number, raw)
        self.bad.add(number)
        return None

    def page(self, number: int) -> Page | None:
        """A page of a tree, or None where it is none or is bad."""
        raw = self.plain(number)
        if raw is None:
            return None
        begin = _FILE_HEADER if number == 1 else 0
        kind = raw[begin]
        if kind not in {LEAF_OF_TABLE, ABOVE_TABLE, LEAF_OF_INDEX, ABOVE_INDEX}:
            return None
        return self._cells(number, kind, raw, begin)

    def _cells(self, number: int, kind: int, raw: bytes, begin: int) -> Page:
        rows: list[Row] = []
        children: list[int] = []
        torn = 0
        above = kind in {ABOVE_TABLE, ABOVE_INDEX}
        cells = int.from_bytes(raw[begin + 3 : begin + 5])
        places = begin + (12 if above else 8)
        for place in range(places, min(places + 2 * cells, _USABLE - 1), 2):
            try:
                at = int.from_bytes(raw[place : place + 2])
                if above:
                    children.append(int.from_bytes(raw[at : at + 4]))
                    at += 4
                if kind != ABOVE_TABLE:
                    rows.append(self._row(raw, at, of_table=kind == LEAF_OF_TABLE))
            except (ValueError, IndexError, UnicodeDecodeError, struct.error):
                torn += 1
        if above:
            children.append(int.from_bytes(raw[begin + 8 : begin + 12]))
        return Page(number, kind, tuple(rows), tuple(children), torn)

    def _row(self, raw: bytes, at: int, *, of_table: bool) -> Row:
        length, at = _varint(raw, at)
        rowid = None
        if of_table:
            rowid, at = _varint(raw, at)
            rowid -= (rowid >> 63) << 64
        if not 0 < length <= _MOST_RECORD:
            raise ValueError(length)
        most = _USABLE - 35 if of_table else (_USABLE - 12) * 64 // 255 - 23
        here = length
        if length > most:
            least = (_USABLE - 12) * 32 // 255 - 23
            here = least + (length - least) % (_USABLE - 4)
            here = here if here <= most else least
        record = bytearray(raw[at : at + here])
        following = int.from_bytes(raw[at + here : at + here + 4]) if here < length else 0
        while len(record) < length:
            more = self.plain(following) if following else None
            if more is None:
                raise ValueError(following)
            record += more[4 : 4 + min(length - len(record), _USABLE - 4)]
            following = int.from_bytes(more[:4])
        return Row(rowid, _record(bytes(record)))

    def _decrypted(self, number: int, raw: bytes) -> bytes:
        start = SALT_BYTES if number == 1 else 0
        vector = raw[_USABLE : _USABLE + _IV_BYTES]
        decryptor = Cipher(algorithms.AES256(self._key), modes.CBC(vector)).decryptor()
        plain = decryptor.update(raw[start:_USABLE]) + decryptor.finalize()
        return PLAINTEXT_MAGIC + plain if start else plain

    def _find_salts(self) -> list[bytes]:
        """The salt under which the pages' tags were made: of page 1 in the file, or in the log."""
        tried = [_at(self._file, 0, SALT_BYTES)]
        for number, at, _ in self._frames():
            if number == 1:
                tried.append(_at(self._log, at, SALT_BYTES))
        for salt in dict.fromkeys(tried):
            if salt is not None and self._opens(mac_key_of(self._key, salt)):
                return [salt]
        return []

    def _opens(self, mac_key: bytes) -> bool:
        size = os.fstat(self._file).st_size // PAGE_BYTES
        for number in range(1, size + 1):
            raw = _at(self._file, (number - 1) * PAGE_BYTES, PAGE_BYTES)
            if raw is not None and tag_fits(mac_key, number, raw):
                return True
        found = (_at(self._log, at, PAGE_BYTES) for _, at, _ in self._frames())
        numbers = (number for number, _, _ in self._frames())
        return any(
            raw is not None and tag_fits(mac_key, n, raw) for n, raw in zip(numbers, found, strict=True)
        )

    def _frames(self) -> Iterator[tuple[int, int, bool]]:
        """Frames of the log's present round: page, where it begins, whether a commit ends with it."""
        if self._log is None:
            return
        size = os.fstat(self._log).st_size
        step = FRAME_HEADER_BYTES + PAGE_BYTES
        heads = {
            at: head
            for at in range(WAL_HEADER_BYTES, size - step + 1, step)
            if (head := _at(self._log, at, FRAME_HEADER_BYTES)) is not None
        }
        rounds = collections.Counter(head[8:16] for head in heads.values())
        header = _at(self._log, 0, WAL_HEADER_BYTES)
        present = None if header is None else header[16:24]
        if present not in rounds and rounds:
            present = rounds.most_common(1)[0][0]
        for at, head in heads.items():
            if head[8:16] == present:
                yield int.from_bytes(head[:4]), at + FRAME_HEADER_BYTES, head[4:8] != bytes(4)

    def _read_log(self) -> dict[int, list[int]]:
        """Where each page stands in the log, oldest first, as far as it was committed."""
        found = list(self._frames())
        last = max((place for place, (_, _, commits) in enumerate(found) if commits), default=-1)
        places: dict[int, list[int]] = {}
        for number, at, _ in found[: last + 1]:
            places.setdefault(number, []).append(at)
        return places


def _at(descriptor: int | None, at: int, length: int) -> bytes | None:
    """So many bytes of a file, or None where the disk does not give them."""
    if descriptor is None:
        return None
    try:
        raw = os.pread(descriptor, length, at)
    except OSError:
        return None
    return raw if len(raw) == length else None


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(8):
        byte = raw[at + place]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + place + 1
    return value << 8 | raw[at + 8], at + 9


def _record(record: bytes) -> Cell:
    """The columns of a record."""
    end, at = _varint(record, 0)
    body = end
    values: list[object] = []
    while at < end:
        kind, at = _varint(record, at)
        size = _INTEGERS.get(kind, 0) if kind < 8 else (kind - 12) // 2 if kind >= 12 else 0
        size = 8 if kind == 7 else size
        part = record[body : body + size]
        if len(part) != size or kind in {10, 11}:
            raise ValueError(kind)
        values.append(_value(kind, part))
        body += size
    return tuple(values)


def _value(kind: int, part: bytes) -> object:
    match kind:
        case 0:
            return None
        case 7:
            return struct.unpack(">d", part)[0]
        case 8 | 9:
            return kind - 8
        case _ if kind in _INTEGERS:
            return int.from_bytes(part, signed=True)
        case _:
            return part.decode() if kind % 2 else part
