"""What the centre says to units: kept until they say that it came, sealed anew for each epoch of theirs.

Whoever has something to say puts it here (`put`), with the use whose key signs it. It is sealed to the unit's
present epoch as soon as that is known and the key is at hand (`seal_due`), lies at the broker, retained,
under a number of its own (`outgoing`), and is taken back once the unit has said that it came. A unit that
went back in time has perhaps lost it again: what its present history does not hold is sealed again, under the
same identity.
"""

import json
import os
import uuid
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from edge import cbor
from edge.cbor import Value
from edge.errors import QafilaError
from edge.records.fields import Stream
from edge.records.uuid7 import RANDOM_BYTES, uuid7
from sync.central import database
from sync.central.database import Connection
from sync.wire import down, keys
from sync.wire.down import DownContent, DownHeader
from sync.wire.keyset import Keyset, Use

_OVER: Final = """
UPDATE outbox_sealed SET state = 'over', raw = x'' WHERE state = 'sent' AND (
    NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.message = outbox_sealed.message
        AND outbox.epoch = outbox_sealed.epoch)
    OR EXISTS (SELECT 1 FROM down_news WHERE down_news.message = outbox_sealed.message
        AND down_news.unit = outbox_sealed.unit AND down_news.epoch = outbox_sealed.epoch
        AND down_news.event = 'received'))
"""
"""The unit has it, or has left the epoch it was for, or it was erased."""


class NotSent(QafilaError):
    """Nothing was put into the outbox."""

    code: ClassVar[str] = "not-sent"


def put(
    connection: Connection,
    unit: str,
    use: Use,
    kind: str,
    body: Sequence[Value],
    *,
    now_ms: int,
    by: str = "",
    patient: str | None = None,
    request: str | None = None,
) -> uuid.UUID:
    """Have something said to a unit, in the caller's transaction; its identity.

    Args:
        connection: inside `database.write`.
        unit: to whom.
        use: whose key signs it; the unit believes this kind from no other.
        kind: what it is.
        body: what stands behind the kind.
        now_ms: when it is said.
        by: who says it.
        patient: whom it is about, in hex; it goes when they are erased.
        request: to which request it belongs, in hex.

    Raises:
        NotSent: the unit is not enrolled.
        EnvelopeRefused: it is too large for a message.
    """
    assert use in down.USES  # noqa: S101  the caller is ours
    if connection.execute("SELECT 1 FROM units WHERE unit = ?", (unit,)).fetchone() is None:
        raise NotSent(
            f"No unit {unit} is enrolled here.", next_step="see qafila central units.", code="unit-unknown"
        )
    message = uuid7(now_ms, os.urandom(RANDOM_BYTES))
    connection.execute(
        "INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
        (
            *(message.hex, unit, use.value, kind, patient, request, by, now_ms),
            down.payload_of(kind, list(body)),
        ),
    )
    return message


def seal_due(
    connection: Connection,
    keyset: Keyset,
    privates: Mapping[Use, bytes],
    now_ms: int,
    unit: str | None = None,
) -> int:
    """Seal what its unit's present epoch lacks; how many messages.

    What cannot be sealed yet waits: nothing of the unit was opened, or the key of the use is elsewhere.

    Args:
        connection: outside of any transaction.
        keyset: names the keys.
        privates: the keys at hand, by use.
        now_ms: the time.
        unit: only for this one.
    """
    rows = connection.execute("SELECT DISTINCT unit FROM outbox ORDER BY unit").fetchall()
    return sum(
        _seal_for(connection, name, keyset, privates, now_ms) for (name,) in rows if unit in {None, name}
    )


def outgoing(connection: Connection) -> list[tuple[str, int, bytes]]:
    """What is to lie at the broker: unit, number, message; an empty one takes back what lay there."""
    if connection.execute("SELECT 1 FROM outbox_sealed WHERE state = 'sent' LIMIT 1").fetchone():
        connection.execute(_OVER)
    return list(
        connection.execute(
            "SELECT unit, dseq, raw FROM outbox_sealed WHERE state <> 'done' ORDER BY unit, dseq"
        ).fetchall()
    )


def for_stick(connection: Connection, unit: str) -> list[bytes]:
    """What a courier takes along to a unit."""
    connection.execute(_OVER)
    rows = connection.execute(
        "SELECT raw FROM outbox_sealed WHERE unit = ? AND state = 'sent' ORDER BY dseq", (unit,)
    ).fetchall()
    return [raw for (raw,) in rows]


def taken_back(connection: Connection, sent: Sequence[tuple[str, int]]) -> None:
    """The broker has taken the empty ones of these."""
    connection.executemany(
        "UPDATE outbox_sealed SET state = 'done' WHERE unit = ? AND dseq = ? AND state = 'over'", sent
    )


def text_of(payload: bytes) -> str | None:
    """The words of what a person reads: whatever ends in who says it and a text."""
    match cbor.decode(payload):
        case ["reply" | "accept" | "decline" | "message", _, str(), str(text), *_]:
            return text
        case _:
            return None


# ── inside ───────────────────────────────────────────────────────────────────────────────────────


def _seal_for(
    connection: Connection, unit: str, keyset: Keyset, privates: Mapping[Use, bytes], now_ms: int
) -> int:
    epoch = present_epoch(connection, unit)
    if epoch is None:
        return 0
    _forget_unbelieved(connection, unit, keyset)
    if not _due(connection, unit, epoch):
        return 0
    sealed = 0
    with database.write(connection, [unit]):
        for message, use in _due(connection, unit, epoch):  # again: another process may have sealed meanwhile
            if _is_there(connection, unit, epoch, message):
                connection.execute("UPDATE outbox SET epoch = ? WHERE message = ?", (epoch, message))
            elif use in privates:
                _seal(connection, unit, epoch, message, keyset, privates[use], now_ms)
                sealed += 1
    return sealed


def _due(connection: Connection, unit: str, epoch: str) -> list[tuple[str, Use]]:
    rows = connection.execute(
        "SELECT message, use FROM outbox WHERE unit = ? AND (epoch IS NULL OR epoch <> ?) ORDER BY message",
        (unit, epoch),
    ).fetchall()
    return [(message, Use(use)) for message, use in rows]


def _forget_unbelieved(connection: Connection, unit: str, keyset: Keyset) -> None:
    """What a key has signed that the keyset names no more is to be signed anew."""
    rows = connection.execute(
        "SELECT DISTINCT kid FROM outbox_sealed WHERE unit = ? AND state = 'sent'", (unit,)
    ).fetchall()
    gone = [kid for (kid,) in rows if not any(keyset.find(bytes(kid), use) for use in down.USES)]
    for kid in gone:
        connection.execute(
            "UPDATE outbox SET epoch = NULL WHERE message IN"
            " (SELECT message FROM outbox_sealed WHERE unit = ? AND kid = ? AND state = 'sent')",
            (unit, kid),
        )


def _seal(
    connection: Connection, unit: str, epoch: str, message: str, keyset: Keyset, private: bytes, now_ms: int
) -> None:
    use, kind, made_ms, payload = connection.execute(
        "SELECT use, kind, made_ms, payload FROM outbox WHERE message = ?", (message,)
    ).fetchone()
    (recv_public,) = connection.execute("SELECT recv_public FROM units WHERE unit = ?", (unit,)).fetchone()
    (last,) = connection.execute(
        "SELECT coalesce(max(dseq), 0) FROM outbox_sealed WHERE unit = ?", (unit,)
    ).fetchone()
    header = DownHeader(unit, bytes.fromhex(epoch), Use(use), last + 1, keyset.version)
    content = DownContent(bytes.fromhex(message), made_ms, kind, bytes(payload))
    raw = down.seal(header, content, recv_public=bytes(recv_public), private=private, realm=keyset.realm)
    connection.execute(
        "UPDATE outbox_sealed SET state = 'over', raw = x'' WHERE message = ? AND state = 'sent'", (message,)
    )
    connection.execute(
        "INSERT INTO outbox_sealed VALUES (?, ?, ?, ?, ?, 'sent', ?, ?)",
        (unit, last + 1, message, epoch, keys.kid(keys.signing_public(private)), now_ms, raw),
    )
    connection.execute("UPDATE outbox SET epoch = ? WHERE message = ?", (epoch, message))


def present_epoch(connection: Connection, unit: str) -> str | None:
    """The epoch in which a unit writes now, as far as is known here; of two branches the later one."""
    row = connection.execute(
        "SELECT chains.epoch, coalesce(max(lineage.began_ms), 0) AS began FROM chains"
        " LEFT JOIN lineage ON lineage.unit = chains.unit AND lineage.epoch = chains.epoch"
        " WHERE chains.unit = ? AND chains.epoch NOT IN (SELECT parent FROM lineage WHERE unit = ?)"
        " GROUP BY chains.epoch ORDER BY began DESC, chains.epoch LIMIT 1",
        (unit, unit),
    ).fetchone()
    return None if row is None else str(row[0])


def _is_there(connection: Connection, unit: str, epoch: str, message: str) -> bool:
    """Whether a unit's present history holds that this message came."""
    rows = connection.execute(
        "SELECT epoch, stream, seq FROM down_news WHERE unit = ? AND message = ? AND event = 'received'",
        (unit, message),
    ).fetchall()
    if not rows:
        return False
    reach = _history(connection, unit, epoch)
    for at, stream, seq in rows:
        matched = reach.get(at)
        if matched is not None and (not matched or seq <= matched[Stream[stream.upper()]]):
            return True
        again = connection.execute(
            "SELECT 1 FROM entries WHERE unit = ? AND epoch = ? AND origin_epoch = ? AND origin_stream = ?"
            " AND origin_seq = ?",
            (unit, epoch, at, stream, seq),
        ).fetchone()
        if again is not None:
            return True
    return False


def _history(connection: Connection, unit: str, epoch: str) -> dict[str, Sequence[int]]:
    """Up to where each earlier epoch is the history of this one; all of itself is, by an empty list."""
    reach: dict[str, Sequence[int]] = {epoch: ()}
    at: str | None = epoch
    while at is not None:
        row = connection.execute(
            "SELECT parent, matched FROM lineage WHERE unit = ? AND epoch = ?", (unit, at)
        ).fetchone()
        at = None
        if row is not None and row[0] not in reach:
            at = str(row[0])
            reach[at] = json.loads(row[1])
    return reach
