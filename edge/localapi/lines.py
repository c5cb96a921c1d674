"""Lines of the local API: JSON objects to bytes and back, as plain values."""

import json
import uuid
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from pydantic import SecretStr, ValidationError

from edge.errors import QafilaError
from edge.localapi.messages import METHODS, VERSION, Envelope
from edge.localapi.shapes import Message

MAX_REQUEST_BYTES: Final = 64 * 1024
MAX_ANSWER_BYTES: Final = 1024 * 1024
_LIMITS: Final = ("min_length", "max_length", "expected", "ge", "le", "gt", "lt")
_AGAIN: Final = "Correct it and try again."
_FAULTS: Final[Mapping[str, tuple[str, str]]] = {
    "string_too_short": ("is empty", "Write it and try again."),
    "string_too_long": ("is longer than {max_length} characters", "Make it shorter and try again."),
    "too_short": ("is too short: {min_length} at least", _AGAIN),
    "too_long": ("is too long: {max_length} at most", _AGAIN),
    "not-seen": (
        "holds a character that cannot be seen, such as a control character",
        "Type it again; what is copied from elsewhere may bring such characters along.",
    ),
    "no-date": ("is no day of the calendar", _AGAIN),
    "string_pattern_mismatch": ("is not written as it has to be", _AGAIN),
    "literal_error": ("is not one of {expected}", _AGAIN),
    "uuid_parsing": ("is no id", "Copy it whole from the list that shows it."),
    "greater_than_equal": ("is less than {ge}", _AGAIN),
    "less_than_equal": ("is more than {le}", _AGAIN),
    "greater_than": ("is not more than {gt}", _AGAIN),
    "less_than": ("is not less than {lt}", _AGAIN),
    "int_parsing": ("is no whole number", _AGAIN),
    "decimal_parsing": ("is no number", _AGAIN),
}
"""By the kind of fault what is said of the field, and what to do. Faults of clients alone are not here."""


class RequestRefused(QafilaError):
    """The line is no request that is understood here; the client has to be corrected."""

    code: ClassVar[str] = "request-refused"


def to_line(message: Mapping[str, Any]) -> bytes:
    """One line, compact, text as UTF-8."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def read_object(line: bytes) -> dict[str, Any]:
    """The JSON object of a line; numbers with a fraction stay decimal text.

    Raises:
        RequestRefused: no JSON object in UTF-8, or one that nests too deep.
    """
    try:
        value = json.loads(line.decode(), parse_float=str, parse_constant=_refuse_constant)
        if b"\\ud" in line.lower():
            to_line({"": value})  # half a surrogate pair is no text: nobody below could encode it
    except (ValueError, RecursionError) as error:
        raise RequestRefused(
            "The line is no JSON object.", next_step="Send one JSON object per line.", code="not-understood"
        ) from error
    if not isinstance(value, dict):
        raise RequestRefused(
            "The line is no JSON object.", next_step="Send one JSON object per line.", code="not-understood"
        )
    return value


def read_envelope(raw: Mapping[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """The request's id in its canonical spelling, its method and its fields, not yet checked.

    Raises:
        RequestRefused: another version, an id that is no UUIDv7, an unknown method.
    """
    try:
        envelope = Envelope.model_validate(raw)
    except ValidationError as error:
        if raw.get("v") != VERSION:
            raise RequestRefused(
                f"This agent speaks version {VERSION} of the local API.",
                next_step="Use a client of the same release.",
                code="version-unknown",
            ) from error
        raise RequestRefused(
            f"The request is not in its form ({_where(error)}).",
            next_step='Send {"v":1,"id":…,"do":…,"with":{…}}.',
        ) from error
    if envelope.id.version != 7 or envelope.id.variant != uuid.RFC_4122:
        raise RequestRefused(
            "The request's id is no UUIDv7.", next_step="Make a new UUIDv7 for each request."
        )
    if envelope.do not in METHODS:
        raise RequestRefused(
            "The method is unknown.",
            next_step="`qafila agent schema` lists the methods.",
            code="method-unknown",
        )
    return str(envelope.id), envelope.do, envelope.with_


def read_fields(method: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    """The checked fields of a method as plain values, secrets as text.

    Raises:
        RequestRefused: a field is missing, unknown or not allowed. The sentence names the field, never
            what stood in it.
    """
    try:
        message = METHODS[method].takes.model_validate(raw)
    except ValidationError as error:
        sentence, next_step = _for_people(method, error)
        raise RequestRefused(sentence, next_step=next_step, code="field-refused") from error
    return _plain(message)


def _plain(message: Message) -> dict[str, Any]:
    values = message.model_dump()
    return {k: v.get_secret_value() if isinstance(v, SecretStr) else v for k, v in values.items()}


def _for_people(method: str, error: ValidationError) -> tuple[str, str]:
    """What is wrong with a field and what to do, for whoever typed it; never what stood in it."""
    first = error.errors(include_url=False, include_input=False)[0]
    fault = first["type"]
    context: Mapping[str, object] = dict(first.get("ctx", {}))
    if fault not in _FAULTS:
        return f"{method}: {_where(error)}.", "Correct the field; `qafila agent schema` describes it."
    place = ", ".join(str(part + 1) if isinstance(part, int) else part for part in first["loc"])
    limits = {name: context[name] for name in _LIMITS if name in context}  # of the schema, never of the input
    words, next_step = _FAULTS[fault]
    return f"The {place.replace('_', ' ')} {words.format_map(limits)}.", next_step


def _where(error: ValidationError) -> str:
    """Field and kind of the first fault; never the input, which may be a name or a PIN."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    if first["type"] == "extra_forbidden":
        return "a field is unknown"
    place = ".".join(str(part) for part in first["loc"])
    return f"field {place} is {'missing' if first['type'] == 'missing' else 'not allowed'} ({first['type']})"


def _refuse_constant(_name: str) -> None:
    raise ValueError("NaN and infinities are no JSON")
