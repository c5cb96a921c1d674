"""Open one landed batch and hold it against its chain: signature, key, contents, leaves, heads.

Pure: what is known of the journal comes in, what the batch adds comes out. A batch that cannot be
opened now says whether it waits for something or is refused.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import cbor2

from edge.audit import chain
from edge.audit.chain import SALT_BYTES, VISIBLE_HEAD_BYTES
from edge.records.fields import Field
from sync.central.readers import Fields
from sync.central.rows import OpenedEntry
from sync.central.spans import Journal
from sync.wire import batches
from sync.wire.batches import SignedBatch, WireEntry
from sync.wire.errors import EnvelopeRefused

NO_PATIENT: Final = b""
"""Under which the epoch's own secret S_0 is kept."""


class Waits(Exception):
    """Something that this batch needs is not there yet: earlier entries, a patient's secret."""


class Refused(Exception):
    """This batch cannot be opened as it is; the unit seals the range again.

    Attributes:
        reason: ``key``, ``decode``, ``head`` or ``schema``, as a nack says it.
    """

    def __init__(self, reason: str, code: str) -> None:
        super().__init__(code)
        self.reason = reason
        self.code = code


@dataclasses.dataclass(frozen=True, slots=True)
class Known:
    """What is known of a journal around a batch.

    Attributes:
        heads_before: the heads after the entry before the batch: one for each branch, none when that
            entry has not come.
        secret_of: S_p of a patient of the epoch, or S_0 for `NO_PATIENT`; None when it has not come.
    """

    heads_before: tuple[bytes, ...]
    secret_of: Callable[[bytes], bytes | None]


@dataclasses.dataclass(frozen=True, slots=True)
class OpenedBatch:
    """A batch whose entries lead from a known head to the head that its unit signed.

    Attributes:
        head_before: which of the known heads it leads from.
        secrets: what its entries brought.
    """

    head_before: bytes
    entries: tuple[OpenedEntry, ...]
    secrets: Mapping[bytes, bytes]


def open_batch(journal: Journal, signed: SignedBatch, session_key: bytes, known: Known) -> OpenedBatch:
    """Open, then hash again from a known head to the signed one.

    Raises:
        Waits: for the entry before it, or for the secret of a patient.
        Refused: it does not open, is not in the accepted form, or leads to another head.
    """
    if not known.heads_before:
        raise Waits
    try:
        wire_entries = batches.open_batch(signed, session_key)
    except EnvelopeRefused as refused:
        raise Refused(
            refused.refusal if refused.refusal in {"key", "schema"} else "decode", refused.refusal
        ) from None
    brought: dict[bytes, bytes] = {}
    leaves = list(_leaves(journal, wire_entries, known.secret_of, brought))
    for head_before in known.heads_before:
        entries = tuple(_chained(journal, head_before, leaves))
        if entries[-1].head[:VISIBLE_HEAD_BYTES] == signed.header.head:
            return OpenedBatch(head_before, entries, brought)
    raise Refused("head", "head")


def _leaves(
    journal: Journal,
    wire_entries: list[WireEntry],
    secret_of: Callable[[bytes], bytes | None],
    brought: dict[bytes, bytes],
) -> Iterator[tuple[WireEntry, Fields, bytes]]:
    epoch, stream = bytes.fromhex(journal.epoch), journal.stream_number
    secrets: dict[bytes, bytes] = {}
    for entry in wire_entries:
        if not 0 <= entry.kind <= 255:
            raise Refused("decode", "kind")
        fields = _fields(entry.payload)
        patient, secret = fields.get(Field.PATIENT, NO_PATIENT), fields.get(Field.SALT)
        if not isinstance(patient, bytes):
            raise Refused("decode", "patient")
        if secret is None:
            secret = secrets.get(patient) or secret_of(patient)
            if secret is None:
                raise Waits
        elif not isinstance(secret, bytes) or len(secret) != SALT_BYTES:
            raise Refused("decode", "salt")
        else:
            brought.setdefault(patient, secret)
        secrets[patient] = secret
        yield entry, fields, chain.leaf(secret, epoch, stream, entry.seq, entry.payload)


def _chained(
    journal: Journal, head: bytes, leaves: list[tuple[WireEntry, Fields, bytes]]
) -> Iterator[OpenedEntry]:
    stream = journal.stream_number
    for entry, fields, leaf in leaves:
        head = chain.next_head(head, stream, entry.seq, entry.kind, leaf)
        yield OpenedEntry(
            *(entry.seq, entry.kind, entry.payload, fields, leaf, head), named=entry.named, data=entry.data
        )


def _fields(payload: bytes) -> Fields:
    # sync.wire has just checked or written these bytes; a second strict pass would double the cost.
    value = cbor2.loads(payload)
    if not isinstance(value, dict) or not all(isinstance(key, int) for key in value):
        raise Refused("decode", "payload")
    return value
