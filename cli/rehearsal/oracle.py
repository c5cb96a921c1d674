"""The counting oracle: what was called saved, what the centre holds, and whether the two agree.

It reads two things only: the recorder's log of what the socket said, and the centre's tables. It asks
neither the unit nor the centre what they believe, and it shares no code with them: CBOR is read by the
library, hashes are computed here from the text of ``docs/reference/wire.md``. If the parts were wrong
in the same way as their own tests, this would still disagree.
"""

import dataclasses
import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

import cbor2
from sqlcipher3 import dbapi2

STREAMS: Final = ("alert", "vitals", "doc", "wave", "audit")
COUNTED: Final = frozenset({"alert", "vitals"})
"""The streams of which patients are made; what ``captured``, ``received`` and ``lost`` count."""

_GENESIS, _OBSERVATION = 1, 4
_MONOTONIC_MS, _BOOT, _REQUEST, _PATIENT, _SALT, _ORIGIN = 3, 2, 6, 7, 8, 10
_CODE, _DEVICE, _DEVICE_RECORD, _SOURCE = 50, 53, 54, 55
_FROM_A_DEVICE: Final = frozenset({0, 3})  # sources device and simulated
_VISIBLE_HEAD: Final = 16
"""Bytes of a head that travel; a table may keep these or all thirty-two."""
_BUSY_S: Final = 5.0


class Identity(NamedTuple):
    """What tells one entry from all others, for ever: where it was first written."""

    unit: str
    epoch: str
    stream: str
    seq: int


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One row of the centre's table ``entries``."""

    unit: str
    epoch: str
    stream: str
    seq: int
    kind: int
    leaf: bytes
    head: bytes
    payload: bytes

    @property
    def fields(self) -> Mapping[int, Any]:
        return cbor2.loads(self.payload)  # type: ignore[no-any-return]  # a map by the wire's definition

    @property
    def identity(self) -> Identity:
        """Its first identity: the origin's where it was written again in another epoch."""
        origin = self.fields.get(_ORIGIN)
        if origin is None:
            return Identity(self.unit, self.epoch, self.stream, self.seq)
        epoch, stream, seq = origin
        return Identity(self.unit, epoch.hex(), STREAMS[stream], seq)


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What the oracle found.

    Attributes:
        captured: distinct identities that the socket called saved.
        received: distinct identities in the centre's tables.
        lost: captured and not received.
        unknown: received and never called saved: somebody else's, or a saying that was not recorded.
        duplicates: rows beyond the first that say the same request, or the same device record, again.
        conflicts: identities with more than one content, and the conflicts the centre noted itself.
        chain_break: the first entry that does not fit the chain, in words; None when every one does.
    """

    captured: int
    received: int
    lost: frozenset[Identity]
    unknown: frozenset[Identity]
    duplicates: int
    conflicts: int
    chain_break: str | None

    @property
    def complete(self) -> bool:
        return not self.lost and self.captured == self.received


def captured(recorder_log: Path) -> set[Identity]:
    """The distinct identities of the counted streams in the recorder's log; a torn last line counts not."""
    found: set[Identity] = set()
    for line in recorder_log.read_text().splitlines():
        try:
            said = json.loads(line)
        except ValueError:
            continue
        found.update(Identity(*identity) for identity in said["saved"])
    return {identity for identity in found if identity.stream in COUNTED}


class Centre:
    """The centre's database, read and never written, whatever else is going on there.

    Args:
        database: ``central.db``; it may be in use.
    """

    def __init__(self, database: Path) -> None:
        self._uri = f"{database.resolve().as_uri()}?mode=ro"

    def _read(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        connection = dbapi2.connect(  # pyright: ignore[reportAttributeAccessIssue]  # it ships no types
            self._uri, uri=True, timeout=_BUSY_S
        )
        try:
            return list(connection.execute(statement, parameters).fetchall())
        finally:
            connection.close()

    def rows(self) -> list[Row]:
        """Every entry, in the order of its stream."""
        found = self._read(
            "SELECT unit, epoch, stream, seq, kind, leaf, head, payload FROM entries"
            " ORDER BY unit, epoch, stream, seq"
        )
        return [Row(*row) for row in found]

    def holds(self, unit: str, epoch: str, stream: str, through: int) -> bool:
        """Whether every entry of a stream up to ``through`` is among its rows: what *received* claims."""
        counted = self._read(
            "SELECT count(DISTINCT seq) FROM entries WHERE unit = ? AND epoch = ? AND stream = ?"
            " AND seq BETWEEN 1 AND ?",
            (unit, epoch, stream, through),
        )
        return int(counted[0][0]) == through

    def landed(self, unit: str, epoch: str, stream: str, through: int) -> bool:
        """Whether sealed batches cover a stream up to ``through``: what *arrived* claims."""
        batches = self._read(
            "SELECT first, last FROM landing WHERE unit = ? AND epoch = ? AND stream = ? ORDER BY first",
            (unit, epoch, stream),
        )
        covered = 0
        for first, last in batches:
            if first > covered + 1:
                break
            covered = max(covered, last)
        return covered >= through

    def batches(self) -> int:
        """How many sealed batches have landed; only the collector adds to them."""
        return int(self._read("SELECT count(*) FROM landing")[0][0])

    def noted_conflicts(self) -> int:
        """How many conflicts the centre itself has noted."""
        return int(self._read("SELECT count(*) FROM conflicts")[0][0])

    def values(self) -> dict[str, dict[str, list[Decimal]]]:
        """What its tables show of each person: identifier, then code, then each number stored.

        A reading of the tray counts for the person it was assigned to.
        """
        found: dict[str, dict[str, list[Decimal]]] = {}
        rows = self._read(
            "SELECT DISTINCT i.value, o.unit, o.epoch, o.seq, o.code, o.value FROM observations AS o"
            " JOIN entries AS e ON e.unit = o.unit AND e.epoch = o.epoch AND e.stream = 'vitals'"
            " AND e.seq = o.seq AND e.leaf = o.leaf"
            " LEFT JOIN assignments AS a ON a.unit = o.unit"
            " AND a.assigned_epoch = coalesce(e.origin_epoch, o.epoch)"
            " AND a.assigned = coalesce(e.origin_seq, o.seq)"
            " JOIN identifiers AS i ON i.patient = coalesce(o.patient, a.patient)"
            " WHERE o.value IS NOT NULL ORDER BY o.epoch, o.seq"
        )
        for identifier, _unit, _epoch, _seq, code, value in rows:
            found.setdefault(identifier, {}).setdefault(code, []).append(Decimal(value))
        return found

    def everything(self) -> Iterator[tuple[str, bytes]]:
        """All that its tables hold, as (table, content); for the scanner's control."""
        tables = self._read("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
        for (table,) in tables:
            quoted = '"' + str(table).replace('"', '""') + '"'
            cells = (cell for row in self._read(f"SELECT * FROM {quoted}") for cell in row)  # noqa: S608  a name out of the schema, quoted
            texts = (cell if isinstance(cell, bytes) else str(cell).encode() for cell in cells)
            yield str(table), b"\x00".join(texts)


def judge(recorder_log: Path, centre: Centre, *, realm: str) -> Verdict:
    """Count and compare; see `Verdict`."""
    rows = centre.rows()
    said = captured(recorder_log)
    there = {row.identity for row in rows if row.stream in COUNTED}
    return Verdict(
        captured=len(said),
        received=len(there),
        lost=frozenset(said - there),
        unknown=frozenset(there - said),
        duplicates=duplicates(rows),
        conflicts=conflicts(rows) + centre.noted_conflicts(),
        chain_break=chain_break(rows, realm),
    )


def duplicates(rows: Iterable[Row]) -> int:
    """Rows beyond the first with one request, or one device record, for the same thing.

    One request may write several entries (four values typed together), and one record of a device
    several values; each of them once. So the same thing is: request, stream, kind and code; or device
    record and code. A row that is both at once counts once. Rows that stand for one identity (a
    conflict, or an entry written again with its origin) are not counted here.
    """
    once = {row.identity: row for row in rows}
    seen: set[tuple[object, ...]] = set()
    count = 0
    for row in once.values():
        fields = row.fields
        code = fields.get(_CODE)
        marks: list[tuple[object, ...]] = []
        if (request := fields.get(_REQUEST)) is not None:
            marks.append((row.unit, "request", request, row.stream, row.kind, code))
        if (record := _device_record(row.kind, fields)) is not None:
            marks.append((row.unit, "record", *record, code))
        count += any(mark in seen for mark in marks)
        seen.update(marks)
    return count


def _device_record(kind: int, fields: Mapping[int, Any]) -> tuple[object, ...] | None:
    """What identifies the moment of a device's own measurement, if one made this entry."""
    if kind != _OBSERVATION:
        return None
    if (record := fields.get(_DEVICE_RECORD)) is not None:
        return (record,)
    if fields.get(_SOURCE) not in _FROM_A_DEVICE:
        return None
    return (fields.get(_DEVICE), fields.get(_BOOT), fields.get(_MONOTONIC_MS))


def conflicts(rows: Iterable[Row]) -> int:
    """Identities for which the table holds more than one content."""
    leaves: dict[tuple[str, str, str, int], set[bytes]] = {}
    for row in rows:
        leaves.setdefault((row.unit, row.epoch, row.stream, row.seq), set()).add(row.leaf)
    return sum(len(found) > 1 for found in leaves.values())


class _Broken(Exception):
    """The chain does not hold; the words say where."""


def chain_break(rows: Sequence[Row], realm: str) -> str | None:
    """Hash everything again, from the realm and the unit's name up to each stream's last head.

    Returns:
        The first entry that is missing, or whose leaf or head is not what its content demands;
        None when all fit.
    """
    chains: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        chains.setdefault((row.unit, row.epoch, row.stream), []).append(row)
    try:
        secrets = _secrets(rows)
        for chain in chains.values():
            _follow(chain, secrets, realm)
    except _Broken as broken:
        return str(broken)
    return None


def _secrets(rows: Iterable[Row]) -> dict[tuple[str, object], bytes]:
    """S_p of every patient and S_0 of every stream of an epoch, by unit and owner."""
    secrets: dict[tuple[str, object], bytes] = {}
    for row in rows:
        secret = row.fields.get(_SALT)
        if secret is not None and secrets.setdefault(_owner(row), secret) != secret:
            raise _Broken(f"{_place(row)}: a second secret for one owner")
    return secrets


def _owner(row: Row) -> tuple[str, object]:
    """Under whose secret a row is salted: its patient's, else its own stream's."""
    return row.unit, row.fields.get(_PATIENT, (row.epoch, row.stream))


def _follow(chain: Iterable[Row], secrets: Mapping[tuple[str, object], bytes], realm: str) -> None:
    """Recompute leaf and head of each row of one stream of one epoch, which must be dense from 1."""
    head = b""
    for seq, row in enumerate(chain, start=1):
        epoch, stream = bytes.fromhex(row.epoch), bytes([STREAMS.index(row.stream)])
        head = head or hashlib.sha256(b"epoch" + realm.encode() + row.unit.encode() + epoch + stream).digest()
        if row.seq != seq:
            raise _Broken(f"{_place(row)}: {seq} was expected here")
        if seq == 1 and row.kind != _GENESIS:
            raise _Broken(f"{_place(row)}: the stream does not begin with a genesis")
        if (secret := secrets.get(_owner(row))) is None:
            raise _Broken(f"{_place(row)}: the secret it is salted under has not come")
        position = stream + seq.to_bytes(8)
        salt = hmac.digest(secret, epoch + position, "sha256")
        leaf = hashlib.sha256(b"leaf" + salt + row.payload).digest()
        if leaf != row.leaf:
            raise _Broken(f"{_place(row)}: its leaf does not fit its content")
        head = hashlib.sha256(b"head" + head + position + bytes([row.kind]) + leaf).digest()
        if len(row.head) < _VISIBLE_HEAD or head[: len(row.head)] != row.head:
            raise _Broken(f"{_place(row)}: its head does not follow from the one before")


def _place(row: Row) -> str:
    return f"{row.unit} {row.epoch} {row.stream} {row.seq}"
