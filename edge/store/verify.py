"""Checking the journal: entry against leaf, leaf against chain, chain against tip, samples against entry."""

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final, Protocol

from edge import cbor
from edge.audit import chain
from edge.records.fields import Field, Stream
from edge.store import sqlite
from edge.store.base import Whose
from edge.store.beside import WITH_BYTES, is_gone, is_whole
from edge.store.gone import Gone, look_for_gone
from edge.store.sqlite import Row

_REPORT_EVERY: Final = 10_000
_FAR: Final = 100_000
"""How far from its place a moved entry is looked for."""
_SAMPLE: Final = 16
_MOST_KEYED: Final = 1024
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))
"""The two pads of HMAC (RFC 2104)."""

_sha256: Final = hashlib.sha256
_KIND_BYTES: Final = tuple(bytes([kind]) for kind in range(256))
_NOTHING: Final = Gone()

_ROWS: Final = (
    "SELECT seq, kind, patient, payload, leaf, head FROM journal WHERE epoch = ? AND stream = ? ORDER BY seq"
)
_TOP: Final = "SELECT max(seq) FROM journal WHERE epoch = ? AND stream = ?"
_REST: Final = (
    "SELECT seq, kind, patient, payload, leaf, head FROM journal"
    " WHERE epoch = ? AND stream = ? AND seq >= ? ORDER BY seq LIMIT 16"
)


class Damage(StrEnum):
    """What happened to the first entry that does not fit."""

    EDITED = "edited"
    REMOVED = "removed"
    REORDERED = "reordered"
    TRUNCATED = "truncated"
    ADDED = "added"
    SAMPLES = "samples"
    """The entry fits; samples or a part of a file, for which it stands, were changed or taken away."""
    UNREADABLE = "unreadable"
    """A page does not read back as it was written: no person's doing."""
    ROLLED_BACK = "rolled-back"
    """The store is whole in itself and an old copy: the spool holds what it never had."""


@dataclasses.dataclass(frozen=True, slots=True)
class VerifyResult:
    """What verifying found.

    Attributes:
        entries: how many entries of each stream were looked at, over all epochs.
        first_bad: stream and number of the first entry that does not fit, in order of epoch and stream.
        epoch: the epoch of that entry.
        damage: what happened to it, as far as can be known from here: who holds the key can also
            compute a new chain, which only the centre's signed heads show.
    """

    entries: dict[Stream, int]
    first_bad: tuple[Stream, int] | None = None
    epoch: bytes | None = None
    damage: Damage | None = None

    @property
    def valid(self) -> bool:
        return self.first_bad is None


class _Hash(Protocol):
    """What `hashlib.sha256` makes; its own type has no public name."""

    def copy(self) -> "_Hash": ...
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


@dataclasses.dataclass(frozen=True, slots=True)
class _Walked:
    """How far a stream fits.

    Attributes:
        through: the last entry that fits, and ``head`` the one after it.
        bad: the entry that does not, or None; with ``samples`` it is what stands beside it that does not.
    """

    through: int
    head: bytes
    bad: int | None = None
    samples: bool = False


class _Span:
    """One stream of one epoch, with what is needed to check its entries.

    Does what `edge.audit.chain` does, at half the cost: an HMAC whose key is hashed once per patient
    instead of once per entry. A test holds that both agree.
    """

    def __init__(
        self, epoch: bytes, stream: Stream, secrets: Mapping[bytes | None, bytes], gone: Gone = _NOTHING
    ) -> None:
        self.epoch = epoch
        self.stream = stream
        self._stream = bytes([stream])
        self._prefix = epoch + self._stream
        self._secrets = secrets
        self._gone = gone
        self._keyed: dict[bytes | None, tuple[_Hash, _Hash]] = {}

    def fits(self, seq: int, row: Row) -> bool:
        """Whether a row's payload and leaf belong together at ``seq``."""
        _, _, patient, payload, leaf, _ = row
        if payload is None:
            return self._gone.payload(seq)
        keyed = self._keyed.get(patient) or self._key(patient)
        if keyed is None:
            return False
        inner, outer = keyed[0].copy(), keyed[1].copy()
        inner.update(seq.to_bytes(8))
        outer.update(inner.digest())
        return bool(_sha256(b"leaf" + outer.digest() + payload).digest() == leaf)

    def walk(
        self,
        rows: Iterable[Row],
        head: bytes,
        whole: Callable[[int, int, bytes | None], bool],
        progress: Callable[[int], None],
    ) -> _Walked:
        """Follow rows from ``head`` up to the first that does not fit.

        It does what `fits` does once more, in one place: calls cost nearly as much as the hashes.

        Args:
            rows: from the first of the stream on.
            head: before them.
            whole: whether what stands beside an entry of such a kind fits it.
            progress: told now and then how many fitted.
        """
        keyed, stream, gone, kinds, join = self._keyed, self._stream, self._gone, _KIND_BYTES, b"".join
        begin_link, begin_leaf = _sha256(b"head").copy, _sha256(b"leaf").copy
        seq, samples = 0, False
        for seq, (stands, kind, patient, payload, leaf, own) in enumerate(rows, 1):
            if stands != seq or not 0 <= kind < len(kinds):
                break
            number = seq.to_bytes(8)
            hashed = begin_link()
            hashed.update(join((head, stream, number, kinds[kind], leaf)))
            if hashed.digest() != own:
                break
            if payload is None:
                if not gone.payload(seq):
                    break
            else:
                pair = keyed.get(patient) or self._key(patient)
                if pair is None:
                    break
                inner, outer, hashed = pair[0].copy(), pair[1].copy(), begin_leaf()
                inner.update(number)
                outer.update(inner.digest())
                hashed.update(outer.digest() + payload)
                if hashed.digest() != leaf:
                    break
            if kind in WITH_BYTES and not whole(seq, kind, payload):
                samples = True
                break
            head = own
            if seq % _REPORT_EVERY == 0:
                progress(seq)
        else:
            return _Walked(seq, head)
        return _Walked(seq - 1, head, seq, samples=samples)

    def _key(self, patient: bytes | None) -> tuple[_Hash, _Hash] | None:
        secret = self._secrets.get(patient)
        if secret is None:
            return None
        if len(self._keyed) >= _MOST_KEYED:
            self._keyed.clear()
        block = secret.ljust(hashlib.sha256().block_size, b"\x00")
        keyed = _sha256(block.translate(_INNER) + self._prefix), _sha256(block.translate(_OUTER))
        self._keyed[patient] = keyed
        return keyed


def verify(
    connection: sqlite.Connection, whose: Whose, progress: Callable[[int], None] | None
) -> VerifyResult:
    """Walk all streams of all epochs up to the first entry that does not fit.

    An entry without a payload fits where a later entry says that it is purged or erased, and its leaf is
    the one that the chain was made with.

    ``progress`` is told now and then how many entries have been looked at.
    """
    secrets: dict[bytes | None, bytes] = dict(
        connection.execute("SELECT patient, secret FROM patient_chains").fetchall()
    )
    counts = dict.fromkeys(Stream, 0)
    gone = look_for_gone(connection)
    epochs = connection.execute("SELECT number, epoch, secret FROM epochs ORDER BY number").fetchall()
    for number, epoch, own_secret in epochs:
        for stream in Stream:
            missing = gone.get((epoch, stream), _NOTHING)
            span = _Span(epoch, stream, {**secrets, None: own_secret}, missing)
            tip, tip_head = connection.execute(
                "SELECT tip, head FROM streams WHERE epoch = ? AND stream = ?", (number, stream)
            ).fetchone() or (0, b"")
            head = chain.first_head(whose.realm, _unit_of(connection, number, whose), epoch, stream)
            before = sum(counts.values())

            def whole(seq: int, kind: int, payload: bytes | None, missing: Gone = missing) -> bool:
                return _bytes_fit(connection, seq, kind, payload, missing)

            def looked(seq: int, before: int = before) -> None:
                if progress is not None:
                    progress(before + seq)

            walked = span.walk(connection.execute(_ROWS, (number, stream)), head, whole, looked)
            counts[stream] += walked.through
            if walked.samples:
                return VerifyResult(counts, (stream, walked.through + 1), epoch, Damage.SAMPLES)
            if walked.bad is not None:
                rest = connection.execute(_REST, (number, stream, walked.bad)).fetchall()
                [(top,)] = connection.execute(_TOP, (number, stream)).fetchall()
                return VerifyResult(counts, (stream, walked.bad), epoch, _damage(span, walked.bad, rest, top))
            if walked.through != tip or walked.head != tip_head:
                return VerifyResult(counts, *_bad_end(span, walked.through, tip))
    return VerifyResult(counts)


def _bytes_fit(
    connection: sqlite.Connection, seq: int, kind: int, payload: bytes | None, missing: Gone
) -> bool:
    if payload is None or is_whole(connection, kind, payload):
        return True
    return missing.samples(seq) and is_gone(connection, kind, payload)


def _unit_of(connection: sqlite.Connection, epoch: int, whose: Whose) -> str:
    """Whose an epoch is, by its genesis: a store may go on with what another unit wrote."""
    row = connection.execute(
        "SELECT payload FROM journal WHERE epoch = ? AND stream = ? AND seq = 1", (epoch, Stream.ALERT)
    ).fetchone()
    try:
        match None if row is None or row[0] is None else cbor.decode(row[0]):
            case {Field.UNIT.value: str(unit)}:
                return unit
            case _:
                return whose.unit
    except cbor.MalformedCbor:
        return whose.unit


def _damage(span: _Span, seq: int, rows: Sequence[Row], top: int) -> Damage:
    """What happened at ``seq``, from the rows that stand there and behind, up to ``top``."""
    first = rows[0]
    if first[0] != seq:
        return Damage.REMOVED
    if first[3] is None:  # its payload was taken away, and no entry says that it may be missing
        return Damage.EDITED
    if span.fits(seq, first):  # its kind or its head was changed, or the entry before it renumbered
        return Damage.EDITED
    places = range(max(1, seq - _FAR), min(seq + _FAR, top + len(rows) + 1))
    at = next((place for place in places if span.fits(place, first)), None)
    if at is None:
        return Damage.EDITED
    shifted = at > seq and all(span.fits(row[0] + at - seq, row) for row in rows[1:_SAMPLE])
    return Damage.REMOVED if shifted else Damage.REORDERED


def _bad_end(span: _Span, last: int, tip: int) -> tuple[tuple[Stream, int], bytes, Damage]:
    """What to say of a chain that is whole but does not end where its stream says."""
    if last < tip:
        return (span.stream, last + 1), span.epoch, Damage.TRUNCATED
    if last > tip:
        return (span.stream, tip + 1), span.epoch, Damage.ADDED
    return (span.stream, last), span.epoch, Damage.EDITED
