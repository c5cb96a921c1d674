"""Polar Measurement Data: the control point, and frames of ECG.

Source: polarofficial/polar-ble-sdk, technical_documentation/online_measurement.pdf, and its PMD client.
"""

import dataclasses
import struct
from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from drivers.codec.value import Value
from edge.ports.driver import DeviceMisbehaved

ECG: Final = 0
"""The measurement type; others (acceleration, PPG) are not asked for."""
FEATURES: Final = 0x0F
RESPONSE: Final = 0xF0
STOP: Final = bytes((3, ECG))
GET_SETTINGS: Final = bytes((1, ECG))
LEAST_MTU: Final = 232
"""Below, the strap refuses to start: a frame of 73 samples would not fit."""
SAMPLE_BYTES: Final = 3

NOT_ECG: Final = "not-ecg"
COMPRESSED: Final = "compressed-frame"
UNKNOWN_FRAME: Final = "unknown-frame-type"
PARTIAL_SAMPLE: Final = "partial-sample"
NOT_A_RESPONSE: Final = "not-a-response"
_COMPRESSED_BIT: Final = 0x80


class Operation(IntEnum):
    """What the control point can be asked."""

    GET_SETTINGS = 1
    START = 2
    STOP = 3


class Answer(IntEnum):
    """The error byte of a response."""

    OK = 0x0
    UNKNOWN_OPERATION = 0x1
    UNKNOWN_TYPE = 0x2
    NOT_SUPPORTED = 0x3
    WRONG_LENGTH = 0x4
    WRONG_PARAMETER = 0x5
    ALREADY_SO = 0x6
    WRONG_RESOLUTION = 0x7
    WRONG_RATE = 0x8
    WRONG_RANGE = 0x9
    MTU_TOO_SMALL = 0xA
    WRONG_CHANNELS = 0xB
    WRONG_STATE = 0xC
    CHARGING = 0xD
    DISK_FULL = 0xE


class Setting(IntEnum):
    """Types of settings."""

    RATE = 0
    RESOLUTION = 1
    RANGE = 2
    CHANNELS = 3
    FACTOR = 5


_SIZES: Final[Mapping[int, int]] = {
    Setting.RATE: 2,
    Setting.RESOLUTION: 2,
    Setting.RANGE: 2,
    Setting.CHANNELS: 1,
    Setting.FACTOR: 4,
}

Settings = Mapping[int, tuple[int, ...]]
"""What can be chosen from, by type; a factor is kept as the 32 bits that were sent."""


# ── Control point ────────────────────────────────────────────────────────────────────────────────


@dataclasses.dataclass(frozen=True, slots=True)
class Response:
    """What the control point indicates: ``F0 operation type error [more] [parameters]``."""

    operation: int
    type: int
    error: int
    more: bool = False
    parameters: bytes = b""


def decode_response(raw: bytes) -> Response:
    """Read an indication of the control point.

    Raises:
        DeviceMisbehaved: too short (``frame-too-short``) or something else (``not-a-response``).
    """
    value = Value(raw)
    if value.unsigned(1) != RESPONSE:
        raise DeviceMisbehaved("Not a response.", raw=raw, code=NOT_A_RESPONSE)
    operation, type_, error, rest = value.unsigned(1), value.unsigned(1), value.unsigned(1), value.rest()
    return Response(operation, type_, error, bool(rest and rest[0]), rest[1:])


def encode_response(said: Response) -> bytes:
    """Write an indication, for simulators."""
    return bytes((RESPONSE, said.operation, said.type, said.error, said.more, *said.parameters))


def has_ecg(raw: bytes) -> bool:
    """Whether the value read from the control point, ``0F bits …``, offers ECG.

    Raises:
        DeviceMisbehaved: it is not such a value.
    """
    value = Value(raw)
    if value.unsigned(1) != FEATURES:
        raise DeviceMisbehaved("Not the list of measurements.", raw=raw, code=NOT_A_RESPONSE)
    return bool(value.unsigned(1) & 1 << ECG)


def decode_settings(raw: bytes) -> Settings:
    """Read settings, each ``type, count, count values``; a type without a known size ends the list.

    Raises:
        DeviceMisbehaved: the list ends within a setting.
    """
    value = Value(raw)
    left = len(raw)
    settings: dict[int, tuple[int, ...]] = {}
    while left:
        kind = value.unsigned(1)
        size = _SIZES.get(kind)
        if size is None:
            break  # what follows cannot be cut into values
        count = value.unsigned(1)
        settings[kind] = tuple(value.unsigned(size) for _ in range(count))
        left -= 2 + count * size
    return settings


def encode_settings(settings: Settings) -> bytes:
    """Write settings."""
    return b"".join(
        bytes((kind, len(values))) + b"".join(value.to_bytes(_SIZES[kind], "little") for value in values)
        for kind, values in settings.items()
    )


def start(chosen: Mapping[int, int]) -> bytes:
    """The command that starts ECG with one value for each setting."""
    return bytes((Operation.START, ECG)) + encode_settings({kind: (value,) for kind, value in chosen.items()})


# ── Data ─────────────────────────────────────────────────────────────────────────────────────────


@dataclasses.dataclass(frozen=True, slots=True)
class EcgFrame:
    """Some samples of ECG.

    Attributes:
        last_ns: device time of the **last** sample, nanoseconds since 2000-01-01; a strap that was not
            set begins at 2019-01-01.
        microvolts: oldest first.
    """

    last_ns: int
    microvolts: tuple[int, ...]


_HEADER: Final = struct.Struct("<BQB")


def decode_ecg(raw: bytes) -> EcgFrame:
    """Read one notification of PMD data.

    Layout, little endian::

        0   1    measurement type, 0 ECG
        1   8    time of the last sample, ns
        9   1    frame type: 0; bit 7 says compressed
        10  3 …  samples, signed, in microvolts

    Raises:
        DeviceMisbehaved: no room for a sample (``frame-too-short``), half a sample (``partial-sample``),
            ``compressed-frame``, ``unknown-frame-type``, or ``not-ecg``.
    """
    value = Value(raw)
    kind, last_ns, frame = value.unsigned(1), value.unsigned(8), value.unsigned(1)
    if kind != ECG:
        raise DeviceMisbehaved("Not a frame of ECG.", raw=raw, code=NOT_ECG)
    if frame & _COMPRESSED_BIT:
        raise DeviceMisbehaved("A compressed frame.", raw=raw, code=COMPRESSED)
    if frame:
        raise DeviceMisbehaved("A frame of a type not known.", raw=raw, code=UNKNOWN_FRAME)
    samples = value.take(SAMPLE_BYTES) + value.rest()
    if len(samples) % SAMPLE_BYTES:
        raise DeviceMisbehaved("The samples end within one.", raw=raw, code=PARTIAL_SAMPLE)
    return EcgFrame(
        last_ns,
        tuple(
            int.from_bytes(samples[at : at + SAMPLE_BYTES], "little", signed=True)
            for at in range(0, len(samples), SAMPLE_BYTES)
        ),
    )


def encode_ecg(frame: EcgFrame) -> bytes:
    """Write one notification, for simulators."""
    samples = (sample.to_bytes(SAMPLE_BYTES, "little", signed=True) for sample in frame.microvolts)
    return _HEADER.pack(ECG, frame.last_ns, 0) + b"".join(samples)
