"""The end of a unit, as it has signed it: held against what was received; it is believed no further."""

import dataclasses
import json
from typing import Any, ClassVar

from edge.audit.chain import VISIBLE_HEAD_BYTES
from edge.clock import Clock
from edge.errors import QafilaError
from edge.records.fields import Stream
from sync.central import database, renewing, revoking
from sync.central.home import CentreHome
from sync.central.revoking import State
from sync.wire import retirement
from sync.wire.errors import EnvelopeRefused
from sync.wire.retirement import Retirement


class RetirementRefused(QafilaError):
    """The statement is not taken; nothing was changed."""

    code: ClassVar[str] = "retirement-refused"


@dataclasses.dataclass(frozen=True, slots=True)
class Retired:
    """What became of it.

    Attributes:
        ends: for each stream its word, up to where the unit signed, and up to where it was received here.
        given_up: entries that are not here and never will be.
        connection: whether its right to connect was taken away.
    """

    unit: str
    reason: str
    by: str
    ends: tuple[tuple[str, int, int], ...]
    given_up: int
    connection: bool

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def retire(home: CentreHome, raw: bytes, *, by: str, clock: Clock) -> Retired:
    """Take a unit's last word: revoke it up to there, and end its right to connect when all is here.

    The same statement may be brought again: what came meanwhile is counted then.

    Raises:
        RetirementRefused: it is no such statement, or contradicts what was received.
        NotRevoked: the unit is compromised, or nobody is named.
        CentreError, CentreDatabaseError: the centre cannot be used.
    """
    settings = home.read_settings()
    connection = database.connect(home.database)
    try:
        said = _read(connection, raw, settings.realm)
        received = _received(connection, said)
        known = connection.execute("SELECT state FROM revocations WHERE unit = ?", (said.unit,)).fetchone()
        given_up = sum(max(0, end.tip - received[stream]) for stream, end in said.ends.items())
        if given_up and known is None:
            with database.write(connection):
                told = json.dumps({"by": by, "entries": given_up})
                database.raise_alarm(connection, "unit-given-up", said.unit, told, clock.now().wall_ms)
    finally:
        connection.close()
    if known is None or known[0] != State.RETIRED:
        tips = {(said.epoch.hex(), stream.word): end.tip for stream, end in said.ends.items()}
        revoking.revoke(home, said.unit, State.RETIRED, said.reason, by=by, clock=clock, tips=tips)
    if not given_up:
        renewing.revoke(home, said.unit, clock)
    ends = tuple((stream.word, end.tip, received[stream]) for stream, end in said.ends.items())
    return Retired(said.unit, said.reason, said.by, ends, given_up, not given_up)


def _read(connection: database.Connection, raw: bytes, realm: str) -> Retirement:
    try:
        unit = retirement.unchecked(raw).unit
        row = connection.execute("SELECT sign_public FROM units WHERE unit = ?", (unit,)).fetchone()
        if row is None:
            raise RetirementRefused(
                f"No unit {unit} is enrolled here.",
                next_step="see `qafila central units`.",
                code="unit-unknown",
            )
        return retirement.read(raw, bytes(row[0]), realm)
    except EnvelopeRefused as refused:
        raise RetirementRefused(
            "The file is no statement that a unit of this centre has signed.",
            next_step="write it again on the unit with the same `qafila unit retire`.",
            code=f"retirement-{refused.refusal}",
        ) from refused


def _received(connection: database.Connection, said: Retirement) -> dict[Stream, int]:
    """Up to where each stream is opened here, where that agrees with what the unit has signed."""
    found: dict[Stream, int] = {}
    for stream, end in said.ends.items():
        row = connection.execute(
            "SELECT through, head FROM chains WHERE unit = ? AND epoch = ? AND stream = ?",
            (said.unit, said.epoch.hex(), stream.word),
        ).fetchone()
        through, head = (0, b"") if row is None else (int(row[0]), bytes(row[1]))
        if through > end.tip or (through == end.tip and through and head[:VISIBLE_HEAD_BYTES] != end.head):
            raise RetirementRefused(
                f"What {said.unit} signed as its end is not what was received of it: its store was copied.",
                next_step=f"see `qafila central units`; revoke it with `qafila central revoke {said.unit}"
                " --compromised` if the copy is in other hands.",
                code="retirement-contradicts",
            )
        found[stream] = through
    return found
