"""ProtoCentral HealthyPi boards; what is known of them stands in this folder's README."""

from collections.abc import Sequence
from typing import Final

from drivers.decoding import Chunk, Decoded
from drivers.kinds import DeviceKind, DriverContext, Evidence, Medium
from edge.ports.driver import Driver


def _decode(chunks: Sequence[Chunk]) -> Decoded:
    from drivers.devices.healthypi.readings import decode_chunks

    return decode_chunks(chunks)


def _make_driver(context: DriverContext) -> Driver:
    from drivers.devices.healthypi.driver import FAMILY
    from drivers.setup.session import SetUpDriver

    return SetUpDriver(context, FAMILY)


KIND: Final = DeviceKind(
    kind="healthypi",
    title="ProtoCentral HealthyPi multi-parameter board",
    transport=Medium.SERIAL,
    evidence=Evidence.SPECIFICATION,
    models=("HealthyPi v4", "HealthyPi 5", "ADS1292R breakout"),
    decode=_decode,
    make_driver=_make_driver,
)
