"""Open one landed batch and hold it against its chain: signature, key, contents, leaves, heads.

Pure: what is known of the journal comes in, what the batch adds comes out. A batch that cannot be
opened now says whether it waits for something or is refused.
"""

import dataclasses
import itertools
from collections.abc import Callable, Mapping
from typing import Final

from edge.audit import chain
from edge.audit.chain import SALT_BYTES, VISIBLE_HEAD_BYTES, Salter
from edge.records.fields import Field
from sync.central.rows import OpenedEntry
from sync.central.spans import Journal
from sync.wire import batches
from sync.wire.batches import Contents, SignedBatch
from sync.wire.errors import EnvelopeRefused

NO_PATIENT: Final = b""
"""Under which the epoch's own secret S_0 is kept."""
_PATIENT, _SALT = int(Field.PATIENT), int(Field.SALT)


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
        contents = batches.open_contents(signed, session_key)
    except EnvelopeRefused as refused:
        raise Refused(
            refused.refusal if refused.refusal in {"key", "schema"} else "decode", refused.refusal
        ) from None
    first, (kinds, payloads, fields), named, data = contents
    brought: dict[bytes, bytes] = {}
    leaves = _leaves(journal, contents, known.secret_of, brought)
    for head_before in known.heads_before:
        heads = chain.heads(head_before, journal.stream_number, first, kinds, leaves)
        if heads[-1][:VISIBLE_HEAD_BYTES] == signed.header.head:
            entries = map(
                OpenedEntry, itertools.count(first), kinds, payloads, fields, leaves, heads, named, data
            )
            return OpenedBatch(head_before, tuple(entries), brought)
    raise Refused("head", "head")


def _leaves(
    journal: Journal,
    contents: Contents,
    secret_of: Callable[[bytes], bytes | None],
    brought: dict[bytes, bytes],
) -> list[bytes]:
    epoch, stream = bytes.fromhex(journal.epoch), journal.stream_number
    salters: dict[bytes, Salter] = {}
    leaves: list[bytes] = []
    _, payloads, all_fields = contents.columns
    for seq, (payload, fields) in enumerate(zip(payloads, all_fields, strict=True), contents.first):
        patient, secret = fields.get(_PATIENT, NO_PATIENT), fields.get(_SALT)
        if not isinstance(patient, bytes):
            raise Refused("decode", "patient")
        salter = salters.get(patient)
        if secret is not None:
            if not isinstance(secret, bytes) or len(secret) != SALT_BYTES:
                raise Refused("decode", "salt")
            brought.setdefault(patient, secret)
        elif salter is None:
            secret = secret_of(patient)
            if secret is None:
                raise Waits
        if salter is None or (secret is not None and secret != salter.secret):
            assert secret is not None  # noqa: S101  it was just found
            salter = salters[patient] = Salter(secret, epoch, stream)
        leaves.append(salter.leaf(seq, payload))
    return leaves
