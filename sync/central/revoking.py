"""Units that are not believed as before: retired ones, and ones that are in other hands.

A *retired* unit is taken up to the tips that it has signed, a *compromised* one up to the last head that a
receipt was written for. What it signs beyond that is neither landed nor thrown away: it is held, up to a
quota, until an operator lets a range of it land. Nothing held is receipted, so its unit keeps it too.
"""

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, ClassVar, Final

from edge.clock import Clock
from edge.errors import QafilaError
from edge.records.fields import Stream
from sync.central import database, decisions, spans
from sync.central.database import Connection
from sync.central.home import CentreHome
from sync.central.receipts import ReceiptWriter
from sync.central.spans import Journal
from sync.wire import batches, topics
from sync.wire.batches import BatchHeader
from sync.wire.errors import EnvelopeRefused
from sync.wire.keyset import Use

MOST_HELD: Final = 4096
MOST_HELD_BYTES: Final = 64 * 1024 * 1024
"""So much is held of one unit; beyond it a message is counted and left to its unit."""
MOST_SESSIONS: Final = 64
"""So many key messages are taken from a unit after it was revoked."""
MOST_WORDS: Final = 200
_GROUP: Final = 64


class State(StrEnum):
    """Why a unit is not believed as before."""

    RETIRED = "retired"
    COMPROMISED = "compromised"


class NotRevoked(QafilaError):
    """Nothing was changed."""

    code: ClassVar[str] = "not-revoked"


@dataclasses.dataclass(frozen=True, slots=True)
class Revocation:
    """A revoked unit.

    Attributes:
        through: up to which entry it is taken as before, by epoch and stream.
        held: how many of its messages are held, and how many bytes they are.
    """

    unit: str
    state: State
    reason: str
    given_by: str
    revoked_ms: int
    through: dict[tuple[str, str], int]
    held: int = 0
    held_bytes: int = 0

    def as_json(self) -> dict[str, Any]:
        through = [[epoch, stream, seq] for (epoch, stream), seq in sorted(self.through.items())]
        return {**dataclasses.asdict(self), "state": self.state.value, "through": through}


@dataclasses.dataclass(frozen=True, slots=True)
class Held:
    """A range that is held."""

    unit: str
    epoch: str
    stream: str
    first: int
    last: int
    came_ms: int

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def revoke(
    home: CentreHome,
    unit: str,
    state: State,
    reason: str,
    *,
    by: str,
    clock: Clock,
    tips: Mapping[tuple[str, str], int] | None = None,
) -> Revocation:
    """Believe a unit no further than it has been believed so far.

    A retired unit may become a compromised one. Nothing makes a revoked unit whole again: a box that goes
    on is enrolled under a name of its own. ``tips`` are further ones that a retired unit has signed, by epoch
    and stream.

    Raises:
        NotRevoked: it is not enrolled, is revoked already, or no reason or person is named.
        CentreError, CentreDatabaseError: the centre cannot be used.
    """
    realm = home.read_settings().realm
    _check_words(reason, by)
    now_ms = clock.now().wall_ms
    connection = database.connect(home.database)
    try:
        with decisions.noted(home) as notes, database.write(connection):
            if connection.execute("SELECT 1 FROM units WHERE unit = ?", (unit,)).fetchone() is None:
                raise _unknown(unit)
            known = connection.execute("SELECT state FROM revocations WHERE unit = ?", (unit,)).fetchone()
            if known is not None and (known[0] == state or known[0] == State.COMPROMISED):
                raise NotRevoked(
                    f"{unit} is revoked already, as {known[0]}.",
                    next_step="see what is held of it with `qafila central held`.",
                    code="unit-revoked",
                )
            through = _signed_tips(connection, unit) if state is State.RETIRED else {}
            for place, tip in (tips or {}).items():
                through[place] = max(through.get(place, 0), tip)
            for journal in _journals(connection, unit):
                receipted = spans.state(connection, journal, realm).through
                place = (journal.epoch, journal.stream)
                through[place] = max(through.get(place, 0), receipted)
            done = Revocation(unit, state, reason, by, now_ms, through)
            limits = done.as_json()["through"]
            notes.add(
                decisions.REVOKED, now_ms, unit=unit, state=state.value, reason=reason, by=by, through=limits
            )
            _write(connection, done)
    finally:
        connection.close()
    return done


def decide_again(connection: Connection, decision: Mapping[str, Any]) -> bool:
    """What was decided before the database was put back; False where it knows it, or worse, already."""
    unit, state = decision["unit"], State(decision["state"])
    known = connection.execute("SELECT state, revoked_ms FROM revocations WHERE unit = ?", (unit,)).fetchone()
    if known is not None and (known[0] == State.COMPROMISED or known[1] >= decision["ms"]):
        return False
    through = {(epoch, stream): seq for epoch, stream, seq in decision["through"]}
    _write(connection, Revocation(unit, state, decision["reason"], decision["by"], decision["ms"], through))
    return True


def _write(connection: Connection, done: Revocation) -> None:
    connection.execute("DELETE FROM revoked_at WHERE unit = ?", (done.unit,))
    connection.executemany(
        "INSERT INTO revoked_at VALUES (?, ?, ?, ?)",
        [(done.unit, epoch, stream, seq) for (epoch, stream), seq in done.through.items()],
    )
    connection.execute(
        "INSERT INTO revocations VALUES (?, ?, ?, ?, ?, 0, 0) ON CONFLICT (unit) DO UPDATE"
        " SET state = excluded.state, reason = excluded.reason, given_by = excluded.given_by,"
        " revoked_ms = excluded.revoked_ms",
        (done.unit, done.state.value, done.reason, done.given_by, done.revoked_ms),
    )
    database.raise_alarm(
        connection, f"unit-{done.state}", done.unit, json.dumps({"by": done.given_by}), done.revoked_ms
    )


def revocations(home: CentreHome) -> list[Revocation]:
    """Every revoked unit, by name."""
    home.read_settings()
    connection = database.connect(home.database)
    try:
        rows = connection.execute(
            "SELECT unit, state, reason, given_by, revoked_ms, held, held_bytes FROM revocations"
            " ORDER BY unit"
        ).fetchall()
        return [
            Revocation(unit, State(state), reason, by, at_ms, _limits(connection, unit), held, held_bytes)
            for unit, state, reason, by, at_ms, held, held_bytes in rows
        ]
    finally:
        connection.close()


def held(home: CentreHome, unit: str | None = None) -> list[Held]:
    """What is held, of one unit or of all."""
    home.read_settings()
    connection = database.connect(home.database)
    try:
        rows = connection.execute(
            "SELECT unit, epoch, stream, first, last, came_ms FROM held"
            " ORDER BY unit, epoch, stream, first, last"
        ).fetchall()
    finally:
        connection.close()
    return [Held(*row) for row in rows if unit in {None, row[0]}]


@dataclasses.dataclass(frozen=True, slots=True)
class Range:
    """What an operator lets land: of one stream of an epoch, or all that is held where they are left out."""

    epoch: str | None = None
    stream: str | None = None
    first: int = 1
    last: int = 2**63 - 1

    def holds(self, each: Held) -> bool:
        """Whether a held range lies in it."""
        return (
            self.epoch in {None, each.epoch}
            and self.stream in {None, each.stream}
            and self.first <= each.first
            and each.last <= self.last
        )


def approve(home: CentreHome, unit: str, wanted: Range, *, by: str, clock: Clock) -> list[tuple[Held, bytes]]:
    """Let held ranges land; the messages, to be landed by the caller as if they came now.

    Raises:
        NotRevoked: nothing like it is held, or nobody is named.
        CentreError, CentreDatabaseError: the centre cannot be used.
    """
    home.read_settings()
    _check_words("approved", by)
    connection = database.connect(home.database)
    try:
        with database.write(connection):
            rows = connection.execute(
                "SELECT unit, epoch, stream, first, last, came_ms, raw FROM held WHERE unit = ?"
                " ORDER BY epoch, stream, first, last",
                (unit,),
            ).fetchall()
            found = [(each, bytes(row[6])) for row in rows if wanted.holds(each := Held(*row[:6]))]
            if not found:
                raise NotRevoked(
                    f"Nothing like that is held of {unit}.",
                    next_step="see what is held with `qafila central held`.",
                    code="nothing-held",
                )
            now_ms = clock.now().wall_ms
            for each, raw in found:
                connection.execute(
                    "INSERT INTO approvals VALUES (?, ?, ?, ?, ?, ?, ?)"
                    " ON CONFLICT (unit, epoch, stream, first, last) DO NOTHING",
                    (unit, each.epoch, each.stream, each.first, each.last, by, now_ms),
                )
                connection.execute("DELETE FROM held WHERE digest = ?", (hashlib.sha256(raw).digest(),))
            connection.execute(
                "UPDATE revocations SET held = held - ?, held_bytes = held_bytes - ? WHERE unit = ?",
                (len(found), sum(len(raw) for _, raw in found), unit),
            )
            database.raise_alarm(connection, "held-approved", unit, json.dumps({"by": by}), now_ms)
    finally:
        connection.close()
    return found


def let_land(home: CentreHome, unit: str, wanted: Range, *, by: str, clock: Clock) -> int:
    """Approve held ranges and land them as if they came now; how many batches.

    Raises:
        NotRevoked: nothing like it is held, or nobody is named.
        CentreError, CentreDatabaseError: the centre cannot be used; what is approved lands when it comes.
    """
    from sync.central.landing import Lander, Upward  # it asks this module what it may land

    settings = home.read_settings()
    private = home.read_key(Use.LANDED, settings.realm)
    found = approve(home, unit, wanted, by=by, clock=clock)
    connection = database.connect(home.database)
    try:
        writer = ReceiptWriter(Use.LANDED.value, settings.realm, settings.generation, private)
        lander = Lander(connection, settings.realm, clock, writer)
        messages = [Upward(topics.up(unit, each.stream), raw) for each, raw in found]
        return sum(lander.take(messages[at : at + _GROUP]).new for at in range(0, len(messages), _GROUP))
    finally:
        connection.close()


# ── at landing ───────────────────────────────────────────────────────────────────────────────────


def revoked(connection: Connection, units: Iterable[str]) -> set[str]:
    """Who of them is revoked; inside the transaction that lands what they sent."""
    return {
        unit
        for unit in set(units)
        if connection.execute("SELECT 1 FROM revocations WHERE unit = ?", (unit,)).fetchone()
    }


def admits(connection: Connection, journal: Journal, first: int, last: int) -> bool:
    """Whether a batch of a revoked unit lands as if it were not."""
    limit = connection.execute(
        "SELECT through FROM revoked_at WHERE unit = ? AND epoch = ? AND stream = ?", journal.key
    ).fetchone()
    if limit is not None and last <= limit[0]:
        return True
    rows = connection.execute(
        "SELECT 1 FROM approvals WHERE unit = ? AND epoch = ? AND stream = ? AND first <= ? AND last >= ?",
        (*journal.key, first, last),
    )
    return rows.fetchone() is not None


def admits_session(connection: Connection, unit: str, session: bytes) -> bool:
    """Whether a key message of a revoked unit is taken: one that is here, or one more of few."""
    if connection.execute(
        "SELECT 1 FROM sessions WHERE unit = ? AND session = ?", (unit, session)
    ).fetchone():
        return True
    (n,) = connection.execute(
        "SELECT count(*) FROM sessions JOIN revocations USING (unit)"
        " WHERE unit = ? AND since_ms > revoked_ms AND raw IS NOT NULL",
        (unit,),
    ).fetchone()
    return int(n) < MOST_SESSIONS


def hold(connection: Connection, journal: Journal, first: int, last: int, *, raw: bytes, now_ms: int) -> str:
    """Keep a batch aside; as which it is counted: ``held``, ``held-repeated`` or ``held-full``."""
    digest = hashlib.sha256(raw).digest()
    if connection.execute("SELECT 1 FROM held WHERE digest = ?", (digest,)).fetchone():
        return "held-repeated"
    n, size = connection.execute(
        "SELECT held, held_bytes FROM revocations WHERE unit = ?", (journal.unit,)
    ).fetchone()
    if n >= MOST_HELD or size + len(raw) > MOST_HELD_BYTES:
        return "held-full"
    connection.execute(
        "INSERT INTO held VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (digest, *journal.key, first, last, now_ms, raw)
    )
    connection.execute(
        "UPDATE revocations SET held = held + 1, held_bytes = held_bytes + ? WHERE unit = ?",
        (len(raw), journal.unit),
    )
    if n == 0:
        database.raise_alarm(connection, "revoked-unit-sends", journal.unit, journal.stream, now_ms)
    return "held"


# ── inside ───────────────────────────────────────────────────────────────────────────────────────


def _signed_tips(connection: Connection, unit: str) -> dict[tuple[str, str], int]:
    """The highest tips that stand in what the unit has signed; every message says all of them."""
    tips: dict[tuple[str, str], int] = {}
    rows = connection.execute(
        "SELECT raw FROM landing WHERE unit = ?1 AND id IN (SELECT max(id) FROM landing WHERE unit = ?1"
        " AND length(raw) > 0 GROUP BY epoch, stream) UNION ALL"
        " SELECT raw FROM sessions WHERE unit = ?1 AND raw IS NOT NULL",
        (unit,),
    ).fetchall()
    for (raw,) in rows:
        with contextlib.suppress(EnvelopeRefused):
            _raise_tips(tips, batches.read_header(bytes(raw)))
    return tips


def _raise_tips(tips: dict[tuple[str, str], int], header: BatchHeader) -> None:
    for stream, tip in zip(Stream, header.tips.seqs, strict=True):
        place = (header.epoch.hex(), stream.word)
        tips[place] = max(tips.get(place, 0), tip)


def _journals(connection: Connection, unit: str) -> list[Journal]:
    rows = connection.execute("SELECT DISTINCT epoch, stream FROM spans WHERE unit = ?", (unit,))
    return [Journal(unit, epoch, stream) for epoch, stream in rows.fetchall()]


def _limits(connection: Connection, unit: str) -> dict[tuple[str, str], int]:
    rows = connection.execute("SELECT epoch, stream, through FROM revoked_at WHERE unit = ?", (unit,))
    return {(epoch, stream): through for epoch, stream, through in rows.fetchall()}


def _check_words(reason: str, by: str) -> None:
    if not reason.strip() or len(reason) > MOST_WORDS:
        raise NotRevoked(
            f"A reason of 1 to {MOST_WORDS} characters is needed.",
            next_step="say why with --reason.",
            code="reason-refused",
        )
    if not by.strip() or len(by) > MOST_WORDS:
        raise NotRevoked(
            "Whoever decides it has to be named.", next_step="name them with --by.", code="person-refused"
        )


def _unknown(unit: str) -> NotRevoked:
    return NotRevoked(
        f"No unit {unit} is enrolled here.", next_step="See qafila central units.", code="unit-unknown"
    )
