"""From a module's answers to what is handed on. Pure."""

from collections.abc import Sequence
from typing import Final

from drivers.codec.framing import Frame, Framer
from drivers.decoding import Chunk, Decoded, decode_stream
from drivers.devices.suntech_nibp.codec import CuffPressure, Result, State, Suntech, Version, decode
from edge.vitals.codes import Code
from edge.vitals.identity import Identity
from edge.vitals.quantity import Missing, MissingReason
from edge.vitals.reading import Mode, Reading

FAILED: Final = "measurement-failed"
MANUFACTURER: Final = "SunTech Medical"


def result(said: Result, raw: bytes) -> Reading:
    """One finished measurement, good or failed."""
    values = (
        (Code.SYSTOLIC, said.systolic),
        (Code.DIASTOLIC, said.diastolic),
        (Code.MEAN_PRESSURE, said.mean),
        (Code.PULSE_CUFF, said.pulse),
    )
    flags = () if said.reason is None else (FAILED, said.reason)
    return Reading(values, flags, mode=Mode.SPOT, raw=raw)


def no_result(reason: str, raw: bytes) -> Reading:
    """A measurement that ended without a result to be fetched."""
    none = Missing(MissingReason.INVALID)
    codes = (Code.SYSTOLIC, Code.DIASTOLIC, Code.MEAN_PRESSURE, Code.PULSE_CUFF)
    return Reading(tuple((code, none) for code in codes), (FAILED, reason), mode=Mode.SPOT, raw=raw)


def cuff_pressure(said: CuffPressure, raw: bytes) -> Reading:
    """What the cuff holds now, for the screen alone."""
    return Reading(((Code.CUFF_PRESSURE, said.pressure),), mode=Mode.CONTINUOUS, raw=raw)


def identity_of(said: Version) -> Identity:
    """Which module it is; the first word is the model, the text as a whole its firmware."""
    return Identity(manufacturer=MANUFACTURER, model=said.text.partition(" ")[0], firmware=said.text)


def decode_chunks(chunks: Sequence[Chunk]) -> Decoded:
    """All that some answers said.

    A letter of status is a reading without values whose flag says it; in a session it is none.
    """
    readings: list[Reading] = []

    def take(frame: Frame) -> None:
        match decode(frame):
            case State() as said:
                readings.append(Reading((), (said.value,), raw=frame.raw))
            case CuffPressure() as said:
                readings.append(cuff_pressure(said, frame.raw))
            case Result() as said:
                readings.append(result(said, frame.raw))
            case Version() as said:
                readings.append(Reading((), ("version",), raw=frame.raw, identity=identity_of(said)))
            case _:
                pass

    refused = decode_stream(Framer(Suntech()), chunks, take)
    return Decoded(tuple(readings), tuple(refused))
