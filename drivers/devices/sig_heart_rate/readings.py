"""From the values of a heart rate sensor to what is handed on. Pure."""

from collections.abc import Sequence

from drivers.codec import uuids
from drivers.codec.heart_rate import decode_heart_rate, heart_rate_reading
from drivers.codec.value import Value
from drivers.decoding import Chunk, Decoded, decode_values, unknown_characteristic
from edge.vitals.reading import Reading


def decode_chunks(chunks: Sequence[Chunk]) -> Decoded:
    """All that some values said; one without a name is of 0x2A37."""
    readings: list[Reading] = []

    def take(characteristic: str, raw: bytes) -> None:
        match characteristic:
            case uuids.HEART_RATE_MEASUREMENT:
                readings.append(heart_rate_reading(decode_heart_rate(raw), raw))
            case uuids.BODY_SENSOR_LOCATION:
                Value(raw).unsigned(1)
            case _:
                raise unknown_characteristic(raw)

    refused = decode_values(chunks, uuids.HEART_RATE_MEASUREMENT, take)
    return Decoded(tuple(readings), tuple(refused))
