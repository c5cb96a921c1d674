"""What the agent writes into journal entries: one function for each kind, fields by name."""

import datetime
import hashlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from edge.cbor import Value
from edge.clock import ClockQuality, Moment
from edge.records.fields import Field, Payload, Source
from edge.records.identity import request_digest
from edge.records.names import PersonName
from edge.vitals.identity import Identity
from edge.vitals.quantity import Measured, Missing, Unit

_MAX_MANTISSA: Final = 2**63 - 1


def stamp(
    moment: Moment,
    operator: str | None,
    request: str | None = None,
    place: tuple[int, int] | None = None,
) -> Payload:
    """When, who and where; every entry begins with it."""
    return _without_nothing(
        {
            Field.WALL_MS: moment.wall_ms,
            Field.BOOT: moment.boot,
            Field.MONOTONIC_MS: moment.monotonic_ms,
            Field.CLOCK_QUALITY: int(moment.quality),
            Field.OPERATOR: operator,
            Field.REQUEST: None if request is None else request_digest(request),
            Field.PLACE: None if place is None else list(place),
        }
    )


def patient(
    *,
    revision: int,
    name: PersonName,
    sex: str,
    birth: str | None,
    birth_estimated: bool,
    identifiers: Sequence[Mapping[str, str]],
    phone: str | None,
    village: str | None,
) -> Payload:
    """All that is known of a patient from this revision on."""
    return _without_nothing(
        {
            Field.REVISION: revision,
            Field.FAMILY: name.family or None,
            Field.GIVEN: name.given or None,
            Field.SEX: sex,
            Field.BIRTH: birth,
            Field.IDENTIFIERS: [[each["system"], each["value"]] for each in identifiers] or None,
            Field.PHONE: phone,
            Field.VILLAGE: village,
            Field.FAMILY_ARABIC: name.family_arabic or None,
            Field.GIVEN_ARABIC: name.given_arabic or None,
            Field.BIRTH_ESTIMATED: True if birth_estimated and birth is not None else None,
        }
    )


def consent(revision: int, said: Mapping[str, str | None]) -> Payload:
    """One decision about one scope."""
    return _without_nothing(
        {
            Field.REVISION: revision,
            Field.SCOPE: said["scope"],
            Field.DECISION: said["decision"],
            Field.GIVEN_BY: said["given_by"],
            Field.FORM: said["form"],
            Field.LANGUAGE: said["language"],
            Field.WITNESS: said["witness"],
        }
    )


def link(duplicate: bytes, revision: int, reason: str) -> Payload:
    """That somebody was entered twice, or was not."""
    return {Field.DUPLICATE: duplicate, Field.REVISION: revision, Field.REASON: reason}


def observation(
    code: str,
    measured: Measured,
    source: Source,
    reading: int,
    *,
    encounter: bytes | None = None,
    as_given: tuple[Decimal, Unit] | None = None,
    confirmed: Sequence[str] = (),
    limits: str | None = None,
    device: str | None = None,
    device_record: bytes | None = None,
    device_time: datetime.datetime | None = None,
    clock_off_s: int | None = None,
    flags: Sequence[str] = (),
) -> Payload:
    """One value, or the reason why there is none."""
    missing = measured.why.value if isinstance(measured, Missing) else None
    return _without_nothing(
        {
            Field.ENCOUNTER: encounter,
            Field.CODE: code,
            Field.VALUE: None if isinstance(measured, Missing) else decimal(measured.value),
            Field.MISSING: missing,
            Field.SOURCE: int(source),
            Field.READING: reading,
            Field.DEVICE: device,
            Field.DEVICE_RECORD: device_record,
            Field.DEVICE_TIME: None if device_time is None else device_time.isoformat(),
            Field.CLOCK_OFF: clock_off_s,
            Field.FLAGS: list(flags) or None,
            Field.DEVICE_VALUE: None if as_given is None else [decimal(as_given[0]), as_given[1].value],
            Field.CONFIRMED: " ".join(confirmed) or None,
            Field.LIMITS: limits if confirmed else None,
        }
    )


def correction(reason: str, corrected: tuple[bytes, int]) -> Payload:
    """What an observation has beside it that stands in the place of another."""
    return {Field.REASON: reason, Field.SUPERSEDES: list(corrected)}


def score(
    version: str,
    band: str | None,
    parts: Mapping[str, int | str],
    inputs: Sequence[tuple[bytes, int]],
) -> Payload:
    """What an observation has beside it that a rule gave."""
    return _without_nothing(
        {
            Field.RULE_VERSION: version,
            Field.BAND: band,
            Field.PARTS: [[name, points] for name, points in parts.items()] or None,
            Field.INPUTS: [list(each) for each in inputs] or None,
        }
    )


def device(key: str, kind: str, identity: Identity) -> Payload:
    """What a device said of itself."""
    return _without_nothing(
        {
            Field.DEVICE: key,
            Field.DEVICE_KIND: kind,
            Field.MANUFACTURER: identity.manufacturer or None,
            Field.MODEL: identity.model or None,
            Field.SERIAL: identity.serial or None,
            Field.FIRMWARE: identity.firmware or None,
            Field.BATTERY: identity.battery_percent,
        }
    )


def configured(message: bytes, outcome: str) -> Payload:
    """What became of a configuration that ``message`` brought."""
    return {Field.MESSAGE: message, Field.OUTCOME: outcome}


def clock(source: ClockQuality, offset_ms: int) -> Payload:
    """A better clock was heard, and by how much ours is behind it."""
    return {Field.CLOCK_SOURCE: int(source), Field.CLOCK_OFFSET: offset_ms}


def alert(code: str, text: str | None, encounter: bytes | None) -> Payload:
    """An alert; self-contained."""
    return _without_nothing({Field.ENCOUNTER: encounter, Field.ALERT_CODE: code, Field.ALERT_TEXT: text})


def requested(
    request: bytes,
    *,
    encounter: bytes | None,
    said: tuple[str, str, str, str, str],
    attached: Sequence[tuple[bytes, int, int]],
    recordings: Sequence[bytes],
    alone: Mapping[Field, Value],
) -> Payload:
    """What a specialist is asked.

    Args:
        request: its id.
        encounter: the visit it is about.
        said: specialty, urgency, act, question, basis.
        attached: identities of the entries it is about.
        recordings: waveforms it is about.
        alone: what an urgent one rests on.
    """
    specialty, urgency, act, question, basis = said
    return _without_nothing(
        {
            Field.EXPERTISE: request,
            Field.ENCOUNTER: encounter,
            Field.SPECIALTY: specialty,
            Field.URGENCY: urgency,
            Field.ACT: act,
            Field.QUESTION: question,
            Field.BASIS: basis,
            Field.ATTACHED: [[epoch, int(stream), seq] for epoch, stream, seq in attached] or None,
            Field.RECORDINGS: list(recordings) or None,
            **alone,
        }
    )


def attachment(
    attachment: bytes, request: bytes, media: str, whole: bytes, *, size: int, parts: int, caption: str
) -> Payload:
    """A photo or document that a request has with it; ``whole`` is the SHA-256 of the file."""
    return _without_nothing(
        {
            Field.ATTACHMENT: attachment,
            Field.EXPERTISE: request,
            Field.MEDIA_TYPE: media,
            Field.WHOLE: whole,
            Field.SIZE: size,
            Field.COUNT: parts,
            Field.CAPTION: caption or None,
        }
    )


def attachment_part(attachment: bytes, number: int, data: bytes) -> Payload:
    """A part of one, from 1; the bytes stand beside it."""
    return {
        Field.ATTACHMENT: attachment,
        Field.CHUNK: number,
        Field.HASH: hashlib.sha256(data).digest(),
        Field.SIZE: len(data),
    }


def request_changed(request: bytes, event: str, reason: str | None) -> Payload:
    """That a request was closed or withdrawn on the unit."""
    return _without_nothing({Field.EXPERTISE: request, Field.EVENT: event, Field.REASON: reason})


def received(
    message: bytes, dseq: int, kind: str, outcome: str, content: bytes, request: bytes | None
) -> Payload:
    """What came down, and what became of it; the content itself stays here."""
    return _without_nothing(
        {
            Field.MESSAGE: message,
            Field.DSEQ: dseq,
            Field.DOWN_KIND: kind,
            Field.OUTCOME: outcome,
            Field.DIGEST: hashlib.sha256(content).digest(),
            Field.EXPERTISE: request,
        }
    )


def read(message: bytes, request: bytes | None) -> Payload:
    """That somebody has seen a message whole."""
    return _without_nothing({Field.MESSAGE: message, Field.EXPERTISE: request})


def void(spans: Sequence[tuple[bytes, int, int, int]], reason: str) -> Payload:
    """Entries that are lost, by epoch, stream, first and last: so many that a batch holds them."""
    return {Field.SPANS: [list(span) for span in spans], Field.REASON: reason}


def access(action: str, about: bytes | str | None = None) -> Payload:
    """What somebody did or saw, for the audit stream: identifiers only."""
    return _without_nothing({Field.ACTION: action, Field.OBJECT: about})


def decimal(value: Decimal) -> list[Value]:
    """``[mantissa, exponent]``; trailing zeros stay, they say the precision."""
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)  # noqa: S101  NaN and infinities were refused at the border
    mantissa = int("".join(map(str, digits)))
    assert mantissa <= _MAX_MANTISSA  # noqa: S101  digits were limited at the border
    return [-mantissa if sign else mantissa, exponent]


def _without_nothing(payload: Mapping[Field, Value]) -> Payload:
    return {field: value for field, value in payload.items() if value is not None}
