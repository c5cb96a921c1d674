"""What units ask specialists, for people; and what people answer."""

import dataclasses
import json
import uuid
from typing import Any, ClassVar, Final, Self

from edge.clock import Clock
from edge.errors import QafilaError
from edge.records.expertise import RequestEvent, RequestState, after
from edge.records.fields import Stream
from sync.central import attachments, database, outbox, trouble
from sync.central.attachments import ReceivedAttachment
from sync.central.database import Connection
from sync.central.home import CentreError, CentreHome
from sync.wire.keyset import Use

MAX_TEXT: Final = 32_000
MAX_FROM: Final = 120
_EVENTS: Final = {event.value: event for event in RequestEvent}
_TRIED: Final = ("on-trial", "applied")
"""What a unit says of a configuration that it has not left."""
_LATEST_PATIENT: Final = (
    "SELECT family, given, family_arabic, given_arabic, sex, birth FROM patients WHERE patient = ?"
    " ORDER BY revision DESC, unit DESC, epoch DESC, seq DESC, leaf DESC LIMIT 1"
)


class RequestRefused(QafilaError):
    """Nothing was said to anybody."""

    code: ClassVar[str] = "request-refused"


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """One message to a unit.

    Attributes:
        state: ``waiting`` until it is sealed, ``sent``, ``on-unit``, ``read``, or ``refused``; of a
            configuration also ``on-trial``, ``applied``, or ``rolled-back``.
        outcome: with ``refused``, the code of what kept the unit from applying it; with ``rolled-back``, of
            what made the unit leave it.
        text: as it was written, where it is a text.
    """

    message: str
    unit: str
    kind: str
    made_by: str
    made_ms: int
    state: str
    outcome: str | None
    received_ms: int | None
    read_ms: int | None
    read_by: str | None
    request: str | None
    text: str | None

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """One request.

    Attributes:
        patient: their id in hex; ``name``, ``sex`` and ``birth`` as far as they are known here.
        values: what it is about: code, value or None, why there is none or None, when in ms.
        recordings: ids of waves, for `qafila central waves`.
        missing: how many of the entries it names have not come yet.
        attachments: photos and documents that go with it, as far as they have come.
    """

    request: str
    unit: str
    patient: str
    name: str
    sex: str | None
    birth: str | None
    specialty: str
    urgency: str
    act: str | None
    basis: str | None
    question: str
    operator: str | None
    wall_ms: int | None
    state: RequestState
    values: tuple[tuple[str, str | None, str | None, int | None], ...]
    recordings: tuple[str, ...]
    missing: int
    said: tuple[Said, ...]
    attachments: tuple[ReceivedAttachment, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            **dataclasses.asdict(self),
            "said": [each.as_json() for each in self.said],
            "attachments": [each.as_json() for each in self.attachments],
        }


def requests(home: CentreHome, *, waiting: bool = False) -> list[Asked]:
    """Everything that was asked, urgent ones first, the latest of each first; or what waits for an answer.

    Raises:
        CentreDatabaseError: the database cannot be used.
    """
    home.read_settings()
    connection = database.connect(home.database)
    try:
        with trouble.understood():
            rows = connection.execute(
                "SELECT DISTINCT request FROM requests ORDER BY request DESC"
            ).fetchall()
            found = [_asked(connection, request) for (request,) in rows]
    finally:
        connection.close()
    wanted = [
        each for each in found if not waiting or each.state in {RequestState.ASKED, RequestState.ACCEPTED}
    ]
    return sorted(wanted, key=lambda each: each.urgency == "routine")


def request(home: CentreHome, id_: uuid.UUID) -> Asked:
    """One request.

    Raises:
        RequestRefused: there is none.
    """
    home.read_settings()
    connection = database.connect(home.database)
    try:
        with trouble.understood():
            _unit_of(connection, id_)
            return _asked(connection, id_.hex)
    finally:
        connection.close()


def say_about(
    home: CentreHome, id_: uuid.UUID, event: RequestEvent, *, sender: str, text: str, clock: Clock
) -> Said:
    """Answer a request, take it on, or decline it.

    Raises:
        RequestRefused: there is no such request, it was withdrawn, or the words are empty or too long.
        CentreError: the key that signs it does not lie here.
    """
    _check_words(sender, text)
    with _Speaking(home, clock) as speaking:
        unit, patient = _unit_of(speaking.connection, id_)
        state = _asked(speaking.connection, id_.hex).state
        if state is RequestState.WITHDRAWN:
            raise RequestRefused(
                "The unit has withdrawn this request.",
                next_step="write with `qafila central message` if something has to be said.",
                code="request-withdrawn",
            )
        return speaking.say(
            unit, event.value, [id_.bytes, sender, text, bytes.fromhex(patient)], sender, patient, id_.hex
        )


def say_to(
    home: CentreHome, unit: str, *, sender: str, text: str, patient: uuid.UUID | None, clock: Clock
) -> Said:
    """Write to whoever is in the van.

    Raises:
        RequestRefused: the words are empty or too long, or nobody knows the patient.
        NotSent: there is no such unit.
        CentreError: the key that signs it does not lie here.
    """
    _check_words(sender, text)
    with _Speaking(home, clock) as speaking:
        named = None if patient is None else patient.hex
        if (
            named is not None
            and not speaking.connection.execute(
                "SELECT 1 FROM patients WHERE patient = ? AND unit = ?", (named, unit)
            ).fetchone()
        ):
            raise RequestRefused(
                f"{unit} has sent no patient with this id.",
                next_step="look it up with `qafila central patients --json`.",
                code="patient-unknown",
            )
        body = [None if patient is None else patient.bytes, sender, text]
        return speaking.say(unit, "message", body, sender, named, None)


def messages(home: CentreHome, unit: str | None = None) -> list[Said]:
    """What was said to units, the latest first, and how far it has got."""
    home.read_settings()
    connection = database.connect(home.database)
    try:
        with trouble.understood():
            rows = connection.execute(
                "SELECT message FROM outbox WHERE unit = coalesce(?, unit) ORDER BY message DESC", (unit,)
            ).fetchall()
            return [_said(connection, message) for (message,) in rows]
    finally:
        connection.close()


class _Speaking:
    """The database while something is said: put and, if it can be, sealed at once."""

    def __init__(self, home: CentreHome, clock: Clock) -> None:
        self._clock = clock
        self._keyset, self._privates = home.read_down_keys()
        if Use.ADVICE not in self._privates:
            raise CentreError(
                "The key that signs advice does not lie here.",
                next_step="run it as the user it belongs to; a centre made without one: qafila central keys"
                " add advice.",
                code="centre-key-missing",
            )
        self.connection = database.connect(home.database)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def say(
        self, unit: str, kind: str, body: list[Any], by: str, patient: str | None, request: str | None
    ) -> Said:
        now_ms = self._clock.now().wall_ms
        with database.write(self.connection, [unit]):
            message = outbox.put(
                *(self.connection, unit, Use.ADVICE, kind, body),
                now_ms=now_ms,
                by=by,
                patient=patient,
                request=request,
            )
        with trouble.understood():
            outbox.seal_due(self.connection, self._keyset, self._privates, now_ms, unit)
            return _said(self.connection, message.hex)


def _check_words(sender: str, text: str) -> None:
    if not text.strip() or len(text) > MAX_TEXT:
        raise RequestRefused(
            f"A text of 1 to {MAX_TEXT} characters is needed.",
            next_step="write it into a file, and name that.",
            code="text-refused",
        )
    if not sender.strip() or len(sender) > MAX_FROM:
        raise RequestRefused(
            "Who says it has to be named.", next_step="name them with --from.", code="sender-refused"
        )


def _unit_of(connection: Connection, id_: uuid.UUID) -> tuple[str, str]:
    row = connection.execute(
        "SELECT unit, patient FROM requests WHERE request = ? ORDER BY wall_ms DESC LIMIT 1", (id_.hex,)
    ).fetchone()
    if row is None:
        raise RequestRefused(
            "No unit has asked this.", next_step="see qafila central requests.", code="request-unknown"
        )
    return _present(connection, str(row[0])), str(row[1])


def _present(connection: Connection, unit: str) -> str:
    """Who goes on with what a unit has written: itself, or the box that was granted its backup."""
    seen = {unit}
    while True:
        row = connection.execute(
            "SELECT unit FROM grants WHERE former = ? ORDER BY granted_ms DESC LIMIT 1", (unit,)
        ).fetchone()
        if row is None or row[0] in seen:
            return unit
        unit = str(row[0])
        seen.add(unit)


def _asked(connection: Connection, request: str) -> Asked:
    unit, patient, specialty, urgency, act, basis, question, sex, birth, *rest = connection.execute(
        "SELECT unit, patient, specialty, urgency, act, basis, question, sex, birth, attached, recordings,"
        " snapshot, operator, wall_ms FROM requests WHERE request = ? ORDER BY wall_ms, unit, epoch, seq"
        " LIMIT 1",
        (request,),
    ).fetchone()
    attached, recordings, snapshot, operator, wall_ms = rest
    known = connection.execute(_LATEST_PATIENT, (patient,)).fetchone() or (None,) * 6
    name = f"{known[0] or ''} {known[1] or ''}".strip() or f"{known[2] or ''} {known[3] or ''}".strip()
    values, missing = _values(connection, unit, json.loads(attached))
    told = tuple(tuple(each) for each in json.loads(snapshot))
    messages = connection.execute(
        "SELECT message FROM outbox WHERE request = ? ORDER BY message", (request,)
    ).fetchall()
    said = tuple(_said(connection, message) for (message,) in messages)
    return Asked(
        request=request,
        unit=unit,
        patient=patient,
        name=name,
        sex=known[4] or sex,
        birth=known[5] or birth,
        specialty=specialty,
        urgency=urgency,
        act=act,
        basis=basis,
        question=question,
        operator=operator,
        wall_ms=wall_ms,
        state=_state(connection, request, said),
        values=values if values or not told else told,
        recordings=tuple(json.loads(recordings)),
        missing=missing,
        said=said,
        attachments=attachments.of_request(connection, request),
    )


def _values(
    connection: Connection, unit: str, attached: list[tuple[str, int, int]]
) -> tuple[tuple[tuple[str, str | None, str | None, int | None], ...], int]:
    """The observations that a request names, and how many of its entries are not there yet."""
    found: list[tuple[str, str | None, str | None, int | None]] = []
    missing = 0
    for epoch, stream, seq in attached:
        place = (unit, epoch, Stream(stream).word if stream in set(Stream) else "", seq)
        row = connection.execute(
            "SELECT code, value, missing, wall_ms FROM observations"
            " WHERE unit = ? AND epoch = ? AND stream = ? AND seq = ?",
            place,
        ).fetchone()
        if row is not None:
            found.append((row[0], row[1], row[2], row[3]))
        else:
            missing += 1
    return tuple(found), missing


def _state(connection: Connection, request: str, said: tuple[Said, ...]) -> RequestState:
    """What became of it: first what the unit knows of, in its own order, then what is on its way there."""
    steps = connection.execute(
        "SELECT wall_ms, seq, event, '' FROM request_changes WHERE request = ?1"
        " UNION ALL SELECT wall_ms, seq, kind, message FROM down_news"
        " WHERE request = ?1 AND event = 'received' AND outcome = 'applied' ORDER BY 1, 2",
        (request,),
    ).fetchall()
    state = RequestState.ASKED
    known: set[str] = set()
    for _, _, event, message in steps:
        known.add(message)
        if event in _EVENTS:
            state = after(state, _EVENTS[event])
    for each in said:
        if each.message not in known and each.outcome is None and each.kind in _EVENTS:
            state = after(state, _EVENTS[each.kind])
    return state


def _said(connection: Connection, message: str) -> Said:
    unit, kind, made_by, made_ms, request, payload, epoch = connection.execute(
        "SELECT unit, kind, made_by, made_ms, request, payload, epoch FROM outbox WHERE message = ?",
        (message,),
    ).fetchone()
    news = connection.execute(
        "SELECT event, outcome, operator, wall_ms FROM down_news WHERE message = ? ORDER BY wall_ms, seq",
        (message,),
    ).fetchall()
    received = next((row for row in news if row[0] == "received"), None)
    read = next((row for row in news if row[0] == "read"), None)
    told = [row for row in news if row[0] == "configured"]
    configured = next((row for row in told if row[1] != "on-trial"), told[0] if told else None)
    state = "waiting" if epoch is None else "sent"
    outcome: str | None = None
    if received is not None:
        outcome = None if received[1] == "applied" else received[1]
        state = "on-unit" if outcome is None else "refused"
    if configured is not None and outcome is None:
        state = configured[1] if configured[1] in _TRIED else "rolled-back"
        outcome = None if configured[1] in _TRIED else configured[1]
    return Said(
        message=message,
        unit=unit,
        kind=kind,
        made_by=made_by,
        made_ms=made_ms,
        state="read" if read is not None and outcome is None else state,
        outcome=outcome,
        received_ms=None if received is None else received[3],
        read_ms=None if read is None else read[3],
        read_by=None if read is None else read[2],
        request=request,
        text=outbox.text_of(bytes(payload)),
    )
