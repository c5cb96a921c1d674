"""Have a unit take over settings: sealed to it, signed by the key for that, with a number that rises."""

import dataclasses
import uuid
from collections.abc import Mapping
from typing import ClassVar, Final

from edge import cbor
from edge.cbor import Value
from edge.clock import Clock
from edge.errors import QafilaError
from sync.central import database, outbox, trouble
from sync.central.database import Connection
from sync.central.home import CentreError, CentreHome
from sync.wire.errors import EnvelopeRefused
from sync.wire.keyset import Use

KIND: Final = "configure"
MAX_TEXT: Final = 32_000


class NotConfigured(QafilaError):
    """Nothing was sent to the unit."""

    code: ClassVar[str] = "not-configured"


@dataclasses.dataclass(frozen=True, slots=True)
class Configured:
    """What a unit is sent; ``sealed`` unless nothing of the unit was opened yet."""

    message: uuid.UUID
    unit: str
    number: int
    tables: tuple[str, ...]
    sealed: bool


def configure(
    home: CentreHome, unit: str, text: str, tables: Mapping[str, str], *, by: str, clock: Clock
) -> Configured:
    """Send a unit a configuration, whose words and tables the caller has checked.

    Args:
        home: of the centre.
        unit: which one.
        text: the configuration.
        tables: texts of the programme's own tables that it names, by rule.
        by: who says it.
        clock: gives the number: it rises also where the centre was put back from a copy.

    Raises:
        NotSent: there is no such unit.
        NotConfigured: it is too long.
        CentreError: the key that signs it does not lie here.
    """
    keyset, privates = home.read_down_keys()
    if Use.CONFIG not in privates:
        raise CentreError(
            "The key that signs configurations does not lie here.",
            next_step="run it as the user it belongs to; a centre made without one: qafila central keys"
            " add config.",
            code="centre-key-missing",
        )
    if len(text) > MAX_TEXT:
        raise NotConfigured(
            f"A configuration has at most {MAX_TEXT} characters.", next_step="shorten it.", code="too-long"
        )
    now_ms = clock.now().wall_ms
    connection = database.connect(home.database)
    try:
        with database.write(connection, [unit]):
            number = max(now_ms // 1000, _last(connection, unit) + 1)
            body: list[Value] = [number, text, [[name, tables[name]] for name in sorted(tables)]]
            try:
                message = outbox.put(connection, unit, Use.CONFIG, KIND, body, now_ms=now_ms, by=by)
            except EnvelopeRefused:
                raise NotConfigured(
                    "It is too long for one message with its tables.",
                    next_step="leave comments and unchanged tables out.",
                    code="too-long",
                ) from None
        with trouble.understood():
            outbox.seal_due(connection, keyset, privates, now_ms, unit)
            (epoch,) = connection.execute(
                "SELECT epoch FROM outbox WHERE message = ?", (message.hex,)
            ).fetchone()
    finally:
        connection.close()
    return Configured(message, unit, number, tuple(sorted(tables)), epoch is not None)


def _last(connection: Connection, unit: str) -> int:
    """The highest number to this unit; 0 for none."""
    rows = connection.execute(
        "SELECT payload FROM outbox WHERE unit = ? AND kind = ?", (unit, KIND)
    ).fetchall()
    numbers: list[int] = []
    for (payload,) in rows:
        match cbor.decode(bytes(payload)):
            case [str(), int(number), *_]:
                numbers.append(number)
            case _:
                pass  # not of our making
    return max(numbers, default=0)
